//! What was paid before, and who gets how much of a price.
//!
//! Every share is rounded down; what is left goes to the treasury, so that the parts are the price to the last coin.
//! The chain has already taken the read's fee out of the contract and given it to the author: it counts towards the
//! author's share, and a fee beyond that share is borne by the escrow on top of the price.

use aceso_contract::Query;
use aceso_interface::{
    Image, Model, address,
    insurance::{Claim, Finding, Party, Payment, Policy, Refusal, Refused, Score, Share, WHOLE},
};
use aceso_types::{
    Digest, PixelDigest,
    guest::{ImageInfo, ReadInfo},
    sealed,
};
use cosmwasm_std::{Deps, Env, MessageInfo, StdError, StdResult, Storage, Uint128};

use crate::{
    error::ContractError,
    msg::Config,
    picture::Picture,
    state::{CLAIMS, LIST_MAX, PAID_CLAIMS, PAID_IMAGES, PAID_STUDIES, Paid, REFUSED, Request, SHARES_MAX},
};

/// Whether a policy pays at this time.
pub(crate) fn in_force(policy: &Policy, now: u64) -> Result<(), ContractError> {
    let (policy, not_before, not_after) = (policy.id, policy.terms.not_before, policy.terms.not_after);
    if now < not_before {
        return Err(ContractError::TooEarly { policy, not_before, now });
    }
    if now >= not_after {
        return Err(ContractError::TooLate { policy, not_after, now });
    }
    Ok(())
}

/// Before the read: is there a word of an accepted institution at all?
pub(crate) fn has_origin(policy: &Policy, image: Image, known: &ImageInfo) -> Result<(), ContractError> {
    let accepted = &policy.terms.origin;
    let given = known.origin.as_ref().is_some_and(|origin| accepted.contains(&origin.institution));
    if accepted.is_empty() || given { Ok(()) } else { Err(ContractError::NoOrigin { policy: policy.id, image }) }
}

/// Before the read: was this frame of this very file paid for? Only spares the member a use of her grant; what counts are the pixels,
/// which the read will show.
pub(crate) fn image_not_paid_before(
    storage: &dyn Storage,
    policy: &Policy,
    picture: Picture,
    model: Model,
) -> Result<(), ContractError> {
    let key = picture.key();
    match still(PAID_IMAGES.may_load(storage, (&policy.terms.member, model.as_bytes(), &key))?, policy) {
        Some(paid) => Err(ContractError::ImagePaid { picture, read: paid.read }),
        None => Ok(()),
    }
}

/// A payment counts for every policy that begins before the paying one ends.
fn still(paid: Option<Paid>, policy: &Policy) -> Option<Paid> {
    paid.filter(|paid| policy.terms.not_before < paid.until)
}

/// The pixels' identity for this contract, which is all that the chain tells of sealed ones.
pub(crate) fn identity(env: &Env, pixels: &PixelDigest) -> Digest {
    sealed::claim(&env.block.chain_id, env.contract.address.as_str(), pixels)
}

/// What was paid before for the same pixels, by their identity.
pub(crate) fn claim_paid(
    storage: &dyn Storage,
    policy: &Policy,
    model: Model,
    identity: &Digest,
) -> StdResult<Option<Paid>> {
    let key = (policy.terms.member.as_str(), model.as_bytes().as_slice(), identity.0.as_slice());
    Ok(still(PAID_CLAIMS.may_load(storage, key)?, policy))
}

/// What was paid before for the same study.
pub(crate) fn study_paid(
    storage: &dyn Storage,
    policy: &Policy,
    model: Model,
    study: &Digest,
) -> StdResult<Option<Paid>> {
    let key = (policy.terms.member.as_str(), model.as_bytes().as_slice(), study.0.as_slice());
    Ok(still(PAID_STUDIES.may_load(storage, key)?, policy))
}

