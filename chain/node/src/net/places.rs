//! Places that clients share: so many in all, and no more than half of them for one. Where there is none the client is
//! refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Peer;

/// What one client may have of something that all share.
pub(crate) fn share(all: u64, least: u64) -> u64 {
    (all / 2).max(least).min(all)
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// All are taken.
    #[error("{max} {what} are running, which is as many as the node takes; try again in a moment")]
    All {
        /// What takes places.
        what: &'static str,
        /// How many there are.
        max: usize,
    },
    /// The client has its share.
    #[error("{max} {what} of this address are running, which is as many as the node takes of one; let one end first")]
    Share {
        /// What takes places.
        what: &'static str,
        /// A client's share.
        max: usize,
    },
}

/// The places.
pub(crate) struct Places {
    what: &'static str,
    max: usize,
    taken: Mutex<BTreeMap<Peer, usize>>,
}

/// One of them, free again when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    peer: Peer,
}

impl Places {
    /// `max` of them for `what`, a word in the plural.
    pub(crate) fn new(what: &'static str, max: usize) -> Self {
        Self { what, max, taken: Mutex::default() }
    }

    /// Takes one.
    pub(crate) fn take(self: &Arc<Self>, peer: Peer) -> Result<Place, Full> {
        let (what, max) = (self.what, self.max);
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= max {
            return Err(Full::All { what, max });
        }
        let share = (max / 2).max(1);
        let own = taken.entry(peer).or_default();
        if *own >= share {
            return Err(Full::Share { what, max: share });
        }
        *own += 1;
        Ok(Place { places: Arc::clone(self), peer })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    // Each change is a single addition, subtraction or removal.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Peer, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn peer(n: u8) -> Peer {
        IpAddr::from(Ipv4Addr::new(10, 0, 0, n)).into()
    }

    #[test]
    fn one_client_leaves_half_to_others() {
        let places = Arc::new(Places::new("uploads", 4));
        let held: Vec<_> = [1, 1, 2].map(|n| places.take(peer(n)).unwrap()).into();
        assert_eq!(places.take(peer(1)).err(), Some(Full::Share { what: "uploads", max: 2 }));
        let last = places.take(peer(2)).unwrap();
        assert_eq!(places.take(peer(3)).err(), Some(Full::All { what: "uploads", max: 4 }));
        drop(last);
        assert!(places.take(peer(3)).is_ok());
        drop(held);
        assert!(places.lock().is_empty());
    }

    #[test]
    fn a_single_place_is_anybodys() {
        assert!(Arc::new(Places::new("uploads", 1)).take(peer(1)).is_ok());
        assert_eq!((share(10, 3), share(10, 7), share(10, 11)), (5, 7, 10));
    }
}
