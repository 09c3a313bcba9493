//! A block whose transactions no mempool has checked, executed by one thread and by several.

use cosmos_sdk_proto::cosmos::tx::v1beta1::TxRaw;
use prost::Message;
use tendermint::v0_38::abci::response;

use crate::fixture::{Key, Net, alice, bob, nobody, send};

/// A transaction of an account that has sent so many before.
fn nth(net: &Net, key: &Key, sequence: u64) -> Vec<u8> {
    let mut draft = net.draft(&[key], vec![send(key, &bob().address(), 1)]);
    draft.signers[0].2 = sequence;
    draft.gas = 200_000;
    draft.sign()
}

/// Good ones of two accounts that sign for the first time, and between them what does not hold.
fn txs(net: &Net) -> Vec<Vec<u8>> {
    let mut txs = Vec::new();
    for sequence in 0..12 {
        txs.push(nth(net, &alice(), sequence));
        txs.push(nth(net, &bob(), sequence));
        let mut flipped = TxRaw::decode(&nth(net, &alice(), sequence + 1)[..]).unwrap();
        flipped.signatures[0][40] ^= 1;
        txs.push(flipped.encode_to_vec());
        txs.push(nth(net, &nobody(), sequence));
        txs.push(vec![0xff; 50]);
    }
    txs
}

/// The block's answer, and how many signatures were remembered and verified.
fn execute(threads: usize, checked: bool) -> (response::FinalizeBlock, (u64, u64)) {
    let mut net = Net::start();
    net.reopen(|config| config.threads = threads);
    let txs = txs(&net);
    if checked {
        txs.iter().for_each(|tx| drop(net.check(tx.clone())));
    }
    let before = net.app.stats().signature_asked;
    let answer = net.finalize(txs.into_iter().map(Into::into).collect());
    let after = net.app.stats().signature_asked;
    (answer, (after.hits - before.hits, after.misses - before.misses))
}

#[test]
fn several_threads_come_to_the_same_as_one() {
    let (alone, asked) = execute(1, false);
    let codes = alone.tx_results.iter().map(|result| result.code.value()).collect::<Vec<_>>();
    assert_eq!(codes, [0, 0, 4, 9, 2].repeat(12), "good, good, unauthorized, unknown address, not decodable");
    assert_eq!(asked, (0, 36), "24 good ones and 12 that do not hold");
    for threads in [2, 3, 64] {
        let (together, asked) = execute(threads, false);
        assert_eq!(together, alone);
        assert_eq!(asked, (36, 36), "each once");
    }
}

#[test]
fn what_the_mempool_has_checked_is_not_looked_at_again() {
    let (answer, asked) = execute(4, true);
    assert_eq!(answer, execute(1, false).0);
    // 24 good ones, and the 12 that do not hold once ahead of the block and once in it.
    assert_eq!(asked, (48, 0));
}

#[test]
fn a_few_are_not_worth_a_thread() {
    let mut net = Net::start();
    net.reopen(|config| config.threads = 4);
    let txs: Vec<Vec<u8>> = (0..7).map(|sequence| nth(&net, &alice(), sequence)).collect();
    let answer = net.finalize(txs.into_iter().map(Into::into).collect());
    assert!(answer.tx_results.iter().all(|result| result.code.is_ok()));
    let asked = net.app.stats().signature_asked;
    assert_eq!((asked.hits, asked.misses), (0, 7));
}

#[test]
fn checks_that_were_looked_ahead_at_answer_the_same() {
    let checked = |together: usize| {
        let mut net = Net::start();
        net.reopen(|config| config.threads = 4);
        let txs = txs(&net);
        for txs in txs.chunks(together.max(1)).filter(|_| together > 0) {
            net.app.foresee(&txs.iter().cloned().map(Into::into).collect::<Vec<_>>());
        }
        let before = net.app.stats().signature_asked;
        let answers: Vec<_> = txs.into_iter().map(|tx| net.check(tx)).collect();
        let after = net.app.stats().signature_asked;
        (answers, after.misses - before.misses)
    };
    let (plain, verified) = checked(0);
    assert_eq!(verified, 36);
    for together in [1, 20, 60] {
        assert_eq!(checked(together), (plain.clone(), 0), "{together}");
    }
}
