//! Accounts of a home: their words, in files that a passphrase opens, or in plain ones for tests; and public keys of others.
//!
//! `NAME.key` is encrypted ([`super::locked`]). `NAME.mnemonic` is **not**: its mode (0600) is all that protects it, and
//! a key that owns anything of value does not belong there. `NAME.pub` has a public key alone, in JSON as the SDK has it:
//! somebody else's, or one of several keys.

use std::path::{Path, PathBuf};

use aceso_app::paper;
use aceso_client::cosmos_any;
use bip32::Mnemonic;
use cosmos_sdk_proto::{Any, cosmos::crypto::secp256k1::PubKey};
use prost::Message;

use super::{Home, HomeError, locked::Locked, make_directory, read, write_new};
use crate::{
    address::{parse_mnemonic, public_key},
    rest::gateway,
};

const PLAIN: &str = "mnemonic";
const ENCRYPTED: &str = "key";
const PUBLIC: &str = "pub";
const FILE_MAX: u64 = 4096;
/// The same of a public key, which may be of a hundred others.
const PUBLIC_MAX: u64 = 64 << 10;
/// How public keys are packed.
const ANY: &str = "google.protobuf.Any";

/// How a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its words, encrypted by a passphrase.
    Encrypted,
    /// Its words, as they are.
    Plain,
    /// Without words.
    Public,
}

/// An account that the home has a name for.
pub(crate) struct Key {
    /// The name.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// The public key, as the Cosmos SDK packs it.
    pub(crate) public: Any,
    /// How it is kept.
    pub(crate) kept: Kept,
}

impl Key {
    /// The account on a chain with this prefix.
    pub(crate) fn address(&self, prefix: &str) -> String {
        paper::address_of(&self.public, prefix).unwrap_or_default()
    }

    /// The words, for which the passphrase is asked only if it is needed.
    pub(crate) fn words(
        &self,
        passphrase: impl FnOnce() -> anyhow::Result<zeroize::Zeroizing<String>>,
    ) -> anyhow::Result<Mnemonic> {
        if self.kept == Kept::Public {
            anyhow::bail!(
                "{} is a public key alone; a key of several signs by `aceso tx sign --multisig {0}` of its members and \
                 `aceso tx multisign`",
                self.name
            );
        }
        words(&self.file, passphrase)
    }
}

/// A public key in JSON, as the Cosmos SDK prints it; why there is none.
pub(crate) fn public_json(key: &Any) -> Result<String, String> {
    gateway::to_json(ANY, &key.encode_to_vec())
}

/// Reads such a key; an error says in words why it is none.
pub(crate) fn read_public(json: &str) -> Result<Any, String> {
    let key = Any::decode(&gateway::from_json(ANY, json)?[..]).map_err(|e| e.to_string())?;
    paper::address_of(&key, "aceso").map(|_| key)
}

/// A single public key, packed.
fn single(public: [u8; 33]) -> Any {
    cosmos_any(&PubKey { key: public.into() })
}

fn file(home: &Home, name: &str, suffix: &str) -> Result<PathBuf, HomeError> {
    let fits =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(home.keys_dir().join(format!("{name}.{suffix}"))) } else { Err(HomeError::KeyName(name.into())) }
}

/// Keeps a mnemonic under a name, in a plain file.
pub(crate) fn add(home: &Home, name: &str, mnemonic: &Mnemonic) -> Result<Key, HomeError> {
    keep(home, name, Kept::Plain, single(public_key(mnemonic)?), format!("{}\n", mnemonic.phrase()).as_bytes())
}

/// Keeps a mnemonic under a name, in a file that the passphrase opens.
pub(crate) fn add_encrypted(home: &Home, name: &str, mnemonic: &Mnemonic, passphrase: &str) -> Result<Key, HomeError> {
    // Before the name is looked at, hashing would be for nothing.
    file(home, name, ENCRYPTED)?;
    let locked = Locked::seal(mnemonic, passphrase)?;
    keep(home, name, Kept::Encrypted, single(locked.public()), &locked.to_bytes())
}

/// Keeps a public key under a name.
pub(crate) fn add_public(home: &Home, name: &str, key: &Any) -> Result<Key, HomeError> {
    let json = public_json(key).map_err(|reason| HomeError::Malformed { path: name.into(), reason })?;
    keep(home, name, Kept::Public, key.clone(), format!("{json}\n").as_bytes())
}

