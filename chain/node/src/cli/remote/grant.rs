//! The messages of `aceso tx wasm grant`, by the names and flags of wasmd: contracts that another may call for one's own
//! account, and code that it may upload.

use aceso_client::{Authorization, Calls, Messages, authorize};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use cosmos_sdk_proto::{
    Any,
    cosmos::base::v1beta1::Coin,
    cosmwasm::wasm::v1::{AccessConfig, AccessType, CodeGrant},
};
use serde::de::IgnoredAny;

use super::{
    tx::coins,
    verbs::{access, on_chain},
};

/// What stands for any code, and for any permission.
const ANY: &str = "*";

#[derive(Subcommand, Debug)]
pub(super) enum Grant {
    /// Let an account execute or migrate a contract for yours.
    Contract(Box<Contract>),
    /// Let an account upload code for yours.
    StoreCode {
        /// Who may.
        grantee: String,
        /// The code's SHA-256 in hexadecimal, or * for any; and who may make contracts of it at most: everybody, nobody,
        /// addresses with commas, or * for any.
        #[arg(required = true, value_name = "HASH:PERMISSION")]
        codes: Vec<String>,
        /// Until when, in seconds since the Unix epoch; 0 for ever.
        #[arg(long, default_value_t = 0, value_name = "T")]
        expiration: i64,
    },
}

/// What an account may do with a contract.
#[derive(Args, Debug)]
pub(super) struct Contract {
    /// Who may.
    grantee: String,
    /// What.
    act: Act,
    /// The contract's address.
    contract: String,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    limit: Limit,
    /// Until when, in seconds since the Unix epoch.
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(i64).range(1..))]
    expiration: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Act {
    /// Execute it.
    Execution,
    /// Put it on other code.
    Migration,
}

/// With which messages: one of the three.
#[derive(Args, Debug, Default)]
#[group(required = true, multiple = false)]
struct Filter {
    /// With any message.
    #[arg(long)]
    allow_all_messages: bool,
    /// With objects of one field, which has one of these names.
    #[arg(long, value_delimiter = ',', value_name = "KEYS")]
    allow_msg_keys: Vec<String>,
    /// With these messages in JSON alone, byte for byte; with commas between them.
    #[arg(long, value_name = "MESSAGES")]
    allow_raw_msgs: Vec<String>,
}

/// How often, and with how many coins.
#[derive(Args, Clone, Debug, Default)]
struct Limit {
    /// So many calls in all.
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
    /// Coins for the contract, so many in all, such as 1000uaceso.
    #[arg(long, value_name = "COINS", conflicts_with = "no_token_transfer")]
    max_funds: Option<String>,
    /// No coins.
    #[arg(long)]
    no_token_transfer: bool,
}

impl Grant {
    /// The message of a granter on a chain with this prefix.
    pub(super) fn message(&self, granter: &str, prefix: &str) -> Result<Any> {
        let (grantee, authorization, expiration) = match self {
            Self::Contract(asked) => {
                on_chain(&asked.contract, prefix)?;
                let (calls, coins) = asked.limit.read()?;
                let (contract, messages) = (asked.contract.clone(), asked.filter.read()?);
                let calls = Calls { contract, calls, coins, messages };
                let authorization = match asked.act {
                    Act::Execution => Authorization::Execute(calls),
                    Act::Migration => Authorization::Migrate(calls),
                };
                (&asked.grantee, authorization, asked.expiration)
            }
            Self::StoreCode { grantee, codes, expiration } => {
                let grants = codes.iter().map(|text| code(text, prefix)).collect::<Result<_>>()?;
                (grantee, Authorization::Store(grants), *expiration)
            }
        };
        on_chain(grantee, prefix)?;
        let until = Some(expiration).filter(|until| *until != 0);
        authorize(granter, grantee, &authorization, until).context(UNLIMITED)
    }
}

/// What whoever sets no limit should know.
const UNLIMITED: &str = "say how often and with how many coins: --max-calls N --no-token-transfer, --max-funds COINS, or \
                         --max-calls N --max-funds COINS";

impl Limit {
    /// Calls and coins; no coins at all where there are none. wasmd asks that whoever limits calls alone says so.
    fn read(&self) -> Result<(Option<u64>, Option<Vec<Coin>>)> {
        let calls = self.max_calls.filter(|calls| *calls != 0);
        match (calls, &self.max_funds, self.no_token_transfer) {
            (Some(_), None, true) => Ok((calls, None)),
            (_, Some(most), false) => Ok((calls, Some(coins(most).context("--max-funds")?))),
            _ => bail!(UNLIMITED),
        }
    }
}

impl Filter {
    fn read(&self) -> Result<Messages> {
        if self.allow_all_messages {
            return Ok(Messages::Any);
        }
        if !self.allow_msg_keys.is_empty() {
            return Ok(Messages::Keys(self.allow_msg_keys.clone()));
        }
        let mut messages = Vec::new();
        for text in &self.allow_raw_msgs {
            messages.extend(several(text)?);
        }
        Ok(Messages::Just(messages))
    }
}

