//! Jobs that wait for a lane, by their numbers: a bounded number, the best paid first, of equal ones the oldest.
//!
//! The queue follows the chain: what is not open any more is dropped, also from under the lane that works on it. A job
//! that a lane could not do rests for a while, longer each time; one whose lane has died waits again at once.
//!
//! Nobody has to make jobs that can be done. So whatever has failed once takes no more than every second turn from what
//! nobody has tried yet, however well it pays; and in a full queue what rests goes first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

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
    fee: u128,
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
    /// Those that wait: nobody has tried them.
    fresh: BTreeSet<Rank>,
    /// Those that wait and have come to nothing before.
    again: BTreeSet<Rank>,
    resting: BTreeSet<(Instant, u64)>,
    /// Whether the last turn was one of `again`'s before one of `fresh`.
    jumped: bool,
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
    pub(crate) job: u64,
    closed: Arc<AtomicBool>,
    told: bool,
}

impl Inner {
    /// Adds a job, or puts it where its state wants it.
    fn insert(&mut self, number: u64, entry: Entry) {
        let rank = (Reverse(entry.fee), number);
        match entry.state {
            State::Waiting if entry.attempts == 0 => self.fresh.insert(rank),
            State::Waiting => self.again.insert(rank),
            State::Resting(until) => self.resting.insert((until, number)),
            State::Taken(_) => false,
        };
        self.entries.insert(number, entry);
    }

    /// Takes a job out of everything.
    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        let rank = (Reverse(entry.fee), number);
        match entry.state {
            State::Waiting => _ = self.fresh.remove(&rank) || self.again.remove(&rank),
            State::Resting(until) => _ = self.resting.remove(&(until, number)),
            State::Taken(_) => {}
        }
        Some(entry)
    }

    /// Makes room for a job, if it is worth more than one that nobody works on.
    fn makes_room(&mut self, rank: Rank) -> bool {
        let longest = self.resting.last().map(|(_, number)| *number);
        let worst = || self.again.last().max(self.fresh.last()).filter(|worst| rank < **worst);
        let Some(number) = longest.or_else(|| worst().map(|(_, number)| *number)) else { return false };
        self.remove(number).is_some()
    }

    /// Wakes those that have rested, and answers whose turn it is.
    fn next(&mut self, now: Instant) -> Option<u64> {
        while let Some((_, number)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            if let Some(entry) = self.remove(number) {
                self.insert(number, Entry { state: State::Waiting, ..entry });
            }
        }
        let (fresh, again) = (self.fresh.first(), self.again.first());
        let jumps = fresh.is_some() && again.is_some_and(|again| Some(again) < fresh) && !self.jumped;
        let next = if jumps { again } else { fresh.or(again) };
        let (_, number) = *next?;
        self.jumped = jumps;
        Some(number)
    }
}

