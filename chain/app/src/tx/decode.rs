//! From bytes to a transaction: bounded, strict, once.
//!
//! A transaction has one encoding: the one that protobuf's canonical writers produce (ADR-027 asks for it in `TxRaw`;
//! here it holds for the body, the auth info and every message). So no field is unknown, none hides behind another,
//! and nobody can vary a signed transaction's bytes.

use aceso_types::msg::{MsgAttest, Named};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{AuthInfo, Fee, TxBody, TxRaw},
};
use prost::{Message, Name};
use sha2::{Digest, Sha256};

use crate::{
    code::{Code, Fault},
    tx::msg::Msg,
};

/// Most bytes of a transaction; a block has as many.
pub(crate) const TX_BYTES_MAX: usize = 4 << 20;

/// A transaction as sent.
#[derive(Clone, Debug)]
pub(crate) struct Tx {
    /// SHA-256 of the bytes.
    pub(crate) hash: [u8; 32],
    /// How many bytes there are.
    pub(crate) bytes: usize,
    pub(crate) body_bytes: Vec<u8>,
    pub(crate) auth_bytes: Vec<u8>,
    pub(crate) signatures: Vec<Vec<u8>>,
    /// The body without its messages.
    pub(crate) body: TxBody,
    pub(crate) auth: AuthInfo,
    pub(crate) msgs: Vec<Msg>,
}

impl Tx {
    /// Reads a client's transaction.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let raw = raw(bytes)?;
        let mut body: TxBody = canonical(&raw.body_bytes, "tx body")?;
        let auth: AuthInfo = canonical(&raw.auth_info_bytes, "auth info")?;
        let msgs = body.messages.iter().map(Msg::decode).collect::<Result<_, _>>()?;
        body.messages = Vec::new();
        Ok(Self {
            hash: Sha256::digest(bytes).into(),
            bytes: bytes.len(),
            body_bytes: raw.body_bytes,
            auth_bytes: raw.auth_info_bytes,
            signatures: raw.signatures,
            body,
            auth,
            msgs,
        })
    }

    /// The fee; that of a transaction without one is nothing.
    pub(crate) fn fee(&self) -> Fee {
        self.auth.fee.clone().unwrap_or_default()
    }

    /// The gas that it limits itself to.
    pub(crate) fn gas_limit(&self) -> u64 {
        self.auth.fee.as_ref().map_or(0, |fee| fee.gas_limit)
    }
}

/// Reads the item that a proposer may put first into a block: one [`MsgAttest`], unsigned and without a fee. None if
/// the bytes are something else.
pub(crate) fn attestation(bytes: &[u8]) -> Option<MsgAttest> {
    let raw = raw(bytes).ok()?;
    let body: TxBody = canonical(&raw.body_bytes, "tx body").ok()?;
    let [any] = body.messages.as_slice() else { return None };
    if any.type_url != MsgAttest::TYPE_URL || !raw.signatures.is_empty() || !raw.auth_info_bytes.is_empty() {
        return None;
    }
    canonical::<MsgAttest>(&any.value, MsgAttest::TYPE_URL).ok()
}

/// The bytes of that item.
pub(crate) fn encode_attestation(attest: &MsgAttest) -> Vec<u8> {
    let any = Any { type_url: MsgAttest::TYPE_URL.into(), value: attest.encode_to_vec() };
    let body = TxBody { messages: vec![any], ..TxBody::default() };
    TxRaw { body_bytes: body.encode_to_vec(), ..TxRaw::default() }.encode_to_vec()
}

fn raw(bytes: &[u8]) -> Result<TxRaw, Fault> {
    if bytes.len() > TX_BYTES_MAX {
        return Err(Code::TxTooLarge.because(format_args!("{} bytes, the limit is {TX_BYTES_MAX}", bytes.len())));
    }
    canonical(bytes, "tx")
}

/// Reads a message that is written just as we would write it.
pub(crate) fn canonical<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M, Fault> {
    let message = M::decode(bytes).map_err(|e| Code::TxDecode.because(format_args!("{what}: {e}")))?;
    if message.encoded_len() != bytes.len() || message.encode_to_vec() != bytes {
        return Err(
            Code::TxDecode.because(format_args!("{what}: unknown fields or another than the canonical encoding"))
        );
    }
    Ok(message)
}

/// A message of the Cosmos SDK or wasmd as it travels in others.
pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_transaction_are_refused() {
        let code = |bytes: &[u8]| Tx::decode(bytes).unwrap_err().code;
        assert_eq!(code(b"garbage"), Code::TxDecode);
        assert_eq!(code(&vec![0; TX_BYTES_MAX + 1]), Code::TxTooLarge);
        let body = TxBody { memo: "m".into(), ..TxBody::default() };
        let raw = TxRaw { body_bytes: body.encode_to_vec(), ..TxRaw::default() };
        let bytes = raw.encode_to_vec();
        assert!(Tx::decode(&bytes).is_ok());
        assert_eq!(code(&bytes[..bytes.len() - 1]), Code::TxDecode);
        // Field 15 in TxRaw, then in the body; a field written twice; a number with a longer varint than it needs.
        assert_eq!(code(&[&bytes[..], &[0x7a, 0]].concat()), Code::TxDecode);
        let within = |body: Vec<u8>| TxRaw { body_bytes: body, ..TxRaw::default() }.encode_to_vec();
        assert_eq!(code(&within([body.encode_to_vec(), vec![0x7a, 0]].concat())), Code::TxDecode);
        assert_eq!(code(&within([body.encode_to_vec(), body.encode_to_vec()].concat())), Code::TxDecode);
        assert_eq!(code(&within(vec![0x18, 0x81, 0x00])), Code::TxDecode);
    }

    proptest::proptest! {
        /// Whatever is read was written in just this way: bytes of a stranger have one meaning or none.
        #[test]
        fn strangers_bytes_have_one_meaning_or_none(bytes: Vec<u8>, body: Vec<u8>, auth: Vec<u8>) {
            for bytes in [bytes, TxRaw { body_bytes: body, auth_info_bytes: auth, signatures: vec![] }.encode_to_vec()] {
                if let Ok(tx) = Tx::decode(&bytes) {
                    let Tx { body_bytes, auth_bytes, signatures, .. } = tx;
                    let again = TxRaw { body_bytes, auth_info_bytes: auth_bytes, signatures };
                    proptest::prop_assert_eq!(again.encode_to_vec(), bytes);
                }
            }
        }
    }

    #[test]
    fn unknown_messages_do_not_decode() {
        let any = |url: &str| Any { type_url: url.into(), value: vec![] };
        assert_eq!(Msg::decode(&any("/cosmos.gov.v1.MsgVote")).unwrap_err().code, Code::TxDecode);
        assert_eq!(Msg::decode(&any("")).unwrap_err().code, Code::TxDecode);
        assert_eq!(Msg::decode(&any(MsgAttest::TYPE_URL)).unwrap_err().code, Code::AttestNotFirst);
    }

    #[test]
    fn an_attestation_is_known_by_its_shape() {
        let attest = MsgAttest::default();
        let bytes = encode_attestation(&attest);
        assert_eq!(attestation(&bytes), Some(attest));
        assert_eq!(Tx::decode(&bytes).unwrap_err().code, Code::AttestNotFirst);
        let mut signed = TxRaw::decode(&bytes[..]).unwrap();
        signed.signatures.push(vec![1]);
        assert_eq!(attestation(&signed.encode_to_vec()), None);
    }
}
