//! Recorded answers: a task that is run again hermetically gets from the API what was recorded, and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Json;
use axum::http::header::CONTENT_RANGE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use regex::Regex;
use serde_json::{Value, json};

use super::rql::percent_decode;

/// The `error_code` of what a call is answered with that was not recorded.
pub const NOT_RECORDED: &str = "NOT_RECORDED";

/// One call, and what it was answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query below `/public/v1/`.
    pub path: String,
    /// The body sent.
    pub request: Option<Value>,
    /// The answer's status.
    pub status: u16,
    /// Its body.
    pub response: Option<Value>,
    /// Its `Content-Range`.
    pub content_range: Option<String>,
}

/// The calls of a delivery.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// In the order they were made.
    pub exchanges: Vec<Exchange>,
    /// Whether a call that was not recorded reaches the local Connect; otherwise it is refused.
    pub allow_unrecorded: bool,
    /// Which delivery it is of, in words.
    pub of: String,
}

/// What is played for which task.
#[derive(Debug, Default)]
pub(crate) struct Recordings(Mutex<HashMap<String, Arc<Playing>>>);

#[derive(Debug)]
struct Playing {
    recording: Recording,
    /// Which exchanges were played already.
    played: Mutex<Vec<bool>>,
}

/// An answer out of a recording, in the forms the two sides want it.
pub(crate) struct Played {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) content_range: Option<String>,
}

impl Recordings {
    pub(crate) fn play(&self, task_id: &str, recording: Recording) {
        let played = Mutex::new(vec![false; recording.exchanges.len()]);
        self.all().insert(task_id.into(), Arc::new(Playing { recording, played }));
    }

    pub(crate) fn end(&self, task_id: &str) {
        self.all().remove(task_id);
    }

    /// The answer to a call of a task; `None` where nothing is played for it, or the call may pass.
    pub(crate) fn answer(&self, task_id: &str, method: &str, path: &str, body: &[u8]) -> Option<Played> {
        let playing = self.all().get(task_id).cloned()?;
        playing.answer(method, path, serde_json::from_slice(body).ok().as_ref())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Playing>>> {
        // Whoever panicked holding it left whole entries behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Playing {
    fn answer(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Played> {
        let wanted = normal(path);
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let all = || (0..).zip(&self.recording.exchanges);
        let fits = |exchange: &Exchange| exchange.method == method && normal(&exchange.path) == wanted;
        let fresh = |at: usize| !played.get(at).copied().unwrap_or_default();
        // In the order they were made; one with the same body before one with another; what only reads may be asked again.
        let found = all()
            .find(|(at, e)| fresh(*at) && fits(e) && e.request.as_ref() == body)
            .or_else(|| all().find(|(at, e)| fresh(*at) && fits(e)))
            .or_else(|| all().filter(|(_, e)| method == "GET" && fits(e)).last());
        match found {
            Some((at, exchange)) => {
                if let Some(mark) = played.get_mut(at) {
                    *mark = true;
                }
                let Exchange { status, response, content_range, .. } = exchange.clone();
                Some(Played { status, body: response, content_range })
            }
            None if self.recording.allow_unrecorded => None,
            None => {
                let why = format!("{method} {path} was not recorded in {}", self.recording.of);
                let body = json!({"error_code": NOT_RECORDED, "errors": [why]});
                Some(Played { status: 424, body: Some(body), content_range: None })
            }
        }
    }
}

/// A path as it is compared: unescaped, and whichever environment it is of.
fn normal(path: &str) -> String {
    static OWN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b(ENV|SRVC)-[0-9-]+").ok());
    let path = percent_decode(path.trim_matches('/'));
    match OWN.as_ref() {
        Some(own) => own.replace_all(&path, "$1").into_owned(),
        None => path,
    }
}

impl IntoResponse for Played {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = match self.body {
            Some(body) => (status, Json(body)).into_response(),
            None => status.into_response(),
        };
        if let Some(range) = self.content_range.and_then(|range| HeaderValue::from_str(&range).ok()) {
            response.headers_mut().insert(CONTENT_RANGE, range);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, path: &str, request: Option<Value>, answer: &str) -> Exchange {
        let (method, path) = (method.into(), path.into());
        Exchange { method, path, request, status: 200, response: Some(answer.into()), content_range: None }
    }

    fn playing(exchanges: Vec<Exchange>, allow_unrecorded: bool) -> Playing {
        let played = Mutex::new(vec![false; exchanges.len()]);
        Playing { recording: Recording { exchanges, allow_unrecorded, of: "delivery 7".into() }, played }
    }

    fn said(played: Option<Played>) -> String {
        played.and_then(|p| p.body).and_then(|b| b.as_str().map(Into::into)).unwrap_or_default()
    }

    #[test]
    fn answers_come_in_the_order_they_were_recorded_and_reading_may_be_repeated() {
        let get = |n: &str| exchange("GET", "requests?eq(id,PR-1)&limit=0", None, n);
        let playing = playing(vec![get("one"), get("two"), exchange("POST", "requests/PR-1/approve", None, "done")], false);
        let ask = || said(playing.answer("GET", "/requests?eq(id%2CPR-1)&limit=0", None));
        assert_eq!([ask(), ask(), ask()], ["one", "two", "two"]);
        assert_eq!(said(playing.answer("POST", "requests/PR-1/approve", None)), "done");
        let again = playing.answer("POST", "requests/PR-1/approve", None).unwrap();
        assert_eq!((again.status, &again.body.unwrap()["error_code"]), (424, &json!(NOT_RECORDED)));
    }

    #[test]
    fn of_two_calls_to_one_place_the_one_with_the_same_body_answers() {
        let put = |n: i32, answer: &str| exchange("PUT", "requests/PR-1", Some(json!({"n": n})), answer);
        let playing = playing(vec![put(1, "one"), put(2, "two")], false);
        assert_eq!(said(playing.answer("PUT", "requests/PR-1", Some(&json!({"n": 2})))), "two");
        assert_eq!(said(playing.answer("PUT", "requests/PR-1", Some(&json!({"n": 3})))), "one");
    }

    #[test]
    fn what_was_not_recorded_is_refused_with_its_name_unless_it_may_pass() {
        let refused = playing(Vec::new(), false).answer("GET", "assets/AS-1", None).unwrap();
        assert!(refused.body.unwrap()["errors"][0].as_str().unwrap().contains("GET assets/AS-1 was not recorded in delivery 7"));
        assert!(playing(Vec::new(), true).answer("GET", "assets/AS-1", None).is_none());
    }

    #[test]
    fn the_environment_of_another_machine_is_no_difference() {
        assert_eq!(
            normal("devops/services/SRVC-1111-2222/environments/ENV-1111-2222-01/schedules/EFS-1"),
            "devops/services/SRVC/environments/ENV/schedules/EFS-1"
        );
    }
}
