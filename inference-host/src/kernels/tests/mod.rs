//! Every set of kernels that this machine has against SPEC.md read literally: loops over all indices, sums in 64 bits, the
//! standard library's rounding. What is expected is computed in ONNX's order of dimensions.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod rows;
mod tables;
mod wide;

use std::sync::Arc;

use proptest::{prelude::*, test_runner::RngSeed};

use super::{KernelSet, Kernels, Scratch};
use crate::{
    formula::{AddTables, Range, number},
    ir::{
        AveragePool, Centre, Conv, Filter, GlobalAveragePool, MatMul, MaxPool, Op, Order, Pad, Requant, Transpose,
        Window,
    },
    onnx::constant::{Constant, Data},
};

/// What every set makes of an operation. The second run finds what the first one left.
fn each_set(op: impl Fn() -> Op, inputs: &[&[u8]], len: usize, mut check: impl FnMut(KernelSet, Vec<u8>)) {
    for set in Kernels::available() {
        let prepared = Kernels::new(set).unwrap().chosen().prepare(op());
        let mut scratch = Scratch {
            bytes: vec![0xa5; 4096],
            words: vec![0x5a5a; 4096],
            sums: vec![-1; 4096],
            floats: vec![f32::NAN; 4096],
            threads: 1,
        };
        for _ in 0..2 {
            let mut y = vec![0xee; len];
            prepared.run(inputs, &mut y, &mut scratch);
            check(set, y);
        }
    }
}

/// `[n, h, w, c]` of `[n, c, h, w]`, where `inner` is `h · w`.
fn last(x: &[u8], channels: usize, inner: usize) -> Vec<u8> {
    let images = x.chunks_exact(channels * inner);
    images.flat_map(|x| (0..inner).flat_map(move |at| (0..channels).map(move |c| x[c * inner + at]))).collect()
}

/// A stream of bytes that depends on the seed alone; one in five is of extreme values.
fn noise(seed: u64) -> impl FnMut(usize) -> Vec<u8> {
    let mut state = seed | 1;
    let extreme = seed.is_multiple_of(5);
    move |len| {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = state.to_le_bytes()[3];
            if extreme { [0, 127, 128, 255][usize::from(byte >> 6)] } else { byte }
        };
        (0..len).map(|_| next()).collect()
    }
}

fn round(value: f32, range: Range) -> u8 {
    let (lo, hi) = ((range.lo - range.zero) as f32, (range.hi - range.zero) as f32);
    (value.max(lo).min(hi).round_ties_even() as i32 + range.zero) as u8
}

fn zero(signed: bool, byte: u8) -> i32 {
    number(signed, byte)
}

/// Some multipliers are so large that sums leave 32 bits, and some results are cut off as Relu and Clip do.
fn requant(rows: usize, per_row: bool, y: (bool, u8), draw: &mut dyn FnMut(usize) -> Vec<u8>) -> Requant {
    let scale = |&b: &u8| if b % 16 == 0 { 250.0 } else { (f32::from(b) + 1.0) * 3.1e-6 };
    let scales = draw(if per_row { rows } else { 1 }).iter().map(scale).collect();
    let bias = draw(rows).iter().map(|&b| i32::from(b) * 57 - 7000).collect();
    let (range, zero) = (Range::of(y.0, zero(y.0, y.1)), zero(y.0, y.1));
    let range = match draw(1)[0] % 3 {
        0 => range,
        1 => range.within(zero, range.hi),
        _ => range.within(-20, 60),
    };
    Requant { scales, bias, range }
}

fn filter(rows: usize, depth: usize, order: Order, signed: bool, bytes: Vec<u8>, zeros: Vec<i32>) -> Filter {
    let source = Arc::new(Constant { dims: vec![rows, depth], data: Data::Byte { signed, bytes } });
    Filter { source, rows, depth, zeros, order }
}

