//! `aceso rollback`: the state as it was some heights ago.

use anyhow::{Result, bail};
use serde_json::json;

use super::Stopped;
use crate::cli::{HomeArg, Output};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso rollback --home node
  aceso rollback --home node --heights 3 --keep-blocks

The node must be stopped. The heights that can be undone are those that are kept (keep_heights), back to a height that
was restored by state sync.

Of an embedded chain the blocks go too, and with them their transactions; with --keep-blocks they are executed again at
the next start, as after a loss of power.

Under CometBFT the blocks are the engine's. It hands the heights that the state lacks over again when it is started, and
compares the app hash of each. If it has recorded a wrong app hash (its log says \"wrong Block.Header.AppHash\"), it must
go back by one height as well: `cometbft rollback --home HOME` beside `aceso rollback --home HOME`, in any order, both
processes stopped. Then put what was wrong right (the binary, the machine), and start both.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// How many heights to undo.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    heights: u64,
    /// Keep the blocks of an embedded chain, to be executed again.
    #[arg(long)]
    keep_blocks: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let stopped = Stopped::open(&args.home)?;
    let before = stopped.state.latest().0;
    if let Some(blocks) = &stopped.blocks {
        let (earliest, target) = (blocks.earliest()?, before.saturating_sub(args.heights));
        if target < earliest {
            bail!("the blocks of this chain begin at {earliest}, so it cannot go back to height {target}");
        }
    }
    let height = stopped.state.roll_back(args.heights)?;
    // The state first: should this end here, the blocks that are left are executed again.
    let decided = match &stopped.blocks {
        Some(blocks) if !args.keep_blocks => {
            let mut decided = blocks.decided()?;
            while decided > height {
                decided = blocks.drop_latest()?;
            }
            Some(decided)
        }
        Some(blocks) => Some(blocks.decided()?),
        None => None,
    };
    let app_hash = hex::encode_upper(stopped.state.latest().1.as_bytes());
    let object = json!({
        "ok": true,
        "from": before.to_string(),
        "height": height.to_string(),
        "app_hash": app_hash,
        "blocks": decided.map(|decided| decided.to_string()),
    });
    output.print(&object, || {
        let next = match decided {
            None => {
                "start `aceso start` and CometBFT: it hands the blocks over again, which gives the same app hashes.\n\
                 If CometBFT has recorded a wrong app hash, run `cometbft rollback` over its home first"
                    .into()
            }
            Some(decided) if decided > height => {
                format!("the blocks up to {decided} are executed again at the next start")
            }
            Some(_) => "the blocks behind it are gone too".to_owned(),
        };
        format!("the state went back from height {before} to {height}, app hash {app_hash}\n{next}")
    })
}
