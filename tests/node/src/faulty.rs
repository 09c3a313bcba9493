//! `aceso-faulty`: a node whose processor computes one bit of every read wrongly.

use std::process::ExitCode;

fn main() -> ExitCode {
    aceso_node::run(|options| options.kernels = options.kernels.altered(flip))
}

fn flip(output: &mut [u8]) {
    if let Some(first) = output.first_mut() {
        *first ^= 1;
    }
}
