//! Who signed, and whether they did: keys, signatures, sequences, in the order and the words of the SDK.
//!
//! A signature that was found good is remembered, so that a block does not check what the mempool has checked, and of those
//! that were found bad the latest. The memory is a pure cache: it is keyed by everything that was checked and changes
//! time, never an answer.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cosmos_sdk_proto::cosmos::auth::v1beta1::BaseAccount;
use sha2::{Digest, Sha256};

use crate::{
    address::Address,
    code::{Code, Fault},
    components::accounts,
    error::Outcome,
    event::Event,
    gas,
    pubkey::{Kind, PublicKey, SingleKey},
    run::{Mode, Run},
    tx::{
        decode::Tx,
        limits,
        signature::{Docs, Signature, Wrong},
    },
};

/// Good signatures that are remembered: a few full mempools. Of bad ones so many, which push out no good ones.
const REMEMBERED: usize = 50_000;
const REMEMBERED_BAD: usize = 5_000;

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

/// What stands in a transaction for one who has to sign it.
pub(crate) struct Signed {
    signer: Address,
    /// The account's, noted if it signs for the first time. A transaction that does not say it can still be checked, but
    /// not executed.
    key: Option<PublicKey>,
    /// Whether the transaction says it.
    is_given: bool,
    signature: Signature,
    /// Only a simulation can leave it out; it then speaks for the account as it stands.
    sequence: Option<u64>,
}

/// Reads keys and signatures, and notes the keys of accounts that sign for the first time.
pub(crate) fn read(run: &mut Run<'_>, tx: &Tx, signers: &Signers) -> Outcome<Vec<Signed>> {
    let simulated = run.mode == Mode::Simulate;
    let mut all = Vec::with_capacity(signers.required.len());
    let mut count = 0_u64;
    for (index, signer) in signers.required.iter().enumerate() {
        let info = tx.auth.signer_infos.get(index);
        let given = info.and_then(|info| info.public_key.as_ref()).map(PublicKey::of_any).transpose()?;
        // Who simulates for several keys has but one of them.
        if let Some(key) = given.as_ref().filter(|_| !simulated)
            && key.address(&run.chain.prefix)? != *signer
        {
            let words = format_args!("pubKey does not match signer address {signer} with signer index: {index}");
            return Err(Code::InvalidPubKey.because(words).into());
        }
        let mut account = account(run, signer)?;
        let known = account.pub_key.as_ref().map(PublicKey::of_any).transpose()?;
        let is_new = known.is_none();
        let is_given = given.is_some();
        let key = known.or(given).or_else(|| simulated.then(PublicKey::assumed));
        count = count.saturating_add(key.as_ref().map_or(1, PublicKey::count));
        let most = run.chain.params.signatures_max;
        if count > most {
            return Err(Code::TooManySignatures.because(format_args!("signatures: {count}, limit: {most}")).into());
        }
        if let Some(key) = key.as_ref().filter(|_| is_new) {
            key.check()?;
            account.pub_key = Some(key.to_any());
            accounts::put(run, &account)?;
        }
        let bytes = tx.signatures.get(index).map(Vec::as_slice).unwrap_or_default();
        let signature = match Signature::read(info.and_then(|info| info.mode_info.as_ref()), bytes) {
            Err(_) if simulated => Signature::missing(),
            read => read?,
        };
        let sequence = info.map(|info| info.sequence);
        all.push(Signed { signer: signer.clone(), key, is_given, signature, sequence });
    }
    Ok(all)
}

/// Charges for checking signatures, and in a simulation for the bytes that are not there yet.
pub(crate) fn charge(run: &mut Run<'_>, tx: &Tx, signed: &[Signed]) -> Result<(), Fault> {
    if run.mode == Mode::Simulate {
        let sum = |of: fn(&Signed) -> u64| signed.iter().map(of).fold(0, u64::saturating_add);
        let lacking = match sum(Signed::lacks_signatures) {
            0 if tx.gas_limit() == 0 => gas::FEE_BYTES,
            bytes => bytes,
        };
        let bytes = lacking.saturating_add(sum(Signed::lacks_key));
        run.meter.spend(gas::TX_BYTE.saturating_mul(bytes), "txSize")?;
    }
    for Signed { key, signature, .. } in signed {
        match key {
            Some(key) => signature.charge(key, &mut run.meter)?,
            None => {
                let (gas, what) = Kind::Secp256k1.price();
                run.meter.spend(gas, what)?;
            }
        }
    }
    Ok(())
}

impl Signed {
    /// Bytes of signatures that a simulated transaction lacks.
    fn lacks_signatures(&self) -> u64 {
        let count = self.key.as_ref().map_or(1, PublicKey::count);
        if self.signature.is_incomplete() { gas::SIGNATURE_BYTES.saturating_mul(count) } else { 0 }
    }

    /// Bytes of its key.
    fn lacks_key(&self) -> u64 {
        self.key.as_ref().filter(|_| !self.is_given).map_or(0, PublicKey::size)
    }
}

