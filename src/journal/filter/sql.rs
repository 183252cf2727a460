use rusqlite::types::Value;

use super::{Column, DeliveryFilter, Op, Term};
use crate::journal::record::state;
use crate::observe::Timestamp;

/// What SQLite can tell of a filter.
pub(in crate::journal) struct Conditions {
    /// All of these must hold.
    pub(in crate::journal) sql: Vec<String>,
    /// What stands for their question marks.
    pub(in crate::journal) values: Vec<Value>,
    /// Not before this moment.
    pub(in crate::journal) since: Option<Timestamp>,
    /// Not after this one.
    pub(in crate::journal) until: Option<Timestamp>,
}

/// The columns a text is looked for in.
const TEXTS: &str = "event_type, object_id, result, message, task_id";

/// The conditions of a filter at the moment `now`; `live` says whether a session writes the journal: without one nothing
/// is running.
pub(in crate::journal) fn conditions(filter: &DeliveryFilter, now: Timestamp, live: bool) -> Conditions {
    let mut all = Conditions { sql: Vec::new(), values: Vec::new(), since: None, until: None };
    let columns = [("event_type", &filter.event_type), ("object_id", &filter.object_id), ("result", &filter.result)];
    for (column, wanted) in columns {
        if let Some(wanted) = wanted {
            all.add(format!("{column} = ?"), [wanted.as_str()]);
        }
    }
    if filter.saga {
        all.sql.push("saga IS NOT NULL".into());
    }
    for (text, not) in [(&filter.text, false), (&filter.without, true)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            all.text(&text.to_lowercase(), not);
        }
    }
    for term in &filter.terms {
        match term {
            Term::Text { text, not } => all.text(text, *not),
            Term::Column { column, op, values } => all.column(*column, *op, values, live),
            Term::Time { since: true, moment } => all.since = all.since.max(Some(moment.at(now))),
            Term::Time { since: false, moment } => {
                let moment = moment.at(now);
                all.until = Some(all.until.map_or(moment, |until| until.min(moment)));
            }
            Term::Mark { mark, not } => all.mark(mark, *not),
            Term::Path { .. } | Term::Body { .. } => {}
        }
    }
    for (moment, condition) in [(all.since, "arrived_at >= ?"), (all.until, "arrived_at <= ?")] {
        if let Some(moment) = moment {
            all.sql.push(condition.into());
            all.values.push(moment.0.into());
        }
    }
    all
}

impl Conditions {
    fn add<'a>(&mut self, sql: String, values: impl IntoIterator<Item = &'a str>) {
        self.sql.push(sql);
        self.values.extend(values.into_iter().map(|value| Value::from(value.to_owned())));
    }

    fn text(&mut self, text: &str, not: bool) {
        self.add(format!("{}has(?, {TEXTS})", if not { "NOT " } else { "" }), [text]);
    }

    fn mark(&mut self, mark: &str, not: bool) {
        let sql = match mark {
            "pinned" => "pinned = 1".to_owned(),
            "replay" => "replay_of IS NOT NULL".to_owned(),
            "fault" => "injected > 0".to_owned(),
            // One of a fixed list of words: the parser knows no others.
            other => format!("(',' || marks || ',') LIKE '%,{},%'", other.replace('\'', "")),
        };
        self.sql.push(if not { format!("NOT ({sql})") } else { sql });
    }

    fn column(&mut self, column: Column, op: Op, values: &[String], live: bool) {
        if column == Column::Result && matches!(op, Op::Is | Op::IsNot) {
            return self.result(op == Op::IsNot, values, live);
        }
        let (name, number) = match column {
            Column::Id => ("id", true),
            Column::Task => ("task_id", false),
            Column::Category => ("category", false),
            Column::Type => ("event_type", false),
            Column::Object => ("object_id", false),
            Column::Status => ("object_status", false),
            Column::Result => ("result", false),
            Column::Reason => ("message", false),
            Column::Origin => ("origin", false),
            Column::Replay => ("replay_of", true),
            Column::Try => ("attempt", true),
            Column::Took => ("micros", true),
            Column::Calls => ("api_calls", true),
            Column::Writes => ("store_calls", true),
        };
        let (sql, join) = match op {
            Op::Is => (format!("{name} = ?"), " OR "),
            Op::IsNot => (format!("{name} IS NOT ?"), " AND "),
            Op::Has => (format!("has(?, {name})"), " OR "),
            Op::HasNot => (format!("NOT has(?, {name})"), " AND "),
            Op::Less => (format!("{name} < ?"), " OR "),
            Op::AtMost => (format!("{name} <= ?"), " OR "),
            Op::Greater => (format!("{name} > ?"), " OR "),
            Op::AtLeast => (format!("{name} >= ?"), " OR "),
        };
        self.sql.push(match values.len() {
            // By itself, so that SQLite finds the index for it.
            1 => sql,
            _ => format!("({})", vec![sql; values.len()].join(join)),
        });
        self.values.extend(values.iter().map(|value| match (number, op) {
            (true, _) => Value::from(value.parse::<i64>().unwrap_or_default()),
            (false, Op::Has | Op::HasNot) => Value::from(value.to_lowercase()),
            (false, _) => Value::from(value.clone()),
        }));
    }

    fn result(&mut self, not: bool, values: &[String], live: bool) {
        let one = |value: &String| match (value.as_str(), live) {
            ("running", true) => format!("state = {}", state::RUNNING),
            ("no_runner", true) => format!("state = {}", state::NO_RUNNER),
            ("running" | "no_runner", false) => "0".into(),
            ("interrupted", true) => format!("state = {}", state::INTERRUPTED),
            ("interrupted", false) => {
                format!("state IN ({}, {}, {})", state::INTERRUPTED, state::RUNNING, state::NO_RUNNER)
            }
            _ => "result = ?".to_owned(),
        };
        let any = values.iter().map(one).collect::<Vec<_>>().join(" OR ");
        let named = values.iter().filter(|v| !matches!(v.as_str(), "running" | "no_runner" | "interrupted"));
        let sql = match (not, values.len()) {
            (false, 1) => any,
            (false, _) => format!("({any})"),
            (true, _) => format!("NOT coalesce(({any}), 0)"),
        };
        self.add(sql, named.map(String::as_str));
    }
}
