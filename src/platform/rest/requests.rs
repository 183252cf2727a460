//! Requests of assets and of tier configurations: the calls, carried out on what is stored.

use super::answer::Answer;
use super::lifecycle::{self, Action};
use super::refusal::Refusal;
use crate::observe::Level;
use crate::platform::core::Core;
use serde_json::Value;

/// What is different between the two sorts.
pub(crate) struct Kind {
    /// Where they live.
    pub(crate) collection: &'static str,
    /// The thing a request is about, whose parameters are changed with it.
    pub(crate) subject: &'static str,
    /// Whether all actions answer with the request; else `fail`, `inquire` and `pend` answer with nothing.
    verbose: bool,
}

/// `/requests`
pub(crate) const REQUESTS: Kind = Kind { collection: "requests", subject: "asset", verbose: true };
/// `/tier/config-requests`
pub(crate) const TIER_CONFIG_REQUESTS: Kind =
    Kind { collection: "tier/config-requests", subject: "configuration", verbose: false };

/// Carries an action out.
pub(crate) fn perform(core: &Core, kind: &Kind, id: &str, action: Action, body: &Value) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let mut object = state.objects.get(kind.collection, id).ok_or_else(Refusal::not_found)?;
    let before = lifecycle::status(&object).to_owned();
    lifecycle::perform(kind, action, &mut object, body)?;
    state.objects.put(kind.collection, id, &object);
    drop(state);
    let after = lifecycle::status(&object);
    if before != after {
        core.log(Level::Info, format!("{id} went from {before} to {after} (asked over REST)"));
    }
    let silent = !kind.verbose && matches!(action, Action::Fail | Action::Inquire | Action::Pend);
    Ok(if silent { Answer::Nothing } else { Answer::Object(object) })
}
