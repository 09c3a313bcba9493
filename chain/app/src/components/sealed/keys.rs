//! Every key of the component `sealed`. Renaming one is a state migration.

use aceso_types::Frame;

/// `reader/aceso1…/00000000000000000002` — the epoch
pub(crate) fn reader(account: &str, epoch: u64) -> Vec<u8> {
    format!("reader/{account}/{epoch:020}").into_bytes()
}

/// `readers/aceso1…`: how many keys an account has registered.
pub(crate) fn epochs(account: &str) -> Vec<u8> {
    format!("readers/{account}").into_bytes()
}

/// `record/00000000000000000007`
pub(crate) fn record(number: u64) -> Vec<u8> {
    format!("record/{number:020}").into_bytes()
}

/// `record/`
pub(crate) fn all_records() -> Vec<u8> {
    b"record/".to_vec()
}

/// `records`: how many there are.
pub(crate) fn records() -> Vec<u8> {
    b"records".to_vec()
}

/// `file/aceso1…/bafkrei…`: the record that a file of an owner is in, as a big-endian number.
pub(crate) fn file(owner: &str, cid: &str) -> Vec<u8> {
    format!("file/{owner}/{cid}").into_bytes()
}

/// `owned/aceso1…/00000000000000000007` — the record
pub(crate) fn owned(owner: &str, record: u64) -> Vec<u8> {
    format!("owned/{owner}/{record:020}").into_bytes()
}

/// `owned/aceso1…/`
pub(crate) fn owned_by(owner: &str) -> Vec<u8> {
    format!("owned/{owner}/").into_bytes()
}

/// `grant/aceso1…/00000000000000000003` — the granter and its grant's number
pub(crate) fn grant(granter: &str, number: u64) -> Vec<u8> {
    format!("grant/{granter}/{number:020}").into_bytes()
}

/// `grants/aceso1…`: how many grants an account has given.
pub(crate) fn grants(granter: &str) -> Vec<u8> {
    format!("grants/{granter}").into_bytes()
}

/// `grant-of/00000000000000000007/aceso1…/00000000000000000003` — record, granter, grant
pub(crate) fn grant_of(record: u64, granter: &str, number: u64) -> Vec<u8> {
    format!("grant-of/{record:020}/{granter}/{number:020}").into_bytes()
}

/// `grant-of/00000000000000000007/`
pub(crate) fn grants_of(record: u64) -> Vec<u8> {
    format!("grant-of/{record:020}/").into_bytes()
}

/// `grant-for/aceso1…/aceso1…/00000000000000000003` — recipient, granter, grant
pub(crate) fn grant_for(account: &str, granter: &str, number: u64) -> Vec<u8> {
    format!("grant-for/{account}/{granter}/{number:020}").into_bytes()
}

/// `grant-for/aceso1…/`
pub(crate) fn grants_for(account: &str) -> Vec<u8> {
    format!("grant-for/{account}/").into_bytes()
}

/// `bit/aceso1…/bafkrei…/00…ff/pneumonia`: what was disclosed of a finding: owner, file, model, finding. Of another frame
/// than the first the file is `bafkrei…#2`.
pub(crate) fn bit(owner: &str, cid: &str, frame: Frame, model: &str, finding: &str) -> Vec<u8> {
    if frame.is_first() {
        format!("bit/{owner}/{cid}/{model}/{finding}").into_bytes()
    } else {
        format!("bit/{owner}/{cid}#{frame}/{model}/{finding}").into_bytes()
    }
}

/// `bits/aceso1…/bafkrei…/00…ff`: how many findings were disclosed or asked for.
pub(crate) fn bits(owner: &str, cid: &str, model: &str) -> Vec<u8> {
    format!("bits/{owner}/{cid}/{model}").into_bytes()
}

/// `review/00000000000000000007/00000000000000000001` — record, item
pub(crate) fn review(record: u64, number: u64) -> Vec<u8> {
    format!("review/{record:020}/{number:020}").into_bytes()
}

/// `review/00000000000000000007/`
pub(crate) fn reviews_of(record: u64) -> Vec<u8> {
    format!("review/{record:020}/").into_bytes()
}

