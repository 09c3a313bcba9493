//! The messages that this chain knows: their type URLs, who must sign them, and what is wrong with them by themselves.
//!
//! Field checks and their sentences are those of the Cosmos SDK and of wasmd (`ValidateBasic`). Whatever else a
//! client sends does not decode, as for the SDK.

mod packed;
mod sealed;

use aceso_types::access::ADDRESSES_MAX;
use aceso_types::guest::Callback;
use aceso_types::msg::{
    MsgAttest, MsgBreakGlass, MsgCancelUpgrade, MsgDispute, MsgGrant, MsgRegisterAttester, MsgRegisterBlob,
    MsgRegisterImage, MsgRegisterModel, MsgRegisterReader, MsgRegisterSealed, MsgRequestRead, MsgRetireSealed,
    MsgRevokeGrant, MsgScheduleUpgrade, MsgSetValidator, MsgSubmitShare, MsgUpdateParams, Named,
};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::{MsgExec, MsgGrant as MsgAuthorize, MsgRevoke},
        bank::v1beta1::{MsgMultiSend, MsgSend},
        feegrant::v1beta1::{MsgGrantAllowance, MsgPruneAllowances, MsgRevokeAllowance},
    },
    cosmwasm::wasm::v1::{
        self as pb, AccessConfig, AccessType, MsgClearAdmin, MsgExecuteContract, MsgInstantiateContract,
        MsgInstantiateContract2, MsgMigrateContract, MsgPinCodes, MsgStoreAndInstantiateContract,
        MsgStoreAndMigrateContract, MsgStoreCode, MsgSudoContract, MsgUnpinCodes, MsgUpdateAdmin,
        MsgUpdateContractLabel, MsgUpdateInstantiateConfig,
    },
};

use crate::{
    address::Address,
    code::{Code, Fault},
    coin::Coins,
    components::{authz, sponsor::Allowance},
    tx::decode::canonical,
};

/// Longest label of a contract (wasmd `x/wasm/types/validation.go`).
const LABEL_MAX: usize = 128;
/// Longest salt (wasmd `x/wasm/types/validation.go`).
const SALT_MAX: usize = 64;
/// Most codes in one message (wasmd `x/wasm/types/tx.go`).
const CODES_MAX: usize = 50;
/// How deep a contract's message may be nested (Go's `encoding/json`, `maxNestingDepth`).
const JSON_DEPTH_MAX: usize = 10_000;
/// Most outputs of one multi-send: a bound on work that gas alone would also set.
const OUTPUTS_MAX: usize = 1_000;

/// Type URLs that authorisations of their own are about.
pub(crate) const SEND: &str = "/cosmos.bank.v1beta1.MsgSend";
pub(crate) const STORE_CODE: &str = "/cosmwasm.wasm.v1.MsgStoreCode";
pub(crate) const EXECUTE: &str = "/cosmwasm.wasm.v1.MsgExecuteContract";
pub(crate) const MIGRATE: &str = "/cosmwasm.wasm.v1.MsgMigrateContract";
/// The type URL of [`Exec`].
const EXEC: &str = "/cosmos.authz.v1beta1.MsgExec";
/// Whose messages only their signers send themselves: what is said there of people's images, records, keys and grants.
const IN_PERSON: &str = "/aceso.reads.v1.";

macro_rules! messages {
    ($($variant:ident($message:ty) = $url:expr, $signer:expr;)*) => {
        /// A message that this chain knows.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum Msg {
            $($variant($message),)*
            /// Messages that others have allowed.
            Exec(Exec),
        }

        /// Whether there are messages of a type.
        pub(crate) fn is_known(url: &str) -> bool {
            url == EXEC $(|| url == $url)*
        }

        impl Msg {
            /// Reads a message that is not [`Exec`].
            fn decode_plain(any: &Any) -> Result<Self, Fault> {
                $(if any.type_url == $url {
                    return canonical::<$message>(&any.value, $url).map(Self::$variant);
                })*
                if any.type_url == MsgAttest::TYPE_URL {
                    return Err(Code::AttestNotFirst.because(MsgAttest::TYPE_URL));
                }
                let url: String = any.type_url.chars().take(128).collect();
                Err(Code::TxDecode.because(format_args!("unable to resolve type URL {url:?}")))
            }

            /// Its type URL.
            pub(crate) fn url(&self) -> &'static str {
                match self { $(Self::$variant(_) => $url,)* Self::Exec(_) => EXEC }
            }

            /// Who must sign it, as written.
            pub(crate) fn signer(&self) -> &str {
                match self { $(Self::$variant(msg) => {
                    let signer: fn(&$message) -> &str = $signer;
                    signer(msg)
                })* Self::Exec(msg) => &msg.grantee }
            }
        }
    };
}

