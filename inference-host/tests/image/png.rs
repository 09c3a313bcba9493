//! PNG files: depths, colours, and what is refused.

use std::io::Write;

use aceso_inference::image::{Format, ImageError, Limits, decode};
use expect_test::expect;
use png::{BitDepth, ColorType, Encoder};

use crate::{digest, open, phantom, refusal, same_size, small};

fn encode(width: u32, height: u32, color: ColorType, depth: BitDepth, data: &[u8], palette: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    file
}

#[test]
fn every_depth_and_colour_is_read() {
    let image = open(&phantom::png(&small()).unwrap());
    assert_eq!((image.format(), image.width(), image.height()), (Format::Png, 5, 3));
    assert_eq!((image.samples(), image.bits(), image.signed(), image.modality()), (1, 8, false, None));

    let bytes = |file: &[u8]| same_size(file, |_| {}).unwrap();
    assert_eq!(bytes(&encode(4, 1, ColorType::Grayscale, BitDepth::Two, &[0b00_01_10_11], &[])), [0, 85, 170, 255]);
    assert_eq!(bytes(&encode(2, 1, ColorType::Grayscale, BitDepth::One, &[0b01_000000], &[])), [0, 255]);
    let wide = encode(3, 1, ColorType::Grayscale, BitDepth::Sixteen, &[0, 128, 0, 129, 0xff, 0xff], &[]);
    assert_eq!((open(&wide).bits(), bytes(&wide)), (16, vec![0, 1, 255]));
    let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255];
    let rgb = encode(3, 1, ColorType::Rgb, BitDepth::Eight, &colours, &[]);
    assert_eq!((open(&rgb).samples(), bytes(&rgb)), (3, vec![76, 150, 29]));
    let indexed = encode(3, 1, ColorType::Indexed, BitDepth::Two, &[0b00_01_10_00], &colours);
    assert_eq!((digest(&indexed), bytes(&indexed)), (digest(&rgb), bytes(&rgb)));
}

#[test]
fn wrapping_does_not_change_who_an_image_is() {
    let grey = phantom::png(&small()).unwrap();
    expect!["de595c607e62c8230421f45b9f77207cbf9e1bac692753c4bafad4b8615ec0a9"].assert_eq(&digest(&grey));
    let each = |f: fn(u8) -> Vec<u8>| small().pixels.into_iter().flat_map(f).collect::<Vec<u8>>();
    let same = [
        encode(5, 3, ColorType::Rgb, BitDepth::Eight, &each(|v| vec![v; 3]), &[]),
        encode(5, 3, ColorType::Rgba, BitDepth::Eight, &each(|v| vec![v, v, v, 255]), &[]),
        encode(5, 3, ColorType::GrayscaleAlpha, BitDepth::Eight, &each(|v| vec![v, 255]), &[]),
        encode(5, 3, ColorType::Grayscale, BitDepth::Sixteen, &each(|v| vec![v, v]), &[]),
        encode(5, 3, ColorType::Grayscale, BitDepth::Sixteen, &each(|v| vec![0, v]), &[]),
    ];
    for (case, file) in same.iter().enumerate() {
        assert_eq!(digest(file), digest(&grey), "case {case}");
    }
    let mut picture = small();
    picture.pixels[7] += 1;
    assert_ne!(digest(&phantom::png(&picture).unwrap()), digest(&grey));
    picture = small();
    (picture.width, picture.height) = (3, 5);
    assert_ne!(digest(&phantom::png(&picture).unwrap()), digest(&grey));
}

#[test]
fn an_image_that_cannot_be_read_is_refused_by_what_is_wrong() {
    let file = phantom::png(&small()).unwrap();
    expect!["the PNG does not decode: the file ends early"].assert_eq(&refusal(&file[..file.len() - 20]));
    expect!["the PNG does not decode: CRC error: expected 0xa161692c have 0x97781849 while decoding ChunkType { type: IDAT, critical: true, private: false, reserved: false, safecopy: false } chunk."].assert_eq(&refusal(&[&file[..45], &[!file[45]], &file[46..]].concat()));
    let clear = encode(2, 2, ColorType::GrayscaleAlpha, BitDepth::Eight, &[1, 255, 2, 255, 3, 255, 4, 254], &[]);
    expect!["the PNG is transparent at column 1, row 1; flatten it first"].assert_eq(&refusal(&clear));
    let mut moving = Vec::new();
    let mut encoder = Encoder::new(&mut moving, 1, 1);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0]).unwrap();
    writer.write_image_data(&[1]).unwrap();
    writer.finish().unwrap();
    expect!["the PNG is animated (2 frames); one picture is read"].assert_eq(&refusal(&moving));
    for (file, want) in [(&b""[..], ImageError::Unrecognised), (b"GIF89a", ImageError::Unrecognised)] {
        assert_eq!(decode(file, Limits::default()), Err(want));
    }
}

