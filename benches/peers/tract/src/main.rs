//! tract on one thread, told what to do line by line as ONNX Runtime is (`benches/peers/onnxruntime/serve.py`), so that a bench
//! can take turns with it.
//!
//! `load MEAN DEVIATION FILE` makes a model ready whose image, if it is float, is normalised by these (in millionths); `run N`
//! runs it N times on a fixed image and answers `{"seconds": on the processor per run, "output": the first output's bytes in
//! hexadecimal}`. What tract cannot do it answers as `{"error": …}`.

use std::io::{BufRead, Write};

use anyhow::format_err;
use serde_json::{Value, json};
use tract_onnx::prelude::*;

type Ready = (Arc<TypedRunnableModel>, TValue);

fn main() {
    let mut ready = None;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let answer = answer(&line, &mut ready).unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        println!("{answer}");
        if std::io::stdout().flush().is_err() {
            return;
        }
    }
}

fn answer(line: &str, ready: &mut Option<Ready>) -> TractResult<Value> {
    let (verb, argument) = line.split_once(' ').ok_or_else(|| format_err!("no argument"))?;
    match verb {
        "load" => {
            *ready = None;
            let begun = on_processor();
            let mut parts = argument.splitn(3, ' ');
            let mut part = || parts.next().ok_or_else(|| format_err!("load MEAN DEVIATION FILE"));
            let (mean, deviation, path) = (part()?.parse::<f32>()? / 1e6, part()?.parse::<f32>()? / 1e6, part()?);
            let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?;
            let fact = model.input_fact(0)?.clone();
            let shape = fact.shape.as_concrete().ok_or_else(|| format_err!("its image has no fixed shape"))?.to_vec();
            let count = shape.iter().product::<usize>() as u64;
            let bytes = (0..count).map(|at: u64| (at * 31 + (at >> 8) * 7).to_le_bytes()[0]);
            let image = if fact.datum_type == f32::datum_type() {
                let values: Vec<f32> = bytes.map(|byte| (f32::from(byte) / 255.0 - mean) / deviation).collect();
                Tensor::from_shape(&shape, &values)?
            } else {
                Tensor::from_shape(&shape, &bytes.collect::<Vec<u8>>())?
            };
            *ready = Some((model.into_runnable()?, image.into()));
            Ok(json!({ "seconds": on_processor() - begun, "version": "0.23.9" }))
        }
        _ => {
            let (model, image) = ready.as_ref().ok_or_else(|| format_err!("nothing is loaded"))?;
            let runs: u32 = argument.parse()?;
            let first = model.run(tvec!(image.clone()))?;
            let output = hex::encode(first[0].as_bytes());
            let begun = on_processor();
            for _ in 0..runs {
                model.run(tvec!(image.clone()))?;
            }
            Ok(json!({ "seconds": (on_processor() - begun) / f64::from(runs.max(1)), "output": output }))
        }
    }
}

/// Seconds that this thread has had of a processor.
fn on_processor() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
