//! `new`: an extension project that runs as it is.

use std::path::{Path, PathBuf};

use clap::{Args as Group, ValueEnum};

use super::CliError;
use super::output::Output;

/// `new rust|python DIR [--name NAME]`
#[derive(Group)]
pub(super) struct New {
    /// In which language
    #[arg(value_enum)]
    language: Language,
    /// The directory to make
    dir: PathBuf,
    /// What the extension is called; otherwise as the directory
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
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

/// Writes the project and says how to run it.
pub(super) fn new(output: Output, new: &New) -> Result<(), CliError> {
    let given = new.name.clone().or_else(|| new.dir.file_name().map(|name| name.to_string_lossy().into_owned()));
    let name = name_of(&given.unwrap_or_default())?;
    let taken = std::fs::read_dir(&new.dir).is_ok_and(|mut entries| entries.next().is_some()) || new.dir.is_file();
    if taken {
        return Err(CliError::usage(format!("{} is there already and not empty: give another directory", new.dir.display())));
    }
    let files = if new.language == Language::Rust { RUST } else { PYTHON };
    for (path, content) in files {
        write(&new.dir, &fill(path, &name), &fill(content, &name))?;
    }
    let dir = new.dir.display();
    let run = match new.language {
        Language::Rust => format!("cd {dir} && cargo run"),
        Language::Python => format!(
            "python3 -m venv {dir}/.venv && {dir}/.venv/bin/pip install connect-extension-runner && connect-console --extension {dir}"
        ),
    };
    if output.is_json() {
        let written: Vec<_> = files.iter().map(|(path, _)| new.dir.join(fill(path, &name))).collect();
        return output.object(&serde_json::json!({ "name": name, "directory": new.dir, "files": written, "run": run }));
    }
    output.line(&format!("{name} is in {dir}. Run it with\n"))?;
    output.line(&format!("    {run}"))
}

/// A name both languages take: letters, digits and `-`, a letter first.
fn name_of(given: &str) -> Result<String, CliError> {
    let lower = given.to_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
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
    #[case("", None)]
    fn names_fit_both_languages(#[case] given: &str, #[case] name: Option<&str>) {
        assert_eq!(name_of(given).ok().as_deref(), name);
    }
}
