//! Questions to committed state, and typed shorthands for those that the node itself asks.

use std::sync::Arc;

use aceso_app::ChainInfo;
use aceso_types::query::Asked;
use prost::Message;
use tendermint::{
    block::Height,
    v0_38::abci::{request, response},
};

use crate::{
    application::Application,
    services::{self, Engine},
};

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
    /// What answers that the application cannot; none where there is no engine to ask.
    engine: Option<Engine>,
}

impl Queries {
    /// Questions to an application.
    pub(crate) fn new(app: Arc<dyn Application>) -> Self {
        Self { app, engine: None }
    }

    /// The same with an engine, so that what needs its blocks is answered too.
    pub(crate) fn over(&self, engine: Engine) -> Self {
        Self { app: Arc::clone(&self.app), engine: Some(engine) }
    }

    /// The height that is committed; 0 before the first block.
    pub(crate) fn height(&self) -> Height {
        self.app.info().last_block_height
    }

    /// The chain that runs; none before the genesis.
    pub(crate) fn chain(&self) -> Option<ChainInfo> {
        self.app.chain()
    }

    /// Whether a validator attests with this key (48 bytes).
    pub(crate) fn is_attester(&self, bls_key: &[u8]) -> bool {
        let next = self.app.info().last_block_height.value().saturating_add(1);
        !bls_key.is_empty() && self.app.attests(next).iter().any(|key| key == bls_key)
    }

    /// Answers one question as ABCI puts it. Blocks for as long as the answer takes.
    pub(crate) fn answer(&self, request: request::Query) -> response::Query {
        let answer = self.engine.as_ref().and_then(|engine| services::answer(self, engine, &request));
        answer.unwrap_or_else(|| self.of_application(request))
    }

    /// Answers one that needs the application only.
    pub(crate) fn of_application(&self, request: request::Query) -> response::Query {
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
