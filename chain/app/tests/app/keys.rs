//! Accounts whose key is of another kind than secp256k1, or several keys.

use cosmos_sdk_proto::{
    Any,
    cosmos::{
        crypto::{
            ed25519, multisig,
            multisig::v1beta1::{CompactBitArray, MultiSignature},
            secp256k1, secp256r1,
        },
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{
                AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, SimulateRequest, SimulateResponse, TxBody, TxRaw,
                mode_info,
            },
        },
    },
};
use prost::Message;
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use tendermint::abci::types::ExecTxResult;

use crate::fixture::{CHAIN, DENOM, Key, Net, alice, bob, code, coins, nobody, sdk, text, told};

/// Signs in one of the ways that are there.
enum Pen {
    Secp256k1(Key),
    Ed25519(ed25519_consensus::SigningKey),
    Secp256r1(p256::ecdsa::SigningKey),
}

impl Pen {
    fn all() -> [Self; 3] {
        let passkey = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
        [Self::Secp256k1(Key::new(21)), Self::Ed25519([3; 32].into()), Self::Secp256r1(passkey)]
    }

    fn public(&self) -> Any {
        match self {
            Self::Secp256k1(key) => sdk(&secp256k1::PubKey { key: key.public() }),
            Self::Ed25519(key) => sdk(&ed25519::PubKey { key: key.verification_key().to_bytes().into() }),
            Self::Secp256r1(key) => {
                sdk(&secp256r1::PubKey { key: key.verifying_key().to_encoded_point(true).as_bytes().into() })
            }
        }
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Secp256k1(key) => key.sign(bytes),
            Self::Ed25519(key) => key.sign(bytes).to_bytes().into(),
            Self::Secp256r1(key) => {
                use p256::ecdsa::signature::Signer;
                let made: p256::ecdsa::Signature = key.sign(bytes);
                made.normalize_s().unwrap_or(made).to_bytes().to_vec()
            }
        }
    }

    /// Put together here once more from ADR-028 and from what amino's specification says.
    fn address(&self) -> String {
        let key = secp256k1::PubKey::decode(&self.public().value[..]).unwrap().key;
        match self {
            Self::Secp256k1(_) => text(&Ripemd160::digest(Sha256::digest(key))),
            Self::Ed25519(_) => text(&Sha256::digest(key)[..20]),
            Self::Secp256r1(_) => {
                let kind = Sha256::digest("cosmos.crypto.secp256r1.PubKey");
                text(&Sha256::digest([&kind[..], &key].concat()))
            }
        }
    }
}

/// Three secp256k1 keys, of which two have to sign.
struct Group(Vec<Key>);

impl Group {
    fn new() -> Self {
        Self((31..34).map(Key::new).collect())
    }

    fn public(&self) -> Any {
        let public_keys = self.0.iter().map(|key| sdk(&secp256k1::PubKey { key: key.public() })).collect();
        sdk(&multisig::LegacyAminoPubKey { threshold: 2, public_keys })
    }

    fn address(&self) -> String {
        let members =
            self.0.iter().flat_map(|key| [&[0x12, 38, 0xeb, 0x5a, 0xe9, 0x87, 33][..], &key.public()].concat());
        let amino: Vec<u8> = [0x22, 0xc1, 0xf7, 0xe2, 0x08, 2].into_iter().chain(members).collect();
        text(&Sha256::digest(amino)[..20])
    }
}

fn single(mode: SignMode) -> ModeInfo {
    ModeInfo { sum: Some(mode_info::Sum::Single(mode_info::Single { mode: mode.into() })) }
}

/// What several sign: `bits` from the highest on, of which `size` count.
fn several(size: u32, bits: u8, mode_infos: Vec<ModeInfo>) -> ModeInfo {
    let bitarray = Some(CompactBitArray { extra_bits_stored: size, elems: vec![bits] });
    ModeInfo { sum: Some(mode_info::Sum::Multi(mode_info::Multi { bitarray, mode_infos })) }
}

fn joined(signatures: Vec<Vec<u8>>) -> Vec<u8> {
    MultiSignature { signatures }.encode_to_vec()
}

/// A transaction of one account that sends five coins to nobody, before it is signed.
struct Paper {
    from: String,
    body: Vec<u8>,
    auth: Vec<u8>,
    number: u64,
    sequence: u64,
}

