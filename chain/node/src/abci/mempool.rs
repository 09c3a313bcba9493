//! The mempool connection: checks, one after the other.

use std::sync::Arc;

use tendermint::v0_38::abci::{MempoolRequest, MempoolResponse, request, response};

use crate::application::{Application, Fault};

/// The switchboard of the mempool connection.
#[derive(Clone)]
pub(crate) struct Mempool {
    app: Arc<dyn Application>,
}

impl Mempool {
    /// The switchboard over an application.
    pub(crate) fn new(app: Arc<dyn Application>) -> Self {
        Self { app }
    }

    /// Answers one request.
    pub(crate) fn answer(&self, request: MempoolRequest) -> Result<MempoolResponse, Fault> {
        match request {
            MempoolRequest::CheckTx(r) => Ok(MempoolResponse::CheckTx(self.check(r))),
        }
    }

    pub(crate) fn check(&self, request: request::CheckTx) -> response::CheckTx {
        self.app.check_tx(request)
    }
}
