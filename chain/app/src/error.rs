//! Why the application stops: never because of a transaction.

use std::{io, path::PathBuf};

use aceso_blobs::BlobError;
use aceso_state::StateError;
use aceso_types::{BlobId, genesis::GenesisError};
use aceso_vm::VmError;

use crate::code::Fault;

/// Why this node cannot go on. The engine must halt; another node may well have succeeded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The state could not be read or written.
    #[error("state: {0}")]
    State(#[from] StateError),
    /// The contract engine did not start, or failed for a reason of this machine.
    #[error("contract engine: {0}")]
    Vm(#[from] VmError),
    /// Bytes that the state calls available are missing or damaged here.
    #[error("blob {id} is available on chain and cannot be read here: {reason}; fetch it again and restart")]
    Blob {
        /// The blob.
        id: BlobId,
        /// What the store said.
        reason: Box<BlobError>,
    },
    /// Bytes that the state calls available are not here, and nobody sent them.
    #[error(
        "blob {id} is available on chain, is not here and could not be fetched: {reason}; see blob_peers in the configuration, and restart"
    )]
    Fetch {
        /// The blob.
        id: Box<BlobId>,
        /// Its bytes.
        size: u64,
        /// What was tried.
        reason: String,
    },
    /// The same of a block that has to be executed, and nobody told what its reads came to either.
    #[error(
        "block {height} reads blob {id}, whose bytes are not here: {reason}; name nodes in blob_peers of the configuration \
         that hold the blob or have executed the block, and restart"
    )]
    Replay {
        /// The block.
        height: u64,
        /// The blob.
        id: Box<BlobId>,
        /// What was tried.
        reason: String,
    },
    /// A transcript that a peer gave is of another block than the one that is executed.
    #[error("the transcript has {what} where the block has read {read}")]
    Transcript {
        /// The read, counted from 0.
        read: usize,
        /// What the transcript has.
        what: &'static str,
    },
    /// The folder of the transcripts cannot be used.
    #[error("transcripts in {}: {source}", path.display())]
    Transcripts {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The blob that the store holds is not as long as the state says.
    #[error("blob {id} has {got} bytes here and {want} on chain")]
    BlobSize {
        /// The blob.
        id: BlobId,
        /// Bytes here.
        got: u64,
        /// Bytes as registered and attested.
        want: u64,
    },
    /// The genesis file cannot start a chain.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The chain has been started before.
    #[error("the chain {0} is running already, at height {1}")]
    Started(String, u64),
    /// A block came out of turn.
    #[error("block {got} came, and block {want} is next")]
    Height {
        /// The block that came.
        got: u64,
        /// The block that is next.
        want: u64,
    },
    /// The chain goes on by rules that this binary does not have.
    #[error(
        "upgrade {name:?} is due at block {height} and this binary does not know it; install the one that does and \
         start again (info: {info:?})"
    )]
    UpgradeDue {
        /// The upgrade.
        name: String,
        /// The first block by its rules.
        height: u64,
        /// What the authority says to operators.
        info: String,
    },
    /// This binary has rules that the chain does not go by yet.
    #[error(
        "this binary has the rules of upgrade {name:?}, {}, and the chain is at block {height}; run the binary before \
         it until then",
        due.map_or("which nobody has scheduled".into(), |due| format!("which is due at block {due}"))
    )]
    UpgradeEarly {
        /// The upgrade.
        name: &'static str,
        /// The first block by its rules, if it is scheduled.
        due: Option<u64>,
        /// The latest block.
        height: u64,
    },
    /// Commit without a finalized block, or a block before the genesis.
    #[error("{0}")]
    Order(&'static str),
    /// A row of the state does not decode.
    #[error("state is damaged: {component}/{key} does not decode")]
    Row {
        /// The component.
        component: &'static str,
        /// The key, with bytes that are not text replaced.
        key: String,
    },
    /// The host could not do its part of a call.
    #[error("host: {0}")]
    Host(String),
    /// A snapshot would leave the heights that are kept before it is replaced.
    #[error(
        "snapshots every {interval} heights are offered for {heights} heights, and only {keep} are kept; \
         raise keep_heights to {heights}, or lower snapshot_interval to {fits} (0 takes none)"
    )]
    SnapshotWindow {
        /// Heights between two snapshots.
        interval: u64,
        /// How long one is offered.
        heights: u64,
        /// Heights that are kept.
        keep: u64,
        /// The longest interval that these have room for.
        fits: u64,
    },
    /// The state is too large for a snapshot.
    #[error("the state of height {height} has more than the {max} chunks that a snapshot can have")]
    SnapshotSize {
        /// The height.
        height: u64,
        /// Most chunks.
        max: usize,
    },
    /// The folder of the snapshots cannot be used.
    #[error("snapshots in {}: {source}", path.display())]
    Snapshots {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system gave no thread to run contracts on.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Why something was not done: refused by the rules, or impossible on this machine.
#[derive(Debug)]
pub(crate) enum Stop {
    /// By the rules, the same everywhere.
    Refused(Fault),
    /// On this machine; the node halts.
    Halt(Box<AppError>),
}

/// What comes of work on the state.
pub(crate) type Outcome<T> = Result<T, Stop>;

impl Stop {
    /// The same, seen from further out.
    pub(crate) fn within(self, place: impl std::fmt::Display) -> Self {
        match self {
            Self::Refused(fault) => Self::Refused(fault.within(place)),
            halt => halt,
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl From<AppError> for Stop {
    fn from(error: AppError) -> Self {
        Self::Halt(Box::new(error))
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        AppError::from(error).into()
    }
}
