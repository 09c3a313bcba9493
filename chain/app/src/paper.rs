//! A transaction outside of the chain: who has to sign it, what they sign, and whether they have.
//!
//! For programs that make transactions: the same functions that the chain checks them with.

use cosmos_sdk_proto::Any;

use crate::{
    code::Fault,
    pubkey::PublicKey,
    tx::{
        amino,
        authenticate::{Signatures, Signers},
        decode::Tx,
        signature::{Docs, Signature, Wrong},
    },
};

/// A transaction, signed or not.
pub struct Paper(Tx);

/// For whom a signature is checked: an account as it stands on a chain.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The chain's id.
    pub chain_id: &'a str,
    /// The account's number.
    pub number: u64,
    /// The sequence of its next transaction.
    pub sequence: u64,
}

fn words(fault: Fault) -> String {
    fault.text
}

impl Paper {
    /// Reads the bytes of a `TxRaw`. An error says in words why they are none that this chain could take.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        Tx::decode(bytes).map(Self).map_err(words)
    }

    /// Whose signatures it needs, in their order.
    pub fn signers(&self) -> Result<Vec<String>, String> {
        let signers = Signers::of(&self.0, self.prefix()).map_err(words)?;
        Ok(signers.required.into_iter().map(String::from).collect())
    }

    /// What addresses begin with on the chain that it is for: what that of its first signer begins with.
    fn prefix(&self) -> &str {
        let signer = self.0.msgs.first().map_or("", |msg| msg.signer());
        signer.rsplit_once('1').map_or("", |(prefix, _)| prefix)
    }

    /// The document that `SIGN_MODE_LEGACY_AMINO_JSON` signs.
    pub fn amino(&self, chain_id: &str, number: u64, sequence: u64) -> Result<Vec<u8>, String> {
        amino::sign_bytes(&self.0, chain_id, number, sequence).map_err(words)
    }

    /// Checks the signature at a place, from 0 on, by the key that stands beside it: that the key is the signer's, and the
    /// signature the key's.
    pub fn check(&self, place: usize, account: Standing<'_>) -> Result<(), String> {
        let signers = self.signers()?;
        let signer = signers.get(place).ok_or("nobody has to sign there")?;
        let (info, bytes) = (self.0.auth.signer_infos.get(place), self.0.signatures.get(place));
        let (Some(info), Some(bytes)) = (info, bytes) else { return Err("it is not signed".into()) };
        let key = info.public_key.as_ref().ok_or("no public key stands beside the signature")?;
        let key = PublicKey::of_any(key).map_err(words)?;
        key.check().map_err(words)?;
        if key.address(self.prefix()).map_err(words)?.as_str() != signer {
            return Err(format!("pubKey does not match signer address {signer}"));
        }
        if info.sequence != account.sequence {
            let Standing { sequence, .. } = account;
            return Err(format!("account sequence mismatch, expected {sequence}, got {}", info.sequence));
        }
        let signature = Signature::read(info.mode_info.as_ref(), bytes).map_err(words)?;
        let docs = Docs::new(&self.0, account.chain_id, account.number, account.sequence);
        signature.verify(&key, &docs, &Signatures::default()).map_err(|wrong| match wrong {
            Wrong::Words(text) => text,
            Wrong::Fault(fault) => words(fault),
        })
    }
}

/// The address of a public key, as the SDK packs it, on chains with this prefix.
pub fn address_of(key: &Any, prefix: &str) -> Result<String, String> {
    let key = PublicKey::of_any(key).map_err(words)?;
    key.check().map_err(words)?;
    key.address(prefix).map(String::from).map_err(words)
}
