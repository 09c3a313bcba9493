//! Waiting for the chain: how long, and how often it is asked.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a client waits for a transaction, for a block, or for a blob to become available.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shortest pause between two questions.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Something that is waited for. A pause is a quarter of the time waited so far: an answer is noticed at most a quarter
/// later than it was there, on a chain of any pace, and a slow chain is not asked more often than a fast one.
pub(crate) struct Wait(Instant);

impl Wait {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Pauses before the next question; says no when it has been long enough.
    pub(crate) fn goes_on(&self) -> bool {
        let waited = self.0.elapsed();
        if waited >= PATIENCE {
            return false;
        }
        sleep(pause(waited));
        true
    }

    /// Seconds after which it is given up.
    pub(crate) const fn seconds() -> u64 {
        PATIENCE.as_secs()
    }
}

fn pause(waited: Duration) -> Duration {
    (waited / 4).clamp(PAUSE_MIN, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the questions until an answer that comes after so long, and how late it is noticed.
    fn asked(answer: Duration) -> (u32, Duration) {
        let (mut waited, mut questions) = (Duration::ZERO, 1);
        while waited < answer {
            waited += pause(waited);
            questions += 1;
        }
        (questions, waited - answer)
    }

    #[test]
    fn an_answer_is_noticed_soon_and_not_asked_for_often() {
        for milliseconds in [0, 1, 5, 20, 70, 300, 1000, 5000, 60_000] {
            let answer = Duration::from_millis(milliseconds);
            let (questions, late) = asked(answer);
            assert!(late <= (answer / 4).clamp(PAUSE_MIN, PAUSE_MAX), "{answer:?} is noticed {late:?} late");
            // Four to the shortest quarter, then a quarter more each time, then four a second.
            let most = 28 + u32::try_from(milliseconds / 250).unwrap();
            assert!(questions <= most, "{answer:?} takes {questions} questions, not {most}");
        }
    }
}
