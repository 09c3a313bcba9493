//! Who takes part: each with a key and a connection of its own.

use std::{ops::Deref, path::Path};

use aceso_client::{Client, GasLimit, Key, TxResult};
use aceso_test_support::dev::Endpoints;
use aceso_types::{
    BlobId, Manifest, ModelId,
    msg::{MsgRegisterBlob, MsgRegisterModel},
    query::{ModelStatus, QueryModel},
};
use anyhow::{Context, Result, bail};

/// For how many blocks blobs are kept.
pub(crate) const TERM: u64 = 100_000;
/// Coins that everybody starts with.
const COINS: u128 = 1_000_000_000_000;

/// A key that is not yet on a chain.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    key: Key,
}

impl Person {
    pub(crate) fn new(name: &'static str) -> Result<Self> {
        Ok(Self { name, key: Key::generate()?.0 })
    }

    /// Somebody with the words that bring her key back.
    pub(crate) fn with_words(name: &'static str) -> Result<(Self, String)> {
        let (key, words) = Key::generate()?;
        Ok((Self { name, key }, words))
    }

    pub(crate) fn address(&self) -> String {
        self.key.address("aceso")
    }

    /// `ADDRESS=COINS` for a node's `--fund`.
    pub(crate) fn fund(&self) -> String {
        format!("{}={COINS}uaceso", self.address())
    }

    /// Connects her to a node.
    pub(crate) fn connect(self, at: &Endpoints) -> Result<Party> {
        let client = Client::connect(&at.rpc, &at.rest)?;
        let address = client.address(&self.key);
        Ok(Party { name: self.name, address, key: self.key, client })
    }
}

/// Somebody with a key, an address and a client.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    pub(crate) key: Key,
    client: Client,
}

impl Deref for Party {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Party {
    /// Sends one message, simulated first.
    pub(crate) fn tx(&self, message: cosmos_sdk_proto::Any) -> Result<TxResult> {
        let kind = message.type_url.clone();
        let sent = self.send(&self.key, vec![message], GasLimit::Auto);
        sent.with_context(|| format!("{} sends {kind}", self.name))
    }

    /// Executes a contract with a gas limit that is not simulated, so that a refusal gets into a block.
    pub(crate) fn try_execute(
        &self,
        contract: &str,
        msg: &impl serde::Serialize,
    ) -> Result<TxResult, aceso_client::ClientError> {
        let message = self.msg_execute(&self.address, contract, msg, 0);
        self.send(&self.key, vec![message], GasLimit::Fixed(20_000_000))
    }

    /// Uploads a contract and answers with its code id.
    pub(crate) fn store(&self, folder: &Path, name: &str) -> Result<(u64, TxResult)> {
        let path = folder.join(format!("{name}.wasm"));
        let wasm = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let tx = self.tx(self.msg_store(&self.address, &wasm))?;
        let code = tx.attribute("store_code", "code_id").context("there is no code id in the answer")?;
        Ok((code.parse()?, tx))
    }

    /// Makes a contract of a code and answers with its address.
    pub(crate) fn instantiate(
        &self,
        code: u64,
        label: &str,
        msg: &impl serde::Serialize,
    ) -> Result<(String, TxResult)> {
        let tx = self.tx(self.msg_instantiate(&self.address, code, label, msg))?;
        let address = tx.attribute("instantiate", "_contract_address").context("there is no address in the answer")?;
        Ok((address.into(), tx))
    }

    /// Uploads a blob and registers it, and waits until the validators hold it.
    pub(crate) fn publish(&self, bytes: &[u8]) -> Result<(BlobId, TxResult)> {
        let (id, size) = self.put_blob(bytes)?;
        let message = MsgRegisterBlob { owner: self.address.clone(), cid: id.to_string(), size, term: TERM };
        let tx = self.tx(aceso_client::any(&message))?;
        self.wait_available(&id)?;
        Ok((id, tx))
    }

    /// Registers a model whose ONNX blob is available. A model that the chain refuses is an error with its sentence.
    pub(crate) fn register_model(&self, manifest: &Manifest) -> Result<(ModelId, TxResult), aceso_client::ClientError> {
        let message = MsgRegisterModel { author: self.address.clone(), manifest: manifest.encode() };
        let tx = self.send(&self.key, vec![aceso_client::any(&message)], GasLimit::Fixed(50_000_000))?;
        Ok((manifest.id(), tx))
    }

    /// Makes sure that a model can be read with.
    pub(crate) fn expect_admitted(&self, model: ModelId) -> Result<()> {
        let row = self.ask(&QueryModel { model: model.to_string() })?.context("the model is not registered")?;
        if row.status() != ModelStatus::Admitted {
            bail!("model {model} is not admitted: {}", row.reason);
        }
        Ok(())
    }
}
