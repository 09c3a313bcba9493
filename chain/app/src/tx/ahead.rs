//! Signatures that nobody here has checked, verified by several threads before a block runs or checks that wait.
//!
//! A node that follows the chain from behind, or gets a block faster than its transactions, has checked none of them; over a
//! third of such a block is signatures. They need nothing of each other but keys and numbers of accounts, which hardly
//! change within a block. What is found is remembered (`authenticate`), and execution asks again: this
//! changes time, never an answer, and a signature that it cannot judge yet is judged in its turn.
//!
//! The threads are started for it: in the pool that others compile and compute in, a block would wait for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aceso_state::Delta;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    chain::Chain,
    gas::Meter,
    host::Host,
    run::{Block, Mode, Run},
    tx::authenticate,
};

/// Fewest unknown transactions for which threads are started: verifying one takes as long as starting one.
const LEAST: usize = 8;
/// Most that are looked at, so that a proposer's junk, refused for its fee in its turn, costs little before that.
const MOST: usize = 4096;
/// Most threads.
const THREADS_MAX: usize = 8;

/// Verifies what this node's mempool has not, where there are enough for several threads.
pub(crate) fn verify(host: &Host, chain: &Arc<Chain>, block: Block, delta: &Delta, txs: &[Bytes]) {
    let threads = host.threads.min(THREADS_MAX);
    if threads < 2 {
        return;
    }
    let is_unknown = |tx: &&Bytes| !host.signatures.knows(&Sha256::digest(tx).into());
    let unknown: Vec<&Bytes> = txs.iter().filter(is_unknown).take(MOST).collect();
    if unknown.len() < LEAST {
        return;
    }
    let next = AtomicUsize::new(0);
    let work = |mut delta: Delta| {
        while let Some(bytes) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
            verify_one(host, chain, block, &mut delta, bytes);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            let (delta, work) = (delta.clone(), &work);
            // What a thread does that the system does not give, the others do.
            let _ = thread::Builder::new().name("signatures".into()).spawn_scoped(scope, move || work(delta));
        }
        work(delta.clone());
    });
}

/// Verifies one transaction's signatures on this thread.
pub(crate) fn verify_one(host: &Host, chain: &Arc<Chain>, block: Block, delta: &mut Delta, bytes: &[u8]) {
    let Ok(tx) = host.decoded.tx(bytes) else { return };
    let mut run = Run::new(host, chain.clone(), block, Mode::Check, delta, Meter::new(u64::MAX));
    // Whatever is wrong with it is said in its turn.
    let _ = authenticate::foresee(&mut run, &tx);
}
