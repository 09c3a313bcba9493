//! A genesis file before its chain begins: read, changed, checked, written back.
//!
//! Each change is checked by the rules of [`Genesis::check`] before anything is written, and the file is replaced whole.
//! What only an application can tell, a contract that is not made or a key that attests nothing, is found by
//! [`Draft::begin`], which begins the chain in a folder that is thrown away.

use std::path::{Path, PathBuf};

use aceso_app::{App, Config};
use aceso_blobs::{BlobStore, Options};
use aceso_types::{
    genesis::{Attester, Balance, Coin, Genesis},
    vesting::{BaseVesting, Named, Period, VestingAccount},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tendermint::PublicKey;

use super::{
    Home, HomeError,
    genesis::{Document, validator_row},
    write_new,
};

/// A genesis file that may still be changed.
pub(crate) struct Draft {
    path: PathBuf,
    json: Value,
    /// The application's part.
    pub(crate) app: Genesis,
}

/// When what an account owns becomes its own to spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// A little every second between two times.
    Continuous {
        /// Seconds since the Unix epoch.
        start: i64,
        /// Seconds since the Unix epoch.
        end: i64,
    },
    /// All of it at a time, in seconds since the Unix epoch.
    Delayed(i64),
    /// A part at the end of each period.
    Periodic {
        /// Seconds since the Unix epoch.
        start: i64,
        /// One after the other.
        periods: Vec<Period>,
    },
    /// Never.
    Locked,
}

impl Draft {
    /// Reads the genesis file of a home whose chain has not begun.
    pub(crate) fn open(home: &Home) -> Result<Self> {
        if home.state_dir().exists() || home.blocks_file().exists() {
            return Err(HomeError::Begun(home.path().into()).into());
        }
        home.genesis()?;
        let path = home.genesis_file();
        let json: Value = serde_json::from_slice(&super::read(&path, super::genesis::FILE_MAX)?)?;
        let app: Genesis = serde_json::from_value(json["app_state"].clone())?;
        Ok(Self { path, json, app })
    }

    /// Checks the change and replaces the file.
    pub(crate) fn save(mut self) -> Result<()> {
        self.app.check()?;
        self.json["app_state"] = serde_json::to_value(&self.app)?;
        let text = format!("{:#}\n", self.json);
        ensure!(
            text.len() as u64 <= super::genesis::FILE_MAX,
            "the genesis file would have {} bytes, and CometBFT hands over at most {}",
            text.len(),
            super::genesis::FILE_MAX
        );
        Ok(write_new(&self.path, text.as_bytes(), false)?)
    }

    /// Gives an account coins. One that is there is changed only with `append`, which adds.
    pub(crate) fn add_coins(&mut self, address: &str, coins: &[Coin], append: bool) -> Result<()> {
        let Some(balance) = self.app.balances.iter_mut().find(|balance| balance.address == address) else {
            self.app.balances.push(Balance { address: address.into(), coins: coins.into() });
            return Ok(());
        };
        ensure!(append, "{address} is in the genesis already; --append adds the coins to what it has");
        for coin in coins {
            let Some(held) = balance.coins.iter_mut().find(|held| held.denom == coin.denom) else {
                balance.coins.push(coin.clone());
                continue;
            };
            let sum = number(held)?.checked_add(number(coin)?);
            held.amount = sum.with_context(|| format!("{address} cannot hold so much {}", coin.denom))?.to_string();
        }
        balance.coins.sort();
        Ok(())
    }

