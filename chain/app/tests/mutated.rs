//! What becomes of ten thousand spoiled transactions and as many spoiled questions? This file has one test, so the process
//! is its alone and its memory tells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

#[path = "app/fixture.rs"]
#[allow(dead_code, reason = "the chain of the application's other tests")]
mod fixture;

use std::{collections::BTreeSet, fs};

use aceso_test_support::{guests, random::Random};
use cosmos_sdk_proto::cosmos::{
    auth::v1beta1::QueryAccountRequest,
    bank::v1beta1::QueryBalanceRequest,
    tx::v1beta1::{SimulateRequest, TxRaw},
};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    MsgExecuteContract, MsgInstantiateContract, MsgStoreCode, QueryRawContractStateRequest,
    QuerySmartContractStateRequest,
};
use fixture::{Net, alice, block_of, bob, coins, height, sdk, send};
use prost::Message;
use tendermint::v0_38::abci::request;

const COUNT: usize = 10_000;
/// By then everything that is made once has been made.
const WARM: usize = 2_000;
/// What memory may grow by after that, for what the allocator has not given back yet.
const GROWTH: u64 = 24 << 20;

/// Pages of this process that are in memory, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Bytes, bits and pieces changed, left out, doubled, swapped, cut off, or taken from another one.
fn spoil(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut spoiled = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = |random: &mut Random, end: usize| usize::try_from(random.below(end as u64 + 1)).unwrap();
        let from = at(random, spoiled.len());
        let to = (from + at(random, 40)).min(spoiled.len());
        match random.below(8) {
            0 | 1 if from < spoiled.len() => spoiled[from] ^= 1 << random.below(8),
            2 if from < spoiled.len() => spoiled[from] = random.next().to_le_bytes()[0],
            3 => spoiled.truncate(from),
            4 => drop(spoiled.drain(from..to)),
            5 => {
                let piece = spoiled[from..to].to_vec();
                let place = at(random, spoiled.len());
                spoiled.splice(place..place, piece);
            }
            6 => {
                let piece: Vec<u8> = spoiled.drain(from..to).collect();
                let place = at(random, spoiled.len());
                spoiled.splice(place..place, piece);
            }
            _ => {
                spoiled.truncate(from);
                spoiled.extend(&other[at(random, other.len())..]);
            }
        }
    }
    spoiled
}

/// A chain with a contract, and transactions of its two accounts that are good now.
fn chain() -> (Net, Vec<Vec<u8>>) {
    let mut net = Net::start();
    let sender = alice().address();
    let stored = MsgStoreCode { sender: sender.clone(), wasm_byte_code: guests::echo(), instantiate_permission: None };
    let made = MsgInstantiateContract {
        sender: sender.clone(),
        admin: sender.clone(),
        code_id: 1,
        label: "echo".into(),
        msg: guests::NOTHING.into(),
        funds: vec![],
    };
    net.ok(&alice(), vec![sdk(&stored), sdk(&made)]);
    let (contract, msg) = (CONTRACT.to_owned(), guests::NOTHING.into());
    let call = MsgExecuteContract { sender, contract, msg, funds: coins(3) };
    let sends = |to: &str| vec![send(&alice(), to, 1), send(&alice(), to, 2)];
    let drafts = [
        net.draft(&[&alice()], vec![sdk(&call)]),
        net.draft(&[&alice()], sends(&bob().address())),
        net.draft(&[&bob()], vec![send(&bob(), &alice().address(), 9)]),
        net.draft(&[&alice(), &bob()], vec![send(&alice(), CONTRACT, 1), send(&bob(), CONTRACT, 1)]),
    ];
    let good = drafts.iter().map(fixture::Draft::sign).collect();
    (net, good)
}

/// The first contract of this chain.
const CONTRACT: &str = "aceso14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s07h6ny";

fn questions(good: &[Vec<u8>]) -> Vec<(&'static str, Vec<u8>)> {
    let (address, denom) = (alice().address(), "uaceso".to_owned());
    let smart = QuerySmartContractStateRequest { address: CONTRACT.into(), query_data: b"{\"a\":[1]}".to_vec() };
    let raw = QueryRawContractStateRequest { address: CONTRACT.into(), query_data: b"config".to_vec() };
    let account = QueryAccountRequest { address: address.clone() };
    #[allow(deprecated, reason = "the field is left empty")]
    let simulate = SimulateRequest { tx: None, tx_bytes: good[1].clone() };
    vec![
        ("/cosmwasm.wasm.v1.Query/SmartContractState", smart.encode_to_vec()),
        ("/cosmwasm.wasm.v1.Query/RawContractState", raw.encode_to_vec()),
        ("/cosmos.auth.v1beta1.Query/Account", account.encode_to_vec()),
        ("/cosmos.bank.v1beta1.Query/Balance", QueryBalanceRequest { address, denom }.encode_to_vec()),
        ("/cosmos.tx.v1beta1.Service/Simulate", simulate.encode_to_vec()),
        ("/store/bank/key", b"supply/uaceso".to_vec()),
    ]
}

