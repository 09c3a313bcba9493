//! What CometBFT 0.38's RPC prints, member for member.
//!
//! 64-bit integers are text, 32-bit ones are numbers; hashes and addresses are upper-case hexadecimal, other bytes
//! base64; an absent list is `null` where Go's is nil. Source: CometBFT's `rpc/core/types` and `libs/json`. Clients
//! check these shapes member by member, so the shapes are spelled out here rather than derived.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tendermint::{
    Hash, PublicKey, Time,
    abci::{self, types::ExecTxResult},
    block::{Block, Commit, CommitSig, Header, Id},
    consensus,
    v0_38::abci::response,
    validator,
};

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes in base64, `null` for none.
fn base64_or_null(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { base64(bytes).into() }
}

/// Bytes in upper-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

fn hash(hash: Option<Hash>) -> String {
    hash.map(|hash| hex(hash.as_bytes())).unwrap_or_default()
}

/// A time as Go prints it.
pub(crate) fn time(time: Time) -> String {
    time.to_rfc3339()
}

/// The time before time, which Go prints for an absent vote.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) fn block_id(id: &Id) -> Value {
    json!({
        "hash": hex(id.hash.as_bytes()),
        "parts": {"total": id.part_set_header.total, "hash": hex(id.part_set_header.hash.as_bytes())},
    })
}

pub(crate) fn header(header: &Header) -> Value {
    json!({
        "version": {"block": header.version.block.to_string(), "app": header.version.app.to_string()},
        "chain_id": header.chain_id.as_str(),
        "height": header.height.to_string(),
        "time": time(header.time),
        "last_block_id": block_id(&header.last_block_id.unwrap_or_default()),
        "last_commit_hash": hash(header.last_commit_hash),
        "data_hash": hash(header.data_hash),
        "validators_hash": hash(Some(header.validators_hash)),
        "next_validators_hash": hash(Some(header.next_validators_hash)),
        "consensus_hash": hash(Some(header.consensus_hash)),
        "app_hash": hex(header.app_hash.as_bytes()),
        "last_results_hash": hash(header.last_results_hash),
        "evidence_hash": hash(header.evidence_hash),
        "proposer_address": hex(header.proposer_address.as_bytes()),
    })
}

pub(crate) fn commit(commit: &Commit) -> Value {
    let signature = |sig: &CommitSig| {
        let (flag, address, at, signature) = match sig {
            CommitSig::BlockIdFlagAbsent => {
                return json!({
                    "block_id_flag": 1, "validator_address": "", "timestamp": NEVER, "signature": null,
                });
            }
            CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature } => {
                (2, validator_address, timestamp, signature)
            }
            CommitSig::BlockIdFlagNil { validator_address, timestamp, signature } => {
                (3, validator_address, timestamp, signature)
            }
        };
        json!({
            "block_id_flag": flag,
            "validator_address": hex(address.as_bytes()),
            "timestamp": time(*at),
            "signature": signature.as_ref().map(|signature| base64(signature.as_bytes())),
        })
    };
    json!({
        "height": commit.height.to_string(),
        "round": commit.round.value(),
        "block_id": block_id(&commit.block_id),
        "signatures": commit.signatures.iter().map(signature).collect::<Vec<_>>(),
    })
}

pub(crate) fn block(block: &Block) -> Value {
    json!({
        "header": header(&block.header),
        "data": {"txs": block.data.iter().map(|tx| base64(tx)).collect::<Vec<_>>()},
        "evidence": {"evidence": []},
        "last_commit": commit(&block.last_commit.clone().unwrap_or_default()),
    })
}

pub(crate) fn block_meta(block: &Block, id: &Id, bytes: usize) -> Value {
    json!({
        "block_id": block_id(id),
        "block_size": bytes.to_string(),
        "header": header(&block.header),
        "num_txs": block.data.len().to_string(),
    })
}

pub(crate) fn events(events: &[abci::Event]) -> Value {
    let attribute = |attribute: &abci::EventAttribute| {
        json!({
            "key": attribute.key_str().unwrap_or_default(),
            "value": attribute.value_str().unwrap_or_default(),
            "index": attribute.index(),
        })
    };
    let event = |event: &abci::Event| {
        json!({
            "type": event.kind,
            "attributes": event.attributes.iter().map(attribute).collect::<Vec<_>>(),
        })
    };
    events.iter().map(event).collect::<Vec<_>>().into()
}

/// What became of a transaction, in a block or in a check: ABCI gives both the same fields under two types.
macro_rules! outcome {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(result: &$type) -> Value {
            json!({
                "code": result.code.value(),
                "data": base64_or_null(&result.data),
                "log": result.log,
                "info": result.info,
                "gas_wanted": result.gas_wanted.to_string(),
                "gas_used": result.gas_used.to_string(),
                "events": events(&result.events),
                "codespace": result.codespace,
            })
        }
    };
}
outcome!(tx_result, ExecTxResult);
outcome!(check_tx, response::CheckTx);

