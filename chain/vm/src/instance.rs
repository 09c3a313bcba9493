//! One call: an instance, the arguments in, the result out.
//!
//! Memory and globals are as the module says, whatever ran before: the instance is a fresh one, or [one that was made as
//! new](crate::kept).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use wasmtime::{AsContextMut, Instance, InstancePre, Linker, Module, ModuleExport, Store, Val};

use crate::arena::Arena;
use crate::imports::Frame;
use crate::instrument::{GAS, RESETS, STACK};
use crate::kept::{Door, First, Image, Live};
use crate::lend::Lent;
use crate::limits::{RESULT_MAX, STACK_SLOTS};
use crate::memory::{Guest, Host, engine};
use crate::vm::DebugSink;
use crate::{Call, Entry, LocalError, Report, VmError};

/// Code that is ready to be instantiated.
pub(crate) struct Code {
    pre: InstancePre<Frame>,
    memory: ModuleExport,
    gas: ModuleExport,
    stack: ModuleExport,
    allocate: ModuleExport,
    initialize: Option<ModuleExport>,
    /// The entry points, and how many arguments each takes.
    entries: BTreeMap<Entry, (ModuleExport, usize)>,
    /// The module's own globals that a call can change; none if they are not all of it.
    globals: Option<Vec<ModuleExport>>,
    /// The memory of a new instance, once there was one; none if it is not to be had.
    image: OnceLock<Option<Arc<Image>>>,
    pub(crate) arena: Arc<Arena>,
    /// Bytes that the code takes in memory.
    pub(crate) bytes: usize,
    /// Whether better machine code is to come.
    pub(crate) is_draft: bool,
}

impl Code {
    /// Finds everything by name once, so that calls need not.
    pub(crate) fn new(
        linker: &Linker<Frame>,
        module: &Module,
        arena: Arc<Arena>,
        bytes: usize,
    ) -> Result<Self, VmError> {
        let export = |name| module.get_export_index(name).ok_or_else(|| missing(name));
        let entries = Entry::ALL.iter().filter_map(|&entry| {
            let args = module.get_export(entry.name())?.func()?.params().len();
            Some((entry, (module.get_export_index(entry.name())?, args)))
        });
        let resets = module.get_export_index(RESETS).is_some();
        let ours = |name: &str| name.strip_prefix(RESETS).is_some_and(|rest| !rest.is_empty());
        let globals = module.exports().filter(|export| ours(export.name()));
        let globals = globals.filter_map(|export| module.get_export_index(export.name()));
        Ok(Self {
            globals: resets.then(|| globals.collect()),
            image: OnceLock::new(),
            arena,
            pre: linker.instantiate_pre(module).map_err(|error| engine("link the contract", &error))?,
            memory: export("memory")?,
            gas: export(GAS)?,
            stack: export(STACK)?,
            allocate: export("allocate")?,
            initialize: module.get_export_index("_initialize"),
            entries: entries.collect(),
            bytes,
            is_draft: false,
        })
    }

    /// Runs one call to its end, good or bad, in an instance that was made as new or in a new one. What comes back beside
    /// the report is an instance for another call, if there is one.
    pub(crate) fn run(
        &self,
        call: &Call<'_>,
        backend: Lent,
        debug: Option<DebugSink>,
        waiting: Option<Live>,
    ) -> (Report, Option<Live>) {
        let refused = |error, live| (Report { gas_used: 0, result: Err(error), backtrace: None }, live);
        let entry = call.entry;
        let Some((_, takes)) = self.entries.get(&entry) else {
            return refused(VmError::MissingEntry { entry }, waiting);
        };
        if !entry.arities().contains(&call.args.len()) || call.args.len() < *takes {
            return refused(VmError::Arguments { entry, want: *takes, got: call.args.len() }, waiting);
        }
        let mut live = match waiting.map_or_else(|| self.instantiate(), Ok) {
            Ok(live) => live,
            Err(error) => return refused(error, None),
        };

        let limit = call.gas_limit.min(i64::MAX.cast_unsigned());
        *live.store.data_mut() = Frame::new(backend, debug, limit);
        let result = live.run(call, limit);
        let mut host = Host::new(live.store.as_context_mut());
        let gas_used = match &result {
            Err(VmError::OutOfGas { .. }) => limit,
            _ => limit.saturating_sub(host.gas_left().unwrap_or(limit)),
        };
        let report = Report { gas_used, result, backtrace: live.store.data_mut().backtrace.take() };
        let sound = !matches!(report.result, Err(VmError::Local(_)));
        (report, if sound { live.renewed(&self.arena) } else { None })
    }

