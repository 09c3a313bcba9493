//! Running other programs: where, with what, and what is said when they fail.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// The clone's root. Asked when it runs: a target folder may be shared by clones, and what was compiled in one of them
/// is taken as it is in the next.
pub(crate) fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = told.or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("."));
    here.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file()).unwrap_or(&here).to_path_buf()
}

/// Where cargo builds: `CARGO_TARGET_DIR`, else `target` in the clone.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo, in the clone.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Any other program, in the clone.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// A script in a network of its own, with nothing but a loopback device: no port in it is in use, and what it makes of
/// networks goes with it. Nobody has to be root. More arguments are the script's `$0`, `$1` and so on.
pub(crate) fn own_network(script: &str) -> Result<Command> {
    let mut command = program("unshare", &[]);
    if quiet(program("id", &["-u"]))?.trim() != "0" {
        command.arg("--map-root-user");
    }
    // Names of further namespaces are kept under /run.
    let before = "mount -t tmpfs tmpfs /run && ip link set lo up";
    command.args(["--net", "--mount", "bash", "-euo", "pipefail", "-c", &format!("{before}\n{script}")]);
    Ok(command)
}

/// Says on standard error what is being done.
pub(crate) fn say(what: &str) {
    eprintln!("· {what}");
}

/// Runs a command whose output the user sees; fails with its words when it fails.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let words = words(&command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` failed with {status}");
    }
    Ok(())
}

/// Runs a command quietly; fails with what it printed when it fails.
pub(crate) fn quiet(command: Command) -> Result<String> {
    let words = words(&command);
    let output = output(command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("`{words}` failed with {}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// Runs a command quietly, whatever it answers.
pub(crate) fn output(mut command: Command) -> Result<Output> {
    let words = words(&command);
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{words}`"))
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
