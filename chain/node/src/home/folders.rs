//! What takes how much room in a home.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use super::Home;

/// Bytes of a block, as the system counts them for files.
const BLOCK: u64 = 512;

impl Home {
    /// What lies under `data`, by name, with the bytes that it takes of the disk; the application's and the engine's.
    pub(crate) fn disk_use(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.data())? {
            let entry = entry?;
            found.push((entry.file_name().to_string_lossy().into_owned(), bytes_of(&entry.path())?));
        }
        found.sort();
        Ok(found)
    }

    /// Heights of the snapshots that lie here, oldest first.
    pub(crate) fn snapshot_heights(&self) -> Vec<u64> {
        let files = fs::read_dir(self.snapshots_dir()).into_iter().flatten().flatten().map(|entry| entry.path());
        let named = files.filter(|path| path.extension().is_some_and(|extension| extension == "snapshot"));
        let mut heights: Vec<u64> = named.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).collect();
        heights.sort_unstable();
        heights
    }
}

/// Bytes that a file or folder takes of the disk; none where there is nothing, or not any more.
pub(crate) fn bytes_of(path: &Path) -> io::Result<u64> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        metadata => metadata?,
    };
    let mut bytes = metadata.blocks().saturating_mul(BLOCK);
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes = bytes.saturating_add(bytes_of(&entry?.path())?);
        }
    }
    Ok(bytes)
}

/// A number of bytes for people.
pub(crate) fn shown(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), None);
    for name in units {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = Some(name);
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        let all = [0, 1023, 1024, 1536, 5 << 20, (5 << 30) + (1 << 29), u64::MAX].map(shown);
        assert_eq!(all, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "5.5 GiB", "1677721.5 TiB"]);
    }

    #[test]
    fn what_is_there_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        fs::create_dir_all(home.snapshots_dir()).unwrap();
        for name in ["00000000000000000020.snapshot", "00000000000000000003.snapshot", "5.draft"] {
            fs::write(home.snapshots_dir().join(name), vec![1; 9_000]).unwrap();
        }
        assert_eq!(home.snapshot_heights(), [3, 20]);
        let found = home.disk_use().unwrap();
        assert!(matches!(&found[..], [(name, bytes)] if name == "snapshots" && *bytes >= 27_000), "{found:?}");
        assert_eq!(bytes_of(Path::new("/nowhere")).unwrap(), 0);
    }
}
