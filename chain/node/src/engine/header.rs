//! Headers, block bytes and the hashes in them, as CometBFT 0.38 computes them.
//!
//! Every list is hashed with the RFC 6962 tree of `tendermint::merkle`; an empty list has the hash of the empty
//! string. Source: CometBFT's `spec/core/data_structures.md` and `spec/core/encoding.md`.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    Hash,
    abci::types::ExecTxResult,
    block::{self, Commit, Header, parts},
    consensus, merkle, validator,
};
use tendermint_proto::v0_38 as pb;

/// Version of the block format, CometBFT's `BlockProtocol`.
pub(crate) const BLOCK_PROTOCOL: u64 = 11;
/// Blocks are cut into parts of this many bytes, CometBFT's `BlockPartSizeBytes`.
const PART_BYTES: usize = 64 << 10;

/// The root over a list of leaves.
pub(crate) fn root<L: AsRef<[u8]>>(leaves: &[L]) -> Hash {
    Hash::Sha256(merkle::simple_hash_from_byte_vectors::<Sha256>(leaves))
}

/// A transaction's hash: its name in indexes and queries.
pub(crate) fn tx_hash(tx: &[u8]) -> [u8; 32] {
    Sha256::digest(tx).into()
}

/// `Header.data_hash`: over the transactions' hashes.
pub(crate) fn data_hash<T: AsRef<[u8]>>(txs: &[T]) -> Hash {
    let hashes: Vec<_> = txs.iter().map(|tx| tx_hash(tx.as_ref())).collect();
    root(&hashes)
}

/// `Header.last_results_hash`: over code, data and gas of each result. Logs and events are not agreed upon.
pub(crate) fn results_hash(results: &[ExecTxResult]) -> Hash {
    let leaves: Vec<_> = results
        .iter()
        .map(|result| {
            pb::abci::ExecTxResult {
                code: result.code.into(),
                data: result.data.clone(),
                gas_wanted: result.gas_wanted,
                gas_used: result.gas_used,
                ..Default::default()
            }
            .encode_to_vec()
        })
        .collect();
    root(&leaves)
}

/// `Header.last_commit_hash`: over the signatures.
pub(crate) fn commit_hash(commit: Option<&Commit>) -> Hash {
    let signatures = commit.map(|commit| commit.signatures.as_slice()).unwrap_or_default();
    let leaves: Vec<_> =
        signatures.iter().map(|signature| pb::types::CommitSig::from(signature.clone()).encode_to_vec()).collect();
    root(&leaves)
}

/// `Header.consensus_hash`: over the two parameters that CometBFT hashes.
pub(crate) fn consensus_hash(params: &consensus::Params) -> Hash {
    let hashed = pb::types::HashedParams {
        block_max_bytes: i64::try_from(params.block.max_bytes).unwrap_or(i64::MAX),
        block_max_gas: params.block.max_gas,
    };
    Hash::Sha256(Sha256::digest(hashed.encode_to_vec()).into())
}

/// `Header.validators_hash` of a set in its canonical order.
pub(crate) fn validators_hash(validators: &[validator::Info]) -> Hash {
    let leaves: Vec<_> = validators.iter().map(validator::Info::hash_bytes).collect();
    root(&leaves)
}

/// The block as bytes, equal to what CometBFT would store.
///
/// Go always writes the members that it holds by value: an absent last commit and an absent last block id are written
/// as empty messages.
pub(crate) fn encode_block(header: &Header, txs: &[Bytes], last_commit: Option<&Commit>) -> Vec<u8> {
    let nil = || pb::types::BlockId { hash: Vec::new(), part_set_header: Some(pb::types::PartSetHeader::default()) };
    let mut raw_header = pb::types::Header::from(header.clone());
    raw_header.last_block_id.get_or_insert_with(nil);
    let last_commit = match last_commit {
        Some(commit) => commit.clone().into(),
        None => pb::types::Commit { block_id: Some(nil()), ..Default::default() },
    };
    pb::types::Block {
        header: Some(raw_header),
        data: Some(pb::types::Data { txs: txs.iter().map(|tx| tx.to_vec()).collect() }),
        evidence: Some(pb::types::EvidenceList::default()),
        last_commit: Some(last_commit),
    }
    .encode_to_vec()
}

/// The name of a block: its header's hash and the root over its parts.
pub(crate) fn block_id(header: &Header, encoded: &[u8]) -> Result<block::Id, tendermint::Error> {
    let parts: Vec<_> = encoded.chunks(PART_BYTES).collect();
    let total = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    Ok(block::Id { hash: header.hash(), part_set_header: parts::Header::new(total, root(&parts))? })
}

/// The proof that a transaction is in its block: the hashes beside the path from leaf to root.
pub(crate) fn tx_proof(txs: &[Vec<u8>], index: usize) -> Vec<[u8; 32]> {
    let leaves: Vec<_> = txs.iter().map(|tx| tx_hash(tx)).collect();
    let mut aunts = Vec::new();
    let (mut start, mut end) = (0, leaves.len());
    while end - start > 1 {
        let split = start + (end - start).next_power_of_two() / 2;
        let other = if index < split { split..end } else { start..split };
        if let Hash::Sha256(aunt) = root(&leaves[other]) {
            aunts.push(aunt);
        }
        (start, end) = if index < split { (start, split) } else { (split, end) };
    }
    aunts.reverse();
    aunts
}

/// The leaf hash that a transaction's proof starts from.
pub(crate) fn tx_leaf(tx: &[u8]) -> Hash {
    root(&[tx_hash(tx)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lists_have_the_hash_of_nothing() {
        let nothing = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
        assert_eq!(data_hash::<Bytes>(&[]).to_string(), nothing);
        assert_eq!(results_hash(&[]).to_string(), nothing);
        assert_eq!(commit_hash(None).to_string(), nothing);
    }

    #[test]
    fn consensus_hash_is_that_of_cometbft() {
        // CometBFT 0.38's defaults (4 MiB, unlimited gas), whose hash stands in the headers of every default chain.
        let params: consensus::Params = serde_json::from_value(serde_json::json!({
            "block": {"max_bytes": "22020096", "max_gas": "-1"},
            "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
            "validator": {"pub_key_types": ["ed25519"]},
        }))
        .unwrap();
        assert_eq!(
            consensus_hash(&params).to_string(),
            "048091BC7DDC283F77BFBF91D73C44DA58C3DF8A9CBC867405D8B7F3DAADA22F"
        );
    }

    #[test]
    fn a_proof_leads_to_the_root() {
        for count in 1..20usize {
            let txs: Vec<_> = (0..count).map(|i| vec![u8::try_from(i).unwrap(); 3]).collect();
            for (index, tx) in txs.iter().enumerate() {
                let Hash::Sha256(mut hash) = tx_leaf(tx) else { panic!("a leaf has a hash") };
                // From the leaf upwards: a span's aunt is left or right by where the index falls.
                let mut sides = Vec::new();
                let (mut start, mut end) = (0, count);
                while end - start > 1 {
                    let split = start + (end - start).next_power_of_two() / 2;
                    sides.push(index < split);
                    (start, end) = if index < split { (start, split) } else { (split, end) };
                }
                for (aunt, left) in tx_proof(&txs, index).iter().zip(sides.into_iter().rev()) {
                    let pair = if left { [hash, *aunt] } else { [*aunt, hash] };
                    hash =
                        Sha256::new().chain_update([1]).chain_update(pair[0]).chain_update(pair[1]).finalize().into();
                }
                assert_eq!(Hash::Sha256(hash), data_hash(&txs));
            }
        }
    }
}
