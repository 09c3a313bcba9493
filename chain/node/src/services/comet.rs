//! `cosmos.base.tendermint.v1beta1.Service`.

use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::{
            query::v1beta1::{PageRequest, PageResponse},
            tendermint::v1beta1::{
                AbciQueryRequest, AbciQueryResponse, Block, GetBlockByHeightRequest, GetBlockByHeightResponse,
                GetLatestBlockResponse, GetLatestValidatorSetRequest, GetLatestValidatorSetResponse,
                GetNodeInfoResponse, GetSyncingResponse, GetValidatorSetByHeightRequest,
                GetValidatorSetByHeightResponse, Header, ProofOp, ProofOps, Validator, VersionInfo,
            },
        },
        crypto::ed25519,
    },
    tendermint::{
        p2p::{DefaultNodeInfo, DefaultNodeInfoOther, ProtocolVersion},
        types,
    },
};
use prost::{Message, Name};
use serde_json::{Value, json};
use tendermint::v0_38::abci::{request, response};

use super::{
    Answered, Asked, decode, encode,
    engine::{Failure, PATIENCE},
    number, short,
    status::Status,
    text,
};

/// Rows of a page if the client names no number, as in the SDK.
const ROWS: u64 = 100;
const TOO_HIGH: &str = "requested block height is bigger then the chain length";

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Option<Answered> {
    Some(match method {
        "GetNodeInfo" => node_info(asked),
        "GetSyncing" => syncing(asked),
        "GetLatestBlock" => latest_block(asked),
        "GetBlockByHeight" => block_by_height(asked, data),
        "GetLatestValidatorSet" => latest_validators(asked, data),
        "GetValidatorSetByHeight" => validators_by_height(asked, data),
        "ABCIQuery" => abci_query(asked, data),
        _ => return None,
    })
}

fn node_info(asked: &Asked<'_>) -> Answered {
    let info = asked.call("status", json!({}))?["node_info"].take();
    let version = &info["protocol_version"];
    let unsigned = |name| Ok::<_, Failure>(u64::try_from(number(version, name)?).unwrap_or_default());
    encode(&GetNodeInfoResponse {
        default_node_info: Some(DefaultNodeInfo {
            protocol_version: Some(ProtocolVersion {
                p2p: unsigned("p2p")?,
                block: unsigned("block")?,
                app: unsigned("app")?,
            }),
            default_node_id: text(&info, "id")?.into(),
            listen_addr: text(&info, "listen_addr")?.into(),
            network: text(&info, "network")?.into(),
            version: text(&info, "version")?.into(),
            channels: hex::decode(text(&info, "channels")?).map_err(|e| Failure::Shape(e.to_string()))?,
            moniker: text(&info, "moniker")?.into(),
            other: Some(DefaultNodeInfoOther {
                tx_index: text(&info["other"], "tx_index")?.into(),
                rpc_address: text(&info["other"], "rpc_address")?.into(),
            }),
        }),
        application_version: Some(VersionInfo {
            name: "aceso".into(),
            app_name: "aceso".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..VersionInfo::default()
        }),
    })
}

fn syncing(asked: &Asked<'_>) -> Answered {
    encode(&GetSyncingResponse { syncing: asked.engine.rpc.is_catching_up(PATIENCE)? })
}

fn latest_block(asked: &Asked<'_>) -> Answered {
    let (block_id, block, sdk_block) = block(asked, None)?;
    encode(&GetLatestBlockResponse { block_id: Some(block_id), block: Some(block), sdk_block: Some(sdk_block) })
}

fn block_by_height(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let GetBlockByHeightRequest { height } = decode(data)?;
    check(asked, height)?;
    let (block_id, block, sdk_block) = block(asked, Some(height))?;
    encode(&GetBlockByHeightResponse { block_id: Some(block_id), block: Some(block), sdk_block: Some(sdk_block) })
}