pub(crate) fn public_key(key: &PublicKey) -> Value {
    json!({"type": "tendermint/PubKeyEd25519", "value": base64(&key.to_bytes())})
}

pub(crate) fn validator(info: &validator::Info) -> Value {
    json!({
        "address": hex(info.address.as_bytes()),
        "pub_key": public_key(&info.pub_key),
        "voting_power": info.power().to_string(),
        "proposer_priority": info.proposer_priority.value().to_string(),
    })
}

/// A set of validators; the first proposes.
pub(crate) fn validator_set(set: &[validator::Info]) -> Value {
    json!({"validators": set.iter().map(validator).collect::<Vec<_>>(), "proposer": set.first().map(validator)})
}

/// Round 0 of one validator of some power that has not voted yet.
pub(crate) fn no_votes(power: u64) -> Value {
    let (votes, bits) = (["nil-Vote"], format!("BA{{1:_}} 0/{power} = 0.00"));
    json!({
        "round": 0,
        "prevotes": votes,
        "prevotes_bit_array": bits,
        "precommits": votes,
        "precommits_bit_array": bits,
    })
}

fn validator_updates(updates: &[validator::Update]) -> Value {
    if updates.is_empty() {
        return Value::Null;
    }
    let update = |update: &validator::Update| {
        json!({
            "pub_key": {"Sum": {"type": "tendermint.crypto.PublicKey_Ed25519", "value": {
                "ed25519": base64(&update.pub_key.to_bytes()),
            }}},
            "power": update.power.value().to_string(),
        })
    };
    updates.iter().map(update).collect::<Vec<_>>().into()
}

pub(crate) fn consensus_params(params: &consensus::Params) -> Value {
    let key_types: Vec<_> = params
        .validator
        .pub_key_types
        .iter()
        .map(|kind| if *kind == tendermint::public_key::Algorithm::Secp256k1 { "secp256k1" } else { "ed25519" })
        .collect();
    let enabled = params.abci.vote_extensions_enable_height.map_or(0, |height| height.value());
    json!({
        "block": {"max_bytes": params.block.max_bytes.to_string(), "max_gas": params.block.max_gas.to_string()},
        "evidence": {
            "max_age_num_blocks": params.evidence.max_age_num_blocks.to_string(),
            "max_age_duration": params.evidence.max_age_duration.0.as_nanos().to_string(),
            "max_bytes": params.evidence.max_bytes.to_string(),
        },
        "validator": {"pub_key_types": key_types},
        "version": {"app": params.version.as_ref().map_or(0, |version| version.app).to_string()},
        "abci": {"vote_extensions_enable_height": enabled.to_string()},
    })
}

pub(crate) fn finalize_block(results: &response::FinalizeBlock) -> Value {
    json!({
        "events": events(&results.events),
        "tx_results": results.tx_results.iter().map(tx_result).collect::<Vec<_>>(),
        "validator_updates": validator_updates(&results.validator_updates),
        "consensus_param_updates": results.consensus_param_updates.as_ref().map(consensus_params),
        "app_hash": base64(results.app_hash.as_bytes()),
    })
}

/// The answer of `block_results`, which names the members of `FinalizeBlock` anew.
pub(crate) fn block_results(height: u64, results: &response::FinalizeBlock) -> Value {
    let txs: Vec<_> = results.tx_results.iter().map(tx_result).collect();
    json!({
        "height": height.to_string(),
        "txs_results": if txs.is_empty() { Value::Null } else { txs.into() },
        "finalize_block_events": if results.events.is_empty() { Value::Null } else { events(&results.events) },
        "validator_updates": validator_updates(&results.validator_updates),
        "consensus_param_updates": results.consensus_param_updates.as_ref().map(consensus_params),
        "app_hash": base64(results.app_hash.as_bytes()),
    })
}

pub(crate) fn query(answer: &response::Query) -> Value {
    let op = |op: &tendermint::merkle::proof::ProofOp| json!({"type": op.field_type, "key": base64(&op.key), "data": base64(&op.data)});
    let proof = answer.proof.as_ref().map(|proof| json!({"ops": proof.ops.iter().map(op).collect::<Vec<_>>()}));
    json!({
        "code": answer.code.value(),
        "log": answer.log,
        "info": answer.info,
        "index": answer.index.to_string(),
        "key": base64_or_null(&answer.key),
        "value": base64_or_null(&answer.value),
        "proofOps": proof,
        "height": answer.height.to_string(),
        "codespace": answer.codespace,
    })
}
