//! The files of the journal: what they never contain, who can read them, and which ones are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail like tests

mod journal_support;

use connect_console::journal::{DeliveryFilter, Journal, JournalError, Reader, Window};
use connect_console::observe::{Body, Fact, Level, Observation, Observer, SeenVariable};
use journal_support::{answer, arrive, log, of};
use serde_json::json;

/// Everything in the files of a directory; they must be their owner's alone.
fn read_all(dir: &std::path::Path) -> String {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
        bytes.extend(std::fs::read(path).unwrap());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn no_file_of_the_journal_has_a_secret_in_it_and_only_its_owner_can_read_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let journal = Journal::open(&data).unwrap();
    journal.redactor().learn("API_KEY", &"SU-123-456:s3cr3t-key".into());
    let variable = SeenVariable { name: "DB_PASSWORD".into(), value: "correct horse/battery".into(), secure: true };
    journal.observe(Observation::now(Fact::Configured { message: "m".into(), update: false, variables: vec![variable] }));
    let forms = [
        "correct horse/battery",
        "correct%20horse%2Fbattery",
        "correct+horse%2fbattery",
        "Y29ycmVjdCBob3JzZS9iYXR0ZXJ5",         // alone
        "dTpjb3JyZWN0IGhvcnNlL2JhdHRlcnk=",     // u:correct horse/battery
        "dXNlcjpjb3JyZWN0IGhvcnNlL2JhdHRlcnk=", // user:correct horse/battery
        "SU-123-456:s3cr3t-key",
    ];
    let key = arrive(&journal, "TQ-1", "PR-1");
    for form in forms {
        journal.observe(log(&format!("it is {form}."), Level::Info));
        let object = json!({"status": form, "deep": [{"x": form, (form): 1}]});
        journal.observe(of(&key, Fact::ObjectFetched { object: Body::from_text(object.to_string()).unwrap() }));
        journal.observe(of(&key, Fact::ObjectFetched { object: object.into() }));
    }
    journal.observe(of(&key, answer("success")));
    journal.flush().await.unwrap();
    let open = read_all(&data);
    journal.close().await.unwrap();
    for text in [open, read_all(&data)] {
        assert!(text.contains("«secret:DB_PASSWORD»") && text.contains("«secret:API_KEY»"));
        for form in forms {
            assert!(!text.contains(form), "{form} is in the files");
        }
    }
}

#[test]
fn a_journal_of_a_newer_version_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::open(dir.path()).unwrap());
    let file = dir.path().join("journal.sqlite");
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for error in [Journal::open(dir.path()).unwrap_err(), Reader::open(dir.path()).unwrap_err()] {
        assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error:?}");
        assert!(error.to_string().contains("newer connect-console") && error.to_string().contains("--data-dir"), "{error}");
    }
}

#[test]
fn a_reader_names_a_damaged_journal_and_the_next_session_sets_it_aside_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    let noise: Vec<u8> = (0..20_000_u32).flat_map(|n| (n * 7919).to_le_bytes()).collect();
    std::fs::write(&file, &noise).unwrap();
    let error = Reader::open(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }) && error.to_string().contains("journal.sqlite"), "{error:?}");
    let journal = Journal::open(dir.path()).unwrap();
    let mended = journal.mended().unwrap();
    assert_eq!(std::fs::read(&mended.aside).unwrap(), noise, "it is kept, under another name");
    assert!(mended.to_string().contains("nothing of it can be read"), "{mended}");
    drop(journal);
    assert!(Journal::open(dir.path()).unwrap().mended().is_none(), "the new one is sound");
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(matches!(Journal::open(dir.path()).unwrap_err(), JournalError::Foreign { .. }));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_directory_without_a_journal_is_told_apart_from_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = Reader::open(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error:?}");
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.reader().unwrap().deliveries(&DeliveryFilter::default(), &Window::newest(5)).unwrap().is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Journal::open(&file.join("data")).unwrap_err();
    assert!(matches!(error, JournalError::Create { .. }), "{error:?}");
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn a_journal_of_the_first_version_is_brought_up_by_whoever_opens_it_and_loses_nothing() {
    let first = |dir: &std::path::Path| {
        drop(Journal::open(dir).unwrap());
        let conn = rusqlite::Connection::open(dir.join("journal.sqlite")).unwrap();
        conn.execute_batch(
            "DROP INDEX deliveries_of_type; DROP INDEX deliveries_of_result; DROP INDEX deliveries_failed;
             DROP INDEX deliveries_pinned; DROP INDEX links; DROP INDEX settings; DROP TABLE meta;
             ALTER TABLE queued DROP COLUMN marks; ALTER TABLE queued DROP COLUMN at;
             ALTER TABLE deliveries DROP COLUMN marks; ALTER TABLE deliveries DROP COLUMN pinned;
             ALTER TABLE deliveries DROP COLUMN wait;
             DROP INDEX deliveries_with_saga; ALTER TABLE deliveries DROP COLUMN saga; ALTER TABLE deliveries DROP COLUMN injected;
             INSERT INTO deliveries (key, task_id, category, event_type, object_id, arrived_at, state, attempt)
               VALUES ('k', 'TQ-1', 'background', 'e', 'PR-1', 1, 2, 1);
             PRAGMA user_version = 1;",
        )
        .unwrap();
    };
    let dir = tempfile::tempdir().unwrap();
    let (reads, writes) = (dir.path().join("reads"), dir.path().join("writes"));
    first(&reads);
    first(&writes);
    drop(Journal::open(&writes).unwrap());
    for data in [reads, writes] {
        let rows = Reader::open(&data).unwrap().deliveries(&DeliveryFilter::default(), &Window::newest(9)).unwrap();
        assert_eq!((rows.len(), rows[0].task_id.as_str(), rows[0].injected), (1, "TQ-1", 0));
    }
}
