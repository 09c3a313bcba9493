//! What an operator does to a home whose node is stopped: look, go back, drop what is old, give space
//! back, take the state elsewhere.

use aceso_app::AtRest;
use anyhow::{Context, Result, bail};

use super::HomeArg;
use crate::{
    engine::store::Store,
    home::{Home, HomeError, Lock},
};

pub(crate) mod compact;
pub(crate) mod export;
pub(crate) mod prune;
pub(crate) mod rollback;
pub(crate) mod status;

/// A home without a node, kept from others while this lives.
pub(crate) struct Stopped {
    pub(crate) home: Home,
    pub(crate) state: AtRest,
    /// The blocks of an embedded chain; CometBFT keeps its own.
    pub(crate) blocks: Option<Store>,
    _lock: Lock,
}

impl Stopped {
    /// Opens a home that holds a chain which has made a block.
    pub(crate) fn open(home: &HomeArg) -> Result<Self> {
        let home = home.home()?;
        if !home.has_genesis() {
            return Err(HomeError::Empty(home.path().into()).into());
        }
        let lock = home.lock()?;
        let state = AtRest::open(&home.state_dir())?;
        let Some(state) = state.filter(|state| state.latest().0 > 0) else {
            bail!("the chain in {} has made no block yet", home.path().display());
        };
        let blocks = home.blocks_file();
        let blocks = blocks.exists().then(|| Store::open(&blocks)).transpose().context("cannot open the blocks")?;
        Ok(Self { home, state, blocks, _lock: lock })
    }
}
