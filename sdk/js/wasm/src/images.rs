//! Pictures: what they are, and how they look.

use aceso_inference::image::{Format, Image, ImageError, Limits, Stated, decode_frame, effort};
use aceso_types::{
    BlobId, Frame,
    manifest::{Channels, Crop, Layout, Pipeline, Resize, Window},
};
use serde_json::{Value, json};

use crate::Answer;

/// Longest side of a preview.
const SIDE_MAX: u32 = 1024;
/// What is stated of a file that says nothing itself: DICOM's code for "other".
const OTHER: &str = "OT";

/// The frame that four bytes name, big-endian; the first where there are none.
pub(crate) fn named(frame: &[u8]) -> Result<Frame, String> {
    if frame.is_empty() {
        return Ok(Frame::FIRST);
    }
    let number = frame.try_into().map_err(|_| format!("a frame's number has 4 bytes, not {}", frame.len()))?;
    Frame::new(u32::from_be_bytes(number)).ok_or_else(|| "there is no frame 0: they are counted from 1".into())
}

/// What a frame of a file is. `raw` is the file's CID if it is stored as a single block.
pub(crate) fn describe(file: &[u8], frame: &[u8]) -> Result<Answer, String> {
    let image = decode_frame(file, named(frame)?, Limits::default()).map_err(|e| e.to_string())?;
    Answer::json(&facts(&image, file))
}

/// With which effort a file is to be registered, in decimal digits: it may be larger than what JavaScript has numbers for.
pub(crate) fn takes(file: &[u8]) -> Result<Answer, String> {
    Answer::json(&effort(file, Limits::default()).map_err(|e| e.to_string())?.to_string())
}

/// A frame's picture, at its own size where that is small enough: rows from the top, one byte (grey) or three (red, green,
/// blue) per pixel, through the window that the file names, else over the whole range.
pub(crate) fn preview(file: &[u8], frame: &[u8]) -> Result<Answer, String> {
    let image = decode_frame(file, named(frame)?, Limits::default()).map_err(|e| e.to_string())?;
    let (width, height) = fit(image.width(), image.height());
    let render = |window| {
        let pipeline = Pipeline {
            modalities: vec![image.modality().unwrap_or(OTHER).into()],
            body_parts: Vec::new(),
            channels: if image.samples() == 3 { Channels::Rgb } else { Channels::Grey },
            window,
            crop: Crop::None,
            width,
            height,
            resize: Resize::Area,
            layout: Layout::Nhwc,
            normalise: None,
            table: None,
        };
        let modality = if image.modality().is_some() { String::new() } else { OTHER.into() };
        image.to_tensor(&pipeline, &Stated { modality, body_part: String::new() })
    };
    let shown = match render(Window::Image) {
        Err(ImageError::Window(_)) => render(Window::Full),
        other => other,
    };
    let mut facts = facts(&image, file);
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("shown".into(), json!({"width": width, "height": height}));
    }
    Answer::with(&facts, shown.map_err(|e| e.to_string())?.into_data())
}

fn facts(image: &Image, file: &[u8]) -> Value {
    json!({
        "pixels": image.pixel_digest(),
        "raw": BlobId::of_raw(file),
        "format": match image.format() { Format::Png => "png", Format::Jpeg => "jpeg", Format::Dicom => "dicom" },
        "width": image.width(),
        "height": image.height(),
        "samples": image.samples(),
        "bits": image.bits(),
        "modality": image.modality(),
        "body_part": image.body_part(),
    })
}

/// The largest size of the same shape with no side above [`SIDE_MAX`]; never larger than the image.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longest = u64::from(width.max(height));
    if longest <= SIDE_MAX.into() {
        return (width, height);
    }
    let scaled = |side: u32| u32::try_from(u64::from(side) * u64::from(SIDE_MAX) / longest).unwrap_or(1).max(1);
    (scaled(width), scaled(height))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::answer;

    pub(crate) fn png(width: u32, height: u32, color: png::ColorType, pixels: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        file
    }

    fn parts(result: Result<Answer, String>) -> (Value, Vec<u8>) {
        let bytes = answer::encode(result);
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        (serde_json::from_slice(&bytes[4..4 + length]).unwrap(), bytes[4 + length..].to_vec())
    }

    #[test]
    fn a_small_picture_is_shown_as_it_is() {
        for (color, pixels) in [(png::ColorType::Grayscale, &[0, 9, 200, 255][..]), (png::ColorType::Rgb, &[7; 12])] {
            let (json, bytes) = parts(preview(&png(2, 2, color, pixels), &[]));
            assert_eq!(json["ok"]["shown"], json!({"width": 2, "height": 2}), "{json}");
            assert_eq!(bytes, pixels);
        }
    }

    #[test]
    fn a_large_picture_is_made_smaller() {
        let (json, bytes) = parts(preview(&png(2048, 1000, png::ColorType::Grayscale, &vec![77; 2_048_000]), &[]));
        assert_eq!(json["ok"]["shown"], json!({"width": 1024, "height": 500}));
        assert_eq!((json["ok"]["width"].as_u64(), bytes), (Some(2048), vec![77; 512_000]));
    }

    #[test]
    fn one_picture_in_two_wrappings_is_one() {
        let file = png(2, 2, png::ColorType::Grayscale, &[0, 9, 200, 255]);
        let (one, _) = parts(describe(&file, &[]));
        let (other, _) = parts(describe(&[&file[..], b"trailing"].concat(), &1_u32.to_be_bytes()));
        assert_eq!(one["ok"]["pixels"], other["ok"]["pixels"]);
        assert_eq!(one["ok"]["raw"], json!(BlobId::of_raw(&file)));
    }

    #[test]
    fn a_frame_that_there_is_none_of_is_a_sentence() {
        let file = png(2, 2, png::ColorType::Grayscale, &[0, 9, 200, 255]);
        let said = |frame: &[u8]| describe(&file, frame).unwrap_err();
        expect_test::expect!["frame 2 is asked for, and the file has frames 1 to 1"].assert_eq(&said(&[0, 0, 0, 2]));
        expect_test::expect!["there is no frame 0: they are counted from 1"].assert_eq(&said(&[0; 4]));
        expect_test::expect!["a frame's number has 4 bytes, not 1"].assert_eq(&said(&[2]));
    }

    #[test]
    fn what_is_no_picture_is_a_sentence() {
        for file in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n"] {
            assert!(describe(file, &[]).is_err() && preview(file, &[]).is_err(), "{file:?}");
        }
    }
}
