//! Every field of a transaction wrong once: the mempool and a block refuse it alike, with the code and the codespace of the
//! Cosmos SDK 0.53 and wasmd 0.61, and nothing of the state changes.
//!
//! What is wrong with signatures, sequences, fees and gas as a whole is in `signing`, with keys of several in `keys`, with
//! grants in `authz` and `sponsor`, with sealed records in `sealed_refusals`, with parameters in `wasm_messages` and `authority`,
//! with validators in `validators`, with models in `reads` and `manifests`.
//!
//! Ours is another answer where theirs is none of a kind: where wasmd lets a plain Go error through (`undefined`, 1: an
//! address of a contract, an admin, a payer that is no Bech32) it is `sdk`, 7, as the bank says it; where the SDK panics and
//! recovers (a coin without an amount) it is the kind that the next wrong amount has. What the SDK checks only in a block
//! (messages of the bank) is refused by the mempool too, where it costs nobody a fee.

use aceso_types::{
    BlobId, Digest, PixelDigest,
    guest::Origin,
    msg::{MsgRegisterAttester, MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, MsgSetValidator, SignedOrigin},
};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::MsgExec,
        bank::v1beta1::{Input, MsgMultiSend, MsgSend, Output},
        base::v1beta1::Coin,
        crypto::multisig::LegacyAminoPubKey,
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{AuthInfo, ModeInfo, SignDoc, TxBody, TxRaw, mode_info},
        },
    },
    cosmwasm::wasm::v1::{
        AccessConfig, AccessType, MsgClearAdmin, MsgExecuteContract, MsgInstantiateContract, MsgInstantiateContract2,
        MsgMigrateContract, MsgPinCodes, MsgStoreAndInstantiateContract, MsgStoreAndMigrateContract, MsgStoreCode,
        MsgSudoContract, MsgUnpinCodes, MsgUpdateAdmin, MsgUpdateContractLabel, MsgUpdateInstantiateConfig,
    },
};
use prost::{Message, Name};

use crate::{
    contracts::{make, store},
    fixture::{CHAIN, Key, Net, alice, block_of, bob, code, coins, ours, sdk, send},
    guests::{NOTHING, echo},
};

