//! Receipts: verified, recomputed, gathered into files.

use aceso_inference::answers;
use aceso_seal::{Registered, open_registered};
use aceso_types::{Digest, Manifest, PixelDigest, Receipt, Tensor, guest::Answers, sealed::Outcome};
use aceso_verify::{
    Evidence, Opened, RecomputeError, Trust,
    grant::ContentPoint,
    outcome::{Came, RECORD_BYTES_MAX, open_result},
};
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use tendermint::{block::signed_header::SignedHeader, validator};
use tendermint_proto::v0_38::types as wire;

use crate::{Answer, Refusal, records::read};

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

/// What a sealed file's registration says; digests in hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    owner: String,
    commitment: Digest,
    modality: String,
    body_part: String,
    /// What decoding its dearest frame may take, as registered; none said is zero.
    #[serde(default)]
    effort: u64,
    /// The pixels that an institution vouches for.
    vouched: Option<PixelDigest>,
}

/// Opens a sealed file with its content point and computes the outcome of a sealed read's receipt again, as its committee
/// did. One that differs in a bit is refused.
pub(crate) fn recompute_sealed(
    receipt: &[u8],
    manifest: &[u8],
    onnx: &[u8],
    point: &[u8],
    about: &[u8],
    file: &[u8],
) -> Result<Answer, Refusal> {
    let receipt = Receipt::decode(receipt).map_err(|e| e.to_string())?;
    let content = ContentPoint::from_bytes(point)?;
    let About { owner, commitment, modality, body_part, effort, vouched } = read(about, "registration")?;
    let registered = Registered { owner: &owner, commitment: &commitment };
    let size = u64::try_from(file.len()).unwrap_or(u64::MAX);
    let Came { outcome, file } = match open_registered(&registered, &content, file, size, RECORD_BYTES_MAX) {
        Ok((inner, record)) => {
            let opened = Opened {
                content: &content,
                tags: &inner.tags,
                record: &record,
                modality: &modality,
                body_part: &body_part,
                effort,
                vouched,
            };
            aceso_verify::recompute_sealed(&receipt, manifest, onnx, &opened).map_err(|e| e.to_string())?
        }
        Err(failure) => {
            let want = receipt.sealed.as_ref().ok_or_else(|| RecomputeError::Open.to_string())?;
            if want.outcome != Outcome::Failed(failure) {
                let words = "the record does not open here, and its committee has opened it";
                return Err(format!("{words}: {failure:?}").into());
            }
            want.outcome.clone().into()
        }
    };
    Ok(told(&receipt, manifest, &content, &outcome, file.as_deref())?)
}

/// What a sealed read came to, for who has the record's content point: outputs that were kept for her are opened, and
/// compared with what the committee committed to. `file` is the one that the outcome names, and empty where it names none.
/// Nothing is computed again.
pub(crate) fn outputs(receipt: &[u8], manifest: &[u8], point: &[u8], file: &[u8]) -> Result<Answer, Refusal> {
    let receipt = Receipt::decode(receipt).map_err(|e| e.to_string())?;
    let sealed = receipt.sealed.as_ref().ok_or_else(|| RecomputeError::Open.to_string())?;
    let file = Some(file).filter(|file| !file.is_empty());
    Ok(told(&receipt, manifest, &ContentPoint::from_bytes(point)?, &sealed.outcome, file)?)
}

/// An outcome's digest, with scores, findings and readings as far as it has them for who holds the key, and beside it all
/// outputs as files, one after the other.
fn told(
    receipt: &Receipt,
    manifest: &[u8],
    content: &ContentPoint,
    outcome: &Outcome,
    file: Option<&[u8]>,
) -> Result<Answer, String> {
    let manifest = Manifest::decode(manifest).map_err(|e| e.to_string())?;
    if manifest.id() != receipt.model {
        let (got, want) = (manifest.id(), receipt.model);
        return Err(RecomputeError::Model { got, want }.to_string());
    }
    let tensors: Vec<Tensor> = match outcome {
        Outcome::Sealed { .. } | Outcome::Stored { .. } => {
            let compact = receipt.compact().ok_or_else(|| RecomputeError::Open.to_string())?;
            let statement = compact.statement.of(receipt.committee.digest);
            open_result(content, &statement, outcome, file).map_err(|e| e.to_string())?
        }
        Outcome::Open { outputs, .. } => outputs.clone(),
        Outcome::Predicate { .. } | Outcome::Failed(_) => Vec::new(),
    };
    let Answers { scores, findings, readings } = match outcome {
        Outcome::Predicate { findings, .. } => Answers { findings: findings.clone(), ..Answers::default() },
        Outcome::Failed(_) => Answers::default(),
        _ => answers(&manifest, &tensors).map_err(|e| e.to_string())?,
    };
    let (mut files, mut bytes) = (Vec::new(), Vec::new());
    for (output, tensor) in tensors.iter().enumerate() {
        let file = tensor.to_npy();
        files.push(json!({"output": output, "ty": tensor.ty(), "dims": tensor.dims(), "bytes": file.len()}));
        bytes.extend_from_slice(&file);
    }
    let told = json!({
        "digest": outcome.digest(), "outcome": outcome, "scores": scores, "findings": findings, "readings": readings,
        "files": files,
    });
    Answer::with(&told, bytes)
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
    fn a_sealed_read_is_computed_from_a_receipt_a_point_and_what_is_registered() {
        let words = |refused: Result<Answer, Refusal>| format!("{:?}", refused.unwrap_err());
        let refused = words(recompute_sealed(b"x", b"", b"", b"", b"", b""));
        assert!(refused.contains("the receipt does not decode"), "{refused}");
        assert!(words(outputs(b"x", b"", b"", b"")).contains("the receipt does not decode"));
        let about = br#"{"owner":"a","commitment":"00","modality":"","body_part":"","vouched":null}"#;
        assert!(read::<About>(about, "registration").is_err());
        let about = format!(
            r#"{{"owner":"a","commitment":"{0}","modality":"DX","body_part":"","vouched":"{0}"}}"#,
            "07".repeat(32)
        );
        assert_eq!(
            read::<About>(about.as_bytes(), "registration").unwrap().vouched,
            Some(PixelDigest(Digest([7; 32])))
        );
    }

    #[test]
    fn what_a_node_answers_is_read_or_refused() {
        let refused = evidence(b"r", b"c", b"a", b"{}", b"[]").unwrap_err();
        assert!(refused.starts_with("the node's answer to commit cannot be read"), "{refused}");
    }
}
