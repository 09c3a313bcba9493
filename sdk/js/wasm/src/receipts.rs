//! Receipts: verified, recomputed, gathered into files.

use aceso_types::Receipt;
use aceso_verify::{Evidence, Trust};
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use tendermint::{block::signed_header::SignedHeader, validator};
use tendermint_proto::v0_38::types as wire;

use crate::Answer;

/// Most validators of a header: what a receipt file of 4 MiB has room for.
const VALIDATORS_MAX: usize = 10_000;

/// The answer of the RPC's `commit`.
#[derive(Deserialize)]
struct Commit {
    signed_header: SignedHeader,
}

/// Verifies a receipt file against a trust file.
pub(crate) fn verify(evidence: &[u8], trust: &[u8]) -> Result<Answer, String> {
    let trust = Trust::decode(trust).map_err(|e| e.to_string())?;
    let proven = aceso_verify::verify(evidence, &trust).map_err(|e| e.to_string())?;
    let (receipt, height, time, power) = (proven.receipt, proven.height, proven.time, proven.power);
    Answer::json(&json!({"receipt": receipt, "height": height, "time": time, "power": power}))
}

/// Computes a receipt's outcome again.
pub(crate) fn recompute(receipt: &[u8], manifest: &[u8], onnx: &[u8], image: &[u8]) -> Result<Answer, String> {
    let receipt = Receipt::decode(receipt).map_err(|e| e.to_string())?;
    let outcome = aceso_verify::recompute(&receipt, manifest, onnx, image).map_err(|e| e.to_string())?;
    Answer::json(&outcome)
}

/// Gathers a receipt file. `commit` is the result of the RPC's `commit` and `validators` the list in the results of
/// `validators`, both in JSON. Says nothing yet about whether it is true.
pub(crate) fn evidence(
    receipt: &[u8],
    component_proof: &[u8],
    app_proof: &[u8],
    commit: &[u8],
    validators: &[u8],
) -> Result<Answer, String> {
    let unreadable = |what: &str, e: serde_json::Error| format!("the node's answer to {what} cannot be read: {e}");
    let commit: Commit = serde_json::from_slice(commit).map_err(|e| unreadable("commit", e))?;
    let validators: Vec<validator::Info> =
        serde_json::from_slice(validators).map_err(|e| unreadable("validators", e))?;
    if validators.len() > VALIDATORS_MAX {
        return Err(format!("a header has at most {VALIDATORS_MAX} validators, not {}", validators.len()));
    }
    let validators = validator::Set::without_proposer(validators);
    let evidence = Evidence {
        version: 1,
        receipt: receipt.into(),
        component_proof: component_proof.into(),
        app_proof: app_proof.into(),
        signed_header: wire::SignedHeader::from(commit.signed_header).encode_to_vec(),
        validators: wire::ValidatorSet::from(validators).encode_to_vec(),
    };
    Ok(Answer::bytes(evidence.encode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_receipt_is_a_sentence() {
        let trust = br#"{"chain_id":"c","validators":[],"proof_spec":{}}"#;
        expect_test::expect!["the trust file does not decode: EOF while parsing a value at line 1 column 0"]
            .assert_eq(&verify(b"x", b"").unwrap_err());
        assert!(verify(b"x", trust).unwrap_err().starts_with("the trust file does not decode"));
        expect_test::expect!["the receipt does not decode: Eof { name: \"map\", expect: Small(1) }"]
            .assert_eq(&recompute(b"", b"", b"", b"").unwrap_err());
    }

    #[test]
    fn what_a_node_answers_is_read_or_refused() {
        let refused = evidence(b"r", b"c", b"a", b"{}", b"[]").unwrap_err();
        assert!(refused.starts_with("the node's answer to commit cannot be read"), "{refused}");
    }
}
