//! Compact receipts off the chain that wrote them: in the library, and in a contract that has only the host's functions
//! for the curve.

use aceso_test_support::contract;
use aceso_types::{
    msg::{Disclose, MsgRequestRead, MsgSetValidator},
    query::QueryRoot,
    sealed::SignedRoot,
};
use aceso_verify::{Roots, compact::verify_receipt, verify_compact};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tendermint::abci::types::ExecTxResult;

use crate::{
    contracts::{execute, make, store},
    fixture::{Net, alice, ours},
    guests::NOTHING,
    hospital::Hospital,
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../sdk/verify/tests/vectors/compact.json")).unwrap()
}

/// Hexadecimal as contracts read bytes.
fn binary(hexadecimal: &Value) -> String {
    STANDARD.encode(hex::decode(hexadecimal.as_str().unwrap()).unwrap())
}

fn record(net: &mut Net, verifier: &str, vector: &Value) -> ExecTxResult {
    execute(net, verifier, &json!({"record": {"compact": binary(&vector["compact"])}}).to_string())
}

/// A contract that knows all roots and takes any committee.
fn verifier(net: &mut Net, code: u64, vectors: &Value) -> String {
    let (encoded, roots) = (&vectors["encoded"], vectors["roots"]["roots"].as_array().unwrap());
    let init = json!({"root": binary(&encoded[0]["root"]), "members_min": 1, "power_min_bps": 1});
    let verifier = make(net, code, &init.to_string());
    for (place, next) in roots.iter().enumerate().skip(1) {
        let (root, signers, signature) =
            (binary(&encoded[place]["root"]), binary(&next["signers"]), binary(&next["signature"]));
        let advance = json!({"advance": {"root": root, "signers": signers, "signature": signature}});
        let taken = execute(net, &verifier, &advance.to_string());
        assert!(taken.code.is_ok(), "{}", taken.log);
    }
    verifier
}

#[test]
fn a_contract_takes_the_word_of_a_committee_and_of_nobody_else() {
    let (mut net, vectors) = (Net::start(), vectors());
    let code = store(&mut net, contract("verifier"));
    let mut gas = Vec::new();
    for vector in vectors["believed"].as_array().unwrap() {
        let verifier = verifier(&mut net, code, &vectors);
        let recorded = record(&mut net, &verifier, vector);
        assert!(recorded.code.is_ok(), "{}: {}", vector["name"], recorded.log);
        assert!(record(&mut net, &verifier, vector).log.contains("job 1207 is recorded already"));
        gas.push((vector["name"].as_str().unwrap(), recorded.gas_used));
    }
    let verifier = verifier(&mut net, code, &vectors);
    for vector in vectors["refused"].as_array().unwrap() {
        let refused = record(&mut net, &verifier, vector);
        assert!(refused.code.is_err(), "{}", vector["name"]);
    }
    println!("SDK gas of a receipt: {gas:?}");
    // Linear in the signers; a check of three of four is far from a block.
    let of_four = gas.iter().find(|(name, _)| *name == "three of four").unwrap().1;
    assert!((100_000..1_000_000).contains(&of_four), "{gas:?}");
}

fn root(hospital: &Hospital, number: u64) -> SignedRoot {
    SignedRoot::read(&hospital.ward.net.ask(&QueryRoot { number, latest: false })).unwrap()
}

#[test]
fn what_the_chain_writes_is_believed_by_its_roots_alone() {
    let mut hospital = Hospital::open(4);
    let listener = hospital.listener(NOTHING);
    let mut roots = Roots::trust(root(&hospital, 0).root).unwrap();
    hospital.seats[3].speaks = false;
    let sealed = MsgRequestRead { disclose: Disclose::Sealed.into(), ..hospital.asking() };
    for (read, asking) in (1..).zip([hospital.asking_bits(), sealed]) {
        let asking = MsgRequestRead { callback_gas: 400_000, ..asking };
        let asked = hospital.through(&listener, &asking);
        assert!(asked.code.is_ok(), "{}", asked.log);
        hospital.block(vec![]);
        let receipt = hospital.receipt(read);
        let verified = verify_receipt(&receipt, &roots).unwrap();
        assert_eq!((verified.signed, verified.power, verified.total, verified.members.len()), (30, 40, 40, 4));
        let file = receipt.compact().unwrap().encode();
        assert_eq!(verify_compact(&file, &roots), Ok(verified));
    }
    // The fourth goes, and the four say who is left.
    let leaves = MsgSetValidator {
        authority: alice().address(),
        consensus_key: hospital.seats[3].consensus.to_vec(),
        power: 0,
        operator: String::new(),
        name: String::new(),
    };
    hospital.net().ok(&alice(), vec![ours(&leaves)]);
    hospital.seats[3].speaks = true;
    let proposed = hospital.propose(vec![]);
    hospital.decide(proposed);
    roots.advance(root(&hospital, 1)).unwrap();
    assert_eq!((roots.latest().number, roots.latest().keys.len()), (1, 3));
}
