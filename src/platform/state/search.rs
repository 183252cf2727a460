//! Lists: the page of a collection a query asks for, read from the file, one object in memory at a time.

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::platform::rql::Query;

/// What a list of Connect's gives without being asked for another number.
const DEFAULT_LIMIT: u64 = 100;
/// What it gives at most.
const MAX_LIMIT: u64 = 1_000;

/// One page of a list.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selected {
    /// The objects.
    pub(crate) items: Vec<Value>,
    /// How many there are in all.
    pub(crate) total: usize,
}

/// The page of `objects` a query asks for.
pub(crate) fn select(objects: impl IntoIterator<Item = Value>, query: &Query) -> Selected {
    let mut found: Vec<Value> = objects.into_iter().filter(|object| query.matches(object)).collect();
    query.sort(&mut found);
    let total = found.len();
    let (offset, limit) = window(query);
    let items = found.into_iter().skip(offset).take(limit);
    Selected { items: items.map(|object| shortened(object, query)).collect(), total }
}

/// The page of a stored collection a query asks for, oldest first where it asks for no other order.
///
/// # Errors
/// When the file can't be read.
pub(crate) fn search(db: &Connection, collection: &str, query: &Query) -> rusqlite::Result<Selected> {
    let (offset, limit) = window(query);
    if query.filter.is_empty() && query.ordering.is_empty() {
        let count = "SELECT count(*) FROM objects WHERE collection = ?";
        let total: i64 = db.query_row(count, [collection], |row| row.get(0))?;
        let mut page = db.prepare("SELECT body FROM whole_objects WHERE collection = ? ORDER BY seq LIMIT ? OFFSET ?")?;
        let (limit, offset) = (i64::try_from(limit).unwrap_or(i64::MAX), i64::try_from(offset).unwrap_or(i64::MAX));
        let items = texts(&mut page, params![collection, limit, offset], query)?;
        return Ok(Selected { items, total: usize::try_from(total).unwrap_or(0) });
    }
    // First which, by number and the fields that order them, then the page itself: memory for one page, whatever the size.
    let mut found: Vec<(i64, Value)> = Vec::new();
    let mut all = db.prepare("SELECT seq, body FROM whole_objects WHERE collection = ? ORDER BY seq")?;
    let mut rows = all.query([collection])?;
    while let Some(row) = rows.next()? {
        let Ok(object) = query.glance(row.get_ref(1)?.as_str()?) else { continue };
        if query.matches(&object) {
            found.push((row.get(0)?, query.sort_keys(&object)));
        }
    }
    found.sort_by(|(_, a), (_, b)| query.compare_keys(a, b));
    let total = found.len();
    let mut one = db.prepare("SELECT body FROM whole_objects WHERE seq = ?")?;
    let mut items = Vec::new();
    for (seq, _) in found.into_iter().skip(offset).take(limit) {
        items.extend(texts(&mut one, params![seq], query)?);
    }
    Ok(Selected { items, total })
}

fn texts(statement: &mut rusqlite::Statement<'_>, values: impl rusqlite::Params, query: &Query) -> rusqlite::Result<Vec<Value>> {
    let rows = statement.query_map(values, |row| row.get::<_, String>(0))?;
    let object = |text: String| serde_json::from_str(&text).ok().map(|object| shortened(object, query));
    rows.filter_map(|text| text.map(object).transpose()).collect()
}

fn shortened(mut object: Value, query: &Query) -> Value {
    query.shorten(&mut object);
    object
}

fn window(query: &Query) -> (usize, usize) {
    let limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)).unwrap_or(usize::MAX);
    (usize::try_from(query.offset).unwrap_or(usize::MAX), limit)
}
