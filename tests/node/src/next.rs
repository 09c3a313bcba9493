//! `aceso-next`: the node as a next release would be, which knows the upgrade `longer-memos`.
//!
//! The upgrade's rules are gated by the state: this binary also runs the chain before it. Its migration doubles the
//! longest memo, so that whoever migrates twice, or not at all, has another app hash.

use std::process::ExitCode;

use aceso_app::{
    AppError,
    upgrade::{Migration, Rules, Upgrade},
};
use serde_json::Value;

const KNOWN: &[Upgrade] = &[Upgrade { name: "longer-memos", rules: Rules::Gated, migrate }];

fn main() -> ExitCode {
    aceso_node::run(|options| options.upgrades = KNOWN)
}

fn migrate(state: &mut Migration<'_>) -> Result<(), AppError> {
    let broken = |e: String| AppError::Host(format!("longer-memos: {e}"));
    let row = state.get("chain", b"params")?.ok_or_else(|| broken("the chain has no parameters".into()))?;
    let mut params: Value = serde_json::from_slice(&row).map_err(|e| broken(e.to_string()))?;
    let memo = params["memo_bytes_max"].as_u64().ok_or_else(|| broken("memo_bytes_max is no number".into()))?;
    params["memo_bytes_max"] = memo.saturating_mul(2).into();
    state.set("chain", b"params", params.to_string().as_bytes())
}
