//! An insurer's counter: it promises a member that whoever she lets read her images is paid for by her policy, and the
//! insurer that nothing is paid twice, nor for a read that the chain did not make.
//!
//! A physician asks with [`msg::ExecuteMsg::RequestRead`]. The price leaves the policy's escrow, the image's guard is
//! asked for a permit, and in the `reply` the chain reads the image. Only then is the price paid, by the policy's split,
//! and the claim written down. Where the read shows that nothing is to be paid, that is written down instead, and the policy
//! bears the read's fee. An error anywhere undoes all of it; what the chain itself took for a read that was made (its fee
//! and the use of the grant) stays taken, and the member's policies bear it all the same (`books`).
//!
//! Once paid means: a member's pixels, or her study where an institution vouches for one, under one model, in policies
//! whose periods overlap. Another file with the same pixels is the same image, and another frame of a file is another one.
//!
//! A sealed image is read by a committee that the patient's grant names and the policy accepts, some blocks later: what
//! the policy pays is set aside with [`msg::ExecuteMsg::Claim`], and the claim is decided in [`contract::sudo`]. The chain
//! does not tell the pixels then, but an identity of them that is the same for every wrapping and for this contract only;
//! open reads are remembered under it too, so that no image is paid once open and once sealed.
//!
//! Start at [`contract::execute`]; what was paid before and who gets how much is in `helpers`.

mod books;
pub mod contract;
pub mod error;
mod helpers;
pub mod msg;
mod picture;
mod sealed;
pub mod state;

#[cfg(test)]
mod tests;

pub use error::ContractError;
pub use picture::Picture;
