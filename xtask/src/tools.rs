//! Programs of others that tasks use: found, checked for their version, installed where that can be done by name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{
    shell::{output, program, quiet, root, run, say, target},
    test::{Count, MissingTool},
};

/// The client that asks by gRPC with nothing but reflection.
const GRPCURL: &str = "v1.9.3";

/// ONNX's own package, whose node tests are run, and what it computes with.
const ONNX: &str = "onnx==1.23.0";
const NUMPY: &str = "numpy==2.2.6";

/// CometBFT with what is ours in front of it, built with Go of the module in `chain/cometbft`. Where there is
/// no Go, whichever of the line is in `PATH`.
pub(crate) fn cometbft() -> Result<PathBuf> {
    if !go() {
        let found = output(program("cometbft", &["version"]));
        return match found.is_ok_and(|answer| answer.stdout.starts_with(b"0.38.")) {
            true => Ok("cometbft".into()),
            false => Err(MissingTool(
                "CometBFT 0.38 is not installed and neither is Go, to build it; Debian: `apt-get install golang-go` \
                 (Go ≥ 1.22 is needed), then `cargo xtask cometbft`"
                    .into(),
            )
            .into()),
        };
    }
    if !target().join("tools/cometbft").exists() {
        say("building CometBFT with Go (about a minute, once)");
    }
    built_with_go("cometbft", &engine(), ".")
}

/// CometBFT as it comes, of the same release.
pub(crate) fn stock_cometbft() -> Result<PathBuf> {
    built_with_go("cometbft-stock", &engine(), "github.com/cometbft/cometbft/cmd/cometbft")
}

/// The module that names the engine's release.
fn engine() -> PathBuf {
    root().join("chain/cometbft")
}

/// grpcurl: in `PATH` or in our target folder, else installed there with Go; any release's own word is where it was built.
pub(crate) fn grpcurl() -> Result<PathBuf> {
    let there = |tool: &Path| {
        output(program(tool, &["--version"]))
            .is_ok_and(|answer| String::from_utf8_lossy(&answer.stderr).starts_with("grpcurl"))
    };
    let ours = target().join("tools/grpcurl");
    if let Some(found) = [PathBuf::from("grpcurl"), ours.clone()].into_iter().find(|tool| there(tool)) {
        return Ok(found);
    }
    if !go() {
        let hint = "grpcurl is not installed and neither is Go; Debian: `apt-get install golang-go`";
        return Err(MissingTool(hint.into()).into());
    }
    let module = format!("github.com/fullstorydev/grpcurl/cmd/grpcurl@{GRPCURL}");
    say(&format!("installing {module} with Go (about a minute)"));
    let mut install = program("go", &["install", &module]);
    install.env("GOBIN", target().join("tools"));
    run(install)?;
    Ok(ours)
}

/// The import of the peer that `cargo xtask bench seal` is held against, built with Go.
pub(crate) fn boxo() -> Result<PathBuf> {
    built_with_go("boxo", &peer("boxo"), ".")
}

/// wasmd, the peer that `cargo xtask bench chain` runs beside ours, built with Go; its library stays in Go's own folder.
pub(crate) fn wasmd() -> Result<PathBuf> {
    say("building wasmd (some minutes the first time)");
    built_with_go("wasmd", &peer("wasmd"), "github.com/CosmWasm/wasmd/cmd/wasmd")
}

/// The module that names a peer's release.
fn peer(name: &str) -> PathBuf {
    root().join("benches/peers").join(name)
}

fn go() -> bool {
    output(program("go", &["version"])).is_ok()
}

/// A program: a package of a module here, or one that the module names.
fn built_with_go(name: &str, module: &Path, package: &str) -> Result<PathBuf> {
    let folder = target().join("tools");
    let ours = folder.join(name);
    if !go() {
        return Err(MissingTool("Go is not installed; Debian: `apt-get install golang-go`".into()).into());
    }
    std::fs::create_dir_all(&folder)?;
    let mut build = program("go", &["build", "-o"]);
    build.arg(&ours).arg(package).current_dir(module);
    quiet(build)?;
    Ok(ours)
}

/// Python with ONNX's own package, in a virtual environment of ours.
pub(crate) fn onnx() -> Result<PathBuf> {
    let folder = target().join(format!("tools/{ONNX}"));
    let python = folder.join("bin/python");
    if output(program(&python, &["-c", "import onnx"])).is_ok_and(|answer| answer.status.success()) {
        return Ok(python);
    }
    say(&format!("installing {ONNX} with pip"));
    let mut environment = program("python3", &["-m", "venv"]);
    environment.arg(&folder);
    quiet(environment)
        .and_then(|_| quiet(program(&python, &["-m", "pip", "install", "--quiet", ONNX, NUMPY])))
        .map_err(|e| {
            MissingTool(format!("{ONNX} cannot be installed; Debian: `apt-get install python3-venv` ({e:#})"))
        })?;
    Ok(python)
}

/// Network namespaces: `ip` and `tc`.
pub(crate) fn iproute() -> Result<()> {
    match (output(program("ip", &["-V"])), output(program("tc", &["-V"]))) {
        (Ok(_), Ok(_)) => Ok(()),
        _ => Err(MissingTool("iproute2 is needed; Debian: `apt-get install iproute2`".into()).into()),
    }
}

