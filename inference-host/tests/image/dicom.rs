//! DICOM files: the same pixels however they are stored, and a sentence for each attribute that is missing or wrong.

use std::fmt::Write;

use aceso_inference::image::{Format, ImageError, Limits, decode};
use aceso_types::manifest::Window;
use expect_test::expect;

use crate::{
    digest, open,
    phantom::{self, EXPLICIT, Element, IMPLICIT, Stored, chest, dicom},
    refusal, same_size, small, with, without,
};

const PIXEL_DATA: (u16, u16) = (0x7fe0, 0x0010);

fn eight() -> Vec<Element> {
    chest(&small(), Stored::Eight, 7)
}

fn twelve() -> Vec<Element> {
    chest(&small(), Stored::Twelve, 7)
}

fn text(tag: (u16, u16), vr: &[u8; 2], text: &str) -> Element {
    Element::text(tag, *vr, text)
}

fn pixels(vr: &[u8; 2], value: Vec<u8>) -> Element {
    Element { tag: PIXEL_DATA, vr: *vr, value }
}

#[test]
fn the_same_pixels_have_one_identity() {
    let png = digest(&phantom::png(&small()).unwrap());
    let file = dicom(&eight(), EXPLICIT);
    let image = open(&file);
    assert_eq!((image.format(), image.width(), image.height(), image.bits()), (Format::Dicom, 5, 3, 8));
    assert_eq!((image.modality(), image.body_part()), (Some("DX"), Some("CHEST")));
    assert_eq!(digest(&file), png);
    assert_eq!(digest(&dicom(&eight(), IMPLICIT)), png);

    // The same values in 16 bits, another study, a rescale: other wrapping.
    let wide: Vec<u8> = small().pixels.iter().flat_map(|&v| [v, 0]).collect();
    let sixteen = with(with(twelve(), pixels(b"OW", wide)), text((0x0028, 0x1052), b"DS", "-1024"));
    assert_eq!(digest(&dicom(&sixteen, EXPLICIT)), png);
    assert_eq!(digest(&dicom(&chest(&small(), Stored::Eight, 8), EXPLICIT)), png);
    // Twelve bits hold other values.
    assert_ne!(digest(&dicom(&twelve(), EXPLICIT)), png);
}

#[test]
fn dark_is_low_or_high() {
    for (elements, high) in [(eight(), 255_u16), (twelve(), 4095)] {
        let data = elements.iter().find(|one| one.tag == PIXEL_DATA).unwrap().clone();
        let inverted: Vec<u8> = match high {
            255 => small().pixels.iter().map(|v| 255 - v).chain([0]).collect(),
            _ => data.value.chunks(2).flat_map(|p| (high - u16::from_le_bytes([p[0], p[1]])).to_le_bytes()).collect(),
        };
        let twin = with(
            with(elements.clone(), Element { value: inverted, ..data }),
            text((0x0028, 0x0004), b"CS", "MONOCHROME1"),
        );
        let (one, other) = (dicom(&elements, EXPLICIT), dicom(&twin, EXPLICIT));
        assert_eq!(digest(&one), digest(&other));
        assert_eq!(same_size(&one, |_| {}), same_size(&other, |_| {}));
    }
    // A window off the middle, mirrored: 100 of 0…255 looks at 155 from the other end.
    let windowed = |photometric: &str, center: &str, data: Vec<u8>| {
        let elements = with(eight(), text((0x0028, 0x1050), b"DS", center));
        let elements = with(elements, text((0x0028, 0x1051), b"DS", "51"));
        let elements = with(elements, text((0x0028, 0x0004), b"CS", photometric));
        same_size(&dicom(&with(elements, pixels(b"OB", data)), EXPLICIT), |_| {}).unwrap()
    };
    let bright = windowed("MONOCHROME2", "100.5", (0..16).map(|i| 70 + 4 * i).collect());
    let dark = windowed("MONOCHROME1", "155.5", (0..16).map(|i| 185 - 4 * i).collect());
    assert_eq!(bright, dark);
    assert_eq!((bright[0], bright[14]), (0, 255));
}

