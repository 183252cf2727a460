//! Which interpreter, and what it has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::project::MARKERS;
use super::{GuestError, GuestOptions};

/// Asks the interpreter; a file of its own so that it can be read as what it is.
const PROBE: &str = include_str!("../../../assets/guest/probe.py");
/// How long it may take: a cold cache on a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// What of the console's own environment decides.
pub(super) struct Surroundings {
    pub(super) virtual_env: Option<PathBuf>,
    pub(super) path: Option<OsString>,
}

impl Surroundings {
    pub(super) fn of_process() -> Self {
        Self { virtual_env: std::env::var_os("VIRTUAL_ENV").map(PathBuf::from), path: std::env::var_os("PATH") }
    }
}

/// The interpreter: the one named, the project's own, the active one, `python3`.
pub(super) fn find(named: Option<&Path>, project: &Path, around: &Surroundings) -> Result<PathBuf, GuestError> {
    if let Some(named) = named {
        let found = if named.is_dir() { of_environment(named) } else { named.is_file().then(|| named.to_path_buf()) };
        let found = found.map(|python| std::path::absolute(&python).unwrap_or(python));
        let sentence =
            || format!("there is no Python at {}: --python takes an interpreter or its virtual environment", named.display());
        return found.ok_or_else(|| GuestError::NoPython(sentence()));
    }
    let own = [".venv", "venv"].iter().find_map(|name| of_environment(&project.join(name)));
    let active = || around.virtual_env.as_deref().and_then(of_environment);
    let system = || {
        let dirs = std::env::split_paths(around.path.as_ref()?).collect::<Vec<_>>();
        dirs.iter().map(|dir| dir.join("python3")).find(|python| python.is_file())
    };
    own.or_else(active).or_else(system).ok_or_else(|| {
        let venv = project.join(".venv");
        GuestError::NoPython(format!(
            "no Python was found: {} does not exist, no environment is active, and there is no python3 on the PATH. \
             Install Python, or name an interpreter with --python",
            venv.display()
        ))
    })
}

fn of_environment(dir: &Path) -> Option<PathBuf> {
    ["bin/python", "bin/python3"].iter().map(|name| dir.join(name)).find(|python| python.is_file())
}

/// What `probe.py` says.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) python: String,
    pub(super) runner: Option<Runner>,
    pub(super) certificates: Option<PathBuf>,
    pub(super) declared: Declared,
    installed: Vec<Installed>,
    source_root: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Runner {
    pub(super) version: String,
    pub(super) script: Option<PathBuf>,
}

/// What the project's own files say.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Declared {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) entry_points: serde_json::Map<String, Value>,
    #[serde(default)]
    problem: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Installed {
    value: String,
    file: Option<PathBuf>,
    distribution: Option<String>,
}

/// Asks the interpreter, in the environment the guest will have.
pub(super) async fn probe(python: &Path, project: &Path, options: &GuestOptions) -> Result<Report, GuestError> {
    let unusable = |reason: String| GuestError::Python { python: python.to_path_buf(), reason };
    let mut command = Command::new(python);
    command.arg("-c").arg(PROBE).arg(project).current_dir(project).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(options.variables.iter().map(|(name, value)| (name, value))).env("PYTHONIOENCODING", "utf-8");
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| unusable(format!("it did not answer within {} s", PATIENCE.as_secs())))?
        .map_err(|e| unusable(e.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = || {
        let complaint = String::from_utf8_lossy(&output.stderr);
        complaint.trim().lines().next_back().unwrap_or("it said nothing").to_owned()
    };
    // A `sitecustomize` may print before it.
    said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).ok_or_else(|| unusable(complaint()))
}

/// How the project is to be run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Run it from its sources here: it is not installed, or not from here.
    pub(super) source_root: Option<PathBuf>,
    /// What the developer should know.
    pub(super) advice: Option<String>,
}

/// Whether it can be run, and how.
pub(super) fn judge(python: &Path, project: &Path, report: &Report) -> Result<Plan, GuestError> {
    let pip = |what: String| format!("{} -m pip install {what}", quoted(python));
    let install = || install_command(python, project);
    if report.runner.is_none() {
        return Err(GuestError::NoRunner { python: python.into(), command: pip("connect-extension-runner".into()) });
    }
    let declared = &report.declared;
    let of_project = |row: &&Installed| match (&row.distribution, &declared.name) {
        (Some(distribution), Some(name)) => same_name(distribution, name),
        _ => declared.entry_points.is_empty() || declared.entry_points.values().any(|value| value == &row.value),
    };
    let inside =
        |file: &PathBuf| file.canonicalize().is_ok_and(|file| file.starts_with(project) && !in_environment(&file, project));
    if report.installed.iter().any(|row| row.file.as_ref().is_some_and(inside)) {
        return Ok(Plan::default());
    }
    if let Some(root) = &report.source_root {
        return Ok(Plan { source_root: Some(root.clone()), advice: None });
    }
    if let Some(row) = report.installed.iter().find(of_project) {
        let name = row.distribution.as_deref().unwrap_or("the extension");
        let advice = format!(
            "{name} is installed as a copy: what you change in {} is not run. To change that run `{}`",
            project.display(),
            install()
        );
        return Ok(Plan { source_root: None, advice: Some(advice) });
    }
    if declared.entry_points.is_empty() {
        return Err(no_entry_point(project, declared));
    }
    Err(GuestError::NotInstalled { project: project.into(), python: python.into(), command: install() })
}

fn no_entry_point(project: &Path, declared: &Declared) -> GuestError {
    let file = MARKERS.into_iter().find(|name| project.join(name).is_file()).unwrap_or("pyproject.toml");
    let directory = || project.file_name().map(|name| name.to_string_lossy().into_owned());
    let module = declared.name.clone().or_else(directory).unwrap_or_default().replace(['-', '.', ' '], "_").to_lowercase();
    let problem = declared.problem.as_ref().map(|problem| format!(" (it could not be read: {problem})")).unwrap_or_default();
    GuestError::NoEntryPoint { project: project.into(), file, module, problem }
}

/// What installs the project.
pub(super) fn install_command(python: &Path, project: &Path) -> String {
    format!("{} -m pip install -e {}", quoted(python), quoted(project))
}

/// A virtual environment inside the project holds copies.
fn in_environment(file: &Path, project: &Path) -> bool {
    file.ancestors().take_while(|dir| dir.starts_with(project)).any(|dir| dir.join("pyvenv.cfg").is_file())
}

/// As package indexes compare names.
fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    plain(one) == plain(other)
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@:".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
