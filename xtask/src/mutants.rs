//! Does the journey notice when a contract's check is gone?
//!
//! Each mutant is a copy of a contract with one check taken out. The contract is built, the journey is played with it,
//! and it must fail at the refusal that the check is for, or at the step that is there to show it: a refusal that no check
//! stands behind would prove nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    demo, prepare,
    shell::{cargo, quiet, root, say, target},
    test::Count,
};

/// One check taken out.
struct Mutant {
    /// The refusal or the step of the journey that must notice.
    noticed: &'static str,
    /// The contract, by its short name.
    contract: &'static str,
    /// The file below `contracts/`.
    file: &'static str,
    /// The code of the check, which stands in the file once.
    check: &'static str,
    /// What it becomes.
    becomes: &'static str,
}

const CONSENT: &str = "consent/src/helpers.rs";
const INSURANCE: &str = "insurance/src/helpers.rs";
const COUNTER: &str = "insurance/src/contract.rs";
const BOOKS: &str = "insurance/src/books.rs";
const SEALED: &str = "insurance/src/sealed.rs";

const MUTANTS: &[Mutant] = &[
    Mutant {
        noticed: "revoked consent",
        contract: "consent",
        file: CONSENT,
        check: "if let Some(at) = revoked_at {",
        becomes: "if let Some(at) = revoked_at.filter(|_| false) {",
    },
    Mutant {
        noticed: "another model than granted",
        contract: "consent",
        file: CONSENT,
        check: "if !rule.models.is_empty() && ",
        becomes: "if false && ",
    },
    Mutant {
        noticed: "another purpose than granted",
        contract: "consent",
        file: CONSENT,
        check: "if !rule.purposes.iter().any(|purpose| purpose == ask.purpose) {",
        becomes: "if false {",
    },
    Mutant {
        noticed: "somebody whom no grant names",
        contract: "consent",
        file: CONSENT,
        check: "if !rule.actors.iter().any(|actor| actor == ask.actor.as_str()) {",
        becomes: "if false {",
    },
    Mutant {
        noticed: "a no beside a yes",
        contract: "consent",
        file: CONSENT,
        check: "return Ok(Err(Refusal::Denied { grant: grant.id, actor: ask.actor.to_string() }));",
        becomes: "",
    },
    Mutant {
        noticed: "second use of a one-use grant",
        contract: "consent",
        file: CONSENT,
        check: "&grant.id.to_string())? >= max_uses {",
        becomes: "&grant.id.to_string())? == u32::MAX {",
    },
    Mutant {
        noticed: "claim on an image already paid, by the same CID",
        contract: "insurance",
        file: COUNTER,
        check: "    image_not_paid_before(deps.storage, &policy, picture, model)?;\n",
        becomes: "    let _ = image_not_paid_before;\n",
    },
    Mutant {
        noticed: "claim on an image already paid, under another CID",
        contract: "insurance",
        file: INSURANCE,
        check: "&identity(env, &read.pixels))? {",
        becomes: "&identity(env, &read.pixels))?.filter(|_| false) {",
    },
    Mutant {
        noticed: "another image of a study already paid",
        contract: "insurance",
        file: INSURANCE,
        check: "study_paid(storage, policy, model, &origin.study)?;",
        becomes: "study_paid(storage, policy, model, &origin.study)?.filter(|_| false);",
    },
    Mutant {
        noticed: "no origin where the policy asks for one",
        contract: "insurance",
        file: COUNTER,
        check: "    has_origin(&policy, image, &known)?;\n",
        becomes: "    let _ = has_origin;\n",
    },
    Mutant {
        noticed: "an origin that speaks of other pixels",
        contract: "insurance",
        file: INSURANCE,
        check: "if !accepted.is_empty() && !given {\n        return Ok(Some(",
        becomes: "if !accepted.is_empty() && !given && accepted.len() > 64 {\n        return Ok(Some(",
    },
    Mutant {
        noticed: "a model that the policy does not cover",
        contract: "insurance",
        file: COUNTER,
        check: "covers.iter().find(|cover| cover.model == model)",
        becomes: "covers.first()",
    },
    Mutant {
        noticed: "an image of somebody who is not insured",
        contract: "insurance",
        file: COUNTER,
        check: "if known.owner != policy.terms.member {",
        becomes: "if false {",
    },
    Mutant {
        noticed: "escrow too low",
        contract: "insurance",
        file: BOOKS,
        check: "holds.checked_sub(costs).map_err(|_| ContractError::EscrowTooLow { policy, holds, costs })?",
        becomes: "holds.saturating_sub(costs)",
    },
    Mutant {
        noticed: "a claim with a committee that is not believed",
        contract: "insurance",
        file: SEALED,
        check: "members_min: plan.accept.members_min,",
        becomes: "members_min: 0,",
    },
    Mutant {
        noticed: "claims it again: it is read, and not paid a second time",
        contract: "insurance",
        file: SEALED,
        check: "|paid| Err(Closed::PaidBefore { read: paid.read })",
        becomes: "|_| Ok((read.0, identity))",
    },
];

