//! What does the first read cost, and what stands around it? `cargo xtask bench first`.
//!
//! A contract call in the engine; then a real node over RPC: a read in a call, transactions a second, a large blob
//! beside the hash of the same bytes; then what builds and tests took, as the tasks have noted it.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Instant,
};

use aceso_client::{Account, Client, GasLimit, Key, any};
use aceso_test_support::{dev, repository};
use aceso_types::{
    BlobId, Manifest, ModelId,
    msg::{MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel},
};
use anyhow::{Context, Result, ensure};
use cosmos_sdk_proto::{Any, cosmos::tx::v1beta1::TxBody};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine;

/// Accounts that send side by side.
const ACCOUNTS: usize = 20;
/// How long blobs are registered for, in blocks.
const TERM: u64 = 1_000_000;

/// A node with somebody who owns coins.
struct Bench {
    node: Child,
    home: tempfile::TempDir,
    client: Client,
    key: Key,
    address: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// Runs all cases.
pub(crate) fn run(quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let mut row = |case: &str, ours: f64, unit: &str, peer: Option<(f64, &str)>| {
        let better = |peer: f64| if unit.ends_with("/s") { ours / peer } else { peer / ours };
        emit(json!({
            "bench": "first", "case": case, "ours": ours, "unit": unit,
            "peer": peer.map(|(peer, _)| peer), "peer_name": peer.map(|(_, name)| name),
            "ratio": peer.map(|(peer, _)| better(peer)),
        }));
    };
    row("token transfer in the engine, warm", engine::warm_call(if quick { 2_000 } else { 20_000 })?, "us", None);

    let bench = Bench::start()?;
    let (empty, read) = bench.read_in_a_call(if quick { 30 } else { 300 })?;
    row("smart query over RPC, no read", empty, "us", None);
    row("read of one image in a call", read - empty, "us", None);
    let count = if quick { 1_000 } else { 10_000 };
    row("bank sends", bench.load(count, Bench::send)?, "tx/s", None);
    let token = bench.token()?;
    row("token transfers", bench.load(count, |bench, from, to| bench.transfer(&token, from, to))?, "tx/s", None);

    let megabytes = if quick { 100 } else { 500 };
    let (put, hash) = bench.blob(megabytes)?;
    row(&format!("put of a blob of {megabytes} MB"), put, "s", Some((hash, "sha256 of the same bytes")));
    row("put of a blob", f64::from(megabytes) / put, "MB/s", Some((f64::from(megabytes) / hash, "sha256")));
    row("node's peak RSS", bench.peak_rss()?, "MB", None);

    for (case, file) in [("cold build", "cold-build"), ("cargo xtask test", "test")] {
        if let Some(seconds) = noted(file) {
            row(case, seconds, "s", None);
        }
    }
    let start = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--release", "--workspace", "--bins"];
    let status = Command::new(cargo).args(build).current_dir(repository()).status()?;
    ensure!(status.success(), "the warm build failed");
    row("warm build", start.elapsed().as_secs_f64(), "s", None);
    Ok(())
}

/// What a task has noted in the target folder, in seconds.
fn noted(name: &str) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    fs::read_to_string(target.join("times").join(name)).ok()?.trim().parse().ok()
}

impl Bench {
    fn start() -> Result<Self> {
        let binary = std::env::var_os("ACESO_NODE").context("ACESO_NODE is not set: run `cargo xtask bench first`")?;
        let home = tempfile::tempdir()?;
        let (key, _) = Key::generate()?;
        let address = key.address("aceso");
        let fund = format!("{address}=1000000000000000uaceso");
        // The blob that is put is larger than what a node takes by default.
        let config = home.path().join("node/config");
        fs::create_dir_all(&config)?;
        fs::write(config.join("aceso.toml"), "blob_bytes = 1073741824\n")?;
        let (node, at) = dev::start(Path::new(&binary), home.path(), ["--fund", &fund])?;
        let client = Client::connect(&at.rpc, &at.rest)?;
        Ok(Self { node, home, client, key, address })
    }

    fn tx(&self, message: Any) -> Result<aceso_client::TxResult> {
        Ok(self.client.send(&self.key, vec![message], GasLimit::Auto)?)
    }

    fn deploy(&self, name: &str, msg: &Value) -> Result<String> {
        let wasm = aceso_test_support::contract(name);
        let code = self.tx(self.client.msg_store(&self.address, &wasm))?;
        let code = code.attribute("store_code", "code_id").context("no code id")?.parse()?;
        let contract = self.tx(self.client.msg_instantiate(&self.address, code, name, msg))?;
        Ok(contract.attribute("instantiate", "_contract_address").context("no address")?.into())
    }

