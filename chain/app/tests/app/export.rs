//! A state that goes on as another chain: the same rows, the same answers, the same results of the same blocks.

use aceso_app::{AppError, AtRest, attest::AttestKey};
use aceso_types::{
    exported::{Key, Row},
    genesis::{Attester, Balance, Genesis, GenesisError},
    query::{Asked, QueryBlob, QueryImage, QueryJournal, QueryModel, QueryReceipts, QueryValidators},
};
use cosmos_sdk_proto::{
    cosmos::auth::v1beta1::QueryAccountAddressByIdRequest,
    cosmwasm::wasm::v1::{QueryCodeRequest, QueryContractInfoRequest, QueryRawContractStateRequest},
};
use prost::Message;
use tendermint::{PublicKey, v0_38::abci::request, validator};

use crate::{
    fixture::{Net, alice, bob, height, send},
    reads::{Clinic, picture},
};

/// The public key of the second test of RFC 8032, section 7.1; the chains of these tests begin with the first.
const SECOND: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

/// A height as the request that begins a chain with it, and the app hash that this chain should begin with.
pub(crate) struct Exported {
    pub(crate) request: request::InitChain,
    pub(crate) app_hash: tendermint::AppHash,
}

pub(crate) fn export(net: &mut Net, at: Option<u64>, chain_id: Option<&str>) -> Exported {
    net.at_rest(|state: &AtRest| {
        let export = state.export(at, chain_id.map(str::to_owned)).unwrap();
        let app_state = serde_json::to_vec(&export.app_state()).unwrap();
        assert_eq!(app_state, serde_json::to_vec(&export.app_state()).unwrap());
        let update = |one: &validator::Info| validator::Update { pub_key: one.pub_key, power: one.power };
        let request = request::InitChain {
            time: export.time,
            chain_id: export.chain_id.clone(),
            consensus_params: export.consensus.clone(),
            validators: export.validators.iter().map(update).collect(),
            app_state_bytes: app_state.into(),
            initial_height: height(export.initial_height),
        };
        Exported { request, app_hash: export.app_hash.clone() }
    })
}

/// The chain with the usual story, and one that goes on with its state.
fn gone_on() -> (Clinic, Net) {
    let mut clinic = Clinic::open();
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    assert!(clinic.run(msgs).code.is_ok());
    let exported = export(&mut clinic.net, None, None);
    let other = clinic.net.joining();
    let begun = other.app.init_chain(exported.request).unwrap();
    assert_eq!(begun.app_hash, exported.app_hash);
    (clinic, other)
}

/// The request with another `app_state`.
fn changed(request: &request::InitChain, change: impl FnOnce(&mut Genesis)) -> request::InitChain {
    let mut genesis: Genesis = serde_json::from_slice(&request.app_state_bytes).unwrap();
    change(&mut genesis);
    request::InitChain { app_state_bytes: serde_json::to_vec(&genesis).unwrap().into(), ..request.clone() }
}

