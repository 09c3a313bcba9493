//! Lends a backend to a store for the time of one call.
//!
//! A wasmtime store owns its data and wants it `'static`; a backend borrows the state and is not. So the store is given
//! a [`Lent`], a cell that holds the backend's address while [`lend`] runs and nothing before or after. A store that
//! is kept for another call holds an empty cell.

use std::mem;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Backend;

struct Address(NonNull<dyn Backend + 'static>);

// SAFETY: an address is in a cell while `lend` runs and no longer, and a store with that cell stays with the thread that
// called `lend` until it returns. What may go to another thread is a store whose cell is empty.
#[allow(unsafe_code, reason = "a store that is kept between calls may change threads")]
unsafe impl Send for Address {}

/// A backend on loan. Empty once the call that lent it is over, and while somebody uses it.
#[derive(Clone, Default)]
pub(crate) struct Lent(Arc<Mutex<Option<Address>>>);

/// Empties the cell however `lend` is left, by return or by panic.
struct Return<'a>(&'a Lent);

impl Drop for Return<'_> {
    fn drop(&mut self) {
        self.0.put(None);
    }
}

/// Runs `body` with the backend on loan.
pub(crate) fn lend<R>(backend: &mut (dyn Backend + '_), body: impl FnOnce(Lent) -> R) -> R {
    let pointer: NonNull<dyn Backend + '_> = NonNull::from(backend);
    // SAFETY: only the lifetime in the type changes, the layout of both fat pointers is the same. The pointer is read
    // in `Lent::with` alone, from a cell that `Return` empties before the borrow of `backend` ends, also on a panic.
    #[allow(unsafe_code, reason = "a store's data must be 'static and a backend is not")]
    let address = unsafe { mem::transmute::<NonNull<dyn Backend + '_>, NonNull<dyn Backend + 'static>>(pointer) };
    let lent = Lent(Arc::new(Mutex::new(Some(Address(address)))));
    let _return = Return(&lent);
    body(lent.clone())
}

impl Lent {
    /// Uses the backend; none if it is not on loan or is in use further up the stack.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut dyn Backend) -> R) -> Option<R> {
        let mut restore = Restore { cell: self, address: Some(self.put(None)?) };
        let address = restore.address.as_mut()?;
        // SAFETY: the address was in the cell, so `lend` is still on the stack and holds the only borrow of the
        // backend; it was taken out of the cell, so no second reference can be made until this one is gone.
        #[allow(unsafe_code, reason = "the other half of the loan")]
        let backend = unsafe { address.0.as_mut() };
        Some(body(backend))
    }

    /// Puts an address into the cell and answers the one that was there.
    fn put(&self, address: Option<Address>) -> Option<Address> {
        mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), address)
    }
}

/// Puts the address back after use, also on a panic.
struct Restore<'a> {
    cell: &'a Lent,
    address: Option<Address>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.cell.put(self.address.take());
    }
}
