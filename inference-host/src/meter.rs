//! What loading and running a model costs, in wasm gas.
//!
//! A second of one core of the early 2020s is worth 10^12 wasm gas. Prices are for the exact AVX2 kernels: a node with
//! better ones is ahead, a node with scalar ones behind, and none of that may show in gas. Both prices depend on
//! [`Facts`] alone, never on an image, a cache or a machine.

use crate::plan::Facts;

/// A multiplication: exact AVX2 does 55·10^9 a second at ResNet-50's shapes.
const PER_MAC: u64 = 18;
/// Another byte operation: requantisation and tables do 10^9 a second.
const PER_ELEMENT: u64 = 1_000;
/// An operation's own cost, some 200 ns: a buffer and a call.
const PER_NODE: u64 = 200_000;
/// A run's own cost, some 2 µs: checks, buffers, the output tensor.
const PER_RUN: u64 = 2_000_000;
/// A byte of packed weights: decoding, hashing and packing do 2.5·10^8 bytes a second.
const PER_WEIGHT_BYTE: u64 = 4_000;
/// An operation's share of decoding and checking, some 10 µs.
const PER_NODE_LOADED: u64 = 10_000_000;
/// A load's own cost, some 50 µs.
const PER_LOAD: u64 = 50_000_000;

/// Wasm gas of one run.
pub fn run(facts: &Facts) -> u64 {
    sum(&[(PER_MAC, facts.macs), (PER_ELEMENT, facts.element_ops), (PER_NODE, u64::from(facts.nodes)), (PER_RUN, 1)])
}

/// What one operation adds to the price of a run.
pub(crate) fn operation(macs: u64, element_ops: u64) -> u64 {
    sum(&[(PER_MAC, macs), (PER_ELEMENT, element_ops), (PER_NODE, 1)])
}

/// Wasm gas of making a registered model ready, always charged in full.
pub fn load(facts: &Facts) -> u64 {
    sum(&[(PER_WEIGHT_BYTE, facts.weight_bytes), (PER_NODE_LOADED, u64::from(facts.nodes)), (PER_LOAD, 1)])
}

fn sum(parts: &[(u64, u64)]) -> u64 {
    parts.iter().fold(0, |sum, &(price, count)| sum.saturating_add(price.saturating_mul(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_do_not_change() {
        let facts = Facts { macs: 4_000_000, element_ops: 90_000, peak_bytes: 1, weight_bytes: 60_000, nodes: 12 };
        expect_test::expect!["166400000 410000000"].assert_eq(&format!("{} {}", run(&facts), load(&facts)));
        let most = Facts { macs: u64::MAX, ..facts };
        assert_eq!(run(&most), u64::MAX);
    }
}