/// Node ≥ 20 with npm.
pub(crate) fn node() -> Result<()> {
    let missing = || MissingTool("Node.js ≥ 20 with npm is needed; Debian: `apt-get install nodejs npm`".into());
    let version = quiet(program("node", &["--version"])).map_err(|_| missing())?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        return Err(MissingTool(format!("node is {}, which is too old: 20 is needed", version.trim())).into());
    }
    quiet(program("npm", &["--version"])).map(drop).map_err(|_| missing().into())
}

/// Debian's Chromium; installed with apt-get where that may be done.
pub(crate) fn chromium() -> Result<()> {
    let there = || output(program("chromium", &["--version"])).is_ok_and(|answer| answer.status.success());
    if there() {
        return Ok(());
    }
    say("installing Chromium with apt-get");
    let installed = quiet(program("apt-get", &["update", "-qq"]))
        .and_then(|_| quiet(program("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "chromium"])));
    match installed {
        Ok(_) if there() => Ok(()),
        _ => Err(MissingTool("Chromium is not installed; Debian: `apt-get install chromium`".into()).into()),
    }
}

/// QEMU's emulators of single programs; installed with apt-get where that may be done.
pub(crate) fn qemu() -> Result<()> {
    let there = || {
        let starts = |name| output(program(name, &["--version"])).is_ok_and(|answer| answer.status.success());
        starts("qemu-x86_64") && starts("qemu-aarch64")
    };
    if there() {
        return Ok(());
    }
    say("installing QEMU's emulators with apt-get");
    let installed = quiet(program("apt-get", &["update", "-qq"]))
        .and_then(|_| quiet(program("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "qemu-user"])));
    match installed {
        Ok(_) if there() => Ok(()),
        _ => Err(MissingTool("QEMU is not installed; Debian: `apt-get install qemu-user`".into()).into()),
    }
}

/// PostgreSQL's folder of programs; installed with apt-get where that may be done. Debian puts them outside `PATH`.
pub(crate) fn postgresql() -> Result<PathBuf> {
    let find = || {
        let named = output(program("pg_config", &["--bindir"])).ok().filter(|answer| answer.status.success());
        let named = named.map(|answer| PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()));
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
        folders.sort();
        folders.into_iter().rev().chain(named).find(|folder| folder.join("initdb").exists())
    };
    if let Some(folder) = find() {
        return Ok(folder);
    }
    say("installing PostgreSQL with apt-get");
    let installed = quiet(program("apt-get", &["update", "-qq"]))
        .and_then(|_| quiet(program("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "postgresql"])));
    match installed.ok().and_then(|_| find()) {
        Some(folder) => Ok(folder),
        None => Err(MissingTool("PostgreSQL is not installed; Debian: `apt-get install postgresql`".into()).into()),
    }
}

/// A file of the consensus engine's own sources, in the release that is driven.
pub(crate) fn cometbft_source(path: &str) -> Result<PathBuf> {
    let mut ask = program("go", &["mod", "download", "-json", "github.com/cometbft/cometbft"]);
    ask.current_dir(engine());
    let answer = quiet(ask).map_err(|e| {
        MissingTool(format!("Go is needed for CometBFT's sources; Debian: `apt-get install golang-go` ({e:#})"))
    })?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let folder = answer["Dir"].as_str().context("Go does not say where the module lies")?;
    Ok(PathBuf::from(folder).join(path))
}

/// cargo-deny: in `PATH` or in our target folder, else built there.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    installed("cargo-deny", "0.20.2")
}

/// CosmWasm's own check of contracts, likewise.
pub(crate) fn cosmwasm_check() -> Result<PathBuf> {
    installed("cosmwasm-check", "3.0.10")
}

/// A program of a published crate of that name.
fn installed(name: &str, version: &str) -> Result<PathBuf> {
    let ours = target().join("tools/bin").join(name);
    for candidate in [PathBuf::from(name), ours.clone()] {
        if output(program(&candidate, &["--version"])).is_ok_and(|answer| answer.status.success()) {
            return Ok(candidate);
        }
    }
    say(&format!("building {name} (a few minutes, once)"));
    let mut install = crate::shell::cargo(&["install", "--quiet", "--locked", &format!("{name}@{version}"), "--root"]);
    install.arg(target().join("tools"));
    run(install)?;
    Ok(ours)
}

/// Runs the tests of what is ours in CometBFT.
pub(crate) fn test_cometbft() -> Result<Count> {
    let mut vet = program("go", &["vet", "./..."]);
    vet.current_dir(engine());
    quiet(vet)?;
    let mut test = program("go", &["test", "-count=1", "-json", "./..."]);
    test.current_dir(engine());
    let answer = output(test)?;
    let mut count = Count::default();
    for line in String::from_utf8_lossy(&answer.stdout).lines() {
        // What does not build is told in lines of another kind.
        let row: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        match (row["Action"].as_str(), row["Test"].as_str()) {
            (Some("pass"), Some(_)) => count.passed += 1,
            (Some("fail"), Some(name)) => {
                println!("{name} failed");
                count.failed += 1;
            }
            (Some("output" | "build-output"), _) if !answer.status.success() => {
                print!("{}", row["Output"].as_str().unwrap_or_default());
            }
            _ => {}
        }
    }
    ensure!(answer.status.success() == (count.failed == 0 && count.passed > 0), "the engine's tests did not run");
    Ok(count)
}
