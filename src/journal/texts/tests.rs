use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use super::build::Builder;
use super::{Progress, SLICES};
use crate::journal::{DeliveryFilter, Journal, Reader, Retention, Window, schema};
use crate::observe::{Answer, DeliveryKey, Fact, Level, Observation, Observer, TaskArrived, Timestamp};

/// One delivery: what its task, its object and its reason say.
#[derive(Debug, Clone, Default)]
struct Said {
    object: String,
    reason: String,
    /// Said when all the others are over.
    late: Option<String>,
}

fn seen(key: &DeliveryKey, fact: Fact) -> Observation {
    Observation { delivery: Some(key.clone()), ..Observation::now(fact) }
}

fn write(dir: &Path, all: &[Said]) {
    let journal = Journal::open(dir).unwrap();
    let keys: Vec<DeliveryKey> = (0..all.len()).map(|n| DeliveryKey::from(format!("{n}").as_str())).collect();
    let line = |message: &str| Fact::Log { level: Level::Info, target: "t".into(), message: message.into() };
    for (n, (said, key)) in all.iter().zip(&keys).enumerate() {
        let task_id = format!("TQ-{n}");
        let arrived = TaskArrived {
            task: json!({"task_id": task_id}),
            task_id,
            category: "background".into(),
            event_type: "asset_purchase_request_processing".into(),
            object_id: format!("PR-{:05}", n * 7919 % 100_000),
        };
        journal.observe(seen(key, Fact::TaskArrived(arrived)));
        journal.observe(seen(key, Fact::ObjectFetched { object: json!({"name": said.object, "n": n}).into() }));
        let message = Some(said.reason.clone()).filter(|reason| !reason.is_empty());
        let answer = Answer { result: "fail".into(), message, countdown: 0, data: None, micros: 1 };
        journal.observe(seen(key, Fact::Answered(answer)));
        journal.observe(Observation::now(line("of none")));
    }
    for (said, key) in all.iter().zip(&keys) {
        if let Some(late) = &said.late {
            journal.observe(seen(key, line(late)));
        }
    }
}

/// Makes the index of all but the last rows, in blocks of a few.
fn index(dir: &Path, rows: usize) -> Builder {
    let mut builder = Builder::new(schema::open_beside(dir).unwrap()).unwrap();
    builder.longest = rows;
    while builder.step(&Mutex::new(())).unwrap() {}
    builder
}

fn progress(dir: &Path) -> i64 {
    Progress::read(&Connection::open(schema::file(dir)).unwrap()).unwrap().map_or(0, |progress| progress.row)
}

fn execute(dir: &Path, sql: &str) {
    Connection::open(schema::file(dir)).unwrap().execute_batch(sql).unwrap();
}

/// What is found in pages of a few, newest first, and all at once from the oldest on.
fn found(dir: &Path, filter: &DeliveryFilter) -> (Vec<i64>, Vec<i64>) {
    let reader = Reader::open(dir).unwrap();
    let (mut all, mut window) = (Vec::new(), Window::newest(20));
    loop {
        let piece = reader.search(filter, &window, Some(Duration::ZERO)).unwrap();
        all.splice(0..0, piece.rows.iter().map(|row| row.id));
        let next = piece.reached.or(piece.rows.first().filter(|_| piece.rows.len() == 20).map(|row| row.id));
        match next {
            Some(before) => window = Window::before(before, 20),
            None => break,
        }
    }
    let upwards = reader.search(filter, &Window::after(0, 10_000), None).unwrap();
    (all, upwards.rows.iter().map(|row| row.id).collect())
}

fn filters(text: &str) -> Vec<DeliveryFilter> {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    ["body~", "name~", "name=", "reason~", "reason=", "result=fail body~", "!id=3 ", ""]
        .into_iter()
        .filter_map(|begin| DeliveryFilter::parse(&format!("{begin}\"{quoted}\"")).ok())
        .collect()
}

const LETTERS: &str = "[a-cA-C0-3éÉßİKΣσς\"\\\\\n\u{1F600}. -]{0,24}";

