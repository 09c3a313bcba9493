//! Lends a backend to a store for the time of one call.
//!
//! A wasmtime store owns its data and wants it `'static`; a backend borrows the state and is not. So the store is given
//! a [`Lent`], a cell that holds the backend's address while [`lend`] runs and nothing before or after. This is one of
//! the two places in the crate with unsafe code; the other is where compiled code is loaded.

use std::cell::Cell;
use std::mem;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::Backend;

type Address = NonNull<dyn Backend + 'static>;

/// A backend on loan. Empty once the call that lent it is over, and while somebody uses it.
#[derive(Clone)]
pub(crate) struct Lent(Rc<Cell<Option<Address>>>);

/// Empties the cell however `lend` is left, by return or by panic.
struct Return<'a>(&'a Lent);

impl Drop for Return<'_> {
    fn drop(&mut self) {
        self.0.0.set(None);
    }
}

/// Runs `body` with the backend on loan.
pub(crate) fn lend<R>(backend: &mut (dyn Backend + '_), body: impl FnOnce(Lent) -> R) -> R {
    let pointer: NonNull<dyn Backend + '_> = NonNull::from(backend);
    // SAFETY: only the lifetime in the type changes, the layout of both fat pointers is the same. The pointer is read
    // in `Lent::with` alone, from a cell that `Return` empties before the borrow of `backend` ends, also on a panic.
    #[allow(unsafe_code, reason = "a store's data must be 'static and a backend is not")]
    let address: Address = unsafe { mem::transmute::<NonNull<dyn Backend + '_>, Address>(pointer) };
    let lent = Lent(Rc::new(Cell::new(Some(address))));
    let _return = Return(&lent);
    body(lent.clone())
}

impl Lent {
    /// Uses the backend; none if it is not on loan or is in use further up the stack.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut dyn Backend) -> R) -> Option<R> {
        let address = self.0.take()?;
        let mut address = Restore { cell: &self.0, address };
        // SAFETY: the address was in the cell, so `lend` is still on the stack and holds the only borrow of the
        // backend; it was taken out of the cell, so no second reference can be made until this one is gone.
        #[allow(unsafe_code, reason = "the other half of the loan")]
        let backend = unsafe { address.address.as_mut() };
        Some(body(backend))
    }
}

/// Puts the address back after use, also on a panic.
struct Restore<'a> {
    cell: &'a Cell<Option<Address>>,
    address: Address,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.cell.set(Some(self.address));
    }
}
