//! Code: uploaded once, named by a number, checked and compiled before anybody can use it.

use std::io::Read as _;

use aceso_vm::{Checksum, VmError};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    AccessConfig, AccessType, MsgStoreCode, MsgStoreCodeResponse, MsgUpdateInstantiateConfig,
};
use flate2::read::GzDecoder;

use crate::{
    address::Address,
    code::{Code, Fault},
    components::{
        WASM,
        wasm::{access, keys},
    },
    error::{AppError, Outcome},
    event::Event,
    gas,
    run::{Mode, Run},
    store::{Bare, Part, Read, Write, damaged},
};

/// Most codes that are pinned at a time: their machine code fits into the engine's memory.
const PINNED_MAX: usize = 64;
/// How a gzip file begins (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// A code.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CodeRow {
    /// SHA-256 of the unpacked wasm.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) checksum: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) creator: String,
    /// Who may make contracts of it.
    #[prost(message, optional, tag = "3")]
    pub(crate) permission: Option<AccessConfig>,
    /// The number in its section `cw_migrate_version`.
    #[prost(uint64, optional, tag = "4")]
    pub(crate) migrate_version: Option<u64>,
    /// Whether the authority has pinned it: every call costs what a further call in one transaction does.
    #[prost(bool, tag = "5")]
    pub(crate) pinned: bool,
}

impl CodeRow {
    pub(crate) fn checksum(&self) -> Outcome<Checksum> {
        Ok(Checksum::try_from(&self.checksum[..]).map_err(|_| damaged(WASM, b"code"))?)
    }

    /// Whether an account may make contracts of it.
    pub(crate) fn admits(&self, address: &Address) -> bool {
        let Some(config) = &self.permission else { return true };
        match AccessType::try_from(config.permission) {
            Ok(AccessType::Everybody) => true,
            Ok(AccessType::AnyOfAddresses) => config.addresses.iter().any(|one| one == address.as_str()),
            _ => false,
        }
    }
}

/// A code, if there is one.
pub(crate) fn get(state: &mut impl Read, id: u64) -> Outcome<Option<CodeRow>> {
    state.row(WASM, &keys::code(id))
}

/// A code that there must be.
pub(crate) fn need(state: &mut impl Read, id: u64) -> Outcome<CodeRow> {
    get(state, id)?.ok_or_else(|| Code::NoSuchCode.because(format_args!("code id {id}")).into())
}

/// The unpacked wasm of a code.
pub(crate) fn bytes(state: &mut impl Read, row: &CodeRow) -> Outcome<Vec<u8>> {
    let key = keys::bytes(&row.checksum()?.to_string());
    Ok(state.get(WASM, &key)?.ok_or_else(|| damaged(WASM, &key))?)
}

/// `MsgStoreCode`.
pub(crate) fn store(run: &mut Run<'_>, msg: &MsgStoreCode) -> Outcome<MsgStoreCodeResponse> {
    let chain = run.chain.clone();
    let creator = chain.address(&msg.sender)?;
    upload(run, &creator, &msg.wasm_byte_code, msg.instantiate_permission.clone())
}

/// Stores code, if its creator may.
pub(super) fn upload(
    run: &mut Run<'_>,
    creator: &Address,
    bytes: &[u8],
    permission: Option<AccessConfig>,
) -> Outcome<MsgStoreCodeResponse> {
    let params = &run.chain.params;
    let widest = access::default_of(params, creator);
    let wanted = permission.clone().map(|config| normal(config, &run.chain.prefix)).transpose()?;
    let allowed = params.code_upload_access.admits(creator.as_str())
        && wanted.as_ref().is_none_or(|wanted| access::is_within(wanted, &widest));
    if !allowed && run.chain.authority != creator.as_str() {
        return Err(Code::Unauthorized.because("can not create code").into());
    }
    store_as(run, creator, bytes, permission)
}

/// Stores code for somebody who may.
pub(crate) fn store_as(
    run: &mut Run<'_>,
    creator: &Address,
    bytes: &[u8],
    permission: Option<AccessConfig>,
) -> Outcome<MsgStoreCodeResponse> {
    let chain = run.chain.clone();
    let wasm = unpack(run, bytes)?;
    run.meter.spend(gas::COMPILE_BYTE.saturating_mul(wasm.len() as u64), "Compiling wasm bytecode")?;
    // A simulation checks and does not compile: that changes time only.
    let vm = &run.host.vm;
    let report = if run.mode == Mode::Simulate { vm.check(&wasm) } else { vm.put(&wasm) };
    let report = report.map_err(|e| match e {
        VmError::Local(_) => AppError::Vm(e).into(),
        refused => crate::error::Stop::from(Code::CreateFailed.because(refused)),
    })?;
    let permission = match permission {
        Some(config) => normal(config, &chain.prefix)?,
        None => access::default_of(&chain.params, creator),
    };
    let id = run.count(WASM, keys::code_count())?;
    let row = CodeRow {
        checksum: report.checksum.0.into(),
        creator: creator.to_string(),
        permission: Some(permission),
        migrate_version: report.migrate_version,
        pinned: false,
    };
    run.put(WASM, keys::code(id), &row)?;
    // Compilation has paid for the bytes.
    Bare(run.delta).set(WASM, keys::bytes(&report.checksum.to_string()), wasm)?;
    let event =
        Event::new("store_code").with("code_checksum", report.checksum.to_string()).with("code_id", id.to_string());
    let event = report.capabilities.into_iter().fold(event, |event, name| event.with("required_capability", name));
    run.emit(event);
    Ok(MsgStoreCodeResponse { code_id: id, checksum: row.checksum })
}

