//! Signatures of a block that nobody here has checked, verified by several threads before the block runs.
//!
//! A node that follows the chain from behind, or gets a block faster than its transactions, has checked none of them; over a
//! third of such a block is signatures. They need nothing of each other but keys and numbers of accounts, which hardly
//! change within a block. What is found good is remembered (`authenticate`), and execution asks again: this
//! changes time, never an answer, and a signature that it cannot judge yet is judged in its turn.

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
    tx::{authenticate, decode::Tx},
};

/// Fewest unknown transactions for which threads are started: verifying one takes as long as starting one.
const LEAST: usize = 8;
/// Most that are looked at, so that a proposer's junk, refused for its fee in its turn, costs little before that.
const MOST: usize = 4096;
/// Most threads.
const THREADS_MAX: usize = 8;

/// Verifies what this node's mempool has not.
pub(crate) fn verify(host: &Host, chain: &Arc<Chain>, block: Block, delta: &Delta, txs: &[Bytes]) {
    let threads = host.threads.min(THREADS_MAX);
    if threads < 2 {
        return;
    }
    let is_unknown = |tx: &&Bytes| !host.good_signatures.knows(&Sha256::digest(tx).into());
    let unknown: Vec<&Bytes> = txs.iter().filter(is_unknown).take(MOST).collect();
    if unknown.len() < LEAST {
        return;
    }
    let next = AtomicUsize::new(0);
    let work = |mut delta: Delta| {
        while let Some(bytes) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Ok(tx) = Tx::decode(bytes) else { continue };
            let mut run = Run::new(host, chain.clone(), block, Mode::Check, &mut delta, Meter::new(u64::MAX));
            // Whatever is wrong with it is said in its turn.
            let _ = authenticate::foresee(&mut run, &tx);
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
