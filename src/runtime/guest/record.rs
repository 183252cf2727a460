//! What a line says: the official runner writes `time name LEVEL PID_n message` when it is told to use no colours.

use crate::observe::Level;

/// The first line of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The logger's name.
    pub(super) logger: &'a str,
    /// How serious.
    pub(super) level: Level,
    /// What it says.
    pub(super) message: &'a str,
}

/// Reads a line that begins a record.
pub(super) fn parse(line: &str) -> Option<Record<'_>> {
    let (time, rest) = line.split_at_checked("2026-01-31 23:59:59,999 ".len())?;
    let shape = time.bytes().zip(b"0000-00-00 00:00:00,000 ").all(|(is, like)| match like {
        b'0' => is.is_ascii_digit(),
        like => is == *like,
    });
    let mut parts = rest.splitn(4, ' ');
    let (logger, level, process) = (parts.next()?, level(parts.next()?)?, parts.next()?);
    let number = process.strip_prefix("PID_")?;
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (shape && numbered).then(|| Record { logger, level, message: parts.next().unwrap_or_default() })
}

fn level(name: &str) -> Option<Level> {
    match name {
        "DEBUG" => Some(Level::Debug),
        "INFO" => Some(Level::Info),
        "WARNING" => Some(Level::Warning),
        "ERROR" | "CRITICAL" => Some(Level::Error),
        _ => None,
    }
}

/// How serious a line is that no logger wrote.
pub(super) fn unlogged_level(line: &str) -> Level {
    if line.starts_with("Traceback (most recent call last)") {
        Level::Error
    } else if line.contains("Warning: ") {
        Level::Warning
    } else {
        Level::Info
    }
}

/// The place in the project's own files that a line of a traceback names.
pub(super) fn place(line: &str) -> Option<String> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let own = !file.starts_with('<') && !["/site-packages/", "/lib/python"].iter().any(|part| file.contains(part));
    (own && !number.is_empty()).then(|| format!("{file}, line {number}"))
}

/// Whether a line is part of the tables and the banner the runner draws when it starts.
pub(super) fn is_drawing(line: &str) -> bool {
    line.chars().any(|c| ('\u{2500}'..='\u{259f}').contains(&c))
}

/// Whether a drawing says nothing.
pub(super) fn is_empty(line: &str) -> bool {
    !line.chars().any(char::is_alphanumeric)
}

/// A worker process of the official runner ended, and the runner says so; it looks once a second.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkerEnd {
    /// With an error: the runner starts it again.
    Died(String),
    /// Without one: the runner goes on without it.
    Left(String),
}

/// What the runner says of a worker that ended.
pub(super) fn worker_end(message: &str) -> Option<WorkerEnd> {
    let died = message.strip_prefix("Process of type ").and_then(|rest| rest.split_once(" is dead (exit code "));
    if let Some((worker, _)) = died {
        return Some(WorkerEnd::Died(worker.to_owned()));
    }
    let worker = message.strip_suffix(" worker exited")?;
    Some(WorkerEnd::Left(worker.to_lowercase()))
}

/// The id of the task a message is about.
pub(super) fn task_id(message: &str) -> Option<&str> {
    let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.map(|word| word.trim_end_matches('-')).find(|word| word.starts_with("TQ-") && word.len() > 3)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_line_of_the_official_runner_is_taken_apart() {
        let line = "2026-11-22 10:15:30,123 eaas.eventsapp WARNING PID_4711 no stock for AS-1: retry";
        let record = Record { logger: "eaas.eventsapp", level: Level::Warning, message: "no stock for AS-1: retry" };
        assert_eq!(parse(line), Some(record));
        let empty = "2026-11-22 10:15:30,123 connect.eaas CRITICAL PID_1 ";
        assert_eq!(parse(empty), Some(Record { logger: "connect.eaas", level: Level::Error, message: "" }));
    }

    #[rstest]
    #[case("")]
    #[case("Traceback (most recent call last):")]
    #[case("  File \"app.py\", line 3, in handle")]
    #[case("2026-11-22 10:15:30,123 eaas INFO no process")]
    #[case("2026-11-22 10:15:30,123 eaas NOTE PID_1 no such level")]
    #[case("2026-11-22T10:15:30,123 eaas INFO PID_1 another clock")]
    #[case("ééééééééééééééééééééééé")]
    fn any_other_line_belongs_to_the_record_before_it(#[case] line: &str) {
        assert_eq!(parse(line), None);
    }

    #[rstest]
    #[case("  File \"/home/me/shop/events.py\", line 29, in handle", Some("/home/me/shop/events.py, line 29"))]
    #[case("  File \"/home/me/shop/events.py\", line 29", Some("/home/me/shop/events.py, line 29"))]
    #[case("  File \"/venv/lib/python3.11/site-packages/x.py\", line 3, in f", None)]
    #[case("  File \"<frozen importlib._bootstrap>\", line 3, in f", None)]
    #[case("ValueError: File", None)]
    fn only_the_projects_own_files_are_places_to_look_at(#[case] line: &str, #[case] expected: Option<&str>) {
        assert_eq!(place(line).as_deref(), expected);
    }

    #[rstest]
    #[case("received new background task: TQ-123-456-789", Some("TQ-123-456-789"))]
    #[case("Result for task TQ-1-2 has been sent.", Some("TQ-1-2"))]
    #[case("Got exception during execution of task TQ-9: 'x'", Some("TQ-9"))]
    #[case("nothing of TQ- here", None)]
    #[case("PR-1-2 only", None)]
    fn the_task_a_message_is_about_is_found(#[case] message: &str, #[case] expected: Option<&str>) {
        assert_eq!(task_id(message), expected);
    }

    #[rstest]
    #[case("Process of type background is dead (exit code -9), restart it", Some(WorkerEnd::Died("background".into())))]
    #[case("Interactive worker exited", Some(WorkerEnd::Left("interactive".into())))]
    #[case("Interactive worker pid: 7", None)]
    #[case("Process of type background", None)]
    fn the_end_of_a_worker_is_known_with_whether_the_runner_starts_it_again(
        #[case] message: &str,
        #[case] expected: Option<WorkerEnd>,
    ) {
        assert_eq!(worker_end(message), expected);
    }
}