#[test]
fn colours_in_planes_or_pixels() {
    let data: Vec<u8> = (0..45).map(|i| i * 5).collect();
    let planes: Vec<u8> = (0..3).flat_map(|c| data.iter().copied().skip(c).step_by(3)).collect();
    let rgb = |planar: u16, mut data: Vec<u8>| {
        data.push(0);
        let elements = with(eight(), text((0x0028, 0x0004), b"CS", "RGB"));
        let elements =
            with(with(elements, Element::number((0x0028, 0x0002), 3)), Element::number((0x0028, 0x0006), planar));
        dicom(&with(elements, pixels(b"OB", data)), EXPLICIT)
    };
    assert_eq!(digest(&rgb(0, data.clone())), digest(&rgb(1, planes)));
    let grey = same_size(&rgb(0, data.clone()), |_| {}).unwrap();
    // (19595·0 + 38470·5 + 7471·10 + 32768) >> 16
    assert_eq!((grey.len(), grey[0]), (15, 4));
    let no_planar = without(
        with(with(eight(), text((0x0028, 0x0004), b"CS", "RGB")), Element::number((0x0028, 0x0002), 3)),
        (0x0028, 0x0006),
    );
    let data = [&data[..], &[0]].concat();
    expect!["the DICOM file has no Planar Configuration (0028,0006)"]
        .assert_eq(&refusal(&dicom(&with(no_planar, pixels(b"OB", data)), EXPLICIT)));
}

#[test]
fn signed_values_and_unused_bits() {
    let signed = |values: &[i16]| {
        let data = values.iter().flat_map(|v| (v & 0x0fff).to_le_bytes()).collect();
        let picture = phantom::Picture { width: values.len() as u16, height: 1, pixels: vec![0; values.len()] };
        let elements = with(chest(&picture, Stored::Twelve, 1), Element::number((0x0028, 0x0103), 1));
        let elements = without(without(elements, (0x0028, 0x1050)), (0x0028, 0x1051));
        dicom(&with(elements, pixels(b"OW", data)), EXPLICIT)
    };
    let file = signed(&[-2048, -1, 0, 2047]);
    assert_eq!((open(&file).signed(), open(&file).bits()), (true, 12));
    assert_eq!(same_size(&file, |_| {}).unwrap(), [0, 127, 128, 255]);
    // Overlay bits above the stored ones are not the image.
    let overlaid = twelve();
    let data = overlaid.iter().find(|one| one.tag == PIXEL_DATA).unwrap();
    let data = pixels(b"OW", data.value.chunks(2).flat_map(|pair| [pair[0], pair[1] | 0xa0]).collect());
    assert_eq!(digest(&dicom(&with(overlaid, data), EXPLICIT)), digest(&dicom(&twelve(), EXPLICIT)));
}

