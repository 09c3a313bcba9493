//! Rewrites one function's body.
//!
//! The body is cut into basic blocks: straight runs that are entered at the top only and left at the bottom, except by
//! a trap. Before each block stands a charge for all of it:
//!
//! ```wat
//! global.get $gas  i64.const COST  i64.sub  global.set $gas
//! ```
//!
//! Whether any is left is looked at where a function or a round of a loop begins, the only ways to go on for long:
//!
//! ```wat
//! global.get $gas  i64.const COST  i64.sub  local.tee $left  global.set $gas
//! local.get $left  i64.const 0  i64.lt_s  if  unreachable  end
//! ```
//!
//! In between the counter may be below zero for as long as the rest of one body takes. That shows nowhere: the host looks
//! at the counter first whenever it is called, when a call returns and when one traps, and a counter below zero means that the
//! gas ran out, whatever else has happened since. Operations on ranges of memory are charged by their
//! length and look at what is left just before they run. A function that calls others, or is large, takes its frame from the stack counter
//! when it is entered and gives it back when it is left; for that its body becomes one block, and `return` a branch to
//! the end of it.

use wasm_encoder::{BlockType, Encode, Instruction};
use wasmparser::{FunctionBody, Operator, ValType};

use super::{Counters, lost, unread};
use crate::check::Body;
use crate::limits::MEMORY_PAGES_MAX;
use crate::{CheckError, price};

/// The rewritten body, without its length.
pub(super) fn rewrite(
    wasm: &[u8],
    function: &FunctionBody<'_>,
    body: &Body,
    counters: Counters,
) -> Result<Vec<u8>, CheckError> {
    let frame = frame_slots(body);
    let counted = body.calls || frame > price::LEAF_SLOTS;
    let first_local = index(body.params.saturating_add(body.locals));
    let mut writer = Writer {
        out: Vec::with_capacity(body.bytes * 2),
        block: Vec::new(),
        cost: 0,
        looks: true,
        counters,
        left: first_local,
        scratch: first_local.saturating_add(1),
    };

    writer.locals(wasm, function)?;
    if counted {
        writer.enter(frame, body.result);
    }
    let mut reader = function.get_operators_reader().map_err(unread)?;
    // Blocks open inside the function, the function's own not among them.
    let mut depth = 0u32;
    while !reader.eof() {
        let start = reader.original_position();
        let op = reader.read().map_err(unread)?;
        let raw = wasm.get(start..reader.original_position()).ok_or_else(|| lost(start))?;
        writer.cost += price::op(&op);
        match op {
            Operator::Block { .. } => {
                writer.copy(raw);
                depth += 1;
            }
            Operator::Loop { .. } => {
                writer.copy(raw);
                writer.cut();
                writer.looks = true;
                depth += 1;
            }
            Operator::If { .. } => {
                writer.copy(raw);
                writer.cut();
                depth += 1;
            }
            Operator::End => {
                if depth == 0 && counted {
                    writer.leave(frame);
                }
                writer.copy(raw);
                writer.cut();
                depth = depth.saturating_sub(1);
            }
            Operator::Return if counted => {
                writer.put(&Instruction::Br(depth));
                writer.cut();
            }
            Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } | Operator::BrTable { .. } => {
                writer.copy(raw);
                writer.cut();
            }
            Operator::Return | Operator::Unreachable => {
                writer.copy(raw);
                writer.cut();
            }
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
                writer.put(&Instruction::LocalSet(writer.scratch));
                writer.charge_by_length(price::BULK_BYTE);
                writer.copy(raw);
            }
            Operator::MemoryGrow { .. } => {
                writer.clamp_pages();
                writer.charge_by_length(price::GROW_PAGE);
                writer.copy(raw);
            }
            _ => writer.copy(raw),
        }
    }
    writer.cut();
    Ok(writer.out)
}

/// What a call of the function takes from the stack counter, in slots of 8 bytes.
fn frame_slots(body: &Body) -> usize {
    price::FRAME_SLOTS + body.params + body.locals + body.operands + body.bytes / price::BODY_BYTES_PER_SLOT
}

/// Counts here are bounded by the static limits, far below what fits.
fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

struct Writer {
    out: Vec<u8>,
    /// The block since the last cut, which waits for its charge.
    block: Vec<u8>,
    cost: u64,
    /// Whether the next charge looks at what is left. A block without a charge leaves it to the one behind it: no branch
    /// ends the former.
    looks: bool,
    counters: Counters,
    /// An `i64` local of ours.
    left: u32,
    /// An `i32` local of ours.
    scratch: u32,
}

