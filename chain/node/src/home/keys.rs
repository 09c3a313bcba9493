//! Accounts for tests and demonstrations: mnemonics in plain files.
//!
//! The files are **not encrypted**; their mode (0600) is all that protects them. A key that owns anything of value
//! belongs into a wallet.

use std::path::{Path, PathBuf};

use bip32::Mnemonic;

use super::{Home, HomeError, make_directory, read, write_new};
use crate::address::{account, parse_mnemonic, public_key};

const SUFFIX: &str = "mnemonic";
const FILE_MAX: u64 = 4096;

/// An account of which the home knows the mnemonic.
pub(crate) struct Key {
    /// The name.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// The compressed secp256k1 public key.
    pub(crate) public: [u8; 33],
}

impl Key {
    /// The account on a chain with this prefix.
    pub(crate) fn address(&self, prefix: &str) -> String {
        account(&self.public, prefix).unwrap_or_default()
    }
}

fn file(home: &Home, name: &str) -> Result<PathBuf, HomeError> {
    let fits =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(home.keys_dir().join(format!("{name}.{SUFFIX}"))) } else { Err(HomeError::KeyName(name.into())) }
}

/// Keeps a mnemonic under a name.
pub(crate) fn add(home: &Home, name: &str, mnemonic: &Mnemonic) -> Result<Key, HomeError> {
    let file = file(home, name)?;
    let public = public_key(mnemonic)?;
    make_directory(&home.keys_dir())?;
    if file.exists() {
        return Err(HomeError::KeyExists(name.into()));
    }
    write_new(&file, format!("{}\n", mnemonic.phrase()).as_bytes(), true)?;
    Ok(Key { name: name.into(), file, public })
}

/// The key of a name.
pub(crate) fn show(home: &Home, name: &str) -> Result<Key, HomeError> {
    let file = file(home, name)?;
    if !file.exists() {
        let known: Vec<_> = list(home)?.into_iter().map(|key| key.name).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        return Err(HomeError::KeyMissing { name: name.into(), known });
    }
    let public = public_key(&load(&file)?)?;
    Ok(Key { name: name.into(), file, public })
}

/// All keys, by name.
pub(crate) fn list(home: &Home) -> Result<Vec<Key>, HomeError> {
    let directory = home.keys_dir();
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let failed = |source| HomeError::Io { action: "list", path: directory.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX)
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.iter().map(|name| show(home, name)).collect()
}

/// Reads a file of words.
pub(crate) fn load(file: &Path) -> Result<Mnemonic, HomeError> {
    let malformed = |reason: String| HomeError::Malformed { path: file.into(), reason };
    let text = String::from_utf8(read(file, FILE_MAX)?).map_err(|_| malformed("it is not text".into()))?;
    parse_mnemonic(&text).map_err(|e| malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::new_mnemonic;

    #[test]
    fn keys_come_back_and_are_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let made = add(&home, "alice", &new_mnemonic().unwrap()).unwrap();
        assert_eq!(show(&home, "alice").unwrap().public, made.public);
        assert!(matches!(add(&home, "alice", &new_mnemonic().unwrap()), Err(HomeError::KeyExists(_))));
        assert!(matches!(show(&home, "bob"), Err(HomeError::KeyMissing { known, .. }) if known == "alice"));
        for name in ["", "../x", "a b", &"a".repeat(65)] {
            assert!(matches!(show(&home, name), Err(HomeError::KeyName(_))), "{name}");
        }
        assert_eq!(list(&home).unwrap().len(), 1);
    }
}
