//! The command line: one file per group of verbs.
//!
//! A verb prints what people want to read, or with `--json` one JSON object, on standard output; everything else goes
//! to standard error. An error is one line that says what to do; the exit code is then 1, or 2 where the command line
//! itself is wrong.

pub(crate) mod blob;
pub(crate) mod dev;
pub(crate) mod die;
pub(crate) mod genesis;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod localnet;
pub(crate) mod model;
pub(crate) mod operate;
pub(crate) mod operator;
pub(crate) mod passphrase;
pub(crate) mod remote;
pub(crate) mod snapshot;
pub(crate) mod start;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::{Value, json};

use crate::{
    Build,
    home::Home,
    trace::LogArgs,
    worker::{self, process},
};

#[derive(Parser)]
#[command(
    name = "aceso",
    version,
    about = "Aceso: a chain on which a medical AI read is a smart-contract call",
    after_help = "Examples:\n  aceso dev                              a chain of your own, with an account that owns coins\n  \
    aceso dev --rpc 127.0.0.1:0 --json     the same on a free port, for scripts\n  \
    aceso keys add alice                   a new account\n  \
    aceso blob stat scan.dcm               the name that a file will have\n  \
    aceso localnet --validators 4          a network on this machine, under CometBFT\n  \
    aceso start --abci tcp://127.0.0.1:26658   the application for a CometBFT node\n  \
    aceso status                           how the node is, running or not"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// The same, as other chains' programs say it.
    #[arg(long, short = 'o', global = true, value_enum, value_name = "FORM", hide_possible_values = true)]
    output: Option<Form>,
    #[command(flatten)]
    log: LogArgs,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Json,
    Text,
}

#[derive(Subcommand)]
enum Verb {
    /// Run an embedded chain with one validator.
    Dev(dev::Args),
    /// Write keys and genesis of a chain without running it.
    Init(init::Args),
    /// Put together how a chain begins: accounts, codes, contracts, validators, parameters.
    Genesis(genesis::Args),
    /// Serve the application to a CometBFT node.
    Start(start::Args),
    /// Run a network of CometBFT validators on this machine.
    Localnet(localnet::Args),
    /// Say how a node is, running or not.
    Status(operate::status::Args),
    /// Undo the latest heights of a stopped node.
    Rollback(operate::rollback::Args),
    /// Drop old heights of a stopped node.
    Prune(operate::prune::Args),
    /// Give space that nothing needs back to the disk.
    Compact(operate::compact::Args),
    /// Write the state of a stopped node as a genesis file.
    Export(operate::export::Args),
    /// Show, take and check the snapshots that other nodes join from.
    Snapshot(snapshot::Args),
    /// Keep accounts in plain files.
    Keys(keys::Args),
    /// Check models, and register them.
    Model(model::Args),
    /// Files as blobs: names, uploads, downloads.
    Blob(blob::Args),
    /// Register images.
    Image(remote::image::Image),
    /// Seal records, grant their keys, and see who was granted them.
    Sealed(remote::sealed::Sealed),
    /// Pay the fees of others' accounts.
    Sponsor(remote::sponsor::Sponsor),
    /// Let others act for you within limits, and act for others.
    Authz(remote::authz::Authz),
    /// Plans that pay for reads; claims for sealed ones, and what is owed.
    Insurance(remote::insurance::Insurance),
    /// Deal your keys to guardians, and bring them back.
    Guardians(remote::patient::guardians::Guardians),
    /// Send a transaction and wait until it is in a block.
    Tx(remote::tx::Tx),
    /// Say what the chain's authority says: validators, parameters, upgrades.
    Authority(remote::authority::Authority),
    /// Register and rotate a validator's attestation key.
    Attester(remote::attester::Attester),
    /// Show and register the keys with which committee work is opened.
    Opener(remote::opener::Opener),
    /// Compute sealed reads for a node of the same operator.
    Worker(process::Args),
    /// Ask a node.
    #[command(visible_alias = "q")]
    Query(remote::query::Query),
    /// Ask for reads; fetch and check receipts.
    Read(remote::read::Read),
    /// Print what a shell needs to complete these verbs and options.
    #[command(
        after_help = "Examples:\n  aceso completions bash > ~/.local/share/bash-completion/completions/aceso\n  \
        aceso completions zsh > ~/.zfunc/_aceso\n  aceso completions fish > ~/.config/fish/completions/aceso.fish"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Where the node keeps its files.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct HomeArg {
    /// Directory of chain, keys and configuration [default: ~/.aceso].
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
}

impl HomeArg {
    /// A home that another option names.
    pub(crate) fn of(home: Option<PathBuf>) -> Self {
        Self { home }
    }

