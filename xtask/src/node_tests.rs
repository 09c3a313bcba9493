//! Suites that run in Node.js: stock clients, and the page in a browser.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{
    engines, prepare,
    shell::{output, program, root},
    test::Count,
    tools,
};

/// CosmJS against `aceso dev`: as it comes, and with our messages.
pub(crate) fn cosmjs() -> Result<Count> {
    tools::node()?;
    prepare::package()?;
    let (contracts, node) = (prepare::contracts()?, prepare::binaries()?.join("aceso"));
    prepare::install("tests/clients/cosmjs")?;
    let wasmd = engines::wasmd()?;
    run(
        &root().join("tests/clients/cosmjs"),
        "test",
        &[("ACESO_NODE", &node), ("ACESO_CONTRACTS", &contracts), ("ACESO_WASMD", &wasmd)],
    )
}

/// The unit tests of our own package.
pub(crate) fn js() -> Result<Count> {
    tools::node()?;
    let verifier = prepare::verifier()?;
    prepare::install("sdk")?;
    run(&root().join("sdk/js"), "test", &[("ACESO_VERIFY_WASM", &verifier)])
}

/// The page, by clicks and keys in Chromium.
pub(crate) fn browser() -> Result<Count> {
    tools::chromium()?;
    let page = prepare::page()?;
    let (contracts, node) = (prepare::contracts()?, prepare::binaries()?.join("aceso"));
    prepare::install("tests/clients/browser")?;
    run(
        &root().join("tests/clients/browser"),
        "test",
        &[("ACESO_NODE", &node), ("ACESO_CONTRACTS", &contracts), ("ACESO_PAGE", &page)],
    )
}

/// Runs a script of a package that prints TAP, such as its tests.
pub(crate) fn run(folder: &Path, script: &str, environment: &[(&str, &Path)]) -> Result<Count> {
    let mut test = program("npm", &["run", "--silent", script]);
    test.current_dir(folder).envs(environment.iter().copied());
    let answer = output(test).context("cannot start npm")?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let count = count(&text);
    if !answer.status.success() {
        println!("{text}{}", String::from_utf8_lossy(&answer.stderr));
        if count.failed == 0 {
            bail!("npm run {script} ended with {}", answer.status);
        }
    }
    Ok(count)
}

/// The closing lines of Node's TAP reporter: `# pass 3`.
fn count(text: &str) -> Count {
    let number = |what: &str| {
        let mut lines = text.lines().rev().filter_map(|line| line.strip_prefix(what));
        lines.next().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Count { passed: number("# pass "), failed: number("# fail "), skipped: number("# skipped ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_understood() {
        let count = count("ok 1 - a\n# tests 5\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 1\n");
        assert_eq!((count.passed, count.failed, count.skipped), (3, 1, 1));
    }
}
