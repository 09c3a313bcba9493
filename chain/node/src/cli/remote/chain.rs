//! Questions by the names that wasmd has for them: each is a method of a service, asked in protobuf and shown in JSON as
//! REST shows it.

use std::{fs, path::PathBuf};

use aceso_client::{Client, ClientError};
use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Encoding, typed, verbatim};
use crate::{cli::Output, rest::gateway};

const AUTH: &str = "/cosmos.auth.v1beta1.Query";
const AUTHZ: &str = "/cosmos.authz.v1beta1.Query";
const BANK: &str = "/cosmos.bank.v1beta1.Query";
const FEEGRANT: &str = "/cosmos.feegrant.v1beta1.Query";
const TX: &str = "/cosmos.tx.v1beta1.Service";
const WASM: &str = "/cosmwasm.wasm.v1.Query";

/// Which part of a list is shown.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Page {
    /// Most rows.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Rows to leave out.
    #[arg(long, value_name = "N", conflicts_with = "page_key")]
    offset: Option<u64>,
    /// Where to go on: the next_key of the page before.
    #[arg(long, value_name = "KEY")]
    page_key: Option<String>,
    /// From the end.
    #[arg(long)]
    reverse: bool,
    /// Count all rows.
    #[arg(long)]
    count_total: bool,
}

impl Page {
    fn fields(&self) -> Value {
        json!({
            "key": self.page_key,
            "offset": self.offset.unwrap_or_default().to_string(),
            "limit": self.limit.unwrap_or_default().to_string(),
            "reverse": self.reverse,
            "count_total": self.count_total,
        })
    }
}

#[derive(Subcommand, Debug)]
pub(super) enum Auth {
    /// One account, of whatever kind.
    Account {
        /// Its address.
        address: String,
    },
    /// All accounts.
    Accounts {
        #[command(flatten)]
        page: Page,
    },
    /// The address of an account's number.
    AddressByAccNum {
        /// The number.
        number: u64,
    },
    /// The chain's own accounts.
    ModuleAccounts,
    /// One of them.
    ModuleAccount {
        /// Its name.
        name: String,
    },
    /// What transactions may be and cost.
    Params,
}

