//! Integers of 8 bits that stand for themselves, in whole graphs: each operator of SPEC.md's *Bytes* against the standard
//! library's integers, with sides that are computed, constant, or one number; and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "results wrap, and shapes are small")]

mod common;
#[path = "bounded/graph.rs"]
#[allow(dead_code, clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "shared, and each uses a part")]
mod graph;

use aceso_inference::{Kernels, admit, admit_with};
use aceso_types::{ElementType, Tensor};
use graph::{Attribute, Graph, INT8, UINT8};

/// An operator, its attributes, and what it gives for two integers.
type Operator = (&'static str, &'static [(&'static str, Attribute<'static>)], fn(i32, i32) -> i32);

const OPERATORS: [Operator; 13] = [
    ("Add", &[], |a, b| a + b),
    ("Sub", &[], |a, b| a - b),
    ("Mul", &[], |a, b| a * b),
    ("Div", &[], |a, b| a / b),
    ("Mod", &[], |a, b| (a % b + b) % b),
    ("Mod", &[("fmod", Attribute::Int(1))], |a, b| a % b),
    ("Min", &[], i32::min),
    ("Max", &[], i32::max),
    ("BitShift", &[("direction", Attribute::Text("LEFT"))], |a, b| if b < 8 { a << b } else { 0 }),
    ("BitShift", &[("direction", Attribute::Text("RIGHT"))], |a, b| if b < 8 { a >> b } else { 0 }),
    ("BitwiseAnd", &[], |a, b| a & b),
    ("BitwiseOr", &[], |a, b| a | b),
    ("BitwiseXor", &[], |a, b| a ^ b),
];

const SHAPE: [i64; 4] = [1, 1, 8, 8];

/// Images that have every byte between them.
fn images() -> Vec<Vec<u8>> {
    (0..4).map(|quarter| (0..64).map(|at| quarter * 64 + at).collect()).collect()
}

fn number(signed: bool, byte: u8) -> i32 {
    if signed { i32::from(byte.cast_signed()) } else { i32::from(byte) }
}

/// The graph's output for every image, the same on all kernels.
fn outputs(file: &[u8]) -> Vec<Vec<u8>> {
    let manifest = common::manifest(file, [1, 8, 8], 64);
    let run = |model: &aceso_inference::Model, image: Vec<u8>| {
        let image = Tensor::new(ElementType::U8, vec![1, 1, 8, 8], image).unwrap();
        model.run(&[image]).unwrap()[0].data().to_vec()
    };
    let sets = Kernels::available().into_iter();
    let models: Vec<_> = sets.map(|set| admit_with(file, &manifest, Kernels::new(set).unwrap()).unwrap()).collect();
    let all = models.iter().map(|model| images().into_iter().map(|image| run(model, image)).collect());
    let all: Vec<Vec<Vec<u8>>> = all.collect();
    assert!(all.iter().all(|one| *one == all[0]));
    all.into_iter().next().unwrap()
}

fn refused(graph: Graph, output: &str) -> String {
    let file = graph.file(SHAPE, output);
    admit(&file, &common::manifest(&file, [1, 8, 8], 64)).unwrap_err().to_string()
}

/// The image as the type that is wanted.
fn image(graph: &mut Graph, signed: bool) -> String {
    if signed { graph.node("Cast", &["i"], &[("to", Attribute::Int(INT8.cast_signed()))]) } else { "i".into() }
}

fn types(op: &str) -> &'static [bool] {
    if op == "BitShift" { &[false] } else { &[false, true] }
}

#[test]
fn two_computed_sides() {
    for (op, attributes, of) in OPERATORS.into_iter().filter(|(op, ..)| !matches!(*op, "Div" | "Mod")) {
        for &signed in types(op) {
            // Beside the image its columns as rows, and one of its rows for all.
            let mut graph = Graph::default();
            let x = image(&mut graph, signed);
            let turned = graph.node("Transpose", &[&x], &[("perm", Attribute::Ints(&[0, 1, 3, 2]))]);
            let (start, end, axis) = (graph.ints(&[3]), graph.ints(&[4]), graph.ints(&[2]));
            let row = graph.node("Slice", &[&x, &start, &end, &axis], &[]);
            let y = graph.node(op, &[&x, &turned], attributes);
            let y = graph.node(op, &[&row, &y], attributes);
            for (x, got) in images().iter().zip(outputs(&graph.file(SHAPE, &y))) {
                let at = |at: usize| number(signed, x[at]);
                let wrapped = |n: i32| number(signed, n as u8);
                let want = |(r, c): (usize, usize)| of(at(3 * 8 + c), wrapped(of(at(r * 8 + c), at(c * 8 + r)))) as u8;
                let want: Vec<u8> = (0..8).flat_map(|r| (0..8).map(move |c| (r, c))).map(want).collect();
                assert_eq!(got, want, "{op} {signed}");
            }
        }
    }
}

