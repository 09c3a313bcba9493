//! Who may do what: one test for each way in which a transaction is not what it should be.

use aceso_types::msg::{Acceptance, MsgAttest, MsgRequestRead};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::{signing::v1beta1::SignMode, v1beta1::TxRaw},
    cosmwasm::wasm::v1::{
        AccessConfig, AccessType, MsgAddCodeUploadParamsAddresses, MsgRemoveCodeUploadParamsAddresses, MsgUpdateParams,
        Params,
    },
};
use prost::Message;
use tendermint::abci::{request::CheckTxKind, types::ExecTxResult};
use tendermint::v0_38::abci::request;

use crate::{
    fixture::{CHAIN, Draft, Key, Net, RICH, alice, bob, code, coins, nobody, ours, sdk, send},
    hospital::{Hospital, eve},
    ward::{LATER, register_reader},
};

/// A good transaction of alice's, changed; the codes of the mempool and of a block, and the mempool's words.
fn refused(change: impl Fn(&mut Draft)) -> ((String, u32), (String, u32), String) {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    change(&mut draft);
    let tx = draft.sign();
    let checked = net.check(tx.clone());
    // A proposer leaves out what does not decode or fit; the block that holds it all the same says why.
    let delivered = net.finalize(vec![tx.into()]).tx_results.remove(0);
    let delivered = (delivered.codespace.clone(), delivered.code.value());
    ((checked.codespace, checked.code.value()), delivered, checked.log)
}

fn check(change: impl Fn(&mut Draft), number: u32, words: &str) {
    let (checked, delivered, log) = refused(change);
    assert_eq!(checked, ("sdk".into(), number), "{log}");
    assert_eq!(delivered, checked, "a block says the same");
    assert!(log.contains(words), "{log}");
}

#[test]
fn a_signature_of_somebody_else() {
    check(
        |draft| draft.chain_id = "other-chain".into(),
        4,
        "please verify account number (0) and chain-id (aceso-test)",
    );
}

#[test]
fn a_signature_for_another_account_number() {
    check(|draft| draft.signers[0].1 = 7, 4, "signature verification failed");
}

#[test]
fn a_flipped_bit_in_a_signature() {
    let mut net = Net::start();
    let tx = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]).sign();
    let mut raw = TxRaw::decode(&tx[..]).unwrap();
    raw.signatures[0][40] ^= 1;
    assert_eq!(code(&net.deliver(raw.encode_to_vec())), ("sdk", 4));
    assert_eq!(net.account(&alice().address()).unwrap().sequence, 0);
    assert_eq!(net.balance(&alice().address()), RICH);
}

#[test]
fn a_sequence_that_is_not_the_next() {
    check(
        |draft| draft.signers[0].2 = 5,
        32,
        "account sequence mismatch, expected 0, got 5: incorrect account sequence",
    );
}

#[test]
fn a_transaction_that_was_in_a_block_before() {
    let mut net = Net::start();
    let tx = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]).sign();
    assert!(net.deliver(tx.clone()).code.is_ok());
    assert_eq!(code(&net.deliver(tx)), ("sdk", 32));
}

#[test]
fn a_fee_that_is_too_low_for_the_mempool() {
    let (checked, delivered, log) = refused(|draft| draft.fee = coins(3));
    assert_eq!(
        (checked.1, log.as_str()),
        (13, "insufficient fees; got: 3uaceso required: 250000uaceso: insufficient fee")
    );
    assert_eq!(delivered.1, 0, "a block may hold it all the same");
    let (checked, _, log) = refused(|draft| draft.fee = vec![]);
    assert_eq!((checked.1, log.as_str()), (13, "insufficient fees; got:  required: 250000uaceso: insufficient fee"));
}

#[test]
fn a_fee_that_is_not_there() {
    check(
        |draft| draft.fee = coins(RICH + 1),
        5,
        "is smaller than 1000000000001uaceso: insufficient funds: insufficient funds",
    );
}

#[test]
fn a_fee_that_is_no_coin() {
    check(|draft| draft.fee[0].amount = "-5".into(), 13, "invalid fee amount: -5uaceso");
}

#[test]
fn a_fee_that_somebody_else_should_grant() {
    check(|draft| draft.granter = bob().address(), 38, "fee-grant not found: not found");
}

