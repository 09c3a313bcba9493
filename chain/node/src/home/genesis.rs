//! The genesis file: CometBFT's document around the application's state.

use std::path::Path;

use aceso_app::attest::AttestKey;
use aceso_types::genesis::{Attester, Balance, Coin, Genesis, GenesisContract, Params, is_denom};
use ed25519_consensus::SigningKey;
use serde_json::{Value, json};
use tendermint::{PublicKey, Time, account, chain, consensus, validator};

use super::{Home, HomeError, keys, read, write_new};
use crate::{
    address::{account, is_address, public_key},
    engine::Origin,
    rpc::json as shape,
};

/// Longest genesis file. CometBFT hands its `app_state` over in one request, which may have 100 MiB.
pub(crate) const FILE_MAX: u64 = 96 << 20;
/// Power of each validator of the first block; any number does.
pub(crate) const POWER: u64 = 10;
/// What the account of a chain without `--fund` owns.
const FUND_DEFAULT: u128 = 1_000_000_000_000;
/// Name of that account's key.
const FUND_KEY: &str = "dev";
/// Name of the key of a validator's own operator, and what the account owns, for fees.
pub(crate) const OPERATOR_KEY: &str = "operator";
const OPERATOR_FUND: u128 = 1_000_000_000;

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
    /// A contract that may: its wasm and the message that it is made with.
    pub(crate) authority_contract: Option<(Vec<u8>, Value)>,
    /// Who may register other attestation keys of the validator: an address or a file of words.
    pub(crate) operator: Option<String>,
    /// Whether, where nobody is named, each validator gets an operator of its own: an account in its home.
    pub(crate) own_operators: bool,
}

impl Beginning {
    /// Whether validators get operators of their own.
    pub(crate) fn own_operator(&self) -> bool {
        self.own_operators && self.operator.is_none()
    }
}

/// A validator of the first block.
pub(crate) struct Founder {
    /// What it is called.
    pub(crate) name: String,
    /// Its consensus key.
    pub(crate) key: SigningKey,
    /// Its attestation key.
    pub(crate) attester: AttestKey,
    /// Its operator's account, if it has one of its own.
    pub(crate) operator: Option<keys::Key>,
}
/// Label and salt of the contract that is the authority.
const AUTHORITY: &str = "authority";

/// A genesis file as read.
pub(crate) struct Document {
    /// What the engine starts from.
    pub(crate) origin: Origin,
    /// The application's part.
    pub(crate) app: Genesis,
    /// The file.
    pub(crate) json: Value,
}

impl Document {
    /// Reads a genesis file and checks it.
    pub(crate) fn read(path: &Path) -> Result<Self, HomeError> {
        let malformed = |reason: String| HomeError::Malformed { path: path.into(), reason };
        let json: Value = serde_json::from_slice(&read(path, FILE_MAX)?).map_err(|e| malformed(e.to_string()))?;
        let document: tendermint::Genesis =
            serde_json::from_value(json.clone()).map_err(|e| malformed(e.to_string()))?;
        let app_state = serde_json::to_vec(&document.app_state).map_err(|e| malformed(e.to_string()))?;
        let app = Genesis::decode(&app_state).map_err(|e| malformed(e.to_string()))?;
        let (first, why) = match &app.state {
            Some(state) => (state.height.saturating_add(1), "and the state in it ends just before"),
            None => (1, "and chains begin at"),
        };
        let initial_height = u64::try_from(document.initial_height).unwrap_or_default();
        if initial_height != first {
            return Err(malformed(format!("initial_height is {initial_height}, {why} {first}")));
        }
        let origin = Origin {
            chain_id: document.chain_id,
            time: document.genesis_time,
            params: document.consensus_params,
            validators: crate::engine::block::sorted(document.validators),
            initial_height,
            app_state: app_state.into(),
        };
        // The rows reach the application as bytes; nobody else asks for them.
        Ok(Document { origin, app: Genesis { state: None, ..app }, json })
    }
}

impl Founder {
    fn public(&self) -> PublicKey {
        PublicKey::from_ed25519_consensus(self.key.verification_key())
    }

    /// What others put into a genesis file of it.
    pub(crate) fn attests(&self, operator: &str) -> Attester {
        let consensus_key = self.key.verification_key().to_bytes();
        Attester {
            consensus_key: consensus_key.into(),
            bls_key: self.attester.public().into(),
            possession: self.attester.possession(&consensus_key, 0).into(),
            operator: operator.into(),
            name: self.name.clone(),
        }
    }
}

