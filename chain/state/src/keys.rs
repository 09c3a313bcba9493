//! Every key on disk. Renaming or reordering one is a change of layout: see [`LAYOUT`].
//!
//! ```text
//! meta     "layout" | "components" | "head"
//! latest   component · key                              the value at the latest version
//! history  00 · version                                 all values that version replaced, while it is recent
//! history  component · escaped key · version            a value that version replaced
//! nodes    tree · version · nibbles · path              a tree node, written by that version
//! roots    tree · version                               the root that the tree has from that version on
//! stale    version                                      what nobody needs once that version is the oldest one
//! (each)   ff                                           the version that wrote last
//! ```
//! A component is one byte, its place in the list plus one; a tree is the component's byte, or [`APP`].
//! Versions are eight bytes, most significant first, so that a block's rows lie side by side.

use crate::disk::Bytes;

/// Layout of rows and values. A store with another number is not opened, but for [`LAYOUT_BEFORE`].
pub(crate) const LAYOUT: u64 = 2;

/// A layout whose rows this one reads as they are: its leaves have a hash more ([`crate::node`]). A store that has it gets
/// the number of this one when it is opened, since a program that knows only the old one could not read what follows.
pub(crate) const LAYOUT_BEFORE: u64 = 1;

/// The app tree's byte.
pub(crate) const APP: u8 = 0;

/// What stands in the history where others have their component.
const NOTES: u8 = 0;

/// Components that fit beside the app tree, with one byte left to end a range.
pub(crate) const COMPONENTS_MAX: usize = 254;

/// `layout` → number
pub(crate) const META_LAYOUT: &[u8] = b"layout";
/// `components` → names in the order of their bytes, separated by line feeds
pub(crate) const META_COMPONENTS: &[u8] = b"components";
/// `head` → latest version · its root · oldest version
pub(crate) const META_HEAD: &[u8] = b"head";

/// `01 62616c616e6365` — component, key
pub(crate) fn latest(component: u8, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + key.len());
    row.push(component);
    row.extend_from_slice(key);
    row
}

/// `00 0000000000000007` — version
pub(crate) fn notes(version: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(9);
    row.push(NOTES);
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// The version in a row of the history that has all of its values; none when the row is no such row.
pub(crate) fn version_of_notes(row: &[u8]) -> Option<u64> {
    match row.split_first() {
        Some((&NOTES, version)) => Some(u64::from_be_bytes(version.try_into().ok()?)),
        _ => None,
    }
}

/// `01 62616c616e6365 0000 0000000000000007` — component, escaped key, end of key, version
pub(crate) fn history(component: u8, key: &[u8], version: u64) -> Vec<u8> {
    let mut row = history_key(component, key);
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// What all rows of one key in the history begin with.
///
/// A zero byte becomes `00 ff` and the key ends with `00 00`: rows sort as their keys do, then by version.
pub(crate) fn history_key(component: u8, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + key.len() + 2 + 8);
    row.push(component);
    for &byte in key {
        row.push(byte);
        if byte == 0 {
            row.push(0xff);
        }
    }
    row.extend_from_slice(&[0, 0]);
    row
}

/// The version in a row of the history that has one value; none when the row is no such row.
pub(crate) fn version_of_history(row: &[u8]) -> Option<u64> {
    row.last_chunk::<8>().map(|version| u64::from_be_bytes(*version))
}

/// The key in a row of the history that has one value; none when the row is no such row.
pub(crate) fn key_of_history(row: &[u8]) -> Option<Vec<u8>> {
    let escaped = row.get(1..row.len().checked_sub(10)?)?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        key.push(byte);
        if byte == 0 && bytes.next() != Some(&0xff) {
            return None;
        }
    }
    Some(key)
}

/// `01 0000000000000007 03 a5c0` — tree, version, number of nibbles, nibbles two to a byte
pub(crate) fn node(tree: u8, version: u64, nibbles: impl Iterator<Item = u8>) -> Bytes {
    let mut row = Vec::with_capacity(1 + 8 + 1 + 8);
    row.push(tree);
    row.extend_from_slice(&version.to_be_bytes());
    row.push(0);
    let mut count: u8 = 0;
    for nibble in nibbles {
        match row.last_mut() {
            Some(last) if count % 2 == 1 => *last |= nibble,
            _ => row.push(nibble << 4),
        }
        count += 1;
    }
    if let Some(place) = row.get_mut(9) {
        *place = count;
    }
    row.into()
}

/// `01 0000000000000007` — tree, version
pub(crate) fn root(tree: u8, version: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(9);
    row.push(tree);
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// The version in a row of the roots.
pub(crate) fn version_of_root(row: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(row.get(1..)?.try_into().ok()?))
}

/// `0000000000000007` — version
pub(crate) fn stale(version: u64) -> Vec<u8> {
    version.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(row: Vec<u8>, want: Expect) {
        want.assert_eq(&hex::encode(row));
    }

    #[test]
    fn keys_do_not_change() {
        check(latest(1, b"balance"), expect!["0162616c616e6365"]);
        check(history(1, b"balance", 7), expect!["0162616c616e636500000000000000000007"]);
        check(history(2, b"a\0b", 7), expect!["026100ff6200000000000000000007"]);
        check(notes(7), expect!["000000000000000007"]);
        assert_eq!((version_of_notes(&notes(7)), version_of_notes(&history(1, b"key", 7))), (Some(7), None));
        check(node(1, 7, [].into_iter()).to_vec(), expect!["01000000000000000700"]);
        check(node(1, 7, [10, 5, 12].into_iter()).to_vec(), expect!["01000000000000000703a5c0"]);
        check(root(APP, 7), expect!["000000000000000007"]);
        check(stale(7), expect!["0000000000000007"]);
    }

    proptest! {
        #[test]
        fn history_sorts_as_keys_do(
            a in prop::collection::vec(0u8..3, 0..6), b in prop::collection::vec(0u8..3, 0..6),
            v in 0u64..3, w in 0u64..3,
        ) {
            prop_assert_eq!(history(1, &a, v).cmp(&history(1, &b, w)), (&a, v).cmp(&(&b, w)));
            prop_assert_eq!(key_of_history(&history(1, &a, v)).unwrap(), a.as_slice());
            prop_assert_eq!(version_of_history(&history(1, &a, v)), Some(v));
        }
    }
}
