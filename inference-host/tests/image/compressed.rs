//! Compressed frames: each file of `files` by the identity that another decoder gives it, however it is wrapped; frames of
//! one file; what is refused and how it is said. `tools/images.py` writes the files and `golden.txt`.

use std::{fmt::Write, path::Path};

use aceso_inference::image::{EFFORT_FREE, Format, ImageError, Limits, decode, decode_frame, effort};
use aceso_types::Frame;
use expect_test::expect;

use crate::{
    digest, open,
    phantom::{EXPLICIT, Element, Picture, Stored, chest, dicom},
    refusal, small, with, without,
};

const PIXEL_DATA: (u16, u16) = (0x7fe0, 0x0010);
const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.57";
const FIRST_ORDER: &str = "1.2.840.10008.1.2.4.70";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// A line of `golden.txt`, and the file that it is about.
pub(crate) struct Golden {
    pub(crate) name: String,
    kind: String,
    width: u16,
    height: u16,
    samples: u16,
    bits: u16,
    signed: u16,
    model: String,
    digest: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn goldens() -> Vec<Golden> {
    let folder = Path::new("tests/image/files");
    let lines = std::fs::read_to_string(folder.join("golden.txt")).unwrap();
    let golden = |line: &str| {
        let words: Vec<&str> = line.splitn(8, ' ').collect();
        let (model, digest) = words[7].rsplit_once(' ').unwrap();
        let number = |at: usize| words[at].parse().unwrap();
        Golden {
            name: words[0].into(),
            kind: words[1].into(),
            width: number(2),
            height: number(3),
            samples: number(4),
            bits: number(5),
            signed: number(6),
            model: model.into(),
            digest: digest.into(),
            bytes: std::fs::read(folder.join(words[0])).unwrap(),
        }
    };
    lines.lines().map(golden).collect()
}

pub(crate) fn golden(name: &str) -> Golden {
    goldens().into_iter().find(|one| one.name == name).unwrap()
}

impl Golden {
    fn syntaxes(&self) -> &'static [&'static str] {
        match self.kind.as_str() {
            "jpeg" => &[JPEG],
            "lossless" => &[LOSSLESS, FIRST_ORDER],
            "jpeg2000" => &[JPEG_2000],
            _ => &[RLE],
        }
    }

    /// What a DICOM file says of the picture; of `frames` frames where there are several.
    fn elements(&self, frames: u32) -> Vec<Element> {
        let count = usize::from(self.width) * usize::from(self.height);
        let picture = Picture { width: self.width, height: self.height, pixels: vec![0; count] };
        let mut elements = without(chest(&picture, Stored::Eight, 1), PIXEL_DATA);
        for (element, number) in [
            (0x0002, self.samples),
            (0x0100, if self.bits > 8 { 16 } else { 8 }),
            (0x0101, self.bits),
            (0x0102, self.bits - 1),
            (0x0103, self.signed),
        ] {
            elements = with(elements, Element::number((0x0028, element), number));
        }
        if frames > 1 {
            elements = with(elements, Element::text((0x0028, 0x0008), *b"IS", &frames.to_string()));
        }
        with(elements, Element::text((0x0028, 0x0004), *b"CS", &self.model))
    }

    /// The picture as the only frame of a file.
    pub(crate) fn wrapped(&self) -> Vec<u8> {
        wrapped(&self.elements(1), self.syntaxes()[0], &[], &[&self.bytes])
    }
}

/// A file with encapsulated pixel data.
fn wrapped(elements: &[Element], syntax: &str, table: &[u32], fragments: &[&[u8]]) -> Vec<u8> {
    let mut file = dicom(elements, syntax);
    let item = |file: &mut Vec<u8>, bytes: &[u8]| {
        file.extend([0xfe, 0xff, 0x00, 0xe0]);
        file.extend(u32::try_from(bytes.len() + bytes.len() % 2).unwrap().to_le_bytes());
        file.extend(bytes);
        file.extend(vec![0; bytes.len() % 2]);
    };
    file.extend([0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff]);
    item(&mut file, &table.iter().flat_map(|offset| offset.to_le_bytes()).collect::<Vec<u8>>());
    fragments.iter().for_each(|fragment| item(&mut file, fragment));
    file.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
    file
}

