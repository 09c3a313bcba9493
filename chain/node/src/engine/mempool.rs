//! Transactions that wait for a block: checked once when they arrive, and again after each block.
//!
//! Bounded in count and bytes. The order of arrival is the order in the block, so a check and the insertion behind it
//! are one step, and no check runs while a block is committed (as in CometBFT, whose texts the refusals have). What of a
//! check needs no order, above all the signature, is done before that step, beside those of others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tendermint::{
    abci::types::ExecTxResult,
    v0_38::abci::{
        request::{CheckTx, CheckTxKind},
        response,
    },
};

use super::{header::tx_hash, pulse::Pulse};
use crate::{abci, metrics::meters};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most transactions.
    pub(crate) count: usize,
    /// Most bytes in all.
    pub(crate) bytes: usize,
    /// Most bytes of one transaction.
    pub(crate) tx_bytes: usize,
    /// How many hashes are remembered, so that the same bytes are not checked again.
    pub(crate) remembered: usize,
}

/// Why a transaction was not even checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// One transaction is too long for any block.
    #[error("tx too large. Max size is {max}, but got {got}")]
    TooLarge {
        /// Most bytes.
        max: usize,
        /// Its bytes.
        got: usize,
    },
    /// No room.
    #[error("mempool is full: number of txs {count} (max: {count_max}), total txs bytes {bytes} (max: {bytes_max})")]
    Full {
        /// Waiting transactions.
        count: usize,
        /// Most of them.
        count_max: usize,
        /// Their bytes.
        bytes: usize,
        /// Most of them.
        bytes_max: usize,
    },
    /// The same bytes were checked or committed before.
    #[error("tx already exists in cache")]
    Known,
}

struct Waiting {
    tx: Bytes,
    hash: [u8; 32],
    gas: i64,
}

#[derive(Default)]
struct Inner {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    known: BTreeSet<[u8; 32]>,
    /// The order in which [`Inner::known`] forgets.
    order: VecDeque<[u8; 32]>,
}

/// The mempool.
pub(crate) struct Mempool {
    checks: abci::mempool::Mempool,
    limits: Limits,
    pulse: Arc<Pulse>,
    meters: meters::Waiting,
    inner: Mutex<Inner>,
}

/// How much waits.
pub(crate) struct Size {
    /// Transactions.
    pub(crate) count: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
}

impl Mempool {
    /// An empty mempool. Each transaction that is let in is told to `pulse`.
    pub(crate) fn new(checks: abci::mempool::Mempool, limits: Limits, pulse: Arc<Pulse>) -> Self {
        Self { checks, limits, pulse, meters: Default::default(), inner: Mutex::default() }
    }

    /// The mempool, telling how much waits.
    pub(crate) fn watched(self, meters: meters::Waiting) -> Self {
        Self { meters, ..self }
    }

    /// Checks a transaction and lets it wait if the application agrees.
    pub(crate) fn add(&self, tx: Bytes) -> Result<response::CheckTx, Refused> {
        if tx.len() > self.limits.tx_bytes {
            return Err(Refused::TooLarge { max: self.limits.tx_bytes, got: tx.len() });
        }
        let hash = tx_hash(&tx);
        self.lock().admits(&self.limits, &tx, &hash)?;
        self.checks.foresee(&tx);
        let mut inner = self.lock();
        inner.admits(&self.limits, &tx, &hash)?;
        let checked = self.checks.check(CheckTx { tx: tx.clone(), kind: CheckTxKind::New });
        // One that is refused leaves nothing behind, so a flood of them costs their checks and no more.
        if checked.code.is_ok() {
            inner.remember(hash, self.limits.remembered);
            let next = inner.next;
            inner.next += 1;
            inner.bytes += tx.len();
            inner.waiting.insert(next, Waiting { tx, hash, gas: checked.gas_wanted });
            self.tell(&inner);
            drop(inner);
            self.pulse.beat();
        }
        Ok(checked)
    }

    /// Checks a transaction without letting it wait.
    pub(crate) fn check_only(&self, tx: Bytes) -> response::CheckTx {
        self.checks.foresee(&tx);
        let _inner = self.lock();
        self.checks.check(CheckTx { tx, kind: CheckTxKind::New })
    }

    /// The oldest transactions that fit into this many bytes of a block and this much gas (negative: any).
    pub(crate) fn reap(&self, bytes_max: usize, gas_max: i64) -> Vec<Bytes> {
        let inner = self.lock();
        let (mut bytes, mut gas) = (0usize, 0i64);
        let mut reaped = Vec::new();
        for waiting in inner.waiting.values() {
            bytes += encoded_len(waiting.tx.len());
            gas = gas.saturating_add(waiting.gas);
            if bytes > bytes_max || (gas_max >= 0 && gas > gas_max) {
                break;
            }
            reaped.push(waiting.tx.clone());
        }
        reaped
    }

    /// Up to `limit` waiting transactions, oldest first.
    pub(crate) fn first(&self, limit: usize) -> Vec<Bytes> {
        self.lock().waiting.values().take(limit).map(|waiting| waiting.tx.clone()).collect()
    }

