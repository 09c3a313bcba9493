//! The engine as its owner sees it: put code, call it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::compile::Compiler;
use crate::instance::Code;
use crate::kept::{Live, Waiting};
use crate::lend::lend;
use crate::{Backend, Call, Checksum, CodeReport, Lane, LocalError, Report, VmError, check};

/// Where the messages of contracts go: `env.debug`, and what a wasip1 contract prints.
pub type DebugSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Which compiler makes the machine code. Results and gas are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Winch at once, Cranelift a little later in a thread of its own: who stores a contract does not wait, and who calls it
    /// often has it fast.
    #[default]
    Tiered,
    /// Five times slower to compile (1 µs for each byte of a usual contract, 20 µs for one that is nothing but
    /// branches), twice as fast in loops.
    Cranelift,
    /// Compiles in one pass.
    Winch,
}

/// How an engine is set up.
#[derive(Clone)]
pub struct VmConfig {
    /// Directory of its own, for wasm and machine code.
    pub dir: PathBuf,
    /// Bytes of machine code that stay in memory; the least recently called goes first.
    pub code_bytes: usize,
    /// Calls that may run at a time, calls inside calls included. As many instances are kept for later calls; each takes
    /// 8 GiB of address space and at most 2 MiB of memory while it waits.
    pub instances: u32,
    /// Instances among them that only [`Lane::Block`] may take. More than the chain lets queries nest, or a block could
    /// find none left on this node alone.
    pub block_instances: u32,
    /// The compiler.
    pub tier: Tier,
    /// Capabilities that contracts may require.
    pub capabilities: BTreeSet<String>,
    /// Who listens to contracts' messages.
    pub debug: Option<DebugSink>,
}

impl VmConfig {
    /// 64 instances, half of them for blocks, 256 MiB of machine code, [`Tier::Tiered`], [`default_capabilities`].
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            code_bytes: 256 << 20,
            instances: 64,
            block_instances: 32,
            tier: Tier::default(),
            capabilities: default_capabilities(),
            debug: None,
        }
    }
}

impl fmt::Debug for VmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VmConfig")
            .field("dir", &self.dir)
            .field("code_bytes", &self.code_bytes)
            .field("instances", &self.instances)
            .field("block_instances", &self.block_instances)
            .field("tier", &self.tier)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

/// What this engine offers by itself: the ABI as of cosmwasm-std 3.0 with iterators, and inference. A chain with
/// staking or IBC adds those.
pub fn default_capabilities() -> BTreeSet<String> {
    let names = [
        "iterator",
        "cosmwasm_1_1",
        "cosmwasm_1_2",
        "cosmwasm_1_3",
        "cosmwasm_1_4",
        "cosmwasm_2_0",
        "cosmwasm_2_1",
        "cosmwasm_2_2",
        "cosmwasm_3_0",
        "aceso",
    ];
    names.map(Into::into).into()
}

/// What the engine holds, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Contracts whose machine code is in memory.
    pub codes: usize,
    /// Bytes of it.
    pub code_bytes: usize,
    /// Instances in use.
    pub instances: u32,
    /// Instances that wait for another call.
    pub kept: usize,
    /// Calls that found an instance of their contract waiting.
    pub kept_hits: u64,
    /// Calls that had an instance made.
    pub kept_misses: u64,
    /// Calls whose machine code was in memory.
    pub code_hits: u64,
    /// Calls whose machine code was read from the directory first.
    pub code_misses: u64,
    /// Calls that found no instance free.
    pub refused: u64,
    /// Contracts that run on a draft until their better machine code is there.
    pub drafts: usize,
}

/// The contract engine.
pub struct Vm {
    kept: Arc<Kept>,
    /// Where drafts wait for better machine code; nobody looks there where there are no drafts.
    drafts: SyncSender<Checksum>,
    slots: Slots,
    capabilities: BTreeSet<String>,
    debug: Option<DebugSink>,
}

impl Vm {
    /// Opens the directory and starts the engine.
    ///
    /// # Errors
    /// [`VmError::Local`] if the directory cannot be made or the address space cannot be reserved.
    pub fn new(config: VmConfig) -> Result<Self, VmError> {
        let compiler = Compiler::open(&config)?;
        let room = usize::try_from(config.instances).unwrap_or(usize::MAX);
        let codes = Mutex::new(Codes::new(config.code_bytes, room));
        let kept = Arc::new(Kept { compiler, codes, drafts: AtomicUsize::new(0) });
        let (drafts, waiting) = mpsc::sync_channel(DRAFTS_MAX);
        if config.tier == Tier::Tiered {
            let kept = Arc::downgrade(&kept);
            let improve = move || {
                // Whoever waits for an answer goes first; on Linux this is the thread's alone. Where it is refused, nothing is lost.
                let _ = rustix::process::setpriority_process(None, LEAST_URGENT);
                // It ends when the engine does.
                while let Some((kept, checksum)) = waiting.recv().ok().and_then(|one| Some((kept.upgrade()?, one))) {
                    kept.improve(&checksum);
                }
            };
            let started = std::thread::Builder::new().name("vm-compile".into()).spawn(improve);
            started.map_err(|error| LocalError::Engine { doing: "start a thread", message: error.to_string() })?;
        }
        Ok(Self {
            kept,
            drafts,
            slots: Slots {
                used: AtomicU32::new(0),
                all: config.instances,
                kept: config.block_instances,
                refused: AtomicU64::new(0),
            },
            capabilities: config.capabilities,
            debug: config.debug,
        })
    }

