//! `aceso prune`: forget old heights.

use anyhow::Result;
use serde_json::json;

use super::Stopped;
use crate::{
    cli::{HomeArg, Output},
    home::config::Config,
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso prune --home node --keep 1000
  aceso prune --home node            (as many as keep_heights says)

The node must be stopped. Heights before the kept ones can no longer be asked, proven or gone back to, and their
snapshots are not offered any more; of an embedded chain their blocks go too. A node that should go on with fewer
heights needs keep_heights in its aceso.toml. The disk gets the room back with `aceso compact`. CometBFT prunes its own
blocks.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// Heights before the latest one to keep [default: keep_heights in aceso.toml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: Option<u64>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let stopped = Stopped::open(&args.home)?;
    let keep = match args.keep {
        Some(keep) => keep,
        None => Config::load_or_create(&stopped.home)?.keep_heights.max(1),
    };
    let before = stopped.state.oldest();
    let oldest = stopped.state.prune(keep)?;
    let latest = stopped.state.latest().0;
    let blocks = match &stopped.blocks {
        Some(blocks) => Some((blocks.earliest()?, blocks.drop_below(latest.saturating_sub(keep).max(1))?)),
        None => None,
    };
    let object = json!({
        "ok": true,
        "height": latest.to_string(),
        "oldest": oldest.to_string(),
        "oldest_before": before.to_string(),
        "first_block": blocks.map(|(_, first)| first.to_string()),
        "first_block_before": blocks.map(|(first, _)| first.to_string()),
    });
    output.print(&object, || {
        let blocks = blocks.map(|(before, first)| format!("\nblocks from {first} on (before: from {before} on)"));
        format!("heights {oldest} to {latest} are kept (before: from {before} on){}", blocks.unwrap_or_default())
    })
}
