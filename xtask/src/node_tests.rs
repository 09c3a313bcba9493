//! Suites that run in Node.js: stock clients, and the page in a browser.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{
    prepare,
    shell::{output, program, quiet, root},
    test::Count,
    tools,
};

/// CosmJS against `aceso dev`.
pub(crate) fn cosmjs() -> Result<Count> {
    let (contracts, binaries) = (prepare::contracts()?, prepare::binaries()?);
    run("tests/clients/cosmjs", &contracts, &binaries, &[])
}

/// Installs a package's dependencies as locked and runs its tests.
fn run(folder: &str, contracts: &Path, binaries: &Path, environment: &[(&str, &Path)]) -> Result<Count> {
    tools::node()?;
    let folder = root().join(folder);
    let mut install = program("npm", &["ci", "--no-audit", "--no-fund", "--silent"]);
    install.current_dir(&folder);
    quiet(install)?;
    let mut test = program("npm", &["test", "--silent"]);
    test.current_dir(&folder).env("ACESO_NODE", binaries.join("aceso")).env("ACESO_CONTRACTS", contracts);
    test.envs(environment.iter().copied());
    let answer = output(test).context("cannot start npm")?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let count = count(&text);
    if !answer.status.success() {
        println!("{text}{}", String::from_utf8_lossy(&answer.stderr));
        if count.failed == 0 {
            bail!("npm test ended with {}", answer.status);
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
