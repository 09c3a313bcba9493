//! Image files to tensors: what is read, what is refused and how it is said, identity, exact pre-processing.
//!
//! A changed digest or tensor in here changes what was signed, paid and read before: it needs a new version of
//! `IMAGE.md` and of the domain that it names, never a quick new recording.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the environment names the folder of data that the project does not carry"
)]

mod compressed;
mod dicom;
mod hostile;
#[allow(dead_code, reason = "shared with the journey, which uses the rest")]
#[path = "../../../tests/journey/src/phantom.rs"]
mod phantom;
mod png;
mod real;
mod tensor;

use aceso_inference::image::{Image, ImageError, Limits, Stated, decode};
use aceso_types::manifest::{Channels, Crop, Layout, Pipeline, Resize, Window};
use phantom::{Element, Picture};

fn open(file: &[u8]) -> Image {
    decode(file, Limits::default()).unwrap()
}

fn refusal(file: &[u8]) -> String {
    decode(file, Limits::default()).unwrap_err().to_string()
}

fn digest(file: &[u8]) -> String {
    open(file).pixel_digest().to_string()
}

/// A small picture in which every pixel tells where it is.
fn small() -> Picture {
    Picture { width: 5, height: 3, pixels: (0..15).map(|i| i * 17).collect() }
}

/// The elements with one of them replaced, or added where its tag belongs.
fn with(mut elements: Vec<Element>, new: Element) -> Vec<Element> {
    elements.retain(|one| one.tag != new.tag);
    elements.push(new);
    elements.sort_by_key(|one| one.tag);
    elements
}

fn without(mut elements: Vec<Element>, tag: (u16, u16)) -> Vec<Element> {
    elements.retain(|one| one.tag != tag);
    elements
}

fn chest_pipeline() -> Pipeline {
    Pipeline {
        modalities: vec!["DX".into(), "CR".into()],
        body_parts: vec!["CHEST".into()],
        channels: Channels::Grey,
        window: Window::Image,
        crop: Crop::Center,
        width: 28,
        height: 28,
        resize: Resize::Area,
        layout: Layout::Nchw,
        normalise: None,
        table: None,
    }
}

fn stated(modality: &str, body_part: &str) -> Stated {
    Stated { modality: modality.into(), body_part: body_part.into() }
}

/// The tensor's bytes under a pipeline that keeps the image's shape.
fn same_size(file: &[u8], change: impl FnOnce(&mut Pipeline)) -> Result<Vec<u8>, ImageError> {
    let image = open(file);
    let mut pipeline = Pipeline { width: image.width(), height: image.height(), ..chest_pipeline() };
    change(&mut pipeline);
    let said = if image.modality().is_none() { stated("DX", "CHEST") } else { Stated::default() };
    image.to_tensor(&pipeline, &said).map(aceso_types::tensor::Tensor::into_data)
}