/// `broken/00000000000000000007/aceso1…/00000000000000000003/aceso1…/00000000000000000002`: the item by which a reader
/// asked for a key that nobody has passed on yet, as a big-endian number: record, granter, grant, reader, epoch
pub(crate) fn broken(record: u64, granter: &str, grant: u64, actor: &str, epoch: u64) -> Vec<u8> {
    format!("broken/{record:020}/{granter}/{grant:020}/{actor}/{epoch:020}").into_bytes()
}

/// `job/00000000000000000009`
pub(crate) fn job(number: u64) -> Vec<u8> {
    format!("job/{number:020}").into_bytes()
}

/// `job/`
pub(crate) fn all_jobs() -> Vec<u8> {
    b"job/".to_vec()
}

/// `jobs`: how many there have been.
pub(crate) fn jobs() -> Vec<u8> {
    b"jobs".to_vec()
}

/// `open/00000000000000000009`: a job that is open.
pub(crate) fn open(job: u64) -> Vec<u8> {
    format!("open/{job:020}").into_bytes()
}

/// `open/`
pub(crate) fn all_open() -> Vec<u8> {
    b"open/".to_vec()
}

/// `opened`: how many jobs are open.
pub(crate) fn opened() -> Vec<u8> {
    b"opened".to_vec()
}

/// `deadline/00000000000000001234/00000000000000000009` — height, job
pub(crate) fn deadline(height: u64, job: u64) -> Vec<u8> {
    format!("deadline/{height:020}/{job:020}").into_bytes()
}

/// `deadline/`
pub(crate) fn deadlines() -> Vec<u8> {
    b"deadline/".to_vec()
}

/// `under/00000000000000000007/00000000000000000009`: an open job of a record: record, job
pub(crate) fn under(record: u64, job: u64) -> Vec<u8> {
    format!("under/{record:020}/{job:020}").into_bytes()
}

/// `under/00000000000000000007/`
pub(crate) fn all_under(record: u64) -> Vec<u8> {
    format!("under/{record:020}/").into_bytes()
}

/// `work/b5de84c8…/00000000000000000009`: what an open job of a member pays, as a big-endian number of 16 bytes: the
/// member's attestation key, job
pub(crate) fn work(bls_key: &[u8], job: u64) -> Vec<u8> {
    format!("work/{}/{job:020}", hex::encode(bls_key)).into_bytes()
}

/// `work/b5de84c8…/`
pub(crate) fn work_of(bls_key: &[u8]) -> Vec<u8> {
    format!("work/{}/", hex::encode(bls_key)).into_bytes()
}

/// `asked/aceso1…/00000000000000000009` — requester, job
pub(crate) fn asked(requester: &str, job: u64) -> Vec<u8> {
    format!("asked/{requester}/{job:020}").into_bytes()
}

/// `asked/aceso1…/`
pub(crate) fn asked_by(requester: &str) -> Vec<u8> {
    format!("asked/{requester}/").into_bytes()
}

/// `share/00000000000000000009/00000004`: what a member that has left submitted: job, place
pub(crate) fn share(job: u64, place: u32) -> Vec<u8> {
    format!("share/{job:020}/{place:08}").into_bytes()
}

/// `share/00000000000000000009/`
pub(crate) fn shares_of(job: u64) -> Vec<u8> {
    format!("share/{job:020}/").into_bytes()
}

/// `share/`
pub(crate) fn all_shares() -> Vec<u8> {
    b"share/".to_vec()
}

/// `wrong/00000000000000000009/00000004`: that a member signed against an outcome, and what it cost: job, place
pub(crate) fn wrong(job: u64, place: u32) -> Vec<u8> {
    format!("wrong/{job:020}/{place:08}").into_bytes()
}

/// `result/bafkrei…`: a result that members keep.
pub(crate) fn result(cid: &str) -> Vec<u8> {
    format!("result/{cid}").into_bytes()
}

/// `result-of/aceso1…/00000000000000000009`: the CID of a result that an operator keeps: operator, job
pub(crate) fn result_of(operator: &str, job: u64) -> Vec<u8> {
    format!("result-of/{operator}/{job:020}").into_bytes()
}

/// `result-of/aceso1…/`
pub(crate) fn results_of(operator: &str) -> Vec<u8> {
    format!("result-of/{operator}/").into_bytes()
}

/// `result-ends/00000000000000001234/00000000000000000009`: the CID of a result whose term ends then: height, job
pub(crate) fn result_ends(height: u64, job: u64) -> Vec<u8> {
    format!("result-ends/{height:020}/{job:020}").into_bytes()
}

