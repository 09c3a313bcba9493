//! People with keys of their own over an embedded chain, and the verbs that they run.

use std::{fs, path::PathBuf};

use aceso_test_support::{picture, repository, with_maps};
use aceso_types::{BlobId, Manifest, manifest::Onnx};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Node, aceso, dev, new_key, run};

/// People with coins on a chain, each with a file of words, and files of their own.
pub(crate) struct Ward {
    pub(crate) home: TempDir,
    node: Node,
}

/// Who has an account.
const PEOPLE: [&str; 4] = ["patient", "physician", "friend", "sister"];

impl Ward {
    pub(crate) fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let funds =
            PEOPLE.map(|name| format!("{}=1000000000000uaceso", new_key(home.path(), name)["file"].as_str().unwrap()));
        let mut arguments: Vec<&str> = Vec::new();
        funds.iter().for_each(|fund| arguments.extend(["--fund", fund]));
        let node = Node::run(aceso(&dev(home.path(), &arguments))).unwrap();
        Self { home, node }
    }

    /// Where the node hands out blobs.
    pub(crate) fn rest(&self) -> &str {
        &self.node.rest
    }

    /// Asks the node's RPC port.
    pub(crate) fn rpc(&self, method: &str, params: &Value) -> Value {
        self.node.call(method, params.clone()).unwrap()
    }

    /// All transactions of the chain, as bytes.
    pub(crate) fn transactions(&self) -> Vec<Vec<u8>> {
        let height: u64 =
            self.rpc("status", &json!({}))["sync_info"]["latest_block_height"].as_str().unwrap().parse().unwrap();
        let blocks = (1..=height).map(|height| self.rpc("block", &json!({"height": height.to_string()})));
        let txs = blocks.flat_map(|block| block["block"]["data"]["txs"].as_array().cloned().unwrap_or_default());
        txs.map(|tx| STANDARD.decode(tx.as_str().unwrap()).unwrap()).collect()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().into()
    }

    /// Runs a verb in somebody's name and with her keyring.
    pub(crate) fn run(&self, who: &str, arguments: &[&str]) -> (i32, String, String) {
        let (words, keys) = (self.text(&format!("keys/{who}.mnemonic")), self.text(&format!("{who}.keys")));
        let mut all = arguments.to_vec();
        all.extend(["--json", "--from", &words, "--node", &self.node.rpc]);
        if !arguments.contains(&"--rest") {
            all.extend(["--rest", self.rest()]);
        }
        let keyless = ["request", "reviews", "break-glass", "job"];
        let keyed = match arguments {
            ["sealed", verb, ..] => !keyless.contains(verb),
            [group, ..] => *group == "guardians",
            [] => false,
        };
        if keyed && !arguments.contains(&"--keys") {
            all.extend(["--keys", &keys]);
        }
        run(&all)
    }

    pub(crate) fn ok(&self, who: &str, arguments: &[&str]) -> Value {
        let (code, told, error) = self.run(who, arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    }

    /// The sentence with which a verb refuses.
    pub(crate) fn refused(&self, who: &str, arguments: &[&str]) -> String {
        let (code, told, error) = self.run(who, arguments);
        assert_eq!(code, 1, "{arguments:?}: {told}{error}");
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["ok"], false);
        told["error"].as_str().unwrap().into()
    }

    pub(crate) fn address(&self, who: &str) -> String {
        let (_, told, _) = run(&["keys", "show", who, "--home", self.home.path().to_str().unwrap(), "--json"]);
        serde_json::from_str::<Value>(&told).unwrap()["address"].as_str().unwrap().into()
    }

    /// Seals a picture and registers it, in the name of an account of its own whose fees the sister pays; answers the record's
    /// number and its CID.
    pub(crate) fn record(&self, name: &str, seed: u8) -> (String, String) {
        self.guarded(name, seed, "", &[])
    }

    /// The same with a guard, and more options of `seal`.
    pub(crate) fn guarded(&self, name: &str, seed: u8, guard: &str, more: &[&str]) -> (String, String) {
        let told = self.seal(name, seed, more);
        let account = told["account"].as_str().unwrap();
        if told["sponsor"].is_null() && account != self.address("patient") {
            self.ok("sister", &["sponsor", "pay", account]);
        }
        let cid = told["files"][0]["cid"].as_str().unwrap().to_owned();
        let sealed = self.text(&format!("{name}.sealed"));
        let registered = self.ok("patient", &["sealed", "register", &sealed, "--guard", guard]);
        assert_eq!(registered["owner"], told["account"]);
        (registered["record"].as_str().unwrap().into(), cid)
    }

    /// Seals a picture of the patient's; answers what the verb says.
    pub(crate) fn seal(&self, name: &str, seed: u8, more: &[&str]) -> Value {
        fs::write(self.file(name), picture(seed)).unwrap();
        let (path, out) = (self.text(name), self.home.path().to_str().unwrap());
        let seal = ["sealed", "seal", &path, "--modality", "DX", "--body-part", "CHEST", "--out", out];
        self.ok("patient", &[&seal[..], more].concat())
    }

    /// Has the sister pay for a new account that waits for a record; answers its address.
    pub(crate) fn waiting(&self) -> String {
        let told = self.ok("patient", &["sealed", "accounts", "--more", "1"]);
        let account = told["accounts"].as_array().unwrap().last().unwrap()["address"].as_str().unwrap().to_owned();
        self.ok("sister", &["sponsor", "pay", &account]);
        account
    }

    /// Registers the model that reads chest images; answers its id and its first finding.
    pub(crate) fn model(&self) -> (String, String) {
        let models = repository().join("models/pneumonia");
        let file = |name: &str| models.join(name).to_str().unwrap().to_owned();
        let register = ["model", "register", &file("model.onnx"), "--manifest", &file("manifest.json")];
        let model = self.ok("physician", &register)["model"].as_str().unwrap().to_owned();
        let manifest: Value = serde_json::from_str(&fs::read_to_string(file("manifest.json")).unwrap()).unwrap();
        (model, manifest["output"]["findings"][0]["id"].as_str().unwrap().to_owned())
    }

    /// Registers one whose result no outcome holds; answers its id.
    pub(crate) fn long_model(&self) -> String {
        let folder = repository().join("models/pneumonia");
        let onnx = with_maps(&fs::read(folder.join("model.onnx")).unwrap());
        let usual: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let manifest = Manifest { onnx: Onnx::of(BlobId::of_raw(&onnx), &onnx), ..usual };
        fs::write(self.file("long.onnx"), &onnx).unwrap();
        fs::write(self.file("long.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
        let (onnx, manifest) = (self.text("long.onnx"), self.text("long.json"));
        self.ok("physician", &["model", "register", &onnx, "--manifest", &manifest])["model"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Makes keys for people, and registers one for each to read with.
    pub(crate) fn readers(&self, people: &[&str]) {
        for who in people {
            self.ok(who, &["sealed", "keys", "new"]);
            self.ok(who, &["sealed", "keys", "register"]);
        }
    }

    /// Grants a record of the patient's; answers the grant's name and the file of its terms.
    pub(crate) fn grant(&self, name: &str, record: &str, more: &[&str]) -> (String, String) {
        let terms = self.text(&format!("{name}.terms"));
        let told = self.ok("patient", &[&["sealed", "grant", record, "--out", &terms][..], more].concat());
        (told["grant"].as_str().unwrap().to_owned(), terms)
    }
}
