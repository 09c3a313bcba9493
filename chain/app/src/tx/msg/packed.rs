//! How much may be packed into a message: other messages, authorisations with their limits and filters, allowances.
//!
//! The SDK unpacks each [`Any`] of a message when it decodes it, and refuses what lies too deep or is too much
//! (`codec/types/interface_registry.go`); unpacking costs no gas. The same bounds hold here, with the same words.

use cosmos_sdk_proto::{
    Any,
    cosmos::feegrant::v1beta1::AllowedMsgAllowance,
    cosmwasm::wasm::v1::{ContractExecutionAuthorization, ContractGrant, ContractMigrationAuthorization},
};
use prost::{Message, Name};

use crate::code::{Code, Fault};

/// How deep things may lie in each other, the message itself counted (SDK `MaxUnpackAnyRecursionDepth`).
pub(super) const DEPTH_MAX: usize = 10;
/// How many one message may be made of, itself counted (SDK `MaxUnpackAnySubCalls`).
pub(super) const COUNT_MAX: usize = 100;

/// Takes room for one thing; what lies in it may be so deep as the answer says.
pub(super) fn one(depth: usize, room: &mut usize) -> Result<usize, Fault> {
    let refuse = |words| Code::TxDecode.because(words);
    let deeper = depth.checked_sub(1).ok_or_else(|| refuse("max depth exceeded"))?;
    *room = room.checked_sub(1).ok_or_else(|| refuse("call limit exceeded"))?;
    Ok(deeper)
}

/// Takes room for what is packed in a message, and for what is packed in that.
pub(super) fn count<'a>(
    packed: impl IntoIterator<Item = &'a Any>,
    depth: usize,
    room: &mut usize,
) -> Result<(), Fault> {
    for any in packed {
        let deeper = one(depth, room)?;
        count(&inside(any), deeper, room)?;
    }
    Ok(())
}

/// What is packed directly in something. Nothing is in what does not decode: whoever reads it says so.
fn inside(any: &Any) -> Vec<Any> {
    let (url, value) = (any.type_url.as_str(), any.value.as_slice());
    let contracts = |grants: Vec<ContractGrant>| grants.into_iter().flat_map(|one| [one.limit, one.filter]);
    if url == ContractExecutionAuthorization::type_url() {
        let one = ContractExecutionAuthorization::decode(value).unwrap_or_default();
        contracts(one.grants).flatten().collect()
    } else if url == ContractMigrationAuthorization::type_url() {
        let one = ContractMigrationAuthorization::decode(value).unwrap_or_default();
        contracts(one.grants).flatten().collect()
    } else if url == AllowedMsgAllowance::type_url() {
        AllowedMsgAllowance::decode(value).unwrap_or_default().allowance.into_iter().collect()
    } else {
        Vec::new()
    }
}
