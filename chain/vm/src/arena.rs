//! Where contracts' memories lie: address space that is reserved once and lent out in slots.
//!
//! All of a slot can be read and written, and machine code compares every access with the memory's own size. So a memory
//! grows and shrinks by a number: no protection changes, which would cost a call more than most contracts work. A slot
//! is zero beyond that size, always, and all of it when it is free. Behind it lies as much of nothing as an access could reach.
//!
//! The operating system knows which pages of a slot have been written to (`PAGEMAP_SCAN`, Linux 6.7). Where it does not say,
//! no instance is kept.
//!
//! All unsafe code about memories stands here.

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::limits::MEMORY_PAGES_MAX;
use crate::memory::engine;
use crate::{LocalError, VmError};

/// Bytes of a slot that a contract can reach.
pub(crate) const SLOT_BYTES: usize = (MEMORY_PAGES_MAX as usize) << 16;
/// What one table of the processor's lowest level maps.
const TABLE_BYTES: usize = 2 << 20;
/// Where such a table begins in a slot. rustc puts the end of a contract's stack at 1 MiB; what the stack seldom reaches
/// lies below and has no table of its own to be searched for written pages.
const FIRST_TABLE: usize = 960 << 10;
/// Bytes of a memory in pages of the usual size. What few contracts use lies beyond, in pages as large as a table: filling
/// a memory then takes fifteen faults and not thousands. A single write there clears 2 MiB, some 0.1 ms; fifteen of them
/// are all that a call can cause.
const SMALL: usize = FIRST_TABLE + TABLE_BYTES;
/// Address space behind each slot that holds nothing: more than the largest index and the largest offset of an access together. A
/// processor that runs ahead of a comparison with the memory's size reads nothing of others there, so that machine code needs
/// no second guard against that (`compile::settings`).
const NOTHING: usize = 8 << 30;
/// From one slot to the next: whole tables.
const STRIDE: usize = SLOT_BYTES.next_multiple_of(TABLE_BYTES) + TABLE_BYTES + NOTHING;
/// Pieces that written pages are told in; what lies in more is given back to the system.
const REGIONS: usize = 32;

/// The slots of one engine.
pub(crate) struct Arena {
    /// The reservation, which begins where a table does at `skew`.
    start: *mut c_void,
    bytes: usize,
    skew: usize,
    slots: Vec<AtomicUsize>,
    free: Mutex<Vec<usize>>,
    pagemap: Option<File>,
}

// SAFETY: `start` is an address that never changes. Whoever has a slot's number out of `free` is alone with its bytes, and
// they are reached through wasmtime's borrows of a store or, while the slot changes hands, by the one who drops it.
#[allow(unsafe_code, reason = "the address of a reservation")]
unsafe impl Send for Arena {}
// SAFETY: as above; everything else in it is shared by locks and atomics.
#[allow(unsafe_code, reason = "the address of a reservation")]
unsafe impl Sync for Arena {}