#[test]
fn a_state_goes_on_in_another_chain() {
    let (mut clinic, mut other) = gone_on();
    other.put(&picture(0));
    // The same block on both, and what they are then is the same, byte for byte.
    let (there, here) = (clinic.net.block(vec![]), other.block(vec![]));
    assert_eq!((there.events, there.tx_results), (here.events, here.tx_results));
    let exports = |clinic: &mut Clinic, other: &mut Net| {
        let (there, here) = (export(&mut clinic.net, None, None), export(other, None, None));
        assert_eq!(there.request.app_state_bytes, here.request.app_state_bytes);
        assert_eq!((there.app_hash, there.request), (here.app_hash, here.request));
    };
    exports(&mut clinic, &mut other);

    let ask = |path: &'static str, data: Vec<u8>| {
        let answer = other.raw_query(path, data.clone());
        assert!(answer.code.is_ok() && !answer.value.is_empty(), "{path}: {}", answer.log);
        assert_eq!(answer.value, clinic.net.raw_query(path, data).value, "{path}");
    };
    ask(QueryModel::PATH, QueryModel { model: clinic.model.clone() }.encode_to_vec());
    ask(QueryImage::PATH, QueryImage { cid: clinic.image.to_string() }.encode_to_vec());
    ask(QueryBlob::PATH, QueryBlob { cid: clinic.image.to_string() }.encode_to_vec());
    ask(QueryReceipts::PATH, QueryReceipts { image: clinic.image.to_string(), page: None }.encode_to_vec());
    ask(QueryJournal::PATH, QueryJournal { image: clinic.image.to_string(), page: None }.encode_to_vec());
    ask(QueryValidators::PATH, QueryValidators { page: None }.encode_to_vec());
    ask("/cosmwasm.wasm.v1.Query/Code", QueryCodeRequest { code_id: 1 }.encode_to_vec());
    let info = QueryContractInfoRequest { address: clinic.guard.clone() };
    ask("/cosmwasm.wasm.v1.Query/ContractInfo", info.encode_to_vec());
    let raw = QueryRawContractStateRequest { address: clinic.reader.clone(), query_data: b"info".to_vec() };
    ask("/cosmwasm.wasm.v1.Query/RawContractState", raw.encode_to_vec());
    assert_eq!(other.balance(&alice().address()), clinic.net.balance(&alice().address()));

    // It works on: consent, contracts, the model's bytes, sequences, payment.
    let msgs = vec![clinic.permit(|request| request.grant = "g2".into()), clinic.read()];
    let tx = clinic.net.draft(&[&alice()], msgs).sign();
    let (there, here) = (clinic.net.block(vec![tx.clone()]), other.block(vec![tx]));
    assert!(here.tx_results[0].code.is_ok(), "{}", here.tx_results[0].log);
    assert_eq!((there.events, there.tx_results), (here.events, here.tx_results));
    exports(&mut clinic, &mut other);
    assert!(matches!(other.app.init_chain(other.genesis(|_| {})), Err(AppError::Started(..))));
}

#[test]
fn a_height_before_the_latest_is_exported_as_it_was() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &bob().address(), 5)]);
    let then = export(&mut net, None, None);
    let at = net.height;
    net.ok(&alice(), vec![send(&alice(), &bob().address(), 7)]);
    let now = export(&mut net, Some(at), None);
    assert_eq!((now.app_hash, now.request), (then.app_hash, then.request));
    net.at_rest(|state| {
        let refused = state.export(Some(at + 9), None).err().unwrap().to_string();
        assert!(refused.contains("is not committed yet"), "{refused}");
        state.prune(1).unwrap();
        let refused = state.export(Some(1), None).err().unwrap().to_string();
        assert!(refused.contains("is pruned, the oldest one kept is"), "{refused}");
    });
}

#[test]
fn a_chain_goes_on_under_another_name() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &bob().address(), 5)]);
    let exported = export(&mut net, None, Some("other-1"));
    let mut other = net.joining();
    assert_eq!(other.app.init_chain(exported.request).unwrap().app_hash, exported.app_hash);
    other.block(vec![]);
    assert_eq!(other.app.chain().unwrap().chain_id, "other-1");
    // What was signed for one chain is nothing to the other.
    let tx = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 5)]).sign();
    assert!(net.check(tx.clone()).code.is_ok() && other.check(tx).code.is_err());
}

#[test]
fn another_validator_takes_over() {
    let mut clinic = Clinic::open();
    let exported = export(&mut clinic.net, None, None);
    let attest = AttestKey::generate(&[8; 32]).unwrap();
    let consensus: [u8; 32] = hex::decode(SECOND).unwrap().try_into().unwrap();
    let mut request = changed(&exported.request, |genesis| {
        genesis.state.as_mut().unwrap().app_hash.clear();
        genesis.attesters = vec![Attester {
            consensus_key: consensus.to_vec(),
            bls_key: attest.public().to_vec(),
            possession: attest.possession(&consensus, 0).to_vec(),
            operator: String::new(),
            name: "trial".into(),
        }];
    });
    let pub_key = PublicKey::from_raw_ed25519(&consensus).unwrap();
    request.validators = vec![validator::Update { pub_key, power: 7_u32.into() }];
    let mut other = clinic.net.joining();
    other.app.init_chain(request).unwrap();
    other.block(vec![]);
    let rows = other.ask(&QueryValidators { page: None }).rows;
    let powers: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.power, row.signing_power)).collect();
    assert!(
        powers.contains(&("trial", 7, 7)) && powers.iter().filter(|(_, power, _)| *power > 0).count() == 1,
        "{powers:?}"
    );
    // Nobody of the new validators has said that it holds the image.
    let blob = other.ask(&QueryBlob { cid: clinic.image.to_string() });
    assert_eq!(blob.status(), aceso_types::query::BlobStatus::Pending);
}

