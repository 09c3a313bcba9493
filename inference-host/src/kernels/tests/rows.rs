//! Products of computed tensors, rows, other sizes and picks, as SPEC.md reads.

use proptest::{prelude::*, test_runner::RngSeed};

use super::{each_set, last, noise, round, zero};
use crate::{
    formula::{self, Range, number},
    ir::{Between, Centre, Mul, Normalise, Op, Pair, PairStep, Pick, Product, Resize, Softmax},
};

/// ONNX's quantisation, with the standard library's rounding.
fn quantised(value: f32, scale: f32, range: Range) -> u8 {
    round(value / scale, range)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn products_of_bytes(
        len in 1usize..300, signs in any::<[bool; 3]>(), zeros in any::<[u8; 3]>(), scale in any::<u8>(), seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let [a, b] = [0, 1].map(|side| Centre { signed: signs[side], zero: zero(signs[side], zeros[side]) });
        let range = Range::of(signs[2], zero(signs[2], zeros[2]));
        let scale = if scale % 16 == 0 { 200.0 } else { (f32::from(scale) + 1.0) * 3.7e-5 };
        let (left, right) = (draw(len), draw(len));
        let centred = |of: Centre, byte: u8| number(of.signed, byte) - of.zero;
        let want: Vec<u8> =
            left.iter().zip(&right).map(|(&p, &q)| round((centred(a, p) * centred(b, q)) as f32 * scale, range)).collect();
        let op = || Op::Mul(Mul { a, b, scale, range });
        each_set(op, &[&left, &right], len, |set, y| assert_eq!(y, want, "{set}"));
    }

    /// Bytes of one type, with no divisor of 0.
    #[test]
    fn pairs(len in 1usize..300, signed in any::<bool>(), seed in any::<u64>()) {
        let mut draw = noise(seed);
        let (left, mut right) = (draw(len), draw(len));
        right.iter_mut().for_each(|b| *b = (*b).max(1));
        type Step = (PairStep, fn(i64, i64) -> i64);
        let steps: [Step; 13] = [
            (PairStep::Add, |a, b| a + b),
            (PairStep::Sub, |a, b| a - b),
            (PairStep::Mul, |a, b| a * b),
            (PairStep::Div, |a, b| (a as f64 / b as f64).trunc() as i64),
            (PairStep::Modulo, |a, b| a - b * (a as f64 / b as f64).floor() as i64),
            (PairStep::Remainder, |a, b| a - b * (a as f64 / b as f64).trunc() as i64),
            (PairStep::Min, |a, b| if a < b { a } else { b }),
            (PairStep::Max, |a, b| if a > b { a } else { b }),
            (PairStep::Left, |a, b| if b < 8 { a * 2i64.pow(b as u32) } else { 0 }),
            (PairStep::Right, |a, b| if b < 8 { a / 2i64.pow(b as u32) } else { 0 }),
            (PairStep::And, |a, b| a & b),
            (PairStep::Or, |a, b| a | b),
            (PairStep::Xor, |a, b| a ^ b),
        ];
        for (step, of) in steps {
            // Signed integers are not shifted.
            let signed = signed && !matches!(step, PairStep::Left | PairStep::Right);
            let number = |b: u8| i64::from(number(signed, b));
            let want: Vec<u8> = left.iter().zip(&right).map(|(&a, &b)| of(number(a), number(b)) as u8).collect();
            let op = || Op::Pair(Pair { step, signed });
            each_set(op, &[&left, &right], len, |set, y| assert_eq!(y, want, "{set}: {step:?}"));
        }
    }

    #[test]
    fn products_of_matrices(
        batch in 1usize..4, rows in 1usize..40, depth in 1usize..70, columns in 1usize..70,
        signs in any::<[bool; 3]>(), zeros in any::<[u8; 3]>(), seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let [a, b] = [0, 1].map(|side| Centre { signed: signs[side], zero: zero(signs[side], zeros[side]) });
        let range = Range::of(signs[2], zero(signs[2], zeros[2]));
        let scale = 1.3e-4;
        let (left, right) = (draw(batch * rows * depth), draw(batch * depth * columns));
        let mut want = vec![];
        for (left, right) in left.chunks(rows * depth).zip(right.chunks(depth * columns)) {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let product = |k: usize| {
                    (number(a.signed, left[row * depth + k]) - a.zero)
                        * (number(b.signed, right[k * columns + column]) - b.zero)
                };
                want.push(round((0..depth).map(product).sum::<i32>() as f32 * scale, range));
            }
        }
        let op = || Op::Product(Product { a, b, rows, depth, columns, scale, range });
        each_set(op, &[&left, &right], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn shares(
        rows in 1usize..6, size in 1usize..200, signs in any::<[bool; 2]>(), zeros in any::<u8>(), narrow in 1u8..255,
        seed in any::<u64>(),
    ) {
        let input: Vec<u8> = noise(seed)(rows * size).into_iter().map(|b| b % narrow).collect();
        let range = Range::of(signs[1], zero(signs[1], zeros));
        let (x_scale, scale) = (f32::from(narrow) * 0.0007, 1.0 / 256.0);
        let want: Vec<u8> = input
            .chunks(size)
            .flat_map(|row| {
                let most = row.iter().map(|&b| number(signs[0], b)).max().unwrap();
                let weight = |b: u8| {
                    let below = (most - number(signs[0], b)) as f32 * x_scale;
                    (f64::from(1 << 30) * (-f64::from(below)).exp()) as u64
                };
                let whole: u64 = row.iter().map(|&b| weight(b)).sum();
                row.iter().map(move |&b| quantised(weight(b) as f32 / whole as f32, scale, range)).collect::<Vec<_>>()
            })
            .collect();
        let weights = formula::softmax_weights(x_scale);
        let op = || Op::Softmax(Box::new(Softmax { signed: signs[0], size, weights, scale, range }));
        // Weights may differ by one of 2^30 from those of the standard library.
        let near = |(a, b): (&u8, &u8)| a.wrapping_sub(*b).min(b.wrapping_sub(*a)) <= 1;
        let mut first: Option<Vec<u8>> = None;
        each_set(op, &[&input], want.len(), |set, y| {
            assert!(y.iter().zip(&want).all(near), "{set}");
            assert_eq!(first.get_or_insert_with(|| y.clone()), &y, "{set}");
        });
    }

    #[test]
    fn normalised_rows(
        rows in 1usize..5, size in 1usize..300, signs in any::<[bool; 2]>(), zeros in any::<u8>(), flat in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let input = if flat { vec![77; rows * size] } else { draw(rows * size) };
        let parameter = |b: u8| (f32::from(b) - 100.0) / 90.0;
        let [gamma, beta]: [Vec<f32>; 2] = [(); 2].map(|()| draw(size).into_iter().map(parameter).collect());
        let range = Range::of(signs[1], zero(signs[1], zeros));
        let (x_scale, scale) = (0.013f32, 0.021f32);
        let n = size as i64;
        let epsilon = f64::from(1e-5f32) * (n * n) as f64 / (f64::from(x_scale) * f64::from(x_scale));
        let want: Vec<u8> = input
            .chunks(size)
            .flat_map(|row| {
                let row: Vec<i64> = row.iter().map(|&b| i64::from(number(signs[0], b))).collect();
                let (sum, squares) = (row.iter().sum::<i64>(), row.iter().map(|x| x * x).sum::<i64>());
                let deviation = ((n * squares - sum * sum) as f64 + epsilon).sqrt();
                let value = |(x, (g, b)): (&i64, (&f32, &f32))| {
                    quantised(((n * x - sum) as f64 / deviation) as f32 * g + b, scale, range)
                };
                row.iter().zip(gamma.iter().zip(&beta)).map(value).collect::<Vec<_>>()
            })
            .collect();
        let epsilon = formula::steps(1e-5, size as u32, x_scale);
        let op = || {
            let (gamma, beta) = (gamma.clone(), beta.clone());
            Op::Normalise(Normalise { signed: signs[0], epsilon, gamma, beta, scale, range })
        };
        each_set(op, &[&input], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn other_sizes(
        batch in 1usize..3, channels in 1usize..40, input in [1usize..9, 1usize..9], output in [1usize..12, 1usize..12],
        signs in any::<[bool; 2]>(), zeros in any::<[u8; 2]>(), seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let x = draw(batch * channels * input[0] * input[1]);
        let mut sides = [0, 1].map(|d| {
            let between = |b: u8| {
                let first = usize::from(b) % input[d];
                Between { first, second: (first + 1).min(input[d] - 1), share: f32::from(b) / 256.0 }
            };
            draw(output[d]).into_iter().map(between).collect::<Vec<_>>()
        });
        let (columns, rows) = (std::mem::take(&mut sides[1]), std::mem::take(&mut sides[0]));
        let range = Range::of(signs[1], zero(signs[1], zeros[1]));
        let reals = *formula::reals(signs[0], 0.011, zero(signs[0], zeros[0]));
        let mut want = vec![];
        for plane in x.chunks(input[0] * input[1]) {
            let real = |row: usize, column: usize| {
                0.011 * (number(signs[0], plane[row * input[1] + column]) - zero(signs[0], zeros[0])) as f32
            };
            for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
                let (up, left) = (1.0 - row.share, 1.0 - column.share);
                let value = real(row.first, column.first) * (up * left)
                    + real(row.first, column.second) * (up * column.share)
                    + real(row.second, column.first) * (row.share * left)
                    + real(row.second, column.second) * (row.share * column.share);
                want.push(quantised(value, 0.013, range));
            }
        }
        let want = last(&want, channels, output[0] * output[1]);
        let x = last(&x, channels, input[0] * input[1]);
        let op = || {
            let (rows, columns) = (rows.clone(), columns.clone());
            Op::Resize(Box::new(Resize { channels, input, rows, columns, reals, scale: 0.013, range }))
        };
        each_set(op, &[&x], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn picks(
        dims in prop::collection::vec((1usize..5, prop::collection::vec(any::<u8>(), 1..6), any::<bool>()), 0..5),
        seed in any::<u64>(),
    ) {
        let input: Vec<usize> = dims.iter().map(|&(dim, ..)| dim).collect();
        let places = |(dim, places, whole): &(usize, Vec<u8>, bool)| {
            if *whole { (0..*dim).collect() } else { places.iter().map(|&b| usize::from(b) % dim).collect() }
        };
        let places: Vec<Vec<usize>> = dims.iter().map(places).collect();
        let x = noise(seed)(input.iter().product());
        let strides = |dims: &[usize]| -> Vec<usize> { (0..dims.len()).map(|d| dims[d + 1..].iter().product()).collect() };
        let output: Vec<usize> = places.iter().map(Vec::len).collect();
        let (from, to) = (strides(&input), strides(&output));
        let want: Vec<u8> = (0..output.iter().product::<usize>())
            .map(|at| x[(0..input.len()).map(|d| places[d][at / to[d] % output[d]] * from[d]).sum::<usize>()])
            .collect();
        let op = || Op::Pick(Pick { input: input.clone(), places: places.clone() });
        each_set(op, &[&x], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }
}
