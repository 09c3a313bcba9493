//! Every key of the component. Renaming one is a state migration.
//!
//! The rows lie in the store of the component `sponsor`, beside those of allowances: a store of their own would be one
//! more leaf of the app hash, which no chain that is there could be given.

/// `authz/grant/aceso1…granter/aceso1…grantee//cosmos.bank.v1beta1.MsgSend`
pub(crate) fn grant(granter: &str, grantee: &str, url: &str) -> Vec<u8> {
    format!("authz/grant/{granter}/{grantee}/{url}").into_bytes()
}

/// `authz/grant/aceso1…granter/aceso1…grantee/`
pub(crate) fn between(granter: &str, grantee: &str) -> Vec<u8> {
    grant(granter, grantee, "")
}

/// `authz/grant/aceso1…granter/`
pub(crate) fn given_by(granter: &str) -> Vec<u8> {
    format!("authz/grant/{granter}/").into_bytes()
}

/// `authz/held/aceso1…grantee/aceso1…granter//cosmos.bank.v1beta1.MsgSend`
pub(crate) fn held(grantee: &str, granter: &str, url: &str) -> Vec<u8> {
    format!("authz/held/{grantee}/{granter}/{url}").into_bytes()
}

/// `authz/held/aceso1…grantee/`
pub(crate) fn held_by(grantee: &str) -> Vec<u8> {
    format!("authz/held/{grantee}/").into_bytes()
}

/// `authz/expiry/00000000001767225600000000000/aceso1…granter/aceso1…grantee//cosmos.bank.v1beta1.MsgSend` —
/// nanoseconds since the Unix epoch
pub(crate) fn expiry(nanos: u128, granter: &str, grantee: &str, url: &str) -> Vec<u8> {
    format!("authz/expiry/{nanos:029}/{granter}/{grantee}/{url}").into_bytes()
}

/// `authz/expiry/`
pub(crate) fn expiries() -> Vec<u8> {
    b"authz/expiry/".to_vec()
}

/// When, granter, grantee and type URL in a key of [`expiry`].
pub(crate) fn expired(key: &[u8]) -> Option<(u128, &str, &str, &str)> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(6, '/').skip(2);
    Some((parts.next()?.parse().ok()?, parts.next()?, parts.next()?, parts.next()?))
}

/// Address and type URL in what follows a prefix of [`given_by`] or [`held_by`].
pub(crate) fn other(rest: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(rest).ok()?.split_once('/')
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [grant("r", "e", "/m.M"), held("e", "r", "/m.M"), expiry(1_767_225_600_000_000_000, "r", "e", "/m.M")];
    expect_test::expect![[r#"
        authz/grant/r/e//m.M
        authz/held/e/r//m.M
        authz/expiry/00000000001767225600000000000/r/e//m.M"#]]
    .assert_eq(&all.map(text).join("\n"));
    assert_eq!(expired(&expiry(7, "r", "e", "/m.M")), Some((7, "r", "e", "/m.M")));
    for (prefix, key) in [(given_by("r"), grant("r", "e", "/m.M")), (held_by("e"), held("e", "r", "/m.M"))] {
        let other = other(&key[prefix.len()..]).unwrap();
        assert!(matches!(other, ("e" | "r", "/m.M")), "{other:?}");
    }
}
