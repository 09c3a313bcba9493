//! Every key of the component `sponsor`. Renaming one is a state migration.

/// `allowance/aceso1…grantee/aceso1…granter`
pub(crate) fn allowance(grantee: &str, granter: &str) -> Vec<u8> {
    format!("allowance/{grantee}/{granter}").into_bytes()
}

/// `allowance/aceso1…grantee/`
pub(crate) fn allowances(grantee: &str) -> Vec<u8> {
    allowance(grantee, "")
}

/// `given/aceso1…granter/aceso1…grantee`
pub(crate) fn given(granter: &str, grantee: &str) -> Vec<u8> {
    format!("given/{granter}/{grantee}").into_bytes()
}

/// `given/aceso1…granter/`
pub(crate) fn given_by(granter: &str) -> Vec<u8> {
    given(granter, "")
}

/// `expiry/00000000001767225600000000000/aceso1…grantee/aceso1…granter` — nanoseconds since the Unix epoch
pub(crate) fn expiry(nanos: u128, grantee: &str, granter: &str) -> Vec<u8> {
    format!("expiry/{nanos:029}/{grantee}/{granter}").into_bytes()
}

/// `expiry/`
pub(crate) fn expiries() -> Vec<u8> {
    b"expiry/".to_vec()
}

/// When, grantee and granter in a key of [`expiry`].
pub(crate) fn expired(key: &[u8]) -> Option<(u128, &str, &str)> {
    let mut parts = std::str::from_utf8(key).ok()?.split('/').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?, parts.next()?))
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [allowance("e", "r"), given("r", "e"), expiry(1_767_225_600_000_000_000, "e", "r")];
    expect_test::expect![[r#"
        allowance/e/r
        given/r/e
        expiry/00000000001767225600000000000/e/r"#]]
    .assert_eq(&all.map(text).join("\n"));
    assert_eq!(expired(&expiry(7, "e", "r")), Some((7, "e", "r")));
}
