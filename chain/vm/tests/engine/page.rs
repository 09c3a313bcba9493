//! The tables of `docs/gas.md` are made of the prices themselves, so that they cannot go stale. `UPDATE_EXPECT=1` writes them.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

use aceso_types::gas::WASM_PER_SDK;
use aceso_vm::price::{self, Linear};

/// What stands before and behind each table.
const BEGIN: &str = "<!-- prices: ";
const END: &str = "<!-- end of prices -->";

/// A price as the page shows it.
enum Price {
    Fixed(u64),
    /// For each of these.
    By(&'static str, Linear),
}
use Price::{By, Fixed};

fn each(what: &'static str, each: u64) -> Price {
    By(what, Linear { base: 0, each })
}

/// What, how much, and where the number comes from.
type Row = (&'static str, Price, &'static str);

/// All of them, by the name behind [`BEGIN`].
fn tables() -> Vec<(&'static str, Vec<Row>)> {
    let instructions = vec![
        ("any that is not named below", Fixed(price::OP), "cosmwasm-vm"),
        ("branch, loop, `if`, call, return", Fixed(price::BRANCH), "cosmwasm-vm: fourteen plain ones"),
        ("integer division and remainder, float division, square root", Fixed(price::DIVIDE), "3 to 6 ns"),
        (
            "float arithmetic, rounding, conversion between floats",
            Fixed(price::FLOAT),
            "compare and select for the one NaN",
        ),
        ("`block`, `else`, `end`, `nop`", Fixed(0), "nothing is done"),
        ("`memory.copy`, `memory.fill`, `memory.init`", each("byte", price::BULK_BYTE), "10 GB/s"),
        ("`memory.grow`", each("page of 64 KiB", price::GROW_PAGE), "16 faults of 0.25 µs"),
    ];
    let host = vec![
        ("any call of the host", Fixed(price::HOST_CALL), "cosmwasm-vm"),
        ("reading a region of `env`", By("byte", price::READ_REGION), "cosmwasm-vm"),
        ("writing a region of `env`", By("byte", price::WRITE_REGION), "cosmwasm-vm"),
        ("checking that bytes are text", By("byte", price::TEXT), "cosmwasm-vm"),
        ("handing bytes to wasi-nn, WASI or `aceso`", each("byte", price::BYTES_IN), "cosmwasm-vm"),
        ("taking bytes from them", each("byte", price::BYTES_OUT), "cosmwasm-vm"),
        ("`addr_humanize`", Fixed(price::HUMANIZE), "wasmd"),
        ("`addr_canonicalize`", Fixed(price::CANONICALIZE), "wasmd"),
        ("`addr_validate`", Fixed(price::VALIDATE), "wasmd"),
    ];
    let storage = vec![
        ("read", By("byte of key and value", price::DB_READ), "Cosmos SDK"),
        ("write", By("byte of key and value", price::DB_WRITE), "Cosmos SDK"),
        ("remove", Fixed(price::DB_REMOVE), "Cosmos SDK"),
        ("a step of an iterator, and opening one", By("byte of key and value", price::DB_NEXT), "Cosmos SDK"),
    ];
    let cryptography = vec![
        ("`secp256k1_verify`", Fixed(price::SECP256K1_VERIFY), "cosmwasm-vm"),
        ("`secp256k1_recover_pubkey`", Fixed(price::SECP256K1_RECOVER), "cosmwasm-vm"),
        ("`secp256r1_verify`", Fixed(price::SECP256R1_VERIFY), "cosmwasm-vm"),
        ("`secp256r1_recover_pubkey`", Fixed(price::SECP256R1_RECOVER), "cosmwasm-vm"),
        ("`ed25519_verify`", Fixed(price::ED25519_VERIFY), "cosmwasm-vm"),
        ("`ed25519_batch_verify`", By("signature", price::ED25519_BATCH), "cosmwasm-vm"),
        ("the same under one key", By("signature", price::ED25519_BATCH_ONE_KEY), "cosmwasm-vm"),
        ("`bls12_381_aggregate_g1`", By("point", price::BLS_AGGREGATE_G1), "`bench host`"),
        ("`bls12_381_aggregate_g2`", By("point", price::BLS_AGGREGATE_G2), "`bench host`"),
        ("`bls12_381_pairing_equality`", By("pairing, the right side's too", price::BLS_PAIRING), "`bench host`"),
        ("`bls12_381_hash_to_g1`", Fixed(price::BLS_HASH_TO_G1), "cosmwasm-vm"),
        ("`bls12_381_hash_to_g2`", Fixed(price::BLS_HASH_TO_G2), "cosmwasm-vm"),
        ("a message that Ed25519 or `hash_to` hashes", each("byte", price::HASH_BYTE), "500 MB/s"),
    ];
    let work = vec![
        ("`keccak256`, `sha3_256`", By("byte", price::KECCAK), "`bench host`"),
        ("`sha256`", By("byte", price::SHA256), "`bench host`, without SHA instructions"),
        ("`blake3`", By("byte", price::BLAKE3), "`bench host`"),
        ("`verify_receipt`: reading", By("byte of receipt and root", price::RECEIPT_DECODE), "`bench host`"),
        ("`verify_receipt`: the signature", By("signer", price::RECEIPT_CHECK), "`bench host`"),
        ("`bls12_381_g1_msm`", By("point", price::G1_MSM), "`bench host`"),
        ("`bls12_381_g2_msm`", By("point", price::G2_MSM), "`bench host`"),
    ];
    let reads = vec![
        ("`load_by_name`: looking the model up", Fixed(price::MODEL), "a read of the state"),
        ("`permit`", By("byte of the answer", price::PERMIT), "a write of the state"),
        ("`set_input_blob`, `set_input_frame`: beginning a read", Fixed(price::READ), "two reads, two writes"),
        ("`compute` of a read: its receipt", Fixed(price::RECEIPT), "a write of 1 KiB"),
        ("`blob_size`", Fixed(price::BLOB_SIZE), "a read of the state"),
    ];
    vec![
        ("instructions", instructions),
        ("calls", host),
        ("storage", storage),
        ("cryptography", cryptography),
        ("work", work),
        ("reads", reads),
    ]
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Wasm gas in SDK gas, to a thousandth.
fn sdk(gas: u64) -> String {
    let (whole, rest) = (gas / WASM_PER_SDK, gas % WASM_PER_SDK * 1_000 / WASM_PER_SDK);
    match (whole, rest) {
        (0, 0) if gas > 0 => "below 0.001".into(),
        (_, 0) => grouped(whole),
        _ => format!("{}.{rest:03}", grouped(whole)),
    }
}

fn shown(price: &Price, unit: fn(u64) -> String) -> String {
    match price {
        Fixed(gas) => unit(*gas),
        By(what, Linear { base: 0, each }) => format!("{} a {what}", unit(*each)),
        By(what, Linear { base, each }) => format!("{} + {} a {what}", unit(*base), unit(*each)),
    }
}

fn table(rows: &[(&str, Price, &str)]) -> String {
    let mut text = String::from("| what | wasm gas | SDK gas | source |\n|---|---|---|---|\n");
    for (what, price, source) in rows {
        writeln!(text, "| {what} | {} | {} | {source} |", shown(price, grouped), shown(price, sdk)).unwrap();
    }
    text
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the variable that expect-test reads")]
fn the_page_has_the_prices_that_are_charged() {
    let path = Path::new("../../docs/gas.md");
    let page = fs::read_to_string(path).unwrap();
    let mut made = page.clone();
    for (name, rows) in tables() {
        let begin = format!("{BEGIN}{name} -->\n");
        let (before, rest) = made.split_once(&begin).unwrap_or_else(|| panic!("docs/gas.md has no table {name}"));
        let (_, after) = rest.split_once(END).unwrap();
        made = format!("{before}{begin}{}{END}{after}", table(&rows));
    }
    if page != made && env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, &made).unwrap();
        return;
    }
    assert!(page == made, "docs/gas.md does not say what is charged; UPDATE_EXPECT=1 writes its tables");
    let scale = format!("{} wasm gas are one SDK gas", grouped(WASM_PER_SDK));
    assert!(page.contains(&scale), "docs/gas.md does not say that {scale}");
}

/// Every public price is on the page: a new one without a row is a failure here.
#[test]
fn no_price_is_left_out() {
    let (source, page) = (include_str!("../../src/price.rs"), include_str!("page.rs"));
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'));
    // Stack, and what others are made of.
    let others = ["FRAME_SLOTS", "BODY_BYTES_PER_SLOT", "LEAF_SLOTS", "KEY_PREFIX"];
    let missing: Vec<&str> =
        names.map(|(name, _)| name).filter(|name| !page.contains(&format!("price::{name}"))).collect();
    assert_eq!(missing, others);
}
