//! What does each kind of operation take, beside its price in `src/meter.rs`, and where is a cliff?
//!
//! `cargo bench -p aceso-inference --bench steps -- [--kernels SET] [--rounds N] FILE.onnx…`: the steps of networks such as
//! `benches/peers/onnxruntime/families.py` and `integers.py` write, each by itself, with AVX2 unless another set is named; nothing slower than
//! AVX2 is priced for. Of each step the least time of the rounds counts, by the clock or on the processor, so that other work
//! on the machine counts little.
//! First come the shapes of products with what they do a second, then each kind with nanoseconds an element, then each
//! network with its gas per nanosecond, which is meant to be 1, and what stands before its first run: admission, and
//! what follows a restart with the first run: admission again, a packed model from a file that the system has in memory, and
//! one from the disk. The three take turns; seals are checked as a node does it.

#![allow(
    unsafe_code,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is what it is for: it reads the clock and prints"
)]

use std::{collections::BTreeMap, fs::File, io::Read, os::fd::AsRawFd, path::Path, time::Instant};

use aceso_inference::{
    KernelSet, Kernels, Model, Packed, StepFacts, admit_known, admit_packed, admit_with, meter, unpack,
};
use aceso_types::{
    BlobId, Manifest, Tensor,
    manifest::{Channels, Label, Onnx},
};
use anyhow::{Context, Result};

/// Wasm gas of a nanosecond, as prices are meant.
const GAS_PER_NS: f64 = 1e3;

/// What some steps took and cost.
#[derive(Clone, Copy, Default)]
struct Sum {
    steps: u64,
    ns: f64,
    bytes: u64,
    macs: u64,
    gas: u64,
}

fn main() -> Result<()> {
    let (mut set, mut rounds, mut files) = (KernelSet::Avx2, 15, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What cargo itself passes.
            "--bench" => (),
            "--kernels" => set = arguments.next().context("--kernels SET")?.parse()?,
            "--rounds" => rounds = arguments.next().context("--rounds N")?.parse()?,
            file => files.push(file.to_string()),
        }
    }
    let mut kinds: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut shapes: BTreeMap<(&str, u64, u64), Sum> = BTreeMap::new();
    let mut networks = Vec::new();
    for file in files {
        let onnx = std::fs::read(&file).with_context(|| file.clone())?;
        let start = Instant::now();
        let (model, manifest) = admit(&onnx, Kernels::new(set)?)?;
        let admitted = start.elapsed().as_secs_f64() * 1e3;
        let image = image(&model)?;
        let starts = starts(&onnx, &manifest, Kernels::new(set)?, &image, rounds.clamp(1, 15))?;
        let mut all = Sum::default();
        for (facts, ns) in steps(&model, &image, rounds)? {
            let sums = [
                kinds.entry(facts.name).or_default(),
                shapes.entry((facts.name, facts.depth, facts.bytes)).or_default(),
                &mut all,
            ];
            for sum in sums {
                sum.steps += 1;
                sum.ns += ns;
                sum.bytes += facts.bytes;
                sum.macs += facts.macs;
                sum.gas += facts.gas;
            }
        }
        networks.push((file, all, meter::run(&model.facts()), admitted, starts));
    }
    println!(
        "{:<24} {:>7} {:>9} {:>5} {:>9} {:>8} {:>8}",
        "shape", "depth", "bytes", "steps", "µs", "GMAC/s", "gas/ns"
    );
    for ((name, depth, bytes), sum) in shapes.iter().filter(|(_, sum)| sum.ns > 20e3) {
        let us = sum.ns / sum.steps as f64 / 1e3;
        let (speed, price) = (sum.macs as f64 / sum.ns, sum.gas as f64 / sum.ns / GAS_PER_NS);
        println!("{name:<24} {depth:>7} {bytes:>9} {:>5} {us:>9.1} {speed:>8.1} {price:>8.2}", sum.steps);
    }
    println!("\n{:<24} {:>6} {:>10} {:>8} {:>8} {:>8}", "kind", "steps", "µs", "ns/byte", "GMAC/s", "gas/ns");
    for (name, sum) in &kinds {
        let (each, speed) = (sum.ns / sum.bytes as f64, sum.macs as f64 / sum.ns);
        let price = sum.gas as f64 / sum.ns / GAS_PER_NS;
        println!("{name:<24} {:>6} {:>10.1} {each:>8.3} {speed:>8.1} {price:>8.2}", sum.steps, sum.ns / 1e3);
    }
    println!(
        "\n{:<32} {:>10} {:>8} {:>8} {:>8}   first run, ms: {:>8} {:>8} {:>8} {:>8}",
        "network", "ms", "GMAC/s", "gas/ns", "admit ms", "again", "packed", "disk", "MB"
    );
    for (file, sum, gas, admitted, [again, packed, disk, size]) in networks {
        let (speed, price) = (sum.macs as f64 / sum.ns, gas as f64 / sum.ns / GAS_PER_NS);
        let name = file.rsplit('/').next().unwrap_or(&file);
        println!(
            "{name:<32} {:>10.2} {speed:>8.1} {price:>8.2} {admitted:>8.1}{:>18}{again:>8.1} {packed:>8.1} {disk:>8.1} {size:>8.1}",
            sum.ns / 1e6,
            ""
        );
    }
    Ok(())
}