impl Paper {
    fn new(net: &Net, from: &str, public_key: Option<Any>, mode_info: Option<ModeInfo>) -> Self {
        let account = net.account(from).unwrap();
        let send = cosmos_sdk_proto::cosmos::bank::v1beta1::MsgSend {
            from_address: from.into(),
            to_address: nobody().address(),
            amount: coins(5),
        };
        let body = TxBody { messages: vec![sdk(&send)], ..TxBody::default() }.encode_to_vec();
        let fee = Some(Fee { amount: coins(250_000), gas_limit: 10_000_000, ..Fee::default() });
        let info = SignerInfo { public_key, mode_info, sequence: account.sequence };
        let auth = AuthInfo { signer_infos: vec![info], fee, ..AuthInfo::default() }.encode_to_vec();
        Self { from: from.into(), body, auth, number: account.account_number, sequence: account.sequence }
    }

    fn direct(&self) -> Vec<u8> {
        let (body_bytes, auth_info_bytes) = (self.body.clone(), self.auth.clone());
        SignDoc { body_bytes, auth_info_bytes, chain_id: CHAIN.into(), account_number: self.number }.encode_to_vec()
    }

    fn amino(&self) -> Vec<u8> {
        let Self { from, number, sequence, .. } = self;
        format!(
            r#"{{"account_number":"{number}","chain_id":"{CHAIN}","fee":{{"amount":[{{"amount":"250000","denom":"{DENOM}"}}],"gas":"10000000"}},"memo":"","msgs":[{{"type":"cosmos-sdk/MsgSend","value":{{"amount":[{{"amount":"5","denom":"{DENOM}"}}],"from_address":"{from}","to_address":"{}"}}}}],"sequence":"{sequence}"}}"#,
            nobody().address()
        )
        .into_bytes()
    }

    fn with(&self, signatures: Vec<Vec<u8>>) -> Vec<u8> {
        TxRaw { body_bytes: self.body.clone(), auth_info_bytes: self.auth.clone(), signatures }.encode_to_vec()
    }
}

/// A chain on which these accounts have coins.
fn net_with(accounts: &[String]) -> Net {
    let mut net = Net::start();
    for account in accounts {
        net.ok(&alice(), vec![crate::fixture::send(&alice(), account, 10_000_000)]);
    }
    net
}

#[test]
fn keys_of_every_kind_sign() {
    let pens = Pen::all();
    let addresses = pens.each_ref().map(Pen::address);
    let mut net = net_with(&addresses);
    let mut gas = Vec::new();
    for (pen, from) in pens.iter().zip(&addresses) {
        let paper = Paper::new(&net, from, Some(pen.public()), Some(single(SignMode::Direct)));
        let other = [&paper.direct()[..], b"x"].concat();
        let wrong = paper.with(vec![pen.sign(&other)]);
        assert_eq!(net.check(wrong.clone()).code.value(), 4);
        let refused = net.deliver(wrong);
        assert_eq!(code(&refused), ("sdk", 4));
        assert!(refused.log.ends_with(": (unable to verify single signer signature): unauthorized"), "{}", refused.log);
        let result = net.deliver(paper.with(vec![pen.sign(&paper.direct())]));
        assert!(result.code.is_ok(), "{}", result.log);
        gas.push(result.gas_used);
        // From now on the key is known, and amino signs as well.
        let paper = Paper::new(&net, from, None, Some(single(SignMode::LegacyAminoJson)));
        let result = net.deliver(paper.with(vec![pen.sign(&paper.amino())]));
        assert!(result.code.is_ok(), "{}", result.log);
        assert_eq!(net.account(from).unwrap().pub_key, Some(pen.public()));
    }
    assert_eq!(net.balance(&nobody().address()), 30);
    // The first makes nobody's account too; an address of secp256r1 is longer wherever it stands.
    expect_test::expect!["[55360, 46527, 50936]"].assert_eq(&format!("{gas:?}"));
}

#[test]
fn two_of_three_sign_each_in_its_own_mode() {
    let group = Group::new();
    let from = group.address();
    let mut net = net_with(&[from.clone()]);
    let (amino, direct) = (single(SignMode::LegacyAminoJson), single(SignMode::Direct));
    for (bits, modes, members) in [(0b1010_0000, [&amino, &amino], [0, 2]), (0b0110_0000, [&direct, &amino], [1, 2])] {
        let info = several(3, bits, modes.map(Clone::clone).into());
        let paper = Paper::new(&net, &from, Some(group.public()), Some(info));
        let sign = |at: usize| {
            let bytes = if *modes[at] == amino { paper.amino() } else { paper.direct() };
            group.0[members[at]].sign(&bytes)
        };
        let (first, second) = (sign(0), sign(1));
        let swapped = net.deliver(paper.with(vec![joined(vec![second.clone(), first.clone()])]));
        assert_eq!(code(&swapped), ("sdk", 4));
        let result = net.deliver(paper.with(vec![joined(vec![first, second])]));
        assert!(result.code.is_ok(), "{}", result.log);
        let signatures = told(&result).iter().filter(|line| line.starts_with("tx signature=")).count();
        assert_eq!(signatures, 3, "each, and all in one");
    }
    assert_eq!(net.balance(&nobody().address()), 10);
    assert_eq!(net.account(&from).unwrap().pub_key, Some(group.public()));
}

