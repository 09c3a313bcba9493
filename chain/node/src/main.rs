//! `aceso`, the only binary.

fn main() -> std::process::ExitCode {
    aceso_node::run(|_| {})
}
