//! Transactions: built, simulated, signed (SIGN_MODE_DIRECT), broadcast, awaited.

use aceso_types::msg::Named;
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::{abci::v1beta1::TxMsgData, v1beta1::Coin},
        feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance, MsgRevokeAllowance},
        tx::v1beta1::{Fee, SimulateRequest, SimulateResponse, TxBody},
    },
    traits::Name,
};
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Account, Chain, Client, ClientError, Draft, Key, http::unreadable, wait::Wait};

/// What simulated gas is multiplied by, in tenths: what stock clients take (CosmJS 1.4).
const GAS_ADJUSTMENT_TENTHS: u64 = 14;

/// How much gas a transaction may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GasLimit {
    /// Simulated first, with room on top. A transaction that fails in the simulation is not sent.
    Auto,
    /// This much SDK gas, without simulation.
    Fixed(u64),
}

/// A transaction that is in a block and went well.
#[derive(Clone, Debug)]
pub struct TxResult {
    /// Its hash, 64 upper-case hexadecimal digits.
    pub hash: String,
    /// Its block.
    pub height: u64,
    /// SDK gas that it used.
    pub gas_used: u64,
    /// Its events.
    pub events: Vec<Event>,
    /// The answers to its messages.
    pub responses: Vec<Any>,
}

/// An event of a transaction.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its attributes.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

/// An attribute of an event.
#[derive(Clone, Debug, Deserialize)]
pub struct Attribute {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

impl TxResult {
    /// The first value of an attribute in events of a type.
    pub fn attribute(&self, kind: &str, key: &str) -> Option<&str> {
        let mut attributes = self.events.iter().filter(|event| event.kind == kind).flat_map(|event| &event.attributes);
        attributes.find(|attribute| attribute.key == key).map(|attribute| attribute.value.as_str())
    }

    /// The answer to the message at a position.
    pub fn response<M: Message + Default>(&self, position: usize) -> Result<M, ClientError> {
        let any = self.responses.get(position).ok_or_else(|| unreadable("the transaction", "it has fewer answers"))?;
        M::decode(&any.value[..]).map_err(|e| unreadable("the transaction", &e.to_string()))
    }
}

/// Packs one of our own messages.
pub fn any<M: Named>(message: &M) -> Any {
    Any { type_url: M::TYPE_URL.into(), value: message.encode_to_vec() }
}

/// The message by which `sponsor` pays fees of up to `limit` coins for an account, which begins to exist with it.
pub fn allowance(sponsor: &str, account: &str, denom: &str, limit: u128) -> Any {
    let spend_limit = vec![Coin { denom: denom.into(), amount: limit.to_string() }];
    let basic = BasicAllowance { spend_limit, expiration: None };
    let (granter, grantee) = (sponsor.into(), account.into());
    cosmos_any(&MsgGrantAllowance { granter, grantee, allowance: Some(cosmos_any(&basic)) })
}

/// The message by which `sponsor` pays an account's fees no more.
pub fn no_allowance(sponsor: &str, account: &str) -> Any {
    cosmos_any(&MsgRevokeAllowance { granter: sponsor.into(), grantee: account.into() })
}

/// Packs a message of the Cosmos SDK or wasmd.
pub fn cosmos_any<M: Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

#[derive(Deserialize)]
struct Broadcast {
    code: u32,
    codespace: String,
    log: String,
    hash: String,
}

#[derive(Deserialize)]
struct Found {
    height: String,
    tx_result: Executed,
}

#[derive(Deserialize)]
struct Executed {
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
    data: Option<String>,
    gas_used: String,
    #[serde(default)]
    events: Vec<Event>,
}

impl Chain {
    /// The bytes of a signed transaction with this gas limit and the fee that it costs, for whoever has no node at hand.
    pub fn signed(&self, key: &Key, body: &TxBody, account: &Account, gas_limit: u64) -> Vec<u8> {
        self.signed_on("", key, body, account, gas_limit)
    }

    /// What this much gas costs.
    pub(crate) fn fee(&self, gas_limit: u64) -> Coin {
        let micro = u128::from(gas_limit) * u128::from(self.gas_price_micro);
        Coin { denom: self.denom.clone(), amount: micro.div_ceil(1_000_000).to_string() }
    }

    fn signed_on(&self, sponsor: &str, key: &Key, body: &TxBody, account: &Account, gas_limit: u64) -> Vec<u8> {
        let fee = Fee { amount: vec![self.fee(gas_limit)], gas_limit, payer: String::new(), granter: sponsor.into() };
        Draft { body: body.clone(), fee }.sign(&self.id, key, account)
    }
}

impl Client {
    /// Sends messages in one transaction and waits until it is in a block.
    pub fn send(&self, key: &Key, messages: Vec<Any>, gas: GasLimit) -> Result<TxResult, ClientError> {
        self.send_sponsored("", key, messages, gas)
    }

