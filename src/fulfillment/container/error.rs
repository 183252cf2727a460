use std::fmt;

use thiserror::Error;

use super::Key;
use crate::extension::HandlerError;

/// Why a container could not make what it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Nothing is bound for the last of the chain.
    #[error("{0}: missing")]
    Missing(Chain),
    /// The last of the chain is needed to make itself.
    #[error("{0}: a cycle")]
    Cycle(Chain),
    /// Two bindings for the same.
    #[error("{what} is bound twice: by {first} and by {second}; bind one of them by a name, or leave one out")]
    Conflict {
        /// What is bound.
        what: String,
        /// Who bound it first.
        first: String,
        /// Who bound it again.
        second: String,
    },
    /// A configuration key has a value that can't be read. The value itself may be a secret and is not repeated.
    #[error("{chain}: its value is no {wanted}: {reason}")]
    Unreadable {
        /// Who needs it.
        chain: Chain,
        /// The type that was wanted.
        wanted: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The making of the last of the chain failed.
    #[error("{chain}: {source}")]
    Failed {
        /// Who needs it.
        chain: Chain,
        /// What went wrong, untouched.
        source: HandlerError,
    },
}

/// Who needs what: `CreateUser needs dyn Cache needs config key cache_dir`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain(Vec<Key>);

impl Chain {
    pub(super) fn and(&self, key: &Key) -> Self {
        let mut longer = self.clone();
        longer.0.push(key.clone());
        longer
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.0.contains(key)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, key) in self.0.iter().enumerate() {
            let needs = if place == 0 { "" } else { " needs " };
            write!(f, "{needs}{key}")?;
        }
        Ok(())
    }
}