fn said() -> impl Strategy<Value = Said> {
    (LETTERS, LETTERS, proptest::option::weighted(0.1, LETTERS)).prop_map(|(object, reason, late)| Said { object, reason, late })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn a_search_finds_the_same_with_the_index_and_without(
        all in proptest::collection::vec(said(), 1..80),
        needles in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..20, 1_usize..9, 0..3), 4),
        rows in 1_usize..9,
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &all);
        let needles: Vec<DeliveryFilter> = needles
            .iter()
            .flat_map(|(which, from, length, of)| {
                let Said { object, reason, late } = which.get(&all);
                let text = [Some(object), Some(reason), late.as_ref()][usize::try_from(*of).unwrap()].unwrap_or(object);
                filters(&text.chars().skip(*from).take(*length).collect::<String>())
            })
            .collect();
        let without: Vec<_> = needles.iter().map(|filter| found(dir.path(), filter)).collect();
        drop(index(dir.path(), rows));
        prop_assert!(progress(dir.path()) > 0 || all.len() < 3);
        for (filter, without) in needles.iter().zip(without) {
            prop_assert_eq!(&found(dir.path(), filter), &without, "{:?}", filter);
        }
    }
}

/// So many that there are groups, blocks and rows after them.
fn many() -> Vec<Said> {
    let said = |n: usize| Said {
        object: format!("Nº {n} of all"),
        reason: if n % 100 == 7 { format!("the vendor refused {n}") } else { String::new() },
        late: (n == 5).then(|| "an afterthought".into()),
    };
    (0..400).map(said).collect()
}

/// What is asked of those many.
fn answers(dir: &Path) -> Vec<Vec<i64>> {
    [
        "body~\"Nº 77 \"",
        "refused",
        "name=\"Nº 399 of all\"",
        "body~afterthought",
        "refused body~\"nº 107\"",
        "tq-33 pr-",
        "body~nowhere",
    ]
    .map(|line| found(dir, &DeliveryFilter::parse(line).unwrap()).0)
    .into()
}

fn expected() -> Vec<Vec<i64>> {
    let tens = (331..=340).collect::<Vec<_>>();
    vec![vec![78], vec![8, 108, 208, 308], vec![400], vec![6], vec![108], [vec![34], tens].concat(), vec![]]
}

#[test]
fn the_making_of_the_index_goes_on_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    let mut last = 0;
    for _ in 0..3 {
        let mut builder = Builder::new(schema::open_beside(dir.path()).unwrap()).unwrap();
        builder.longest = 5;
        assert!(builder.step(&Mutex::new(())).unwrap());
        assert!(progress(dir.path()) > last);
        last = progress(dir.path());
        assert_eq!(answers(dir.path()), expected());
    }
    drop(index(dir.path(), 5));
    assert!(progress(dir.path()) > 1_590);
    assert_eq!(answers(dir.path()), expected());
}

#[test]
fn two_who_make_it_at_once_make_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    let open = || Builder::new(schema::open_beside(dir.path()).unwrap()).unwrap();
    let (mut one, mut other) = (open(), open());
    (one.longest, other.longest) = (5, 6);
    while one.step(&Mutex::new(())).unwrap() | other.step(&Mutex::new(())).unwrap() {}
    assert_eq!(answers(dir.path()), expected());
    let conn = Connection::open(schema::file(dir.path())).unwrap();
    let blocks: i64 = conn.query_row("SELECT count(*) FROM text_blocks", [], |row| row.get(0)).unwrap();
    assert!(blocks < 64);
}

#[test]
fn an_index_that_is_damaged_denies_nothing_and_one_of_another_form_is_made_anew() {
    for harm in [
        "DELETE FROM text_slices WHERE id % 3 = 0",
        "UPDATE text_slices SET bits = substr(bits, 1, 100)",
        "UPDATE text_blocks SET bits = x''",
        "DROP TABLE text_slices",
        "DROP TABLE text_groups",
        "UPDATE meta SET value = 0 WHERE name = 'text_form'; UPDATE text_slices SET bits = zeroblob(4000)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &many());
        drop(index(dir.path(), 5));
        execute(dir.path(), harm);
        assert_eq!(answers(dir.path()), expected(), "{harm}");
        drop(Journal::open(dir.path()).unwrap());
        drop(index(dir.path(), 5));
        assert_eq!(answers(dir.path()), expected(), "{harm}");
    }
}

#[test]
fn pages_of_the_index_that_are_damaged_hide_nothing_and_are_mended_by_the_next_session() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    drop(index(dir.path(), 5));
    let file = schema::file(dir.path());
    let conn = Connection::open(&file).unwrap();
    let root = |table: &str| -> usize {
        let page: i64 = conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table], |row| row.get(0)).unwrap();
        usize::try_from(page).unwrap() * 4096
    };
    let roots = ["text_slices", "text_groups"].map(root);
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(conn);
    for end in roots {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[end - 4096..end].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(answers(dir.path()), expected());
    }
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.mended().unwrap().gaps.is_empty(), "{:?}", journal.mended());
    drop(journal);
    assert_eq!(progress(dir.path()), 0);
    drop(index(dir.path(), 5));
    assert_eq!(answers(dir.path()), expected());
}

