//! How fast blocks come, by the times in their headers.

use std::time::Duration;

use anyhow::{Context, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::net::{Net, Node};

/// How long one block may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Milliseconds between two blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The pace between two heights, both included.
pub(crate) fn blocks(node: &Node, first: u64, last: u64) -> Result<Pace> {
    let mut times = Vec::new();
    for height in first.max(1)..=last {
        let block = node.get(&format!("header?height={height}"))?;
        let time = block["header"]["time"].as_str().context("a header without a time")?;
        times.push(OffsetDateTime::parse(time, &Rfc3339).with_context(|| format!("{time} is no time"))?);
    }
    let mut between: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_seconds_f64() * 1000.0).collect();
    Ok(Pace { p50: percentile(&mut between, 50)?, p99: percentile(&mut between, 99)? })
}

/// The pace of so many blocks from now on.
pub(crate) fn ahead(net: &Net, blocks: u32) -> Result<Pace> {
    let first = net.top();
    let last = first + u64::from(blocks);
    net.wait_for(&net.all(), last, PATIENCE * blocks)?;
    self::blocks(&net.nodes[0], first, last)
}

/// The smallest of these that so many hundredths of them do not pass.
pub(crate) fn percentile(of: &mut [f64], hundredths: usize) -> Result<f64> {
    of.sort_by(f64::total_cmp);
    let at = (of.len() * hundredths).div_ceil(100).max(1) - 1;
    of.get(at).copied().context("nothing was measured")
}
