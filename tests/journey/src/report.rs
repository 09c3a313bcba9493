//! What happened, told while it happens and summed up at the end: a table for people, one JSON object for programs.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _, stderr},
    time::Instant,
};

use aceso_client::{ClientError, TxResult};
use anyhow::Result;
use serde::Serialize;

use crate::sample::Samples;

/// One step of the main job.
#[derive(Serialize)]
pub(crate) struct Step {
    name: String,
    who: &'static str,
    tx: Option<String>,
    gas: Option<u64>,
    ms: u64,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One refusal that must happen.
#[derive(Serialize)]
pub(crate) struct Refusal {
    name: &'static str,
    code: Option<u32>,
    codespace: Option<String>,
    message: String,
    ok: bool,
}

/// Everything so far.
#[derive(Serialize)]
pub(crate) struct Report {
    ok: bool,
    /// What was read, for people.
    images: Vec<String>,
    steps: Vec<Step>,
    refusals: Vec<Refusal>,
    #[serde(skip)]
    live: bool,
}

/// What a refusal must look like.
pub(crate) struct Expected {
    /// Codespace and code, where the chain is the one that refuses.
    pub(crate) code: Option<(&'static str, u32)>,
    /// Words that its sentence must hold.
    pub(crate) words: &'static str,
}

/// A refusal as it came.
pub(crate) struct Came {
    pub(crate) code: Option<(String, u32)>,
    pub(crate) message: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { ok: true, images: Vec::new(), steps: Vec::new(), refusals: Vec::new(), live: stderr().is_terminal() }
    }

    pub(crate) fn ok(&self) -> bool {
        self.ok
    }

    /// Notes which images are read.
    pub(crate) fn reads(&mut self, images: &Samples) {
        self.images = vec![images.first.about.clone(), images.second.about.clone()];
    }

    /// Does a step and notes how it went. The error is passed on: what follows rests on the step.
    pub(crate) fn step<T>(
        &mut self,
        who: &'static str,
        name: impl Into<String>,
        act: impl FnOnce() -> Result<(T, Option<TxResult>)>,
    ) -> Result<T> {
        let name = name.into();
        self.progress(&format!("{who}: {name}"));
        let start = Instant::now();
        let result = act();
        let ms = u64::try_from(start.elapsed().as_millis())?;
        let tx = result.as_ref().ok().and_then(|(_, tx)| tx.as_ref());
        self.steps.push(Step {
            name,
            who,
            tx: tx.map(|tx| tx.hash.clone()),
            gas: tx.map(|tx| tx.gas_used),
            ms,
            ok: result.is_ok(),
            error: result.as_ref().err().map(|error| format!("{error:#}")),
        });
        self.ok &= result.is_ok();
        result.map(|(value, _)| value)
    }

    /// Does what must be refused, and holds the refusal against what is expected and the state against itself:
    /// `unchanged` is asked before and after.
    pub(crate) fn refusal<S: PartialEq>(
        &mut self,
        name: &'static str,
        expected: &Expected,
        mut unchanged: impl FnMut() -> Result<S>,
        act: impl FnOnce() -> Result<Came>,
    ) -> Result<()> {
        self.progress(&format!("refused: {name}"));
        let before = unchanged()?;
        let came = act()?;
        let mut complaints = String::new();
        let code = came.code.as_ref().map(|(codespace, code)| (codespace.as_str(), *code));
        if code != expected.code {
            write!(complaints, " [expected {:?}, came {code:?}]", expected.code)?;
        }
        if !came.message.contains(expected.words) {
            write!(complaints, " [expected the words {:?}]", expected.words)?;
        }
        if unchanged()? != before {
            complaints.push_str(" [it changed the state]");
        }
        let ok = complaints.is_empty();
        self.ok &= ok;
        let (codespace, code) = came.code.unzip();
        self.refusals.push(Refusal { name, code, codespace, message: came.message + &complaints, ok });
        Ok(())
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("\n");
        let row = |text: &mut String, who: &str, name: &str, tx: &str, gas: &str, ms: &str, ok: &str| {
            let _ = writeln!(text, "{who:<13} {name:<58} {tx:<12} {gas:>10} {ms:>7}  {ok}");
        };
        row(&mut text, "who", "step", "tx", "gas", "ms", "result");
        for step in &self.steps {
            let tx = step.tx.as_deref().map_or("", |hash| hash.get(..10).unwrap_or(hash));
            let gas = step.gas.map(|gas| gas.to_string()).unwrap_or_default();
            let result = step.error.as_deref().map_or("ok".into(), |error| format!("FAILED: {error}"));
            row(&mut text, step.who, &step.name, tx, &gas, &step.ms.to_string(), &result);
        }
        text.push_str("\nrefused, as it must be:\n");
        for refusal in &self.refusals {
            let mark = if refusal.ok { "ok    " } else { "FAILED" };
            let code = match (&refusal.codespace, refusal.code) {
                (Some(codespace), Some(code)) => format!("{codespace} {code}"),
                _ => String::new(),
            };
            let _ = writeln!(text, "{mark} {:<52} {code:<10} {}", refusal.name, shortened(&refusal.message));
        }
        text
    }

    /// A line that the next one overwrites, on a terminal; a line of its own elsewhere.
    pub(crate) fn progress(&self, what: &str) {
        let mut stderr = stderr();
        let _ = if self.live { write!(stderr, "\r\x1b[K· {what}") } else { writeln!(stderr, "· {what}") };
        let _ = stderr.flush();
    }

    /// Clears the progress line.
    pub(crate) fn clear(&self) {
        if self.live {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// What a transaction that must fail came to.
pub(crate) fn came(result: Result<TxResult, ClientError>) -> Result<Came> {
    match result {
        Err(ClientError::Refused { codespace, code, log, .. }) => {
            Ok(Came { code: Some((codespace, code)), message: log })
        }
        Err(other) => Ok(Came { code: None, message: other.to_string() }),
        Ok(tx) => Ok(Came { code: Some((String::new(), 0)), message: format!("it was accepted in {}", tx.hash) }),
    }
}

/// The sentence without the wrapping that each layer puts around it: a table row is one line.
fn shortened(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let short: String = line.chars().take(150).collect();
    if short.len() < line.len() { short + " …" } else { short }
}