#[test]
fn every_file_has_the_pixels_that_others_see() {
    for one in goldens() {
        for syntax in one.syntaxes() {
            let file = wrapped(&one.elements(1), syntax, &[], &[&one.bytes]);
            match decode(&file, Limits::default()) {
                Ok(image) => assert_eq!(image.pixel_digest().to_string(), one.digest, "{} in {syntax}", one.name),
                Err(error) => panic!("{} in {syntax}: {error}", one.name),
            }
        }
        if one.kind == "jpeg" {
            let image = open(&one.bytes);
            assert_eq!((image.format(), image.bits(), image.modality()), (Format::Jpeg, 8, None));
            assert_eq!(image.pixel_digest().to_string(), one.digest, "{}", one.name);
        }
    }
}

#[test]
fn a_lossless_frame_is_its_native_twin() {
    let native = digest(&dicom(&chest(&small(), Stored::Eight, 1), EXPLICIT));
    // Runs of one: 15 bytes as they stand, one segment.
    let mut rle = [[1_u32, 64].map(u32::to_le_bytes).concat(), vec![0; 56], vec![14]].concat();
    rle.extend(small().pixels);
    let elements = without(chest(&small(), Stored::Eight, 1), PIXEL_DATA);
    assert_eq!(digest(&wrapped(&elements, RLE, &[], &[&rle])), native);
}

