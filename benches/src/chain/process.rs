//! What the system says of a process: time, memory, bytes written.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Ticks of a second in `/proc/*/stat`; Linux has told programs this number on every machine.
const TICKS: f64 = 100.0;

/// Seconds of processor time that all threads of a process have taken so far, those that ended too.
pub(crate) fn cpu(process: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The program's name is in brackets and may have blanks in it.
    let (_, fields) = text.rsplit_once(')').context("no stat")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Megabytes that a process has in memory.
pub(crate) fn memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1000.0)
}

/// Bytes of the files under a folder.
pub(crate) fn size(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(total)
}
