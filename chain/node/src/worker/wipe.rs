//! Memory that held something of a record holds nothing of it once it is given back, and what is given back is not kept.
//!
//! Decoders, pipelines and models allocate as they need and know of no secrets. So the allocator knows: what a thread
//! frees while it works on a record is overwritten first. Other threads pay for one look at a flag of their own.

#![allow(
    unsafe_code,
    reason = "an allocator hands out raw memory; all of it is the system's, and wiped only when whole"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    mem::MaybeUninit,
};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use zeroize::Zeroize;

thread_local! {
    static PRIVATE: Cell<bool> = const { Cell::new(false) };
}

#[global_allocator]
static WIPING: Wiping = Wiping;

/// The system's allocator, but that a private thread leaves nothing in what it frees.
struct Wiping;

fn is_private() -> bool {
    // A thread that is ending has no flag any more, and no record.
    PRIVATE.try_with(Cell::get).unwrap_or(false)
}

// SAFETY: every call is handed to the system's allocator with the arguments that it came with; memory is written to only
// between its owner's giving it back and the system's taking it, in its whole length.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if is_private() {
            // SAFETY: `memory` has `layout.size()` bytes that nobody else owns until they are given back below.
            let bytes = unsafe { std::slice::from_raw_parts_mut(memory.cast::<MaybeUninit<u8>>(), layout.size()) };
            bytes.zeroize();
        }
        // SAFETY: as this function's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_private() {
            // SAFETY: as this function's.
            return unsafe { System.realloc(memory, layout, size) };
        }
        // The system would leave the old place as it is: it is copied from here, and wiped.
        // SAFETY: the caller vouches that `size` with this alignment is a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `wanted` is not empty, as the caller vouches.
        let moved = unsafe { System.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both have at least the smaller of the two sizes, and are different allocations.
            unsafe { std::ptr::copy_nonoverlapping(memory, moved, layout.size().min(size)) };
            // SAFETY: as this function's; the caller uses `moved` from now on.
            unsafe { self.dealloc(memory, layout) };
        }
        moved
    }
}

/// Does work on a record: what this thread frees meanwhile is wiped.
pub(super) fn privately<T>(work: impl FnOnce() -> T) -> T {
    /// Puts the flag back, also where the work panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            let _ = PRIVATE.try_with(|private| private.set(self.0));
        }
    }
    let _before = Before(PRIVATE.replace(true));
    work()
}

/// Lets nobody look at this process's memory, and the system write none of it to a disk when it dies.
pub(crate) fn keep_memory_private() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let kept = setrlimit(Resource::Core, nothing).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(e) = kept {
        tracing::warn!("a crash could write this process's memory to the disk: {e}");
    }
}

/// Has the system's allocator give back what is freed. To be called before there are threads.
///
/// glibc begins to keep large blocks once it has seen one freed, in as many as eight heaps for each processor: after half an
/// hour of load four validators held 211 MB each, and more with every table that the store rewrote. With large
/// blocks mapped on their own and a heap for each processor they stay at 133 MB. Two for each: with one, threads that
/// check, execute and answer at the same time wait for each other, a twentieth of a load's time.
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    {
        const MAPPED: libc::c_int = 256 << 10;
        const KEPT: libc::c_int = 4 << 20;
        let processors = std::thread::available_parallelism().map_or(2, |count| count.get().max(2)) * 2;
        let heaps = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX);
        let options = [(libc::M_ARENA_MAX, heaps), (libc::M_MMAP_THRESHOLD, MAPPED), (libc::M_TRIM_THRESHOLD, KEPT)];
        for (option, value) in options {
            // SAFETY: sets a number that the allocator looks at; whatever it makes of it, allocations stay valid. What it
            // does not know it leaves as it is, which costs memory and nothing else.
            let _ = unsafe { libc::mallopt(option, value) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether memory that was just freed still says what it did. The system's allocator keeps blocks of this size by
    /// their thread and hands the latest out again, most times.
    fn remains(free: impl Fn(Vec<u8>)) -> bool {
        const SIZE: usize = 1000;
        for _ in 0..1000 {
            let marked = std::hint::black_box(vec![0xa5_u8; SIZE]);
            let place = marked.as_ptr().addr();
            free(marked);
            let again: Vec<u8> = std::hint::black_box(Vec::with_capacity(SIZE));
            if again.as_ptr().addr() == place {
                // The allocator's own links are at the beginning of a free block.
                return (64..SIZE).any(|at| {
                    // SAFETY: within the block, whose bytes were written when it was ours before.
                    let byte = unsafe { again.as_ptr().add(at).read_volatile() };
                    byte == 0xa5
                });
            }
        }
        panic!("no block was handed out again")
    }

    #[test]
    fn what_a_private_thread_frees_is_wiped() {
        assert!(remains(drop), "the test sees nothing");
        assert!(!remains(|marked| privately(|| drop(marked))));
        assert!(remains(drop), "the flag stayed");
        assert!(!remains(|mut marked| {
            privately(|| {
                marked.reserve_exact(100_000);
                std::hint::black_box(&marked);
            });
        }));
    }

    #[test]
    fn the_flag_goes_with_a_panic() {
        let caught = std::panic::catch_unwind(|| privately(|| panic!("as asked")));
        assert!(caught.is_err() && !is_private());
        let kept = privately(|| vec![1_u8; 10]).into_iter().chain(privately(|| vec![2; 20])).count();
        assert_eq!(kept, 30);
    }
}
