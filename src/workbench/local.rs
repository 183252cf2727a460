//! What runs beside the runtime when there is no real Connect: the stand-in for it, and the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::paths::write_private;
use super::runner::{OWN_INSTANCE, Runner};
use super::sources;
use super::{Endpoint, OpenOptions, Ports, Reply, Source, WorkbenchError};
use crate::journal::Journal;
use crate::observe::{Observer, SeenVariable};
use crate::platform::{Observed, Platform, PlatformOptions, Tls};
use crate::runtime::{Limits, RuntimeOptions};
use crate::sandbox::{self, Sandbox, SandboxOptions};
use crate::tutorial;

/// The local Connect and the sandbox of a session.
pub(super) struct Local {
    pub(super) platform: Platform,
    /// None where the local Connect is all there is.
    sandbox: Option<Sandbox>,
    /// The sources of a guest, whose driver may find the sandbox by its name.
    guest: Option<PathBuf>,
    /// Where the sandbox was the last time.
    before: Option<Addresses>,
}

/// Where everything listened: the same places are taken again next time, so that programs that know them still find them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Addresses {
    connect: String,
    mongodb: String,
    data_api: String,
}

impl Addresses {
    fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("addresses.json")
    }

    fn ports(&self) -> Option<Ports> {
        Some(Ports { connect: port(&self.connect)?, mongodb: port(&self.mongodb)?, data_api: port(&self.data_api)? })
    }
}

/// Where the local Connect listened when it was all there was: a runner that was started elsewhere finds it there again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Alone {
    port: u16,
    tls_port: u16,
}

impl Default for Alone {
    fn default() -> Self {
        Self { port: Ports::default().connect, tls_port: 27_413 }
    }
}

impl Alone {
    fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("platform-ports.json")
    }
}

