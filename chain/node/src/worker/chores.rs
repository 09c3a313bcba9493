//! What can wait: sealed files of records that somebody let this operator's committees read are fetched and kept, so are the
//! results that it has signed, and opener keys that nothing is wrapped for any more are destroyed.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
    time::Duration,
};

use aceso_app::{Fetch, kept, lasting};
use aceso_blobs::BlobStore;
use aceso_types::{
    BlobId,
    query::{GrantRow, Page, QueryGrants, QueryReader, QueryRecord, QueryResults, QueryValidator, RecordRow},
};
use tendermint::Time;

use crate::{
    abci::query::{Queries, QueryError},
    home::{Home, HomeError},
};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(60);
/// Between two looks at whether it is time to stop.
const PAUSE: Duration = Duration::from_millis(500);
/// Grants of one page.
const PAGE: u32 = 100;
/// How long an opener key stays after it has expired: this machine's clock and the chain's may differ, in seconds.
const GRACE: u64 = 3600;

/// Sealed files that are kept though they are no blobs of the chain's: of records with a grant that names this operator and
/// holds, and results that it has signed.
#[derive(Default)]
pub(crate) struct Pins(RwLock<Option<BTreeSet<BlobId>>>);

impl Pins {
    /// Whether a file is to be kept. Before the first round nobody knows, so everything is.
    pub(crate) fn keeps(&self, id: &BlobId) -> bool {
        self.files().as_ref().is_none_or(|files| files.contains(id))
    }

    /// Whether a file is known to be a sealed one that is kept here.
    pub(crate) fn knows(&self, id: &BlobId) -> bool {
        self.files().as_ref().is_some_and(|files| files.contains(id))
    }

    /// Takes over what was found out.
    pub(crate) fn set(&self, files: BTreeSet<BlobId>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(files);
    }

    // Replaced as a whole.
    fn files(&self) -> std::sync::RwLockReadGuard<'_, Option<BTreeSet<BlobId>>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChoreError {
    /// The application does not say.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The home's keys.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// What a round found out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Files with their sizes as registered.
    files: Vec<(BlobId, u64)>,
    /// Epochs of opener keys that grants which hold are wrapped for.
    epochs: BTreeSet<u64>,
}

/// See the module.
pub(crate) struct Chores {
    pub(crate) home: Home,
    pub(crate) queries: Queries,
    pub(crate) blobs: Arc<BlobStore>,
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    pub(crate) pins: Arc<Pins>,
}

impl Chores {
    /// Goes round until `stopped`.
    pub(super) fn run(self, stopped: impl Fn() -> bool) {
        let mut left = Duration::ZERO;
        while !stopped() {
            if left.is_zero() {
                if let Err(e) = self.round(now()) {
                    tracing::debug!("what grants ask of this node is looked at again: {e}");
                }
                left = ROUND;
            }
            std::thread::sleep(PAUSE);
            left = left.saturating_sub(PAUSE);
        }
    }

    /// One round at a time in Unix seconds.
    pub(super) fn round(&self, now: u64) -> Result<(), ChoreError> {
        let name = hex::encode(self.home.validator()?.verification_key().to_bytes());
        let operator = self.queries.ask(&QueryValidator { validator: name })?.map(|row| row.operator);
        let Some(operator) = operator.filter(|operator| !operator.is_empty()) else {
            self.pins.set(BTreeSet::new());
            return Ok(());
        };
        let mut found = self.look(&operator, now)?;
        self.results(&operator, &mut found)?;
        self.pins.set(found.files.iter().map(|(id, _)| *id).collect());
        self.destroy(&operator, &found.epochs, now)?;
        for (id, size) in &found.files {
            let is_here = self.blobs.has(id).unwrap_or(false);
            if let (false, Some(fetch)) = (is_here, &self.fetch)
                && let Err(e) = fetch.fetch(id, *size)
            {
                tracing::debug!(blob = %id, "a sealed file is not to be had: {e}");
            }
        }
        Ok(())
    }

    /// Goes through the grants that name an operator.
    fn look(&self, operator: &str, now: u64) -> Result<Found, ChoreError> {
        let (mut found, mut after) = (Found::default(), Vec::new());
        loop {
            let page = Some(Page { after, limit: PAGE, reverse: false });
            let rows = self.queries.ask(&QueryGrants { record: 0, recipient: operator.into(), page })?;
            let rows = rows.unwrap_or_default();
            for row in rows.rows {
                self.note(&row, operator, now, &mut found)?;
            }
            if rows.next.is_empty() {
                return Ok(found);
            }
            after = rows.next;
        }
    }

    /// Goes through the results that an operator keeps. Of a record that has ended nothing is kept.
    fn results(&self, operator: &str, found: &mut Found) -> Result<(), ChoreError> {
        let mut after = Vec::new();
        loop {
            let page = Some(Page { after, limit: PAGE, reverse: false });
            let question = QueryResults { operator: operator.into(), cid: String::new(), page };
            let rows = self.queries.ask(&question)?.unwrap_or_default();
            for row in rows.rows {
                let question = QueryRecord { record: row.record, ..QueryRecord::default() };
                let holds = self.queries.ask(&question)?.is_some_and(|record: RecordRow| record.retired == 0);
                if let (true, Ok(id)) = (holds, row.cid.parse()) {
                    found.files.push((id, row.size));
                }
            }
            if rows.next.is_empty() {
                return Ok(());
            }
            after = rows.next;
        }
    }

    fn note(&self, row: &GrantRow, operator: &str, now: u64, found: &mut Found) -> Result<(), ChoreError> {
        let Some(grant) = lasting(row, now) else { return Ok(()) };
        let question = QueryRecord { record: grant.record, ..QueryRecord::default() };
        let Some(record) = self.queries.ask(&question)?.filter(|record: &RecordRow| record.retired == 0) else {
            return Ok(());
        };
        found.epochs.extend(grant.recipients.iter().filter(|one| one.account == operator).map(|one| one.epoch));
        found.files.extend(kept(row, &record, now));
        Ok(())
    }

    /// Destroys the keys that have expired and are not among these.
    fn destroy(&self, operator: &str, live: &BTreeSet<u64>, now: u64) -> Result<(), ChoreError> {
        for epoch in self.home.openers()? {
            let question = QueryReader { account: operator.into(), epoch, latest: false };
            let row = self.queries.ask(&question)?;
            if row.is_some_and(|row| row.expires.saturating_add(GRACE) < now) && !live.contains(&epoch) {
                self.home.destroy_opener(epoch)?;
                tracing::info!(epoch, "an opener key has expired and nothing is wrapped for it: destroyed");
            }
        }
        Ok(())
    }
}

fn now() -> u64 {
    u64::try_from(Time::now().unix_timestamp()).unwrap_or_default()
}
