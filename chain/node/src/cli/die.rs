//! Deaths at a chosen moment, for tests of crashes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aceso_state::{FailPoint, Moment};
use rustix::process::{Signal, getpid, kill_process};

/// Options that end the process; nobody else is told of them.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Deaths {
    /// For tests of crashes: dies as by `kill -9` in the Nth commit from the start on.
    #[arg(long, hide = true, value_name = "N")]
    die_in_commit: Option<u64>,
    /// When in that commit.
    #[arg(long, hide = true, value_name = "WHEN", value_enum, default_value = "written", requires = "die_in_commit")]
    die_when: When,
}

/// A moment of a commit.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// The block is executed and nothing of it is written.
    Begun,
    /// Its rows are in the store's journal, and nobody knows yet.
    Written,
    /// Power goes while they are flushed: a part of them reaches the disk. Later where that cannot be.
    Torn,
}

impl Deaths {
    /// What the state is opened with.
    pub(crate) fn fail_point(self) -> Option<FailPoint> {
        let (nth, commits) = (self.die_in_commit?, AtomicU64::new(0));
        Some(Arc::new(move |_, moment| {
            let now = match moment {
                Moment::Begun => commits.fetch_add(1, Ordering::Relaxed) + 1,
                _ => commits.load(Ordering::Relaxed),
            };
            match (moment, self.die_when) {
                _ if now < nth => {}
                (Moment::Begun, When::Begun) | (Moment::Written(_), When::Written) => die(),
                (Moment::Written(written), When::Torn) => match written.tear() {
                    Ok(true) => die(),
                    Ok(false) => {}
                    Err(error) => {
                        eprintln!("nothing was torn: {error}");
                        die();
                    }
                },
                _ => {}
            }
        }))
    }
}

fn die() {
    // The signal is the point; should the system not let it through, nothing may be flushed all the same.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort();
}
