//! Scripts that need onnxruntime: run by the author's Python, asked by a file, answering with one line of JSON.

use std::{
    ffi::OsStr,
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What all scripts import.
const SHARED: &str = include_str!("../../../../../models/tools/ask.py");

/// Where Python is.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Python {
    /// The Python that has onnx and onnxruntime.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: String,
}

impl Python {
    /// Runs a script on a folder that holds its request, and gives its answer.
    pub(super) fn run(&self, script: &str, folder: &Path, request: &Value) -> Result<Value> {
        let (program, source) = (&self.python, folder.join("script.py"));
        fs::write(folder.join("request.json"), request.to_string()).context("cannot write a temporary file")?;
        fs::write(folder.join("ask.py"), SHARED).context("cannot write a temporary file")?;
        fs::write(&source, script).context("cannot write a temporary file")?;
        let arguments: [&OsStr; 2] = [source.as_os_str(), folder.as_os_str()];
        let run = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let run = match run {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("there is no program {program:?}: install Python 3.10 or newer, or name it with --python")
            }
            other => other.with_context(|| format!("cannot run {program:?}"))?,
        };
        let text = String::from_utf8_lossy(&run.stdout);
        let answer = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        let Some(answer) = answer.filter(Value::is_object) else {
            let words = String::from_utf8_lossy(&run.stderr);
            let last = words.lines().last().unwrap_or("it said nothing").chars().take(200).collect::<String>();
            bail!("{program:?} did not finish ({}): {last}", run.status)
        };
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }
}
