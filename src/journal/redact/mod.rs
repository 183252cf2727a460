//! What a secret looks like on disk: a placeholder, `«secret:NAME»`, the same one every time.
//!
//! Secrets are recognised by value: those of the secure variables Connect sends, learnt before that very observation is
//! written, and those the session names itself ([`Redactor::learn`]). They are found in every text of an observation
//! and in every key, text and number of the JSON in it: plain, percent-encoded (once or twice), escaped inside nested
//! JSON, HTML or the bytes of Python, in hexadecimal, and in base64 (also in the middle of it, as in a Basic authorization);
//! of a secret of several lines, like a key, also each line. Where only the place tells, the [names](names) do.
//!
//! Limits, on purpose: what was written before a secret was learnt stays as it was written; a secret of less than four
//! characters is only found where it is the whole text; left alone is what the protocol itself uses as a
//! name (task, object, event type), because deliveries are joined by it.

mod fact;
mod names;
mod secrets;
mod sieve;
mod view;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use self::secrets::Secrets;
use crate::observe::{Fact, Secret};

/// Decides what a secret looks like on disk. Cheap to clone; clones know the same secrets.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Arc<Secrets>>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// The placeholder of a secret.
#[must_use]
pub fn placeholder(name: &str) -> String {
    format!("«secret:{name}»")
}

/// Whether a text has a placeholder in it.
#[must_use]
pub fn has_placeholder(text: &str) -> bool {
    text.split_once("«secret:").is_some_and(|(_, rest)| rest.contains('»'))
}

impl Redactor {
    /// One that knows no secrets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a secret for as long as this process lives, also when it is replaced by another of the same name.
    pub fn learn(&self, name: &str, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = known.with(name, secret.reveal()) {
            *known = Arc::new(more);
        }
    }

    /// `text` without secrets: for what is written elsewhere than in the journal.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.known().text(&mut text);
        text
    }

    /// `value` without secrets.
    #[must_use]
    pub fn value(&self, mut value: Value) -> Value {
        self.known().value(&mut value);
        value
    }

    /// `value` with the secrets this process knows in the place of their placeholders: what was recorded is run again with
    /// what is valid now.
    #[must_use]
    pub fn restored(&self, mut value: Value) -> Value {
        self.known().restore(&mut value);
        value
    }

    /// Learns what a fact has to teach, takes all secrets out of it, and writes it as JSON into `body`, which is emptied
    /// before. Most facts hold no secret: one look at the JSON, which is needed anyway, spares the walk through them.
    pub(super) fn written(&self, fact: &mut Fact, body: &mut Vec<u8>) -> serde_json::Result<()> {
        fact::learn(self, fact);
        let known = self.known();
        body.clear();
        fact.write(body)?;
        if known.suspects(body) || matches!(fact, Fact::FrameRejected { .. }) {
            fact::redact(&known, fact);
            body.clear();
            fact.write(body)?;
        }
        Ok(())
    }

    fn known(&self) -> Arc<Secrets> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
