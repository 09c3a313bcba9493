//! Receipts with all that proves them.

use aceso_types::{
    ReadId,
    query::{QueryReceipt, ReceiptRow},
    receipt,
};
use aceso_verify::{Evidence, Trust, TrustedValidator};
use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use tendermint::{block::signed_header::SignedHeader, validator};
use tendermint_proto::v0_38::types as wire;

use crate::{Client, ClientError, http::unreadable, query};

/// Validators asked for at once: CometBFT's largest page.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct CommitAnswer {
    signed_header: SignedHeader,
}

#[derive(Deserialize)]
struct ValidatorsAnswer {
    validators: Vec<validator::Info>,
    total: String,
}

impl Client {
    /// The receipt file of a read: proven against the newest header that commits it.
    ///
    /// Waits until the block after the read is there, because a block's state is committed by the next header.
    pub fn evidence(&self, read: ReadId) -> Result<Evidence, ClientError> {
        let row: ReceiptRow = self
            .ask(&QueryReceipt { read: read.0 })?
            .ok_or_else(|| unreadable("Receipt", &format!("there is no read {read}")))?;
        let receipt = aceso_types::Receipt::decode(&row.receipt).map_err(aceso_verify::VerifyError::from)?;
        self.wait_for_height(receipt.height.0 + 1)?;
        let state = self.height()? - 1;

        let path = format!("/store/{}/key", receipt::COMPONENT);
        let answer = self.abci(&path, receipt::state_key(read).as_bytes(), state, true)?;
        let ops = answer.proof.map(|proof| proof.ops).unwrap_or_default();
        let [component, app] = &ops[..] else {
            return Err(unreadable(&path, &format!("it has {} proofs, not 2", ops.len())));
        };
        let proof = |text: &str| STANDARD.decode(text).map_err(|e| unreadable(&path, &e.to_string()));

        let height = json!({"height": (state + 1).to_string()});
        let commit: CommitAnswer = self.rpc.call("commit", height)?;
        Ok(Evidence {
            version: 1,
            receipt: row.receipt,
            component_proof: proof(&component.data)?,
            app_proof: proof(&app.data)?,
            signed_header: wire::SignedHeader::from(commit.signed_header).encode_to_vec(),
            validators: wire::ValidatorSet::from(self.validators(state + 1)?).encode_to_vec(),
        })
    }

    /// What somebody who trusts this node now would write down as trusted: the chain, its validators at the newest
    /// height, and the proof specification of its genesis.
    pub fn trust(&self) -> Result<Trust, ClientError> {
        let (chain_id, genesis) = query::genesis(&self.rpc)?;
        let proof_spec =
            serde_json::from_value(genesis.proof_spec).map_err(|e| unreadable("genesis", &e.to_string()))?;
        let validators = self.validators(self.height()?)?;
        let validators = validators
            .validators()
            .iter()
            .map(|one| TrustedValidator { public_key: hex::encode(one.pub_key.to_bytes()), power: one.power.value() });
        Ok(Trust { chain_id, validators: validators.collect(), proof_spec })
    }

    fn validators(&self, height: u64) -> Result<validator::Set, ClientError> {
        let mut all = Vec::new();
        for page in 1_usize.. {
            let params = json!({"height": height.to_string(), "page": page.to_string(), "per_page": PAGE.to_string()});
            let answer: ValidatorsAnswer = self.rpc.call("validators", params)?;
            let (got, total) = (answer.validators.len(), answer.total.parse::<usize>().unwrap_or_default());
            all.extend(answer.validators);
            if got == 0 || all.len() >= total {
                break;
            }
        }
        Ok(validator::Set::without_proposer(all))
    }
}
