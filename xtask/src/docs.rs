//! Do the commands of the documentation work? Every `sh` block of a page, in its order, is one script.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    prepare,
    shell::{own_network, quiet, root, say},
    test::Count,
    tools,
};

/// Runs every page of `docs/`.
pub(crate) fn suite() -> Result<Count> {
    // The pages' commands reach no registry: whatever they would fetch is here before.
    tools::iproute()?;
    tools::cometbft()?;
    prepare::contracts()?;
    prepare::page()?;
    let binaries = prepare::binaries()?;
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", binaries.display());
    let mut pages: Vec<_> = fs::read_dir(root().join("docs"))?.collect::<Result<Vec<_>, _>>()?;
    pages.sort_by_key(fs::DirEntry::file_name);
    let mut count = Count::default();
    for page in pages {
        let name = page.file_name().to_string_lossy().into_owned();
        let script = script(&fs::read_to_string(page.path()).with_context(|| format!("cannot read {name}"))?);
        if script.is_empty() {
            continue;
        }
        say(&format!("docs/{name}"));
        // Whatever a page leaves running ends with it.
        let guard = "trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n";
        let mut bash = own_network("exec timeout 300 bash -euo pipefail -c \"$0\"")?;
        bash.arg(format!("{guard}{script}")).env("PATH", &path);
        match quiet(bash) {
            Ok(_) => count.passed += 1,
            Err(error) => {
                eprintln!("error: docs/{name}: {error:#}");
                count.failed += 1;
            }
        }
    }
    Ok(count)
}

/// The `sh` blocks of a page, one after the other.
fn script(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split_once("```")).map(|(commands, _)| commands).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_joined_and_others_left_out() {
        let page = "text\n```sh\none\n```\n```rust\nno\n```\n```sh\ntwo\n```\n";
        assert_eq!(script(page), "one\ntwo\n");
    }
}
