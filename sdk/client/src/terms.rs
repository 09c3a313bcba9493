//! Transactions by terms of the sender's own: what they may cost, how long they hold, what stands beside the messages.
//!
//! [`Client::draft`] makes one without signatures, which can be shown, kept in a file and signed elsewhere;
//! [`Draft::sign`] signs it for a chain and an account.

use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::v1beta1::Coin,
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{
                AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, Tx, TxBody, TxRaw,
                mode_info::{Single, Sum},
            },
        },
    },
};
use prost::Message;

use crate::{Account, Client, ClientError, GasLimit, Key};

/// Digits behind the point that a gas price may have.
const PRICE_DIGITS: u32 = 18;

/// What a sender pays.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pays {
    /// The chain's own price for the gas that is asked for.
    #[default]
    Price,
    /// These prices for a unit of gas.
    Prices(Vec<GasPrice>),
    /// These coins, whatever the gas.
    Coins(Vec<Coin>),
}

/// The price of a unit of gas, such as `0.025uaceso`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasPrice {
    /// In parts of 10^18.
    atto: u128,
    denom: String,
}

/// The terms of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// How much gas it may use.
    pub gas: GasLimit,
    /// What simulated gas is multiplied by, in hundredths.
    pub adjustment: u64,
    /// What is paid for it.
    pub pays: Pays,
    /// Who pays instead of the sender, and signs too; empty for the sender.
    pub payer: String,
    /// Who pays instead of that one, by an allowance; empty for nobody.
    pub granter: String,
    /// A sentence for everybody.
    pub memo: String,
    /// The last block that may have it; 0 for any.
    pub timeout_height: u64,
    /// The sender's public key, where it is known: a simulation reckons with it, and else with one secp256k1 key.
    pub key: Option<Any>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            gas: GasLimit::Auto,
            adjustment: 140,
            pays: Pays::default(),
            payer: String::new(),
            granter: String::new(),
            memo: String::new(),
            timeout_height: 0,
            key: None,
        }
    }
}

impl GasPrice {
    /// Reads `0.025uaceso`; none where it is no price.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, denom) = text.split_at(end);
        if !aceso_types::genesis::is_denom(denom) {
            return None;
        }
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = u32::try_from(part.len()).ok().filter(|digits| *digits <= PRICE_DIGITS)?;
        if whole.is_empty() || (number.contains('.') && part.is_empty()) {
            return None;
        }
        let shift = 10_u128.pow(PRICE_DIGITS - digits);
        let atto = format!("{whole}{part}").parse::<u128>().ok()?.checked_mul(shift)?;
        Some(Self { atto, denom: denom.into() })
    }

    /// What this much gas costs, rounded up; none where nobody has so much.
    fn of(&self, gas: u64) -> Option<Coin> {
        let amount = self.atto.checked_mul(gas.into())?.div_ceil(10_u128.pow(PRICE_DIGITS));
        Some(Coin { denom: self.denom.clone(), amount: amount.to_string() })
    }
}

/// A transaction that nobody has signed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it says.
    pub body: TxBody,
    /// What it may cost.
    pub fee: Fee,
}

impl Draft {
    /// Reads it from a transaction; what signatures there are do not count.
    pub fn of(tx: &Tx) -> Option<Self> {
        Some(Self { body: tx.body.clone()?, fee: tx.auth_info.as_ref()?.fee.clone()? })
    }

    /// The transaction without signatures.
    pub fn unsigned(&self) -> Tx {
        self.with(Vec::new())
    }

    /// The transaction with signatures that were made elsewhere, each with what stands beside it.
    pub fn with(&self, signed: Vec<(SignerInfo, Vec<u8>)>) -> Tx {
        let (signer_infos, signatures) = signed.into_iter().unzip();
        #[allow(deprecated, reason = "the tip is part of the wire format")]
        let auth_info = AuthInfo { signer_infos, fee: Some(self.fee.clone()), tip: None };
        Tx { body: Some(self.body.clone()), auth_info: Some(auth_info), signatures }
    }

    /// Its bytes, signed directly by one account.
    pub fn sign(&self, chain_id: &str, key: &Key, account: &Account) -> Vec<u8> {
        let mode = ModeInfo { sum: Some(Sum::Single(Single { mode: SignMode::Direct.into() })) };
        let public_key = Some(key.packed());
        let signer = SignerInfo { public_key, mode_info: Some(mode), sequence: account.sequence };
        let signature = key.sign(&self.direct(vec![signer.clone()], chain_id, account.number));
        self.with(vec![(signer, signature)]).encode_to_vec()
    }

