//! One function's body: features, locals, and what its frame will take.

use wasmparser::{
    BlockType, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, ValType, ValidatorResources,
    WasmModuleResources,
};

use super::{features, invalid};
use crate::CheckError;
use crate::limits::{BRANCH_TARGETS_MAX, FUNCTION_BYTES_MAX, FUNCTION_LOCALS_MAX};

/// What instrumentation needs to know of a body.
pub(crate) struct Body {
    /// Parameters of the function.
    pub(crate) params: usize,
    /// Locals that it declares, parameters apart.
    pub(crate) locals: usize,
    /// The type that it returns.
    pub(crate) result: Option<ValType>,
    /// Most operands that it has on the stack at a time.
    pub(crate) operands: usize,
    /// Bytes of the body.
    pub(crate) bytes: usize,
    /// Whether it calls anything.
    pub(crate) calls: bool,
}

/// Validates a body and measures it.
pub(super) fn check(
    function: FuncToValidate<ValidatorResources>,
    code: &FunctionBody<'_>,
    scratch: FuncValidatorAllocations,
) -> Result<(Body, FuncValidatorAllocations), CheckError> {
    let index = function.index;
    let limit = |what, got, limit| {
        if got > limit { Err(CheckError::FunctionLimit { what, function: index, got, limit }) } else { Ok(()) }
    };
    let bytes = code.range().len();
    limit("bytes", bytes, FUNCTION_BYTES_MAX)?;

    let mut locals = 0usize;
    for group in code.get_locals_reader().map_err(invalid)? {
        let (count, ty) = group.map_err(invalid)?;
        if let Some(feature) = features::forbidden_type(ty) {
            return Err(CheckError::Op { feature, op: "local", function: index, offset: code.range().start });
        }
        locals = locals.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        limit("locals", locals, FUNCTION_LOCALS_MAX)?;
    }

    let signature = function.resources.sub_type_at(function.ty).map(|ty| ty.unwrap_func().clone());
    let (params, result) = signature.map_or((0, None), |ty| (ty.params().len(), ty.results().first().copied()));

    let mut validator = function.into_validator(scratch);
    let mut reader = code.get_binary_reader();
    validator.read_locals(&mut reader).map_err(invalid)?;
    let mut body = Body { params, locals, result, operands: 0, bytes, calls: false };
    let mut operators = code.get_operators_reader().map_err(invalid)?;
    while !operators.eof() {
        let (op, offset) = operators.read_with_offset().map_err(invalid)?;
        if let Some(found) = features::forbidden(&op) {
            return Err(CheckError::Op { feature: found.feature, op: found.op, function: index, offset });
        }
        if let Some(op) = typed_block(&op, validator.resources()) {
            return Err(CheckError::Op { feature: "multiple values in blocks", op, function: index, offset });
        }
        if let Operator::BrTable { targets } = &op {
            limit("targets of a br_table", usize::try_from(targets.len()).unwrap_or(usize::MAX), BRANCH_TARGETS_MAX)?;
        }
        validator.op(offset, &op).map_err(invalid)?;
        let height = usize::try_from(validator.operand_stack_height()).unwrap_or(usize::MAX);
        body.operands = body.operands.max(height);
        body.calls |= matches!(op, Operator::Call { .. } | Operator::CallIndirect { .. });
    }
    operators.finish().map_err(invalid)?;
    Ok((body, validator.into_allocations()))
}

/// Refuses blocks that take parameters or return several values: each branch to such a block copies them all, which
/// makes compile time the product of branches and values. No compiler for contracts emits them.
fn typed_block(op: &Operator<'_>, resources: &ValidatorResources) -> Option<&'static str> {
    let (name, ty) = match op {
        Operator::Block { blockty } => ("block", blockty),
        Operator::Loop { blockty } => ("loop", blockty),
        Operator::If { blockty } => ("if", blockty),
        _ => return None,
    };
    match ty {
        BlockType::Empty | BlockType::Type(_) => None,
        BlockType::FuncType(index) => {
            let signature = resources.sub_type_at(*index)?.unwrap_func();
            (!signature.params().is_empty() || signature.results().len() > 1).then_some(name)
        }
    }
}
