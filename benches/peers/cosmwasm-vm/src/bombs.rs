//! Modules made to be slow to compile: what is the worst that passes the checks?
//!
//! Each family fills functions of the largest size with one thing that compilers are known to be slow at. Each module is
//! stored in a process of its own, which says how long it took and how much memory it held at most.

use std::{env, process::Command, time::Instant};

use aceso_vm::{FUNCTION_BYTES_MAX, FUNCTIONS_MAX, WASM_BYTES_MAX};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, Instruction as I, MemArg, MemorySection, MemoryType, Module, RefType, TableSection,
    TableType, TypeSection, ValType,
};

use crate::{
    engines::{Ours, Theirs},
    measure::{alone, resident},
};

/// Bytes that a function may have, less what closes it.
const FUNCTION: usize = FUNCTION_BYTES_MAX - 8_192;
/// Functions beside those that a family fills: the ABI's three.
const ABI: u32 = 3;
/// Seconds in which the worst module of the largest size must be stored: what a block of the chain may take.
const SECONDS: f64 = 60.0;
/// Megabytes that storing it may take.
const MEGABYTES: f64 = 2_048.0;

/// Makes the body of the function of that index; stops when it has so many bytes.
type Fill = fn(&mut Function, usize);

/// The families, each with locals of a function and how it is filled.
const FAMILIES: [(&str, u32, Fill); 14] = [
    ("straight", 4, |body, size| repeat(body, size, &[I::LocalGet(0), I::I32Const(7), I::I32Add, I::LocalSet(0)])),
    ("tiny blocks", 4, |body, size| {
        repeat(body, size, &[I::LocalGet(0), I::If(BlockType::Empty), I::End]);
    }),
    ("branches", 4, |body, size| {
        repeat(
            body,
            size,
            &[I::Block(BlockType::Empty), I::LocalGet(0), I::BrIf(0), I::LocalGet(1), I::LocalSet(0), I::End],
        );
    }),
    ("loops and locals", 98, |body, size| {
        let mut round = vec![I::Loop(BlockType::Empty)];
        round.extend((0..98).flat_map(|n| [I::LocalGet(n), I::LocalGet((n + 1) % 98), I::I32Xor, I::LocalSet(n)]));
        round.extend([I::LocalGet(0), I::BrIf(0), I::End]);
        repeat(body, size, &round);
    }),
    ("joins of locals", 98, |body, size| {
        // Each branch changes another local, so that each end joins all of them.
        let round = (0..98)
            .flat_map(|n| [I::LocalGet(n), I::If(BlockType::Empty), I::LocalGet((n + 7) % 98), I::LocalSet(n), I::End]);
        repeat(body, size, &round.collect::<Vec<_>>());
    }),
    ("nested blocks", 4, |body, size| nest(body, size, I::Block(BlockType::Empty), &[I::LocalGet(0), I::BrIf(1)])),
    ("nested loops", 98, |body, size| {
        nest(body, size, I::Loop(BlockType::Empty), &[I::LocalGet(0), I::LocalSet(1), I::LocalGet(1), I::BrIf(0)]);
    }),
    ("nested ifs", 4, |body, size| {
        let depth = size / 8;
        (0..depth).for_each(|_| all(body, &[I::LocalGet(0), I::If(BlockType::Empty)]));
        (0..depth).for_each(|_| all(body, &[I::Else, I::End]));
    }),
    ("br_table", 4, |body, size| {
        let targets: Vec<u32> = (0..16_000).map(|n| n % 8).collect();
        (0..8).for_each(|_| all(body, &[I::Block(BlockType::Empty)]));
        while body.byte_len() + 16_100 < size {
            all(body, &[I::Block(BlockType::Empty), I::LocalGet(0), I::BrTable(targets.clone().into(), 0), I::End]);
        }
        (0..8).for_each(|_| all(body, &[I::End]));
    }),
    ("constants", 4, |body, size| {
        let large = i64::MAX / 3;
        repeat(body, size, &[I::GlobalGet(0), I::I64Const(large), I::I64Mul, I::GlobalSet(0)]);
    }),
    ("wide operands", 4, |body, size| {
        // A thousand values alive at a time.
        let round = (0..1_000).map(|n| I::LocalGet(n % 4)).chain((0..999).map(|_| I::I32Add)).chain([I::LocalSet(0)]);
        repeat(body, size, &round.collect::<Vec<_>>());
    }),
    ("floats", 4, |body, size| {
        repeat(
            body,
            size,
            &[I::LocalGet(4), I::LocalGet(5), I::F64Min, I::F64Sqrt, I::LocalGet(4), I::F64Div, I::LocalSet(5)],
        );
    }),
    ("loads and stores", 4, |body, size| {
        let at = MemArg { offset: 0, align: 0, memory_index: 0 };
        repeat(body, size, &[I::LocalGet(0), I::LocalGet(1), I::I32Load8U(at), I::I32Store8(at)]);
    }),
    ("lengths", 4, |body, size| {
        repeat(body, size, &[I::LocalGet(0), I::LocalGet(1), I::LocalGet(2), I::MemoryFill(0)]);
    }),
];

