//! The genesis file: CometBFT's document around the application's state.

use aceso_app::attest::AttestKey;
use aceso_types::genesis::{Attester, Balance, Coin, Genesis, Params, is_denom};
use ed25519_consensus::SigningKey;
use serde_json::{Value, json};
use tendermint::{PublicKey, Time, account, chain, consensus, validator};

use super::{Home, HomeError, keys, read, write_new};
use crate::{
    address::{account, is_address, public_key},
    engine::Origin,
    rpc::json as shape,
};

const FILE_MAX: u64 = 64 << 20;
/// Power of the one validator; any number does.
const POWER: u64 = 10;
/// What the account of a chain without `--fund` owns.
const FUND_DEFAULT: u128 = 1_000_000_000_000;
/// Name of that account's key.
const FUND_KEY: &str = "dev";

/// How a chain is to begin; what is left out has a default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beginning {
    /// The chain's id, `aceso-dev` by default.
    pub(crate) chain_id: Option<String>,
    /// The address prefix, `aceso` by default.
    pub(crate) prefix: Option<String>,
    /// The coin, `uaceso` by default.
    pub(crate) denom: Option<String>,
    /// `WHO=COINS`.
    pub(crate) funds: Vec<String>,
    /// Who may change parameters: an address or a file of words.
    pub(crate) authority: Option<String>,
}

/// A genesis file as read.
pub(crate) struct Document {
    /// What the engine starts from.
    pub(crate) origin: Origin,
    /// The application's part.
    pub(crate) app: Genesis,
    /// The file.
    pub(crate) json: Value,
}

impl Home {
    /// Reads the genesis file.
    pub(crate) fn genesis(&self) -> Result<Document, HomeError> {
        let path = self.genesis_file();
        if !path.exists() {
            return Err(HomeError::Empty(self.path().into()));
        }
        let malformed = |reason: String| HomeError::Malformed { path: path.clone(), reason };
        let json: Value = serde_json::from_slice(&read(&path, FILE_MAX)?).map_err(|e| malformed(e.to_string()))?;
        let document: tendermint::Genesis =
            serde_json::from_value(json.clone()).map_err(|e| malformed(e.to_string()))?;
        if document.initial_height != 1 {
            return Err(malformed(format!(
                "initial_height is {}, and chains begin at 1 here",
                document.initial_height
            )));
        }
        let app_state = serde_json::to_vec(&document.app_state).map_err(|e| malformed(e.to_string()))?;
        let app = Genesis::decode(&app_state).map_err(|e| malformed(e.to_string()))?;
        let origin = Origin {
            chain_id: document.chain_id,
            time: document.genesis_time,
            params: document.consensus_params,
            validators: crate::engine::block::sorted(document.validators),
            app_state: app_state.into(),
        };
        Ok(Document { origin, app, json })
    }

    /// Writes keys and genesis, or checks that the chain that is here began as asked for.
    pub(crate) fn begin(&self, beginning: &Beginning, spec: Value) -> Result<Document, HomeError> {
        let (key, attester) = (self.validator()?, self.attester()?);
        if self.has_genesis() {
            let document = self.genesis()?;
            self.same(beginning, &document)?;
            return Ok(document);
        }
        let app = self.app_state(beginning, &key, &attester, spec)?;
        let chain_id = beginning.chain_id.clone().unwrap_or_else(|| "aceso-dev".into());
        let chain_id: chain::Id =
            chain_id.parse().map_err(|_: tendermint::Error| option("--chain-id", &chain_id, CHAIN_ID_RULE.into()))?;
        let public = PublicKey::from_ed25519_consensus(key.verification_key());
        let validator = json!({
            "address": shape::hex(account::Id::from(public).as_bytes()),
            "pub_key": shape::public_key(&public),
            "power": POWER.to_string(),
            "name": "",
        });
        let document = json!({
            "genesis_time": shape::time(Time::now()),
            "chain_id": chain_id,
            "initial_height": "1",
            "consensus_params": shape::consensus_params(&params()),
            "validators": [validator],
            "app_hash": "",
            "app_state": app,
        });
        write_new(&self.genesis_file(), format!("{document:#}\n").as_bytes(), false)?;
        self.genesis()
    }

