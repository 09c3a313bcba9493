//! `aceso init`: keys and genesis of a chain, in the files that CometBFT reads.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};

use super::{HomeArg, Output, remote};
use crate::home::genesis::Beginning;

/// How a chain begins.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Chain {
    /// Name of the chain [default: aceso-dev].
    #[arg(long, value_name = "ID")]
    chain_id: Option<String>,
    /// What addresses begin with [default: aceso].
    #[arg(long, value_name = "P")]
    prefix: Option<String>,
    /// The smallest coin [default: uaceso].
    #[arg(long, value_name = "D")]
    denom: Option<String>,
    /// Who owns what from the start, such as alice.mnemonic=1000000uaceso; WHO is an address or a file of 24 words.
    /// Without it an account `dev` is made that owns 10^12 of the smallest coin.
    #[arg(long, value_name = "WHO=COINS")]
    fund: Vec<String>,
    /// Who may change parameters and validators: an address or a file of 24 words [default: nobody].
    #[arg(long, value_name = "WHO")]
    authority: Option<String>,
    /// A contract that may: its wasm, such as governance.wasm. It is there from the first block on.
    #[arg(long, value_name = "FILE", conflicts_with = "authority", requires = "authority_msg")]
    authority_wasm: Option<PathBuf>,
    /// What that contract is made with: JSON, or @FILE.
    #[arg(long, value_name = "JSON", requires = "authority_wasm")]
    authority_msg: Option<String>,
    /// Who may register other attestation keys of the validator: an address or a file of 24 words [default: nobody].
    #[arg(long, value_name = "WHO")]
    operator: Option<String>,
}

impl Chain {
    /// Reads what the options name.
    pub(crate) fn beginning(&self) -> anyhow::Result<Beginning> {
        let authority_contract = match (&self.authority_wasm, &self.authority_msg) {
            (Some(wasm), Some(msg)) => Some((remote::file(wasm)?, remote::typed(msg)?)),
            _ => None,
        };
        Ok(Beginning {
            chain_id: self.chain_id.clone(),
            prefix: self.prefix.clone(),
            denom: self.denom.clone(),
            funds: self.fund.clone(),
            authority: self.authority.clone(),
            authority_contract,
            operator: self.operator.clone(),
            own_operators: false,
        })
    }
}

/// What a genesis file says already.
const CHAIN_OPTIONS: [&str; 8] =
    ["chain_id", "prefix", "denom", "fund", "authority", "authority_wasm", "authority_msg", "operator"];

/// Options of the verb.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  aceso init --home node --chain-id clinic-1 --fund alice.mnemonic=1000000uaceso\n  \
    aceso init --home node --block-time 20\n  \
    aceso init --home node --genesis exported.json                 go on with the state of another chain\n  \
    aceso init --home try --genesis exported.json --own-validator  the same with this home's validator alone\n  \
    cometbft node --home node --proxy_app tcp://127.0.0.1:26658   (beside `aceso start --home node`)"
)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    chain: Chain,
    /// A genesis file to begin with, such as `aceso export` writes or other nodes have.
    #[arg(long, value_name = "FILE", conflicts_with_all = CHAIN_OPTIONS)]
    genesis: Option<PathBuf>,
    /// Make this home's validator the only one of that chain, with all power: to try out what another chain's state does.
    #[arg(long, requires = "genesis")]
    own_validator: bool,
    /// Least milliseconds between two blocks, written into a config.toml that CometBFT then uses; for chains on one
    /// machine [default: none is written, and CometBFT's own says 1000].
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    block_time: Option<u64>,
}

/// The proof specification that genesis publishes.
pub(crate) fn proof_spec() -> anyhow::Result<Value> {
    serde_json::from_str(&aceso_state::proof_spec_json()).context("the proof specification is not JSON")
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> anyhow::Result<()> {
    let home = args.home.home()?;
    let _lock = home.lock()?;
    let document = match &args.genesis {
        Some(file) => home.adopt(file, args.own_validator)?,
        None => home.begin(&args.chain.beginning()?, proof_spec()?)?,
    };
    let genesis = home.genesis_file();
    let cometbft = args.block_time.map(|block_time| home.set_block_time(block_time)).transpose()?;
    let object = json!({
        "ok": true,
        "home": home.path(),
        "genesis": genesis,
        "cometbft": cometbft,
        "chain_id": document.origin.chain_id,
        "authority": document.app.authority,
        "validators": crate::home::genesis::trusted(&document.origin.validators),
    });
    output.print(&object, || format!("chain {} begins in {}", document.origin.chain_id, genesis.display()))
}