    /// The same on the fee of a sponsor, who has granted an allowance ([`crate::allowance`]): the account needs no coins.
    pub fn send_sponsored(
        &self,
        sponsor: &str,
        key: &Key,
        messages: Vec<Any>,
        gas: GasLimit,
    ) -> Result<TxResult, ClientError> {
        let account = self.account(&self.address(key))?;
        let body = TxBody { messages, ..TxBody::default() };
        let limit = match gas {
            GasLimit::Fixed(limit) => limit,
            GasLimit::Auto => {
                let simulated = self.simulate(&self.chain.signed_on(sponsor, key, &body, &account, 0))?;
                simulated.saturating_mul(GAS_ADJUSTMENT_TENTHS) / 10
            }
        };
        self.broadcast(&self.chain.signed_on(sponsor, key, &body, &account, limit))
    }

    /// The bytes of a signed transaction with this gas limit and the fee that it costs.
    pub fn signed(&self, key: &Key, body: &TxBody, account: &Account, gas_limit: u64) -> Vec<u8> {
        self.chain.signed(key, body, account, gas_limit)
    }

    /// SDK gas that a transaction would use now.
    pub fn simulate(&self, tx: &[u8]) -> Result<u64, ClientError> {
        let path = "/cosmos.tx.v1beta1.Service/Simulate";
        let request = SimulateRequest { tx_bytes: tx.to_vec(), ..SimulateRequest::default() };
        let refused = |error| match error {
            ClientError::Query { codespace, code, log, .. } => {
                ClientError::Refused { codespace, code, log, hash: String::new(), height: 0, gas_used: 0 }
            }
            other => other,
        };
        let answer: SimulateResponse = self.query(path, &request).map_err(refused)?;
        answer.gas_info.map(|info| info.gas_used).ok_or_else(|| unreadable("Simulate", "there is no gas in it"))
    }

    /// Broadcasts a signed transaction and waits until it is in a block. A transaction that fails is
    /// [`ClientError::Refused`], with its height where it got into a block.
    pub fn broadcast(&self, tx: &[u8]) -> Result<TxResult, ClientError> {
        self.submit(tx)?;
        self.wait_for_tx(tx)
    }

    /// Hands a signed transaction to the node's mempool, and answers with its hash.
    pub fn submit(&self, tx: &[u8]) -> Result<String, ClientError> {
        self.hand_over("broadcast_tx_sync", tx)
    }

    /// The same without waiting for the mempool's word.
    pub fn submit_unseen(&self, tx: &[u8]) -> Result<String, ClientError> {
        self.hand_over("broadcast_tx_async", tx)
    }

    fn hand_over(&self, method: &str, tx: &[u8]) -> Result<String, ClientError> {
        let sent: Broadcast = self.rpc.call(method, json!({"tx": STANDARD.encode(tx)}))?;
        if sent.code != 0 {
            let Broadcast { code, codespace, log, hash } = sent;
            return Err(ClientError::Refused { codespace, code, log, hash, height: 0, gas_used: 0 });
        }
        Ok(sent.hash)
    }

    /// Waits until a submitted transaction is in a block.
    pub fn wait_for_tx(&self, tx: &[u8]) -> Result<TxResult, ClientError> {
        let (wait, digest) = (Wait::begin(), Sha256::digest(tx));
        let hash = hex::encode_upper(digest);
        while wait.goes_on() {
            match self.rpc.call::<Found>("tx", json!({"hash": STANDARD.encode(digest), "prove": false})) {
                Ok(found) => return executed(found, hash),
                Err(ClientError::Rpc { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(ClientError::Late { hash, seconds: Wait::seconds() })
    }

    /// What the node says of itself: CometBFT's answer to `status`.
    pub fn status(&self) -> Result<Value, ClientError> {
        self.rpc.call("status", json!({}))
    }

    /// What the node measures, as Prometheus reads it; none where the REST port has no metrics.
    pub fn metrics(&self) -> Result<Option<String>, ClientError> {
        let bytes = self.rest.get("/metrics", &[])?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The chain's latest height.
    pub fn height(&self) -> Result<u64, ClientError> {
        let status = self.status()?;
        let height = status.pointer("/sync_info/latest_block_height").and_then(Value::as_str);
        height.and_then(|text| text.parse().ok()).ok_or_else(|| unreadable("status", "there is no height in it"))
    }

    /// Waits until the chain has reached a height.
    pub fn wait_for_height(&self, height: u64) -> Result<(), ClientError> {
        let wait = Wait::begin();
        while self.height()? < height {
            if !wait.goes_on() {
                return Err(ClientError::Late { hash: format!("of block {height}"), seconds: Wait::seconds() });
            }
        }
        Ok(())
    }
}

fn executed(found: Found, hash: String) -> Result<TxResult, ClientError> {
    let number = |text: &str| text.parse::<u64>().map_err(|e| unreadable("tx", &e.to_string()));
    let (height, gas_used) = (number(&found.height)?, number(&found.tx_result.gas_used)?);
    let Executed { code, codespace, log, data, events, .. } = found.tx_result;
    if code != 0 {
        return Err(ClientError::Refused { codespace, code, log, hash, height, gas_used });
    }
    let data = STANDARD.decode(data.unwrap_or_default()).map_err(|e| unreadable("tx", &e.to_string()))?;
    let data = TxMsgData::decode(&data[..]).map_err(|e| unreadable("tx", &e.to_string()))?;
    Ok(TxResult { hash, height, gas_used, events, responses: data.msg_responses })
}
