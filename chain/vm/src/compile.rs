//! From checked wasm to machine code, and the directory where both are kept.
//!
//! ```text
//! <dir>/wasm/<checksum>               the wasm as it was put
//! <dir>/compiled-<engine>/<checksum>  SHA-256 of the rest and its context, then machine code
//! ```
//!
//! `<engine>` is a digest of everything that makes machine code fit: wasmtime's version and settings, the processor's
//! features, the version of our instrumentation. Machine code that is torn, rotten or from elsewhere fails its digest
//! and is made anew from the wasm, which in turn must have its own checksum. Files appear whole, by renaming.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, Linker, Module, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use crate::imports::{self, Frame};
use crate::instance::Code;
use crate::instrument::{self, instrument};
use crate::limits::{BACKTRACE_FRAMES_MAX, MEMORY_PAGES_MAX, NATIVE_STACK_BYTES, TABLE_ELEMENTS_MAX};
use crate::memory::engine;
use crate::{Checksum, LocalError, Tier, VmConfig, VmError, check};

/// Bytes of bookkeeping that an instance may take: 20,000 functions that can be called indirectly, and the globals.
const INSTANCE_BYTES_MAX: usize = 4 << 20;
/// Bytes of an instance's memory that stay resident for the next one, so that small contracts fault no page.
const RESIDENT_BYTES: usize = 2 << 20;
/// Bytes of the digest before the machine code.
const DIGEST: usize = 32;

/// Compiles, and keeps what it has compiled.
pub(crate) struct Compiler {
    engine: Engine,
    linker: Linker<Frame>,
    wasm: PathBuf,
    compiled: PathBuf,
    context: [u8; DIGEST],
}

impl Compiler {
    pub(crate) fn open(config: &VmConfig) -> Result<Self, VmError> {
        let on = Engine::new(&settings(config)).map_err(|error| engine("start the engine", &error))?;
        let linker = imports::linker(&on).map_err(|error| engine("declare the imports", &error))?;
        let mut context = Digester(Sha256::new());
        on.precompile_compatibility_hash().hash(&mut context);
        instrument::VERSION.hash(&mut context);
        let context: [u8; DIGEST] = context.0.finalize().into();

        let name: String = context.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let wasm = config.dir.join("wasm");
        let compiled = config.dir.join(format!("compiled-{name}"));
        for path in [&wasm, &compiled] {
            fs::create_dir_all(path).map_err(|error| io("create", path, &error))?;
        }
        Ok(Self { engine: on, linker, wasm, compiled, context })
    }

    /// Whether the wasm is here.
    pub(crate) fn has(&self, checksum: &Checksum) -> bool {
        self.wasm.join(checksum.to_string()).is_file()
    }

    /// Keeps checked wasm and compiles it.
    pub(crate) fn put(&self, wasm: &[u8], checked: &check::Checked) -> Result<Code, VmError> {
        let checksum = checked.report.checksum;
        let code = match self.stored(&checksum)? {
            Some(code) => code,
            None => self.compile(wasm, &checksum, &checked.shape)?,
        };
        if !self.has(&checksum) {
            write(&self.wasm.join(checksum.to_string()), &[wasm])?;
        }
        Ok(code)
    }

    /// Finds code that was put: compiled if that is sound, else compiled anew.
    pub(crate) fn get(&self, checksum: &Checksum) -> Result<Code, VmError> {
        if let Some(code) = self.stored(checksum)? {
            return Ok(code);
        }
        let wasm = read(&self.wasm.join(checksum.to_string()))?;
        let wasm = wasm.filter(|wasm| Sha256::digest(wasm)[..] == checksum.0);
        let wasm = wasm.ok_or(LocalError::NotStored { checksum: *checksum })?;
        let checked = check::check(&wasm, None)?;
        self.compile(&wasm, checksum, &checked.shape)
    }

