//! What the sandbox acknowledged is on disk: after SIGKILL under load, and when the disk is full.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail by panicking

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::InsertManyOptions;
use mongodb::{Client, Collection};
use support::{Running, program};

const ARGUMENTS: [&str; 6] = ["sandbox", "--no-auth", "--port", "0", "--http-port", "0"];

/// The sandbox as a process of its own, once it listens, and a collection in it.
async fn listening(command: Command) -> (Running, Collection<Document>) {
    let running = Running::start(command);
    let first = running.until("its address", |line| line["mongodb"].is_string());
    let uri = format!("{}&serverSelectionTimeoutMS=60000&retryWrites=false", first["mongodb"].as_str().unwrap());
    (running, Client::with_uri_str(uri).await.unwrap().database("shop").collection("orders"))
}

fn plain(dir: &Path) -> Command {
    let mut command = program(dir);
    command.args(ARGUMENTS);
    command
}

async fn ids(orders: &Collection<Document>) -> Vec<i32> {
    let found: Vec<Document> = orders.find(doc! {}).projection(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap();
    found.iter().map(|document| document.get_i32("_id").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_is_there_after_a_kill_in_the_middle_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let (mut running, orders) = listening(plain(dir.path())).await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let next = Arc::new(AtomicI32::new(0));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (orders, acknowledged, next) = (orders.clone(), Arc::clone(&acknowledged), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if orders.insert_one(doc! { "_id": id, "text": "x".repeat(500) }).await.is_err() {
                        return;
                    }
                    acknowledged.lock().unwrap().push(id);
                }
            })
        })
        .collect();
    while acknowledged.lock().unwrap().len() < 300 {
        assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "a writer gave up before the kill");
        tokio::task::yield_now().await;
    }
    running.kill();
    for writer in writers {
        writer.abort();
        let _ = writer.await;
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());

    let (_again, orders) = listening(plain(dir.path())).await;
    let there = ids(&orders).await;
    let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged writes are lost: {lost:?}", lost.len(), acknowledged.len());
    orders.insert_one(doc! { "_id": -1 }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_the_write_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (running, orders) = listening(support::on_a_small_disk(&plain(dir.path()), 12_000)).await;
    let text = "x".repeat(200_000);
    let mut acknowledged = Vec::new();
    let refusal = loop {
        let id = i32::try_from(acknowledged.len()).unwrap();
        match orders.insert_one(doc! { "_id": id, "text": &text }).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1_000, "the limit does not hold");
    };
    let code = match refusal.kind.as_ref() {
        ErrorKind::Command(command) => command.code,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code,
        other => panic!("no answer of the server: {other:?}"),
    };
    assert_eq!(code, 14031, "OutOfDiskSpace: {refusal}");
    let many = (10_000..10_050).map(|id| doc! { "_id": id, "text": &text });
    orders.insert_many(many).with_options(InsertManyOptions::builder().ordered(false).build()).await.unwrap_err();
    assert_eq!(ids(&orders).await, acknowledged, "the server is up and has what it acknowledged, no more");
    assert!(running.terminate().success());

    let (_again, orders) = listening(plain(dir.path())).await;
    assert_eq!(ids(&orders).await, acknowledged);
    orders.insert_one(doc! { "_id": -1, "text": &text }).await.unwrap();
}