#[test]
fn a_frame_is_named() {
    let (one, other) = (golden("predictor_1.ljp"), golden("bits_12.rle"));
    let turned = {
        let mut turned = one.bytes.clone();
        // Another predictor over the same differences is another picture, or none.
        let scan = turned.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
        turned[scan + 7] = 2;
        turned
    };
    let alone = |bytes: &[u8]| decode(&wrapped(&one.elements(1), LOSSLESS, &[], &[bytes]), Limits::default());
    let second = alone(&turned).map(|image| image.pixel_digest().to_string()).map_err(|e| e.to_string());
    let frame = |file: &[u8], number| {
        let image = decode_frame(file, Frame::of_wire(number), Limits::default());
        image.map(|image| image.pixel_digest().to_string()).map_err(|e| e.to_string())
    };
    let (half, rest) = one.bytes.split_at(100);
    let length = |bytes: &[u8]| u32::try_from(bytes.len() + bytes.len() % 2).unwrap() + 8;
    let elements = one.elements(3);
    for file in [
        wrapped(&elements, LOSSLESS, &[], &[&one.bytes, &turned, &one.bytes]),
        wrapped(
            &elements,
            LOSSLESS,
            &[0, length(&one.bytes), length(&one.bytes) + length(&turned)],
            &[&one.bytes, &turned, half, rest],
        ),
    ] {
        assert_eq!(decode(&file, Limits::default()).unwrap().pixel_digest().to_string(), one.digest);
        assert_eq!(frame(&file, 1).as_deref(), Ok(&*one.digest));
        assert_eq!(frame(&file, 2), second);
        assert_eq!(frame(&file, 3).as_deref(), Ok(&*one.digest));
        for number in [4, u32::MAX] {
            let asked = Err(ImageError::Frame { asked: number, frames: 3 });
            assert_eq!(decode_frame(&file, Frame::of_wire(number), Limits::default()), asked);
        }
    }
    // Fragments of a single frame are put together, whatever the table says.
    assert_eq!(frame(&wrapped(&one.elements(1), LOSSLESS, &[0], &[half, rest]), 1).as_deref(), Ok(&*one.digest));
    assert_eq!(frame(&other.wrapped(), 1).as_deref(), Ok(&*other.digest));

    // Native frames follow each other without a gap.
    let pixels: Vec<u8> = (0..45).collect();
    let native = with(chest(&small(), Stored::Eight, 1), Element::text((0x0028, 0x0008), *b"IS", "3"));
    let native = with(native, Element { tag: PIXEL_DATA, vr: *b"OB", value: [&pixels[..], &[0]].concat() });
    let file = dicom(&native, EXPLICIT);
    for number in 1..=3 {
        let third = pixels.chunks(15).nth(number as usize - 1).unwrap().to_vec();
        let png = crate::phantom::png(&Picture { width: 5, height: 3, pixels: third }).unwrap();
        assert_eq!(frame(&file, number).unwrap(), digest(&png));
    }
    let png = crate::phantom::png(&small()).unwrap();
    let mut said = String::new();
    for (file, number) in [(&file, 4), (&png, 2), (&golden("grey.jpg").bytes, 2)] {
        writeln!(said, "{}", frame(file, number).unwrap_err()).unwrap();
    }
    expect![[r#"
        frame 4 is asked for, and the file has frames 1 to 3
        frame 2 is asked for, and the file has frames 1 to 1
        frame 2 is asked for, and the file has frames 1 to 1
    "#]]
    .assert_eq(&said);
}

#[test]
fn encapsulation_is_checked() {
    let one = golden("predictor_1.ljp");
    let whole = &one.bytes[..];
    let file = |frames, table: &[u32], fragments: &[&[u8]]| wrapped(&one.elements(frames), LOSSLESS, table, fragments);
    let good = file(1, &[], &[whole]);
    let mut no_end = good.clone();
    no_end.truncate(good.len() - 8);
    let mut other_item = good.clone();
    let at = good.len() - 8;
    other_item[at + 2] = 0x0d;
    let native = dicom(&chest(&small(), Stored::Eight, 1), LOSSLESS);
    let mut said = String::new();
    for file in [
        no_end,
        other_item,
        native,
        file(1, &[], &[]),
        file(2, &[], &[whole]),
        file(2, &[], &[whole, whole, whole]),
        file(2, &[0], &[whole, whole]),
        file(2, &[8, 16], &[whole, whole]),
        file(2, &[0, 0], &[whole, whole]),
        file(2, &[0, 10], &[whole, whole]),
        wrapped(&one.elements(1), EXPLICIT, &[], &[whole]),
    ] {
        writeln!(said, "{}", refusal(&file)).unwrap();
    }
    expect![[r#"
        the DICOM file is malformed at byte 1456: the file ends inside an element's head
        the DICOM file is malformed at byte 1456: a fragment or the end of the pixel data belongs here
        the DICOM file is malformed at byte 724: encapsulated pixel data has a length
        the DICOM file is malformed at byte 736: the frame has no fragment
        the DICOM file is malformed at byte 746: without an offset table there must be one fragment for each frame
        the DICOM file is malformed at byte 746: without an offset table there must be one fragment for each frame
        the DICOM file is malformed at byte 746: the offset table has another number of entries than there are frames
        the DICOM file is malformed at byte 746: the offset table does not rise from 0
        the DICOM file is malformed at byte 746: the offset table does not rise from 0
        the DICOM file is malformed at byte 746: the offset table names no fragment
        the DICOM file is malformed at byte 722: native pixel data has no length
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_frame_must_be_what_the_attributes_say() {
    let number = |element: u16, value: u16| Element::number((0x0028, element), value);
    let model = |text: &str| Element::text((0x0028, 0x0004), *b"CS", text);
    let mut said = String::new();
    for (name, change) in [
        ("grey.jpg", number(0x0010, 30)),
        ("grey.jpg", number(0x0011, 36)),
        ("grey.jpg", number(0x0103, 1)),
        ("grey.jpg", model("PALETTE COLOR")),
        ("colour_444.jpg", model("RGB")),
        ("colour_rgb.jpg", model("YBR_FULL")),
        ("colour_444.jpg", model("YBR_RCT")),
        ("bits_16.ljp", number(0x0010, 18)),
        ("bits_8.j2k", number(0x0103, 1)),
        ("bits_8.j2k", model("YBR_FULL_422")),
        ("bits_8.j2k", number(0x0011, 46)),
        ("bits_8.rle", number(0x0011, 38)),
        ("bits_8.rle", number(0x0010, 28)),
    ] {
        let one = golden(name);
        let file = wrapped(&with(one.elements(1), change), one.syntaxes()[0], &[], &[&one.bytes]);
        writeln!(said, "{name}: {}", refusal(&file)).unwrap();
    }
    // Fewer bits than stored, and more than allocated.
    for (name, bits, allocated) in [("predictor_1.ljp", 16, 16), ("bits_16.ljp", 8, 8), ("bits_12.j2k", 11, 16)] {
        let one = golden(name);
        let mut elements = one.elements(1);
        for (element, value) in [(0x0100, allocated), (0x0101, bits), (0x0102, bits - 1)] {
            elements = with(elements, number(element, value));
        }
        writeln!(said, "{name}: {}", refusal(&wrapped(&elements, one.syntaxes()[0], &[], &[&one.bytes]))).unwrap();
    }
    // A lossless frame in the clothes of a baseline one, and the other way round.
    let (baseline, lossless) = (golden("grey.jpg"), golden("bits_8.ljp"));
    writeln!(said, "{}", refusal(&wrapped(&baseline.elements(1), LOSSLESS, &[], &[&baseline.bytes]))).unwrap();
    writeln!(said, "{}", refusal(&wrapped(&lossless.elements(1), JPEG, &[], &[&lossless.bytes]))).unwrap();
    writeln!(said, "{}", refusal(&wrapped(&lossless.elements(1), JPEG_2000, &[], &[&lossless.bytes]))).unwrap();
    writeln!(said, "{}", refusal(&wrapped(&lossless.elements(1), RLE, &[], &[&lossless.bytes]))).unwrap();
    expect![[r#"
        grey.jpg: the compressed frame has 29 rows where the file says 30
        grey.jpg: the compressed frame has 37 columns where the file says 36
        grey.jpg: Pixel Representation (0028,0103) is "1": it must be 0, or 1 for grey but in JPEG Baseline
        grey.jpg: Photometric Interpretation (0028,0004) is "PALETTE COLOR": it is not read in this transfer syntax
        colour_444.jpg: Photometric Interpretation (0028,0004) is "RGB": the compressed frame says that it is luminance and chrominance
        colour_rgb.jpg: Photometric Interpretation (0028,0004) is "YBR_FULL": the compressed frame says that it is RGB
        colour_444.jpg: Photometric Interpretation (0028,0004) is "YBR_RCT": it is not read in this transfer syntax
        bits_16.ljp: the compressed frame has 17 rows where the file says 18
        bits_8.j2k: Pixel Representation (0028,0103) is "0100": the compressed frame says otherwise
        bits_8.j2k: Photometric Interpretation (0028,0004) is "YBR_FULL_422": it is not read in this transfer syntax
        bits_8.j2k: the compressed frame has 45 columns where the file says 46
        bits_8.rle: the RLE frame is malformed in segment 1: it ends early
        bits_8.rle: the RLE frame is malformed in segment 1: it holds more than the picture
        predictor_1.ljp: the compressed frame has 12 bits where the file says 16
        bits_16.ljp: the compressed frame has 16 bits where the file says 8
        bits_12.j2k: the compressed frame has 12 bits where the file says 11
        the JPEG process is baseline DCT, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is lossless, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG 2000 codestream is refused at byte 0: it does not begin with SOC
        the RLE frame is malformed in segment 0: there is not one segment for each byte of a sample
    "#]].assert_eq(&said);
}

#[test]
fn other_processes_and_broken_segments_are_named() {
    let whole = golden("grey.jpg").bytes;
    let place = |marker: u8| whole.windows(2).position(|two| two == [0xff, marker]).unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let (frame, codes, steps, scan) = (place(0xc0), place(0xc4), place(0xdb), place(0xda));
    let mut said = String::new();
    for file in [
        changed(frame + 1, &[0xc1]),
        changed(frame + 1, &[0xc2]),
        changed(frame + 1, &[0xc3]),
        changed(frame + 1, &[0xc6]),
        changed(frame + 1, &[0xc9]),
        changed(frame + 1, &[0xf7]),
        changed(frame + 4, &[12]),
        changed(frame + 5, &[0, 0]),
        changed(frame + 5, &[0xff, 0xff, 0xff, 0xff]),
        changed(frame + 9, &[4]),
        changed(frame + 11, &[0x15]),
        changed(codes + 4, &[0x20]),
        changed(codes + 5, &[3]),
        changed(steps + 4, &[0x10]),
        changed(steps + 5, &[0]),
        changed(scan + 4, &[2]),
        changed(scan + 5, &[9]),
        changed(scan + 6, &[0x33]),
        changed(scan + 7, &[1]),
        changed(whole.len() - 2, &[0xff, 0xd0]),
        [&whole[..scan], &[0xff, 0xd9]].concat(),
        whole[..whole.len() - 2].to_vec(),
        b"\xff\xd8\xff".to_vec(),
    ] {
        writeln!(said, "{}", refusal(&file)).unwrap();
    }
    expect![[r#"
        the JPEG process is extended sequential DCT, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is progressive DCT, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is lossless, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is differential, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is arithmetic coding, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG process is JPEG-LS, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file
        the JPEG picture is malformed at byte 89: a baseline picture has 8 bits
        the JPEG picture is malformed at byte 89: the number of rows stands behind the first scan, which is not read
        an image of 65535×65535 pixels of 1 samples has more than 16777216 samples
        the JPEG picture is malformed at byte 89: one or three components are read
        the JPEG picture is malformed at byte 89: the sampling factors are not read: the first component's may be 1 or 2, the others' are 1
        the JPEG picture is malformed at byte 104: a code table is of class 0 or 1
        the JPEG picture is malformed at byte 104: a code table has a symbol for each code
        the JPEG picture is malformed at byte 22: a quantisation table has 8 bits and a number below 4
        the JPEG picture is malformed at byte 22: a quantisation table has an entry of 0
        the JPEG picture is malformed at byte 318: the scan's header has another length than its components take
        the JPEG picture is malformed at byte 318: the scan names a component that the frame does not have
        the JPEG picture is malformed at byte 318: the scan names a table that was not defined
        the JPEG picture is malformed at byte 318: a baseline scan has all coefficients at once
        the JPEG picture is malformed at byte 909: the marker does not belong here
        the JPEG picture is malformed at byte 320: a component is coded nowhere
        the JPEG picture is malformed at byte 907: the picture ends early
        the JPEG picture is malformed at byte 3: the picture ends early
    "#]].assert_eq(&said);
    // What stands behind the end is not looked at.
    assert_eq!(digest(&[&whole[..], b"more"].concat()), digest(&whole));
}

#[test]
fn codestreams_that_are_not_reversible_are_named() {
    let one = golden("bits_8.j2k");
    let place = |marker: u8| one.bytes.windows(2).position(|two| two == [0xff, marker]).unwrap();
    let (size, style, steps, tile) = (place(0x51), place(0x52), place(0x5c), place(0x90));
    let mut said = String::new();
    for (at, bytes) in [
        (1, &[0x4e][..]),
        (size + 6, &[0, 0, 0, 0]),
        (size + 14, &[0, 0, 0, 1]),
        (size + 22, &[0, 0, 0, 1, 0, 0, 0, 1]),
        (size + 38, &[0, 2]),
        (size + 40, &[37]),
        (size + 41, &[2]),
        (style + 5, &[9]),
        (style + 6, &[0, 0]),
        (style + 8, &[1]),
        (style + 9, &[33]),
        (style + 10, &[9]),
        (style + 12, &[0x40]),
        (style + 13, &[0]),
        (steps + 4, &[0x42]),
        (steps + 5, &[0xf8]),
        (tile + 4, &[0, 1]),
        (tile + 6, &[0, 1, 0, 0]),
        (tile + 10, &[1]),
        (tile + 12, &[0xff, 0x5c]),
        (one.bytes.len() - 2, &[0xff, 0xd8]),
    ] {
        let mut broken = one.bytes.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        writeln!(said, "{}", refusal(&wrapped(&one.elements(1), JPEG_2000, &[], &[&broken]))).unwrap();
    }
    for marker in [0x50_u8, 0x5e, 0x5f, 0x60, 0x70] {
        let broken = [&one.bytes[..style], &[0xff, marker, 0, 2], &one.bytes[style..]].concat();
        writeln!(said, "{}", refusal(&wrapped(&one.elements(1), JPEG_2000, &[], &[&broken]))).unwrap();
    }
    expect![[r#"
        the JPEG 2000 codestream is refused at byte 0: it does not begin with SOC
        the JPEG 2000 codestream is refused at byte 4: the image or its tiles have no width or no height
        the JPEG 2000 codestream is refused at byte 4: the image or its tiles do not begin at the origin
        the JPEG 2000 codestream is refused at byte 1364: a tile is missing
        the JPEG 2000 codestream is refused at byte 4: one or three components are read
        the JPEG 2000 codestream is refused at byte 4: 8 to 16 bits are read
        the JPEG 2000 codestream is refused at byte 4: subsampled components are not read
        the JPEG 2000 codestream is refused at byte 45: the progression is none of five, or there is no layer
        the JPEG 2000 codestream is refused at byte 45: the progression is none of five, or there is no layer
        the JPEG 2000 codestream is refused at byte 119: the component transform is not read
        the JPEG 2000 codestream is refused at byte 45: it has more than 10 levels
        the JPEG 2000 codestream is refused at byte 45: a code block has more than 4096 samples, or a side above 1024
        the JPEG 2000 codestream is refused at byte 45: its code blocks are coded in a way that is not read
        the JPEG 2000 codestream is refused at byte 45: its wavelet transform is not the reversible one
        the JPEG 2000 codestream is refused at byte 59: it is quantised
        the JPEG 2000 codestream is refused at byte 59: a band has more than 30 bit planes, or less than none
        the JPEG 2000 codestream is refused at byte 119: a tile-part is of a tile that there is not
        the JPEG 2000 codestream is refused at byte 119: a tile-part is longer than the codestream
        the JPEG 2000 codestream is refused at byte 119: a tile's parts are not in their order
        the JPEG 2000 codestream is refused at byte 131: parameters of a single tile are not read
        the JPEG 2000 codestream is refused at byte 1364: a tile-part or the end of the codestream belongs here
        the JPEG 2000 codestream is refused at byte 45: it is of high throughput, or of part 2
        the JPEG 2000 codestream is refused at byte 45: it has a region of interest
        the JPEG 2000 codestream is refused at byte 45: its progression changes
        the JPEG 2000 codestream is refused at byte 45: its packet headers are packed
        the JPEG 2000 codestream is refused at byte 45: the marker is not read
    "#]]
    .assert_eq(&said);
}

#[test]
fn runs_are_checked() {
    let one = golden("bits_8.rle");
    let mut said = String::new();
    let mut short = one.bytes.clone();
    short.truncate(40);
    let changed = |at: usize, bytes: &[u8]| {
        let mut broken = one.bytes.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        broken
    };
    for frame in [
        short,
        changed(0, &[2]),
        changed(0, &[16]),
        changed(4, &[63]),
        changed(4, &[0xff, 0xff]),
        one.bytes[..one.bytes.len() - 4].to_vec(),
        [&one.bytes[..], &[0, 0, 0, 0]].concat(),
    ] {
        writeln!(said, "{}", refusal(&wrapped(&one.elements(1), RLE, &[], &[&frame]))).unwrap();
    }
    expect![[r#"
        the RLE frame is malformed in segment 0: the header takes 64 bytes
        the RLE frame is malformed in segment 0: there is not one segment for each byte of a sample
        the RLE frame is malformed in segment 0: there is not one segment for each byte of a sample
        the RLE frame is malformed in segment 1: its offset does not lie in the frame
        the RLE frame is malformed in segment 1: its offset does not lie in the frame
        the RLE frame is malformed in segment 1: it ends early
        the RLE frame is malformed in segment 1: it holds more than the picture
    "#]]
    .assert_eq(&said);
}

#[test]
fn palettes_become_colours() {
    let words = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let palette = |descriptor: [u16; 3], tables: [Vec<u8>; 3]| {
        let mut elements =
            with(chest(&small(), Stored::Eight, 1), Element::text((0x0028, 0x0004), *b"CS", "PALETTE COLOR"));
        for (number, table) in (1..).zip(tables) {
            let value = words(&descriptor);
            elements = with(elements, Element { tag: (0x0028, 0x1100 + number), vr: *b"US", value });
            elements = with(elements, Element { tag: (0x0028, 0x1200 + number), vr: *b"OW", value: table });
        }
        elements
    };
    // Stored values are 0, 17, … 238: entries from 17 on, so that 0 takes the first and all from 51 on the last.
    let three = |wide: bool| {
        let tables = [[10_u8, 20, 30], [40, 50, 60], [70, 80, 90]].map(|table| {
            let mut all = vec![table[0]; 17];
            all.extend([table[1]; 16]);
            all.push(table[2]);
            if wide { all.iter().flat_map(|&v| [v, 0]).collect() } else { all }
        });
        dicom(&palette([34, 17, 8], tables), EXPLICIT)
    };
    let image = open(&three(false));
    assert_eq!((image.samples(), image.bits()), (3, 8));
    let mut colours = vec![10_u8, 40, 70, 10, 40, 70, 20, 50, 80];
    colours.extend([30, 60, 90].repeat(12));
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 5, 3);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&colours).unwrap();
    assert_eq!(digest(&three(false)), digest(&png));
    assert_eq!(digest(&three(true)), digest(&png));

    let wide = || [words(&[1, 300]), words(&[2, 2]), words(&[3, 3])];
    assert_eq!(open(&dicom(&palette([2, 0, 16], wide()), EXPLICIT)).bits(), 16);
    let mut said = String::new();
    let good = || palette([2, 0, 16], wide());
    for elements in [
        palette([2, 0, 12], wide()),
        palette([3, 0, 16], wide()),
        without(good(), (0x0028, 0x1102)),
        without(good(), (0x0028, 0x1203)),
        with(good(), Element { tag: (0x0028, 0x1103), vr: *b"US", value: words(&[2, 1, 16]) }),
        with(good(), Element { tag: (0x0028, 0x1101), vr: *b"US", value: words(&[2, 1]) }),
        with(good(), Element { tag: (0x0028, 0x1221), vr: *b"OW", value: words(&[0, 1]) }),
    ] {
        writeln!(said, "{}", refusal(&dicom(&elements, EXPLICIT))).unwrap();
    }
    expect![[r#"
        Red Palette Color Lookup Table Descriptor (0028,1101) is "020000000c00": it must be three 16-bit numbers: entries, the first value, and 8 or 16 bits
        Red Palette Color Lookup Table Data (0028,1201) is "01002c01": it must have as many entries as the descriptor says
        the DICOM file has no Green Palette Color Lookup Table Descriptor (0028,1102)
        the DICOM file has no Blue Palette Color Lookup Table Data (0028,1203)
        Blue Palette Color Lookup Table Descriptor (0028,1103) is "020001001000": it must be the same for red, green and blue
        Green Palette Color Lookup Table Descriptor (0028,1102) is "020000001000": it must be the same for red, green and blue
        Segmented Red Palette Color Lookup Table Data (0028,1221) is "00000100": segmented palettes are not read
    "#]].assert_eq(&said);
}

#[test]
fn luminance_and_chrominance_become_colours() {
    let file = |model: &str, planar: u16, data: Vec<u8>| {
        let picture = Picture { width: 2, height: 1, pixels: vec![0; 2] };
        let mut elements = with(chest(&picture, Stored::Eight, 1), Element::text((0x0028, 0x0004), *b"CS", model));
        elements = with(elements, Element::number((0x0028, 0x0002), 3));
        elements = with(elements, Element::number((0x0028, 0x0006), planar));
        dicom(&with(elements, Element { tag: PIXEL_DATA, vr: *b"OB", value: data }), EXPLICIT)
    };
    let red_and_white = digest(&file("RGB", 0, vec![254, 0, 0, 255, 255, 255]));
    assert_eq!(digest(&file("YBR_FULL", 0, vec![76, 85, 255, 255, 128, 128])), red_and_white);
    assert_eq!(digest(&file("YBR_FULL", 1, vec![76, 255, 85, 128, 255, 128])), red_and_white);
    let dark_red = digest(&file("RGB", 0, vec![254, 0, 0, 208, 0, 0]));
    assert_eq!(digest(&file("YBR_FULL_422", 0, vec![76, 30, 85, 255])), dark_red);
    let mut said = String::new();
    for broken in [
        file("YBR_FULL_422", 1, vec![76, 76, 85, 255]),
        file("YBR_FULL_422", 0, vec![76, 76, 85, 255, 0, 0]),
        file("YBR_RCT", 0, vec![0; 6]),
        file("YBR_ICT", 0, vec![0; 6]),
    ] {
        writeln!(said, "{}", refusal(&broken)).unwrap();
    }
    expect![[r#"
        Planar Configuration (0028,0006) is "1": it must be 0 where two pixels share their chrominance
        the pixel data has 6 bytes where rows, columns, samples and bits ask for 4
        Photometric Interpretation (0028,0004) is "YBR_RCT": it is not read in this transfer syntax
        Photometric Interpretation (0028,0004) is "YBR_ICT": it must be MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422 or YBR_RCT
    "#]].assert_eq(&said);
}

#[test]
fn a_frame_that_ends_early_is_refused() {
    for name in ["grey_optimised.jpg", "restarts.ljp", "narrow.j2k", "mode_symbols.j2k", "bits_12.rle"] {
        let one = golden(name);
        let step = 1 + one.bytes.len() / 400;
        // An even RLE segment may have ended with a byte of padding.
        for length in (0..one.bytes.len() - 1).step_by(step) {
            let file = wrapped(&one.elements(1), one.syntaxes()[0], &[], &[&one.bytes[..length]]);
            assert!(decode(&file, Limits::default()).is_err(), "{length} bytes of {name}");
        }
    }
}

#[test]
fn a_claim_costs_nothing() {
    // The largest sides in a few bytes: refused before there is room for them.
    let (jpeg, stream) = (golden("grey.jpg").bytes, golden("bits_8.j2k").bytes);
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let mut large = jpeg.clone();
    large[at + 5..at + 9].fill(0xff);
    assert!(matches!(decode(&large, Limits::default()), Err(ImageError::TooManySamples { .. })));
    // Sides that agree with the attributes, and tiles, code blocks and layers without end.
    let mut many = stream;
    let style = many.windows(2).position(|two| two == [0xff, 0x52]).unwrap();
    many[style + 6..style + 8].fill(0xff);
    many[style + 10..style + 12].fill(0);
    let size = many.windows(2).position(|two| two == [0xff, 0x51]).unwrap();
    many[size + 6..size + 14].copy_from_slice(&[0, 0, 0x03, 0xff, 0, 0, 0x03, 0xff]);
    many[size + 22..size + 30].copy_from_slice(&[0, 0, 0x03, 0xff, 0, 0, 0x03, 0xff]);
    let large = Golden { width: 1023, height: 1023, bytes: many, ..golden("bits_8.j2k") };
    expect!["the JPEG 2000 codestream is refused at byte 133: it has too many precincts, code blocks and layers"]
        .assert_eq(&refusal(&large.wrapped()));
}

/// A codestream whose every packet is empty: a picture of one grey, of any size in a hundred bytes.
fn blank(side: u32) -> Vec<u8> {
    let marker = |code: u8, body: &[u8]| {
        [&[0xff, code], &u16::try_from(body.len() + 2).unwrap().to_be_bytes()[..], body].concat()
    };
    let side = side.to_be_bytes();
    let size = [&[0, 0][..], &side, &side, &[0; 8], &side, &side, &[0; 8], &[0, 1, 7, 1, 1]].concat();
    // One layer, five levels, blocks of 64 × 64, reversible; each band's exponent.
    let style = [0, 0, 0, 1, 0, 5, 4, 4, 0, 1];
    let steps = [&[0x40][..], &[8 << 3; 16]].concat();
    let packets = [0; 6];
    let part = [&[0, 0][..], &u32::try_from(14 + packets.len()).unwrap().to_be_bytes(), &[0, 1]].concat();
    let head = [&[0xff, 0x4f][..], &marker(0x51, &size), &marker(0x52, &style), &marker(0x5c, &steps)].concat();
    [&head[..], &marker(0x90, &part), &[0xff, 0x93], &packets, &[0xff, 0xd9]].concat()
}

#[test]
fn what_a_frame_takes_is_known_and_bounded() {
    let mut said = String::new();
    for name in ["grey_optimised.jpg", "restarts.ljp", "narrow.j2k", "bits_12.j2k", "bits_16.j2k", "bits_12.rle"] {
        let one = golden(name);
        let file = one.wrapped();
        let took = open(&file).effort();
        let samples = u64::from(one.width) * u64::from(one.height) * u64::from(one.samples);
        writeln!(said, "{name}: {took} for {samples} samples").unwrap();
        let within = |effort: u64| decode(&file, Limits { effort, ..Limits::default() });
        assert!(within(took).is_ok(), "{name}");
        assert_eq!(within(took - 1), Err(ImageError::Effort { max: took - 1 }), "{name}");
        assert_eq!(effort(&file, Limits::default()), Ok(0), "{name} is small");
    }
    expect![[r#"
        grey_optimised.jpg: 3219 for 1073 samples
        restarts.ljp: 1173 for 391 samples
        narrow.j2k: 3060 for 120 samples
        bits_12.j2k: 58155 for 1575 samples
        bits_16.j2k: 77055 for 1575 samples
        bits_12.rle: 2146 for 1073 samples
    "#]]
    .assert_eq(&said);

    // 2²⁴ samples in a hundred bytes: much is asked for, and all that it takes is told before.
    let elements = golden("bits_8.j2k").elements(1);
    let sides = |side: u16| {
        let elements = with(elements.clone(), Element::number((0x0028, 0x0010), side));
        with(elements, Element::number((0x0028, 0x0011), side))
    };
    let large = wrapped(&sides(4096), JPEG_2000, &[], &[&blank(4096)]);
    assert!(large.len() < 1000);
    let image = open(&large);
    assert_eq!((image.width(), image.height(), image.effort()), (4096, 4096, 4 << 24));
    assert_eq!(effort(&large, Limits::default()), Ok(4 << 24));
    assert_eq!(decode(&large, Limits::registered(0)), Err(ImageError::Effort { max: EFFORT_FREE }));
    assert!(decode(&large, Limits::registered(4 << 24)).is_ok());
    let larger = wrapped(&sides(4097), JPEG_2000, &[], &[&blank(4097)]);
    assert!(matches!(decode(&larger, Limits::default()), Err(ImageError::TooManySamples { .. })));
}

#[test]
fn the_dearest_frame_counts() {
    let one = golden("bits_8.j2k");
    let (cheap, dear) = (blank(2048), blank(2048));
    let elements = one.elements(2);
    let elements = with(elements, Element::number((0x0028, 0x0010), 2048));
    let elements = with(elements, Element::number((0x0028, 0x0011), 2048));
    let file = wrapped(&elements, JPEG_2000, &[], &[&cheap, &dear]);
    assert_eq!(effort(&file, Limits::default()), Ok(4 << 22));
    let broken = wrapped(&elements, JPEG_2000, &[], &[&cheap, b"no picture"]);
    assert!(matches!(effort(&broken, Limits::default()), Err(ImageError::Jpeg2000 { .. })));
}
