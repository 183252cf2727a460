use std::fs::File;
use std::io::{BufRead, BufReader};

use bson::Document;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::super::FileFormat;
use super::super::count_of;
use super::super::target::Target;
use super::split::Documents;
use super::{Broken, Progress, csv};
use crate::storage::StoreError;
use crate::storage::query::parse_document;

/// How many documents are inserted at once, and how many bytes of them.
const BATCH: usize = 1_000;
const HEAVY: usize = 8 << 20;
/// How many are read ahead.
const AHEAD: usize = 16;

/// A document with its line, or why there is none.
type Read = (u64, Result<Document, String>);

pub(super) async fn import(
    target: Target,
    file: File,
    format: FileFormat,
    progress: Progress,
    stop: CancellationToken,
) -> Result<String, Broken> {
    let (send, mut documents) = mpsc::channel::<Read>(AHEAD);
    // Reading a file blocks; it ends when nobody listens any more.
    let reading = tokio::task::spawn_blocking(move || match format {
        FileFormat::Ejson => read_ejson(BufReader::new(file), &send),
        FileFormat::Csv => read_csv(BufReader::new(file), &send),
    });
    let mut inserted = 0;
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => {
                insert(&target, &mut batch, &mut inserted, &progress).await?;
                progress.change(|row| row.done = inserted);
                return Err(Broken::Cancelled);
            }
            read = documents.recv() => read,
        };
        match read {
            Some((line, Ok(document))) => {
                bytes += document.to_vec().map_or(0, |bytes| bytes.len());
                batch.push((line, document));
            }
            Some((line, Err(why))) => progress.refuse(line, why),
            None => break,
        }
        if batch.len() == BATCH || bytes >= HEAVY {
            insert(&target, &mut batch, &mut inserted, &progress).await?;
            bytes = 0;
        }
    }
    insert(&target, &mut batch, &mut inserted, &progress).await?;
    reading.await.map_err(|e| Broken::Failed(format!("the file could not be read to its end: {e}")))?;
    let refusals = progress.row().refusals;
    let told = format!("inserted {} into {}", count_of(inserted), target.title());
    if refusals > 0 {
        return Err(Broken::Failed(format!("{told}; {refusals} could not be")));
    }
    Ok(told)
}

async fn insert(
    target: &Target,
    batch: &mut Vec<(u64, Document)>,
    inserted: &mut u64,
    progress: &Progress,
) -> Result<(), Broken> {
    if batch.is_empty() {
        return Ok(());
    }
    let (lines, documents): (Vec<u64>, Vec<Document>) = std::mem::take(batch).into_iter().unzip();
    match target.store.insert_many(&target.at, documents).await {
        Ok(done) => {
            *inserted += done.ids.len() as u64;
            for refused in done.refused {
                progress.refuse(lines.get(refused.index).copied().unwrap_or_default(), refused.message);
            }
        }
        // The Data API does not tell which of them it was, nor what it took before.
        Err(StoreError::Refused { message, .. }) => {
            let (first, last) = (lines.first().copied().unwrap_or(0), lines.last().copied().unwrap_or(0));
            progress.refuse(first, format!("one of lines {first} to {last}: {message}; those before it may have been inserted"));
        }
        Err(error) => return Err(error.into()),
    }
    progress.change(|row| row.done = *inserted);
    Ok(())
}

fn read_ejson(input: impl BufRead, send: &mpsc::Sender<Read>) {
    let mut documents = Documents::of(input);
    while let Some((line, text)) = documents.next() {
        let document = text.and_then(|text| {
            let at = |e: crate::storage::query::QueryError| {
                let place = line + e.line as u64 - 1;
                format!("line {place}, column {}: {}", e.column, e.message)
            };
            parse_document(&text).map_err(at)
        });
        if send.blocking_send((line, document)).is_err() {
            return;
        }
    }
}

fn read_csv(input: impl BufRead, send: &mpsc::Sender<Read>) {
    let mut lines = input.lines();
    let mut number = 0_u64;
    let mut columns: Option<Vec<String>> = None;
    while let Some(line) = lines.next() {
        number += 1;
        let begun = number;
        let read = line.map_err(|e| format!("the file can't be read: {e}")).and_then(|line| {
            let line = line.trim_start_matches('\u{feff}');
            csv::record(line, || {
                number += 1;
                lines.next()?.ok()
            })
        });
        let document = match (read, &columns) {
            (Ok(cells), None) => {
                columns = Some(cells);
                continue;
            }
            (Ok(cells), Some(_)) if cells.iter().all(String::is_empty) => continue,
            (Ok(cells), Some(columns)) => csv::document(columns, &cells),
            (Err(why), _) => Err(why),
        };
        if send.blocking_send((begun, document)).is_err() {
            return;
        }
    }
}
