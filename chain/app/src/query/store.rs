//! `/store/<component>/key`: a row as it stands, with its proof if wanted.
//!
//! The proof has two operations as in every Cosmos chain, both ICS23: the row under its component's root, and the
//! component's root under the app hash. It is checked against the header one height above.

use prost::Message;
use tendermint::{
    merkle::proof::{ProofOp, ProofOps},
    v0_38::abci::response,
};

use crate::{
    COMPONENTS,
    code::Code,
    query::{Asked, height_of, refused, unknown},
};

/// Type of both operations. The trees are ours, so the name is, too; their specification stands in genesis.
const OPERATION: &str = "ics23:aceso";

pub(super) fn answer(asked: &Asked<'_>, rest: &str, key: &[u8], prove: bool) -> response::Query {
    let height = asked.block.height.0;
    let component = rest.strip_suffix("/key").and_then(|name| COMPONENTS.iter().copied().find(|one| *one == name));
    let Some(component) = component else {
        let (code, text) = unknown(&format!("/store/{rest}")).to_abci();
        return refused(&code, text, height);
    };
    if key.is_empty() {
        return refused(&Code::InvalidRequest, Code::InvalidRequest.because("a key has a byte at least").text, height);
    }
    let mut answer =
        response::Query { key: key.to_vec().into(), height: height_of(height), ..response::Query::default() };
    if prove {
        match asked.snapshot.prove(component, key) {
            Ok(proof) => {
                let op = |key: &[u8], data: Vec<u8>| ProofOp { field_type: OPERATION.into(), key: key.into(), data };
                answer.value = proof.value.unwrap_or_default().into();
                answer.proof = Some(ProofOps {
                    ops: vec![
                        op(key, proof.component.encode_to_vec()),
                        op(component.as_bytes(), proof.app.encode_to_vec()),
                    ],
                });
            }
            Err(error) => return refused(&Code::Internal, Code::Internal.because(error).text, height),
        }
    } else {
        match asked.snapshot.get(component, key) {
            Ok(value) => answer.value = value.unwrap_or_default().into(),
            Err(error) => return refused(&Code::Internal, Code::Internal.because(error).text, height),
        }
    }
    answer
}
