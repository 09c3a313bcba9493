//! What a small file can cost whoever admits it: no more than a second and 256 MiB, whatever it asks for.
//!
//! The files are the worst that could be thought of, up to 4 KiB each; every way of asking for much in few bytes has one.
//! Memory is what the allocator hands out, time is the processor's, so that neither depends on what else runs.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and an allocator that counts is unsafe to write"
)]

#[path = "../common/mod.rs"]
mod common;
mod graph;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fmt::Write,
    io::Write as _,
};

use aceso_inference::{
    ModelRefused, admit,
    image::{Limits, decode},
};
use expect_test::expect;

use self::graph::{Attribute, FLOAT, Graph, INT8, UINT8};

/// Most memory that a small file may take.
const BYTES_MAX: usize = 256 << 20;
/// Most time, in nanoseconds.
const TIME_MAX: u64 = 1_000_000_000;
/// What is called small.
const FILE_MAX: usize = 4096;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread has, and the most it had.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(more: usize, less: usize) {
    // A thread that ends has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set((live.get() + more).saturating_sub(less));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as this function's caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as this function's caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as this function's caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist for a moment.
        count(size, 0);
        count(0, layout.size());
        // SAFETY: as this function's caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Time that this thread had a processor, in nanoseconds (proc(5), schedstat).
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// What a call gives, and the memory and time it took.
fn measured<T>(call: impl FnOnce() -> T) -> (T, usize, u64) {
    PEAK.set(LIVE.get());
    let (before, begin) = (LIVE.get(), processor_time());
    let result = call();
    (result, PEAK.get() - before, processor_time() - begin)
}

/// What becomes of a file, within the bounds.
fn outcome(name: &str, onnx: &[u8], image: [u32; 3]) -> String {
    let manifest = common::manifest(onnx, image, 1);
    let (result, bytes, time) = measured(|| admit(onnx, &manifest).map(|model| model.facts()));
    eprintln!("{name}: {} bytes, {} KiB, {} ms", onnx.len(), bytes >> 10, time / 1_000_000);
    assert!(bytes <= BYTES_MAX, "{name}: {bytes} bytes");
    assert!(time <= TIME_MAX, "{name}: {time} ns");
    match result {
        Ok(facts) => format!("admitted, {} operations", facts.nodes),
        Err(refusal @ ModelRefused::Bound { .. }) => refusal.to_string(),
        Err(refusal) => refusal.to_string().split_once("): ").map_or(refusal.to_string(), |(_, why)| why.into()),
    }
}

const IMAGE: [i64; 4] = [1, 1, 50, 50];

/// A file as long as it may be: `more` adds to the graph and says where it ends.
fn filled(build: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let (mut least, mut most) = (1, FILE_MAX);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if build(middle).len() <= FILE_MAX { least = middle } else { most = middle - 1 }
    }
    build(least)
}

/// `count` times the same node, one after another.
fn chain(graph: &mut Graph, mut x: String, count: usize, op: &str, more: &[&str]) -> String {
    for _ in 0..count {
        let inputs: Vec<&str> = std::iter::once(x.as_str()).chain(more.iter().copied()).collect();
        x = graph.node(op, &inputs, &[]);
    }
    x
}

/// The file, with the first element of `y` as its output: what a manifest of one label describes.
fn ended(mut graph: Graph, y: &str) -> Vec<u8> {
    let (zero, one) = (graph.ints(&[0]), graph.ints(&[1]));
    let y = graph.node("Flatten", &[y], &[("axis", Attribute::Int(0))]);
    let y = graph.node("Slice", &[&y, &zero, &one, &one], &[]);
    graph.file(IMAGE, &y)
}

/// Tensors joined, so that all of them are needed.
fn joined(graph: &mut Graph, all: &[String]) -> String {
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    graph.node("Concat", &all, &[("axis", Attribute::Int(0))])
}

/// The image as one line of 64 MiB.
fn line(graph: &mut Graph) -> String {
    let wide = graph.ints(&[1 << 12, 1 << 14]);
    let one = graph.ints(&[1, 1, 1, 1]);
    let many = graph.ints(&[1 << 12, 1 << 14, 1, 1]);
    let (zero, axes) = (graph.ints(&[0, 0]), graph.ints(&[2, 3]));
    let corner = graph.ints(&[1, 1]);
    let x = graph.node("Slice", &["i", &zero, &corner, &axes], &[]);
    let x = graph.node("Reshape", &[&x, &one], &[]);
    let x = graph.node("Expand", &[&x, &many], &[]);
    let x = graph.node("Reshape", &[&x, &wide], &[]);
    graph.node("Flatten", &[&x], &[("axis", Attribute::Int(0))])
}

