//! `aceso status`: how a node is, whether it runs or not.
//!
//! Of a home whose node is stopped everything is read from its files. Of a running one the files can tell less, and the
//! node itself is asked; of a node elsewhere that is all there is.

use aceso_app::{AtRest, Facts, SNAPSHOTS_OFFERED};
use aceso_client::Client;
use aceso_types::query::{Page, QueryUpgrade, QueryValidators, ValidatorRow};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::{
    cli::{HomeArg, Output, dev},
    engine::store::Store,
    home::{Home, HomeError, folders::shown},
};

/// Where a node listens unless somebody says otherwise.
const RPC: &str = "http://127.0.0.1:26657";
/// Lines of validators that people are shown.
const VALIDATORS_SHOWN: usize = 20;

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso status                                 the node of ~/.aceso, running or not
  aceso status --home node --json
  aceso status --node http://10.0.0.2:26657 --rest http://10.0.0.2:1317

Without --node a running home is asked at the address in its config.toml, or else at the usual one.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// The RPC port of a node to ask, instead of looking at a home.
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Its REST port.
    #[arg(long, default_value = "http://127.0.0.1:1317", value_name = "URL")]
    rest: String,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let told = match &args.node {
        Some(node) => asked(node, &args.rest)?,
        None => of_home(&args.home.home()?, &args.rest)?,
    };
    let told = Value::from(told);
    output.print(&told, || lines(&told).join("\n"))
}

/// What is known of a home: from its files, and from its node if that runs.
fn of_home(home: &Home, rest: &str) -> Result<Map<String, Value>> {
    if !home.has_genesis() {
        return Err(HomeError::Empty(home.path().into()).into());
    }
    let document = home.genesis()?;
    let running = home.is_locked();
    let mut told = members(json!({
        "ok": true,
        "home": home.path(),
        "running": running,
        "chain_id": document.origin.chain_id,
        "engine": if home.blocks_file().exists() { "embedded" } else { "cometbft" },
    }));
    if running {
        let node = home.engine_rpc().unwrap_or_else(|| RPC.into());
        match asked(&node, rest) {
            Ok(answers) if answers.get("chain_id") == told.get("chain_id") => told.extend(answers),
            Ok(answers) => {
                let other = answers.get("chain_id").and_then(Value::as_str).unwrap_or_default();
                told.insert("unanswered".into(), format!("the node at {node} is of the chain {other}").into());
            }
            Err(error) => {
                told.insert("unanswered".into(), format!("{error:#}").into());
            }
        }
    } else {
        // Nobody else may open the files meanwhile.
        let _lock = home.lock()?;
        told.extend(at_rest(home)?);
    }
    told.insert("snapshots".into(), snapshots(home, &told).into());
    let own = home.validator_file().exists().then(|| home.validator()).transpose()?;
    if let Some(own) = own {
        let key = hex::encode(own.verification_key().to_bytes());
        let power = told.get("validators").and_then(Value::as_array).into_iter().flatten();
        let power = power.filter(|one| one["consensus_key"] == key.as_str()).find_map(|one| one["power"].as_str());
        let power = Value::from(power.unwrap_or("0"));
        if told.contains_key("validators") {
            told.insert("own_power".into(), power);
        }
    }
    let disk = home.disk_use().with_context(|| format!("cannot look at {}", home.data().display()))?;
    told.insert(
        "disk".into(),
        disk.into_iter().map(|(name, bytes)| (name, bytes.into())).collect::<Map<_, _>>().into(),
    );
    Ok(told)
}

/// Heights of the snapshots that are offered to others: the last ones of those that can still be read.
fn snapshots(home: &Home, told: &Map<String, Value>) -> Vec<String> {
    let of = |name: &str| told.get(name).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
    let (oldest, height) = (of("oldest").unwrap_or(0), of("height").unwrap_or(u64::MAX));
    let mut heights = home.snapshot_heights();
    heights.retain(|at| (oldest..=height).contains(at));
    heights.split_off(heights.len().saturating_sub(SNAPSHOTS_OFFERED)).iter().map(u64::to_string).collect()
}

/// What the files of a stopped node say.
fn at_rest(home: &Home) -> Result<Map<String, Value>> {
    let Some(state) = AtRest::open(&home.state_dir())? else { return Ok(members(json!({"height": "0"}))) };
    let (height, app_hash) = state.latest();
    let mut told = members(json!({
        "height": height.to_string(),
        "app_hash": hex::encode_upper(app_hash.as_bytes()),
        "oldest": state.oldest().to_string(),
    }));
    if home.blocks_file().exists() {
        let blocks = Store::open(&home.blocks_file())?;
        told.insert("blocks".into(), json!([blocks.earliest()?.to_string(), blocks.decided()?.to_string()]));
    }
    let Some(Facts { nanos, validators, power, upgrade, blobs, .. }) = state.facts()? else { return Ok(told) };
    let store = dev::blobs(home)?;
    let mut held = 0;
    for blob in &blobs {
        held += usize::from(store.has(&blob.id)?);
    }
    let time =
        time::OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).context("the time of the block is none")?;
    told.extend(members(json!({
        "time": time.format(&time::format_description::well_known::Rfc3339)?,
        "power": power.to_string(),
        "validators": validators.iter().map(validator).collect::<Vec<_>>(),
        "upgrade": upgrade.map(|(name, height, info)| json!({"name": name, "height": height.to_string(), "info": info})),
        "blobs_wanted": blobs.len(),
        "blobs_held": held,
    })));
    Ok(told)
}

