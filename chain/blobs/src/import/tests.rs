//! Identifiers against those of the JavaScript importer, for every case of the golden file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Read},
};

use super::*;
use crate::node::Node;

/// The bytes that the golden file was made with: the little-endian words of xorshift32 (13, 17, 5).
struct Pattern {
    word: u32,
    left: u64,
}

impl Pattern {
    fn new(size: u64) -> Self {
        Self { word: 0x2545_f491, left: size }
    }
}

impl Read for Pattern {
    /// Fills whole words only, so `out` must not be shorter than one unless the pattern ends.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        for four in out.chunks_mut(4) {
            let n = usize::try_from(self.left.min(4)).unwrap();
            if four.len() < n || n == 0 {
                break;
            }
            self.word ^= self.word << 13;
            self.word ^= self.word >> 17;
            self.word ^= self.word << 5;
            four[..n].copy_from_slice(&self.word.to_le_bytes()[..n]);
            self.left -= n as u64;
            done += n;
        }
        Ok(done)
    }
}

fn cases() -> impl Iterator<Item = (u64, Shape, String)> {
    include_str!("../../tests/golden/unixfs.txt").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [size, chunk, links, id] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let shape = Shape { chunk: chunk.parse().unwrap(), links: links.parse().unwrap() };
        (size.parse().unwrap(), shape, id.to_owned())
    })
}

#[test]
fn identifiers_are_those_of_the_javascript_importer() {
    let mut seen = 0;
    for (size, shape, id) in cases() {
        let put = cut(shape, Pattern::new(size), u64::MAX, |_, _| Ok(())).unwrap();
        assert_eq!(
            (put.id.to_string(), put.size),
            (id, size),
            "{size} bytes, chunk {}, links {}",
            shape.chunk,
            shape.links
        );
        seen += 1;
    }
    assert_eq!(seen, 20);
}

#[test]
fn every_block_has_its_name_and_children_come_first() {
    for (size, shape, _) in cases().filter(|(size, _, _)| *size < 10 << 20) {
        let blocks = RefCell::new(BTreeMap::new());
        let mut count = 0;
        let put = cut(shape, Pattern::new(size), size, |id, bytes| {
            let fresh =
                if id.codec() == aceso_types::blob::RAW { BlobId::of_raw(bytes) } else { BlobId::of_dag_pb(bytes) };
            assert_eq!(id, fresh);
            if id.codec() == aceso_types::blob::DAG_PB {
                let node = Node::decode(bytes).unwrap();
                assert!(node.links().len() <= shape.links);
                assert!(node.links().iter().all(|link| blocks.borrow().get(&link.id) == Some(&link.size)));
                blocks.borrow_mut().insert(id, node.size());
            } else {
                blocks.borrow_mut().insert(id, bytes.len() as u64);
            }
            count += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!((blocks.borrow().get(&put.id), put.blocks), (Some(&size), count));
    }
}

#[test]
fn the_limit_is_exact() {
    for size in [0, 1, 15, 16, 17, 1000] {
        let shape = Shape { chunk: 16, links: 4 };
        let run = |max| cut(shape, Pattern::new(size), max, |_, _| Ok(()));
        assert_eq!(run(size).unwrap().size, size);
        assert_eq!(run(u64::MAX).unwrap().id, run(size).unwrap().id);
        if size > 0 {
            let refused = run(size - 1);
            assert!(
                matches!(refused, Err(BlobError::TooLarge { size: s, max }) if s == size && max == size - 1),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn a_short_read_changes_nothing_and_a_failing_one_is_named() {
    struct Slow(Pattern);
    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let short = out.len().min(4);
            self.0.read(&mut out[..short])
        }
    }
    let shape = Shape { chunk: 16, links: 4 };
    let whole = cut(shape, Pattern::new(1000), 1000, |_, _| Ok(())).unwrap();
    assert_eq!(cut(shape, Slow(Pattern::new(1000)), 1000, |_, _| Ok(())).unwrap(), whole);

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line dropped"))
        }
    }
    let refused = import(Broken, 10, |_, _| Ok(())).unwrap_err();
    assert_eq!(refused.to_string(), "the bytes to be stored could not be read: the line dropped");
}