/// Messages in JSON with commas between them, each byte for byte.
fn several(text: &str) -> Result<Vec<Vec<u8>>> {
    let wrong = || format!("--allow-raw-msgs {text}: these are no messages in JSON with commas between them");
    let (mut messages, mut rest) = (Vec::new(), text.trim());
    loop {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next().with_context(wrong)?.with_context(wrong)?;
        let (message, after) = rest.split_at_checked(values.byte_offset()).with_context(wrong)?;
        messages.push(message.as_bytes().to_vec());
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(messages);
        }
        rest = after.strip_prefix(',').with_context(wrong)?.trim_start();
    }
}

/// `HASH:PERMISSION`
fn code(text: &str, prefix: &str) -> Result<CodeGrant> {
    let wrong = || {
        format!(
            "{text:?} is no HASH:PERMISSION, which has 64 hexadecimal digits or {ANY}, and everybody, nobody, addresses or {ANY}"
        )
    };
    let (hash, permission) = text.split_once(':').with_context(wrong)?;
    let code_hash = match hash {
        // That is how any code is said on the wire too.
        ANY => ANY.into(),
        hash => hex::decode(hash).ok().filter(|hash| hash.len() == 32).with_context(wrong)?,
    };
    Ok(CodeGrant { code_hash, instantiate_permission: most(permission, prefix)? })
}

/// Who may make contracts at most; nothing where it does not matter.
fn most(permission: &str, prefix: &str) -> Result<Option<AccessConfig>> {
    Ok(Some(match permission {
        ANY => return Ok(None),
        "everybody" => access(AccessType::Everybody, &[]),
        "nobody" => access(AccessType::Nobody, &[]),
        addresses => {
            let addresses: Vec<String> = addresses.split(',').map(str::to_owned).collect();
            addresses.iter().try_for_each(|address| on_chain(address, prefix))?;
            access(AccessType::AnyOfAddresses, &addresses)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_how_often_and_with_what() {
        let read = |max_calls, max_funds: Option<&str>, no_token_transfer| {
            let limit = Limit { max_calls, max_funds: max_funds.map(str::to_owned), no_token_transfer };
            limit.read().map(|(calls, coins)| (calls, coins.map(|coins| coins.len())))
        };
        assert_eq!(read(Some(2), None, true).unwrap(), (Some(2), None));
        assert_eq!(read(None, Some("1ua1,2ub1"), false).unwrap(), (None, Some(2)));
        assert_eq!(read(Some(2), Some("1ua1"), false).unwrap(), (Some(2), Some(1)));
        assert_eq!(read(Some(0), Some("1ua1"), false).unwrap(), (None, Some(1)));
        // Whether coins may go with them is not said; no limit; and both at once.
        for (calls, coins, none) in
            [(Some(2), None, false), (None, None, true), (Some(0), None, true), (None, Some("1ua1"), true)]
        {
            assert_eq!(read(calls, coins, none).unwrap_err().to_string(), UNLIMITED);
        }
        assert!(read(None, Some("few"), false).unwrap_err().to_string().contains("--max-funds"));
    }

    #[test]
    fn messages_are_kept_byte_for_byte() {
        let read = |text: &str| {
            let messages = several(text).ok()?;
            Some(messages.into_iter().map(|one| String::from_utf8(one).unwrap()).collect::<Vec<_>>())
        };
        let all = |all: &[&str]| Some(all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#"{"b":1, "a":[1,2]}"#), all(&[r#"{"b":1, "a":[1,2]}"#]));
        assert_eq!(read(r#" {"a":{}} , "stop",7 "#), all(&[r#"{"a":{}}"#, r#""stop""#, "7"]));
        for wrong in ["", ",", "{", "{},", "{} {}", "{}x", "claim"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn code_is_named_by_its_hash_and_a_permission() {
        let alice = crate::address::account(&[2; 33], "aceso").unwrap();
        let hash = "AB".repeat(32);
        let read = |text: &str| code(text, "aceso");
        let kind = |text: &str| read(text).unwrap().instantiate_permission.map(|config| config.permission);
        assert_eq!(read(&format!("{hash}:*")).unwrap().code_hash, [0xab; 32]);
        assert_eq!((read("*:nobody").unwrap().code_hash, kind("*:*")), (b"*".to_vec(), None));
        assert_eq!(kind("*:nobody"), Some(AccessType::Nobody.into()));
        assert_eq!(kind("*:everybody"), Some(AccessType::Everybody.into()));
        let two = read(&format!("*:{alice},{alice}")).unwrap().instantiate_permission.unwrap();
        assert_eq!((two.permission, two.addresses.len()), (AccessType::AnyOfAddresses.into(), 2));
        for wrong in ["", "*", "abc:nobody", "1wqrtry:nobody", &format!("{hash}0:nobody"), &hash] {
            assert!(read(wrong).unwrap_err().to_string().contains("is no HASH:PERMISSION"), "{wrong}");
        }
        for wrong in ["*:", "*:some", &format!("*:{alice},"), "*:cosmos1x"] {
            assert!(read(wrong).unwrap_err().to_string().contains("is no address of this chain"), "{wrong}");
        }
    }
}
