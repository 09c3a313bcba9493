//! Entry points, then the functions in the order of their match.

use aceso_types::sealed::{Acceptance, Compact, Outcome, Root, SIGNATURE_DOMAIN, Signed, SignedRoot};
#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Api, BLS12_381_G1_GENERATOR, Binary, Deps, DepsMut, Env, HashFunction, MessageInfo, Response, to_json_binary,
};

use crate::{
    ContractError, ExecuteMsg, InstantiateMsg, QueryMsg, RecordedResponse, RootResponse,
    state::{CONFIG, Config, RECORDED, ROOTS},
};

const NAME: &str = "crates.io:aceso-test-verifier";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Set in the first byte of a compressed point that is the identity.
const IDENTITY: u8 = 0x40;

/// Takes the first root as given.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(deps: DepsMut, _: Env, _: MessageInfo, msg: InstantiateMsg) -> Result<Response, ContractError> {
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    let root = Root::decode(&msg.root)?;
    let InstantiateMsg { members_min, power_min_bps, root: bytes } = msg;
    ROOTS.save(deps.storage, root.number, &bytes)?;
    CONFIG.save(deps.storage, &Config { members_min, power_min_bps, latest: root.number })?;
    Ok(Response::new())
}

/// Takes roots and receipts that are signed.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(deps: DepsMut, _: Env, _: MessageInfo, msg: ExecuteMsg) -> Result<Response, ContractError> {
    match msg {
        ExecuteMsg::Advance { root, signers, signature } => advance(deps, root, signers, signature),
        ExecuteMsg::Record { compact } => record(deps, &compact),
    }
}

/// Answers about roots and jobs.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps, _: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    match msg {
        QueryMsg::Root {} => {
            let root = root(deps, CONFIG.load(deps.storage)?.latest)?;
            Ok(to_json_binary(&RootResponse { number: root.number, digest: root.digest().to_string() })?)
        }
        QueryMsg::Recorded { job } => Ok(to_json_binary(&RECORDED.load(deps.storage, job)?)?),
    }
}

fn advance(deps: DepsMut, bytes: Binary, signers: Binary, signature: Binary) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    let last = root(deps.as_ref(), config.latest)?;
    let next = SignedRoot { root: Root::decode(&bytes)?, signers: signers.into(), signature: signature.into() };
    check(deps.api, &last, &last.followed(&next)?, &next.signature)?;
    let latest = next.root.number;
    ROOTS.save(deps.storage, latest, &bytes)?;
    CONFIG.save(deps.storage, &Config { latest, ..config })?;
    Ok(Response::new().add_attribute("action", "advance").add_attribute("root", latest.to_string()))
}

fn record(deps: DepsMut, compact: &[u8]) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    let compact = Compact::decode(compact)?;
    let job = compact.statement.job;
    if RECORDED.has(deps.storage, job) {
        return Err(ContractError::Recorded(job));
    }
    let root = root(deps.as_ref(), compact.root)?;
    let signed = compact.signed(&root)?;
    // `usize` has 32 bits here; the first is never more than it was.
    let members_min = usize::try_from(config.members_min).unwrap_or(usize::MAX);
    let demanded = Acceptance { members_min, power_min_bps: config.power_min_bps };
    demanded.check(signed.places.len(), signed.power, root.total)?;
    check(deps.api, &root, &signed, &compact.signature)?;
    RECORDED.save(deps.storage, job, &recorded(compact, &signed))?;
    Ok(Response::new().add_attribute("action", "record").add_attribute("job", job.to_string()))
}

fn recorded(compact: Compact, signed: &Signed) -> RecordedResponse {
    let (findings, failed) = match compact.outcome {
        Outcome::Predicate { findings, .. } => (findings.into_iter().map(|one| (one.id, one.present)).collect(), None),
        Outcome::Failed(failure) => (Vec::new(), Some(format!("{failure:?}").to_lowercase())),
        // What the outputs mean stands in the model's manifest.
        Outcome::Open { .. } | Outcome::Sealed { .. } | Outcome::Stored { .. } => (Vec::new(), None),
    };
    RecordedResponse {
        image: compact.statement.image.to_string(),
        owner: compact.statement.owner,
        requester: compact.statement.requester,
        model: compact.statement.model.to_string(),
        findings,
        failed,
        members: u32::try_from(signed.places.len()).unwrap_or(u32::MAX),
        signed: signed.signed,
    }
}

fn root(deps: Deps, number: u64) -> Result<Root, ContractError> {
    let bytes = ROOTS.may_load(deps.storage, number)?.ok_or(ContractError::Unknown(number))?;
    Ok(Root::decode(&bytes)?)
}

/// One aggregated signature: e(Σ keys, H(message)) = e(G, signature). The host checks that points are in their subgroup,
/// and takes the identity for one.
fn check(api: &dyn Api, root: &Root, signed: &Signed, signature: &[u8]) -> Result<(), ContractError> {
    let keys: Vec<u8> = root.keys_at(&signed.signers).flat_map(|key| key.key.iter().copied()).collect();
    let sum = api.bls12_381_aggregate_g1(&keys)?;
    for (what, point) in [("the signature", signature), ("the sum of the signers' keys", &sum[..])] {
        if point.first().is_none_or(|first| first & IDENTITY != 0) {
            return Err(ContractError::Identity(what));
        }
    }
    let message = api.bls12_381_hash_to_g2(HashFunction::Sha256, &signed.message.0, SIGNATURE_DOMAIN)?;
    let holds = api.bls12_381_pairing_equality(&sum, &message, &BLS12_381_G1_GENERATOR, signature)?;
    if holds { Ok(()) } else { Err(ContractError::Signature) }
}
