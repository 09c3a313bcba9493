//! Where a passphrase comes from: a file, the environment, or whoever sits at the terminal.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

/// The variable that holds it, for scripts that have no file.
const VARIABLE: &str = "ACESO_PASSPHRASE";

/// How a verb asks for the passphrase of a key.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PassphraseArg {
    /// A file whose first line is the passphrase of encrypted keys [default: ACESO_PASSPHRASE, else it is asked for].
    #[arg(long, value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArg {
    /// One that is in a file.
    pub(crate) fn of(file: PathBuf) -> Self {
        Self { passphrase_file: Some(file) }
    }

    /// The passphrase that opens a key.
    pub(crate) fn ask(&self, name: &str) -> Result<Zeroizing<String>> {
        match self.given()? {
            Some(given) => Ok(given),
            None => typed(&format!("passphrase of {name}: ")),
        }
    }

    /// A passphrase for a new key; whoever types it does so twice.
    pub(crate) fn choose(&self, name: &str) -> Result<Zeroizing<String>> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        let first = typed(&format!("new passphrase for {name}: "))?;
        if typed("the same again: ")? != first {
            bail!("the two passphrases differ; nothing was written");
        }
        Ok(first)
    }

    fn given(&self) -> Result<Option<Zeroizing<String>>> {
        if let Some(path) = &self.passphrase_file {
            return first_line(path).map(Some);
        }
        match std::env::var_os(VARIABLE) {
            Some(value) => {
                let text = value.into_string().map_err(|_| anyhow::anyhow!("{VARIABLE} is not text"))?;
                Ok(Some(Zeroizing::new(text)))
            }
            None => Ok(None),
        }
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>> {
    let text = Zeroizing::new(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// Asks at the terminal, which shows nothing of what is typed.
fn typed(question: &str) -> Result<Zeroizing<String>> {
    let input = io::stdin();
    if !input.is_terminal() {
        bail!("the key is encrypted: say its passphrase with --passphrase-file FILE or in {VARIABLE}");
    }
    eprint!("{question}");
    io::stderr().flush()?;
    let quiet = Quiet::begin();
    let mut line = Zeroizing::new(String::new());
    input.lock().read_line(&mut line)?;
    drop(quiet);
    eprintln!();
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A terminal that shows nothing of what is typed, until it is dropped.
struct Quiet;

impl Quiet {
    fn begin() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// Where there is no `stty` the passphrase is seen while it is typed.
fn stty(mode: &str) {
    let _ = Command::new("stty").arg(mode).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
