//! The command and its environment.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::python::{Plan, Report};
use super::strays::{self, Mark};
use super::{GuestError, GuestOptions, bundle, hooks};

/// Starts the runner, and ends it should the console be killed.
const LAUNCHER: &str = include_str!("../../../assets/guest/launch.py");
const NO_SCRIPT: &str = "-";
const LOOPBACK: &str = "127.0.0.1,localhost";

/// A variable set to that, or removed.
type Change = (OsString, Option<OsString>);

/// All that is needed to start the runner, again and again.
pub(super) struct Launch {
    pub(super) name: String,
    pub(super) instance_id: String,
    python: PathBuf,
    project: PathBuf,
    arguments: Vec<OsString>,
    /// Holds the API key: never shown.
    environment: Vec<Change>,
    /// Said when a module is missing.
    pub(super) install: Option<String>,
}

impl Launch {
    /// Writes the files the runner needs and puts its environment together.
    pub(super) fn prepare(
        python: &Path,
        project: &Path,
        report: &Report,
        plan: &Plan,
        options: &GuestOptions,
    ) -> Result<Self, GuestError> {
        let dir = std::path::absolute(options.dir.join("guest")).map_err(GuestError::of(&options.dir))?;
        fs::create_dir_all(&dir).map_err(GuestError::of(&dir))?;
        let launcher = dir.join("launch.py");
        fs::write(&launcher, LAUNCHER).map_err(GuestError::of(&launcher))?;
        let trusted = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"].iter().filter_map(|name| own(name).map(PathBuf::from));
        let trusted: Vec<PathBuf> = trusted.chain(report.certificates.clone()).collect();
        let certificates = dir.join("ca-bundle.pem");
        bundle::write(&certificates, &options.access.ca_file, &trusted)?;

        let name = report.declared.name.clone().unwrap_or_else(|| directory_name(project));
        let instance_id = options.access.instance_id.clone().unwrap_or_else(|| instance_id(&name));
        let (hooked, hook_variables) = hooks::write(&dir, &options.hooks)?;
        let mut module_path: Vec<PathBuf> = hooked.into_iter().collect();
        if let Some(root) = &plan.source_root {
            module_path.push(from_source(&dir, &name, report)?);
            module_path.push(root.clone());
        }
        let mut environment = access(options, &instance_id, &certificates);
        for (name, first) in [("PYTHONPATH", module_path), ("PATH", python.parent().map(Into::into).into_iter().collect())] {
            let unusable = |_| GuestError::Python { python: python.into(), reason: "a directory's name holds a colon".into() };
            environment.extend(before(name, first).map_err(unusable)?);
        }
        environment.extend(hook_variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))));
        environment.extend(proxies(own));
        environment.extend(options.variables.iter().map(|(name, value)| (name.into(), Some(value.into()))));

        let script = report.runner.as_ref().and_then(|runner| runner.script.clone());
        let script = script.map_or_else(|| NO_SCRIPT.into(), OsString::from);
        // `-u`: the WebSocket without TLS. `-n`: no questions to a package index before it starts.
        let flags = ["-u", "-n", "--no-rich-logging"].map(OsString::from);
        let arguments = [launcher.into(), script].into_iter().chain(flags).collect();
        let install = plan.source_root.is_some().then(|| super::python::install_command(python, project));
        let (python, project) = (python.to_path_buf(), project.to_path_buf());
        Ok(Self { name, instance_id, python, project, arguments, environment, install })
    }

    /// Starts it, in a process group of its own; all it starts bears the mark. It ends with its input, and all it started
    /// with it; killed on its own it would leave them behind.
    pub(super) fn spawn(&self, mark: &Mark) -> io::Result<Child> {
        let mut command = Command::new(&self.python);
        command.args(&self.arguments).current_dir(&self.project).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env(strays::VARIABLE, mark.text());
        command.spawn()
    }
}

