use clap::{Args as Group, Subcommand, ValueEnum};

use super::super::store::Which;
use crate::observe::StepKind;
use crate::observe::control::{Fault, Place};

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
        #[command(flatten)]
        place: Where,
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
enum Kind {
    /// should_execute
    Decision,
    Execute,
    Compensate,
}

impl Kind {
    fn step_kind(self) -> StepKind {
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
    /// It begins so many milliseconds late
    #[arg(long, value_name = "MS")]
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
