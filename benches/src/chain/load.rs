//! A load that is signed before it is sent: cw20 transfers of many accounts, each to some other one.

use aceso_client::{Account, Chain, Key};
use aceso_test_support::random::Random;
use anyhow::{Context, Result};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::TxBody,
    cosmwasm::wasm::v1::{MsgExecuteContract, MsgInstantiateContract, MsgStoreCode},
    traits::Name,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What every account of the load owns at first, of the coin and of the token.
pub(crate) const FUNDS: u128 = 1_000_000_000_000_000;
/// Gas that a transfer is given; wasmd uses 112 k of it.
const TRANSFER_GAS: u64 = 180_000;
/// Gas for code and contract.
const SETUP_GAS: u64 = 20_000_000;

/// Accounts with their next sequences on one chain.
pub(crate) struct People {
    pub(crate) chain: Chain,
    keys: Vec<Key>,
    pub(crate) addresses: Vec<String>,
    accounts: Vec<Account>,
}

impl People {
    /// The same accounts in every run; `chain` says what their addresses begin with.
    pub(crate) fn new(count: u32, chain: Chain) -> Result<Self> {
        let key = |number: u32| Ok(Key::from_bytes(&Sha256::digest(number.to_be_bytes()))?);
        let keys: Vec<Key> = (1..=count).map(key).collect::<Result<_>>()?;
        let addresses = keys.iter().map(|key| key.address(&chain.prefix)).collect();
        let accounts = vec![Account { number: 0, sequence: 0 }; keys.len()];
        Ok(Self { chain, keys, addresses, accounts })
    }

    /// Takes over what the chain says of every account.
    pub(crate) fn learn(&mut self, ask: impl Fn(&str) -> Result<Account>) -> Result<()> {
        self.accounts = self.addresses.iter().map(|address| ask(address)).collect::<Result<_>>()?;
        Ok(())
    }

    /// A transaction of the account at this place, which counts its sequence.
    fn sign(&mut self, at: usize, message: Any, gas: u64) -> Result<Vec<u8>> {
        let (key, account) = (self.keys.get(at), self.accounts.get_mut(at));
        let (key, account) = key.zip(account).context("there is no such account")?;
        let body = TxBody { messages: vec![message], ..TxBody::default() };
        let tx = self.chain.signed(key, &body, account, gas);
        account.sequence += 1;
        Ok(tx)
    }

    /// Stores a contract's code.
    pub(crate) fn store(&mut self, wasm: &[u8]) -> Result<Vec<u8>> {
        let sender = self.founder()?;
        let msg = MsgStoreCode { sender, wasm_byte_code: wasm.into(), ..MsgStoreCode::default() };
        self.sign(0, any(&msg), SETUP_GAS)
    }

    /// Makes a token of which everybody has the same.
    pub(crate) fn instantiate(&mut self, code_id: u64) -> Result<Vec<u8>> {
        let row = |address: &String| json!({"address": address, "amount": FUNDS.to_string()});
        let balances: Vec<Value> = self.addresses.iter().map(row).collect();
        let token = json!({"name": "bench", "symbol": "BENCH", "decimals": 6, "initial_balances": balances});
        let msg = MsgInstantiateContract {
            sender: self.founder()?,
            code_id,
            label: "bench".into(),
            msg: serde_json::to_vec(&token)?,
            ..MsgInstantiateContract::default()
        };
        self.sign(0, any(&msg), SETUP_GAS)
    }

    /// So many transfers of one unit, everybody in turn, to `to` as the generator picks them.
    pub(crate) fn transfers(
        &mut self,
        token: &str,
        count: usize,
        to: impl Fn(&mut Random) -> Result<String>,
    ) -> Result<Vec<Vec<u8>>> {
        let mut random = Random::new(11);
        let mut one = |at: usize| {
            let at = at % self.keys.len();
            let msg = json!({"transfer": {"recipient": to(&mut random)?, "amount": "1"}});
            let msg = MsgExecuteContract {
                sender: self.addresses.get(at).cloned().unwrap_or_default(),
                contract: token.into(),
                msg: serde_json::to_vec(&msg)?,
                funds: Vec::new(),
            };
            self.sign(at, any(&msg), TRANSFER_GAS)
        };
        (0..count).map(&mut one).collect()
    }

    fn founder(&self) -> Result<String> {
        self.addresses.first().cloned().context("there are no accounts")
    }
}

fn any<M: Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}
