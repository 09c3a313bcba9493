//! Why the state could not be read, staged or committed.

use std::path::PathBuf;

/// What went wrong, with the operands needed to act on it.
///
/// [`StateError::is_refusal`] tells what a guest may cause from what only this machine can: the latter must stop the
/// node and never becomes the result of a transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process, or another store of this one, has the folder open.
    #[error("state in {} is in use by another node; stop that one or choose another home", path.display())]
    InUse {
        /// The folder of the store.
        path: PathBuf,
    },
    /// The disk is full. Nothing of the block was acknowledged; the heights before it are intact.
    #[error("no space left on the disk that holds {}; free some and start again", path.display())]
    NoSpace {
        /// The folder of the store.
        path: PathBuf,
    },
    /// The folder holds something that this code did not write, or bytes that changed since.
    #[error(
        "state is corrupt: {what}; restore the home from a copy, or remove the folder of the state, which the next \
         start then builds anew from blocks or a snapshot"
    )]
    Corrupt {
        /// What was expected and what was found.
        what: String,
    },
    /// The folder was written under another layout.
    #[error("state has layout {found}, this program reads layout {wanted}")]
    Layout {
        /// Layout number on disk.
        found: u64,
        /// Layout number of this program.
        wanted: u64,
    },
    /// The folder was written with another set or order of components, which is part of the app hash's shape.
    #[error("state has the components {found}, this program has {wanted}")]
    Components {
        /// Names on disk, separated by commas.
        found: String,
        /// Names of this program, separated by commas.
        wanted: String,
    },
    /// The options name no component, too many, the same twice, or one with an empty name.
    #[error("components {wanted} cannot be used: {why}")]
    BadComponents {
        /// The names, separated by commas.
        wanted: String,
        /// Which rule they break.
        why: &'static str,
    },
    /// The height has left the window.
    #[error("height {version} is pruned, the oldest one kept is {oldest}")]
    Pruned {
        /// The height asked for.
        version: u64,
        /// The oldest height that can be read.
        oldest: u64,
    },
    /// The height is not committed yet.
    #[error("height {version} is not committed yet, the latest is {latest}")]
    Future {
        /// The height asked for.
        version: u64,
        /// The latest committed height.
        latest: u64,
    },
    /// Versions are staged and committed one after the other.
    #[error("version {version} does not follow version {latest}")]
    OutOfOrder {
        /// The version to stage or commit.
        version: u64,
        /// The latest committed version.
        latest: u64,
    },
    /// There is no height to go back to.
    #[error(
        "nothing lies before the first height (the latest is {latest}); remove the folder of the state to begin anew"
    )]
    NoWayBack {
        /// The latest height.
        latest: u64,
    },
    /// Nothing was committed yet, so there is no tree to prove anything in.
    #[error("height {version} has no proofs: nothing was committed up to it")]
    Unproven {
        /// The height asked for.
        version: u64,
    },
    /// No component has this name.
    #[error("component {component:?} does not exist")]
    UnknownComponent {
        /// The name asked for.
        component: String,
    },
    /// ICS23 can prove no empty key.
    #[error("a key in component {component:?} is empty")]
    EmptyKey {
        /// The component written to.
        component: String,
    },
    /// ICS23 can prove no empty value, nor an absence beside one.
    #[error("the value of a {key_len}-byte key in component {component:?} is empty; remove the key instead")]
    EmptyValue {
        /// The component written to.
        component: String,
        /// Length of the key in bytes.
        key_len: usize,
    },
    /// The key is the one that keeps a component's tree from being empty.
    #[error("a key in component {component:?} is reserved")]
    ReservedKey {
        /// The component written to.
        component: String,
    },
    /// The key is longer than [`crate::KEY_MAX`].
    #[error("a key in component {component:?} has {len} bytes, at most {max} are allowed")]
    KeyTooLong {
        /// The component written to.
        component: String,
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The value is longer than [`crate::VALUE_MAX`].
    #[error("a value in component {component:?} has {len} bytes, at most {max} are allowed")]
    ValueTooLong {
        /// The component written to.
        component: String,
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The tree library refused, which means that the tree on disk contradicts itself.
    #[error("tree of version {version} is inconsistent: {what}")]
    Tree {
        /// The version read or written.
        version: u64,
        /// The library's reason.
        what: String,
    },
    /// The store below failed. It accepts no more writes; what was committed before is intact.
    #[error("state store in {} failed: {source}", path.display())]
    Store {
        /// The folder of the store.
        path: PathBuf,
        /// The store's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no thread for a part of the work. Nothing was changed.
    #[error("no thread for a snapshot's rows: {source}")]
    Thread {
        /// The system's error.
        source: std::io::Error,
    },
}

impl StateError {
    /// True for what a caller's argument causes, the same on every node: such an error may become a transaction's
    /// result. Everything else concerns this machine alone.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::UnknownComponent { .. }
                | Self::EmptyKey { .. }
                | Self::EmptyValue { .. }
                | Self::ReservedKey { .. }
                | Self::KeyTooLong { .. }
                | Self::ValueTooLong { .. }
        )
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}
