use super::super::value::Collation;
use super::Value;

/// What a command gives its filters, expressions and stages: variables that have their values before anything is parsed
/// (the `let` of a command or of a `$lookup`), and how strings are compared.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Given {
    variables: Vec<(String, Value)>,
    collation: Collation,
}

static NOTHING: Given = Given { variables: Vec::new(), collation: Collation::SIMPLE };

impl Given {
    /// No variables, the simple collation.
    pub(in crate::sandbox) fn nothing() -> &'static Self {
        &NOTHING
    }

    pub(in crate::sandbox) fn collated(collation: Collation) -> Self {
        Self { variables: Vec::new(), collation }
    }

    /// The same, but strings are compared by this collation.
    pub(in crate::sandbox) fn with(&self, collation: Collation) -> Self {
        Self { variables: self.variables.clone(), collation }
    }

    pub(in crate::sandbox) fn collation(&self) -> &Collation {
        &self.collation
    }

    /// Adds a variable; it hides an older one of its name.
    pub(in crate::sandbox) fn add(&mut self, name: impl Into<String>, value: Value) {
        self.variables.push((name.into(), value));
    }

    /// The value of a variable; `None` if there is none of this name.
    pub(super) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
