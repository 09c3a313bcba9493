//! The static checks: what a module must and may not be before it is compiled.
//!
//! One walk over the module: each section against the limits ([`sections`]), each body against the features that are
//! allowed ([`features`], [`body`]), and all of it against wasm's own rules. Then the ABI ([`abi`]): imports, exports,
//! markers, capabilities. What is learned on the way, instrumentation needs again: [`Shape`].
//!
//! Nothing here depends on the state; the same bytes are taken or refused everywhere, in the same words.

mod abi;
mod body;
mod features;
mod sections;

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use wasmparser::types::Types;
use wasmparser::{FuncValidatorAllocations, Parser, Payload, TypeRef, ValidPayload, Validator, WasmFeatures};

use crate::limits::{FUNCTIONS_MAX, TOTAL_LOCALS_MAX, WASM_BYTES_MAX};
use crate::{CheckError, Checksum, CodeReport};

pub(crate) use body::Body;

/// How every module begins.
const MAGIC: &[u8] = b"\0asm";
/// How names begin that instrumentation exports its counters under.
pub(crate) const RESERVED_PREFIX: &str = "aceso:";

/// What rustc's default features for wasm32 need. Reference types are among them for the long encoding of
/// `call_indirect` alone, bulk memory for the operations on memory alone: [`features`] refuses the rest.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::FLOATS);

/// What instrumentation needs to know of a module that passed.
pub(crate) struct Shape {
    /// Globals that the module has.
    pub(crate) globals: u32,
    /// Functions that it has, imports included.
    pub(crate) functions: u32,
    /// Its functions with a body, in order.
    pub(crate) bodies: Vec<Body>,
}

/// A module that passed.
pub(crate) struct Checked {
    pub(crate) report: CodeReport,
    pub(crate) shape: Shape,
}

/// Checks a module against everything that can be known without running it. Without a set of capabilities, whatever it
/// requires is there.
pub(crate) fn check(wasm: &[u8], capabilities: Option<&BTreeSet<String>>) -> Result<Checked, CheckError> {
    limit("bytes of wasm", wasm.len(), WASM_BYTES_MAX)?;
    if !wasm.starts_with(MAGIC) {
        return Err(CheckError::Invalid { message: "the bytes do not begin as wasm does".into(), offset: 0 });
    }

    let mut sections = sections::Sections::default();
    let (bodies, types) = walk(wasm, |payload| sections.see(payload))?;
    abi::check(&sections, types.as_ref(), capabilities)?;

    let report = CodeReport {
        checksum: Checksum(Sha256::digest(wasm).into()),
        capabilities: abi::capabilities(&sections),
        entry_points: abi::entry_points(&sections),
        migrate_version: sections.migrate_version,
        bytes: wasm.len() as u64,
    };
    // A module that passes imports nothing but functions.
    let functions = u32::try_from(sections.imports.len() + bodies.len()).unwrap_or(u32::MAX);
    Ok(Checked { report, shape: Shape { globals: sections.globals, functions, bodies } })
}

/// Reads a module by wasm's own rules and the features that are allowed in bodies. Each part is shown to `see` before.
fn walk(
    wasm: &[u8],
    mut see: impl FnMut(&Payload<'_>) -> Result<(), CheckError>,
) -> Result<(Vec<Body>, Types), CheckError> {
    let mut bodies = Vec::new();
    let mut total_locals = 0usize;
    let mut validator = Validator::new_with_features(FEATURES);
    let mut scratch = FuncValidatorAllocations::default();
    for payload in parser().parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        see(&payload)?;
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, code) => {
                limit("functions", bodies.len() + 1, FUNCTIONS_MAX)?;
                let (body, reuse) = body::check(function, &code, scratch)?;
                total_locals = total_locals.saturating_add(body.locals);
                limit("locals in total", total_locals, TOTAL_LOCALS_MAX)?;
                bodies.push(body);
                scratch = reuse;
            }
            ValidPayload::End(types) => return Ok((bodies, types)),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    Err(CheckError::Invalid { message: "the module has no end".into(), offset: wasm.len() })
}

/// What instrumentation needs to know of a module that need not be a contract.
pub(crate) fn shape(wasm: &[u8]) -> Result<Shape, CheckError> {
    let (mut globals, mut functions) = (0u32, 0u32);
    let (bodies, _) = walk(wasm, |payload| {
        match payload {
            Payload::TypeSection(_) => sections::Sections::default().see(payload)?,
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports().map_while(Result::ok) {
                    functions = functions.saturating_add(matches!(import.ty, TypeRef::Func(_)).into());
                    globals = globals.saturating_add(matches!(import.ty, TypeRef::Global(_)).into());
                }
            }
            Payload::FunctionSection(reader) => functions = functions.saturating_add(reader.count()),
            Payload::GlobalSection(reader) => globals = globals.saturating_add(reader.count()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Shape { globals, functions, bodies })
}

/// A parser that takes the encodings of the allowed features and no others, just as the engine's own will.
pub(crate) fn parser() -> Parser {
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    parser
}

/// Refuses more than the limit.
fn limit(what: &'static str, got: usize, limit: usize) -> Result<(), CheckError> {
    if got > limit { Err(CheckError::Limit { what, got, limit }) } else { Ok(()) }
}

/// Wasm's own rules, in the parser's words.
fn invalid(error: wasmparser::BinaryReaderError) -> CheckError {
    CheckError::Invalid { message: error.message().into(), offset: error.offset() }
}
