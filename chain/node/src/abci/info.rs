//! The info connection: where the application stands, and questions ([`super::query`]).

use std::sync::Arc;

use tendermint::v0_38::abci::{InfoRequest, InfoResponse, response};

use super::query::Queries;
use crate::application::{Application, Fault};

/// The switchboard of the info connection.
#[derive(Clone)]
pub(crate) struct Info {
    app: Arc<dyn Application>,
    queries: Queries,
}

impl Info {
    /// The switchboard over an application.
    pub(crate) fn new(app: Arc<dyn Application>) -> Self {
        let queries = Queries::new(Arc::clone(&app));
        Self { app, queries }
    }

    /// The same with questions that an engine answers too.
    pub(crate) fn asking(self, queries: Queries) -> Self {
        Self { queries, ..self }
    }

    /// Answers one request.
    pub(crate) fn answer(&self, request: InfoRequest) -> Result<InfoResponse, Fault> {
        Ok(match request {
            InfoRequest::Echo(r) => InfoResponse::Echo(response::Echo { message: r.message }),
            InfoRequest::Info(_) => InfoResponse::Info(self.info()),
            InfoRequest::Query(r) => InfoResponse::Query(self.queries.answer(r)),
        })
    }

    pub(crate) fn info(&self) -> response::Info {
        self.app.info()
    }
}