fn keep(home: &Home, name: &str, kept: Kept, public: Any, bytes: &[u8]) -> Result<Key, HomeError> {
    for taken in [PLAIN, ENCRYPTED, PUBLIC] {
        if file(home, name, taken)?.exists() {
            return Err(HomeError::KeyExists(name.into()));
        }
    }
    let suffix = match kept {
        Kept::Plain => PLAIN,
        Kept::Encrypted => ENCRYPTED,
        Kept::Public => PUBLIC,
    };
    let file = file(home, name, suffix)?;
    make_directory(&home.keys_dir())?;
    write_new(&file, bytes, true)?;
    Ok(Key { name: name.into(), file, public, kept })
}

/// The key of a name.
pub(crate) fn show(home: &Home, name: &str) -> Result<Key, HomeError> {
    let plain = file(home, name, PLAIN)?;
    if plain.exists() {
        let public = single(public_key(&load(&plain)?)?);
        return Ok(Key { name: name.into(), file: plain, public, kept: Kept::Plain });
    }
    let encrypted = file(home, name, ENCRYPTED)?;
    if encrypted.exists() {
        let public = single(load_encrypted(&encrypted)?.public());
        return Ok(Key { name: name.into(), file: encrypted, public, kept: Kept::Encrypted });
    }
    let alone = file(home, name, PUBLIC)?;
    if alone.exists() {
        let malformed = |reason: String| HomeError::Malformed { path: alone.clone(), reason };
        let text = String::from_utf8(read(&alone, PUBLIC_MAX)?).map_err(|e| malformed(e.to_string()))?;
        let public = read_public(&text).map_err(malformed)?;
        return Ok(Key { name: name.into(), file: alone, public, kept: Kept::Public });
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
        if path.extension().is_some_and(|extension| [PLAIN, ENCRYPTED, PUBLIC].iter().any(|one| extension == *one))
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

/// The public key of a file of words, plain or encrypted. No passphrase is asked for.
pub(crate) fn public_of(file: &Path) -> Result<Any, HomeError> {
    let is_locked = read(file, FILE_MAX)?.first() == Some(&b'{');
    Ok(single(if is_locked { load_encrypted(file)?.public() } else { public_key(&load(file)?)? }))
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
    use cosmos_sdk_proto::cosmos::crypto::multisig::LegacyAminoPubKey;

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
        assert_eq!(made.kept, Kept::Encrypted);
        for taken in [add(&home, "alice", &mnemonic), add_encrypted(&home, "alice", &mnemonic, "correct horse")] {
            assert!(matches!(taken, Err(HomeError::KeyExists(_))));
        }
        let shown = show(&home, "alice").unwrap();
        assert_eq!((shown.public, shown.kept), (single(public_key(&mnemonic).unwrap()), Kept::Encrypted));
        let typed = |text: &str| zeroize::Zeroizing::new(text.to_owned());
        assert_eq!(words(&made.file, || Ok(typed("correct horse"))).unwrap().phrase(), mnemonic.phrase());
        assert!(words(&made.file, || Ok(typed("another one"))).is_err());
        assert_eq!(public_of(&made.file).unwrap(), made.public);
        add(&home, "bob", &mnemonic).unwrap();
        let plain = show(&home, "bob").unwrap().file;
        assert!(words(&plain, || anyhow::bail!("nobody is asked")).is_ok());
        assert_eq!(public_of(&plain).unwrap(), made.public);
        let names: Vec<_> = list(&home).unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["alice", "bob"]);
        remove(&home, "alice").unwrap();
        assert!(matches!(remove(&home, "alice"), Err(HomeError::KeyMissing { .. })));
    }
    #[test]
    fn a_key_of_several_is_kept_without_words() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let words = [new_mnemonic().unwrap(), new_mnemonic().unwrap()];
        let public_keys = words.iter().map(|words| single(public_key(words).unwrap())).collect();
        let several = cosmos_any(&LegacyAminoPubKey { threshold: 2, public_keys });
        let made = add_public(&home, "group", &several).unwrap();
        let shown = show(&home, "group").unwrap();
        assert_eq!((&shown.public, shown.kept), (&several, Kept::Public));
        assert_eq!(made.address("aceso"), shown.address("aceso"));
        assert!(matches!(add(&home, "group", &words[0]), Err(HomeError::KeyExists(_))));
        let refused = shown.words(|| anyhow::bail!("nobody is asked")).err().unwrap().to_string();
        assert!(refused.contains("aceso tx sign --multisig group"), "{refused}");
        assert_eq!(list(&home).unwrap().len(), 1);
        for wrong in
            ["", "{}", r#"{"@type":"/cosmos.bank.v1beta1.MsgSend"}"#, &public_json(&several).unwrap().replace('2', "3")]
        {
            assert!(read_public(wrong).is_err(), "{wrong}");
            std::fs::write(&shown.file, wrong).unwrap();
            assert!(matches!(show(&home, "group"), Err(HomeError::Malformed { .. })), "{wrong}");
        }
    }
}
