//! The messages of `aceso tx bank` and `aceso tx wasm`.

use std::path::PathBuf;

use aceso_client::{Client, cosmos_any};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        bank::v1beta1::{Input, MsgMultiSend, MsgSend, Output},
        base::v1beta1::Coin,
    },
    cosmwasm::wasm::v1::{
        AccessConfig, AccessType, MsgClearAdmin, MsgExecuteContract, MsgInstantiateContract, MsgInstantiateContract2,
        MsgMigrateContract, MsgStoreCode, MsgUpdateAdmin, MsgUpdateContractLabel, MsgUpdateInstantiateConfig,
    },
};
use prost::Message;

use super::{Encoding, Signer, file, grant::Grant, tx::coins, verbatim};
use crate::address::is_address;

#[derive(Subcommand, Debug)]
pub(super) enum Bank {
    /// Send coins to an address.
    Send {
        /// Whose: a key's name or address, or a file of words. --from says it too, or nothing else.
        #[arg(value_name = "FROM")]
        sender: String,
        /// To whom.
        to: String,
        /// How many, such as 1000uaceso,5ustake.
        coins: String,
    },
    /// Send coins to several addresses, as many to each.
    MultiSend {
        /// Whose.
        #[arg(value_name = "FROM")]
        sender: String,
        /// To whom, and last how many to each, such as 1000uaceso.
        #[arg(required = true, num_args = 2.., value_name = "TO… COINS")]
        to: Vec<String>,
        /// Divide the coins instead; what cannot be divided stays.
        #[arg(long)]
        split: bool,
    },
    #[command(skip)]
    To {
        /// To whom.
        to: String,
        /// How many.
        coins: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum Wasm {
    /// Upload a contract.
    #[command(visible_aliases = ["upload", "st", "s"])]
    Store {
        /// The wasm file.
        wasm: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// Make a contract of uploaded code.
    #[command(visible_aliases = ["start", "init", "inst", "i"])]
    Instantiate {
        /// The code's number.
        code: u64,
        /// The message in JSON, or @FILE.
        msg: String,
        #[command(flatten)]
        making: Making,
    },
    /// Make a contract whose address can be known before.
    Instantiate2 {
        /// The code's number.
        code: u64,
        /// The message in JSON, or @FILE.
        msg: String,
        /// What the address is made of, 1 to 64 bytes in hexadecimal.
        salt: String,
        #[command(flatten)]
        encoding: Encoding,
        /// Make the address of the message too.
        #[arg(long)]
        fix_msg: bool,
        #[command(flatten)]
        making: Making,
    },
    /// Execute a contract.
    #[command(visible_aliases = ["run", "call", "exec", "ex", "e"])]
    Execute {
        /// The contract's address.
        contract: String,
        /// The message in JSON, or @FILE.
        msg: String,
        /// Coins for the contract, such as 1000uaceso.
        #[arg(long)]
        amount: Option<String>,
    },
    /// Put a contract on other code.
    #[command(visible_aliases = ["update", "mig", "m"])]
    Migrate {
        /// The contract's address.
        contract: String,
        /// The new code's number.
        code: u64,
        /// The message in JSON, or @FILE.
        msg: String,
    },
    /// Name another admin of a contract.
    #[command(visible_aliases = ["new-admin", "admin", "set-adm", "sa"])]
    SetContractAdmin {
        /// The contract's address.
        contract: String,
        /// The new admin.
        admin: String,
    },
    /// Leave a contract without admin for good.
    #[command(visible_aliases = ["clear-admin", "clr-adm"])]
    ClearContractAdmin {
        /// The contract's address.
        contract: String,
    },
    /// Call a contract something else.
    SetContractLabel {
        /// The contract's address.
        contract: String,
        /// Its new name for people.
        label: String,
    },
    /// Say who may make contracts of a code.
    UpdateInstantiateConfig {
        /// The code's number.
        code: u64,
        #[command(flatten)]
        access: Access,
    },
    /// Let others call contracts and upload code for you.
    Grant {
        #[command(subcommand)]
        what: Grant,
    },
}

/// Who may make contracts of a code.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Access {
    /// Everybody.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    instantiate_everybody: Option<bool>,
    /// The chain's authority alone.
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        conflicts_with = "instantiate_everybody"
    )]
    instantiate_nobody: Option<bool>,
    /// Those who are named.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ADDRESSES",
        conflicts_with_all = ["instantiate_everybody", "instantiate_nobody"]
    )]
    instantiate_anyof_addresses: Vec<String>,
}

/// How a contract is made.
#[derive(Args, Clone, Debug)]
pub(super) struct Making {
    /// A name for people.
    #[arg(long)]
    label: String,
    /// Who may put it on other code: an address, or a key's name.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "no_admin")]
    admin: Option<String>,
    /// Nobody may.
    #[arg(long, conflicts_with = "admin")]
    no_admin: bool,
    /// Coins for the contract, such as 1000uaceso.
    #[arg(long)]
    amount: Option<String>,
}

impl Bank {
    /// Coins of whoever signs.
    pub(super) fn to(to: String, coins: String) -> Self {
        Self::To { to, coins }
    }

    /// Whose coins they are, where the verb names it.
    pub(super) fn sender(&self) -> Option<&str> {
        match self {
            Self::Send { sender, .. } | Self::MultiSend { sender, .. } => Some(sender),
            Self::To { .. } => None,
        }
    }

