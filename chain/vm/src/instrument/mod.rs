//! Rewrites a checked module so that it counts its own gas and stack.
//!
//! Two globals are added behind the module's own, so that no index moves: the gas left and the stack left. They are
//! exported under names that no contract may use, for the host to set and read; the contract cannot name them, since
//! its code was validated before they existed. Where an instance can be made as new by its globals and its memory, the
//! module's own mutable globals are exported like that too. Each body is rewritten by [`body`].
//!
//! Counters in the wasm itself give the same numbers in every compiler tier and on every processor, and lose nothing
//! at a trap: what a block costs is in the global before its first instruction runs.
//! Custom sections are left out but for the [`names`] of functions. Everything else is copied byte for byte.

mod body;
mod names;

use wasm_encoder::{CodeSection, ConstExpr, Encode, ExportKind, GlobalType, Module, RawSection, SectionId, ValType};
use wasmparser::{Payload, SectionLimited};

use crate::CheckError;
use crate::check::{Shape, parser};

/// Name under which the gas left is exported, an `i64`.
pub const GAS: &str = "aceso:gas";
/// Name under which the stack left is exported, an `i32`.
pub const STACK: &str = "aceso:stack";
/// Exported, as the gas left a second time, by a module of which an instance can be made as new: all that a call can change in it,
/// apart from memory, is in globals, and each is exported for the host under this and its number.
pub(crate) const RESETS: &str = "aceso:resets";
/// Mutable globals of a module that can be made as new. rustc emits one, for the stack.
const RESETS_MAX: usize = 16;
/// Part of every compiled module's key: change it whenever rewriting changes.
pub(crate) const VERSION: u32 = 4;

/// The indices of the two counters.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) gas: u32,
    pub(crate) stack: u32,
}

/// The order in which sections stand in a module.
const ORDER: [SectionId; 11] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Global,
    SectionId::Export,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// Rewrites a module that passed [`crate::check::check`].
pub(crate) fn instrument(wasm: &[u8], shape: &Shape) -> Result<Vec<u8>, CheckError> {
    let counters = Counters { gas: shape.globals, stack: shape.globals.saturating_add(1) };
    let mut sections: Vec<(SectionId, Vec<u8>)> = Vec::new();
    let mut globals = Items::default();
    let mut exports = Items::default();
    let mut mutable = Vec::new();
    let mut passive = false;
    let mut code = CodeSection::new();
    let mut bodies = shape.bodies.iter();
    let mut names = names::Names::default();

    for payload in parser().parse_all(wasm) {
        let payload = payload.map_err(unread)?;
        names.see(&payload, shape.functions);
        match &payload {
            Payload::GlobalSection(reader) => {
                globals = Items::of(wasm, reader)?;
                mutable = mutable_globals(reader, shape.globals)?;
            }
            Payload::ExportSection(reader) => exports = Items::of(wasm, reader)?,
            Payload::CodeSectionEntry(function) => {
                let body = bodies.next().ok_or_else(|| lost(function.range().start))?;
                code.raw(&body::rewrite(wasm, function, body, counters)?);
            }
            Payload::CodeSectionStart { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Payload::DataSection(reader) = other {
                    passive = has_passive(reader)?;
                }
                if let Some((id, range)) = other.as_section() {
                    let bytes = wasm.get(range.clone()).ok_or_else(|| lost(range.start))?;
                    let id = ORDER.into_iter().find(|&known| u8::from(known) == id).ok_or_else(|| lost(range.start))?;
                    sections.push((id, bytes.to_vec()));
                }
            }
        }
    }

    // Tables never change: no instruction that would is allowed. Segments that are active are gone from the beginning.
    let resets = (!passive && mutable.len() <= RESETS_MAX).then_some(mutable);
    sections.push((SectionId::Global, globals.with(&two_globals())));
    sections.push((SectionId::Export, exports.with(&our_exports(counters, resets))));

    let mut module = Module::new();
    for id in ORDER {
        if id == SectionId::Code {
            module.section(&code);
        } else if let Some((_, data)) = sections.iter().find(|(section, _)| *section == id) {
            module.section(&RawSection { id: id.into(), data });
        }
    }
    if let Some(names) = names.section() {
        module.section(&names);
    }
    Ok(module.finish())
}

/// A section's items as they stand in the module, without their count.
#[derive(Default)]
struct Items {
    count: u32,
    bytes: Vec<u8>,
}

impl Items {
    fn of<T>(wasm: &[u8], reader: &SectionLimited<'_, T>) -> Result<Self, CheckError> {
        let range = reader.range();
        let start = reader.original_position();
        let bytes = wasm.get(start..range.end).ok_or_else(|| lost(start))?;
        Ok(Self { count: reader.count(), bytes: bytes.to_vec() })
    }

    /// A section of these items and some more.
    fn with(&self, more: &Self) -> Vec<u8> {
        let mut section = Vec::new();
        self.count.saturating_add(more.count).encode(&mut section);
        section.extend_from_slice(&self.bytes);
        section.extend_from_slice(&more.bytes);
        section
    }
}

/// The globals that code can change, by index. Imported ones, which no contract has, come first.
fn mutable_globals(reader: &SectionLimited<'_, wasmparser::Global<'_>>, all: u32) -> Result<Vec<u32>, CheckError> {
    let mut mutable = Vec::new();
    for (index, global) in (all.saturating_sub(reader.count())..).zip(reader.clone()) {
        if global.map_err(unread)?.ty.mutable {
            mutable.push(index);
        }
    }
    Ok(mutable)
}

/// Whether there is a segment that code can use up.
fn has_passive(reader: &SectionLimited<'_, wasmparser::Data<'_>>) -> Result<bool, CheckError> {
    for data in reader.clone() {
        if matches!(data.map_err(unread)?.kind, wasmparser::DataKind::Passive) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn two_globals() -> Items {
    let mut globals = Items { count: 2, bytes: Vec::new() };
    for (val_type, zero) in [(ValType::I64, ConstExpr::i64_const(0)), (ValType::I32, ConstExpr::i32_const(0))] {
        GlobalType { val_type, mutable: true, shared: false }.encode(&mut globals.bytes);
        zero.encode(&mut globals.bytes);
    }
    globals
}

fn our_exports(counters: Counters, resets: Option<Vec<u32>>) -> Items {
    let mut exports = Items::default();
    let mut export = |name: &str, index: u32| {
        name.encode(&mut exports.bytes);
        ExportKind::Global.encode(&mut exports.bytes);
        index.encode(&mut exports.bytes);
        exports.count = exports.count.saturating_add(1);
    };
    export(GAS, counters.gas);
    export(STACK, counters.stack);
    if let Some(mutable) = resets {
        export(RESETS, counters.gas);
        for index in mutable {
            export(&format!("{RESETS}:{index}"), index);
        }
    }
    exports
}

/// A module that passed the checks reads the same the second time; should it not, it is refused and not run.
fn lost(offset: usize) -> CheckError {
    CheckError::Invalid { message: "the module changed while it was read".into(), offset }
}

fn unread(error: wasmparser::BinaryReaderError) -> CheckError {
    CheckError::Invalid { message: error.message().into(), offset: error.offset() }
}