messages! {
    Send(MsgSend) = SEND, |msg| &msg.from_address;
    MultiSend(MsgMultiSend) = "/cosmos.bank.v1beta1.MsgMultiSend",
        |msg| msg.inputs.first().map_or("", |input| input.address.as_str());
    StoreCode(MsgStoreCode) = STORE_CODE, |msg| &msg.sender;
    Instantiate(MsgInstantiateContract) = "/cosmwasm.wasm.v1.MsgInstantiateContract", |msg| &msg.sender;
    Instantiate2(MsgInstantiateContract2) = "/cosmwasm.wasm.v1.MsgInstantiateContract2", |msg| &msg.sender;
    Execute(MsgExecuteContract) = EXECUTE, |msg| &msg.sender;
    Migrate(MsgMigrateContract) = MIGRATE, |msg| &msg.sender;
    UpdateAdmin(MsgUpdateAdmin) = "/cosmwasm.wasm.v1.MsgUpdateAdmin", |msg| &msg.sender;
    ClearAdmin(MsgClearAdmin) = "/cosmwasm.wasm.v1.MsgClearAdmin", |msg| &msg.sender;
    UpdateLabel(MsgUpdateContractLabel) = "/cosmwasm.wasm.v1.MsgUpdateContractLabel", |msg| &msg.sender;
    UpdatePermission(MsgUpdateInstantiateConfig) = "/cosmwasm.wasm.v1.MsgUpdateInstantiateConfig", |msg| &msg.sender;
    StoreAndInstantiate(MsgStoreAndInstantiateContract) = "/cosmwasm.wasm.v1.MsgStoreAndInstantiateContract",
        |msg| &msg.authority;
    StoreAndMigrate(MsgStoreAndMigrateContract) = "/cosmwasm.wasm.v1.MsgStoreAndMigrateContract", |msg| &msg.authority;
    Sudo(MsgSudoContract) = "/cosmwasm.wasm.v1.MsgSudoContract", |msg| &msg.authority;
    UpdateWasmParams(pb::MsgUpdateParams) = "/cosmwasm.wasm.v1.MsgUpdateParams", |msg| &msg.authority;
    AddUploaders(pb::MsgAddCodeUploadParamsAddresses) = "/cosmwasm.wasm.v1.MsgAddCodeUploadParamsAddresses",
        |msg| &msg.authority;
    RemoveUploaders(pb::MsgRemoveCodeUploadParamsAddresses) = "/cosmwasm.wasm.v1.MsgRemoveCodeUploadParamsAddresses",
        |msg| &msg.authority;
    PinCodes(MsgPinCodes) = "/cosmwasm.wasm.v1.MsgPinCodes", |msg| &msg.authority;
    UnpinCodes(MsgUnpinCodes) = "/cosmwasm.wasm.v1.MsgUnpinCodes", |msg| &msg.authority;
    GrantAllowance(MsgGrantAllowance) = "/cosmos.feegrant.v1beta1.MsgGrantAllowance", |msg| &msg.granter;
    RevokeAllowance(MsgRevokeAllowance) = "/cosmos.feegrant.v1beta1.MsgRevokeAllowance", |msg| &msg.granter;
    PruneAllowances(MsgPruneAllowances) = "/cosmos.feegrant.v1beta1.MsgPruneAllowances", |msg| &msg.pruner;
    Authorize(MsgAuthorize) = "/cosmos.authz.v1beta1.MsgGrant", |msg| &msg.granter;
    Revoke(MsgRevoke) = "/cosmos.authz.v1beta1.MsgRevoke", |msg| &msg.granter;
    RegisterBlob(MsgRegisterBlob) = MsgRegisterBlob::TYPE_URL, |msg| &msg.owner;
    RegisterModel(MsgRegisterModel) = MsgRegisterModel::TYPE_URL, |msg| &msg.author;
    RegisterImage(MsgRegisterImage) = MsgRegisterImage::TYPE_URL, |msg| &msg.owner;
    RegisterReader(MsgRegisterReader) = MsgRegisterReader::TYPE_URL, |msg| &msg.account;
    RegisterSealed(MsgRegisterSealed) = MsgRegisterSealed::TYPE_URL, |msg| &msg.owner;
    RetireSealed(MsgRetireSealed) = MsgRetireSealed::TYPE_URL, |msg| &msg.owner;
    Grant(MsgGrant) = MsgGrant::TYPE_URL, |msg| &msg.granter;
    RevokeGrant(MsgRevokeGrant) = MsgRevokeGrant::TYPE_URL, |msg| &msg.sender;
    BreakGlass(MsgBreakGlass) = MsgBreakGlass::TYPE_URL, |msg| &msg.actor;
    RequestRead(MsgRequestRead) = MsgRequestRead::TYPE_URL, |msg| &msg.requester;
    SubmitShare(MsgSubmitShare) = MsgSubmitShare::TYPE_URL, |msg| &msg.operator;
    Dispute(MsgDispute) = MsgDispute::TYPE_URL, |msg| &msg.sender;
    SetValidator(MsgSetValidator) = MsgSetValidator::TYPE_URL, |msg| &msg.authority;
    RegisterAttester(MsgRegisterAttester) = MsgRegisterAttester::TYPE_URL, |msg| &msg.operator;
    UpdateParams(MsgUpdateParams) = MsgUpdateParams::TYPE_URL, |msg| &msg.authority;
    ScheduleUpgrade(MsgScheduleUpgrade) = MsgScheduleUpgrade::TYPE_URL, |msg| &msg.authority;
    CancelUpgrade(MsgCancelUpgrade) = MsgCancelUpgrade::TYPE_URL, |msg| &msg.authority;
}