    fn app_state(
        &self,
        beginning: &Beginning,
        key: &SigningKey,
        attester: &AttestKey,
        proof_spec: Value,
    ) -> Result<Genesis, HomeError> {
        let prefix = beginning.prefix.clone().unwrap_or_else(|| "aceso".into());
        let denom = beginning.denom.clone().unwrap_or_else(|| "uaceso".into());
        let mut balances = self.balances(&beginning.funds, &prefix)?;
        if balances.is_empty() {
            balances.push(self.default_balance(&prefix, &denom)?);
        }
        let authority = match &beginning.authority {
            Some(who) => self.who(who, "--authority", &prefix)?,
            None => String::new(),
        };
        let consensus_key = key.verification_key().to_bytes();
        let genesis = Genesis {
            prefix,
            denom,
            balances,
            attesters: vec![Attester {
                consensus_key: consensus_key.into(),
                bls_key: attester.public().into(),
                possession: attester.possession(&consensus_key, 0).into(),
            }],
            authority,
            params: Params::default(),
            proof_spec,
        };
        genesis.check().map_err(|e| option("genesis", "app_state", e.to_string()))?;
        Ok(genesis)
    }

    fn balances(&self, funds: &[String], prefix: &str) -> Result<Vec<Balance>, HomeError> {
        funds
            .iter()
            .map(|fund| {
                let refuse = |reason: &str| option("--fund", fund, reason.into());
                let (who, coins) = fund.rsplit_once('=').ok_or_else(|| refuse("is not WHO=COINS"))?;
                let address = self.who(who, "--fund", prefix)?;
                let mut coins: Vec<Coin> = coins
                    .split(',')
                    .map(|coin| parse_coin(coin).ok_or_else(|| refuse("coins are such as 1000uaceso,5ustake")))
                    .collect::<Result<_, _>>()?;
                coins.sort();
                if coins.windows(2).any(|pair| pair.first().map(|c| &c.denom) == pair.last().map(|c| &c.denom)) {
                    return Err(refuse("a denomination is named twice"));
                }
                Ok(Balance { address, coins })
            })
            .collect()
    }

    /// An account of its own for whoever does not say who owns the coins.
    fn default_balance(&self, prefix: &str, denom: &str) -> Result<Balance, HomeError> {
        let known = keys::list(self)?.into_iter().find(|key| key.name == FUND_KEY);
        let key = match known {
            Some(key) => key,
            None => keys::add(self, FUND_KEY, &crate::address::new_mnemonic().map_err(HomeError::Random)?)?,
        };
        let coins = vec![Coin { denom: denom.into(), amount: FUND_DEFAULT.to_string() }];
        Ok(Balance { address: key.address(prefix), coins })
    }

    /// An address as it is, or the first account of a file of words.
    fn who(&self, who: &str, option_name: &'static str, prefix: &str) -> Result<String, HomeError> {
        if is_address(who, prefix) {
            return Ok(who.into());
        }
        let file = std::path::Path::new(who);
        if !file.exists() {
            let reason = format!("is neither an address that begins with {prefix}1 nor a file of 24 words");
            return Err(option(option_name, who, reason));
        }
        let key = public_key(&keys::load(file)?)?;
        account(&key, prefix).ok_or_else(|| option("--prefix", prefix, "cannot begin an address".into()))
    }

    fn same(&self, beginning: &Beginning, document: &Document) -> Result<(), HomeError> {
        let check = |what, have: &str, want: Option<&String>| match want {
            Some(want) if want != have => {
                Err(HomeError::OtherChain { path: self.path().into(), what, have: have.into(), want: want.clone() })
            }
            _ => Ok(()),
        };
        check("id", document.origin.chain_id.as_str(), beginning.chain_id.as_ref())?;
        check("prefix", &document.app.prefix, beginning.prefix.as_ref())?;
        check("coin", &document.app.denom, beginning.denom.as_ref())?;
        for balance in self.balances(&beginning.funds, &document.app.prefix)? {
            if !document.app.balances.contains(&balance) {
                let have = document.app.balances.iter().find(|have| have.address == balance.address);
                return Err(HomeError::OtherChain {
                    path: self.path().into(),
                    what: "first balance",
                    have: have.map_or("nothing".into(), |have| coins_text(&have.coins)),
                    want: format!("{} for {}", coins_text(&balance.coins), balance.address),
                });
            }
        }
        Ok(())
    }
}

fn option(option: &'static str, value: &str, reason: String) -> HomeError {
    HomeError::Option { option, value: value.into(), reason }
}

