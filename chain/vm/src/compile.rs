//! From checked wasm to machine code, and the directory where both are kept.
//!
//! ```text
//! <dir>/wasm/<checksum>               the wasm as it was put
//! <dir>/compiled-<engine>/<checksum>  machine code, then SHA-256 of it and its context
//! ```
//!
//! `<engine>` is a digest of everything that makes machine code fit: wasmtime's version and settings, the processor's
//! features, the version of our instrumentation. Machine code that is torn, rotten or from elsewhere fails its digest
//! and is made anew from the wasm, which in turn must have its own checksum. Files appear whole, by renaming.
//!
//! A large contract that nobody has compiled yet is compiled in one pass first ([`Tier::Tiered`]) and kept in memory alone, so
//! that the block which stores it does not wait; the better machine code comes later, from another thread. Both do the same.
//!
//! A file is held to its digest when this engine first reads it, and again when it is not the same file any more. Then it is
//! mapped, as the system maps the node's own program: a code that is called again after others have taken its place in
//! memory costs no reading of megabytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Read as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, Module, OptLevel, Strategy, WasmBacktraceDetails};

use crate::arena::{Arena, Slots};
use crate::imports::{self, Frame};
use crate::instance::Code;
use crate::instrument::{self, instrument};
use crate::limits::{BACKTRACE_FRAMES_MAX, NATIVE_STACK_BYTES};
use crate::memory::engine;
use crate::{Checksum, LocalError, Tier, VmConfig, VmError, check};

/// Bytes that a code takes in memory beside its machine code: what the engine knows of it and of its exports.
const CODE_BYTES: usize = 16 << 10;
/// Bytes of wasm from which on a draft is worth it: below, the better compiler takes some 15 ms.
const DRAFT_BYTES: usize = 16 << 10;
/// Bytes of the digest behind the machine code.
const DIGEST: usize = 32;

/// Compiles, and keeps what it has compiled.
pub(crate) struct Compiler {
    best: Maker,
    /// What compiles in one pass; none where the other is such a one, or nothing else is wanted.
    draft: Option<Maker>,
    wasm: PathBuf,
    compiled: PathBuf,
    context: [u8; DIGEST],
    /// Files with machine code that were found sound.
    sound: Mutex<BTreeMap<Checksum, Identity>>,
}

/// An engine of one compiler, with the imports that its contracts may have.
struct Maker {
    engine: Engine,
    linker: Linker<Frame>,
    arena: Arc<Arena>,
}

impl Maker {
    fn new(tier: Tier, arena: &Arc<Arena>) -> Result<Self, VmError> {
        let mut settings = settings(tier);
        settings.with_host_memory(Arc::new(Slots(Arc::clone(arena))));
        let on = Engine::new(&settings).map_err(|error| engine("start the engine", &error))?;
        let linker = imports::linker(&on).map_err(|error| engine("declare the imports", &error))?;
        Ok(Self { engine: on, linker, arena: Arc::clone(arena) })
    }

    /// Machine code of an instrumented module.
    fn compile(&self, counted: &[u8]) -> Result<Vec<u8>, VmError> {
        self.engine.precompile_module(counted).map_err(|error| engine("compile the contract", &error))
    }

    /// What this engine has compiled, ready to run.
    fn load(&self, machine: &[u8]) -> Result<Code, VmError> {
        // SAFETY: `precompile_module` of this very engine has made the bytes.
        #[allow(unsafe_code, reason = "machine code comes from the compiler")]
        let module = unsafe { Module::deserialize(&self.engine, machine) };
        self.ready(module, machine.len())
    }

    fn ready(&self, module: wasmtime::Result<Module>, bytes: usize) -> Result<Code, VmError> {
        let module = module.map_err(|error| engine("load the contract", &error))?;
        Code::new(&self.linker, &module, Arc::clone(&self.arena), bytes.saturating_add(CODE_BYTES))
    }
}

/// What tells a file from one that was put in its place or written to since.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(file: &File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), bytes: metadata.size(), changed })
    }
}

impl Compiler {
    pub(crate) fn open(config: &VmConfig) -> Result<Self, VmError> {
        // Those in use, and as many that are kept.
        let arena = Arena::open(usize::try_from(config.instances).unwrap_or(usize::MAX).saturating_mul(2))?;
        let best = Maker::new(config.tier, &arena)?;
        let draft = match config.tier {
            Tier::Tiered => Some(Maker::new(Tier::Winch, &arena)?),
            Tier::Cranelift | Tier::Winch => None,
        };
        let mut context = Digester(Sha256::new());
        best.engine.precompile_compatibility_hash().hash(&mut context);
        instrument::VERSION.hash(&mut context);
        let context: [u8; DIGEST] = context.0.finalize().into();

        let name: String = context.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let wasm = config.dir.join("wasm");
        let compiled = config.dir.join(format!("compiled-{name}"));
        for path in [&wasm, &compiled] {
            fs::create_dir_all(path).map_err(|error| io("create", path, &error))?;
        }
        Ok(Self { best, draft, wasm, compiled, context, sound: Mutex::default() })
    }

    /// Whether the wasm is here.
    pub(crate) fn has(&self, checksum: &Checksum) -> bool {
        self.wasm.join(checksum.to_string()).is_file()
    }

