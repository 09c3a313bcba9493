//! Rewrites a checked module so that it counts its own gas and stack.
//!
//! Two globals are added behind the module's own, so that no index moves: the gas left and the stack left. They are
//! exported under names that no contract may use, for the host to set and read; the contract cannot name them, since
//! its code was validated before they existed. Each body is rewritten by [`body`].
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
/// Part of every compiled module's key: change it whenever rewriting changes.
pub(crate) const VERSION: u32 = 3;

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
    let mut code = CodeSection::new();
    let mut bodies = shape.bodies.iter();
    let mut names = names::Names::default();

    for payload in parser().parse_all(wasm) {
        let payload = payload.map_err(unread)?;
        names.see(&payload, shape.functions);
        match &payload {
            Payload::GlobalSection(reader) => globals = Items::of(wasm, reader)?,
            Payload::ExportSection(reader) => exports = Items::of(wasm, reader)?,
            Payload::CodeSectionEntry(function) => {
                let body = bodies.next().ok_or_else(|| lost(function.range().start))?;
                code.raw(&body::rewrite(wasm, function, body, counters)?);
            }
            Payload::CodeSectionStart { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let bytes = wasm.get(range.clone()).ok_or_else(|| lost(range.start))?;
                    let id = ORDER.into_iter().find(|&known| u8::from(known) == id).ok_or_else(|| lost(range.start))?;
                    sections.push((id, bytes.to_vec()));
                }
            }
        }
    }

    sections.push((SectionId::Global, globals.with_two(&two_globals())));
    sections.push((SectionId::Export, exports.with_two(&two_exports(counters))));

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

    /// A section of these items and two more.
    fn with_two(&self, two: &[u8]) -> Vec<u8> {
        let mut section = Vec::new();
        self.count.saturating_add(2).encode(&mut section);
        section.extend_from_slice(&self.bytes);
        section.extend_from_slice(two);
        section
    }
}

fn two_globals() -> Vec<u8> {
    let mut globals = Vec::new();
    for (val_type, zero) in [(ValType::I64, ConstExpr::i64_const(0)), (ValType::I32, ConstExpr::i32_const(0))] {
        GlobalType { val_type, mutable: true, shared: false }.encode(&mut globals);
        zero.encode(&mut globals);
    }
    globals
}

fn two_exports(counters: Counters) -> Vec<u8> {
    let mut exports = Vec::new();
    for (name, index) in [(GAS, counters.gas), (STACK, counters.stack)] {
        name.encode(&mut exports);
        ExportKind::Global.encode(&mut exports);
        index.encode(&mut exports);
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
