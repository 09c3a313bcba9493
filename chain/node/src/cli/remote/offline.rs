//! Transactions in files: read, signed by one or by several, checked, shown.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use aceso_app::paper::Standing;
use aceso_client::{Account, Client, Key};
use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        crypto::multisig::LegacyAminoPubKey,
        tx::{
            signing::v1beta1::{
                SignMode, SignatureDescriptors,
                signature_descriptor::{Data, data},
            },
            v1beta1::{SignerInfo, Tx},
        },
    },
};
use prost::{Message, Name};
use serde_json::json;

use super::{
    At, Signer, file,
    signatures::{Gathered, Members, describe, is_member, paper},
    tx::shown,
};
use crate::{cli::Output, home::write_new, rest::gateway};

/// Which transaction of an account it is.
#[derive(Args, Debug)]
pub(super) struct Place {
    /// Ask no node: the chain's name, the account's number and its sequence are named.
    #[arg(long, requires_all = ["account_number", "sequence"])]
    offline: bool,
    /// The account's number.
    #[arg(long, short = 'a', value_name = "N", requires = "offline")]
    account_number: Option<u64>,
    /// The sequence of the account's next transaction.
    #[arg(long, short = 's', value_name = "N", requires = "offline")]
    sequence: Option<u64>,
}

/// Where what is signed goes.
#[derive(Args, Debug)]
pub(super) struct Document {
    /// Write it into this file, in the place of what is there, and do not print it.
    #[arg(long, value_name = "FILE")]
    output_document: Option<PathBuf>,
}

/// How a transaction is signed.
#[derive(Args, Debug)]
pub(super) struct Manner {
    /// Sign as one of several keys: the name or the address of their account. Prints the signature alone.
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "sign_mode")]
    multisig: Option<String>,
    /// What is signed [default: direct, and amino-json where several accounts have to sign].
    #[arg(long, value_enum)]
    sign_mode: Option<Mode>,
    /// Print the signature alone.
    #[arg(long)]
    signature_only: bool,
    /// Leave out the signatures that it has; without this only one of the same account is replaced.
    #[arg(long)]
    overwrite: bool,
}

/// Signs a transaction of a file, beside those who have signed it.
#[derive(Args, Debug)]
pub(super) struct Sign {
    /// The transaction in JSON; - is standard input.
    tx: PathBuf,
    #[command(flatten)]
    manner: Manner,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    place: Place,
}

/// Puts signatures of several together.
#[derive(Args, Debug)]
pub(super) struct Multisign {
    /// The transaction in JSON; - is standard input.
    tx: PathBuf,
    /// The name of the key of several, as `aceso keys add --multisig` has made it.
    name: String,
    /// Files of their signatures, as `aceso tx sign --multisig` has printed them.
    #[arg(required = true)]
    signatures: Vec<PathBuf>,
    /// Leave out the signatures that it has of other accounts.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    place: Place,
}

/// Checks the signatures of a transaction.
#[derive(Args, Debug)]
pub(super) struct Validate {
    /// The transaction in JSON; - is standard input.
    tx: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// What a signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The transaction's bytes; of several accounts by the last alone.
    Direct,
    /// A document that hardware wallets show.
    AminoJson,
}

/// Where and as whose transaction it is signed.
pub(super) struct Ground {
    pub(super) chain_id: String,
    /// None where nobody is asked.
    client: Option<Client>,
    account: Option<Account>,
}

impl Place {
    pub(super) fn find(&self, at: &At, wanted: Option<&str>) -> Result<Ground> {
        match (wanted, self.account_number, self.sequence) {
            (Some(chain), Some(number), Some(sequence)) => {
                let account = Some(Account { number, sequence });
                Ok(Ground { chain_id: chain.to_owned(), client: None, account })
            }
            (None, Some(_), Some(_)) => bail!("say for which chain: --chain-id ID"),
            _ => {
                let client = at.connect()?;
                let chain_id = client.chain().id.clone();
                if let Some(wanted) = wanted.filter(|wanted| *wanted != chain_id) {
                    bail!("the node is on {chain_id}, not on {wanted}");
                }
                Ok(Ground { chain_id, client: Some(client), account: None })
            }
        }
    }
}

impl Ground {
    /// An account as it was named, or as the node knows it.
    pub(super) fn account(&self, address: &str) -> Result<Account> {
        match (&self.client, &self.account) {
            (Some(client), _) => Ok(client.account(address)?),
            (None, Some(account)) => Ok(Account { number: account.number, sequence: account.sequence }),
            (None, None) => bail!("say which account it is: --account-number and --sequence"),
        }
    }
}

