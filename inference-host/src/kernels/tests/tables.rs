//! Tables, of all bytes and of channels, planes turned, and what stands side by side.

use proptest::{prelude::*, test_runner::RngSeed};

use super::{each_set, noise, round, zero};
use crate::{
    formula::{Range, number},
    ir::{ChannelTable, Concat, Op, Transpose},
};

/// The table of a normalisation as a quantised graph has it: dequantised, times and plus a constant, quantised.
fn line(signs: [bool; 2], zeros: [u8; 2], slope: f32, start: f32) -> [u8; 256] {
    let range = Range::of(signs[1], zero(signs[1], zeros[1]));
    let mut table = [0; 256];
    for (entry, byte) in table.iter_mut().zip(0..=u8::MAX) {
        let real = 0.02 * (number(signs[0], byte) - zero(signs[0], zeros[0])) as f32;
        *entry = round((real * slope + start) / 0.03, range);
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn tables(len in 1usize..400, seed in any::<u64>()) {
        let mut draw = noise(seed);
        let (table, x) = (draw(256), draw(len));
        let table: Box<[u8; 256]> = table.try_into().unwrap();
        let want: Vec<u8> = x.iter().map(|&x| table[usize::from(x)]).collect();
        each_set(|| Op::Table(table.clone()), &[&x], len, |set, y| assert_eq!(y, want, "{set}"));
    }

    /// Lines, which vectors compute, and tables that are none, beside each other or not.
    #[test]
    fn tables_of_channels(
        places in 1usize..20, channels in 1usize..50, inner in 1usize..4, lines in any::<bool>(), signs in any::<[bool; 2]>(),
        zeros in any::<[u8; 2]>(), steep in any::<bool>(), seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let slopes = draw(2 * channels);
        let tables: Vec<[u8; 256]> = slopes
            .chunks(2)
            .map(|of| {
                let slope = (f32::from(of[0]) - 128.0) * if steep { 0.331_27 } else { 0.011_132_7 };
                line(signs, zeros, slope, (f32::from(of[1]) - 128.0) * 0.025_131_7)
            })
            .map(|table| if lines { table } else { draw(256).try_into().unwrap_or(table) })
            .collect();
        let inner = if inner == 1 { 1 } else { inner * 7 };
        let x = draw(places * channels * inner);
        let want: Vec<u8> = x
            .iter()
            .enumerate()
            .map(|(at, &x)| tables[at / inner % channels][usize::from(x)])
            .collect();
        let op = || Op::ChannelTable(ChannelTable { tables: tables.clone(), inner });
        each_set(op, &[&x], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    /// Whole squares, and what is left beside and below them.
    #[test]
    fn planes_turned(
        outer in 1usize..3, rows in 1usize..150, columns in 1usize..40, flat in any::<bool>(), seed in any::<u64>(),
    ) {
        let [rows, columns] = if flat { [columns, rows] } else { [rows, columns] };
        let x = noise(seed)(outer * rows * columns);
        let want: Vec<u8> = (0..x.len())
            .map(|at| {
                let (plane, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
                x[plane * rows * columns + column * rows + row]
            })
            .collect();
        let dims = vec![outer, rows, columns];
        let op = || Op::Transpose(Transpose { dims: dims.clone(), strides: vec![rows * columns, 1, rows] });
        each_set(op, &[&x], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn side_by_side(outer in 1usize..6, runs in prop::collection::vec(1usize..70, 1..6), seed in any::<u64>()) {
        let mut draw = noise(seed);
        let inputs: Vec<Vec<u8>> = runs.iter().map(|run| draw(outer * run)).collect();
        let want: Vec<u8> = (0..outer)
            .flat_map(|at| inputs.iter().zip(&runs).flat_map(move |(x, run)| x[at * run..][..*run].to_vec()))
            .collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let op = || Op::Concat(Concat { runs: runs.clone() });
        each_set(op, &inputs, want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }
}

/// What makes normalisations quick is really found: nearly every table of a line, and then it is that line.
#[test]
fn lines_are_found() {
    let mut draw = noise(3);
    let (mut found, mut all) = (0, 0);
    for signs in [[false, false], [true, true], [false, true], [true, false]] {
        for of in draw(400).chunks(4) {
            let (slope, start) = ((f32::from(of[0]) - 60.0) * 0.011_132_7, (f32::from(of[1]) - 128.0) * 0.025_131_7);
            let table = line(signs, [of[2], of[3]], slope, start);
            let value = |byte: u8| number(signs[1], table[usize::from(if signs[0] { byte ^ 0x80 } else { byte })]);
            let values: [i32; 256] = std::array::from_fn(|at| value(at as u8));
            let (&lo, &hi) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            all += 1;
            let Some((slope, start)) = super::super::simd::line(&values, lo, hi) else { continue };
            let computed = |x: usize| (x as f32).mul_add(slope, start).max(lo as f32).min(hi as f32);
            let same = |(x, &value): (usize, &i32)| computed(x).round_ties_even() as i32 == value;
            found += usize::from(values.iter().enumerate().all(same));
        }
    }
    assert!(found * 100 >= all * 97, "{found} of {all}");
}
