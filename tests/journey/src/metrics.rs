//! What the node has counted of the journey.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// What must have happened at least so often, whatever engine makes the blocks.
const MOVED: [(&str, f64); 13] = [
    ("aceso_height", 10.0),
    ("aceso_transactions_total{outcome=\"done\"}", 10.0),
    ("aceso_transactions_total{outcome=\"failed\"}", 1.0),
    ("aceso_gas_used_total", 1_000_000.0),
    ("aceso_reads_total", 2.0),
    ("aceso_read_seconds_count{step=\"open\",mode=\"block\"}", 2.0),
    ("aceso_read_seconds_count{step=\"infer\",mode=\"block\"}", 2.0),
    ("aceso_stage_seconds_count{stage=\"check\"}", 10.0),
    ("aceso_stage_seconds_count{stage=\"execute\"}", 10.0),
    ("aceso_stage_seconds_count{stage=\"commit\"}", 10.0),
    ("aceso_vote_extension_bytes_count", 10.0),
    ("aceso_cache_hits_total{cache=\"code\"}", 1.0),
    ("aceso_cache_hits_total{cache=\"model\"}", 1.0),
];

/// Checks the page of a node that has played the main job.
pub(crate) fn check(rest: &str) -> Result<()> {
    let text = ureq::get(format!("{rest}/metrics")).call()?.body_mut().read_to_string()?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values: BTreeMap<&str, &str> = lines.filter_map(|line| line.rsplit_once(' ')).collect();
    for (name, least) in MOVED {
        let value: f64 = values.get(name).with_context(|| format!("there is no {name}"))?.parse()?;
        ensure!(value >= least, "{name} is {value}, and at least {least} were to be counted");
    }
    Ok(())
}