fn coins_text(coins: &[Coin]) -> String {
    coins.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect::<Vec<_>>().join(",")
}

/// `1000uaceso`.
fn parse_coin(text: &str) -> Option<Coin> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, denom) = text.split_at_checked(digits)?;
    let amount: u128 = amount.parse().ok()?;
    is_denom(denom).then(|| Coin { denom: denom.into(), amount: amount.to_string() })
}

/// CometBFT's rule and that of the types in which a chain's name travels.
const CHAIN_ID_RULE: &str = "the name of a chain is 1 to 50 letters, digits, dots, hyphens and underscores";

/// The consensus parameters that every chain begins with.
fn params() -> consensus::Params {
    consensus::Params {
        block: tendermint::block::Size { max_bytes: 4 << 20, max_gas: 200_000_000, time_iota_ms: 1000 },
        evidence: tendermint::evidence::Params {
            max_age_num_blocks: 100_000,
            max_age_duration: tendermint::evidence::Duration(std::time::Duration::from_secs(48 * 3600)),
            max_bytes: 1 << 20,
        },
        validator: consensus::params::ValidatorParams {
            pub_key_types: vec![tendermint::public_key::Algorithm::Ed25519],
        },
        version: None,
        abci: consensus::params::AbciParams { vote_extensions_enable_height: Some(1u32.into()) },
    }
}

/// The validator set of a genesis, for those who have nothing but the file.
pub(crate) fn trusted(validators: &[validator::Info]) -> Value {
    validators.iter().map(shape::validator).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(funds: &[String]) -> Beginning {
        Beginning { chain_id: Some("test-1".into()), funds: funds.to_vec(), ..Default::default() }
    }

    #[test]
    fn a_chain_begins_once_and_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        let file = directory.path().join("alice");
        std::fs::write(&file, format!("{}\n", crate::address::new_mnemonic().unwrap().phrase())).unwrap();
        let fund = format!("{}=5uaceso,7ustake", file.display());
        let made = home.begin(&beginning(std::slice::from_ref(&fund)), json!({"max_depth": 256})).unwrap();
        assert_eq!(made.app.balances[0].coins.len(), 2);
        assert_eq!(made.json["consensus_params"]["abci"]["vote_extensions_enable_height"], "1");
        assert_eq!(made.json["consensus_params"]["block"]["max_bytes"], "4194304");
        let again = home.begin(&beginning(std::slice::from_ref(&fund)), Value::Null).unwrap();
        assert_eq!(again.json, made.json);
        assert!(home.begin(&Beginning::default(), Value::Null).is_ok());
        for (wrong, what) in [
            (Beginning { chain_id: Some("other".into()), ..Default::default() }, "id"),
            (Beginning { prefix: Some("other".into()), ..Default::default() }, "prefix"),
            (Beginning { denom: Some("uother".into()), ..Default::default() }, "coin"),
            (beginning(&[fund.replace("=5", "=6")]), "first balance"),
        ] {
            let refused = home.begin(&wrong, Value::Null).err().unwrap().to_string();
            assert!(refused.contains(&format!("whose {what} is")), "{refused}");
        }
    }

    #[test]
    fn without_funds_there_is_an_account_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        let made = home.begin(&Beginning::default(), Value::Null).unwrap();
        let key = keys::show(&home, FUND_KEY).unwrap();
        assert_eq!(made.app.balances[0].address, key.address("aceso"));
    }

    #[test]
    fn each_wrong_option_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        for funds in ["x", "nobody=5uaceso", "aceso1x=5uaceso"] {
            let refused = home.begin(&beginning(&[funds.into()]), Value::Null).err().unwrap().to_string();
            assert!(refused.starts_with("--fund"), "{refused}");
        }
        assert_eq!(parse_coin("5uaceso").unwrap().amount, "5");
        for coin in ["", "5", "uaceso", "-5uaceso", "5u", "999999999999999999999999999999999999999999uaceso"] {
            assert!(parse_coin(coin).is_none(), "{coin}");
        }
        let wrong = Beginning { prefix: Some("ACESO".into()), ..Default::default() };
        assert!(home.begin(&wrong, Value::Null).is_err());
        assert!(!home.has_genesis());
        assert!(matches!(home.genesis(), Err(HomeError::Empty(_))));
    }
}
