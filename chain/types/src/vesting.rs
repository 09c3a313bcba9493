//! Accounts of a genesis whose coins become theirs to spend over time, in the Cosmos SDK's JSON
//! (`cosmos/vesting/v1beta1/vesting.proto`), so that lists made for other chains can be taken over.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::genesis::Coin;

/// An account that vests, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "@type", deny_unknown_fields)]
pub enum VestingAccount {
    /// What the others have in common. By itself it locks nothing.
    #[serde(rename = "/cosmos.vesting.v1beta1.BaseVestingAccount")]
    Base(BaseVesting),
    /// Vests a little every second from its start to its end.
    #[serde(rename = "/cosmos.vesting.v1beta1.ContinuousVestingAccount")]
    Continuous {
        /// What every such account has.
        base_vesting_account: BaseVesting,
        /// Seconds since the Unix epoch.
        #[serde(with = "decimal")]
        start_time: i64,
    },
    /// Vests as a whole at its end.
    #[serde(rename = "/cosmos.vesting.v1beta1.DelayedVestingAccount")]
    Delayed {
        /// What every such account has.
        base_vesting_account: BaseVesting,
    },
    /// Vests a part at the end of each period.
    #[serde(rename = "/cosmos.vesting.v1beta1.PeriodicVestingAccount")]
    Periodic {
        /// What every such account has.
        base_vesting_account: BaseVesting,
        /// Seconds since the Unix epoch.
        #[serde(with = "decimal")]
        start_time: i64,
        /// The periods, one after the other.
        vesting_periods: Vec<Period>,
    },
    /// Never vests.
    #[serde(rename = "/cosmos.vesting.v1beta1.PermanentLockedAccount")]
    PermanentLocked {
        /// What every such account has.
        base_vesting_account: BaseVesting,
    },
}

impl VestingAccount {
    /// What every such account has.
    pub fn base(&self) -> &BaseVesting {
        match self {
            Self::Base(base) => base,
            Self::Continuous { base_vesting_account, .. }
            | Self::Delayed { base_vesting_account }
            | Self::Periodic { base_vesting_account, .. }
            | Self::PermanentLocked { base_vesting_account } => base_vesting_account,
        }
    }
}

/// What every account that vests has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseVesting {
    /// Whose it is.
    pub base_account: Named,
    /// What vests, sorted by denomination. The account's balance has it too.
    pub original_vesting: Vec<Coin>,
    /// Nothing can be delegated here; told as it is.
    #[serde(default)]
    pub delegated_free: Vec<Coin>,
    /// What of the coins that vest was delegated when the list was made: it is not locked.
    #[serde(default)]
    pub delegated_vesting: Vec<Coin>,
    /// When all has vested, in seconds since the Unix epoch; 0 where nothing ever does.
    #[serde(with = "decimal")]
    pub end_time: i64,
}

/// An account that has signed nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The account.
    pub address: String,
    /// Its key is not known before it signs.
    #[serde(default)]
    pub pub_key: Option<()>,
    /// Accounts are numbered anew, whatever stands here.
    #[serde(default, with = "decimal")]
    pub account_number: i64,
    /// Its first transaction is still to come.
    #[serde(default, with = "decimal")]
    pub sequence: i64,
}

/// A part of what vests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Seconds from the end of the period before.
    #[serde(with = "decimal")]
    pub length: i64,
    /// What vests at its end, sorted by denomination.
    pub amount: Vec<Coin>,
}

/// 64-bit numbers in JSON that Cosmos clients read: decimal text.
mod decimal {
    use alloc::string::{String, ToString};

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_as_the_sdk_writes_them() {
        let text = r#"{"@type":"/cosmos.vesting.v1beta1.PeriodicVestingAccount","base_vesting_account":{"base_account":{"address":"aceso1x","pub_key":null,"account_number":"7","sequence":"0"},"original_vesting":[{"denom":"uaceso","amount":"5"}],"delegated_free":[],"delegated_vesting":[],"end_time":"1900000000"},"start_time":"1800000000","vesting_periods":[{"length":"100000000","amount":[{"denom":"uaceso","amount":"5"}]}]}"#;
        let account: VestingAccount = serde_json::from_str(text).unwrap();
        assert_eq!((account.base().end_time, account.base().base_account.account_number), (1_900_000_000, 7));
        assert_eq!(serde_json::to_string(&account).unwrap(), text);
        let base = serde_json::to_value(account.base()).unwrap();
        let typed = |kind: &str| {
            let mut value = base.clone();
            value["@type"] = alloc::format!("/cosmos.vesting.v1beta1.{kind}").into();
            serde_json::from_value::<VestingAccount>(value)
        };
        assert!(matches!(typed("BaseVestingAccount").unwrap(), VestingAccount::Base(_)));
        assert!(typed("ContinuousVestingAccount").is_err() && typed("ClawbackVestingAccount").is_err());
        assert!(serde_json::from_str::<VestingAccount>(&text.replace("null", "\"x\"")).is_err());
        assert!(serde_json::from_str::<VestingAccount>(&text.replace("\"1800000000\"", "1800000000")).is_err());
    }
}
