//! The built binary as a child process, and a client of a few lines.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

pub(crate) mod load;
pub(crate) mod ward;

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bip32::{Language, Mnemonic, XPrv};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::MsgSend,
        base::v1beta1::Coin,
        crypto::secp256k1::PubKey,
        tx::v1beta1::{AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw, mode_info},
    },
};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use prost::Message;
use serde_json::{Value, json};

/// The binary with some arguments.
pub(crate) fn aceso(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aceso"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end: exit code, standard output, standard error.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = aceso(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The arguments of `aceso dev` over a home, on ports of its own choice.
pub(crate) fn dev<'a>(home: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["dev", "--home", home.to_str().unwrap(), "--json", "--rpc", "127.0.0.1:0"];
    arguments.extend(["--rest", "127.0.0.1:0", "--block-time", "2"]);
    if !more.contains(&"--grpc") {
        arguments.extend(["--grpc", "off"]);
    }
    arguments.extend(more);
    arguments
}

/// A running `aceso dev`.
pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) rpc: String,
    pub(crate) rest: String,
    pub(crate) told: Value,
}

impl Node {
    /// Starts it over a home and waits for the line that says where it listens.
    pub(crate) fn start(home: &Path, more: &[&str]) -> Self {
        Self::run(aceso(&dev(home, more))).unwrap_or_else(|ended| panic!("the node did not start: {ended:?}"))
    }

    /// Runs a command that starts it and waits for the line that says where it listens.
    pub(crate) fn run(mut command: Command) -> Result<Self, Ended> {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let at = |name: &str| told[name].as_str().map(str::to_owned);
        match (at("rpc"), at("rest")) {
            (Some(rpc), Some(rest)) => Ok(Self { rpc, rest, told, child }),
            _ => Err(Ended::wait(&mut child)),
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(mut self) -> Ended {
        Ended::wait(&mut self.child)
    }

    /// Calls a method; an error if the node is gone or refuses.
    pub(crate) fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer = ureq::post(&self.rpc).send(request.to_string()).map_err(|e| e.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|e| e.to_string())?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].to_string()) }
    }

    /// Asks the application.
    pub(crate) fn query<A: Message + Default>(&self, path: &str, question: &impl Message) -> Result<A, String> {
        let data = hex::encode(question.encode_to_vec());
        let answer = self.call("abci_query", json!({"path": path, "data": data}))?;
        let response = &answer["response"];
        if response["code"] != 0 {
            return Err(response["log"].to_string());
        }
        let value = STANDARD.decode(response["value"].as_str().unwrap_or_default()).unwrap();
        A::decode(value.as_slice()).map_err(|e| e.to_string())
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) -> i32 {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code().unwrap()
    }
}

/// How a node ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// All that it said on standard error.
    pub(crate) said: String,
}

impl Ended {
    fn wait(child: &mut Child) -> Self {
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        Self { status: child.wait().unwrap(), said }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An account with coins.
pub(crate) struct Wallet {
    key: SigningKey,
    pub(crate) address: String,
}

impl Wallet {
    /// The first account of a file of words.
    pub(crate) fn open(file: &Path) -> Self {
        let words = std::fs::read_to_string(file).unwrap();
        let mnemonic = Mnemonic::new(words.trim(), Language::English).unwrap();
        let path = "m/44'/118'/0'/0/0".parse().unwrap();
        let key = XPrv::derive_from_path(mnemonic.to_seed(""), &path).unwrap();
        let key = SigningKey::from_slice(&key.to_bytes()).unwrap();
        let (_, shown, _) = run(&[
            "keys",
            "show",
            "alice",
            "--home",
            file.parent().unwrap().parent().unwrap().to_str().unwrap(),
            "--json",
        ]);
        let address = serde_json::from_str::<Value>(&shown).unwrap()["address"].as_str().unwrap().into();
        Self { key, address }
    }

    /// Number and sequence on the chain.
    pub(crate) fn account(&self, node: &Node) -> Result<BaseAccount, String> {
        let question = QueryAccountRequest { address: self.address.clone() };
        let answer: QueryAccountResponse = node.query("/cosmos.auth.v1beta1.Query/Account", &question)?;
        BaseAccount::decode(answer.account.unwrap().value.as_slice()).map_err(|e| e.to_string())
    }

    /// A signed transaction that sends one coin to its own sender.
    pub(crate) fn send(&self, chain_id: &str, number: u64, sequence: u64) -> Vec<u8> {
        let message =
            MsgSend { from_address: self.address.clone(), to_address: self.address.clone(), amount: vec![coin(1)] };
        self.sign(chain_id, number, sequence, "/cosmos.bank.v1beta1.MsgSend", &message)
    }

    /// A signed transaction with one message.
    pub(crate) fn sign(
        &self,
        chain_id: &str,
        number: u64,
        sequence: u64,
        url: &str,
        message: &impl Message,
    ) -> Vec<u8> {
        self.sign_for(200_000, chain_id, number, sequence, url, message)
    }

    /// The same with so much gas, and what it costs.
    pub(crate) fn sign_for(
        &self,
        gas: u64,
        chain_id: &str,
        number: u64,
        sequence: u64,
        url: &str,
        message: &impl Message,
    ) -> Vec<u8> {
        let any = |url: &str, value: Vec<u8>| Any { type_url: url.into(), value };
        let body = TxBody { messages: vec![any(url, message.encode_to_vec())], ..Default::default() };
        let key = PubKey { key: self.key.verifying_key().to_encoded_point(true).as_bytes().to_vec() };
        let single = mode_info::Sum::Single(mode_info::Single { mode: 1 });
        let auth_info = AuthInfo {
            signer_infos: vec![SignerInfo {
                public_key: Some(any("/cosmos.crypto.secp256k1.PubKey", key.encode_to_vec())),
                mode_info: Some(ModeInfo { sum: Some(single) }),
                sequence,
            }],
            fee: Some(Fee { amount: vec![coin(gas / 20)], gas_limit: gas, ..Default::default() }),
            ..Default::default()
        };
        let (body_bytes, auth_info_bytes) = (body.encode_to_vec(), auth_info.encode_to_vec());
        let document = SignDoc {
            body_bytes: body_bytes.clone(),
            auth_info_bytes: auth_info_bytes.clone(),
            chain_id: chain_id.into(),
            account_number: number,
        };
        let signature: Signature = self.key.sign(&document.encode_to_vec());
        let signature = signature.normalize_s().unwrap_or(signature);
        TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature.to_bytes().to_vec()] }.encode_to_vec()
    }
}

fn coin(amount: u64) -> Coin {
    Coin { denom: "uaceso".into(), amount: amount.to_string() }
}

/// Writes a file and says where it is.
pub(crate) fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Makes the key `alice` in a home and says how to fund it.
pub(crate) fn alice(home: &Path) -> String {
    format!("{}=1000000000000uaceso", new_key(home, "alice")["file"].as_str().unwrap())
}

/// Makes a key in a home, in a plain file, and says what it is.
pub(crate) fn new_key(home: &Path, name: &str) -> Value {
    let (home, plain) = (home.to_str().unwrap(), ["--keyring-backend", "test"]);
    let (code, told, error) = run(&[&["keys", "add", name, "--home", home, "--json"], &plain[..]].concat());
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&told).unwrap()
}
