//! The rows of genesis and of every block: the same for both engines, from a fixed seed.
//!
//! Sizes follow `chain/state`: 30-byte keys under a one-byte component, values of 40–160 bytes that do not compress,
//! and per rewritten key one leaf of 70 bytes and one inner node of 100–900 bytes.

use std::collections::VecDeque;

use crate::engine::{Row, Table};

/// How much of everything.
#[derive(Clone, Copy)]
pub struct Shape {
    pub keys: u64,
    pub block_keys: u64,
    pub blocks: u64,
    /// Blocks after which replaced values leave the window.
    pub keep: usize,
}

/// Rows that genesis writes in one commit.
const GENESIS_ROWS: u64 = 100_000;

pub struct Workload {
    shape: Shape,
    random: Random,
    loaded: u64,
    version: u64,
    /// Node keys that no later node replaced.
    live: Vec<Vec<u8>>,
    window: VecDeque<Vec<Vec<u8>>>,
}

impl Workload {
    pub fn new(shape: Shape) -> Self {
        Self { shape, random: Random(0x5eed), loaded: 0, version: 0, live: Vec::new(), window: VecDeque::new() }
    }

    /// The next commit that loads the state; none when all keys are there.
    pub fn genesis(&mut self) -> Option<Vec<Row>> {
        let end = (self.loaded + GENESIS_ROWS).min(self.shape.keys);
        let mut rows = Vec::new();
        for i in self.loaded..end {
            let value = self.value();
            rows.push(Row { table: Table::Latest, key: key(i), value: Some(value) });
            self.nodes(&mut rows);
        }
        self.loaded = end;
        self.version += 1;
        sort(&mut rows);
        (!rows.is_empty()).then_some(rows)
    }

    /// One block: nine of ten keys exist already.
    pub fn block(&mut self) -> Vec<Row> {
        self.version += 1;
        let (mut rows, mut kept) = (Vec::new(), Vec::new());
        for n in 0..self.shape.block_keys {
            let key = if n % 10 == 0 {
                self.shape.keys += 1;
                key(self.shape.keys - 1)
            } else {
                key(self.random.below(self.shape.keys))
            };
            let mut was = key.clone();
            was.extend_from_slice(&self.version.to_be_bytes());
            let (old, new) = (self.value(), self.value());
            rows.push(Row { table: Table::History, key: was.clone(), value: Some(old) });
            kept.push(was);
            rows.push(Row { table: Table::Latest, key, value: Some(new) });
            self.nodes(&mut rows);
            for _ in 0..2 {
                let i = self.random.below(self.live.len() as u64) as usize;
                rows.push(Row { table: Table::Nodes, key: self.live.swap_remove(i), value: None });
            }
        }
        self.window.push_back(kept);
        if self.window.len() > self.shape.keep {
            for key in self.window.pop_front().unwrap_or_default() {
                rows.push(Row { table: Table::History, key, value: None });
            }
        }
        sort(&mut rows);
        rows
    }

    /// Keys that are stored, picked at random.
    pub fn present(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| key(self.random.below(self.shape.keys))).collect()
    }

    /// Keys that nobody stored.
    pub fn absent(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| key(self.shape.keys + 1 + self.random.below(self.shape.keys))).collect()
    }

    fn nodes(&mut self, rows: &mut Vec<Row>) {
        let inner = 100 + self.random.below(800);
        for len in [70, inner] {
            let mut key = vec![1];
            key.extend_from_slice(&self.version.to_be_bytes());
            key.extend_from_slice(&self.random.next().to_be_bytes());
            let value = self.random.bytes(len);
            self.live.push(key.clone());
            rows.push(Row { table: Table::Nodes, key, value: Some(value) });
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = 40 + self.random.below(120);
        self.random.bytes(len)
    }
}

/// The state store, too, writes each table in the order of its keys.
fn sort(rows: &mut [Row]) {
    rows.sort_by(|a, b| (a.table as u8, &a.key).cmp(&(b.table as u8, &b.key)));
}

/// The key of the i-th entry: a component, twenty bytes like an address, nine like a field.
fn key(i: u64) -> Vec<u8> {
    let mut random = Random(i ^ 0xace5_0000_0000_0000);
    let mut key = vec![(i % 8) as u8];
    key.extend_from_slice(&random.bytes(20));
    key.extend_from_slice(b"/balance/");
    key
}

/// splitmix64, so that both engines see the same bytes on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(len as usize + 8);
        while (out.len() as u64) < len {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(len as usize);
        out
    }
}
