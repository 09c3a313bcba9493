//! What does a run of a model cost, beside ONNX Runtime on one thread, and against what gas is priced for?
//!
//! `cargo xtask bench inference [--python PATH] [--tract PATH]`: the bundled model, and networks of the published shapes with weights from
//! a seed as onnxruntime quantises them, which `benches/peers/onnxruntime/families.py` writes. The two take turns, round by
//! round, and medians of the time on the processor are compared, so that other work on the machine counts for neither; a
//! ratio is printed only if both give the same bytes, or SPEC.md says why not. `PATH` is a Python with onnx, onnxruntime
//! and numpy; without one there is no peer and only the bundled model. The other `PATH` is what `cargo build --release` makes
//! in `benches/peers/tract`: tract's time stands beside, for the record.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use aceso_inference::{KernelSet, Kernels, Model, admit_with, meter};
use aceso_types::{BlobId, ElementType, Manifest, Tensor, manifest::Onnx};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Networks and the side of their images.
const NETWORKS: [(u32, &[&str]); 2] = [
    (224, &["resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "vit"]),
    (256, &["unet"]),
];
/// Formats of the quantiser; as the second one it leaves ConvTranspose float, which is refused.
const FORMATS: [&str; 2] = ["QDQ", "QOperator"];
const REFUSED: [&str; 1] = ["unet.QOperator"];
/// What ONNX Runtime computes in float, so that its bytes differ (SPEC.md, "Beside ONNX Runtime"): products of computed
/// matrices, sigmoids by an approximation, and batch normalisations that no convolution takes in.
const DIFFERENT: [&str; 5] =
    ["vit.QDQ", "efficientnet_b0.QDQ", "efficientnet_b0.QOperator", "densenet121.QDQ", "densenet121.QOperator"];
/// Time of one turn, so that the clock's grain of some 4 ms does not matter, and most runs in it.
const TURN: Duration = Duration::from_millis(200);
const RUNS_MAX: u32 = 5000;
/// Wasm gas of a second, as prices are meant.
const GAS_PER_MS: f64 = 1e9;

pub(crate) fn run(
    root: &Path,
    python: Option<PathBuf>,
    tract: Option<PathBuf>,
    quick: bool,
    mut emit: impl FnMut(Value),
) -> Result<()> {
    let bundled = root.join("models/pneumonia");
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(bundled.join("manifest.json"))?)?;
    let folder = tempfile::tempdir()?;
    let mut networks = vec![("pneumonia".to_string(), bundled.join("model.onnx"), None)];
    if let Some(python) = &python {
        for (side, names) in NETWORKS {
            let mut command = Command::new(python);
            command.arg(root.join("benches/peers/onnxruntime/families.py")).arg(folder.path());
            let wrote = command.arg(side.to_string()).args(names).status().context("cannot start Python")?;
            ensure!(wrote.success(), "{} needs the packages onnx, onnxruntime and numpy", python.display());
            let each = names.iter().flat_map(|name| FORMATS.map(|format| format!("{name}.{format}")));
            networks.extend(each.filter(|name| !REFUSED.contains(&name.as_str())).map(|name| {
                let path = folder.path().join(format!("{name}.onnx"));
                (name, path, Some(side))
            }));
        }
    }
    let serve = |python: PathBuf| {
        let mut command = Command::new(python);
        command.arg(root.join("benches/peers/onnxruntime/serve.py"));
        Peer::start("ONNX Runtime, 1 thread", command)
    };
    let mut peer = python.map(serve).transpose()?;
    let mut tract = tract.map(|path| Peer::start("tract, 1 thread", Command::new(path))).transpose()?;
    let rounds = if quick { 5 } else { 15 };
    for (name, path, side) in networks {
        let onnx = std::fs::read(&path)?;
        let mut manifest = manifest.clone();
        if let Some(side) = side {
            fit(&mut manifest, &onnx, side, if name.starts_with("unet") { 2 } else { 10 });
        }
        if let Some(peer) = &mut peer {
            peer.load(&path, &manifest)?;
        }
        let mut other = None;
        if let Some(tract) = &mut tract {
            match tract.load(&path, &manifest) {
                Ok(()) => other = Some(tract),
                Err(error) => emit(json!({
                    "bench": "inference", "case": format!("{name}: tract does not run it: {error}"), "unit": "",
                })),
            }
        }
        network(&name, &onnx, &manifest, [peer.as_mut(), other], rounds, &mut emit)?;
    }
    Ok(())
}

/// Makes the bundled model's manifest one of a network with so many classes and an image in colour.
fn fit(manifest: &mut Manifest, onnx: &[u8], side: u32, classes: u32) {
    manifest.onnx = Onnx::of(BlobId::of_raw(onnx), onnx);
    manifest.pipeline.channels = aceso_types::manifest::Channels::Rgb;
    (manifest.pipeline.width, manifest.pipeline.height) = (side, side);
    manifest.pipeline.normalise = None;
    if let Some(label) = manifest.output.labels.first().cloned() {
        let named = |index| aceso_types::manifest::Label { name: format!("class {index}"), ..label.clone() };
        manifest.output.labels = (0..classes).map(named).collect();
    }
}

fn network(
    name: &str,
    onnx: &[u8],
    manifest: &Manifest,
    [mut peer, mut other]: [Option<&mut Peer>; 2],
    rounds: usize,
    emit: &mut impl FnMut(Value),
) -> Result<()> {
    let mut sets = Kernels::available();
    // The fastest first: it is what the peer is compared with.
    sets.reverse();
    for (index, set) in sets.into_iter().enumerate() {
        let start = Instant::now();
        let model = admit_with(onnx, manifest, Kernels::new(set)?)?;
        let load = start.elapsed().as_secs_f64() * 1e3;
        let image = image(&model)?;
        let once = turn(&model, &image, 1)?;
        let runs = runs_of(&once);
        let mut against = peer.as_deref_mut().filter(|_| index == 0);
        // Its bytes are its own affair.
        let mut beside = match other.as_deref_mut().filter(|_| index == 0) {
            Some(other) => Some((runs_of(&other.run(1)?), other, Vec::new())),
            None => None,
        };
        let (mut ours, mut theirs, mut unexplained) = (Vec::new(), Vec::new(), false);
        for _ in 0..if set == KernelSet::Scalar { rounds.min(5) } else { rounds } {
            ours.push(turn(&model, &image, runs)?.seconds * 1e3);
            if let Some(peer) = &mut against {
                let turn = peer.run(runs)?;
                unexplained |= turn.output != of_peer(&model, &once.output) && !DIFFERENT.contains(&name);
                theirs.push(turn.seconds * 1e3);
            }
            if let Some((runs, other, times)) = &mut beside {
                times.push(other.run(*runs)?.seconds * 1e3);
            }
        }
        let (ours, facts) = (median(ours), model.facts());
        let mut row = |case: String, ours: f64, peer: Option<(f64, &str)>, unit: &str, ratio: Option<f64>| {
            let (value, who) = peer.unzip();
            emit(json!({
                "bench": "inference", "case": case, "ours": ours, "peer": value, "peer_name": who, "unit": unit,
                "ratio": ratio,
            }));
        };
        if unexplained {
            row(format!("{name}: ONNX Runtime gives other bytes, so no ratio"), f64::NAN, None, "", None);
            theirs.clear();
        }
        let theirs = (!theirs.is_empty()).then(|| median(theirs));
        row(
            format!("{name}, run, {set}"),
            ours,
            theirs.zip(against.as_ref().map(|peer| peer.name)),
            "ms",
            theirs.map(|theirs| theirs / ours),
        );
        if let Some((_, other, times)) = beside {
            let times = median(times);
            row(
                format!("{name}, run, {set}, for the record"),
                ours,
                Some((times, other.name)),
                "ms",
                Some(times / ours),
            );
        }
        row(format!("{name}, multiplications, {set}"), facts.macs as f64 / ours / 1e6, None, "GMAC/s", None);
        row(format!("{name}, admission, {set}"), load, None, "ms", None);
        if set == KernelSet::Avx2 {
            let gas = meter::run(&facts) as f64 / ours / GAS_PER_MS;
            row(format!("{name}, gas per ms as priced for avx2"), gas, Some((1.0, "target")), "1e9 gas/ms", Some(gas));
        }
    }
    Ok(())
}

/// As many runs as fill a turn.
fn runs_of(once: &Turn) -> u32 {
    let once_micros = Duration::from_secs_f64(once.seconds).as_micros().max(1);
    u32::try_from(TURN.as_micros() / once_micros).unwrap_or(RUNS_MAX).clamp(1, RUNS_MAX)
}

struct Turn {
    seconds: f64,
    output: Vec<u8>,
}

fn turn(model: &Model, image: &Tensor, runs: u32) -> Result<Turn> {
    let mut output = Vec::new();
    let (start, began) = (on_processor(), Instant::now());
    for _ in 0..runs {
        output = model.run(std::slice::from_ref(image))?;
    }
    let elapsed = match (start, on_processor()) {
        (Some(start), Some(end)) if end > start => end - start,
        _ => began.elapsed(),
    };
    let seconds = elapsed.as_secs_f64() / f64::from(runs);
    Ok(Turn { seconds, output: output.first().context("the model has no output")?.data().to_vec() })
}

/// How long this thread has been on a processor, where the system says so (Linux).
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Our output as the peer gives it: as floats, where the graph ends in DequantizeLinear.
fn of_peer(model: &Model, output: &[u8]) -> Vec<u8> {
    let Some(Some(meaning)) = model.quantisations().first() else { return output.to_vec() };
    let real = |&byte: &u8| (meaning.scale * (i32::from(byte) - meaning.zero_point) as f32).to_le_bytes();
    output.iter().flat_map(real).collect()
}

/// The image that the peer makes, too.
fn image(model: &Model) -> Result<Tensor> {
    let spec = model.inputs().first().context("the model has no input")?;
    ensure!(spec.ty == ElementType::U8, "the image is {:?}", spec.ty);
    let count: u64 = spec.dims.iter().map(|&dim| u64::from(dim)).product();
    let byte = |at: u64| (at * 31 + (at >> 8) * 7).to_le_bytes()[0];
    Ok(Tensor::new(spec.ty, spec.dims.clone(), (0..count).map(byte).collect())?)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Another engine in a process of its own, which waits while it is not asked.
struct Peer {
    name: &'static str,
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let to = process.stdin.take().context("no pipe")?;
        let from = BufReader::new(process.stdout.take().context("no pipe")?);
        Ok(Self { name, process, to, from })
    }

    fn load(&mut self, onnx: &Path, manifest: &Manifest) -> Result<()> {
        let normalise = manifest.pipeline.normalise.as_ref().and_then(|channels| channels.first());
        let (mean, deviation) = normalise.map_or((0, 1_000_000), |channel| (channel.mean, channel.deviation));
        self.ask(&format!("load {mean} {deviation} {}", onnx.display())).map(|_| ())
    }

    fn run(&mut self, runs: u32) -> Result<Turn> {
        let answer = self.ask(&format!("run {runs}"))?;
        let seconds = answer["seconds"].as_f64().context("no seconds")?;
        let text = answer["output"].as_str().context("no output")?;
        let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let output = (0..text.len()).step_by(2).map(byte).collect::<Option<_>>().context("not hexadecimal")?;
        Ok(Turn { seconds, output })
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.to, "{line}")?;
        let mut answer = String::new();
        self.from.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| {
            format!("{} did not answer; Python needs the packages onnxruntime and numpy", self.name)
        })?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
