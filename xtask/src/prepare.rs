//! What tasks need before they can start: the wasm targets, the contracts, the binaries, the page.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result};

use crate::{
    shell::{cargo, program, quiet, root, run, say, target},
    test::MissingTool,
    tools,
};

/// What contracts are compiled to.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// The other target: contracts over the published wasi-nn guest crate.
const WASIP1: &str = "wasm32-wasip1";
/// Contracts of the workspace: package and file name.
const CONTRACTS: [(&str, &str); 7] = [
    ("aceso-consent", "aceso_consent"),
    ("aceso-insurance", "aceso_insurance"),
    ("aceso-governance", "aceso_governance"),
    ("aceso-test-probe", "aceso_test_probe"),
    ("aceso-test-freelook", "aceso_test_freelook"),
    ("aceso-test-token", "aceso_test_token"),
    ("aceso-test-verifier", "aceso_test_verifier"),
];

/// What lowers contracts, an npm package with `wasm-opt`, and how.
const BINARYEN: &str = "binaryen@132.0.0";
const PORTABLE: [&str; 10] = [
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--llvm-memory-copy-fill-lowering",
    "--llvm-nontrapping-fptoint-lowering",
    "--signext-lowering",
    "--strip-target-features",
];

/// Adds a wasm target to the compiler: by rustup, else from Debian's source package.
fn wasm_target(name: &str) -> Result<()> {
    let sysroot = PathBuf::from(quiet(program("rustc", &["--print", "sysroot"]))?.trim());
    if sysroot.join("lib/rustlib").join(name).join("lib").is_dir() {
        return Ok(());
    }
    say(&format!("adding the compiler's target {name}"));
    let script = include_str!("wasm32-std.sh");
    let missing = |why: &str| MissingTool(format!("rustc has no target {name}; `rustup target add {name}` ({why})"));
    let added = program("bash", &["-c", script, "wasm32-std.sh", name]).stdin(Stdio::null()).output();
    let added = added.map_err(|e| missing(&format!("bash cannot be started: {e}")))?;
    if !added.status.success() {
        let said = String::from_utf8_lossy(&added.stderr);
        return Err(missing(said.lines().last().unwrap_or("no reason was given")).into());
    }
    Ok(())
}

/// Builds the contracts from source into one folder, each under a short name, and returns the folder.
pub(crate) fn contracts() -> Result<PathBuf> {
    wasm_target(WASM)?;
    say("building the contracts");
    let mut arguments = vec!["build", "--quiet", "--profile", "contract", "--target", WASM, "--lib"];
    arguments.extend(CONTRACTS.iter().flat_map(|(package, _)| ["-p", package]));
    run(cargo(&arguments))?;
    let folder = target().join("contracts");
    fs::create_dir_all(&folder)?;
    let built = target().join(WASM).join("contract");
    for ((_, file), name) in CONTRACTS.iter().zip(contract_names()) {
        copy(&built.join(format!("{file}.wasm")), &folder.join(format!("{name}.wasm")))?;
    }
    Ok(folder)
}

/// The contracts again, without the instructions that engines of other chains refuse: bulk memory, sign extension, conversions
/// that saturate. Rust's own library is built with them, so Binaryen writes them in older ones. Returns the folder.
pub(crate) fn portable_contracts() -> Result<PathBuf> {
    tools::node()?;
    let (contracts, folder) = (contracts()?, target().join("portable"));
    fs::create_dir_all(&folder)?;
    for name in contract_names() {
        let file = format!("{name}.wasm");
        let mut lower = program("npx", &["--yes", "--package", BINARYEN, "wasm-opt"]);
        lower.arg(contracts.join(&file)).arg("-o").arg(folder.join(&file)).args(PORTABLE);
        quiet(lower).with_context(|| format!("{BINARYEN} cannot lower {file}"))?;
    }
    Ok(folder)
}

/// The contracts' short names.
pub(crate) fn contract_names() -> impl Iterator<Item = &'static str> {
    CONTRACTS.iter().map(|(_, file)| file.trim_start_matches("aceso_").trim_start_matches("test_"))
}

/// Builds the test contract that goes through the published wasi-nn guest crate.
pub(crate) fn wasip1_contract() -> Result<()> {
    wasm_target(WASIP1)?;
    let manifest = root().join("tests/contracts/wasip1/Cargo.toml");
    let manifest = manifest.to_str().context("the clone's path is not UTF-8")?;
    let arguments =
        ["build", "--quiet", "--profile", "contract", "--target", WASIP1, "--lib", "--manifest-path", manifest];
    let mut command = cargo(&arguments);
    // It is a workspace of its own, whose target folder would be too.
    command.env("CARGO_TARGET_DIR", target());
    run(command)?;
    let built = target().join(WASIP1).join("contract/aceso_test_wasip1.wasm");
    copy(&built, &target().join("contracts/wasip1.wasm"))
}

/// Builds everything that is run as a program and returns the folder of the binaries.
pub(crate) fn binaries() -> Result<PathBuf> {
    say("building the node and its tools (about ten minutes the first time)");
    let (cold, start) = (!target().join("release/aceso").exists(), Instant::now());
    run(cargo(&["build", "--quiet", "--release", "--workspace", "--bins"]))?;
    if cold {
        note("cold-build", start)?;
    }
    Ok(target().join("release"))
}

/// Notes how many seconds something took, for `cargo xtask bench first`.
pub(crate) fn note(name: &str, start: Instant) -> Result<()> {
    let folder = target().join("times");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), start.elapsed().as_secs().to_string())?)
}

/// Builds the verifier that browsers run and returns its wasm.
pub(crate) fn verifier() -> Result<PathBuf> {
    wasm_target(WASM)?;
    let mut build =
        cargo(&["build", "--quiet", "--profile", "contract", "--target", WASM, "--lib", "-p", "aceso-verify-wasm"]);
    // Browsers have vectors; contracts, which are built for the same target, may not use them.
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C target-feature=+simd128");
    run(build)?;
    Ok(target().join(WASM).join("contract/aceso_verify_wasm.wasm"))
}

/// Builds our package for JavaScript.
pub(crate) fn package() -> Result<()> {
    let verifier = verifier()?;
    install("sdk")?;
    npm("sdk/js", &["run", "--silent", "build"], &[("ACESO_VERIFY_WASM", &verifier)])
}

/// Builds the page that the node serves and returns its folder.
pub(crate) fn page() -> Result<PathBuf> {
    tools::node()?;
    let verifier = verifier()?;
    say("building the page");
    install("sdk")?;
    npm("sdk/dapp", &["run", "--silent", "build"], &[("ACESO_VERIFY_WASM", &verifier)])?;
    Ok(root().join("sdk/dapp/dist"))
}

/// Installs what the lockfile in a folder names.
pub(crate) fn install(folder: impl AsRef<Path>) -> Result<()> {
    npm(folder, &["ci", "--prefer-offline", "--no-audit", "--no-fund", "--silent"], &[])
}

/// npm in a folder, which may be named from the clone on.
fn npm(folder: impl AsRef<Path>, arguments: &[&str], environment: &[(&str, &Path)]) -> Result<()> {
    let mut npm = program("npm", arguments);
    npm.current_dir(root().join(folder)).envs(environment.iter().copied());
    quiet(npm).map(drop)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display())).map(drop)
}