    /// Keeps checked wasm and compiles it, or makes a draft.
    pub(crate) fn put(&self, wasm: &[u8], checked: &check::Checked) -> Result<Code, VmError> {
        let checksum = checked.report.checksum;
        let code = match self.stored(&checksum)? {
            Some(code) => code,
            None => self.compile_soon(wasm, &checksum, &checked.shape)?,
        };
        if !self.has(&checksum) {
            write(&self.wasm.join(checksum.to_string()), &[wasm])?;
        }
        Ok(code)
    }

    /// Finds code that was put: compiled if that is sound, else compiled anew, or a draft.
    pub(crate) fn get(&self, checksum: &Checksum) -> Result<Code, VmError> {
        self.find(checksum, Self::compile_soon)
    }

    /// The same, and no draft.
    pub(crate) fn get_best(&self, checksum: &Checksum) -> Result<Code, VmError> {
        self.find(checksum, Self::compile)
    }

    fn find(
        &self,
        checksum: &Checksum,
        compile: fn(&Self, &[u8], &Checksum, &check::Shape) -> Result<Code, VmError>,
    ) -> Result<Code, VmError> {
        if let Some(code) = self.stored(checksum)? {
            return Ok(code);
        }
        let wasm = read(&self.wasm.join(checksum.to_string()))?;
        let wasm = wasm.filter(|wasm| Sha256::digest(wasm)[..] == checksum.0);
        let wasm = wasm.ok_or(LocalError::NotStored { checksum: *checksum })?;
        let checked = check::check(&wasm, None)?;
        compile(self, &wasm, checksum, &checked.shape)
    }

    /// A draft of a large contract, else the best.
    fn compile_soon(&self, wasm: &[u8], checksum: &Checksum, shape: &check::Shape) -> Result<Code, VmError> {
        match &self.draft {
            Some(draft) if wasm.len() >= DRAFT_BYTES => {
                let mut code = draft.load(&draft.compile(&instrument(wasm, shape)?)?)?;
                code.is_draft = true;
                Ok(code)
            }
            _ => self.compile(wasm, checksum, shape),
        }
    }

    fn compile(&self, wasm: &[u8], checksum: &Checksum, shape: &check::Shape) -> Result<Code, VmError> {
        let machine = self.best.compile(&instrument(wasm, shape)?)?;
        write(&self.compiled.join(checksum.to_string()), &[&machine, &self.digest(checksum, &machine)])?;
        self.best.load(&machine)
    }

    /// Machine code from disk, if it is there and sound.
    fn stored(&self, checksum: &Checksum) -> Result<Option<Code>, VmError> {
        let path = self.compiled.join(checksum.to_string());
        let failed = |error: std::io::Error| io("read", &path, &error);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let identity = Identity::of(&file).map_err(failed)?;
        if self.sound().get(checksum) != Some(&identity) {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(failed)?;
            match bytes.split_last_chunk::<DIGEST>() {
                Some((machine, digest)) if *digest == self.digest(checksum, machine) => {}
                _ => return Ok(None),
            }
            self.sound().insert(*checksum, identity);
        }
        // SAFETY: the bytes are those that `precompile_module` of an engine with equal version, settings and processor
        // made: this file of the node's own directory had the digest over them and that context when it was read, and has
        // not been written to since. It is replaced by renaming alone, which leaves a mapped file as it is. Who can forge
        // it, or write to it while it is mapped, can as well replace the node's binary.
        #[allow(unsafe_code, reason = "machine code is trusted by its digest")]
        let module = unsafe { Module::deserialize_open_file(&self.best.engine, file) };
        let bytes = usize::try_from(identity.bytes).unwrap_or(usize::MAX);
        self.best.ready(module, bytes.saturating_sub(DIGEST)).map(Some)
    }

    /// The map is whole between any two of its statements, so a panic elsewhere does not spoil it.
    fn sound(&self) -> std::sync::MutexGuard<'_, BTreeMap<Checksum, Identity>> {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner)
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
pub(crate) fn settings(tier: Tier) -> Config {
    let mut settings = Config::new();
    settings
        .strategy(match tier {
            Tier::Cranelift | Tier::Tiered => Strategy::Cranelift,
            Tier::Winch => Strategy::Winch,
        })
        // Values live longer than wasm's own stack says: one that is computed twice or in each round of a loop is kept. The
        // native stack has room for what such frames take beyond their slots (`NATIVE_STACK_BYTES`).
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        // What improves drafts leaves the other processors to whoever waits.
        .parallel_compilation(tier != Tier::Tiered)
        .consume_fuel(false)
        .epoch_interruption(false)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .async_stack_size(NATIVE_STACK_BYTES)
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
        // Every access is compared with the memory's size, and none relies on what the system protects: so a memory grows
        // by a number (`arena`).
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .memory_may_move(true)
        .memory_init_cow(false)
        .table_lazy_init(true)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand);
    // SAFETY: the flag adds a move to each access that keeps a processor from reading out of bounds while it runs ahead of the
    // comparison. What such a read could reach is the contract's own slot and nothing behind it (`arena::NOTHING`).
    #[allow(unsafe_code, reason = "the engine checks no flags of its compiler")]
    unsafe {
        settings.cranelift_flag_set("enable_heap_access_spectre_mitigation", "false");
    }
    settings
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
