//! Questions to committed state, and typed shorthands for those that the node itself asks.

use std::sync::Arc;

use aceso_types::query::Asked;
use prost::Message;
use tendermint::{
    block::Height,
    v0_38::abci::{request, response},
};

use crate::application::Application;

/// Code of an item that is not there, in the codespace `sdk`.
pub(crate) const NOT_FOUND: u32 = 22;

/// Why a question of the node's own was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// The application refused.
    #[error("{path}: {log} (code {code})")]
    Refused {
        /// The path asked.
        path: &'static str,
        /// The application's code.
        code: u32,
        /// Its sentence.
        log: String,
    },
    /// The answer is not of the type that the path has.
    #[error("{path}: the answer does not decode ({reason})")]
    Malformed {
        /// The path asked.
        path: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The one way to ask the application.
#[derive(Clone)]
pub(crate) struct Queries {
    app: Arc<dyn Application>,
}

impl Queries {
    /// Questions to an application.
    pub(crate) fn new(app: Arc<dyn Application>) -> Self {
        Self { app }
    }

    /// Whether a validator attests with this key (48 bytes).
    pub(crate) fn is_attester(&self, bls_key: &[u8]) -> bool {
        let next = self.app.info().last_block_height.value().saturating_add(1);
        !bls_key.is_empty() && self.app.attests(next).iter().any(|key| key == bls_key)
    }

    /// Answers one question as ABCI puts it.
    pub(crate) fn answer(&self, request: request::Query) -> response::Query {
        self.app.query(request)
    }

    /// Asks for one of our own rows; nothing when it is not there.
    pub(crate) fn ask<Q: Asked>(&self, question: &Q) -> Result<Option<Q::Answer>, QueryError> {
        self.ask_path(Q::PATH, question)
    }

    /// Asks under any path of which the answer's type is known.
    pub(crate) fn ask_path<A: Message + Default>(
        &self,
        path: &'static str,
        question: &impl Message,
    ) -> Result<Option<A>, QueryError> {
        let answer = self.app.query(request::Query {
            data: question.encode_to_vec().into(),
            path: path.into(),
            height: Height::from(0u32),
            prove: false,
        });
        match u32::from(answer.code) {
            0 => A::decode(answer.value).map(Some).map_err(|e| QueryError::Malformed { path, reason: e.to_string() }),
            NOT_FOUND => Ok(None),
            code => Err(QueryError::Refused { path, code, log: answer.log }),
        }
    }
}
