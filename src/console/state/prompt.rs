use super::Input;

/// What a line is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A file with variables to be staged.
    Import,
    /// A file to write the variables to.
    Export,
}

/// The name of a file being asked for.
#[derive(Debug)]
pub(crate) struct FileName {
    pub(crate) title: String,
    /// What may be typed.
    pub(crate) hint: &'static str,
    pub(crate) input: Input,
    pub(crate) wanted: Wanted,
}
