//! A walk that goes on in a thread of its own, so that a tree's nodes are read while the values of its leaves are.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use crate::error::StateError;
use crate::walk::{Leaf, Walk};

/// Leaves that are handed over at once: few at first, since little of a small chunk is wanted.
const BATCH_MIN: usize = 16;
const BATCH_MAX: usize = 512;
/// Batches that wait to be taken.
const WAITING: usize = 4;

/// The leaves of a walk in its order. Dropping it ends the walk.
pub(crate) struct Ahead {
    batches: Receiver<Result<Vec<Leaf>, StateError>>,
    batch: std::vec::IntoIter<Leaf>,
}

impl Ahead {
    /// Lets the walk go on beside the caller.
    pub(crate) fn start<'scope>(scope: &'scope Scope<'scope, '_>, walk: Walk) -> Result<Self, StateError> {
        let (sender, batches) = sync_channel(WAITING);
        let thread = Builder::new().name("walk".into()).spawn_scoped(scope, move || run(walk, &sender));
        thread.map_err(|source| StateError::Thread { source })?;
        Ok(Self { batches, batch: Vec::new().into_iter() })
    }

    /// The next leaf.
    pub(crate) fn next(&mut self) -> Result<Option<Leaf>, StateError> {
        loop {
            if let Some(leaf) = self.batch.next() {
                return Ok(Some(leaf));
            }
            match self.batches.recv() {
                Ok(batch) => self.batch = batch?.into_iter(),
                // The walk has come to its end; an error would have been handed over.
                Err(_) => return Ok(None),
            }
        }
    }
}

fn run(mut walk: Walk, sender: &SyncSender<Result<Vec<Leaf>, StateError>>) {
    let mut size = BATCH_MIN;
    loop {
        let batch: Result<Vec<Leaf>, StateError> = std::iter::from_fn(|| walk.next().transpose()).take(size).collect();
        let over = batch.as_ref().map_or(true, |batch| batch.len() < size);
        // Nobody may want more.
        if sender.send(batch).is_err() || over {
            return;
        }
        size = (size * 2).min(BATCH_MAX);
    }
}
