//! Sums, chains, positions and casts, as SPEC.md reads.

use aceso_types::ElementType;
use proptest::{prelude::*, test_runner::RngSeed};

use super::{covered, each_set, filter, kind, last, noise, window, zero};
use crate::{
    formula::{Range, number},
    ir::{Arg, Cast, Centre, Chain, ChainStep, Conv, Link, MatMul, Op, Order, Product, Requant, Sums},
};

const TYPES: [ElementType; 4] = [ElementType::U8, ElementType::I8, ElementType::I32, ElementType::I64];

fn none() -> Requant {
    Requant { scales: vec![], bias: vec![], range: Range::of(false, 0) }
}

fn bytes(sums: &[i32]) -> Vec<u8> {
    sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
}

/// What integers of a type are, read by the standard library.
fn numbers(ty: ElementType, data: &[u8]) -> Vec<i64> {
    let each = data.chunks_exact(ty.width());
    each.map(|x| match ty {
        ElementType::U8 => i64::from(x[0]),
        ElementType::I8 => i64::from(x[0] as i8),
        ElementType::I32 => i64::from(i32::from_le_bytes(x.try_into().unwrap())),
        ElementType::I64 => i64::from_le_bytes(x.try_into().unwrap()),
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn sums_of_convolutions(
        window in window(), batch in 1usize..3, kind in kind(), signs in any::<[bool; 2]>(), zeros in any::<[u8; 2]>(),
        seed in any::<u64>(),
    ) {
        let [groups, channels, outputs] = kind;
        let mut draw = noise(seed);
        let (rows, depth, size) = (groups * outputs, channels * window.taps(), window.input.iter().product::<usize>());
        let x = Centre { signed: signs[0], zero: zero(signs[0], zeros[0]) };
        let (weights, w_zero) = (draw(rows * depth), zero(signs[1], zeros[1]));
        let filter = filter(rows, depth, Order::Channels(channels), signs[1], weights.clone(), vec![w_zero]);
        let conv = Conv { batch, groups, channels, window, x, filter, requant: none() };
        let input = draw(batch * groups * channels * size);
        // `[n, h, w, c]` at once.
        let mut want = vec![];
        for image in input.chunks(groups * channels * size) {
            for (place, row) in (0..window.places()).flat_map(|place| (0..rows).map(move |row| (place, row))) {
                let taps = covered(&window, place).into_iter().enumerate();
                let sum = taps.filter_map(|(tap, at)| Some((tap, at?))).map(|(tap, at)| {
                    (0..channels).map(|channel| {
                        let x_number = number(x.signed, image[(row / outputs * channels + channel) * size + at]) - x.zero;
                        x_number * (number(signs[1], weights[row * depth + channel * window.taps() + tap]) - w_zero)
                    }).sum::<i32>()
                });
                want.push(sum.sum::<i32>());
            }
        }
        let (want, input) = (bytes(&want), last(&input, groups * channels, size));
        each_set(|| Op::Sums(Sums::Conv(conv.clone())), &[&input], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn sums_of_matrices(
        batch in 1usize..3, rows in 1usize..40, depth in 1usize..70, columns in 1usize..60, signs in any::<[bool; 2]>(),
        zeros in any::<[u8; 2]>(), seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let [a, b] = [0, 1].map(|side| Centre { signed: signs[side], zero: zero(signs[side], zeros[side]) });
        let (left, right) = (draw(batch * rows * depth), draw(batch * depth * columns));
        let sums = |left: &[u8], right: &[u8]| -> Vec<i32> {
            let places = (0..left.len() / depth).flat_map(|row| (0..columns).map(move |column| (row, column)));
            places.map(|(row, column)| {
                let product = |k: usize| {
                    (number(a.signed, left[row * depth + k]) - a.zero)
                        * (number(b.signed, right[k * columns + column]) - b.zero)
                };
                (0..depth).map(product).sum()
            }).collect()
        };
        let each = left.chunks(rows * depth).zip(right.chunks(depth * columns));
        let want = bytes(&each.flat_map(|(left, right)| sums(left, right)).collect::<Vec<_>>());
        let product = Product { a, b, rows, depth, columns, scale: 1.0, range: Range::of(false, 0) };
        let op = || Op::Sums(Sums::Product(product));
        each_set(op, &[&left, &right], want.len(), |set, y| assert_eq!(y, want, "{set}"));

        let right = &right[..depth * columns];
        let want = bytes(&sums(&left, right));
        let filter = filter(columns, depth, Order::Columns, signs[1], right.to_vec(), vec![b.zero; columns]);
        let matmul = MatMul { x: a, filter, requant: none() };
        each_set(|| Op::Sums(Sums::MatMul(matmul.clone())), &[&left], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn chains(
        // Elements go through a link 256 at a time.
        sums in prop::collection::vec(any::<i32>(), 1..700), inner in prop_oneof![1usize..5, 100usize..400], signed in any::<bool>(), at in any::<u8>(),
    ) {
        let link = |step, values: &[f32]| Link { step, values: values.to_vec(), inner };
        let links = vec![
            link(ChainStep::Mul, &[3.1e-5, 0.002, 1e-7]),
            link(ChainStep::Add, &[0.7]),
            link(ChainStep::Least, &[-300.5]),
            link(ChainStep::Div, &[0.9, 1.3]),
            link(ChainStep::Most, &[4000.25]),
            link(ChainStep::Sub, &[1.0 / 3.0]),
            link(ChainStep::SubFrom, &[0.1]),
        ];
        let range = Range::of(signed, zero(signed, at));
        let of = |(place, &sum): (usize, &i32)| {
            let pick = |values: &[f32]| values[place / inner % values.len()];
            let v = sum as f32 * pick(&links[0].values) + 0.7;
            let v = v.max(-300.5) / pick(&links[3].values);
            let v = 0.1 - (v.min(4000.25) - 1.0 / 3.0);
            super::round(v / 0.37, range)
        };
        let want: Vec<u8> = sums.iter().enumerate().map(of).collect();
        let op = || Op::Chain(Chain { links: links.clone(), scale: 0.37, range });
        each_set(op, &[&bytes(&sums)], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn positions_and_casts(rows in 1usize..5, size in 1usize..40, few in any::<bool>(), seed in any::<u64>()) {
        for ty in TYPES {
            let mut data = noise(seed)(rows * size * ty.width());
            if few {
                // Many equal ones.
                data.chunks_exact_mut(ty.width()).for_each(|x| x.iter_mut().for_each(|x| *x = if *x > 99 { 0xff } else { 1 }));
            }
            let all = numbers(ty, &data);
            for (least, last) in [(false, false), (false, true), (true, false), (true, true)] {
                let place = |row: &[i64]| {
                    let best = if least { row.iter().min() } else { row.iter().max() };
                    let found = if last { row.iter().rposition(|x| Some(x) == best) } else { row.iter().position(|x| Some(x) == best) };
                    found.unwrap() as i64
                };
                let want: Vec<u8> = all.chunks(size).flat_map(|row| place(row).to_le_bytes()).collect();
                let op = || Op::Arg(Arg { ty, size, least, last });
                each_set(op, &[&data], want.len(), |set, y| assert_eq!(y, want, "{set}"));
            }
            for to in TYPES {
                let want: Vec<u8> = match to {
                    ElementType::U8 => all.iter().map(|&x| x as u8).collect(),
                    ElementType::I8 => all.iter().map(|&x| x as i8 as u8).collect(),
                    ElementType::I32 => all.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect(),
                    ElementType::I64 => all.iter().flat_map(|&x| x.to_le_bytes()).collect(),
                };
                let op = || Op::Cast(Cast { from: ty, to });
                each_set(op, &[&data], want.len(), |set, y| assert_eq!(y, want, "{set}"));
            }
        }
    }
}
