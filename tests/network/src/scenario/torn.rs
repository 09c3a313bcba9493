//! `kill -9`, and a file of the application that then ends too early or in other bytes: the validator mends it, or says
//! what is wrong and is built anew. It never goes on with another state.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use super::running;
use crate::{
    judge::judge,
    load::Load,
    net::{Programs, Which},
    random::Random,
};

/// How long a validator may take to catch up, also from the first block on.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the application has under its home; the rest is the engine's.
const OURS: [&str; 4] = ["state", "blobs", "code", "snapshots"];

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let rounds = if quick { 4 } else { 24 };
    let (mut net, accounts) = running(programs, false)?;
    let load = Load::start(&net, &accounts, random);
    let (mut mended, mut sentences) = (0, Vec::new());
    for _ in 0..rounds {
        net.wait_for(&net.all(), net.top() + 3, PATIENCE)?;
        let number = random.of(&net.all()).unwrap_or_default();
        net.kill(number, Which::Both);
        let home = net.nodes[number].home.clone();
        let what = damage(&home, random)?;
        match net.start_app(number, &[]) {
            Ok(()) => mended += 1,
            Err(refused) => {
                let refused = refused.to_string();
                ensure!(refused.contains("error: ") && !refused.contains("panicked"), "{what}: {refused}");
                sentences.push(what);
                // As the sentence says.
                net.kill(number, Which::Both);
                fs::remove_dir_all(home.join("data/state"))?;
            }
        }
        net.revive()?;
        net.wait_for(&[number], net.top(), PATIENCE)?;
    }
    ensure!(load.count() > 0, "nothing was acknowledged meanwhile");
    let ledger = load.finish()?;
    let mut facts =
        vec![format!("{rounds} files torn: {mended} went on, {} were refused and built anew", sentences.len())];
    facts.extend(sentences);
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// Damages the end of one file; says which and how.
fn damage(home: &Path, random: &mut Random) -> Result<String> {
    let mut files = Vec::new();
    for folder in OURS {
        list(&home.join("data").join(folder), &mut files)?;
    }
    // Locks and empty files have no end to lose.
    files.retain(|(_, bytes)| *bytes > 0);
    files.sort();
    // The journal is what a loss of power tears: it has half of the turns.
    let journal = files.iter().position(|(path, _)| path.extension().is_some_and(|extension| extension == "jnl"));
    let at = match journal {
        Some(journal) if random.below(2) == 0 => journal,
        _ => usize::try_from(random.below(files.len() as u64))?,
    };
    let Some((path, _)) = files.get(at) else { bail!("{} holds no file", home.display()) };
    let mut bytes = fs::read(path)?;
    // Some files are longer than what is in them.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let back = usize::try_from(1 + random.below(end.clamp(1, 2_000) as u64))?.min(end);
    let how = match random.below(3) {
        0 => {
            bytes.truncate(end - back);
            "cut"
        }
        1 => {
            bytes[end - back..end].fill(0);
            "zeroed"
        }
        _ => {
            if let Some(byte) = bytes.get_mut(end - back) {
                *byte ^= 1 << random.below(8);
            }
            "altered"
        }
    };
    fs::write(path, bytes)?;
    Ok(format!("{} {how} {back} bytes before its end", path.strip_prefix(home)?.display()))
}

/// All files below a folder that may not be there, with their lengths.
fn list(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}
