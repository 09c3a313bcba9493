//! `aceso attester …`: this validator's attestation key, registered and rotated by its operator.

use aceso_app::attest::AttestKey;
use aceso_client::{Client, GasLimit, Key, TxResult, any};
use aceso_types::{
    msg::MsgRegisterAttester,
    query::{QueryValidator, ValidatorRow},
};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use super::{At, Signer, tx::report};
use crate::{
    cli::{HomeArg, Output},
    home::Home,
};

/// Registers the key with which a validator says that it holds blobs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso attester register --home node --from operator.words
  aceso attester rotate --home node --from operator.words

The operator is the account that the authority named for the validator. A running node takes the new key over by itself.")]
pub(crate) struct Attester {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Clone, Copy, Subcommand, Debug)]
enum Verb {
    /// Registers the home's key.
    Register,
    /// Makes another key, keeps it beside the one in use, and registers it.
    Rotate,
}

impl Attester {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let home = self.home.home()?;
        if !home.has_genesis() {
            bail!("{} holds no validator's keys; make them with aceso init", home.path().display());
        }
        let (client, key) = (self.at.connect()?, self.signer.key()?);
        let consensus_key = home.validator()?.verification_key().to_bytes();
        let name = hex::encode(consensus_key);
        let row = client.ask(&QueryValidator { validator: name.clone() })?;
        let row = row.with_context(|| format!("{name} is no validator; the authority has to add it first"))?;
        let attester = match self.verb {
            Verb::Register => home.attester()?,
            Verb::Rotate => next(&home, &row)?,
        };
        report(output, &register(&client, &key, &consensus_key, &row, &attester)?, None)
    }
}

/// The key that takes over. The one that took over before becomes the one in use; one that was made and never registered
/// is taken again.
fn next(home: &Home, row: &ValidatorRow) -> Result<AttestKey> {
    let next = home.next_attester()?;
    if next.public()[..] != row.bls_key[..] {
        return Ok(next);
    }
    home.promote_attester()?;
    Ok(home.next_attester()?)
}

fn register(
    client: &Client,
    key: &Key,
    consensus_key: &[u8; 32],
    row: &ValidatorRow,
    attester: &AttestKey,
) -> Result<TxResult> {
    let message = MsgRegisterAttester {
        operator: client.address(key),
        consensus_key: consensus_key.to_vec(),
        bls_key: attester.public().to_vec(),
        epoch: row.next_epoch,
        possession: attester.possession(consensus_key, row.next_epoch).to_vec(),
    };
    Ok(client.send(key, vec![any(&message)], GasLimit::Auto)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_anew_only_when_the_last_one_was_registered() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        let first = home.attester().unwrap().public();
        let row = |key: &[u8]| ValidatorRow { bls_key: key.to_vec(), ..ValidatorRow::default() };
        let second = next(&home, &row(&first)).unwrap().public();
        assert_eq!(next(&home, &row(&first)).unwrap().public(), second);
        assert_eq!(home.attester().unwrap().public(), first);
        let third = next(&home, &row(&second)).unwrap().public();
        assert!(third != second);
        assert_eq!(home.attester().unwrap().public(), second);
    }
}
