//! `aceso compact`: give space that nothing needs back to the disk.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Stopped;
use crate::{
    cli::{HomeArg, Output, dev},
    home::folders::{bytes_of, shown},
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso compact --home node
  aceso prune --home node --keep 1000 && aceso compact --home node

The node must be stopped. State, blobs and the blocks of an embedded chain are written anew without what was removed or
replaced. It may be interrupted at any moment: nothing is lost. While it runs it needs room for a second copy of the
state.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
}

/// Bytes of one part, before and after.
struct Part {
    name: &'static str,
    before: u64,
    after: u64,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let stopped = Stopped::open(&args.home)?;
    let Stopped { home, state, blocks, _lock } = stopped;
    let mut parts = Vec::new();

    parts.push(measured("state", home.state_dir(), || Ok(state.compact()?))?);
    parts.push(measured("blobs", home.blobs_dir(), || {
        let blobs = dev::blobs(&home)?;
        let damaged = blobs.compact()?.damaged;
        if !damaged.is_empty() {
            let names: Vec<String> = damaged.iter().map(ToString::to_string).collect();
            eprintln!(
                "note: these blocks of blobs are damaged and stay until they are put again: {}",
                names.join(", ")
            );
        }
        Ok(())
    })?);
    if let Some(mut blocks) = blocks {
        parts.push(measured("blocks.redb", home.blocks_file(), || Ok(blocks.compact()?))?);
    }

    let total = |of: fn(&Part) -> u64| parts.iter().map(of).sum::<u64>();
    let (before, after) = (total(|part| part.before), total(|part| part.after));
    let object: Vec<Value> =
        parts.iter().map(|part| json!({"name": part.name, "before": part.before, "after": part.after})).collect();
    output.print(&json!({"ok": true, "before": before, "after": after, "parts": object}), || {
        let line = |name: &str, before, after| format!("{name:<12} {:>12}  →  {:>12}", shown(before), shown(after));
        let mut lines: Vec<String> = parts.iter().map(|part| line(part.name, part.before, part.after)).collect();
        lines.push(line("together", before, after));
        lines.join("\n")
    })
}

fn measured(name: &'static str, path: PathBuf, compact: impl FnOnce() -> Result<()>) -> Result<Part> {
    let bytes = || bytes_of(&path).with_context(|| format!("cannot look at {}", path.display()));
    let before = bytes()?;
    compact()?;
    Ok(Part { name, before, after: bytes()? })
}