    /// The home.
    pub(crate) fn home(&self) -> anyhow::Result<Home> {
        match (&self.home, std::env::var_os("HOME")) {
            (Some(path), _) => Ok(Home::at(path)),
            (None, Some(user)) => Ok(Home::at(PathBuf::from(user).join(".aceso"))),
            (None, None) => anyhow::bail!("the environment has no HOME; say where with --home DIR"),
        }
    }
}

/// Where a verb's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Prints an answer: the object for scripts, the text for people.
    pub(crate) fn print(self, object: &Value, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        Self::document(&if self.json { object.to_string() } else { text() })
    }

    /// Prints a document whose form is its own, for scripts and people alike.
    pub(crate) fn document(text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }
}

/// Reads the command line, does what it says, and returns the exit code.
pub(crate) fn run(build: Build) -> ExitCode {
    worker::give_memory_back();
    let cli = Cli::parse();
    let output = Output { json: cli.json || cli.output == Some(Form::Json) };
    match cli.verb.run(build, output, &cli.log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = one_line(&error);
            if output.json {
                // When standard output is gone there is nobody left to tell.
                let _ = output.print(&json!({"ok": false, "error": line}), String::new);
            }
            eprintln!("error: {line}");
            ExitCode::FAILURE
        }
    }
}

impl Verb {
    fn run(self, build: Build, output: Output, log: &LogArgs) -> anyhow::Result<()> {
        // Nodes begin to log when they know from their configuration who else listens.
        if !matches!(self, Self::Dev(_) | Self::Start(_)) {
            log.start()?;
        }
        match self {
            Self::Dev(args) => dev::run(args, build, output, log),
            Self::Init(args) => init::run(&args, output),
            Self::Genesis(args) => genesis::run(args, output),
            Self::Start(args) => start::run(args, build, output, log),
            Self::Localnet(args) => localnet::run(&args, output),
            Self::Status(args) => operate::status::run(&args, output),
            Self::Rollback(args) => operate::rollback::run(&args, output),
            Self::Prune(args) => operate::prune::run(&args, output),
            Self::Compact(args) => operate::compact::run(&args, output),
            Self::Export(args) => operate::export::run(&args, output),
            Self::Snapshot(args) => snapshot::run(&args, build, output),
            Self::Keys(args) => keys::run(args, output),
            Self::Model(args) => model::run(args, output),
            Self::Blob(args) => blob::run(args, output),
            Self::Image(args) => args.run(output),
            Self::Sealed(args) => args.run(output),
            Self::Sponsor(args) => args.run(output),
            Self::Authz(args) => args.run(output),
            Self::Insurance(args) => args.run(output),
            Self::Guardians(args) => args.run(output),
            Self::Tx(args) => args.run(output),
            Self::Authority(args) => args.run(output),
            Self::Attester(args) => args.run(output),
            Self::Opener(args) => args.run(output),
            Self::Worker(args) => process::run(&args, output),
            Self::Query(args) => args.run(output),
            Self::Read(args) => args.run(output),
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "aceso", &mut std::io::stdout().lock());
                Ok(())
            }
        }
    }
}

/// An error and what caused it, without repeating a cause that the error already quotes.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for part in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = part;
        } else if !line.contains(&part) {
            line = format!("{line}: {part}");
        }
    }
    line.replace('\n', " ")
}
