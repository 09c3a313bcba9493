//! What does it take to decode a picture, beside what a read of it pays?
//!
//! `cargo bench -p aceso-inference --bench pictures -- [--rounds N] FILE…`: of each file its bytes, samples and effort, the
//! least time on the processor of decoding its first frame and making an identity and a tensor of it, and nanoseconds a byte, a sample and a pass over a sample
//! (`IMAGE.md`, Effort). `tools/large.py` writes such files. Prices stand in the chain's `components/reads/read.rs`.

#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::{hint::black_box, time::Duration};

use aceso_inference::image::{Limits, Stated, decode};
use aceso_types::manifest::{Channels, Crop, Layout, Pipeline, Resize, Window};
use anyhow::{Context, Result};

fn main() -> Result<()> {
    let (mut rounds, mut files) = (5, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What cargo itself passes.
            "--bench" => (),
            "--rounds" => rounds = arguments.next().context("--rounds N")?.parse()?,
            file => files.push(file.to_owned()),
        }
    }
    let pipeline = Pipeline {
        modalities: vec!["DX".into()],
        body_parts: Vec::new(),
        channels: Channels::Grey,
        window: Window::Full,
        crop: Crop::None,
        width: 224,
        height: 224,
        resize: Resize::Area,
        layout: Layout::Nchw,
        normalise: None,
        table: None,
    };
    println!("| file | bytes | samples | effort | ms | ns/byte | ns/sample | ns/effort |");
    println!("|---|---|---|---|---|---|---|---|");
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| file.clone())?;
        let mut least = Duration::MAX;
        let mut image = decode(&bytes, Limits::default()).with_context(|| file.clone())?;
        let modality = if image.modality().is_some() { "" } else { "DX" };
        let stated = Stated { modality: modality.into(), body_part: String::new() };
        for _ in 0..rounds {
            let begun = spent()?;
            image = decode(&bytes, Limits::default())?;
            black_box((image.pixel_digest(), image.to_tensor(&pipeline, &stated)?));
            least = least.min(spent()? - begun);
        }
        let samples = u64::from(image.width()) * u64::from(image.height()) * u64::from(image.samples());
        let each = |count: u64| match count {
            0 => "–".to_owned(),
            count => format!("{:.2}", least.as_secs_f64() * 1e9 / count as f64),
        };
        let name = file.rsplit('/').next().unwrap_or(&file);
        println!(
            "| {name} | {} | {samples} | {} | {:.1} | {} | {} | {} |",
            bytes.len(),
            image.effort(),
            least.as_secs_f64() * 1e3,
            each(bytes.len() as u64),
            each(samples),
            each(image.effort())
        );
    }
    Ok(())
}

/// Time of this process on the processor; it has one thread.
fn spent() -> Result<Duration> {
    let told = std::fs::read_to_string("/proc/self/schedstat").context("Linux alone tells this")?;
    Ok(Duration::from_nanos(told.split(' ').next().context("an empty answer")?.parse()?))
}
