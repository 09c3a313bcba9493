//! Who signed, and whether they did: keys, signatures, sequences, in the order and the words of the SDK.
//!
//! A signature that was found good is remembered, so that a block does not check what the mempool has checked. The
//! memory is a pure cache: it is keyed by everything that was checked and changes time, never an answer.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cosmos_sdk_proto::cosmos::tx::{
    signing::v1beta1::SignMode,
    v1beta1::{SignDoc, SignerInfo, mode_info},
};
use prost::Message;
use secp256k1::{Message as Hash, PublicKey, Secp256k1, VerifyOnly, ecdsa::Signature};
use sha2::{Digest, Sha256};

use crate::{
    address::Address,
    code::{Code, Fault},
    components::accounts,
    error::Outcome,
    event::Event,
    gas,
    run::{Mode, Run},
    tx::{amino, decode::Tx},
};

/// Signatures that are remembered: a few full mempools.
const REMEMBERED: usize = 50_000;

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Who has to sign a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signers {
    /// Each once, in the order of the messages, the fee's payer last if it is nobody of them.
    pub(crate) required: Vec<Address>,
    pub(crate) fee_payer: Address,
}

impl Signers {
    pub(crate) fn of(tx: &Tx, prefix: &str) -> Result<Self, Fault> {
        let mut required: Vec<Address> = Vec::new();
        for msg in &tx.msgs {
            let signer = Address::parse(msg.signer(), prefix)?;
            if !required.contains(&signer) {
                required.push(signer);
            }
        }
        let fee = tx.fee();
        let fee_payer = match (fee.payer.as_str(), required.first()) {
            ("", Some(first)) => first.clone(),
            ("", None) => return Err(Code::InvalidRequest.because("must contain at least one message")),
            (payer, _) => Address::parse(payer, prefix)?,
        };
        if !required.contains(&fee_payer) {
            required.push(fee_payer.clone());
        }
        Ok(Self { required, fee_payer })
    }
}

/// Notes the public keys of accounts that sign for the first time.
pub(crate) fn set_keys(run: &mut Run<'_>, tx: &Tx, signers: &Signers) -> Outcome<()> {
    for (index, (signer, info)) in signers.required.iter().zip(&tx.auth.signer_infos).enumerate() {
        let Some(any) = &info.public_key else { continue };
        let key = accounts::key_of(any)?;
        if Address::of_key(&key, &run.chain.prefix)? != *signer {
            let words = format_args!("pubKey does not match signer address {signer} with signer index: {index}");
            return Err(Code::InvalidPubKey.because(words).into());
        }
        let mut account = account(run, signer)?;
        if account.pub_key.is_none() {
            PublicKey::from_slice(&key).map_err(|_| Code::InvalidPubKey.because("not a point of secp256k1"))?;
            account.pub_key = Some(accounts::any_of(&key));
            accounts::put(run, &account)?;
        }
    }
    Ok(())
}

/// Counts the signatures and charges for checking them.
pub(crate) fn charge(run: &mut Run<'_>, signers: &Signers) -> Result<(), Fault> {
    let (count, most) = (signers.required.len() as u64, run.chain.params.signatures_max);
    if count > most {
        return Err(Code::TooManySignatures.because(format_args!("signatures: {count}, limit: {most}")));
    }
    run.meter.spend(gas::SIGNATURE.saturating_mul(count), "ante verify: secp256k1")
}

/// Checks sequences and signatures, and counts the sequences on.
pub(crate) fn verify(run: &mut Run<'_>, tx: &Tx, signers: &Signers) -> Outcome<()> {
    for (index, signer) in signers.required.iter().enumerate() {
        let mut account = account(run, signer)?;
        // A simulation may come without signer infos; it then speaks for the account as it stands.
        let info = match tx.auth.signer_infos.get(index) {
            Some(info) => info.clone(),
            None => SignerInfo { sequence: account.sequence, ..SignerInfo::default() },
        };
        if info.sequence != account.sequence {
            let words = format_args!("account sequence mismatch, expected {}, got {}", account.sequence, info.sequence);
            return Err(Code::WrongSequence.because(words).into());
        }
        let signature = tx.signatures.get(index).map(Vec::as_slice).unwrap_or_default();
        if matches!(run.mode, Mode::Check | Mode::Deliver) {
            let Some(any) = &account.pub_key else {
                return Err(Code::InvalidPubKey.because("pubkey on account is not set").into());
            };
            let key = accounts::key_of(any)?;
            check(run, tx, &info, account.account_number, &key, signature)?;
        }
        run.emit(Event::new("tx").with("acc_seq", format!("{signer}/{}", info.sequence)));
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
        run.emit(Event::new("tx").with("signature", text));
        account.sequence = account.sequence.saturating_add(1);
        accounts::put(run, &account)?;
    }
    Ok(())
}