#[test]
fn an_account_that_is_not_there() {
    let mut net = Net::start();
    let result = net.run(&nobody(), vec![send(&nobody(), &bob().address(), 1)]);
    assert_eq!(code(&result), ("sdk", 9));
    assert_eq!(result.log, format!("fee payer address: {} does not exist: unknown address", nobody().address()));
}

#[test]
fn no_gas_and_too_much() {
    check(|draft| draft.gas = 0, 41, "must provide positive gas");
    check(|draft| draft.gas = 200_000_001, 41, "tx gas limit 200000001 exceeds block max gas 200000000");
    check(|draft| draft.gas = u64::MAX, 18, "invalid gas supplied");
}

#[test]
fn gas_that_does_not_suffice() {
    check(|draft| draft.gas = 2_000, 11, "out of gas in location: txSize; gasWanted: 2000, gasUsed: ");
}

#[test]
fn gas_that_suffices_for_the_fee_only_is_lost_with_it() {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    // The first transaction of an account costs more: its key is written.
    net.ok(&alice(), draft.msgs.clone());
    draft.gas = u64::try_from(net.ok(&alice(), draft.msgs.clone()).gas_used).unwrap() - 1_000;
    draft.signers[0].2 = 2;
    let result = net.deliver(draft.sign());
    assert_eq!(code(&result), ("sdk", 11));
    assert_eq!(net.account(&alice().address()).unwrap().sequence, 3);
    assert_eq!(net.balance(&bob().address()), RICH + 2);
}

#[test]
fn a_memo_that_is_too_long() {
    check(|draft| draft.memo = "x".repeat(257), 12, "maximum number of characters is 256 but received 257 characters");
}

#[test]
fn a_height_that_has_passed() {
    check(|draft| draft.timeout = 1, 30, "block height: 2, timeout height: 1: tx timeout height");
}

#[test]
fn no_message_at_all() {
    check(|draft| draft.msgs.clear(), 18, "must contain at least one message");
}

#[test]
fn a_message_that_nobody_knows() {
    check(
        |draft| draft.msgs = vec![Any { type_url: "/cosmos.gov.v1.MsgVote".into(), value: vec![] }],
        2,
        "unable to resolve type URL \"/cosmos.gov.v1.MsgVote\": tx parse error",
    );
}

#[test]
fn a_message_with_an_unknown_field() {
    check(|draft| draft.msgs[0].value.extend([0x7a, 0]), 2, "tx parse error");
}

#[test]
fn an_address_of_another_chain() {
    let foreign = "cosmos10d07y265gmmuvt4z0w9aw880jnsr700j6zn9kn";
    check(
        |draft| draft.msgs = vec![send(&alice(), foreign, 1)],
        7,
        "invalid Bech32 prefix; expected aceso, got cosmos",
    );
}

#[test]
fn a_key_that_is_not_the_signers() {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    draft.signers[0].0 = bob();
    let result = net.deliver(draft.sign());
    assert_eq!(code(&result), ("sdk", 8));
    assert!(result.log.contains("pubKey does not match signer address"), "{}", result.log);
}

#[test]
fn too_many_and_too_few_signatures() {
    let mut net = Net::start();
    let draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    assert_eq!(code(&net.deliver(draft.with(vec![]))), ("sdk", 15));
    let two = net.draft(&[&alice(), &bob()], vec![send(&alice(), &bob().address(), 1)]);
    let result = net.deliver(two.sign());
    assert_eq!(code(&result), ("sdk", 4));
    assert!(result.log.contains("wrong number of signers; expected 1, got 2"), "{}", result.log);
    let keys: Vec<Key> = (20..28).map(Key::new).collect();
    let all: Vec<&Key> = keys.iter().collect();
    for key in &keys {
        net.ok(&alice(), vec![send(&alice(), &key.address(), 1_000_000)]);
    }
    let msgs = keys.iter().map(|key| send(key, &bob().address(), 1)).collect();
    let many = net.draft(&all, msgs);
    assert_eq!(code(&net.deliver(many.sign())), ("sdk", 14));
}

#[test]
fn two_sign_and_one_of_them_pays() {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice(), &bob()], vec![send(&alice(), &nobody().address(), 1)]);
    draft.payer = bob().address();
    assert!(net.deliver(draft.sign()).code.is_ok());
    assert_eq!(net.balance(&alice().address()), RICH - 1);
    assert_eq!(net.balance(&bob().address()), RICH - 250_000);
}