    /// Checks a contract and keeps nothing.
    ///
    /// # Errors
    /// [`VmError::Check`] with the first reason to refuse it.
    pub fn check(&self, wasm: &[u8]) -> Result<CodeReport, VmError> {
        Ok(check::check(wasm, Some(&self.capabilities))?.report)
    }

    /// Checks a contract, compiles it and keeps it. Putting it again does no harm and little work.
    ///
    /// # Errors
    /// [`VmError::Check`] with the first reason to refuse it; [`VmError::Local`] if it cannot be compiled or kept.
    pub fn put(&self, wasm: &[u8]) -> Result<CodeReport, VmError> {
        let checked = check::check(wasm, Some(&self.capabilities))?;
        let checksum = checked.report.checksum;
        if self.kept.codes().find(&checksum).is_none() || !self.kept.compiler.has(&checksum) {
            let code = self.kept.compiler.put(wasm, &checked)?;
            self.keep(checksum, code, false);
        }
        Ok(checked.report)
    }

    /// Whether a contract was put and is still in memory or in the directory.
    pub fn has(&self, checksum: &Checksum) -> bool {
        // Memory first: every call asks.
        self.kept.codes().map.contains_key(checksum) || self.kept.compiler.has(checksum)
    }

    /// Calls an entry point. Whatever the contract does, there is a report.
    ///
    /// The contract runs on the caller's thread; see [`crate::with_stack`] for the room that it may need there.
    pub fn call(&self, call: &Call<'_>, backend: &mut dyn Backend) -> Report {
        let ready = self.slots.take(call.lane).and_then(|slot| Ok((slot, self.code(call.checksum)?)));
        let (_slot, (code, waiting)) = match ready {
            Ok(ready) => ready,
            Err(error) => return Report { gas_used: 0, result: Err(error), backtrace: None },
        };
        let (report, live) = lend(backend, |backend| code.run(call, backend, self.debug.clone(), waiting));
        if let Some(live) = live {
            // Whatever has no room is dropped when others no longer wait for the lock.
            let _surplus = self.kept.codes().wait(call.checksum, code, live);
        }
        report
    }

    /// What the engine holds.
    pub fn stats(&self) -> Stats {
        let codes = self.kept.codes();
        Stats {
            codes: codes.map.len(),
            code_bytes: codes.bytes,
            instances: self.slots.used.load(Ordering::Relaxed),
            kept: codes.waiting.len(),
            kept_hits: codes.kept_hits,
            kept_misses: codes.kept_misses,
            code_hits: codes.hits,
            code_misses: codes.misses,
            refused: self.slots.refused.load(Ordering::Relaxed),
            drafts: self.kept.drafts.load(Ordering::Relaxed),
        }
    }

    /// A code, and an instance of it that waits, if there is one.
    fn code(&self, checksum: &Checksum) -> Result<(Arc<Code>, Option<Live>), VmError> {
        if let Some(found) = self.kept.codes().ask(checksum) {
            return Ok(found);
        }
        // Compiled outside the lock: two callers may do it twice, none waits for the other.
        let code = self.kept.compiler.get(checksum)?;
        Ok((self.keep(*checksum, code, true), None))
    }

    fn keep(&self, checksum: Checksum, code: Code, called: bool) -> Arc<Code> {
        let code = Arc::new(code);
        self.kept.codes().keep(checksum, Arc::clone(&code), called);
        if code.is_draft {
            self.kept.drafts.fetch_add(1, Ordering::Relaxed);
            // Where the line is full the draft serves until the code is read from the disk again.
            if self.drafts.try_send(checksum).is_err() {
                self.kept.drafts.fetch_sub(1, Ordering::Relaxed);
            }
        }
        code
    }
}

/// What callers and the thread that compiles share.
struct Kept {
    compiler: Compiler,
    codes: Mutex<Codes>,
    /// Codes that wait for the thread, and the one that it works on.
    drafts: AtomicUsize,
}

impl Kept {
    /// Puts better machine code in a draft's place.
    fn improve(&self, checksum: &Checksum) {
        // Whatever keeps it from being made says so to whoever calls the contract after the next start; the draft serves.
        if let Ok(code) = self.compiler.get_best(checksum) {
            self.codes().replace(checksum, Arc::new(code));
        }
        self.drafts.fetch_sub(1, Ordering::Relaxed);
    }

