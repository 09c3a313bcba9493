//! Bits: what was disclosed of an image by a model's findings, and how many in all.
//!
//! A finding counts when it is asked for, once, however many ask; where no job brings its bit it is given back. What was
//! disclosed once is known to everyone, so it is answered from here and costs nothing any more. Each frame has findings of
//! its own; what may be disclosed in all is counted over the file.

use aceso_types::{Frame, guest::Answered};

use crate::{
    code::Code,
    components::{SEALED, sealed::keys},
    error::Outcome,
    store::{Read, Write},
};

/// A finding of a file by a model.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Bit {
    /// Whether it is there.
    #[prost(bool, tag = "1")]
    present: bool,
    /// The read that disclosed it; 0 while none has.
    #[prost(uint64, tag = "2")]
    read: u64,
    /// Open jobs that ask for it.
    #[prost(uint32, tag = "3")]
    asked: u32,
}

/// What bits are about: owner, file and frame, model.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) owner: &'a str,
    pub(super) cid: &'a str,
    pub(super) frame: Frame,
    pub(super) model: &'a str,
}

impl About<'_> {
    fn bit(&self, finding: &str) -> Vec<u8> {
        keys::bit(self.owner, self.cid, self.frame, self.model, finding)
    }

    fn count(&self) -> Vec<u8> {
        keys::bits(self.owner, self.cid, self.model)
    }
}

/// The findings if all of them are known, and the latest read that disclosed one.
pub(super) fn known(
    state: &mut impl Read,
    about: About<'_>,
    findings: &[String],
) -> Outcome<Option<(Vec<Answered>, u64)>> {
    let (mut answers, mut latest) = (Vec::with_capacity(findings.len()), 0);
    for id in findings {
        let bit: Option<Bit> = state.row(SEALED, &about.bit(id))?;
        let Some(Bit { present, read, .. }) = bit.filter(|bit| bit.read > 0) else { return Ok(None) };
        latest = latest.max(read);
        answers.push(Answered { id: id.clone(), present });
    }
    Ok((latest > 0).then_some((answers, latest)))
}

/// Counts the findings that a new job asks for, and refuses new ones beyond `most` in all.
pub(super) fn ask(state: &mut impl Write, about: About<'_>, findings: &[String], most: u32) -> Outcome<()> {
    let before = state.counter(SEALED, &about.count())?;
    let mut count = before;
    for id in findings {
        let key = about.bit(id);
        let bit: Option<Bit> = state.row(SEALED, &key)?;
        count = count.saturating_add(u64::from(bit.is_none()));
        let bit = bit.unwrap_or_default();
        let asked = bit.asked.saturating_add(1);
        state.put(SEALED, key, &Bit { asked, ..bit })?;
    }
    if count > before.max(u64::from(most)) {
        let words = format_args!(
            "{most} bits of {} with model {} may be disclosed, {before} are, and this would make them {count}",
            about.cid, about.model
        );
        return Err(Code::BitsExceeded.because(words).into());
    }
    put_count(state, about, count)
}

/// Notes what a read has disclosed. What was disclosed before stays.
pub(super) fn disclose(state: &mut impl Write, about: About<'_>, findings: &[Answered], read: u64) -> Outcome<()> {
    for Answered { id, present } in findings {
        let key = about.bit(id);
        let bit: Bit = state.row(SEALED, &key)?.unwrap_or_default();
        let asked = bit.asked.saturating_sub(1);
        let bit = if bit.read > 0 { Bit { asked, ..bit } } else { Bit { present: *present, read, asked } };
        state.put(SEALED, key, &bit)?;
    }
    Ok(())
}

/// Gives back what a job asked for that brought nothing.
pub(super) fn give_back(state: &mut impl Write, about: About<'_>, findings: &[String]) -> Outcome<()> {
    change(state, about, findings, |bit| Bit { asked: bit.asked.saturating_sub(1), ..bit })
}

/// Forgets what a read has disclosed that a dispute has shown to be false: nobody is answered with it any more.
pub(super) fn forget(state: &mut impl Write, about: About<'_>, findings: &[String], read: u64) -> Outcome<()> {
    let forgotten = |bit: Bit| if bit.read == read { Bit { present: false, read: 0, ..bit } } else { bit };
    change(state, about, findings, forgotten)
}

/// Changes findings that were asked for. One that nobody asks for any more and that is not known counts no more.
fn change(state: &mut impl Write, about: About<'_>, findings: &[String], change: impl Fn(Bit) -> Bit) -> Outcome<()> {
    let mut count = state.counter(SEALED, &about.count())?;
    for id in findings {
        let key = about.bit(id);
        let Some(bit) = state.row(SEALED, &key)? else { continue };
        let bit = change(bit);
        if bit == Bit::default() {
            count = count.saturating_sub(1);
            state.remove(SEALED, &key)?;
        } else {
            state.put(SEALED, key, &bit)?;
        }
    }
    put_count(state, about, count)
}

fn put_count(state: &mut impl Write, about: About<'_>, count: u64) -> Outcome<()> {
    match count {
        0 => state.remove(SEALED, &about.count()),
        count => state.set(SEALED, about.count(), count.to_be_bytes().into()),
    }
}
