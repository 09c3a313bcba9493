//! `aceso blob`: files as blobs.

use std::{fs::File, io::BufReader, path::PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{Output, remote};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  aceso blob stat scan.dcm --json\n  aceso blob put scan.dcm")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the name and size that a file has as a blob, without storing it anywhere.
    Stat {
        /// The file.
        file: PathBuf,
    },
    /// Upload a file to a node; with a key also register it.
    Put(remote::blob::Put),
    /// Download a blob from a node.
    Get(remote::blob::Get),
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Put(args) => args.run(output),
        Verb::Get(args) => args.run(output),
        Verb::Stat { file } => {
            let opened = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let put = aceso_blobs::import(BufReader::new(opened), u64::MAX, |_, _| Ok(()))?;
            let object = json!({
                "ok": true,
                "cid": put.id.to_string(),
                "size": put.size.to_string(),
                "blocks": put.blocks.to_string(),
            });
            output.print(&object, || format!("{}  {} bytes in {} blocks", put.id, put.size, put.blocks))
        }
    }
}
