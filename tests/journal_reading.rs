//! What is read back from the journal: deliveries summed up, pages, filters, log lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail like tests

mod journal_support;

use connect_console::journal::{DeliveryFilter, DeliveryState, Journal, LogFilter, ObservationRow, Reader, Window};
use connect_console::observe::{Backend, DeliveryKey, Fact, Level, Observation, Observer, Origin, StoreCall, Timestamp};
use journal_support::{PURCHASE, answer, arrival, arrive, log, of};
use serde_json::json;

#[tokio::test]
async fn attempts_are_counted_by_object_and_event_type_and_the_origin_is_known_by_the_task() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let queue = |task_id: &str, origin| {
        let (task_id, object_id, event_type) = (task_id.into(), "PR-1".into(), PURCHASE.into());
        journal.observe(Observation::now(Fact::TaskQueued { task_id, event_type, object_id, origin }));
    };
    queue("TQ-1", Origin::Trigger);
    arrive(&journal, "TQ-1", "PR-1");
    queue("TQ-2", Origin::Reschedule);
    arrive(&journal, "TQ-2", "PR-1");
    queue("TQ-3", Origin::Replay(1));
    arrive(&journal, "TQ-3", "PR-1");
    arrive(&journal, "TQ-4", "PR-2");
    journal.flush().await.unwrap();
    let rows = journal.reader().unwrap().deliveries(&DeliveryFilter::default(), &Window::newest(10)).unwrap();
    let seen: Vec<_> = rows.iter().map(|d| (d.id, d.attempt, d.origin.as_deref(), d.replay_of)).collect();
    let (first, second, third) =
        ((1, 1, Some("trigger"), None), (2, 2, Some("reschedule"), None), (3, 3, Some("replay"), Some(1)));
    assert_eq!(seen, [first, second, third, (4, 1, None, None)]);
}

fn store(error: Option<&str>) -> Fact {
    Fact::StoreCall(StoreCall {
        backend: Backend::Driver,
        operation: "insertOne".into(),
        database: "db".into(),
        collection: "c".into(),
        input: json!({}),
        output: None,
        error: error.map(Into::into),
        micros: 1,
    })
}

#[tokio::test]
async fn a_delivery_is_summed_up_from_what_was_seen_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let key = arrive(&journal, "TQ-1", "PR-1");
    let line = Fact::Log { level: Level::Info, target: "extension".into(), message: "one".into() };
    for fact in [Fact::ObjectFetched { object: json!({"status": "pending"}).into() }, store(None), store(Some("down")), line] {
        journal.observe(of(&key, fact));
    }
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let running = reader.delivery(1).unwrap().unwrap();
    assert_eq!((running.state, running.object_status.as_deref()), (DeliveryState::Running, Some("pending")));
    assert_eq!((running.store_calls, running.store_errors, running.logs, running.api_calls), (2, 1, 1, 0));

    journal.observe(of(&key, answer("success")));
    journal.flush().await.unwrap();
    let answered = reader.delivery(1).unwrap().unwrap();
    assert_eq!(
        (answered.state, answered.micros, answered.result.as_deref()),
        (DeliveryState::Answered, Some(1500), Some("success"))
    );

    // The process ends before the result is sent: the next one sends it, and knows the task only.
    drop(journal);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(reader.delivery(1).unwrap().unwrap().state, DeliveryState::Answered);
    journal.observe(Observation::now(Fact::ResultSent { task_id: "TQ-1".into() }));
    journal.flush().await.unwrap();
    assert_eq!(reader.delivery(1).unwrap().unwrap().state, DeliveryState::Sent);
    assert_eq!(reader.observations(1).unwrap().len(), 7);
}

#[tokio::test]
async fn a_delivery_without_a_runner_says_so_and_is_found_by_it_until_the_runner_is_back_or_the_session_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let key = arrive(&journal, "TQ-1", "PR-1");
    arrive(&journal, "TQ-2", "PR-2");
    let gone = || of(&key, Fact::RunnerGone { reason: "it was killed".into() });
    journal.observe(gone());
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let state = || reader.delivery(1).unwrap().unwrap().state;
    let reason = |reader: &Reader| reader.delivery(1).unwrap().unwrap().reason().map(str::to_owned);
    let found = |filter| -> Vec<i64> {
        let filter = DeliveryFilter::parse(filter).unwrap();
        reader.deliveries(&filter, &Window::newest(10)).unwrap().iter().map(|row| row.id).collect()
    };
    let counted = || -> Vec<(String, u64)> {
        reader.metrics(Timestamp::now()).unwrap()[0].buckets.iter().flat_map(|bucket| bucket.results.clone()).collect()
    };
    assert_eq!((state(), reason(&reader).as_deref()), (DeliveryState::NoRunner, Some("it was killed")));
    assert_eq!(found("reason~killed"), [1]);
    let mut both = counted();
    both.sort();
    assert_eq!(both, [("no_runner".to_owned(), 1), ("running".to_owned(), 1)]);
    assert_eq!((found("result=no_runner"), found("result=running"), found("result!=no_runner")), (vec![1], vec![2], vec![2]));

    journal.observe(of(&key, Fact::RunnerBack { instance: "one".into() }));
    journal.flush().await.unwrap();
    assert_eq!((state(), reason(&reader), found("result=no_runner")), (DeliveryState::Running, None, vec![]));

    journal.observe(gone());
    journal.flush().await.unwrap();
    drop((reader, journal));
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.delivery(1).unwrap().unwrap().state, DeliveryState::Interrupted, "nobody waits for anything");
    let why = reason(&reader).unwrap();
    assert!(why.starts_with("the session ended before a runner came for it"), "{why}");
    let buckets = reader.metrics(Timestamp::now()).unwrap().remove(0).buckets;
    assert_eq!(buckets.iter().map(|bucket| bucket.count("interrupted")).sum::<u64>(), 2);
    let journal = Journal::open(dir.path()).unwrap();
    let last = journal.reader().unwrap().observations(1).unwrap().pop().unwrap().observation.fact;
    assert!(matches!(&last, Fact::Interrupted { reason } if *reason == why), "{last:?}");
    assert_eq!(reason(&journal.reader().unwrap()), Some(why));
}

