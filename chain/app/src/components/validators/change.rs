//! The authority changes the table: adds, re-weighs, removes.

use aceso_types::{
    genesis::{Params, WHOLE_BPS},
    msg::{MsgSetValidator, MsgSetValidatorResponse},
};
use tendermint::{PublicKey, validator};

use crate::{
    chain,
    code::{Code, Fault},
    components::{
        VALIDATORS,
        validators::{
            TABLE_MAX, Table, Validator, decided, keys, record,
            table::{next_number, put_decided},
        },
    },
    error::Outcome,
    event::Event,
    run::Run,
    store::Write,
};

/// Most power of all. While a set changes the engine counts who leaves and who comes together, hence the half.
pub(super) const POWER_TOTAL_MAX: u64 = validator::Set::MAX_TOTAL_VOTING_POWER / 2;
/// Longest name.
const NAME_MAX: usize = 64;

/// `MsgSetValidator`.
pub(crate) fn set_msg(run: &mut Run<'_>, msg: &MsgSetValidator) -> Outcome<MsgSetValidatorResponse> {
    let chain = run.chain.clone();
    chain.need_authority(&msg.authority)?;
    check_form(msg)?;
    let operator = if msg.operator.is_empty() { String::new() } else { chain.address(&msg.operator)?.into() };
    let (key, name) = (&msg.consensus_key, hex::encode(&msg.consensus_key));
    let before = decided(run)?;
    let mut table = before.clone();
    match (table.find_mut(key), msg.power) {
        (None, 0) => return Err(Code::ValidatorUnknown.because(name).into()),
        (Some(member), 0) => {
            let number = member.number;
            table.members.retain(|one| one.key != *key);
            run.remove(VALIDATORS, &keys::missed(number))?;
        }
        (Some(member), power) => member.power = power,
        (None, power) => {
            let number = next_number(run)?;
            table.members.push(Validator { key: key.clone(), power, bls_key: Vec::new(), number, epoch: 0 });
            table.members.sort_by(|a, b| a.key.cmp(&b.key));
            record::create(run, key)?;
        }
    }
    check_spread(&chain::params(run)?, &before, &table)?;
    put_decided(run, &table)?;
    let mut known = record::need(run, key)?;
    if !operator.is_empty() {
        known.operator = operator;
    }
    if !msg.name.is_empty() {
        known.name = msg.name.clone();
    }
    known.weighed = known.weighed.saturating_add(1);
    record::put(run, &known)?;
    let event = Event::new("set_validator").with("validator", name).with("power", msg.power.to_string());
    run.emit(event.with("operator", known.operator).with("name", known.name));
    Ok(MsgSetValidatorResponse { signs_from: run.block.height.0.saturating_add(2) })
}

fn check_form(msg: &MsgSetValidator) -> Result<(), Fault> {
    if PublicKey::from_raw_ed25519(&msg.consensus_key).is_none() {
        let length = msg.consensus_key.len();
        return Err(
            Code::ValidatorRefused.because(format_args!("a consensus key of {length} bytes is none of ed25519"))
        );
    }
    if msg.name.len() > NAME_MAX || msg.name.chars().any(char::is_control) {
        let length = msg.name.len();
        return Err(Code::ValidatorRefused
            .because(format_args!("a name of {length} bytes; it has at most {NAME_MAX} and none that controls")));
    }
    Ok(())
}

