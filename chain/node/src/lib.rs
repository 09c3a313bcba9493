//! `aceso`: the node and its tools.
//!
//! The binary is this crate and nothing else; the tests build another one that differs by what a [`Build`] changes. This
//! crate is the rim. It owns what the chain below must not touch: the clock, the environment, files, sockets and
//! randomness. [`engine`] makes blocks for an embedded chain, [`abci`] serves the same application to CometBFT,
//! [`rpc`], [`grpc`] and [`rest`] answer clients, [`services`] those questions of theirs that need the engine, [`worker`] does what committees wait for, [`home`] keeps files, [`shelf`] models in the form in which they run, [`cli`] reads the command line and starts the rest.
//!
//! Start at [`cli::dev`] for the embedded chain and at [`abci::server`] for a node under CometBFT.

#![allow(
    clippy::disallowed_methods,
    reason = "the node is the rim: clock, environment and threads are read here so that nothing below has to"
)]

mod abci;
mod address;
mod application;
mod cli;
mod divergence;
mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grpc;
mod home;
mod metrics;
mod net;
mod peers;
mod rest;
mod rpc;
mod services;
mod shelf;
mod trace;
mod worker;

#[cfg(test)]
mod testing;

/// What a build of the node brings that its home cannot say: the upgrades that it knows, for one.
pub type Build = fn(&mut aceso_app::Config);

/// Does what the command line says and answers the exit code: 0, 1 after one line on standard error that says what was
/// wrong, 2 for a command line that is wrong itself.
pub fn run(build: Build) -> std::process::ExitCode {
    cli::run(build)
}
