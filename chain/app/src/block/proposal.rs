//! What may be proposed: one pure function of the committed state and the transactions.
//!
//! Nothing here runs a contract or a model, touches a blob or reads an account. A proposal is refused for its form
//! only: bytes that do not decode, size, declared gas, duplicates, an attestation that is not first or not valid.
//! Whatever else is wrong with a transaction is its result.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::{
    msg::{Availability, MsgAttest},
    signers::bits,
};
use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::abci::types::{BlockSignatureInfo, ExtendedCommitInfo};
use tendermint::block::BlockIdFlag;

use crate::{
    attest,
    block::{framed, item},
    chain::Chain,
    components::{
        blobs::{self, PENDING_MAX},
        sealed::{self, gather},
        validators::{self, Table},
    },
    error::{Outcome, Stop},
    store::Read,
    tx::{decode::attestation, decoded::Decoded},
};

/// Most statements of one attestation item: a pairing each.
const STATEMENTS_MAX: usize = 32;

/// Why a list of transactions is no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("transaction {0} does not decode: {1}")]
    Decode(usize, String),
    #[error("transaction {0} is in the block twice")]
    Duplicate(usize),
    #[error("transaction {0} passes the block's {1} bytes")]
    Bytes(usize, u64),
    #[error("transaction {0} passes the block's {1} gas")]
    Gas(usize, u64),
    #[error("the attestation does not hold: {0}")]
    Attestation(String),
}

/// Weighs transactions one after the other.
struct Scale<'a> {
    chain: &'a Chain,
    decoded: &'a Decoded,
    bytes_max: u64,
    bytes: u64,
    gas: u64,
    seen: BTreeSet<[u8; 32]>,
}

impl<'a> Scale<'a> {
    fn new((chain, decoded): (&'a Chain, &'a Decoded), bytes_max: u64) -> Self {
        Self { chain, decoded, bytes_max, bytes: 0, gas: 0, seen: BTreeSet::new() }
    }

    /// Takes the transaction in, or says why it does not fit and leaves it out.
    fn add(&mut self, index: usize, tx: &[u8], hash: [u8; 32], gas: u64) -> Result<(), Unfit> {
        let bytes = self.bytes.saturating_add(framed(tx));
        if bytes > self.bytes_max {
            return Err(Unfit::Bytes(index, self.bytes_max));
        }
        let gas = self.gas.saturating_add(gas);
        if let Some(most) = self.chain.block_gas.filter(|most| gas > *most) {
            return Err(Unfit::Gas(index, most));
        }
        if !self.seen.insert(hash) {
            return Err(Unfit::Duplicate(index));
        }
        (self.bytes, self.gas) = (bytes, gas);
        Ok(())
    }

    fn add_item(&mut self, index: usize, tx: &[u8], gas: u64) -> Result<(), Unfit> {
        self.add(index, tx, Sha256::digest(tx).into(), gas)
    }

    fn add_client(&mut self, index: usize, tx: &[u8]) -> Result<(), Unfit> {
        let decoded = self.decoded.tx(tx).map_err(|fault| Unfit::Decode(index, fault.text))?;
        self.add(index, tx, decoded.hash, decoded.gas_limit())
    }
}

/// Whether these transactions may be block `height`.
pub(crate) fn review(
    state: &mut impl Read,
    (chain, decoded): (&Chain, &Decoded),
    height: u64,
    txs: &[Bytes],
) -> Outcome<Result<(), Unfit>> {
    let mut scale = Scale::new((chain, decoded), chain.block_bytes);
    for (index, tx) in txs.iter().enumerate() {
        let fits = match (index == 0).then(|| attestation(tx)).flatten() {
            Some(attest) => match check(state, chain, height, &attest)? {
                Ok(checked) => scale.add_item(index, tx, checked.sealed.gas()),
                Err(unfit) => Err(unfit),
            },
            None => scale.add_client(index, tx),
        };
        if fits.is_err() {
            return Ok(fits);
        }
    }
    Ok(Ok(()))
}

/// The block that this node proposes: what validators attested, then what fits of the mempool, in its order.
pub(crate) fn build(
    state: &mut impl Read,
    (chain, decoded): (&Chain, &Decoded),
    height: u64,
    bytes_max: u64,
    commit: Option<&ExtendedCommitInfo>,
    mempool: Vec<Bytes>,
) -> Outcome<Vec<Bytes>> {
    let mut scale = Scale::new((chain, decoded), bytes_max.min(chain.block_bytes));
    let mut txs = Vec::with_capacity(mempool.len() + 1);
    if let Some(commit) = commit {
        // Half of the bytes are for transactions, whatever validators say.
        let (attest, gas) = attestable(state, chain, height, commit, scale.bytes_max / 2)?;
        if let Some(tx) = item(&attest)
            && scale.add_item(0, &tx, gas).is_ok()
        {
            txs.push(tx);
        }
    }
    for tx in mempool {
        if scale.add_client(txs.len(), &tx).is_ok() {
            txs.push(tx);
        }
    }
    Ok(txs)
}

/// An item whose statements hold.
pub(crate) struct Checked {
    /// Who attested each blob: numbers of validators.
    pub(crate) attesters: Vec<Vec<u32>>,
    pub(crate) sealed: sealed::outcomes::Checked,
}