fn load<T: DeserializeOwned>(file: &Path) -> Option<T> {
    std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

fn save(file: &Path, what: &impl Serialize) -> Result<(), WorkbenchError> {
    write_private(file, &serde_json::to_vec(what).unwrap_or_default())
        .map_err(|e| WorkbenchError::Usage(format!("{} can't be written: {e}", file.display())))
}

/// The port of `host:port` or of a URL.
fn port(address: &str) -> Option<u16> {
    let host_and_port = address.split_once("://").map_or(address, |(_, rest)| rest).split('/').next()?;
    host_and_port.rsplit_once(':')?.1.parse().ok()
}

impl Local {
    /// Starts both, at the addresses of the last time where there was one.
    pub(super) async fn start(
        options: &OpenOptions,
        journal: &Journal,
        observer: &Arc<dyn Observer>,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkbenchError> {
        let before = load::<Addresses>(&Addresses::file(&options.data_dir));
        let mut wanted = before.as_ref().and_then(Addresses::ports).unwrap_or(options.ports);
        let dir = &options.data_dir;
        let guest = match &options.extension {
            Source::Python { project, .. } => Some(project.clone()),
            _ => None,
        };
        let (tls_port, alone) = match options.extension {
            Source::Elsewhere { port, tls_port } => {
                let last = load::<Alone>(&Alone::file(dir)).unwrap_or_default();
                wanted.connect = port.unwrap_or(last.port);
                (Some(tls_port.unwrap_or(last.tls_port)), true)
            }
            _ => (guest.is_some().then_some(0), false),
        };
        let tls = tls_port.map(|port| Runner::authority(dir).map(|authority| Tls { authority, port })).transpose()?;
        let platform = PlatformOptions {
            dir: dir.clone(),
            port: wanted.connect,
            tls,
            // Our own runtime tells more than can be seen from here.
            observed: if alone { Observed::Everybody } else { Observed::EverybodyBut(OWN_INSTANCE.into()) },
            kept: None,
        };
        let sandbox = SandboxOptions { dir: dir.clone(), port: wanted.mongodb, http_port: wanted.data_api, auth: true };
        let sandbox = async { if alone { Ok(None) } else { Sandbox::start(sandbox, Arc::clone(observer)).await.map(Some) } };
        let (platform, sandbox) = tokio::join!(Platform::start(platform, Arc::clone(observer)), sandbox);
        let usage = |e: &dyn std::error::Error| WorkbenchError::Usage(e.to_string());
        let (platform, sandbox) = (platform.map_err(|e| usage(&e))?, sandbox.map_err(|e| usage(&e))?);
        let local = Self { platform, sandbox, guest, before };
        if alone {
            save(&Alone::file(dir), &local.alone())?;
        }
        let redactor = journal.redactor();
        redactor.learn("CONNECT_API_KEY", &local.platform.access().api_key);
        if let Some(sandbox) = &local.sandbox {
            redactor.learn("SANDBOX_PASSWORD", &sandbox.access().password);
            redactor.learn("SANDBOX_API_KEY", &sandbox.access().api_key);
        }
        let tls =
            local.platform.access().tls_address.clone().map(|address| Endpoint { name: "connect over TLS".into(), address });
        let mut listening = vec![wanted.connect, wanted.mongodb, wanted.data_api];
        let mut endpoints = local.endpoints();
        listening.truncate(endpoints.len());
        listening.extend(tls_port);
        endpoints.extend(tls);
        for (endpoint, wanted) in endpoints.iter().zip(listening) {
            if wanted != 0 && port(&endpoint.address) != Some(wanted) {
                notes.push(format!("port {wanted} was taken: {} is at {}", endpoint.name, endpoint.address));
            }
        }
        Ok(local)
    }

    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |name: &str, address: &str| Endpoint { name: name.into(), address: address.into() };
        let mut all = vec![endpoint("connect", &self.platform.access().server_address)];
        if let Some(sandbox) = &self.sandbox {
            let access = sandbox.access();
            all.extend([endpoint("mongodb", &access.mongodb), endpoint("data-api", &access.data_api)]);
        }
        all
    }

    /// The sandbox, for what needs it.
    pub(super) fn sandbox(&self) -> Result<&Sandbox, WorkbenchError> {
        self.sandbox.as_ref().ok_or_else(|| {
            WorkbenchError::Usage("only the local Connect runs here; `connect-console sandbox` is the sandbox alone".into())
        })
    }

    pub(super) async fn stop(&self) {
        self.platform.stop().await;
        if let Some(sandbox) = &self.sandbox {
            sandbox.stop().await;
        }
    }

    pub(super) fn access_reply(&self) -> Reply {
        let access = self.platform.access();
        Reply::Access {
            server_address: access.server_address.clone(),
            api_address: access.api_address.clone(),
            tls_address: access.tls_address.clone(),
            ca_file: access.ca_file.clone(),
            environment_id: access.environment_id.clone(),
            api_key: access.api_key.reveal().to_owned(),
        }
    }

    pub(super) fn sandbox_reply(&self) -> Result<Reply, WorkbenchError> {
        let access = self.sandbox()?.access();
        Ok(Reply::Sandbox {
            mongodb: access.mongodb.clone(),
            db_host: self.db_host()?,
            ca_file: access.ca_file.clone(),
            user: access.user.clone(),
            password: access.password.reveal().to_owned(),
            data_api: access.data_api.clone(),
            api_key: access.api_key.reveal().to_owned(),
        })
    }

    /// How an extension names the host of the sandbox: a guest that asks for `mongodb+srv` by a name its hook knows.
    pub(super) fn db_host(&self) -> Result<String, WorkbenchError> {
        let by_name = self.guest.as_deref().is_some_and(|project| !sources::want_a_port(project));
        Ok(if by_name { sandbox::HOST.into() } else { self.sandbox()?.access().mongodb.clone() })
    }

    pub(super) fn defaults(&self) -> Result<tutorial::Defaults, WorkbenchError> {
        let access = self.sandbox()?.access();
        Ok(tutorial::Defaults {
            data_api_endpoint: access.data_api.clone(),
            api_key: access.api_key.clone(),
            db_host: access.mongodb.clone(),
            db_user: access.user.clone(),
            db_password: access.password.clone(),
        })
    }

    /// The variables as the console's own stores need them: the sandbox's name is in no DNS.
    pub(super) fn resolved(&self, mut variables: Vec<SeenVariable>) -> Vec<SeenVariable> {
        let Some(sandbox) = &self.sandbox else { return variables };
        for variable in variables.iter_mut().filter(|v| v.name == "DB_HOST" && v.value.trim() == sandbox::HOST) {
            variable.value = sandbox.access().mongodb.clone();
        }
        variables
    }

    fn alone(&self) -> Alone {
        let access = self.platform.access();
        let tls_port = access.tls_address.as_deref().and_then(port);
        let first = Alone::default();
        Alone { port: port(&access.server_address).unwrap_or(first.port), tls_port: tls_port.unwrap_or(first.tls_port) }
    }

    fn addresses(&self) -> Option<Addresses> {
        let access = self.sandbox.as_ref()?.access();
        Some(Addresses {
            connect: self.platform.access().server_address.clone(),
            mongodb: access.mongodb.clone(),
            data_api: access.data_api.clone(),
        })
    }

    /// Variables that still name the place where the sandbox listened last time get its present one: otherwise a taken
    /// port would make yesterday's documents unreachable. Values a developer typed are left alone.
    pub(super) async fn follow_the_sandbox(&self, data_dir: &Path) -> Result<(), WorkbenchError> {
        let Some(now) = self.addresses() else { return Ok(()) };
        if let Some(before) = &self.before {
            let moves = [(&before.mongodb, &now.mongodb), (&before.data_api, &now.data_api)];
            for variable in self.platform.variables() {
                if let Some((_, new)) = moves.iter().find(|(old, new)| **old == variable.value && old != new) {
                    let stored = self.platform.set_variable(&variable.name, new, variable.secure).await;
                    stored.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
                }
            }
        }
        save(&Addresses::file(data_dir), &now)
    }

    pub(super) fn runtime_options(&self, data_dir: &Path) -> Result<RuntimeOptions, WorkbenchError> {
        let access = self.platform.access();
        Ok(RuntimeOptions {
            api_key: access.api_key.clone(),
            environment_id: access.environment_id.clone(),
            instance_id: OWN_INSTANCE.into(),
            server_address: access.server_address.clone(),
            api_address: access.api_address.clone(),
            unsecure: true,
            outbox: data_dir.join("outbox"),
            limits: Limits::from_env().map_err(|e| WorkbenchError::Usage(e.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[rstest::rstest]
    #[case("127.0.0.1:27411", Some(27411))]
    #[case("http://127.0.0.1:80/app/local", Some(80))]
    #[case("nowhere", None)]
    #[case("host:port", None)]
    fn the_port_of_an_address(#[case] address: &str, #[case] expected: Option<u16>) {
        assert_eq!(port(address), expected);
    }
}
