//! Every key of the component `reads`. Renaming one is a state migration; that of a receipt is in every proof.

/// `image/bafkrei…`
pub(crate) fn image(cid: &str) -> Vec<u8> {
    format!("image/{cid}").into_bytes()
}

/// `image/`
pub(crate) fn images() -> Vec<u8> {
    image("")
}

/// `owner/aceso1…/bafkrei…`
pub(crate) fn owned(owner: &str, cid: &str) -> Vec<u8> {
    format!("owner/{owner}/{cid}").into_bytes()
}

/// `owner/aceso1…/`
pub(crate) fn images_of(owner: &str) -> Vec<u8> {
    owned(owner, "")
}

/// `uses/aceso1…guard/grant`: how often a grant was used, as a big-endian number.
pub(crate) fn uses(guard: &str, grant: &str) -> Vec<u8> {
    format!("uses/{guard}/{grant}").into_bytes()
}

/// `spent/aceso1…payer/aceso1…owner`: what reads of an owner's images were charged to a contract, 16 bytes big-endian.
pub(crate) fn spent(payer: &str, owner: &str) -> Vec<u8> {
    format!("spent/{payer}/{owner}").into_bytes()
}

/// `journal/bafkrei…/00000000000000000007` — the entry's number on the chain
pub(crate) fn journal(cid: &str, number: u64) -> Vec<u8> {
    format!("journal/{cid}/{number:020}").into_bytes()
}

/// `journal/bafkrei…/`
pub(crate) fn journal_of(cid: &str) -> Vec<u8> {
    format!("journal/{cid}/").into_bytes()
}

/// `receipt/00000000000000000007` — the read's number
pub(crate) fn receipt(read: u64) -> Vec<u8> {
    format!("receipt/{read:020}").into_bytes()
}

/// `receipt/`
pub(crate) fn receipts() -> Vec<u8> {
    b"receipt/".to_vec()
}

/// `receipt-of/bafkrei…/00000000000000000007`
pub(crate) fn receipt_of(cid: &str, read: u64) -> Vec<u8> {
    format!("receipt-of/{cid}/{read:020}").into_bytes()
}

/// `receipt-of/bafkrei…/`
pub(crate) fn receipts_of(cid: &str) -> Vec<u8> {
    format!("receipt-of/{cid}/").into_bytes()
}

/// `receipt-in/00000000000000001234/00007/00000000000000000007` — height, transaction, read
pub(crate) fn receipt_in(height: u64, tx: u32, read: u64) -> Vec<u8> {
    format!("receipt-in/{height:020}/{tx:05}/{read:020}").into_bytes()
}

/// `transcript/00000000000000001234`: the digest of what the open reads of a block came to.
pub(crate) fn transcript(height: u64) -> Vec<u8> {
    format!("transcript/{height:020}").into_bytes()
}

/// `transcript/`
pub(crate) fn transcripts() -> Vec<u8> {
    b"transcript/".to_vec()
}

/// The height in a key of [`transcript`].
pub(crate) fn height_of(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

/// `reads`: how many receipts there are.
pub(crate) fn reads() -> Vec<u8> {
    b"reads".to_vec()
}

/// `entries`: how many journal entries there are.
pub(crate) fn entries() -> Vec<u8> {
    b"entries".to_vec()
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [
        image("c"),
        owned("o", "c"),
        uses("g", "1"),
        spent("p", "o"),
        journal("c", 7),
        receipt(7),
        receipt_of("c", 7),
        receipt_in(1234, 7, 9),
        transcript(1234),
        reads(),
        entries(),
    ];
    expect_test::expect![[r#"
        image/c
        owner/o/c
        uses/g/1
        spent/p/o
        journal/c/00000000000000000007
        receipt/00000000000000000007
        receipt-of/c/00000000000000000007
        receipt-in/00000000000000001234/00007/00000000000000000009
        transcript/00000000000000001234
        reads
        entries"#]]
    .assert_eq(&all.map(text).join("\n"));
    assert_eq!(height_of(&transcript(1234)), Some(1234));
}
