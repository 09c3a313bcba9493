//! The messages of `aceso tx authz` and `aceso tx feegrant`, by the Cosmos SDK's names.

use std::path::PathBuf;

use aceso_client::{Authorization, authorize, cosmos_any, for_others, no_allowance, no_more};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use cosmos_sdk_proto::{
    Any,
    cosmos::feegrant::v1beta1::{AllowedMsgAllowance, BasicAllowance, MsgGrantAllowance, PeriodicAllowance},
};
use tendermint_proto::google::protobuf::{Duration, Timestamp};

use super::{offline, patient::now, tx::coins};

#[derive(Subcommand, Debug)]
pub(super) enum Authz {
    /// Let an account send messages for yours.
    Grant {
        /// Who may.
        grantee: String,
        /// What: any message of a type, or coins.
        kind: Kind,
        /// The messages' type URL.
        #[arg(long, value_name = "URL", required_if_eq("kind", "generic"))]
        msg_type: Option<String>,
        /// How many coins in all, such as 1000uaceso.
        #[arg(long, value_name = "COINS", required_if_eq("kind", "send"))]
        spend_limit: Option<String>,
        /// Coins to these accounts only.
        #[arg(long, value_delimiter = ',', value_name = "ADDRESSES")]
        allow_list: Vec<String>,
        /// Until when, in seconds since the Unix epoch; 0 for ever.
        #[arg(long, default_value_t = 0, value_name = "T")]
        expiration: i64,
    },
    /// Take back what an account may send of a type.
    Revoke {
        /// From whom.
        grantee: String,
        /// The messages' type URL.
        url: String,
    },
    /// Send the messages of a transaction in the names of others.
    Exec {
        /// Its file, as --generate-only has written it; - is standard input.
        tx: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Any message of a type.
    Generic,
    /// Coins.
    Send,
}

#[derive(Subcommand, Debug)]
pub(super) enum Feegrant {
    /// Pay an account's fees.
    Grant(Box<Pay>),
    /// Pay them no more.
    Revoke {
        /// Who pays: a key's name or address, or a file of words. --from says it too, or nothing else.
        granter: String,
        /// For whom.
        grantee: String,
    },
}

/// What is paid for an account.
#[derive(Args, Debug)]
pub(super) struct Pay {
    /// Who pays: a key's name or address, or a file of words. --from says it too, or nothing else.
    granter: String,
    /// For whom.
    grantee: String,
    /// How many coins in all, such as 1000uaceso [default: any number].
    #[arg(long, value_name = "COINS")]
    spend_limit: Option<String>,
    /// Until when, such as 2027-01-30T15:04:05Z.
    #[arg(long, value_name = "TIME")]
    expiration: Option<String>,
    /// Seconds of a period.
    #[arg(long, value_name = "SECONDS", requires = "period_limit")]
    period: Option<u32>,
    /// How many coins in each period.
    #[arg(long, value_name = "COINS", requires = "period")]
    period_limit: Option<String>,
    /// Fees of these messages only, by their type URLs.
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    allowed_messages: Vec<String>,
}

impl Authz {
    pub(super) fn message(&self, sender: &str) -> Result<Any> {
        match self {
            Self::Grant { grantee, kind, msg_type, spend_limit, allow_list, expiration } => {
                let authorization = match (kind, msg_type, spend_limit) {
                    (Kind::Generic, Some(url), _) => Authorization::Generic(url.clone()),
                    (Kind::Send, _, Some(limit)) => {
                        Authorization::Send { limit: coins(limit)?, to: allow_list.clone() }
                    }
                    _ => bail!("say what may be sent: --msg-type URL, or --spend-limit COINS"),
                };
                let until = Some(*expiration).filter(|until| *until != 0);
                authorize(sender, grantee, &authorization, until).context("there is no limit")
            }
            Self::Revoke { grantee, url } => Ok(no_more(sender, grantee, url)),
            Self::Exec { tx } => {
                let messages = offline::read(tx)?.body.unwrap_or_default().messages;
                ensure!(!messages.is_empty(), "{} has no messages", tx.display());
                Ok(for_others(sender, messages))
            }
        }
    }
}

impl Feegrant {
    /// Who pays.
    pub(super) fn sender(&self) -> &str {
        match self {
            Self::Grant(pay) => &pay.granter,
            Self::Revoke { granter, .. } => granter,
        }
    }

    pub(super) fn message(&self, sender: &str) -> Result<Any> {
        match self {
            Self::Grant(pay) => {
                let allowance = Some(pay.allowance(now()?)?);
                let (granter, grantee) = (sender.to_owned(), pay.grantee.clone());
                Ok(cosmos_any(&MsgGrantAllowance { granter, grantee, allowance }))
            }
            Self::Revoke { grantee, .. } => Ok(no_allowance(sender, grantee)),
        }
    }
}

impl Pay {
    /// The allowance, whose first period begins at a second of Unix time.
    fn allowance(&self, now: u64) -> Result<Any> {
        let spend_limit = self.spend_limit.as_deref().map_or(Ok(Vec::new()), coins)?;
        let expiration = self.expiration.as_deref().map(time).transpose()?;
        let basic = BasicAllowance { spend_limit, expiration };
        let allowance = match (self.period, &self.period_limit) {
            (Some(period), Some(limit)) => {
                let limit = coins(limit)?;
                let reset = i64::try_from(now.saturating_add(period.into())).unwrap_or(i64::MAX);
                cosmos_any(&PeriodicAllowance {
                    basic: Some(basic),
                    period: Some(Duration { seconds: period.into(), nanos: 0 }),
                    period_spend_limit: limit.clone(),
                    period_can_spend: limit,
                    period_reset: Some(Timestamp { seconds: reset, nanos: 0 }),
                })
            }
            _ => cosmos_any(&basic),
        };
        Ok(match self.allowed_messages.is_empty() {
            true => allowance,
            false => {
                let allowed_messages = self.allowed_messages.clone();
                cosmos_any(&AllowedMsgAllowance { allowance: Some(allowance), allowed_messages })
            }
        })
    }
}

/// A time of RFC 3339.
fn time(text: &str) -> Result<Timestamp> {
    let time = tendermint::Time::parse_from_rfc3339(text);
    let time = time.with_context(|| format!("{text:?} is no time such as 2027-01-30T15:04:05Z"))?;
    Ok(time.into())
}
