//! Jobs that wait for a lane: a bounded number, the best paid first, of equal ones the oldest.
//!
//! The queue follows the chain: what is not open any more is dropped, also from under the lane that works on it. A job
//! that a lane could not do rests for a while, longer each time; one whose lane has died waits again at once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::job::Job;

/// How often a lane that waits is asked whether it is still there.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the first attempt that came to nothing; each next one is twice as long.
const REST: Duration = Duration::from_millis(500);
/// The longest one.
const REST_MAX: Duration = Duration::from_secs(60);

/// The better paid come first, then the older.
type Rank = (Reverse<u128>, u64);

/// A job that waits or is worked on.
struct Entry {
    rank: Rank,
    job: Arc<Job>,
    state: State,
    attempts: u32,
}

enum State {
    Waiting,
    Resting(Instant),
    /// Taken; raised when the job is closed.
    Taken(Arc<AtomicBool>),
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<u64, Entry>,
    stopped: bool,
}

/// See the module.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    most: usize,
}

/// A job that a lane has taken. Dropped without a word it waits again.
pub(crate) struct Taken<'a> {
    queue: &'a Queue,
    pub(crate) job: Arc<Job>,
    closed: Arc<AtomicBool>,
    told: bool,
}

impl Queue {
    /// An empty queue for at most so many jobs.
    pub(crate) fn new(most: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), most }
    }

    /// Drops the jobs that are not among these, which are open and lack this node's share.
    pub(crate) fn keep(&self, open: &BTreeSet<u64>) {
        self.lock().entries.retain(|number, entry| {
            let stays = open.contains(number);
            if let (false, State::Taken(closed)) = (stays, &entry.state) {
                closed.store(true, Ordering::Relaxed);
            }
            stays
        });
    }

    /// Whether a job is here.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.lock().entries.contains_key(&number)
    }

    /// Lets a job wait. In a full queue it takes the place of one that is worth less, if there is one.
    pub(crate) fn put(&self, job: Arc<Job>, fee: u128) {
        let number = job.number();
        let rank = (Reverse(fee), number);
        let mut inner = self.lock();
        if inner.entries.contains_key(&number) {
            return;
        }
        if inner.entries.len() >= self.most {
            let idle = inner.entries.values().filter(|entry| !matches!(entry.state, State::Taken(_)));
            match idle.map(|entry| entry.rank).max().filter(|worst| rank < *worst) {
                Some((_, worst)) => inner.entries.remove(&worst),
                None => return,
            };
        }
        inner.entries.insert(number, Entry { rank, job, state: State::Waiting, attempts: 0 });
        drop(inner);
        self.changed.notify_one();
    }

    /// The best job that waits, as soon as there is one; nothing when it is time to stop, or when whoever wants it is
    /// there no more, which is asked every second.
    pub(crate) fn take_while(&self, mut is_there: impl FnMut() -> bool) -> Option<Taken<'_>> {
        let mut inner = self.lock();
        loop {
            if inner.stopped || !is_there() {
                return None;
            }
            let now = Instant::now();
            let ready = |entry: &&mut Entry| match entry.state {
                State::Waiting => true,
                State::Resting(until) => until <= now,
                State::Taken(_) => false,
            };
            if let Some(entry) = inner.entries.values_mut().filter(ready).min_by_key(|entry| entry.rank) {
                let closed = Arc::new(AtomicBool::new(false));
                entry.state = State::Taken(Arc::clone(&closed));
                return Some(Taken { queue: self, job: Arc::clone(&entry.job), closed, told: false });
            }
            let rested = inner.entries.values().filter_map(|entry| match entry.state {
                State::Resting(until) => Some(until.saturating_duration_since(now)),
                _ => None,
            });
            let pause = rested.min().unwrap_or(LOOK).min(LOOK);
            inner = self.changed.wait_timeout(inner, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many are here.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Sends the lanes home.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn back(&self, number: u64, closed: &Arc<AtomicBool>, rests: bool) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get_mut(&number)
            && matches!(&entry.state, State::Taken(of) if Arc::ptr_eq(of, closed))
        {
            entry.state = if rests {
                let pause = REST.saturating_mul(1 << entry.attempts.min(16)).min(REST_MAX);
                entry.attempts = entry.attempts.saturating_add(1);
                State::Resting(Instant::now() + pause)
            } else {
                State::Waiting
            };
        }
        drop(inner);
        self.changed.notify_one();
    }

    // Every change is a single step on one entry.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken<'_> {
    /// Whether the job was closed meanwhile: its outcome is wanted by nobody.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// It is done, and does not come again.
    pub(crate) fn done(mut self) {
        self.told = true;
        self.queue.lock().entries.remove(&self.job.number());
    }

    /// It could not be done for a reason that may pass.
    pub(crate) fn later(mut self) {
        self.told = true;
        self.queue.back(self.job.number(), &self.closed, true);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.queue.back(self.job.number(), &self.closed, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::tests::job;

    fn queue(most: usize, jobs: &[(u64, u128)]) -> Queue {
        let queue = Queue::new(most);
        for (number, fee) in jobs {
            queue.put(Arc::new(job(*number)), *fee);
        }
        queue
    }

    fn next(queue: &Queue) -> u64 {
        let taken = queue.take_while(|| true).unwrap();
        let number = taken.job.number();
        taken.done();
        number
    }

    #[test]
    fn who_pays_more_is_served_first_and_of_equals_who_came_first() {
        let queue = queue(9, &[(1, 5), (2, 7), (3, 5), (4, 7), (5, 0)]);
        assert_eq!([(); 5].map(|()| next(&queue)), [2, 4, 1, 3, 5]);
        assert_eq!(queue.len(), 0);
        queue.stop();
        assert!(queue.take_while(|| true).is_none());
    }

    #[test]
    fn a_full_queue_keeps_what_is_worth_more() {
        let queue = queue(2, &[(1, 5), (2, 7), (3, 5), (4, 9), (5, 1)]);
        assert_eq!(queue.len(), 2);
        assert_eq!([(); 2].map(|()| next(&queue)), [4, 2]);
        // What is worked on is not pushed out.
        let queue = self::queue(1, &[(1, 5)]);
        let taken = queue.take_while(|| true).unwrap();
        queue.put(Arc::new(job(2)), 9);
        assert!(!queue.has(2) && !taken.is_closed());
    }

    #[test]
    fn what_is_closed_goes_also_from_under_a_lane() {
        let queue = queue(9, &[(1, 5), (2, 5), (3, 5)]);
        let taken = queue.take_while(|| true).unwrap();
        queue.keep(&BTreeSet::from([3]));
        assert!(taken.is_closed());
        drop(taken);
        assert!(!queue.has(1), "a closed job does not come back");
        assert_eq!((queue.len(), next(&queue)), (1, 3));
    }

    #[test]
    fn a_lane_that_dies_loses_nothing_and_one_that_fails_lets_it_rest() {
        let queue = queue(9, &[(1, 5), (2, 1)]);
        drop(queue.take_while(|| true).unwrap());
        let taken = queue.take_while(|| true).unwrap();
        assert_eq!(taken.job.number(), 1);
        taken.later();
        assert_eq!(next(&queue), 2, "the first one rests");
        let begun = Instant::now();
        assert_eq!(next(&queue), 1);
        assert!(begun.elapsed() < REST_MAX, "it rests the longer the more often it fails");
    }

    #[test]
    fn a_lane_of_an_older_life_of_a_job_does_not_touch_the_newer() {
        let queue = queue(9, &[(1, 5)]);
        let old = queue.take_while(|| true).unwrap();
        queue.keep(&BTreeSet::new());
        queue.put(Arc::new(job(1)), 5);
        let new = queue.take_while(|| true).unwrap();
        drop(old);
        assert!(!new.is_closed());
        queue.stop();
        assert!(queue.take_while(|| true).is_none());
    }
}
