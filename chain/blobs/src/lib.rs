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
//! anything but the disk, so an asynchronous caller wraps the calls. Start at [`BlobStore`]. Where there is no such disk, as
//! in a browser, blobs are named only.

#![cfg_attr(not(unix), allow(dead_code, reason = "what reads and keeps blocks is left out there"))]

mod error;
mod import;
mod node;
mod record;

#[cfg(unix)]
mod compact;
#[cfg(unix)]
mod dag;
#[cfg(unix)]
mod index;
#[cfg(unix)]
mod pack;
#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod roots;
#[cfg(unix)]
mod store;
#[cfg(unix)]
mod writer;

pub use error::{BlobError, Other, Place};
pub use import::{Put, import};
pub use node::NodeFault;

#[cfg(unix)]
pub use compact::Compacted;
#[cfg(unix)]
pub use reader::BlobReader;
#[cfg(unix)]
pub use roots::{Listed, Stat};
#[cfg(unix)]
pub use store::{BlobStore, Options, Recovery, Usage};
