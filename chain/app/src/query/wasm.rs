//! `cosmwasm.wasm.v1.Query`.

use aceso_state::Delta;
use cosmos_sdk_proto::cosmwasm::wasm::v1 as pb;

use crate::{
    address::Address,
    code::Code,
    components::{
        WASM,
        wasm::{self, CodeRow, lists},
    },
    gas::Meter,
    host::on_deep_stack,
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
    run::{Mode, Run},
    store::{self, Read},
};

/// `QueryCodeInfoRequest` and its answer, which the published protobuf types are too old to have.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct CodeInfoRequest {
    #[prost(uint64, tag = "1")]
    code_id: u64,
}

/// See [`CodeInfoRequest`].
#[derive(Clone, PartialEq, prost::Message)]
struct CodeInfoAnswer {
    #[prost(uint64, tag = "1")]
    code_id: u64,
    #[prost(string, tag = "2")]
    creator: String,
    #[prost(bytes = "vec", tag = "3")]
    checksum: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    instantiate_permission: Option<pb::AccessConfig>,
}

/// `QueryBuildAddressRequest`, likewise.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct BuildAddressRequest {
    #[prost(string, tag = "1")]
    code_hash: String,
    #[prost(string, tag = "2")]
    creator_address: String,
    #[prost(string, tag = "3")]
    salt: String,
    #[prost(bytes = "vec", tag = "4")]
    init_args: Vec<u8>,
}

/// See [`BuildAddressRequest`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct BuildAddressAnswer {
    #[prost(string, tag = "1")]
    address: String,
}

/// The answer to `QueryWasmLimitsConfigRequest`, likewise.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct WasmLimitsConfigAnswer {
    #[prost(string, tag = "1")]
    config: String,
}

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    let state = &mut asked.view();
    match method {
        "Codes" => {
            let pb::QueryCodesRequest { pagination } = decode(data)?;
            let (rows, next) = page(state, WASM, lists::codes(), pagination)?;
            let mut code_infos = Vec::with_capacity(rows.len());
            for (key, row) in rows {
                code_infos.push(shown(number(&key)?, store::decode(WASM, &key, &row)?));
            }
            encode(&pb::QueryCodesResponse { code_infos, pagination: Some(next) })
        }
        "Code" => {
            let pb::QueryCodeRequest { code_id } = decode(data)?;
            let row = code(asked, code_id)?;
            let data = wasm::code_bytes(state, &row)?;
            encode(&pb::QueryCodeResponse { code_info: Some(shown(code_id, row)), data })
        }
        "CodeInfo" => {
            let CodeInfoRequest { code_id } = decode(data)?;
            let CodeRow { checksum, creator, permission, .. } = code(asked, code_id)?;
            encode(&CodeInfoAnswer { code_id, creator, checksum, instantiate_permission: permission })
        }
        "ContractsByCode" => {
            let pb::QueryContractsByCodeRequest { code_id, pagination } = decode(data)?;
            let (contracts, pagination) = addresses(asked, lists::by_code(code_id), pagination)?;
            encode(&pb::QueryContractsByCodeResponse { contracts, pagination: Some(pagination) })
        }
        "ContractsByCreator" => {
            let pb::QueryContractsByCreatorRequest { creator_address, pagination } = decode(data)?;
            let creator = address(asked, &creator_address)?;
            let (contract_addresses, pagination) = addresses(asked, lists::by_creator(creator.as_str()), pagination)?;
            encode(&pb::QueryContractsByCreatorResponse { contract_addresses, pagination: Some(pagination) })
        }
        "ContractInfo" => {
            let pb::QueryContractInfoRequest { address: text } = decode(data)?;
            let address = address(asked, &text)?;
            let info = contract(asked, &address)?;
            encode(&pb::QueryContractInfoResponse { address: address.into(), contract_info: Some(info) })
        }
        "ContractHistory" => {
            let pb::QueryContractHistoryRequest { address: text, pagination } = decode(data)?;
            let address = address(asked, &text)?;
            // What is no contract has no history, as in wasmd.
            let (rows, next) = page(state, WASM, lists::history_of(address.as_str()), pagination)?;
            let read = |(key, row): &(Vec<u8>, Vec<u8>)| store::decode(WASM, key, row);
            let entries = rows.iter().map(read).collect::<Result<_, _>>()?;
            encode(&pb::QueryContractHistoryResponse { entries, pagination: Some(next) })
        }
        "AllContractState" => {
            let pb::QueryAllContractStateRequest { address: text, pagination } = decode(data)?;
            let address = address(asked, &text)?;
            contract(asked, &address)?;
            let prefix = lists::state(address.as_str());
            let (rows, next) = page(state, WASM, prefix.clone(), pagination)?;
            let own = |key: Vec<u8>| key.get(prefix.len()..).map(<[u8]>::to_vec).unwrap_or_default();
            let models = rows.into_iter().map(|(key, value)| pb::Model { key: own(key), value });
            encode(&pb::QueryAllContractStateResponse { models: models.collect(), pagination: Some(next) })
        }
        "RawContractState" => {
            let pb::QueryRawContractStateRequest { address: text, query_data } = decode(data)?;
            let address = address(asked, &text)?;
            contract(asked, &address)?;
            let value = state.get(WASM, &[lists::state(address.as_str()), query_data].concat())?;
            encode(&pb::QueryRawContractStateResponse { data: value.unwrap_or_default() })
        }
        "SmartContractState" => smart(asked, decode(data)?),
        "Params" => encode(&pb::QueryParamsResponse { params: Some(wasm::access::shown(&asked.chain.params)) }),
        "PinnedCodes" => {
            let pb::QueryPinnedCodesRequest { pagination } = decode(data)?;
            let (rows, next) = page(state, WASM, lists::all_pinned(), pagination)?;
            let code_ids = rows.iter().map(|(key, _)| number(key)).collect::<Result<_, _>>()?;
            encode(&pb::QueryPinnedCodesResponse { code_ids, pagination: Some(next) })
        }
        "WasmLimitsConfig" => encode(&WasmLimitsConfigAnswer { config: limits() }),
        "BuildAddress" => build_address(asked, decode(data)?),
        other => Err(unknown(&format!("/cosmwasm.wasm.v1.Query/{other}"))),
    }
}

