//! Transactions in files: read, signed by one or by several, checked, shown.

use std::path::{Path, PathBuf};

use aceso_app::paper::{Paper, Standing};
use aceso_client::{Account, Client, Draft};
use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};
use cosmos_sdk_proto::cosmos::{
    crypto::multisig::{
        LegacyAminoPubKey,
        v1beta1::{CompactBitArray, MultiSignature},
    },
    tx::{
        signing::v1beta1::{
            SignMode, SignatureDescriptor, SignatureDescriptors,
            signature_descriptor::{Data, data},
        },
        v1beta1::{ModeInfo, SignerInfo, Tx, mode_info},
    },
};
use prost::{Message, Name};
use serde_json::json;

use super::{
    At, Signer, file,
    tx::{print_message, print_tx},
};
use crate::{cli::Output, rest::gateway};

/// Which transaction of an account it is.
#[derive(Args, Debug)]
struct Place {
    /// Ask no node: the chain's name, the account's number and its sequence are named.
    #[arg(long, requires_all = ["account_number", "sequence"])]
    offline: bool,
    /// The account's number.
    #[arg(long, value_name = "N", requires = "offline")]
    account_number: Option<u64>,
    /// The sequence of the account's next transaction.
    #[arg(long, value_name = "N", requires = "offline")]
    sequence: Option<u64>,
}

/// Signs a transaction of a file.
#[derive(Args, Debug)]
pub(super) struct Sign {
    /// The transaction in JSON; - is standard input.
    tx: PathBuf,
    /// Sign as one of several keys: the name or the address of their account. Prints the signature alone.
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "sign_mode")]
    multisig: Option<String>,
    /// What is signed [default: direct].
    #[arg(long, value_enum)]
    sign_mode: Option<Mode>,
    /// Print the signature alone.
    #[arg(long)]
    signature_only: bool,
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
    /// The transaction's bytes.
    Direct,
    /// A document that hardware wallets show.
    AminoJson,
}

/// Where and as whose transaction it is signed.
struct Ground {
    chain_id: String,
    /// None where nobody is asked.
    client: Option<Client>,
    account: Option<Account>,
}

impl Place {
    fn find(&self, at: &At, wanted: Option<&str>) -> Result<Ground> {
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
    fn account(&self, address: impl FnOnce(&str) -> Result<String>) -> Result<Account> {
        match (&self.client, &self.account) {
            (Some(client), _) => Ok(client.account(&address(&client.chain().prefix)?)?),
            (None, Some(account)) => Ok(Account { number: account.number, sequence: account.sequence }),
            (None, None) => bail!("say which account it is: --account-number and --sequence"),
        }
    }
}

impl Sign {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let tx = read(&self.tx)?;
        let draft = Draft::of(&tx).with_context(|| format!("{} has no body or no fee", self.tx.display()))?;
        let key = signer.key()?;
        let ground = self.place.find(at, chain_id)?;
        let account = ground.account(|prefix| match &self.multisig {
            Some(several) => signer.account(several, prefix),
            None => Ok(key.address(prefix)),
        })?;
        let of_several = self.multisig.is_some();
        let signed = if of_several || self.sign_mode == Some(Mode::AminoJson) {
            let document = paper(&tx)?.amino(&ground.chain_id, account.number, account.sequence);
            let signature = key.sign(&document.map_err(anyhow::Error::msg)?);
            let mode_info = Some(single(SignMode::LegacyAminoJson.into()));
            let info = SignerInfo { public_key: Some(key.packed()), mode_info, sequence: account.sequence };
            draft.with(vec![(info, signature)])
        } else {
            Tx::decode(&draft.sign(&ground.chain_id, &key, &account)[..])?
        };
        if of_several || self.signature_only {
            return print_message(output, &descriptors(&signed));
        }
        print_tx(output, &signed)
    }
}

