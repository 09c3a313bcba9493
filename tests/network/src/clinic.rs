//! A clinic on a network: a token, a contract that reads, the model and a public image; and what its visitors do.

use std::fs;

use aceso_client::{Client, GasLimit, Key, TxResult, any};
use aceso_test_support::{contract, repository, with_maps};
use aceso_types::{
    BlobId, Manifest, ModelId, ReadId,
    manifest::{Onnx, Price},
    msg::{MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, MsgRequestRead},
};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::Any;
use prost::Message as _;
use serde_json::{Value, json};

use crate::net::Node;

/// For how many blocks model and image are kept.
const TERM: u64 = 1_000_000;
/// Coins that reads are paid from.
const PURSE: u128 = 100_000_000_000;
/// Pixels of a row and of a column of what the model takes as it is.
pub(crate) const SIDE: u32 = 28;
/// How many times the usual price the dear model costs.
const DEAR: u64 = 10;

/// What its pictures are said to be.
pub(crate) const MODALITY: &str = "DX";
pub(crate) const BODY_PART: &str = "CHEST";

/// A picture that the models take, of so many pixels a row and a column. The larger it is, the longer it takes.
pub(crate) fn picture(side: u32) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&(0..side * side).map(|at| (at % 251) as u8).collect::<Vec<_>>())?;
    Ok(png)
}

/// Somebody with an account at a node. Whoever works beside others needs an account of her own.
pub(crate) struct Visitor {
    pub(crate) client: Client,
    pub(crate) key: Key,
    pub(crate) address: String,
}

impl Visitor {
    /// Connects to a node.
    pub(crate) fn new(node: &Node, key: Key) -> Result<Self> {
        let client = Client::connect(&node.rpc, &node.rest)?;
        Ok(Self { address: client.address(&key), client, key })
    }

    /// Sends a message and waits until it is in a block.
    pub(crate) fn tx(&self, message: Any) -> Result<TxResult> {
        let kind = message.type_url.clone();
        self.client.send(&self.key, vec![message], GasLimit::Auto).with_context(|| kind)
    }

    /// Stores a contract of the workspace and makes it; its address.
    pub(crate) fn deploy(&self, name: &str, msg: &Value) -> Result<String> {
        let code = self.tx(self.client.msg_store(&self.address, &contract(name)))?;
        let code = code.attribute("store_code", "code_id").context("no code id")?.parse()?;
        let made = self.tx(self.client.msg_instantiate(&self.address, code, name, msg))?;
        Ok(made.attribute("instantiate", "_contract_address").context("no address")?.into())
    }

    /// Uploads bytes, registers them for so many blocks and waits until the validators have said that they hold them.
    pub(crate) fn publish(&self, bytes: &[u8], term: u64) -> Result<BlobId> {
        let (blob, size) = self.client.put_blob(bytes)?;
        self.tx(any(&MsgRegisterBlob { owner: self.address.clone(), cid: blob.to_string(), size, term }))?;
        self.client.wait_available(&blob)?;
        Ok(blob)
    }

    /// A public picture, for so many blocks.
    fn image(&self, term: u64) -> Result<BlobId> {
        let png = picture(SIDE)?;
        let (cid, size) = self.client.put_blob(&png[..])?;
        ensure!(size == png.len() as u64, "{size} bytes were put");
        self.tx(any(&MsgRegisterImage {
            owner: self.address.clone(),
            cid: cid.to_string(),
            size,
            term,
            modality: MODALITY.into(),
            body_part: BODY_PART.into(),
            ..MsgRegisterImage::default()
        }))?;
        self.client.wait_available(&cid)?;
        Ok(cid)
    }
}

/// What stands on the chain.
#[derive(Clone, Debug)]
pub(crate) struct Clinic {
    token: String,
    /// The contract that reads, and pays for it.
    pub(crate) reader: String,
    pub(crate) model: ModelId,
    /// What the model finds, by its name.
    pub(crate) finding: String,
    pub(crate) image: BlobId,
}

