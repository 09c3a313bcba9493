//! What this node has said of jobs, or is about to: on the disk before it is signed.
//!
//! ```text
//! data/shares/00000000000000000009    the job's digest and outcome, in dag-cbor
//! ```
//!
//! A file is written whole and synced before the signature is made, and it is never written over. So a node that was
//! killed between the two says the same after it has started again, and one whose memory errs the second time says
//! nothing. Files go when their jobs are closed. An outcome on the disk is what stands in the vote, no more.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aceso_app::attest::AttestKey;
use aceso_blobs::BlobError;
use aceso_types::{
    BlobId, Digest,
    msg::Share,
    sealed::{OUTCOME_BYTES_MAX, Outcome, Statement},
};
use serde::{Deserialize, Serialize};

use crate::home::{HomeError, make_directory, read, write_new};

/// Most bytes of a file.
const FILE_MAX: u64 = OUTCOME_BYTES_MAX as u64 + 128;

/// Why an outcome is not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShareError {
    /// Another one was, or may have been.
    #[error(
        "job {job}: this machine has computed outcome {now} after it had computed {before}, which stands; \
         its memory or its processor errs"
    )]
    Another {
        /// The job.
        job: u64,
        /// The digest that stands.
        before: Digest,
        /// The one that came.
        now: Digest,
    },
    /// What was said is not known any more, so nothing is said.
    #[error("job {0}: the file of what was signed is damaged, so nothing is signed any more")]
    Damaged(u64),
    /// It cannot be written down.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Whoever computed it has not said what it names.
    #[error("the outcome names {0}, and no file came with it")]
    NoFile(BlobId),
    /// The file cannot be kept, or is not the one that the outcome names.
    #[error("the result cannot be kept: {0}")]
    Blob(#[from] BlobError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    digest: Digest,
    #[serde(with = "aceso_types::cbor_bytes")]
    outcome: Vec<u8>,
}

/// What is known of a job.
enum Said {
    /// This, signed once the key was at hand.
    Outcome { digest: Digest, outcome: Vec<u8>, share: Option<Share> },
    /// Something that cannot be read any more.
    Unknown,
}

/// See the module.
pub(crate) struct Shares {
    dir: PathBuf,
    said: Mutex<BTreeMap<u64, Said>>,
}