impl Writer {
    /// The declared locals and two more.
    fn locals(&mut self, wasm: &[u8], function: &FunctionBody<'_>) -> Result<(), CheckError> {
        let reader = function.get_locals_reader().map_err(unread)?;
        let groups = reader.get_count();
        let start = reader.original_position();
        let end = function.get_binary_reader_for_operators().map_err(unread)?.original_position();
        groups.saturating_add(2).encode(&mut self.out);
        self.out.extend_from_slice(wasm.get(start..end).ok_or_else(|| lost(start))?);
        for ty in [wasm_encoder::ValType::I64, wasm_encoder::ValType::I32] {
            1u32.encode(&mut self.out);
            ty.encode(&mut self.out);
        }
        Ok(())
    }

    fn copy(&mut self, raw: &[u8]) {
        self.block.extend_from_slice(raw);
    }

    fn put(&mut self, instruction: &Instruction<'_>) {
        instruction.encode(&mut self.block);
    }

    /// Ends the block: its charge goes out first, then the block.
    fn cut(&mut self) {
        if self.cost > 0 {
            let cost = i64::try_from(self.cost).unwrap_or(i64::MAX);
            let gas = self.counters.gas;
            let charge = [Instruction::GlobalGet(gas), Instruction::I64Const(cost)];
            charge.iter().for_each(|instruction| instruction.encode(&mut self.out));
            if std::mem::take(&mut self.looks) {
                self.subtract_gas().iter().for_each(|instruction| instruction.encode(&mut self.out));
            } else {
                let subtract = [Instruction::I64Sub, Instruction::GlobalSet(gas)];
                subtract.iter().for_each(|instruction| instruction.encode(&mut self.out));
            }
        }
        self.out.append(&mut self.block);
        self.cost = 0;
    }

    /// With the gas left and a cost on the stack: takes the one from the other, traps when too little is left.
    fn subtract_gas(&self) -> [Instruction<'static>; 9] {
        [
            Instruction::I64Sub,
            Instruction::LocalTee(self.left),
            Instruction::GlobalSet(self.counters.gas),
            Instruction::LocalGet(self.left),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ]
    }

    /// With a length in `scratch`: charges for it, then puts it back on the stack. A length is below 2^32 and the
    /// counter at most one body's cost below zero, so nothing overflows.
    fn charge_by_length(&mut self, price: u64) {
        let price = i64::try_from(price).unwrap_or(i64::MAX);
        let product = [
            Instruction::GlobalGet(self.counters.gas),
            Instruction::LocalGet(self.scratch),
            Instruction::I64ExtendI32U,
            Instruction::I64Const(price),
            Instruction::I64Mul,
        ];
        product.iter().for_each(|instruction| self.put(instruction));
        self.subtract_gas().iter().for_each(|instruction| self.put(instruction));
        self.put(&Instruction::LocalGet(self.scratch));
    }

    /// With pages to grow by on the stack: moves them into `scratch`, no more than one beyond the limit. More would
    /// fail just the same, and neither cost more nor lead the engine to ask the system.
    fn clamp_pages(&mut self) {
        let most = MEMORY_PAGES_MAX.cast_signed() + 1;
        let clamp = [
            Instruction::LocalTee(self.scratch),
            Instruction::I32Const(most),
            Instruction::LocalGet(self.scratch),
            Instruction::I32Const(most),
            Instruction::I32LtU,
            Instruction::Select,
            Instruction::LocalSet(self.scratch),
        ];
        clamp.iter().for_each(|instruction| self.put(instruction));
    }

    /// Takes the frame from the stack counter and opens the block that stands for the function.
    fn enter(&mut self, frame: usize, result: Option<ValType>) {
        let result = result.map_or(BlockType::Empty, |ty| BlockType::Result(encoded(ty)));
        let prologue = [
            Instruction::GlobalGet(self.counters.stack),
            Instruction::I32Const(index(frame).cast_signed()),
            Instruction::I32Sub,
            Instruction::LocalTee(self.scratch),
            Instruction::GlobalSet(self.counters.stack),
            Instruction::LocalGet(self.scratch),
            Instruction::I32Const(0),
            Instruction::I32LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
            Instruction::Block(result),
        ];
        prologue.iter().for_each(|instruction| instruction.encode(&mut self.out));
    }

    /// Closes the block that stands for the function and gives the frame back.
    fn leave(&mut self, frame: usize) {
        let epilogue = [
            Instruction::End,
            Instruction::GlobalGet(self.counters.stack),
            Instruction::I32Const(index(frame).cast_signed()),
            Instruction::I32Add,
            Instruction::GlobalSet(self.counters.stack),
        ];
        epilogue.iter().for_each(|instruction| self.put(instruction));
    }
}

/// The four number types; no other passes the checks.
fn encoded(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        _ => wasm_encoder::ValType::I32,
    }
}
