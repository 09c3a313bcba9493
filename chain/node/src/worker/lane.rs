//! A lane: takes a job, has it computed, hands the outcome back, and takes the next.

use std::{io::Read, sync::Arc, time::Instant};

use aceso_seal::LEAF;
use aceso_types::sealed::Outcome;
use aceso_verify::outcome::Came;

use super::{
    compute::{Unable, compute, file_bytes_max},
    job::Job,
    models::Models,
    queue::Taken,
    wipe::privately,
    work::Work,
};
use crate::home::Home;

/// Whoever computes outcomes: this process, or another one.
pub(super) trait Computes {
    /// Whether it is still there, while it has nothing to do.
    fn is_there(&mut self) -> bool {
        true
    }

    /// The outcome of a job and the file that it may name, given its sealed file and what reads the model's bytes.
    fn outcome(&mut self, job: &Job, file: &[u8], onnx: &dyn Fn() -> Result<Vec<u8>, String>) -> Result<Came, Unable>;
}

/// This process, with the opener keys of a home.
pub(super) struct Here {
    home: Home,
    models: Arc<Models>,
}

impl Here {
    pub(super) fn new(home: Home, models: Arc<Models>) -> Self {
        Self { home, models }
    }
}

impl Computes for Here {
    fn outcome(&mut self, job: &Job, file: &[u8], onnx: &dyn Fn() -> Result<Vec<u8>, String>) -> Result<Came, Unable> {
        let key = privately(|| self.home.opener(job.epoch))?.ok_or(Unable::NoKey(job.epoch))?;
        let model = self.models.get(&job.manifest, onnx)?;
        compute(job, &key, &model, file)
    }
}

/// Works until the queue is stopped, or until whoever computes is gone.
pub(super) fn run(work: &Work, computes: &mut dyn Computes) -> Result<(), Unable> {
    while let Some(taken) = work.queue.take_while(|| computes.is_there()) {
        let (begun, number) = (Instant::now(), taken.job);
        let word = match work.job(number) {
            Ok(None) => {
                taken.done();
                "late"
            }
            Ok(Some(job)) => one(work, computes, taken, job)?,
            Err(error) => {
                tracing::warn!(job = number, "{error}");
                taken.later();
                "unable"
            }
        };
        work.meters.outcomes.count(word, 1);
        work.meters.times.observe(begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Has a job computed and hands its outcome back. Answers in a word what became of it.
fn one(work: &Work, computes: &mut dyn Computes, taken: Taken<'_>, job: Job) -> Result<&'static str, Unable> {
    let (number, model, image) = (job.number(), job.statement.model, job.statement.image);
    let statement = job.statement.clone();
    // Names what stands on the chain, and nothing of what is in the record.
    let span = tracing::info_span!("sealed", job = number, %model, %image, came_to = tracing::field::Empty);
    let word = match span.in_scope(|| attempt(work, job, computes)) {
        Ok(came) if taken.is_closed() => {
            drop(came);
            taken.done();
            "late"
        }
        Ok(came) => {
            let word = if matches!(came.outcome, Outcome::Failed(_)) { "failed" } else { "opened" };
            let settled = work.settle(&statement, &came);
            taken.done();
            if settled { word } else { "kept" }
        }
        Err(error @ Unable::Gone(_)) => {
            work.meters.outcomes.count("gone", 1);
            // The job waits again at once.
            drop(taken);
            return Err(error);
        }
        Err(error) => {
            tracing::warn!(job = number, "{error}");
            taken.later();
            "unable"
        }
    };
    span.record("came_to", word);
    Ok(word)
}

fn attempt(work: &Work, job: Job, computes: &mut dyn Computes) -> Result<Came, Unable> {
    let (file, size) = sealed(work, &job)?;
    let job = Job { size, ..job };
    let onnx = &job.manifest.onnx;
    let bytes = || {
        work.bring(&onnx.blob, onnx.size)?;
        work.blobs.read(&onnx.blob, onnx.size).map_err(|e| e.to_string())
    };
    computes.outcome(&job, &file, &bytes)
}

/// As much of the sealed file as is looked at, and how long it is.
fn sealed(work: &Work, job: &Job) -> Result<(Vec<u8>, u64), Unable> {
    work.bring(job.file(), job.size).map_err(Unable::File)?;
    let unreadable = |e: &dyn std::fmt::Display| Unable::File(e.to_string());
    let stat = work.blobs.stat(job.file()).map_err(|e| unreadable(&e))?;
    let size = stat.ok_or_else(|| unreadable(&"it was removed meanwhile"))?.size;
    let wanted = if size > file_bytes_max() { LEAF as u64 } else { size };
    let mut file = Vec::new();
    let reader = work.blobs.open_file(job.file()).map_err(|e| unreadable(&e))?;
    reader.take(wanted).read_to_end(&mut file).map_err(|e| unreadable(&e))?;
    Ok((file, size))
}