#[tokio::test]
async fn an_interactive_task_has_the_status_of_the_object_it_carries() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    journal.observe(of(&DeliveryKey::random(), arrival("TQ-1", "PR-1", json!({"status": "draft"}))));
    journal.flush().await.unwrap();
    assert_eq!(journal.reader().unwrap().delivery(1).unwrap().unwrap().object_status.as_deref(), Some("draft"));
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for n in 1..=20 {
        let key = arrive(&journal, &format!("TQ-{n}"), if n % 2 == 0 { "PR-Even" } else { "PR-ODD-Ä" });
        journal.observe(of(&key, answer(if n % 5 == 0 { "fail" } else { "success" })));
    }
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let ids = |filter: &DeliveryFilter, window: &Window| -> Vec<i64> {
        reader.deliveries(filter, window).unwrap().iter().map(|d| d.id).collect()
    };
    let all = DeliveryFilter::default();
    assert_eq!(ids(&all, &Window::newest(3)), [18, 19, 20]);
    assert_eq!(ids(&all, &Window::before(18, 3)), [15, 16, 17]);
    assert_eq!(ids(&all, &Window::after(3, 3)), [4, 5, 6]);
    let even = DeliveryFilter { text: Some("pr-EVEN".into()), ..all.clone() };
    assert_eq!(ids(&even, &Window::newest(2)), [18, 20]);
    assert_eq!(reader.count(&even).unwrap(), 10);
    assert_eq!(ids(&DeliveryFilter::parse("!pr-even").unwrap(), &Window::newest(2)), [17, 19]);
    let odd = DeliveryFilter { text: Some("odd-ä".into()), ..all.clone() };
    assert_eq!(reader.count(&odd).unwrap(), 10);
    let failed = DeliveryFilter { result: Some("fail".into()), object_id: Some("PR-Even".into()), ..all };
    assert_eq!(ids(&failed, &Window::newest(9)), [10, 20]);
}

#[tokio::test]
async fn log_lines_are_found_by_delivery_level_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let key = arrive(&journal, "TQ-1", "PR-1");
    let levels = [Level::Debug, Level::Info, Level::Warning, Level::Error];
    for (n, level) in levels.into_iter().enumerate() {
        journal.observe(log(&format!("Line {n}"), level));
        journal.observe(Observation { delivery: Some(key.clone()), ..log(&format!("inside {n}"), level) });
    }
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let lines = |filter: &LogFilter, limit| -> Vec<String> {
        reader.logs(filter, limit).unwrap().into_iter().map(|line| line.message).collect()
    };
    let all = LogFilter::default();
    assert_eq!(lines(&all, 3), ["inside 2", "Line 3", "inside 3"]);
    assert_eq!(lines(&LogFilter { level: Some(Level::Error), ..all.clone() }, 9), ["Line 3", "inside 3"]);
    assert_eq!(lines(&LogFilter { level: Some(Level::Info), ..all.clone() }, 9).len(), 6);
    let inside = LogFilter { delivery: Some(1), level: Some(Level::Warning), ..all.clone() };
    assert_eq!(lines(&inside, 9), ["inside 2", "inside 3"]);
    assert_eq!(lines(&LogFilter { text: Some("line".into()), ..all.clone() }, 9).len(), 4);
    assert_eq!(lines(&LogFilter { text: Some("EXTENSION".into()), ..all }, 9).len(), 8);
}

#[tokio::test]
async fn a_row_reads_back_from_its_json_and_keeps_the_time_and_step_it_was_seen_at() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let key = arrive(&journal, "TQ-1", "PR-1");
    let seen = Observation { at: Timestamp(42), step: 7, delivery: Some(key), ..log("x", Level::Info) };
    journal.observe(seen);
    journal.flush().await.unwrap();
    let row = journal.reader().unwrap().after(1, 1).unwrap().remove(0);
    assert_eq!((row.row, row.delivery, row.observation.at, row.observation.step), (2, Some(1), Timestamp(42), 7));
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(text.matches("\"delivery\"").count(), 1, "{text}");
    assert_eq!(serde_json::from_str::<ObservationRow>(&text).unwrap(), row);
}
