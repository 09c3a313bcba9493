//! Transactions that were decoded for the mempool and wait for their block, where they are wanted three times more: for the
//! proposal, its review and its execution.
//!
//! A pure cache under the hash of the bytes: it changes time, never an answer. Only what was checked and found good gets in, so
//! that nobody fills it for nothing, and what is executed goes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::{code::Fault, tx::decode::Tx};

/// Bytes of transactions that are kept decoded, which takes some three times as many, and of one of them.
const BYTES_MAX: usize = 4 << 20;
const TX_BYTES_MAX: usize = 16 << 10;

/// The transactions, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct Decoded(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    known: BTreeMap<[u8; 32], (u64, Arc<Tx>)>,
    /// In the order in which they came.
    order: BTreeMap<u64, [u8; 32]>,
    next: u64,
    bytes: usize,
}

impl Decoded {
    /// Reads a transaction, or finds it.
    pub(crate) fn tx(&self, bytes: &[u8]) -> Result<Arc<Tx>, Fault> {
        self.read(bytes, |inner, hash| inner.known.get(hash).map(|(_, tx)| Arc::clone(tx)))
    }

    /// The same for the last time.
    pub(crate) fn take(&self, bytes: &[u8]) -> Result<Arc<Tx>, Fault> {
        self.read(bytes, Inner::remove)
    }

    fn read(&self, bytes: &[u8], find: fn(&mut Inner, &[u8; 32]) -> Option<Arc<Tx>>) -> Result<Arc<Tx>, Fault> {
        let found = (bytes.len() <= TX_BYTES_MAX).then(|| find(&mut self.lock(), &Sha256::digest(bytes).into()));
        found.flatten().map_or_else(|| Tx::decode(bytes).map(Arc::new), Ok)
    }

    /// Keeps one.
    pub(crate) fn keep(&self, tx: Arc<Tx>) {
        let mut inner = self.lock();
        if tx.bytes > TX_BYTES_MAX || inner.known.contains_key(&tx.hash) {
            return;
        }
        let next = inner.next;
        inner.next += 1;
        inner.bytes += tx.bytes;
        inner.order.insert(next, tx.hash);
        inner.known.insert(tx.hash, (next, tx));
        while inner.bytes > BYTES_MAX
            && let Some(hash) = inner.order.first_key_value().map(|(_, hash)| *hash)
        {
            inner.remove(&hash);
        }
    }

    // What is in it is whole after a panic too, but for a count of bytes that may be too high.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, hash: &[u8; 32]) -> Option<Arc<Tx>> {
        let (place, tx) = self.known.remove(hash)?;
        self.order.remove(&place);
        self.bytes = self.bytes.saturating_sub(tx.bytes);
        Some(tx)
    }
}

#[cfg(test)]
mod tests {
    use cosmos_sdk_proto::cosmos::tx::v1beta1::{TxBody, TxRaw};
    use prost::Message;

    use super::*;

    #[test]
    fn what_is_kept_is_what_was_decoded_until_it_is_taken() {
        let body_bytes = TxBody { memo: "m".into(), ..TxBody::default() }.encode_to_vec();
        let bytes = TxRaw { body_bytes, ..TxRaw::default() }.encode_to_vec();
        let decoded = Decoded::default();
        let tx = decoded.tx(&bytes).unwrap();
        assert!(!Arc::ptr_eq(&tx, &decoded.tx(&bytes).unwrap()), "what was only read is not kept");
        decoded.keep(Arc::clone(&tx));
        assert!(Arc::ptr_eq(&tx, &decoded.tx(&bytes).unwrap()));
        assert!(Arc::ptr_eq(&tx, &decoded.take(&bytes).unwrap()));
        assert!(!Arc::ptr_eq(&tx, &decoded.take(&bytes).unwrap()));
        assert_eq!(decoded.tx(b"garbage").unwrap_err().text, Tx::decode(b"garbage").unwrap_err().text);
        let inner = decoded.lock();
        assert!(inner.known.is_empty() && inner.order.is_empty() && inner.bytes == 0);
    }

    #[test]
    fn the_oldest_go_when_there_are_many_and_long_ones_are_not_kept() {
        let decoded = Decoded::default();
        let long = TxBody { memo: " ".repeat(TX_BYTES_MAX), ..TxBody::default() }.encode_to_vec();
        let long = TxRaw { body_bytes: long, ..TxRaw::default() }.encode_to_vec();
        decoded.keep(decoded.tx(&long).unwrap());
        assert!(decoded.lock().known.is_empty());
        let memo = TxBody { memo: " ".repeat(8 << 10), ..TxBody::default() };
        for n in 0..1_000 {
            let body = TxBody { timeout_height: n + 1, ..memo.clone() }.encode_to_vec();
            let tx = decoded.tx(&TxRaw { body_bytes: body, ..TxRaw::default() }.encode_to_vec()).unwrap();
            decoded.keep(Arc::clone(&tx));
            decoded.keep(tx);
            let inner = decoded.lock();
            assert!(inner.bytes <= BYTES_MAX && inner.known.len() == inner.order.len());
            assert_eq!(inner.bytes, inner.known.values().map(|(_, tx)| tx.bytes).sum::<usize>());
        }
        let inner = decoded.lock();
        assert!(inner.bytes > BYTES_MAX / 2);
        assert!(inner.known.values().all(|(_, tx)| tx.body.timeout_height > 400));
    }
}
