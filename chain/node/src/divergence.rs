//! A node that has computed other reads than the rest: what it says, and that it says so again until it is mended.
//!
//! After each block that has read, peers are asked for their signed word on what it came to ([`watch`]). Which read differs
//! shows a peer's transcript, compared with this node's own entry by entry; a peer that does not answer at once is not
//! waited for. What was found is written down, and the node does not start over the state that errs.

use std::{fs, path::Path, time::Duration};

use aceso_app::{App, Divergence};
use aceso_types::{Digest, Transcript};
use serde::{Deserialize, Serialize};

use crate::{
    application::{Application, Fault},
    home::{HomeError, read, write_new},
    peers::Peers,
};

/// How long a peer may take to say what reads came to, and all of them to tell a transcript.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at whether a block has read.
const PAUSE: Duration = Duration::from_millis(200);
/// How often those are asked again who do not answer, before the next block is.
const TRIES: u32 = 20;
/// Reads that are named where no peer tells which one differs.
const NAMED_MAX: usize = 16;
/// Most bytes of the note.
const NOTE_MAX: u64 = 1 << 20;

/// What is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// The block whose reads differ.
    height: u64,
    /// The digest of its transcript here.
    ours: Option<Digest>,
    /// What was said.
    sentence: String,
}

/// Asks peers about every block that has read, as soon as it is committed, until `stopped`. Answers what the node has to
/// stop with, if it is the one that errs.
pub(crate) fn watch(app: &dyn Application, peers: &Peers, note: &Path, stopped: impl Fn() -> bool) -> Option<Fault> {
    if peers.count() == 0 {
        return None;
    }
    let (mut asked, mut tries) = (0, 0);
    while !stopped() {
        if let Some((height, _)) = app.latest_reads().filter(|(height, _)| *height != asked) {
            let said = peers.reads(height, PATIENCE);
            for (peer, reads) in &said {
                match app.hear_reads(reads) {
                    Ok(None) => {}
                    Ok(Some(divergence)) => return Some(alarm(app, peers, note, &divergence)),
                    Err(e) => tracing::warn!(height, "{peer} says something of reads that is nobody's: {e}"),
                }
            }
            tries += 1;
            if said.len() == peers.count() || tries == TRIES {
                (asked, tries) = (height, 0);
            }
        }
        std::thread::sleep(PAUSE);
    }
    None
}

/// The sentence that a node stops with, which is written down in `note`.
fn alarm(app: &dyn Application, peers: &Peers, note: &Path, divergence: &Divergence) -> Fault {
    let sentence = sentence(app, peers, divergence);
    let told = Note { height: divergence.height, ours: divergence.ours, sentence: sentence.clone() };
    let written = serde_json::to_vec_pretty(&told).map_err(|e| e.to_string());
    let written = written.and_then(|text| write_new(note, &text, false).map_err(|e| e.to_string()));
    if let Err(e) = written {
        tracing::error!("it is not written down for the next start: {e}");
    }
    tracing::error!("{sentence}");
    sentence.into()
}

fn sentence(app: &dyn Application, peers: &Peers, divergence: &Divergence) -> String {
    let Divergence { height, theirs, power, total, .. } = divergence;
    let transcript = app.transcript(*height).ok().flatten().and_then(|bytes| Transcript::decode(&bytes).ok());
    let other = theirs.and_then(|theirs| peers.transcript(*height, theirs, PATIENCE));
    let difference = transcript.as_ref().zip(other).and_then(|(ours, theirs)| ours.difference(&theirs));
    let what = difference.unwrap_or_else(|| {
        let entries = transcript.map(|transcript| transcript.entries).unwrap_or_default();
        let more = if entries.len() > NAMED_MAX { ", and more" } else { "" };
        let named: Vec<String> = entries.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        format!("{divergence}, and no peer tells which; those here are {}{more}", named.join(", "))
    });
    format!(
        "this node computes what the others do not: {what}. Validators with power {power} of {total} agree with each \
         other, so this machine or its build errs; mend it, then restore the state from before block {height} or by \
         state sync"
    )
}

/// Fails while the state is the one that was found to differ, with the words of that time; forgets them otherwise.
pub(crate) fn check_start(app: &App, note: &Path) -> anyhow::Result<()> {
    if !note.exists() {
        return Ok(());
    }
    let told: Note = serde_json::from_slice(&read(note, NOTE_MAX)?)
        .map_err(|e| HomeError::Malformed { path: note.into(), reason: e.to_string() })?;
    let executed = app.info().last_block_height.value() >= told.height;
    if executed && app.transcript_digest(told.height)? == told.ours {
        anyhow::bail!("{}", told.sentence);
    }
    Ok(fs::remove_file(note)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::Counter;

    fn divergence(height: u64, ours: Option<Digest>) -> Divergence {
        Divergence { height, ours, theirs: Some(Digest([2; 32])), power: 30, total: 40 }
    }

    /// An application without a block.
    fn empty(home: &Path) -> App {
        let blobs = aceso_blobs::BlobStore::open(&home.join("blobs"), Default::default()).unwrap();
        App::open(aceso_app::Config::new(home, Arc::new(blobs), &crate::worker::Reopening)).unwrap()
    }

    #[test]
    fn what_was_said_is_said_again_until_the_state_is_another() {
        let home = tempfile::tempdir().unwrap();
        let (app, note) = (empty(home.path()), home.path().join("diverged.json"));
        let (_dir, nobody) = crate::peers::tests::peers(&[], 0);
        check_start(&app, &note).unwrap();
        let said = alarm(&Counter::default(), &nobody, &note, &divergence(0, None)).to_string();
        for word in ["read", "of block 0", "power 30 of 40", "state sync", &"02".repeat(32)] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(check_start(&app, &note).unwrap_err().to_string(), said);
        // The state has another digest, or none yet: it was restored.
        for restored in [divergence(0, Some(Digest([1; 32]))), divergence(7, None)] {
            alarm(&Counter::default(), &nobody, &note, &restored);
            check_start(&app, &note).unwrap();
            assert!(!note.exists());
        }
        fs::write(&note, b"torn").unwrap();
        assert!(check_start(&app, &note).unwrap_err().to_string().contains("diverged.json"));
    }
}