#[test]
fn depths_and_colours_that_png_does_not_have_are_named() {
    let file = phantom::png(&small()).unwrap();
    let said = [(3, 0), (0, 0), (16, 3), (4, 2), (8, 1), (8, 7)].map(|(depth, colour)| {
        let mut other = file.clone();
        (other[24], other[25]) = (depth, colour);
        let mut crc = flate2::Crc::new();
        crc.update(&other[12..29]);
        other[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        format!("{depth} bits, colour {colour}: {}", refusal(&other))
    });
    expect![[r#"
        3 bits, colour 0: the PNG does not decode: Invalid bit depth 3.
        0 bits, colour 0: the PNG does not decode: Invalid bit depth 0.
        16 bits, colour 3: the PNG does not decode: Invalid color/depth combination in header: Indexed/Sixteen
        4 bits, colour 2: the PNG does not decode: Invalid color/depth combination in header: Rgb/Four
        8 bits, colour 1: the PNG does not decode: Invalid color type 1.
        8 bits, colour 7: the PNG does not decode: Invalid color type 7."#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn a_palette_has_whole_colours_and_at_most_256() {
    let with = |bytes: usize| encode(1, 1, ColorType::Indexed, BitDepth::Eight, &[0], &vec![7; bytes]);
    for bytes in [3, 6, 768] {
        assert_eq!(open(&with(bytes)).samples(), 3);
    }
    let said = |bytes| decode(&with(bytes), Limits::default()).unwrap_err().to_string();
    for bytes in [4, 5, 49, 767] {
        assert!(said(bytes).ends_with(&format!("the palette has {bytes} bytes, not 3 for each colour")), "{bytes}");
    }
    for bytes in [1, 2, 769, 771, 3000] {
        assert!(said(bytes).contains("Chunk length wrong"), "{bytes}");
    }
}

#[test]
fn bombs_are_refused_before_anything_is_allocated() {
    let header = |width: u32, height: u32| {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 0, 0, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &chunk[..], &crc.sum().to_be_bytes()].concat()
    };
    let many = ImageError::TooManySamples { width: 65_535, height: 65_535, samples: 1, max: 16 << 20 };
    assert_eq!(decode(&header(65_535, 65_535), Limits::default()), Err(many));
    let long = ImageError::Side { width: 65_536, height: 1 };
    assert_eq!(decode(&header(65_536, 1), Limits::default()), Err(long));

    // Three megabytes of zeros in a few kilobytes: read at the limit, refused one below.
    let colour = vec![0; 3 << 20];
    let file = encode(1024, 1024, ColorType::Rgb, BitDepth::Eight, &colour, &[]);
    let limits = Limits { bytes: file.len(), samples: 3 << 20, ..Limits::default() };
    assert!(decode(&file, limits).is_ok());
    let refused = ImageError::TooManySamples { width: 1024, height: 1024, samples: 3, max: (3 << 20) - 1 };
    assert_eq!(decode(&file, Limits { samples: (3 << 20) - 1, ..limits }), Err(refused));
    let refused = ImageError::TooManyBytes { bytes: file.len(), max: file.len() - 1 };
    assert_eq!(decode(&file, Limits { bytes: file.len() - 1, ..limits }), Err(refused));

    // One pixel, and behind it what would inflate to 64 MiB: only the pixel is ever unpacked.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..64).for_each(|_| packed.write_all(&vec![0; 1 << 20]).unwrap());
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes(), &name[..], data, &crc.sum().to_be_bytes()].concat()
    };
    let one = encode(1, 1, ColorType::Grayscale, BitDepth::Eight, &[0], &[]);
    let bomb = [&one[..33], &chunk(b"IDAT", &packed.finish().unwrap()), &chunk(b"IEND", &[])].concat();
    assert_eq!(digest(&bomb), digest(&one));
}
