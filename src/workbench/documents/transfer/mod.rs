//! Whole queries into files and files into collections, in the background: with progress, stopped when asked, and no half
//! file left behind.

mod csv;
mod export;
mod import;
mod split;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::super::{FileFormat, JobRow, JobState, StoreQuery, StoreReply, WorkbenchError};
use super::read;
use super::target::Target;

/// How many refused documents are told one by one.
const TOLD: usize = 100;
/// How many jobs are remembered.
const KEPT: usize = 50;

/// The exports and imports of a session.
#[derive(Default)]
pub(super) struct Jobs(Mutex<BTreeMap<u64, Job>>);

struct Job {
    progress: Progress,
    stop: CancellationToken,
}

/// How a job stands, seen from inside and outside.
#[derive(Clone)]
struct Progress(Arc<Mutex<JobRow>>);

impl Progress {
    fn change(&self, change: impl FnOnce(&mut JobRow)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn row(&self) -> JobRow {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, line: u64, why: String) {
        self.change(|row| {
            row.refusals += 1;
            if row.refused.len() < TOLD {
                row.refused.push((line, why));
            }
        });
    }
}

/// What is exported.
#[derive(Clone)]
enum Asked {
    Find(Box<crate::storage::Find>),
    Pipeline(Vec<bson::Document>),
}

impl Asked {
    fn pages(&self, target: &Target) -> crate::storage::Pages {
        match self {
            Self::Find(query) => target.store.pages(&target.at, query),
            Self::Pipeline(pipeline) => target.store.made(&target.at, pipeline),
        }
    }
}

/// Why a job did not come to its end.
enum Broken {
    Cancelled,
    Failed(String),
}

impl From<crate::storage::StoreError> for Broken {
    fn from(error: crate::storage::StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Jobs {
    pub(super) fn export(
        &self,
        target: Target,
        typed: &StoreQuery,
        format: FileFormat,
        to: PathBuf,
    ) -> Result<StoreReply, WorkbenchError> {
        let query = if typed.pipeline.trim().is_empty() {
            let limit = (typed.limit > 0).then_some(typed.limit);
            Asked::Find(Box::new(crate::storage::Find { limit, ..read::query(typed)? }))
        } else {
            let pipeline = read::pipeline(&typed.pipeline)?;
            if read::writes(&pipeline) {
                return Err(WorkbenchError::Usage(
                    "a pipeline that ends in $out or $merge writes, so it has no result to export".into(),
                ));
            }
            Asked::Pipeline(pipeline)
        };
        let what = format!("export of {} to {}", target.title(), to.display());
        Ok(self.start(what, |progress, stop| export::export(target, query, format, to, progress, stop)))
    }

    pub(super) fn import(&self, target: Target, from: PathBuf, format: FileFormat) -> Result<StoreReply, WorkbenchError> {
        let file =
            std::fs::File::open(&from).map_err(|e| WorkbenchError::Usage(format!("{} can't be read: {e}", from.display())))?;
        let what = format!("import of {} into {}", from.display(), target.title());
        Ok(self.start(what, |progress, stop| import::import(target, file, format, progress, stop)))
    }

    fn start<F>(&self, what: String, work: impl FnOnce(Progress, CancellationToken) -> F) -> StoreReply
    where
        F: Future<Output = Result<String, Broken>> + Send + 'static,
    {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = jobs.last_key_value().map_or(1, |(last, _)| last + 1);
        let (progress, stop) = (
            Progress(Arc::new(Mutex::new(JobRow {
                job: number,
                what,
                looked: 0,
                done: 0,
                total: None,
                state: JobState::Running,
                message: None,
                refused: Vec::new(),
                refusals: 0,
            }))),
            CancellationToken::new(),
        );
        let (work, told) = (work(progress.clone(), stop.clone()), progress.clone());
        tokio::spawn(async move {
            let outcome = work.await;
            told.change(|row| {
                let (state, message) = match outcome {
                    Ok(message) => (JobState::Done, message),
                    Err(Broken::Cancelled) => (JobState::Cancelled, "stopped".into()),
                    Err(Broken::Failed(why)) => (JobState::Failed, why),
                };
                row.state = state;
                row.message = Some(message);
            });
        });
        let row = progress.row();
        jobs.insert(number, Job { progress, stop });
        while jobs.len() > KEPT {
            jobs.pop_first();
        }
        StoreReply::Job(row)
    }

    pub(super) fn row(&self, job: u64) -> Result<StoreReply, WorkbenchError> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.get(&job).ok_or_else(|| WorkbenchError::Usage(format!("there is no job {job}")))?;
        Ok(StoreReply::Job(job.progress.row()))
    }

    pub(super) fn cancel(&self, job: u64) -> Result<StoreReply, WorkbenchError> {
        if let Some(job) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&job) {
            job.stop.cancel();
        }
        self.row(job)
    }
}

impl Drop for Jobs {
    /// The session ends: nothing goes on without it.
    fn drop(&mut self) {
        for job in self.0.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            job.stop.cancel();
        }
    }
}