/// Plays every mutant.
pub(crate) fn run() -> Result<Count> {
    let contracts = prepare::contracts()?;
    let tree = copy_of_the_clone()?;
    let mut count = Count::default();
    for mutant in MUTANTS {
        say(&format!("mutant: {} without the check behind \"{}\"", mutant.contract, mutant.noticed));
        match play(mutant, &tree, &contracts) {
            Ok(()) => count.passed += 1,
            Err(error) => {
                eprintln!("error: {}: {error:#}", mutant.noticed);
                count.failed += 1;
            }
        }
    }
    Ok(count)
}

fn play(mutant: &Mutant, tree: &Path, contracts: &Path) -> Result<()> {
    let file = tree.join("contracts").join(mutant.file);
    let text = fs::read_to_string(root().join("contracts").join(mutant.file))?;
    ensure!(text.matches(mutant.check).count() == 1, "the check does not stand once in {}", mutant.file);
    fs::write(&file, text.replace(mutant.check, mutant.becomes))?;
    let built = build(mutant.contract, tree);
    fs::write(&file, text)?;

    let folder = target().join("mutants/contracts");
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(contracts)? {
        let path = entry?.path();
        fs::copy(&path, folder.join(path.file_name().context("a contract without a name")?))?;
    }
    fs::copy(built?, folder.join(mutant.contract).with_extension("wasm"))?;

    let mut command = demo::journey(&folder)?;
    let output = command.arg("--json").stderr(Stdio::null()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout).context("the journey did not report")?;
    let noticed = |list: &str| {
        let rows = report[list].as_array().into_iter().flatten();
        rows.filter(|row| row["ok"] == false)
            .filter_map(|row| row["name"].as_str().map(String::from))
            .collect::<Vec<_>>()
    };
    let (steps, refusals) = (noticed("steps"), noticed("refusals"));
    if output.status.success() || !steps.iter().chain(&refusals).any(|name| name == mutant.noticed) {
        bail!("the journey did not notice; it complained of {steps:?} and {refusals:?}");
    }
    Ok(())
}

/// Builds one contract of the copy and returns its wasm.
fn build(contract: &str, tree: &Path) -> Result<PathBuf> {
    let folder = target().join("mutants/target");
    let package = format!("aceso-{contract}");
    let wasm = "wasm32-unknown-unknown";
    let mut command = cargo(&["build", "--quiet", "--profile", "contract", "--target", wasm, "--lib", "-p", &package]);
    command.current_dir(tree).env("CARGO_TARGET_DIR", &folder);
    quiet(command)?;
    Ok(folder.join(wasm).join("contract").join(format!("aceso_{contract}.wasm")))
}

/// The clone's own files, in a folder where they may be changed.
fn copy_of_the_clone() -> Result<PathBuf> {
    let tree = target().join("mutants/tree");
    let mut list = crate::shell::program("git", &["ls-files", "-z"]);
    list.current_dir(root());
    for name in quiet(list)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root().join(name), tree.join(name));
        if !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().context("a file without a folder")?)?;
        // An unchanged file keeps its time, so that cargo builds only what is new.
        let bytes = fs::read(&from)?;
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::write(&to, bytes)?;
        }
    }
    Ok(tree)
}
