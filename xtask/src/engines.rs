//! Our contract engine beside cosmwasm-vm: `benches/peers/cosmwasm-vm`, a program of a workspace of its own.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use crate::{
    prepare,
    shell::{cargo, output, program, quiet, root, run, say, target},
    test::MissingTool,
    tools,
};

/// A Go module with contracts.
const WASMD: &str = "github.com/CosmWasm/wasmd@v0.61.14";
/// The Go modules whose contracts are run beside those of the published crate, and what the program calls them.
const MODULES: [(&str, &str); 2] = [("--wasmd", WASMD), ("--wasmvm", "github.com/CosmWasm/wasmvm/v3@v3.0.7")];

/// Builds the program and runs it in one of its modes.
pub(crate) fn peer(mode: &str, arguments: &[String]) -> Result<ExitCode> {
    let folder = target().join("peers/cosmwasm-vm");
    say("building our engine and cosmwasm-vm (ten minutes the first time)");
    let mut build = cargo(&["build", "--quiet", "--release", "--locked", "--target-dir"]);
    build.arg(&folder).current_dir(root().join("benches/peers/cosmwasm-vm"));
    run(build)?;
    let mut command = program(folder.join("release/cosmwasm-vm-peer"), &[mode]);
    command.args(arguments);
    for (option, name) in MODULES {
        match module(name) {
            Ok(folder) => {
                command.arg(option).arg(folder);
            }
            Err(why) => say(&format!("without contracts: {why:#}")),
        }
    }
    let status = command.status().context("cannot start what was built")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// CosmWasm's own check takes our contracts in their portable form, but for those that import what no other chain has: of those
/// it must say which module that is.
pub(crate) fn check_contracts() -> Result<ExitCode> {
    /// What chains of the family offer, and our marker, so that it is imports that are refused.
    const CAPABILITIES: &str = "iterator,cosmwasm_1_1,cosmwasm_1_2,cosmwasm_1_3,cosmwasm_1_4,cosmwasm_2_0,cosmwasm_2_1,\
                                cosmwasm_2_2,cosmwasm_3_0,aceso";
    let folder = prepare::portable_contracts()?;
    let tool = tools::cosmwasm_check()?;
    let mut wrong = 0;
    for name in prepare::contract_names() {
        let mut check = program(&tool, &["--available-capabilities", CAPABILITIES]);
        check.arg(folder.join(format!("{name}.wasm")));
        let answer = output(check).context("cannot start cosmwasm-check")?;
        let said = String::from_utf8_lossy(&answer.stdout).into_owned() + &String::from_utf8_lossy(&answer.stderr);
        let wasm = std::fs::read(folder.join(format!("{name}.wasm")))?;
        let ours = ["aceso", "wasi_ephemeral_nn"].into_iter().find(|module| imports(&wasm, module));
        let (fits, words) = match (answer.status.success(), ours) {
            (true, None) => (true, "taken".into()),
            (false, Some(module)) => {
                (said.contains(&format!("{module}.")), format!("needs this chain: imports {module}"))
            }
            (true, Some(module)) => (false, format!("taken, though it imports {module}")),
            (false, None) => (false, format!("refused: {said}")),
        };
        wrong += usize::from(!fits);
        println!("{name:<12} {}{words}", if fits { "" } else { "WRONG: " });
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a module's import section names this module: names stand there with their length before them.
fn imports(wasm: &[u8], module: &str) -> bool {
    let length = u8::try_from(module.len()).unwrap_or(u8::MAX);
    let named: Vec<u8> = std::iter::once(length).chain(module.bytes()).collect();
    wasm.windows(named.len()).any(|window| window == named)
}

/// wasmd's own cw20_base.
pub(crate) fn cw20() -> Result<PathBuf> {
    Ok(wasmd()?.join("benchmarks/testdata/cw20_base.wasm"))
}

/// wasmd's module, with the contracts of its tests.
pub(crate) fn wasmd() -> Result<PathBuf> {
    module(WASMD)
}

/// The module's folder; Go fetches it where it is not there.
fn module(name: &str) -> Result<PathBuf> {
    let missing = |why: anyhow::Error| MissingTool(format!("Go cannot get {name}: {why:#}"));
    let said = quiet(program("go", &["mod", "download", "-json", name])).map_err(missing)?;
    let module: serde_json::Value = serde_json::from_str(&said)?;
    module["Dir"].as_str().map(PathBuf::from).with_context(|| format!("Go did not say where {name} is"))
}
