//! A contract's test runs the model that the project ships, bit for bit as validators do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use aceso_contract::{
    read,
    testing::{Host, Inference, Registration, Stated, Trap},
};
use aceso_inference::image;
use aceso_types::{Manifest, guest::ReadInfo};
use expect_test::expect;

fn pneumonia(file: &str) -> Vec<u8> {
    fs::read(Path::new("../../models/pneumonia").join(file)).unwrap()
}

/// A grey ramp of 40 by 32 pixels as PNG.
fn ramp() -> Vec<u8> {
    let (width, height) = (40_u32, 32_u32);
    let pixels = (0..width * height).map(|at| u8::try_from((at * 7) % 256).unwrap()).collect::<Vec<_>>();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

fn stage(file: &[u8], modality: &str) -> (Manifest, Result<ReadInfo, Trap>) {
    let manifest: Manifest = serde_json::from_slice(&pneumonia("manifest.json")).unwrap();
    let host = Host::new(Inference::default());
    let model = host.model(&manifest, &pneumonia("model.onnx"), "author").unwrap();
    let stated = Stated { modality: modality.into(), body_part: "CHEST".into() };
    let image = host.image(file, Registration { owner: "patient".into(), stated, ..Registration::default() });
    host.set_coins("reader", u64::MAX);
    let info = host.call("reader", || read(&model, &image, "TREAT").unwrap());
    (manifest, info)
}

#[test]
fn a_read_is_what_the_engine_computes() {
    let (manifest, info) = stage(&ramp(), "DX");
    let info = info.unwrap();
    let model = aceso_inference::admit(&pneumonia("model.onnx"), &manifest).unwrap();
    let picture = image::decode(&ramp(), image::Limits::default()).unwrap();
    let stated = image::Stated { modality: "DX".into(), body_part: "CHEST".into() };
    let outputs = model.run(&[picture.to_tensor(&manifest.pipeline, &stated).unwrap()]).unwrap();
    let answers = aceso_inference::answers(&manifest, &outputs).unwrap();
    assert_eq!((info.pixels, info.scores, info.findings), (picture.pixel_digest(), answers.scores, answers.findings));
}

#[test]
fn what_is_no_chest_x_ray_is_refused() {
    let refused = |file: &[u8], modality: &str| stage(file, modality).1.unwrap_err().to_string();
    expect![[r#"image bafkreieocs544nwxztl45d2qu2saxyqreclchon2iezmxq6ilmlc7aiyam: modality "CT" is not one that the model reads (DX, CR)"#]].assert_eq(&refused(&ramp(), "CT"));
    expect![[r#"image bafkreif7repki3vnjgj6rgvh3ibkxdbd3vipfhu2vzsga4ifgy5f6byoam: the file is neither PNG, JPEG nor DICOM (a DICOM file has "DICM" at byte 128)"#]].assert_eq(&refused(b"not a picture", "DX"));
}

#[test]
fn a_model_that_is_not_the_manifests_is_refused() {
    let manifest: Manifest = serde_json::from_slice(&pneumonia("manifest.json")).unwrap();
    let refused = Host::new(Inference::default()).model(&manifest, b"not a model", "author").unwrap_err();
    expect!["the ONNX file has 11 bytes, and the manifest says 76889"].assert_eq(&refused);
}
