use super::super::message::Ask;
use super::StoreAsk;
use crate::observe::Timestamp;

/// After how long something counts as long, in microseconds: before that, telling of it would only flicker.
const LONG: i64 = 1_000_000;

/// What was asked of the session and is not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Work {
    begun: Vec<(Ask, Timestamp)>,
}

impl Work {
    pub(crate) fn begin(&mut self, ask: &Ask, now: Timestamp) {
        if words(ask).is_some() {
            self.begun.push((ask.clone(), now));
        }
    }

    pub(crate) fn end(&mut self, ask: &Ask) {
        if let Some(at) = self.begun.iter().position(|(begun, _)| begun == ask) {
            self.begun.remove(at);
        }
    }

    /// What takes long: what it is asked for, in words, and for how many seconds. What a developer asked for comes before
    /// what is only looked at, the older before the younger.
    pub(crate) fn long(&self, now: Timestamp) -> Option<(&Ask, &'static str, i64)> {
        let looked_at = |ask: &Ask| matches!(ask, Ask::Variables);
        let taken = |begun: &Timestamp| now.0.saturating_sub(begun.0);
        let long = self.begun.iter().filter(|(_, begun)| taken(begun) >= LONG);
        let (ask, begun) = long.min_by_key(|(ask, begun)| (looked_at(ask), begun.0))?;
        Some((ask, words(ask)?, taken(begun) / 1_000_000))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }
}

/// What the session does for a question, in words; `None` for what nobody asked for or what says itself how far it is.
fn words(ask: &Ask) -> Option<&'static str> {
    Some(match ask {
        Ask::Trigger => "creating an object",
        Ask::Replay(_) | Ask::Shadow(_) | Ask::Twice(_) | Ask::Again { .. } => "running it again",
        Ask::Captures | Ask::Repeated { .. } => "working on captures",
        Ask::Reveal(_) => "asking for the secret",
        Ask::Release => "having it delivered",
        Ask::Forward => "putting the clock forward",
        Ask::Sagas => "telling the runtime",
        Ask::Variables | Ask::Edit(_) => "reading the variables",
        Ask::Stage | Ask::TakeText => "staging",
        Ask::Apply => "applying the changes",
        Ask::Environment => "asking about the variables",
        // The storage pane tells of its own questions, and stops them.
        Ask::Collections | Ask::Documents(_) => return None,
        Ask::Store(StoreAsk::Size | StoreAsk::Count(_) | StoreAsk::Job | StoreAsk::Queries) => return None,
        Ask::Store(look) if look.is_look() => return None,
        Ask::Store(_) => "working in the store",
        Ask::Status | Ask::Quit | Ask::EventTypes | Ask::Waiting | Ask::Watch(_) | Ask::Watched(_) => return None,
    })
}
