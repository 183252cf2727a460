use std::io::{BufRead, IsTerminal, Write};

use super::args::{Store, Sure, Which, WritePlace};
use super::{CliError, Desk, show, text_or_stdin, unexpected};
use crate::observe::Backend;
use crate::workbench::{StoreCommand, StoreReply};

/// The verbs that change something.
pub(super) async fn write(desk: &Desk<'_>, verb: Store) -> Result<(), CliError> {
    let (backend, command, sure) = match verb {
        Store::Insert { place, documents } => {
            let documents = text_or_stdin(documents)?;
            return desk
                .each(place.place.backend, |backend| StoreCommand::Insert {
                    target: place.target(backend),
                    documents: documents.clone(),
                })
                .await;
        }
        Store::Undo => {
            let reply = desk.ask(StoreCommand::Undo).await?;
            return show::show(desk.setting.output, Backend::Driver, reply);
        }
        Store::Update { place, filter, update, many, upsert, sure } => {
            let backend = one(&place)?;
            let (target, what) = (place.target(backend), amount(desk, &place, backend, &filter, many, "change").await?);
            (backend, StoreCommand::Update { target, filter, update, many, upsert }, (sure, what))
        }
        Store::Replace { place, filter, replacement, upsert, sure } => {
            let backend = one(&place)?;
            let (target, what) = (place.target(backend), amount(desk, &place, backend, &filter, false, "replace").await?);
            let replacement = text_or_stdin(replacement)?;
            (backend, StoreCommand::Replace { target, filter, replacement, upsert }, (sure, what))
        }
        Store::Delete { place, given, filter, many, sure } => {
            let (backend, filter) = (one(&place)?, given.or(filter).unwrap_or_default());
            let (target, what) = (place.target(backend), amount(desk, &place, backend, &filter, many, "delete").await?);
            (backend, StoreCommand::Delete { target, filter, many }, (sure, what))
        }
        Store::Indexes { place, create: Some(keys), unique, options, sure: _, .. } => {
            let backend = one(&place)?;
            let options = match (unique, options.trim()) {
                (true, "") => "{unique: true}".to_owned(),
                (true, more) => format!("{{unique: true, {}", more.trim_start_matches('{')),
                (false, more) => more.to_owned(),
            };
            let reply = desk.ask(StoreCommand::CreateIndex { target: place.target(backend), keys, options }).await?;
            return show::show(desk.setting.output, backend, reply);
        }
        Store::Indexes { place, drop: Some(name), sure, .. } => {
            let backend = one(&place)?;
            let what = format!("This drops the index {name}; making it again may take a while.");
            (backend, StoreCommand::DropIndex { target: place.target(backend), name }, (sure, what))
        }
        Store::Indexes { place, .. } => {
            return desk.each(place.place.backend, |backend| StoreCommand::Indexes { target: place.target(backend) }).await;
        }
        _ => return Err(unexpected()),
    };
    let (sure, what) = sure;
    confirm(&sure, &what)?;
    let reply = desk.ask(command).await?;
    show::show(desk.setting.output, backend, reply)
}

/// What changes or deletes names one backend: the other may hold the same documents.
fn one(place: &WritePlace) -> Result<Backend, CliError> {
    match place.place.backend.backends() {
        [one] if place.place.backend != Which::Both => Ok(*one),
        _ => Err(CliError::usage("this goes to one backend: --backend driver or --backend data-api".into())),
    }
}

/// What will happen, in words.
async fn amount(
    desk: &Desk<'_>,
    place: &WritePlace,
    backend: Backend,
    filter: &str,
    many: bool,
    verb: &str,
) -> Result<String, CliError> {
    let count = StoreCommand::Count { target: place.target(backend), filter: filter.into() };
    let StoreReply::Count { database, collection, count } = desk.ask(count).await? else { return Err(unexpected()) };
    let documents = |n: u64| format!("{n} document{}", if n == 1 { "" } else { "s" });
    let place = format!("{backend} {database}.{collection}");
    Ok(match (many, count) {
        (true, n) => format!("This will {verb} {} of {place}.", documents(n)),
        (false, 0) => format!("Nothing matches in {place}."),
        (false, 1) => format!("This will {verb} 1 document of {place}."),
        (false, n) => format!("This will {verb} the first of {} that match in {place}.", documents(n)),
    })
}

/// Asks whoever sits at the terminal; without one, --yes must have been given.
fn confirm(sure: &Sure, what: &str) -> Result<(), CliError> {
    if sure.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage(format!("{what} Nobody can be asked here: give --yes")));
    }
    let mut err = std::io::stderr();
    write!(err, "{what} Go on? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(CliError::failed("nothing was written".into())) }
}
