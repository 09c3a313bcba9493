//! What contracts say to each other about reads, so that another guard or another insurer can take the place of ours.
//!
//! [`consent`] is the guard's face: the message that a reading contract sends before it reads, the question whether an
//! account may see an image, and the rules that a patient grants. [`insurance`] is the vocabulary of policies and
//! claims. [`Id`] is how a digest or a content identifier stands in JSON: as text; a [`Frame`] is a number.
//!
//! No state and no checks but of single values: each contract keeps its own promises.

mod address;
pub mod consent;
mod frame;
mod id;
pub mod insurance;
mod paging;

pub use address::{NotAnAddress, address};
pub use frame::Frame;
pub use id::{Hash, Id, Image, Model, Pixels, Study};
pub use paging::{LIMIT_DEFAULT, LIMIT_MAX, limit};