/// Whether a table may follow another: enough validators, none with too large a share, a total that the engine can
/// count. What the table before, if there was one, did not keep either may stay, but not get worse.
pub(crate) fn check_spread(params: &Params, before: &Table, after: &Table) -> Result<(), Fault> {
    let refuse = |what: String| Err(Code::PowerSpread.because(what));
    let (count, had) = (after.members.len(), before.members.len());
    if count > TABLE_MAX {
        return refuse(format!("{count} validators, and at most {TABLE_MAX} fit"));
    }
    let too_few = (count as u64) < params.validators_min && (had == 0 || count < had);
    if too_few || count == 0 {
        return refuse(format!("{count} validators would be left, and validators_min is {}", params.validators_min));
    }
    let total = after.members.iter().try_fold(0_u64, |sum, one| sum.checked_add(one.power));
    let Some(total) = total.filter(|total| *total <= POWER_TOTAL_MAX) else {
        return refuse(format!("the power of all would be more than {POWER_TOTAL_MAX}"));
    };
    let (largest, largest_before) = (largest_share(after), largest_share(before));
    if largest > params.power_share_max_bps && (had == 0 || largest > largest_before) {
        let most = after.members.iter().map(|one| one.power).max().unwrap_or_default();
        return refuse(format!(
            "one validator would have {most} of {total}, {largest} bps, and power_share_max_bps is {}",
            params.power_share_max_bps
        ));
    }
    Ok(())
}

/// The largest share of one validator, in hundredths of a percent, rounded up.
fn largest_share(table: &Table) -> u64 {
    let total: u128 = table.members.iter().map(|one| u128::from(one.power)).sum();
    let most = table.members.iter().map(|one| u128::from(one.power)).max().unwrap_or_default();
    let share = (most * u128::from(WHOLE_BPS)).div_ceil(total.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(powers: &[u64]) -> Table {
        let one = |(number, power): (u32, &u64)| Validator {
            key: number.to_be_bytes().to_vec(),
            power: *power,
            bls_key: vec![],
            number,
            epoch: 0,
        };
        Table { members: (0..).zip(powers).map(one).collect() }
    }

    fn check(change: impl FnOnce(&mut Params), before: &[u64], after: &[u64]) -> String {
        let mut params = Params::default();
        change(&mut params);
        check_spread(&params, &table(before), &table(after)).err().map(|fault| fault.text).unwrap_or_default()
    }

    #[test]
    fn a_change_that_breaks_the_spread_is_refused_with_its_numbers() {
        let half = |params: &mut Params| params.power_share_max_bps = 5_000;
        assert_eq!(check(half, &[1, 1], &[2, 2]), "");
        expect_test::expect![
            "one validator would have 2 of 3, 6667 bps, and power_share_max_bps is 5000: power spread not allowed"
        ]
        .assert_eq(&check(half, &[1, 1], &[2, 1]));
        expect_test::expect!["1 validators would be left, and validators_min is 2: power spread not allowed"]
            .assert_eq(&check(|params| params.validators_min = 2, &[1, 1], &[1]));
        expect_test::expect!["0 validators would be left, and validators_min is 1: power spread not allowed"]
            .assert_eq(&check(|_| {}, &[1], &[]));
        let huge = [POWER_TOTAL_MAX, 1];
        assert!(check(|_| {}, &[1], &huge).starts_with("the power of all would be more than 576460752303423487"));
        assert!(check(|_| {}, &[1], &[u64::MAX, 1]).starts_with("the power of all would be more than"));
        assert_eq!(check(|_| {}, &[1], &huge[..1]), "");
        let many = vec![1; TABLE_MAX + 1];
        assert!(check(|_| {}, &[1], &many).starts_with("1001 validators, and at most 1000 fit"));
    }

    #[test]
    fn a_table_that_is_out_of_bounds_may_only_come_nearer() {
        let third = |params: &mut Params| params.power_share_max_bps = 3_334;
        assert_eq!(check(third, &[1], &[1, 1]), "");
        assert_eq!(check(third, &[1, 1], &[1, 1, 1]), "");
        assert_eq!(check(third, &[1, 1], &[2, 2]), "");
        assert_ne!(check(third, &[1, 1], &[2, 1]), "");
        assert_ne!(check(third, &[], &[1, 1]), "");
        let three = |params: &mut Params| params.validators_min = 3;
        assert_eq!(check(three, &[1], &[1, 1]), "");
        assert_ne!(check(three, &[1, 1], &[1]), "");
        assert_eq!(check(three, &[1, 1], &[2, 1]), "");
        assert_ne!(check(three, &[], &[1, 1]), "");
    }
}
