//! `cargo run --bin deploy -- http://127.0.0.1:26657 http://127.0.0.1:9090 dev.mnemonic token.wasm`

use bip32::{Language, Mnemonic};
use cosmrs::{
    AccountId, Any, Coin, Result,
    auth::BaseAccount,
    cosmwasm::{MsgExecuteContract, MsgInstantiateContract, MsgStoreCode},
    crypto::secp256k1::SigningKey,
    proto::{
        cosmos::auth::v1beta1::{self as auth, query_client::QueryClient as Accounts},
        cosmwasm::wasm::v1::{QuerySmartContractStateRequest, query_client::QueryClient as Contracts},
        prost::Message,
    },
    rpc::HttpClient,
    tendermint::abci::Event,
    tx::{BodyBuilder, Fee, Msg, SignDoc, SignerInfo},
};

/// Who deploys, and where.
struct Deployer {
    rpc: HttpClient,
    grpc: String,
    key: SigningKey,
    address: AccountId,
}

impl Deployer {
    /// Signs a message with the account's next sequence and waits for its block.
    async fn send(&self, message: Any) -> Result<Vec<Event>> {
        let question = auth::QueryAccountRequest { address: self.address.to_string() };
        let answer = Accounts::connect(self.grpc.clone()).await?.account(question).await?.into_inner();
        let account = auth::BaseAccount::decode(&*answer.account.unwrap_or_default().value)?;
        let BaseAccount { account_number, sequence, .. } = account.try_into()?;

        let fee = Coin { denom: "uaceso".parse()?, amount: 150_000 };
        let body = BodyBuilder::new().msg(message).finish();
        let signer = SignerInfo::single_direct(Some(self.key.public_key()), sequence);
        let info = signer.auth_info(Fee::from_amount_and_gas(fee, 6_000_000u64));
        let document = SignDoc::new(&body, &info, &"aceso-dev".parse()?, account_number)?;
        let sent = document.sign(&self.key)?.broadcast_commit(&self.rpc).await?;
        assert!(sent.check_tx.code.is_ok() && sent.tx_result.code.is_ok(), "{sent:?}");
        Ok(sent.tx_result.events)
    }
}

/// What an event says under a name.
fn attribute<'a>(events: &'a [Event], kind: &str, key: &str) -> &'a str {
    let mut attributes = events.iter().filter(|event| event.kind == kind).flat_map(|event| &event.attributes);
    let found = attributes.find(|attribute| attribute.key_bytes() == key.as_bytes());
    found.and_then(|attribute| attribute.value_str().ok()).expect("the chain says it")
}

#[tokio::main]
async fn main() -> Result<()> {
    let [rpc, grpc, words, wasm] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("two URLs and two files");
    let words = Mnemonic::new(std::fs::read_to_string(words)?.trim(), Language::English)?;
    let key = SigningKey::derive_from_path(words.to_seed("").as_bytes(), &"m/44'/118'/0'/0/0".parse()?)?;
    let address = key.public_key().account_id("aceso")?;
    let deployer = Deployer { rpc: HttpClient::new(rpc.as_str())?, grpc: grpc.clone(), key, address: address.clone() };

    let store =
        MsgStoreCode { sender: address.clone(), wasm_byte_code: std::fs::read(wasm)?, instantiate_permission: None };
    let code_id = attribute(&deployer.send(store.to_any()?).await?, "store_code", "code_id").parse()?;
    let first = format!(r#"{{"name":"test","initial_balances":[{{"address":"{address}","amount":"100"}}]}}"#);
    let (admin, label) = (Some(address.clone()), Some("my token".into()));
    let make =
        MsgInstantiateContract { sender: address.clone(), admin, code_id, label, msg: first.into(), funds: vec![] };
    let contract: AccountId =
        attribute(&deployer.send(make.to_any()?).await?, "instantiate", "_contract_address").parse()?;
    let transfer = format!(r#"{{"transfer":{{"recipient":"{address}","amount":"1"}}}}"#);
    let call = MsgExecuteContract { sender: address, contract: contract.clone(), msg: transfer.into(), funds: vec![] };
    deployer.send(call.to_any()?).await?;

    let question =
        QuerySmartContractStateRequest { address: contract.to_string(), query_data: br#"{"token_info":{}}"#.to_vec() };
    let answer = Contracts::connect(grpc).await?.smart_contract_state(question).await?.into_inner();
    println!("{contract} {}", String::from_utf8_lossy(&answer.data));
    Ok(())
}