/// Whether an item's statements hold in the state before its block.
pub(crate) fn check(
    state: &mut impl Read,
    chain: &Chain,
    height: u64,
    attest: &MsgAttest,
) -> Outcome<Result<Checked, Unfit>> {
    let refuse = |words: String| Ok(Err(Unfit::Attestation(words)));
    if attest.encoded_len() == 0 {
        return refuse("it has no statement".into());
    }
    let count = attest.available.len();
    if count > STATEMENTS_MAX {
        return refuse(format!("it has {count} statements about blobs, and at most {STATEMENTS_MAX} are allowed"));
    }
    let cids: BTreeSet<&str> = attest.available.iter().map(|said| said.cid.as_str()).collect();
    if cids.len() != count {
        return refuse("it names a blob twice".into());
    }
    let table = validators::signing(state, height.saturating_sub(1))?;
    let mut attesters = Vec::with_capacity(count);
    for said in &attest.available {
        match blobs::check_attestation(state, &table, chain, height, said) {
            Ok(numbers) => attesters.push(numbers),
            Err(Stop::Refused(fault)) => return refuse(fault.text),
            Err(halt) => return Err(halt),
        }
    }
    match sealed::outcomes::check(state, chain, height, attest) {
        Ok(sealed) => Ok(Ok(Checked { attesters, sealed })),
        Err(Stop::Refused(fault)) => refuse(fault.text),
        Err(halt) => Err(halt),
    }
}

/// Adds up what the vote extensions of the last commit say, with the gas that it declares. Entries that do not belong to
/// a pending registration or an open job are dropped, and so are signatures that are not their validators'.
fn attestable(
    state: &mut impl Read,
    chain: &Chain,
    height: u64,
    commit: &ExtendedCommitInfo,
    bytes_max: u64,
) -> Outcome<(MsgAttest, u64)> {
    // The votes are those of the height before, and so is who signed them.
    let table = validators::signing(state, height.saturating_sub(1))?;
    let decided = validators::decided(state)?;
    let pending: BTreeMap<String, blobs::Row> = blobs::pending(state, PENDING_MAX)?
        .into_iter()
        .filter(|(_, row)| row.expires > height)
        .map(|(cid, row)| (cid.to_string(), row))
        .collect();
    let mut said = Vec::with_capacity(commit.votes.len());
    let mut votes: BTreeMap<(u64, &str), BTreeMap<usize, Vec<u8>>> = BTreeMap::new();
    for vote in &commit.votes {
        let voted = matches!(vote.sig_info, BlockSignatureInfo::Flag(BlockIdFlag::Commit));
        let Some(slot) = table.slot_of(&vote.validator.address).filter(|_| voted) else { continue };
        let Some(mut extension) = gather::extension(&vote.vote_extension) else { continue };
        for held in std::mem::take(&mut extension.held) {
            let Some((cid, row)) = pending.get_key_value(&held.cid) else { continue };
            if (row.size, row.expires) == (held.size, held.expires) {
                votes.entry((row.number, cid)).or_default().entry(slot).or_insert(held.signature);
            }
        }
        said.extend(table.members.get(slot).map(|one| (one.number, extension)));
    }
    let mut attest = MsgAttest::default();
    for ((_, cid), signatures) in votes {
        if attest.available.len() == STATEMENTS_MAX {
            break;
        }
        if let Some(said) =
            pending.get(cid).and_then(|row| state_together((&table, &decided), chain, cid, row, signatures))
        {
            attest.available.push(said);
        }
    }
    let gas = gather::gather(state, chain, height, &said, bytes_max, &mut attest)?;
    Ok((attest, gas))
}

/// One statement of all who signed it; none if they are too few.
fn state_together(
    (table, decided): (&Table, &Table),
    chain: &Chain,
    cid: &str,
    row: &blobs::Row,
    mut signatures: BTreeMap<usize, Vec<u8>>,
) -> Option<Availability> {
    let message = Availability::sign_bytes(&chain.id, cid, row.size, row.expires);
    let key = |slot: usize| table.members.get(slot).map(|one| one.bls_key.clone()).unwrap_or_default();
    let enough = |signatures: &BTreeMap<usize, Vec<u8>>| {
        let numbers: Vec<u32> =
            signatures.keys().filter_map(|slot| table.members.get(*slot)).map(|one| one.number).collect();
        table.are_enough(&numbers) && decided.are_enough(&numbers)
    };
    if !enough(&signatures) {
        return None;
    }
    let add_up = |signatures: &BTreeMap<usize, Vec<u8>>| {
        let sum = attest::add_up(&signatures.values().cloned().collect::<Vec<_>>()).ok()?;
        let keys: Vec<Vec<u8>> = signatures.keys().map(|slot| key(*slot)).collect();
        attest::check_together(&keys, &message, &sum).ok().map(|()| sum)
    };
    let sum = add_up(&signatures).or_else(|| {
        // Somebody's is not good: find out whose.
        signatures.retain(|slot, signature| attest::check_together(&[key(*slot)], &message, signature).is_ok());
        if enough(&signatures) { add_up(&signatures) } else { None }
    })?;
    let signers = bits(signatures.keys().copied(), table.members.len());
    Some(Availability { cid: cid.into(), size: row.size, expires: row.expires, signers, signature: sum.into() })
}
