//! A validator's disk is full, then read-only: it stops with a sentence, the others go on, and it comes back.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::prepared;
use crate::{
    judge::judge,
    load::Load,
    net::{Net, Programs, Which},
    random::Random,
};

/// The one whose disk it is.
const POOR: usize = 3;
/// Size of its disk in MiB: the store's journals and some more.
const DISK_MIB: u32 = 192;
/// How long it may take to notice, or a network to make blocks.
const PATIENCE: Duration = Duration::from_secs(90);

/// A small file system of its own. Dropping it takes it away.
struct Disk(PathBuf);

impl Disk {
    fn mount(place: &Path) -> Result<Self> {
        fs::create_dir_all(place)?;
        mount(&["-t", "tmpfs", "-o", &format!("size={DISK_MIB}m,mode=700"), "tmpfs"], place)?;
        Ok(Self(place.into()))
    }

    fn read_only(&self, yes: bool) -> Result<()> {
        mount(&["-o", if yes { "remount,ro" } else { "remount,rw" }], &self.0)
    }

    /// Writes a file until nothing more fits, and answers with it.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = File::create(&path)?;
        let piece = vec![0; 64 << 10];
        while file.write_all(&piece).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It goes with the namespace otherwise.
        let _ = Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Result<()> {
    let output = Command::new("mount").args(arguments).arg(place).output().context("cannot start mount")?;
    ensure!(output.status.success(), "mount {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = prepared(programs, false)?;
    let disk = Disk::mount(&net.nodes[POOR].home.join("data/state"))?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let load = Load::start(&net, &accounts, random);
    let rest: Vec<usize> = net.all().into_iter().filter(|other| *other != POOR).collect();
    let mut facts = Vec::new();
    for round in 0..if quick { 1 } else { 3 } {
        let filler = disk.fill()?;
        let words = stopped(&mut net, "no space left")?;
        net.wait_for(&rest, net.top() + 3, PATIENCE)?;
        fs::remove_file(filler)?;
        back(&mut net)?;
        if round == 0 {
            facts.push(format!("full: {words}"));
        }

        net.kill(POOR, Which::Both);
        disk.read_only(true)?;
        // It cannot even start, and says so.
        let refused = net.start_app(POOR, &[]).err().context("it started on a read-only disk")?.to_string();
        ensure!(refused.contains("ead-only file system"), "{refused}");
        disk.read_only(false)?;
        back(&mut net)?;
    }
    facts.push("read-only: refused, and back".into());
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    drop(net);
    Ok(facts)
}

/// Waits until the application has ended by itself, with these words; answers with its sentence.
fn stopped(net: &mut Net, words: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(last) = net.nodes[POOR].last_words() {
            let line = last.lines().rev().find(|line| line.contains(words));
            return line.map(str::to_owned).with_context(|| format!("it ended without {words:?}: {last}"));
        }
        if begun.elapsed() > PATIENCE {
            bail!("it goes on over a full disk");
        }
        sleep(Duration::from_millis(200));
    }
}

/// Starts it again and waits until it has caught up.
fn back(net: &mut Net) -> Result<()> {
    net.kill(POOR, Which::Both);
    net.revive()?;
    net.wait_for(&[POOR], net.top(), PATIENCE)
}
