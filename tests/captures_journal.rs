//! What is kept of deliveries and how it is found again: filters, marks and pins, retention, damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail like tests

mod journal_support;

use std::time::Duration;

use connect_console::journal::{DeliveryFilter, DeliveryState, Journal, LogFilter, Reader, Retention, Window};
use connect_console::observe::{DeliveryKey, Fact, LinkState, Mark, Observation, Observer, Origin};
use journal_support::{PURCHASE, answer, arrive, of};
use serde_json::{Value, json};

fn fetched(product: &str, quantity: &str) -> Fact {
    let object = json!({
        "id": "PR-1", "status": "pending", "note": "Hello World",
        "asset": {"product": {"id": product}, "items": [{"quantity": "1"}, {"quantity": quantity}], "params": []}
    });
    Fact::ObjectFetched { object: object.into() }
}

/// A journal of four deliveries: two of one product (the second fails), one of another, one running.
async fn four() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (n, (product, quantity, result)) in
        (1..).zip([("PRD-1", "5", "success"), ("PRD-1", "50", "fail"), ("PRD-2", "7", "success"), ("PRD-3", "7", "")])
    {
        let key = arrive(&journal, &format!("TQ-{n}"), &format!("PR-{n}"));
        journal.observe(of(&key, fetched(product, quantity)));
        if !result.is_empty() {
            journal.observe(of(&key, answer(result)));
        }
    }
    journal.flush().await.unwrap();
    (dir, journal)
}

fn ids(reader: &Reader, line: &str) -> Vec<i64> {
    let filter = DeliveryFilter::parse(line).unwrap();
    let found = reader.deliveries(&filter, &Window::newest(10)).unwrap();
    assert_eq!(reader.count(&filter).unwrap(), found.len() as u64, "{line}");
    found.iter().map(|d| d.id).collect()
}

#[tokio::test]
async fn a_filter_finds_by_columns_paths_and_texts_in_payloads() {
    let (_dir, journal) = four().await;
    let reader = journal.reader().unwrap();
    let cases: [(&str, &[i64]); 20] = [
        ("", &[1, 2, 3, 4]),
        ("result=fail", &[2]),
        ("result!=success", &[2, 4]),
        ("result=fail,success", &[1, 2, 3]),
        ("result=running", &[4]),
        ("type=asset_purchase_request_processing status=pending", &[1, 2, 3, 4]),
        ("type=other", &[]),
        ("object=PR-3", &[3]),
        ("pr-3", &[3]),
        ("!pr-3", &[1, 2, 4]),
        ("asset.product.id = PRD-1", &[1, 2]),
        ("asset.product.id != PRD-1", &[3, 4]),
        ("asset.items.quantity > 6", &[2, 3, 4]),
        ("asset.items.0.quantity > 6", &[]),
        ("note~hello asset.items.quantity<=1 result=success", &[1, 3]),
        ("body~\"hello world\" !body~prd-3", &[1, 2, 3]),
        ("since=1h", &[1, 2, 3, 4]),
        ("until=1h", &[]),
        ("id>=2 took<2ms", &[2, 3]),
        ("nothing.of.it=1", &[]),
    ];
    for (line, expected) in cases {
        assert_eq!(ids(&reader, line), expected, "{line}");
    }
}

#[tokio::test]
async fn a_search_that_takes_long_breaks_off_and_can_go_on_where_it_was() {
    let (_dir, journal) = four().await;
    for n in 5..3_000 {
        let key = arrive(&journal, &format!("TQ-{n}"), "PR-many");
        journal.observe(of(&key, fetched("PRD-9", "1")));
    }
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let filter = DeliveryFilter::parse("asset.product.id=PRD-1").unwrap();
    let (mut window, mut found, mut pieces) = (Window::newest(10), Vec::new(), 0);
    loop {
        let piece = reader.search(&filter, &window, Some(Duration::ZERO)).unwrap();
        found.splice(0..0, piece.rows.iter().map(|d| d.id));
        pieces += 1;
        match piece.reached {
            Some(reached) => window = Window::before(reached, 10),
            None => break,
        }
    }
    assert_eq!(found, [1, 2]);
    assert!(pieces > 2, "{pieces}");
}

