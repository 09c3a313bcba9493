//! What loading and running a model costs, in wasm gas.
//!
//! A second of one core of the early 2020s is worth 10^12 wasm gas, so a thousandth of a nanosecond costs one. Each kind of
//! operation has a price of its own, by what the exact AVX2 kernels take for it: a node with better ones is ahead, a node
//! with scalar ones behind, and none of that may show in gas. All of it is reckoned from the graph as it is written, never
//! from an image, a cache or a machine. Measured on one core of a Zen 4 with `cargo bench -p aceso-inference --bench steps`,
//! which prints for each kind what it takes beside what it costs.

use crate::{
    ir::{Filter, Op, PairStep},
    plan::Facts,
};

/// A multiplication of a convolution or a product with constant weights: exact AVX2 does 82·10^9 a second.
const MAC: u64 = 12;
/// A multiplication where each channel has a window of its own.
const MAC_DEPTHWISE: u64 = 42;
/// A multiplication of computed matrices.
const MAC_COMPUTED: u64 = 24;
/// Output channels of a group are computed eight at a time.
const LANES: u64 = 8;
/// A byte of weights, which comes out of memory once a run.
const WEIGHT: u64 = 35;
/// An element that is widened and laid out with its padding before it is multiplied.
const LAID_OUT: u64 = 60;
/// A sum that becomes a byte.
const REQUANTISED: u64 = 120;
/// A byte through a table, a sum or a product of two bytes.
const TABLE: u64 = 160;
const SUM: u64 = 250;
const PRODUCT: u64 = 250;
/// Two bytes to one as integers; one divided by another, or what is left of it; the same with the divisor's sign.
const PAIR: u64 = 60;
const DIVIDED: u64 = 1_200;
const MODULO: u64 = 2_000;
/// A byte through the table of its channel.
const CHANNEL_TABLE: u64 = 180;
/// An element of a row of softmax, and of layer normalisation.
const SOFTMAX: u64 = 800;
const NORMALISE: u64 = 700;
/// A multiplication whose sum stays a sum: portable code.
const MAC_PORTABLE: u64 = 100;
/// An element through one step of a chain, and one that gets another width.
const CHAINED: u64 = 130;
const CAST: u64 = 120;
/// An element that may be the largest of its row, and a row.
const LOOKED_AT: u64 = 220;
const POSITION: u64 = 2_400;
/// An element between four others.
const RESIZE: u64 = 1_000;
/// An element of a window whose largest or whose mean is taken, and of a plane.
const MAX_POOL: u64 = 90;
const AVERAGE_POOL: u64 = 500;
const PLANE_MEAN: u64 = 100;
/// A byte whose neighbours go elsewhere, and one that goes with them.
const TURNED: u64 = 500;
const PICKED: u64 = 100;
const COPIED: u64 = 70;
/// An operation's own cost.
const PER_NODE: u64 = 200_000;
/// A run's own cost, some 2 µs: checks, the output tensor.
const PER_RUN: u64 = 2_000_000;
/// A byte of packed weights: decoding, hashing and packing do 2.5·10^8 bytes a second.
const PER_WEIGHT_BYTE: u64 = 4_000;
/// An operation's share of decoding and checking, some 10 µs.
const PER_NODE_LOADED: u64 = 10_000_000;
/// A load's own cost, some 50 µs.
const PER_LOAD: u64 = 50_000_000;

/// Wasm gas of one run.
pub fn run(facts: &Facts) -> u64 {
    facts.gas.saturating_add(PER_RUN)
}

/// Wasm gas of making a registered model ready, always charged in full.
pub fn load(facts: &Facts) -> u64 {
    sum(&[(PER_WEIGHT_BYTE, facts.weight_bytes), (PER_NODE_LOADED, u64::from(facts.nodes)), (PER_LOAD, 1)])
}