    pub(super) fn message(&self, sender: &str, prefix: &str) -> Result<Any> {
        let check = |address: &str| on_chain(address, prefix);
        match self {
            Self::Send { to, coins: text, .. } | Self::To { to, coins: text } => {
                check(to)?;
                let (from_address, to_address) = (sender.into(), to.clone());
                Ok(cosmos_any(&MsgSend { from_address, to_address, amount: coins(text)? }))
            }
            Self::MultiSend { to, split, .. } => {
                let (text, to) = to.split_last().context("say to whom, and how many")?;
                to.iter().try_for_each(|address| check(address))?;
                let count = to.len() as u128;
                let (mut each, mut whole) = (coins(text)?, Vec::new());
                for coin in &mut each {
                    let number: u128 = coin.amount.parse()?;
                    let part = if *split { number / count } else { number };
                    let sum = part.checked_mul(count).with_context(|| format!("{count} times {text} is too much"))?;
                    ensure!(part > 0, "{text} cannot be divided among {count}");
                    coin.amount = part.to_string();
                    whole.push(Coin { denom: coin.denom.clone(), amount: sum.to_string() });
                }
                let outputs = to.iter().map(|to| Output { address: to.clone(), coins: each.clone() });
                let inputs = vec![Input { address: sender.into(), coins: whole }];
                Ok(cosmos_any(&MsgMultiSend { inputs, outputs: outputs.collect() }))
            }
        }
    }
}

impl Wasm {
    /// A code whose permission is the chain's default.
    pub(super) fn code(wasm: PathBuf) -> Self {
        Self::Store { wasm, access: Access::default() }
    }

    /// A contract whose admin is the sender.
    pub(super) fn of_code(code: u64, msg: String, label: String) -> Self {
        let making = Making { label, admin: Some(String::new()), no_admin: false, amount: None };
        Self::Instantiate { code, msg, making }
    }

    pub(super) fn message(&self, client: &Client, signer: &Signer, sender: &str) -> Result<Any> {
        let owner: String = sender.into();
        let prefix = &client.chain().prefix;
        let admin = |making: &Making| match making.admin.as_deref() {
            // What is named and empty is the sender.
            Some("") => Ok(sender.to_owned()),
            Some(admin) => signer.account(admin, prefix),
            None => Ok(String::new()),
        };
        let funds = |amount: &Option<String>| amount.as_deref().map_or(Ok(Vec::new()), coins);
        Ok(match self {
            Self::Store { wasm, access } => {
                let packed = client.msg_store(sender, &file(wasm)?);
                let instantiate_permission = access.read();
                let msg = MsgStoreCode { instantiate_permission, ..MsgStoreCode::decode(&packed.value[..])? };
                cosmos_any(&msg)
            }
            Self::Instantiate { code, msg, making } => cosmos_any(&MsgInstantiateContract {
                admin: admin(making)?,
                sender: owner,
                code_id: *code,
                label: making.label.clone(),
                msg: verbatim(msg)?,
                funds: funds(&making.amount)?,
            }),
            Self::Instantiate2 { code, msg, salt, encoding, fix_msg, making } => cosmos_any(&MsgInstantiateContract2 {
                admin: admin(making)?,
                sender: owner,
                code_id: *code,
                label: making.label.clone(),
                msg: verbatim(msg)?,
                funds: funds(&making.amount)?,
                salt: encoding.bytes("salt", salt)?,
                fix_msg: *fix_msg,
            }),
            Self::Execute { contract, msg, amount } => cosmos_any(&MsgExecuteContract {
                sender: owner,
                contract: contract.clone(),
                msg: verbatim(msg)?,
                funds: funds(amount)?,
            }),
            Self::Migrate { contract, code, msg } => cosmos_any(&MsgMigrateContract {
                sender: owner,
                contract: contract.clone(),
                code_id: *code,
                msg: verbatim(msg)?,
            }),
            Self::SetContractAdmin { contract, admin } => {
                cosmos_any(&MsgUpdateAdmin { sender: owner, new_admin: admin.clone(), contract: contract.clone() })
            }
            Self::ClearContractAdmin { contract } => {
                cosmos_any(&MsgClearAdmin { sender: owner, contract: contract.clone() })
            }
            Self::SetContractLabel { contract, label } => cosmos_any(&MsgUpdateContractLabel {
                sender: owner,
                new_label: label.clone(),
                contract: contract.clone(),
            }),
            Self::UpdateInstantiateConfig { code, access } => {
                let new_instantiate_permission = access.read();
                if new_instantiate_permission.is_none() {
                    bail!(
                        "say who may: --instantiate-everybody, --instantiate-nobody or --instantiate-anyof-addresses"
                    );
                }
                cosmos_any(&MsgUpdateInstantiateConfig { sender: owner, code_id: *code, new_instantiate_permission })
            }
            Self::Grant { what } => what.message(sender, prefix)?,
        })
    }
}

impl Access {
    fn read(&self) -> Option<AccessConfig> {
        match (self.instantiate_everybody, self.instantiate_nobody, &self.instantiate_anyof_addresses[..]) {
            (Some(true), _, _) => Some(access(AccessType::Everybody, &[])),
            (_, Some(true), _) => Some(access(AccessType::Nobody, &[])),
            (_, _, []) => None,
            (_, _, addresses) => Some(access(AccessType::AnyOfAddresses, addresses)),
        }
    }
}

/// A code's permission.
pub(super) fn access(permission: AccessType, addresses: &[String]) -> AccessConfig {
    AccessConfig { permission: permission.into(), addresses: addresses.into() }
}

/// Refuses what is no address of a chain with this prefix.
pub(super) fn on_chain(address: &str, prefix: &str) -> Result<()> {
    ensure!(is_address(address, prefix), "{address:?} is no address of this chain, which begins with {prefix}1");
    Ok(())
}