/// A validator as CometBFT's genesis file has it.
pub(crate) fn validator_row(public: &PublicKey, power: u64, name: &str) -> Value {
    json!({
        "address": shape::hex(account::Id::from(*public).as_bytes()),
        "pub_key": shape::public_key(public),
        "power": power.to_string(),
        "name": name,
    })
}

impl Home {
    /// Reads the genesis file.
    pub(crate) fn genesis(&self) -> Result<Document, HomeError> {
        let path = self.genesis_file();
        if !path.exists() {
            return Err(HomeError::Empty(self.path().into()));
        }
        Document::read(&path)
    }

    /// Takes over a genesis file that others have made, byte for byte; or, with `own`, with this home's validator as the
    /// only one that begins.
    pub(crate) fn adopt(&self, file: &Path, own: bool) -> Result<Document, HomeError> {
        if self.has_genesis() {
            let reason = format!("{} holds a chain already, choose another --home", self.path().display());
            return Err(option("--genesis", &file.display().to_string(), reason));
        }
        let Document { mut json, .. } = Document::read(file)?;
        let founder = self.founder(String::new(), false)?;
        let bytes = if own {
            json["validators"] = json!([validator_row(&founder.public(), POWER, &founder.name)]);
            json["app_state"]["attesters"] = json!([founder.attests("")]);
            // These make other rows than the ones that were exported.
            json["app_hash"] = "".into();
            if let Some(state) = json["app_state"].get_mut("state") {
                state["app_hash"] = "".into();
            }
            format!("{json}\n").into_bytes()
        } else {
            read(file, FILE_MAX)?
        };
        write_new(&self.genesis_file(), &bytes, false)?;
        self.genesis()
    }

    /// Writes keys and genesis, or checks that the chain that is here began as asked for.
    pub(crate) fn begin(&self, beginning: &Beginning, spec: Value) -> Result<Document, HomeError> {
        if self.has_genesis() {
            let document = self.genesis()?;
            self.same(beginning, &document)?;
            return Ok(document);
        }
        let founder = self.founder(String::new(), beginning.own_operator())?;
        let document = self.found(beginning, spec, &[founder])?;
        write_new(&self.genesis_file(), document.as_bytes(), false)?;
        self.genesis()
    }

    /// The text of a genesis file with these validators. Accounts that it makes have their keys in this home.
    pub(crate) fn found(&self, beginning: &Beginning, spec: Value, founders: &[Founder]) -> Result<String, HomeError> {
        let app = self.app_state(beginning, founders, spec)?;
        let chain_id = beginning.chain_id.clone().unwrap_or_else(|| "aceso-dev".into());
        let chain_id: chain::Id =
            chain_id.parse().map_err(|_: tendermint::Error| option("--chain-id", &chain_id, CHAIN_ID_RULE.into()))?;
        let validator = |founder: &Founder| validator_row(&founder.public(), POWER, &founder.name);
        let document = json!({
            "genesis_time": shape::time(Time::now()),
            "chain_id": chain_id,
            "initial_height": "1",
            "consensus_params": shape::consensus_params(&params()),
            "validators": founders.iter().map(validator).collect::<Vec<_>>(),
            "app_hash": "",
            "app_state": app,
        });
        Ok(format!("{document:#}\n"))
    }

    fn app_state(&self, beginning: &Beginning, founders: &[Founder], proof_spec: Value) -> Result<Genesis, HomeError> {
        let prefix = beginning.prefix.clone().unwrap_or_else(|| "aceso".into());
        let denom = beginning.denom.clone().unwrap_or_else(|| "uaceso".into());
        let mut balances = self.balances(&beginning.funds, &prefix)?;
        if balances.is_empty() {
            balances.push(self.default_balance(&prefix, &denom)?);
        }
        let who = |who: &Option<String>, name| match who {
            Some(text) => self.who(text, name, &prefix),
            None => Ok(String::new()),
        };
        let operator = who(&beginning.operator, "--operator")?;
        let operates = |founder: &Founder| match &founder.operator {
            Some(key) => key.address(&prefix),
            None => operator.clone(),
        };
        for founder in founders.iter().filter(|founder| founder.operator.is_some()) {
            let coins = vec![Coin { denom: denom.clone(), amount: OPERATOR_FUND.to_string() }];
            balances.push(Balance { address: operates(founder), coins });
        }
        let (authority, contracts) = match &beginning.authority_contract {
            Some((wasm, msg)) => contract(wasm, msg, &prefix)?,
            None => (who(&beginning.authority, "--authority")?, Vec::new()),
        };
        let attesters = founders.iter().map(|founder| founder.attests(&operates(founder))).collect();
        let genesis = Genesis {
            prefix,
            denom,
            balances,
            denom_metadata: vec![],
            vesting: vec![],
            codes: vec![],
            attesters,
            authority,
            params: Params::default(),
            contracts,
            proof_spec,
            state: None,
        };
        genesis.check().map_err(|e| option("genesis", "app_state", e.to_string()))?;
        Ok(genesis)
    }