    /// The map is whole between any two of its statements, so a panic elsewhere does not spoil it.
    fn codes(&self) -> MutexGuard<'_, Codes> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The niceness of the thread that improves drafts.
const LEAST_URGENT: i32 = 19;
/// Drafts that may wait for better machine code.
const DRAFTS_MAX: usize = 1024;
/// One part in so many of the room for machine code is for what nobody has called: who stores hundreds of contracts calls few
/// of them, and what is called later is read from the disk in a tenth of a millisecond.
const UNCALLED: usize = 64;

/// Machine code in memory, bounded by its bytes, and instances of it that wait for a call, bounded by their number.
struct Codes {
    map: BTreeMap<Checksum, Held>,
    bytes: usize,
    limit: usize,
    waiting: Waiting,
    /// Counts uses.
    clock: u64,
    hits: u64,
    misses: u64,
    kept_hits: u64,
    kept_misses: u64,
}

/// One contract's machine code.
struct Held {
    code: Arc<Code>,
    /// The lowest number was used longest ago.
    used: u64,
    /// Whether it was called, or only put.
    called: bool,
}

impl Codes {
    fn new(limit: usize, room: usize) -> Self {
        Self {
            map: BTreeMap::new(),
            bytes: 0,
            limit,
            waiting: Waiting::new(room),
            clock: 0,
            hits: 0,
            misses: 0,
            kept_hits: 0,
            kept_misses: 0,
        }
    }

    /// Finds the code of a call and an instance of it, and counts what it found.
    fn ask(&mut self, checksum: &Checksum) -> Option<(Arc<Code>, Option<Live>)> {
        let found = self.find(checksum);
        if let Some(held) = self.map.get_mut(checksum) {
            held.called = true;
        }
        let count = if found.is_some() { &mut self.hits } else { &mut self.misses };
        *count += 1;
        let live = found.as_ref().and_then(|code| self.waiting.take(code));
        let count = if live.is_some() { &mut self.kept_hits } else { &mut self.kept_misses };
        *count += 1;
        Some((found?, live))
    }

    /// Has an instance wait for another call, unless its code is no longer the one in memory. Answers what is to be dropped.
    fn wait(&mut self, checksum: &Checksum, code: Arc<Code>, live: Live) -> Option<(Arc<Code>, Live)> {
        match self.map.get(checksum) {
            Some(held) if Arc::ptr_eq(&held.code, &code) => self.waiting.put(code, live),
            _ => Some((code, live)),
        }
    }

    fn find(&mut self, checksum: &Checksum) -> Option<Arc<Code>> {
        self.clock += 1;
        let held = self.map.get_mut(checksum)?;
        held.used = self.clock;
        Some(Arc::clone(&held.code))
    }

    /// Replaces a code that is in memory; its last use stays when it was.
    fn replace(&mut self, checksum: &Checksum, code: Arc<Code>) {
        if let Some(held) = self.map.get_mut(checksum) {
            self.bytes += code.bytes;
            let old = std::mem::replace(&mut held.code, code);
            self.bytes -= old.bytes;
            self.waiting.forget(&old);
            self.trim();
        }
    }

    fn keep(&mut self, checksum: Checksum, code: Arc<Code>, called: bool) {
        self.clock += 1;
        self.bytes += code.bytes;
        if let Some(old) = self.map.insert(checksum, Held { code, used: self.clock, called }) {
            self.bytes -= old.code.bytes;
            self.waiting.forget(&old.code);
        }
        self.trim();
    }

    /// Lets go of what was used longest ago, until the rest has room.
    fn trim(&mut self) {
        self.trim_those(|_| true, self.limit);
        self.trim_those(|held| !held.called, self.limit / UNCALLED);
    }

    /// The same among some of them; the last one stays, however large.
    fn trim_those(&mut self, one: fn(&Held) -> bool, limit: usize) {
        loop {
            let those = || self.map.iter().filter(|(_, held)| one(held));
            if those().map(|(_, held)| held.code.bytes).sum::<usize>() <= limit || those().nth(1).is_none() {
                return;
            }
            let oldest = those().min_by_key(|(_, held)| held.used).map(|(checksum, _)| *checksum);
            if let Some(held) = oldest.and_then(|oldest| self.map.remove(&oldest)) {
                self.bytes -= held.code.bytes;
                self.waiting.forget(&held.code);
            }
        }
    }
}

/// Counts the instances in use, so that calls from outside never take the last ones from a block.
struct Slots {
    used: AtomicU32,
    all: u32,
    kept: u32,
    /// How often there was none.
    refused: AtomicU64,
}

/// One call's place among them.
struct Slot<'a>(&'a Slots);

impl Slots {
    fn take(&self, lane: Lane) -> Result<Slot<'_>, VmError> {
        let limit = match lane {
            Lane::Block => self.all,
            Lane::Side => self.all.saturating_sub(self.kept),
        };
        let taken =
            self.used.try_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < limit).then_some(used + 1));
        taken.map(|_| Slot(self)).map_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            LocalError::Busy { limit }.into()
        })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::AcqRel);
    }
}
