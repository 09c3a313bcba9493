//! `aceso genesis …`: how a chain begins, put together step by step in a home's genesis file.

use std::path::PathBuf;

use aceso_types::{
    access::{Access, Permission},
    genesis::{GenesisCode, GenesisContract},
    metadata::DenomMetadata,
    vesting::Period,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{HomeArg, Output, init, operate, remote};
use crate::home::{
    Home,
    draft::{Draft, Schedule, read_statement, statement},
    genesis::{Document, POWER, parse_coins},
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso genesis init --home node --chain-id clinic-1 --fund alice.mnemonic=1000000uaceso
  aceso genesis add-account aceso1… 5000000uaceso --vesting-amount 4000000uaceso --vesting-end-time 1830000000
  aceso genesis add-code consent.wasm --permission nobody --pin
  aceso genesis add-contract consent '{}' --code-id 1 --admin self
  aceso genesis add-metadata @stake.json
  aceso genesis show-validator --home other > other.json
  aceso genesis add-validator other.json
  aceso genesis set-params '{\"memo_bytes_max\": 512}'
  aceso genesis validate

Every verb but init, export and validate changes config/genesis.json of a home whose chain has not begun. When the file
is as it should be, all nodes take it over byte for byte: aceso init --genesis FILE.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write keys and genesis of a chain; the same as `aceso init`.
    Init(init::Args),
    /// Give an account coins, some of which may become its own to spend only over time.
    AddAccount(Account),
    /// Preload a code. Codes have the ids 1, 2 and so on.
    AddCode(Code),
    /// Preload a contract. Its address is printed, and may be the authority or own coins.
    AddContract(Contract),
    /// Say what a coin is called.
    AddMetadata {
        /// JSON as the Cosmos SDK's `denom_metadata` has it, or @FILE.
        metadata: String,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Print what others need to take this home's validator into their genesis. Keys that are missing are made.
    ShowValidator {
        /// What it is called.
        #[arg(long, default_value = "", value_name = "NAME")]
        name: String,
        /// The power that it should have.
        #[arg(long, default_value_t = POWER, value_name = "N")]
        power: u64,
        /// Who may register other attestation keys of it: an address [default: nobody].
        #[arg(long, default_value = "", value_name = "ADDRESS")]
        operator: String,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Take a validator in that another home has shown.
    AddValidator {
        /// What `aceso genesis show-validator` has printed there; - is standard input.
        file: PathBuf,
        /// Another power than it asks for.
        #[arg(long, value_name = "N")]
        power: Option<u64>,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Change parameters.
    SetParams {
        /// The names and new values in JSON, or @FILE; what is not named stays.
        params: String,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Say who may change parameters and validators later.
    SetAuthority {
        /// An address, such as a preloaded contract's, or a file of 24 words; `nobody` for nobody.
        who: String,
        #[command(flatten)]
        home: HomeArg,
    },
    /// Write the state of a stopped node as a genesis file; the same as `aceso export`.
    Export(operate::export::Args),
    /// Begin the chain of a genesis file in a folder that is thrown away, and say what came of it.
    Validate {
        /// The file [default: the home's].
        file: Option<PathBuf>,
        #[command(flatten)]
        home: HomeArg,
    },
}

#[derive(clap::Args)]
struct Account {
    /// An address, or a file of 24 words.
    who: String,
    /// What it owns, such as 1000uaceso,5ustake.
    coins: String,
    /// Add the coins to what it has already.
    #[arg(long)]
    append: bool,
    /// How much of it cannot be spent at once.
    #[arg(long, value_name = "COINS")]
    vesting_amount: Option<String>,
    /// When it begins to become the account's own, in seconds since the Unix epoch.
    #[arg(long, value_name = "T", requires = "vesting_amount")]
    vesting_start_time: Option<i64>,
    /// When all of it has; without a start all of it at that moment.
    #[arg(long, value_name = "T", requires = "vesting_amount")]
    vesting_end_time: Option<i64>,
    /// In parts, each at the end of a period: JSON such as [{\"length\": \"3600\", \"amount\": [{\"denom\": \"uaceso\",
    /// \"amount\": \"5\"}]}], or @FILE.
    #[arg(long, value_name = "JSON", requires = "vesting_start_time", conflicts_with = "vesting_end_time")]
    vesting_periods: Option<String>,
    /// Never.
    #[arg(
        long,
        requires = "vesting_amount",
        conflicts_with_all = ["vesting_start_time", "vesting_end_time", "vesting_periods"]
    )]
    vesting_locked: bool,
    #[command(flatten)]
    home: HomeArg,
}

#[derive(clap::Args)]
struct Code {
    /// The wasm file, packed with gzip or not.
    wasm: PathBuf,
    /// Who may make contracts of it: everybody, nobody, or addresses with commas [default: as the parameters say].
    #[arg(long, value_name = "WHO")]
    permission: Option<String>,
    /// Keep it ready: calls of it cost less.
    #[arg(long)]
    pin: bool,
    #[command(flatten)]
    home: HomeArg,
}

#[derive(clap::Args)]
struct Contract {
    /// A name for people.
    label: String,
    /// What it is made with: JSON, or @FILE.
    msg: String,
    /// The id of a preloaded code.
    #[arg(long, value_name = "N", conflicts_with = "code")]
    code_id: Option<u64>,
    /// A wasm file that is this contract's own, packed with gzip or not.
    #[arg(long, value_name = "FILE", required_unless_present = "code_id")]
    code: Option<PathBuf>,
    /// Who may put it on other code: an address, `self` for the contract itself [default: nobody].
    #[arg(long, default_value = "", value_name = "WHO")]
    admin: String,
    /// What its address is made of beside its code, 1 to 64 bytes [default: its label].
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,
    #[command(flatten)]
    home: HomeArg,
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> Result<()> {
    match args.verb {
        Verb::Init(args) => init::run(&args, output),
        Verb::Export(args) => operate::export::run(&args, output),
        Verb::AddAccount(args) => add_account(&args, output),
        Verb::AddCode(args) => add_code(&args, output),
        Verb::AddContract(args) => add_contract(args, output),
        Verb::AddMetadata { metadata, home } => {
            let known: DenomMetadata =
                serde_json::from_value(remote::typed(&metadata)?).context("this is no metadata of a coin")?;
            let base = known.base.clone();
            change(&home, output, |draft, _| {
                draft.app.denom_metadata.push(known);
                Ok((json!({"denom": base}), format!("{base} has a name")))
            })
        }
        Verb::ShowValidator { name, power, operator, home } => {
            let home = home.home()?;
            let _lock = home.lock()?;
            let statement = statement(&home.founder(name, false)?.attests(&operator), power)?;
            output.print(&statement, || statement.to_string())
        }
        Verb::AddValidator { file, power, home } => {
            let text = remote::file(&file)?;
            let value = serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))?;
            let (attester, asked) = read_statement(&file, value)?;
            let power = power.unwrap_or(asked);
            change(&home, output, |draft, _| {
                let name = attester.name.clone();
                draft.add_validator(attester, power)?;
                Ok((json!({"name": name, "power": power}), format!("{name} begins with power {power}")))
            })
        }
        Verb::SetParams { params, home } => {
            let params = remote::typed(&params)?;
            change(&home, output, |draft, _| {
                draft.set_params(params)?;
                Ok((json!({"params": draft.app.params}), "the parameters are changed".into()))
            })
        }
        Verb::SetAuthority { who, home } => change(&home, output, |draft, home| {
            draft.app.authority = match who.as_str() {
                "nobody" => String::new(),
                who => home.who(who, "authority", &draft.app.prefix)?,
            };
            let authority = &draft.app.authority;
            Ok((json!({"authority": authority}), format!("the authority is {who}")))
        }),
        Verb::Validate { file, home } => validate(file, &home, output),
    }
}

/// Changes a home's genesis file, and says what came of it: fields for scripts, a line for people.
fn change(
    home: &HomeArg,
    output: Output,
    change: impl FnOnce(&mut Draft, &Home) -> Result<(Value, String)>,
) -> Result<()> {
    let home = home.home()?;
    let _lock = home.lock()?;
    let mut draft = Draft::open(&home)?;
    let (mut object, line) = change(&mut draft, &home)?;
    draft.save()?;
    object["ok"] = true.into();
    object["genesis"] = json!(home.genesis_file());
    output.print(&object, || line)
}

fn add_account(args: &Account, output: Output) -> Result<()> {
    let coins = |text: &str| parse_coins(text).map_err(|reason| anyhow::anyhow!("{text:?}: {reason}"));
    let held = coins(&args.coins)?;
    let vests = args.vesting_amount.as_deref().map(coins).transpose()?;
    let vests = vests.map(|amount| Ok::<_, anyhow::Error>((amount, schedule(args)?))).transpose()?;
    change(&args.home, output, |draft, home| {
        let address = home.who(&args.who, "account", &draft.app.prefix)?;
        draft.add_coins(&address, &held, args.append)?;
        let vests = match vests {
            Some((amount, schedule)) => {
                draft.vest(&address, amount, schedule)?;
                true
            }
            None => false,
        };
        let line = format!("{address} begins with {}", args.coins);
        Ok((json!({"address": address, "vests": vests}), line))
    })
}

fn schedule(args: &Account) -> Result<Schedule> {
    let periods = |text: &String| -> Result<Vec<Period>> {
        serde_json::from_value(remote::typed(text)?).context("--vesting-periods: a period has a length and an amount")
    };
    Ok(match (args.vesting_start_time, args.vesting_end_time, args.vesting_periods.as_ref().map(periods)) {
        _ if args.vesting_locked => Schedule::Locked,
        (Some(start), None, Some(periods)) => Schedule::Periodic { start, periods: periods? },
        (Some(start), Some(end), _) => Schedule::Continuous { start, end },
        (None, Some(end), _) => Schedule::Delayed(end),
        _ => bail!(
            "say when --vesting-amount becomes the account's own: --vesting-end-time, --vesting-periods with \
             --vesting-start-time, or --vesting-locked"
        ),
    })
}

/// The wasm of a file, packed with gzip or not, as a genesis has it: unpacked, and within the chain's own limit.
fn wasm(path: &PathBuf, draft: &Draft) -> Result<Vec<u8>> {
    let unpacked = aceso_app::unpacked(&remote::file(path)?, draft.app.params.wasm_bytes_max);
    unpacked.map_err(|reason| anyhow!("{}: {reason}", path.display()))
}

fn add_code(args: &Code, output: Output) -> Result<()> {
    let permission = args.permission.as_deref().map(|who| match who {
        "everybody" => Access::plain(Permission::Everybody),
        "nobody" => Access::plain(Permission::Nobody),
        who => Access {
            permission: Permission::AnyOfAddresses,
            addresses: who.split(',').map(|one| one.trim().to_owned()).collect(),
        },
    });
    change(&args.home, output, |draft, home| {
        let code = wasm(&args.wasm, draft)?;
        let addresses = permission.iter().flat_map(|access| &access.addresses);
        for address in addresses {
            home.who(address, "--permission", &draft.app.prefix)?;
        }
        let checksum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&code));
        draft.app.codes.push(GenesisCode { code, instantiate_permission: permission, pinned: args.pin });
        let id = draft.app.codes.len();
        Ok((json!({"code_id": id, "checksum": checksum}), format!("code_id {id}\nchecksum {checksum}")))
    })
}

