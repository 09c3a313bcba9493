//! Programs of others that tasks use: found, checked for their version, installed where that can be done by name.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{output, program, quiet, run, say, target};

/// The consensus engine's release that is driven.
const COMETBFT: &str = "v0.38.26";

/// CometBFT: in `PATH`, else in our target folder, else installed there with Go.
pub(crate) fn cometbft() -> Result<PathBuf> {
    let wanted = COMETBFT.trim_start_matches('v');
    let ours = target().join("tools/cometbft");
    for candidate in [PathBuf::from("cometbft"), ours.clone()] {
        if output(program(&candidate, &["version"]))
            .is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim() == wanted)
        {
            return Ok(candidate);
        }
    }
    if output(program("go", &["version"])).is_err() {
        bail!(
            "CometBFT {wanted} is not installed and neither is Go; install Go ≥ 1.22, then run `cargo xtask cometbft`"
        );
    }
    say(&format!("installing CometBFT {wanted} with Go (about a minute)"));
    let mut install = program("go", &["install", &format!("github.com/cometbft/cometbft/cmd/cometbft@{COMETBFT}")]);
    install.env("GOBIN", target().join("tools"));
    run(install)?;
    Ok(ours)
}

/// Node ≥ 20 with npm.
pub(crate) fn node() -> Result<()> {
    let hint = "install Node.js ≥ 20 (Debian: `apt-get install nodejs npm`)";
    let version = quiet(program("node", &["--version"])).context(hint)?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        bail!("node is {}, which is too old; {hint}", version.trim());
    }
    quiet(program("npm", &["--version"])).context(hint).map(drop)
}

/// cargo-deny: in `PATH` or in our target folder, else built there.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let ours = target().join("tools/bin/cargo-deny");
    for candidate in [PathBuf::from("cargo-deny"), ours.clone()] {
        if output(program(&candidate, &["--version"])).is_ok_and(|answer| answer.status.success()) {
            return Ok(candidate);
        }
    }
    say("building cargo-deny (a few minutes, once)");
    let root = target().join("tools");
    let mut install = crate::shell::cargo(&["install", "--quiet", "--locked", "cargo-deny@0.20.2", "--root"]);
    install.arg(root);
    run(install)?;
    Ok(ours)
}
