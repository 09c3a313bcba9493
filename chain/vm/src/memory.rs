//! The contract's memory, seen from the host.
//!
//! CosmWasm hands everything over in *regions*: twelve bytes in the contract's memory, `offset`, `capacity` and
//! `length` as little-endian `u32`, that describe bytes elsewhere in it. WASI and wasi-nn use plain pointers and lengths.
//! Both are numbers that a contract made up: every one is checked here before a byte moves, and what is read is paid
//! for and bounded before it is copied.

use std::sync::Arc;

use wasmtime::{AsContextMut, Global, Memory, StoreContextMut, TypedFunc, Val};

use crate::imports::Frame;
use crate::price::{self, Linear};
use crate::{Backend, Backtrace, HostResult, LocalError, RegionError, VmError};

/// Bytes of a region's description.
const REGION: u32 = 12;

/// What the host needs of an instance.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) gas: Global,
    pub(crate) stack: Global,
    pub(crate) allocate: TypedFunc<u32, u32>,
}

/// A frame, from the host's side: its gas, its memory, its backend.
pub(crate) struct Host<'a> {
    store: StoreContextMut<'a, Frame>,
}

struct Region {
    pointer: u32,
    offset: u32,
    capacity: u32,
    length: u32,
}

impl<'a> Host<'a> {
    pub(crate) fn new(store: StoreContextMut<'a, Frame>) -> Self {
        Self { store }
    }

    pub(crate) fn frame(&mut self) -> &mut Frame {
        self.store.data_mut()
    }

    /// Gas left, none of it once the counter is below zero.
    pub(crate) fn gas_left(&mut self) -> Result<u64, VmError> {
        let gas = self.guest()?.gas;
        Ok(u64::try_from(gas.get(&mut self.store).unwrap_i64()).unwrap_or(0))
    }

    /// Takes gas before the work that it pays for.
    pub(crate) fn charge(&mut self, price: u64) -> Result<(), VmError> {
        let gas = self.guest()?.gas;
        let left = u64::try_from(gas.get(&mut self.store).unwrap_i64()).unwrap_or(0);
        let rest = left.checked_sub(price).map(u64::cast_signed);
        gas.set(&mut self.store, Val::I64(rest.unwrap_or(-1))).map_err(|e| engine("count gas", &e))?;
        if rest.is_some() { Ok(()) } else { Err(VmError::OutOfGas { limit: self.frame().limit }) }
    }

    /// Whether gas is left, which is to be asked whenever the contract's code has returned: it looks by itself at the
    /// beginnings of functions and loops alone.
    pub(crate) fn solvent(&mut self) -> Result<(), VmError> {
        let gas = self.guest()?.gas;
        if gas.get(&mut self.store).unwrap_i64() < 0 {
            return Err(VmError::OutOfGas { limit: self.frame().limit });
        }
        Ok(())
    }

    /// Takes gas for so many bytes or items.
    pub(crate) fn charge_for(&mut self, price: Linear, items: usize) -> Result<(), VmError> {
        self.charge(price.of(items as u64))
    }

    /// Asks the backend; its errors end the frame.
    pub(crate) fn ask<R>(&mut self, question: impl FnOnce(&mut dyn Backend) -> HostResult<R>) -> Result<R, VmError> {
        let limit = self.frame().limit;
        self.ask_gently(question)?.map_err(|error| VmError::from_host(error, limit))
    }

    /// Asks the backend and leaves its errors to the caller.
    pub(crate) fn ask_gently<R>(&mut self, question: impl FnOnce(&mut dyn Backend) -> R) -> Result<R, VmError> {
        let lent = self.frame().backend.clone();
        lent.with(question).ok_or_else(|| LocalError::Host { message: "the backend is not on loan".into() }.into())
    }

