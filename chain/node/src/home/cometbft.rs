//! CometBFT's own configuration, as far as this node has something to say about it.
//!
//! CometBFT writes `config/config.toml` itself when there is none, with values for a network across sites. Only a home
//! that is asked for another pace gets a file from here, which says that and nothing more: what a file leaves out
//! CometBFT takes from its defaults.

use std::path::PathBuf;

use super::{Home, HomeError, read, write_new};

const FILE_MAX: u64 = 1 << 20;

impl Home {
    pub(crate) fn cometbft_file(&self) -> PathBuf {
        self.config().join("config.toml")
    }

    /// Makes CometBFT rest for so many milliseconds between two blocks, and answers with the file that says so.
    ///
    /// The next block's header, which commits the state of this one, is no later: every block moves the application's
    /// root, and CometBFT does not wait for transactions while a root is not committed.
    ///
    /// # Errors
    ///
    /// A file that says something else is not touched.
    pub(crate) fn set_block_time(&self, milliseconds: u64) -> Result<PathBuf, HomeError> {
        let path = self.cometbft_file();
        let text = format!(
            "# Written by `aceso init --block-time {milliseconds}`. What is left out has CometBFT's default.\n\
             [consensus]\n\
             timeout_commit = \"{milliseconds}ms\"\n"
        );
        if !path.exists() {
            write_new(&path, text.as_bytes(), false)?;
        } else if read(&path, FILE_MAX)? != text.as_bytes() {
            let reason = format!("{} is there already; set timeout_commit in it", path.display());
            return Err(HomeError::Option { option: "--block-time", value: milliseconds.to_string(), reason });
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pace_is_written_once_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        let path = home.set_block_time(10).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("[consensus]\ntimeout_commit = \"10ms\"\n"), "{text}");
        assert_eq!(home.set_block_time(10).unwrap(), path);
        let refused = home.set_block_time(20).unwrap_err().to_string();
        assert!(refused.starts_with("--block-time \"20\":") && refused.contains("config.toml"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