/// The image as 2,500 channels of one float each, every one a function of its own.
fn channels(graph: &mut Graph) -> (String, [String; 2]) {
    let shape = graph.ints(&[1, 2500, 1, 1]);
    let x = graph.node("Reshape", &["i", &shape], &[]);
    let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
    let x = graph.node("DequantizeLinear", &[&x, &scale, &zero], &[]);
    let numbers = graph.byte(&[2500], UINT8, 3);
    let numbers = graph.node("DequantizeLinear", &[&numbers, &scale, &zero], &[]);
    let x = graph.node("BatchNormalization", &[&x, &numbers, &numbers, &numbers, &numbers], &[]);
    (x, [scale, zero])
}

/// Every file by name, with its image.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let functions = |op: &'static str| {
        filled(|count| {
            let mut graph = Graph::default();
            let (x, [scale, zero]) = channels(&mut graph);
            let x = chain(&mut graph, x, count, op, &[]);
            let y = graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
            ended(graph, &y)
        })
    };
    let plain = |op: &'static str| {
        filled(|count| {
            let mut graph = Graph::default();
            let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
            let x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
            let x = chain(&mut graph, x, count, op, &[]);
            let y = graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
            ended(graph, &y)
        })
    };
    let on_line = |add: fn(&mut Graph, &str) -> String| {
        let mut graph = Graph::default();
        let x = line(&mut graph);
        let y = add(&mut graph, &x);
        graph.file(IMAGE, &y)
    };
    let repeated = |unit: &'static [u8]| {
        let mut graph = Graph::default();
        graph.raw(&unit.repeat((FILE_MAX - 100) / unit.len()));
        graph.file(IMAGE, "i")
    };
    vec![
        (
            "slice of one long dimension",
            on_line(|graph, x| {
                let (from, to) = (graph.ints(&[1]), graph.ints(&[1 << 25]));
                graph.node("Slice", &[x, &from, &to, &from], &[])
            }),
        ),
        (
            "gather in one long dimension",
            on_line(|graph, x| {
                let at = graph.ints(&[5]);
                graph.node("Gather", &[x, &at], &[("axis", Attribute::Int(1))])
            }),
        ),
        (
            "expansion of one long dimension",
            on_line(|graph, x| {
                let shape = graph.ints(&[1, 1]);
                let x = graph.node("Expand", &[x, &shape], &[]);
                let (one, many) = (graph.ints(&[1, 1]), graph.ints(&[1, 1 << 26]));
                let (zero, axis) = (graph.ints(&[0]), graph.ints(&[1]));
                let end = graph.ints(&[1]);
                let x = graph.node("Slice", &[&x, &zero, &end, &axis], &[]);
                let x = graph.node("Reshape", &[&x, &one], &[]);
                graph.node("Expand", &[&x, &many], &[])
            }),
        ),
        (
            "nearest resize beside one long dimension",
            on_line(|graph, x| {
                let (none, sizes) = (graph.floats(&[0], 0.0), graph.ints(&[3]));
                let axes = ("axes", Attribute::Ints(&[0]));
                graph.node("Resize", &[x, "", &none, &sizes], &[axes])
            }),
        ),
        (
            "linear resize beside one long dimension",
            on_line(|graph, x| {
                let shape = graph.ints(&[1, 1, 1, 1 << 26]);
                let x = graph.node("Reshape", &[x, &shape], &[]);
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let x = graph.node("DequantizeLinear", &[&x, &scale, &zero], &[]);
                let (none, sizes) = (graph.floats(&[0], 0.0), graph.ints(&[1, 1, 1]));
                let attributes = [("axes", Attribute::Ints(&[0, 1, 2])), ("mode", Attribute::Text("linear"))];
                graph.node("Resize", &[&x, "", &none, &sizes], &attributes)
            }),
        ),
        ("splits of long dimensions", {
            let mut graph = Graph::default();
            let (zero, one) = (graph.ints(&[0, 0]), graph.ints(&[1, 1]));
            let axes = graph.ints(&[2, 3]);
            let x = graph.node("Slice", &["i", &zero, &one, &axes], &[]);
            let many = graph.ints(&[1, 1, 240, 260_000]);
            let mut x = graph.node("Expand", &[&x, &many], &[]);
            for _ in 0..3 {
                let parts = graph.nodes("Split", &[&x], &[("axis", Attribute::Int(2))], 240);
                let shape = graph.ints(&[1, 1, 240, 260_000]);
                x = graph.node("Expand", &[&parts[0], &shape], &[]);
            }
            graph.file(IMAGE, &x)
        }),
        (
            "resizes of long sides",
            filled(|count| {
                let mut graph = Graph::default();
                let (up, down) = (graph.ints(&[1, 1, 1, 65_536]), graph.ints(&[1, 1, 65_536, 1]));
                let mut x = "i".to_owned();
                for at in 0..count {
                    x = graph.node("Resize", &[&x, "", "", if at % 2 == 0 { &up } else { &down }], &[]);
                }
                graph.file(IMAGE, &x)
            }),
        ),
        ("error functions of many channels", functions("Erf")),
        ("sigmoids of many channels", functions("Sigmoid")),
        ("magnitudes of many channels", functions("Abs")),
        ("clips of many channels", functions("Relu")),
        ("error functions", plain("Erf")),
        ("exponentials", plain("Sigmoid")),
        ("negations", plain("Neg")),
        (
            "sums with numbers of many channels",
            filled(|count| {
                let mut graph = Graph::default();
                let (x, [scale, zero]) = channels(&mut graph);
                let number = graph.floats(&[], 0.5);
                let x = chain(&mut graph, x, count, "Add", &[&number]);
                let y = graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
                ended(graph, &y)
            }),
        ),
        (
            "means of many channels",
            filled(|count| {
                let mut graph = Graph::default();
                let (x, [scale, zero]) = channels(&mut graph);
                let mut mean = || {
                    let y = graph.node("GlobalAveragePool", &[&x], &[]);
                    graph.node("QuantizeLinear", &[&y, &scale, &zero], &[])
                };
                let all: Vec<String> = (0..count.min(256)).map(|_| mean()).collect();
                let y = joined(&mut graph, &all);
                ended(graph, &y)
            }),
        ),
        (
            "one result moved many times and quantised many times",
            filled(|count| {
                let mut graph = Graph::default();
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
                let x = graph.node("Softmax", &[&x], &[]);
                let x = chain(&mut graph, x, count.min(60), "Transpose", &[]);
                let mut quantised = || graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
                let all: Vec<String> = (0..count.min(100)).map(|_| quantised()).collect();
                let y = joined(&mut graph, &all);
                ended(graph, &y)
            }),
        ),
        (
            "views",
            filled(|count| {
                let mut graph = Graph::default();
                let x = chain(&mut graph, "i".into(), count, "Flatten", &[]);
                ended(graph, &x)
            }),
        ),
        ("transposed convolution with long strides", {
            let mut graph = Graph::default();
            let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
            let x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
            let weights = graph.byte(&[1, 3600, 1, 1], INT8, 1);
            let weights = graph.node("DequantizeLinear", &[&weights, &scale], &[]);
            let x = graph.node("ConvTranspose", &[&x, &weights], &[("strides", Attribute::Ints(&[64, 64]))]);
            let y = graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
            ended(graph, &y)
        }),
        (
            "transposed convolutions that share weights",
            filled(|count| {
                let mut graph = Graph::default();
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
                let weights = graph.byte(&[1, 250, 1, 1], INT8, 1);
                let weights = graph.node("DequantizeLinear", &[&weights, &scale], &[]);
                let mut y = String::new();
                for _ in 0..count {
                    y = graph.node("ConvTranspose", &[&x, &weights], &[("strides", Attribute::Ints(&[62, 62]))]);
                    y = graph.node("QuantizeLinear", &[&y, &scale, &zero], &[]);
                }
                graph.file(IMAGE, &y)
            }),
        ),
        (
            "convolutions that share weights",
            filled(|count| {
                let mut graph = Graph::default();
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let (weights, w_zero) = (graph.byte(&[50, 50, 1, 1], INT8, 1), graph.byte(&[], INT8, 0));
                let shape = graph.ints(&[1, 50, 50, 1]);
                let mut y = graph.node("Reshape", &["i", &shape], &[]);
                for _ in 0..count {
                    let inputs = [&y, &scale, &zero, &weights, &scale, &w_zero, &scale, &zero].map(String::as_str);
                    y = graph.node("QLinearConv", &inputs, &[]);
                }
                ended(graph, &y)
            }),
        ),
        (
            "convolutions of one byte each",
            filled(|count| {
                let mut graph = Graph::default();
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let (weights, w_zero) = (graph.byte(&[2500, 1, 1, 1], INT8, 1), graph.byte(&[], INT8, 0));
                let shape = graph.ints(&[1, 2500, 1, 1]);
                let mut y = graph.node("Reshape", &["i", &shape], &[]);
                for _ in 0..count {
                    let inputs = [&y, &scale, &zero, &weights, &scale, &w_zero, &scale, &zero].map(String::as_str);
                    y = graph.node("QLinearConv", &inputs, &[("group", Attribute::Int(2500))]);
                }
                ended(graph, &y)
            }),
        ),
        ("convolution with a wide margin", {
            let mut graph = Graph::default();
            let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
            let (weights, w_zero) = (graph.byte(&[1, 1, 1, 1], INT8, 1), graph.byte(&[], INT8, 0));
            let inputs = ["i", &scale, &zero, &weights, &scale, &w_zero, &scale, &zero];
            let y = graph.node("QLinearConv", &inputs, &[("pads", Attribute::Ints(&[4096, 4096, 4096, 4096]))]);
            graph.file(IMAGE, &y)
        }),
        (
            "normalisations of long rows",
            filled(|count| {
                let mut graph = Graph::default();
                let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
                let x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
                let gamma = graph.byte(&[2500], UINT8, 3);
                let gamma = graph.node("DequantizeLinear", &[&gamma, &scale, &zero], &[]);
                let mut normalised = || {
                    let y = graph.node("LayerNormalization", &[&x, &gamma], &[("axis", Attribute::Int(0))]);
                    graph.node("QuantizeLinear", &[&y, &scale, &zero], &[])
                };
                let all: Vec<String> = (0..count.min(256)).map(|_| normalised()).collect();
                let y = joined(&mut graph, &all);
                ended(graph, &y)
            }),
        ),
        ("joins that double", {
            let mut graph = Graph::default();
            let mut x = "i".to_owned();
            for _ in 0..14 {
                x = graph.node("Concat", &[&x, &x], &[("axis", Attribute::Int(2))]);
            }
            graph.file(IMAGE, &x)
        }),
        ("joins of 256", {
            let mut graph = Graph::default();
            let mut x = "i".to_owned();
            for _ in 0..2 {
                x = graph.node("Concat", &[x.as_str(); 256], &[("axis", Attribute::Int(2))]);
            }
            graph.file(IMAGE, &x)
        }),
        (
            "margins",
            filled(|count| {
                let mut graph = Graph::default();
                let pads = graph.ints(&[0, 0, 0, 0, 0, 0, 60_000, 0]);
                let x = chain(&mut graph, "i".into(), count, "Pad", &[&pads]);
                graph.file(IMAGE, &x)
            }),
        ),
        (
            "many operations on one large tensor",
            filled(|count| {
                let mut graph = Graph::default();
                let mut x = line(&mut graph);
                for _ in 0..count {
                    x = graph.node("Concat", &[&x], &[("axis", Attribute::Int(0))]);
                }
                graph.file(IMAGE, &x)
            }),
        ),
        ("windows as large as they may be", {
            let mut graph = Graph::default();
            let shape = graph.ints(&[1, 1, 8192, 8192]);
            let x = line(&mut graph);
            let x = graph.node("Reshape", &[&x, &shape], &[]);
            let y = graph.node("MaxPool", &[&x], &[("kernel_shape", Attribute::Ints(&[4096, 4096]))]);
            graph.file(IMAGE, &y)
        }),
        ("products of large computed tensors", {
            let mut graph = Graph::default();
            let shape = graph.ints(&[8192, 8192]);
            let x = line(&mut graph);
            let x = graph.node("Reshape", &[&x, &shape], &[]);
            let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
            let y = graph.node("QLinearMatMul", &[&x, &scale, &zero, &x, &scale, &zero, &scale, &zero], &[]);
            graph.file(IMAGE, &y)
        }),
        ("empty constant of a shape that cannot be counted", {
            let mut graph = Graph::default();
            let constant = graph.lie(&[0, 1 << 40, 1 << 40], FLOAT);
            let (scale, zero) = (graph.floats(&[3], 0.01), graph.byte(&[3], UINT8, 0));
            let y = graph.node("QuantizeLinear", &[&constant, &scale, &zero], &[("axis", Attribute::Int(0))]);
            graph.file(IMAGE, &y)
        }),
        ("nodes of nothing", repeated(&[0x0a, 0x00])),
        ("constants of nothing", repeated(&[0x2a, 0x00])),
        ("inputs of nothing", repeated(&[0x5a, 0x00])),
        ("annotations of nothing", repeated(&[0x72, 0x00])),
    ]
}