    /// This home's validator, with all keys that it needs; those that are not there are made.
    pub(crate) fn founder(&self, name: String, operates_itself: bool) -> Result<Founder, HomeError> {
        self.make_opener(0)?;
        let operator = if operates_itself { Some(self.account(OPERATOR_KEY)?) } else { None };
        Ok(Founder { name, key: self.validator()?, attester: self.attester()?, operator })
    }

    /// The account of a name in this home; made where there is none.
    fn account(&self, name: &str) -> Result<keys::Key, HomeError> {
        match keys::list(self)?.into_iter().find(|key| key.name == name) {
            Some(key) => Ok(key),
            None => keys::add(self, name, &crate::address::new_mnemonic().map_err(HomeError::Random)?),
        }
    }

    fn balances(&self, funds: &[String], prefix: &str) -> Result<Vec<Balance>, HomeError> {
        funds
            .iter()
            .map(|fund| {
                let refuse = |reason: &str| option("--fund", fund, reason.into());
                let (who, coins) = fund.rsplit_once('=').ok_or_else(|| refuse("is not WHO=COINS"))?;
                let address = self.who(who, "--fund", prefix)?;
                let coins = parse_coins(coins).map_err(|reason| refuse(&reason))?;
                Ok(Balance { address, coins })
            })
            .collect()
    }

    /// An account of its own for whoever does not say who owns the coins.
    fn default_balance(&self, prefix: &str, denom: &str) -> Result<Balance, HomeError> {
        let key = self.account(FUND_KEY)?;
        let coins = vec![Coin { denom: denom.into(), amount: FUND_DEFAULT.to_string() }];
        Ok(Balance { address: key.address(prefix), coins })
    }

    /// An address as it is, or the first account of a file of words.
    pub(crate) fn who(&self, who: &str, option_name: &'static str, prefix: &str) -> Result<String, HomeError> {
        if is_address(who, prefix) {
            return Ok(who.into());
        }
        let file = Path::new(who);
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

/// The contract that is the authority: its address, and what makes it.
fn contract(wasm: &[u8], msg: &Value, prefix: &str) -> Result<(String, Vec<GenesisContract>), HomeError> {
    let address = aceso_app::genesis_contract(wasm, AUTHORITY.as_bytes(), prefix)
        .ok_or_else(|| option("--prefix", prefix, "cannot begin an address".into()))?;
    let made = GenesisContract {
        code: wasm.to_vec(),
        code_id: 0,
        label: AUTHORITY.into(),
        admin: "self".into(),
        msg: msg.clone(),
        salt: AUTHORITY.into(),
    };
    Ok((address, vec![made]))
}

fn coins_text(coins: &[Coin]) -> String {
    coins.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect::<Vec<_>>().join(",")
}

/// `1000uaceso,5ustake`, sorted by denomination.
pub(crate) fn parse_coins(text: &str) -> Result<Vec<Coin>, String> {
    let wrong = || "coins are such as 1000uaceso,5ustake".to_owned();
    let mut coins: Vec<Coin> =
        text.split(',').map(|coin| parse_coin(coin).ok_or_else(wrong)).collect::<Result<_, _>>()?;
    coins.sort();
    if coins.windows(2).any(|pair| pair.first().map(|c| &c.denom) == pair.last().map(|c| &c.denom)) {
        return Err("a denomination is named twice".into());
    }
    Ok(coins)
}

/// `1000uaceso`.
fn parse_coin(text: &str) -> Option<Coin> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, denom) = text.split_at_checked(digits)?;
    let amount: u128 = amount.parse().ok()?;
    is_denom(denom).then(|| Coin { denom: denom.into(), amount: amount.to_string() })
}

/// CometBFT's rule and that of the types in which a chain's name travels.
pub(crate) const CHAIN_ID_RULE: &str = "the name of a chain is 1 to 50 letters, digits, dots, hyphens and underscores";

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
        // CometBFT takes it from the application when it starts, and from here when it goes back a height.
        version: Some(consensus::params::VersionParams { app: aceso_app::APP_VERSION }),
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
        assert_eq!(made.json["consensus_params"]["version"]["app"], "1");
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
