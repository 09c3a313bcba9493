//! A person's keys in one encrypted file, and `aceso sealed keys`, which makes and shows it.
//!
//! ```text
//! salt, 32 bytes | registration of K for k·G, 240 bytes | key store, sealed under K
//! ```
//!
//! The secret k follows from the account's secret and the salt, so the words open the file, and the file alone says nothing.
//! Each change is written under a new K, in place of what was there; the salt, and with it k, is another one after something
//! was erased and with each deal to guardians, so that a deal opens what came in after it. `docs/grants.md` has the parts.

use std::path::{Path, PathBuf};

use aceso_client::{Key, random, sealed::register_reader};
use aceso_seal::{KeyStore, StoreError};
use aceso_verify::grant::{ContentPoint, Entropy, GrantError, Registered, Registration, SecretKey};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::{DAY, Desk, now};
use crate::{
    cli::remote::{opener::latest, tx::report},
    home,
};

/// What a keyring's secret is derived for.
const PURPOSE: &[u8] = b"aceso/keyring/1";
/// What a record's point is made for.
const CONTENT: &[u8] = b"aceso/keyring/content/1";
/// What a keyring's point is registered as.
const NAME: &str = "keyring";
/// Bytes of the salt.
pub(super) const SALT: usize = 32;
/// Most bytes of a keyring: those of ten thousand keys, sealed.
pub(super) const BYTES_MAX: u64 = 4 << 20;
/// Before the number of an account that waits for a record.
const WAITING: &str = "account/";
/// Before the number of a reader's epoch.
const READER: &str = "reader/";

/// Where the keyring is.
#[derive(Args, Clone, Debug)]
pub(crate) struct KeyringArg {
    /// The file of your keys; encrypted, opened with the words of --from.
    #[arg(long, value_name = "FILE", default_value = "aceso.keys", global = true)]
    keys: PathBuf,
}

impl KeyringArg {
    pub(super) fn open(&self, desk: &Desk<'_>) -> Result<Keyring> {
        Keyring::load(&self.keys, &desk.key, &desk.address)
    }

    pub(super) fn path(&self) -> &Path {
        &self.keys
    }
}

/// A person's keys; wiped when it goes.
pub(super) struct Keyring {
    path: PathBuf,
    pub(super) store: KeyStore,
    /// What opens the file as it is now, and follows from the salt in it.
    pub(super) secret: SecretKey,
    salt: [u8; SALT],
}

impl Keyring {
    /// A keyring in a new file.
    pub(super) fn create(path: &Path, key: &Key, owner: &str, store: KeyStore) -> Result<Self> {
        let salt = random::<SALT>()?;
        let secret = key.derive(PURPOSE, &salt)?;
        super::write_fresh(path, &locked(&store, &secret, owner, &salt)?)?;
        Ok(Self { path: path.into(), store, secret, salt })
    }

    pub(super) fn load(path: &Path, key: &Key, owner: &str) -> Result<Self> {
        if !path.exists() {
            bail!("{} is not there; make it with `aceso sealed keys new`", path.display());
        }
        let bytes = home::read(path, BYTES_MAX)?;
        Self::unlock(path, &bytes, key)
            .with_context(|| format!("{} does not open with the words of {owner}", path.display()))
    }

    fn unlock(path: &Path, bytes: &[u8], key: &Key) -> Result<Self> {
        let (salt, rest) = bytes.split_first_chunk::<SALT>().context("the file is too short for a keyring")?;
        let secret = key.derive(PURPOSE, salt)?;
        Ok(Self { path: path.into(), store: opened(rest, &secret)?, secret, salt: *salt })
    }

    /// Writes it in place of what was there; guardians who were dealt its key can bring it back as it is now.
    pub(super) fn save(&self, owner: &str) -> Result<()> {
        Ok(home::write_new(&self.path, &locked(&self.store, &self.secret, owner, &self.salt)?, true)?)
    }

    /// Has it lie under another key from the next save on, which nobody was dealt: what was erased must not come back.
    pub(super) fn rekey(&mut self, key: &Key) -> Result<()> {
        self.salt = random()?;
        self.secret = key.derive(PURPOSE, &self.salt)?;
        Ok(())
    }

    /// Notes under which key guardians were dealt it last.
    pub(super) fn dealt(&self) -> Result<()> {
        Ok(home::write_new(&dealt_path(&self.path), hex::encode(self.salt).as_bytes(), true)?)
    }

    /// Whether guardians were dealt the key under which it lies, as far as this machine knows; none if they never were dealt
    /// one.
    fn guarded(&self) -> Option<bool> {
        let noted = std::fs::read_to_string(dealt_path(&self.path)).ok()?;
        Some(noted.trim() == hex::encode(self.salt))
    }

