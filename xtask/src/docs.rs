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
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn blocks_are_joined_and_others_left_out() {
        let page = "text\n```sh\none\n```\n```rust\nno\n```\n```sh\ntwo\n```\n";
        assert_eq!(script(page), "one\ntwo\n");
    }

    /// Names in code spans that are written as tests here are: words joined by underscores, three or more.
    fn tests_named(page: &str) -> impl Iterator<Item = &str> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let spans = page.split('`').skip(1).step_by(2);
        spans.filter(move |span| span.bytes().all(word) && span.matches('_').count() >= 2)
    }

    /// Every function of the sources below a folder.
    fn functions(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
                functions(&path, found);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once(['(', '<']));
                found.extend(names.map(|(name, _)| name.to_owned()));
            }
        }
    }

    /// Programs of a page that say which file they stand in, by their first line: the file and the rest.
    fn programs(page: &str) -> impl Iterator<Item = (&str, &str)> {
        let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
        blocks.filter_map(|(_, text)| text.strip_prefix("// tests/")?.split_once('\n'))
    }

    /// The suites `cosmjs` and `clients` run these files.
    #[test]
    fn programs_of_a_page_stand_in_the_files_that_they_name() {
        let mut named = 0;
        for page in fs::read_dir(root().join("docs")).unwrap() {
            let page = fs::read_to_string(page.unwrap().path()).unwrap();
            for (path, text) in programs(&page) {
                let file = fs::read_to_string(root().join("tests").join(path)).unwrap();
                assert!(file.contains(text), "tests/{path} is another");
                named += 1;
            }
        }
        assert!(named >= 4, "{named} programs are named");
        assert_eq!(
            programs("```js\n// tests/a.mjs\none\n```\n```js\ntwo\n```\n").collect::<Vec<_>>(),
            [("a.mjs", "one\n")]
        );
    }

    #[test]
    fn every_test_that_a_page_names_is_there() {
        let mut known = BTreeSet::new();
        for folder in ["chain", "contracts", "inference-host", "sdk", "tests", "xtask"] {
            functions(&root().join(folder), &mut known);
        }
        let mut named = 0;
        for page in ["security.md", "compliance.md"] {
            let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
            for test in tests_named(&text) {
                assert!(known.contains(test), "docs/{page} names {test}, and there is no such test");
                named += 1;
            }
        }
        assert!(named > 60, "{named} tests are named");
        assert_eq!(tests_named("`a_b` `a_b_c` `A_b_c` a_b_d").collect::<Vec<_>>(), ["a_b_c"]);
    }
}
