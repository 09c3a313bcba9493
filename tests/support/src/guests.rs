//! Contracts small enough to be written by hand.

/// `{"ok":…}` without anything in it.
pub const NOTHING: &str = r#"{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}"#;

/// What every contract here begins with: memory, regions, and `$text`, the region of a text at 1024.
fn frame(text: &str, imports: &str, body: &str) -> Vec<u8> {
    frame_of(4, text, imports, body)
}

/// The same with so many pages of memory.
fn frame_of(pages: u32, text: &str, imports: &str, body: &str) -> Vec<u8> {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    let wat = format!(
        r#"(module
          {imports}
          (memory (export "memory") {pages})
          (global $top (mut i32) (i32.const 65536))
          (data (i32.const 1024) "{escaped}")
          (data (i32.const 16) "reply")
          (data (i32.const 32) "got")
          (data (i32.const 48) "info")
          (func (export "interface_version_8"))
          (func $region (param $at i32) (param $offset i32) (param $length i32) (result i32)
            (i32.store (local.get $at) (local.get $offset))
            (i32.store offset=4 (local.get $at) (local.get $length))
            (i32.store offset=8 (local.get $at) (local.get $length))
            (local.get $at))
          (func $text (result i32) (call $region (i32.const 80) (i32.const 1024) (i32.const {length})))
          (func $allocate (export "allocate") (param $size i32) (result i32) (local $at i32)
            (local.set $at (global.get $top))
            (global.set $top (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 19)) (i32.const -8)))
            (drop (call $region (local.get $at) (i32.add (local.get $at) (i32.const 12)) (local.get $size)))
            (i32.store offset=8 (local.get $at) (i32.const 0))
            (local.get $at))
          (func (export "deallocate") (param i32))
          {body})"#
    );
    wat::parse_str(wat).unwrap_or_else(|error| panic!("no contract: {error}"))
}

/// Answers with its own message, whatever that is. Its `reply` keeps what it was told under `got` and answers with the
/// message it was made with.
pub fn echo() -> Vec<u8> {
    echo_of(4)
}

/// The same with room for messages of a megabyte.
pub fn roomy_echo() -> Vec<u8> {
    echo_of(48)
}

fn echo_of(pages: u32) -> Vec<u8> {
    frame_of(
        pages,
        "",
        r#"(import "env" "db_write" (func $db_write (param i32 i32)))
           (import "env" "db_read" (func $db_read (param i32) (result i32)))"#,
        r#"(func (export "instantiate") (param i32 i32 i32) (result i32)
             (call $db_write (call $region (i32.const 100) (i32.const 16) (i32.const 5)) (local.get 2))
             (local.get 2))
           (func (export "execute") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "migrate") (param i32 i32) (result i32) (local.get 1))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))
           (func (export "reply") (param i32 i32) (result i32)
             (call $db_write (call $region (i32.const 100) (i32.const 32) (i32.const 3)) (local.get 1))
             (call $db_read (call $region (i32.const 100) (i32.const 16) (i32.const 5))))"#,
    )
}

/// Answers with the bytes that its message spells, whatever they are: a text of hexadecimal digits. Where the text begins with
/// `q`, it asks the chain what they say and answers with nothing.
pub fn speaker() -> Vec<u8> {
    frame(
        NOTHING,
        r#"(import "env" "query_chain" (func $query_chain (param i32) (result i32)))"#,
        r#"(func $digit (param $c i32) (result i32)
             (select (i32.sub (local.get $c) (i32.const 48)) (i32.sub (local.get $c) (i32.const 87))
               (i32.lt_u (local.get $c) (i32.const 58))))
           (func $spelled (param $msg i32) (result i32) (local $from i32) (local $to i32) (local $n i32) (local $asks i32)
             (local.set $from (i32.add (i32.load (local.get $msg)) (i32.const 1)))
             (local.set $n (i32.shr_u (i32.sub (i32.load offset=8 (local.get $msg)) (i32.const 2)) (i32.const 1)))
             (local.set $asks (i32.eq (i32.load8_u (local.get $from)) (i32.const 113)))
             (local.set $from (i32.add (local.get $from) (local.get $asks)))
             (local.set $to (local.get $from))
             (local.set $n (i32.add (local.get $to) (local.get $n)))
             (block $out (loop $next
               (br_if $out (i32.ge_u (local.get $to) (local.get $n)))
               (i32.store8 (local.get $to) (i32.or
                 (i32.shl (call $digit (i32.load8_u (local.get $from))) (i32.const 4))
                 (call $digit (i32.load8_u offset=1 (local.get $from)))))
               (local.set $to (i32.add (local.get $to) (i32.const 1)))
               (local.set $from (i32.add (local.get $from) (i32.const 2)))
               (br $next)))
             (local.set $from (i32.add (i32.load (local.get $msg)) (i32.add (i32.const 1) (local.get $asks))))
             (local.set $to (call $region (i32.const 100) (local.get $from) (i32.sub (local.get $n) (local.get $from))))
             (if (result i32) (local.get $asks)
               (then (drop (call $query_chain (local.get $to))) (call $text))
               (else (local.get $to))))
           (func (export "instantiate") (param i32 i32 i32) (result i32) (call $text))
           (func (export "execute") (param i32 i32 i32) (result i32) (call $spelled (local.get 2)))
           (func (export "migrate") (param i32 i32) (result i32) (call $spelled (local.get 1)))
           (func (export "query") (param i32 i32) (result i32) (call $spelled (local.get 1)))
           (func (export "reply") (param i32 i32) (result i32) (call $text))"#,
    )
}

