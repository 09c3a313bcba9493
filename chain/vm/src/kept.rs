//! An instance that is made as new after a call, and used again.
//!
//! What a call can change of an instance is its memory, its globals and the host's [`Frame`]: no contract's code can change a
//! table, and one with segments that can be used up is never kept ([`crate::instrument::RESETS`]). After a call, the
//! pages that were written to get the bytes they had when the instance was made, the memory its first size, and the globals
//! their first values. An instance that cannot be brought there is dropped, and so is one whose call failed by the engine's
//! own doing; the next call then makes another.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use wasmtime::{Global, Store, TypedFunc, Val};

use crate::Entry;
use crate::arena::Arena;
use crate::imports::Frame;
use crate::instance::Code;
use crate::lend::Lent;
use crate::memory::Guest;

/// Bytes of a memory that stay with an instance that is kept; the others are given back to the system.
pub(crate) const RESIDENT_BYTES: usize = 2 << 20;

/// Bytes of an image that are looked at together.
const LOOK_BYTES: usize = 4096;

/// An entry point by how many regions it takes.
#[derive(Clone)]
pub(crate) enum Door {
    Two(TypedFunc<(u32, u32), u32>),
    Three(TypedFunc<(u32, u32, u32), u32>),
}

/// An instance with its store, and everything that a call needs found by name.
pub(crate) struct Live {
    pub(crate) store: Store<Frame>,
    pub(crate) guest: Arc<Guest>,
    pub(crate) initialize: Option<TypedFunc<(), ()>>,
    pub(crate) doors: BTreeMap<Entry, Door>,
    /// What to make the instance as new with; none if it is used once.
    pub(crate) first: Option<First>,
}

/// How an instance was when it was made.
pub(crate) struct First {
    pub(crate) memory: Arc<Image>,
    pub(crate) globals: Vec<(Global, Val)>,
}

impl Live {
    /// Makes the instance as new. None if that cannot be done, or is not known to be.
    pub(crate) fn renewed(mut self, arena: &Arena) -> Option<Self> {
        let first = self.first.as_ref()?;
        let memory = self.guest.memory;
        let bytes = memory.data_mut(&mut self.store);
        let (written, unknown) = arena.written(bytes, RESIDENT_BYTES)?;
        for range in written {
            first.memory.restore(bytes, range)?;
        }
        if unknown < bytes.len() {
            let rest = unknown..bytes.len();
            if !arena.clear(bytes.get_mut(rest.clone())?) {
                return None;
            }
            first.memory.put(bytes, rest)?;
        }
        arena.shrink(bytes, first.memory.size);
        // The engine looks at the size again whenever it is asked to grow a memory.
        memory.grow(&mut self.store, 0).ok()?;
        for (global, value) in &first.globals {
            global.set(&mut self.store, *value).ok()?;
        }
        if memory.data_size(&self.store) != first.memory.size {
            return None;
        }
        *self.store.data_mut() = Frame::new(Lent::default(), None, 0);
        Some(self)
    }
}

/// A memory's first bytes, apart from zeros.
pub(crate) struct Image {
    size: usize,
    /// By offset; none touches another.
    runs: Vec<(usize, Vec<u8>)>,
}

impl Image {
    /// Of a memory that nothing has run in yet. None if it is not known where it was written to, or it is too large to keep.
    pub(crate) fn of(memory: &[u8], arena: &Arena) -> Option<Self> {
        let (written, unknown) = arena.written(memory, RESIDENT_BYTES)?;
        let runs = written.into_iter().map(|range| Some((range.start, memory.get(range)?.to_vec())));
        let runs = runs.collect::<Option<Vec<_>>>()?;
        (unknown == memory.len()).then_some(Self { size: memory.len(), runs })
    }

    /// Gives a range of a memory its first bytes. Most pages of the image are constants that nobody writes to, so they are
    /// looked at before they are copied.
    fn restore(&self, memory: &mut [u8], range: Range<usize>) -> Option<()> {
        let mut from = range.start;
        for piece in self.within(&range) {
            let (at, run) = piece?;
            memory.get_mut(from..at)?.fill(0);
            from = at + run.len();
            let is = memory.get_mut(at..from)?.chunks_mut(LOOK_BYTES);
            for (is, was) in is.zip(run.chunks(LOOK_BYTES)) {
                if is != was {
                    is.copy_from_slice(was);
                }
            }
        }
        memory.get_mut(from..range.end)?.fill(0);
        Some(())
    }

    /// Puts the first bytes of a range that is zero otherwise.
    fn put(&self, memory: &mut [u8], range: Range<usize>) -> Option<()> {
        for piece in self.within(&range) {
            let (at, run) = piece?;
            memory.get_mut(at..at + run.len())?.copy_from_slice(run);
        }
        Some(())
    }

    /// What runs have in a range, each with where it begins.
    fn within(&self, range: &Range<usize>) -> impl Iterator<Item = Option<(usize, &[u8])>> {
        let Range { start, end } = *range;
        let first = self.runs.partition_point(|(at, run)| at + run.len() <= start);
        self.runs.iter().skip(first).take_while(move |(at, _)| *at < end).map(move |(at, run)| {
            let (from, to) = ((*at).max(start), (at + run.len()).min(end));
            Some((from, run.get(from - at..to - at)?))
        })
    }
}