#[test]
fn windows_follow_the_standard() {
    let ramp = |center: &str, width: &str, function: &str| {
        let picture = phantom::Picture { width: 256, height: 1, pixels: (0..=255).collect() };
        let elements = with(chest(&picture, Stored::Eight, 1), text((0x0028, 0x1050), b"DS", center));
        let elements = with(elements, text((0x0028, 0x1051), b"DS", width));
        with(elements, text((0x0028, 0x1056), b"CS", function))
    };
    // PS3.3 C.11.2.1.2.1 in floating point, on values where it does not round at a half.
    let by_the_book = |x: f64, c: f64, w: f64| match () {
        () if x <= c - 0.5 - (w - 1.0) / 2.0 => 0.0,
        () if x > c - 0.5 + (w - 1.0) / 2.0 => 255.0,
        () => ((x - (c - 0.5)) / (w - 1.0) + 0.5) * 255.0,
    };
    for (center, width) in [("128", "256"), ("40", "80"), ("100.5", "31"), ("-20", "300"), ("77", "1"), ("1E2", "2")] {
        let got = same_size(&dicom(&ramp(center, width, "LINEAR"), EXPLICIT), |_| {}).unwrap();
        for (x, &got) in got.iter().enumerate() {
            let want = by_the_book(x as f64, center.parse().unwrap(), width.parse().unwrap());
            assert!((want - f64::from(got)).abs() <= 0.5 + 1e-9, "{center} {width}: {x} gives {got}, not {want}");
        }
    }
    let exact = same_size(&dicom(&ramp("128", "256", "LINEAR_EXACT"), EXPLICIT), |_| {}).unwrap();
    assert_eq!((exact[0], exact[128], exact[255]), (0, 128, 254));
    // Several windows: the first. Rescaled units: 1000 is 24 + 1024 − 48.
    let two = same_size(&dicom(&ramp("40\\128", "80\\256", "LINEAR"), EXPLICIT), |_| {}).unwrap();
    assert_eq!((two[0], two[79], two[255]), (0, 255, 255));
    let moved = with(ramp("-984", "80", "LINEAR"), text((0x0028, 0x1052), b"DS", "-1024"));
    assert_eq!(same_size(&dicom(&moved, EXPLICIT), |_| {}).unwrap(), two);
    let fixed =
        |pipeline: &mut aceso_types::manifest::Pipeline| pipeline.window = Window::Fixed { center: -984, width: 80 };
    assert_eq!(same_size(&dicom(&moved, EXPLICIT), fixed).unwrap(), two);
    let full = same_size(&dicom(&moved, EXPLICIT), |pipeline| pipeline.window = Window::Full).unwrap();
    assert_eq!(full, (0..=255).collect::<Vec<u8>>());

    let curved = dicom(&ramp("128", "256", "SIGMOID"), EXPLICIT);
    expect!["the image's own window is asked for, and it is given by VOI LUT Function SIGMOID, which is not supported"]
        .assert_eq(&same_size(&curved, |_| {}).unwrap_err().to_string());
    assert!(same_size(&curved, |pipeline| pipeline.window = Window::Full).is_ok());
    let table =
        with(eight(), Element { tag: (0x0028, 0x3010), vr: *b"SQ", value: vec![0xfe, 0xff, 0, 0xe0, 0, 0, 0, 0] });
    expect![
        "the image's own window is asked for, and it is given by VOI LUT Sequence (0028,3010), which is not supported"
    ]
    .assert_eq(&same_size(&dicom(&table, EXPLICIT), |_| {}).unwrap_err().to_string());
}

