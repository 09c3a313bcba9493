//! Files that others wrote: read where they are present, each by its pinned identity or refused by name. The identities are
//! those of `tools/images.py --real`, which sees the files with pydicom's decoders.

use std::path::PathBuf;

use aceso_inference::image::{Limits, decode};
use dicom_object::from_reader;
use expect_test::{Expect, expect};

use crate::open;

fn data(name: &str) -> Option<Vec<u8>> {
    let beside = "../../shared/data";
    let folder = std::env::var_os("ACESO_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = folder.join("dicom").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    bytes
}

fn check(name: &str, want: &Expect) {
    let Some(bytes) = data(name) else { return };
    let got = match decode(&bytes, Limits::default()) {
        Ok(image) => format!(
            "{} {}×{}×{} {} bits {}",
            image.modality().unwrap_or("?"),
            image.width(),
            image.height(),
            image.samples(),
            image.bits(),
            image.pixel_digest()
        ),
        Err(error) => error.to_string(),
    };
    want.assert_eq(&got);
}

#[test]
fn pydicoms_files_are_read_or_named() {
    check(
        "CT_small.dcm",
        &expect!["CT 128×128×1 16 bits 9ec87709d7764d406fe2824bacaa93cce8d737358cd540b51fb95f55f282ce46"],
    );
    check(
        "MR_small.dcm",
        &expect!["MR 64×64×1 16 bits 630f171cb84a02f94b1b73c58afe28c0365857b891778fff546560ffd4f12fef"],
    );
    check(
        "examples_rgb_color.dcm",
        &expect!["US 320×240×3 8 bits 757d80153e31290e3d6fdcf6fc96d122033ce976a8bdc0a985a3c145ee129cc0"],
    );
    check(
        "examples_palette.dcm",
        &expect!["US 800×350×3 16 bits b563fa45142b2f9421183adf2db0b67d8eff58ba05090d8e386b6e7512f4098b"],
    );
    check(
        "liver_1frame.dcm",
        &expect![[r#"Bits Allocated (0028,0100) is "1": it must be 8, or 16 for grey but in JPEG Baseline"#]],
    );
    check(
        "JPEG-lossy.dcm",
        &expect![
            "transfer syntax 1.2.840.10008.1.2.4.51 (JPEG Extended) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)"
        ],
    );
    check(
        "JPEG2000.dcm",
        &expect![
            "transfer syntax 1.2.840.10008.1.2.4.91 (JPEG 2000) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)"
        ],
    );
    // The same pixels as in MR_small.dcm.
    check(
        "MR_small_RLE.dcm",
        &expect!["MR 64×64×1 16 bits 630f171cb84a02f94b1b73c58afe28c0365857b891778fff546560ffd4f12fef"],
    );
    check(
        "MR_small_jpeg_ls_lossless.dcm",
        &expect![
            "transfer syntax 1.2.840.10008.1.2.4.80 (JPEG-LS Lossless) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)"
        ],
    );
    check(
        "examples_jpeg2k.dcm",
        &expect!["US 640×480×3 8 bits 35b3a2c578ea98dc74f23b2a3c36c7ced75ccaf3c9738e1e0bb8d587721681cc"],
    );
}

/// Another reader of DICOM finds the same shape and the same values.
#[test]
fn dicom_rs_sees_the_same_pixels() {
    let ours = crate::phantom::dicom(
        &crate::phantom::chest(&crate::phantom::phantom(1).picture, crate::phantom::Stored::Twelve, 1),
        crate::phantom::EXPLICIT,
    );
    for file in [data("CT_small.dcm"), data("MR_small.dcm"), Some(ours)].into_iter().flatten() {
        let theirs = from_reader(&file[..]).unwrap();
        let number = |name: &str| theirs.element_by_name(name).unwrap().to_int::<u16>().unwrap();
        let values = theirs.element_by_name("PixelData").unwrap().to_bytes().unwrap();
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, number("Columns").into(), number("Rows").into());
        encoder.set_depth(png::BitDepth::Sixteen);
        let big_endian: Vec<u8> = values.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert!(big_endian.chunks(2).all(|pair| pair[0] < 0x80), "no negative value, which PNG could not hold");
        encoder.write_header().unwrap().write_image_data(&big_endian).unwrap();
        assert_eq!(open(&file).pixel_digest(), open(&png).pixel_digest());
    }
}