/// A block as CometBFT has it, and as the SDK prints it again: with its proposer's address in text.
fn block(asked: &Asked<'_>, height: Option<i64>) -> Result<(types::BlockId, types::Block, Block), Status> {
    let (id, block) = asked.block(height)?;
    let block = types::Block::from(block);
    let header = block.header.clone().unwrap_or_default();
    let header = Header {
        version: header.version,
        chain_id: header.chain_id,
        height: header.height,
        time: header.time,
        last_block_id: header.last_block_id,
        last_commit_hash: header.last_commit_hash,
        data_hash: header.data_hash,
        validators_hash: header.validators_hash,
        next_validators_hash: header.next_validators_hash,
        consensus_hash: header.consensus_hash,
        app_hash: header.app_hash,
        last_results_hash: header.last_results_hash,
        evidence_hash: header.evidence_hash,
        proposer_address: asked.consensus_address(&header.proposer_address)?,
    };
    let printed = Block {
        header: Some(header),
        data: block.data.clone(),
        evidence: block.evidence.clone(),
        last_commit: block.last_commit.clone(),
    };
    Ok((id.into(), block, printed))
}

fn latest_validators(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let GetLatestValidatorSetRequest { pagination } = decode(data)?;
    encode(&validators(asked, None, pagination)?)
}

fn validators_by_height(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let GetValidatorSetByHeightRequest { height, pagination } = decode(data)?;
    check(asked, height)?;
    let GetLatestValidatorSetResponse { block_height, validators, pagination } =
        validators(asked, Some(height), pagination)?;
    encode(&GetValidatorSetByHeightResponse { block_height, validators, pagination })
}

fn validators(
    asked: &Asked<'_>,
    height: Option<i64>,
    pagination: Option<PageRequest>,
) -> Result<GetLatestValidatorSetResponse, Status> {
    let PageRequest { offset, limit, .. } = pagination.unwrap_or_default();
    let limit = if limit == 0 { ROWS } else { limit };
    let mut params = json!({"page": (offset / limit + 1).to_string(), "per_page": limit.min(ROWS).to_string()});
    if let Some(height) = height {
        params["height"] = height.to_string().into();
    }
    let answer = asked.call("validators", params)?;
    let rows = answer["validators"].as_array().ok_or_else(|| Failure::Shape("validators is no list".into()))?;
    Ok(GetLatestValidatorSetResponse {
        block_height: number(&answer, "block_height")?,
        validators: rows.iter().map(|row| validator(asked, row)).collect::<Result<_, _>>()?,
        pagination: Some(PageResponse {
            next_key: Vec::new(),
            total: u64::try_from(number(&answer, "total")?).unwrap_or_default(),
        }),
    })
}

fn validator(asked: &Asked<'_>, row: &Value) -> Result<Validator, Status> {
    let shape = |e: &dyn std::fmt::Display| Failure::Shape(e.to_string());
    let address = hex::decode(text(row, "address")?).map_err(|e| shape(&e))?;
    let key = STANDARD.decode(text(&row["pub_key"], "value")?).map_err(|e| shape(&e))?;
    Ok(Validator {
        address: asked.consensus_address(&address)?,
        pub_key: Some(Any { type_url: ed25519::PubKey::type_url(), value: ed25519::PubKey { key }.encode_to_vec() }),
        voting_power: number(row, "voting_power")?,
        proposer_priority: number(row, "proposer_priority")?,
    })
}

fn check(asked: &Asked<'_>, height: i64) -> Result<(), Status> {
    if u64::try_from(height).is_ok_and(|height| height > asked.latest.value()) {
        return Err(Status::invalid(TOO_HIGH));
    }
    Ok(())
}

/// A question as ABCI puts it, other than one of gRPC's: those have their own methods, and so cannot hold one another.
fn abci_query(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let AbciQueryRequest { data, path, height, prove } = decode(data)?;
    if path.is_empty() {
        return Err(Status::invalid("empty query path"));
    }
    let first = path.strip_prefix('/').unwrap_or(&path).split('/').next().unwrap_or_default();
    if !matches!(first, "app" | "store" | "p2p" | "custom") {
        return Err(Status::invalid(format!("unsupported ABCI query path: {}", short(&path))));
    }
    let height = height.try_into().map_err(|_| Status::unknown(format!("height {height} is negative")))?;
    let answer = asked.queries.of_application(request::Query { data: data.into(), path, height, prove });
    let response::Query { code, log, info, index, key, value, proof, height, codespace } = answer;
    let op = |op: tendermint::merkle::proof::ProofOp| ProofOp { r#type: op.field_type, key: op.key, data: op.data };
    encode(&AbciQueryResponse {
        code: code.value(),
        log,
        info,
        index,
        key: key.into(),
        value: value.into(),
        proof_ops: proof.map(|proof| ProofOps { ops: proof.ops.into_iter().map(op).collect() }),
        height: height.into(),
        codespace,
    })
}