prop_compose! {
    fn window()(
        kernel in [1usize..4, 1usize..4], stride in [1usize..4, 1usize..4], dilation in [1usize..3, 1usize..3],
        pad in [0usize..3, 0usize..3], after in [0usize..3, 0usize..3], more in [0usize..6, 0usize..6],
        small in any::<bool>(),
    ) -> Window {
        // Pools want padding below the kernel; convolutions are fine with that as well.
        let side = |d: usize| {
            let pad = if small { pad[d].min(kernel[d] - 1) } else { pad[d] };
            let extent = (kernel[d] - 1) * dilation[d] + 1;
            let input = (extent + more[d]).saturating_sub(pad).max(1);
            let room = (input + pad + after[d].min(kernel[d] - 1)).saturating_sub(extent);
            (pad, input, room / stride[d] + 1)
        };
        let sides = [side(0), side(1)];
        Window {
            kernel, stride, dilation,
            pad: sides.map(|s| s.0), input: sides.map(|s| s.1), output: sides.map(|s| s.2),
        }
    }
}

/// Groups, and input and output channels of a group: small ones, wide ones around whole vectors, one channel each.
fn kind() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        [1usize..4, 1usize..5, 1usize..7],
        [1usize..3, 1usize..20, 1usize..140],
        (2usize..150).prop_map(|groups| [groups, 1, 1]),
    ]
}