/// Median milliseconds to the end of the first run: of a model that is admitted again, that was packed, and that was packed and
/// is not in memory; and megabytes of what was packed.
fn starts(onnx: &[u8], manifest: &Manifest, kernels: Kernels, image: &Tensor, rounds: usize) -> Result<[f64; 4]> {
    let (id, key) = (manifest.id(), [7; 32]);
    let (_, packed) = admit_packed(onnx, manifest, kernels)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("packed");
    std::fs::write(&file, [&packed[..], blake3::keyed_hash(&key, &packed).as_bytes()].concat())?;
    File::open(&file)?.sync_all()?;
    let read = || -> Result<Model> {
        let mut file = File::open(&file)?;
        let mut packed = Packed::zeros(usize::try_from(file.metadata()?.len())?);
        file.read_exact(packed.bytes_mut())?;
        let (body, seal) = packed.bytes().split_last_chunk::<32>().context("no seal")?;
        anyhow::ensure!(blake3::keyed_hash(&key, body) == *seal, "the seal does not hold");
        let whole = body.len();
        Ok(unpack(packed.first(whole), &id, kernels)?)
    };
    let again = || Ok(admit_known(onnx, manifest, kernels)?);
    let timed = |ready: &dyn Fn() -> Result<Model>| -> Result<f64> {
        let start = Instant::now();
        let outputs = ready()?.run(std::slice::from_ref(image))?;
        anyhow::ensure!(!outputs.is_empty(), "nothing was computed");
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        times[0].push(timed(&again)?);
        times[1].push(timed(&read)?);
        forget(&file)?;
        times[2].push(timed(&read)?);
    }
    let [again, kept, disk] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    Ok([again, kept, disk, packed.len() as f64 / 1e6])
}

/// Lets the system forget what it has of a file in memory.
fn forget(file: &Path) -> Result<()> {
    let file = File::open(file)?;
    // SAFETY: the file is open.
    let answer = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    anyhow::ensure!(answer == 0, "posix_fadvise answered {answer}");
    Ok(())
}

/// By the clock, and by what this thread has had of a processor, which takes longer to read.
struct Now {
    clock: Instant,
    on_processor: f64,
}

impl Now {
    fn read() -> Self {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: there is room for the answer.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        Self { on_processor: time.tv_sec as f64 * 1e9 + time.tv_nsec as f64, clock: Instant::now() }
    }

    fn elapsed_ns(&self) -> f64 {
        let by_clock = self.clock.elapsed().as_secs_f64() * 1e9;
        by_clock.min(Self::read().on_processor - self.on_processor)
    }
}

/// Any image that the model takes.
fn image(model: &Model) -> Result<Tensor> {
    let spec = model.inputs().first().context("the model has no input")?;
    let count: u64 = spec.dims.iter().map(|&dim| u64::from(dim)).product();
    let byte = |at: u64| (at * 31 + (at >> 8) * 7).to_le_bytes()[0];
    Ok(Tensor::new(spec.ty, spec.dims.clone(), (0..count).map(byte).collect())?)
}

/// Each step with the least of its times, in nanoseconds.
fn steps(model: &Model, image: &Tensor, rounds: usize) -> Result<Vec<(StepFacts, f64)>> {
    let mut best: Vec<(StepFacts, f64)> = Vec::new();
    for _ in 0..rounds.max(2) {
        let (mut at, mut begin) = (0, Now::read());
        let outputs = model.run_watched(std::slice::from_ref(image), &mut |facts| {
            let ns = begin.elapsed_ns();
            match best.get_mut(at) {
                Some((_, least)) => *least = least.min(ns),
                None => best.push((*facts, ns)),
            }
            (at, begin) = (at + 1, Now::read());
        })?;
        anyhow::ensure!(!outputs.is_empty(), "nothing was computed");
    }
    Ok(best)
}

/// With a manifest that fits: the bundled model's own, or one for images in colour of the sizes that networks are written in.
fn admit(onnx: &[u8], kernels: Kernels) -> Result<(Model, Manifest)> {
    let mut manifest: Manifest = serde_json::from_slice(include_bytes!("../../models/pneumonia/manifest.json"))?;
    manifest.onnx = Onnx::of(BlobId::of_raw(onnx), onnx);
    if let Ok(model) = admit_with(onnx, &manifest, kernels) {
        return Ok((model, manifest));
    }
    manifest.pipeline.channels = Channels::Rgb;
    manifest.pipeline.normalise = None;
    let label = manifest.output.labels.first().cloned().context("the manifest has no label")?;
    let mut refused = None;
    for (side, classes) in [(224, 10), (256, 2)] {
        (manifest.pipeline.width, manifest.pipeline.height) = (side, side);
        let named = |at: u32| Label { name: at.to_string(), ..label.clone() };
        manifest.output.labels = (0..classes).map(named).collect();
        match admit_with(onnx, &manifest, kernels) {
            Ok(model) => return Ok((model, manifest)),
            // The first size is that of most networks; what the second one says is its size.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.context("no size was tried")?.into())
}
