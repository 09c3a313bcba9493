//! Content-addressed blobs on this machine's disk: public or sealed bytes, never a key.
//!
//! A stream is cut and named as the UnixFS profile `unixfs-v1-2025` says ([`import`]), its blocks are appended to pack
//! files, and once they are on the disk the blob is entered in the table of roots. From then on it is answered for:
//! [`BlobStore::read`] and [`BlobReader`] hash every block again on the way out.
//!
//! ```text
//! put:  import → dedup → pack (append) → sync → roots (append, sync) → acknowledged
//! read: roots → dag (bounded walk) → index → pack → hash → bytes
//! ```
//!
//! Absent on purpose: a network, a quota, a clock. Whoever holds the store decides what to keep; nothing here blocks on
//! anything but the disk, so an asynchronous caller wraps the calls. Start at [`BlobStore`].

mod compact;
mod dag;
mod error;
mod import;
mod index;
mod node;
mod pack;
mod reader;
mod record;
mod roots;
mod store;
mod writer;

pub use compact::Compacted;
pub use error::{BlobError, Other, Place};
pub use import::{Put, import};
pub use node::NodeFault;
pub use reader::BlobReader;
pub use roots::{Listed, Stat};
pub use store::{BlobStore, Options, Recovery, Usage};