#[test]
fn no_small_file_costs_more_than_a_second_and_256_mebibytes() {
    let mut outcomes = String::new();
    for (name, onnx) in worst() {
        assert!(onnx.len() <= FILE_MAX, "{name}: {}", onnx.len());
        writeln!(outcomes, "{name}: {}", outcome(name, &onnx, [1, 50, 50])).unwrap();
    }
    expect![[r#"
        slice of one long dimension: these are too many positions to pick from: [1, 67108864]
        gather in one long dimension: these are too many positions to pick from: [1, 67108864]
        expansion of one long dimension: these are too many positions to pick from: [1, 67108864]
        nearest resize beside one long dimension: these are too many positions to pick from: [3, 67108864]
        linear resize beside one long dimension: these are too many positions to pick from: [1, 1, 1, 67108864]
        splits of long dimensions: its result or its working memory takes 68642736 bytes, and at most 67316480 are admitted
        resizes of long sides: its result or its working memory takes 67636248 bytes, and at most 67370176 are admitted
        error functions of many channels: it makes 640000 values of functions to compute, and at most 132092 are admitted
        sigmoids of many channels: it makes 640000 values of functions to compute, and at most 132093 are admitted
        magnitudes of many channels: its result or its working memory takes 69120008 bytes, and at most 67370176 are admitted
        clips of many channels: its result or its working memory takes 69120008 bytes, and at most 67370240 are admitted
        error functions: admitted, 2 operations
        exponentials: admitted, 2 operations
        negations: admitted, 2 operations
        sums with numbers of many channels: its result or its working memory takes 69120008 bytes, and at most 67370048 are admitted
        means of many channels: its result or its working memory takes 69120008 bytes, and at most 67369152 are admitted
        one result moved many times and quantised many times: admitted, 4150 operations
        views: admitted, 1 operations
        transposed convolution with long strides: its result or its working memory takes 191692808 bytes, and at most 67360192 are admitted
        transposed convolutions that share weights: its result or its working memory takes 104749008 bytes, and at most 67368192 are admitted
        convolutions that share weights: admitted, 27 operations
        convolutions of one byte each: admitted, 21 operations
        convolution with a wide margin: its result or its working memory takes 135861704 bytes, and at most 67108864 are admitted
        normalisations of long rows: admitted, 17 operations
        joins that double: output "na": a tensor of shape [1, 1, 819200, 50] is larger than 8388608 bytes
        joins of 256: its result or its working memory takes 163840000 bytes, and at most 67108864 are admitted
        margins: its result or its working memory takes 69002500 bytes, and at most 67108864 are admitted
        many operations on one large tensor: output "zd": a tensor of shape [1, 67108864] is larger than 8388608 bytes
        windows as large as they may be: output "na": a tensor of shape [1, 1, 4097, 4097] is larger than 8388608 bytes
        products of large computed tensors: its result or its working memory takes 135004160 bytes, and at most 67108864 are admitted
        empty constant of a shape that cannot be counted: constant "aa": dimensions [0, 1099511627776, 1099511627776] are negative or too many
        nodes of nothing: output "i": no node computes it
        constants of nothing: constant "": element type 0 of ONNX is not read; float, uint8, int8, int32 and int64 are
        inputs of nothing: input "": a model has one input beside its constants, not 1999
        annotations of nothing: the model uses quantisation annotations, which is not admitted
    "#]].assert_eq(&outcomes);
}

/// As deep as the bounds let a graph be, on a thread with a stack of 256 KiB.
#[test]
fn depth_takes_no_stack() {
    let long = |op: &str, quantised: bool| {
        let mut graph = Graph::default();
        let (scale, zero) = (graph.floats(&[], 0.01), graph.byte(&[], UINT8, 0));
        let mut x = graph.node("DequantizeLinear", &["i", &scale, &zero], &[]);
        if quantised {
            x = graph.node("Softmax", &[&x], &[]);
        }
        let x = chain(&mut graph, x, 8000, op, &[]);
        let y = graph.node("QuantizeLinear", &[&x, &scale, &zero], &[]);
        ended(graph, &y)
    };
    let files = [long("Transpose", true), long("Transpose", false), long("Relu", true), long("Neg", false)];
    let run = move || files.map(|onnx| outcome("depth", &onnx, [1, 50, 50]) + "\n").concat();
    let outcomes = std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
    expect![[r#"
        it moves a float result that was moved 64 times already
        admitted, 8001 operations
        admitted, 2 operations
        admitted, 2 operations
    "#]]
    .assert_eq(&outcomes);
}

/// Pictures that unpack to more than they say, or say more than is allowed.
#[test]
fn pictures_unpack_within_their_bounds() {
    let zlib = |bytes: usize| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let block = vec![0; 1 << 20];
        (0..bytes >> 20).for_each(|_| encoder.write_all(&block).unwrap());
        encoder.finish().unwrap()
    };
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(&[kind, data].concat());
        [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let png = |side: u32, chunks: &[Vec<u8>]| {
        let header = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header), &chunks.concat(), &chunk(b"IEND", &[])].concat()
    };
    // A mebibyte of zeros is a kibibyte.
    let bomb = zlib(48 << 20);
    let named = |prefix: &[u8]| [prefix, &bomb].concat();
    let files = [
        ("one pixel, 48 MiB of data", png(1, &[chunk(b"IDAT", &bomb)])),
        ("4096 pixels a side", png(4096, &[chunk(b"IDAT", &bomb)])),
        ("4097 pixels a side", png(4097, &[chunk(b"IDAT", &bomb)])),
        ("65535 pixels a side", png(65_535, &[chunk(b"IDAT", &bomb)])),
        ("2^31 pixels a side", png(1 << 31, &[chunk(b"IDAT", &bomb)])),
        ("colour profile of 48 MiB", png(1, &[chunk(b"iCCP", &named(b"x\0\0")), chunk(b"IDAT", &zlib(0))])),
        ("text of 48 MiB", png(1, &[chunk(b"zTXt", &named(b"x\0\0")), chunk(b"IDAT", &zlib(0))])),
        ("international text of 48 MiB", png(1, &[chunk(b"iTXt", &named(b"x\0\x01\0\0\0")), chunk(b"IDAT", &zlib(0))])),
    ];
    let mut outcomes = String::new();
    for (name, file) in files {
        let (result, bytes, time) = measured(|| decode(&file, Limits::default()));
        eprintln!("{name}: {} bytes, {} KiB, {} ms", file.len(), bytes >> 10, time / 1_000_000);
        assert!(bytes <= BYTES_MAX / 2, "{name}: {bytes} bytes");
        assert!(time <= TIME_MAX, "{name}: {time} ns");
        let words = result.map_or_else(|refused| refused.to_string(), |image| format!("{} wide", image.width()));
        writeln!(outcomes, "{name}: {words}").unwrap();
    }
    expect![[r#"
        one pixel, 48 MiB of data: 1 wide
        4096 pixels a side: 4096 wide
        4097 pixels a side: an image of 4097×4097 pixels of 1 samples has more than 16777216 samples
        65535 pixels a side: an image of 65535×65535 pixels of 1 samples has more than 16777216 samples
        2^31 pixels a side: an image has sides of 1 to 65535 pixels, not 2147483648×2147483648
        colour profile of 48 MiB: the PNG does not decode: IDAT or fDAT chunk does not have enough data for image.
        text of 48 MiB: the PNG does not decode: IDAT or fDAT chunk does not have enough data for image.
        international text of 48 MiB: the PNG does not decode: IDAT or fDAT chunk does not have enough data for image.
    "#]]
    .assert_eq(&outcomes);
}