    /// The document that an account signs directly: all that stands in the transaction, what stands beside the signatures
    /// of others included.
    pub fn direct(&self, signers: Vec<SignerInfo>, chain_id: &str, account_number: u64) -> Vec<u8> {
        let unsigned = self.with(signers.into_iter().map(|signer| (signer, Vec::new())).collect());
        let auth_info_bytes = unsigned.auth_info.unwrap_or_default().encode_to_vec();
        let body_bytes = self.body.encode_to_vec();
        SignDoc { body_bytes, auth_info_bytes, chain_id: chain_id.into(), account_number }.encode_to_vec()
    }
}

impl Client {
    /// A transaction of an account by its terms, and what it would use where the terms ask for a simulation. The account
    /// must be known to the chain; its key is not needed.
    pub fn draft(&self, sender: &str, messages: Vec<Any>, terms: &Terms) -> Result<(Draft, u64), ClientError> {
        let body =
            TxBody { messages, memo: terms.memo.clone(), timeout_height: terms.timeout_height, ..TxBody::default() };
        let (limit, used) = match terms.gas {
            GasLimit::Fixed(limit) => (limit, 0),
            GasLimit::Auto => {
                let used = self.simulate_unsigned(sender, &body, terms)?;
                (u64::try_from(u128::from(used) * u128::from(terms.adjustment) / 100).unwrap_or(u64::MAX), used)
            }
        };
        let amount = match &terms.pays {
            Pays::Price => vec![self.chain.fee(limit)],
            Pays::Coins(coins) => coins.clone(),
            Pays::Prices(prices) => {
                let coins: Option<Vec<Coin>> = prices.iter().map(|price| price.of(limit)).collect();
                coins.ok_or(ClientError::Price(limit))?
            }
        };
        let fee = Fee { amount, gas_limit: limit, payer: terms.payer.clone(), granter: terms.granter.clone() };
        Ok((Draft { body, fee }, used))
    }

    /// SDK gas that a transaction of an account would use now.
    fn simulate_unsigned(&self, sender: &str, body: &TxBody, terms: &Terms) -> Result<u64, ClientError> {
        let Account { sequence, .. } = self.account(sender)?;
        // No signature: a simulation reckons with what the account's kind of key costs.
        let mode = ModeInfo { sum: Some(Sum::Single(Single { mode: SignMode::Unspecified.into() })) };
        let signer = SignerInfo { public_key: terms.key.clone(), mode_info: Some(mode), sequence };
        let fee = Fee { payer: terms.payer.clone(), granter: terms.granter.clone(), ..Fee::default() };
        #[allow(deprecated, reason = "the tip is part of the wire format")]
        let auth_info = AuthInfo { signer_infos: vec![signer], fee: Some(fee), tip: None };
        let (body_bytes, auth_info_bytes) = (body.encode_to_vec(), auth_info.encode_to_vec());
        self.simulate(&TxRaw { body_bytes, auth_info_bytes, signatures: vec![Vec::new()] }.encode_to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_rounded_up() {
        let fee = |price: &str, gas| GasPrice::parse(price).unwrap().of(gas).map(|coin| coin.amount + &coin.denom);
        assert_eq!(fee("0.025uaceso", 100).unwrap(), "3uaceso");
        assert_eq!(fee("0.025uaceso", 120).unwrap(), "3uaceso");
        assert_eq!(fee("2uaceso", 7).unwrap(), "14uaceso");
        assert_eq!(fee("0.000000000000000001uaceso", 1).unwrap(), "1uaceso");
        assert_eq!(fee("340282366920938463463uaceso", u64::MAX), None);
        for wrong in ["", "uaceso", "1", ".5uaceso", "1.uaceso", "1.2.3uaceso", "-1uaceso", "1u", "1 uaceso"] {
            assert!(GasPrice::parse(wrong).is_none(), "{wrong}");
        }
        assert!(GasPrice::parse("0.0000000000000000001uaceso").is_none());
    }

    #[test]
    fn a_draft_comes_back_and_is_signed_for_one_account() {
        let key = Key::from_bytes(&[3; 32]).unwrap();
        let draft = Draft {
            body: TxBody { memo: "m".into(), timeout_height: 9, ..TxBody::default() },
            fee: Fee { gas_limit: 5, granter: "g".into(), ..Fee::default() },
        };
        let signed = draft.sign("c", &key, &Account { number: 4, sequence: 2 });
        let tx = Tx::decode(&signed[..]).unwrap();
        assert_eq!(Draft::of(&tx), Some(draft.clone()));
        assert_eq!(Draft::of(&draft.unsigned()), Some(draft.clone()));
        assert_eq!(tx.auth_info.unwrap().signer_infos[0].sequence, 2);
        assert_ne!(draft.sign("d", &key, &Account { number: 4, sequence: 2 }), signed);
        assert_eq!(Draft::of(&Tx::default()), None);
    }
}
