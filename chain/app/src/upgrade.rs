//! Upgrades: the chain goes on by other rules from a height on, and a binary either knows that or stops.
//!
//! The authority schedules a name and a height. A binary that does not know the name stops before it executes that block,
//! also when it is started again; one that knows it runs its migration first and goes on. An upgrade whose rules are
//! gated by [`crate`]'s own state may wait in a binary for its height; one that changes rules at once must not run before
//! it, and such a binary refuses to start early.
//!
//! A chain that a binary begins has that binary's rules: upgrades that change rules at once count as done from its first
//! height on. Start at [`Upgrade`].

use aceso_types::msg::{MsgCancelUpgrade, MsgCancelUpgradeResponse, MsgScheduleUpgrade, MsgScheduleUpgradeResponse};

use aceso_state::Delta;

use crate::{
    chain::{self, Plan},
    code::Code,
    error::{AppError, Outcome},
    event::Event,
    run::Run,
    store::{Bare, Entry, Part, Read, Write},
};

/// The upgrades that this binary knows.
pub const KNOWN: &[Upgrade] = &[];

/// Longest name.
const NAME_MAX: usize = 64;
/// Longest text for operators.
const INFO_MAX: usize = 1024;

/// An upgrade that a binary knows.
#[derive(Clone, Copy, Debug)]
pub struct Upgrade {
    /// Its name, as the authority schedules it.
    pub name: &'static str,
    /// From when on this binary goes by its rules.
    pub rules: Rules,
    /// What it makes of the state, before the first block by its rules.
    pub migrate: fn(&mut Migration<'_>) -> Result<(), AppError>,
}

/// From when on a binary goes by the rules of an upgrade that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// From the upgrade's height on: the binary also runs the chain before it.
    Gated,
    /// Always: the binary cannot run the chain before it.
    Changed,
}

/// The state, to be migrated.
pub struct Migration<'a>(&'a mut Delta);

impl Migration<'_> {
    /// The value of a key.
    pub fn get(&self, component: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, AppError> {
        Ok(self.0.get(component, key)?)
    }

    /// At most `limit` entries whose keys begin with `prefix`, after the key `after`.
    pub fn page(
        &mut self,
        component: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, AppError> {
        let part = Part { after: after.map(<[u8]>::to_vec), ..Part::first(prefix.to_vec(), limit) };
        Bare(self.0).page(component, &part).map_err(crate::app::halted)
    }

    /// Sets a key. Neither key nor value may be empty.
    pub fn set(&mut self, component: &'static str, key: &[u8], value: &[u8]) -> Result<(), AppError> {
        Ok(self.0.set(component, key.to_vec(), value.to_vec())?)
    }

    /// Removes a key, present or not.
    pub fn remove(&mut self, component: &'static str, key: &[u8]) -> Result<(), AppError> {
        Ok(self.0.remove(component, key)?)
    }
}

/// `MsgScheduleUpgrade`.
pub(crate) fn schedule_msg(run: &mut Run<'_>, msg: &MsgScheduleUpgrade) -> Outcome<MsgScheduleUpgradeResponse> {
    run.chain.need_authority(&msg.authority)?;
    let refuse = |what: String| Err(Code::UpgradeRefused.because(what).into());
    let (name, now) = (&msg.name, run.block.height.0);
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !(1..=NAME_MAX).contains(&name.len()) || !name.bytes().all(is_name) {
        let shown: String = name.chars().take(NAME_MAX).collect();
        return refuse(format!("{shown:?} is not a name of 1 to {NAME_MAX} of a-z, 0-9, '.', '_' and '-'"));
    }
    if msg.info.len() > INFO_MAX {
        return refuse(format!("the info has {} bytes, and at most {INFO_MAX} fit", msg.info.len()));
    }
    if msg.height <= now {
        return refuse(format!("block {} is not after this one, {now}", msg.height));
    }
    if let Some(plan) = chain::plan(run)? {
        return refuse(format!("{:?} is scheduled for block {}; cancel it first", plan.name, plan.height));
    }
    if let Some(height) = chain::upgraded(run, name)? {
        return refuse(format!("{name:?} was done at block {height}"));
    }
    let plan = Plan { name: name.clone(), height: msg.height, info: msg.info.clone() };
    chain::put_plan(run, Some(&plan))?;
    run.emit(Event::new("schedule_upgrade").with("name", plan.name).with("height", plan.height.to_string()));
    Ok(MsgScheduleUpgradeResponse {})
}

/// `MsgCancelUpgrade`.
pub(crate) fn cancel_msg(run: &mut Run<'_>, msg: &MsgCancelUpgrade) -> Outcome<MsgCancelUpgradeResponse> {
    run.chain.need_authority(&msg.authority)?;
    let Some(plan) = chain::plan(run)? else { return Err(Code::UpgradeRefused.because("none is scheduled").into()) };
    chain::put_plan(run, None)?;
    run.emit(Event::new("cancel_upgrade").with("name", plan.name).with("height", plan.height.to_string()));
    Ok(MsgCancelUpgradeResponse {})
}

/// Whether this binary may run a chain whose latest block is `height`.
pub(crate) fn check_start(state: &mut impl Read, height: u64, known: &[Upgrade]) -> Result<(), AppError> {
    if height == 0 {
        return Ok(());
    }
    let read = |outcome: Outcome<_>| outcome.map_err(crate::app::halted);
    let plan = read(chain::plan(state))?;
    if let Some(plan) = &plan
        && plan.height == height.saturating_add(1)
    {
        find(plan, known)?;
    }
    for upgrade in known.iter().filter(|upgrade| upgrade.rules == Rules::Changed) {
        let done = chain::upgraded(state, upgrade.name).map_err(crate::app::halted)?.is_some();
        let due = plan.as_ref().filter(|plan| plan.name == upgrade.name).map(|plan| plan.height);
        if !done && due != Some(height.saturating_add(1)) {
            return Err(AppError::UpgradeEarly { name: upgrade.name, due, height });
        }
    }
    Ok(())
}

/// Runs the upgrade that is due at a block, if there is one. Answers its event.
pub(crate) fn begin_block(delta: &mut Delta, height: u64, known: &[Upgrade]) -> Result<Option<Event>, AppError> {
    let Some(plan) = chain::plan(&mut Bare(delta)).map_err(crate::app::halted)? else { return Ok(None) };
    if plan.height != height {
        return Ok(None);
    }
    let upgrade = find(&plan, known)?;
    (upgrade.migrate)(&mut Migration(delta))?;
    let state = &mut Bare(delta);
    chain::put_plan(state, None)
        .and_then(|()| chain::put_upgraded(state, &plan.name, height))
        .map_err(crate::app::halted)?;
    tracing::info!(name = plan.name, height, "upgraded");
    Ok(Some(Event::new("upgrade").with("name", plan.name).with("height", height.to_string())))
}

/// Notes in a genesis which rules the chain begins with.
pub(crate) fn found(state: &mut impl Write, height: u64, known: &[Upgrade]) -> Outcome<()> {
    for upgrade in known.iter().filter(|upgrade| upgrade.rules == Rules::Changed) {
        chain::put_upgraded(state, upgrade.name, height)?;
    }
    Ok(())
}

fn find<'a>(plan: &Plan, known: &'a [Upgrade]) -> Result<&'a Upgrade, AppError> {
    let due = || AppError::UpgradeDue { name: plan.name.clone(), height: plan.height, info: plan.info.clone() };
    known.iter().find(|upgrade| upgrade.name == plan.name).ok_or_else(due)
}
