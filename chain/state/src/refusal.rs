//! Why a snapshot is not taken over, and who is to blame.

use crate::error::StateError;
use crate::manifest::ManifestError;

/// Whom an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever offers the snapshot: no honest node has it.
    Snapshot,
    /// Whoever sent the chunk: the manifest says otherwise. Another sender may have the right one.
    Sender,
    /// The caller, who cannot restore this here and now.
    Caller,
    /// This machine.
    Machine,
}

/// Why a snapshot was not begun, continued or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The manifest says nothing that can be restored.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The snapshot has other components than this program.
    #[error("the snapshot has the components {found}, this program has {wanted}")]
    Components {
        /// Names in the manifest, separated by commas.
        found: String,
        /// Names of this program, separated by commas.
        wanted: String,
    },
    /// The roots do not make the app hash of the height.
    #[error("the snapshot's roots make another app hash than the one of height {height}")]
    AppHash {
        /// The snapshot's height.
        height: u64,
    },
    /// Blocks were committed here, which a snapshot would replace.
    #[error("the state holds height {height} already; remove it to restore a snapshot")]
    NotEmpty {
        /// The latest height.
        height: u64,
    },
    /// Another restoration of this store goes on.
    #[error("a snapshot is being restored already")]
    Busy,
    /// Chunks are applied one after the other, and none after one that was false.
    #[error("chunk {got} of {chunks} is not the next one")]
    Order {
        /// The chunk that came.
        got: u32,
        /// How many there are.
        chunks: u32,
    },
    /// A chunk is not the one that the manifest describes.
    #[error("chunk {index} of {len} bytes has another digest than the manifest says")]
    Digest {
        /// Which chunk.
        index: u32,
        /// Its bytes.
        len: usize,
    },
    /// A chunk that the manifest describes is false.
    #[error("chunk {index} is false: {fault}")]
    False {
        /// Which chunk.
        index: u32,
        /// What is wrong with it.
        fault: ChunkFault,
    },
    /// The chunks have come to their end, the trees have not.
    #[error("{missing} of {components} components are incomplete after the last chunk")]
    Incomplete {
        /// Components without their last entry.
        missing: usize,
        /// All components.
        components: usize,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl RestoreError {
    /// Whom the error speaks of.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Manifest(_)
            | Self::Components { .. }
            | Self::AppHash { .. }
            | Self::False { .. }
            | Self::Incomplete { .. } => Blame::Snapshot,
            Self::Digest { .. } => Blame::Sender,
            Self::NotEmpty { .. } | Self::Busy | Self::Order { .. } => Blame::Caller,
            Self::State(_) => Blame::Machine,
        }
    }
}

/// What is wrong with a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkFault {
    /// The bytes end too early, or begin with something unknown.
    #[error("the bytes from {at} on have no known form")]
    Form {
        /// How far they were understood.
        at: usize,
    },
    /// A part is of a component whose turn it is not.
    #[error("component {got} comes where component {want} is due")]
    Component {
        /// The component's place in the list, from 1 on.
        got: u8,
        /// The one that is due.
        want: u8,
    },
    /// A part without an entry.
    #[error("component {component} has a part without entries")]
    Empty {
        /// The component's place in the list, from 1 on.
        component: u8,
    },
    /// More entries than a chunk may have.
    #[error("more than {max} entries are in one chunk")]
    Records {
        /// The most that is allowed.
        max: usize,
    },
    /// A key that no entry can have.
    #[error("a key has {len} bytes, at most {max} are allowed")]
    Key {
        /// Its length in bytes.
        len: u64,
        /// The most that is allowed.
        max: usize,
    },
    /// A value that no entry can have.
    #[error("a value has {len} bytes, 1 to {max} are allowed")]
    Value {
        /// Its length in bytes.
        len: u64,
        /// The most that is allowed.
        max: usize,
    },
    /// The entry that every component has does not say its name.
    #[error("the first entry of component {component} does not hold its name")]
    Sentinel {
        /// The component's place in the list, from 1 on.
        component: u8,
    },
    /// An entry is there twice, or comes after one that it should precede.
    #[error("the entries of component {component} are not in order")]
    Order {
        /// The component's place in the list, from 1 on.
        component: u8,
    },
    /// The entries are not those under the component's root.
    #[error("the entries so far are not under the root of component {component}")]
    Proof {
        /// The component's place in the list, from 1 on.
        component: u8,
    },
    /// A piece comes where no value is incomplete, or entries where one is.
    #[error("a piece of a value comes out of turn, or is missing")]
    Turn,
    /// A value of several chunks is not the one that the entry has.
    #[error("a value of {len} bytes has another hash than its entry")]
    Pieces {
        /// Its length in bytes.
        len: usize,
    },
}