    /// Median microseconds of a smart query that does nothing, and of one that reads a public image.
    fn read_in_a_call(&self, runs: usize) -> Result<(f64, f64)> {
        let probe = self.deploy("probe", &json!({}))?;
        let model = self.model()?;
        let image = self.image()?;
        let ask = |steps: Value| -> Result<f64> {
            let mut times = Vec::with_capacity(runs);
            for _ in 0..runs {
                let start = Instant::now();
                let answer: Value = self.client.smart(&probe, &json!({"take": {"steps": steps}}))?;
                ensure!(answer.is_array(), "the probe said {answer}");
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            times.sort_by(f64::total_cmp);
            times.get(runs / 2).copied().context("nothing was run")
        };
        let read = json!([{"read": {"model": model, "image": image, "purpose": "TREAT"}}]);
        Ok((ask(json!([]))?, ask(read)?))
    }

    fn model(&self) -> Result<ModelId> {
        let folder = repository().join("models/pneumonia");
        let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json"))?)?;
        let (blob, size) = self.client.put_blob(&fs::read(folder.join("model.onnx"))?[..])?;
        let message = MsgRegisterBlob { owner: self.address.clone(), cid: blob.to_string(), size, term: TERM };
        self.tx(any(&message))?;
        self.client.wait_available(&blob)?;
        self.tx(any(&MsgRegisterModel { author: self.address.clone(), manifest: manifest.encode() }))?;
        Ok(manifest.id())
    }

    /// A public image of 28 × 28 grey pixels.
    fn image(&self) -> Result<BlobId> {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, 28, 28);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header()?.write_image_data(&[127; 28 * 28])?;
        let (cid, size) = self.client.put_blob(&png[..])?;
        self.tx(any(&MsgRegisterImage {
            owner: self.address.clone(),
            cid: cid.to_string(),
            size,
            term: TERM,
            modality: "DX".into(),
            body_part: "CHEST".into(),
            ..MsgRegisterImage::default()
        }))?;
        self.client.wait_available(&cid)?;
        Ok(cid)
    }

    fn token(&self) -> Result<String> {
        let keys = accounts()?;
        let rows: Vec<Value> =
            keys.iter().map(|key| json!({"address": self.client.address(key), "amount": "1000000000"})).collect();
        self.deploy("token", &json!({"name": "bench", "initial_balances": rows}))
    }

    fn send(&self, from: &str, to: &str) -> Any {
        self.client.msg_send(from, to, 1)
    }

    fn transfer(&self, token: &str, from: &str, to: &str) -> Any {
        self.client.msg_execute(from, token, &json!({"transfer": {"recipient": to, "amount": "1"}}), 0)
    }

    /// Transactions a second from the first broadcast to the block of the last: signed before, sent by two clients,
    /// in the order of each account's sequence.
    fn load(&self, count: usize, message: impl Fn(&Self, &str, &str) -> Any) -> Result<f64> {
        let keys = accounts()?;
        let addresses: Vec<String> = keys.iter().map(|key| self.client.address(key)).collect();
        for address in &addresses {
            if self.client.balance(address)? < 1_000_000_000 {
                self.tx(self.client.msg_send(&self.address, address, 10_000_000_000))?;
            }
        }
        let mut signed: Vec<Vec<Vec<u8>>> = Vec::new();
        for (position, key) in keys.iter().enumerate() {
            let (from, to) = (&addresses[position], &addresses[(position + 1) % ACCOUNTS]);
            let account = self.client.account(from)?;
            let one = |offset: usize| {
                let sequence = account.sequence + offset as u64;
                let body = TxBody { messages: vec![message(self, from, to)], ..TxBody::default() };
                self.client.signed(key, &body, &Account { sequence, ..account }, 400_000)
            };
            signed.push((0..count / ACCOUNTS).map(one).collect());
        }
        let start = Instant::now();
        let (left, right) = signed.split_at(ACCOUNTS / 2);
        std::thread::scope(|scope| {
            let senders = [left, right].map(|half| scope.spawn(move || self.submit(half)));
            senders.into_iter().try_for_each(|sender| match sender.join() {
                Ok(result) => result,
                Err(_) => anyhow::bail!("a sender panicked"),
            })
        })?;
        for (address, txs) in addresses.iter().zip(&signed) {
            let last = txs.last().context("nothing was sent")?;
            self.client.wait_for_tx(last).with_context(|| format!("the last transaction of {address}"))?;
        }
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }

    fn submit(&self, accounts: &[Vec<Vec<u8>>]) -> Result<()> {
        let length = accounts.first().map_or(0, Vec::len);
        for position in 0..length {
            for txs in accounts {
                self.client.submit(&txs[position])?;
            }
        }
        Ok(())
    }

    /// Seconds of putting a file of pseudo-random bytes, and of hashing the same bytes.
    fn blob(&self, megabytes: u32) -> Result<(f64, f64)> {
        let path = self.home.path().join("large");
        io::copy(&mut noise(u64::from(megabytes) * 1_000_000), &mut fs::File::create(&path)?)?;
        let mut hasher = Sha256::new();
        let start = Instant::now();
        io::copy(&mut fs::File::open(&path)?, &mut hasher)?;
        let hash = start.elapsed().as_secs_f64();
        ensure!(hasher.finalize()[..] != [0; 32], "nothing was hashed");
        let start = Instant::now();
        let (_, size) = self.client.put_blob(fs::File::open(&path)?)?;
        ensure!(size == fs::metadata(&path)?.len(), "only {size} bytes were put");
        Ok((start.elapsed().as_secs_f64(), hash))
    }

    /// Megabytes that the node has had in memory at most.
    fn peak_rss(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1000.0)
    }
}

/// The senders: the same in every run.
fn accounts() -> Result<Vec<Key>> {
    (1..=ACCOUNTS).map(|number| Ok(Key::from_bytes(&Sha256::digest(number.to_be_bytes()))?)).collect()
}

/// So many bytes that do not repeat: a xorshift generator's.
fn noise(length: u64) -> impl Read {
    struct Noise(u64);

    impl Read for Noise {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for chunk in buffer.chunks_mut(8) {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
            }
            Ok(buffer.len())
        }
    }

    Noise(0x9e37_79b9_7f4a_7c15).take(length)
}
