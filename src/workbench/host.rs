use std::path::Path;
use std::sync::Arc;

use super::{LinkStatus, WorkbenchError};
use crate::observe::{LinkState, SeenVariable, Timestamp};
use crate::platform::{Platform, StoredVariable};
use crate::relay::Relay;
use crate::runtime::guest::{GuestAccess, GuestOptions};

/// What a guest is attached to: it can tell how the guest stands, who keeps that to itself.
#[derive(Clone)]
pub enum Host {
    /// The local Connect.
    Local(Platform),
    /// A real one, through the relay.
    Remote(Relay),
}

impl Host {
    /// What a guest needs to run the extension of `project` here, with files of its own in `dir`.
    ///
    /// # Errors
    /// [`WorkbenchError::Failed`] where the local Connect does not listen over https, which the official runner wants.
    pub fn guest_options(&self, project: &Path, python: Option<&Path>, dir: &Path) -> Result<GuestOptions, WorkbenchError> {
        let (access, host) = (self.access()?, self.clone());
        Ok(GuestOptions {
            project: project.to_owned(),
            python: python.map(Path::to_owned),
            dir: dir.to_owned(),
            access,
            hooks: Vec::new(),
            variables: Vec::new(),
            find_delivery: Some(Arc::new(move |task| match &host {
                Self::Local(platform) => platform.delivery(task),
                Self::Remote(relay) => relay.delivery(task),
            })),
        })
    }

    fn access(&self) -> Result<GuestAccess, WorkbenchError> {
        match self {
            Self::Local(platform) => {
                let access = platform.access();
                let (Some(api_address), Some(ca_file)) = (access.tls_address.clone(), access.ca_file.clone()) else {
                    return Err(WorkbenchError::Failed("the local Connect does not listen over https".into()));
                };
                Ok(GuestAccess {
                    server_address: access.server_address.clone(),
                    api_address,
                    ca_file,
                    api_key: access.api_key.clone(),
                    environment_id: access.environment_id.clone(),
                    instance_id: None,
                })
            }
            Self::Remote(relay) => {
                let access = relay.access().clone();
                Ok(GuestAccess {
                    server_address: access.server_address,
                    api_address: access.api_address,
                    ca_file: access.ca_file,
                    api_key: access.api_key,
                    environment_id: access.environment_id,
                    instance_id: Some(access.instance_id),
                })
            }
        }
    }

    /// The way between the guest and Connect, and when whoever is at its other end gave the last sign of life.
    pub(super) fn link(&self) -> LinkStatus {
        let link = |state, last_seen| LinkStatus { state, last_seen };
        match self {
            Self::Local(platform) => match platform.connections().iter().map(|connection| connection.last_seen).min() {
                None => link(LinkState::Connecting, None),
                seen => link(LinkState::Connected, seen),
            },
            Self::Remote(relay) => {
                let status = relay.status();
                let status = status.borrow();
                link(status.link(), status.last_seen)
            }
        }
    }

    /// How many tasks the guest has in hand.
    pub(super) fn running(&self) -> usize {
        match self {
            Self::Local(platform) => platform.sent(),
            Self::Remote(relay) => relay.status().borrow().running,
        }
    }

    /// How many results Connect does not have yet.
    pub(super) fn unsent(&self) -> usize {
        match self {
            // What the guest still has it keeps to itself.
            Self::Local(_) => 0,
            Self::Remote(relay) => relay.status().borrow().unsent,
        }
    }

    /// The variables the guest works with, if it acknowledged the last ones at `acknowledged`.
    pub(super) fn live(&self, acknowledged: Timestamp) -> Vec<SeenVariable> {
        match self {
            Self::Local(platform) => {
                // What it was told in its handshake or acknowledged last; later changes are not live yet.
                let Some(connected) = platform.connections().iter().map(|c| c.told).min() else { return Vec::new() };
                let told = connected.max(acknowledged);
                let seen = |v: StoredVariable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
                platform.variables().into_iter().filter(|v| v.updated <= told).map(seen).collect()
            }
            Self::Remote(relay) => relay.variables(),
        }
    }

    /// The variables whoever is connected was sent: none while a change is not applied to them.
    pub(super) fn told(&self) -> Vec<SeenVariable> {
        match self {
            Self::Local(platform) if platform.configuration_changed() => Vec::new(),
            _ => self.live(Timestamp::now()),
        }
    }

    /// The variables the guest declares, with whether they are secrets.
    pub(super) fn declared(&self) -> Vec<(String, bool)> {
        match self {
            Self::Local(platform) => platform.declared(),
            Self::Remote(relay) => relay.declared(),
        }
    }

    /// Whether the environment has no variables, which the official runner is never told.
    pub(super) fn has_no_variables(&self) -> bool {
        match self {
            Self::Local(platform) => platform.variables().is_empty(),
            Self::Remote(relay) => relay.variables().is_empty(),
        }
    }

    /// The relay is stopped with its guest; the local Connect has a life of its own.
    pub(super) async fn stop(&self) {
        if let Self::Remote(relay) = self {
            relay.stop().await;
        }
    }
}
