use clap::{Args as Group, Subcommand, ValueEnum};

use super::super::store::Which;
use crate::observe::StepKind;
use crate::observe::control::{Fault, LATEST, Place};

#[derive(Subcommand)]
pub(in super::super) enum Sagas {
    /// Requests with a saga and their deliveries, newest last
    List {
        /// Only this request
        #[arg(long, value_name = "ID")]
        object: Option<String>,
        /// How many of the newest deliveries to look at
        #[arg(long, default_value_t = 500, value_name = "N")]
        limit: usize,
    },
    /// The steps of a delivery: decisions, middlewares, execution, compensation, what each changed and called
    Show {
        /// Its number
        id: i64,
        /// As one line of OTLP JSON, for an OpenTelemetry viewer
        #[arg(long)]
        otlp: bool,
    },
    /// How two deliveries differ, step by step
    Diff {
        /// The number of one
        a: i64,
        /// The number of the other
        b: i64,
    },
    /// The breakpoints and faults that are set, and the deliveries that stand at a breakpoint
    Set,
    /// Stop deliveries of the running session before these steps
    Break(Where),
    /// Make the next run of such a step fail, hang or be late
    Spoil {
        /// The transaction, or the step of a sequence; otherwise whichever comes first
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// This sort of step: what a failed execution did before is compensated
        #[arg(long, value_enum, default_value = "execute")]
        kind: Kind,
        #[command(flatten)]
        how: How,
    },
    /// Make the next write through a backend fail
    SpoilWrite {
        /// Through which backend
        #[arg(long, value_enum)]
        backend: Which,
    },
    /// Let a delivery at a breakpoint go on
    Continue {
        /// Its number; not needed while only one stands
        id: Option<i64>,
    },
    /// Let it go on without the step: a decision says no, an execution answers `skip`, a compensation passes the error on
    Skip {
        /// Its number; not needed while only one stands
        id: Option<i64>,
    },
    /// End it with an error; nothing is compensated
    Abort {
        /// Its number; not needed while only one stands
        id: Option<i64>,
    },
    /// Take back what is set: the one of this number, or all
    Clear {
        /// Its number, as `sagas set` shows it
        number: Option<u64>,
    },
}

/// Which steps.
#[derive(Group)]
pub(in super::super) struct Where {
    /// The transaction, or the step of a sequence; otherwise all
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only this sort of step; otherwise all three
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

impl Where {
    pub(super) fn place(self) -> Place {
        Place { step_kind: self.kind.map(Kind::step_kind), name: self.name }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(in super::super) enum Kind {
    /// should_execute
    Decision,
    Execute,
    Compensate,
}

impl Kind {
    pub(super) fn step_kind(self) -> StepKind {
        match self {
            Self::Decision => StepKind::Decision,
            Self::Execute => StepKind::Execute,
            Self::Compensate => StepKind::Compensate,
        }
    }
}

/// What goes wrong.
#[derive(Group)]
#[group(required = true, multiple = false)]
pub(in super::super) struct How {
    /// It fails, with these words
    #[arg(long, value_name = "MESSAGE", num_args = 0..=1, default_missing_value = "")]
    fail: Option<String>,
    /// It never answers, until its time is over
    #[arg(long)]
    hang: bool,
    /// It begins so many milliseconds late, a day at most
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=LATEST))]
    late: Option<u64>,
}

impl How {
    pub(super) fn fault(self) -> Fault {
        match (self.fail, self.late) {
            (Some(message), _) => Fault::Fail { message },
            (None, Some(millis)) => Fault::Late { millis },
            (None, None) => Fault::Hang,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Sagas,
    }

    fn spoilt(words: &[&str]) -> (Place, Fault) {
        match Line::try_parse_from(["sagas", "spoil"].iter().chain(words)).map(|line| line.verb) {
            Ok(Sagas::Spoil { name, kind, how }) => (Place { step_kind: Some(kind.step_kind()), name }, how.fault()),
            _ => panic!("{words:?} is not read"),
        }
    }

    #[test]
    fn what_is_spoilt_is_an_execution_unless_another_sort_is_named_so_that_it_is_compensated() {
        let place = |kind| Place { step_kind: Some(kind), name: Some("pay".into()) };
        let (read, fault) = spoilt(&["pay", "--fail", "no licence left"]);
        assert_eq!(read, place(StepKind::Execute));
        assert_eq!(fault, Fault::Fail { message: "no licence left".into() });
        assert_eq!(spoilt(&["pay", "--kind", "decision", "--hang"]), (place(StepKind::Decision), Fault::Hang));
    }

    #[test]
    fn nothing_is_late_by_more_than_a_day() {
        assert_eq!(spoilt(&["--late", "86400000"]).1, Fault::Late { millis: 86_400_000 });
        assert!(Line::try_parse_from(["sagas", "spoil", "--late", "86400001"]).is_err());
    }
}
