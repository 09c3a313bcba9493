//! The engine on processors that this machine is not, emulated by QEMU instruction for instruction: the golden graphs give
//! the recorded bytes, with just the kernels that each processor has.
//!
//! On x86-64 the tests are those that are built anyway. For aarch64 they are built for a target that brings its own C
//! library, and linked by the linker that comes with the compiler, so nothing but the target has to be there.

use anyhow::{Context, Result, bail};

use crate::{
    shell::{cargo, output, program, quiet, say},
    test::{Count, MissingTool},
    tools,
};

/// The architecture that nobody here may have.
const AARCH64: &str = "aarch64-unknown-linux-musl";

/// An emulated processor, and the kernels that models run with there.
struct Processor {
    emulator: &'static str,
    name: &'static str,
    kernels: &'static [&'static str],
}

const X86: [Processor; 2] = [
    // Before AVX: nothing but portable code.
    Processor { emulator: "qemu-x86_64", name: "Nehalem", kernels: &["scalar"] },
    // AVX2 without any of AVX-512.
    Processor { emulator: "qemu-x86_64", name: "Haswell", kernels: &["scalar", "avx2"] },
];
const ARM: Processor = Processor { emulator: "qemu-aarch64", name: "cortex-a72", kernels: &["scalar", "neon"] };

/// Two tests of each processor: the golden graphs, and the kernels' properties where the architecture is another one.
pub(crate) fn suite() -> Result<Count> {
    tools::qemu()?;
    let mut count = Count::default();
    if cfg!(target_arch = "x86_64") {
        for processor in &X86 {
            let golden = ["test", "--release", "--workspace", "--test", "cross_check"];
            count = count.add(Count::one(golden_graphs(processor, "X86_64_UNKNOWN_LINUX_GNU", &golden)));
        }
    }
    aarch64_target()?;
    let golden = ["test", "--release", "--target", AARCH64, "-p", "aceso-inference", "--test", "cross_check"];
    count = count.add(Count::one(golden_graphs(&ARM, "AARCH64_UNKNOWN_LINUX_MUSL", &golden)));
    let kernels = ["test", "--release", "--target", AARCH64, "-p", "aceso-inference", "--lib"];
    Ok(count.add(Count::one(emulated(&ARM, "AARCH64_UNKNOWN_LINUX_MUSL", &kernels, &["kernels::"]).map(drop))))
}

fn golden_graphs(processor: &Processor, target: &str, build: &[&str]) -> Result<()> {
    let said = emulated(processor, target, build, &["--nocapture", "elements_equal_those_of_onnx_runtime"])?;
    let line = |line: &str| {
        Some(line.strip_prefix("kernels ")?.strip_suffix(" are held against the recorded elements")?.to_string())
    };
    let ran: Vec<String> = said.lines().filter_map(line).collect();
    if ran != processor.kernels {
        bail!("{} ran the kernels {ran:?}, and has {:?}", processor.name, processor.kernels);
    }
    Ok(())
}

/// Builds and runs tests as on that processor, and answers with what they printed.
fn emulated(
    Processor { emulator, name, .. }: &Processor,
    target: &str,
    build: &[&str],
    tests: &[&str],
) -> Result<String> {
    say(&format!("{emulator} -cpu {name}: {}", tests.join(" ")));
    let mut command = cargo(build);
    command.arg("--").args(tests);
    command.env(format!("CARGO_TARGET_{target}_RUNNER"), format!("{emulator} -cpu {name}"));
    if target.starts_with("AARCH64") {
        command.env(format!("CARGO_TARGET_{target}_LINKER"), "rust-lld");
    }
    let said = quiet(command)?;
    // A filter that names nothing passes, too.
    if !said.lines().any(|line| line.starts_with("test result: ok. ") && !line.contains(" 0 passed")) {
        bail!("no test ran on {name}:\n{said}");
    }
    Ok(said)
}

/// The compiler's libraries for the other architecture, added by rustup where it can.
fn aarch64_target() -> Result<()> {
    let libraries = quiet(program("rustc", &["--print", "target-libdir", "--target", AARCH64]))?;
    if std::path::Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    say(&format!("adding the compiler's target {AARCH64}"));
    let added = output(program("rustup", &["target", "add", AARCH64])).context("rustup cannot be started");
    match added {
        Ok(answer) if answer.status.success() => Ok(()),
        _ => {
            let hint = format!("rustc has no target {AARCH64}; `rustup target add {AARCH64}` (about 50 MB)");
            Err(MissingTool(hint).into())
        }
    }
}
