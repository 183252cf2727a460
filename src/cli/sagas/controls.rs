use super::super::output::clock;
use super::super::{CliError, Setting};
use super::Sagas;
use crate::observe::control::{Place, Release};
use crate::workbench::{Command, Reply, SagaCommand, SagaReply, Session};

/// Breakpoints and faults: they live in a running session.
pub(super) async fn act(setting: &Setting, verb: Sagas) -> Result<(), CliError> {
    let release = |delivery, how| vec![SagaCommand::Release { delivery, how }];
    let commands = match verb {
        Sagas::Break(place) => vec![SagaCommand::Stop { place: place.place() }],
        Sagas::Spoil { name, kind, how } => {
            let place = Place { step_kind: Some(kind.step_kind()), name };
            vec![SagaCommand::Spoil { place, fault: how.fault() }]
        }
        Sagas::SpoilWrite { backend } => {
            backend.backends().iter().map(|backend| SagaCommand::SpoilWrite { backend: *backend }).collect()
        }
        Sagas::Continue { id } => release(id, Release::Continue),
        Sagas::Skip { id } => release(id, Release::Skip),
        Sagas::Abort { id } => release(id, Release::Abort),
        Sagas::Clear { number: Some(id) } => vec![SagaCommand::TakeBack { id }],
        Sagas::Clear { number: None } => vec![SagaCommand::Clear],
        Sagas::Set | Sagas::List { .. } | Sagas::Show { .. } | Sagas::Diff { .. } => vec![SagaCommand::Show],
    };
    let session = Session::running(&setting.options.data_dir).await?.ok_or_else(|| {
        CliError::usage(
            "no session runs for this directory, and breakpoints live as long as one: open the console, or start \
             `connect-console run --headless`"
                .into(),
        )
    })?;
    let mut set = SagaReply::default();
    for command in commands {
        match session.command(Command::Sagas(command)).await? {
            Reply::Sagas(reply) => set = reply,
            _ => return Err(CliError::failed("the session answered something else than was asked".into())),
        }
    }
    print(setting, &set)
}

fn print(setting: &Setting, set: &SagaReply) -> Result<(), CliError> {
    let output = setting.output;
    if output.is_json() {
        return output.object(set);
    }
    let mut rows = Vec::new();
    let mut row = |number: String, what: &str, place: String| rows.push(vec![number, what.to_owned(), place]);
    for (id, place) in &set.breakpoints {
        row(id.to_string(), "breakpoint", format!("before {place}"));
    }
    for (id, place, fault) in &set.faults {
        row(id.to_string(), "fault", format!("the next run of {place} {fault}"));
    }
    for (id, backend) in &set.writes {
        row(id.to_string(), "fault", format!("the next write through the {backend} backend fails"));
    }
    for held in &set.held {
        let delivery = held.delivery.map_or_else(|| "a delivery".into(), |id| format!("delivery {id}"));
        row("-".into(), "held", format!("{delivery} before {} {}, since {}", held.step_kind, held.name, clock(held.since)));
    }
    if let (true, Some(why)) = (rows.is_empty(), &set.untraced) {
        return output.line(&format!("Nothing is set, and nothing can be: {why}."));
    }
    if rows.is_empty() {
        return output
            .line("Nothing is set. `sagas break NAME` stops deliveries before a step, `sagas spoil NAME --fail` makes it fail.");
    }
    output.table(&["NUMBER", "WHAT", "WHERE"], &rows)
}
