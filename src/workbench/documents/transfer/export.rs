use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bson::Document;
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use super::super::super::FileFormat;
use super::super::count_of;
use super::super::target::Target;
use super::{Asked, Broken, Progress, csv};
use crate::storage::Pages;
use crate::storage::query::canonical;

/// A file on its way: it has its name only when it is whole.
struct Draft {
    to: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Draft {
    fn create(to: &Path) -> Result<Self, Broken> {
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = to.with_file_name(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // Documents may hold what is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&part).map_err(|e| broken(&part, &e))?;
        Ok(Self { to: to.to_owned(), part, file: Some(BufWriter::new(file)) })
    }

    fn line(&mut self, line: &str) -> Result<(), Broken> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(|e| broken(&self.part, &e))
    }

    fn finish(mut self) -> Result<(), Broken> {
        if let Some(file) = self.file.take() {
            let file = file.into_inner().map_err(|e| broken(&self.part, e.error()))?;
            file.sync_all().map_err(|e| broken(&self.part, &e))?;
            std::fs::rename(&self.part, &self.to).map_err(|e| broken(&self.to, &e))?;
            self.part.clear();
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.part.as_os_str().is_empty() {
            // It is half a file: that it can't be removed changes nothing.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

fn broken(path: &Path, error: &std::io::Error) -> Broken {
    Broken::Failed(format!("{} can't be written: {error}", path.display()))
}

async fn next(pages: &mut Pages, stop: &CancellationToken) -> Result<Option<Vec<Document>>, Broken> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Broken::Cancelled),
        page = pages.try_next() => Ok(page?),
    }
}

pub(super) async fn export(
    target: Target,
    query: Asked,
    format: FileFormat,
    to: PathBuf,
    progress: Progress,
    stop: CancellationToken,
) -> Result<String, Broken> {
    let mut draft = Draft::create(&to)?;
    count_aside(&target, &query, &progress, &stop);
    let columns = match format {
        FileFormat::Ejson => Vec::new(),
        FileFormat::Csv => {
            let columns = columns(&target, &query, &progress, &stop).await?;
            draft.line(&csv::line(columns.iter().map(String::as_str)))?;
            columns
        }
    };
    let mut pages = query.pages(&target);
    let mut done = 0;
    while let Some(page) = next(&mut pages, &stop).await? {
        for document in &page {
            match format {
                FileFormat::Ejson => draft.line(&canonical(document).to_string())?,
                FileFormat::Csv => draft.line(&csv::row(document, &columns))?,
            }
        }
        done += page.len() as u64;
        progress.change(|row| row.done = done);
    }
    draft.finish()?;
    progress.change(|row| row.total = Some(done));
    Ok(format!("wrote {} to {}", count_of(done), to.display()))
}

/// How many there will be is found out beside the work, and not waited for.
fn count_aside(target: &Target, query: &Asked, progress: &Progress, stop: &CancellationToken) {
    // What a pipeline makes nobody knows before.
    let Asked::Find(query) = query else { return };
    let (target, query, progress, stop) = (target.clone(), query.clone(), progress.clone(), stop.clone());
    tokio::spawn(async move {
        let counted = tokio::select! {
            () = stop.cancelled() => return,
            counted = target.store.count(&target.at, &query.filter) => counted,
        };
        if let Ok(counted) = counted {
            let counted = counted.saturating_sub(query.skip.unwrap_or(0));
            let total = query.limit.map_or(counted, |limit| limit.min(counted));
            progress.change(|row| {
                row.total.get_or_insert(total);
            });
        }
    });
}

/// Every field of every document, in the order they are met: nothing may fall under the table.
async fn columns(target: &Target, query: &Asked, progress: &Progress, stop: &CancellationToken) -> Result<Vec<String>, Broken> {
    let mut known = std::collections::HashSet::new();
    let mut columns = Vec::new();
    let mut pages = query.pages(target);
    while let Some(page) = next(&mut pages, stop).await? {
        for (path, _) in page.iter().flat_map(csv::cells) {
            if known.insert(path.clone()) {
                columns.push(path);
            }
        }
        progress.change(|row| row.looked += page.len() as u64);
    }
    Ok(columns)
}