#[test]
fn an_index_of_rows_that_are_not_there_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    drop(index(dir.path(), 5));
    // As if an older copy of the journal were put back under it.
    execute(dir.path(), "DELETE FROM observations WHERE row > 800; DELETE FROM deliveries WHERE id > 200");
    assert!(progress(dir.path()) > 800);
    drop(Journal::open(dir.path()).unwrap());
    assert_eq!(progress(dir.path()), 0);
}

#[test]
fn retention_takes_the_index_of_what_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    drop(index(dir.path(), 5));
    let mut conn = Connection::open(schema::file(dir.path())).unwrap();
    let count = |conn: &Connection, table: &str| -> i64 {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&conn, "text_groups"), 5);
    conn.execute("UPDATE deliveries SET arrived_at = 0 WHERE id <= 300", []).unwrap();
    let retention = Retention { bytes: 0, seconds: 3_600 };
    while crate::journal::retention::trim(&mut conn, &retention, Timestamp::now()).unwrap() {}
    assert_eq!(count(&conn, "deliveries"), 101, "and that of the newest row");
    assert_eq!(count(&conn, "text_groups"), 3);
    assert_eq!(count(&conn, "text_slices"), 3 * i64::try_from(SLICES).unwrap());
    drop(conn);
    let left: Vec<Vec<i64>> =
        expected().into_iter().map(|ids| ids.into_iter().filter(|id| *id > 300 || *id == 6).collect()).collect();
    assert_eq!(answers(dir.path()), left);
    // And it goes on, without a number coming twice.
    let more = vec![Said { object: "newcomer".into(), ..Said::default() }];
    execute(dir.path(), "UPDATE deliveries SET key = 'x' || key");
    write(dir.path(), &more);
    drop(index(dir.path(), 1));
    assert_eq!(found(dir.path(), &DeliveryFilter::parse("body~newcomer").unwrap()).0, [401]);
}

#[test]
fn the_newest_row_outlives_retention_whatever_it_belongs_to() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    let mut conn = Connection::open(schema::file(dir.path())).unwrap();
    let last = |conn: &Connection| -> i64 { conn.query_row("SELECT max(row) FROM observations", [], |row| row.get(0)).unwrap() };
    let before = last(&conn);
    let retention = Retention { bytes: 1, seconds: 0 };
    while crate::journal::retention::trim(&mut conn, &retention, Timestamp::now()).unwrap() {}
    assert_eq!(last(&conn), before);
}

#[test]
fn what_was_mended_is_searched_without_what_is_no_longer_certain() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &many());
    // The reason of one survives in its summary alone.
    execute(dir.path(), "DELETE FROM observations WHERE delivery = 108 AND kind = 'answered'");
    let conn = Connection::open(schema::file(dir.path())).unwrap();
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(conn);
    let file = schema::file(dir.path());
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 8 * 4096]).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.mended().is_some());
    drop(journal);
    drop(index(dir.path(), 5));
    assert!(progress(dir.path()) > 0);
    let refused = found(dir.path(), &DeliveryFilter::parse("refused").unwrap()).0;
    assert!(refused.contains(&108), "{refused:?}");
    // Also where a program of before mended it, which knew nothing of an index.
    execute(dir.path(), "DROP TABLE text_groups; DROP TABLE text_slices; DELETE FROM meta WHERE name LIKE 'text%'");
    drop(Journal::open(dir.path()).unwrap());
    drop(index(dir.path(), 5));
    assert_eq!(found(dir.path(), &DeliveryFilter::parse("refused").unwrap()).0, refused);
}

#[test]
fn a_session_makes_the_index_by_itself_while_it_is_written_and_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<Said> = (0..600).map(|n| Said { object: format!("thing {n}"), ..Said::default() }).collect();
    write(dir.path(), &all);
    let journal = Journal::open(dir.path()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let reader = journal.reader().unwrap();
    while reader.usage().unwrap().unindexed > 1_024 {
        assert!(Instant::now() < deadline, "{:?}", reader.usage().unwrap());
        std::thread::yield_now();
    }
    assert_eq!(found(dir.path(), &DeliveryFilter::parse("body~\"thing 77\\\"\"").unwrap()).0, [78]);
    let begun = Instant::now();
    drop((reader, journal));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
