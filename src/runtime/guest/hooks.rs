//! Hooks: Python of ours in every Python process of the guest, without a change to the guest.
//!
//! `sitecustomize.py`, which Python runs before anything else, loads those named in the environment; how a hook is written
//! is said at its top. It is found because its directory comes first on the module path.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::GuestError;

const LOADER: &str = include_str!("../../../assets/guest/hooks/sitecustomize.py");
const SANDBOX: &str = include_str!("../../../assets/guest/hooks/hook_sandbox.py");

/// Names and values for the environment.
type Variables = Vec<(&'static str, String)>;

/// Python to run in every process of the guest before its own, and the variables it reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    name: &'static str,
    source: &'static str,
    /// May hold secrets: never shown.
    variables: Variables,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Hook {
    /// The hook of a name, its source, and what it reads in its environment.
    #[must_use]
    pub fn new(name: &'static str, source: &'static str, variables: Vec<(&'static str, String)>) -> Self {
        Self { name, source, variables }
    }

    /// Makes `mongodb+srv://USER:PASSWORD@HOST/` lead to `port` of this machine: PyMongo and Motor look such a name up in
    /// the DNS, which knows nothing of it. Other names are looked up as ever.
    #[must_use]
    pub fn sandbox(host: &str, port: u16) -> Self {
        let variables =
            vec![("CONNECT_CONSOLE_SANDBOX_HOST", host.to_owned()), ("CONNECT_CONSOLE_SANDBOX_PORT", port.to_string())];
        Self { name: "sandbox", source: SANDBOX, variables }
    }
}

/// Writes them below `dir`. Answers with the directory for the module path, where there are any, and what they read.
pub(super) fn write(dir: &Path, hooks: &[Hook]) -> Result<(Option<PathBuf>, Variables), GuestError> {
    if hooks.is_empty() {
        return Ok((None, Vec::new()));
    }
    let root = dir.join("hooks");
    // What an earlier version left behind is not to be found.
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).map_err(GuestError::of(&root))?;
    let write = |name: &str, source: &str| {
        let file = root.join(name);
        fs::write(&file, source).map_err(GuestError::of(&file))
    };
    write("sitecustomize.py", LOADER)?;
    for hook in hooks {
        write(&format!("hook_{}.py", hook.name), hook.source)?;
    }
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name).collect();
    let mut variables = vec![("CONNECT_CONSOLE_HOOKS", names.join(","))];
    variables.extend(hooks.iter().flat_map(|hook| hook.variables.clone()));
    Ok((Some(root), variables))
}
