//! Signatures of a transaction: one, or some of those that a key of several takes, and what they prove.
//!
//! Which sign modes there are, what each signs and which sentences say what is wrong are the SDK's
//! (`x/auth/signing/verify.go`, `crypto/keys/multisig`). Each member of a multisignature may sign in its own mode.

use std::cell::OnceCell;

use cosmos_sdk_proto::cosmos::{
    crypto::multisig::v1beta1::{CompactBitArray, MultiSignature},
    tx::{
        signing::v1beta1::SignMode,
        v1beta1::{ModeInfo, SignDoc, mode_info},
    },
};
use prost::Message;

use crate::{
    code::{Code, Fault},
    gas::Meter,
    pubkey::{DEPTH_MAX, KEYS_MAX, MultiKey, PublicKey},
    tx::{
        amino,
        authenticate::Signatures,
        decode::{Tx, canonical},
    },
};

/// A signature with its mode.
pub(crate) enum Signature {
    Single {
        /// A number of [`SignMode`], or another one.
        mode: i32,
        bytes: Vec<u8>,
    },
    Multi {
        /// Which members have signed.
        signers: CompactBitArray,
        /// Their signatures, in the order of the key.
        parts: Vec<Signature>,
    },
}

/// Why a signature does not count.
pub(crate) enum Wrong {
    /// In the SDK's words.
    Words(String),
    /// There is nothing that it could be over.
    Fault(Fault),
}

impl From<&str> for Wrong {
    fn from(words: &str) -> Self {
        Self::Words(words.into())
    }
}

/// What a transaction's signatures are over, made when the first asks for it.
pub(crate) struct Docs<'a> {
    tx: &'a Tx,
    pub(crate) chain_id: &'a str,
    /// The account's number.
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    direct: OnceCell<Vec<u8>>,
    amino: OnceCell<Vec<u8>>,
}

impl<'a> Docs<'a> {
    pub(crate) fn new(tx: &'a Tx, chain_id: &'a str, number: u64, sequence: u64) -> Self {
        Self { tx, chain_id, number, sequence, direct: OnceCell::new(), amino: OnceCell::new() }
    }

    fn bytes(&self, mode: i32) -> Result<&[u8], Wrong> {
        match SignMode::try_from(mode) {
            Ok(SignMode::Direct) => Ok(self.direct.get_or_init(|| {
                let (body_bytes, auth_info_bytes) = (self.tx.body_bytes.clone(), self.tx.auth_bytes.clone());
                let (chain_id, account_number) = (self.chain_id.into(), self.number);
                SignDoc { body_bytes, auth_info_bytes, chain_id, account_number }.encode_to_vec()
            })),
            Ok(SignMode::LegacyAminoJson) => {
                if let Some(bytes) = self.amino.get() {
                    return Ok(bytes);
                }
                let bytes = amino::sign_bytes(self.tx, self.chain_id, self.number, self.sequence);
                let bytes = bytes.map_err(Wrong::Fault)?;
                Ok(self.amino.get_or_init(|| bytes))
            }
            Ok(other) => Err(Wrong::Words(format!("unsupported sign mode {}", other.as_str_name()))),
            Err(_) => Err(Wrong::Words(format!("unsupported sign mode {mode}"))),
        }
    }
}

impl Signature {
    /// Reads one account's signature.
    ///
    /// # Errors
    /// [`Code::TxDecode`] if a multisignature does not decode, has not one mode for each signature, or is more than a key
    /// could have.
    pub(crate) fn read(info: Option<&ModeInfo>, bytes: &[u8]) -> Result<Self, Fault> {
        Self::read_within(info, bytes, DEPTH_MAX)
    }

