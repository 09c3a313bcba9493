//! Turns at something scarce: so many at the same time, in the order in which clients came for them, and no more than half
//! of them for one.
//!
//! Unlike a [place](super::places) a turn is waited for. Who has its share waits for its own turns, and not in front of
//! others: however much one client asks, another waits for what is being done and never for what that one has asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::Peer;

/// The turns.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    share: usize,
    /// The turns of those who have one or wait for one.
    own: Mutex<BTreeMap<Peer, Weak<Semaphore>>>,
}

/// One of them, over when it is dropped.
pub(crate) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Turns {
    /// `max` of them at the same time.
    pub(crate) fn new(max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(max)), share: (max / 2).max(1), own: Mutex::default() }
    }

    /// Waits for one. It never fails: nobody closes the semaphores.
    pub(crate) async fn take(&self, peer: Peer) -> Result<Turn, AcquireError> {
        let own = self.own(peer).acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Turn { _all: all, _own: own })
    }

    fn own(&self, peer: Peer) -> Arc<Semaphore> {
        // A map of semaphores cannot be left half changed.
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = own.get(&peer).and_then(Weak::upgrade) {
            return known;
        }
        own.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(self.share));
        own.insert(peer, Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_has_its_share_waits_in_front_of_nobody() {
        let peer = |n: u8| IpAddr::from(Ipv4Addr::new(10, 0, 0, n)).into();
        let turns = Turns::new(4);
        let mut held = vec![turns.take(peer(1)).await.unwrap(), turns.take(peer(1)).await.unwrap()];
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(turns.take(peer(1)))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let others = [turns.take(peer(2)).now_or_never(), turns.take(peer(3)).now_or_never()];
        assert!(others.iter().all(Option::is_some));
        assert!(turns.take(peer(4)).now_or_never().is_none(), "four are all");
        held.pop();
        assert!(waiting[0].as_mut().now_or_never().is_some(), "those who wait have it in the order in which they came");
        drop((waiting, held, others));
        drop(turns.take(peer(9)).await);
        assert_eq!(turns.own.lock().unwrap().len(), 1, "who has no turn is forgotten");
    }
}
