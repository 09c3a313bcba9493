//! The mempool connection: checks, one after the other, and ahead of them what needs no order.

use std::sync::Arc;

use bytes::Bytes;
use tendermint::v0_38::abci::{MempoolRequest, MempoolResponse, request, request::CheckTxKind, response};

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

    /// Looks ahead at requests that wait. What was checked before is not looked at again.
    pub(crate) fn look_ahead<'a>(&self, requests: impl Iterator<Item = &'a MempoolRequest>) {
        let checks = requests.map(|MempoolRequest::CheckTx(r)| r).filter(|r| r.kind == CheckTxKind::New);
        let new: Vec<_> = checks.map(|r| r.tx.clone()).collect();
        if new.len() > 1 {
            self.app.foresee(&new);
        }
    }

    /// Looks ahead at one transaction.
    pub(crate) fn foresee(&self, tx: &Bytes) {
        self.app.foresee(std::slice::from_ref(tx));
    }

    pub(crate) fn check(&self, request: request::CheckTx) -> response::CheckTx {
        self.app.check_tx(request)
    }
}