/// Codespace and code.
type Kind = (&'static str, u32);

const TX_DECODE: Kind = ("sdk", 2);
const UNAUTHORIZED: Kind = ("sdk", 4);
const ADDRESS: Kind = ("sdk", 7);
const PUB_KEY: Kind = ("sdk", 8);
const COINS: Kind = ("sdk", 10);
const FEE: Kind = ("sdk", 13);
const REQUEST: Kind = ("sdk", 18);
const EMPTY: Kind = ("wasm", 12);
const LIMIT: Kind = ("wasm", 13);
const INVALID: Kind = ("wasm", 14);
const DUPLICATE: Kind = ("wasm", 15);

/// A chain with a contract of alice's, who has the authority, and what a block without transactions makes of it.
struct Scene {
    net: Net,
    contract: String,
    idle: Vec<u8>,
}

/// A transaction of alice's in its parts.
struct Parts {
    body: TxBody,
    auth: AuthInfo,
}

impl Scene {
    fn open() -> Self {
        let mut net = Net::with(|genesis| genesis.authority = alice().address());
        let id = store(&mut net, echo());
        let contract = make(&mut net, id, NOTHING);
        let idle = net.app.finalize_block(block_of(net.height + 1, vec![])).unwrap().app_hash;
        Self { net, contract, idle: idle.as_bytes().into() }
    }

    /// A transaction of alice's, changed before she signs it.
    fn signed(&self, msg: Any, change: impl FnOnce(&mut Parts)) -> TxRaw {
        let draft = self.net.draft(&[&alice()], vec![msg]);
        let body = TxBody::decode(&draft.body()[..]).unwrap();
        let auth = AuthInfo::decode(&draft.auth()[..]).unwrap();
        let mut parts = Parts { body, auth };
        change(&mut parts);
        let (body_bytes, auth_info_bytes) = (parts.body.encode_to_vec(), parts.auth.encode_to_vec());
        let account_number = draft.signers[0].1;
        let doc = SignDoc {
            body_bytes: body_bytes.clone(),
            auth_info_bytes: auth_info_bytes.clone(),
            chain_id: CHAIN.into(),
            account_number,
        };
        TxRaw { body_bytes, auth_info_bytes, signatures: vec![alice().sign(&doc.encode_to_vec())] }
    }

    fn refuses(&self, what: &str, kind: Kind, words: &str, tx: &TxRaw) {
        let tx = tx.encode_to_vec();
        let checked = self.net.check(tx.clone());
        assert_eq!((checked.codespace.as_str(), checked.code.value()), kind, "{what}: {}", checked.log);
        assert!(checked.log.contains(words), "{what}: {}", checked.log);
        // A block that holds it all the same says so too, and is as if it did not.
        let done = self.net.app.finalize_block(block_of(self.net.height + 1, vec![tx.into()])).unwrap();
        assert_eq!(code(&done.tx_results[0]), kind, "{what}: {}", done.tx_results[0].log);
        assert_eq!(done.app_hash.as_bytes(), self.idle, "{what} changes the state");
    }

    /// A message in a transaction that is good but for it.
    fn refuses_msg(&self, what: &str, kind: Kind, words: &str, msg: Any) {
        self.refuses(what, kind, words, &self.signed(msg, |_| {}));
    }

    /// The mempool has been touched by nothing: what was good at the beginning still is.
    fn close(mut self) {
        let good = self.signed(send(&alice(), &bob().address(), 1), |_| {}).encode_to_vec();
        let checked = self.net.check(good.clone());
        assert!(checked.code.is_ok(), "{}", checked.log);
        let done = self.net.deliver(good);
        assert!(done.code.is_ok(), "{}", done.log);
    }
}

/// Coins as somebody wrote them.
fn pairs(pairs: &[(&str, &str)]) -> Vec<Coin> {
    pairs.iter().map(|(amount, denom)| Coin { denom: (*denom).into(), amount: (*amount).into() }).collect()
}

/// Lists of coins that are none, and what is wrong with them.
fn no_coins() -> Vec<(Vec<Coin>, bool)> {
    let long = "9".repeat(100);
    vec![
        (pairs(&[("0", "uaceso")]), false),
        (pairs(&[("-1", "uaceso")]), false),
        (pairs(&[("", "uaceso")]), false),
        (pairs(&[(&long, "uaceso")]), false),
        (pairs(&[("1", "")]), false),
        (pairs(&[("1", "a b")]), false),
        (pairs(&[("1", "ubtc"), ("1", "uaceso")]), false),
        (pairs(&[("1", "uaceso"), ("1", "uaceso")]), false),
        (pairs(&[("one", "uaceso")]), true),
        (pairs(&[("1.5", "uaceso")]), true),
    ]
}

/// Addresses that are none of this chain.
fn no_addresses() -> [String; 4] {
    let address = bob().address();
    let spoiled = format!("{}{}", &address[..address.len() - 1], if address.ends_with('q') { 'p' } else { 'q' });
    let foreign = "cosmos10d07y265gmmuvt4z0w9aw880jnsr700j6zn9kn";
    [String::new(), "aceso1".into(), spoiled, foreign.into()]
}

fn nested(open: &str, shut: &str, depth: usize) -> Vec<u8> {
    format!("{}1{}", open.repeat(depth), shut.repeat(depth)).into_bytes()
}

/// Messages to a contract that are no JSON, or more than anybody nests.
fn no_json() -> [Vec<u8>; 5] {
    [vec![], b"{".to_vec(), b"no json".to_vec(), nested("[", "]", 100_000), nested(r#"{"a":"#, "}", 100_000)]
}

fn no_labels() -> [(Kind, String); 6] {
    [
        (EMPTY, String::new()),
        (LIMIT, "l".repeat(129)),
        (INVALID, " label".into()),
        (INVALID, "label\n".into()),
        (INVALID, "la\tbel".into()),
        (INVALID, "la\u{202e}bel".into()),
    ]
}

fn permission(permission: i32, addresses: Vec<String>) -> Option<AccessConfig> {
    Some(AccessConfig { permission, addresses })
}

fn no_permissions() -> [(Kind, Option<AccessConfig>); 6] {
    let any_of: i32 = AccessType::AnyOfAddresses.into();
    [
        (EMPTY, permission(AccessType::Unspecified.into(), vec![])),
        (INVALID, permission(77, vec![])),
        (EMPTY, permission(any_of, vec![])),
        (ADDRESS, permission(any_of, vec!["x".into()])),
        (REQUEST, permission(any_of, vec![bob().address(); 51])),
        (DUPLICATE, permission(any_of, vec![bob().address(), bob().address().to_uppercase()])),
    ]
}

#[test]
fn every_field_of_a_transaction_is_wrong_once() {
    let scene = Scene::open();
    let good = || scene.signed(send(&alice(), &bob().address(), 1), |_| {});
    let raw = |what: &str, kind: Kind, words: &str, change: &dyn Fn(&mut TxRaw)| {
        let mut tx = good();
        change(&mut tx);
        scene.refuses(what, kind, words, &tx);
    };
    raw("body of other bytes", TX_DECODE, "tx body", &|tx| tx.body_bytes = vec![0xff; 9]);
    raw("no body", REQUEST, "must contain at least one message", &|tx| tx.body_bytes.clear());
    raw("auth info of other bytes", TX_DECODE, "auth info", &|tx| tx.auth_info_bytes = vec![0xff; 9]);
    // The SDK has a plain error, or panics, where there is no fee; here it is one without gas.
    raw("no auth info", ("sdk", 41), "must provide positive gas", &|tx| tx.auth_info_bytes.clear());
    for length in [0, 1, 63, 65] {
        raw("signature of another length", UNAUTHORIZED, "", &|tx| tx.signatures[0].resize(length, 7));
    }
    raw("signature of zeros", UNAUTHORIZED, "", &|tx| tx.signatures[0] = vec![0; 64]);
    // Fields that came with 0.53 and that nothing here obeys are unknown, so nobody believes that they count: `unordered`
    // (an SDK that has it switched off says 37) and `timeout_timestamp`.
    raw("unordered", TX_DECODE, "unknown fields", &|tx| tx.body_bytes.extend([0x20, 1]));
    raw("timeout_timestamp", TX_DECODE, "unknown fields", &|tx| tx.body_bytes.extend([0x2a, 2, 8, 1]));

    let made = |what: &str, kind: Kind, words: &str, change: &dyn Fn(&mut Parts)| {
        let tx = scene.signed(send(&alice(), &bob().address(), 1), change);
        scene.refuses(what, kind, words, &tx);
    };
    let any = || Any { type_url: "/x.Option".into(), value: vec![] };
    made("extension_options", ("sdk", 31), "unknown extension options", &|tx| tx.body.extension_options.push(any()));
    for url in ["", "/", "cosmos.bank.v1beta1.MsgSend", "/cosmos.bank.v1beta1.MsgBurn"] {
        made("message's type_url", TX_DECODE, "unable to resolve type URL", &|tx| {
            tx.body.messages[0].type_url = url.into();
        });
    }
    made("message's value", TX_DECODE, "MsgSend", &|tx| tx.body.messages[0].value = vec![0xff; 5]);

    made("no signer_infos", UNAUTHORIZED, "wrong number of signers", &|tx| tx.auth.signer_infos.clear());
    made("public_key without its bytes", PUB_KEY, "public key has 33 bytes", &|tx| {
        tx.auth.signer_infos[0].public_key.as_mut().unwrap().value.clear();
    });
    made("public_key of other bytes", TX_DECODE, "PubKey", &|tx| {
        tx.auth.signer_infos[0].public_key.as_mut().unwrap().value = vec![0xff; 5];
    });
    made("public_key of other keys inside each other", PUB_KEY, "keys inside each other", &|tx| {
        let key = tx.auth.signer_infos[0].public_key.as_mut().unwrap();
        for _ in 0..1_000 {
            let inside = LegacyAminoPubKey { threshold: 1, public_keys: vec![key.clone()] };
            *key = Any { type_url: LegacyAminoPubKey::type_url(), value: inside.encode_to_vec() };
        }
    });
    made("no mode_info", UNAUTHORIZED, "unsupported sign mode", &|tx| tx.auth.signer_infos[0].mode_info = None);
    made("mode_info of a number", UNAUTHORIZED, "unsupported sign mode 99", &|tx| {
        let sum = Some(mode_info::Sum::Single(mode_info::Single { mode: 99 }));
        tx.auth.signer_infos[0].mode_info = Some(ModeInfo { sum });
    });
    for (depth, words) in [(20, "multisignature"), (1_000, "recursion limit")] {
        made("mode_infos inside each other", TX_DECODE, words, &|tx| {
            let info = tx.auth.signer_infos[0].mode_info.as_mut().unwrap();
            for _ in 0..depth {
                let multi = mode_info::Multi { bitarray: None, mode_infos: vec![info.clone()] };
                *info = ModeInfo { sum: Some(mode_info::Sum::Multi(multi)) };
            }
        });
    }
    for (amount, is_text) in no_coins() {
        let (kind, words) = if is_text { (TX_DECODE, "tx parse error") } else { (FEE, "invalid fee amount") };
        made("fee's amount", kind, words, &|tx| tx.auth.fee.as_mut().unwrap().amount = amount.clone());
    }
    for address in no_addresses().into_iter().filter(|address| !address.is_empty()) {
        made("fee's payer", ADDRESS, "", &|tx| tx.auth.fee.as_mut().unwrap().payer = address.clone());
        made("fee's granter", ADDRESS, "", &|tx| tx.auth.fee.as_mut().unwrap().granter = address.clone());
    }
    made("fee of one who has not signed", UNAUTHORIZED, "expected 2, got 1", &|tx| {
        tx.auth.fee.as_mut().unwrap().payer = bob().address();
    });
    #[allow(deprecated, reason = "it is written to be refused")]
    let tip = cosmos_sdk_proto::cosmos::tx::v1beta1::Tip { amount: coins(1), tipper: bob().address() };
    #[allow(deprecated, reason = "it is written to be refused")]
    made("tip", ("sdk", 37), "tips", &|tx| tx.auth.tip = Some(tip.clone()));
    scene.close();
}

#[test]
fn every_field_of_the_banks_messages_is_wrong_once() {
    let scene = Scene::open();
    let (alices, bobs) = (alice().address(), bob().address());
    let msg = || MsgSend { from_address: alices.clone(), to_address: bobs.clone(), amount: coins(1) };
    for address in no_addresses() {
        scene.refuses_msg("from_address", ADDRESS, "", sdk(&MsgSend { from_address: address.clone(), ..msg() }));
        scene.refuses_msg("to_address", ADDRESS, "invalid to address", sdk(&MsgSend { to_address: address, ..msg() }));
    }
    for (amount, is_text) in no_coins() {
        let kind = if is_text { TX_DECODE } else { COINS };
        scene.refuses_msg("amount", kind, "", sdk(&MsgSend { amount, ..msg() }));
    }
    scene.refuses_msg("no amount", COINS, "invalid coins", sdk(&MsgSend { amount: vec![], ..msg() }));

    let input = || Input { address: alices.clone(), coins: coins(2) };
    let output = || Output { address: bobs.clone(), coins: coins(1) };
    let msg = || MsgMultiSend { inputs: vec![input()], outputs: vec![output(), output()] };
    for (what, kind, msg) in [
        // Nobody has to sign it then, and the SDK stops there too.
        ("no inputs", ADDRESS, MsgMultiSend { inputs: vec![], ..msg() }),
        ("two inputs", ("bank", 9), MsgMultiSend { inputs: vec![input(), input()], ..msg() }),
        ("no outputs", ("bank", 3), MsgMultiSend { outputs: vec![], ..msg() }),
        ("another sum", ("bank", 4), MsgMultiSend { outputs: vec![output()], ..msg() }),
        // Elsewhere gas alone bounds them.
        ("1001 outputs", REQUEST, MsgMultiSend { outputs: vec![output(); 1_001], ..msg() }),
    ] {
        scene.refuses_msg(what, kind, "", sdk(&msg));
    }
    for address in no_addresses() {
        let outputs = vec![output(), Output { address: address.clone(), ..output() }];
        scene.refuses_msg(
            "output's address",
            ADDRESS,
            "invalid output address",
            sdk(&MsgMultiSend { outputs, ..msg() }),
        );
        let inputs = vec![Input { address, ..input() }];
        scene.refuses_msg("input's address", ADDRESS, "", sdk(&MsgMultiSend { inputs, ..msg() }));
    }
    for (coins, is_text) in no_coins() {
        let kind = if is_text { TX_DECODE } else { COINS };
        let outputs = vec![output(), Output { coins: coins.clone(), ..output() }];
        scene.refuses_msg("output's coins", kind, "", sdk(&MsgMultiSend { outputs, ..msg() }));
        let inputs = vec![Input { coins, ..input() }];
        scene.refuses_msg("input's coins", kind, "", sdk(&MsgMultiSend { inputs, ..msg() }));
    }
    scene.close();
}

#[test]
fn every_field_of_messages_that_make_contracts_is_wrong_once() {
    let scene = Scene::open();
    let sender = alice().address();
    let stores = || MsgStoreCode { sender: sender.clone(), wasm_byte_code: echo(), instantiate_permission: None };
    let makes = || MsgInstantiateContract {
        sender: sender.clone(),
        admin: sender.clone(),
        code_id: 1,
        label: "label".into(),
        msg: NOTHING.into(),
        funds: coins(1),
    };
    let salted = || MsgInstantiateContract2 {
        sender: sender.clone(),
        admin: sender.clone(),
        code_id: 1,
        label: "label".into(),
        msg: NOTHING.into(),
        funds: coins(1),
        salt: vec![7],
        fix_msg: false,
    };
    let at_once = || MsgStoreAndInstantiateContract {
        authority: sender.clone(),
        wasm_byte_code: echo(),
        label: "label".into(),
        msg: NOTHING.into(),
        ..MsgStoreAndInstantiateContract::default()
    };
    for address in no_addresses() {
        let of = || address.clone();
        scene.refuses_msg("sender", ADDRESS, "", sdk(&MsgStoreCode { sender: of(), ..stores() }));
        scene.refuses_msg("sender", ADDRESS, "", sdk(&MsgInstantiateContract { sender: of(), ..makes() }));
        scene.refuses_msg("sender", ADDRESS, "", sdk(&MsgInstantiateContract2 { sender: of(), ..salted() }));
        scene.refuses_msg(
            "authority",
            ADDRESS,
            "",
            sdk(&MsgStoreAndInstantiateContract { authority: of(), ..at_once() }),
        );
        if address.is_empty() {
            // A contract without an admin is one that stays as it is.
            continue;
        }
        scene.refuses_msg("admin", ADDRESS, "admin", sdk(&MsgInstantiateContract { admin: of(), ..makes() }));
        scene.refuses_msg("admin", ADDRESS, "admin", sdk(&MsgInstantiateContract2 { admin: of(), ..salted() }));
        scene.refuses_msg("admin", ADDRESS, "admin", sdk(&MsgStoreAndInstantiateContract { admin: of(), ..at_once() }));
    }
    // Their limit of 800 KiB is one of the chain's parameters here, so it is the block that knows it.
    let nothing = sdk(&MsgStoreCode { wasm_byte_code: vec![], ..stores() });
    scene.refuses_msg("wasm_byte_code", REQUEST, "code bytes", nothing);
    let nothing = sdk(&MsgStoreAndInstantiateContract { wasm_byte_code: vec![], ..at_once() });
    scene.refuses_msg("wasm_byte_code", REQUEST, "code bytes", nothing);
    for (kind, instantiate_permission) in no_permissions() {
        let config = || instantiate_permission.clone();
        let words = "instantiate permission";
        let msg = sdk(&MsgStoreCode { instantiate_permission: config(), ..stores() });
        scene.refuses_msg("instantiate_permission", kind, words, msg);
        let msg = sdk(&MsgStoreAndInstantiateContract { instantiate_permission: config(), ..at_once() });
        scene.refuses_msg("instantiate_permission", kind, words, msg);
        let (sender, code_id) = (sender.clone(), 1);
        let msg = sdk(&MsgUpdateInstantiateConfig { sender, code_id, new_instantiate_permission: config() });
        scene.refuses_msg("new_instantiate_permission", kind, words, msg);
    }
    let (owner, none) = (sender.clone(), None);
    let msg = MsgUpdateInstantiateConfig { sender: owner, code_id: 1, new_instantiate_permission: none };
    scene.refuses_msg("no permission", REQUEST, "instantiate permission is required", sdk(&msg));
    let msg = MsgUpdateInstantiateConfig { code_id: 0, ..msg };
    scene.refuses_msg("code_id", REQUEST, "code id is required", sdk(&msg));
    for msg in [
        sdk(&MsgInstantiateContract { code_id: 0, ..makes() }),
        sdk(&MsgInstantiateContract2 { code_id: 0, ..salted() }),
    ] {
        scene.refuses_msg("code_id", REQUEST, "code id is required", msg);
    }
    for (kind, label) in no_labels() {
        let of = || label.clone();
        scene.refuses_msg("label", kind, "label", sdk(&MsgInstantiateContract { label: of(), ..makes() }));
        scene.refuses_msg("label", kind, "label", sdk(&MsgInstantiateContract2 { label: of(), ..salted() }));
        scene.refuses_msg("label", kind, "label", sdk(&MsgStoreAndInstantiateContract { label: of(), ..at_once() }));
        let (sender, contract) = (sender.clone(), scene.contract.clone());
        let msg = MsgUpdateContractLabel { sender, new_label: of(), contract };
        scene.refuses_msg("new_label", kind, "label", sdk(&msg));
    }
    for msg in no_json() {
        let of = || msg.clone();
        scene.refuses_msg("msg", INVALID, "payload msg", sdk(&MsgInstantiateContract { msg: of(), ..makes() }));
        scene.refuses_msg("msg", INVALID, "payload msg", sdk(&MsgInstantiateContract2 { msg: of(), ..salted() }));
        scene.refuses_msg(
            "msg",
            INVALID,
            "payload msg",
            sdk(&MsgStoreAndInstantiateContract { msg: of(), ..at_once() }),
        );
    }
    for (funds, is_text) in no_coins() {
        let (of, kind) = (|| funds.clone(), if is_text { TX_DECODE } else { COINS });
        scene.refuses_msg("funds", kind, "", sdk(&MsgInstantiateContract { funds: of(), ..makes() }));
        scene.refuses_msg("funds", kind, "", sdk(&MsgInstantiateContract2 { funds: of(), ..salted() }));
        scene.refuses_msg("funds", kind, "", sdk(&MsgStoreAndInstantiateContract { funds: of(), ..at_once() }));
    }
    scene.refuses_msg("no salt", EMPTY, "salt", sdk(&MsgInstantiateContract2 { salt: vec![], ..salted() }));
    scene.refuses_msg("salt", LIMIT, "salt", sdk(&MsgInstantiateContract2 { salt: vec![7; 65], ..salted() }));
    scene.close();
}

#[test]
fn every_field_of_messages_to_contracts_is_wrong_once() {
    let scene = Scene::open();
    let (sender, contract) = (alice().address(), scene.contract.clone());
    let (sender, contract) = (|| sender.clone(), || contract.clone());
    let executes =
        || MsgExecuteContract { sender: sender(), contract: contract(), msg: NOTHING.into(), funds: coins(1) };
    let migrates = || MsgMigrateContract { sender: sender(), contract: contract(), code_id: 1, msg: NOTHING.into() };
    let sudo = || MsgSudoContract { authority: sender(), contract: contract(), msg: NOTHING.into() };
    let at_once = || MsgStoreAndMigrateContract {
        authority: sender(),
        contract: contract(),
        wasm_byte_code: echo(),
        msg: NOTHING.into(),
        ..MsgStoreAndMigrateContract::default()
    };
    let admin = || MsgUpdateAdmin { sender: sender(), contract: contract(), new_admin: bob().address() };
    let label = || MsgUpdateContractLabel { sender: sender(), contract: contract(), new_label: "new".into() };
    for address in no_addresses() {
        let of = || address.clone();
        for msg in [
            sdk(&MsgExecuteContract { contract: of(), ..executes() }),
            sdk(&MsgMigrateContract { contract: of(), ..migrates() }),
            sdk(&MsgSudoContract { contract: of(), ..sudo() }),
            sdk(&MsgStoreAndMigrateContract { contract: of(), ..at_once() }),
            sdk(&MsgUpdateAdmin { contract: of(), ..admin() }),
            sdk(&MsgClearAdmin { sender: sender(), contract: of() }),
            sdk(&MsgUpdateContractLabel { contract: of(), ..label() }),
        ] {
            scene.refuses_msg("contract", ADDRESS, "contract", msg);
        }
        for msg in [
            sdk(&MsgExecuteContract { sender: of(), ..executes() }),
            sdk(&MsgMigrateContract { sender: of(), ..migrates() }),
            sdk(&MsgSudoContract { authority: of(), ..sudo() }),
            sdk(&MsgStoreAndMigrateContract { authority: of(), ..at_once() }),
            sdk(&MsgUpdateAdmin { sender: of(), ..admin() }),
            sdk(&MsgClearAdmin { sender: of(), contract: contract() }),
            sdk(&MsgUpdateContractLabel { sender: of(), ..label() }),
            sdk(&MsgPinCodes { authority: of(), code_ids: vec![1] }),
            sdk(&MsgUnpinCodes { authority: of(), code_ids: vec![1] }),
        ] {
            scene.refuses_msg("sender", ADDRESS, "", msg);
        }
        scene.refuses_msg("new_admin", ADDRESS, "new admin", sdk(&MsgUpdateAdmin { new_admin: of(), ..admin() }));
    }
    let same = sdk(&MsgUpdateAdmin { new_admin: sender().to_uppercase(), ..admin() });
    scene.refuses_msg("new_admin as before", INVALID, "new admin is the same as the old", same);
    for msg in no_json() {
        let of = || msg.clone();
        for msg in [
            sdk(&MsgExecuteContract { msg: of(), ..executes() }),
            sdk(&MsgMigrateContract { msg: of(), ..migrates() }),
            sdk(&MsgSudoContract { msg: of(), ..sudo() }),
            sdk(&MsgStoreAndMigrateContract { msg: of(), ..at_once() }),
        ] {
            scene.refuses_msg("msg", INVALID, "payload msg", msg);
        }
    }
    for (funds, is_text) in no_coins() {
        let kind = if is_text { TX_DECODE } else { COINS };
        scene.refuses_msg("funds", kind, "", sdk(&MsgExecuteContract { funds, ..executes() }));
    }
    scene.refuses_msg("code_id", REQUEST, "code id is required", sdk(&MsgMigrateContract { code_id: 0, ..migrates() }));
    let nothing = sdk(&MsgStoreAndMigrateContract { wasm_byte_code: vec![], ..at_once() });
    scene.refuses_msg("wasm_byte_code", REQUEST, "code bytes", nothing);
    for (kind, instantiate_permission) in no_permissions() {
        let msg = sdk(&MsgStoreAndMigrateContract { instantiate_permission, ..at_once() });
        scene.refuses_msg("instantiate_permission", kind, "instantiate permission", msg);
    }
    for code_ids in [vec![], (1..=51).collect(), vec![1, 1]] {
        let of = || code_ids.clone();
        for msg in [
            sdk(&MsgPinCodes { authority: sender(), code_ids: of() }),
            sdk(&MsgUnpinCodes { authority: sender(), code_ids: of() }),
        ] {
            scene.refuses_msg("code_ids", REQUEST, "code ids", msg);
        }
    }
    scene.close();
}

#[test]
fn every_address_in_our_messages_is_wrong_once() {
    let scene = Scene::open();
    let alices = alice().address();
    for address in no_addresses() {
        let of = || address.clone();
        let origin = SignedOrigin { institution: of(), ..SignedOrigin::default() };
        let image = || MsgRegisterImage { owner: alices.clone(), ..MsgRegisterImage::default() };
        for msg in [
            ours(&MsgRegisterBlob { owner: of(), ..MsgRegisterBlob::default() }),
            ours(&MsgRegisterModel { author: of(), ..MsgRegisterModel::default() }),
            ours(&MsgRegisterImage { owner: of(), ..image() }),
            ours(&MsgRegisterImage { origin: Some(origin), ..image() }),
            ours(&MsgSetValidator { authority: of(), ..MsgSetValidator::default() }),
            ours(&MsgRegisterAttester { operator: of(), ..MsgRegisterAttester::default() }),
        ] {
            scene.refuses_msg(&msg.type_url.clone(), ADDRESS, "", msg);
        }
        if !address.is_empty() {
            scene.refuses_msg("guard", ADDRESS, "guard", ours(&MsgRegisterImage { guard: of(), ..image() }));
            let msg = MsgSetValidator { authority: alices.clone(), operator: of(), ..MsgSetValidator::default() };
            scene.refuses_msg("operator", ADDRESS, "operator", ours(&msg));
        }
    }
    scene.close();
}

/// What the chain's parameters bound is known in a block only, where it costs its fee.
#[test]
fn every_other_field_of_what_registers_files_is_wrong_once() {
    let mut scene = Scene::open();
    let params = scene.net.app.chain().unwrap().params;
    let (size_max, term_max) = (params.blob_bytes_max, params.blob_term_max);
    let cid = BlobId::of_raw(b"file").to_string();
    let blob = MsgRegisterBlob { owner: alice().address(), cid: cid.clone(), size: 9, term: 5 };
    let image = MsgRegisterImage { owner: blob.owner.clone(), cid, size: 9, term: 5, ..MsgRegisterImage::default() };
    let hospital = Key::new(50);
    let digest = |byte: u8| Digest([byte; 32]);
    let origin = Origin {
        institution: hospital.address(),
        pixels: PixelDigest(digest(1)),
        study: digest(2),
        subject: digest(3),
    };
    let origin = SignedOrigin {
        institution: hospital.address(),
        pixels: vec![1; 32],
        study: vec![2; 32],
        subject: vec![3; 32],
        public_key: hospital.public(),
        signature: hospital.sign(&origin.sign_bytes(CHAIN).0),
    };
    let mut wrong: Vec<(&str, u32, Any)> = Vec::new();
    // Nothing, CIDv0, a hash of another kind, and what goes on behind a good one.
    let sha512 = "bafkrgqdaqc6jidv7gqwxtyaeudi7iqbjezrmiqyhkbdx2iqd3zs2y5j2gzsc4ywc3kmihu4pyqkzbgyb2n6wmkdcuzyzyfbsjkjzy4xzyqfg2";
    for none in ["", "Qm", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKd3mK", sha512, &format!("{}a", blob.cid)] {
        wrong.push(("cid", 101, ours(&MsgRegisterBlob { cid: none.into(), ..blob.clone() })));
        wrong.push(("cid", 101, ours(&MsgRegisterImage { cid: none.into(), ..image.clone() })));
    }
    for size in [0, size_max + 1, u64::MAX] {
        wrong.push(("size", 103, ours(&MsgRegisterBlob { size, ..blob.clone() })));
        wrong.push(("size", 103, ours(&MsgRegisterImage { size, ..image.clone() })));
    }
    for term in [0, term_max + 1, u64::MAX] {
        wrong.push(("term", 103, ours(&MsgRegisterBlob { term, ..blob.clone() })));
        wrong.push(("term", 103, ours(&MsgRegisterImage { term, ..image.clone() })));
    }
    for text in ["dx", "D-X", "SEVENTEEN_LETTERS", "DX\n", "Ü"] {
        wrong.push(("modality", 404, ours(&MsgRegisterImage { modality: text.into(), ..image.clone() })));
        wrong.push(("body_part", 404, ours(&MsgRegisterImage { body_part: text.into(), ..image.clone() })));
    }
    wrong.push(("guard", 403, ours(&MsgRegisterImage { guard: bob().address(), ..image.clone() })));
    for (what, origin) in [
        ("pixels", SignedOrigin { pixels: vec![1; 31], ..origin.clone() }),
        ("pixels", SignedOrigin { pixels: vec![9; 32], ..origin.clone() }),
        ("study", SignedOrigin { study: vec![], ..origin.clone() }),
        ("study", SignedOrigin { study: vec![9; 32], ..origin.clone() }),
        ("subject", SignedOrigin { subject: vec![3; 33], ..origin.clone() }),
        ("subject", SignedOrigin { subject: vec![9; 32], ..origin.clone() }),
        ("institution", SignedOrigin { institution: bob().address(), ..origin.clone() }),
        ("public_key", SignedOrigin { public_key: bob().public(), ..origin.clone() }),
        ("public_key", SignedOrigin { public_key: vec![], ..origin.clone() }),
        ("public_key", SignedOrigin { public_key: [&hospital.public()[..], &[0]].concat(), ..origin.clone() }),
        ("signature", SignedOrigin { signature: vec![], ..origin.clone() }),
        ("signature", SignedOrigin { signature: vec![7; 64], ..origin.clone() }),
        ("signature", SignedOrigin { signature: [&origin.signature[..], &[0]].concat(), ..origin.clone() }),
    ] {
        wrong.push((what, 405, ours(&MsgRegisterImage { origin: Some(origin), ..image.clone() })));
    }
    for (what, number, msg) in wrong {
        let done = scene.net.run(&alice(), vec![msg]);
        assert_eq!(code(&done), ("aceso", number), "{what}: {}", done.log);
    }
    scene.net.ok(&alice(), vec![ours(&MsgRegisterImage { origin: Some(origin), ..image })]);
    scene.close();
}

#[test]
fn what_lies_too_deep_is_refused() {
    let scene = Scene::open();
    // As deep as Go looks is JSON; whether the contract reads it is for the contract.
    let (sender, contract) = (alice().address(), scene.contract.clone());
    let msg = |depth| {
        let (sender, contract, msg) = (sender.clone(), contract.clone(), nested("[", "]", depth));
        sdk(&MsgExecuteContract { sender, contract, msg, funds: vec![] })
    };
    let done = |tx: TxRaw| {
        let block = block_of(scene.net.height + 1, vec![tx.encode_to_vec().into()]);
        let result = scene.net.app.finalize_block(block).unwrap().tx_results.remove(0);
        (result.codespace.clone(), result.code.value())
    };
    assert_eq!(done(scene.signed(msg(10_000), |_| {})).0, "wasm");
    scene.refuses_msg("message", INVALID, "nested more than 10000 deep", msg(10_001));
    // A ledger's document has the message in it, and nobody sorts one that is so deep.
    let amino = |tx: &mut Parts| {
        let sum = Some(mode_info::Sum::Single(mode_info::Single { mode: SignMode::LegacyAminoJson.into() }));
        tx.auth.signer_infos[0].mode_info = Some(ModeInfo { sum });
    };
    scene.refuses("document", INVALID, "recursion limit", &scene.signed(msg(5_000), amino));
    let mut exec = send(&alice(), &bob().address(), 1);
    for _ in 0..1_000 {
        exec = sdk(&MsgExec { grantee: alice().address(), msgs: vec![exec] });
    }
    scene.refuses_msg("messages inside each other", TX_DECODE, "max depth exceeded", exec);
    scene.close();
}