/// Instances that wait for a call, the one used last at the end.
pub(crate) struct Waiting {
    instances: Vec<(Arc<Code>, Live)>,
    limit: usize,
}

impl Waiting {
    /// Room for so many.
    pub(crate) fn new(limit: usize) -> Self {
        Self { instances: Vec::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    /// One of this code.
    pub(crate) fn take(&mut self, code: &Arc<Code>) -> Option<Live> {
        let found = self.instances.iter().rposition(|(of, _)| Arc::ptr_eq(of, code))?;
        Some(self.instances.remove(found).1)
    }

    /// Keeps one; the one that has waited longest is answered where there is no room, to be dropped by the caller.
    #[must_use]
    pub(crate) fn put(&mut self, code: Arc<Code>, live: Live) -> Option<(Arc<Code>, Live)> {
        self.instances.push((code, live));
        (self.instances.len() > self.limit).then(|| self.instances.remove(0))
    }

    /// Lets go of all of a code that is no longer in memory.
    pub(crate) fn forget(&mut self, code: &Arc<Code>) {
        self.instances.retain(|(of, _)| !Arc::ptr_eq(of, code));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;
    use wasmtime::Val;

    use super::*;
    use crate::compile::Compiler;
    use crate::lend::lend;
    use crate::{Alone, Call, Checksum, Lane, Report, Tier, VmConfig, VmError, check};

    /// Does what its message says, in words of four: a number for what, and two operands.
    const DOES: &str = r#"
      (local $at i32) (local $end i32) (local $a i32) (local $b i32)
      (local.set $at (i32.load (local.get 2)))
      (local.set $end (i32.add (local.get $at) (i32.load offset=8 (local.get 2))))
      (block $done (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a (i32.load offset=4 (local.get $at)))
        (local.set $b (i32.load offset=8 (local.get $at)))
        (block $nop (block $touch (block $trap (block $deep (block $spin (block $table
          (block $fill (block $global (block $grow (block $store
            (br_table $store $grow $global $fill $table $spin $deep $trap $touch $nop (i32.load (local.get $at))))
            (i32.store (local.get $a) (local.get $b)) (br $nop))
            (drop (memory.grow (local.get $a))) (br $nop))
            (global.set $mine (i64.extend_i32_u (local.get $b))) (global.set $float (f64.const 2)) (br $nop))
            (memory.fill (local.get $a) (i32.const 7) (local.get $b)) (br $nop))
            (drop (call_indirect (param i32) (result i32) (local.get $a) (local.get $b))) (br $nop))
            (loop $ever (i32.store (local.get $a) (local.get $a)) (local.set $a (i32.add (local.get $a) (i32.const 4093)))
              (br $ever)))
            (drop (call $deep (local.get $a))) (br $nop))
            (unreachable))
            (loop $each
              (i32.store (local.get $a) (local.get $b)) (local.set $a (i32.add (local.get $a) (i32.const 8192)))
              (br_if $each (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
            (br $nop))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (br $next)))
      (local.get 2)"#;

    /// Two pages, data in both, three globals of its own that code can change, and a table.
    fn contract(data: &str) -> Vec<u8> {
        let text = format!(
            r#"(module (memory (export "memory") 2) (func (export "interface_version_8"))
              (global $heap (mut i32) (i32.const 4096)) (global $mine (mut i64) (i64.const -5))
              (global $float (mut f64) (f64.const 0.5)) (global $fixed i32 (i32.const 9))
              (func $allocate (export "allocate") (param $n i32) (result i32) (local $r i32)
                (local.set $r (global.get $heap))
                (i32.store (local.get $r) (i32.add (local.get $r) (i32.const 12)))
                (i32.store offset=4 (local.get $r) (local.get $n))
                (global.set $heap (i32.add (local.get $r) (i32.add (local.get $n) (i32.const 12))))
                (local.get $r))
              (func (export "deallocate") (param i32))
              (table 4 4 funcref) (elem (i32.const 1) $allocate $deep)
              (func $deep (param $n i32) (result i32)
                (i32.store (local.get $n) (local.get $n)) (call $deep (i32.add (local.get $n) (i32.const 1))))
              (func (export "execute") (param i32 i32 i32) (result i32) {DOES})
              (data (i32.const 100) "first page") (data (i32.const 70000) "second page") {data})"#
        );
        wat::parse_str(text).unwrap()
    }

    struct Bench {
        code: Code,
        checksum: Checksum,
        _dir: TempDir,
    }

    impl Bench {
        fn new(tier: Tier, wasm: &[u8]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let config = VmConfig { tier, instances: 4, ..VmConfig::new(dir.path()) };
            let checked = check::check(wasm, None).unwrap();
            let code = Compiler::open(&config).unwrap().put(wasm, &checked).unwrap();
            Self { code, checksum: checked.report.checksum, _dir: dir }
        }

        fn call(&self, does: &[[u32; 3]], waiting: Option<Live>) -> (Report, Option<Live>) {
            let message: Vec<u8> = does.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
            let args: [&[u8]; 3] = [b"{}", b"{}", &message];
            let (checksum, gas_limit) = (&self.checksum, 200_000_000_000);
            let call = Call { checksum, entry: Entry::Execute, args: &args, gas_limit, lane: Lane::Block };
            lend(&mut Alone::default(), |lent| self.code.run(&call, lent, None, waiting))
        }

        /// Calls in an instance and holds what is left of it against a new one.
        fn same_after(&self, does: &[[u32; 3]], waiting: Option<Live>) -> (Report, Option<Live>) {
            let alone = self.call(does, None).0;
            let (report, live) = self.call(does, waiting);
            assert_eq!(report, alone, "an instance that was kept did something else: {does:?}");
            let mut live = live.expect("the instance is kept");
            let mut new = self.code.instantiate().unwrap();
            let (old_memory, new_memory) = (live.guest.memory.data(&live.store), new.guest.memory.data(&new.store));
            assert_eq!(old_memory.len(), new_memory.len(), "{does:?}");
            assert!(old_memory == new_memory, "the memory differs: {does:?}");
            assert_eq!(globals(&mut live), globals(&mut new), "{does:?}");
            // What it may grow into is as new as the rest.
            new.guest.memory.grow(&mut new.store, 510).unwrap();
            live.guest.memory.grow(&mut live.store, 510).unwrap();
            assert!(live.guest.memory.data(&live.store) == new.guest.memory.data(&new.store), "{does:?}");
            *live.store.data_mut() = Frame::new(Lent::default(), None, 0);
            (report, live.renewed(&self.code.arena))
        }
    }

    fn globals(live: &mut Live) -> Vec<String> {
        let first = live.first.as_ref().unwrap();
        assert_eq!(first.globals.len(), 3);
        let handles: Vec<Global> = first.globals.iter().map(|(global, _)| *global).collect();
        let told = |value: Val| format!("{value:?}");
        handles.iter().map(|global| told(global.get(&mut live.store))).collect()
    }

    #[test]
    fn nothing_of_a_hostile_call_stays() {
        for tier in [Tier::Cranelift, Tier::Winch] {
            let bench = Bench::new(tier, &contract(""));
            let mut live = None;
            for (does, ends_well) in [
                (vec![], true),
                (vec![[0, 100, 5], [0, 70_000, 6], [2, 0, 77], [0, 131_068, 1]], true),
                // All of the largest memory, its last bytes, and one page more than there is.
                (vec![[1, 510, 0], [3, 0, 33_554_432]], false),
                (vec![[1, 510, 0], [0, 33_554_428, 1], [1, 1, 0], [0, 33_554_429, 1]], false),
                // More pieces than are told at once, in what was there and in what was grown.
                (vec![[1, 510, 0], [8, 65_536, 4_000]], true),
                (vec![[8, 8_192, 15]], true),
                (vec![[1, 40, 0], [3, 131_072, 2_600_000]], true),
                (vec![[1, 2, 0], [0, 200_000, 1], [2, 0, 3], [7, 0, 0]], false),
                (vec![[5, 64, 0]], false),
                (vec![[6, 4, 0]], false),
                (vec![[4, 64, 1]], true),
                (vec![[4, 64, 2]], false),
                (vec![[4, 64, 3]], false),
                (vec![[0, 131_072, 1]], false),
            ] {
                let (report, kept) = bench.same_after(&does, live);
                assert_eq!(report.result.is_ok(), ends_well, "{does:?}: {:?}", report.result);
                live = kept;
                assert!(live.is_some(), "{does:?}");
            }
        }
    }

    #[test]
    fn a_contract_with_segments_to_use_up_gets_a_new_instance_each_time() {
        let bench = Bench::new(Tier::Cranelift, &contract(r#"(data "used up")"#));
        assert!(bench.call(&[], None).1.is_none());
    }

    #[test]
    fn an_instance_is_unharmed_by_a_call_that_does_not_begin() {
        let bench = Bench::new(Tier::Cranelift, &contract(""));
        let (_, live) = bench.call(&[], None);
        let call = Call {
            checksum: &bench.checksum,
            entry: Entry::Query,
            args: &[b"{}", b"{}"],
            gas_limit: 1,
            lane: Lane::Side,
        };
        let (report, live) = lend(&mut Alone::default(), |lent| bench.code.run(&call, lent, None, live));
        assert_eq!(report.result, Err(VmError::MissingEntry { entry: Entry::Query }));
        bench.same_after(&[], live);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn nothing_of_any_call_stays(
            calls in prop::collection::vec(prop::collection::vec((0u32..10, 0u32..400_000, 0u32..70_000), 0..12), 1..5),
        ) {
            let bench = Bench::new(Tier::Winch, &contract(""));
            let mut live = None;
            for call in calls {
                let does: Vec<[u32; 3]> = call.into_iter().map(|(what, a, b)| [what, a, b]).collect();
                live = bench.same_after(&does, live).1;
            }
        }
    }
}