impl Document {
    pub(super) fn put(&self, text: &str, output: Output) -> Result<()> {
        let Some(file) = &self.output_document else { return Output::document(text) };
        write_over(file, format!("{text}\n").as_bytes())?;
        output.print(&json!({"ok": true, "file": file}), || format!("{} has it", file.display()))
    }
}

/// Writes a file, new or in the place of one that is there, whole or not at all. What is no file, such as a pipe, is
/// written into.
fn write_over(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            let mut pipe = OpenOptions::new().write(true).open(path).with_context(failed)?;
            pipe.write_all(bytes).with_context(failed)
        }
        // A link goes on to lead to it.
        Ok(_) => Ok(write_new(&fs::canonicalize(path).with_context(failed)?, bytes, false)?),
        Err(_) => Ok(write_new(path, bytes, false)?),
    }
}

impl Manner {
    /// A transaction that is to be signed, with the signatures of others that stay.
    pub(super) fn gathered(&self, tx: &Tx) -> Result<Gathered> {
        Gathered::of(tx, self.overwrite)
    }

    /// In whose name a key signs.
    pub(super) fn who(&self, signer: &Signer, key: &Key, prefix: &str) -> Result<String> {
        match &self.multisig {
            Some(several) => signer.account(several, prefix),
            None => Ok(key.address(prefix)),
        }
    }

    /// Signs in somebody's name: in JSON the transaction, or the signature alone.
    pub(super) fn sign(
        &self,
        mut gathered: Gathered,
        key: &Key,
        who: &str,
        chain_id: &str,
        account: &Account,
    ) -> Result<String> {
        let place = gathered.place(who)?;
        let of_several = self.multisig.is_some();
        let mode = match self.sign_mode {
            _ if of_several => SignMode::LegacyAminoJson,
            Some(Mode::AminoJson) => SignMode::LegacyAminoJson,
            Some(Mode::Direct) => SignMode::Direct,
            None => gathered.mode(),
        };
        let signed = gathered.sign(place, key, mode, chain_id, account)?;
        if of_several || self.signature_only {
            return shown(&SignatureDescriptors { signatures: vec![describe(&signed)] });
        }
        gathered.put(place, signed)?;
        shown(&gathered.tx())
    }
}

impl Sign {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let gathered = gathered(&self.tx, self.manner.overwrite)?;
        let key = signer.key()?;
        let who = self.manner.who(signer, &key, gathered.prefix())?;
        gathered.place(&who)?;
        let ground = self.place.find(at, chain_id)?;
        let account = ground.account(&who)?;
        self.document.put(&self.manner.sign(gathered, &key, &who, &ground.chain_id, &account)?, output)
    }
}

/// A key of several, to whose account signatures of its members are put together.
pub(super) struct Group {
    name: String,
    key: Any,
    who: String,
}

impl Group {
    /// The key of this name or address, which signs transactions of a chain with such addresses.
    pub(super) fn of(signer: &Signer, name: &str, prefix: &str) -> Result<Self> {
        let key = signer.named(name)?;
        ensure!(key.public.type_url == LegacyAminoPubKey::type_url(), "{name} is no key of several");
        Ok(Self { name: name.to_owned(), who: key.address(prefix), key: key.public })
    }

    /// The address of its account.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Puts signatures, each with the file that it is from, into a transaction; in JSON.
    pub(super) fn put<'a>(
        &self,
        mut gathered: Gathered,
        signatures: impl IntoIterator<Item = (&'a PathBuf, SignatureDescriptors)>,
        chain_id: &str,
        account: &Account,
    ) -> Result<String> {
        let (place, &Account { number, sequence }) = (gathered.place(&self.who)?, account);
        let mut members = Members::default();
        for (path, found) in signatures {
            for one in found.signatures {
                let is_one = one.public_key.as_ref().is_some_and(|member| is_member(member, &self.key));
                ensure!(is_one, "{} is signed by no key of {}", path.display(), self.name);
                // A member of several has an account of its own, whose sequence other programs name.
                let of_several = matches!(&one.data, Some(Data { sum: Some(data::Sum::Multi(_)) }));
                ensure!(
                    one.sequence == sequence || of_several,
                    "{} is for sequence {}, and the next one of {} is {sequence}",
                    path.display(),
                    one.sequence,
                    self.name
                );
                members.add(one).with_context(|| format!("{} has no signature", path.display()))?;
            }
        }
        let (mode_info, signature) = members.of(&self.key)?;
        let info = SignerInfo { public_key: Some(self.key.clone()), mode_info: Some(mode_info), sequence };
        gathered.put(place, (info, signature))?;
        let standing = Standing { chain_id, number, sequence };
        let checked = paper(&gathered.with_gaps())?.check(place, standing);
        checked.map_err(|reason| anyhow!("these signatures do not sign for {}: {reason}", self.name))?;
        shown(&gathered.tx())
    }
}

