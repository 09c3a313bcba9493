//! Accounts: a number, a public key once it has signed, and the sequence of its next transaction.
//!
//! Rows are the SDK's `BaseAccount`, so a query hands them out as they are. An account is made when it first receives
//! coins, or when a contract is put there.

use cosmos_sdk_proto::cosmos::auth::v1beta1::BaseAccount;

use crate::{
    address::Address,
    components::ACCOUNTS,
    error::Outcome,
    store::{Read, Write, damaged},
};

/// Every key of the component. Renaming one is a state migration.
mod keys {
    /// `account/aceso1qyqszqgpqyqszqgpqyqszqgpqyqszqgp2uv78a`
    pub(super) fn account(address: &str) -> Vec<u8> {
        ["account/", address].concat().into_bytes()
    }

    /// `number/00000000000000000007`; the account's address.
    pub(super) fn number(number: u64) -> Vec<u8> {
        format!("number/{number:020}").into_bytes()
    }

    /// `made`: how many accounts there are, as a big-endian number.
    pub(super) fn made() -> Vec<u8> {
        b"made".to_vec()
    }

    #[test]
    fn keys_do_not_change() {
        let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
        expect_test::expect!["account/a number/00000000000000000007 made"].assert_eq(&format!(
            "{} {} {}",
            text(account("a")),
            text(number(7)),
            text(made())
        ));
    }
}

/// An account, if there is one.
pub(crate) fn get(state: &mut impl Read, address: &Address) -> Outcome<Option<BaseAccount>> {
    state.row(ACCOUNTS, &keys::account(address.as_str()))
}

/// The address of the account with a number, if there is one.
pub(crate) fn address_of(state: &mut impl Read, number: u64) -> Outcome<Option<String>> {
    let key = keys::number(number);
    let address = state.get(ACCOUNTS, &key)?.map(String::from_utf8).transpose();
    Ok(address.map_err(|_| damaged(ACCOUNTS, &key))?)
}

/// What the keys of all accounts begin with.
pub(crate) fn rows() -> Vec<u8> {
    keys::account("")
}

/// Makes an account where there is none yet.
pub(crate) fn ensure(state: &mut impl Write, address: &Address) -> Outcome<()> {
    let key = keys::account(address.as_str());
    if state.get(ACCOUNTS, &key)?.is_some() {
        return Ok(());
    }
    // Numbers begin at 0, and a row may not be empty: the address stands in it.
    let account_number = state.count(ACCOUNTS, keys::made())? - 1;
    number(state, account_number, address.as_str())?;
    state.put(ACCOUNTS, key, &BaseAccount { address: address.to_string(), account_number, ..BaseAccount::default() })
}

/// Lets an account be found by its number.
pub(crate) fn number(state: &mut impl Write, number: u64, address: &str) -> Outcome<()> {
    state.set_along(ACCOUNTS, keys::number(number), address.into())
}

/// Writes an account back.
pub(crate) fn put(state: &mut impl Write, account: &BaseAccount) -> Outcome<()> {
    state.put(ACCOUNTS, keys::account(&account.address), account)
}
