//! A manifest's pipeline over one image: checks, grey or colour, window, crop, resize, layout.

use aceso_types::{
    manifest::{Channels, Layout, Pipeline},
    tensor::{ElementType, Tensor},
};

use super::{
    Image, ImageError, Stated,
    resample::{Rect, crop, resize},
    window::Table,
};

/// Is a record of a kind that the model reads, by what its file and the registrant say of modality and body part?
pub(crate) fn suits(
    own_modality: Option<&str>,
    own_body_part: Option<&str>,
    pipeline: &Pipeline,
    stated: &Stated,
) -> Result<(), ImageError> {
    let modality = agreed("modality", own_modality, &stated.modality)?;
    accepted("modality", modality, &pipeline.modalities)?;
    let body_part = agreed("body part", own_body_part, &stated.body_part)?;
    if pipeline.body_parts.is_empty() { Ok(()) } else { accepted("body part", body_part, &pipeline.body_parts) }
}

/// What the file and the registrant say together.
fn agreed<'a>(field: &'static str, own: Option<&'a str>, stated: &'a str) -> Result<Option<&'a str>, ImageError> {
    match own {
        Some(own) if !stated.is_empty() && own != stated => {
            Err(ImageError::Contradiction { field, own: own.into(), stated: stated.into() })
        }
        Some(own) => Ok(Some(own)),
        None => Ok(Some(stated).filter(|text| !text.is_empty())),
    }
}

fn accepted(field: &'static str, got: Option<&str>, list: &[String]) -> Result<(), ImageError> {
    let got = got.ok_or(ImageError::Unstated { field })?;
    if list.iter().any(|one| one == got) {
        return Ok(());
    }
    Err(ImageError::NotAccepted { field, got: got.into(), accepted: list.join(", ") })
}

/// The input tensor.
pub(super) fn run(image: &Image, pipeline: &Pipeline) -> Result<Tensor, ImageError> {
    let to = (pipeline.width, pipeline.height);
    let channels = pipeline.channels.count();
    let dims = match pipeline.layout {
        Layout::Nchw => vec![1, channels, to.1, to.0],
        Layout::Nhwc => vec![1, to.1, to.0, channels],
    };
    let bytes = Tensor::bytes(ElementType::U8, &dims)?;
    let rect = crop(pipeline.crop, image.width, image.height, to);
    let table = Table::of(image, pipeline.window)?;
    let planes: Vec<Vec<u8>> = match (pipeline.channels, image.samples) {
        (Channels::Rgb, 3) => {
            (0..3).map(|channel| plane(image, rect, &table, |at| image.values.at(at + channel))).collect()
        }
        (_, 3) => vec![plane(image, rect, &table, |at| luma(image, at))],
        _ => vec![plane(image, rect, &table, |at| image.values.at(at))],
    };
    let planes: Vec<Vec<u8>> =
        planes.iter().map(|plane| resize(pipeline.resize, plane, (rect.width, rect.height), to)).collect();
    // Grey is repeated where the model sees colours.
    let mut planes = planes.iter().cycle().take(channels as usize);
    let mut data = Vec::with_capacity(bytes);
    match pipeline.layout {
        Layout::Nchw => planes.for_each(|plane| data.extend_from_slice(plane)),
        Layout::Nhwc => {
            let all: Vec<&Vec<u8>> = planes.by_ref().collect();
            let pixels = to.0 as usize * to.1 as usize;
            (0..pixels).for_each(|pixel| data.extend(all.iter().filter_map(|plane| plane.get(pixel))));
        }
    }
    Ok(Tensor::new(ElementType::U8, dims, data)?)
}

/// The windowed plane of a part of the image; `value` is asked with the index of a pixel's first sample.
fn plane(image: &Image, rect: Rect, table: &Table, value: impl Fn(usize) -> i32) -> Vec<u8> {
    let samples = usize::from(image.samples);
    let mut out = Vec::with_capacity(rect.width as usize * rect.height as usize);
    for y in rect.top..rect.top + rect.height {
        let start = y as usize * image.width as usize + rect.left as usize;
        out.extend((start..start + rect.width as usize).map(|pixel| table.at(value(pixel * samples))));
    }
    out
}

/// ITU-R BT.601 in 16 bits of fraction, half up: `(19595·R + 38470·G + 7471·B + 32768) >> 16`; the weights sum to 65536.
fn luma(image: &Image, at: usize) -> i32 {
    let weighted = [19_595_i64, 38_470, 7_471].iter().zip(at..).map(|(w, at)| w * i64::from(image.values.at(at)));
    i32::try_from((weighted.sum::<i64>() + 32_768) >> 16).unwrap_or(0)
}