#[tokio::test]
async fn marks_reach_the_delivery_whether_they_come_before_it_or_after() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let queue = |task_id: &str| {
        let (task_id, object_id, event_type) = (task_id.into(), "PR-1".into(), PURCHASE.into());
        journal.observe(Observation::now(Fact::TaskQueued { task_id, event_type, object_id, origin: Origin::Replay(1) }));
    };
    let mark = |task_id: &str, marks: &[Mark]| {
        let fact = Fact::Marked { task_id: task_id.into(), marks: marks.to_vec(), detail: "a.b".into() };
        journal.observe(Observation::now(fact));
    };
    queue("TQ-1");
    mark("TQ-1", &[Mark::Edited, Mark::Hermetic]);
    arrive(&journal, "TQ-1", "PR-1");
    queue("TQ-2");
    arrive(&journal, "TQ-2", "PR-1");
    mark("TQ-2", &[Mark::Shadow]);
    arrive(&journal, "TQ-3", "PR-1");
    journal.flush().await.unwrap();
    let reader = journal.reader().unwrap();
    let marks: Vec<_> = (1..=3).map(|id| reader.delivery(id).unwrap().unwrap().marks.join("+")).collect();
    assert_eq!(marks, ["edited+hermetic", "shadow", ""]);
    assert_eq!(ids(&reader, "is=shadow"), [2]);
    assert_eq!(ids(&reader, "is=replay"), [1, 2]);
    assert_eq!(ids(&reader, "is!=replay"), [3]);
    assert!(reader.delivery(1).unwrap().unwrap().wait.is_some(), "how long the task waited is known");
}

#[tokio::test]
async fn retention_takes_the_oldest_and_leaves_what_is_pinned_and_what_runs() {
    let dir = tempfile::tempdir().unwrap();
    Retention { bytes: 1_500_000, seconds: 0 }.save(dir.path()).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let running = arrive(&journal, "TQ-running", "PR-running");
    let blob = "x".repeat(4_000);
    journal.observe(Observation::now(Fact::Pinned { delivery: 3, pinned: true }));
    let fill = |n: i64| {
        let key = arrive(&journal, &format!("TQ-{n}"), "PR-1");
        journal.observe(of(&key, Fact::ObjectFetched { object: json!({"status": blob, "n": n}).into() }));
        journal.observe(of(&key, answer("success")));
        journal.observe(of(&key, Fact::ResultSent { task_id: format!("TQ-{n}") }));
        if n == 3 {
            journal.observe(Observation::now(Fact::Pinned { delivery: 4, pinned: true }));
        }
    };
    let reader = journal.reader().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let mut n = 0;
    while reader.usage().unwrap().removed < 500 {
        n += 1;
        fill(n);
        if n % 100 == 0 {
            journal.flush().await.unwrap();
        }
        assert!(std::time::Instant::now() < deadline, "{:?}", reader.usage().unwrap());
    }
    journal.flush().await.unwrap();
    let usage = reader.usage().unwrap();
    assert!(usage.pinned == 1 && usage.oldest.is_some(), "{usage:?}");
    let left = reader.deliveries(&DeliveryFilter::default(), &Window::after(0, 3)).unwrap();
    assert_eq!(left.iter().map(|d| d.id).take(2).collect::<Vec<_>>(), [1, 4], "the running and the pinned one");
    assert_eq!(reader.observations(4).unwrap().len(), 5, "a pinned one is kept whole");
    assert!(reader.observations(2).unwrap().is_empty());
    assert_eq!(usage.deliveries, u64::try_from(n + 1).unwrap() - usage.removed);
    drop(running);
}

#[tokio::test]
async fn without_a_living_session_nothing_runs() {
    let (dir, journal) = four().await;
    let copy = tempfile::tempdir().unwrap();
    assert_eq!(journal.reader().unwrap().delivery(4).unwrap().unwrap().state, DeliveryState::Running);
    // What a killed session leaves: its files, and nobody who holds the lock.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let reader = Reader::open(copy.path()).unwrap();
    assert_eq!(reader.delivery(4).unwrap().unwrap().state, DeliveryState::Interrupted);
    assert_eq!(ids(&reader, "result=interrupted"), [4]);
    assert_eq!(ids(&reader, "result=running"), [0; 0]);
}

#[tokio::test]
async fn a_lost_link_is_a_gap_with_its_reason_until_it_is_back() {
    let (_dir, journal) = four().await;
    let link = |state, detail: &str| Observation::now(Fact::Link { state, detail: detail.into() });
    for (state, detail) in [
        (LinkState::Connected, ""),
        (LinkState::Waiting, "the socket broke"),
        (LinkState::Connecting, ""),
        (LinkState::Waiting, "refused"),
        (LinkState::Connected, ""),
        (LinkState::Waiting, "no ping for 30 s"),
    ] {
        journal.observe(link(state, detail));
    }
    journal.flush().await.unwrap();
    let gaps = journal.reader().unwrap().gaps(10).unwrap();
    let told: Vec<_> = gaps.iter().map(|gap| (gap.why.as_str(), gap.until.is_some())).collect();
    assert_eq!(told, [("the socket broke", true), ("no ping for 30 s", false)]);
}