/// After the read: why it is not paid for. An institution's word has to be about these pixels (the chain tells an origin
/// only where it is), and nothing is paid twice for the same pixels, nor for the same study where an institution vouches
/// for it.
pub(crate) fn refusal(
    storage: &dyn Storage,
    env: &Env,
    policy: &Policy,
    read: &ReadInfo,
) -> StdResult<Option<Refusal>> {
    let (accepted, model) = (&policy.terms.origin, read.model.into());
    let given = read.origin.as_ref().is_some_and(|origin| accepted.contains(&origin.institution));
    if !accepted.is_empty() && !given {
        return Ok(Some(Refusal::Unvouched {}));
    }
    if let Some(paid) = claim_paid(storage, policy, model, &identity(env, &read.pixels))? {
        return Ok(Some(Refusal::PixelsPaid { read: paid.read }));
    }
    let Some(origin) = &read.origin else { return Ok(None) };
    let paid = study_paid(storage, policy, model, &origin.study)?;
    Ok(paid.map(|paid| Refusal::StudyPaid { study: origin.study.into(), read: paid.read }))
}

/// The sentence for it.
pub(crate) fn words(refused: &Refused) -> String {
    match &refused.reason {
        Refusal::PixelsPaid { read } => format!("pixels {} are already paid, by read {read}", refused.pixels),
        Refusal::StudyPaid { study, read } => format!("study {study} is already paid, by read {read}"),
        Refusal::Unvouched {} => {
            format!("the institution's word does not hold for what read {} saw", refused.read)
        }
    }
}

/// Remembers a read that is not paid for. Of a file whose pixels were paid it is known from now on, so that nobody reads it
/// for nothing again.
pub(crate) fn write_refused(storage: &mut dyn Storage, env: &Env, policy: &Policy, refused: &Refused) -> StdResult<()> {
    let (member, model) = (policy.terms.member.as_str(), refused.model.as_bytes().as_slice());
    if let Some(paid) = claim_paid(storage, policy, refused.model, &identity(env, &refused.pixels))? {
        let picture = Picture { image: refused.image, frame: refused.frame };
        PAID_IMAGES.save(storage, (member, model, &picture.key()), &paid)?;
    }
    REFUSED.save(storage, (refused.policy, refused.read), refused)
}

/// What is remembered of a read that is paid.
pub(crate) fn claim(env: &Env, request: Request, read: ReadInfo, paid: Vec<Payment>) -> Claim {
    let findings = read.findings.into_iter().map(|one| Finding { id: one.id, present: one.present });
    let scores = read.scores.into_iter();
    let score =
        |one: aceso_types::guest::Score| Score { label: one.label, value: one.value, probability: one.probability };
    let (study, institution) = read.origin.map(|origin| (origin.study.into(), origin.institution)).unzip();
    Claim {
        policy: request.policy,
        read: read.read.0,
        image: request.image,
        frame: request.frame,
        pixels: read.pixels.into(),
        study,
        institution,
        model: request.model,
        actor: request.actor,
        purpose: request.purpose,
        findings: findings.collect(),
        scores: scores.map(score).collect(),
        fee: request.fee,
        paid,
        height: env.block.height,
        time: env.block.time.seconds(),
    }
}

/// Remembers it, under everything that must not be paid again.
pub(crate) fn write_down(storage: &mut dyn Storage, env: &Env, policy: &Policy, claim: &Claim) -> StdResult<()> {
    let study = claim.study.map(|study| study.0);
    let picture = Picture { image: claim.image, frame: claim.frame };
    never_again(storage, policy, claim.read, picture, claim.model, &identity(env, &claim.pixels), study)?;
    CLAIMS.save(storage, (claim.policy, claim.read), claim)
}

/// Remembers what a read was paid for.
pub(crate) fn never_again(
    storage: &mut dyn Storage,
    policy: &Policy,
    read: u64,
    picture: Picture,
    model: Model,
    identity: &Digest,
    study: Option<Digest>,
) -> StdResult<()> {
    let paid = Paid { read, until: policy.terms.not_after };
    let (member, model) = (policy.terms.member.as_str(), model.as_bytes().as_slice());
    PAID_IMAGES.save(storage, (member, model, &picture.key()), &paid)?;
    PAID_CLAIMS.save(storage, (member, model, &identity.0), &paid)?;
    study.map_or(Ok(()), |study| PAID_STUDIES.save(storage, (member, model, &study.0), &paid))
}