/// `MsgExec`, with the messages that are in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exec {
    /// Who has signed it and pays.
    pub(crate) grantee: String,
    pub(crate) msgs: Vec<Msg>,
}

/// Refuses to send a message in another's name, or to let others send it.
pub(crate) fn refuse_in_person(url: &str) -> Result<(), Fault> {
    if url.starts_with(IN_PERSON) { Err(Code::InPerson.because(url)) } else { Ok(()) }
}

impl Msg {
    /// Reads a message. Only the canonical encoding is one, so nothing in it is unknown or hidden.
    pub(crate) fn decode(any: &Any) -> Result<Self, Fault> {
        Self::decode_within(any, packed::DEPTH_MAX, &mut { packed::COUNT_MAX })
    }

    fn decode_within(any: &Any, depth: usize, room: &mut usize) -> Result<Self, Fault> {
        let deeper = packed::one(depth, room)?;
        if any.type_url != EXEC {
            let msg = Self::decode_plain(any)?;
            packed::count(msg.packed(), deeper, room)?;
            return Ok(msg);
        }
        let MsgExec { grantee, msgs } = canonical(&any.value, EXEC)?;
        let msgs = msgs.iter().map(|any| Self::decode_within(any, deeper, room)).collect::<Result<_, _>>()?;
        Ok(Self::Exec(Exec { grantee, msgs }))
    }

    /// What is packed in it of whatever type, if anything.
    fn packed(&self) -> Option<&Any> {
        match self {
            Self::Authorize(msg) => msg.grant.as_ref()?.authorization.as_ref(),
            Self::GrantAllowance(msg) => msg.allowance.as_ref(),
            _ => None,
        }
    }