fn repeat(body: &mut Function, size: usize, round: &[I<'_>]) {
    while body.byte_len() < size {
        all(body, round);
    }
}

fn all(body: &mut Function, ops: &[I<'_>]) {
    for op in ops {
        body.instruction(op);
    }
}

fn nest(body: &mut Function, size: usize, open: I<'_>, inside: &[I<'_>]) {
    let mut depth = 0;
    while body.byte_len() + depth < size {
        body.instruction(&open);
        // Inside the innermost two at least, so that a branch outwards has where to go.
        if depth > 0 {
            all(body, inside);
        }
        depth += 1;
    }
    (0..depth).for_each(|_| all(body, &[I::End]));
}

/// A contract whose functions are filled by a family, of some `bytes`.
fn module(locals: u32, fill: Fill, bytes: usize) -> Vec<u8> {
    let mut bodies = Vec::new();
    let mut left = bytes;
    while left > 64 {
        // The first local is the parameter; the family of floats has two of them behind its four integers.
        let mut body = Function::new([(locals - 1, ValType::I32), (2, ValType::F64)]);
        fill(&mut body, left.min(FUNCTION));
        left = left.saturating_sub(body.byte_len());
        body.instruction(&I::End);
        bodies.push(body);
    }
    contract(1, &bodies)
}

/// As many functions as may be, which do nothing.
fn functions() -> Vec<u8> {
    let mut body = Function::new([]);
    body.instruction(&I::End);
    contract(2, &vec![body; FUNCTIONS_MAX - ABI as usize])
}

/// A module with the ABI's exports and these functions, all of the type of that number.
fn contract(ty: u32, bodies: &[Function]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for ty in 0..ABI {
        let mut body = Function::new([]);
        if ty == 0 {
            body.instruction(&I::LocalGet(0));
        }
        body.instruction(&I::End);
        functions.function(ty);
        code.function(&body);
    }
    for body in bodies {
        functions.function(ty);
        code.function(body);
    }
    let mut tables = TableSection::new();
    let ty = RefType::FUNCREF;
    tables.table(TableType { element_type: ty, minimum: 1, maximum: Some(1), table64: false, shared: false });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: ValType::I64, mutable: true, shared: false }, &ConstExpr::i64_const(1));
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    for (index, name) in (0u32..).zip(["allocate", "deallocate", "interface_version_8"]) {
        exports.export(name, ExportKind::Func, index);
    }
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions([0][..].into()));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&globals);
    module.section(&exports).section(&elements).section(&code);
    module.finish()
}

fn made(family: &str, bytes: usize) -> Result<Vec<u8>> {
    if family == "functions" {
        return Ok(functions());
    }
    let (_, locals, fill) = FAMILIES.iter().find(|(name, ..)| *name == family).context("there is no such family")?;
    Ok(module(*locals, *fill, bytes))
}

