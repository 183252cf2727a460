//! What of a delivery is enough to run it again, and why another cannot be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail like tests

mod journal_support;

use connect_console::journal::Journal;
use connect_console::observe::{Answer, DeliveryKey, Fact, Observer};
use connect_console::replay::{Capture, ReplayError};
use journal_support::{PURCHASE, answer, arrival, arrive, of};
use serde_json::{Value, json};

async fn journal_with(facts: Vec<Fact>) -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let key = DeliveryKey::random();
    facts.into_iter().for_each(|fact| journal.observe(of(&key, fact)));
    journal.flush().await.unwrap();
    (dir, journal)
}

fn capture(journal: &Journal) -> Result<Capture, ReplayError> {
    Capture::of(&journal.reader().unwrap(), 1)
}

#[tokio::test]
async fn a_background_delivery_is_captured_with_the_object_as_it_was_fetched() {
    let object = json!({"id": "PR-1", "status": "pending", "asset": {"params": [{"id": "p", "value": "v"}]}});
    let fetched = Fact::ObjectFetched { object: object.clone().into() };
    let (_dir, journal) = journal_with(vec![arrival("TQ-1", "PR-1", Value::Null), fetched, answer("success")]).await;
    let capture = capture(&journal).unwrap();
    assert_eq!((capture.event_type.as_str(), capture.object_id.as_str(), &capture.object), (PURCHASE, "PR-1", &object));
    assert_eq!((capture.category.as_str(), capture.warning()), ("background", None));
}

#[tokio::test]
async fn an_interactive_delivery_is_captured_with_the_object_it_came_with() {
    let (_dir, journal) = journal_with(vec![arrival("TQ-1", "PR-1", json!({"status": "draft"}))]).await;
    let capture = capture(&journal).unwrap();
    assert_eq!((capture.category.as_str(), capture.object), ("interactive", json!({"status": "draft"})));
}

#[tokio::test]
async fn placeholders_in_the_object_are_told_with_their_places() {
    let param = json!({"id": "pwd", "type": "password", "value": "hunter2"});
    let fetched = Fact::ObjectFetched { object: json!({"asset": {"params": [param]}}).into() };
    let (_dir, journal) = journal_with(vec![arrival("TQ-1", "PR-1", Value::Null), fetched]).await;
    let warning = capture(&journal).unwrap().warning().unwrap();
    assert!(warning.contains("asset.params.0.value"), "{warning}");
}

#[tokio::test]
async fn a_delivery_without_an_object_says_why() {
    let skipped = Answer { message: Some("the status does not fit".into()), ..skip() };
    let (_dir, journal) = journal_with(vec![arrival("TQ-1", "PR-1", Value::Null), Fact::Answered(skipped)]).await;
    let error = capture(&journal).unwrap_err().to_string();
    assert!(error.contains("had no object PR-1") && error.contains("the status does not fit"), "{error}");

    let (_dir, journal) = journal_with(vec![arrival("TQ-1", "PR-1", Value::Null)]).await;
    assert!(capture(&journal).unwrap_err().to_string().contains("has not fetched the object yet"));
}

fn skip() -> Answer {
    Answer { result: "skip".into(), message: None, countdown: 0, data: None, micros: 1 }
}

#[tokio::test]
async fn a_delivery_cut_off_before_its_object_came_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    arrive(&journal, "TQ-1", "PR-1");
    drop(journal);
    let journal = Journal::open(dir.path()).unwrap();
    assert!(capture(&journal).unwrap_err().to_string().contains("ended before it had fetched"));
}

#[tokio::test]
async fn an_unknown_delivery_is_named() {
    let (_dir, journal) = journal_with(vec![]).await;
    assert!(matches!(capture(&journal), Err(ReplayError::Unknown(1))));
}