#[test]
fn amino_json_signs_as_well() {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 5)]);
    draft.mode = SignMode::LegacyAminoJson;
    draft.memo = "a & b".into();
    let doc = format!(
        r#"{{"account_number":"0","chain_id":"{CHAIN}","fee":{{"amount":[{{"amount":"250000","denom":"uaceso"}}],"gas":"10000000"}},"memo":"a \u0026 b","msgs":[{{"type":"cosmos-sdk/MsgSend","value":{{"amount":[{{"amount":"5","denom":"uaceso"}}],"from_address":"{}","to_address":"{}"}}}}],"sequence":"0"}}"#,
        alice().address(),
        bob().address(),
    );
    let good = draft.with(vec![alice().sign(doc.as_bytes())]);
    let bad = draft.with(vec![alice().sign(doc.replace("\"5\"", "\"6\"").as_bytes())]);
    let result = net.deliver(bad);
    assert_eq!(code(&result), ("sdk", 4));
    assert!(result.log.contains("please verify account number (0), sequence (0) and chain-id"), "{}", result.log);
    assert!(net.deliver(good).code.is_ok());
    assert_eq!(net.balance(&bob().address()), RICH + 5);
}

/// A transaction of one message, signed as a ledger does it: over this text of the message.
pub(crate) fn by_ledger(net: &mut Net, key: &Key, msg: Any, text: &str) -> ExecTxResult {
    let mut draft = net.draft(&[key], vec![msg]);
    draft.mode = SignMode::LegacyAminoJson;
    let (_, account_number, sequence) = draft.signers[0];
    let doc = format!(
        r#"{{"account_number":"{account_number}","chain_id":"{CHAIN}","fee":{{"amount":[{{"amount":"250000","denom":"uaceso"}}],"gas":"10000000"}},"memo":"","msgs":[{text}],"sequence":"{sequence}"}}"#
    );
    net.deliver(draft.with(vec![key.sign(doc.as_bytes())]))
}

#[test]
fn amino_json_signs_messages_about_sealed_records() {
    let mut hospital = Hospital::open(1);
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let msg = register_reader(&eve(), 0, LATER);
    let text = format!(
        r#"{{"type":"aceso/MsgRegisterReader","value":{{"account":"{}","expires":"{LATER}","key":"{}","possession":"{}"}}}}"#,
        eve().address(),
        base64(&msg.key),
        base64(&msg.possession),
    );
    let bad = by_ledger(hospital.net(), &eve(), ours(&msg), &text.replace(&LATER.to_string(), "7"));
    assert_eq!(code(&bad), ("sdk", 4));
    let good = by_ledger(hospital.net(), &eve(), ours(&msg), &text);
    assert!(good.code.is_ok(), "{}", good.log);
    let accept = Acceptance { members_min: 1, ..Acceptance::default() };
    let msg = MsgRequestRead { accept: Some(accept), ..hospital.asking_bits() };
    let text = format!(
        r#"{{"type":"aceso/MsgRequestRead","value":{{"accept":{{"members_min":1}},"actor":"{eve}","deadline":"{}","disclose":1,"findings":["{}"],"grant":"1","granter":"{alice}","image":"{}","model":"{}","owner":"{alice}","purpose":"TREAT","requester":"{eve}","terms":"{}"}}}}"#,
        msg.deadline,
        msg.findings[0],
        msg.image,
        base64(&msg.model),
        base64(&msg.terms),
        eve = eve().address(),
        alice = alice().address(),
    );
    let bad = by_ledger(hospital.net(), &eve(), ours(&msg), &text.replace("TREAT", "HMARKT"));
    assert_eq!(code(&bad), ("sdk", 4));
    let good = by_ledger(hospital.net(), &eve(), ours(&msg), &text);
    assert!(good.code.is_ok(), "{}", good.log);
    assert_eq!(hospital.opened(), 1);
}