    /// The part of the type URL that names the module: `bank`, `wasm`, `reads`.
    pub(crate) fn module(&self) -> &'static str {
        self.url().split('.').nth(1).unwrap_or_default()
    }

    /// Checks all that can be checked without the state.
    pub(crate) fn check(&self, prefix: &str) -> Result<(), Fault> {
        let address = |what: &str, text: &str| {
            Address::parse(text, prefix).map(|_| ()).map_err(|fault| match what {
                "" => fault,
                what => fault.within(what),
            })
        };
        match self {
            Self::Send(msg) => {
                address("invalid from address", &msg.from_address)?;
                address("invalid to address", &msg.to_address)?;
                positive(&Coins::of_wire(&msg.amount)?)
            }
            Self::MultiSend(msg) => multi_send(msg, prefix),
            Self::StoreCode(msg) => {
                address("sender", &msg.sender)?;
                code(&msg.wasm_byte_code, msg.instantiate_permission.as_ref(), prefix)
            }
            Self::Instantiate(msg) => {
                address("sender", &msg.sender)?;
                instantiate(msg.code_id, &msg.label, &msg.msg, &msg.admin, prefix)?;
                Coins::of_wire(&msg.funds).map(|_| ())
            }
            Self::Instantiate2(msg) => {
                address("sender", &msg.sender)?;
                instantiate(msg.code_id, &msg.label, &msg.msg, &msg.admin, prefix)?;
                salt(&msg.salt)?;
                Coins::of_wire(&msg.funds).map(|_| ())
            }
            Self::Execute(msg) => {
                address("sender", &msg.sender)?;
                address("contract", &msg.contract)?;
                json(&msg.msg)?;
                Coins::of_wire(&msg.funds).map(|_| ())
            }
            Self::Migrate(msg) => {
                address("sender", &msg.sender)?;
                address("contract", &msg.contract)?;
                code_id(msg.code_id)?;
                json(&msg.msg)
            }
            Self::UpdateAdmin(msg) => {
                address("sender", &msg.sender)?;
                address("contract", &msg.contract)?;
                address("new admin", &msg.new_admin)?;
                if msg.sender.eq_ignore_ascii_case(&msg.new_admin) {
                    return Err(Code::Invalid.because("new admin is the same as the old"));
                }
                Ok(())
            }
            Self::ClearAdmin(msg) => {
                address("sender", &msg.sender)?;
                address("contract", &msg.contract)
            }
            Self::UpdateLabel(msg) => {
                address("sender", &msg.sender)?;
                label(&msg.new_label)?;
                address("contract", &msg.contract)
            }
            Self::UpdatePermission(msg) => {
                address("sender", &msg.sender)?;
                code_id(msg.code_id)?;
                match &msg.new_instantiate_permission {
                    Some(config) => access(config, prefix),
                    None => Err(Code::InvalidRequest.because("instantiate permission is required")),
                }
            }
            Self::StoreAndInstantiate(msg) => {
                address("authority", &msg.authority)?;
                label(&msg.label)?;
                Coins::of_wire(&msg.funds)?;
                if !msg.admin.is_empty() {
                    address("admin", &msg.admin)?;
                }
                json(&msg.msg)?;
                code(&msg.wasm_byte_code, msg.instantiate_permission.as_ref(), prefix)
            }
            Self::StoreAndMigrate(msg) => {
                address("authority", &msg.authority)?;
                address("contract", &msg.contract)?;
                json(&msg.msg)?;
                code(&msg.wasm_byte_code, msg.instantiate_permission.as_ref(), prefix)
            }
            Self::Sudo(msg) => {
                address("authority", &msg.authority)?;
                address("contract", &msg.contract)?;
                json(&msg.msg)?;
                if Callback::is_in(&msg.msg) {
                    return Err(Code::Invalid.because("payload msg: only the chain itself tells of reads"));
                }
                Ok(())
            }
            Self::UpdateWasmParams(msg) => {
                address("authority", &msg.authority)?;
                wasm_params(&msg.params.clone().unwrap_or_default(), prefix)
            }
            Self::AddUploaders(pb::MsgAddCodeUploadParamsAddresses { authority, addresses })
            | Self::RemoveUploaders(pb::MsgRemoveCodeUploadParamsAddresses { authority, addresses }) => {
                address("authority", authority)?;
                uploaders(addresses, prefix)
            }
            Self::GrantAllowance(msg) => {
                address("granter", &msg.granter)?;
                address("grantee", &msg.grantee)?;
                if msg.granter.eq_ignore_ascii_case(&msg.grantee) {
                    return Err(Code::InvalidAddress.because("cannot self-grant fee authorization"));
                }
                Allowance::decode(msg.allowance.as_ref())?.check()
            }
            Self::RevokeAllowance(msg) => {
                address("granter", &msg.granter)?;
                address("grantee", &msg.grantee)?;
                if msg.granter.eq_ignore_ascii_case(&msg.grantee) {
                    return Err(Code::InvalidAddress.because("addresses must be different"));
                }
                Ok(())
            }
            Self::PruneAllowances(msg) => address("pruner", &msg.pruner),
            Self::Authorize(msg) => authz::check_grant(msg, prefix),
            Self::Revoke(msg) => authz::check_revoke(msg, prefix),
            Self::Exec(msg) => authz::check_exec(msg, prefix),
            Self::RegisterBlob(msg) => address("owner", &msg.owner),
            Self::RegisterModel(msg) => address("author", &msg.author),
            Self::RegisterImage(msg) => {
                address("owner", &msg.owner)?;
                if !msg.guard.is_empty() {
                    address("guard", &msg.guard)?;
                }
                match &msg.origin {
                    Some(origin) => address("institution", &origin.institution),
                    None => Ok(()),
                }
            }
            Self::RegisterReader(msg) => sealed::register_reader(msg, prefix),
            Self::RegisterSealed(msg) => sealed::register_sealed(msg, prefix),
            Self::RetireSealed(msg) => address("owner", &msg.owner),
            Self::Grant(msg) => sealed::grant(msg, prefix),
            Self::RevokeGrant(msg) => {
                address("sender", &msg.sender)?;
                address("granter", &msg.granter)
            }
            Self::BreakGlass(msg) => sealed::break_glass(msg, prefix),
            Self::RequestRead(msg) => sealed::request_read(msg, prefix),
            Self::SubmitShare(msg) => address("operator", &msg.operator),
            Self::Dispute(msg) => sealed::dispute(msg, prefix),
            Self::PinCodes(msg) => {
                address("authority", &msg.authority)?;
                code_ids(&msg.code_ids)
            }
            Self::UnpinCodes(msg) => {
                address("authority", &msg.authority)?;
                code_ids(&msg.code_ids)
            }
            Self::SetValidator(msg) => {
                address("authority", &msg.authority)?;
                if msg.operator.is_empty() { Ok(()) } else { address("operator", &msg.operator) }
            }
            Self::RegisterAttester(msg) => address("operator", &msg.operator),
            Self::UpdateParams(msg) => {
                address("authority", &msg.authority)?;
                let changes = [&msg.params, &msg.consensus].into_iter().filter(|changes| !changes.is_empty());
                changes.into_iter().try_for_each(|changes| json(changes))
            }
            Self::ScheduleUpgrade(msg) => address("authority", &msg.authority),
            Self::CancelUpgrade(msg) => address("authority", &msg.authority),
        }
    }
}