/// The widest permission: what a message may mean that names none.
pub(crate) fn everybody() -> AccessConfig {
    AccessConfig { permission: AccessType::Everybody.into(), addresses: Vec::new() }
}

/// `MsgUpdateInstantiateConfig`: who has stored a code says who may make contracts of it.
pub(crate) fn update_permission(run: &mut Run<'_>, msg: &MsgUpdateInstantiateConfig) -> Outcome<()> {
    let chain = run.chain.clone();
    let (sender, row) = (chain.address(&msg.sender)?, need(run, msg.code_id)?);
    let config = normal(msg.new_instantiate_permission.clone().unwrap_or_default(), &chain.prefix)?;
    let allowed =
        row.creator == sender.as_str() && access::is_kind_within(&config, &access::default_of(&chain.params, &sender));
    if !allowed && chain.authority != sender.as_str() {
        return Err(Code::Unauthorized.because("can not modify code access config").into());
    }
    let mut event = Event::new("update_code_access_config")
        .with("code_permission", permission_name(&config))
        .with("code_id", msg.code_id.to_string());
    if !config.addresses.is_empty() {
        event = event.with("authorized_addresses", config.addresses.join(","));
    }
    run.put(WASM, keys::code(msg.code_id), &CodeRow { permission: Some(config), ..row })?;
    run.emit(event);
    Ok(())
}

/// The name of a kind of permission, as amino JSON and events have it.
pub(crate) fn permission_name(config: &AccessConfig) -> &'static str {
    match AccessType::try_from(config.permission) {
        Ok(AccessType::Nobody) => "Nobody",
        Ok(AccessType::Everybody) => "Everybody",
        Ok(AccessType::AnyOfAddresses) => "AnyOfAddresses",
        Ok(AccessType::Unspecified) | Err(_) => "Unspecified",
    }
}

/// Whether a permission admits nobody whom the other one does not (wasmd `AccessConfig.IsSubset`).
pub(crate) fn is_within(config: &AccessConfig, other: &AccessConfig) -> bool {
    use AccessType::{AnyOfAddresses, Everybody, Nobody, Unspecified};
    let kind = |config: &AccessConfig| AccessType::try_from(config.permission).unwrap_or(Unspecified);
    match (kind(config), kind(other)) {
        (Unspecified, _) | (_, Unspecified) => false,
        (_, Everybody) | (Nobody, _) => true,
        (AnyOfAddresses, AnyOfAddresses) => config.addresses.iter().all(|one| other.addresses.contains(one)),
        (Everybody | AnyOfAddresses, _) => false,
    }
}

/// `MsgPinCodes` and `MsgUnpinCodes`: the authority makes calls of much used code cheaper, of a few codes at a time.
pub(crate) fn pin(run: &mut Run<'_>, authority: &str, ids: &[u64], pinned: bool) -> Outcome<()> {
    run.chain.need_authority(authority)?;
    ids.iter().try_for_each(|&id| set_pinned(run, id, pinned))
}

/// Makes calls of a code cheaper, or not any more.
pub(crate) fn set_pinned(run: &mut Run<'_>, id: u64, pinned: bool) -> Outcome<()> {
    let row = need(run, id)?;
    if pinned {
        let others = run.page(WASM, &Part::first(keys::all_pinned(), PINNED_MAX))?;
        if others.len() == PINNED_MAX && !row.pinned {
            return Err(Code::Limit.because(format_args!("code id {id}: {PINNED_MAX} codes are pinned")).into());
        }
        run.set(WASM, keys::pinned(id), b"1".to_vec())?;
    } else {
        run.remove(WASM, &keys::pinned(id))?;
    }
    run.put(WASM, keys::code(id), &CodeRow { pinned, ..row })?;
    let kind = if pinned { "pin_code" } else { "unpin_code" };
    run.emit(Event::new(kind).with("code_id", id.to_string()));
    Ok(())
}

/// Unpacks gzip, within the limit of unpacked wasm.
pub(crate) fn unpack(run: &mut Run<'_>, bytes: &[u8]) -> Outcome<Vec<u8>> {
    let most = run.chain.params.wasm_bytes_max;
    if bytes.len() as u64 <= most && bytes.starts_with(GZIP) {
        let (price, per) = gas::UNPACK;
        run.meter.spend((bytes.len() as u64).saturating_mul(price) / per, "Uncompress gzip bytecode")?;
    }
    unpacked(bytes, most).map_err(|words| Code::CreateFailed.because(words).into())
}

/// The wasm of a file, which may be packed with gzip: `most` bytes of it at most, packed or not. An error says in words
/// what is wrong.
pub fn unpacked(bytes: &[u8], most: u64) -> Result<Vec<u8>, String> {
    if bytes.len() as u64 > most {
        return Err(format!("uploaded code has {} bytes, the limit is {most}", bytes.len()));
    }
    if !bytes.starts_with(GZIP) {
        return Ok(bytes.into());
    }
    let mut wasm = Vec::new();
    match GzDecoder::new(bytes).take(most.saturating_add(1)).read_to_end(&mut wasm) {
        Ok(_) if wasm.len() as u64 > most => Err(format!("unpacked code has more than {most} bytes")),
        Ok(_) => Ok(wasm),
        Err(e) => Err(format!("uploaded code does not unpack: {e}")),
    }
}

/// A permission with its addresses in normal form.
fn normal(config: AccessConfig, prefix: &str) -> Result<AccessConfig, Fault> {
    let addresses = config.addresses.iter().map(|one| Address::parse(one, prefix).map(String::from));
    Ok(AccessConfig { addresses: addresses.collect::<Result<_, _>>()?, ..config })
}