/// `bomb FAMILY BYTES ours|theirs`: stores one module and says what it took.
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [family, bytes, engine] = arguments else { anyhow::bail!("bomb FAMILY BYTES ours|theirs") };
    let wasm = made(family, bytes.parse()?)?;
    let folder = tempfile::tempdir()?;
    let ours = Ours::new(folder.path(), 1 << 30)?;
    let theirs = Theirs::new(folder.path(), 1 << 30)?;
    let before = resident("VmRSS")?;
    let start = Instant::now();
    let refused = match engine.as_str() {
        "ours" => ours.put(&wasm).err().map(|error| error.to_string()),
        _ => theirs.put(&wasm).err().map(|error| error.to_string()),
    };
    let seconds = start.elapsed().as_secs_f64();
    ours.settle();
    // What the better machine code took, which nobody waits for, and all of the memory.
    let behind = start.elapsed().as_secs_f64() - seconds;
    let megabytes = resident("VmHWM")? - before;
    println!(
        "{}",
        serde_json::json!({
            "bytes": wasm.len(), "seconds": seconds, "behind": behind, "megabytes": megabytes, "refused": refused,
        })
    );
    Ok(())
}

fn stored(family: &str, bytes: usize, engine: &str) -> Result<Value> {
    let output = Command::new(env::current_exe()?).args(["bomb", family, &bytes.to_string(), engine]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| format!("{family} of {bytes} bytes on {engine}: {said}"))
}

/// All families at a middle size, then the worst of them as large as a contract may be.
pub(crate) fn run(quick: bool, emit: impl Fn(Value)) -> Result<()> {
    let size = if quick { 128 << 10 } else { 512 << 10 };
    let mut worst: [(f64, &str); 3] = [(0.0, "functions"); 3];
    for family in FAMILIES.iter().map(|(name, ..)| *name).chain(["functions"]) {
        let ours = stored(family, size, "ours")?;
        ensure!(ours["refused"].is_null(), "{family} is refused: {}", ours["refused"]);
        let kilobytes = ours["bytes"].as_f64().context("no bytes")? / 1024.0;
        let number = |report: &Value, field: &str| report[field].as_f64().context("no number");
        let (time, memory) = (number(&ours, "seconds")? * 1e3 / kilobytes, number(&ours, "megabytes")?);
        let theirs = stored(family, size, "theirs").ok().filter(|theirs| theirs["refused"].is_null());
        let their_time = theirs.as_ref().map(|theirs| number(theirs, "seconds")).transpose()?;
        let their_memory = theirs.as_ref().map(|theirs| number(theirs, "megabytes")).transpose()?;
        emit(beside(&format!("bomb {family}: store, a KB"), "ms", time, their_time.map(|s| s * 1e3 / kilobytes)));
        let behind = number(&ours, "behind")? * 1e3 / kilobytes;
        emit(alone(&format!("bomb {family}: compiled better behind, a KB"), "ms", behind, None));
        emit(beside(&format!("bomb {family}: peak memory of {kilobytes:.0} KB"), "MB", memory, their_memory));
        for (known, measured) in worst.iter_mut().zip([time, behind, memory / kilobytes]) {
            if measured > known.0 {
                *known = (measured, family);
            }
        }
    }
    // The ABI and the sections around the code take the last of the 3 MiB.
    let largest = if quick { 1 << 20 } else { WASM_BYTES_MAX - 16_384 };
    let mut families = worst.map(|(_, family)| family).to_vec();
    families.dedup();
    for family in families {
        let ours = stored(family, largest, "ours")?;
        let number = |field: &str| ours[field].as_f64().context("no number");
        let size = number("bytes")? / 1024.0;
        emit(alone(&format!("worst bomb, {family}: store of {size:.0} KB"), "s", number("seconds")?, Some(SECONDS)));
        emit(alone(&format!("worst bomb, {family}: compiled better behind"), "s", number("behind")?, None));
        emit(alone(&format!("worst bomb, {family}: peak memory"), "MB", number("megabytes")?, Some(MEGABYTES)));
    }
    Ok(())
}

/// Beside the peer where it takes the module too.
fn beside(case: &str, unit: &str, ours: f64, theirs: Option<f64>) -> Value {
    match theirs {
        Some(theirs) => crate::measure::row(case, unit, (ours, theirs)),
        None => alone(case, unit, ours, None),
    }
}