fn add_contract(args: Contract, output: Output) -> Result<()> {
    let Contract { label, msg, code_id, code, admin, salt, home } = args;
    let msg = remote::typed(&msg)?;
    change(&home, output, |draft, home| {
        let code = code.as_ref().map(|path| wasm(path, draft)).transpose()?;
        let prefix = draft.app.prefix.clone();
        if !admin.is_empty() && admin != "self" {
            home.who(&admin, "--admin", &prefix)?;
        }
        let salt = salt.unwrap_or_else(|| label.clone());
        let stored = code_id.and_then(|id| draft.app.codes.get(usize::try_from(id).ok()?.checked_sub(1)?));
        let bytes = code.as_deref().or(stored.map(|stored| &stored.code[..]));
        let Some(bytes) = bytes else {
            bail!("there is no code {} in the genesis; add it with add-code", code_id.unwrap_or_default())
        };
        let address = aceso_app::genesis_contract(bytes, salt.as_bytes(), &prefix).unwrap_or_default();
        let code = code.unwrap_or_default();
        draft.app.contracts.push(GenesisContract { code, code_id: code_id.unwrap_or(0), label, admin, msg, salt });
        Ok((json!({"contract": address}), format!("contract {address}")))
    })
}

fn validate(file: Option<PathBuf>, home: &HomeArg, output: Output) -> Result<()> {
    let path = match file {
        Some(file) => file,
        None => home.home()?.genesis_file(),
    };
    let document = Document::read(&path)?;
    let app_hash = Draft::begin(&document).with_context(|| format!("{} begins no chain", path.display()))?;
    let app = &document.app;
    let object = json!({
        "ok": true,
        "genesis": path,
        "chain_id": document.origin.chain_id,
        "initial_height": document.origin.initial_height,
        "app_hash": app_hash,
        "validators": document.origin.validators.len(),
        "accounts": app.balances.len(),
        "vesting": app.vesting.len(),
        "codes": app.codes.len(),
        "contracts": app.contracts.len(),
        "authority": app.authority,
    });
    output.print(&object, || {
        format!(
            "{} begins {}: {} validators, {} accounts of which {} vest, {} codes, {} contracts\n  app hash  {app_hash}",
            path.display(),
            document.origin.chain_id,
            document.origin.validators.len(),
            app.balances.len(),
            app.vesting.len(),
            app.codes.len(),
            app.contracts.len(),
        )
    })
}
