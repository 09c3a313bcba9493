//! Compact receipts and the roots that they are checked against.

use aceso_types::{
    Receipt,
    query::RootRow,
    sealed::{Acceptance, SignedRoot},
};
use aceso_verify::{Roots, compact};
use prost::Message;
use serde_json::json;

use crate::Answer;

/// Verifies a compact receipt against a roots file, and its committee against what is demanded of it (JSON; nothing where
/// it is empty).
pub(crate) fn verify(file: &[u8], roots: &[u8], demanded: &[u8]) -> Result<Answer, String> {
    let roots = Roots::decode(roots).map_err(|e| e.to_string())?;
    let demanded = match demanded {
        [] => Acceptance::default(),
        json => serde_json::from_slice(json).map_err(|e| format!("what is demanded does not decode: {e}"))?,
    };
    let proven = compact::verify(file, &roots).map_err(|e| e.to_string())?;
    proven.accept(&demanded).map_err(|e| e.to_string())?;
    let members: Vec<_> = proven
        .members
        .iter()
        .map(|one| json!({"number": one.number, "power": one.power, "signed": one.signed}))
        .collect();
    Answer::json(&json!({
        "compact": proven.compact,
        "committee": proven.committee,
        "members": members,
        "signed": proven.signed,
        "power": proven.power,
        "total": proven.total,
    }))
}

/// The compact receipt in a receipt of a sealed read.
pub(crate) fn of(receipt: &[u8]) -> Result<Answer, String> {
    let receipt = Receipt::decode(receipt).map_err(|e| e.to_string())?;
    receipt.check_sealed().map_err(|e| e.to_string())?;
    let compact = receipt.compact().ok_or_else(|| compact::CompactError::Open.to_string())?;
    Ok(Answer::bytes(compact.encode()))
}

/// A roots file with one root more: the answer of the node's query for it. Without a file one that begins with it, and
/// trusts it.
pub(crate) fn follow(roots: &[u8], row: &[u8]) -> Result<Answer, String> {
    let row =
        RootRow::decode(row).map_err(|e| format!("the node's answer to the query for a root cannot be read: {e}"))?;
    let next = SignedRoot::read(&row).map_err(|e| e.to_string())?;
    let roots = match roots {
        [] => Roots::trust(next.root),
        file => Roots::decode(file).and_then(|mut roots| roots.advance(next).map(|()| roots)),
    };
    let roots = roots.map_err(|e| e.to_string())?;
    let latest = roots.latest();
    let about = json!({"chain_id": latest.chain_id, "trusted": roots.trusted(), "latest": latest.number});
    Answer::with(&about, roots.encode())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../verify/tests/vectors/compact.json")).unwrap()
    }

    #[test]
    fn vectors_are_believed_and_refused() {
        let vectors = vectors();
        let roots = vectors["roots"].to_string();
        let file = |vector: &Value| -> Vec<u8> {
            let text = vector["compact"].as_str().unwrap();
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        for vector in vectors["believed"].as_array().unwrap() {
            verify(&file(vector), roots.as_bytes(), b"").unwrap();
        }
        for vector in vectors["refused"].as_array().unwrap() {
            let refused = verify(&file(vector), roots.as_bytes(), b"").unwrap_err();
            assert_eq!(refused, vector["error"].as_str().unwrap(), "{}", vector["name"]);
        }
        let of_one = file(&vectors["believed"][0]);
        expect_test::expect!["the committee has 1 members, and 3 are demanded"]
            .assert_eq(&verify(&of_one, roots.as_bytes(), br#"{"members_min":3}"#).unwrap_err());
        let refused = verify(&of_one, roots.as_bytes(), br#"{"members":3}"#).unwrap_err();
        assert!(refused.starts_with("what is demanded does not decode"), "{refused}");
    }

    #[test]
    fn roots_are_followed_one_by_one() {
        let roots: Vec<SignedRoot> = serde_json::from_value(vectors()["roots"]["roots"].clone()).unwrap();
        let row = |root: &SignedRoot| {
            let signed = (!root.signature.is_empty()).then(|| aceso_types::msg::RootSigned {
                number: root.root.number,
                signers: root.signers.clone(),
                signature: root.signature.clone(),
            });
            RootRow { root: root.root.encode(), signed }.encode_to_vec()
        };
        let mut all = Roots::trust(roots[0].root.clone()).unwrap();
        let bytes = |roots: &Roots| {
            let latest = roots.latest();
            let about = json!({"chain_id": latest.chain_id, "trusted": roots.trusted(), "latest": latest.number});
            Answer::with(&about, roots.encode()).unwrap()
        };
        assert_eq!(follow(b"", &row(&roots[0])), Ok(bytes(&all)));
        let refused = follow(&all.encode(), &row(&roots[2])).unwrap_err();
        expect_test::expect!["root 2 does not follow root 0"].assert_eq(&refused);
        let file = all.encode();
        all.advance(roots[1].clone()).unwrap();
        assert_eq!(follow(&file, &row(&roots[1])), Ok(bytes(&all)));
        assert!(follow(&file, b"x").unwrap_err().starts_with("the node's answer"));
    }

    #[test]
    fn an_open_read_has_no_compact_receipt() {
        assert!(of(b"").unwrap_err().starts_with("the receipt does not decode"));
    }
}