/// Checks a label (wasmd `ValidateLabel`).
pub(crate) fn label(label: &str) -> Result<(), Fault> {
    if label.is_empty() {
        return Err(Code::Empty.because("label: is required"));
    }
    if label.len() > LABEL_MAX {
        return Err(Code::Limit.because(format_args!("label: cannot be longer than {LABEL_MAX} characters")));
    }
    if label.trim() != label {
        return Err(Code::Invalid.because("label: must not begin or end with white space"));
    }
    if !label.chars().all(is_printable) {
        return Err(Code::Invalid.because("label: must have printable characters only"));
    }
    Ok(())
}

/// Whether a character shows by itself (Go's `unicode.IsPrint`): no control, no space but the usual one, nothing that only
/// turns or joins others, nothing for private use. Characters that Unicode has not given yet pass, so that no table of a
/// compiler's decides what a block holds.
fn is_printable(c: char) -> bool {
    let shown = !c.is_control() && !c.is_whitespace();
    let unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..);
    c == ' ' || shown && !unseen
}

/// Checks a salt (wasmd `ValidateSalt`).
pub(crate) fn salt(salt: &[u8]) -> Result<(), Fault> {
    match salt.len() {
        0 => Err(Code::Empty.because("salt: is required")),
        1..=SALT_MAX => Ok(()),
        _ => Err(Code::Limit.because(format_args!("salt: cannot be longer than {SALT_MAX} characters"))),
    }
}

/// Checks that a contract's message is JSON, and not nested deeper than [`JSON_DEPTH_MAX`].
pub(crate) fn json(msg: &[u8]) -> Result<(), Fault> {
    let refuse = |words: &dyn std::fmt::Display| Code::Invalid.because(format_args!("payload msg: {words}"));
    serde_json::from_slice::<serde::de::IgnoredAny>(msg).map_err(|e| refuse(&e))?;
    // It is JSON, so what opens is closed again and a quote in a text has a backslash before it.
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in msg {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return Err(refuse(&format_args!("nested more than {JSON_DEPTH_MAX} deep")));
        }
    }
    Ok(())
}

/// Checks a permission to instantiate.
pub(crate) fn access(config: &AccessConfig, prefix: &str) -> Result<(), Fault> {
    access_config(config, prefix).map_err(|fault| fault.within("instantiate permission"))
}

/// Checks who may do something (wasmd `AccessConfig.ValidateBasic`). Addresses that nobody would look at are refused, which
/// wasmd stores: somebody may believe that they count.
fn access_config(config: &AccessConfig, prefix: &str) -> Result<(), Fault> {
    match access_type(config.permission)? {
        AccessType::AnyOfAddresses => uploaders(&config.addresses, prefix).map_err(|fault| fault.within("addresses")),
        _ if !config.addresses.is_empty() => Err(Code::Invalid.because("addresses are not allowed for this type")),
        _ => Ok(()),
    }
}