#[derive(Subcommand, Debug)]
pub(super) enum Bank {
    /// What an account has.
    Balances {
        /// Its address.
        address: String,
        #[command(flatten)]
        page: Page,
    },
    /// What it has of one coin.
    Balance {
        /// Its address.
        address: String,
        /// The coin.
        denom: String,
    },
    /// What of it the account may spend.
    SpendableBalances {
        /// Its address.
        address: String,
        #[command(flatten)]
        page: Page,
    },
    /// How much there is of each coin, or of one.
    #[command(visible_alias = "total-supply")]
    Total {
        /// The one.
        #[arg(long)]
        denom: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// What coins are called, or one of them.
    DenomMetadata {
        /// The one.
        denom: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Who has a coin.
    DenomOwners {
        /// The coin.
        denom: String,
        #[command(flatten)]
        page: Page,
    },
    /// Which coins may be sent.
    Params,
}

#[derive(Subcommand, Debug)]
pub(super) enum Wasm {
    /// The codes.
    #[command(visible_aliases = ["list-codes", "codes", "lco"])]
    ListCode {
        #[command(flatten)]
        page: Page,
    },
    /// The contracts of a code.
    #[command(visible_aliases = ["list-contracts-by-code", "list-contracts", "contracts", "lca"])]
    ListContractByCode {
        /// The code's number.
        code: u64,
        #[command(flatten)]
        page: Page,
    },
    /// The contracts that an account has made.
    ListContractsByCreator {
        /// Its address.
        creator: String,
        #[command(flatten)]
        page: Page,
    },
    /// A contract.
    #[command(visible_aliases = ["meta", "c"])]
    Contract {
        /// Its address.
        contract: String,
    },
    /// Which codes a contract has had.
    #[command(visible_aliases = ["history", "hist", "ch"])]
    ContractHistory {
        /// Its address.
        contract: String,
        #[command(flatten)]
        page: Page,
    },
    /// What a contract holds, or what it answers.
    #[command(visible_aliases = ["state", "cs", "s"])]
    ContractState {
        #[command(subcommand)]
        what: State,
    },
    /// Write a code's wasm into a file.
    #[command(visible_aliases = ["source-code", "source"])]
    Code {
        /// The code's number.
        code: u64,
        /// The file to write.
        file: PathBuf,
    },
    /// A code without its bytes.
    CodeInfo {
        /// The code's number.
        code: u64,
    },
    /// Codes that are kept ready.
    Pinned {
        #[command(flatten)]
        page: Page,
    },
    /// Who may store codes.
    Params,
    /// How large the parts of a code may be.
    #[command(name = "wasm-limits-config")]
    Limits,
    /// The address that a contract made with a salt will have.
    #[command(visible_aliases = ["address"])]
    BuildAddress {
        /// The code's SHA-256 in hexadecimal.
        hash: String,
        /// Who makes it.
        creator: String,
        /// The salt in hexadecimal.
        salt: String,
        /// The message, where the address is made of it: JSON, or @FILE.
        msg: Option<String>,
        #[command(flatten)]
        encoding: Encoding,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum State {
    /// All rows.
    All {
        /// The contract's address.
        contract: String,
        #[command(flatten)]
        page: Page,
    },
    /// One row.
    Raw {
        /// The contract's address.
        contract: String,
        /// The row's key in hexadecimal.
        key: String,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// What it answers.
    Smart {
        /// The contract's address.
        contract: String,
        /// The question in JSON, or @FILE; with --hex or --b64 in that form.
        question: String,
        #[command(flatten)]
        encoding: Encoding,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum Authz {
    /// What one account lets another do.
    Grants {
        /// Who lets.
        granter: String,
        /// Who may.
        grantee: String,
        /// Messages of this type alone.
        url: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// What an account lets others do.
    GrantsByGranter {
        /// Who lets.
        granter: String,
        #[command(flatten)]
        page: Page,
    },
    /// What an account may do for others.
    GrantsByGrantee {
        /// Who may.
        grantee: String,
        #[command(flatten)]
        page: Page,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum Feegrant {
    /// What one account pays for another.
    Grant {
        /// Who pays.
        granter: String,
        /// For whom.
        grantee: String,
    },
    /// Who pays for an account.
    GrantsByGrantee {
        /// For whom.
        grantee: String,
        #[command(flatten)]
        page: Page,
    },
    /// For whom an account pays.
    GrantsByGranter {
        /// Who pays.
        granter: String,
        #[command(flatten)]
        page: Page,
    },
}

/// Which transactions are looked for.
#[derive(Args, Debug)]
pub(super) struct Txs {
    /// What their events say, such as "message.sender='aceso1…' AND tx.height>5".
    #[arg(long, value_name = "QUERY")]
    query: String,
    /// The page, from 1 on.
    #[arg(long, default_value_t = 1, value_name = "N")]
    page: u64,
    /// Rows of a page, 100 at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u64,
    /// The order.
    #[arg(long, alias = "order_by", value_enum, default_value_t = Order::Asc)]
    order_by: Order,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    /// The oldest first.
    Asc,
    /// The latest first.
    Desc,
}

/// A method, and the fields of its request.
type Question = (&'static str, &'static str, Value);

impl Auth {
    pub(super) fn question(&self) -> Question {
        match self {
            Self::Account { address } => (AUTH, "Account", json!({"address": address})),
            Self::Accounts { page } => (AUTH, "Accounts", json!({"pagination": page.fields()})),
            Self::AddressByAccNum { number } => (AUTH, "AccountAddressByID", json!({"account_id": number.to_string()})),
            Self::ModuleAccounts => (AUTH, "ModuleAccounts", json!({})),
            Self::ModuleAccount { name } => (AUTH, "ModuleAccountByName", json!({"name": name})),
            Self::Params => (AUTH, "Params", json!({})),
        }
    }
}

impl Bank {
    pub(super) fn question(&self) -> Question {
        match self {
            Self::Balances { address, page } => {
                (BANK, "AllBalances", json!({"address": address, "pagination": page.fields()}))
            }
            Self::Balance { address, denom } => (BANK, "Balance", json!({"address": address, "denom": denom})),
            Self::SpendableBalances { address, page } => {
                (BANK, "SpendableBalances", json!({"address": address, "pagination": page.fields()}))
            }
            Self::Total { denom: Some(denom), .. } => (BANK, "SupplyOf", json!({"denom": denom})),
            Self::Total { denom: None, page } => (BANK, "TotalSupply", json!({"pagination": page.fields()})),
            Self::DenomMetadata { denom: Some(denom), .. } => (BANK, "DenomMetadata", json!({"denom": denom})),
            Self::DenomMetadata { denom: None, page } => (BANK, "DenomsMetadata", json!({"pagination": page.fields()})),
            Self::DenomOwners { denom, page } => {
                (BANK, "DenomOwners", json!({"denom": denom, "pagination": page.fields()}))
            }
            Self::Params => (BANK, "Params", json!({})),
        }
    }
}

impl Authz {
    pub(super) fn question(&self) -> Question {
        match self {
            Self::Grants { granter, grantee, url, page } => {
                let url = url.clone().unwrap_or_default();
                let fields = json!({
                    "granter": granter, "grantee": grantee, "msg_type_url": url, "pagination": page.fields(),
                });
                (AUTHZ, "Grants", fields)
            }
            Self::GrantsByGranter { granter, page } => {
                (AUTHZ, "GranterGrants", json!({"granter": granter, "pagination": page.fields()}))
            }
            Self::GrantsByGrantee { grantee, page } => {
                (AUTHZ, "GranteeGrants", json!({"grantee": grantee, "pagination": page.fields()}))
            }
        }
    }
}

impl Feegrant {
    pub(super) fn question(&self) -> Question {
        match self {
            Self::Grant { granter, grantee } => {
                (FEEGRANT, "Allowance", json!({"granter": granter, "grantee": grantee}))
            }
            Self::GrantsByGrantee { grantee, page } => {
                (FEEGRANT, "Allowances", json!({"grantee": grantee, "pagination": page.fields()}))
            }
            Self::GrantsByGranter { granter, page } => {
                (FEEGRANT, "AllowancesByGranter", json!({"granter": granter, "pagination": page.fields()}))
            }
        }
    }
}

impl Wasm {
    pub(super) fn run(&self, client: &Client, height: u64, output: Output) -> Result<()> {
        if let Self::Code { code, file } = self {
            return download(client, height, *code, file, output);
        }
        if let Self::Params = self {
            // wasmd has the parameters of this one question without their name.
            let answer = ask(client, height, self.question()?)?["params"].take();
            return output.print(&answer, || format!("{answer:#}"));
        }
        show(client, height, self.question()?, output)
    }

    fn question(&self) -> Result<Question> {
        let paged = |name: &'static str, fields: Value, page: &Page| {
            let mut fields = fields;
            fields["pagination"] = page.fields();
            (WASM, name, fields)
        };
        Ok(match self {
            Self::ListCode { page } => paged("Codes", json!({}), page),
            Self::ListContractByCode { code, page } => {
                paged("ContractsByCode", json!({"code_id": code.to_string()}), page)
            }
            Self::ListContractsByCreator { creator, page } => {
                paged("ContractsByCreator", json!({"creator_address": creator}), page)
            }
            Self::Contract { contract } => (WASM, "ContractInfo", json!({"address": contract})),
            Self::ContractHistory { contract, page } => paged("ContractHistory", json!({"address": contract}), page),
            Self::ContractState { what: State::All { contract, page } } => {
                paged("AllContractState", json!({"address": contract}), page)
            }
            Self::ContractState { what: State::Raw { contract, key, encoding } } => {
                let key = encoding.bytes("key", key)?;
                (WASM, "RawContractState", json!({"address": contract, "query_data": STANDARD.encode(key)}))
            }
            Self::ContractState { what: State::Smart { contract, question, encoding } } => {
                let question = match encoding.is_unsaid() {
                    true => typed(question)?,
                    false => serde_json::from_slice(&encoding.bytes("question", question)?)
                        .with_context(|| format!("{question} is not JSON"))?,
                };
                // The gateway has such messages as JSON, not as bytes.
                (WASM, "SmartContractState", json!({"address": contract, "query_data": question}))
            }
            Self::Code { code, .. } => (WASM, "Code", json!({"code_id": code.to_string()})),
            Self::CodeInfo { code } => (WASM, "CodeInfo", json!({"code_id": code.to_string()})),
            Self::Pinned { page } => paged("PinnedCodes", json!({}), page),
            Self::Params => (WASM, "Params", json!({})),
            Self::Limits => (WASM, "WasmLimitsConfig", json!({})),
            Self::BuildAddress { hash, creator, salt, msg, encoding } => {
                let salt = hex::encode(encoding.bytes("salt", salt)?);
                let msg = STANDARD.encode(msg.as_deref().map(verbatim).transpose()?.unwrap_or_default());
                let fields = json!({"code_hash": hash, "creator_address": creator, "salt": salt, "init_args": msg});
                (WASM, "BuildAddress", fields)
            }
        })
    }
}

/// Shows a transaction.
pub(super) fn tx(client: &Client, hash: &str, output: Output) -> Result<()> {
    ensure!(
        hash.len() == 64 && hex::decode(hash).is_ok(),
        "{hash:?} is no hash of a transaction, which has 64 hexadecimal digits"
    );
    show(client, 0, (TX, "GetTx", json!({"hash": hash})), output)
}

/// Looks for transactions.
pub(super) fn txs(client: &Client, asked: &Txs, output: Output) -> Result<()> {
    let order = match asked.order_by {
        Order::Asc => "ORDER_BY_ASC",
        Order::Desc => "ORDER_BY_DESC",
    };
    let fields = json!({
        "query": asked.query, "page": asked.page.to_string(), "limit": asked.limit.to_string(), "order_by": order,
    });
    show(client, 0, (TX, "GetTxsEvent", fields), output)
}

/// Asks, and prints the answer.
pub(super) fn show(client: &Client, height: u64, question: Question, output: Output) -> Result<()> {
    let answer = ask(client, height, question)?;
    output.print(&answer, || format!("{answer:#}"))
}

fn ask(client: &Client, height: u64, (service, method, fields): Question) -> Result<Value> {
    let found = aceso_proto::pool().get_service_by_name(service.trim_start_matches('/'));
    let found = found.and_then(|found| found.methods().find(|found| found.name() == method));
    let Some(found) = found else { bail!("this program knows no {service}/{method}") };
    let request = gateway::from_json(found.input().full_name(), &fields.to_string()).map_err(|e| anyhow!("{e}"))?;
    let answer = client.query_bytes(&format!("{service}/{method}"), &request, height);
    let answer = answer.map_err(|error| match error {
        // The node's words say all that its path would.
        ClientError::Query { log, code, codespace, .. } => anyhow!("{log} (code {code}, {codespace})"),
        other => other.into(),
    })?;
    let json = gateway::to_json(found.output().full_name(), &answer).map_err(|e| anyhow!("{e}"))?;
    Ok(serde_json::from_str(&json)?)
}

fn download(client: &Client, height: u64, code: u64, file: &PathBuf, output: Output) -> Result<()> {
    ensure!(!file.exists(), "{} is there already; name another file", file.display());
    let answer = ask(client, height, (WASM, "Code", json!({"code_id": code.to_string()})))?;
    let bytes = STANDARD.decode(answer["data"].as_str().unwrap_or_default())?;
    fs::write(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    let object = json!({"ok": true, "file": file, "bytes": bytes.len(), "data_hash": answer["code_info"]["data_hash"]});
    output.print(&object, || format!("{} has code {code}, {} bytes", file.display(), bytes.len()))
}