    /// How much waits.
    pub(crate) fn size(&self) -> Size {
        let inner = self.lock();
        Size { count: inner.waiting.len(), bytes: inner.bytes }
    }

    /// Commits a block while nothing is checked, then drops what it held and what it made invalid.
    pub(crate) fn commit_with<T, E>(
        &self,
        txs: &[Bytes],
        results: &[ExecTxResult],
        commit: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.lock();
        let committed = commit()?;
        let mut gone = BTreeSet::new();
        for (tx, result) in txs.iter().zip(results) {
            let hash = tx_hash(tx);
            gone.insert(hash);
            if result.code.is_ok() {
                inner.remember(hash, self.limits.remembered);
            } else {
                inner.forget(&hash);
            }
        }
        inner.keep(|waiting| !gone.contains(&waiting.hash));
        let mut invalid = BTreeSet::new();
        for waiting in inner.waiting.values() {
            let again = self.checks.check(CheckTx { tx: waiting.tx.clone(), kind: CheckTxKind::Recheck });
            if !again.code.is_ok() {
                invalid.insert(waiting.hash);
            }
        }
        for hash in &invalid {
            inner.forget(hash);
        }
        inner.keep(|waiting| !invalid.contains(&waiting.hash));
        self.tell(&inner);
        Ok(committed)
    }

    fn tell(&self, inner: &Inner) {
        self.meters.txs.set(i64::try_from(inner.waiting.len()).unwrap_or(i64::MAX));
        self.meters.bytes.set(i64::try_from(inner.bytes).unwrap_or(i64::MAX));
    }

    // A panic while the lock was held cannot leave half an entry: the map and its byte count change together.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether there is room for a transaction that is not known.
    fn admits(&self, limits: &Limits, tx: &Bytes, hash: &[u8; 32]) -> Result<(), Refused> {
        if self.waiting.len() >= limits.count || self.bytes + tx.len() > limits.bytes {
            return Err(Refused::Full {
                count: self.waiting.len(),
                count_max: limits.count,
                bytes: self.bytes,
                bytes_max: limits.bytes,
            });
        }
        if self.known.contains(hash) {
            return Err(Refused::Known);
        }
        Ok(())
    }

    fn remember(&mut self, hash: [u8; 32], most: usize) {
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, hash: &[u8; 32]) {
        if self.known.remove(hash) {
            self.order.retain(|other| other != hash);
        }
    }

    fn keep(&mut self, wanted: impl Fn(&Waiting) -> bool) {
        self.waiting.retain(|_, waiting| wanted(waiting));
        self.bytes = self.waiting.values().map(|waiting| waiting.tx.len()).sum();
    }
}

/// What a transaction adds to the encoded block: its bytes, a tag and a length.
pub(crate) fn encoded_len(tx: usize) -> usize {
    1 + prost::length_delimiter_len(tx) + tx
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Counter;

    fn mempool(count: usize, bytes: usize) -> Mempool {
        let limits = Limits { count, bytes, tx_bytes: 20, remembered: 3 };
        let app = Arc::new(Counter::default());
        Mempool::new(abci::mempool::Mempool::new(app), limits, Arc::default())
    }

    fn ok() -> ExecTxResult {
        ExecTxResult::default()
    }

    #[test]
    fn each_bound_has_its_refusal() {
        let pool = mempool(2, 30);
        assert!(pool.add("a=1".into()).unwrap().code.is_ok());
        assert_eq!(pool.add("a=1".into()), Err(Refused::Known));
        assert_eq!(pool.add(vec![b'='; 21].into()), Err(Refused::TooLarge { max: 20, got: 21 }));
        assert!(pool.add("b=1".into()).unwrap().code.is_ok());
        assert!(matches!(pool.add("c=1".into()), Err(Refused::Full { count: 2, .. })));
        let narrow = mempool(9, 5);
        assert!(narrow.add("a=1".into()).is_ok());
        assert!(matches!(narrow.add("b=1".into()), Err(Refused::Full { bytes: 3, bytes_max: 5, .. })));
    }

    #[test]
    fn a_refused_transaction_may_come_again() {
        let pool = mempool(9, 99);
        for _ in 0..2 {
            assert!(!pool.add("bad".into()).unwrap().code.is_ok());
        }
        assert_eq!(pool.size().count, 0);
    }

    #[test]
    fn blocks_take_the_oldest_first() {
        let pool = mempool(9, 99);
        for tx in ["a=1", "b=1", "c=1"] {
            pool.add(tx.into()).unwrap();
        }
        assert_eq!(pool.reap(10, -1), ["a=1", "b=1"]);
        assert_eq!(pool.reap(100, 1), ["a=1"]);
        let done = pool.commit_with(&["a=1".into()], &[ok()], || Ok::<_, ()>(()));
        assert_eq!(done, Ok(()));
        assert_eq!(pool.reap(100, -1), ["b=1", "c=1"]);
        assert_eq!((pool.size().bytes, pool.meters.bytes.get(), pool.meters.txs.get()), (6, 6, 2));
        assert_eq!(pool.add("a=1".into()), Err(Refused::Known));
    }
}