    fn read_within(info: Option<&ModeInfo>, bytes: &[u8], depth: usize) -> Result<Self, Fault> {
        match info.and_then(|info| info.sum.as_ref()) {
            None => Ok(Self::Single { mode: SignMode::Unspecified.into(), bytes: bytes.into() }),
            Some(mode_info::Sum::Single(single)) => Ok(Self::Single { mode: single.mode, bytes: bytes.into() }),
            Some(mode_info::Sum::Multi(multi)) => {
                let Some(depth) = depth.checked_sub(1) else {
                    let words = format_args!("more than {DEPTH_MAX} multisignatures inside each other");
                    return Err(Code::TxDecode.because(words));
                };
                let MultiSignature { signatures } = canonical(bytes, "multisignature")?;
                let (modes, count) = (multi.mode_infos.len(), signatures.len());
                if count > KEYS_MAX {
                    return Err(Code::TxDecode.because(format_args!("a multisignature has {count} signatures")));
                }
                if modes != count {
                    let words = format_args!("a multisignature has {count} signatures and {modes} sign modes");
                    return Err(Code::TxDecode.because(words));
                }
                let parts = multi.mode_infos.iter().zip(&signatures);
                let parts =
                    parts.map(|(info, bytes)| Self::read_within(Some(info), bytes, depth)).collect::<Result<_, _>>()?;
                Ok(Self::Multi { signers: multi.bitarray.clone().unwrap_or_default(), parts })
            }
        }
    }

    /// The one that a simulation need not have.
    pub(crate) fn missing() -> Self {
        Self::Single { mode: SignMode::Unspecified.into(), bytes: Vec::new() }
    }

    /// Whether something of it is still to come.
    pub(crate) fn is_incomplete(&self) -> bool {
        match self {
            Self::Single { bytes, .. } => bytes.is_empty(),
            Self::Multi { parts, .. } => parts.is_empty() || parts.iter().any(Self::is_incomplete),
        }
    }

    /// Whether all of it is over amino's document, which has the sequence in it.
    pub(crate) fn is_amino(&self) -> bool {
        match self {
            Self::Single { mode, .. } => *mode == i32::from(SignMode::LegacyAminoJson),
            Self::Multi { parts, .. } => parts.iter().all(Self::is_amino),
        }
    }

    /// The signatures as events tell them: each of several, then all in one.
    pub(crate) fn told(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Single { bytes, .. } => vec![bytes.clone()],
            Self::Multi { parts, .. } => {
                let mut signatures: Vec<_> = parts.iter().flat_map(Self::told).collect();
                signatures.push(MultiSignature { signatures: signatures.clone() }.encode_to_vec());
                signatures
            }
        }
    }

    /// Charges for what [`Signature::verify`] may check. Where a simulation does not say who of several signs, all do.
    pub(crate) fn charge(&self, key: &PublicKey, meter: &mut Meter) -> Result<(), Fault> {
        match (key, self) {
            (PublicKey::Single(key), _) => {
                let (gas, what) = key.kind.price();
                meter.spend(gas, what)
            }
            (PublicKey::Multi(key), Self::Multi { signers, parts }) if width(signers) == Some(key.members.len()) => {
                let mut parts = parts.iter();
                let chosen = key.members.iter().enumerate().filter(|(index, _)| is_set(signers, *index));
                let missing = Self::missing();
                for (_, member) in chosen {
                    parts.next().unwrap_or(&missing).charge(member, meter)?;
                }
                Ok(())
            }
            (PublicKey::Multi(key), _) => {
                key.members.iter().try_for_each(|member| Self::missing().charge(member, meter))
            }
        }
    }

    /// Checks that it is this key's.
    pub(crate) fn verify(&self, key: &PublicKey, docs: &Docs<'_>, known: &Signatures) -> Result<(), Wrong> {
        match (key, self) {
            (PublicKey::Single(key), Self::Single { mode, bytes }) => {
                if known.verify(key, docs.bytes(*mode)?, bytes) {
                    return Ok(());
                }
                Err("unable to verify single signer signature".into())
            }
            (PublicKey::Multi(key), Self::Multi { signers, parts }) => verify_multi(key, signers, parts, docs, known),
            (PublicKey::Single(_), Self::Multi { .. }) => Err("expected one signature, got a multisignature".into()),
            (PublicKey::Multi(_), Self::Single { .. }) => Err("expected a multisignature, got one signature".into()),
        }
    }
}