/// Checks a split.
pub(crate) fn check_split(deps: Deps<'_, Query>, split: &[Share], asks_for_origin: bool) -> Result<(), ContractError> {
    if split.len() > SHARES_MAX {
        return Err(ContractError::TooMany { what: "shares", max: SHARES_MAX, got: split.len() });
    }
    for share in split {
        if share.bps == 0 {
            return Err(ContractError::NoShare);
        }
        if let Party::Account { address: account } = &share.to {
            address(deps.api, account)?;
        }
        if matches!(share.to, Party::Institution {}) && !asks_for_origin {
            return Err(ContractError::NobodyToShareWith);
        }
    }
    let sum: u64 = split.iter().map(|share| u64::from(share.bps)).sum();
    if sum != u64::from(WHOLE) {
        return Err(ContractError::NotWhole(sum));
    }
    Ok(())
}

/// What a claim takes out of the escrow: the price, and what the fee is above the author's share.
pub(crate) fn cost(split: &[Share], price: Uint128, fee: Uint128) -> StdResult<Uint128> {
    Ok(price.checked_add(fee.saturating_sub(of_author(split, price)))?)
}

/// Whom a read names.
pub(crate) struct Seen<'a> {
    pub(crate) read: u64,
    pub(crate) institution: Option<&'a str>,
    pub(crate) author: &'a str,
    pub(crate) owner: &'a str,
}

impl<'a> Seen<'a> {
    /// In an open read.
    pub(crate) fn of(read: &'a ReadInfo) -> Self {
        let institution = read.origin.as_ref().map(|origin| origin.institution.as_str());
        Self { read: read.read.0, institution, author: &read.author, owner: &read.owner }
    }
}

/// The payments of a claim, none of them zero. Together with the fee they are its [`cost`].
pub(crate) fn payments(
    config: &Config,
    split: &[Share],
    price: Uint128,
    fee: Uint128,
    seen: &Seen<'_>,
) -> Result<Vec<Payment>, ContractError> {
    let mut fee_left = fee;
    let mut rest = price;
    let mut payments = Vec::with_capacity(split.len() + 1);
    for share in split {
        let part = part(price, share.bps);
        rest = rest.checked_sub(part).map_err(StdError::from)?;
        let amount = match share.to {
            Party::Author {} => {
                let paid = part.min(fee_left);
                fee_left = fee_left.saturating_sub(paid);
                part.saturating_sub(paid)
            }
            _ => part,
        };
        let to = match &share.to {
            Party::Institution {} => seen.institution.ok_or(ContractError::NoInstitution(seen.read))?.into(),
            Party::Author {} => seen.author.into(),
            Party::Subject {} => seen.owner.into(),
            Party::Treasury {} => config.treasury.clone(),
            Party::Account { address } => address.clone(),
        };
        payments.push(Payment { party: share.to.clone(), to, amount });
    }
    payments.push(Payment { party: Party::Treasury {}, to: config.treasury.clone(), amount: rest });
    payments.retain(|payment| !payment.amount.is_zero());
    Ok(payments)
}

fn of_author(split: &[Share], price: Uint128) -> Uint128 {
    let shares = split.iter().filter(|share| matches!(share.to, Party::Author {}));
    shares.map(|share| part(price, share.bps)).fold(Uint128::zero(), Uint128::saturating_add)
}

fn part(price: Uint128, bps: u32) -> Uint128 {
    price.multiply_ratio(bps, WHOLE)
}

/// Only the insurer makes policies and withdraws.
pub(crate) fn only_insurer(config: &Config, info: &MessageInfo) -> Result<(), ContractError> {
    if config.insurer == info.sender.as_str() {
        Ok(())
    } else {
        Err(ContractError::NotInsurer(info.sender.to_string()))
    }
}

/// A list has at least `min` entries and at most [`LIST_MAX`].
pub(crate) fn bounded_list(what: &'static str, got: usize, min: usize) -> Result<(), ContractError> {
    if got < min {
        return Err(ContractError::Missing(what));
    }
    at_most(what, got, LIST_MAX)
}

/// A list has at most `max` entries.
pub(crate) fn at_most(what: &'static str, got: usize, max: usize) -> Result<(), ContractError> {
    if got > max { Err(ContractError::TooMany { what, max, got }) } else { Ok(()) }
}

/// Coins that nobody asked for would be lost.
pub(crate) fn no_coins(info: &MessageInfo) -> Result<(), ContractError> {
    if info.funds.is_empty() { Ok(()) } else { Err(ContractError::Coins) }
}
