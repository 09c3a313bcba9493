//! Who may store code and make contracts of it: the chain's parameters as wasmd has them, and the permission of a code.
//!
//! They are two of the chain's parameters ([`aceso_types::genesis::Params`]), which the authority may change by their
//! names too. As all parameters, they hold from the next block on.

use std::collections::BTreeSet;

use aceso_types::{
    access::{ADDRESSES_MAX, Access, Permission},
    genesis::Params,
};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{self as pb, AccessConfig, AccessType};

use crate::{
    address::Address,
    chain,
    code::{Code, Fault},
    error::Outcome,
    run::Run,
};

/// `MsgUpdateParams` of wasmd, checked before.
pub(crate) fn update_params(run: &mut Run<'_>, msg: &pb::MsgUpdateParams) -> Outcome<()> {
    run.chain.need_authority(&msg.authority)?;
    let new = msg.params.clone().unwrap_or_default();
    let access = new.code_upload_access.unwrap_or_default();
    let code_upload_access = Access { permission: kind(access.permission)?, addresses: access.addresses };
    let instantiate_default_permission = kind(new.instantiate_default_permission)?;
    let params = chain::params(run)?;
    put(run, Params { code_upload_access, instantiate_default_permission, ..params })
}

/// `MsgAddCodeUploadParamsAddresses`: who is named already stays named once.
pub(crate) fn add_uploaders(run: &mut Run<'_>, authority: &str, addresses: &[String]) -> Outcome<()> {
    let new = normal(addresses, &run.chain.prefix)?;
    change_uploaders(run, authority, |mut old| {
        let missing: Vec<_> = new.into_iter().filter(|one| !old.contains(one)).collect();
        old.extend(missing);
        old
    })
}

/// `MsgRemoveCodeUploadParamsAddresses`.
pub(crate) fn remove_uploaders(run: &mut Run<'_>, authority: &str, addresses: &[String]) -> Outcome<()> {
    let gone = normal(addresses, &run.chain.prefix)?;
    change_uploaders(run, authority, |old| old.into_iter().filter(|one| !gone.contains(one)).collect())
}

fn change_uploaders(
    run: &mut Run<'_>,
    authority: &str,
    change: impl FnOnce(Vec<String>) -> Vec<String>,
) -> Outcome<()> {
    run.chain.need_authority(authority)?;
    let params = chain::params(run)?;
    let Access { permission, addresses } = params.code_upload_access;
    if permission != Permission::AnyOfAddresses {
        return Err(Code::Invalid.because("permission").into());
    }
    let addresses = normal(&addresses, &run.chain.prefix)?;
    let code_upload_access = Access { permission, addresses: change(addresses) };
    put(run, Params { code_upload_access, ..params })
}

fn put(run: &mut Run<'_>, mut params: Params) -> Outcome<()> {
    check(&mut params, &run.chain.prefix)?;
    chain::put_params(run, &params)
}

/// Checks the addresses that parameters name, and puts them into their normal form.
pub(crate) fn check(params: &mut Params, prefix: &str) -> Result<(), Fault> {
    let access = &mut params.code_upload_access;
    access.addresses = normal(&access.addresses, prefix).map_err(|fault| fault.within("code_upload_access"))?;
    let count = access.addresses.len();
    let refuse = |what: String| Err(Code::ParamsRefused.because(what));
    if count > ADDRESSES_MAX {
        return refuse(format!("code_upload_access names {count} addresses, not 0 to {ADDRESSES_MAX}"));
    }
    if count > 0 && access.permission != Permission::AnyOfAddresses {
        return refuse("code_upload_access names addresses and asks for none".into());
    }
    if access.addresses.iter().collect::<BTreeSet<_>>().len() < count {
        return refuse("code_upload_access names an address twice".into());
    }
    Ok(())
}

/// A permission as it travels.
pub(crate) fn wire(access: &Access) -> AccessConfig {
    AccessConfig { permission: number(access.permission), addresses: access.addresses.clone() }
}

/// As wasmd's query has them.
pub(crate) fn shown(params: &Params) -> pb::Params {
    pb::Params {
        code_upload_access: Some(wire(&params.code_upload_access)),
        instantiate_default_permission: number(params.instantiate_default_permission),
    }
}

/// The permission of a code whose uploader gives none, and the widest that he may give.
pub(super) fn default_of(params: &Params, creator: &Address) -> AccessConfig {
    let permission = params.instantiate_default_permission;
    let named = permission == Permission::AnyOfAddresses;
    let addresses = if named { vec![creator.to_string()] } else { Vec::new() };
    AccessConfig { permission: number(permission), addresses }
}

/// Whether nobody has a permission who lacks the wider one (wasmd `AccessConfig.IsSubset`).
pub(super) fn is_within(config: &AccessConfig, wider: &AccessConfig) -> bool {
    let named = i32::from(AccessType::AnyOfAddresses);
    is_kind_within(config, wider)
        && (config.permission != named
            || wider.permission != named
            || config.addresses.iter().all(|one| wider.addresses.contains(one)))
}

/// The same by kinds alone, by which wasmd judges later changes.
pub(super) fn is_kind_within(config: &AccessConfig, wider: &AccessConfig) -> bool {
    let rank = |config: &AccessConfig| match AccessType::try_from(config.permission) {
        Ok(AccessType::Nobody) => Some(0),
        Ok(AccessType::AnyOfAddresses) => Some(1),
        Ok(AccessType::Everybody) => Some(2),
        Ok(AccessType::Unspecified) | Err(_) => None,
    };
    rank(config).zip(rank(wider)).is_some_and(|(narrow, wide)| narrow <= wide)
}

fn normal(addresses: &[String], prefix: &str) -> Result<Vec<String>, Fault> {
    addresses.iter().map(|one| Address::parse(one, prefix).map(String::from)).collect()
}

fn number(permission: Permission) -> i32 {
    let kind = match permission {
        Permission::Nobody => AccessType::Nobody,
        Permission::Everybody => AccessType::Everybody,
        Permission::AnyOfAddresses => AccessType::AnyOfAddresses,
    };
    kind.into()
}

fn kind(number: i32) -> Result<Permission, Fault> {
    match AccessType::try_from(number) {
        Ok(AccessType::Nobody) => Ok(Permission::Nobody),
        Ok(AccessType::Everybody) => Ok(Permission::Everybody),
        Ok(AccessType::AnyOfAddresses) => Ok(Permission::AnyOfAddresses),
        Ok(AccessType::Unspecified) | Err(_) => Err(Code::Invalid.because(format_args!("unknown type: {number}"))),
    }
}
