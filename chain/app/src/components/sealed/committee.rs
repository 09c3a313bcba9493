//! Committees: who of those that a grant names can answer, and whether the payer trusts them.

use std::collections::BTreeMap;

use aceso_types::{
    Digest,
    msg::{Acceptance, MsgGrant},
    query::MemberRow,
    sealed::{Key, MEMBERS_MAX, committee_digest},
};

use crate::{
    code::{Code, Fault},
    components::{sealed::roots, validators},
    error::Outcome,
    gas,
    run::Run,
    store::Bare,
};

/// Most operators that an acceptance policy requires, and most that it excludes.
const OPERATORS_MAX: usize = 32;
/// The whole, in hundredths of a percent.
const WHOLE: u128 = 10_000;

/// A committee as it stands now.
pub(super) struct Committee {
    /// The root that has the members' keys.
    pub(super) root: u64,
    /// By the validators' numbers, ascending.
    pub(super) members: Vec<MemberRow>,
    /// The power of all validators.
    pub(super) total: u64,
}

impl Committee {
    /// The recipients of a grant whose operators run a validator with a key in the latest root.
    pub(super) fn of(run: &mut Run<'_>, grant: &MsgGrant) -> Outcome<Self> {
        let decided = validators::decided(run)?;
        run.meter.spend(gas::COMMITTEE.saturating_mul(decided.members.len() as u64), "committee")?;
        let state = &mut Bare(run.delta);
        let Some(root) = roots::latest(state)? else {
            return Err(Code::CommitteeRefused.because("the chain has no table of keys yet").into());
        };
        let operators = validators::operators(state, &decided)?;
        let places: BTreeMap<&str, u32> = grant.recipients.iter().map(|one| one.account.as_str()).zip(0..).collect();
        let mut members = Vec::new();
        for Key { number, key, power, epoch } in root.keys {
            let Some(operator) = operators.get(&number) else { continue };
            let Some(place) = places.get(operator.as_str()) else { continue };
            let (operator, place) = (operator.clone(), *place);
            members.push(MemberRow { number, operator, bls_key: key, power, epoch, place });
        }
        if !(1..=MEMBERS_MAX).contains(&members.len()) {
            let words = format!("{} of those whom the grant names are validators with a key", members.len());
            return Err(Code::CommitteeRefused.because(words).into());
        }
        run.meter.spend(gas::JOB_MEMBER.saturating_mul(members.len() as u64), "shares")?;
        Ok(Self { root: root.number, members, total: root.total })
    }

    /// What names it in statements.
    pub(super) fn digest(&self) -> Digest {
        let key =
            |one: &MemberRow| Key { number: one.number, key: one.bls_key.clone(), power: one.power, epoch: one.epoch };
        let keys: Vec<Key> = self.members.iter().map(key).collect();
        committee_digest(self.root, &keys)
    }

    /// Whether it is what the payer demands; refused in words that name what is missing.
    pub(super) fn accept(&self, demands: &Acceptance) -> Result<(), Fault> {
        let refuse = |words: String| Err(Code::CommitteeRefused.because(words));
        let Acceptance { members_min, power_min_bps, required, excluded } = demands;
        for (what, list) in [("required", required), ("excluded", excluded)] {
            if list.len() > OPERATORS_MAX {
                return refuse(format!("{} operators are {what}, and at most {OPERATORS_MAX} can be", list.len()));
            }
        }
        let count = self.members.len();
        if count < usize::try_from(*members_min).unwrap_or(usize::MAX) {
            return refuse(format!("it has {count} members, and {members_min} are demanded"));
        }
        let power: u64 = self.members.iter().map(|one| one.power).sum();
        if u128::from(power) * WHOLE < u128::from(self.total) * u128::from(*power_min_bps) {
            let words = format!("it has {power} of {} power, and {power_min_bps} bps are demanded", self.total);
            return refuse(words);
        }
        let is_member = |operator: &&String| self.members.iter().any(|one| one.operator == **operator);
        if let Some(absent) = required.iter().find(|one| !is_member(one)) {
            return refuse(format!("{absent} is demanded and no member"));
        }
        if let Some(present) = excluded.iter().find(is_member) {
            return refuse(format!("{present} is a member and excluded"));
        }
        Ok(())
    }
}