/// Asks the chain what its message says, keeps the answer under `got`. Its query answers with its own message. It
/// wants what chains with staking and IBC have.
pub fn asker() -> Vec<u8> {
    frame(
        NOTHING,
        r#"(import "env" "db_write" (func $db_write (param i32 i32)))
           (import "env" "query_chain" (func $query_chain (param i32) (result i32)))"#,
        r#"(func (export "requires_staking"))
           (func (export "requires_stargate"))
           (func (export "instantiate") (param i32 i32 i32) (result i32) (call $text))
           (func (export "execute") (param i32 i32 i32) (result i32)
             (call $db_write
               (call $region (i32.const 100) (i32.const 32) (i32.const 3))
               (call $query_chain (local.get 2)))
             (call $text))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))"#,
    )
}

/// Keeps its message under the message itself. It wants what CosmWasm 3.0 has.
pub fn keeper() -> Vec<u8> {
    frame(
        NOTHING,
        r#"(import "env" "db_write" (func $db_write (param i32 i32)))"#,
        r#"(func (export "requires_cosmwasm_3_0"))
           (func (export "instantiate") (param i32 i32 i32) (result i32) (call $text))
           (func (export "execute") (param i32 i32 i32) (result i32)
             (call $db_write (local.get 2) (local.get 2))
             (call $text))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))"#,
    )
}

/// Answers with its own message, and keeps what it is told through `sudo` under `got`, to which it answers `answer`.
pub fn listener(answer: &str) -> Vec<u8> {
    frame(
        answer,
        r#"(import "env" "db_write" (func $db_write (param i32 i32)))"#,
        r#"(func (export "instantiate") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "execute") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "sudo") (param i32 i32) (result i32)
             (call $db_write (call $region (i32.const 100) (i32.const 32) (i32.const 3)) (local.get 1))
             (call $text))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))"#,
    )
}

/// Traps in a function that another calls. Their names, with the `$`, may be empty.
pub fn faulty(inner: &str, outer: &str) -> Vec<u8> {
    frame(
        NOTHING,
        "",
        &format!(
            r#"(func {inner} unreachable)
               (func {outer} (call 5))
               (func (export "instantiate") (param i32 i32 i32) (result i32) (call $text))
               (func (export "execute") (param i32 i32 i32) (result i32) (call 6) (call $text))"#
        ),
    )
}

/// Burns gas for ever.
pub fn endless() -> Vec<u8> {
    frame(
        NOTHING,
        "",
        r#"(func (export "instantiate") (param i32 i32 i32) (result i32) (call $text))
           (func (export "execute") (param i32 i32 i32) (result i32) (loop $on (br $on)) (call $text))
           (func (export "query") (param i32 i32) (result i32) (loop $on (br $on)) (call $text))"#,
    )
}

/// Hands its message to `aceso.permit` and answers `answer`.
pub fn guard(answer: &str) -> Vec<u8> {
    frame(
        answer,
        r#"(import "aceso" "permit" (func $permit (param i32 i32) (result i32)))"#,
        r#"(func (export "requires_aceso"))
           (func (export "instantiate") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "execute") (param i32 i32 i32) (result i32)
             (if (call $permit (i32.load (local.get 2)) (i32.load offset=8 (local.get 2))) (then unreachable))
             (call $text))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))"#,
    )
}

