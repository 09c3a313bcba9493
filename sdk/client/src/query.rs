//! Questions to a node: accounts, balances, contracts, blobs, models, images, receipts.

use std::{
    io::Read,
    time::{SystemTime, UNIX_EPOCH},
};

use aceso_types::{
    BlobId,
    genesis::Genesis,
    query::{Asked, BlobRow, BlobStatus, QueryBlob},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{MsgSend, QueryBalanceRequest, QueryBalanceResponse},
        base::v1beta1::Coin,
        vesting::v1beta1::{BaseVestingAccount, DelayedVestingAccount},
    },
    cosmwasm::wasm::v1::{
        MsgExecuteContract, MsgInstantiateContract, MsgStoreCode, QuerySmartContractStateRequest,
        QuerySmartContractStateResponse,
    },
};
use flate2::{Compression, read::GzEncoder};
use prost::{Message, Name};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Chain, Client, ClientError, Key,
    http::{Endpoint, unreadable},
    tx::cosmos_any,
    wait::Wait,
};

/// The plain account in an account of any kind.
fn base_of(any: &Any) -> Result<BaseAccount, prost::DecodeError> {
    if any.type_url == BaseAccount::type_url() {
        return BaseAccount::decode(&any.value[..]);
    }
    let base = if any.type_url == BaseVestingAccount::type_url() {
        BaseVestingAccount::decode(&any.value[..])?
    } else {
        // The other kinds have it as their first field, and this is one of them.
        DelayedVestingAccount::decode(&any.value[..])?.base_vesting_account.unwrap_or_default()
    };
    Ok(base.base_account.unwrap_or_default())
}

/// For how long a request for a guarded image is good.
const FETCH_SECONDS: u64 = 300;

/// An account as the chain knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number, part of every signature.
    pub number: u64,
    /// Its next transaction's sequence.
    pub sequence: u64,
}

#[derive(Deserialize)]
struct AbciAnswer {
    response: AbciResponse,
}

/// The inner part of an `abci_query` answer.
#[derive(Deserialize)]
pub(crate) struct AbciResponse {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
    pub(crate) value: Option<String>,
    #[serde(rename = "proofOps")]
    pub(crate) proof: Option<ProofOps>,
}

/// The proofs of an `abci_query` answer.
#[derive(Deserialize)]
pub(crate) struct ProofOps {
    pub(crate) ops: Vec<ProofOp>,
}

/// One proof.
#[derive(Deserialize)]
pub(crate) struct ProofOp {
    pub(crate) data: String,
}

/// Reads the chain's name and coin from its genesis file.
pub(crate) fn chain(rpc: &Endpoint) -> Result<Chain, ClientError> {
    let (id, genesis) = genesis(rpc)?;
    Ok(Chain { id, prefix: genesis.prefix, denom: genesis.denom, gas_price_micro: genesis.params.min_gas_price_micro })
}

/// The chain's id and its application's genesis.
pub(crate) fn genesis(rpc: &Endpoint) -> Result<(String, Genesis), ClientError> {
    let answer: Value = rpc.call("genesis", json!({}))?;
    let id = answer.pointer("/genesis/chain_id").and_then(Value::as_str).unwrap_or_default();
    let state = answer.pointer("/genesis/app_state").cloned().unwrap_or_default();
    let genesis = Genesis::decode(state.to_string().as_bytes()).map_err(|e| unreadable("genesis", &e.to_string()))?;
    Ok((id.into(), genesis))
}

impl Client {
    /// Any query in protobuf, by its path.
    pub fn query<Q: Message, A: Message + Default>(&self, path: &str, request: &Q) -> Result<A, ClientError> {
        let value = self.query_bytes(path, &request.encode_to_vec(), 0)?;
        A::decode(&value[..]).map_err(|e| unreadable(path, &e.to_string()))
    }

    /// The same of bytes, at a height (0: the latest).
    pub fn query_bytes(&self, path: &str, request: &[u8], height: u64) -> Result<Vec<u8>, ClientError> {
        let answer = self.abci(path, request, height, false)?;
        STANDARD.decode(answer.value.unwrap_or_default()).map_err(|e| unreadable(path, &e.to_string()))
    }

