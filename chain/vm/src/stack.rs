//! Room on the native stack.

use std::io;
use std::thread;

use crate::NATIVE_STACK_BYTES;

/// Native stack that the host's own frames may use between two nested calls: decoding a query, looking up state.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Runs `body` on a thread whose stack holds so many calls inside each other (queries of queries), each to its limit.
///
/// A contract's stack is counted, so it ends in the same trap everywhere; this makes sure that the native stack is
/// there when a contract uses all that it may. A node runs its block execution and its query workers in it. A plain
/// thread of 2 MiB does for a single call that stays well below the limit.
pub fn with_stack<R: Send>(nesting: u32, body: impl FnOnce() -> R + Send) -> io::Result<R> {
    let calls = usize::try_from(nesting).unwrap_or(usize::MAX).saturating_add(1);
    let bytes = calls.saturating_mul(NATIVE_STACK_BYTES + HOST_STACK_BYTES);
    thread::scope(|scope| {
        let handle = thread::Builder::new().name("contracts".into()).stack_size(bytes).spawn_scoped(scope, body)?;
        handle.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}