    /// What to do where guardians were dealt another key than this is under.
    pub(super) fn behind(&self) -> Option<String> {
        (!self.guarded()?).then(|| {
            format!(
                "your guardians were dealt another key than {} lies under now, so they do not bring it back as it is: deal it anew \
                 with `aceso guardians split`",
                self.path.display()
            )
        })
    }

    /// What of the file is opened with its secret: what guardians keep.
    pub(super) fn sealed(&self) -> Result<Vec<u8>> {
        Ok(home::read(&self.path, BYTES_MAX)?.split_off(SALT))
    }

    /// A new key and account that wait for a record, which has no name before it is sealed; answers what they are called
    /// until then.
    pub(super) fn fresh(&mut self) -> Result<String> {
        let taken = self.waiting().filter_map(|name| name.strip_prefix(WAITING)?.parse().ok()).max();
        let name = format!("{WAITING}{}", taken.unwrap_or(0_u32).checked_add(1).context("there are no more numbers")?);
        self.store.add(&name, random()?)?;
        Ok(name)
    }

    /// What waits for a record.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.store.images().filter(|name| name.starts_with(WAITING))
    }

    /// Records that it has keys of, by their names.
    pub(super) fn records(&self) -> impl Iterator<Item = &str> {
        self.store.images().filter(|name| !name.starts_with(WAITING) && !name.starts_with(READER))
    }

    /// The account of a record, or of one that is to come.
    pub(super) fn account(&self, name: &str) -> Result<Key> {
        Ok(Key::from_bytes(&self.store.account(name)?[..])?)
    }

    /// The key that was registered for reading in an epoch.
    pub(super) fn reader(&self, epoch: u64) -> Result<SecretKey> {
        self.store
            .key(&reader_name(epoch))
            .with_context(|| format!("{} has no key of epoch {epoch} to read with", self.path.display()))
    }
}

/// The point of a record, from its owner's key: who has that could open the registration all the same.
pub(super) fn content(key: &SecretKey) -> ContentPoint {
    let secret = Zeroizing::new(key.to_bytes());
    let entropy: Zeroizing<Entropy> =
        Zeroizing::new(Sha512::new().chain_update(CONTENT).chain_update(*secret).finalize().into());
    ContentPoint::generate(&entropy)
}

fn reader_name(epoch: u64) -> String {
    format!("{READER}{epoch}")
}

/// Where it is noted what guardians were dealt.
fn dealt_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".dealt");
    name.into()
}

/// A keyring's file.
fn locked(store: &KeyStore, secret: &SecretKey, owner: &str, salt: &[u8; SALT]) -> Result<Vec<u8>> {
    let content = ContentPoint::generate(&random()?);
    let commitment = content.commitment();
    let about = Registered { chain_id: "", cid: NAME, owner, commitment: &commitment };
    let registration = Registration::new(&about, secret, &content, &random()?);
    let sealed = store.seal(&content, owner, random()?)?;
    Ok([&salt[..], &registration.to_bytes(), &sealed].concat())
}

/// The store in what stands behind the salt.
pub(super) fn opened(rest: &[u8], secret: &SecretKey) -> Result<KeyStore, StoreError> {
    let short = GrantError::Length { what: "a registration", want: Registration::LEN, got: rest.len() };
    let (registration, sealed) = rest.split_at_checked(Registration::LEN).ok_or(short)?;
    let content = Registration::from_bytes(registration)?.sealed.open(secret);
    KeyStore::open(&content, sealed, 1)
}

