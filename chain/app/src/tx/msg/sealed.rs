//! What is wrong by itself with messages about sealed records: lengths, counts, addresses.

use aceso_types::{
    msg::{MsgBreakGlass, MsgDispute, MsgGrant, MsgRegisterReader, MsgRegisterSealed, MsgRequestRead},
    sealed::{FILES_MAX, MEMBERS_MAX, TERMS_BYTES_MAX},
};

use crate::{
    address::Address,
    code::{Code, Fault},
    grants::{OPENING_LEN, POINT_LEN, POSSESSION_LEN, REGISTRATION_LEN, wrap_len},
};

/// Most bytes of the reason for which a glass is broken.
const REASON_MAX: usize = 1_024;

pub(super) fn register_reader(msg: &MsgRegisterReader, prefix: &str) -> Result<(), Fault> {
    address("account", &msg.account, prefix)?;
    exactly(Code::ReaderRefused, "key", &msg.key, POINT_LEN)?;
    exactly(Code::ReaderRefused, "proof of possession", &msg.possession, POSSESSION_LEN)
}

pub(super) fn register_sealed(msg: &MsgRegisterSealed, prefix: &str) -> Result<(), Fault> {
    address("owner", &msg.owner, prefix)?;
    if !msg.guard.is_empty() {
        address("guard", &msg.guard, prefix)?;
    }
    within(Code::SealedRefused, "files", msg.files.len(), 1, FILES_MAX)?;
    exactly(Code::SealedRefused, "registration", &msg.registration, REGISTRATION_LEN)?;
    exactly(Code::SealedRefused, "commitment", &msg.commitment, 32)?;
    let Some(origin) = &msg.origin else { return Ok(()) };
    address("institution", &origin.institution, prefix)?;
    if msg.files.len() > 1 {
        let words = format_args!("an origin is of one file, and {} are named", msg.files.len());
        return Err(Code::SealedRefused.because(words));
    }
    Ok(())
}

pub(super) fn grant(msg: &MsgGrant, prefix: &str) -> Result<(), Fault> {
    address("granter", &msg.granter, prefix)?;
    within(Code::GrantRefused, "recipients", msg.recipients.len(), 1, MEMBERS_MAX)?;
    msg.recipients.iter().try_for_each(|one| address("recipient", &one.account, prefix))?;
    exactly(Code::GrantRefused, "nonce", &msg.nonce, 16)?;
    exactly(Code::GrantRefused, "digest of the terms", &msg.terms, 32)?;
    exactly(Code::GrantRefused, "wrap", &msg.wrap, wrap_len(msg.recipients.len()))?;
    within(Code::GrantRefused, "bytes of source terms", msg.source_terms.len(), 0, TERMS_BYTES_MAX)?;
    match &msg.from {
        Some(from) => address("granter of what is passed on", &from.granter, prefix),
        None => within(Code::GrantRefused, "bytes of source terms without a source", msg.source_terms.len(), 0, 0),
    }
}

pub(super) fn break_glass(msg: &MsgBreakGlass, prefix: &str) -> Result<(), Fault> {
    address("actor", &msg.actor, prefix)?;
    address("granter", &msg.granter, prefix)?;
    within(Code::TermsRefused, "bytes of terms", msg.terms.len(), 1, TERMS_BYTES_MAX)?;
    within(Code::GrantRefused, "bytes of reason", msg.reason.len(), 1, REASON_MAX)?;
    if msg.reason.trim().is_empty() {
        return Err(Code::GrantRefused.because("the reason is blank"));
    }
    Ok(())
}

pub(super) fn request_read(msg: &MsgRequestRead, prefix: &str) -> Result<(), Fault> {
    let MsgRequestRead { requester, actor, owner, granter, .. } = msg;
    for (what, text) in [("requester", requester), ("actor", actor), ("owner", owner), ("granter", granter)] {
        address(what, text, prefix)?;
    }
    exactly(Code::RequestRefused, "model", &msg.model, 32)?;
    within(Code::TermsRefused, "bytes of terms", msg.terms.len(), 1, TERMS_BYTES_MAX)?;
    let Some(accept) = &msg.accept else { return Ok(()) };
    accept.required.iter().chain(&accept.excluded).try_for_each(|one| address("operator", one, prefix))
}

pub(super) fn dispute(msg: &MsgDispute, prefix: &str) -> Result<(), Fault> {
    address("sender", &msg.sender, prefix)?;
    if let Some(from) = &msg.from {
        address("granter", &from.granter, prefix)?;
    }
    exactly(Code::DisputePoint, "point", &msg.point, POINT_LEN)?;
    exactly(Code::DisputePoint, "proof", &msg.proof, OPENING_LEN)
}

fn address(what: &str, text: &str, prefix: &str) -> Result<(), Fault> {
    Address::parse(text, prefix).map(|_| ()).map_err(|fault| fault.within(what))
}

fn exactly(code: Code, what: &str, bytes: &[u8], want: usize) -> Result<(), Fault> {
    let got = bytes.len();
    if got == want { Ok(()) } else { Err(code.because(format_args!("{what}: {got} bytes, and it has {want}"))) }
}

fn within(code: Code, what: &str, got: usize, least: usize, most: usize) -> Result<(), Fault> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(code.because(format_args!("{what}: {got}, and {least} to {most} are allowed")))
}
