//! Accounts of a home: their words, in files that a passphrase opens, or in plain ones for tests.
//!
//! `NAME.key` is encrypted ([`super::locked`]). `NAME.mnemonic` is **not**: its mode (0600) is all that protects it, and
//! a key that owns anything of value does not belong there.

use std::path::{Path, PathBuf};

use bip32::Mnemonic;

use super::{Home, HomeError, locked::Locked, make_directory, read, write_new};
use crate::address::{account, parse_mnemonic, public_key};

const PLAIN: &str = "mnemonic";
const ENCRYPTED: &str = "key";
const FILE_MAX: u64 = 4096;

/// An account whose words the home has.
pub(crate) struct Key {
    /// The name.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// The compressed secp256k1 public key.
    pub(crate) public: [u8; 33],
    /// Whether it takes a passphrase to sign.
    pub(crate) encrypted: bool,
}

impl Key {
    /// The account on a chain with this prefix.
    pub(crate) fn address(&self, prefix: &str) -> String {
        account(&self.public, prefix).unwrap_or_default()
    }
}

fn file(home: &Home, name: &str, suffix: &str) -> Result<PathBuf, HomeError> {
    let fits =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(home.keys_dir().join(format!("{name}.{suffix}"))) } else { Err(HomeError::KeyName(name.into())) }
}

/// Keeps a mnemonic under a name, in a plain file.
pub(crate) fn add(home: &Home, name: &str, mnemonic: &Mnemonic) -> Result<Key, HomeError> {
    keep(home, name, PLAIN, public_key(mnemonic)?, format!("{}\n", mnemonic.phrase()).as_bytes())
}

/// Keeps a mnemonic under a name, in a file that the passphrase opens.
pub(crate) fn add_encrypted(home: &Home, name: &str, mnemonic: &Mnemonic, passphrase: &str) -> Result<Key, HomeError> {
    // Before the name is looked at, hashing would be for nothing.
    file(home, name, ENCRYPTED)?;
    let locked = Locked::seal(mnemonic, passphrase)?;
    keep(home, name, ENCRYPTED, locked.public(), &locked.to_bytes())
}

fn keep(home: &Home, name: &str, suffix: &str, public: [u8; 33], bytes: &[u8]) -> Result<Key, HomeError> {
    for taken in [PLAIN, ENCRYPTED] {
        if file(home, name, taken)?.exists() {
            return Err(HomeError::KeyExists(name.into()));
        }
    }
    let file = file(home, name, suffix)?;
    make_directory(&home.keys_dir())?;
    write_new(&file, bytes, true)?;
    Ok(Key { name: name.into(), file, public, encrypted: suffix == ENCRYPTED })
}

/// The key of a name.
pub(crate) fn show(home: &Home, name: &str) -> Result<Key, HomeError> {
    let plain = file(home, name, PLAIN)?;
    if plain.exists() {
        let public = public_key(&load(&plain)?)?;
        return Ok(Key { name: name.into(), file: plain, public, encrypted: false });
    }
    let encrypted = file(home, name, ENCRYPTED)?;
    if encrypted.exists() {
        let public = load_encrypted(&encrypted)?.public();
        return Ok(Key { name: name.into(), file: encrypted, public, encrypted: true });
    }
    let known: Vec<_> = list(home)?.into_iter().map(|key| key.name).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    Err(HomeError::KeyMissing { name: name.into(), known })
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
        if path.extension().is_some_and(|extension| extension == PLAIN || extension == ENCRYPTED)
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names.iter().map(|name| show(home, name)).collect()
}

/// Removes the key of a name. Whoever has its words elsewhere brings it back.
pub(crate) fn remove(home: &Home, name: &str) -> Result<Key, HomeError> {
    let key = show(home, name)?;
    std::fs::remove_file(&key.file).map_err(|source| HomeError::Io {
        action: "remove",
        path: key.file.clone(),
        source,
    })?;
    Ok(key)
}

/// The words of a file, plain or encrypted; the passphrase is asked for only if it is needed.
pub(crate) fn words(
    file: &Path,
    passphrase: impl FnOnce() -> anyhow::Result<zeroize::Zeroizing<String>>,
) -> anyhow::Result<Mnemonic> {
    let bytes = read(file, FILE_MAX)?;
    if bytes.first() == Some(&b'{') {
        let locked = load_encrypted(file)?;
        return Ok(locked.open(&passphrase()?)?);
    }
    Ok(load(file)?)
}

/// Reads a plain file of words.
pub(crate) fn load(file: &Path) -> Result<Mnemonic, HomeError> {
    let malformed = |reason: String| HomeError::Malformed { path: file.into(), reason };
    let text = String::from_utf8(read(file, FILE_MAX)?).map_err(|_| malformed("it is not text".into()))?;
    parse_mnemonic(&text).map_err(|e| malformed(e.to_string()))
}

/// Reads an encrypted file.
fn load_encrypted(file: &Path) -> Result<Locked, HomeError> {
    let malformed = |reason: String| HomeError::Malformed { path: file.into(), reason };
    Locked::read(&read(file, FILE_MAX)?).map_err(|e| malformed(e.to_string()))
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

    #[test]
    fn an_encrypted_key_is_known_without_its_passphrase_and_used_with_it_only() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let mnemonic = new_mnemonic().unwrap();
        let made = add_encrypted(&home, "alice", &mnemonic, "correct horse").unwrap();
        assert!(made.encrypted);
        for taken in [add(&home, "alice", &mnemonic), add_encrypted(&home, "alice", &mnemonic, "correct horse")] {
            assert!(matches!(taken, Err(HomeError::KeyExists(_))));
        }
        let shown = show(&home, "alice").unwrap();
        assert_eq!((shown.public, shown.encrypted), (public_key(&mnemonic).unwrap(), true));
        let typed = |text: &str| zeroize::Zeroizing::new(text.to_owned());
        assert_eq!(words(&made.file, || Ok(typed("correct horse"))).unwrap().phrase(), mnemonic.phrase());
        assert!(words(&made.file, || Ok(typed("another one"))).is_err());
        add(&home, "bob", &mnemonic).unwrap();
        let plain = show(&home, "bob").unwrap().file;
        assert!(words(&plain, || anyhow::bail!("nobody is asked")).is_ok());
        let names: Vec<_> = list(&home).unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["alice", "bob"]);
        remove(&home, "alice").unwrap();
        assert!(matches!(remove(&home, "alice"), Err(HomeError::KeyMissing { .. })));
    }
}