/// Reads an image: its message is a JSON string of the model's id, the CID and the purpose. Keeps what it may know under
/// `info` and answers `answer`. Its query reads as well.
pub fn reader(answer: &str) -> Vec<u8> {
    reading(answer, "set_input_blob", "i32 i32 i32 i32 i32 i32", "")
}

/// The same of a frame of the image.
pub fn frame_reader(answer: &str, frame: u32) -> Vec<u8> {
    reading(answer, "set_input_frame", "i32 i32 i32 i32 i32 i32 i32", &format!("(i32.const {frame})"))
}

/// `more` are the arguments that this import takes behind image and purpose.
fn reading(answer: &str, import: &str, params: &str, more: &str) -> Vec<u8> {
    let body = format!(
        r#"(func (export "requires_aceso"))
           (func $ok (param i32) (if (local.get 0) (then unreachable)))
           (func $read (param $msg i32) (local $p i32) (local $n i32)
             (local.set $p (i32.load (local.get $msg)))
             (local.set $n (i32.load offset=8 (local.get $msg)))
             (call $ok (call $load (i32.add (local.get $p) (i32.const 1)) (i32.const 64) (i32.const 512)))
             (call $ok (call $context (i32.load (i32.const 512)) (i32.const 516)))
             (call $ok (call $blob (i32.load (i32.const 516)) (i32.const 0)
               (i32.add (local.get $p) (i32.const 65)) (i32.const 59)
               (i32.add (local.get $p) (i32.const 124)) (i32.sub (local.get $n) (i32.const 125)) {more}))
             (call $ok (call $compute (i32.load (i32.const 516))))
             (call $ok (call $info (i32.load (i32.const 516)) (i32.const 16384) (i32.const 16384) (i32.const 520))))
           (func (export "instantiate") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "execute") (param i32 i32 i32) (result i32)
             (call $read (local.get 2))
             (call $db_write
               (call $region (i32.const 100) (i32.const 48) (i32.const 4))
               (call $region (i32.const 120) (i32.const 16384) (i32.load (i32.const 520))))
             (call $text))
           (data (i32.const 8192) "{query}")
           (func (export "query") (param i32 i32) (result i32)
             (call $read (local.get 1))
             (call $region (i32.const 140) (i32.const 8192) (i32.const {length})))"#,
        query = r#"{\22ok\22:\22e30=\22}"#,
        length = r#"{"ok":"e30="}"#.len(),
    );
    let imports = format!(
        r#"(import "env" "db_write" (func $db_write (param i32 i32)))
           (import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
           (import "wasi_ephemeral_nn" "init_execution_context" (func $context (param i32 i32) (result i32)))
           (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
           (import "aceso" "{import}" (func $blob (param {params}) (result i32)))
           (import "aceso" "read_info" (func $info (param i32 i32 i32 i32) (result i32)))"#
    );
    frame(answer, &imports, &body)
}

/// Runs a model on zeros: its message is a JSON string of the model's id, whose input are bytes of these dimensions.
pub fn computer(dims: &[u32]) -> Vec<u8> {
    let bytes: u32 = dims.iter().product();
    let words = |words: &[u32]| -> String {
        words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
    };
    let rank = u32::try_from(dims.len()).unwrap_or_default();
    // dims, rank, type u8, data, length: as wasi-nn has a tensor.
    let (dims, tensor) = (words(dims), words(&[700, rank, 3, 20_000, bytes]));
    let body = format!(
        r#"(func (export "requires_aceso"))
           (func $ok (param i32) (if (local.get 0) (then unreachable)))
           (data (i32.const 600) "{tensor}")
           (data (i32.const 700) "{dims}")
           (func (export "instantiate") (param i32 i32 i32) (result i32) (local.get 2))
           (func (export "execute") (param i32 i32 i32) (result i32)
             (call $ok (call $load (i32.add (i32.load (local.get 2)) (i32.const 1)) (i32.const 64) (i32.const 512)))
             (call $ok (call $context (i32.load (i32.const 512)) (i32.const 516)))
             (call $ok (call $input (i32.load (i32.const 516)) (i32.const 0) (i32.const 600)))
             (call $ok (call $compute (i32.load (i32.const 516))))
             (call $text))
           (func (export "query") (param i32 i32) (result i32) (local.get 1))"#
    );
    frame(
        NOTHING,
        r#"(import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
           (import "wasi_ephemeral_nn" "init_execution_context" (func $context (param i32 i32) (result i32)))
           (import "wasi_ephemeral_nn" "set_input" (func $input (param i32 i32 i32) (result i32)))
           (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))"#,
        &body,
    )
}