impl Queue {
    /// An empty queue for at most so many jobs.
    pub(crate) fn new(most: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), most }
    }

    /// Drops the jobs that are not among these, which are open and lack this node's share, and lets the others wait. Each
    /// comes with what it pays. In a full queue a job takes the place of one that is worth less, if there is one.
    pub(crate) fn follow(&self, open: &BTreeMap<u64, u128>) {
        let mut inner = self.lock();
        let closed: Vec<u64> = inner.entries.keys().copied().filter(|number| !open.contains_key(number)).collect();
        for number in closed {
            if let Some(Entry { state: State::Taken(closed), .. }) = inner.remove(number) {
                closed.store(true, Ordering::Relaxed);
            }
        }
        for (&number, &fee) in open {
            let is_new = !inner.entries.contains_key(&number);
            if is_new && (inner.entries.len() < self.most || inner.makes_room((Reverse(fee), number))) {
                inner.insert(number, Entry { fee, state: State::Waiting, attempts: 0 });
            }
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// The job whose turn it is, as soon as there is one; nothing when it is time to stop, or when whoever wants it is
    /// there no more, which is asked every second.
    pub(crate) fn take_while(&self, mut is_there: impl FnMut() -> bool) -> Option<Taken<'_>> {
        let mut inner = self.lock();
        loop {
            if inner.stopped || !is_there() {
                return None;
            }
            let now = Instant::now();
            if let Some(number) = inner.next(now)
                && let Some(entry) = inner.remove(number)
            {
                let closed = Arc::new(AtomicBool::new(false));
                inner.insert(number, Entry { state: State::Taken(Arc::clone(&closed)), ..entry });
                return Some(Taken { queue: self, job: number, closed, told: false });
            }
            let rested = inner.resting.first().map(|(until, _)| until.saturating_duration_since(now));
            let pause = rested.unwrap_or(LOOK).min(LOOK);
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
        let is_ours = |entry: &Entry| matches!(&entry.state, State::Taken(of) if Arc::ptr_eq(of, closed));
        if inner.entries.get(&number).is_some_and(is_ours)
            && let Some(entry) = inner.remove(number)
        {
            let entry = if rests {
                let pause = REST.saturating_mul(1 << entry.attempts.min(16)).min(REST_MAX);
                let attempts = entry.attempts.saturating_add(1);
                Entry { state: State::Resting(Instant::now() + pause), attempts, ..entry }
            } else {
                Entry { state: State::Waiting, ..entry }
            };
            inner.insert(number, entry);
        }
        drop(inner);
        self.changed.notify_one();
    }

    // Nothing in between can panic.
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
        self.queue.lock().remove(self.job);
    }

    /// It could not be done for a reason that may pass.
    pub(crate) fn later(mut self) {
        self.told = true;
        self.queue.back(self.job, &self.closed, true);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.queue.back(self.job, &self.closed, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(most: usize, jobs: &[(u64, u128)]) -> Queue {
        let queue = Queue::new(most);
        queue.follow(&jobs.iter().copied().collect());
        queue
    }

    fn take(queue: &Queue) -> Taken<'_> {
        queue.take_while(|| true).unwrap()
    }

    fn next(queue: &Queue) -> u64 {
        let taken = take(queue);
        let number = taken.job;
        taken.done();
        number
    }

    /// Tries the job whose turn it is in vain.
    fn fail(queue: &Queue) -> u64 {
        let taken = take(queue);
        let number = taken.job;
        taken.later();
        number
    }

    /// Lets all that rest have rested.
    fn wake(queue: &Queue) {
        let mut inner = queue.lock();
        while let Some((_, number)) = inner.resting.first().copied() {
            let entry = inner.remove(number).unwrap();
            inner.insert(number, Entry { state: State::Waiting, ..entry });
        }
    }

    /// Both.
    fn fail_and_wake(queue: &Queue) -> u64 {
        let number = fail(queue);
        wake(queue);
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
        let taken = take(&queue);
        queue.follow(&[(1, 5), (2, 9)].into());
        assert!(queue.len() == 1 && !taken.is_closed());
        // What rests is, by whatever has not failed yet.
        taken.later();
        queue.follow(&[(1, 5), (2, 1)].into());
        assert_eq!((queue.len(), next(&queue)), (1, 2));
    }

    #[test]
    fn what_is_closed_goes_also_from_under_a_lane() {
        let queue = queue(9, &[(1, 5), (2, 5), (3, 5), (4, 6)]);
        let resting = take(&queue);
        resting.later();
        let taken = take(&queue);
        queue.follow(&[(3, 5)].into());
        assert!(taken.is_closed());
        drop(taken);
        assert_eq!((queue.len(), next(&queue)), (1, 3), "a closed job does not come back");
    }

    #[test]
    fn a_lane_that_dies_loses_nothing_and_one_that_fails_lets_it_rest() {
        let queue = queue(9, &[(1, 5), (2, 1)]);
        drop(take(&queue));
        let taken = take(&queue);
        assert_eq!(taken.job, 1);
        taken.later();
        assert_eq!(next(&queue), 2, "the first one rests");
        let begun = Instant::now();
        assert_eq!(next(&queue), 1);
        assert!(begun.elapsed() < REST_MAX, "it rests the longer the more often it fails");
    }

    #[test]
    fn what_has_failed_takes_every_second_turn_however_well_it_pays() {
        let dear = [(1, 9), (2, 9), (3, 9)];
        let cheap = [(4, 1), (5, 1), (6, 1)];
        let queue = queue(9, &dear);
        assert_eq!([(); 3].map(|()| fail(&queue)), [1, 2, 3]);
        wake(&queue);
        queue.follow(&dear.into_iter().chain(cheap).collect());
        assert_eq!([(); 6].map(|()| fail_and_wake(&queue)), [1, 4, 1, 5, 1, 6]);
        queue.follow(&dear.into_iter().chain(cheap).chain([(7, 2), (8, 0)]).collect());
        assert_eq!([(); 8].map(|()| next(&queue)), [1, 7, 2, 8, 3, 4, 5, 6]);
    }

    #[test]
    fn a_lane_of_an_older_life_of_a_job_does_not_touch_the_newer() {
        let queue = queue(9, &[(1, 5)]);
        let old = take(&queue);
        queue.follow(&BTreeMap::new());
        queue.follow(&[(1, 5)].into());
        let new = take(&queue);
        drop(old);
        assert!(!new.is_closed());
        queue.stop();
        assert!(queue.take_while(|| true).is_none());
    }
}
