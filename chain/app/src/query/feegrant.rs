//! `cosmos.feegrant.v1beta1.Query`.

use cosmos_sdk_proto::cosmos::{
    base::query::v1beta1::{PageRequest, PageResponse},
    feegrant::v1beta1::{
        Grant, QueryAllowanceRequest, QueryAllowanceResponse, QueryAllowancesByGranterRequest,
        QueryAllowancesByGranterResponse, QueryAllowancesRequest, QueryAllowancesResponse,
    },
};

use crate::{
    components::{SPONSOR, sponsor},
    error::Stop,
    query::{Answered, Asked, decode, encode, page::page, status::Status, unknown},
    store::{damaged, decode as row},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    match method {
        "Allowance" => {
            let QueryAllowanceRequest { granter, grantee } = decode(data)?;
            let (granter, grantee) = (asked.address("granter", &granter)?, asked.address("grantee", &grantee)?);
            match sponsor::get(&mut asked.view(), &granter, &grantee)? {
                Some(grant) => encode(&QueryAllowanceResponse { allowance: Some(grant) }),
                None => Err(Status::Plain(crate::code::Code::NotFound.because("fee-grant not found"))),
            }
        }
        "Allowances" => {
            let QueryAllowancesRequest { grantee, pagination } = decode(data)?;
            let prefix = sponsor::lists::allowances(&asked.address("grantee", &grantee)?);
            let (rows, pagination) = page(&mut asked.view(), SPONSOR, prefix, pagination)?;
            let grants = rows.iter().map(|(key, value)| row::<Grant>(SPONSOR, key, value));
            let allowances = grants.collect::<Result<_, _>>()?;
            encode(&QueryAllowancesResponse { allowances, pagination: Some(pagination) })
        }
        "AllowancesByGranter" => {
            let QueryAllowancesByGranterRequest { granter, pagination } = decode(data)?;
            let (allowances, pagination) = given(asked, &asked.address("granter", &granter)?, pagination)?;
            encode(&QueryAllowancesByGranterResponse { allowances, pagination: Some(pagination) })
        }
        other => Err(unknown(&format!("/cosmos.feegrant.v1beta1.Query/{other}"))),
    }
}

fn given(
    asked: &Asked<'_>,
    granter: &str,
    pagination: Option<PageRequest>,
) -> Result<(Vec<Grant>, PageResponse), Status> {
    let (state, prefix) = (&mut asked.view(), sponsor::lists::given_by(granter));
    let (rows, next) = page(state, SPONSOR, prefix.clone(), pagination)?;
    let mut grants = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let grantee = key.get(prefix.len()..).and_then(|rest| std::str::from_utf8(rest).ok());
        let grant = grantee.map(|grantee| sponsor::get(state, granter, grantee)).transpose()?.flatten();
        grants.push(grant.ok_or_else(|| Stop::from(damaged(SPONSOR, &key)))?);
    }
    Ok((grants, next))
}
