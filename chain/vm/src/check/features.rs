//! Which instructions are allowed, and the names of the features that the others belong to.

use wasmparser::{Operator, ValType};

/// An instruction that is not allowed: the feature it belongs to and its own name.
pub(super) struct Forbidden {
    pub(super) feature: &'static str,
    pub(super) op: &'static str,
}

macro_rules! proposals {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// The proposal that brought an instruction, and the instruction's name.
        fn origin(op: &Operator<'_>) -> (&'static str, &'static str) {
            match op {
                $(Operator::$op { .. } => (stringify!($proposal), stringify!($visit)),)*
                _ => ("unknown", "visit_unknown"),
            }
        }
    };
}
wasmparser::for_each_operator!(proposals);

/// Says whether an instruction is allowed, and if not, why.
pub(super) fn forbidden(op: &Operator<'_>) -> Option<Forbidden> {
    let (proposal, visit) = origin(op);
    let feature = match proposal {
        "mvp" | "sign_extension" | "saturating_float_to_int" => return None,
        "bulk_memory" => match op {
            Operator::MemoryInit { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::DataDrop { .. } => return None,
            _ => "bulk table operations",
        },
        // `select` with its type spelled out; the validator holds it to number types, for there are no others here.
        "reference_types" if matches!(op, Operator::TypedSelect { .. }) => return None,
        "reference_types" => "reference types",
        "simd" => "SIMD",
        "relaxed_simd" => "relaxed SIMD",
        "threads" => "threads",
        "shared_everything_threads" => "shared-everything threads",
        "exceptions" => "exceptions",
        "legacy_exceptions" => "legacy exceptions",
        "tail_call" => "tail calls",
        "gc" => "garbage collection",
        "function_references" => "function references",
        "memory_control" => "memory control",
        "stack_switching" => "stack switching",
        "wide_arithmetic" => "wide arithmetic",
        "custom_descriptors" => "custom descriptors",
        _ => "an unknown feature",
    };
    Some(Forbidden { feature, op: visit.strip_prefix("visit_").unwrap_or(visit) })
}

/// The feature that a value of another type than the four numbers belongs to.
pub(super) fn forbidden_type(ty: ValType) -> Option<&'static str> {
    match ty {
        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => None,
        ValType::V128 => Some("SIMD"),
        ValType::Ref(_) => Some("reference types"),
    }
}
