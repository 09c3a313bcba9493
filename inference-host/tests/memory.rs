//! A run allocates nothing but the tensors that it hands out: what it computes in was planned at admission, and is kept from
//! one run to the next.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator that counts is unsafe by its nature, and a test fails by panicking"
)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use aceso_inference::{Kernels, admit_with};

/// Counts what each thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_run_allocates_its_outputs_alone() {
    for case in common::cases() {
        for set in Kernels::available() {
            let model = admit_with(&case.onnx, &case.manifest, Kernels::new(set).unwrap()).unwrap();
            let input = &case.runs[0][..1];
            let first = model.run(input).unwrap();
            let before = ASKED.get();
            let second = model.run(input).unwrap();
            // The list of tensors, and of each its dimensions and its bytes.
            assert_eq!(ASKED.get() - before, 1 + 2 * second.len(), "{} with {set}", case.name);
            assert_eq!(first, second);
        }
    }
}