/// What a running node says.
fn asked(node: &str, rest: &str) -> Result<Map<String, Value>> {
    let client = Client::connect(node, rest)?;
    let status = client.status()?;
    let sync = &status["sync_info"];
    let (mut rows, mut after) = (Vec::new(), Vec::new());
    loop {
        let answer = client.ask(&QueryValidators { page: Some(Page { after, limit: 200, reverse: false }) })?;
        let answer = answer.unwrap_or_default();
        rows.extend(answer.rows.into_iter().filter(|row| row.power > 0 || row.signing_power > 0));
        after = answer.next;
        if after.is_empty() {
            break;
        }
    }
    let power: u64 = rows.iter().map(|row| row.power).sum();
    let upgrade = client.ask(&QueryUpgrade {})?.filter(|row| !row.name.is_empty());
    let mut told = members(json!({
        "ok": true,
        "running": true,
        "node": node,
        "chain_id": client.chain().id,
        "height": sync["latest_block_height"],
        // The header of a block names the state before it.
        "app_hash_before": sync["latest_app_hash"],
        "time": sync["latest_block_time"],
        "blocks": [sync["earliest_block_height"], sync["latest_block_height"]],
        "catching_up": sync["catching_up"],
        "own_power": status["validator_info"]["voting_power"],
        "power": power.to_string(),
        "validators": rows.iter().map(validator).collect::<Vec<_>>(),
        "upgrade": upgrade.map(|row| json!({"name": row.name, "height": row.height.to_string(), "info": row.info})),
    }));
    // RPC is enough to be of use; REST may listen elsewhere.
    if let Ok(Some(metrics)) = client.metrics() {
        let of = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        told.insert("blobs_held".into(), json!(of("aceso_blobs ")));
        told.insert("blobs_pending".into(), json!(of("aceso_blobs_pending ")));
    }
    Ok(told)
}

fn validator(row: &ValidatorRow) -> Value {
    json!({
        "consensus_key": hex::encode(&row.consensus_key),
        "address": row.address,
        "name": row.name,
        "power": row.power.to_string(),
        "signing_power": row.signing_power.to_string(),
        "missed": row.missed,
        "attests": !row.bls_key.is_empty(),
    })
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The same for people: a line for each thing, only what is known.
fn lines(told: &Value) -> Vec<String> {
    let text = |name: &str| match &told[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| lines.extend(value.map(|value| format!("{name:<11} {value}")));
    line("chain", text("chain_id"));
    line("home", text("home"));
    line(
        "node",
        Some(match (told["running"] == true, text("node"), text("unanswered")) {
            (false, ..) => "stopped".into(),
            (true, Some(node), _) if told["catching_up"] == true => format!("runs, catching up, at {node}"),
            (true, Some(node), _) => format!("runs at {node}"),
            (true, None, why) => format!("runs (the home is locked) and does not answer: {}", why.unwrap_or_default()),
        }),
    );
    line("engine", text("engine"));
    line("height", text("height"));
    line("time", text("time"));
    line("app hash", text("app_hash"));
    line("app hash", text("app_hash_before").map(|hash| format!("{hash} before that block")));
    // Before the first height lies nothing.
    let oldest = text("oldest").map(|oldest| if oldest == "0" { "1".into() } else { oldest });
    line("state", oldest.map(|oldest| format!("from height {oldest} on")));
    if let (Some(first), Some(last)) = (told["blocks"][0].as_str(), told["blocks"][1].as_str()) {
        line("blocks", Some(format!("{first} to {last}")));
    }
    let of_all = |own: String| format!("power {own} of {}", text("power").unwrap_or_default());
    line("this node", text("own_power").map(of_all));
    let validators = told["validators"].as_array();
    line("validators", validators.map(|all| all.len().to_string()));
    for one in validators.into_iter().flatten().take(VALIDATORS_SHOWN) {
        let name = one["name"].as_str().filter(|name| !name.is_empty()).or(one["address"].as_str()).unwrap_or_default();
        let attests = if one["attests"] == true { "" } else { ", attests nothing" };
        let power = one["power"].as_str().unwrap_or_default();
        line("", Some(format!("{name}: power {power}, missed {}{attests}", one["missed"])));
    }
    line(
        "upgrade",
        told["upgrade"]["name"].as_str().map(|name| {
            let (height, info) = (&told["upgrade"]["height"], told["upgrade"]["info"].as_str().unwrap_or_default());
            format!("{name} at block {} {info}", height.as_str().unwrap_or_default())
        }),
    );
    let snapshots = told["snapshots"].as_array();
    line(
        "snapshots",
        snapshots.map(|all| match all.iter().filter_map(Value::as_str).collect::<Vec<_>>() {
            none if none.is_empty() => "none".into(),
            some => some.join(", "),
        }),
    );
    line(
        "blobs",
        match (text("blobs_held"), text("blobs_wanted"), text("blobs_pending")) {
            (Some(held), Some(wanted), _) => Some(format!("{held} of {wanted} here")),
            (Some(held), None, Some(pending)) => Some(format!("{held} here, {pending} wait for validators")),
            _ => None,
        },
    );
    for (name, bytes) in told["disk"].as_object().into_iter().flatten() {
        line("disk", bytes.as_u64().map(|bytes| format!("{:>12}  {name}", shown(bytes))));
    }
    lines
}