    /// The bytes of a region, paid for, at most so many of them.
    pub(crate) fn read_region(&mut self, what: &'static str, pointer: u32, limit: usize) -> Result<Vec<u8>, VmError> {
        let region = self.region(pointer)?;
        let length = to_usize(region.length);
        self.charge_for(price::READ_REGION, length)?;
        if length > limit {
            return Err(VmError::TooLong { what, length, limit });
        }
        let memory = self.memory()?;
        let bytes = slice(memory, region.offset, region.length);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| outside(&region, region.length, memory.len()).into())
    }

    /// The bytes of a region, none for a null pointer.
    pub(crate) fn read_optional_region(
        &mut self,
        what: &'static str,
        pointer: u32,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, VmError> {
        if pointer == 0 { Ok(None) } else { self.read_region(what, pointer, limit).map(Some) }
    }

    /// Fills a region that the contract has prepared.
    pub(crate) fn write_region(&mut self, pointer: u32, data: &[u8]) -> Result<(), VmError> {
        let region = self.region(pointer)?;
        self.charge_for(price::WRITE_REGION, data.len())?;
        let length = u32::try_from(data.len()).ok().filter(|&length| length <= region.capacity);
        let capacity = region.capacity;
        let length = length.ok_or(RegionError::TooSmall { pointer, capacity, length: data.len() })?;
        let memory = self.memory_mut()?;
        let bytes = memory.len();
        slice_mut(memory, region.offset, length).ok_or(outside(&region, length, bytes))?.copy_from_slice(data);
        let description = slice_mut(memory, pointer.saturating_add(8), 4).ok_or(outside(&region, length, bytes))?;
        description.copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// Has the contract allocate a region, fills it and returns the pointer to it. The contract owns it.
    ///
    /// While `allocate` runs it may call the host, but no import that would allocate in turn: each round takes native
    /// stack that no counter sees.
    pub(crate) fn hand_over(&mut self, data: &[u8]) -> Result<u32, VmError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if std::mem::replace(&mut self.frame().allocating, true) {
            return Err(VmError::Reentered);
        }
        let guest = Arc::clone(self.guest()?);
        let pointer = guest.allocate.call(&mut self.store, length).map_err(|error| self.explain(error))?;
        self.frame().allocating = false;
        self.solvent()?;
        self.write_region(pointer, data)?;
        Ok(pointer)
    }

    /// Copies bytes at a plain pointer; none if they do not lie in memory. The caller has charged and bounded.
    pub(crate) fn read(&mut self, pointer: u32, length: u32) -> Result<Option<Vec<u8>>, VmError> {
        Ok(slice(self.memory()?, pointer, length).map(<[u8]>::to_vec))
    }

    /// The little-endian number at a plain pointer; none if it does not lie in memory.
    pub(crate) fn read_u32(&mut self, pointer: u32) -> Result<Option<u32>, VmError> {
        let bytes = slice(self.memory()?, pointer, 4).and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map(u32::from_le_bytes))
    }

    /// Writes bytes at a plain pointer; false if they do not fit in memory.
    pub(crate) fn write(&mut self, pointer: u32, data: &[u8]) -> Result<bool, VmError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let target = slice_mut(self.memory_mut()?, pointer, length);
        Ok(target.map(|target| target.copy_from_slice(data)).is_some())
    }

    /// Whether so many bytes at a plain pointer lie in memory.
    pub(crate) fn holds(&mut self, pointer: u32, length: u32) -> Result<bool, VmError> {
        Ok(slice(self.memory()?, pointer, length).is_some())
    }

    /// What a failed call of the contract's code means.
    pub(crate) fn explain(&mut self, error: wasmtime::Error) -> VmError {
        // Where `allocate` failed that the host had called, the first one is all of the way there.
        let frame = self.frame();
        if frame.backtrace.is_none() {
            frame.backtrace = Backtrace::of(&error);
        }
        match error.downcast::<VmError>() {
            Ok(ours) => ours,
            Err(error) => match error.downcast_ref::<wasmtime::Trap>().copied() {
                Some(trap) => self.explain_trap(trap),
                None => engine("run the contract", &error),
            },
        }
    }

    fn explain_trap(&mut self, trap: wasmtime::Trap) -> VmError {
        use crate::Trap as Ours;
        use wasmtime::Trap as Theirs;
        // With no gas left the contract should not have come to the trap.
        if let Err(error) = self.solvent() {
            return error;
        }
        VmError::Trap(match trap {
            Theirs::UnreachableCodeReached => match self.stack_left() {
                Ok(0..) => Ours::Unreachable,
                Ok(_) => Ours::Stack,
                Err(error) => return error,
            },
            Theirs::MemoryOutOfBounds => Ours::Memory,
            Theirs::TableOutOfBounds => Ours::Table,
            Theirs::IndirectCallToNull => Ours::NullFunction,
            Theirs::BadSignature => Ours::Signature,
            Theirs::IntegerOverflow => Ours::Overflow,
            Theirs::IntegerDivisionByZero => Ours::DivisionByZero,
            Theirs::BadConversionToInteger => Ours::Conversion,
            // The native stack ended before the counted one: a defect in the margin between them, not the contract's.
            other => return engine("run the contract", &other),
        })
    }

    /// The stack counter. Below zero an `unreachable` of ours has said so.
    fn stack_left(&mut self) -> Result<i32, VmError> {
        let stack = self.guest()?.stack;
        Ok(stack.get(&mut self.store).unwrap_i32())
    }

    fn guest(&self) -> Result<&Arc<Guest>, VmError> {
        let missing = || LocalError::Engine { doing: "reach the contract", message: "it is not instantiated".into() };
        Ok(self.store.data().guest.as_ref().ok_or_else(missing)?)
    }

    fn memory(&mut self) -> Result<&[u8], VmError> {
        let memory = self.guest()?.memory;
        Ok(memory.data(&self.store))
    }

    fn memory_mut(&mut self) -> Result<&mut [u8], VmError> {
        let memory = self.guest()?.memory;
        Ok(memory.data_mut(self.store.as_context_mut()))
    }

    /// The description of a region, checked as far as it can be without its bytes.
    fn region(&mut self, pointer: u32) -> Result<Region, VmError> {
        if pointer == 0 {
            return Err(RegionError::Null.into());
        }
        let memory = self.memory()?;
        let description = slice(memory, pointer, REGION).unwrap_or_default();
        let mut words = description.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes));
        let (Some(offset), Some(capacity), Some(length)) = (words.next(), words.next(), words.next()) else {
            return Err(RegionError::Pointer { pointer, memory: memory.len() }.into());
        };
        if offset == 0 {
            return Err(RegionError::ZeroOffset { pointer }.into());
        }
        if length > capacity {
            return Err(RegionError::Length { pointer, capacity, length }.into());
        }
        Ok(Region { pointer, offset, capacity, length })
    }
}

/// What the engine could not do, and said so.
pub(crate) fn engine(doing: &'static str, error: &dyn std::fmt::Display) -> VmError {
    // All of the chain of causes.
    LocalError::Engine { doing, message: format!("{error:#}") }.into()
}

fn outside(region: &Region, length: u32, memory: usize) -> RegionError {
    RegionError::Bounds { pointer: region.pointer, offset: region.offset, length, memory }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn slice(memory: &[u8], pointer: u32, length: u32) -> Option<&[u8]> {
    let start = to_usize(pointer);
    memory.get(start..start.checked_add(to_usize(length))?)
}

fn slice_mut(memory: &mut [u8], pointer: u32, length: u32) -> Option<&mut [u8]> {
    let start = to_usize(pointer);
    memory.get_mut(start..start.checked_add(to_usize(length))?)
}
