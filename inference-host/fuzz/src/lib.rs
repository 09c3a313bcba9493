//! What strangers send, as functions of bytes: each must answer, and answer the same on every set of kernels.
//!
//! libFuzzer drives them where it is installed (`cargo install cargo-fuzz --locked`), for as long as one likes, without a
//! sanitizer and with stable Rust. In `inference-host`, or with `manifest` or `image` and `fuzz/corpus` of that name:
//!
//! ```sh
//! mkdir -p /tmp/found
//! cargo fuzz run --sanitizer none model /tmp/found tests/vectors -- -max_total_time=600 -max_len=16384
//! ```
//!
//! or, without `cargo fuzz` (coverage is the compiler's own, so nothing but a C++ compiler is needed):
//!
//! ```sh
//! mkdir -p /tmp/found
//! RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
//! -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
//! -Cllvm-args=-sanitizer-coverage-trace-compares" \
//! cargo build --release --manifest-path fuzz/Cargo.toml --target x86_64-unknown-linux-gnu --target-dir /tmp/fuzz
//! /tmp/fuzz/x86_64-unknown-linux-gnu/release/model -max_total_time=600 -max_len=16384 /tmp/found tests/vectors
//! ```
//!
//! What it finds goes into `corpus/`, where `tests/fuzz.rs` replays it for ever.

use aceso_inference::{
    InputFault, KernelSet, Kernels, Model, ModelRefused, OutputFault, admit, admit_with,
    image::{self, Limits, Stated},
    table,
};
use aceso_types::{
    BlobId, ElementType, Frame, Manifest, Tensor,
    manifest::{Channels, Crop, Finding, Label, Layout, Onnx, Output, Pipeline, Price, Resize, VERSION, Window},
};

/// Most multiplications, and other operations, of a model that is also run.
const OPERATIONS_MAX: u64 = 1 << 22;

/// A model: refused with words, or admitted and run, with the same result on every set of kernels.
pub fn model(bytes: &[u8]) {
    let Some((first, manifest)) = admitted(bytes) else { return };
    let facts = first.facts();
    if facts.macs.max(facts.element_ops) > OPERATIONS_MAX || facts.peak_bytes > OPERATIONS_MAX {
        return;
    }
    let inputs = inputs(&first);
    let expected: Vec<_> = inputs.iter().map(|input| run(&first, input)).collect();
    for set in Kernels::available() {
        let model = admit_with(bytes, &manifest, kernels(set)).expect("admission depends on no kernels");
        for (input, expected) in inputs.iter().zip(&expected) {
            assert_eq!(&run(&model, input), expected, "{set}");
        }
    }
}

fn kernels(set: KernelSet) -> Kernels {
    Kernels::new(set).expect("an available set")
}

fn run(model: &Model, input: &Tensor) -> Vec<Tensor> {
    model.run(std::slice::from_ref(input)).expect("what is admitted runs")
}

/// The model, with a manifest that describes it: what the refusals say is wanted is tried.
fn admitted(bytes: &[u8]) -> Option<(Model, Manifest)> {
    let mut manifest = manifest_of(bytes);
    for _ in 0..4 {
        match admit_with(bytes, &manifest, kernels(KernelSet::Scalar)) {
            Ok(model) => return Some((model, manifest)),
            Err(refused) => {
                assert!(!refused.to_string().is_empty() && !refused.hint().is_empty());
                match refused {
                    ModelRefused::Input { fault: InputFault::Shape { got, .. }, .. } => {
                        suit(&mut manifest.pipeline, &got)?;
                    }
                    ModelRefused::Output { fault: OutputFault::Labels { elements, .. }, .. } => {
                        manifest.output.labels = (1..=64).contains(&elements).then(|| vec![label(); elements])?;
                    }
                    _ => return None,
                }
            }
        }
    }
    None
}

/// Makes the pipeline give images of these dimensions, if one can.
fn suit(pipeline: &mut Pipeline, dims: &[i64]) -> Option<()> {
    let &[1, a, b, c] = dims else { return None };
    let (layout, channels, height, width) =
        if matches!(a, 1 | 3) { (Layout::Nchw, a, b, c) } else { (Layout::Nhwc, c, a, b) };
    pipeline.channels = match channels {
        1 => Channels::Grey,
        3 => Channels::Rgb,
        _ => return None,
    };
    pipeline.layout = layout;
    pipeline.height = u32::try_from(height).ok()?;
    pipeline.width = u32::try_from(width).ok()?;
    Some(())
}