/// A closed journal of many deliveries, and the file.
async fn large() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for n in 1..=400 {
        let key = DeliveryKey::random();
        journal.observe(of(&key, journal_support::arrival(&format!("TQ-{n}"), "PR-1", Value::Null)));
        journal.observe(of(&key, fetched(&format!("PRD-{n}"), &"7".repeat(600))));
        journal.observe(of(&key, answer("success")));
    }
    journal.close().await.unwrap();
    drop(journal);
    let file = dir.path().join("journal.sqlite");
    rusqlite::Connection::open(&file).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    (dir, file)
}

#[tokio::test]
async fn a_journal_that_was_cut_off_opens_with_what_is_readable_and_says_what_is_not() {
    let (dir, file) = large().await;
    let whole = std::fs::read(&file).unwrap();
    let cut = whole.len() * 2 / 3;
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(cut as u64).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let mended = journal.mended().unwrap().clone();
    assert!(mended.observations > 100 && mended.observations < 1_200, "{mended:?}");
    assert!(mended.to_string().contains("cut off") && mended.to_string().contains("not readable are its rows"), "{mended}");
    assert_eq!(std::fs::read(&mended.aside).unwrap(), whole[..cut], "the damaged file is as it was");
    let reader = journal.reader().unwrap();
    let rows = reader.deliveries(&DeliveryFilter::default(), &Window::newest(1_000)).unwrap();
    assert_eq!(rows.len() as u64, mended.deliveries);
    assert_eq!(reader.count(&DeliveryFilter::default()).unwrap(), mended.deliveries);
    assert!(!rows.is_empty() && rows.iter().all(|row| reader.observations(row.id).is_ok()));
    let told = reader.logs(&LogFilter::default(), 10).unwrap();
    assert!(told.iter().any(|line| line.message.contains("was damaged")), "{told:?}");
    // And it goes on.
    let key = arrive(&journal, "TQ-new", "PR-new");
    journal.observe(of(&key, answer("success")));
    journal.flush().await.unwrap();
    assert_eq!(ids(&reader, "object=PR-new").len(), 1);
}

#[tokio::test]
async fn rows_behind_a_damaged_page_are_read_past_it() {
    let (dir, file) = large().await;
    let mut bytes = std::fs::read(&file).unwrap();
    // Some pages in the middle, of which most hold rows.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 3 * 4096].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    // Whoever reads meets it first, says so, and the next session looks at every page.
    let reader = Reader::open(dir.path()).unwrap();
    let error = (1..=400).find_map(|id| reader.observations(id).err()).unwrap();
    assert!(error.to_string().contains("the next start of a session"), "{error}");
    drop(reader);
    let journal = Journal::open(dir.path()).unwrap();
    let mended = journal.mended().unwrap().clone();
    assert!(mended.observations > 600, "{mended:?}");
    assert_eq!(std::fs::read(&mended.aside).unwrap(), bytes);
    let rows = journal.reader().unwrap().deliveries(&DeliveryFilter::default(), &Window::newest(1_000)).unwrap();
    assert!(rows.first().unwrap().id < 20 && rows.last().unwrap().id > 380, "before and behind the damage");
}

#[tokio::test]
async fn a_journal_of_the_version_before_is_brought_up_to_date() {
    let (dir, journal) = four().await;
    drop(journal);
    let file = dir.path().join("journal.sqlite");
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch(
        "DROP INDEX deliveries_of_type; DROP INDEX deliveries_of_result; DROP INDEX deliveries_failed;
         DROP INDEX deliveries_pinned; DROP INDEX settings; DROP INDEX links; DROP TABLE meta;
         ALTER TABLE deliveries DROP COLUMN marks; ALTER TABLE deliveries DROP COLUMN pinned; ALTER TABLE deliveries DROP COLUMN wait;
         ALTER TABLE queued DROP COLUMN marks; ALTER TABLE queued DROP COLUMN at; PRAGMA user_version = 2;",
    )
    .unwrap();
    drop(old);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(ids(&reader, "asset.product.id=PRD-1"), [1, 2]);
}
