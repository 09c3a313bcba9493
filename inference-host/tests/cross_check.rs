//! Our results beside ONNX Runtime's, element by element, over the graphs that `tools/cross_check.py` has written.
//!
//! A difference is a change of a formula in SPEC.md, or a graph for which the table below must say why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write;

use aceso_inference::{Kernels, admit, admit_with, answers};
use aceso_types::{
    ElementType, Tensor,
    guest::{Answers, Reading},
    manifest::Meaning,
};
use expect_test::expect;

/// The elements of a tensor.
fn numbers(tensor: &Tensor) -> impl Iterator<Item = i64> {
    let signed = tensor.ty() != ElementType::U8;
    tensor.data().chunks_exact(tensor.ty().width()).map(move |bytes| {
        let sign = if signed && bytes.last().is_some_and(|top| *top >= 0x80) { 0xff } else { 0 };
        let mut whole = [sign; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(whole)
    })
}

/// With every set of kernels that this machine has.
#[test]
fn elements_equal_those_of_onnx_runtime() {
    let sets = Kernels::available().into_iter().map(|set| {
        // Who runs this on another processor than his own sees here which kernels it has.
        println!("kernels {set} are held against the recorded elements");
        compare(Kernels::new(set).unwrap())
    });
    let mut found: Vec<String> = sets.collect();
    found.dedup();
    expect![[r#"
        134 graphs, 79344 elements
    "#]]
    .assert_eq(&found.concat());
}

/// Cases with a difference: elements that differ, elements in all, largest difference.
fn compare(kernels: Kernels) -> String {
    let mut differing = String::new();
    let (mut count, mut total) = (0, 0);
    for case in common::cases() {
        let model = admit_with(&case.onnx, &case.manifest, kernels);
        let model = model.unwrap_or_else(|e| panic!("{}: {e} ({})", case.name, e.hint()));
        let (mut other, mut all, mut most) = (0, 0, 0u64);
        for run in &case.runs {
            let outputs = model.run(&run[..1]).unwrap();
            assert_eq!(outputs.len(), run.len() - 1, "{}", case.name);
            for (ours, theirs) in outputs.iter().zip(&run[1..]) {
                assert_eq!((ours.ty(), ours.dims()), (theirs.ty(), theirs.dims()), "{}", case.name);
                for (ours, theirs) in numbers(ours).zip(numbers(theirs)) {
                    other += usize::from(ours != theirs);
                    most = most.max(ours.abs_diff(theirs));
                    all += 1;
                }
            }
        }
        if other > 0 {
            writeln!(differing, "{}: {other} of {all}, by up to {most}", case.name).unwrap();
        }
        count += 1;
        total += all;
    }
    writeln!(differing, "{count} graphs, {total} elements").unwrap();
    differing
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

/// Sums as they are: findings look at them, and there are no probabilities; the second output says which is the largest.
#[test]
fn outputs_of_more_than_8_bits_are_typed() {
    let case = common::case("tests/vectors/accepted/integer_classifier".into());
    let model = admit(&case.onnx, &case.manifest).unwrap();
    let types: Vec<_> = model.inputs().iter().chain(model.outputs()).map(|spec| spec.ty).collect();
    assert_eq!(types, [ElementType::U8, ElementType::I32, ElementType::I64]);
    let outputs = model.run(&case.runs[0][..1]).unwrap();
    let Answers { scores, findings, readings } = answers(&case.manifest, &outputs).unwrap();
    let values: Vec<i64> = numbers(&outputs[0]).collect();
    assert!(scores.is_empty());
    let told = |at: usize, value: &i64| Reading::Quantity {
        name: format!("label {at}"),
        micro: value * 1_000_000,
        unit: "1".into(),
    };
    assert_eq!(readings, values.iter().enumerate().map(|(at, value)| told(at, value)).collect::<Vec<_>>());
    assert_eq!(findings[0].present, values[0] >= 100);
    let largest = usize::try_from(numbers(&outputs[1]).next().unwrap()).unwrap();
    assert_eq!(values.iter().max(), values.get(largest));

    // A manifest that says what the second output is has its class told.
    let mut listed = case.manifest.clone();
    (listed.version, listed.author) = (2, Some("aceso1author".into()));
    let classes: Vec<String> = (0..values.len()).map(|class| format!("class {class}")).collect();
    listed.output.tensors = Some(vec![Meaning::Labels, Meaning::Class { name: "kind".into(), classes }]);
    let outputs = admit(&case.onnx, &listed).unwrap().run(&case.runs[0][..1]).unwrap();
    let chosen = answers(&listed, &outputs).unwrap().readings.pop();
    assert_eq!(chosen, Some(Reading::Class { name: "kind".into(), class: format!("class {largest}") }));

    let place = answers(&case.manifest, &[Tensor::new(ElementType::I64, vec![1], vec![0xff; 8]).unwrap()]);
    let beyond = Tensor::new(ElementType::I64, vec![6], vec![0x77; 48]).unwrap();
    let mut tables = case.manifest.clone();
    tables.output.labels.iter_mut().for_each(|label| label.probability = vec![0; 256]);
    let narrow = common::case("tests/vectors/accepted/qdq_classifier".into());
    let mut none = narrow.manifest.clone();
    none.output.labels.iter_mut().for_each(|label| label.probability.clear());
    let refusals = [
        place.unwrap_err().to_string(),
        answers(&case.manifest, &[beyond]).unwrap_err().to_string(),
        admit(&case.onnx, &tables).unwrap_err().to_string(),
        admit(&narrow.onnx, &none).unwrap_err().to_string(),
    ];
    expect![[r#"
        output 0: it has 1 elements, and the manifest has 6 labels
        output 0 answers 8608480567731124087, beyond 2^53 millionths
        output "v4": label "label 0" must have a table of probabilities where the output has 8 bits, else none, and it is i32
        output "v75": label "label 0" must have a table of probabilities where the output has 8 bits, else none, and it is u8
    "#]].assert_eq(&(refusals.join("\n") + "\n"));
}

/// What runs cost, and what they give: a change of either needs a new version of SPEC.md.
#[test]
fn a_classifier_does_not_change() {
    let case = common::cases().into_iter().find(|case| case.name == "qdq_classifier").unwrap();
    let model = admit(&case.onnx, &case.manifest).unwrap();
    let outputs = model.run(&case.runs[0][..1]).unwrap();
    let Answers { scores, findings, .. } = answers(&case.manifest, &outputs).unwrap();
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
