//! `run --headless --remote`: the runtime attached to a Connect that runs elsewhere, as the official runner does it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::sync::Arc;

use connect_console::observe::Memory;
use connect_console::platform::{Platform, PlatformOptions};
use support::{Running, program};

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_serves_the_connect_its_environment_names() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = PlatformOptions { dir: there.path().to_owned(), port: 0, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::new(Memory::default())).await.unwrap();
    let access = platform.access();
    let mut command = program(here.path());
    command
        .args(["run", "--headless", "--remote", "--unsecure", "--extension", "probe", "--json"])
        .env("API_KEY", access.api_key.reveal())
        .env("ENVIRONMENT_ID", &access.environment_id)
        .env("INSTANCE_ID", "somewhere-else")
        .env("SERVER_ADDRESS", &access.server_address)
        .env("API_ADDRESS", &access.api_address);
    let running = Running::start(command);
    tokio::task::block_in_place(|| running.until_connected());
    let set = [("note".to_owned(), "bench:fail".to_owned())];
    let queued = platform.trigger("asset_purchase_request_processing", None, &set).await.unwrap();
    let answered = tokio::task::block_in_place(|| running.until("the answer", |seen| seen["kind"] == "answered"));
    assert_eq!((&answered["result"], &answered["message"]), (&"fail".into(), &"bench says no".into()));
    let sent = tokio::task::block_in_place(|| running.until("the result", |seen| seen["kind"] == "result_sent"));
    assert_eq!(sent["task_id"], queued.task_id);
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    platform.stop().await;
}
