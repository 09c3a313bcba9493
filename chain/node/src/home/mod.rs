//! The node's home: what is in which file, and who may use it.
//!
//! ```text
//! config/genesis.json              the chain's beginning, in CometBFT's format
//! config/priv_validator_key.json   the validator's ed25519 key, in CometBFT's format
//! config/attest_key.json           the validator's BLS key for attestations
//! config/packing.key               by which this machine knows the models that it has packed
//! config/opener/EPOCH.json         the operator's keys for what committees open
//! config/aceso.toml                bounds that an operator may change, and peers
//! config/config.toml               CometBFT's own, and node_key.json its name among nodes
//! data/state data/code data/blobs  the application's state, compiled contracts, blobs
//! data/models                      models in the form in which they run
//! data/transcripts                 what the open reads of blocks came to
//! data/shares                      what this node signs of open jobs
//! data/diverged.json               what this node said when it had computed other reads than the rest
//! data/snapshots                   where the chunks of snapshots for state sync begin
//! data/blocks.redb                 blocks of the embedded engine
//! keys/NAME.key                    accounts of `aceso keys`, encrypted; NAME.mnemonic those that are not
//! ```
//!
//! Secrets are readable by their owner only. The genesis file is written last: a home that has one is complete.

pub(crate) mod cometbft;
pub(crate) mod config;
pub(crate) mod draft;
pub(crate) mod folders;
pub(crate) mod genesis;
pub(crate) mod keys;
pub(crate) mod locked;
mod opener;
pub(crate) mod validator;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// Why the home cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// Another node runs in it.
    #[error("another node is using {}; stop it or choose another --home", .0.display())]
    InUse(PathBuf),
    /// There is no chain in it.
    #[error("{} holds no chain; make one with `aceso init --home {}`, or start `aceso dev`", .0.display(), .0.display())]
    Empty(PathBuf),
    /// The file system refuses.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name is not one for a key.
    #[error("{0:?} is not a name for a key; use 1 to 64 letters, digits, - and _")]
    KeyName(String),
    /// There is a key of this name.
    #[error("a key named {0} exists; choose another name, or remove its file first")]
    KeyExists(String),
    /// There is no key of this name.
    #[error("there is no key named {name}; those of this home: {known}")]
    KeyMissing {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The operating system gives no randomness.
    #[error("no randomness to make a key from: {0}")]
    Random(getrandom::Error),
    /// Words are no mnemonic.
    #[error(transparent)]
    Mnemonic(#[from] crate::address::MnemonicError),
    /// Words are not kept or not opened.
    #[error(transparent)]
    Locked(#[from] locked::LockedError),
    /// The chain in this home began differently.
    #[error("{} holds a chain whose {what} is {have}, not {want}; leave the option out or choose another --home", path.display())]
    OtherChain {
        /// The home.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// As in the genesis file.
        have: String,
        /// As on the command line.
        want: String,
    },
    /// The chain has begun, so how it begins is settled.
    #[error("the chain in {} has begun, and its genesis cannot change any more; choose another --home", .0.display())]
    Begun(PathBuf),
    /// An option has a value that it cannot have.
    #[error("{option} {value:?}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free some space on this disk and start again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a --home that you may write to"
        }
        _ => "",
    }
}

/// A directory with a chain in it, or about to have one.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

/// Keeps other nodes out of a home while it lives.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "the lock is the open file")] File);

impl Home {
    /// A home, which need not exist.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the directories and keeps other nodes out.
    pub(crate) fn lock(&self) -> Result<Lock, HomeError> {
        for directory in [self.0.clone(), self.config(), self.data()] {
            make_directory(&directory)?;
        }
        let path = self.0.join("LOCK");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| HomeError::Io { action: "open", path: path.clone(), source })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HomeError::InUse(self.0.clone())),
            Err(e) => Err(HomeError::Io { action: "lock", path, source: e.into() }),
        }
    }

    /// Whether a node has the home for itself at this moment.
    pub(crate) fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.0.join("LOCK")) else { return false };
        // A lock that is given here goes with the file.
        flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
    }

    /// Whether a chain begins here.
    pub(crate) fn has_genesis(&self) -> bool {
        self.genesis_file().exists()
    }

    pub(crate) fn genesis_file(&self) -> PathBuf {
        self.config().join("genesis.json")
    }

    pub(crate) fn validator_file(&self) -> PathBuf {
        self.config().join("priv_validator_key.json")
    }

    pub(crate) fn attest_file(&self) -> PathBuf {
        self.config().join("attest_key.json")
    }

    pub(crate) fn node_key_file(&self) -> PathBuf {
        self.config().join("node_key.json")
    }

    pub(crate) fn packing_key_file(&self) -> PathBuf {
        self.config().join("packing.key")
    }

    /// The attestation key that takes over from the one in use.
    pub(crate) fn next_attest_file(&self) -> PathBuf {
        self.config().join("attest_key.next.json")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.config().join("aceso.toml")
    }

    pub(crate) fn sign_state_file(&self) -> PathBuf {
        self.data().join("priv_validator_state.json")
    }

    pub(crate) fn blocks_file(&self) -> PathBuf {
        self.data().join("blocks.redb")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.data().join("state")
    }

    pub(crate) fn snapshots_dir(&self) -> PathBuf {
        self.data().join("snapshots")
    }

    pub(crate) fn transcripts_dir(&self) -> PathBuf {
        self.data().join("transcripts")
    }

    pub(crate) fn shares_dir(&self) -> PathBuf {
        self.data().join("shares")
    }

    pub(crate) fn divergence_file(&self) -> PathBuf {
        self.data().join("diverged.json")
    }

    pub(crate) fn code_dir(&self) -> PathBuf {
        self.data().join("code")
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.data().join("models")
    }

    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.data().join("blobs")
    }

    pub(crate) fn keys_dir(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn config(&self) -> PathBuf {
        self.0.join("config")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

/// Makes a directory that only its owner can look into, and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| HomeError::Io {
        action: "make",
        path: path.into(),
        source,
    })
}

/// Writes a new file whole or not at all; `secret` ones are for their owner's eyes only.
pub(crate) fn write_new(path: &Path, bytes: &[u8], secret: bool) -> Result<(), HomeError> {
    let failed = |action| move |source| HomeError::Io { action, path: path.into(), source };
    let draft = path.with_extension("draft");
    let mode = if secret { 0o600 } else { 0o644 };
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&draft).map_err(failed("write"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write"))?;
    fs::rename(&draft, path).map_err(failed("write"))?;
    // That of a name alone is empty.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("write"))
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: u64) -> Result<Vec<u8>, HomeError> {
    let failed = |source| HomeError::Io { action: "read", path: path.into(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > max {
        let reason = format!("the file has {length} bytes, and at most {max} are read");
        return Err(HomeError::Malformed { path: path.into(), reason });
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_node_is_kept_out() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let lock = home.lock().unwrap();
        let refused = home.lock().unwrap_err();
        assert!(refused.to_string().starts_with("another node is using"), "{refused}");
        assert!(home.is_locked());
        drop(lock);
        assert!(!home.is_locked() && !Home::at("/nowhere").is_locked());
        assert!(home.lock().is_ok());
    }

    #[test]
    fn secrets_are_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        write_new(&file, b"x", true).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&file, 1).unwrap(), b"x");
        assert!(matches!(read(&file, 0), Err(HomeError::Malformed { .. })));
    }
}
