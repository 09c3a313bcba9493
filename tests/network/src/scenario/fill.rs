//! A state of some size: rows of a contract, written by transactions.

use std::time::Instant;

use aceso_client::GasLimit;
use anyhow::Result;
use serde_json::json;

use crate::{clinic::Visitor, load::Accounts, net::Net};

/// Rows of a transaction: at a thousand bytes each they take most of a block's gas.
const ROWS: u64 = 5_000;
/// Gas of a transaction; the rest of a block's is for the load.
const GAS: u64 = 190_000_000;

/// So many rows of so many bytes each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Fill {
    /// Uploads the probe and has it write.
    pub(super) fn run(&self, net: &Net, accounts: &Accounts) -> Result<String> {
        let begun = Instant::now();
        let by = Visitor::new(&net.nodes[0], accounts.authority.clone())?;
        let contract = by.deploy("probe", &json!({}))?;
        for from in (0..self.rows).step_by(usize::try_from(ROWS)?) {
            let count = ROWS.min(self.rows - from);
            let fill = json!({"fill": {"from": from, "rows": count, "bytes": self.bytes}});
            let message = by.client.msg_execute(&by.address, &contract, &fill, 0);
            by.client.send(&by.key, vec![message], GasLimit::Fixed(GAS))?;
        }
        Ok(format!("{} rows of {} bytes written in {} s", self.rows, self.bytes, begun.elapsed().as_secs()))
    }

    /// Bytes of all values.
    pub(super) fn megabytes(&self) -> f64 {
        (self.rows * self.bytes) as f64 / 1e6
    }
}
