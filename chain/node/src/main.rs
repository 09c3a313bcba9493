//! `aceso`: the node and its tools, the only binary.
//!
//! This crate is the rim. It owns what the chain below must not touch: the clock, the environment, files, sockets and
//! randomness. [`engine`] makes blocks for an embedded chain, [`abci`] serves the same application to CometBFT,
//! [`rpc`] and [`rest`] answer clients, [`home`] keeps files, [`cli`] reads the command line and starts the rest.
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
mod engine;
mod home;
mod metrics;
mod net;
mod peers;
mod rest;
mod rpc;
mod trace;

#[cfg(test)]
mod testing;

fn main() -> std::process::ExitCode {
    cli::run()
}
