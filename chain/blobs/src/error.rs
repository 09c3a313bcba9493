//! Why the store did not do what it was asked for.

use std::{
    io,
    path::{Path, PathBuf},
};

use aceso_types::blob::BlobId;

use crate::node::NodeFault;

/// A blob where another had to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// What had to come.
    pub want: BlobId,
    /// What came.
    pub got: BlobId,
}

/// Every way in which a call on the store fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// Another store, here or in another process, has this directory open.
    #[error("blob store {} is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// More bytes than the caller allows; `size` is how many were seen when it was given up.
    #[error("the blob has {size} bytes or more, and at most {max} are allowed")]
    TooLarge {
        /// Bytes seen or recorded.
        size: u64,
        /// The caller's limit.
        max: u64,
    },
    /// A stream that had to be one blob was another.
    #[error("the bytes are blob {}, not {}", .0.got, .0.want)]
    Other(Box<Other>),
    /// Nobody put this blob, or it was removed.
    #[error("blob {id} is not here")]
    Missing {
        /// What was asked for.
        id: BlobId,
    },
    /// The blob was put, but one of its blocks is gone from the packs.
    #[error("blob {} cannot be read since its block {} is not here", .0.id, .0.block)]
    Incomplete(Box<Place>),
    /// The disk holds other bytes than the identifier names.
    #[error("blob {} is damaged: the bytes kept for its block {} have another hash", .0.id, .0.block)]
    Corrupt(Box<Place>),
    /// The bytes are those named, but they are no file of the profile.
    #[error("blob {} is no UnixFS file: in its block {}, {fault}", place.id, place.block)]
    Malformed {
        /// The node at fault.
        place: Box<Place>,
        /// What is wrong with it.
        fault: NodeFault,
    },
    /// The caller's stream failed.
    #[error("the bytes to be stored could not be read: {0}")]
    Input(#[source] io::Error),
    /// The disk, or the quota on it, is full, or files may not grow so large. What was acknowledged before stays.
    #[error("no space left to write {}", path.display())]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused a file operation.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A sync failed earlier, so nobody knows what is on the disk. Reads go on, writes do not.
    #[error("blob store {} takes no writes since a sync failed; mend the disk and open it again", path.display())]
    Halted {
        /// The file whose sync failed.
        path: PathBuf,
    },
    /// Every number that a pack can have was used.
    #[error("blob store {} has used up its pack numbers", path.display())]
    Exhausted {
        /// The directory of the packs.
        path: PathBuf,
    },
}

/// A block in the tree of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The blob that was asked for.
    pub id: BlobId,
    /// The block; the blob itself if that is one block.
    pub block: BlobId,
}

impl Place {
    pub(crate) fn new(id: &BlobId, block: &BlobId) -> Box<Self> {
        Box::new(Self { id: *id, block: *block })
    }
}

/// Says what was tried on which file; a full disk gets its own variant.
pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            BlobError::NoSpace { path }
        }
        _ => BlobError::Io { path, action, source },
    }
}
