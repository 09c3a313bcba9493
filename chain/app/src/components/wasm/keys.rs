//! Every key of the component `wasm`. Renaming one is a state migration.

/// `code/00000000000000000007`
pub(crate) fn code(id: u64) -> Vec<u8> {
    format!("code/{id:020}").into_bytes()
}

/// `code/`
pub(crate) fn codes() -> Vec<u8> {
    b"code/".to_vec()
}

/// `pinned/00000000000000000007`: a code that the authority has pinned.
pub(crate) fn pinned(id: u64) -> Vec<u8> {
    format!("pinned/{id:020}").into_bytes()
}

/// `pinned/`
pub(crate) fn all_pinned() -> Vec<u8> {
    b"pinned/".to_vec()
}

/// `bytes/4bca…` — the checksum, 64 hexadecimal digits
pub(crate) fn bytes(checksum: &str) -> Vec<u8> {
    ["bytes/", checksum].concat().into_bytes()
}

/// `contract/aceso1…`
pub(crate) fn contract(address: &str) -> Vec<u8> {
    ["contract/", address].concat().into_bytes()
}

/// `history/aceso1…/00003`
pub(crate) fn history(address: &str, index: u32) -> Vec<u8> {
    format!("history/{address}/{index:05}").into_bytes()
}

/// `history/aceso1…/`
pub(crate) fn history_of(address: &str) -> Vec<u8> {
    format!("history/{address}/").into_bytes()
}

/// `by-code/00000000000000000007/` and, of each contract, the block and the transaction in which it got this code
pub(crate) fn by_code(id: u64) -> Vec<u8> {
    format!("by-code/{id:020}/").into_bytes()
}

/// `by-creator/aceso1…/` and, of each contract, the block and the transaction in which it was made
pub(crate) fn by_creator(creator: &str) -> Vec<u8> {
    format!("by-creator/{creator}/").into_bytes()
}

/// `00000000000000001234/00007/aceso1…` — height, transaction, contract: the end of a key of [`by_code`] and
/// [`by_creator`]
pub(crate) fn placed(height: u64, tx: u64, address: &str) -> Vec<u8> {
    format!("{height:020}/{tx:05}/{address}").into_bytes()
}

/// `state/aceso1…/` and, of each row, the contract's own key
pub(crate) fn state(address: &str) -> Vec<u8> {
    ["state/", address, "/"].concat().into_bytes()
}

/// `codes`: how many codes there are.
pub(crate) fn code_count() -> Vec<u8> {
    b"codes".to_vec()
}

/// `instances`: how many contracts there are, of any code.
pub(crate) fn instance_count() -> Vec<u8> {
    b"instances".to_vec()
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [
        code(7),
        pinned(7),
        bytes("c"),
        contract("a"),
        history("a", 3),
        by_code(7),
        by_creator("o"),
        placed(1234, 7, "a"),
        state("a"),
        code_count(),
        instance_count(),
    ];
    expect_test::expect![[r#"
        code/00000000000000000007
        pinned/00000000000000000007
        bytes/c
        contract/a
        history/a/00003
        by-code/00000000000000000007/
        by-creator/o/
        00000000000000001234/00007/a
        state/a/
        codes
        instances"#]]
    .assert_eq(&all.map(text).join("\n"));
}
