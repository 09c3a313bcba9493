//! Pipelines over whole images: the checks, and pinned tensors.

use aceso_inference::image::{ImageError, Stated};
use aceso_types::{
    Digest,
    manifest::{Channels, Crop, Layout, Pipeline, Resize, Window},
    tensor::{ElementType, TensorError},
};
use expect_test::expect;

use crate::{
    chest_pipeline, open,
    phantom::{self, COUNT, EXPLICIT, Element, Picture, Stored, chest, dicom, phantom},
    stated, with, without,
};

#[test]
fn the_file_and_the_registrant_must_agree() {
    let picture = phantom(0).picture;
    let png = open(&phantom::png(&picture).unwrap());
    let said = |image: &aceso_inference::image::Image, modality: &str, body_part: &str| {
        let tensor = image.to_tensor(&chest_pipeline(), &stated(modality, body_part));
        tensor.map_or_else(|error| error.to_string(), |tensor| format!("{:?}", tensor.dims()))
    };
    expect!["[1, 1, 28, 28]"].assert_eq(&said(&png, "DX", "CHEST"));
    expect!["neither the image nor its registration names its modality"].assert_eq(&said(&png, "", "CHEST"));
    expect!["neither the image nor its registration names its body part"].assert_eq(&said(&png, "DX", ""));
    expect![[r#"modality "CT" is not one that the model reads (DX, CR)"#]].assert_eq(&said(&png, "CT", "CHEST"));
    expect![[r#"body part "HAND" is not one that the model reads (CHEST)"#]].assert_eq(&said(&png, "DX", "HAND"));

    let dx = open(&dicom(&chest(&picture, Stored::Eight, 1), EXPLICIT));
    expect!["[1, 1, 28, 28]"].assert_eq(&said(&dx, "", ""));
    expect!["[1, 1, 28, 28]"].assert_eq(&said(&dx, "DX", "CHEST"));
    expect![[r#"the image says modality "DX", its registration "CR""#]].assert_eq(&said(&dx, "CR", ""));
    expect![[r#"the image says body part "CHEST", its registration "HAND""#]].assert_eq(&said(&dx, "", "HAND"));
    let ct = with(chest(&picture, Stored::Eight, 1), Element::text((0x0008, 0x0060), *b"CS", "CT"));
    let ct = open(&dicom(&ct, EXPLICIT));
    expect![[r#"modality "CT" is not one that the model reads (DX, CR)"#]].assert_eq(&said(&ct, "", ""));
    let nowhere = without(chest(&picture, Stored::Eight, 1), (0x0018, 0x0015));
    let nowhere = open(&dicom(&nowhere, EXPLICIT));
    expect!["neither the image nor its registration names its body part"].assert_eq(&said(&nowhere, "", ""));
    expect!["[1, 1, 28, 28]"].assert_eq(&said(&nowhere, "", "CHEST"));
    let anywhere = Pipeline { body_parts: Vec::new(), ..chest_pipeline() };
    assert!(nowhere.to_tensor(&anywhere, &Stated::default()).is_ok());
}

#[test]
fn a_phantom_gives_one_tensor_however_it_is_wrapped() {
    for index in 0..COUNT {
        let picture = phantom(index).picture;
        let files = [
            phantom::png(&picture).unwrap(),
            dicom(&chest(&picture, Stored::Eight, 1), EXPLICIT),
            dicom(&chest(&picture, Stored::Twelve, 1), EXPLICIT),
        ];
        let tensors = files.map(|file| open(&file).to_tensor(&chest_pipeline(), &stated("DX", "CHEST")).unwrap());
        assert_eq!(tensors[0], tensors[1], "{index}");
        assert_eq!(tensors[0], tensors[2], "{index}");
    }
}

#[test]
fn tensors_do_not_change() {
    let mut picture = phantom(3).picture;
    picture.pixels.truncate(224 * 200);
    picture.height = 200;
    let image = open(&dicom(&chest(&picture, Stored::Twelve, 1), EXPLICIT));
    let digest = |change: fn(&mut Pipeline)| {
        let mut pipeline = chest_pipeline();
        change(&mut pipeline);
        let tensor = image.to_tensor(&pipeline, &Stated::default()).unwrap();
        assert_eq!(tensor.ty(), ElementType::U8);
        format!("{:?} {}", tensor.dims(), &Digest::sha3("aceso/test", &[tensor.data()]).to_string()[..16])
    };
    expect!["[1, 1, 28, 28] 514afb3ce5b56dc1"].assert_eq(&digest(|_| {}));
    expect!["[1, 1, 28, 28] 8c8701544100cadd"].assert_eq(&digest(|p| p.crop = Crop::None));
    expect!["[1, 1, 28, 28] 51275a425edab69f"].assert_eq(&digest(|p| p.resize = Resize::Bilinear));
    expect!["[1, 1, 301, 300] 77ca1a452cdcadd3"].assert_eq(&digest(|p| (p.width, p.height) = (300, 301)));
    expect!["[1, 1, 301, 300] 02982184a8003702"]
        .assert_eq(&digest(|p| (p.width, p.height, p.resize) = (300, 301, Resize::Bilinear)));
    expect!["[1, 1, 28, 28] accfe60bbb1e6063"]
        .assert_eq(&digest(|p| p.window = Window::Fixed { center: 1500, width: 1000 }));
    expect!["[1, 28, 28, 3] de1843a8add9ff7c"]
        .assert_eq(&digest(|p| (p.channels, p.layout) = (Channels::Rgb, Layout::Nhwc)));
    expect!["[1, 3, 28, 28] b8265f45ea1f0dfe"].assert_eq(&digest(|p| p.channels = Channels::Rgb));
}

#[test]
fn layouts_place_channels() {
    let colours = [10, 20, 30, 40, 50, 60];
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&colours).unwrap();
    let image = open(&file);
    let data = |layout| {
        let pipeline = Pipeline { width: 2, height: 1, channels: Channels::Rgb, layout, ..chest_pipeline() };
        image.to_tensor(&pipeline, &stated("DX", "CHEST")).unwrap().into_data()
    };
    assert_eq!(data(Layout::Nhwc), colours);
    assert_eq!(data(Layout::Nchw), [10, 40, 20, 50, 30, 60]);
}

#[test]
fn a_tensor_that_may_not_exist_is_refused_first() {
    let image = open(&phantom::png(&Picture { width: 1, height: 1, pixels: vec![9] }).unwrap());
    let pipeline = Pipeline { width: 4096, height: 4096, ..chest_pipeline() };
    let error = image.to_tensor(&pipeline, &stated("DX", "CHEST")).unwrap_err();
    assert!(matches!(error, ImageError::Tensor(TensorError::TooLarge { .. })), "{error}");
}

/// Every synthetic sample becomes 784 bytes. With `$ACESO_PHANTOMS` they are written there, for `publish.py`.
#[test]
fn synthetic_samples_become_tensors() {
    let tensors: Vec<Vec<u8>> = (0..COUNT)
        .map(|index| open(&phantom::png(&phantom(index).picture).unwrap()))
        .map(|image| image.to_tensor(&chest_pipeline(), &stated("DX", "CHEST")).unwrap().into_data())
        .collect();
    assert!(tensors.iter().all(|tensor| tensor.len() == 28 * 28));
    if let Some(path) = std::env::var_os("ACESO_PHANTOMS") {
        std::fs::write(path, tensors.concat()).unwrap();
    }
}