/// `result-ends/`
pub(crate) fn results_end() -> Vec<u8> {
    b"result-ends/".to_vec()
}

/// `told/00000000000000000003`: what a contract is still to be told at a block's end, in the order of their numbers.
pub(crate) fn told(number: u64) -> Vec<u8> {
    format!("told/{number:020}").into_bytes()
}

/// `told/`
pub(crate) fn all_told() -> Vec<u8> {
    b"told/".to_vec()
}

/// `tellings`: how many there have been.
pub(crate) fn tellings() -> Vec<u8> {
    b"tellings".to_vec()
}

/// `sweep`: how far the look at open jobs has come that began when the validators changed.
pub(crate) fn sweep() -> Vec<u8> {
    b"sweep".to_vec()
}

/// `root/00000000000000000002`
pub(crate) fn root(number: u64) -> Vec<u8> {
    format!("root/{number:020}").into_bytes()
}

/// `roots`: how many roots there are.
pub(crate) fn roots() -> Vec<u8> {
    b"roots".to_vec()
}

/// `rooted`: the chain whose validators the latest root has.
pub(crate) fn rooted() -> Vec<u8> {
    b"rooted".to_vec()
}

/// `unsigned/00000000000000000002`: a root that too few have signed.
pub(crate) fn unsigned(number: u64) -> Vec<u8> {
    format!("unsigned/{number:020}").into_bytes()
}

/// `unsigned/`
pub(crate) fn all_unsigned() -> Vec<u8> {
    b"unsigned/".to_vec()
}

/// `conduct/0000000004` — the validator's number
pub(crate) fn conduct(number: u32) -> Vec<u8> {
    format!("conduct/{number:010}").into_bytes()
}

/// The job at the end of a key of [`open`], [`deadline`], [`under`], [`work`] or [`asked`].
pub(crate) fn job_of(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

/// The height in a key of [`deadline`] or [`result_ends`], and the job in one of [`share`].
pub(crate) fn second_of(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.split('/').nth(1)?.parse().ok()
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [
        reader("a", 2),
        epochs("a"),
        record(7),
        records(),
        file("o", "c"),
        owned("o", 7),
        grant("g", 3),
        grants("g"),
        grant_of(7, "g", 3),
        grant_for("a", "g", 3),
        bit("o", "c", Frame::FIRST, "m", "f"),
        bit("o", "c", Frame::of_wire(2), "m", "f"),
        bits("o", "c", "m"),
        review(7, 1),
        broken(7, "g", 3, "a", 2),
        job(9),
        jobs(),
        open(9),
        opened(),
        deadline(1234, 9),
        under(7, 9),
        work(&[0xb5, 0xde], 9),
        asked("r", 9),
        share(9, 4),
        wrong(9, 4),
        result("c"),
        result_of("a", 9),
        result_ends(1234, 9),
        told(3),
        tellings(),
        sweep(),
        root(2),
        roots(),
        rooted(),
        unsigned(2),
        conduct(4),
    ];
    expect_test::expect![[r#"
        reader/a/00000000000000000002
        readers/a
        record/00000000000000000007
        records
        file/o/c
        owned/o/00000000000000000007
        grant/g/00000000000000000003
        grants/g
        grant-of/00000000000000000007/g/00000000000000000003
        grant-for/a/g/00000000000000000003
        bit/o/c/m/f
        bit/o/c#2/m/f
        bits/o/c/m
        review/00000000000000000007/00000000000000000001
        broken/00000000000000000007/g/00000000000000000003/a/00000000000000000002
        job/00000000000000000009
        jobs
        open/00000000000000000009
        opened
        deadline/00000000000000001234/00000000000000000009
        under/00000000000000000007/00000000000000000009
        work/b5de/00000000000000000009
        asked/r/00000000000000000009
        share/00000000000000000009/00000004
        wrong/00000000000000000009/00000004
        result/c
        result-of/a/00000000000000000009
        result-ends/00000000000000001234/00000000000000000009
        told/00000000000000000003
        tellings
        sweep
        root/00000000000000000002
        roots
        rooted
        unsigned/00000000000000000002
        conduct/0000000004"#]]
    .assert_eq(&all.map(text).join("\n"));
    assert_eq!((job_of(&deadline(1234, 9)), second_of(&deadline(1234, 9))), (Some(9), Some(1234)));
}