impl Clinic {
    /// Deploys everything. Whoever founds it is the model's author; these accounts hold the tokens.
    pub(crate) fn found(founder: &Visitor, holders: &[Key]) -> Result<Self> {
        Self::found_for(founder, holders, TERM)
    }

    /// The same with model and image for so many blocks.
    pub(crate) fn found_for(founder: &Visitor, holders: &[Key], term: u64) -> Result<Self> {
        let row = |key: &Key| json!({"address": founder.client.address(key), "amount": "1000000000"});
        let rows: Vec<Value> = holders.iter().map(row).collect();
        let token = founder.deploy("token", &json!({"name": "clinic", "initial_balances": rows}))?;
        let reader = founder.deploy("probe", &json!({}))?;
        founder.tx(founder.client.msg_send(&founder.address, &reader, PURSE))?;

        let (manifest, onnx) = bundled()?;
        founder.publish(&onnx, term)?;
        founder.tx(any(&MsgRegisterModel { author: founder.address.clone(), manifest: manifest.encode() }))?;
        let image = founder.image(term)?;
        let finding = manifest.output.findings.first().context("the model has no finding")?.id.clone();
        Ok(Self { token, reader, model: manifest.id(), finding, image })
    }

    /// Registers a dear model: its reads pay ten times as much, and what it says is too long for an outcome.
    pub(crate) fn dear(author: &Visitor) -> Result<ModelId> {
        let (usual, onnx) = bundled()?;
        let onnx = with_maps(&onnx);
        let blob = author.publish(&onnx, TERM)?;
        let price = Price { amount: usual.price.amount * DEAR, ..usual.price };
        let manifest = Manifest { name: "dear".into(), onnx: Onnx::of(blob, &onnx), price, ..usual };
        author.tx(any(&MsgRegisterModel { author: author.address.clone(), manifest: manifest.encode() }))?;
        Ok(manifest.id())
    }

    /// Moves one token.
    pub(crate) fn transfer(&self, from: &Visitor, to: &str) -> Result<TxResult> {
        from.tx(self.transfer_message(from, to))
    }

    /// The message of it.
    pub(crate) fn transfer_message(&self, from: &Visitor, to: &str) -> Any {
        let msg = json!({"transfer": {"recipient": to, "amount": "1"}});
        from.client.msg_execute(&from.address, &self.token, &msg, 0)
    }

    /// Has the image read.
    pub(crate) fn read(&self, by: &Visitor) -> Result<ReadId> {
        read_of(&by.tx(self.read_message(by))?)
    }

    /// The message with which the contract asks a committee.
    pub(crate) fn ask_message(&self, by: &Visitor, request: &MsgRequestRead) -> Any {
        let request = STANDARD.encode(request.encode_to_vec());
        by.client.msg_execute(&by.address, &self.reader, &json!({"ask": {"request": request}}), 0)
    }

    /// The block in which the contract has heard of a job's end; none while it has not.
    pub(crate) fn told(&self, by: &Visitor, job: u64) -> Result<Option<u64>> {
        Ok(by.client.smart(&self.reader, &json!({"told": {"job": job}}))?)
    }

    /// The message of it.
    pub(crate) fn read_message(&self, by: &Visitor) -> Any {
        let step = json!({"read": {"model": self.model, "image": self.image, "purpose": "TREAT"}});
        by.client.msg_execute(&by.address, &self.reader, &json!({"take": {"steps": [step]}}), 0)
    }
}

/// The model that reads chest images, and its graph.
fn bundled() -> Result<(Manifest, Vec<u8>)> {
    let folder = repository().join("models/pneumonia");
    Ok((serde_json::from_slice(&fs::read(folder.join("manifest.json"))?)?, fs::read(folder.join("model.onnx"))?))
}

/// The read that a transaction has done.
pub(crate) fn read_of(tx: &TxResult) -> Result<ReadId> {
    let read = tx.attribute("read", "read").context("the transaction has read nothing")?;
    read.parse::<u64>().map(ReadId).with_context(|| format!("{read} is no read"))
}
