//! Our results beside ONNX Runtime's, element by element, over the graphs that `tools/cross_check.py` has written.
//!
//! A difference is a change of a formula in SPEC.md, or a graph for which the table below must say why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write;

use aceso_inference::{Kernels, admit, admit_with};
use expect_test::expect;

/// With every set of kernels that this machine has.
#[test]
fn elements_equal_those_of_onnx_runtime() {
    for set in Kernels::available() {
        compare(Kernels::new(set).unwrap());
        // Who runs this on another processor than his own sees here which kernels it has.
        println!("kernels {set} give the recorded elements");
    }
}

/// Cases with a difference: elements that differ, elements in all, largest difference.
fn compare(kernels: Kernels) {
    let mut differing = String::new();
    let (mut count, mut total) = (0, 0);
    for case in common::cases() {
        let model = admit_with(&case.onnx, &case.manifest, kernels);
        let model = model.unwrap_or_else(|e| panic!("{}: {e} ({})", case.name, e.hint()));
        let (mut other, mut all, mut most) = (0, 0, 0);
        for run in &case.runs {
            let outputs = model.run(&run[..1]).unwrap();
            assert_eq!(outputs.len(), run.len() - 1, "{}", case.name);
            for (ours, theirs) in outputs.iter().zip(&run[1..]) {
                assert_eq!((ours.ty(), ours.dims()), (theirs.ty(), theirs.dims()), "{}", case.name);
                for (ours, theirs) in ours.data().iter().zip(theirs.data()) {
                    other += usize::from(ours != theirs);
                    most = most.max(ours.wrapping_sub(*theirs).min(theirs.wrapping_sub(*ours)));
                }
                all += ours.data().len();
            }
        }
        if other > 0 {
            writeln!(differing, "{}: {other} of {all}, by up to {most}", case.name).unwrap();
        }
        count += 1;
        total += all;
    }
    writeln!(differing, "{count} graphs, {total} elements").unwrap();
    expect![[r#"
        105 graphs, 62446 elements
    "#]]
    .assert_eq(&differing);
}

/// Prices are the same on every machine; a run beside another one, and one after another one, give the same.
#[test]
fn kernels_change_nothing_that_can_be_seen() {
    for case in common::cases() {
        let models = Kernels::available().into_iter().map(|set| {
            let model = admit_with(&case.onnx, &case.manifest, Kernels::new(set).unwrap()).unwrap();
            assert_eq!(model.kernels(), set);
            model
        });
        let models: Vec<_> = models.collect();
        let run = |model: &aceso_inference::Model| model.run(&case.runs[0][..1]).unwrap();
        let (facts, first) = (models[0].facts(), run(&models[0]));
        for model in &models {
            assert_eq!(model.facts(), facts, "{}", case.name);
            assert_eq!(run(model), first, "{}: {}", case.name, model.kernels());
        }
        let fastest = models.last().unwrap();
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| run(fastest))).collect();
            runs.into_iter().for_each(|run| assert_eq!(run.join().unwrap(), first, "{}", case.name));
        });
    }
}

/// What tests of disagreeing machines install.
#[test]
fn an_altered_machine_computes_something_else() {
    let case = common::cases().into_iter().find(|case| case.name == "qdq_classifier").unwrap();
    let right = admit(&case.onnx, &case.manifest).unwrap().run(&case.runs[0][..1]).unwrap();
    let kernels = Kernels::default().altered(|bytes| bytes[0] ^= 1);
    let wrong = admit_with(&case.onnx, &case.manifest, kernels).unwrap().run(&case.runs[0][..1]).unwrap();
    assert_eq!(wrong[0].data()[0], right[0].data()[0] ^ 1);
    assert_eq!((&wrong[0].data()[1..], &wrong[1..]), (&right[0].data()[1..], &right[1..]));
}

/// What runs cost, and what they give: a change of either needs a new version of SPEC.md.
#[test]
fn a_classifier_does_not_change() {
    let case = common::cases().into_iter().find(|case| case.name == "qdq_classifier").unwrap();
    let model = admit(&case.onnx, &case.manifest).unwrap();
    let outputs = model.run(&case.runs[0][..1]).unwrap();
    let (scores, findings) = aceso_inference::scores(&case.manifest, &outputs[0]).unwrap();
    expect![[r#"
        (
            Facts {
                macs: 197032,
                element_ops: 10209,
                peak_bytes: 9664,
                weight_bytes: 3232,
                nodes: 8,
                gas: 5249832,
            },
            [
                TensorSpec {
                    name: "v75",
                    ty: U8,
                    dims: [
                        1,
                        5,
                    ],
                },
                TensorSpec {
                    name: "v76",
                    ty: U8,
                    dims: [
                        1,
                        8,
                        6,
                        6,
                    ],
                },
            ],
            [
                Some(
                    Quantisation {
                        scale: 0.4,
                        zero_point: 128,
                    },
                ),
                None,
            ],
            [
                Score {
                    label: "label 0",
                    value: 125,
                    probability: 487500,
                },
                Score {
                    label: "label 1",
                    value: 124,
                    probability: 483600,
                },
                Score {
                    label: "label 2",
                    value: 129,
                    probability: 503100,
                },
                Score {
                    label: "label 3",
                    value: 126,
                    probability: 491400,
                },
                Score {
                    label: "label 4",
                    value: 131,
                    probability: 510900,
                },
            ],
            [
                Answered {
                    id: "finding",
                    present: true,
                },
            ],
        )
    "#]]
    .assert_debug_eq(&(model.facts(), model.outputs(), model.quantisations(), scores, findings));
}