    /// One of our own queries; none where there is no such thing.
    pub fn ask<Q: Asked>(&self, request: &Q) -> Result<Option<Q::Answer>, ClientError> {
        match self.query(Q::PATH, request) {
            Ok(answer) => Ok(Some(answer)),
            Err(ClientError::Query { code: 22, .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// An ABCI query at a height (0: the latest).
    pub(crate) fn abci(&self, path: &str, data: &[u8], height: u64, prove: bool) -> Result<AbciResponse, ClientError> {
        let params = json!({"path": path, "data": hex::encode(data), "height": height.to_string(), "prove": prove});
        let AbciAnswer { response } = self.rpc.call("abci_query", params)?;
        if response.code != 0 {
            let AbciResponse { code, codespace, log, .. } = response;
            return Err(ClientError::Query { path: path.into(), codespace, code, log });
        }
        Ok(response)
    }

    /// An account's number and sequence.
    pub fn account(&self, address: &str) -> Result<Account, ClientError> {
        let path = "/cosmos.auth.v1beta1.Query/Account";
        let answer: QueryAccountResponse = match self.query(path, &QueryAccountRequest { address: address.into() }) {
            Err(ClientError::Query { code: 22, .. }) => return Err(ClientError::UnknownAccount(address.into())),
            other => other?,
        };
        let any = answer.account.ok_or_else(|| unreadable(path, "there is no account in it"))?;
        let account = base_of(&any).map_err(|e| unreadable(path, &e.to_string()))?;
        Ok(Account { number: account.account_number, sequence: account.sequence })
    }

    /// How many of the chain's coins an account or contract has.
    pub fn balance(&self, address: &str) -> Result<u128, ClientError> {
        let path = "/cosmos.bank.v1beta1.Query/Balance";
        let request = QueryBalanceRequest { address: address.into(), denom: self.chain.denom.clone() };
        let answer: QueryBalanceResponse = self.query(path, &request)?;
        let amount = answer.balance.map_or("0".into(), |coin| coin.amount);
        amount.parse().map_err(|_| unreadable(path, "the amount is not a number"))
    }

    /// Asks a contract.
    pub fn smart<T: DeserializeOwned>(&self, contract: &str, question: &impl Serialize) -> Result<T, ClientError> {
        let path = "/cosmwasm.wasm.v1.Query/SmartContractState";
        let query_data = serde_json::to_vec(question).map_err(|e| unreadable(path, &e.to_string()))?;
        let request = QuerySmartContractStateRequest { address: contract.into(), query_data };
        let answer: QuerySmartContractStateResponse = self.query(path, &request)?;
        serde_json::from_slice(&answer.data).map_err(|e| unreadable(path, &e.to_string()))
    }

    /// Uploads bytes to the node's blob store; they are kept for an hour unless they are registered.
    pub fn put_blob(&self, bytes: impl Read) -> Result<(BlobId, u64), ClientError> {
        #[derive(Deserialize)]
        struct Put {
            cid: String,
            size: String,
        }
        let path = "/aceso/blobs/v1";
        let answer = self.rest.post(path, bytes)?;
        let put: Put = serde_json::from_slice(&answer).map_err(|e| unreadable(path, &e.to_string()))?;
        let size = put.size.parse().map_err(|_| unreadable(path, "the size is not a number"))?;
        Ok((put.cid.parse()?, size))
    }

    /// A blob's bytes; none where the node does not have it. Nothing is checked here: of another's node whoever opens or
    /// hashes them sees whether they are what the CID names.
    pub fn get_blob(&self, id: &BlobId) -> Result<Option<Vec<u8>>, ClientError> {
        self.rest.get(&format!("/ipfs/{id}"), &[])
    }

    /// A guarded image's bytes, asked for in the name of a key: its owner's, or of somebody whom the guard lets see it.
    /// None where the node does not have it.
    pub fn get_image(&self, key: &Key, id: &BlobId) -> Result<Option<Vec<u8>>, ClientError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = now.as_secs() + FETCH_SECONDS;
        let signature = key.sign(&id.fetch_bytes(&self.chain.id, expires).0);
        let headers = [
            ("x-aceso-public-key", STANDARD.encode(key.public())),
            ("x-aceso-expires", expires.to_string()),
            ("x-aceso-signature", STANDARD.encode(signature)),
        ];
        self.rest.get(&format!("/ipfs/{id}"), &headers)
    }

    /// Waits until a registered blob is available to open reads, and answers with its row.
    pub fn wait_available(&self, id: &BlobId) -> Result<BlobRow, ClientError> {
        let (wait, query) = (Wait::begin(), QueryBlob { cid: id.to_string() });
        loop {
            if let Some(row) = self.ask(&query)?.filter(|row| row.status() == BlobStatus::Available) {
                return Ok(row);
            }
            if !wait.goes_on() {
                return Err(ClientError::Unavailable { cid: id.to_string(), seconds: Wait::seconds() });
            }
        }
    }

    /// An amount of the chain's coin.
    pub fn coin(&self, amount: u128) -> Coin {
        Coin { denom: self.chain.denom.clone(), amount: amount.to_string() }
    }

    /// `MsgSend`: coins from one account to another.
    pub fn msg_send(&self, from: &str, to: &str, amount: u128) -> Any {
        let (from_address, to_address) = (from.into(), to.into());
        cosmos_any(&MsgSend { from_address, to_address, amount: vec![self.coin(amount)] })
    }

    /// `MsgStoreCode`: uploads a contract's wasm, compressed as stock clients do: CometBFT takes a megabyte at most.
    pub fn msg_store(&self, sender: &str, wasm: &[u8]) -> Any {
        let mut packed = Vec::new();
        let mut encoder = GzEncoder::new(wasm, Compression::best());
        // Reading from memory does not fail; what did not pack is refused by the chain.
        let _ = encoder.read_to_end(&mut packed);
        let (sender, wasm_byte_code) = (sender.into(), packed);
        cosmos_any(&MsgStoreCode { sender, wasm_byte_code, instantiate_permission: None })
    }

    /// `MsgInstantiateContract` without funds; the sender becomes the admin.
    pub fn msg_instantiate(&self, sender: &str, code_id: u64, label: &str, msg: &impl Serialize) -> Any {
        cosmos_any(&MsgInstantiateContract {
            sender: sender.into(),
            admin: sender.into(),
            code_id,
            label: label.into(),
            msg: json(msg),
            funds: Vec::new(),
        })
    }

    /// `MsgExecuteContract`, with coins for the contract.
    pub fn msg_execute(&self, sender: &str, contract: &str, msg: &impl Serialize, funds: u128) -> Any {
        cosmos_any(&MsgExecuteContract {
            sender: sender.into(),
            contract: contract.into(),
            msg: json(msg),
            funds: if funds == 0 { Vec::new() } else { vec![self.coin(funds)] },
        })
    }
}

/// Messages to contracts have text keys only, so writing them into a `Vec` does not fail.
fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}
