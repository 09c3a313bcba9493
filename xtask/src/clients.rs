//! Clients of others against `aceso`, each in a workspace or package of its own that is built below the target folder: older
//! CosmJS through our harness, cosmrs, cw-orch, grpcurl, and published contracts. Runs only when it is named: it
//! compiles several hundred crates of others.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{
    engines, node_tests, prepare,
    shell::{cargo, root, run, say, target},
    test::{self, Count},
    tools,
};

/// Published contracts, each by the name of its crate.
const PUBLISHED: [&str; 5] = ["cw20-base", "cw721-base@0.18.0", "cw3-flex-multisig", "cw4-group", "cw4-stake"];

/// Runs all of them; one that cannot be built is one failure and keeps none of the others from running.
pub(crate) fn suite() -> Result<Count> {
    tools::node()?;
    let (wasmd, grpcurl) = (engines::wasmd()?, tools::grpcurl()?);
    let (contracts, node) = (prepare::contracts()?, prepare::binaries()?.join("aceso"));
    let environment: Environment<'_> =
        &[("ACESO_NODE", &node), ("ACESO_CONTRACTS", &contracts), ("ACESO_WASMD", &wasmd), ("ACESO_GRPCURL", &grpcurl)];
    let parts: [(&str, Part); 6] = [
        ("cosmrs", |environment| rust("cosmrs", environment)),
        ("cw-orch", |environment| rust("cw-orch", environment)),
        ("published contracts", published),
        ("CosmJS 0.32.4", |environment| cosmjs("0.32.4", environment)),
        ("CosmJS 0.36.2", |environment| cosmjs("0.36.2", environment)),
        ("grpcurl", |environment| node_tests::run(&root().join("tests/clients/grpcurl"), "test", environment)),
    ];
    let counts = parts.iter().map(|(name, part)| {
        say(name);
        let count = part(environment).unwrap_or_else(|error| Count::one(Err(error)));
        println!("{name}: {} passed, {} failed", count.passed, count.failed);
        count
    });
    Ok(counts.fold(Count::default(), Count::add))
}

type Environment<'a> = &'a [(&'a str, &'a Path)];
type Part = fn(Environment<'_>) -> Result<Count>;

/// The tests of a workspace of a Rust client.
fn rust(name: &str, environment: Environment<'_>) -> Result<Count> {
    let mut command = cargo(&["test", "--quiet", "--locked", "--target-dir"]);
    command.arg(folder(name)?).current_dir(root().join("tests/clients").join(name)).envs(environment.iter().copied());
    let (mut count, success) = test::counted(command)?;
    if !success && count.failed == 0 {
        // It did not build: there is no count of that.
        count.failed = 1;
    }
    Ok(count)
}

/// Published contracts, compiled from their crates and driven by CosmJS.
fn published(environment: Environment<'_>) -> Result<Count> {
    let folder = folder("contracts")?;
    let wasm = folder.join(prepare::WASM).join("contract");
    let mut build =
        cargo(&["build", "--quiet", "--locked", "--profile", "contract", "--lib", "--target", prepare::WASM]);
    build.args(PUBLISHED.iter().flat_map(|package| ["-p", package])).arg("--target-dir").arg(&folder);
    build.current_dir(root().join("tests/clients/contracts"));
    run(build)?;
    prepare::install("tests/clients/cosmjs")?;
    let environment = [environment, &[("ACESO_PUBLISHED", &wasm)]].concat();
    node_tests::run(&root().join("tests/clients/cosmjs"), "published", &environment)
}

/// The harness of `tests/clients/cosmjs` with an older release. Modules are looked for beside the files that ask for them, so the
/// files are copied into a folder that has its packages.
fn cosmjs(version: &str, environment: Environment<'_>) -> Result<Count> {
    let (from, to) = (root().join("tests/clients"), folder(&format!("cosmjs-{version}"))?);
    let package = to.join("cosmjs");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    fs::create_dir_all(&package)?;
    fs::copy(from.join("node.mjs"), to.join("node.mjs"))?;
    for entry in fs::read_dir(from.join("cosmjs"))? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        // Our own messages come with our package, which is built with the current release.
        if path.extension().is_some_and(|kind| kind == "mjs") && name != "aceso.test.mjs" {
            fs::copy(path, package.join(name))?;
        }
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join("cosmjs/versions").join(version).join(file), package.join(file))?;
    }
    prepare::install(&package)?;
    node_tests::run(&package, "test", environment)
}

/// Where a client is built.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = target().join("clients").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