fn verify_multi(
    key: &MultiKey,
    signers: &CompactBitArray,
    parts: &[Signature],
    docs: &Docs<'_>,
    known: &Signatures,
) -> Result<(), Wrong> {
    let (size, threshold) = (key.members.len(), key.threshold as usize);
    if width(signers) != Some(size) {
        return Err(Wrong::Words(format!("bit array size is incorrect, expecting: {size}")));
    }
    let chosen: Vec<_> = key.members.iter().enumerate().filter(|(index, _)| is_set(signers, *index)).collect();
    if !(threshold..=size).contains(&parts.len()) {
        return Err(Wrong::Words(format!("signature size is incorrect {}", parts.len())));
    }
    if chosen.len() < threshold {
        let words = format!("not enough signatures set, have {}, expected {threshold}", chosen.len());
        return Err(Wrong::Words(words));
    }
    // The SDK would not look at one too many, which anybody could add.
    if chosen.len() != parts.len() {
        return Err(Wrong::Words(format!("signature size is incorrect {}", parts.len())));
    }
    for ((index, member), part) in chosen.into_iter().zip(parts) {
        match (member, part) {
            (PublicKey::Single(_), Signature::Multi { .. }) => {
                return Err(Wrong::Words(format!("unable to parse pubkey of index {index}")));
            }
            (PublicKey::Single(member), Signature::Single { mode, bytes }) => {
                if !known.verify(member, docs.bytes(*mode)?, bytes) {
                    return Err(Wrong::Words(format!("unable to verify signature at index {index}")));
                }
            }
            (PublicKey::Multi(_), part) => part.verify(member, docs, known)?,
        }
    }
    Ok(())
}

/// How many bits an array has; none where its bytes are not as many, or bits beyond them are set.
fn width(array: &CompactBitArray) -> Option<usize> {
    let Some((last, whole)) = array.elems.split_last() else { return Some(0).filter(|_| array.extra_bits_stored == 0) };
    match array.extra_bits_stored {
        0 => Some((whole.len() + 1) * 8),
        extra @ 1..=7 if last << extra == 0 => Some(whole.len() * 8 + extra as usize),
        _ => None,
    }
}

/// Whether a bit is set; the first is the highest of the first byte.
fn is_set(array: &CompactBitArray, index: usize) -> bool {
    array.elems.get(index / 8).is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_bits_has_one_form() {
        let width =
            |extra_bits_stored, elems: &[u8]| width(&CompactBitArray { extra_bits_stored, elems: elems.into() });
        assert_eq!(
            [width(0, &[]), width(3, &[0xe0]), width(0, &[1]), width(1, &[1, 0x80])],
            [Some(0), Some(3), Some(8), Some(9)]
        );
        // Bits without bytes, as many bits as a byte has, more, and bits that nobody counts.
        assert_eq!([width(3, &[]), width(8, &[0]), width(u32::MAX, &[0]), width(3, &[0xf0])], [None; 4]);
        let array = CompactBitArray { extra_bits_stored: 2, elems: vec![0b0100_0001, 0b1000_0000] };
        let set: Vec<_> = (0..99).filter(|index| is_set(&array, *index)).collect();
        assert_eq!(set, [1, 7, 8]);
    }

    #[test]
    fn what_no_key_could_have_is_not_read() {
        let single = || ModeInfo { sum: Some(mode_info::Sum::Single(mode_info::Single { mode: 127 })) };
        let multi =
            |mode_infos| ModeInfo { sum: Some(mode_info::Sum::Multi(mode_info::Multi { bitarray: None, mode_infos })) };
        let bytes = |signatures: Vec<Vec<u8>>| MultiSignature { signatures }.encode_to_vec();
        let code = |info: &ModeInfo, bytes: &[u8]| Signature::read(Some(info), bytes).err().map(|fault| fault.code);
        assert_eq!(code(&multi(vec![single(); 2]), &bytes(vec![vec![1]; 2])), None);
        assert_eq!(code(&multi(vec![single(); 2]), &bytes(vec![vec![1]])), Some(Code::TxDecode));
        assert_eq!(code(&multi(vec![single(); 2]), b"\xff"), Some(Code::TxDecode));
        assert_eq!(code(&multi(vec![single(); 101]), &bytes(vec![vec![]; 101])), Some(Code::TxDecode));
        let (mut info, mut inner) = (single(), vec![1]);
        for depth in 1..=DEPTH_MAX + 1 {
            (info, inner) = (multi(vec![info]), bytes(vec![inner]));
            assert_eq!(code(&info, &inner), Some(Code::TxDecode).filter(|_| depth > DEPTH_MAX), "{depth}");
        }
    }
}
