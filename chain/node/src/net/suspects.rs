//! Addresses whose transactions are refused again and again: those are looked at one after the other, at a pace that
//! leaves the machine to everybody else.
//!
//! Whether a transaction is good shows only when it was looked at, and people share addresses. So what a suspect sends is
//! not refused, it waits, and all suspects together have one line. A connection asks again when it was answered: who
//! shares an address with a flood waits for as many others as there are connections, half a second at most. Good
//! transactions make good for refused ones, so that an address where both come from is none.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Peer;

/// Refused transactions that an address may have behind it, and how long it takes until one of them is forgotten.
const FORGIVEN: u32 = 50;
const FORGIVEN_PERIOD: Duration = Duration::from_millis(100);
/// How long an address that sends no more is a suspect.
const SUSPECT: Duration = Duration::from_secs(1);
/// From one transaction of a suspect to the next one that is looked at: a fifth of a processor at most.
const PACE: Duration = Duration::from_micros(500);
/// How far the line may be behind and catch up: timers are no finer than this.
const SLACK: Duration = Duration::from_millis(4);
/// Addresses that are remembered. When there are more, those that were refused first stay.
const KNOWN_MAX: usize = 4096;
/// How often it is looked for addresses to forget when there is no room.
const SWEEP_PERIOD: Duration = Duration::from_millis(100);

/// The addresses.
#[derive(Default)]
pub(crate) struct Suspects {
    known: Mutex<Known>,
    /// When the next one in the line is looked at. Who waits has the lock in turn, and leaves the line when it goes away.
    line: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    /// When all that was refused is forgotten.
    until: BTreeMap<Peer, Instant>,
    swept: Option<Instant>,
}

impl Suspects {
    /// Waits until a transaction of this client may be looked at.
    pub(crate) async fn turn(&self, peer: Peer) {
        if !self.holds(peer) {
            return;
        }
        let mut line = self.line.lock().await;
        if let Some(next) = *line {
            tokio::time::sleep_until(next.into()).await;
        }
        let now = Instant::now();
        let late = now.checked_sub(SLACK).unwrap_or(now);
        *line = Some(line.map_or(now, |next| next.max(late)) + PACE);
    }

    /// Whether a client is one.
    pub(crate) fn holds(&self, peer: Peer) -> bool {
        self.known().holds(peer, Instant::now())
    }

    /// Takes in what the application has said of a transaction.
    pub(crate) fn told(&self, peer: Peer, refused: bool) {
        self.known().told(peer, refused, Instant::now());
    }

    // An entry is written or removed as a whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn holds(&self, peer: Peer, now: Instant) -> bool {
        self.until.get(&peer).is_some_and(|until| *until > now + FORGIVEN_PERIOD * FORGIVEN)
    }

    fn told(&mut self, peer: Peer, refused: bool, now: Instant) {
        let until = match (self.until.get(&peer).copied(), refused) {
            (Some(until), true) => {
                let most = now + FORGIVEN_PERIOD * FORGIVEN + SUSPECT;
                (until.max(now) + FORGIVEN_PERIOD).min(most)
            }
            (Some(until), false) => until.checked_sub(FORGIVEN_PERIOD).unwrap_or(now),
            (None, true) if self.has_room(now) => now + FORGIVEN_PERIOD,
            (None, _) => return,
        };
        if until > now {
            self.until.insert(peer, until);
        } else {
            self.until.remove(&peer);
        }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if self.until.len() >= KNOWN_MAX && self.swept.is_none_or(|swept| now >= swept + SWEEP_PERIOD) {
            self.swept = Some(now);
            self.until.retain(|_, until| *until > now);
        }
        self.until.len() < KNOWN_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::{FutureExt, future::join_all};

    use super::*;

    fn peer(n: u32) -> Peer {
        IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + n)).into()
    }

    #[test]
    fn who_is_refused_again_and_again_is_one_for_a_while() {
        let (mut known, now) = (Known::default(), Instant::now());
        (0..FORGIVEN).for_each(|_| known.told(peer(1), true, now));
        assert!(!known.holds(peer(1), now), "so many are forgiven");
        known.told(peer(1), true, now);
        assert!(known.holds(peer(1), now) && !known.holds(peer(2), now));
        assert!(!known.holds(peer(1), now + FORGIVEN_PERIOD), "one of them is forgotten");
        (0..100_000).for_each(|_| known.told(peer(1), true, now));
        assert!(known.holds(peer(1), now + SUSPECT - FORGIVEN_PERIOD));
        assert!(!known.holds(peer(1), now + SUSPECT), "however many there were");
    }

    #[test]
    fn good_ones_make_good() {
        let (mut known, now) = (Known::default(), Instant::now());
        for n in 0..10_000 {
            known.told(peer(1), n % 2 == 0, now);
            assert!(!known.holds(peer(1), now));
        }
        assert!(known.until.is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (mut known, now) = (Known::default(), Instant::now());
        (0..20_000).for_each(|n| known.told(peer(n), true, now));
        assert_eq!(known.until.len(), KNOWN_MAX);
        // Room is there again when the first are forgotten.
        known.told(peer(20_000), true, now + FORGIVEN_PERIOD);
        assert_eq!(known.until.len(), 1);
    }

    #[tokio::test]
    async fn suspects_wait_in_one_line_and_nobody_else_does() {
        const WAITING: u32 = 100;
        let suspects = Suspects::default();
        for n in [1, 2] {
            (0..100).for_each(|_| suspects.told(peer(n), true));
        }
        let begun = Instant::now();
        let mut gone: Vec<_> = (0..1_000).map(|_| Box::pin(suspects.turn(peer(1)))).collect();
        let waiting = gone.iter_mut().filter_map(|turn| turn.as_mut().now_or_never().is_none().then_some(())).count();
        assert!(waiting > 900, "{waiting}");
        assert!(suspects.turn(peer(3)).now_or_never().is_some());
        // Who has gone is waited for by nobody.
        drop(gone);
        join_all((0..WAITING).map(|n| suspects.turn(peer(1 + n % 2)))).await;
        let took = begun.elapsed();
        assert!(took >= PACE * WAITING / 2 && took < PACE * 1_000, "{took:?}");
    }
}
