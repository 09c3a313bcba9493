//! How rules are weighed: silence means no, a no beats every yes, of several that say yes the oldest is used. A hidden
//! grant that was opened is weighed last: whatever is public and says no beats it.

use aceso_contract::Query;
use aceso_interface::{
    Image, Model,
    consent::{Decision, Grant, Opening, Rule, hidden_image, hidden_rule},
};
use cosmwasm_std::{Addr, Deps, Order, StdResult, Storage};

use crate::{
    error::Refusal,
    state::{BY_IMAGE, GRANTS, HIDDEN, PER_IMAGE_MAX},
};

/// A read that is asked for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The contract that will read.
    pub caller: &'a Addr,
    /// For whom.
    pub actor: &'a Addr,
    /// The image.
    pub image: Image,
    /// Whose it is, where it is a sealed one; empty for an open one.
    pub owner: &'a str,
    /// A hidden grant, opened.
    pub opening: Option<&'a Opening>,
    /// The model.
    pub model: Model,
    /// Why.
    pub purpose: &'a str,
    /// The block's time.
    pub now: u64,
}

/// A yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yes {
    /// The grant that says so.
    pub grant: u64,
    /// Uses that it allows.
    pub max_uses: u32,
}

/// Weighs all grants for the image. The uses are those that the chain has counted so far; it has the last word on them
/// when the read is made.
///
/// # Errors
/// Outside, where storage does not decode; inside, the answer no.
pub fn weigh(deps: Deps<'_, Query>, guard: &Addr, ask: &Ask<'_>) -> StdResult<Result<Yes, Refusal>> {
    let mut yes = None;
    let mut no = Refusal::NotGranted { actor: ask.actor.to_string() };
    for grant in of_image(deps.storage, ask.owner, &ask.image)? {
        match (&grant.rule.decision, misses(grant.id, &grant.rule, grant.revoked_at, ask)) {
            (Decision::Deny {}, None) => {
                return Ok(Err(Refusal::Denied { grant: grant.id, actor: ask.actor.to_string() }));
            }
            (Decision::Deny {}, Some(_)) => (),
            (Decision::Permit { .. }, Some(why)) => no = no.max(why),
            (&Decision::Permit { max_uses }, None) => {
                if aceso_contract::uses(&deps.querier, guard.as_str(), &grant.id.to_string())? >= max_uses {
                    no = no.max(Refusal::UsedUp { grant: grant.id, max_uses });
                } else {
                    yes = yes.or(Some(Yes { grant: grant.id, max_uses }));
                }
            }
        }
    }
    if let (None, Some(opening)) = (yes, ask.opening) {
        return opened(deps, guard, ask, opening);
    }
    Ok(yes.ok_or(no))
}

/// Weighs a hidden grant. What was opened must be what was granted, by the owner of the image, for this image; then its
/// rule is weighed as any other.
fn opened(deps: Deps<'_, Query>, guard: &Addr, ask: &Ask<'_>, opening: &Opening) -> StdResult<Result<Yes, Refusal>> {
    let id = opening.grant;
    let refused = |why| Ok(Err(Refusal::Opening { grant: id, why }));
    let Some(hidden) = HIDDEN.may_load(deps.storage, id)? else { return refused("no hidden grant has this number") };
    if ask.owner.is_empty() || hidden.patient != ask.owner {
        return refused("it was given by another account than the sealed image's owner");
    }
    if hidden_rule(&opening.rule_salt, &hidden.patient, &opening.rule)? != *hidden.rule {
        return refused("the rule is another one than was granted");
    }
    let image = hidden_image(&opening.image_salt, &hidden.patient, &ask.image);
    if hidden.images.iter().all(|one| **one != image) {
        return refused("it is not for this image");
    }
    if opening.rule.not_after != hidden.not_after {
        return refused("its end is another one than the rule's");
    }
    let Decision::Permit { max_uses } = opening.rule.decision else {
        return refused("a rule that says no cannot be hidden");
    };
    // The patient spoke of records that nobody could look at then.
    let known = aceso_contract::sealed_info(&deps.querier, ask.owner, &ask.image)?;
    if known.is_none_or(|known| known.guard != guard.as_str()) {
        return refused("the image is not guarded by this contract");
    }
    if let Some(why) = misses(id, &opening.rule, hidden.revoked_at, ask) {
        return Ok(Err(why));
    }
    if aceso_contract::uses(&deps.querier, guard.as_str(), &id.to_string())? >= max_uses {
        return Ok(Err(Refusal::UsedUp { grant: id, max_uses }));
    }
    Ok(Ok(Yes { grant: id, max_uses }))
}

/// Why a grant does not speak of this read; none where it does.
fn misses(grant_id: u64, rule: &Rule, revoked_at: Option<u64>, ask: &Ask<'_>) -> Option<Refusal> {
    let now = ask.now;
    if !rule.actors.iter().any(|actor| actor == ask.actor.as_str()) {
        return Some(Refusal::NotGranted { actor: ask.actor.to_string() });
    }
    if let Some(at) = revoked_at {
        return Some(Refusal::Revoked { grant: grant_id, at });
    }
    if now < rule.not_before {
        return Some(Refusal::TooEarly { grant: grant_id, not_before: rule.not_before, now });
    }
    if now >= rule.not_after {
        return Some(Refusal::TooLate { grant: grant_id, not_after: rule.not_after, now });
    }
    if !rule.via.is_empty() && !rule.via.iter().any(|caller| caller == ask.caller.as_str()) {
        return Some(Refusal::Caller { grant: grant_id, caller: ask.caller.to_string() });
    }
    if !rule.purposes.iter().any(|purpose| purpose == ask.purpose) {
        return Some(Refusal::Purpose { grant: grant_id, purpose: bounded(ask.purpose) });
    }
    if !rule.models.is_empty() && !rule.models.contains(&ask.model) {
        return Some(Refusal::Model { grant: grant_id, model: ask.model.to_string() });
    }
    None
}

/// Whether a grant holds at this time, for whomever and whatever.
pub fn holds(grant: &Grant, now: u64) -> bool {
    grant.revoked_at.is_none() && (grant.rule.not_before..grant.rule.not_after).contains(&now)
}

/// Whether nothing can make a grant hold again.
pub fn is_over(grant: &Grant, now: u64) -> bool {
    grant.revoked_at.is_some() || now >= grant.rule.not_after
}

/// The grants that are weighed for an image, oldest first; the owner is empty for an open one.
pub fn of_image(storage: &dyn Storage, owner: &str, image: &Image) -> StdResult<Vec<Grant>> {
    let numbers = BY_IMAGE.prefix((owner, &image.to_bytes())).keys(storage, None, None, Order::Ascending);
    numbers.take(PER_IMAGE_MAX).map(|number| GRANTS.load(storage, number?)).collect()
}

/// What a purpose looks like in a sentence or a journal, whatever somebody put there.
pub fn bounded(purpose: &str) -> String {
    let readable = purpose.chars().filter(char::is_ascii_alphanumeric);
    readable.take(aceso_types::guest::PURPOSE_MAX).collect()
}
