//! Work that the host does for contracts under module `aceso`: hashes, multiples of points, receipts.

use aceso_types::guest::{HASHED_MAX, MULTIPLY_MAX};
use aceso_types::sealed::{Backing, COMPACT_BYTES_MAX, Compact, ROOT_BYTES_MAX, SignedRoot};
use aceso_vm::{Entry, Report, VmConfig, VmError, price};
use cosmwasm_crypto::HashFunction;
use expect_test::expect;
use serde_json::Value;

use crate::fixture::{Contract, PLENTY, Tiers};
use crate::mock::Mock;

/// Where a call's answer is written: behind the errno.
const OUT: &str = "(i32.const 1004)";

/// Bytes and length of an argument.
fn bytes(argument: u32) -> String {
    format!("(i32.load (local.get {argument})) (i32.load offset=8 (local.get {argument}))")
}

/// A contract that calls an import with these operands and answers its errno and what it has written.
fn contract(import: &str, operands: &str, written: usize) -> Vec<u8> {
    let params = match import {
        "verify_receipt" => 6,
        name if name.ends_with("_msm") => 4,
        _ => 3,
    };
    let imports = format!(r#"(import "aceso" "{import}" (func $f (param {}) (result i32)))"#, "i32 ".repeat(params));
    let execute = format!(
        "(i32.store (i32.const 1000) (call $f {operands}))
         (i32.store (local.get 2) (i32.const 1000)) (i32.store offset=4 (local.get 2) (i32.const {0}))
         (i32.store offset=8 (local.get 2) (i32.const {0})) (local.get 2)",
        4 + written
    );
    let contract = Contract {
        imports: &imports,
        memory: r#"(memory (export "memory") 128)"#,
        extra: r#"(func (export "requires_aceso"))"#,
        execute: &execute,
        ..Contract::default()
    };
    contract.wasm()
}

fn run(wasm: &[u8], args: [&[u8]; 3], gas: u64) -> Report {
    Tiers::new().call(wasm, Entry::Execute, &args, gas, Mock::default).0
}

/// The errno and what was written.
fn answer(import: &str, operands: &str, args: [&[u8]; 3], written: usize) -> (u32, Vec<u8>) {
    let report = run(&contract(import, operands, written), args, PLENTY);
    let (errno, bytes) = report.result.as_deref().unwrap().split_at(4);
    (u32::from_le_bytes(errno.try_into().unwrap()), bytes.into())
}

fn hash(function: &str, data: &[u8]) -> String {
    let (errno, hash) = answer(function, &format!("{} {OUT}", bytes(0)), [data, b"", b""], 32);
    assert_eq!(errno, 0);
    hex(&hash)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

const HASHES: [&str; 4] = ["keccak256", "sha256", "sha3_256", "blake3"];

/// FIPS 180-4 and 202 with NIST's examples, Keccak's own, and BLAKE3's `test_vectors.json`.
#[test]
fn published_vectors() {
    let million = vec![b'a'; 1_000_000];
    let counted: Vec<u8> = (0..102_400_u32).map(|at| (at % 251) as u8).collect();
    for (function, data, want) in [
        ("keccak256", &b""[..], "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("keccak256", b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        ("keccak256", &million, "fadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96"),
        ("sha256", b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("sha256", b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha256", &million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ("sha3_256", b"", "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
        ("sha3_256", b"abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        ("sha3_256", &million, "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1"),
        ("blake3", b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        ("blake3", b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        ("blake3", &counted, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
    ] {
        assert_eq!(hash(function, data), want, "{function} of {} bytes", data.len());
    }
}

#[test]
fn hashes_are_bounded_by_length_and_memory() {
    let long = vec![7; HASHED_MAX];
    for function in HASHES {
        let errno = |operands: &str| answer(function, operands, [b"abc", b"", b""], 32).0;
        assert_eq!(hash(function, &long).len(), 64);
        assert_eq!(errno(&format!("(i32.const 4096) (i32.const {}) {OUT}", HASHED_MAX + 1)), 7);
        assert_eq!(errno(&format!("(i32.const 4096) (i32.const -1) {OUT}")), 7);
        // The memory has 8 MiB.
        assert_eq!(errno(&format!("(i32.const 8388600) (i32.const 9) {OUT}")), 1);
        assert_eq!(errno(&format!("(i32.const -1) (i32.const 1) {OUT}")), 1);
        assert_eq!(errno(&format!("(i32.const 8388608) (i32.const 0) {OUT}")), 0);
        assert_eq!(errno(&format!("{} (i32.const 8388577)", bytes(0))), 1);
        assert_eq!(errno(&format!("{} (i32.const -1)", bytes(0))), 1);
    }
}

#[test]
fn hashes_cost_what_is_said_and_nothing_is_done_unpaid() {
    let prices = [price::KECCAK, price::SHA256, price::KECCAK, price::BLAKE3];
    for (function, price) in HASHES.into_iter().zip(prices) {
        let wasm = contract(function, &format!("{} {OUT}", bytes(0)), 32);
        let used = |length: usize| run(&wasm, [&vec![1; length], b"", b""], PLENTY).gas_used;
        let each = price.each + price::BYTES_IN + price::WRITE_REGION.each;
        assert_eq!(used(1_064) - used(64), 1_000 * each, "{function}");
        let base = price.base + 32 * price::BYTES_OUT + 64 * (price.each + price::BYTES_IN) + price::HOST_CALL;
        let refused = contract(function, &format!("(i32.const 0) (i32.const -1) {OUT}"), 32);
        let call = run(&refused, [&[1; 64], b"", b""], PLENTY).gas_used - price::HOST_CALL;
        // Two loads more and a constant less than the call that is refused at once.
        assert_eq!(used(64) - call - base, 2 * price::OP, "{function}");
        exact(&wasm, [&[1; 64], b"", b""]);
    }
}

/// A call with just enough gas succeeds, and with one less does not.
#[track_caller]
fn exact(wasm: &[u8], args: [&[u8]; 3]) {
    let used = run(wasm, args, PLENTY).gas_used;
    assert!(run(wasm, args, used).result.is_ok());
    assert_eq!(run(wasm, args, used - 1).result, Err(VmError::OutOfGas { limit: used - 1 }));
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../sdk/verify/tests/vectors/compact.json")).unwrap()
}

const VERIFY: &str = "verify_receipt";

/// What the host says of a receipt, a root and the digest that is trusted.
fn verify(receipt: &[u8], root: &[u8], trusted: &[u8; 32]) -> (u32, Vec<u8>) {
    let operands = format!("{} {} (i32.load (local.get 2)) {OUT}", bytes(0), bytes(1));
    answer(VERIFY, &operands, [receipt, root, trusted], Backing::BYTES)
}

#[test]
fn receipts_are_believed_and_refused_as_by_the_library() {
    let vectors = vectors();
    let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap();
    let check = |vector: &Value| {
        let receipt = unhex(vector["compact"].as_str().unwrap());
        let number = Compact::decode(&receipt).map_or(0, |compact| compact.root as usize);
        let root = &roots.get(number).unwrap_or(&roots[0]).root;
        verify(&receipt, &root.encode(), &root.digest().0)
    };
    for vector in vectors["believed"].as_array().unwrap() {
        let (errno, backing) = check(vector);
        assert_eq!(errno, 0, "{}", vector["name"]);
        let Backing { members, signed, power, total } = Backing::from_bytes(&backing.try_into().unwrap());
        let want = ["signed", "power", "total"].map(|field| vector[field].as_u64().unwrap());
        assert_eq!([signed, power, total], want, "{}", vector["name"]);
        assert_eq!(members as usize, vector["members"].as_array().unwrap().len());
    }
    let refused = vectors["refused"].as_array().unwrap();
    let told: String =
        refused.iter().map(|one| format!("{} {}\n", check(one).0, one["name"].as_str().unwrap())).collect();
    expect![[r#"
        39 two of three
        39 half
        39 85 of 128
        39 nobody
        38 a bit for a fifth
        41 one said to have signed who has not
        37 a member that is in no root
        37 a member of a later root
        36 a root that is not known
        41 the keys of another root
        41 the signers as a committee of their own
        41 another finding
        41 another patient
        41 another frame
        35 another chain
        41 the identity as signature
        41 a signature outside of the subgroup
        41 a signature that is no point
        34 members out of order
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_root_is_the_one_that_is_trusted() {
    let vectors = vectors();
    let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap();
    let receipt = unhex(vectors["believed"][2]["compact"].as_str().unwrap());
    let (root, trusted) = (roots[0].root.encode(), roots[0].root.digest().0);
    let errno = |receipt: &[u8], root: &[u8], trusted: &[u8; 32]| verify(receipt, root, trusted).0;
    assert_eq!(errno(&receipt, &root, &trusted), 0);
    assert_eq!(errno(&receipt, &root, &roots[1].root.digest().0), 32);
    assert_eq!(errno(&receipt, &roots[1].root.encode(), &trusted), 32);
    assert_eq!(errno(&receipt, &root[1..], &trusted), 32);
    // Of another number, trusted.
    assert_eq!(errno(&receipt, &roots[1].root.encode(), &roots[1].root.digest().0), 36);
    // Trusted, and no root.
    let none = aceso_types::Digest::sha3("aceso/root/v1", &[b"none"]);
    assert_eq!(errno(&receipt, b"none", &none.0), 33);
    assert_eq!(errno(b"", &root, &trusted), 34);
    assert_eq!(errno(&receipt[..receipt.len() - 1], &root, &trusted), 34);
    // A key that is none, of somebody who has signed.
    let mut spoiled = roots[0].root.clone();
    spoiled.keys[0].key = vec![0xc0; 48];
    assert_eq!(errno(&receipt, &spoiled.encode(), &spoiled.digest().0), 40);
}

#[test]
fn receipts_are_bounded_and_paid_for() {
    let vectors = vectors();
    let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap();
    let receipt = unhex(vectors["believed"][2]["compact"].as_str().unwrap());
    let (root, trusted) = (roots[0].root.encode(), roots[0].root.digest().0);
    let args = [&receipt[..], &root, &trusted];
    let digest = "(i32.load (local.get 2))";
    let errno = |operands: &str| answer(VERIFY, operands, args, 32).0;
    assert_eq!(errno(&format!("(i32.const 0) (i32.const {}) {} {digest} {OUT}", COMPACT_BYTES_MAX + 1, bytes(1))), 7);
    assert_eq!(errno(&format!("{} (i32.const 0) (i32.const {}) {digest} {OUT}", bytes(0), ROOT_BYTES_MAX + 1)), 7);
    assert_eq!(errno(&format!("(i32.const -2) (i32.const 9) {} {digest} {OUT}", bytes(1))), 1);
    assert_eq!(errno(&format!("{} (i32.const -2) (i32.const 9) {digest} {OUT}", bytes(0))), 1);
    assert_eq!(errno(&format!("{} {} (i32.const 8388577) {OUT}", bytes(0), bytes(1))), 1);
    assert_eq!(errno(&format!("{} {} {digest} (i32.const 8388577)", bytes(0), bytes(1))), 1);

    let wasm = contract(VERIFY, &format!("{} {} {digest} {OUT}", bytes(0), bytes(1)), 32);
    exact(&wasm, args);
    // Three have signed. The same with another digest is refused before the curve.
    let [used, refused] = [&trusted, &[0; 32]].map(|trusted| run(&wasm, [&receipt, &root, trusted], PLENTY).gas_used);
    assert_eq!(used - refused, price::RECEIPT_CHECK.of(3) + 32 * price::BYTES_OUT);
}

const G1: &str = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
const ORDER: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

fn msm(group: u32, points: &[Vec<u8>], scalars: &[Vec<u8>]) -> (u32, String) {
    let operands = format!(
        "(i32.load (local.get 0)) (i32.load (local.get 1)) (i32.div_u (i32.load offset=8 (local.get 1)) (i32.const 32)) {OUT}"
    );
    let written = 48 * group as usize;
    let args = [&points.concat()[..], &scalars.concat(), b""];
    let (errno, sum) = answer(&format!("bls12_381_g{group}_msm"), &operands, args, written);
    (errno, hex(&sum))
}

/// A scalar from its last byte.
fn small(number: u8) -> Vec<u8> {
    [&[0; 31][..], &[number]].concat()
}

fn point(group: u32, number: u32) -> Vec<u8> {
    let (message, tag) = (number.to_be_bytes(), b"aceso/test");
    match group {
        1 => cosmwasm_crypto::bls12_381_hash_to_g1(HashFunction::Sha256, &message, tag).to_vec(),
        _ => cosmwasm_crypto::bls12_381_hash_to_g2(HashFunction::Sha256, &message, tag).to_vec(),
    }
}

fn aggregate(group: u32, points: &[Vec<u8>]) -> String {
    match group {
        1 => hex(&cosmwasm_crypto::bls12_381_aggregate_g1(&points.concat()).unwrap()),
        _ => hex(&cosmwasm_crypto::bls12_381_aggregate_g2(&points.concat()).unwrap()),
    }
}

#[test]
fn multiples_are_those_of_the_other_library() {
    // Twice the generator, as published with the curve's keys of small numbers.
    let twice = "a572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e";
    assert_eq!(msm(1, &[unhex(G1)], &[small(2)]), (0, twice.into()));
    let mut last = unhex(ORDER);
    last[31] = 0;
    for group in [1, 2] {
        let points: Vec<Vec<u8>> = (0..40).map(|number| point(group, number)).collect();
        let identity = format!("c0{}", "00".repeat(48 * group as usize - 1));
        for count in [1, 2, 3, 31, 32, 33, 40] {
            let scalars: Vec<Vec<u8>> = (0..count as u8).map(|number| small(number % 4)).collect();
            let repeated = points.iter().zip(&scalars).flat_map(|(one, n)| vec![one.clone(); n[31].into()]);
            let repeated: Vec<Vec<u8>> = repeated.collect();
            let sum = if repeated.is_empty() { identity.clone() } else { aggregate(group, &repeated) };
            assert_eq!(msm(group, &points[..count], &scalars), (0, sum), "{count} points of group {group}");
        }
        // The order less one makes a point's opposite; the identity may stand among points; points may repeat.
        let (one, none) = (&points[0], unhex(&identity));
        assert_eq!(msm(group, &[one.clone(), one.clone()], &[last.clone(), small(1)]), (0, identity.clone()));
        assert_eq!(msm(group, &[none.clone(), one.clone()], &[last.clone(), small(1)]), (0, hex(one)));
        assert_eq!(msm(group, &[none], &[small(9)]), (0, identity.clone()));
        assert_eq!(msm(group, &[], &[]), (0, identity));
        // Scalars of full length: what sdk/contract's tests have by a third library.
        let scalars: Vec<Vec<u8>> = (0..40).map(|at| [&[at + 1; 31][..], &[7]].concat()).collect();
        let told = msm(group, &points, &scalars).1;
        match group {
            1 => expect!["a5739ea747fe6977d43e1794aaeb8652f1c91581309a1511bf84f3bef89a57e03c60dfd2ac528a914db4b89f0e025d16"].assert_eq(&told),
            _ => expect!["b72313297d7ee20ffedf76a80a9ff5f64231f1c0b7c8663ffdca250c05699c4149c1d141be70190f021494002cdecb820d5ea6e1da622e651b6e249d3dddbd9014781eb9908e42425cf57b479fc8048db4a48092eb5867745e0ce53185b5994d"].assert_eq(&told),
        }
    }
}

#[test]
fn what_is_no_point_and_no_scalar_is_told() {
    for group in [1, 2] {
        let one = point(group, 1);
        let mut off = one.clone();
        off[0] &= 0x7f;
        assert_eq!(msm(group, &[off], &[small(1)]).0, 2, "not compressed");
        assert_eq!(msm(group, &[vec![0xff; one.len()]], &[small(1)]).0, 2, "no number of the field");
        // The first x with a point on the curve and outside of the subgroup.
        let outside = [&[0x80][..], &vec![0; one.len() - 2], &[if group == 1 { 4 } else { 2 }]].concat();
        assert_eq!(msm(group, &[outside], &[small(0)]).0, 2, "outside of the subgroup, and not used");
        assert_eq!(msm(group, std::slice::from_ref(&one), &[unhex(ORDER)]).0, 2);
        assert_eq!(msm(group, &[one], &[vec![0xff; 32]]).0, 2);
        let name = format!("bls12_381_g{group}_msm");
        let errno = |operands: &str| answer(&name, operands, [b"", b"", b""], 96).0;
        assert_eq!(errno(&format!("(i32.const 4096) (i32.const 4096) (i32.const {}) {OUT}", MULTIPLY_MAX + 1)), 7);
        assert_eq!(errno(&format!("(i32.const 4096) (i32.const 4096) (i32.const -1) {OUT}")), 7);
        assert_eq!(errno(&format!("(i32.const 8388600) (i32.const 4096) (i32.const 1) {OUT}")), 1);
        assert_eq!(errno(&format!("(i32.const 4096) (i32.const 8388577) (i32.const 1) {OUT}")), 1);
        assert_eq!(errno("(i32.const 4096) (i32.const 4096) (i32.const 0) (i32.const 8388600)"), 1);
    }
}

#[test]
fn multiples_cost_what_is_said() {
    for (group, price) in [(1, price::G1_MSM), (2, price::G2_MSM)] {
        let name = format!("bls12_381_g{group}_msm");
        let call = |count: u32| {
            contract(&name, &format!("(i32.load (local.get 0)) (i32.load (local.get 1)) (i32.const {count}) {OUT}"), 96)
        };
        let args = [&point(group, 3).repeat(3)[..], &small(5).repeat(3), b""];
        let used = |count| run(&call(count), args, PLENTY).gas_used;
        assert_eq!((used(3) - used(1), used(1) - used(0)), (2 * price.each, price.each));
        exact(&call(3), args);
    }
}

/// Without the marker, or on a chain without the capability, the contract is not stored.
#[test]
fn the_capability_is_needed() {
    for name in [&HASHES[..], &[VERIFY, "bls12_381_g1_msm", "bls12_381_g2_msm"]].concat() {
        let operands = "(i32.const 0)".repeat(match name {
            VERIFY => 6,
            name if name.ends_with("_msm") => 4,
            _ => 3,
        });
        let wasm = contract(name, &operands, 0);
        let dir = tempfile::tempdir().unwrap();
        let mut config = VmConfig::new(dir.path());
        config.capabilities.remove("aceso");
        let error = aceso_vm::Vm::new(config).unwrap().put(&wasm).unwrap_err().to_string();
        assert_eq!(error, "the contract requires capabilities that this chain does not have: aceso");
        let text = wasm.windows(14).position(|bytes| bytes == b"requires_aceso").unwrap();
        let mut unmarked = wasm;
        unmarked[text] = b'R';
        let error = Tiers::new().vms[0].put(&unmarked).unwrap_err().to_string();
        assert_eq!(error, "the contract imports `aceso` but does not export the marker `requires_aceso`");
    }
}