#[test]
fn a_constant_on_either_side() {
    for (op, attributes, of) in OPERATORS {
        for (&signed, constant) in types(op).iter().flat_map(|signed| [1, 3, 9, 127, 255].map(|c| (signed, c))) {
            // One number, as a table; and eight of them, as a tensor.
            for shape in [&[][..], &[1, 1, 1, 1], &[8]] {
                let ty = if signed { INT8 } else { UINT8 };
                for turned in [false, true] {
                    if turned && matches!(op, "Div" | "Mod") {
                        continue;
                    }
                    let mut graph = Graph::default();
                    let (x, c) = (image(&mut graph, signed), graph.byte(shape, ty, constant));
                    let (a, b) = if turned { (&c, &x) } else { (&x, &c) };
                    let y = graph.node(op, &[a, b], attributes);
                    let constant = number(signed, constant);
                    let of = |x| if turned { of(constant, number(signed, x)) } else { of(number(signed, x), constant) };
                    for (x, got) in images().iter().zip(outputs(&graph.file(SHAPE, &y))) {
                        let want: Vec<u8> = x.iter().map(|&x| of(x) as u8).collect();
                        assert_eq!(got, want, "{op} {signed} {constant} {turned}");
                    }
                }
            }
        }
    }
}

#[test]
fn one_side_and_several() {
    type Function = fn(i32) -> i32;
    let functions: [(&str, Function); 4] =
        [("BitwiseNot", |a| !a), ("Abs", i32::abs), ("Neg", |a| -a), ("Sign", i32::signum)];
    for (op, of) in functions {
        for signed in if op == "Neg" { &[true][..] } else { &[false, true] } {
            let mut graph = Graph::default();
            let x = image(&mut graph, *signed);
            let y = graph.node(op, &[&x], &[]);
            for (x, got) in images().iter().zip(outputs(&graph.file(SHAPE, &y))) {
                let want: Vec<u8> = x.iter().map(|&x| of(number(*signed, x)) as u8).collect();
                assert_eq!(got, want, "{op} {signed}");
            }
        }
    }
    let mut graph = Graph::default();
    let turned = graph.node("Transpose", &["i"], &[]);
    let (low, high) = (graph.byte(&[], UINT8, 40), graph.byte(&[1], UINT8, 200));
    let most = graph.node("Max", &["i", &low, &turned], &[]);
    let alone = graph.node("Min", &[&most], &[]);
    let y = graph.node("Min", &[&alone, &high], &[]);
    // Turned whole, its columns come first: with the image it is [8, 8, 8, 8], of which one plane is looked at.
    let (start, end) = (graph.ints(&[5]), graph.ints(&[6]));
    let y = graph.node("Slice", &[&y, &start, &end], &[]);
    let axis = graph.ints(&[1]);
    let y = graph.node("Slice", &[&y, &start, &end, &axis], &[]);
    for (x, got) in images().iter().zip(outputs(&graph.file(SHAPE, &y))) {
        let other = x[5 * 8 + 5];
        assert_eq!(got, x.iter().map(|&x| x.max(40).max(other).min(200)).collect::<Vec<u8>>());
    }
}

#[test]
fn what_has_no_result_is_refused() {
    let computed = |op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]| {
        let mut graph = Graph::default();
        let y = graph.node(op, inputs, attributes);
        refused(graph, &y)
    };
    let with = |op: &str, ty: u64, value: u8| {
        let mut graph = Graph::default();
        let c = graph.byte(&[8], ty, value);
        let y = graph.node(op, &["i", &c], &[]);
        refused(graph, &y)
    };
    let divisor = "operand B: must be a constant without 0";
    assert!(computed("Div", &["i", "i"], &[]).ends_with(divisor));
    assert!(with("Mod", UINT8, 0).ends_with(divisor));
    assert!(with("Add", INT8, 1).ends_with("operand B: must have A's type"));
    assert!(computed("Neg", &["i"], &[]).ends_with("operand X: must be int8"));
    assert!(computed("Min", &["i", ""], &[]).ends_with("operand B: is left out"));
    assert!(computed("Mul", &["i"], &[]).ends_with("operand B: is left out"));
    assert!(computed("Sub", &["i", "i", "i"], &[]).ends_with("operand inputs: are more than this operator has"));
    assert!(computed("BitShift", &["i", "i"], &[]).ends_with("attribute \"direction\": must be LEFT or RIGHT"));

    let mut graph = Graph::default();
    let x = image(&mut graph, true);
    let y = graph.node("BitShift", &[&x, &x], &[("direction", Attribute::Text("LEFT"))]);
    assert!(refused(graph, &y).ends_with("operand A: must be uint8: signed integers are not shifted"));
    let mut graph = Graph::default();
    let wide = graph.node("Cast", &["i"], &[("to", Attribute::Int(6))]);
    let y = graph.node("Add", &["i", &wide], &[]);
    assert!(refused(graph, &y).contains("operand B: must be of 8 bits"));
}

/// Indices of two dimensions take the place of the one that they are about.
#[test]
fn gathered_by_several_dimensions() {
    let mut graph = Graph::default();
    let (indices, whole) = (graph.ints_of(&[2, 2], &[7, -8, 2, 2]), graph.ints(&[1, 1, 4, 8]));
    let y = graph.node("Gather", &["i", &indices], &[("axis", Attribute::Int(2))]);
    let y = graph.node("Reshape", &[&y, &whole], &[]);
    let both = graph.node("Concat", &[&y, &y], &[("axis", Attribute::Int(2))]);
    for (x, got) in images().iter().zip(outputs(&graph.file(SHAPE, &both))) {
        let rows: Vec<u8> = [7, 0, 2, 2].iter().flat_map(|&row| x[row * 8..][..8].to_vec()).collect();
        assert_eq!(got, [rows.clone(), rows].concat());
    }
}
