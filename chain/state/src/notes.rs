//! What one version replaced, in one row.
//!
//! ```text
//! notes   count (u32) · end of each note (u32)* · note*
//! note    component · length of key (varint) · key · 00            the version added the key
//!                                                  · 01 · value    it had this value before
//! ```
//! Notes are sorted by component and key; ends count from the first note. A block changes thousands of keys, and one row
//! is written, found and removed with a thousandth of what as many rows cost. What is looked for in many of them costs
//! more: so notes that grow old, and those that are long, become rows of their own ([`crate::history`]).

use prost::encoding::{decode_varint, encode_varint};

use crate::disk::Bytes;
use crate::error::StateError;

/// Bytes of notes above which they are rows from the beginning.
pub(crate) const NOTES_MAX: usize = 1 << 20;

/// What a version replaces: component, key, value or none.
pub(crate) type Replaced<'a> = (u8, &'a [u8], Option<Bytes>);

/// The same in a row.
pub(crate) type Note<'a> = (u8, &'a [u8], Option<&'a [u8]>);

/// Makes the row of notes that come sorted. None if they are longer than [`NOTES_MAX`].
pub(crate) fn encode(notes: &[Replaced<'_>]) -> Option<Vec<u8>> {
    let (mut ends, mut bytes) = (Vec::with_capacity(4 * notes.len()), Vec::new());
    for (component, key, value) in notes {
        bytes.push(*component);
        encode_varint(key.len() as u64, &mut bytes);
        bytes.extend_from_slice(key);
        bytes.push(u8::from(value.is_some()));
        bytes.extend_from_slice(value.as_deref().unwrap_or_default());
        if bytes.len() > NOTES_MAX {
            return None;
        }
        ends.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
    }
    let count = u32::try_from(notes.len()).ok()?;
    Some([&count.to_be_bytes(), ends.as_slice(), &bytes].concat())
}

/// The notes of a version.
pub(crate) struct Notes {
    version: u64,
    row: Bytes,
    count: usize,
}

impl Notes {
    /// Reads a row of which it knows only that it has this many notes; what is wrong with one shows when it is asked for.
    pub(crate) fn new(version: u64, row: Bytes) -> Result<Self, StateError> {
        let count = row.first_chunk::<4>().map(|count| u32::from_be_bytes(*count));
        let count = count.and_then(|count| usize::try_from(count).ok());
        let notes = Self { version, count: count.unwrap_or(usize::MAX), row };
        match notes.count.checked_mul(4).and_then(|ends| ends.checked_add(4)) {
            Some(begin) if begin <= notes.row.len() => Ok(notes),
            _ => Err(notes.broken()),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The note at a place below [`Notes::len`].
    pub(crate) fn at(&self, place: usize) -> Result<Note<'_>, StateError> {
        self.note(place).ok_or_else(|| self.broken())
    }

    /// The first place whose note is not of a smaller component and key.
    pub(crate) fn place(&self, component: u8, key: &[u8]) -> Result<usize, StateError> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            let (its, its_key, _) = self.at(middle)?;
            if (its, its_key) < (component, key) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// What a key had before this version: none if the version left it alone.
    pub(crate) fn get(&self, component: u8, key: &[u8]) -> Result<Option<Option<Vec<u8>>>, StateError> {
        let place = self.place(component, key)?;
        if place == self.count {
            return Ok(None);
        }
        let (its, its_key, value) = self.at(place)?;
        Ok(((its, its_key) == (component, key)).then(|| value.map(<[u8]>::to_vec)))
    }

    fn note(&self, place: usize) -> Option<Note<'_>> {
        let (ends, notes) = self.row.get(4..)?.split_at_checked(4 * self.count)?;
        let end = |place: usize| {
            let bytes = ends.get(4 * place..4 * place + 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        let begin = match place.checked_sub(1) {
            Some(before) => end(before)?,
            None => 0,
        };
        let (component, mut rest) = notes.get(begin..end(place)?)?.split_first()?;
        let len = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (key, value) = rest.split_at_checked(len)?;
        match value.split_first()? {
            (0, []) => Some((*component, key, None)),
            (1, value) => Some((*component, key, Some(value))),
            _ => None,
        }
    }

    fn broken(&self) -> StateError {
        StateError::corrupt(format!("the notes of height {} have no known form", self.version))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_does_not_change() {
        let row = encode(&[(1, b"a", None), (1, b"ab", Some([7, 8].into())), (2, b"\0", Some([9].into()))]).unwrap();
        expect!["00000003000000040000000b0000001001016100010261620107080201000109"].assert_eq(&hex::encode(row));
        assert_eq!(encode(&[]).unwrap(), [0; 4]);
    }

    proptest! {
        #[test]
        fn notes_come_back_as_they_were(
            notes in prop::collection::btree_map(
                (1u8..4, prop::collection::vec(0u8..3, 1..4)), prop::option::of(prop::collection::vec(any::<u8>(), 1..9)), 0..30,
            ),
            asked in (0u8..5, prop::collection::vec(0u8..3, 0..4)),
        ) {
            let all: Vec<_> = notes.iter().map(|((of, key), value)| (*of, key.as_slice(), value.clone().map(Bytes::from))).collect();
            let row = encode(&all).unwrap();
            let read = Notes::new(7, row.as_slice().into()).unwrap();
            prop_assert_eq!((read.len(), read.version()), (all.len(), 7));
            for (place, (component, key, value)) in all.iter().enumerate() {
                prop_assert_eq!(read.at(place).unwrap(), (*component, *key, value.as_deref()));
            }
            prop_assert_eq!(read.get(asked.0, &asked.1).unwrap(), notes.get(&asked).cloned());
            prop_assert_eq!(read.place(asked.0, &asked.1).unwrap(), notes.range(..&asked).count());
        }

        #[test]
        fn what_is_no_notes_is_an_error(row in prop::collection::vec(0u8..4, 0..60)) {
            if let Ok(read) = Notes::new(7, row.as_slice().into()) {
                let _ = read.get(1, &[1]);
                (0..read.len()).for_each(|place| drop(read.at(place)));
            }
        }
    }

    #[test]
    fn a_row_that_is_cut_is_an_error() {
        let notes: BTreeMap<u8, Vec<u8>> = (0..9).map(|key| (key, vec![key; 5])).collect();
        let all: Vec<_> = notes
            .iter()
            .map(|(key, value)| (1, std::slice::from_ref(key), Some(Bytes::from(value.as_slice()))))
            .collect();
        let row = encode(&all).unwrap();
        for end in 0..row.len() {
            let read = Notes::new(7, row.get(..end).unwrap().into());
            assert!(read.and_then(|read| read.at(8).map(|_| ())).is_err(), "{end}");
        }
        assert!(encode(&[(1, b"a", Some(vec![0; NOTES_MAX].into()))]).is_none());
    }
}