impl Shares {
    /// What an earlier run has left in a directory, which is made.
    pub(crate) fn open(dir: &Path) -> Result<Self, HomeError> {
        make_directory(dir)?;
        let failed = |source| HomeError::Io { action: "list", path: dir.into(), source };
        let mut said = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A draft was never signed; it is written over.
            let Some(job) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            let note = read(&path, FILE_MAX).ok().and_then(|bytes| serde_ipld_dagcbor::from_slice::<Note>(&bytes).ok());
            said.insert(
                job,
                match note {
                    Some(Note { digest, outcome }) => Said::Outcome { digest, outcome, share: None },
                    None => {
                        tracing::error!(job, "{} is damaged: nothing is signed of this job", path.display());
                        Said::Unknown
                    }
                },
            );
        }
        Ok(Self { dir: dir.into(), said: Mutex::new(said) })
    }

    /// Whether there is a word of a job, signed or to be signed.
    pub(crate) fn has(&self, job: u64) -> bool {
        self.lock().contains_key(&job)
    }

    /// Writes down what will be signed of a job. From here on nothing else is.
    ///
    /// # Errors
    /// [`ShareError`]; then nothing may be signed.
    pub(crate) fn settle(&self, statement: &Statement, outcome: &Outcome) -> Result<(), ShareError> {
        let (job, now) = (statement.job, statement.sign_bytes(outcome));
        let mut said = self.lock();
        match said.get(&job) {
            None => {}
            Some(Said::Outcome { digest, .. }) if *digest == now => return Ok(()),
            Some(Said::Outcome { digest, .. }) => return Err(ShareError::Another { job, before: *digest, now }),
            Some(Said::Unknown) => return Err(ShareError::Damaged(job)),
        }
        let note = Note { digest: now, outcome: outcome.encode() };
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which a note has none.
        let bytes = serde_ipld_dagcbor::to_vec(&note).unwrap_or_default();
        write_new(&self.file(job), &bytes, true)?;
        said.insert(job, Said::Outcome { digest: now, outcome: note.outcome, share: None });
        Ok(())
    }

    /// The file that a job's outcome names, if it does.
    pub(crate) fn file_of(&self, job: u64) -> Option<BlobId> {
        let said = self.lock();
        let Some(Said::Outcome { outcome, .. }) = said.get(&job) else { return None };
        match Outcome::decode(outcome) {
            Ok(Outcome::Stored { blob, .. }) => Some(blob),
            _ => None,
        }
    }

    /// The share of a job as its member signs it; none where nothing was settled.
    pub(crate) fn sign(&self, job: u64, key: &AttestKey) {
        if let Some(Said::Outcome { digest, outcome, share: share @ None }) = self.lock().get_mut(&job) {
            let signature = key.sign(digest).to_vec();
            *share = Some(Share { job, outcome: outcome.clone(), signature });
        }
    }

    /// All shares that are signed, the oldest job first.
    pub(crate) fn all(&self) -> Vec<Share> {
        let signed = |said: &Said| match said {
            Said::Outcome { share, .. } => share.clone(),
            Said::Unknown => None,
        };
        self.lock().values().filter_map(signed).collect()
    }

    /// Forgets the jobs of which this is not true: those that are closed.
    pub(crate) fn keep(&self, is_open: impl Fn(u64) -> bool) {
        let mut said = self.lock();
        let closed: Vec<u64> = said.keys().copied().filter(|job| !is_open(*job)).collect();
        for job in closed {
            match fs::remove_file(self.file(job)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(job, "what was signed of a closed job stays on the disk: {e}");
                }
                _ => {
                    said.remove(&job);
                }
            }
        }
    }

    fn file(&self, job: u64) -> PathBuf {
        self.dir.join(format!("{job:020}"))
    }

    // An entry is inserted when its file is there, and removed when it is not.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use aceso_types::sealed::Failure;

    use super::*;
    use crate::worker::tests::job;

    const FAILED: Outcome = Outcome::Failed(Failure::Leaf);

    #[test]
    fn one_outcome_of_a_job_is_signed_whatever_happens() {
        let home = tempfile::tempdir().unwrap();
        let (statement, key) = (job(7).statement, AttestKey::generate(&[1; 32]).unwrap());
        let shares = Shares::open(home.path()).unwrap();
        shares.settle(&statement, &FAILED).unwrap();
        assert!(shares.has(7) && shares.all().is_empty(), "nothing is signed before a key is there");
        // Killed here, the next run signs the same.
        let shares = Shares::open(home.path()).unwrap();
        shares.sign(7, &key);
        let [share] = &shares.all()[..] else { panic!("one share") };
        assert_eq!((share.job, &share.outcome), (7, &FAILED.encode()));
        assert_eq!(share.signature, key.sign(&statement.sign_bytes(&FAILED)));
        // Said again it is the same; another outcome is not signed, in this run or a later one.
        shares.settle(&statement, &FAILED).unwrap();
        for shares in [shares, Shares::open(home.path()).unwrap()] {
            let other = shares.settle(&statement, &Outcome::Failed(Failure::Record)).unwrap_err();
            assert!(matches!(other, ShareError::Another { job: 7, .. }), "{other}");
        }
        let kept = Shares::open(home.path()).unwrap();
        kept.sign(7, &key);
        assert_eq!(kept.all()[0].outcome, FAILED.encode());
    }

    #[test]
    fn shares_stay_until_their_jobs_are_closed() {
        let home = tempfile::tempdir().unwrap();
        let (shares, key) = (Shares::open(home.path()).unwrap(), AttestKey::generate(&[1; 32]).unwrap());
        for number in [9, 7, 8] {
            shares.settle(&job(number).statement, &FAILED).unwrap();
            shares.sign(number, &key);
        }
        assert_eq!(shares.all().iter().map(|share| share.job).collect::<Vec<_>>(), [7, 8, 9]);
        shares.keep(|job| job == 8);
        assert_eq!(shares.all().iter().map(|share| share.job).collect::<Vec<_>>(), [8]);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(!Shares::open(home.path()).unwrap().has(7));
    }

    #[test]
    fn of_a_job_whose_note_is_damaged_nothing_is_said() {
        let home = tempfile::tempdir().unwrap();
        let shares = Shares::open(home.path()).unwrap();
        shares.settle(&job(7).statement, &FAILED).unwrap();
        let whole = fs::read(shares.file(7)).unwrap();
        for damaged in [&whole[..whole.len() - 1], &b""[..], &vec![0; 10_000]] {
            fs::write(shares.file(7), damaged).unwrap();
            let again = Shares::open(home.path()).unwrap();
            assert!(matches!(again.settle(&job(7).statement, &FAILED), Err(ShareError::Damaged(7))));
            again.sign(7, &AttestKey::generate(&[1; 32]).unwrap());
            assert!(again.has(7) && again.all().is_empty());
        }
        // A draft was never signed.
        fs::remove_file(shares.file(7)).unwrap();
        fs::write(home.path().join("00000000000000000007.draft"), &whole[..3]).unwrap();
        Shares::open(home.path()).unwrap().settle(&job(7).statement, &FAILED).unwrap();
    }
}