    fn compile(&self, wasm: &[u8], checksum: &Checksum, shape: &check::Shape) -> Result<Code, VmError> {
        let counted = instrument(wasm, shape)?;
        let machine =
            self.engine.precompile_module(&counted).map_err(|error| engine("compile the contract", &error))?;
        write(&self.compiled.join(checksum.to_string()), &[&self.digest(checksum, &machine), &machine])?;
        self.load(&machine)
    }

    /// Machine code from disk, if it is there and sound.
    fn stored(&self, checksum: &Checksum) -> Result<Option<Code>, VmError> {
        let Some(file) = read(&self.compiled.join(checksum.to_string()))? else { return Ok(None) };
        match file.split_first_chunk::<DIGEST>() {
            Some((digest, machine)) if *digest == self.digest(checksum, machine) => self.load(machine).map(Some),
            _ => Ok(None),
        }
    }

    fn load(&self, machine: &[u8]) -> Result<Code, VmError> {
        // SAFETY: the bytes are those that `precompile_module` of an engine with equal version, settings and processor
        // made: they come from it directly, or from a file of this node's own directory whose digest over them and
        // that context was checked on this very copy. Who can forge that file can as well replace the node's binary.
        #[allow(unsafe_code, reason = "machine code is trusted by its digest")]
        let module = unsafe { Module::deserialize(&self.engine, machine) };
        let module = module.map_err(|error| engine("load the contract", &error))?;
        Code::new(&self.linker, &module, machine.len())
    }

    fn digest(&self, checksum: &Checksum, machine: &[u8]) -> [u8; DIGEST] {
        Sha256::new().chain_update(self.context).chain_update(checksum.0).chain_update(machine).finalize().into()
    }
}

/// Feeds what wasmtime says of itself to SHA-256.
struct Digester(Sha256);

impl Hasher for Digester {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; DIGEST] = self.0.clone().finalize().into();
        digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// Everything that bears on results is set here and not left to a default.
pub(crate) fn settings(config: &VmConfig) -> Config {
    let mut settings = Config::new();
    settings
        .strategy(match config.tier {
            Tier::Cranelift => Strategy::Cranelift,
            Tier::Winch => Strategy::Winch,
        })
        // Values live no longer than wasm's own stack says, which the slots of a frame are counted from; and the
        // metered code was seen to run as fast as with all optimisations.
        .cranelift_opt_level(OptLevel::None)
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(true)
        .consume_fuel(false)
        .epoch_interruption(false)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .wasm_multi_value(true)
        .wasm_bulk_memory(true)
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        // Frames are found by their pointers, which every tier keeps, and functions by where their code lies.
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_init_cow(true)
        .table_lazy_init(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    settings
}

fn pool(config: &VmConfig) -> PoolingAllocationConfig {
    let elements = usize::try_from(TABLE_ELEMENTS_MAX).unwrap_or(usize::MAX);
    let pages = usize::try_from(MEMORY_PAGES_MAX).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(config.instances)
        .total_memories(config.instances)
        .total_tables(config.instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(pages.saturating_mul(64 << 10))
        .table_elements(elements)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(elements.saturating_mul(8))
        .max_unused_warm_slots(config.instances)
        .pagemap_scan(wasmtime::Enabled::Auto);
    pool
}

/// A file's bytes, none if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, VmError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path, &error)),
    }
}

/// Writes a file so that it is whole or not there. It need not survive a power cut: whoever put it puts it again.
fn write(path: &Path, parts: &[&[u8]]) -> Result<(), VmError> {
    static PART: AtomicU64 = AtomicU64::new(0);
    let part = path.with_extension(format!("part{}", PART.fetch_add(1, Ordering::Relaxed)));
    fs::write(&part, parts.concat()).map_err(|error| io("write", &part, &error))?;
    fs::rename(&part, path).map_err(|error| io("rename", &part, &error))
}

fn io(doing: &'static str, path: &Path, error: &std::io::Error) -> VmError {
    LocalError::Io { doing, path: path.into(), message: error.to_string() }.into()
}
