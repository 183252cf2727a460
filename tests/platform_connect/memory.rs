//! What is done costs no memory, and is found again.

use connect_console::platform::PlatformError;
use serde_json::json;

use crate::support::{Local, PURCHASE, Runner, object_of};

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn thousands_of_objects_are_on_disk_only_and_still_found_listed_and_counted() {
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