#[test]
fn a_state_that_was_cut_or_changed_is_refused_by_name() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &bob().address(), 5)]);
    let Exported { request, .. } = export(&mut net, None, None);
    let refused = |request: request::InitChain| match net.joining().app.init_chain(request) {
        Err(AppError::Genesis(GenesisError::Field { field, reason })) => (field, reason),
        other => panic!("{other:?}"),
    };
    let state = |change: fn(&mut aceso_types::exported::State)| {
        changed(&request, |genesis| change(genesis.state.as_mut().unwrap()))
    };
    let cut = "it was cut or changed";
    for (wrong, want, words) in [
        (state(|state| drop(state.components[1].rows.pop())), "state.app_hash", cut),
        (state(|state| state.components[0].rows[0].1.push(1)), "state.app_hash", cut),
        (state(|state| state.components.retain(|one| one.name != "bank")), "state.app_hash", cut),
        (changed(&request, |genesis| genesis.params.memo_bytes_max += 1), "state.app_hash", cut),
        (changed(&request, |genesis| genesis.authority = alice().address()), "state.app_hash", cut),
        (state(|state| state.app_hash = "AB".into()), "state.app_hash", "not 64 hexadecimal digits"),
        (state(|state| state.app_hash = "x".into()), "state.app_hash", "not 64 hexadecimal digits"),
        (state(|state| state.height += 1), "state.height", "so initial_height is"),
        (state(|state| state.components.reverse()), "state.components", "stands behind"),
        (state(|state| state.components[0].rows.reverse()), "state.components", "stands behind"),
        (state(|state| state.components[0].name = "Accounts".into()), "state.components", "there is no \"Accounts\""),
        (state(|state| state.components[0].rows.insert(0, Row(Key(vec![]), vec![1]))), "state.components", "is empty"),
        (state(|state| state.components[0].rows[0].1.clear()), "state.components", "is empty"),
        (
            changed(&request, |genesis| genesis.balances = vec![Balance { address: alice().address(), coins: vec![] }]),
            "state",
            "no balances",
        ),
        (request::InitChain { initial_height: height(1), ..request.clone() }, "state.height", "so initial_height is"),
        (request::InitChain { validators: vec![], ..request.clone() }, "validators", ""),
    ] {
        let (field, reason) = refused(wrong);
        assert!(field == want && reason.contains(words), "{field}: {reason}, not {want}: {words}");
    }
    // Whoever changes it on purpose says so.
    let other = net.joining();
    let meant = changed(&request, |genesis| {
        genesis.state.as_mut().unwrap().app_hash.clear();
        genesis.params.memo_bytes_max += 1;
    });
    other.app.init_chain(meant).unwrap();
    assert!(matches!(Genesis::decode(br#"{"state": 1}"#), Err(GenesisError::Malformed(_))));
}

#[test]
fn a_state_without_accounts_by_number_gets_them_where_its_hash_is_left_open() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &bob().address(), 5)]);
    let Exported { request, .. } = export(&mut net, None, None);
    let old = |open: bool| {
        changed(&request, |genesis| {
            let state = genesis.state.as_mut().unwrap();
            let accounts = state.components.iter_mut().find(|one| one.name == "accounts").unwrap();
            let before = accounts.rows.len();
            accounts.rows.retain(|Row(Key(key), _)| !key.starts_with(b"number/"));
            assert!(accounts.rows.len() < before);
            if open {
                state.app_hash.clear();
            }
        })
    };
    let refused = net.joining().app.init_chain(old(false)).unwrap_err().to_string();
    assert!(refused.contains("accounts have no row of their number") && refused.contains("app_hash"), "{refused}");
    let other = net.joining();
    other.app.init_chain(old(true)).unwrap();
    let path = "/cosmos.auth.v1beta1.Query/AccountAddressByID";
    let mut other = other;
    other.block(vec![]);
    for number in 0..3 {
        let question = QueryAccountAddressByIdRequest { account_id: number, ..Default::default() }.encode_to_vec();
        let (there, here) = (net.raw_query(path, question.clone()), other.raw_query(path, question));
        assert!(here.code.is_ok(), "{number}: {}", here.log);
        assert_eq!(there.value, here.value, "{number}");
    }
}