/// Your keys: those of your records, and those that others grant to.
#[derive(Args, Debug)]
pub(crate) struct Keys {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    keyring: KeyringArg,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Verb {
    /// Makes an empty file of keys.
    New,
    /// Says what the file has keys of.
    Show,
    /// Registers a key of yours that others can grant records to; each is good for a time.
    Register {
        /// After how many days nothing is granted to it any more.
        #[arg(long, default_value_t = 365, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: u64,
    },
}

impl Keys {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        match self.verb {
            Verb::New => {
                let path = self.keyring.path();
                let ring = Keyring::create(path, &desk.key, &desk.address, KeyStore::new(random()?))?;
                let object = json!({"ok": true, "keys": path, "owner": desk.address, "version": ring.store.version()});
                desk.output.print(&object, || {
                    format!(
                        "the keys of {} will be in {}: keep a copy, or deal it to guardians",
                        desk.address,
                        path.display()
                    )
                })
            }
            Verb::Show => {
                let ring = self.keyring.open(desk)?;
                let names: Vec<&str> = ring.store.images().collect();
                let object = json!({
                    "ok": true, "keys": ring.path, "owner": desk.address, "version": ring.store.version(), "names": names,
                    "guarded": ring.guarded(),
                });
                desk.output.print(&object, || {
                    let listed = match names.as_slice() {
                        [] => format!("{} has no key yet", ring.path.display()),
                        names => names.join("\n"),
                    };
                    listed + &ring.behind().map(|words| format!("\n{words}")).unwrap_or_default()
                })
            }
            Verb::Register { days } => {
                let mut ring = self.keyring.open(desk)?;
                let epoch = latest(desk.client, &desk.address)?.map_or(0, |row| row.epoch.saturating_add(1));
                let name = reader_name(epoch);
                // Written before it is registered: a key that is registered and lost opens nothing.
                if !ring.store.images().any(|known| known == name) {
                    ring.store.add(&name, random()?)?;
                    ring.save(&desk.address)?;
                }
                let expires = now()?.saturating_add(days.saturating_mul(DAY));
                let chain = &desk.client.chain().id;
                let secret = ring.store.key(&name)?;
                let message = register_reader(chain, &desk.address, epoch, expires, &secret, &random()?);
                let tx = desk.send(&message)?;
                report(desk.output, &tx, Some(("epoch", epoch.to_string().as_str())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn somebody() -> (Key, String) {
        let (key, _) = Key::generate().unwrap();
        let address = key.address("aceso");
        (key, address)
    }

    #[test]
    fn a_keyring_opens_with_its_words_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aceso.keys");
        let ((key, owner), (stranger, other)) = (somebody(), somebody());
        let refused = |result: Result<Keyring>| format!("{:#}", result.err().unwrap());
        assert!(refused(Keyring::load(&path, &key, &owner)).contains("make it with `aceso sealed keys new`"));
        let mut ring = Keyring::create(&path, &key, &owner, KeyStore::new([7; 32])).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let waits = ring.fresh().unwrap();
        assert_eq!((waits.as_str(), ring.fresh().unwrap().as_str()), ("account/1", "account/2"));
        let (point, account) = (content(&ring.store.key(&waits).unwrap()), ring.account(&waits).unwrap().public());
        ring.store.rename(&waits, "bafy").unwrap();
        ring.store.add(&reader_name(0), [2; 32]).unwrap();
        assert_eq!(ring.records().collect::<Vec<_>>(), ["bafy"]);
        assert_eq!(ring.fresh().unwrap(), "account/3");
        assert_eq!(ring.waiting().collect::<Vec<_>>(), ["account/2", "account/3"]);
        assert_eq!(ring.account("bafy").unwrap().public(), account);
        ring.save(&owner).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Keyring::load(&path, &key, &owner).unwrap();
        assert_eq!((content(&again.store.key("bafy").unwrap()), again.store.images().count()), (point, 4));

        assert!(refused(Keyring::load(&path, &stranger, &other)).contains("does not open with the words of"));
        let there = refused(Keyring::create(&path, &stranger, &other, KeyStore::new([8; 32])));
        assert!(there.contains("not written over"), "{there}");
        assert!(Keyring::load(&path, &key, &owner).is_ok());
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 31, 32, 271, 272, 300, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(refused(Keyring::load(&path, &key, &owner)).contains("does not open"), "{cut}");
        }
        for at in [0, 40, 300, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(refused(Keyring::load(&path, &key, &owner)).contains("does not open"), "{at}");
        }
    }

    #[test]
    fn its_key_is_another_one_only_after_an_erasure_or_a_deal() {
        let folder = tempfile::tempdir().unwrap();
        let (path, (key, owner)) = (folder.path().join("keys"), somebody());
        let mut ring = Keyring::create(&path, &key, &owner, KeyStore::new([7; 32])).unwrap();
        assert_eq!((ring.guarded(), ring.behind()), (None, None), "nothing was dealt");
        ring.dealt().unwrap();
        let dealt = SecretKey::from_bytes(&ring.secret.to_bytes()).unwrap();
        let before = ring.sealed().unwrap();
        ring.store.add("bafy", [1; 32]).unwrap();
        ring.save(&owner).unwrap();
        let later = Keyring::load(&path, &key, &owner).unwrap();
        assert_eq!((later.guarded(), later.behind()), (Some(true), None));
        let file = later.sealed().unwrap();
        assert_ne!(file[..Registration::LEN], before[..Registration::LEN], "each version has a point of its own");
        assert_eq!(opened(&file, &dealt).unwrap().images().count(), 1, "what came in is brought back too");

        ring.store.erase("bafy").unwrap();
        ring.rekey(&key).unwrap();
        ring.save(&owner).unwrap();
        let erased = Keyring::load(&path, &key, &owner).unwrap();
        assert!(opened(&erased.sealed().unwrap(), &dealt).is_err() && opened(&file, &erased.secret).is_err());
        let words = erased.behind().unwrap();
        assert!(words.contains("another key than") && words.contains("guardians split"), "{words}");
        ring.dealt().unwrap();
        assert_eq!(ring.behind(), None);
        std::fs::write(dealt_path(&path), "no salt").unwrap();
        assert_eq!(ring.guarded(), Some(false), "a note that is damaged has them dealt anew");
    }
}
