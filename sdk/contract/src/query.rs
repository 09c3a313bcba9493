//! What the chain knows of images, models and grants.

use aceso_types::{
    BlobId, ModelId,
    guest::{AcesoQuery, ImageInfo, ModelInfo},
};
use cosmwasm_std::{CustomQuery, QuerierWrapper, QueryRequest, StdResult, Uint128};
use serde::{Deserialize, Serialize};

/// The custom query of this chain: a contract that asks takes `Deps<Query>` and `DepsMut<Query>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Query(pub AcesoQuery);

impl CustomQuery for Query {}

/// Who registered an image, who guards it, who vouches for it; none where nobody registered it.
///
/// # Errors
/// Where the chain does not know this query.
pub fn image_info(querier: &QuerierWrapper<'_, Query>, image: &BlobId) -> StdResult<Option<ImageInfo>> {
    querier.query(&QueryRequest::Custom(Query(AcesoQuery::Image { image: *image })))
}

/// Who registered a sealed image, who guards it, who vouches for it; none where this owner did not, or has ended its
/// record.
///
/// # Errors
/// Where the chain does not know this query.
pub fn sealed_info(querier: &QuerierWrapper<'_, Query>, owner: &str, image: &BlobId) -> StdResult<Option<ImageInfo>> {
    querier.query(&QueryRequest::Custom(Query(AcesoQuery::Sealed { owner: owner.into(), image: *image })))
}

/// What is known of a model; none where nobody registered it.
///
/// # Errors
/// Where the chain does not know this query.
pub fn model_info(querier: &QuerierWrapper<'_, Query>, model: &ModelId) -> StdResult<Option<ModelInfo>> {
    querier.query(&QueryRequest::Custom(Query(AcesoQuery::Model { model: *model })))
}

/// How often a guard's grant was used.
///
/// # Errors
/// Where the chain does not know this query.
pub fn uses(querier: &QuerierWrapper<'_, Query>, guard: &str, grant: &str) -> StdResult<u32> {
    let query = AcesoQuery::Uses { guard: guard.into(), grant: grant.into() };
    querier.query(&QueryRequest::Custom(Query(query)))
}

/// What reads of an owner's open images were charged to a contract, in the chain's coin: also those of transactions that
/// failed, of which the contract's own state knows nothing, and those of the transaction that runs.
///
/// # Errors
/// Where the chain does not know this query.
pub fn spent(querier: &QuerierWrapper<'_, Query>, payer: &str, owner: &str) -> StdResult<Uint128> {
    let query = AcesoQuery::Spent { payer: payer.into(), owner: owner.into() };
    querier.query(&QueryRequest::Custom(Query(query)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_the_chains() {
        let request = QueryRequest::Custom(Query(AcesoQuery::Uses { guard: "g".into(), grant: "1".into() }));
        let json = serde_json::to_string(&request).unwrap_or_default();
        expect_test::expect![[r#"{"custom":{"uses":{"guard":"g","grant":"1"}}}"#]].assert_eq(&json);
    }
}