#[test]
fn amino_json_signs_messages_about_wasms_parameters() {
    let mut net = Net::with(|genesis| genesis.authority = alice().address());
    let (alices, bobs) = (alice().address(), bob().address());
    let access = AccessConfig { permission: AccessType::AnyOfAddresses.into(), addresses: vec![bobs.clone()] };
    let params =
        Params { code_upload_access: Some(access), instantiate_default_permission: AccessType::Everybody.into() };
    let (authority, addresses) = (alices.clone(), vec![alices.clone()]);
    for (msg, name, fields) in [
        (
            sdk(&MsgUpdateParams { authority: alices.clone(), params: Some(params) }),
            "MsgUpdateParams",
            format!(
                r#""authority":"{alices}","params":{{"code_upload_access":{{"addresses":["{bobs}"],"permission":"AnyOfAddresses"}},"instantiate_default_permission":"Everybody"}}"#
            ),
        ),
        (
            sdk(&MsgAddCodeUploadParamsAddresses { authority: authority.clone(), addresses: addresses.clone() }),
            "MsgAddCodeUploadParamsAddresses",
            format!(r#""addresses":["{alices}"],"authority":"{alices}""#),
        ),
        (
            sdk(&MsgRemoveCodeUploadParamsAddresses { authority, addresses }),
            "MsgRemoveCodeUploadParamsAddresses",
            format!(r#""addresses":["{alices}"],"authority":"{alices}""#),
        ),
    ] {
        let text = format!(r#"{{"type":"wasm/{name}","value":{{{fields}}}}}"#);
        let bad = by_ledger(&mut net, &alice(), msg.clone(), &text.replace("wasm/", "aceso/"));
        assert_eq!(code(&bad), ("sdk", 4));
        let good = by_ledger(&mut net, &alice(), msg, &text);
        assert!(good.code.is_ok(), "{}", good.log);
    }
}

#[test]
fn a_sign_mode_that_is_not_supported() {
    for mode in [SignMode::Textual, SignMode::DirectAux, SignMode::Eip191, SignMode::Unspecified] {
        let words = format!(": (unsupported sign mode {}): unauthorized", mode.as_str_name());
        check(|draft| draft.mode = mode, 4, &words);
    }
}

#[test]
fn bytes_that_are_no_transaction() {
    let mut net = Net::start();
    let good = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]).sign();
    let nothing = net.check(vec![]);
    assert_eq!((nothing.codespace.as_str(), nothing.code.value()), ("sdk", 18), "{}", nothing.log);
    for (tx, words) in [
        (b"garbage".to_vec(), "tx parse error"),
        (good[..good.len() - 1].to_vec(), "tx parse error"),
        (good[..good.len() / 2].to_vec(), "tx parse error"),
        ([&good[..], &[0]].concat(), "tx parse error"),
        // The same content with a length that has one byte too many.
        ([&[good[0], good[1] | 0x80, 0x00][..], &good[2..]].concat(), "tx parse error"),
    ] {
        let checked = net.check(tx.clone());
        assert_eq!((checked.codespace.as_str(), checked.code.value()), ("sdk", 2), "{}", checked.log);
        assert!(checked.log.ends_with(words), "{}", checked.log);
        // No proposal carries them; a block that does all the same has the same result for them.
        assert!(net.propose(vec![tx.clone()]).is_empty());
        let done = net.finalize(vec![tx.into()]);
        assert_eq!(code(&done.tx_results[0]), ("sdk", 2));
        net.app.commit().unwrap();
    }
    let long = net.check(vec![0; (4 << 20) + 1]);
    assert_eq!((long.codespace.as_str(), long.code.value()), ("sdk", 21), "{}", long.log);
}

#[test]
fn an_attestation_from_a_client() {
    let mut net = Net::start();
    let attest = ours(&MsgAttest::default());
    let tx = net.draft(&[&alice()], vec![attest]).sign();
    let checked = net.check(tx.clone());
    assert_eq!((checked.codespace.as_str(), checked.code.value()), ("aceso", 601));
    let done = net.finalize(vec![tx.into()]);
    assert_eq!(code(&done.tx_results[0]), ("aceso", 601));
}

#[test]
fn the_mempool_counts_what_it_has_let_in() {
    let net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    let first = draft.sign();
    draft.signers[0].2 = 1;
    let second = draft.sign();
    assert_eq!(net.check(second.clone()).code.value(), 32);
    assert!(net.check(first.clone()).code.is_ok());
    assert!(net.check(second).code.is_ok());
    assert_eq!(net.check(first).code.value(), 32);
}

#[test]
fn a_block_clears_the_mempool_of_what_it_made_stale() {
    let mut net = Net::start();
    let tx = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]).sign();
    assert!(net.check(tx.clone()).code.is_ok());
    net.deliver(tx.clone());
    let again = net.app.check_tx(request::CheckTx { tx: tx.into(), kind: CheckTxKind::Recheck });
    assert_eq!(again.code.value(), 32);
}
