//! Marks and pins: what is special about a delivery, kept in its summary.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::observe::{Fact, Mark};

/// Notes marks on the deliveries of a task, or a pin. Returns the delivery they are of, where it is there already.
pub(super) fn note(tx: &Transaction<'_>, fact: &Fact) -> rusqlite::Result<Option<i64>> {
    match fact {
        Fact::Pinned { delivery, pinned } => tx
            .prepare_cached("UPDATE deliveries SET pinned = ? WHERE id = ? RETURNING id")?
            .query_row(params![pinned, delivery], |row| row.get(0))
            .optional(),
        Fact::Marked { task_id, marks, .. } => {
            let marks = text(marks);
            // The task is on its way, or has come already: only one of the two is so.
            let waiting = tx.prepare_cached("UPDATE queued SET marks = ? WHERE task_id = ?")?.execute(params![marks, task_id])?;
            if waiting > 0 {
                return Ok(None);
            }
            tx.prepare_cached(
                "UPDATE deliveries SET marks = trim(marks || ',' || ?, ',')
                 WHERE id = (SELECT max(id) FROM deliveries WHERE task_id = ?) RETURNING id",
            )?
            .query_row(params![marks, task_id], |row| row.get(0))
            .optional()
        }
        _ => Ok(None),
    }
}

fn text(marks: &[Mark]) -> String {
    marks.iter().map(|mark| mark.as_str()).collect::<Vec<_>>().join(",")
}