/// What the engine takes, as JSON of wasmvm's `WasmLimits`.
fn limits() -> String {
    serde_json::json!({
        "initial_memory_limit_pages": aceso_vm::MEMORY_PAGES_MAX,
        "table_size_limit_elements": aceso_vm::TABLE_ELEMENTS_MAX,
        "max_imports": aceso_vm::IMPORTS_MAX,
        "max_functions": aceso_vm::FUNCTIONS_MAX,
        "max_function_params": aceso_vm::FUNCTION_PARAMS_MAX,
        "max_total_function_params": aceso_vm::TOTAL_PARAMS_MAX,
        "max_function_results": aceso_vm::FUNCTION_RESULTS_MAX,
        "max_function_locals": aceso_vm::FUNCTION_LOCALS_MAX,
        "max_total_function_locals": aceso_vm::TOTAL_LOCALS_MAX,
    })
    .to_string()
}

/// The number at the end of a key.
fn number(key: &[u8]) -> Result<u64, Status> {
    let number = std::str::from_utf8(key).ok().and_then(|key| key.rsplit('/').next()?.parse().ok());
    number.ok_or_else(|| crate::error::Stop::from(store::damaged(WASM, key)).into())
}

fn smart(asked: &Asked<'_>, request: pb::QuerySmartContractStateRequest) -> Answered {
    let address = address(asked, &request.address)?;
    crate::tx::msg::json(&request.query_data).map_err(|_| Status::Invalid("invalid query data".into()))?;
    let mut delta = Delta::new(asked.snapshot.clone());
    let meter = Meter::new(asked.chain.params.query_gas_max);
    let data = on_deep_stack(|| {
        let mut run = Run::new(asked.host, asked.chain.clone(), asked.block, Mode::Query, &mut delta, meter);
        wasm::smart(&mut run, &address, &request.query_data)
    });
    let data = data.map_err(|error| Status::Plain(Code::Internal.because(error)))??;
    encode(&pb::QuerySmartContractStateResponse { data })
}

/// The address of a contract to come (wasmd `BuildAddress`).
fn build_address(asked: &Asked<'_>, request: BuildAddressRequest) -> Answered {
    let invalid = |what: &str| Status::Invalid(what.into());
    let checksum = hex::decode(&request.code_hash).map_err(|_| invalid("invalid code hash"))?;
    if checksum.len() != 32 {
        return Err(invalid("invalid code hash"));
    }
    let salt = hex::decode(&request.salt).map_err(|_| invalid("invalid salt"))?;
    crate::tx::msg::salt(&salt).map_err(|fault| Status::Invalid(fault.text))?;
    let creator = address(asked, &request.creator_address)?;
    let built = Address::of_salt(&checksum, &creator.bytes(), &salt, &request.init_args, &asked.chain.prefix)?;
    encode(&BuildAddressAnswer { address: built.into() })
}

fn code(asked: &Asked<'_>, id: u64) -> Result<CodeRow, Status> {
    if id == 0 {
        return Err(Status::Registered(Code::Invalid.because("code id")));
    }
    wasm::code_row(&mut asked.view(), id)?
        .ok_or_else(|| Status::Registered(Code::NoSuchCode.because(format_args!("code id {id}"))))
}

fn shown(code_id: u64, row: CodeRow) -> pb::CodeInfoResponse {
    let CodeRow { checksum, creator, permission, .. } = row;
    pb::CodeInfoResponse { code_id, creator, data_hash: checksum, instantiate_permission: permission }
}

fn contract(asked: &Asked<'_>, address: &Address) -> Result<pb::ContractInfo, Status> {
    wasm::contract(&mut asked.view(), address)?.ok_or_else(|| no_contract(address))
}

fn no_contract(address: &Address) -> Status {
    Status::Registered(Code::NoSuchContract.because(format_args!("address {address}")))
}

fn address(asked: &Asked<'_>, text: &str) -> Result<Address, Status> {
    asked.chain.address(text).map_err(|fault| Status::Invalid(fault.text))
}

fn addresses(
    asked: &Asked<'_>,
    prefix: Vec<u8>,
    pagination: Option<cosmos_sdk_proto::cosmos::base::query::v1beta1::PageRequest>,
) -> Result<(Vec<String>, cosmos_sdk_proto::cosmos::base::query::v1beta1::PageResponse), Status> {
    let (rows, next) = page(&mut asked.view(), WASM, prefix, pagination)?;
    Ok((rows.into_iter().map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect(), next))
}
