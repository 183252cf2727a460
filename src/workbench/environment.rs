//! What a session can be asked about variables: shown, staged, applied, revealed.

use std::time::Duration;

use super::bench::Workbench;
use super::runner::ACKNOWLEDGED;
use super::{Reply, VariableChange, WorkbenchError};
use crate::observe::{LinkState, Secret, SeenVariable};

/// How long *apply changes* waits for the runtime's word.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

impl Workbench {
    pub(super) async fn rows(&self, message: Option<String>) -> Result<Reply, WorkbenchError> {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        let staged = self.0.staged.lock().await;
        let live = self.0.runner.variables();
        let mut variables = self.0.mask.rows(&stored, &staged, &live, &self.declared());
        if self.0.local.is_none() {
            // What a real Connect has stored is known by what it sent.
            variables.iter_mut().for_each(|variable| variable.stored = variable.live.clone());
        }
        Ok(Reply::Variables { variables, message })
    }

    pub(super) async fn stage(&self, changes: Vec<VariableChange>) -> Result<Reply, WorkbenchError> {
        let platform = &self.local()?.platform;
        let secure: Vec<String> = platform.variables().into_iter().filter(|v| v.secure).map(|v| v.name).collect();
        for change in &changes {
            // Before anything can mention it.
            if let VariableChange::Set { name, value, secure: is_secret } = change
                && is_secret.unwrap_or_else(|| secure.contains(name))
            {
                self.0.journal.redactor().learn(name, &Secret::new(value.clone()));
            }
        }
        let mut staged = self.0.staged.lock().await;
        let names = staged.stage(changes, &platform.variables())?;
        staged.save(&self.0.data_dir)?;
        drop(staged);
        self.note("staged", names);
        self.rows(None).await
    }

    /// Stores what is staged, pushes it, and waits for the runtime's own word: only that makes a value live.
    pub(super) async fn apply(&self) -> Result<Reply, WorkbenchError> {
        let platform = &self.local()?.platform;
        let expected = self.0.runner.expect();
        let mut applied = Vec::new();
        {
            let mut staged = self.0.staged.lock().await;
            let changes: Vec<_> = staged.iter().map(|(name, draft)| (name.clone(), draft.clone())).collect();
            for (name, draft) in changes {
                let stored = match draft {
                    Some(draft) => {
                        let secure = draft.secure.unwrap_or_else(|| self.is_secure(&name));
                        platform.set_variable(&name, &draft.value, secure).await.map(|_| ())
                    }
                    None => platform.delete_variable(&name).await.map(|_| ()),
                };
                stored.map_err(|e| WorkbenchError::Failed(format!("{name} was not stored: {e}")))?;
                staged.unstage(std::slice::from_ref(&name));
                staged.save(&self.0.data_dir)?;
                applied.push(name);
            }
        }
        let told = platform.apply().map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        self.note("applied", applied);
        if told == 0 {
            let message = "Stored. No runtime is connected: the values go live when it connects.";
            return self.rows(Some(message.into())).await;
        }
        let message = if self.0.runner.acknowledged(expected, told, ACKNOWLEDGED_WITHIN).await {
            ACKNOWLEDGED.into()
        } else {
            format!("Stored and sent, but the runtime has not acknowledged within {} s.", ACKNOWLEDGED_WITHIN.as_secs())
        };
        self.rows(Some(message)).await
    }

    pub(super) async fn reveal(&self, name: &str) -> Result<Reply, WorkbenchError> {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        let value = stored.into_iter().find(|v| v.name == name).map(|v| v.value);
        let staged = self.0.staged.lock().await;
        let staged = staged.get(name).and_then(Option::as_ref).map(|draft| draft.value.clone());
        if value.is_none() && staged.is_none() {
            return Err(WorkbenchError::Usage(format!("there is no variable {name}; `env list` shows all of them")));
        }
        Ok(Reply::Revealed { value, staged })
    }

    fn is_secure(&self, name: &str) -> bool {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        stored.iter().any(|v| v.name == name && v.secure)
            || self.declared().iter().any(|(declared, secure)| declared == name && *secure)
    }

    /// The variables the runtime works with; before it has any, those that are stored.
    pub(super) async fn in_force(&self) -> Vec<SeenVariable> {
        let live = self.0.runner.variables();
        let configured = self.0.runner.link().state == LinkState::Connected;
        let Some(local) = &self.0.local else { return live };
        local.resolved(if live.is_empty() && !configured {
            let seen = |v: crate::platform::StoredVariable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
            local.platform.variables().into_iter().map(seen).collect()
        } else {
            live
        })
    }
}
