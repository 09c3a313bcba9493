//! Formatting, clippy, licences and duplicates.

use anyhow::Result;

use crate::{
    shell::{cargo, program, run, say},
    tools,
};

/// All of them; fails at the first that finds something.
pub(crate) fn all() -> Result<()> {
    formatting()?;
    clippy()?;
    crates()
}

/// `rustfmt` as `rustfmt.toml` has it.
pub(crate) fn formatting() -> Result<()> {
    say("checking the formatting");
    run(cargo(&["fmt", "--all", "--check"]))
}

/// Clippy with the workspace's lints, warnings refused.
pub(crate) fn clippy() -> Result<()> {
    say("running clippy");
    run(cargo(&["clippy", "--quiet", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Licences, duplicates and sources of the crates we rest on, as `deny.toml` allows them.
pub(crate) fn crates() -> Result<()> {
    let deny = tools::cargo_deny()?;
    say("checking crates against deny.toml");
    run(program(deny, &["--log-level", "error", "check", "bans", "licenses", "sources"]))
}