/// What a block says of a transaction of the group with these members' signatures.
fn refused(info: ModeInfo, sign: impl Fn(&Group, &[u8]) -> Vec<u8>) -> ExecTxResult {
    let group = Group::new();
    let mut net = net_with(&[group.address()]);
    let paper = Paper::new(&net, &group.address(), Some(group.public()), Some(info));
    let tx = paper.with(vec![sign(&group, &paper.direct())]);
    let checked = net.check(tx.clone());
    let result = net.deliver(tx);
    assert_eq!((checked.code, &checked.log), (result.code, &result.log), "mempool and block say the same");
    assert_eq!(net.account(&group.address()).unwrap().sequence, 0);
    result
}

#[test]
fn a_multisignature_is_refused_for_what_is_wrong_with_it() {
    let direct = || single(SignMode::Direct);
    let by = |members: &'static [usize]| {
        move |group: &Group, bytes: &[u8]| joined(members.iter().map(|at| group.0[*at].sign(bytes)).collect())
    };
    let words = |result: ExecTxResult, words: &str| {
        assert_eq!(code(&result), ("sdk", 4), "{}", result.log);
        assert!(result.log.ends_with(&format!(": ({words}): unauthorized")), "{}", result.log);
    };
    let two = 0b1010_0000;
    words(refused(several(3, 0b1000_0000, vec![direct()]), by(&[0])), "signature size is incorrect 1");
    words(
        refused(several(3, 0b1000_0000, vec![direct(); 2]), by(&[0, 2])),
        "not enough signatures set, have 1, expected 2",
    );
    words(refused(several(3, two, vec![direct(); 3]), by(&[0, 2, 1])), "signature size is incorrect 3");
    words(refused(several(3, 0b1110_0000, vec![direct(); 2]), by(&[0, 1])), "signature size is incorrect 2");
    for (size, bits) in [(2, 0b1100_0000), (4, two), (0, two), (9, two), (3, 0b1010_0001)] {
        let result = refused(several(size, bits, vec![direct(); 2]), by(&[0, 2]));
        words(result, "bit array size is incorrect, expecting: 3");
    }
    words(refused(several(3, two, vec![direct(); 2]), by(&[0, 1])), "unable to verify signature at index 2");
    let textual = vec![direct(), single(SignMode::Textual)];
    words(refused(several(3, two, textual), by(&[0, 2])), "unsupported sign mode SIGN_MODE_TEXTUAL");
    words(refused(direct(), |group, bytes| group.0[0].sign(bytes)), "expected a multisignature, got one signature");
    let inner = several(1, 0b1000_0000, vec![direct()]);
    let nested = |group: &Group, bytes: &[u8]| {
        let one = group.0[0].sign(bytes);
        joined(vec![joined(vec![one.clone()]), one])
    };
    words(refused(several(3, two, vec![inner, direct()]), nested), "unable to parse pubkey of index 0");
    // Where all sign amino, the SDK says what else may be wrong.
    let amino = single(SignMode::LegacyAminoJson);
    let result = refused(several(3, two, vec![amino; 2]), by(&[0, 2]));
    assert_eq!(code(&result), ("sdk", 4));
    assert!(result.log.ends_with("sequence (0) and chain-id (aceso-test): unauthorized"), "{}", result.log);
    // What does not decode at all.
    for signature in [vec![0xff], [joined(vec![vec![1], vec![2]]), vec![0x12, 0]].concat(), joined(vec![vec![1]])] {
        let result = refused(several(3, two, vec![direct(); 2]), move |_, _| signature.clone());
        assert_eq!(code(&result), ("sdk", 2), "{}", result.log);
    }
}

#[test]
fn one_key_makes_no_multisignature() {
    let mut net = Net::start();
    let info = several(1, 0b1000_0000, vec![single(SignMode::Direct)]);
    let key = sdk(&secp256k1::PubKey { key: bob().public() });
    let paper = Paper::new(&net, &bob().address(), Some(key), Some(info));
    let result = net.deliver(paper.with(vec![joined(vec![bob().sign(&paper.direct())])]));
    assert_eq!(code(&result), ("sdk", 4));
    assert!(result.log.contains("expected one signature, got a multisignature"), "{}", result.log);
}

