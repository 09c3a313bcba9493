//! `cosmos.authz.v1beta1.Query`.

use cosmos_sdk_proto::cosmos::authz::v1beta1::{
    Grant, GrantAuthorization, QueryGranteeGrantsRequest, QueryGranteeGrantsResponse, QueryGranterGrantsRequest,
    QueryGranterGrantsResponse, QueryGrantsRequest, QueryGrantsResponse,
};

use crate::{
    code::Code,
    components::{
        SPONSOR,
        authz::{self, lists},
    },
    error::Stop,
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
    store::{Entry, damaged, decode as row},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    let state = &mut asked.view();
    match method {
        "Grants" => {
            let QueryGrantsRequest { granter, grantee, msg_type_url: url, pagination } = decode(data)?;
            let (granter, grantee) = (asked.address("granter", &granter)?, asked.address("grantee", &grantee)?);
            if !url.is_empty() {
                return match authz::get(state, &granter, &grantee, &url)? {
                    Some(grant) => encode(&QueryGrantsResponse { grants: vec![grant], pagination: None }),
                    None => {
                        let url: String = url.chars().take(128).collect();
                        let words = format_args!("authorization not found for {url} type");
                        Err(Status::Plain(Code::NoAuthorization.because(words)))
                    }
                };
            }
            let (rows, pagination) = page(state, SPONSOR, lists::between(&granter, &grantee), pagination)?;
            let grants = rows.iter().map(|(key, value)| row::<Grant>(SPONSOR, key, value));
            encode(&QueryGrantsResponse { grants: grants.collect::<Result<_, _>>()?, pagination: Some(pagination) })
        }
        "GranterGrants" => {
            let QueryGranterGrantsRequest { granter, pagination } = decode(data)?;
            let granter = asked.address("granter", &granter)?;
            let prefix = lists::given_by(&granter);
            let (rows, pagination) = page(state, SPONSOR, prefix.clone(), pagination)?;
            let grants = rows.iter().map(|entry| {
                let (grantee, _) = other(&prefix, entry)?;
                Ok(named(&granter, grantee, row(SPONSOR, &entry.0, &entry.1)?))
            });
            let grants = grants.collect::<Result<_, Stop>>()?;
            encode(&QueryGranterGrantsResponse { grants, pagination: Some(pagination) })
        }
        "GranteeGrants" => {
            let QueryGranteeGrantsRequest { grantee, pagination } = decode(data)?;
            let grantee = asked.address("grantee", &grantee)?;
            let prefix = lists::held_by(&grantee);
            let (rows, pagination) = page(state, SPONSOR, prefix.clone(), pagination)?;
            let grants = rows.iter().map(|entry| {
                let (granter, url) = other(&prefix, entry)?;
                let grant = authz::get(state, granter, &grantee, url)?;
                Ok(named(granter, &grantee, grant.ok_or_else(|| damaged(SPONSOR, &entry.0))?))
            });
            let grants = grants.collect::<Result<_, Stop>>()?;
            encode(&QueryGranteeGrantsResponse { grants, pagination: Some(pagination) })
        }
        other => Err(unknown(&format!("/cosmos.authz.v1beta1.Query/{other}"))),
    }
}

/// Address and type URL in a row of a list.
fn other<'a>(prefix: &[u8], (key, _): &'a Entry) -> Result<(&'a str, &'a str), Stop> {
    let rest = key.get(prefix.len()..).and_then(lists::other);
    rest.ok_or_else(|| damaged(SPONSOR, key).into())
}

fn named(granter: &str, grantee: &str, grant: Grant) -> GrantAuthorization {
    let Grant { authorization, expiration } = grant;
    GrantAuthorization { granter: granter.into(), grantee: grantee.into(), authorization, expiration }
}
