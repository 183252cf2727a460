//! Where the environment keeps its variables: the local Connect in this process, or a real one over its REST API.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::connect::{ApiError, Client, ClientBuilder};
use crate::exchange::withheld;
use crate::platform::Platform;
use crate::runtime::RuntimeOptions;
use crate::workbench::WorkbenchError;

/// How old a list of a real Connect may be before it is asked for again.
const FRESH: Duration = Duration::from_secs(5);

/// A variable as the environment has it.
#[derive(Clone)]
pub(in crate::workbench) struct Stored {
    pub(in crate::workbench) id: String,
    pub(in crate::workbench) name: String,
    /// `None` where Connect does not give back the value of a secret.
    pub(in crate::workbench) value: Option<String>,
    pub(in crate::workbench) secure: bool,
}

/// The environment's variables.
pub(in crate::workbench) enum Store {
    Local(Platform),
    Remote(Box<Remote>),
}

impl Store {
    pub(in crate::workbench) fn remote(options: &RuntimeOptions) -> Result<Self, WorkbenchError> {
        let client = ClientBuilder::new(options.api_base(), options.api_key.clone())
            .build()
            .map_err(|e| WorkbenchError::Usage(e.to_string()))?;
        // As the official runner derives it: ENV-1234-5678-01 belongs to SRVC-1234-5678.
        let environment = &options.environment_id;
        let service = environment.replacen("ENV-", "SRVC-", 1);
        let service = service.rsplit_once('-').map_or(service.as_str(), |(service, _)| service);
        let base = format!("devops/services/{service}/environments/{environment}");
        Ok(Self::Remote(Box::new(Remote { client, base, cache: Mutex::default(), stands: Mutex::default() })))
    }

    /// How the environment stands, in Connect's word, as far as it was told.
    pub(in crate::workbench) fn stands(&self) -> Option<String> {
        match self {
            Self::Local(platform) => {
                Some(if platform.connections().is_empty() { "disconnected" } else { "connected" }.to_owned())
            }
            Self::Remote(remote) => remote.stands.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// All variables, by name, and whether some were changed and not applied (for a local Connect the values say it).
    pub(in crate::workbench) async fn all(&self) -> Result<Known, WorkbenchError> {
        match self {
            Self::Local(platform) => {
                let stored = |v: crate::platform::StoredVariable| Stored {
                    id: v.id,
                    name: v.name,
                    value: Some(v.value),
                    secure: v.secure,
                };
                Ok(Known {
                    variables: platform.variables().into_iter().map(stored).collect(),
                    unapplied: platform.configuration_changed(),
                })
            }
            Self::Remote(remote) => remote.all().await.map_err(|e| failed("the variables could not be read", &e)),
        }
    }

    /// Creates or changes one.
    pub(in crate::workbench) async fn set(&self, name: &str, value: &str, secure: bool) -> Result<(), WorkbenchError> {
        match self {
            Self::Local(platform) => {
                let stored = platform.set_variable(name, value, secure).await;
                stored.map(|_| ()).map_err(|e| WorkbenchError::Failed(format!("{name} was not stored: {e}")))
            }
            Self::Remote(remote) => {
                let stored = remote.set(name, value, secure).await;
                stored.map_err(|e| failed(&format!("{name} was not stored"), &e))
            }
        }
    }

    /// Deletes one; that it is gone already is as good.
    pub(in crate::workbench) async fn delete(&self, name: &str) -> Result<(), WorkbenchError> {
        match self {
            Self::Local(platform) if !platform.variables().iter().any(|v| v.name == name) => Ok(()),
            Self::Local(platform) => {
                platform.delete_variable(name).await.map_err(|e| WorkbenchError::Failed(format!("{name} was not deleted: {e}")))
            }
            Self::Remote(remote) => remote.delete(name).await.map_err(|e| failed(&format!("{name} was not deleted"), &e)),
        }
    }

    /// *Apply changes*; how many runners are told, as far as that is known.
    pub(in crate::workbench) async fn apply(&self) -> Result<usize, WorkbenchError> {
        match self {
            Self::Local(platform) => platform.apply().map_err(|e| WorkbenchError::Failed(e.to_string())),
            Self::Remote(remote) => {
                let told = remote.client.post(&format!("{}/update-config", remote.base), None).await;
                remote.forget();
                told.map(|_| 1).map_err(|e| failed("Connect did not apply the changes", &e))
            }
        }
    }
}

fn failed(what: &str, error: &ApiError) -> WorkbenchError {
    WorkbenchError::Failed(format!("{what}: {error}"))
}

/// What is known of the environment.
#[derive(Clone)]
pub(in crate::workbench) struct Known {
    pub(in crate::workbench) variables: Vec<Stored>,
    pub(in crate::workbench) unapplied: bool,
}

/// The variables of a real Connect.
pub(in crate::workbench) struct Remote {
    client: Client,
    /// The path of the environment.
    base: String,
    cache: Mutex<Option<(Instant, Known)>>,
    /// The environment's status, as it was told last.
    stands: Mutex<Option<String>>,
}

impl Remote {
    async fn all(&self) -> Result<Known, ApiError> {
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, known)) = cached.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(known);
        }
        let mut variables: Vec<Stored> =
            self.client.collection(&format!("{}/variables", self.base)).all().await?.iter().filter_map(stored).collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        let environment = self.client.get(&self.base).await?;
        *self.stands.lock().unwrap_or_else(PoisonError::into_inner) = environment["status"].as_str().map(str::to_owned);
        let unapplied = environment["configuration_changed"].as_bool().unwrap_or(false);
        let known = Known { variables, unapplied };
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), known.clone()));
        Ok(known)
    }

    fn forget(&self) {
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn id(&self, name: &str) -> Result<Option<String>, ApiError> {
        Ok(self.all().await?.variables.into_iter().find(|v| v.name == name).map(|v| v.id))
    }

    async fn set(&self, name: &str, value: &str, secure: bool) -> Result<(), ApiError> {
        let id = self.id(name).await?;
        let path = format!("{}/variables", self.base);
        match id {
            Some(id) => self.client.put(&format!("{path}/{id}"), &json!({"value": value, "secure": secure})).await?,
            None => self.client.post(&path, Some(&json!({"name": name, "value": value, "secure": secure}))).await?,
        };
        self.forget();
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), ApiError> {
        if let Some(id) = self.id(name).await? {
            self.client.delete(&format!("{}/variables/{id}", self.base)).await?;
            self.forget();
        }
        Ok(())
    }
}

fn stored(variable: &Value) -> Option<Stored> {
    let text = |name: &str| variable[name].as_str().map(str::to_owned);
    let secure = variable["secure"].as_bool().unwrap_or(false);
    let value = text("value")
        .filter(|value| !secure || !(value.is_empty() || withheld(text("name").as_deref().unwrap_or_default(), value)));
    Some(Stored { id: text("id")?, name: text("name")?, value, secure })
}
