//! The state of a node that is stopped: what it says, and what an operator may do to it. No block runs here, so the
//! state can be looked at and mended also where the application would not start: before an upgrade that this binary does
//! not know, for instance.

use std::path::Path;

use aceso_state::{Options, Store};
use aceso_types::query::ValidatorRow;
use tendermint::AppHash;

use crate::{
    WantedBlob,
    app::{halted, hash_of},
    chain::{self, Chain, Plan},
    components::{COMPONENTS, VALIDATORS, blobs, validators},
    error::{AppError, Outcome},
    export::Export,
    store::{Part, Read, View},
};

/// Rows that are read at a time.
const PAGE: usize = 200;

/// A state without a node.
pub struct AtRest {
    store: Store,
}

/// What a state says of its chain.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// The chain's name.
    pub chain_id: String,
    /// The time of the latest block, in nanoseconds since the Unix epoch.
    pub nanos: u64,
    /// All validators that have power, by consensus key.
    pub validators: Vec<ValidatorRow>,
    /// The power of all of them.
    pub power: u64,
    /// Name and height of the upgrade that is due, and what the authority says to operators.
    pub upgrade: Option<(String, u64, String)>,
    /// Blobs that a node should hold.
    pub blobs: Vec<WantedBlob>,
}

impl AtRest {
    /// Opens the state in a folder; none if nothing was ever written there.
    ///
    /// # Errors
    /// [`AppError::State`] if a node has it open, and if it cannot be read.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, AppError> {
        if !state_dir.exists() {
            return Ok(None);
        }
        // No commit is made, so no height leaves the window.
        let store = Store::open(state_dir, Options::new(COMPONENTS, u64::MAX))?;
        Ok(Some(Self { store }))
    }

    /// The latest height and its app hash; 0 before the first block.
    pub fn latest(&self) -> (u64, AppHash) {
        let (height, root) = self.store.latest();
        (height, hash_of(&root))
    }

    /// The lowest height that can be read and proven.
    pub fn oldest(&self) -> u64 {
        self.store.oldest()
    }

    /// What the latest height says; none before the first block.
    ///
    /// # Errors
    /// [`AppError::State`] and [`AppError::Row`] if the state is damaged.
    pub fn facts(&self) -> Result<Option<Facts>, AppError> {
        self.read().map_err(halted)
    }

    /// Goes back by some heights, one after the other; the height that is the latest then. Interrupted, it has gone back
    /// by some of them.
    ///
    /// # Errors
    /// [`AppError::State`], before anything is done, if the height to go back to is not kept or there was none.
    pub fn roll_back(&self, heights: u64) -> Result<u64, AppError> {
        Ok(self.store.roll_back(heights)?)
    }

    /// Drops the heights before the latest but `keep` of them; the lowest one that is left.
    ///
    /// # Errors
    /// [`AppError::State`] if the disk cannot be written.
    pub fn prune(&self, keep: u64) -> Result<u64, AppError> {
        Ok(self.store.prune(keep)?)
    }

    /// Gives the space of what was dropped back to the disk.
    ///
    /// # Errors
    /// [`AppError::State`] if the disk cannot be written.
    pub fn compact(&self) -> Result<(), AppError> {
        Ok(self.store.compact()?)
    }

    /// A height as the genesis of a chain that goes on with it, under another name if one is given; the latest height
    /// if none is.
    ///
    /// # Errors
    /// [`AppError::State`] if the height is not kept or cannot be read, [`AppError::Order`] if there is no chain.
    pub fn export(&self, height: Option<u64>, chain_id: Option<String>) -> Result<Export, AppError> {
        let snapshot = match height {
            Some(height) => self.store.snapshot_at(height)?,
            None => self.store.snapshot(),
        };
        Export::new(snapshot, chain_id)
    }

    fn read(&self) -> Outcome<Option<Facts>> {
        let (height, state) = (self.store.latest().0, &mut View(self.store.snapshot()));
        let Some(chain) = Chain::load(state)? else { return Ok(None) };
        let (decided, signing) = (validators::decided(state)?, validators::signing(state, height + 1)?);
        let mut found = Vec::new();
        let mut part = Part::first(validators::record_rows(), PAGE);
        loop {
            let rows = state.page(VALIDATORS, &part)?;
            for row in &rows {
                let shown = validators::shown(state, row, &decided, &signing)?;
                found.extend(Some(shown).filter(|shown| shown.power > 0 || shown.signing_power > 0));
            }
            if rows.len() < PAGE {
                break;
            }
            part.after = rows.into_iter().next_back().map(|(key, _)| key);
        }
        let (mut wanted, mut after) = (Vec::new(), None);
        loop {
            let (page, last) = blobs::live(state, height, after.as_ref(), PAGE)?;
            wanted.extend(page);
            after = last;
            if after.is_none() {
                break;
            }
        }
        let upgrade = chain::plan(state)?.map(|Plan { name, height, info }| (name, height, info));
        let (chain_id, nanos, power) = (chain.id.clone(), chain::time(state)?, decided.total());
        Ok(Some(Facts { chain_id, nanos, validators: found, power, upgrade, blobs: wanted }))
    }
}