#[test]
fn every_missing_attribute_is_named() {
    let mut said = String::new();
    for tag in eight().iter().map(|one| one.tag) {
        match decode(&dicom(&without(eight(), tag), EXPLICIT), Limits::default()) {
            Ok(_) => {}
            Err(error) => writeln!(said, "{error}").unwrap(),
        }
    }
    expect![[r#"
        the DICOM file has no Modality (0008,0060)
        the DICOM file has no Samples per Pixel (0028,0002)
        the DICOM file has no Photometric Interpretation (0028,0004)
        the DICOM file has no Rows (0028,0010)
        the DICOM file has no Columns (0028,0011)
        the DICOM file has no Bits Allocated (0028,0100)
        the DICOM file has no Bits Stored (0028,0101)
        the DICOM file has no High Bit (0028,0102)
        the DICOM file has no Pixel Representation (0028,0103)
        the DICOM file has no Pixel Data (7FE0,0010)
    "#]]
    .assert_eq(&said);
    expect!["the DICOM file has no Window Width (0028,1051)"]
        .assert_eq(&refusal(&dicom(&without(twelve(), (0x0028, 0x1051)), EXPLICIT)));
}

#[test]
fn every_unsupported_value_is_named() {
    let mut said = String::new();
    let number = |element: u16, value: u16| Element::number((0x0028, element), value);
    let code = |element: u16, value: &str| text((0x0028, element), b"CS", value);
    let decimal = |element: u16, value: &str| text((0x0028, element), b"DS", value);
    for (base, change) in [
        (eight(), code(0x0004, "PALETTE COLOR")),
        (eight(), code(0x0004, "YBR_FULL_422")),
        (eight(), number(0x0002, 3)),
        (eight(), number(0x0010, 0)),
        (eight(), number(0x0011, 6)),
        (eight(), number(0x0100, 1)),
        (eight(), number(0x0100, 32)),
        (eight(), number(0x0101, 7)),
        (eight(), number(0x0101, 12)),
        (eight(), number(0x0102, 6)),
        (eight(), number(0x0102, 65_535)),
        (eight(), number(0x0103, 2)),
        (eight(), text((0x0028, 0x0008), b"IS", "2")),
        (eight(), code(0x0301, "YES")),
        (eight(), decimal(0x1053, "0.5")),
        (eight(), decimal(0x1053, "-1")),
        (eight(), decimal(0x1053, "0")),
        (eight(), decimal(0x1052, "1e7")),
        (eight(), decimal(0x1052, "abc")),
        (twelve(), decimal(0x1050, "0.0000001")),
        (twelve(), decimal(0x1051, "0.5")),
        (twelve(), code(0x1056, "CURVED")),
        (eight(), Element { tag: (0x0028, 0x3000), vr: *b"SQ", value: vec![0xfe, 0xff, 0, 0xe0, 0, 0, 0, 0] }),
        (eight(), Element { tag: (0x0028, 0x0010), vr: *b"US", value: vec![3, 0, 3, 0] }),
        (eight(), Element { tag: (0x0028, 0x0010), vr: *b"UL", value: vec![3, 0, 0, 0] }),
        (eight(), Element { tag: (0x0008, 0x0060), vr: *b"CS", value: vec![0xff, 0xfe] }),
        (eight(), pixels(b"OB", vec![0; 14])),
        (eight(), pixels(b"OB", vec![0; 18])),
        (twelve(), pixels(b"OW", vec![0; 32])),
    ] {
        writeln!(said, "{}", refusal(&dicom(&with(base, change), EXPLICIT))).unwrap();
    }
    expect![[r#"
        the DICOM file has no Red Palette Color Lookup Table Descriptor (0028,1101)
        Samples per Pixel (0028,0002) is "1": it must be 1 for grey and palettes, and 3 for colours
        Samples per Pixel (0028,0002) is "3": it must be 1 for grey and palettes, and 3 for colours
        an image has sides of 1 to 65535 pixels, not 5×0
        the pixel data has 16 bytes where rows, columns, samples and bits ask for 18
        Bits Allocated (0028,0100) is "1": it must be 8, or 16 for grey but in JPEG Baseline
        Bits Allocated (0028,0100) is "32": it must be 8, or 16 for grey but in JPEG Baseline
        Bits Stored (0028,0101) is "7": it must be 8 to Bits Allocated
        Bits Stored (0028,0101) is "12": it must be 8 to Bits Allocated
        High Bit (0028,0102) is "6": it must be Bits Stored − 1
        High Bit (0028,0102) is "65535": it must be Bits Stored − 1
        Pixel Representation (0028,0103) is "2": it must be 0, or 1 for grey but in JPEG Baseline
        the pixel data has 16 bytes where rows, columns, samples and bits ask for 30
        Burned In Annotation (0028,0301) is "YES": images with burned-in text may name the patient
        Rescale Slope (0028,1053) is "0.5": it must be a whole number of 1 to 1024
        Rescale Slope (0028,1053) is "-1": it must be a whole number of 1 to 1024
        Rescale Slope (0028,1053) is "0": it must be a whole number of 1 to 1024
        Rescale Intercept (0028,1052) is "1e7": it must be a whole number within a million
        Rescale Intercept (0028,1052) is "abc": it must be a decimal of at most 6 places, within a thousand million
        Window Center (0028,1050) is "0.0000001": it must be a decimal of at most 6 places, within a thousand million
        Window Width (0028,1051) is "0.5": it must be at least 1
        VOI LUT Function (0028,1056) is "CURVED": it must be LINEAR, LINEAR_EXACT or SIGMOID
        Modality LUT Sequence (0028,3000) is "feff00e000000000": lookup tables are not read; export with rescale slope and intercept
        Rows (0028,0010) is "03000300": it must be one 16-bit number
        Rows (0028,0010) is "03000000": its value representation is not the attribute's
        Modality (0008,0060) is "fffe": it must be ASCII
        the pixel data has 14 bytes where rows, columns, samples and bits ask for 15
        the pixel data has 18 bytes where rows, columns, samples and bits ask for 15
        the pixel data has 32 bytes where rows, columns, samples and bits ask for 30
    "#]].assert_eq(&said);
}

#[test]
fn other_transfer_syntaxes_are_named() {
    let said = [
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.201",
        "1.2.3",
    ]
    .map(|uid| refusal(&dicom(&eight(), uid)) + "\n");
    expect![[r#"
        transfer syntax 1.2.840.10008.1.2.1.99 (Deflated Explicit VR Little Endian) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.2 (Explicit VR Big Endian) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.51 (JPEG Extended) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.80 (JPEG-LS Lossless) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.81 (JPEG-LS Near-Lossless) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.91 (JPEG 2000) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.110 (JPEG XL Lossless) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.840.10008.1.2.4.201 (High-Throughput JPEG 2000 Lossless) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
        transfer syntax 1.2.3 (unknown) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)
    "#]].assert_eq(&said.concat());
}

#[test]
fn sequences_are_walked_over_however_they_are_written() {
    let want = digest(&dicom(&eight(), EXPLICIT));
    let item = |inside: &[u8]| {
        [&[0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff][..], inside, &[0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]].concat()
    };
    let end = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
    let explicit = [0x10, 0, 0x10, 0, b'P', b'N', 2, 0, b'X', b' '];
    let implicit = [0x10, 0, 0x10, 0, 2, 0, 0, 0, b'X', b' '];
    let raw = |vr: &[u8; 2], inside: &[u8]| {
        // A sequence (0009,1001) without a length, in front of the group 0010.
        let head = [&[0x09, 0, 0x01, 0x10][..], vr, &[0, 0, 0xff, 0xff, 0xff, 0xff], inside, &end].concat();
        let file = dicom(&eight(), EXPLICIT);
        let at = file.windows(4).position(|four| four == [0x10, 0, 0x10, 0]).unwrap();
        [&file[..at], &head, &file[at..]].concat()
    };
    let nested = [&[0x09, 0, 0x02, 0x10][..], b"SQ", &[0, 0, 0xff, 0xff, 0xff, 0xff], &item(&explicit), &end].concat();
    for file in [
        raw(b"SQ", &[]),
        raw(b"SQ", &item(&explicit)),
        raw(b"SQ", &[item(&explicit), item(&[])].concat()),
        raw(b"SQ", &item(&nested)),
        raw(b"UN", &item(&implicit)),
        raw(b"OB", &[0xfe, 0xff, 0, 0xe0, 2, 0, 0, 0, 1, 2]),
    ] {
        assert_eq!(digest(&file), want);
    }
    let deep =
        [0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff, 0x09, 0, 0x02, 0x10, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff];
    let said = refusal(&raw(b"SQ", &deep.repeat(100_000)));
    assert!(said.ends_with("sequences lie too deep in one another"), "{said}");
}

#[test]
fn lengths_that_lie_cost_nothing() {
    for (tag, vr) in [((0x0009_u16, 0x1001_u16), b"OB"), (PIXEL_DATA, b"OW"), ((0x0009, 0x1001), b"SQ")] {
        for length in [0xffff_fffe_u32, 0x8000_0000, 1 << 16] {
            let mut file = dicom(&without(eight(), PIXEL_DATA), EXPLICIT);
            let at = file.windows(4).position(|four| four == [0x10, 0, 0x10, 0]).unwrap();
            let mut lie = [tag.0.to_le_bytes(), tag.1.to_le_bytes(), *vr, [0, 0]].concat();
            lie.extend(length.to_le_bytes());
            let at = if tag == PIXEL_DATA { file.len() } else { at };
            file.splice(at..at, lie);
            let error = decode(&file, Limits::default()).unwrap_err();
            assert!(
                matches!(error, ImageError::Malformed { reason: "a value is longer than the file", .. }),
                "{error}"
            );
        }
    }
    let mut file = dicom(&eight(), EXPLICIT);
    let at = file.len() - 16 - 8;
    file[at + 4..at + 8].copy_from_slice(&[0xff; 4]);
    assert!(refusal(&file).ends_with("native pixel data has no length"));
}

#[test]
fn an_order_that_is_not_rising_is_refused() {
    let mut elements = eight();
    elements.swap(3, 5);
    assert!(refusal(&dicom(&elements, EXPLICIT)).ends_with("elements are not in rising order"));
    let mut twice = eight();
    twice.insert(4, twice[3].clone());
    assert!(refusal(&dicom(&twice, EXPLICIT)).ends_with("elements are not in rising order"));
}