/// Wasm gas of an operation whose result has so many elements.
pub(crate) fn step(op: &Op, output: usize) -> u64 {
    let (output, macs) = (output as u64, op.macs(output));
    // As many as there are once the outputs of each group are filled up.
    let filled = |filter: &Filter, groups: usize| {
        let outputs = filter.rows as u64 / groups as u64;
        (macs / outputs.max(1)).saturating_mul(outputs.next_multiple_of(LANES))
    };
    let work = match op {
        Op::Conv(conv) if conv.is_depthwise() => {
            sum(&[(MAC_DEPTHWISE, macs), (LAID_OUT, conv.plane()), (REQUANTISED, output)])
        }
        Op::Conv(conv) => sum(&[
            (MAC, filled(&conv.filter, conv.groups)),
            (WEIGHT, conv.filter.packed()),
            (LAID_OUT, conv.plane()),
            (REQUANTISED, output),
        ]),
        Op::MatMul(matmul) => sum(&[
            (MAC, filled(&matmul.filter, 1)),
            (WEIGHT, matmul.filter.packed()),
            (LAID_OUT, matmul.read(output)),
            (REQUANTISED, output),
        ]),
        Op::Product(product) => sum(&[(MAC_COMPUTED, macs), (LAID_OUT, product.read(output)), (REQUANTISED, output)]),
        Op::Sums(sums) => {
            let weights = op.filter().map_or(0, Filter::packed);
            sum(&[(MAC_PORTABLE, macs), (WEIGHT, weights), (LAID_OUT, sums.read(output)), (REQUANTISED, output)])
        }
        Op::Chain(chain) => sum(&[(CHAINED, output.saturating_mul(1 + chain.links.len() as u64))]),
        Op::Arg(arg) => sum(&[(LOOKED_AT, output.saturating_mul(arg.size as u64)), (POSITION, output)]),
        Op::Cast(_) => sum(&[(CAST, output)]),
        Op::Table(_) => sum(&[(TABLE, output)]),
        Op::ChannelTable(_) => sum(&[(CHANNEL_TABLE, output)]),
        Op::Add(_) => sum(&[(SUM, output)]),
        Op::Mul(_) => sum(&[(PRODUCT, output)]),
        Op::Pair(pair) => match pair.step {
            PairStep::Div | PairStep::Remainder => sum(&[(DIVIDED, output)]),
            PairStep::Modulo => sum(&[(MODULO, output)]),
            _ => sum(&[(PAIR, output)]),
        },
        Op::Softmax(_) => sum(&[(SOFTMAX, output)]),
        Op::Normalise(_) => sum(&[(NORMALISE, output)]),
        Op::Resize(_) => sum(&[(RESIZE, output)]),
        Op::MaxPool(pool) => {
            sum(&[(MAX_POOL, output.saturating_mul(pool.window.taps() as u64)), (REQUANTISED, output)])
        }
        Op::AveragePool(pool) => {
            sum(&[(AVERAGE_POOL, output.saturating_mul(pool.window.taps() as u64)), (REQUANTISED, output)])
        }
        Op::GlobalAveragePool(pool) => sum(&[(PLANE_MEAN, output.saturating_mul(pool.size as u64))]),
        Op::Transpose(_) => sum(&[(TURNED, output)]),
        Op::Pick(_) => sum(&[(PICKED, output)]),
        Op::Concat(_) | Op::Pad(_) => sum(&[(COPIED, output)]),
    };
    work.saturating_add(PER_NODE)
}

fn sum(parts: &[(u64, u64)]) -> u64 {
    parts.iter().fold(0, |sum, &(price, count)| sum.saturating_add(price.saturating_mul(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_do_not_change() {
        let facts =
            Facts { macs: 4_000_000, element_ops: 90_000, peak_bytes: 1, weight_bytes: 60_000, nodes: 12, gas: 5 };
        expect_test::expect!["2000005 410000000"].assert_eq(&format!("{} {}", run(&facts), load(&facts)));
        let most = Facts { gas: u64::MAX, ..facts };
        assert_eq!(run(&most), u64::MAX);
    }

    #[test]
    fn the_specification_has_every_price() {
        let spec = include_str!("../SPEC.md");
        let section = spec.split("## ").find(|section| section.starts_with("Gas\n")).unwrap();
        let numbers: Vec<String> =
            section.split(|c: char| !(c.is_ascii_digit() || c == ',')).map(|word| word.replace(',', "")).collect();
        let products = [MAC, LANES, WEIGHT, LAID_OUT, REQUANTISED, MAC_DEPTHWISE, MAC_COMPUTED];
        let others =
            [TABLE, CHANNEL_TABLE, SUM, PRODUCT, SOFTMAX, NORMALISE, RESIZE, MAX_POOL, AVERAGE_POOL, PLANE_MEAN];
        let wide = [MAC_PORTABLE, CHAINED, LOOKED_AT, POSITION, CAST, PAIR, DIVIDED, MODULO];
        let moves = [TURNED, PICKED, COPIED, PER_NODE, PER_RUN, PER_WEIGHT_BYTE, PER_NODE_LOADED, PER_LOAD];
        for price in products.iter().chain(&others).chain(&wide).chain(&moves) {
            assert!(numbers.contains(&price.to_string()), "{price}");
        }
    }
}