impl Multisign {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let gathered = gathered(&self.tx, self.overwrite)?;
        let group = Group::of(signer, &self.name, gathered.prefix())?;
        gathered.place(group.who())?;
        let ground = self.place.find(at, chain_id)?;
        let account = ground.account(group.who())?;
        let read = |path| Ok((path, message::<SignatureDescriptors>(path, "signatures")?));
        let signatures = self.signatures.iter().map(read).collect::<Result<Vec<_>>>()?;
        self.document.put(&group.put(gathered, signatures, &ground.chain_id, &account)?, output)
    }
}

impl Validate {
    pub(super) fn run(&self, at: &At, chain_id: Option<&str>, output: Output) -> Result<()> {
        let tx = read(&self.tx)?;
        let paper = paper(&tx)?;
        if let Ok(gathered) = Gathered::of(&tx, false)
            && let Some((place, signer)) = gathered.missing()
        {
            bail!("signature {place}, of {signer}: it is not signed");
        }
        let signers = paper.signers().map_err(anyhow::Error::msg)?;
        let ground = self.place.find(at, chain_id)?;
        ensure!(
            ground.client.is_some() || signers.len() == 1,
            "{} accounts have to sign, and --account-number is that of one; ask a node",
            signers.len()
        );
        for (place, signer) in signers.iter().enumerate() {
            let Account { number, sequence } = ground.account(signer)?;
            let standing = Standing { chain_id: &ground.chain_id, number, sequence };
            paper.check(place, standing).map_err(|reason| anyhow!("signature {place}, of {signer}: {reason}"))?;
        }
        output.print(&json!({"ok": true, "signers": signers}), || {
            signers.iter().map(|signer| format!("{signer} has signed")).collect::<Vec<_>>().join("\n")
        })
    }
}

/// Says what a transaction of a file would use now.
pub(super) fn simulate(client: &Client, path: &PathBuf, output: Output) -> Result<()> {
    let tx = gathered(path, true)?.simulated(|signer| Ok(client.account(signer)?.sequence))?;
    let used = client.simulate(&tx.encode_to_vec())?;
    output.print(&json!({"ok": true, "gas_info": {"gas_used": used.to_string()}}), || format!("uses {used} gas now"))
}

/// A transaction of a file with its signatures, or without them.
fn gathered(path: &PathBuf, overwrite: bool) -> Result<Gathered> {
    Gathered::of(&read(path)?, overwrite).with_context(|| format!("{} cannot be signed", path.display()))
}

/// Reads a transaction in JSON.
pub(super) fn read(path: &PathBuf) -> Result<Tx> {
    message(path, "transaction")
}

/// Reads a message of the Cosmos SDK in JSON.
fn message<M: Message + Name + Default>(path: &PathBuf, what: &str) -> Result<M> {
    parsed(&text(path)?, path, what)
}

/// Reads messages in JSON that stand one after the other, as a rule one in each line.
pub(super) fn messages<M: Message + Name + Default>(path: &PathBuf, what: &str) -> Result<Vec<M>> {
    let (text, mut begin) = (text(path)?, 0);
    let mut documents = serde_json::Deserializer::from_str(&text).into_iter::<serde::de::IgnoredAny>();
    let mut all = Vec::new();
    while let Some(document) = documents.next() {
        let at = || format!("{what} {} of {}", all.len() + 1, path.display());
        document.with_context(|| format!("{} is no JSON", at()))?;
        let end = documents.byte_offset();
        let message = parsed(text.get(begin..end).unwrap_or_default(), path, what).with_context(at)?;
        all.push(message);
        begin = end;
    }
    Ok(all)
}

fn text(path: &PathBuf) -> Result<String> {
    String::from_utf8(file(path)?).with_context(|| format!("{} is not text", path.display()))
}

fn parsed<M: Message + Name + Default>(text: &str, path: &Path, what: &str) -> Result<M> {
    let named = |reason: String| anyhow!("{} is no {what} in JSON: {reason}", path.display());
    let bytes = gateway::from_json(&M::full_name(), text).map_err(named)?;
    Ok(M::decode(&bytes[..])?)
}

/// Reads a transaction in base64.
pub(super) fn decoded(text: &str) -> Result<Tx> {
    let bytes = STANDARD.decode(text.trim()).context("this is not base64")?;
    Tx::decode(&bytes[..]).context("this is no transaction")
}