/// A variable of the console's own environment.
fn own(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// What the runner must know of Connect, and how it is to speak.
fn access(options: &GuestOptions, instance_id: &str, certificates: &Path) -> Vec<Change> {
    let access = &options.access;
    let set = |name: &str, value: &OsStr| (name.into(), Some(value.into()));
    vec![
        set("API_KEY", access.api_key.reveal().as_ref()),
        set("ENVIRONMENT_ID", access.environment_id.as_ref()),
        set("INSTANCE_ID", instance_id.as_ref()),
        set("SERVER_ADDRESS", access.server_address.as_ref()),
        set("API_ADDRESS", access.api_address.as_ref()),
        // httpx and websockets read the one, requests the other.
        set("SSL_CERT_FILE", certificates.as_ref()),
        set("REQUESTS_CA_BUNDLE", certificates.as_ref()),
        set("PYTHONUNBUFFERED", "1".as_ref()),
        set("PYTHONIOENCODING", "utf-8".as_ref()),
        // It would send the interpreter to another one's library.
        ("PYTHONHOME".into(), None),
    ]
}

/// A search path with these directories before those it has; no change without any.
fn before(name: &str, first: Vec<PathBuf>) -> Result<Option<Change>, std::env::JoinPathsError> {
    if first.is_empty() {
        return Ok(None);
    }
    let rest = own(name);
    let all = first.into_iter().chain(rest.iter().flat_map(std::env::split_paths));
    Ok(Some((name.into(), Some(std::env::join_paths(all)?))))
}

/// The runner sends its WebSocket through `HTTP_PROXY` whatever `NO_PROXY` says, but does not know the name in small
/// letters, which everybody else does: calls of the extension to the world outside still go through it.
fn proxies(own: impl Fn(&str) -> Option<OsString>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (large, small) in [("HTTP_PROXY", "http_proxy"), ("HTTPS_PROXY", "https_proxy")] {
        if let Some(proxy) = own(large) {
            changes.push((large.into(), None));
            changes.push((small.into(), own(small).or(Some(proxy))));
        }
    }
    let except = ["no_proxy", "NO_PROXY"].iter().find_map(|name| own(name)).filter(|list| !list.is_empty());
    let mut list = OsString::from(LOOPBACK);
    if let Some(except) = except {
        list.push(",");
        list.push(except);
    }
    changes.push(("NO_PROXY".into(), Some(list.clone())));
    changes.push(("no_proxy".into(), Some(list)));
    changes
}

/// Makes the project's entry points visible as if it were installed: the runner looks for nothing else.
fn from_source(dir: &Path, name: &str, report: &Report) -> Result<PathBuf, GuestError> {
    let root = dir.join("from-source");
    // What an earlier name left behind would be a second extension.
    let _ = fs::remove_dir_all(&root);
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let version = report.declared.version.as_deref().unwrap_or("0");
    let info = root.join(format!("{plain}-0.dist-info"));
    fs::create_dir_all(&info).map_err(GuestError::of(&info))?;
    let write = |file: &str, text: String| {
        let path = info.join(file);
        fs::write(&path, text).map_err(GuestError::of(&path))
    };
    write("METADATA", format!("Metadata-Version: 2.1\nName: {plain}\nVersion: {version}\n"))?;
    let points = report.declared.entry_points.iter();
    let points: String = points.filter_map(|(name, value)| Some(format!("{name} = {}\n", value.as_str()?))).collect();
    write("entry_points.txt", format!("[connect.eaas.ext]\n{points}"))?;
    Ok(root)
}

fn directory_name(project: &Path) -> String {
    project.file_name().map_or_else(|| "extension".into(), |name| name.to_string_lossy().into_owned())
}

/// A name as part of an address.
fn instance_id(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(of: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let own = |name: &str| of.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        let text = |t: OsString| t.into_string().unwrap();
        proxies(own).into_iter().map(|(n, v)| (text(n), v.map(text))).collect()
    }

    #[test]
    fn loopback_is_never_reached_through_a_proxy_and_the_rest_of_the_world_still_is() {
        let changes = changes(&[("HTTP_PROXY", "http://proxy:3128"), ("NO_PROXY", "intra.example")]);
        let now = |name: &str| changes.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.clone());
        assert!(changes.contains(&("HTTP_PROXY".into(), None)));
        assert_eq!(now("http_proxy").unwrap(), "http://proxy:3128");
        assert_eq!(now("no_proxy").unwrap(), "127.0.0.1,localhost,intra.example");
        assert_eq!(now("NO_PROXY"), now("no_proxy"));
    }
}
