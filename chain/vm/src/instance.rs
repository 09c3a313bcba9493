//! One call: a fresh instance, the arguments in, the result out.
//!
//! An instance is used once. Memory and globals are as the module says, whatever ran before; the pool makes that
//! cheap by keeping address space and pages for the next one.

use std::collections::BTreeMap;

use wasmtime::{AsContextMut, Instance, InstancePre, Linker, Module, ModuleExport, Store, Val};

use crate::imports::Frame;
use crate::instrument::{GAS, STACK};
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
    /// Bytes that the code takes in memory.
    pub(crate) bytes: usize,
    /// Whether better machine code is to come.
    pub(crate) is_draft: bool,
}

impl Code {
    /// Finds everything by name once, so that calls need not.
    pub(crate) fn new(linker: &Linker<Frame>, module: &Module, bytes: usize) -> Result<Self, VmError> {
        let export = |name| module.get_export_index(name).ok_or_else(|| missing(name));
        let entries = Entry::ALL.iter().filter_map(|&entry| {
            let args = module.get_export(entry.name())?.func()?.params().len();
            Some((entry, (module.get_export_index(entry.name())?, args)))
        });
        Ok(Self {
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

    /// Runs one call to its end, good or bad.
    pub(crate) fn run(&self, call: &Call<'_>, backend: Lent, debug: Option<DebugSink>) -> Report {
        let limit = call.gas_limit.min(i64::MAX.cast_unsigned());
        let mut store = Store::new(self.pre.module().engine(), Frame::new(backend, debug, limit));
        store.limiter(|frame| &mut frame.growth);
        let result = self.run_in(&mut store, call, limit);

        let mut host = Host::new(store.as_context_mut());
        let gas_used = match &result {
            Err(VmError::OutOfGas { .. }) => limit,
            // Without an instance nothing has been counted.
            _ => limit.saturating_sub(host.gas_left().unwrap_or(limit)),
        };
        Report { gas_used, result, backtrace: store.data_mut().backtrace.take() }
    }

    fn run_in(&self, store: &mut Store<Frame>, call: &Call<'_>, limit: u64) -> Result<Vec<u8>, VmError> {
        let entry = call.entry;
        let (export, takes) = self.entries.get(&entry).ok_or(VmError::MissingEntry { entry })?;
        if !entry.arities().contains(&call.args.len()) || call.args.len() < *takes {
            return Err(VmError::Arguments { entry, want: *takes, got: call.args.len() });
        }

        let instance = self.instantiate(store, limit)?;
        let function = |store: &mut Store<Frame>, export, name| {
            instance.get_module_export(store, export).and_then(wasmtime::Extern::into_func).ok_or_else(|| missing(name))
        };
        if let Some(initialize) = &self.initialize {
            let initialize = function(store, initialize, "_initialize")?;
            let done = initialize.call(&mut *store, &[], &mut []);
            let mut host = Host::new(store.as_context_mut());
            done.map_err(|error| host.explain(error))?;
            host.solvent()?;
        }

        let mut host = Host::new(store.as_context_mut());
        let mut args = Vec::with_capacity(*takes);
        for arg in call.args.iter().take(*takes) {
            args.push(Val::I32(host.hand_over(arg)?.cast_signed()));
        }
        let function = function(store, export, entry.name())?;
        let mut results = [Val::I32(0)];
        let done = function.call(&mut *store, &args, &mut results);
        let mut host = Host::new(store.as_context_mut());
        done.map_err(|error| host.explain(error))?;
        host.solvent()?;
        let [Val::I32(result)] = results else { return Err(missing(entry.name())) };
        host.read_region("result", result.cast_unsigned(), RESULT_MAX)
    }

    fn instantiate(&self, store: &mut Store<Frame>, limit: u64) -> Result<Instance, VmError> {
        let failed = |error: wasmtime::Error| engine("instantiate the contract", &error);
        let instance = self.pre.instantiate(&mut *store).map_err(failed)?;
        let mut export = |export, name| instance.get_module_export(&mut *store, export).ok_or_else(|| missing(name));
        let memory = export(&self.memory, "memory")?.into_memory().ok_or_else(|| missing("memory"))?;
        let gas = export(&self.gas, GAS)?.into_global().ok_or_else(|| missing(GAS))?;
        let stack = export(&self.stack, STACK)?.into_global().ok_or_else(|| missing(STACK))?;
        let allocate = export(&self.allocate, "allocate")?.into_func().ok_or_else(|| missing("allocate"))?;
        let allocate = allocate.typed(&*store).map_err(failed)?;
        gas.set(&mut *store, Val::I64(limit.cast_signed())).map_err(failed)?;
        stack.set(&mut *store, Val::I32(STACK_SLOTS)).map_err(failed)?;
        store.data_mut().guest = Some(Guest { memory, gas, stack, allocate });
        Ok(instance)
    }
}

/// The checks have seen to it that it is there.
fn missing(name: &str) -> VmError {
    LocalError::Engine { doing: "find what the checks have seen", message: format!("`{name}` is gone") }.into()
}
