//! What the journal promises, seen from outside: through its files, and from another process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail like tests

mod journal_support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use connect_console::journal::{DeliveryState, Journal, JournalError, Reader};
use connect_console::observe::{Fact, Level, Observer};
use journal_support::{arrive, log};

#[tokio::test]
async fn what_is_announced_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let reader = journal.reader().unwrap();
    let mut news = journal.news();
    assert_eq!(*news.borrow(), 0);
    let observing = std::thread::spawn({
        let journal = journal.clone();
        move || (0..3000).for_each(|n| journal.observe(log(&n.to_string(), Level::Info)))
    });
    let mut seen = 0;
    while seen < 3000 {
        news.wait_for(|announced| *announced > seen).await.unwrap();
        let announced = *news.borrow_and_update();
        let rows = reader.after(seen, 10_000).unwrap();
        assert!(rows.last().unwrap().row >= announced, "row {announced} was announced before it could be read");
        seen = rows.last().unwrap().row;
    }
    observing.join().unwrap();
    let rows = reader.after(0, 10_000).unwrap();
    let messages = rows.iter().map(|row| match &row.observation.fact {
        Fact::Log { message, .. } => message.clone(),
        other => panic!("{other:?}"),
    });
    assert!(messages.eq((0..3000).map(|n| n.to_string())), "in order, none missing");
}

#[tokio::test]
async fn an_observation_can_be_read_within_milliseconds() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let mut news = journal.news();
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..50 {
        let since = Instant::now();
        journal.observe(log(&n.to_string(), Level::Info));
        news.changed().await.unwrap();
        times.push(since.elapsed());
    }
    times.sort();
    assert!(times[25] < Duration::from_millis(50), "median of {times:?}"); // generous: machines that run tests are busy
}

#[tokio::test]
async fn many_who_observe_at_once_lose_nothing_and_wait_when_they_must() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|t| {
            let journal = journal.clone();
            std::thread::spawn(move || (0..1000).for_each(|n| journal.observe(log(&format!("{t}-{n}"), Level::Debug))))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    journal.flush().await.unwrap();
    assert_eq!(journal.reader().unwrap().last_row().unwrap(), 8000);
    journal.close().await.unwrap();
}

#[test]
fn what_waits_when_the_journal_is_dropped_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    (0..500).for_each(|n| journal.observe(log(&n.to_string(), Level::Info)));
    drop(journal);
    assert_eq!(Reader::open(dir.path()).unwrap().last_row().unwrap(), 500);
    Journal::open(dir.path()).expect("the directory is free again");
}

/// The child of the next test: writes and says what was announced, until it is killed.
#[tokio::test]
#[ignore = "is run by the test below, in a process of its own"]
async fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os("JOURNAL_OF_CHILD") else { return };
    let journal = Journal::open(Path::new(&dir)).unwrap();
    let mut news = journal.news();
    arrive(&journal, "TQ-1", "PR-1");
    for n in 0.. {
        journal.observe(log(&n.to_string(), Level::Info));
        if news.has_changed().unwrap() {
            println!("announced {}", *news.borrow_and_update());
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_announced_and_its_deliveries_become_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
        .env("JOURNAL_OF_CHILD", dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut announced = || -> Option<i64> {
        lines.by_ref().map_while(Result::ok).find_map(|line| line.split_once("announced ")?.1.trim().parse().ok())
    };
    let mut last = announced().unwrap();

    // From here, another process than the writing one:
    let reader = Reader::open(dir.path()).unwrap();
    assert!(reader.last_row().unwrap() >= last);
    assert_eq!(reader.delivery_of_task("TQ-1").unwrap().unwrap().state, DeliveryState::Running);
    let refused = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(&refused, JournalError::InUse { process: Some(id), .. } if *id == child.id()), "{refused:?}");
    assert!(refused.to_string().contains("another connect-console"), "{refused}");

    while last < 2000 {
        last = announced().unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some(row) = announced() {
        last = row;
    }

    let journal = Journal::open(dir.path()).unwrap();
    let reader = journal.reader().unwrap();
    let rows = reader.last_row().unwrap();
    assert!(rows > last, "row {last} was announced, {rows} are there");
    let delivery = reader.delivery_of_task("TQ-1").unwrap().unwrap();
    assert_eq!(delivery.state, DeliveryState::Interrupted);
    let observations = reader.observations(delivery.id).unwrap();
    let end = &observations.last().unwrap().observation.fact;
    assert!(matches!(end, Fact::Interrupted { reason } if reason.contains("Connect delivers its task again")), "{end:?}");
}
