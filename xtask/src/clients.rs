//! Clients of others against `aceso`, each in a workspace or package of its own that is built below the target folder: older
//! CosmJS through our harness, cosmrs, cw-orch, grpcurl, and published contracts. Runs only when it is named: it
//! compiles several hundred crates of others.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    node_tests, prepare,
    shell::{cargo, root, run, say, target},
    test::{self, Count},
    tools,
};

/// Older releases of CosmJS that the harness is held to; the current one is a suite of its own.
const COSMJS: [&str; 2] = ["0.32.4", "0.36.2"];
/// Published contracts: a crate by name and version, and the file that it becomes.
const PUBLISHED: [(&str, &str); 5] = [
    ("cw20-base", "cw20_base"),
    ("cw721-base@0.18.0", "cw721_base"),
    ("cw3-flex-multisig", "cw3_flex_multisig"),
    ("cw4-group", "cw4_group"),
    ("cw4-stake", "cw4_stake"),
];

/// Runs all of them; one that cannot be prepared is one failure and keeps none of the others from running.
pub(crate) fn suite() -> Result<Count> {
    tools::node()?;
    let (contracts, node) = (prepare::contracts()?, prepare::binaries()?.join("aceso"));
    let ours: Environment<'_> = &[("ACESO_NODE", &node), ("ACESO_CONTRACTS", &contracts)];
    let parts: [(&str, fn(Environment<'_>) -> Result<Count>); 5] = [
        ("cosmrs", |ours| rust("cosmrs", ours)),
        ("cw-orch", |ours| rust("cw-orch", ours)),
        ("published contracts", published),
        ("CosmJS, older", older_cosmjs),
        ("grpcurl", grpcurl),
    ];
    let counts = parts.iter().map(|(name, part)| {
        say(name);
        let count = part(ours).unwrap_or_else(|error| Count::one(Err(error)));
        println!("{name}: {} passed, {} failed", count.passed, count.failed);
        count
    });
    Ok(counts.fold(Count::default(), Count::add))
}

type Environment<'a> = &'a [(&'a str, &'a Path)];

/// The tests of a workspace of a Rust client.
fn rust(name: &str, ours: Environment<'_>) -> Result<Count> {
    let mut command = cargo(&["test", "--quiet", "--locked", "--target-dir"]);
    command.arg(folder(name)?).current_dir(root().join("tests/clients").join(name)).envs(ours.iter().copied());
    let (mut count, success) = test::counted(command)?;
    if !success && count.failed == 0 {
        // It did not build: there is no count of that.
        count.failed = 1;
    }
    Ok(count)
}

/// Published contracts, compiled from their crates and driven by CosmJS.
fn published(ours: Environment<'_>) -> Result<Count> {
    let folder = folder("contracts")?;
    let wasm = folder.join(prepare::WASM).join("contract");
    let mut build =
        cargo(&["build", "--quiet", "--locked", "--profile", "contract", "--lib", "--target", prepare::WASM]);
    build.args(PUBLISHED.iter().flat_map(|(package, _)| ["-p", package])).arg("--target-dir").arg(&folder);
    build.current_dir(root().join("tests/clients/contracts"));
    run(build)?;
    for (package, file) in PUBLISHED {
        let file = wasm.join(format!("{file}.wasm"));
        fs::metadata(&file).with_context(|| format!("{package} did not become {}", file.display()))?;
    }
    prepare::install("tests/clients/cosmjs")?;
    let published = [ours, &[("ACESO_PUBLISHED", &wasm)]].concat();
    node_tests::run(&root().join("tests/clients/cosmjs"), "published", &published)
}

/// The harness with older releases. Modules are looked for beside the files that ask for them, so each has the files in a folder
/// with its own packages.
fn older_cosmjs(ours: Environment<'_>) -> Result<Count> {
    let wasmd = crate::engines::wasmd()?;
    let environment = [ours, &[("ACESO_WASMD", &wasmd)]].concat();
    let (from, mut count) = (root().join("tests/clients"), Count::default());
    for version in COSMJS {
        let to = folder(&format!("cosmjs-{version}"))?;
        let package = to.join("cosmjs");
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
        let answered = node_tests::run(&package, "test", &environment)?;
        say(&format!("CosmJS {version}: {} passed, {} failed", answered.passed, answered.failed));
        count = count.add(answered);
    }
    Ok(count)
}

fn grpcurl(ours: Environment<'_>) -> Result<Count> {
    let tool = tools::grpcurl()?;
    let environment = [ours, &[("ACESO_GRPCURL", &tool)]].concat();
    node_tests::run(&root().join("tests/clients/grpcurl"), "test", &environment)
}

/// Where a client is built.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = target().join("clients").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
