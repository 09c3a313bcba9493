//! Opener keys: with them an operator's committee work is opened, each for an epoch.
//!
//! ```text
//! config/opener/00000000000000000000.json    the secret of epoch 0
//! ```
//!
//! Each epoch's secret is drawn by itself and follows from nothing else, so that it is gone when its file is
//! ([`Home::destroy_opener`]): nobody can make it again to open what was wrapped for it, not even its operator.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use aceso_verify::grant::SecretKey;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use zeroize::{Zeroize, Zeroizing};

use super::{
    Home, HomeError, make_directory,
    validator::{random, secret},
    write_new,
};

const SECRET: &str = "aceso/PrivKeyReaderBls12381";
const PURPOSE: &[u8] = b"aceso/opener/1";

impl Home {
    /// The opener key of an epoch; makes one where there is none.
    pub(crate) fn make_opener(&self, epoch: u64) -> Result<SecretKey, HomeError> {
        if let Some(key) = self.opener(epoch)? {
            return Ok(key);
        }
        let path = self.opener_file(epoch);
        make_directory(&self.openers_dir())?;
        let mut seed = random()?;
        let key = SecretKey::derive(&seed, PURPOSE, &epoch.to_be_bytes());
        seed.zeroize();
        let key = key.map_err(|e| HomeError::Malformed { path: path.clone(), reason: e.to_string() })?;
        let bytes = Zeroizing::new(key.to_bytes());
        let text = json!({
            "epoch": epoch.to_string(),
            "pub_key": {"type": "aceso/PubKeyReaderBls12381", "value": STANDARD.encode(key.public().to_bytes())},
            "priv_key": {"type": SECRET, "value": STANDARD.encode(*bytes)},
        });
        let text = Zeroizing::new(format!("{text:#}\n"));
        write_new(&path, text.as_bytes(), true)?;
        Ok(key)
    }

    /// The opener key of an epoch, if it is here.
    pub(crate) fn opener(&self, epoch: u64) -> Result<Option<SecretKey>, HomeError> {
        let path = self.opener_file(epoch);
        if !path.exists() {
            return Ok(None);
        }
        let malformed = |reason: String| HomeError::Malformed { path: path.clone(), reason };
        let bytes = Zeroizing::new(secret(&path, SECRET)?);
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed("the key has not 32 bytes".into()))?;
        SecretKey::from_bytes(bytes).map(Some).map_err(|e| malformed(e.to_string()))
    }

    /// The epochs whose keys are here, ascending.
    pub(crate) fn openers(&self) -> Result<Vec<u64>, HomeError> {
        let path = self.openers_dir();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let failed = |source| HomeError::Io { action: "list", path: path.clone(), source };
        let mut epochs = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            epochs.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok()));
        }
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// Destroys the opener key of an epoch: the file is written over and removed. What a disk keeps of written-over blocks
    /// is beyond the reach of a program.
    pub(crate) fn destroy_opener(&self, epoch: u64) -> Result<(), HomeError> {
        let path = self.opener_file(epoch);
        let failed = |source| HomeError::Io { action: "destroy", path: path.clone(), source };
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
        file.write_all(&zeros).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::remove_file(&path).map_err(failed)
    }

    pub(crate) fn openers_dir(&self) -> PathBuf {
        self.config().join("opener")
    }

    fn opener_file(&self, epoch: u64) -> PathBuf {
        self.openers_dir().join(format!("{epoch:020}.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_destroyed_for_good() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        assert!(home.opener(0).unwrap().is_none() && home.openers().unwrap().is_empty());
        let first = home.make_opener(0).unwrap().public();
        assert_eq!(home.make_opener(0).unwrap().public(), first);
        let next = home.make_opener(1).unwrap().public();
        assert!(next != first);
        assert_eq!(home.openers().unwrap(), [0, 1]);
        let mode = fs::metadata(home.opener_file(0)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        // A second name of the file shows that it was written over before it went.
        let kept = directory.path().join("kept");
        fs::hard_link(home.opener_file(0), &kept).unwrap();
        home.destroy_opener(0).unwrap();
        assert!(fs::read(&kept).unwrap().iter().all(|byte| *byte == 0));
        assert_eq!(home.openers().unwrap(), [1]);
        assert!(home.destroy_opener(0).is_err());
        assert!(home.make_opener(0).unwrap().public() != first);

        fs::write(home.opener_file(1), "{").unwrap();
        assert!(matches!(home.opener(1), Err(HomeError::Malformed { .. })));
    }
}