#[test]
fn every_key_of_several_counts_as_a_signature() {
    let public_keys: Vec<_> = (41..49).map(|seed| sdk(&secp256k1::PubKey { key: Key::new(seed).public() })).collect();
    let key = sdk(&multisig::LegacyAminoPubKey { threshold: 1, public_keys });
    let mut net = Net::start();
    let paper = Paper::new(&net, &bob().address(), Some(key), Some(single(SignMode::Direct)));
    // It is not bob's; a simulation does not ask whose it is, but how many there are.
    assert_eq!(code(&net.deliver(paper.with(vec![vec![0; 64]]))), ("sdk", 8));
    let simulated = simulate(&net, paper.with(vec![vec![]]));
    let words = "signatures: 8, limit: 7: maximum number of signatures exceeded";
    assert!(simulated.unwrap_err().contains(words));
}

#[test]
fn a_key_that_cannot_be_is_no_panic() {
    for (key, want) in [
        (Any { type_url: "/cosmos.crypto.sr25519.PubKey".into(), value: vec![] }, 37),
        (sdk(&secp256r1::PubKey { key: vec![2; 32] }), 8),
        (sdk(&multisig::LegacyAminoPubKey { threshold: 3, public_keys: vec![] }), 8),
        (Any { value: vec![0xff], ..sdk(&ed25519::PubKey::default()) }, 2),
    ] {
        let mut net = Net::start();
        let paper = Paper::new(&net, &bob().address(), Some(key), Some(single(SignMode::Direct)));
        let result = net.deliver(paper.with(vec![vec![0; 64]]));
        assert_eq!(code(&result), ("sdk", want), "{}", result.log);
    }
}

#[allow(deprecated, reason = "the field is left empty")]
fn simulate(net: &Net, tx_bytes: Vec<u8>) -> Result<u64, String> {
    let request = SimulateRequest { tx: None, tx_bytes };
    let answer = net.raw_query("/cosmos.tx.v1beta1.Service/Simulate", request.encode_to_vec());
    if !answer.code.is_ok() {
        return Err(answer.log);
    }
    Ok(SimulateResponse::decode(answer.value).unwrap().gas_info.unwrap().gas_used)
}

#[test]
fn a_simulation_needs_neither_keys_nor_signatures() {
    let group = Group::new();
    let from = group.address();
    let mut net = net_with(&[from.clone()]);
    let two = || several(3, 0b1010_0000, vec![single(SignMode::LegacyAminoJson); 2]);
    let member = sdk(&secp256k1::PubKey { key: group.0[0].public() });
    let shapes = |net: &Net| {
        let paper = |key: Option<&Any>, mode| Paper::new(net, &from, key.cloned(), mode);
        let (group, unspecified) = (group.public(), single(SignMode::Unspecified));
        vec![
            paper(Some(&member), Some(unspecified.clone())).with(vec![vec![]]),
            paper(None, Some(single(SignMode::LegacyAminoJson))).with(vec![vec![0; 64]]),
            paper(Some(&group), Some(unspecified)).with(vec![vec![]]),
            paper(Some(&group), Some(two())).with(vec![vec![]]),
            paper(Some(&group), Some(two())).with(vec![joined(vec![vec![0; 64]; 2])]),
            paper(Some(&group), Some(several(77, 0xff, vec![]))).with(vec![vec![7]]),
            paper(None, None).with(vec![]),
        ]
    };
    let simulated = |net: &Net| -> Vec<u64> { shapes(net).into_iter().map(|tx| simulate(net, tx).unwrap()).collect() };
    let before = simulated(&net);
    let paper = Paper::new(&net, &from, Some(group.public()), Some(two()));
    let signed = [0, 2].map(|at| group.0[at].sign(&paper.amino())).to_vec();
    let used = net.deliver(paper.with(vec![joined(signed)])).gas_used;
    // Where the key was there to be seen, the simulation has found enough.
    for gas in &before[2..5] {
        assert!(i64::try_from(*gas).unwrap() >= used, "{before:?} {used}");
    }
    // Once it is known, no shape of it finds less.
    let paper = Paper::new(&net, &from, Some(group.public()), Some(two()));
    let signed = [0, 2].map(|at| group.0[at].sign(&paper.amino())).to_vec();
    let after = simulated(&net);
    let used = net.deliver(paper.with(vec![joined(signed)])).gas_used;
    for gas in &after[2..5] {
        assert!(i64::try_from(*gas).unwrap() >= used, "{after:?} {used}");
    }
}