impl Multisign {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let draft = Draft::of(&read(&self.tx)?);
        let draft = draft.with_context(|| format!("{} has no body or no fee", self.tx.display()))?;
        let key = signer.named(&self.name)?;
        ensure!(key.public.type_url == LegacyAminoPubKey::type_url(), "{} is no key of several", self.name);
        let members = LegacyAminoPubKey::decode(&key.public.value[..])?.public_keys;
        let ground = self.place.find(at, chain_id)?;
        let account = ground.account(|prefix| Ok(key.address(prefix)))?;
        let mut given = vec![None; members.len()];
        for path in &self.signatures {
            for one in message::<SignatureDescriptors>(path, "signatures")?.signatures {
                let place = members.iter().position(|member| Some(member) == one.public_key.as_ref());
                let place =
                    place.with_context(|| format!("{} is signed by no key of {}", path.display(), self.name))?;
                ensure!(
                    one.sequence == account.sequence,
                    "{} is for sequence {}, and the next one of {} is {}",
                    path.display(),
                    one.sequence,
                    self.name,
                    account.sequence
                );
                let Some(data::Sum::Single(signature)) = one.data.and_then(|data| data.sum) else {
                    bail!("{}: a member's signature is a single one", path.display());
                };
                if let Some(slot) = given.get_mut(place) {
                    *slot = Some(signature);
                }
            }
        }
        let (mut elems, mut mode_infos, mut signatures) = (vec![0; members.len().div_ceil(8)], vec![], vec![]);
        for (place, signature) in given.into_iter().enumerate() {
            let Some(data::Single { mode, signature }) = signature else { continue };
            if let Some(byte) = elems.get_mut(place / 8) {
                *byte |= 0x80_u8 >> (place % 8);
            }
            mode_infos.push(single(mode));
            signatures.push(signature);
        }
        let extra_bits_stored = u32::try_from(members.len() % 8)?;
        let bitarray = Some(CompactBitArray { extra_bits_stored, elems });
        let mode_info = ModeInfo { sum: Some(mode_info::Sum::Multi(mode_info::Multi { bitarray, mode_infos })) };
        let sequence = account.sequence;
        let info = SignerInfo { public_key: Some(key.public), mode_info: Some(mode_info), sequence };
        let signed = draft.with(vec![(info, MultiSignature { signatures }.encode_to_vec())]);
        let standing = Standing { chain_id: &ground.chain_id, number: account.number, sequence };
        let checked = paper(&signed)?.check(0, standing);
        checked.map_err(|reason| anyhow!("these signatures do not sign for {}: {reason}", self.name))?;
        print_tx(output, &signed)
    }
}

impl Validate {
    pub(super) fn run(&self, at: &At, chain_id: Option<&str>, output: Output) -> Result<()> {
        let paper = paper(&read(&self.tx)?)?;
        let signers = paper.signers().map_err(anyhow::Error::msg)?;
        let ground = self.place.find(at, chain_id)?;
        ensure!(
            ground.client.is_some() || signers.len() == 1,
            "{} accounts have to sign, and --account-number is that of one; ask a node",
            signers.len()
        );
        for (place, signer) in signers.iter().enumerate() {
            let Account { number, sequence } = ground.account(|_| Ok(signer.clone()))?;
            let standing = Standing { chain_id: &ground.chain_id, number, sequence };
            paper.check(place, standing).map_err(|reason| anyhow!("signature {place}, of {signer}: {reason}"))?;
        }
        output.print(&json!({"ok": true, "signers": signers}), || {
            signers.iter().map(|signer| format!("{signer} has signed")).collect::<Vec<_>>().join("\n")
        })
    }
}

/// The signatures of a transaction without it.
fn descriptors(tx: &Tx) -> SignatureDescriptors {
    let infos = tx.auth_info.iter().flat_map(|auth| &auth.signer_infos);
    let describe = |(info, signature): (&SignerInfo, &Vec<u8>)| {
        let mode = match info.mode_info.as_ref().and_then(|info| info.sum.as_ref()) {
            Some(mode_info::Sum::Single(single)) => single.mode,
            _ => SignMode::Unspecified.into(),
        };
        let sum = Some(data::Sum::Single(data::Single { mode, signature: signature.clone() }));
        SignatureDescriptor { public_key: info.public_key.clone(), data: Some(Data { sum }), sequence: info.sequence }
    };
    SignatureDescriptors { signatures: infos.zip(&tx.signatures).map(describe).collect() }
}

fn single(mode: i32) -> ModeInfo {
    ModeInfo { sum: Some(mode_info::Sum::Single(mode_info::Single { mode })) }
}

/// A transaction as the chain reads it.
fn paper(tx: &Tx) -> Result<Paper> {
    Paper::read(&tx.encode_to_vec()).map_err(|reason| anyhow!("no chain of this release takes it: {reason}"))
}

/// Reads a transaction in JSON.
pub(super) fn read(path: &PathBuf) -> Result<Tx> {
    message(path, "transaction")
}

/// Reads a message of the Cosmos SDK in JSON.
fn message<M: Message + Name + Default>(path: &PathBuf, what: &str) -> Result<M> {
    let text = String::from_utf8(file(path)?).with_context(|| format!("{} is not text", path.display()))?;
    let named = |reason: String| anyhow!("{} is no {what} in JSON: {reason}", Path::display(path));
    let bytes = gateway::from_json(&M::full_name(), &text).map_err(named)?;
    Ok(M::decode(&bytes[..])?)
}

/// Reads a transaction in base64.
pub(super) fn decoded(text: &str) -> Result<Tx> {
    let bytes = STANDARD.decode(text.trim()).context("this is not base64")?;
    Tx::decode(&bytes[..]).context("this is no transaction")
}