/// Positions in a plane that a window covers, none for padding.
fn covered(w: &Window, place: usize) -> Vec<Option<usize>> {
    let (row, column) = (place / w.output[1], place % w.output[1]);
    let at = |d: usize, place: usize, tap: usize| {
        let at = (place * w.stride[d] + tap * w.dilation[d]) as i64 - w.pad[d] as i64;
        usize::try_from(at).ok().filter(|&at| at < w.input[d])
    };
    (0..w.taps())
        .map(|tap| Some(at(0, row, tap / w.kernel[1])? * w.input[1] + at(1, column, tap % w.kernel[1])?))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn convolutions(
        window in window(), batch in 1usize..3, kind in kind(),
        signs in any::<[bool; 3]>(), zeros in any::<[u8; 3]>(), per_row in any::<bool>(),
        symmetric in any::<bool>(), seed in any::<u64>(),
    ) {
        let [groups, channels, outputs] = kind;
        // Symmetric signed weights, as quantisers make them, fit 8 bits centred.
        let (signs, zeros) = if symmetric { ([signs[0], true, signs[2]], [zeros[0], 0, zeros[2]]) } else { (signs, zeros) };
        let mut draw = noise(seed);
        let (rows, depth, size) = (groups * outputs, channels * window.taps(), window.input.iter().product::<usize>());
        let x = Centre { signed: signs[0], zero: zero(signs[0], zeros[0]) };
        let weights = draw(rows * depth);
        let filter =
            filter(rows, depth, Order::Channels(channels), signs[1], weights.clone(), vec![zero(signs[1], zeros[1])]);
        let requant = requant(rows, per_row, (signs[2], zeros[2]), &mut draw);
        let conv = Conv { batch, groups, channels, window, x, filter, requant };
        let input = draw(batch * groups * channels * size);

        let mut want = vec![];
        for image in input.chunks(groups * channels * size) {
            for row in 0..rows {
                for place in 0..window.places() {
                    let mut sum = i64::from(conv.requant.bias[row]);
                    for channel in 0..channels {
                        let plane = &image[(row / outputs * channels + channel) * size..];
                        for (tap, at) in covered(&window, place).into_iter().enumerate() {
                            let Some(at) = at else { continue };
                            let w = weights[row * depth + channel * window.taps() + tap];
                            sum += i64::from(number(x.signed, plane[at]) - x.zero)
                                * i64::from(number(signs[1], w) - conv.filter.zeros[0]);
                        }
                    }
                    let scale = conv.requant.scales[if per_row { row } else { 0 }];
                    want.push(round(i32::try_from(sum).unwrap() as f32 * scale, conv.requant.range));
                }
            }
        }
        let want = last(&want, rows, window.places());
        let input = last(&input, groups * channels, size);
        each_set(|| Op::Conv(conv.clone()), &[&input], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn matrix_products(
        rows in 1usize..40, depth in 1usize..70, columns in 1usize..100, transposed in any::<bool>(),
        signs in any::<[bool; 3]>(), zeros in any::<[u8; 2]>(), per_row in any::<bool>(), symmetric in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let signs = if symmetric { [signs[0], true, signs[2]] } else { signs };
        let mut draw = noise(seed);
        let x = Centre { signed: signs[0], zero: zero(signs[0], zeros[0]) };
        let (weights, input) = (draw(columns * depth), draw(rows * depth));
        let w_zero = |b| if symmetric { 0 } else { zero(signs[1], b) };
        let w_zeros: Vec<i32> = draw(columns).into_iter().map(w_zero).collect();
        let order = if transposed { Order::Channels(1) } else { Order::Columns };
        let filter = filter(columns, depth, order, signs[1], weights.clone(), w_zeros.clone());
        let requant = requant(columns, per_row, (signs[2], zeros[1]), &mut draw);
        let matmul = MatMul { x, filter, requant };

        let mut want = vec![];
        for row in input.chunks(depth) {
            for column in 0..columns {
                let w = |k: usize| weights[if transposed { column * depth + k } else { k * columns + column }];
                let product = |(k, &b): (usize, &u8)| {
                    i64::from(number(x.signed, b) - x.zero) * i64::from(number(signs[1], w(k)) - w_zeros[column])
                };
                let sum = i64::from(matmul.requant.bias[column]) + row.iter().enumerate().map(product).sum::<i64>();
                let scale = matmul.requant.scales[if per_row { column } else { 0 }];
                want.push(round(i32::try_from(sum).unwrap() as f32 * scale, matmul.requant.range));
            }
        }
        each_set(|| Op::MatMul(matmul.clone()), &[&input], want.len(), |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn pools(
        window in window(), batch in 1usize..3, channels in 1usize..70, signed in any::<bool>(),
        zeros in any::<[u8; 2]>(), count_pad in any::<bool>(), seed in any::<u64>(),
    ) {
        let size = window.input.iter().product::<usize>();
        let input = noise(seed)(batch * channels * size);
        let places: Vec<Vec<usize>> =
            (0..window.places()).map(|place| covered(&window, place).into_iter().flatten().collect()).collect();
        prop_assume!(places.iter().all(|place| !place.is_empty()));
        let each = |f: &dyn Fn(&[u8], &[usize]) -> u8| -> Vec<u8> {
            input.chunks(size).flat_map(|plane| places.iter().map(move |place| f(plane, place))).collect()
        };
        let range = Range::of(signed, zero(signed, zeros[0]));
        let x_zero = zero(signed, zeros[1]);
        let reals = vec![*crate::formula::reals(signed, 0.031, x_zero)];
        let pool = AveragePool { channels, window, reals, scale: 0.017, range, count_pad };
        let largest = each(&|plane, place| {
            place.iter().map(|&at| number(signed, plane[at])).max().unwrap() as u8
        });
        let mean = each(&|plane, place| {
            let mut sum = 0f32;
            place.iter().for_each(|&at| sum += 0.031 * (number(signed, plane[at]) - x_zero) as f32);
            let count = if count_pad { window.taps() } else { place.len() };
            let value = (sum / count as f32) / 0.017 + range.zero as f32;
            value.max(range.lo as f32).min(range.hi as f32).round_ties_even() as i32 as u8
        });
        let global = GlobalAveragePool { channels, size, x: Centre { signed, zero: x_zero }, scale: 0.013, range };
        let whole: Vec<u8> = input
            .chunks(size)
            .map(|plane| {
                let sum: i32 = plane.iter().map(|&b| number(signed, b) - x_zero).sum();
                round(sum as f32 * 0.013, range)
            })
            .collect();
        let x = last(&input, channels, size);
        let [largest, mean] = [&largest, &mean].map(|y| last(y, channels, window.places()));
        let max = || Op::MaxPool(MaxPool { signed, channels, window });
        each_set(max, &[&x], largest.len(), |set, y| assert_eq!(y, largest, "{set}"));
        each_set(|| Op::AveragePool(pool.clone()), &[&x], mean.len(), |set, y| assert_eq!(y, mean, "{set}"));
        let op = || Op::GlobalAveragePool(global.clone());
        each_set(op, &[&x], whole.len(), |set, y| assert_eq!(y, whole, "{set}"));
    }

    #[test]
    fn sums(
        len in 1usize..300, signs in any::<[bool; 3]>(), zeros in any::<[u8; 3]>(), scales in any::<[u8; 2]>(),
        seed in any::<u64>(),
    ) {
        let mut draw = noise(seed);
        let [a, b] = [0, 1].map(|side| {
            (signs[side], (f32::from(scales[side]) + 1.0) * 0.0007, zero(signs[side], zeros[side]))
        });
        let range = Range::of(signs[2], zero(signs[2], zeros[2]));
        let tables = AddTables::new(a, b, 0.043, range).unwrap();
        let (left, right) = (draw(len), draw(len));
        let (ra, rb) = (a.1 / 0.043, b.1 / 0.043);
        let c = range.zero as f32 - ra.mul_add(a.2 as f32, rb * b.2 as f32);
        let sum = |(&p, &q): (&u8, &u8)| {
            let value = (number(a.0, p) as f32).mul_add(ra, (number(b.0, q) as f32).mul_add(rb, c));
            value.max(range.lo as f32).min(range.hi as f32).round_ties_even() as i32 as u8
        };
        let want: Vec<u8> = left.iter().zip(&right).map(sum).collect();
        let op = || Op::Add(Box::new(tables.clone()));
        each_set(op, &[&left, &right], len, |set, y| assert_eq!(y, want, "{set}"));
    }

    #[test]
    fn moves(dims in prop::collection::vec(1usize..5, 0..5), seed in any::<u64>()) {
        let mut draw = noise(seed);
        let strides = |dims: &[usize]| -> Vec<usize> { (0..dims.len()).map(|d| dims[d + 1..].iter().product()).collect() };
        let index = |at: usize, dims: &[usize]| -> Vec<usize> {
            strides(dims).iter().zip(dims).map(|(stride, dim)| at / stride % dim).collect()
        };
        let input = draw(dims.iter().product());
        let mut perm: Vec<usize> = (0..dims.len()).collect();
        let keys = draw(dims.len());
        perm.sort_by_key(|&d| keys[d]);
        let of = |list: &[usize]| -> Vec<usize> { perm.iter().map(|&d| list[d]).collect() };
        let transpose = Transpose { dims: of(&dims), strides: of(&strides(&dims)) };
        let begin: Vec<usize> = draw(dims.len()).iter().map(|&b| usize::from(b % 3)).collect();
        let output: Vec<usize> = dims.iter().zip(&begin).map(|(dim, begin)| dim + begin + 1).collect();
        let pad = Pad { input: dims.clone(), output: output.clone(), begin: begin.clone(), fill: 77 };

        let mut turned = vec![0; input.len()];
        let mut padded = vec![77; output.iter().product()];
        for (at, &byte) in input.iter().enumerate() {
            let place = index(at, &dims);
            let to: usize = of(&place).iter().zip(strides(&transpose.dims)).map(|(i, s)| i * s).sum();
            turned[to] = byte;
            padded[place.iter().zip(&begin).zip(strides(&output)).map(|((i, b), s)| (i + b) * s).sum::<usize>()] = byte;
        }
        let op = || Op::Transpose(Transpose { dims: transpose.dims.clone(), strides: transpose.strides.clone() });
        each_set(op, &[&input], turned.len(), |set, y| assert_eq!(y, turned, "{set}"));
        let Pad { input: from, output, begin, fill } = &pad;
        let op = || {
            Op::Pad(Pad { input: from.clone(), output: output.clone(), begin: begin.clone(), fill: *fill })
        };
        each_set(op, &[&input], padded.len(), |set, y| assert_eq!(y, padded, "{set}"));
    }
}

/// Threads share the places of what is large enough, and of nothing else; an uneven rest is computed, too.
#[test]
fn threads_share_places() {
    let mut draw = noise(8);
    let (channels, rows) = (61, 67);
    let window =
        Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1], input: [23, 25], output: [23, 25] };
    let filter = filter(rows, channels * 9, Order::Channels(channels), true, draw(rows * channels * 9), vec![0]);
    let x = Centre { signed: false, zero: 7 };
    let requant = Requant { scales: vec![1.1e-4], bias: vec![3; rows], range: Range::of(false, 128) };
    let conv = Conv { batch: 2, groups: 1, channels, window, x, filter, requant };
    let input = draw(2 * channels * window.places());
    for set in Kernels::available() {
        let prepared = Kernels::new(set).unwrap().chosen().prepare(Op::Conv(conv.clone()));
        let run = |threads| {
            let mut y = vec![0xee; 2 * rows * window.places()];
            prepared.run(&[&input], &mut y, &mut Scratch { threads, ..Scratch::default() });
            y
        };
        let one = run(1);
        for threads in [2, 3, 16] {
            assert_eq!(run(threads), one, "{set}");
        }
    }
}
