//! Models that were packed: a node that starts again takes them from its disk, and comes to the same state with them, without
//! them, and with files that somebody has changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aceso_client::{Client, GasLimit, Key, any};
use aceso_test_support::{contract, repository};
use aceso_types::{
    Manifest, ModelId,
    msg::{MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel},
};
use common::Node;
use serde_json::{Value, json};

fn wait<T>(what: &str, mut until: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = until() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A chain with a model, a public image, and a contract that reads it.
struct Chain {
    home: tempfile::TempDir,
    fund: String,
    model: ModelId,
    reader: String,
    steps: Value,
}

/// A node of it that runs.
struct Running {
    node: Node,
    client: Client,
    key: Key,
}

impl Running {
    fn start(home: &Path, fund: &str) -> Self {
        let node = Node::start(home, &["--fund", fund]);
        let client = Client::connect(&node.rpc, &node.rest).unwrap();
        let words = fs::read_to_string(fund.split('=').next().unwrap()).unwrap();
        Self { node, client, key: Key::from_mnemonic(&words).unwrap() }
    }

    fn metric(&self, name: &str) -> u64 {
        let url = format!("{}/metrics", self.node.rest);
        let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let of_name = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        of_name.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    fn ask(&self, chain: &Chain) -> Value {
        self.client.smart(&chain.reader, &json!({"take": {"steps": chain.steps}})).unwrap()
    }

    /// What a read of the image comes to as a query, and what one in a block has cost.
    fn read(&self, chain: &Chain) -> (Value, u64) {
        let asked = self.ask(chain);
        let address = self.client.address(&self.key);
        let message = self.client.msg_execute(&address, &chain.reader, &json!({"take": {"steps": chain.steps}}), 0);
        let gas = self.client.send(&self.key, vec![message], GasLimit::Fixed(50_000_000)).unwrap().gas_used;
        (asked, gas)
    }

    /// Height and app hash, once no block follows.
    fn rests(&self) -> [Value; 2] {
        let (mut stands, mut since) = (self.stands(), Instant::now());
        while since.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.stands();
            if now != stands {
                (stands, since) = (now, Instant::now());
            }
        }
        stands
    }

    /// Height and app hash.
    fn stands(&self) -> [Value; 2] {
        let status = self.node.call("status", json!({})).unwrap();
        ["latest_block_height", "latest_app_hash"].map(|field| status["sync_info"][field].clone())
    }
}

impl Chain {
    fn new() -> (Self, Running) {
        let home = tempfile::tempdir().unwrap();
        let fund = common::alice(home.path());
        let running = Running::start(home.path(), &fund);
        let Running { client, key, .. } = &running;
        let owner = client.address(key);
        let send = |message| client.send(key, vec![message], GasLimit::Fixed(100_000_000)).unwrap();

        let folder = repository().join("models/pneumonia");
        let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let (cid, size) = client.put_blob(&fs::read(folder.join("model.onnx")).unwrap()[..]).unwrap();
        send(any(&MsgRegisterBlob { owner: owner.clone(), cid: cid.to_string(), size, term: 10_000 }));
        client.wait_available(&cid).unwrap();
        send(any(&MsgRegisterModel { author: owner.clone(), manifest: manifest.encode() }));

        let (image, size) = client.put_blob(&aceso_test_support::picture(1)[..]).unwrap();
        send(any(&MsgRegisterImage {
            owner: owner.clone(),
            cid: image.to_string(),
            size,
            term: 10_000,
            modality: "DX".into(),
            body_part: "CHEST".into(),
            ..MsgRegisterImage::default()
        }));
        client.wait_available(&image).unwrap();
        let code = send(client.msg_store(&owner, &contract("probe")));
        let code = code.attribute("store_code", "code_id").unwrap().parse().unwrap();
        let made = send(client.msg_instantiate(&owner, code, "probe", &json!({})));
        let reader = made.attribute("instantiate", "_contract_address").unwrap().to_owned();
        // It pays for what it reads.
        send(client.msg_send(&owner, &reader, 1_000_000));
        let steps = json!([{"read": {"model": manifest.id(), "image": image, "purpose": "TREAT"}}]);
        (Self { home, fund, model: manifest.id(), reader, steps }, running)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(format!("data/models/{}.packed", self.model))
    }

    fn start(&self) -> Running {
        Running::start(self.home.path(), &self.fund)
    }
}

#[test]
fn a_packed_model_is_taken_after_a_restart_and_a_changed_one_is_not() {
    let (chain, running) = Chain::new();
    wait("the file", || chain.file().exists().then_some(()));
    // The first one makes rows that the others find.
    running.read(&chain);
    let (answer, gas) = running.read(&chain);
    assert_eq!(running.metric("aceso_packed_models_made_total"), 1);
    running.node.stop();

    // It is there, and nothing else is different.
    let running = chain.start();
    wait("the model", || (running.metric("aceso_models_loaded") == 1).then_some(()));
    assert_eq!(running.metric("aceso_packed_models_taken_total"), 1);
    let before = running.read(&chain);
    assert_eq!(before, (answer.clone(), gas));
    running.node.stop();

    // Whoever changes it changes nothing but time.
    let mut bytes = fs::read(chain.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(chain.file(), &bytes).unwrap();
    let running = chain.start();
    wait("the model", || (running.metric("aceso_models_loaded") == 1).then_some(()));
    assert_eq!(running.metric("aceso_packed_models_taken_total"), 0);
    assert_eq!(running.metric("aceso_packed_models_refused_total"), 1);
    assert_eq!(running.read(&chain), (answer.clone(), gas));
    wait("the file", || chain.file().exists().then_some(()));
    bytes[middle] ^= 0x10;
    assert_eq!(fs::read(chain.file()).unwrap(), bytes, "made anew, as it was");
    let stands = running.rests();
    running.node.stop();

    // Executed from the beginning, with no packed model and with one, the blocks come to the same state.
    for folder in ["data/models", "data/state"] {
        if folder == "data/models" {
            fs::remove_dir_all(chain.home.path().join(folder)).unwrap();
        }
        fs::remove_dir_all(chain.home.path().join("data/state")).unwrap();
        let running = chain.start();
        assert_eq!(running.rests(), stands);
        wait("the file", || chain.file().exists().then_some(()));
        assert_eq!(running.ask(&chain), answer);
        running.node.stop();
    }
}
