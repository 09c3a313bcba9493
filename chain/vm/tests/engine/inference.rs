//! `wasi_ephemeral_nn` and `aceso`: the orders that work, and those that do not.

use aceso_vm::{VmError, price};
use expect_test::{Expect, expect};

use crate::fixture::{Contract, PLENTY, Tiers, told};
use crate::mock::{self, LOAD_GAS, Mock, READ_GAS, RUN_GAS};

const IMPORTS: &str = r#"
  (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $load_by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $get_output (param i32 i32 i32 i32 i32) (result i32)))
  (import "aceso" "permit" (func $permit (param i32 i32) (result i32)))
  (import "aceso" "set_input_blob" (func $set_input_blob (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "aceso" "set_input_frame" (func $set_input_frame (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "aceso" "blob_size" (func $blob_size (param i32 i32 i32) (result i32)))
  (import "aceso" "read_info" (func $read_info (param i32 i32 i32 i32) (result i32)))"#;

/// Runs steps, each a call that answers an errno; the contract's result is the digits of all of them, then whatever lies at
/// 2000: outputs are to be written there. At 100 stands the model's name, at 200 a tensor's record, its four bytes at 260,
/// at 300 the CID, at 320 a purpose, at 340 a permit.
fn contract(steps: &[&str]) -> Vec<u8> {
    contract_with(steps, "")
}

/// The same with one more function.
fn contract_with(steps: &[&str], function: &str) -> Vec<u8> {
    let name = mock::model().to_string();
    let record = r"\f0\00\00\00\04\00\00\00\03\00\00\00\04\01\00\00\04\00\00\00";
    let dims = r"\01\00\00\00\01\00\00\00\02\00\00\00\02\00\00\00";
    let extra = format!(
        r#"{function} (func (export "requires_aceso"))
        (func $note (param $errno i32) (i32.store8 (global.get $at) (i32.add (i32.const 48) (local.get $errno)))
          (global.set $at (i32.add (global.get $at) (i32.const 1))))
        (global $at (mut i32) (i32.const 1000))
        (data (i32.const 100) "{name}") (data (i32.const 200) "{record}") (data (i32.const 240) "{dims}")
        (data (i32.const 260) "\01\02\03\ff") (data (i32.const 300) "{}") (data (i32.const 320) "TREAT")
        (data (i32.const 340) "let them") (data (i32.const 360) "no such blob")"#,
        mock::CID
    );
    let steps: String = steps.iter().map(|step| format!("(call $note (call {step}))")).collect();
    let execute = format!(
        "{steps}
        (memory.copy (global.get $at) (i32.const 2000) (i32.const 12))
        (i32.store (local.get 2) (i32.const 1000)) (i32.store offset=4 (local.get 2) (i32.const 1000))
        (i32.store offset=8 (local.get 2) (i32.add (i32.sub (global.get $at) (i32.const 1000)) (i32.const 12)))
        (local.get 2)"
    );
    Contract { imports: IMPORTS, extra: &extra, execute: &execute, ..Contract::default() }.wasm()
}

const LOAD: &str = "$load_by_name (i32.const 100) (i32.const 64) (i32.const 3000)";
const INIT: &str = "$init (i32.const 0) (i32.const 3000)";
const SET: &str = "$set_input (i32.const 0) (i32.const 0) (i32.const 200)";
const SET_BLOB: &str =
    "$set_input_blob (i32.const 0) (i32.const 0) (i32.const 300) (i32.const 9) (i32.const 320) (i32.const 5)";
const COMPUTE: &str = "$compute (i32.const 0)";
const GET: &str = "$get_output (i32.const 0) (i32.const 0) (i32.const 2000) (i32.const 4) (i32.const 3000)";
const PERMIT: &str = "$permit (i32.const 340) (i32.const 8)";
const INFO: &str = "$read_info (i32.const 0) (i32.const 2000) (i32.const 12) (i32.const 3000)";

fn run(steps: &[&str]) -> (aceso_vm::Report, Mock) {
    Tiers::new().run(&contract(steps), PLENTY, Mock::default)
}

/// The errno digits, what lies at 2000, and what the backend was asked.
#[track_caller]
fn check(steps: &[&str], expected: Expect) {
    let (report, mock) = run(steps);
    let told = match report.result {
        Ok(bytes) => {
            let (digits, rest) = bytes.split_at(bytes.len() - 12);
            format!("{} {:?} {:?}", String::from_utf8_lossy(digits), rest, mock.log)
        }
        Err(error) => format!("{error} {:?}", mock.log),
    };
    expected.assert_eq(&told);
}

#[test]
fn a_tensor_goes_in_and_one_comes_out() {
    check(
        &[LOAD, INIT, SET, COMPUTE, GET],
        expect![[r#"00000 [2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
    // Again in the same context: a new round, new inputs.
    check(
        &[LOAD, INIT, SET, COMPUTE, SET, COMPUTE, GET, GET],
        expect![[r#"00000000 [2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]", "run [1, 2, 3, 255]"]"#]],
    );
}

#[test]
fn an_image_goes_in_and_its_read_is_known() {
    check(
        &[PERMIT, LOAD, INIT, SET_BLOB, COMPUTE, GET, INFO],
        expect![[
            r#"0000000 [123, 34, 114, 101, 97, 100, 34, 58, 49, 125, 0, 0] ["price bafkimage TREAT", "read bafkimage TREAT", "run [10, 20, 30, 255]", "finish 5 [11, 21, 31, 0]"]"#
        ]],
    );
}

#[test]
fn a_frame_of_an_image_goes_in() {
    let set = |frame: i64| {
        format!(
            "$set_input_frame (i32.const 0) (i32.const 0) (i32.const 300) (i32.const 9) (i32.const 320) (i32.const 5) \
             (i32.const {frame})"
        )
    };
    let (none, first, third, last) = (set(0), set(1), set(3), set(-1));
    // There is no frame 0; that is seen before anybody is asked.
    check(
        &[PERMIT, LOAD, INIT, &none, &third, COMPUTE, GET],
        expect![[
            r#"0001000 [11, 21, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["price bafkimage TREAT", "read frame 3 of bafkimage TREAT", "run [10, 20, 30, 255]", "finish 5 [11, 21, 31, 0]"]"#
        ]],
    );
    // The first, named, is the image.
    let read = |step: &str| run(&[PERMIT, LOAD, INIT, step, COMPUTE, INFO]);
    let ((blob, by_blob), (named, by_name)) = (read(SET_BLOB), read(&first));
    assert_eq!((blob.result, by_blob.log), (named.result, by_name.log));
    check(
        &[PERMIT, LOAD, INIT, &last],
        expect![[
            r#"0000 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["price bafkimage TREAT", "read frame 4294967295 of bafkimage TREAT"]"#
        ]],
    );
}

#[test]
fn wrong_orders_are_answered() {
    check(&[INIT], expect!["1 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(&[LOAD, SET], expect!["01 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(&[LOAD, COMPUTE], expect!["01 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(&[LOAD, INIT, COMPUTE], expect!["005 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(&[LOAD, INIT, GET, INFO], expect!["0055 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(&[LOAD, INIT, SET, GET], expect!["0005 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    check(
        &[LOAD, INIT, SET, COMPUTE, COMPUTE, GET],
        expect![[r#"000050 [2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
    check(
        &[LOAD, INIT, SET, COMPUTE, SET, GET],
        expect![[r#"000005 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
    // Nothing was read, so nothing is known of a read.
    check(
        &[LOAD, INIT, SET, COMPUTE, INFO],
        expect![[r#"00008 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
    check(
        &["$load (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"],
        expect!["6 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"],
    );
}

#[test]
fn a_read_image_cannot_be_replaced() {
    check(
        &[PERMIT, LOAD, INIT, SET_BLOB, SET, SET_BLOB, COMPUTE, GET],
        expect![[
            r#"00004400 [11, 21, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["price bafkimage TREAT", "read bafkimage TREAT", "run [10, 20, 30, 255]", "finish 5 [11, 21, 31, 0]"]"#
        ]],
    );
}

#[test]
fn wrong_handles_and_indices_are_answered() {
    check(
        &[
            LOAD,
            INIT,
            "$init (i32.const 1) (i32.const 3000)",
            "$init (i32.const -1) (i32.const 3000)",
            "$set_input (i32.const 1) (i32.const 0) (i32.const 200)",
            "$set_input (i32.const 0) (i32.const 1) (i32.const 200)",
            "$set_input_blob (i32.const 7) (i32.const 0) (i32.const 300) (i32.const 9) (i32.const 320) (i32.const 5)",
            "$set_input_blob (i32.const 0) (i32.const 1) (i32.const 300) (i32.const 9) (i32.const 320) (i32.const 5)",
            "$compute (i32.const -1)",
            SET,
            COMPUTE,
            "$get_output (i32.const 0) (i32.const 1) (i32.const 2000) (i32.const 4) (i32.const 3000)",
            "$get_output (i32.const 9) (i32.const 0) (i32.const 2000) (i32.const 4) (i32.const 3000)",
            "$read_info (i32.const 9) (i32.const 2000) (i32.const 12) (i32.const 3000)",
        ],
        expect![[r#"00111111100111 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
}

#[test]
fn wild_pointers_are_answered() {
    check(
        &[
            "$load_by_name (i32.const 65500) (i32.const 64) (i32.const 3000)",
            "$load_by_name (i32.const 100) (i32.const 64) (i32.const -2)",
            "$load_by_name (i32.const 100) (i32.const 63) (i32.const 3000)",
            "$load_by_name (i32.const 100) (i32.const -1) (i32.const 3000)",
            "$load_by_name (i32.const 5000) (i32.const 64) (i32.const 3000)",
            LOAD,
            "$init (i32.const 0) (i32.const 65533)",
            INIT,
            "$set_input (i32.const 0) (i32.const 0) (i32.const 65520)",
            "$set_input (i32.const 0) (i32.const 0) (i32.const -1)",
            "$set_input_blob (i32.const 0) (i32.const 0) (i32.const 65530) (i32.const 9) (i32.const 320) (i32.const 5)",
            "$set_input_blob (i32.const 0) (i32.const 0) (i32.const 300) (i32.const 129) (i32.const 320) (i32.const 5)",
            "$set_input_blob (i32.const 0) (i32.const 0) (i32.const 300) (i32.const 9) (i32.const 320) (i32.const 33)",
            "$permit (i32.const 65530) (i32.const 8)",
            "$permit (i32.const 0) (i32.const 8193)",
            "$blob_size (i32.const 300) (i32.const 9) (i32.const 65529)",
            "$blob_size (i32.const -1) (i32.const 9) (i32.const 2000)",
            SET,
            COMPUTE,
            "$get_output (i32.const 0) (i32.const 0) (i32.const 65533) (i32.const 4) (i32.const 3000)",
            "$get_output (i32.const 0) (i32.const 0) (i32.const 2000) (i32.const 4) (i32.const -1)",
        ],
        expect![[r#"111180101111117110011 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
}

#[test]
fn tensors_that_do_not_fit_are_answered() {
    // Of another type, shape, rank, length; each a change to the record at 200 or the dimensions at 240.
    let steps = [
        (208, 4),
        (208, 6),
        (208, 1),
        (208, 77),
        (204, 3),
        (204, 9),
        (204, -1),
        (200, -1),
        (212, -1),
        (216, 3),
        (216, -1),
        (252, 3),
    ];
    let mut told = String::new();
    for (at, value) in steps {
        let patch = format!("$patch (i32.const {at}) (i32.const {value})");
        let steps = [LOAD, INIT, &patch, SET, COMPUTE];
        let module = contract_with(
            &steps,
            "(func $patch (param i32 i32) (result i32) (i32.store (local.get 0) (local.get 1)) (i32.const 0))",
        );
        let (report, mock) = Tiers::new().run(&module, PLENTY, Mock::default);
        let bytes = report.result.unwrap();
        assert!(mock.log.is_empty());
        told += &format!("{at} {value}: {}\n", String::from_utf8_lossy(&bytes[..5]));
    }
    expect![[r#"
        208 4: 00015
        208 6: 00015
        208 1: 00025
        208 77: 00025
        204 3: 00015
        204 9: 00015
        204 -1: 00015
        200 -1: 00015
        212 -1: 00015
        216 3: 00015
        216 -1: 00075
        252 3: 00015
    "#]]
    .assert_eq(&told);
}

#[test]
fn short_buffers_say_what_they_should_be() {
    let short = "$get_output (i32.const 0) (i32.const 0) (i32.const 2004) (i32.const 3) (i32.const 2000)";
    check(
        &[LOAD, INIT, SET, COMPUTE, short],
        expect![[r#"00007 [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["run [1, 2, 3, 255]"]"#]],
    );
    let short = "$read_info (i32.const 0) (i32.const 2004) (i32.const 2) (i32.const 2000)";
    check(
        &[PERMIT, LOAD, INIT, SET_BLOB, COMPUTE, short],
        expect![[
            r#"000007 [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["price bafkimage TREAT", "read bafkimage TREAT", "run [10, 20, 30, 255]", "finish 5 [11, 21, 31, 0]"]"#
        ]],
    );
}

#[test]
fn tables_are_bounded() {
    check(&[LOAD; 17], expect!["00000000000000007 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
    let mut steps = vec![LOAD];
    steps.extend([INIT; 17]);
    check(&steps, expect!["000000000000000007 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"]);
}

#[test]
fn refusals_end_the_call_before_any_inference_gas() {
    let (report, mock) = run(&[LOAD, INIT, SET_BLOB, COMPUTE, GET]);
    assert!(matches!(&report.result, Err(VmError::Refused(refusal)) if refusal.code == 11));
    assert_eq!(mock.log, ["price bafkimage TREAT"]);
    let (without, _) = run(&[LOAD, INIT, "$compute (i32.const 9)"]);
    assert!(report.gas_used < without.gas_used + price::READ + 100_000);
    expect!["981789630 err no permit for this read"].assert_eq(&told(&report));

    let (report, _) = run(&["$permit (i32.const 340) (i32.const 7)"]);
    assert!(matches!(&report.result, Err(VmError::Refused(refusal)) if refusal.code == 12));
    // A permit is good for one read.
    check(
        &[PERMIT, LOAD, INIT, INIT, SET_BLOB, &SET_BLOB.replacen("0)", "1)", 1)],
        expect![[
            r#"no permit for this read ["price bafkimage TREAT", "read bafkimage TREAT", "price bafkimage TREAT"]"#
        ]],
    );
}

#[test]
fn blobs_that_are_not_there() {
    check(
        &[
            "$blob_size (i32.const 300) (i32.const 9) (i32.const 2000)",
            "$blob_size (i32.const 360) (i32.const 12) (i32.const 2000)",
        ],
        expect!["08 [7, 40, 107, 238, 0, 0, 0, 0, 0, 0, 0, 0] []"],
    );
    check(
        &[
            LOAD,
            INIT,
            "$set_input_blob (i32.const 0) (i32.const 0) (i32.const 360) (i32.const 12) (i32.const 320) (i32.const 5)",
        ],
        expect![[r#"008 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["price no such blob TREAT"]"#]],
    );
}

#[test]
fn models_cost_what_they_say_before_they_run() {
    let gas = |steps: &[&str]| run(steps).0.gas_used;
    // A step that only notes its errno, beside one that does the work.
    let idle = "$compute (i32.const 9)";
    let compute = gas(&[LOAD, INIT, SET, COMPUTE]) - gas(&[LOAD, INIT, SET, idle]);
    assert_eq!(compute, RUN_GAS);
    let load = gas(&[LOAD]) - gas(&[idle]);
    assert_eq!(load, LOAD_GAS + price::MODEL + 2 * price::OP);
    let read = gas(&[PERMIT, LOAD, INIT, SET_BLOB, COMPUTE]) - gas(&[PERMIT, LOAD, INIT, idle, idle]);
    assert_eq!(read, price::READ + READ_GAS + RUN_GAS + price::RECEIPT + 14 * price::BYTES_IN + 5 * price::OP);

    // With too little gas for the run, the model does not run.
    let enough = gas(&[LOAD, INIT, SET]) + RUN_GAS / 2;
    let (report, mock) = Tiers::new().run(&contract(&[LOAD, INIT, SET, COMPUTE]), enough, Mock::default);
    assert_eq!(report.result, Err(VmError::OutOfGas { limit: enough }));
    assert!(mock.log.is_empty());
    // With too little for the read, the permit is not consumed.
    let enough = gas(&[PERMIT, LOAD, INIT]) + price::READ + READ_GAS / 2;
    let (report, mock) = Tiers::new().run(&contract(&[PERMIT, LOAD, INIT, SET_BLOB]), enough, Mock::default);
    assert_eq!(report.result, Err(VmError::OutOfGas { limit: enough }));
    assert!(mock.permitted);
}

/// The model of every type at 400, and a tensor of each: i32 −5 at 600, i64 2⁴⁰ at 620, i8 −3 at 640.
fn typed_data() -> String {
    let record = |at: u32, ty: u32, data: u32, length: u32| {
        let words = [680, 1, ty, data, length].map(|word: u32| word.to_le_bytes()).concat();
        let text: String = words.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(r#"(data (i32.const {at}) "{text}")"#)
    };
    format!(
        r#"(data (i32.const 400) "{}") {} {} {}
        (data (i32.const 680) "\01\00\00\00") (data (i32.const 684) "\fb\ff\ff\ff")
        (data (i32.const 688) "\00\00\00\00\00\01\00\00") (data (i32.const 696) "\fd")"#,
        mock::typed(),
        record(600, 4, 684, 4),
        record(620, 5, 688, 8),
        record(640, 6, 696, 1)
    )
}

#[track_caller]
fn check_typed(steps: &[&str], expected: Expect) {
    let (report, mock) = Tiers::new().run(&contract_with(steps, &typed_data()), PLENTY, Mock::default);
    let bytes = report.result.unwrap();
    let (digits, rest) = bytes.split_at(bytes.len() - 12);
    expected.assert_eq(&format!("{} {rest:?} {:?}", String::from_utf8_lossy(digits), mock.log));
}

const LOAD_TYPED: &str = "$load_by_name (i32.const 400) (i32.const 64) (i32.const 3000)";

#[test]
fn every_type_goes_in_and_comes_out() {
    let set = |index, at| format!("$set_input (i32.const 0) (i32.const {index}) (i32.const {at})");
    let get = |index, to, room| {
        format!("$get_output (i32.const 0) (i32.const {index}) (i32.const {to}) (i32.const {room}) (i32.const 3000)")
    };
    let (first, second, third) = (set(0, 600), set(1, 620), set(2, 640));
    let filled = [LOAD_TYPED, INIT, &third, &first, &second, COMPUTE];
    // −5 + 2⁴⁰ − 3, as i64, then its lowest four bytes.
    let (long, word, byte) = (get(0, 2000, 8), get(1, 2008, 4), get(2, 2011, 1));
    check_typed(
        &[&filled[..], &[&long]].concat(),
        expect![[r#"0000000 [248, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0] ["sum [-5, 1099511627776, -3]"]"#]],
    );
    check_typed(
        &[&filled[..], &[&word, &byte]].concat(),
        expect![[r#"00000000 [0, 0, 0, 0, 0, 0, 0, 0, 248, 255, 255, 248] ["sum [-5, 1099511627776, -3]"]"#]],
    );
    // Each type in the place of another, an input that is missing, an index that is none.
    let (wrong, other, none) = (set(0, 620), set(1, 640), set(3, 600));
    check_typed(
        &[LOAD_TYPED, INIT, &wrong, &other, &none, &first, &second, COMPUTE],
        expect![[r#"00111005 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] []"#]],
    );
    let (short, beyond) = (get(0, 2000, 7), get(3, 2000, 8));
    check_typed(
        &[&filled[..], &[&short, &beyond]].concat(),
        expect![[r#"00000071 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ["sum [-5, 1099511627776, -3]"]"#]],
    );
}

#[test]
fn graphs_and_contexts_live_beside_each_other() {
    let init = |graph| format!("$init (i32.const {graph}) (i32.const 3000)");
    let set = |context, index, at| format!("$set_input (i32.const {context}) (i32.const {index}) (i32.const {at})");
    let compute = |context| format!("$compute (i32.const {context})");
    let get = |context, to, room| {
        format!("$get_output (i32.const {context}) (i32.const 0) (i32.const {to}) (i32.const {room}) (i32.const 3000)")
    };
    // Contexts 0 and 2 of the second graph, 1 of the first; filled and computed in turn.
    let steps = [
        LOAD.into(),
        LOAD_TYPED.into(),
        init(1),
        init(0),
        init(1),
        init(2),
        set(0, 0, 600),
        set(1, 0, 200),
        set(2, 0, 600),
        set(0, 1, 620),
        compute(2),
        compute(1),
        set(0, 2, 640),
        compute(0),
        get(1, 2000, 4),
        get(0, 2004, 8),
        get(2, 2000, 8),
    ];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    check_typed(
        &steps,
        expect![[
            r#"00000100005000005 [2, 3, 4, 0, 248, 255, 255, 255, 255, 0, 0, 0] ["run [1, 2, 3, 255]", "sum [-5, 1099511627776, -3]"]"#
        ]],
    );
}

/// What loading costs is known before anything is loaded, so that nobody has a model loaded that he cannot pay.
#[test]
fn a_load_that_cannot_be_paid_is_not_begun() {
    let gas = |steps: &[&str]| run(steps).0.gas_used;
    let mock = || Mock { tells_loads: true, ..Mock::default() };
    let before = gas(&["$compute (i32.const 9)"]) + price::MODEL;
    for (more, loads) in [(LOAD_GAS / 2, 0), (2 * LOAD_GAS, 1)] {
        let (report, mock) = Tiers::new().run(&contract(&[LOAD]), before + more, mock);
        assert_eq!(mock.log.len(), loads);
        assert_eq!(report.result.is_ok(), loads == 1);
        assert!(loads == 1 || report.gas_used == before + more);
    }
}