#[test]
fn ten_thousand_spoiled_transactions_and_questions_change_nothing_and_take_no_memory() {
    let (mut net, good) = chain();
    let questions = questions(&good);
    let at = net.height + 1;
    let idle = net.app.finalize_block(block_of(at, vec![])).unwrap().app_hash;
    let root = net.app.info().last_block_app_hash;
    let mut random = Random::new(20_260_101);
    let (mut codes, mut block, mut warm, mut answered) = (BTreeSet::new(), Vec::new(), 0, 0);
    for count in 0..COUNT {
        let [one, other] = [(); 2].map(|()| &good[usize::try_from(random.below(good.len() as u64)).unwrap()]);
        // As a whole, or one of its parts, so that the rest is read.
        let mut raw = TxRaw::decode(&one[..]).unwrap();
        let part = match random.below(4) {
            0 => None,
            1 => Some(&mut raw.body_bytes),
            2 => Some(&mut raw.auth_info_bytes),
            _ => Some(&mut raw.signatures[0]),
        };
        let tx = match part {
            None => spoil(&mut random, one, other),
            Some(part) => {
                *part = spoil(&mut random, part, other);
                raw.encode_to_vec()
            }
        };
        if good.contains(&tx) {
            continue;
        }
        // Whatever is not what somebody signed is nobody's, so none of it is taken.
        let checked = net.check(tx.clone());
        assert!(checked.code.is_err() && !checked.codespace.is_empty(), "taken: {}", hex::encode(&tx));
        codes.insert((checked.codespace, checked.code.value()));
        block.push(tx.into());
        // Blocks that hold them all the same are blocks without transactions.
        if block.len() == 100 {
            let done = net.app.finalize_block(block_of(at, std::mem::take(&mut block))).unwrap();
            assert!(done.tx_results.iter().all(|result| result.code.is_err()));
            assert_eq!(done.app_hash, idle, "a block of spoiled transactions changes the state");
        }
        let (path, data) = &questions[usize::try_from(random.below(questions.len() as u64)).unwrap()];
        let (mut asked, mut data) = (path.as_bytes().to_vec(), data.clone());
        match random.below(4) {
            0 => asked = spoil(&mut random, &asked, b"/store/wasm/key"),
            _ => data = spoil(&mut random, &data, one),
        }
        let height = height(random.of(&[0, 0, 1, 99]).unwrap());
        let prove = random.below(4) == 0;
        let path = String::from_utf8_lossy(&asked).into_owned();
        let answer = net.app.query(request::Query { path, data: data.into(), height, prove });
        assert!(
            answer.code.is_ok() || !(answer.log.is_empty() || answer.codespace.is_empty()),
            "refused without words"
        );
        answered += usize::from(answer.code.is_ok());
        if count == WARM {
            warm = resident();
        }
    }
    let grown = resident().saturating_sub(warm);
    assert!(grown < GROWTH, "grew by {grown} bytes");
    assert_eq!(net.app.info().last_block_app_hash, root);
    // They have reached what they were to reach: the decoder, the fields' checks, the signature.
    let kinds: Vec<u32> = codes.iter().filter(|(space, _)| space == "sdk").map(|(_, code)| *code).collect();
    assert!([2, 4, 7, 32].iter().all(|code| kinds.contains(code)) && answered > 100, "{codes:?}, {answered} answered");
    eprintln!("grew by {grown} bytes; refused with {codes:?}; {answered} questions answered");
    // Nothing stands in the way of those that were good before, and all come to what they come to elsewhere.
    let (mut other, _) = chain();
    let good = good[..2].iter().take(1).chain(&good[2..3]).cloned().collect::<Vec<_>>();
    assert!(good.iter().all(|tx| net.check(tx.clone()).code.is_ok()));
    assert_eq!(net.block(good.clone()), other.block(good));
}