    /// A new instance.
    pub(crate) fn instantiate(&self) -> Result<Live, VmError> {
        let failed = |error: wasmtime::Error| engine("instantiate the contract", &error);
        let mut store = Store::new(self.pre.module().engine(), Frame::new(Lent::default(), None, 0));
        store.limiter(|frame| &mut frame.growth);
        let instance = self.pre.instantiate(&mut store).map_err(failed)?;
        let (first, guest) = (self.first(&mut store, &instance)?, self.guest(&mut store, &instance)?);

        let mut doors = BTreeMap::new();
        for (&entry, (export, takes)) in &self.entries {
            let function = instance.get_module_export(&mut store, export).and_then(wasmtime::Extern::into_func);
            let function = function.ok_or_else(|| missing(entry.name()))?;
            let door = match takes {
                2 => Door::Two(function.typed(&store).map_err(failed)?),
                _ => Door::Three(function.typed(&store).map_err(failed)?),
            };
            doors.insert(entry, door);
        }
        let initialize = match &self.initialize {
            Some(export) => {
                let function = instance.get_module_export(&mut store, export).and_then(wasmtime::Extern::into_func);
                let function = function.ok_or_else(|| missing("_initialize"))?;
                Some(function.typed(&store).map_err(failed)?)
            }
            None => None,
        };
        Ok(Live { store, guest: Arc::new(guest), initialize, doors, first })
    }

    /// What the host needs of an instance.
    fn guest(&self, store: &mut Store<Frame>, instance: &Instance) -> Result<Guest, VmError> {
        let failed = |error: wasmtime::Error| engine("instantiate the contract", &error);
        let mut export = |export, name| instance.get_module_export(&mut *store, export).ok_or_else(|| missing(name));
        let memory = export(&self.memory, "memory")?.into_memory().ok_or_else(|| missing("memory"))?;
        let gas = export(&self.gas, GAS)?.into_global().ok_or_else(|| missing(GAS))?;
        let stack = export(&self.stack, STACK)?.into_global().ok_or_else(|| missing(STACK))?;
        let allocate = export(&self.allocate, "allocate")?.into_func().ok_or_else(|| missing("allocate"))?;
        let allocate = allocate.typed(&*store).map_err(failed)?;
        Ok(Guest { memory, gas, stack, allocate })
    }

    /// How a new instance is, none if it cannot be made so again.
    fn first(&self, store: &mut Store<Frame>, instance: &Instance) -> Result<Option<First>, VmError> {
        let Some(exports) = &self.globals else { return Ok(None) };
        let memory = instance.get_module_export(&mut *store, &self.memory).and_then(wasmtime::Extern::into_memory);
        let memory = memory.ok_or_else(|| missing("memory"))?.data(&*store);
        let image = self.image.get_or_init(|| Image::of(memory, &self.arena).map(Arc::new));
        let Some(memory) = image.clone() else { return Ok(None) };
        let mut globals = Vec::with_capacity(exports.len());
        for export in exports {
            let global = instance.get_module_export(&mut *store, export).and_then(wasmtime::Extern::into_global);
            let global = global.ok_or_else(|| missing(RESETS))?;
            globals.push((global, global.get(&mut *store)));
        }
        Ok(Some(First { memory, globals }))
    }
}

impl Live {
    /// Runs a call whose arguments are as many as the entry point takes.
    fn run(&mut self, call: &Call<'_>, limit: u64) -> Result<Vec<u8>, VmError> {
        let failed = |error: wasmtime::Error| engine("instantiate the contract", &error);
        let store = &mut self.store;
        self.guest.gas.set(&mut *store, Val::I64(limit.cast_signed())).map_err(failed)?;
        self.guest.stack.set(&mut *store, Val::I32(STACK_SLOTS)).map_err(failed)?;
        store.data_mut().guest = Some(Arc::clone(&self.guest));
        if let Some(initialize) = &self.initialize {
            let done = initialize.call(&mut *store, ());
            let mut host = Host::new(store.as_context_mut());
            done.map_err(|error| host.explain(error))?;
            host.solvent()?;
        }

        let entry = call.entry;
        let door = self.doors.get(&entry).ok_or_else(|| missing(entry.name()))?;
        let mut host = Host::new(store.as_context_mut());
        let mut arg = |at: usize| host.hand_over(call.args.get(at).copied().unwrap_or_default());
        let done = match door {
            Door::Two(function) => {
                let args = (arg(0)?, arg(1)?);
                function.call(&mut *store, args)
            }
            Door::Three(function) => {
                let args = (arg(0)?, arg(1)?, arg(2)?);
                function.call(&mut *store, args)
            }
        };
        let mut host = Host::new(store.as_context_mut());
        let result = done.map_err(|error| host.explain(error))?;
        host.solvent()?;
        host.read_region("result", result, RESULT_MAX)
    }
}

/// The checks have seen to it that it is there.
fn missing(name: &str) -> VmError {
    LocalError::Engine { doing: "find what the checks have seen", message: format!("`{name}` is gone") }.into()
}
