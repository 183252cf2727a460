use std::sync::{Arc, PoisonError};

use super::super::{StoreTarget, WorkbenchError};
use super::{Documents, Surroundings, failed};
use crate::observe::{Backend, SeenVariable};
use crate::storage::{Namespace, Settings, Store};

/// A collection that was found, and the way to it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) store: Arc<dyn Store>,
    pub(super) at: Namespace,
    pub(super) settings: Settings,
}

impl Target {
    pub(super) fn backend(&self) -> Backend {
        self.store.backend()
    }

    /// `driver shop.orders`
    pub(super) fn title(&self) -> String {
        format!("{} {}.{}", self.backend(), self.at.database, self.at.collection)
    }
}

/// Where the variables say the documents are.
pub(super) fn settings(variables: &[SeenVariable]) -> Result<Settings, WorkbenchError> {
    let value = |name: &str| variables.iter().find(|v| v.name == name).map(|v| v.value.clone());
    Settings::from_variables(value).map_err(|e| failed(&e))
}

/// What of the settings is unlocked together.
pub(super) fn place(backend: Backend, settings: &Settings) -> String {
    match backend {
        Backend::Driver => settings.db_host.clone(),
        Backend::DataApi => settings.data_api_endpoint.clone(),
    }
}

impl Documents {
    /// The store these settings name.
    pub(in crate::workbench) async fn open(
        &self,
        backend: Backend,
        settings: &Settings,
    ) -> Result<Arc<dyn Store>, WorkbenchError> {
        self.stores.get(backend, settings).await.map_err(|e| failed(&e))
    }

    /// The collection that is meant.
    pub(super) async fn at(&self, target: &StoreTarget, around: Surroundings<'_>) -> Result<Target, WorkbenchError> {
        let settings = settings(around.variables)?;
        let store = self.stores.get(target.backend, &settings).await.map_err(|e| failed(&e))?;
        let own = settings.namespace(target.backend);
        let database = target.database.clone().unwrap_or(own.database);
        let collection = target.collection.clone().unwrap_or(own.collection);
        Ok(Target { store, at: Namespace { database, collection }, settings })
    }

    /// The same, for writing: a deployment that is not on this machine must have been unlocked.
    pub(super) async fn writable(&self, target: &StoreTarget, around: Surroundings<'_>) -> Result<Target, WorkbenchError> {
        let at = self.at(target, around).await?;
        if target.unlocked || self.may_write(&at) {
            return Ok(at);
        }
        let place = place(at.backend(), &at.settings);
        Err(WorkbenchError::Failed(format!(
            "nothing was written: {place} is not on this machine, so it is open for reading only; unlock it for this session \
             first (`L` in the Storage pane, --unlock on the command line)"
        )))
    }

    pub(super) fn may_write(&self, at: &Target) -> bool {
        let unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        at.settings.is_local(at.backend()) || unlocked.contains(&place(at.backend(), &at.settings))
    }
}
