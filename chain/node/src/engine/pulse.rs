//! The one signal of the engine's thread: something to do arrived, or it is time to stop.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

#[derive(Default)]
struct State {
    beaten: bool,
    stopped: bool,
}

/// Wakes the engine.
#[derive(Default)]
pub(crate) struct Pulse {
    state: Mutex<State>,
    changed: Condvar,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Somebody called [`Pulse::beat`] since the last wait.
    Beaten,
    /// The time is up.
    Elapsed,
    /// Somebody called [`Pulse::stop`].
    Stopped,
}

impl Pulse {
    /// Something arrived.
    pub(crate) fn beat(&self) {
        self.lock().beaten = true;
        self.changed.notify_all();
    }

    /// No more work.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for a beat; no longer than `limit`, if one is given.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Woken {
        let end = limit.map(|limit| Instant::now() + limit);
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Woken::Stopped;
            }
            if std::mem::take(&mut state.beaten) {
                return Woken::Beaten;
            }
            state = match end {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Woken::Elapsed;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Waits out a time, whatever arrives; false when it is time to stop.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut state = self.lock();
        while !state.stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    // Two flags cannot be left half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
