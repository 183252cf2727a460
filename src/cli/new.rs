//! `new`: an extension project that runs as it is.

use std::path::{Path, PathBuf};

use clap::Args as Group;

use super::CliError;
use super::output::Output;

/// `new NAME [--python] [--name NAME]`: `--python` is the global option, here without a path.
#[derive(Group)]
pub(super) struct New {
    /// The directory to make; the extension is called as its last part. In Rust, or with --python in Python
    #[arg(value_name = "NAME", required_unless_present = "python")]
    dir: Option<PathBuf>,
    /// What the extension is called; otherwise as the directory
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    Python,
}

/// A file of a template: where it goes, and what is in it. `my-extension` and `my_extension` stand for the name.
type File = (&'static str, &'static str);

const PYTHON: &[File] = &[
    ("pyproject.toml", include_str!("../../assets/templates/python/pyproject.toml")),
    ("README.md", include_str!("../../assets/templates/python/README.md")),
    (".gitignore", "__pycache__/\n*.egg-info/\n.venv/\n"),
    (".connect-deployment.yml", include_str!("../../assets/templates/python/deployment.yml")),
    ("my_extension/__init__.py", ""),
    ("my_extension/events.py", include_str!("../../assets/templates/python/module/events.py")),
    ("my_extension/extension.json", include_str!("../../assets/templates/python/module/extension.json")),
];

const RUST: &[File] = &[
    ("Cargo.toml", include_str!("../../assets/templates/rust/Cargo.toml.template")),
    ("README.md", include_str!("../../assets/templates/rust/README.md")),
    (".gitignore", "/target\n"),
    ("src/main.rs", include_str!("../../assets/templates/rust/main.rs")),
];

/// Writes the project and says how to run it. `python` is the option of that name, if it was given; after it the name of
/// the project is taken for its path (`new --python shop`).
pub(super) fn new(output: Output, new: &New, python: Option<&Option<PathBuf>>) -> Result<(), CliError> {
    let language = if python.is_some() { Language::Python } else { Language::Rust };
    let Some(dir) = new.dir.as_ref().or(python.and_then(Option::as_ref)) else {
        return Err(CliError::usage("what is the new project called? `connect-console new NAME --python`".into()));
    };
    let given = new.name.clone().or_else(|| dir.file_name().map(|name| name.to_string_lossy().into_owned()));
    let name = name_of(&given.unwrap_or_default())?;
    let taken = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file();
    if taken {
        return Err(CliError::usage(format!("{} is there already and not empty: give another directory", dir.display())));
    }
    let files = if language == Language::Rust { RUST } else { PYTHON };
    for (path, content) in files {
        write(dir, &fill(path, &name), &fill(content, &name))?;
    }
    let place = quoted(&dir.display().to_string());
    let run = match language {
        Language::Rust => format!("cd {place} && cargo run"),
        Language::Python => format!(
            "cd {place} && python3 -m venv .venv && .venv/bin/pip install connect-extension-runner && connect-console --extension ."
        ),
    };
    if output.is_json() {
        let written: Vec<_> = files.iter().map(|(path, _)| dir.join(fill(path, &name))).collect();
        return output.object(&serde_json::json!({ "name": name, "directory": dir, "files": written, "run": run }));
    }
    output.line(&format!("{name} is in {}. Run it with", dir.display()))?;
    output.line("")?;
    output.line(&format!("    {run}"))
}

/// A word for a shell, in quotes where it needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+~".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Words of the languages, directories of Cargo, and crates a project depends on.
#[rustfmt::skip]
const TAKEN: &[&str] = &[
    "abstract", "and", "as", "assert", "async", "await", "become", "box", "break", "build", "class", "connect-console", "const",
    "continue", "core", "crate", "def", "del", "deps", "do", "dyn", "elif", "else", "enum", "examples", "except", "extern", "false",
    "final", "finally", "fn", "for", "from", "gen", "global", "if", "impl", "import", "in", "incremental", "is", "lambda", "let",
    "loop", "macro", "match", "mod", "move", "mut", "none", "nonlocal", "not", "or", "override", "pass", "priv", "proc-macro", "pub",
    "raise", "ref", "return", "self", "serde-json", "static", "std", "struct", "super", "test", "tests", "tokio", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "with", "yield",
];

/// A name both languages take: letters, digits and `-`, a letter first.
fn name_of(given: &str) -> Result<String, CliError> {
    let lower = given.to_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if TAKEN.contains(&name.as_str()) {
        return Err(CliError::usage(format!(
            "`{name}` can't be the name of an extension: Rust, Python or Cargo mean something by it; give another with --name NAME"
        )));
    }
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(name);
    }
    Err(CliError::usage(format!(
        "`{given}` can't be the name of an extension: give one that begins with a letter, with --name NAME"
    )))
}

fn fill(text: &str, name: &str) -> String {
    text.replace("my-extension", name)
        .replace("my_extension", &name.replace('-', "_"))
        .replace("@CONNECT_CONSOLE@", &dependency())
}

/// How the project finds this crate: where it was built from, if that is still there; otherwise by its version.
fn dependency() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    if source.join("Cargo.toml").exists() {
        let path = serde_json::to_string(&source.display().to_string()).unwrap_or_default();
        return format!("{{ path = {path} }}");
    }
    format!("\"{}\"", env!("CARGO_PKG_VERSION"))
}

fn write(dir: &Path, path: &str, content: &str) -> Result<(), CliError> {
    let file = dir.join(path);
    let made = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, content));
    made.map_err(|e| CliError::usage(format!("{} can't be written: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("shop", Some("shop"))]
    #[case("My Shop_2", Some("my-shop-2"))]
    #[case("2shop", None)]
    #[case("build", None)]
    #[case("Self", None)]
    #[case("connect console", None)]
    #[case("", None)]
    fn names_fit_both_languages(#[case] given: &str, #[case] name: Option<&str>) {
        assert_eq!(name_of(given).ok().as_deref(), name);
    }

    #[rstest::rstest]
    #[case("a/shop-2.x", "a/shop-2.x")]
    #[case("Corner Shop", "'Corner Shop'")]
    #[case("it's", r"'it'\''s'")]
    fn the_command_to_run_can_be_pasted_into_a_shell(#[case] dir: &str, #[case] word: &str) {
        assert_eq!(quoted(dir), word);
    }
}