    /// Says that some of what an account has is to become its own over time.
    pub(crate) fn vest(&mut self, address: &str, coins: Vec<Coin>, schedule: Schedule) -> Result<()> {
        if self.app.vesting.iter().any(|account| account.base().base_account.address == address) {
            bail!("{address} vests already");
        }
        let held = self.app.balances.iter().find(|balance| balance.address == address);
        for coin in &coins {
            let held = held.and_then(|balance| balance.coins.iter().find(|held| held.denom == coin.denom));
            let held = held.map_or(Ok(0), number)?;
            ensure!(
                number(coin)? <= held,
                "{address} has {held}{} in the genesis, and of that {}{} cannot vest",
                coin.denom,
                coin.amount,
                coin.denom
            );
        }
        let base = |end_time| BaseVesting {
            base_account: Named { address: address.into(), ..Named::default() },
            original_vesting: coins,
            delegated_free: Vec::new(),
            delegated_vesting: Vec::new(),
            end_time,
        };
        self.app.vesting.push(match schedule {
            Schedule::Continuous { start, end } => {
                ensure!(start < end, "what vests from {start} on cannot have vested at {end}");
                VestingAccount::Continuous { base_vesting_account: base(end), start_time: start }
            }
            Schedule::Delayed(end) => VestingAccount::Delayed { base_vesting_account: base(end) },
            Schedule::Periodic { start, periods } => {
                let end = periods.iter().try_fold(start, |end, period| end.checked_add(period.length));
                let end = end.context("the periods end beyond all time")?;
                VestingAccount::Periodic {
                    base_vesting_account: base(end),
                    start_time: start,
                    vesting_periods: periods,
                }
            }
            Schedule::Locked => VestingAccount::PermanentLocked { base_vesting_account: base(0) },
        });
        Ok(())
    }

    /// Adds a validator of the first block.
    pub(crate) fn add_validator(&mut self, attester: Attester, power: u64) -> Result<()> {
        let Ok(bytes) = <[u8; 32]>::try_from(attester.consensus_key.as_slice()) else {
            bail!("a consensus key has 32 bytes, not {}", attester.consensus_key.len())
        };
        let public = PublicKey::from_raw_ed25519(&bytes).context("the consensus key is no ed25519 key")?;
        if self.app.attesters.iter().any(|one| one.consensus_key == attester.consensus_key) {
            bail!("this validator is in the genesis already");
        }
        let row = validator_row(&public, power, &attester.name);
        self.json["validators"].as_array_mut().context("the genesis file has no list of validators")?.push(row);
        self.app.attesters.push(attester);
        Ok(())
    }

    /// Changes the parameters that are named.
    pub(crate) fn set_params(&mut self, changes: Value) -> Result<()> {
        let Value::Object(changes) = changes else {
            bail!("parameters are named in JSON, such as {{\"memo_bytes_max\": 256}}")
        };
        let mut params = serde_json::to_value(&self.app.params)?;
        for (name, value) in changes {
            let known = params.get_mut(&name).with_context(|| format!("there is no parameter {name}"))?;
            *known = value;
        }
        self.app.params = serde_json::from_value(params).context("a parameter has no value of its kind")?;
        Ok(())
    }

    /// Begins the chain of a genesis file in a folder that is thrown away; the app hash of its first header.
    pub(crate) fn begin(document: &Document) -> Result<String> {
        let folder = tempfile::tempdir().context("cannot make a folder to try the chain in")?;
        let blobs = BlobStore::open(&folder.path().join("blobs"), Options::default())?;
        let app = App::open(Config::new(folder.path(), blobs.into(), &crate::worker::Reopening))?;
        let begun = app.init_chain(document.origin.request()?)?;
        Ok(hex::encode_upper(begun.app_hash.as_bytes()))
    }
}

/// What a file says of a validator that others take into their genesis.
pub(crate) fn statement(attester: &Attester, power: u64) -> Result<Value> {
    let mut statement = serde_json::to_value(attester)?;
    statement["power"] = json!(power.to_string());
    Ok(statement)
}

/// Reads such a statement: the validator, and the power that it should have.
pub(crate) fn read_statement(path: &Path, mut statement: Value) -> Result<(Attester, u64)> {
    let wrong = || format!("{} is no statement as `aceso genesis show-validator` prints it", path.display());
    let power = statement.as_object_mut().and_then(|fields| fields.remove("power")).with_context(wrong)?;
    let power = power.as_str().and_then(|power| power.parse().ok()).with_context(wrong)?;
    Ok((serde_json::from_value(statement).with_context(wrong)?, power))
}

fn number(coin: &Coin) -> Result<u128> {
    coin.amount.parse().with_context(|| format!("{:?} is no amount", coin.amount))
}
