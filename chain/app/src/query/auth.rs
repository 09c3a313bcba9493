//! `cosmos.auth.v1beta1.Query`.

use cosmos_sdk_proto::{
    Any,
    cosmos::auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
};
use prost::{Message, Name};

use crate::{
    components::{accounts, vesting},
    query::{Answered, Asked, decode, encode, status::Status, unknown},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    match method {
        "Account" => {
            let request: QueryAccountRequest = decode(data)?;
            if request.address.is_empty() {
                return Err(Status::Invalid("Address cannot be empty".into()));
            }
            let address = asked.chain.address(&request.address).map_err(|fault| Status::Invalid(fault.text))?;
            let Some(account) = accounts::get(&mut asked.view(), &address)? else {
                return Err(Status::NotFound(format!("account {address} not found")));
            };
            let account = match vesting::get(&mut asked.view(), address.as_str())? {
                Some(vesting) => vesting.shown(account),
                None => Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() },
            };
            encode(&QueryAccountResponse { account: Some(account) })
        }
        other => Err(unknown(&format!("/cosmos.auth.v1beta1.Query/{other}"))),
    }
}
