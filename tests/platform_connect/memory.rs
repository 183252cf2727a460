//! What is done costs no memory, and is found again.

use std::process::Command;

use connect_console::platform::{PlatformError, Rerun};
use serde_json::json;

use crate::support::{Local, PURCHASE, Runner, object_of};

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs a test again in a process of its own, where memory is measured; whether this is that process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "TEST_RUNS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let ran = child.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[tokio::test]
async fn thousands_of_objects_are_on_disk_only_and_still_found_listed_and_counted() {
    if !is_alone("memory::thousands_of_objects_are_on_disk_only_and_still_found_listed_and_counted") {
        return;
    }
    let local = Local::start().await;
    // A note of 60 kB makes the objects large: all of them in memory would be 120 MB.
    let note = "n".repeat(60_000);
    let mut ids = Vec::new();
    for n in 0..200 {
        let set = [("note".to_owned(), format!("{n:05}{note}"))];
        ids.push(local.platform.trigger(PURCHASE, None, &set).await.unwrap().object_id);
    }
    let before = resident();
    for n in 200..2_000 {
        let set = [("note".to_owned(), format!("{n:05}{note}"))];
        ids.push(local.platform.trigger(PURCHASE, None, &set).await.unwrap().object_id);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 60_000, "memory grew by {grown} kB");
    let client = local.client();
    assert_eq!(client.get(&format!("requests/{}", ids[0])).await.unwrap()["id"], ids[0]);
    let page = client.page("requests?limit=2&offset=1990").await.unwrap();
    assert_eq!((page.total, &page.items[0]["id"]), (2_000, &json!(ids[1_990])));
    let page = client.page("requests?like(note,0000*)&ordering(-note)&limit=1").await.unwrap();
    assert_eq!((page.total, &page.items[0]["id"]), (10, &json!(ids[9])));
    let local = local.restart().await;
    assert_eq!(local.platform.object("requests", &ids[1_000]).unwrap()["id"], ids[1_000]);
}

/// Answers the next task.
async fn answer(runner: &mut Runner, output: serde_json::Value) {
    let task = runner.task().await;
    runner.answer(&task, output).await;
}

#[tokio::test]
async fn old_settled_tasks_are_forgotten_with_what_they_were_about_and_never_one_that_waits() {
    let local = Local::keeping(tempfile::tempdir().unwrap(), Some(20)).await;
    let mut runner = Runner::purchases(&local).await;
    let trigger = async |local: &Local| local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let waits = trigger(&local).await;
    answer(&mut runner, json!({"result": "reschedule", "countdown": 3_600})).await;
    // It is settled once, and waits in a second task.
    let both = trigger(&local).await;
    answer(&mut runner, json!({"result": "success"})).await;
    let object = local.platform.object("requests", &both.object_id).unwrap();
    let rerun = Rerun { event_type: PURCHASE.into(), object, of: Some(1), recording: None, once: false, ahead: false };
    local.platform.rerun(rerun).await.unwrap();
    answer(&mut runner, json!({"result": "reschedule", "countdown": 3_600})).await;
    let mut settled = Vec::new();
    let client = local.client();
    for n in 0..60 {
        let task = trigger(&local).await;
        if n < 3 || n == 59 {
            let said = format!("conversations/{}/messages", task.object_id);
            client.post(&said, Some(&json!({"text": "hello"}))).await.unwrap();
        }
        settled.push(task);
        answer(&mut runner, json!({"result": "success"})).await;
    }
    let tasks = format!(
        "devops/services/{}/environments/{}/tasks",
        local.platform.access().service_id,
        local.platform.access().environment_id
    );
    let total = async || client.page(&format!("{tasks}?limit=1")).await.unwrap().total;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // Twenty, those settled since the old ones were looked for, and the two that wait.
    while total().await > 20 + 2 + 2 {
        assert!(std::time::Instant::now() < deadline, "still {}", total().await);
    }
    let there = |collection: &str, id: &str| local.platform.object(collection, id).is_some();
    let asset = |request: &str| request.rsplit_once('-').unwrap().0.replacen("PR", "AS", 1);
    for kept in [&waits, &both, settled.last().unwrap()] {
        assert!(there("requests", &kept.object_id) && there("assets", &asset(&kept.object_id)), "{kept:?}");
    }
    let first = settled.first().unwrap();
    assert!(!there("requests", &first.object_id) && !there("assets", &asset(&first.object_id)));
    assert!(client.get(&format!("{tasks}/{}", first.task_id)).await.is_err());
    assert!(client.get(&format!("{tasks}/{}", both.task_id)).await.is_err(), "that it was settled once is forgotten");
    assert_eq!(client.page("requests?limit=100").await.unwrap().total, client.page("assets?limit=100").await.unwrap().total);
    assert!(client.page("products").await.unwrap().total > 0, "what there was before any task stays");
    let conversations = client.page("conversations").await.unwrap();
    assert_eq!((conversations.total, &conversations.items[0]["instance_id"]), (1, &json!(settled.last().unwrap().object_id)));
    let said = format!("conversations/{}/messages", conversations.items[0]["id"].as_str().unwrap());
    assert_eq!(client.page(&said).await.unwrap().total, 1);

    // The same after a restart: what is one too many is forgotten at the start.
    let Local { platform, dir, .. } = local;
    platform.stop().await;
    let local = Local::keeping(dir, Some(5)).await;
    assert_eq!(local.platform.waiting().len(), 2);
    let client = local.client();
    let total = async || client.page(&format!("{tasks}?limit=1")).await.unwrap().total;
    while total().await != 5 + 2 {
        assert!(std::time::Instant::now() < deadline, "still {}", total().await);
    }
    local.platform.release(&waits.task_id).unwrap();
    let mut runner = Runner::purchases(&local).await;
    assert_eq!(object_of(&runner.task().await), waits.object_id);
}

#[tokio::test]
async fn what_was_just_made_is_seen_at_once_everywhere() -> Result<(), PlatformError> {
    let local = Local::start().await;
    let client = local.client();
    let mut runner = Runner::purchases(&local).await;
    for n in 1..=20 {
        let id = local.platform.trigger(PURCHASE, None, &[]).await?.object_id;
        assert_eq!(object_of(&runner.task().await), id);
        client.post(&format!("requests/{id}/approve"), Some(&json!({"template_id": "TL-1"}))).await.unwrap();
        assert_eq!(client.get(&format!("requests/{id}")).await.unwrap()["status"], "approved");
        assert_eq!(client.page("requests?eq(status,approved)&limit=0").await.unwrap().total, n);
    }
    Ok(())
}