/// Checks sequences and signatures, and counts the sequences on.
pub(crate) fn verify(run: &mut Run<'_>, tx: &Tx, signed: &[Signed]) -> Outcome<()> {
    for Signed { signer, key, signature, sequence, .. } in signed {
        let mut account = account(run, signer)?;
        let sequence = sequence.unwrap_or(account.sequence);
        if sequence != account.sequence {
            let words = format_args!("account sequence mismatch, expected {}, got {sequence}", account.sequence);
            return Err(Code::WrongSequence.because(words).into());
        }
        if matches!(run.mode, Mode::Check | Mode::Deliver) {
            let Some(key) = key else {
                return Err(Code::InvalidPubKey.because("pubkey on account is not set").into());
            };
            check(run, &Docs::new(tx, &run.chain.id, account.account_number, sequence), key, signature)?;
        }
        run.emit(Event::new("tx").with("acc_seq", format!("{signer}/{sequence}")));
        for bytes in signature.told() {
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
            run.emit(Event::new("tx").with("signature", text));
        }
        account.sequence = account.sequence.saturating_add(1);
        accounts::put(run, &account)?;
    }
    if run.mode == Mode::Check {
        run.host.signatures.note(tx.hash);
    }
    Ok(())
}

/// Verifies what signatures can be verified before the transactions ahead of this one have run, so that what they are is
/// remembered. It leaves nothing else.
pub(crate) fn foresee(run: &mut Run<'_>, tx: &Tx) -> Outcome<()> {
    let signers = Signers::of(tx, &run.chain.prefix)?;
    limits::check(run, tx, &signers)?;
    run.delta.checkpoint();
    let signed = read(run, tx, &signers);
    run.delta.discard();
    for Signed { signer, key, signature, sequence, .. } in &signed? {
        let number = account(run, signer)?.account_number;
        if let (Some(key), Some(sequence)) = (key, *sequence) {
            check(run, &Docs::new(tx, &run.chain.id, number, sequence), key, signature)?;
        }
    }
    Ok(())
}

/// Checks one account's signature.
fn check(run: &Run<'_>, docs: &Docs<'_>, key: &PublicKey, signature: &Signature) -> Result<(), Fault> {
    let words = match signature.verify(key, docs, &run.host.signatures) {
        Ok(()) => return Ok(()),
        Err(Wrong::Fault(fault)) => return Err(fault),
        Err(Wrong::Words(words)) => words,
    };
    let Docs { number, sequence, chain_id, .. } = docs;
    let verify = format!("signature verification failed; please verify account number ({number})");
    Err(Code::Unauthorized.because(if signature.is_amino() {
        format!("{verify}, sequence ({sequence}) and chain-id ({chain_id})")
    } else {
        format!("{verify} and chain-id ({chain_id}): ({words})")
    }))
}

fn account(run: &mut Run<'_>, signer: &Address) -> Outcome<BaseAccount> {
    match accounts::get(run, signer)? {
        Some(account) => Ok(account),
        None => Err(Code::UnknownAddress.because(format_args!("account {signer} does not exist")).into()),
    }
}

/// Signatures that were verified, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct Signatures {
    good: Mutex<Remembered>,
    bad: Mutex<Remembered>,
    /// Transactions that the mempool has checked.
    txs: Mutex<Remembered>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Remembered {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Remembered {
    fn add(&mut self, id: [u8; 32], most: usize) {
        if self.known.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Signatures {
    /// Whether a signature over these bytes is this key's.
    pub(crate) fn verify(&self, key: &SingleKey, bytes: &[u8], signature: &[u8]) -> bool {
        let mut hasher = Sha256::new();
        // Keys of two kinds may have the same bytes.
        hasher.update([key.kind as u8]);
        for part in [&key.bytes, signature] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(bytes);
        let id: [u8; 32] = hasher.finalize().into();
        for (known, is_good) in [(&self.good, true), (&self.bad, false)] {
            if lock(known).known.contains(&id) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return is_good;
            }
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let is_good = key.has_signed(bytes, signature);
        if is_good {
            lock(&self.good).add(id, REMEMBERED);
        } else {
            lock(&self.bad).add(id, REMEMBERED_BAD);
        }
        is_good
    }

    /// Notes that all signatures of a transaction of this hash were found good.
    fn note(&self, tx: [u8; 32]) {
        lock(&self.txs).add(tx, REMEMBERED);
    }

    /// Whether that was noted.
    pub(crate) fn knows(&self, tx: &[u8; 32]) -> bool {
        lock(&self.txs).known.contains(tx)
    }

    /// How many signatures were remembered, and how many had to be verified.
    pub(crate) fn asked(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

fn lock(remembered: &Mutex<Remembered>) -> MutexGuard<'_, Remembered> {
    remembered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::{Signature as Made, SigningKey, signature::Signer};

    use super::*;

    #[test]
    fn the_memory_changes_no_answer() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = SingleKey::secp256k1(key.verifying_key().to_encoded_point(true).as_bytes());
        let made: Made = key.sign(b"bytes");
        let memory = Signatures::default();
        for _ in 0..2 {
            assert!(memory.verify(&public, b"bytes", &made.to_bytes()));
            assert!(!memory.verify(&public, b"bytez", &made.to_bytes()));
        }
        assert_eq!(memory.asked(), (2, 2));
        // The same bytes are another key where they are of another kind.
        let other = SingleKey { kind: Kind::Secp256r1, ..public.clone() };
        assert!(!memory.verify(&other, b"bytes", &made.to_bytes()));
        assert_eq!(memory.asked(), (2, 3));
        // However many bad ones come, they push out no good one, and have room for so many.
        for n in 0..REMEMBERED_BAD + 10 {
            assert!(!memory.verify(&public, b"bytes", &n.to_be_bytes()));
        }
        assert_eq!(lock(&memory.bad).known.len(), REMEMBERED_BAD);
        assert_eq!(lock(&memory.bad).order.len(), REMEMBERED_BAD);
        assert!(memory.verify(&public, b"bytes", &made.to_bytes()));
        assert_eq!(memory.asked().0, 3);
    }
}