fn label() -> Label {
    Label { name: "label".into(), probability: (0..256).map(|q| q * 3900).collect() }
}

fn manifest_of(onnx: &[u8]) -> Manifest {
    Manifest {
        version: VERSION,
        name: "case".into(),
        onnx: Onnx::of(BlobId::of_raw(&[]), onnx),
        pipeline: pipeline(),
        output: Output {
            labels: vec![label(); 4],
            findings: vec![Finding { id: "finding".into(), label: 0, output: None, at_least: 100 }],
            tensors: None,
        },
        intended_use: "tests".into(),
        licence: "CC0-1.0".into(),
        card: None,
        author: None,
        price: Price { denom: "uaceso".into(), amount: 1 },
    }
}

fn pipeline() -> Pipeline {
    Pipeline {
        modalities: vec!["DX".into()],
        body_parts: vec![],
        channels: Channels::Rgb,
        window: Window::Image,
        crop: Crop::Center,
        width: 8,
        height: 8,
        resize: Resize::Area,
        layout: Layout::Nchw,
        normalise: None,
        table: None,
    }
}

/// Zeros, and bytes of every value.
fn inputs(model: &Model) -> Vec<Tensor> {
    let [spec] = model.inputs() else { unreachable!("a model has one input") };
    let zeros = Tensor::zeros(spec.ty, spec.dims.clone()).expect("an input can exist");
    let count = u32::try_from(zeros.data().len()).expect("an input is small");
    let mixed = (0..count).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    vec![Tensor::new(spec.ty, spec.dims.clone(), mixed).expect("an input can exist"), zeros]
}

/// A manifest, as the chain stores it and as people write it: refused, or written again the same way.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::decode(bytes) {
        assert_eq!(manifest.encode(), bytes);
        check(&manifest);
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes)
        && manifest.check().is_ok()
    {
        check(&manifest);
    }
}

fn check(manifest: &Manifest) {
    let encoded = manifest.encode();
    // JSON holds manifests that are longer than the chain takes.
    if let Ok(again) = Manifest::decode(&encoded) {
        assert_eq!(&again, manifest);
        assert_eq!(again.id(), manifest.id());
    }
    let refused = admit(b"", manifest).expect_err("no bytes are no model");
    assert!(!refused.to_string().is_empty());
    for ty in [ElementType::U8, ElementType::I64] {
        let outputs = [Tensor::zeros(ty, vec![1]).expect("a tensor of one element")];
        let told = || format!("{:?}", aceso_inference::answers(manifest, &outputs));
        assert_eq!(told(), told());
    }
}

/// A picture or a table: refused, or a tensor by every kind of pipeline, the same each time.
pub fn image(bytes: &[u8]) {
    let limits = Limits { bytes: 1 << 20, samples: 1 << 18, ..Limits::default() };
    let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
    if let Ok(table) = table::decode(bytes) {
        assert_eq!(table.digest(), table::decode(bytes).expect("the same again").digest());
    }
    let second = |bytes| image::decode_frame(bytes, Frame::of_wire(2), limits);
    assert_eq!(second(bytes), second(bytes));
    let Ok(image) = image::decode(bytes, limits) else { return };
    assert!(u64::from(image.width()) * u64::from(image.height()) <= limits.samples);
    for window in [Window::Full, Window::Image, Window::Fixed { center: i32::MIN, width: u32::MAX }] {
        for (channels, crop) in [(Channels::Grey, Crop::None), (Channels::Rgb, Crop::Center)] {
            let pipeline = Pipeline { window, channels, crop, width: 7, height: 5, ..pipeline() };
            let tensor = image.to_tensor(&pipeline, &stated);
            assert_eq!(tensor, image.to_tensor(&pipeline, &stated));
            if let Ok(tensor) = tensor {
                assert_eq!(tensor.data().len(), 35 * channels.count() as usize);
            }
        }
    }
    let again = image::decode(bytes, limits).expect("the same again");
    assert_eq!(image.pixel_digest(), again.pixel_digest());
}