/// Checks one signature.
fn check(run: &Run<'_>, tx: &Tx, info: &SignerInfo, number: u64, key: &[u8], signature: &[u8]) -> Result<(), Fault> {
    let chain_id = &run.chain.id;
    let mode = match info.mode_info.as_ref().and_then(|mode| mode.sum.as_ref()) {
        Some(mode_info::Sum::Single(single)) => SignMode::try_from(single.mode).unwrap_or(SignMode::Unspecified),
        Some(mode_info::Sum::Multi(_)) => return Err(Code::NotSupported.because("multisignature accounts")),
        None => SignMode::Unspecified,
    };
    let (bytes, hint) = match mode {
        SignMode::Direct => {
            let doc = SignDoc {
                body_bytes: tx.body_bytes.clone(),
                auth_info_bytes: tx.auth_bytes.clone(),
                chain_id: chain_id.clone(),
                account_number: number,
            };
            let hint = format!(
                "signature verification failed; please verify account number ({number}) and chain-id ({chain_id}): \
                 (unable to verify single signer signature)"
            );
            (doc.encode_to_vec(), hint)
        }
        SignMode::LegacyAminoJson => {
            let hint = format!(
                "signature verification failed; please verify account number ({number}), sequence ({}) and chain-id \
                 ({chain_id})",
                info.sequence
            );
            (amino::sign_bytes(tx, chain_id, number, info.sequence)?, hint)
        }
        other => return Err(Code::NotSupported.because(format_args!("sign mode {}", other.as_str_name()))),
    };
    if run.host.good_signatures.verify(key, &bytes, signature) { Ok(()) } else { Err(Code::Unauthorized.because(hint)) }
}

fn account(run: &mut Run<'_>, signer: &Address) -> Outcome<cosmos_sdk_proto::cosmos::auth::v1beta1::BaseAccount> {
    match accounts::get(run, signer)? {
        Some(account) => Ok(account),
        None => Err(Code::UnknownAddress.because(format_args!("account {signer} does not exist")).into()),
    }
}

/// Whether a 64-byte `r ‖ s` signature with low s over the SHA-256 of `bytes` is this key's.
pub(crate) fn is_signed(key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (PublicKey::from_slice(key), Signature::from_compact(signature)) else {
        return false;
    };
    // The library refuses a high s.
    SECP.verify_ecdsa(Hash::from_digest(Sha256::digest(bytes).into()), &signature, &key).is_ok()
}

/// Signatures that were found good, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct GoodSignatures {
    remembered: Mutex<Remembered>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Remembered {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl GoodSignatures {
    fn verify(&self, key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
        let mut hasher = Sha256::new();
        for part in [key, signature] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(bytes);
        let id: [u8; 32] = hasher.finalize().into();
        if self.remembered().known.contains(&id) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let good = is_signed(key, bytes, signature);
        if good {
            let mut remembered = self.remembered();
            if remembered.known.insert(id) {
                remembered.order.push_back(id);
            }
            if remembered.order.len() > REMEMBERED
                && let Some(oldest) = remembered.order.pop_front()
            {
                remembered.known.remove(&oldest);
            }
        }
        good
    }

    /// How many signatures were remembered, and how many had to be verified.
    pub(crate) fn asked(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::{Signature as Made, SigningKey, signature::Signer};

    use super::*;

    #[test]
    fn only_the_low_one_of_two_signatures_counts() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = key.verifying_key().to_encoded_point(true);
        let made: Made = key.sign(b"bytes");
        let low = made.normalize_s().unwrap_or(made);
        assert!(is_signed(public.as_bytes(), b"bytes", &low.to_bytes()));
        assert!(!is_signed(public.as_bytes(), b"other", &low.to_bytes()));
        let (r, s) = low.split_scalars();
        let high = Made::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
        assert!(!is_signed(public.as_bytes(), b"bytes", &high.to_bytes()));
        assert!(!is_signed(public.as_bytes(), b"bytes", &low.to_bytes()[..63]));
        assert!(!is_signed(&public.as_bytes()[..32], b"bytes", &low.to_bytes()));
    }

    #[test]
    fn the_memory_changes_no_answer() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = key.verifying_key().to_encoded_point(true);
        let made: Made = key.sign(b"bytes");
        let memory = GoodSignatures::default();
        for _ in 0..2 {
            assert!(memory.verify(public.as_bytes(), b"bytes", &made.to_bytes()));
            assert!(!memory.verify(public.as_bytes(), b"bytez", &made.to_bytes()));
        }
        assert_eq!(memory.asked(), (1, 3));
    }
}
