//! The counter and a guard side by side: each message, each refusal with its sentence, and every coin accounted for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod frames;
mod money;
mod refusals;
mod sealed;
mod stage;
mod trip;