fn access_type(number: i32) -> Result<AccessType, Fault> {
    match AccessType::try_from(number) {
        Ok(AccessType::Unspecified) => Err(Code::Empty.because("type")),
        Ok(kind) => Ok(kind),
        Err(_) => Err(Code::Invalid.because(format_args!("unknown type: {number}"))),
    }
}

/// Checks wasm's parameters (wasmd `Params.ValidateBasic`).
fn wasm_params(params: &pb::Params, prefix: &str) -> Result<(), Fault> {
    let default = access_type(params.instantiate_default_permission);
    default.map_err(|fault| fault.within("instantiate default permission"))?;
    let upload = params.code_upload_access.clone().unwrap_or_default();
    access_config(&upload, prefix).map_err(|fault| fault.within("upload access"))
}

/// Checks a list of accounts (wasmd `validateBech32Addresses`).
fn uploaders(addresses: &[String], prefix: &str) -> Result<(), Fault> {
    if addresses.is_empty() {
        return Err(Code::Empty.because("addresses"));
    }
    if addresses.len() > ADDRESSES_MAX {
        let words = format_args!("total number of addresses is greater than {ADDRESSES_MAX}");
        return Err(Code::InvalidRequest.because(words));
    }
    let mut seen = std::collections::BTreeSet::new();
    for text in addresses {
        let one = Address::parse(text, prefix);
        let one = one.map_err(|fault| fault.within(format_args!("address: {}", shown(text))))?;
        if !seen.insert(one) {
            return Err(Code::Duplicate.because("duplicate addresses"));
        }
    }
    Ok(())
}

/// A text of a client's as far as a log repeats it.
fn shown(text: &str) -> String {
    text.chars().take(128).collect()
}

fn instantiate(code: u64, name: &str, msg: &[u8], admin: &str, prefix: &str) -> Result<(), Fault> {
    code_id(code)?;
    label(name)?;
    if !admin.is_empty() {
        Address::parse(admin, prefix).map_err(|fault| fault.within("admin"))?;
    }
    json(msg)
}

/// Checks code that is to be stored.
fn code(bytes: &[u8], permission: Option<&AccessConfig>, prefix: &str) -> Result<(), Fault> {
    if bytes.is_empty() {
        return Err(Code::InvalidRequest.because("code bytes empty"));
    }
    permission.map_or(Ok(()), |config| access(config, prefix))
}

fn code_id(id: u64) -> Result<(), Fault> {
    if id == 0 { Err(Code::InvalidRequest.because("code id is required")) } else { Ok(()) }
}

/// Checks a list of codes (wasmd `validateCodeIDs`).
fn code_ids(ids: &[u64]) -> Result<(), Fault> {
    let refuse = |words: &dyn std::fmt::Display| Err(Code::InvalidRequest.because(words));
    if ids.is_empty() {
        return refuse(&"empty code ids");
    }
    if ids.len() > CODES_MAX {
        return refuse(&format_args!("total number of code ids is greater than {CODES_MAX}"));
    }
    let mut seen = std::collections::BTreeSet::new();
    if ids.iter().all(|id| seen.insert(id)) { Ok(()) } else { refuse(&"duplicate code ids") }
}

fn positive(coins: &Coins) -> Result<(), Fault> {
    if coins.is_empty() { Err(Code::InvalidCoins.because("no coins")) } else { Ok(()) }
}

/// One sender, as in the SDK since 0.46; what goes in comes out.
fn multi_send(msg: &MsgMultiSend, prefix: &str) -> Result<(), Fault> {
    let [input] = msg.inputs.as_slice() else {
        return Err(if msg.inputs.is_empty() { Code::NoInputs } else { Code::MultipleSenders }.plain());
    };
    if msg.outputs.is_empty() {
        return Err(Code::NoOutputs.plain());
    }
    if msg.outputs.len() > OUTPUTS_MAX {
        return Err(Code::InvalidRequest.because(format_args!("more than {OUTPUTS_MAX} outputs")));
    }
    Address::parse(&input.address, prefix).map_err(|fault| fault.within("invalid input address"))?;
    let sent = Coins::of_wire(&input.coins)?;
    positive(&sent)?;
    let mut received = Coins::default();
    for output in &msg.outputs {
        Address::parse(&output.address, prefix).map_err(|fault| fault.within("invalid output address"))?;
        let coins = Coins::of_wire(&output.coins)?;
        positive(&coins)?;
        received = received.plus(&coins)?;
    }
    if sent == received { Ok(()) } else { Err(Code::InputOutputMismatch.plain()) }
}
