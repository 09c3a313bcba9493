//! Each way in which wasm can end, with its gas; and what is charged for what.

use aceso_vm::{MEMORY_PAGES_MAX, STACK_SLOTS, Trap, VmError, price, with_stack};
use expect_test::{Expect, expect};

use crate::fixture::{Contract, PLENTY, Tiers, execute, told};
use crate::mock::Mock;

#[track_caller]
fn check(wasm: &[u8], expected: Expect) {
    let (report, _) = Tiers::new().run(wasm, PLENTY, Mock::default);
    expected.assert_eq(&told(&report));
}

#[track_caller]
fn gas(wasm: &[u8]) -> u64 {
    let (report, _) = Tiers::new().run(wasm, PLENTY, Mock::default);
    report.result.unwrap();
    report.gas_used
}

/// Gas of a body beyond that of a contract which only answers.
#[track_caller]
fn beyond_echo(contract: &Contract<'_>) -> u64 {
    gas(&contract.wasm()) - gas(&execute("(local.get 2)"))
}

#[test]
fn echo() {
    check(&execute("(local.get 2)"), expect![[r#"912975 ok {"msg":3}"#]]);
}

#[test]
fn echo_is_the_sum_of_its_parts() {
    // Each argument: `allocate` (17 plain instructions) and the region written. Then one instruction, the result read.
    let written = |bytes: u64| 17 * price::OP + price::WRITE_REGION.of(bytes);
    let sum = written(9) + written(10) + written(9) + price::OP + price::READ_REGION.of(9);
    assert_eq!(gas(&execute("(local.get 2)")), sum);
}

#[test]
fn unreachable() {
    check(&execute("unreachable"), expect!["711940 err wasm trap: unreachable executed"]);
}

#[test]
fn memory_out_of_bounds() {
    check(
        &execute("(drop (i32.load (i32.const 65533))) (local.get 2)"),
        expect!["712285 err wasm trap: out of bounds memory access"],
    );
    check(
        &execute("(i64.store offset=4294967295 (i32.const -1) (i64.const 0)) (local.get 2)"),
        expect!["712285 err wasm trap: out of bounds memory access"],
    );
}

#[test]
fn division() {
    check(
        &execute("(drop (i32.div_u (i32.const 1) (i32.load (i32.const 0)))) (local.get 2)"),
        expect!["714700 err wasm trap: integer divide by zero"],
    );
    check(
        &execute(
            "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.sub (i64.load (i32.const 0)) (i64.const 1)))) (local.get 2)",
        ),
        expect!["714930 err wasm trap: integer overflow"],
    );
}

#[test]
fn conversion() {
    check(
        &execute(
            "(drop (i32.trunc_f32_s (f32.div (f32.convert_i32_s (i32.load (i32.const 0))) (f32.const 0)))) (local.get 2)",
        ),
        expect!["714930 err wasm trap: invalid conversion to integer"],
    );
    check(
        &execute("(drop (i32.trunc_f64_u (f64.const 1e300))) (local.get 2)"),
        expect!["712285 err wasm trap: integer overflow"],
    );
    // The saturating conversions do not trap.
    check(
        &execute("(i32.add (local.get 2) (i32.trunc_sat_f64_u (f64.const -1e300)))"),
        expect![[r#"913320 ok {"msg":3}"#]],
    );
}

#[test]
fn indirect_calls() {
    let contract = |body| {
        let extra = "(type $one (func (param i32) (result i32))) (table 3 3 funcref) (elem (i32.const 1) $allocate $other) (func $other)";
        Contract { extra, execute: body, ..Contract::default() }.wasm()
    };
    check(
        &contract("(drop (call_indirect (type $one) (i32.const 8) (i32.const 1))) (local.get 2)"),
        expect![[r#"916885 ok {"msg":3}"#]],
    );
    check(
        &contract("(drop (call_indirect (type $one) (i32.const 8) (i32.const 0))) (local.get 2)"),
        expect!["713895 err wasm trap: indirect call to nothing"],
    );
    check(
        &contract("(drop (call_indirect (type $one) (i32.const 8) (i32.const 2))) (local.get 2)"),
        expect!["713895 err wasm trap: indirect call type mismatch"],
    );
    check(
        &contract("(drop (call_indirect (type $one) (i32.const 8) (i32.const 3))) (local.get 2)"),
        expect!["713895 err wasm trap: out of bounds table access"],
    );
}

#[test]
fn gas_runs_out_at_the_same_block() {
    let spin = execute("(loop $l (br $l)) (local.get 2)");
    let tiers = Tiers::new();
    for limit in [0, 1, 1_000, 231_000, 999_999, 1_000_000, 77_777_777] {
        let (report, _) = tiers.run(&spin, limit, Mock::default);
        assert_eq!(report.result, Err(VmError::OutOfGas { limit }));
        assert_eq!(report.gas_used, limit);
    }
    // Just enough is enough, one less is not.
    let echo = execute("(local.get 2)");
    let enough = gas(&echo);
    assert!(tiers.run(&echo, enough, Mock::default).0.result.is_ok());
    assert_eq!(tiers.run(&echo, enough - 1, Mock::default).0.result, Err(VmError::OutOfGas { limit: enough - 1 }));
    // More than a counter holds is as much as it holds.
    assert_eq!(tiers.run(&echo, u64::MAX, Mock::default).0.gas_used, enough);
}

#[test]
fn whatever_comes_after_the_gas_is_out_of_gas() {
    // Gas is looked at where functions and loops begin; these go wrong some blocks behind that.
    let tiers = Tiers::new();
    for wrong in [
        "unreachable",
        "(i32.div_u (local.get 2) (i32.const 0))",
        "(i32.load (i32.const -4))",
        "(i32.trunc_f32_u (f32.const nan))",
        // No region.
        "(i32.const 0)",
    ] {
        let wasm = execute(&format!("(if (local.get 2) (then (nop))) (if (local.get 1) (then (nop))) {wrong}"));
        let (report, _) = tiers.run(&wasm, PLENTY, Mock::default);
        let enough = report.gas_used;
        assert!(!matches!(report.result, Ok(_) | Err(VmError::OutOfGas { .. })), "{wrong}: {report:?}");
        assert_eq!(tiers.run(&wasm, enough, Mock::default).0, report, "{wrong}");
        for limit in [enough - 1, enough - price::BRANCH, enough - 2 * price::BRANCH, enough / 2] {
            let (report, _) = tiers.run(&wasm, limit, Mock::default);
            assert_eq!(report.result, Err(VmError::OutOfGas { limit }), "{wrong}");
            assert_eq!(report.gas_used, limit);
        }
    }
}

#[test]
fn an_allocate_that_runs_out_is_out_of_gas() {
    // It ends in a long block and returns nothing that could be a region.
    let nops = "(drop (i32.const 0))".repeat(50);
    let allocate = format!(
        r#"(func (export "allocate") (param i32) (result i32) (if (local.get 0) (then (nop))) {nops} (i32.const 0))"#
    );
    let wasm = Contract { allocate: &allocate, ..Contract::default() }.wasm();
    let tiers = Tiers::new();
    let (report, _) = tiers.run(&wasm, PLENTY, Mock::default);
    assert!(matches!(report.result, Err(VmError::Region(_))), "{report:?}");
    let limit = report.gas_used - 1;
    assert_eq!(tiers.run(&wasm, limit, Mock::default).0.result, Err(VmError::OutOfGas { limit }));
}

#[test]
fn a_trap_pays_for_the_blocks_that_ran() {
    // The block before the branch and the one that traps, not the one behind it.
    let nops = "(drop (i32.const 0))".repeat(50);
    let short = execute("(if (local.get 2) (then unreachable)) (local.get 2)");
    let long = execute(&format!("(if (local.get 2) (then unreachable)) {nops} (local.get 2)"));
    let tiers = Tiers::new();
    let [short, long] = [short, long].map(|wasm| tiers.run(&wasm, PLENTY, Mock::default).0);
    assert_eq!(short.result, Err(VmError::Trap(Trap::Unreachable)));
    assert_eq!(short, long);
}

#[test]
fn blocks_are_charged_each_time_they_run() {
    let body = |rounds: u32| {
        format!(
            "(local $i i32) (local.set $i (i32.const {rounds}))
             (loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (local.get 2)"
        )
    };
    let [ten, eleven] = [10, 11].map(|rounds| gas(&execute(&body(rounds))));
    // get, const, sub, tee, br_if
    assert_eq!(eleven - ten, 4 * price::OP + price::BRANCH);
}

#[test]
fn every_exit_of_a_function_gives_its_frame_back() {
    // Many calls, left by falling through, `return`, and branches to the function's own label.
    let extra = "(func $ways (param i32) (result i32)
        (call $leaf)
        (block $b (br_table 0 1 2 (local.get 0)))
        (if (i32.eq (local.get 0) (i32.const 0)) (then (return (i32.const 7))))
        (block (loop (br_if 2 (i32.const 7) (i32.const 1)) drop))
        (i32.const 7))
      (func $leaf)";
    let body = "(local $i i32)
      (loop $l
        (drop (call $ways (i32.rem_u (local.get $i) (i32.const 3))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200000))))
      (local.get 2)";
    let extra = extra
        .replace("(block $b (br_table 0 1 2 (local.get 0)))", "(block (block (block (br_table 0 1 2 (local.get 0)))))");
    let extra =
        extra.replace("(br_if 2 (i32.const 7) (i32.const 1)) drop", "(drop (br_if 2 (i32.const 7) (i32.const 1)))");
    assert!(gas(&Contract { extra: &extra, execute: body, ..Contract::default() }.wasm()) > 0);
}

/// Calls itself as often as it is told.
fn recursion(depth: u32, frame: &str) -> Vec<u8> {
    let extra = format!(
        "(func $down (param $n i32) {frame} (if (local.get $n) (then (call $down (i32.sub (local.get $n) (i32.const 1))))))"
    );
    Contract {
        extra: &extra,
        execute: &format!("(call $down (i32.const {depth})) (local.get 2)"),
        ..Contract::default()
    }
    .wasm()
}

#[test]
fn the_stack_ends_at_the_same_call() {
    with_stack(1, || {
        let tiers = Tiers::new();
        let ends = |depth, frame: &str| tiers.run(&recursion(depth, frame), PLENTY, Mock::default).0.result;
        for frame in ["", "(local i32 i64 f64)"] {
            let (mut deep, mut too_deep) = (0, STACK_SLOTS.cast_unsigned());
            while too_deep - deep > 1 {
                let middle = u32::midpoint(deep, too_deep);
                match ends(middle, frame) {
                    Ok(_) => deep = middle,
                    Err(error) => {
                        assert_eq!(error, VmError::Trap(Trap::Stack));
                        too_deep = middle;
                    }
                }
            }
            // A frame: the fixed part, one parameter, the locals, two operands, a slot for each 32 bytes of code.
            let locals = if frame.is_empty() { 0 } else { 3 };
            let slots = price::FRAME_SLOTS as u32 + 1 + locals + 2;
            assert_eq!(too_deep, (STACK_SLOTS.cast_unsigned() - 20) / slots, "{frame}");
        }
    })
    .unwrap();
}

/// Frames that are small in slots and as large as they can be made in bytes. Were the native stack to end first, the
/// engine would report a failure of its own.
#[test]
fn slots_run_out_before_bytes() {
    let values =
        |n: usize, ty: &str| (0..n).map(|i| format!("({ty}.load offset={} (i32.const 0))", 8 * i)).collect::<String>();
    let drops = |n: usize| "drop ".repeat(n);
    let repeat = |n: usize, text: &str| text.repeat(n);
    let frames = [
        // Nothing but the call.
        "(func $down (call $down))".to_owned(),
        // A hundred values that live across the call.
        format!("(func $down {} (call $down) {})", values(100, "i64"), drops(100)),
        format!("(func $down {} (call $down) {})", values(100, "f64"), drops(100)),
        // A hundred locals, all changed before and used behind it.
        format!(
            "(func $down (local {}) {} (call $down) {})",
            repeat(100, "i64 "),
            (0..100).map(|i| format!("(local.set {i} (i64.load offset={i} (i32.const 0)))")).collect::<String>(),
            (0..100).map(|i| format!("(i64.store (i32.const 8) (local.get {i}))")).collect::<String>(),
        ),
        // A hundred parameters handed on.
        format!(
            "(func $down (param {}) {} (call $down))",
            repeat(100, "i64 "),
            (0..100).map(|i| format!("(local.get {i})")).collect::<String>(),
        ),
        // A thousand different values, computed before the call and again behind it, each used at once: an optimiser
        // that keeps them would keep a thousand.
        {
            let uses: String = (0..1000)
                .map(|i| {
                    format!("(i64.store (i32.const 8) (i64.mul (local.get 0) (i64.add (local.get 0) (i64.const {i}))))")
                })
                .collect();
            format!("(func $down (param i64) {uses} (call $down (local.get 0)) {uses})")
        },
        // Thousands of values that no round of a loop changes, each in as few bytes as it can be said, with a call before
        // them: an optimiser that computes them ahead of the loop keeps them all over the call.
        {
            let pairs = (1..=100).flat_map(|a| (1..a).map(move |b| (a, b)));
            let values: String = pairs.map(|(a, b)| format!("local.get {a} local.get {b} i32.mul i32.xor ")).collect();
            let changed: String =
                (1..=100).map(|i| format!("(local.set {i} (i32.load offset={i} (i32.const 0)))")).collect();
            format!(
                "(func $down (param i64) (local {}) {changed}
                   (loop $again
                     (call $down (local.get 0))
                     i32.const 8 i32.const 0 {values} i32.store
                     (br_if $again (i32.load (i32.const 8)))))",
                repeat(100, "i32 ")
            )
        },
        // A thousand calls in one function, with a few values across each.
        format!(
            "(func $leaf) (func $down (call $down) {})",
            repeat(1000, "(i64.load (i32.const 0)) (i64.load (i32.const 8)) (call $leaf) drop drop")
        ),
    ];
    with_stack(0, move || {
        let tiers = Tiers::new();
        for frame in frames {
            let args = if frame.contains("(param i64)") {
                "(i64.const 3)".to_owned()
            } else if frame.contains("(param") {
                "(i64.const 3)".repeat(100)
            } else {
                String::new()
            };
            let body = format!("{args} (call $down) (local.get 2)");
            let wasm = Contract { extra: &frame, execute: &body, ..Contract::default() }.wasm();
            let (report, _) = tiers.run(&wasm, PLENTY, Mock::default);
            assert_eq!(report.result, Err(VmError::Trap(Trap::Stack)), "{:.200}", frame);
        }
    })
    .unwrap();
}

#[test]
fn bulk_memory_is_charged_by_length() {
    for op in ["memory.fill", "memory.copy"] {
        let of = |length: u32| {
            let body = format!("({op} (i32.const 100) (i32.const 200) (i32.const {length})) (local.get 2)");
            gas(&execute(&body))
        };
        assert_eq!(of(3_000) - of(0), 3_000 * price::BULK_BYTE, "{op}");
    }
    let of = |length: u32| {
        let execute = &format!(
            "(memory.init $d (i32.const 100) (i32.const 0) (i32.const {length})) (data.drop $d) (local.get 2)"
        );
        gas(&Contract { extra: "(data $d \"some bytes\")", execute, ..Contract::default() }.wasm())
    };
    assert_eq!(of(10) - of(0), 10 * price::BULK_BYTE);
    // Paid before it fails, and a length that cannot be paid for is not even tried.
    check(
        &execute("(memory.fill (i32.const 65000) (i32.const 1) (i32.const 1000)) (local.get 2)"),
        expect!["812400 err wasm trap: out of bounds memory access"],
    );
    let (report, _) = Tiers::new().run(
        &execute("(memory.copy (i32.const 0) (i32.const 0) (i32.const -1)) (local.get 2)"),
        u64::from(u32::MAX) * price::BULK_BYTE,
        Mock::default,
    );
    assert!(matches!(report.result, Err(VmError::OutOfGas { .. })));
}

#[test]
fn memory_grows_to_its_limit() {
    let grow = |pages: i64| {
        format!(
            "(i32.store (i32.add (local.get 2) (i32.const 12)) (i32.add (i32.const 48) (i32.lt_s (memory.grow (i32.const {pages})) (i32.const 0))))"
        )
    };
    let answer = "(i32.store offset=8 (local.get 2) (i32.const 1)) (local.get 2)";
    let outcome = |pages: i64| {
        let (report, _) = Tiers::new().run(&execute(&format!("{} {answer}", grow(pages))), PLENTY, Mock::default);
        (report.gas_used, report.result.unwrap())
    };
    let (nothing, _) = outcome(0);
    let most = i64::from(MEMORY_PAGES_MAX) - 1;
    assert_eq!(outcome(most), (nothing + most as u64 * price::GROW_PAGE, b"0".to_vec()));
    assert_eq!(outcome(most + 1), (nothing + (most as u64 + 1) * price::GROW_PAGE, b"1".to_vec()));
    // Absurd requests fail as they should and cost no more than the first that fails.
    let absurd = (nothing + (u64::from(MEMORY_PAGES_MAX) + 1) * price::GROW_PAGE, b"1".to_vec());
    assert_eq!(outcome(65_536), absurd);
    assert_eq!(outcome(-1), absurd);
    // The module's own limit holds too.
    let own = Contract {
        memory: r#"(memory (export "memory") 1 2)"#,
        execute: &format!("{} {answer}", grow(2)),
        ..Contract::default()
    };
    assert_eq!(Tiers::new().run(&own.wasm(), PLENTY, Mock::default).0.result.unwrap(), b"1");
}

#[test]
fn every_call_finds_a_fresh_instance() {
    let body = "(drop (memory.grow (i32.const 3)))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (global.set $heap (i32.add (global.get $heap) (i32.const 64)))
      (i32.store8 offset=12 (local.get 2) (i32.add (i32.const 48) (i32.add (i32.load (i32.const 0)) (memory.size))))
      (local.get 2)";
    let tiers = Tiers::new();
    let first = tiers.run(&execute(body), PLENTY, Mock::default).0;
    for _ in 0..3 {
        assert_eq!(tiers.run(&execute(body), PLENTY, Mock::default).0, first);
    }
    // One write, and the page it began with and three more.
    assert!(first.result.unwrap().starts_with(b"5"));
}

#[test]
fn nans_are_canonical() {
    // Payloads and signs of NaNs that an operation meets are gone behind it, in both widths.
    let store = |at: u32, value: &str, width: u32| {
        format!("(i{width}.store offset={at} (local.get 2) (i{width}.reinterpret_f{width} {value}))")
    };
    let body = [
        store(12, "(f32.add (f32.const nan:0x200001) (f32.const 1))", 32),
        store(16, "(f32.mul (f32.const -nan:0x7) (f32.const 0))", 32),
        store(20, "(f64.div (f64.convert_i32_s (i32.load (i32.const 0))) (f64.const 0))", 64),
        store(28, "(f64.sqrt (f64.const -1))", 64),
        store(36, "(f64.promote_f32 (f32.const nan:0x200001))", 64),
        store(44, "(f64.min (f64.const nan:0x4000000000001) (f64.const 1))", 64),
        "(i32.store offset=4 (local.get 2) (i32.const 40)) (i32.store offset=8 (local.get 2) (i32.const 40)) (local.get 2)".into(),
    ];
    let (report, _) = Tiers::new().run(&execute(&body.concat()), PLENTY, Mock::default);
    let mut canonical = [f32::NAN.to_bits().to_le_bytes(); 2].concat();
    canonical.extend([f64::NAN.to_bits().to_le_bytes(); 4].concat());
    assert_eq!(report.result.unwrap(), canonical);
}

#[test]
fn plain_instructions_and_dear_ones() {
    let of = |text: &str| beyond_echo(&Contract { execute: &format!("{text} (local.get 2)"), ..Contract::default() });
    assert_eq!(of("(drop (i32.const 1))"), 2 * price::OP);
    assert_eq!(of("nop (block nop)"), 0);
    assert_eq!(of("(drop (i32.rem_u (i32.const 1) (i32.const 1)))"), 3 * price::OP + price::DIVIDE);
    assert_eq!(of("(drop (f64.add (f64.const 1) (f64.const 1)))"), 3 * price::OP + price::FLOAT);
    assert_eq!(of("(if (i32.const 1) (then nop))"), price::OP + price::BRANCH);
}