impl Arena {
    /// Reserves so many slots.
    ///
    /// # Errors
    /// [`LocalError::Engine`] if the system does not give the address space.
    pub(crate) fn open(slots: usize) -> Result<Arc<Self>, VmError> {
        let failed = |error: rustix::io::Errno| engine("reserve memory for contracts", &error);
        let bytes = slots.saturating_add(1).saturating_mul(STRIDE);
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping where the system likes; it replaces nothing.
        #[allow(unsafe_code, reason = "address space is reserved")]
        let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }.map_err(failed)?;
        let skew = start.addr().next_multiple_of(TABLE_BYTES) - start.addr();
        let pagemap = File::open("/proc/self/pagemap").ok();
        let sizes = std::iter::repeat_with(AtomicUsize::default).take(slots).collect();
        // Lower ones first, so that those in use lie together.
        let free = Mutex::new((0..slots).rev().collect());
        let arena = Self { start, bytes, skew, slots: sizes, free, pagemap };
        for slot in 0..slots {
            // SAFETY: the slot lies in the mapping, which is new and has no borrows. A child of this process that starts no
            // other program has none of it: its pages would not be those that `pagemap` tells of.
            #[allow(unsafe_code, reason = "a slot is opened")]
            unsafe {
                mprotect(arena.base(slot), SLOT_BYTES, MprotectFlags::READ | MprotectFlags::WRITE).map_err(failed)?;
                madvise(arena.base(slot), SLOT_BYTES, Advice::LinuxDontFork).map_err(failed)?;
                // Who has no large pages does with small ones.
                let _ = madvise(arena.base(slot).wrapping_byte_add(SMALL), SLOT_BYTES - SMALL, Advice::LinuxHugepage);
            }
        }
        Ok(Arc::new(arena))
    }

    /// Where a slot's memory begins.
    fn base(&self, slot: usize) -> *mut c_void {
        let offset = self.skew + slot * STRIDE + (TABLE_BYTES - FIRST_TABLE);
        self.start.wrapping_byte_add(offset)
    }

    /// The slot of which these are the first bytes.
    fn slot(&self, bytes: &[u8]) -> Option<usize> {
        let offset = bytes.as_ptr().addr().checked_sub(self.base(0).addr())?;
        let slot = offset / STRIDE;
        (offset % STRIDE == 0 && slot < self.slots.len()).then_some(slot)
    }

    /// Which of a memory's pages may hold something else than zeros, by offsets, as far as `resident` bytes of them; and the
    /// offset from which on nothing is known. None where the system does not tell, or these are no bytes of the arena's.
    pub(crate) fn written(&self, memory: &[u8], resident: usize) -> Option<(Vec<Range<usize>>, usize)> {
        self.slot(memory)?;
        let start = memory.as_ptr().addr();
        let mut regions = [Region::default(); REGIONS];
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start: start as u64,
            end: (start + memory.len()) as u64,
            walk_end: 0,
            vec: regions.as_mut_ptr().expose_provenance() as u64,
            vec_len: REGIONS as u64,
            max_pages: (resident / rustix::param::page_size()) as u64,
            category_inverted: ZERO_PAGE,
            category_mask: ZERO_PAGE,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: 0,
        };
        // SAFETY: `scan` has the layout of the kernel's `pm_scan_arg` and names an array of as many `page_region` as it says,
        // which lives until the call is over; nothing but these two is written to.
        #[allow(unsafe_code, reason = "the system is asked about pages")]
        let told = unsafe { ioctl(self.pagemap.as_ref()?, Written(&mut scan)) }.ok()?;
        let offset = |address: u64| usize::try_from(address).ok()?.checked_sub(start).filter(|&o| o <= memory.len());
        let ranges = regions.iter().take(told).map(|region| Some(offset(region.start)?..offset(region.end)?));
        Some((ranges.collect::<Option<_>>()?, offset(scan.walk_end)?))
    }

    /// Gives the pages of these bytes back to the system; they read as zeros. False if it cannot be done.
    #[must_use]
    pub(crate) fn clear(&self, bytes: &mut [u8]) -> bool {
        let from = bytes.as_ptr().addr().checked_sub(self.start.addr());
        let inside = from.is_some_and(|from| from + bytes.len() <= self.bytes);
        // SAFETY: the bytes lie in the mapping and are borrowed for writing; that they become zero is all that happens.
        #[allow(unsafe_code, reason = "pages are given back")]
        let cleared =
            inside && unsafe { madvise(bytes.as_mut_ptr().cast(), bytes.len(), Advice::LinuxDontNeed) }.is_ok();
        cleared
    }

    /// Makes a memory smaller, whose bytes beyond the new size are zero. The engine has to be told ([`wasmtime::Memory::grow`] by none).
    pub(crate) fn shrink(&self, memory: &mut [u8], bytes: usize) {
        if let Some(size) = self.slot(memory).and_then(|slot| self.slots.get(slot)) {
            size.fetch_min(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and every memory in it holds a reference to the arena.
        #[allow(unsafe_code, reason = "the reservation ends")]
        let _ = unsafe { munmap(self.start, self.bytes) };
    }
}

/// The arena as the engine asks it for memories.
pub(crate) struct Slots(pub(crate) Arc<Arena>);

// SAFETY: a slot belongs to one memory at a time and is zero when it is lent out; it never moves, and can be read and
// written as far as its capacity. Machine code looks at sizes and relies on no guard (`compile::settings`).
#[allow(unsafe_code, reason = "the engine relies on what a memory is")]
unsafe impl MemoryCreator for Slots {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if minimum > SLOT_BYTES || guard > 0 {
            return Err(format!("a memory of {minimum} bytes with a guard of {guard} has no slot"));
        }
        let slot = self.0.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let slot = slot.ok_or("all slots for memories are in use")?;
        let lent = Slot { arena: Arc::clone(&self.0), slot };
        lent.size().store(minimum, Ordering::Relaxed);
        Ok(Box::new(lent))
    }
}

/// A slot that is lent out.
struct Slot {
    arena: Arc<Arena>,
    slot: usize,
}

impl Slot {
    fn size(&self) -> &AtomicUsize {
        static NONE: AtomicUsize = AtomicUsize::new(0);
        self.arena.slots.get(self.slot).unwrap_or(&NONE)
    }
}

// SAFETY: as for `Slots`.
#[allow(unsafe_code, reason = "the engine relies on what a memory is")]
unsafe impl LinearMemory for Slot {
    fn byte_size(&self) -> usize {
        self.size().load(Ordering::Relaxed)
    }

    fn byte_capacity(&self) -> usize {
        SLOT_BYTES
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > SLOT_BYTES {
            return Err(LocalError::Engine { doing: "grow a memory", message: "its slot ends".into() }.into());
        }
        self.size().store(new_size, Ordering::Relaxed);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.arena.base(self.slot).cast()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let bytes = self.byte_size();
        // SAFETY: the memory is dropped with the store that it belonged to, so nobody borrows its bytes.
        #[allow(unsafe_code, reason = "a slot is cleared before it is free")]
        let cleared = unsafe { madvise(self.arena.base(self.slot), bytes, Advice::LinuxDontNeed) };
        // One that could not be cleared is lost rather than lent out.
        if cleared.is_ok() {
            self.arena.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
        }
    }
}

/// `page_region` of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `pm_scan_arg` of linux/fs.h.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGE_IS_PRESENT`
const PRESENT: u64 = 1 << 3;
/// `PAGE_IS_SWAPPED`: written to, and not in memory at the moment.
const SWAPPED: u64 = 1 << 4;
/// `PAGE_IS_PFNZERO`: read from alone.
const ZERO_PAGE: u64 = 1 << 5;

/// `PAGEMAP_SCAN`, which answers how many regions it has told.
struct Written<'a>(&'a mut Scan);

// SAFETY: the number is that of `PAGEMAP_SCAN`, which reads and writes one `pm_scan_arg`.
#[allow(unsafe_code, reason = "the system is asked about pages")]
unsafe impl Ioctl for Written<'_> {
    type Output = usize;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(told: IoctlOutput, _: *mut c_void) -> rustix::io::Result<usize> {
        usize::try_from(told).map_err(|_| rustix::io::Errno::INVAL)
    }
}
