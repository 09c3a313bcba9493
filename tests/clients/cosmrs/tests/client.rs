//! What cosmrs does over RPC and gRPC, unmodified: accounts, coins, a contract's life, gas, and what is refused.

#[path = "../../node.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod node;

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmrs::{
    AccountId, Any, Coin, ErrorReport,
    abci::TxMsgData,
    auth::BaseAccount,
    bank::{MsgMultiSend, MsgSend, MultiSendIo},
    cosmwasm::{
        MsgClearAdmin, MsgExecuteContract, MsgExecuteContractResponse, MsgInstantiateContract,
        MsgInstantiateContractResponse, MsgMigrateContract, MsgStoreCode, MsgStoreCodeResponse, MsgUpdateAdmin,
    },
    crypto::secp256k1::SigningKey,
    proto::{
        cosmos::{
            auth::v1beta1 as auth, bank::v1beta1 as bank, base::tendermint::v1beta1 as comet, tx::v1beta1 as service,
        },
        cosmwasm::wasm::v1 as wasm,
        prost::Message,
    },
    rpc::{
        self, Client, HttpClient, Subscription, SubscriptionClient, WebSocketClient,
        endpoint::broadcast::tx_commit,
        event::EventData,
        query::{EventType, Query},
    },
    tendermint::{Hash, abci::Event},
    tx::{Body, BodyBuilder, Fee, Msg, Raw, SignDoc, SignerInfo, Tx},
};
use futures::{FutureExt, StreamExt};
use node::Node;

const CHAIN: &str = "cosmrs-1";
const PREFIX: &str = "wasm";
const DENOM: &str = "ucosm";
/// Enough for a contract that is not compressed.
const GAS: u64 = 6_000_000;

/// A chain on which Alice has coins.
struct Chain {
    node: Node,
    rpc: HttpClient,
    key: SigningKey,
    alice: AccountId,
}

/// cosmrs has an error type of its own.
fn told(error: ErrorReport) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

fn account_of(key: &SigningKey) -> Result<AccountId> {
    key.public_key().account_id(PREFIX).map_err(told)
}

fn coin(amount: u128) -> Coin {
    Coin { denom: DENOM.parse().expect("it is one"), amount }
}

/// What a transaction is signed over beside its messages; a test changes one of it.
struct Signing {
    chain: &'static str,
    number: u64,
    sequence: u64,
    fee: Fee,
    memo: String,
    timeout: u32,
}

impl Chain {
    fn open() -> Result<Self> {
        let key = SigningKey::random();
        let alice = account_of(&key)?;
        let fund = format!("{alice}=1000000000000{DENOM}");
        let node = Node::start(&["--chain-id", CHAIN, "--prefix", PREFIX, "--denom", DENOM, "--fund", &fund])?;
        let rpc = HttpClient::new(node.rpc.as_str())?;
        Ok(Self { node, rpc, key, alice })
    }

    /// The account over gRPC.
    async fn account(&self, id: &AccountId) -> Result<BaseAccount> {
        let mut client = auth::query_client::QueryClient::connect(self.node.grpc.clone()).await?;
        let answer = client.account(auth::QueryAccountRequest { address: id.to_string() }).await?;
        let any = answer.into_inner().account.context("no account")?;
        ensure!(any.type_url == "/cosmos.auth.v1beta1.BaseAccount", "{}", any.type_url);
        auth::BaseAccount::decode(&*any.value)?.try_into().map_err(told)
    }

    async fn signing(&self) -> Result<Signing> {
        let account = self.account(&self.alice).await?;
        let fee = Fee::from_amount_and_gas(coin(150_000), GAS);
        let (number, sequence) = (account.account_number, account.sequence);
        Ok(Signing { chain: CHAIN, number, sequence, fee, memo: "a memo".into(), timeout: 0 })
    }

    fn sign(&self, messages: &[Any], signing: Signing) -> Result<(Body, Raw)> {
        let mut body = BodyBuilder::new();
        body.msgs(messages.iter().cloned()).memo(signing.memo);
        if signing.timeout > 0 {
            body.timeout_height(signing.timeout);
        }
        let body = body.finish();
        let info = SignerInfo::single_direct(Some(self.key.public_key()), signing.sequence).auth_info(signing.fee);
        let document = SignDoc::new(&body, &info, &signing.chain.parse()?, signing.number).map_err(told)?;
        Ok((body, document.sign(&self.key).map_err(told)?))
    }

    /// Signs messages of Alice's and waits for their block.
    async fn send(&self, messages: &[Any]) -> Result<tx_commit::Response> {
        self.send_as(messages, self.signing().await?).await
    }

    async fn send_as(&self, messages: &[Any], signing: Signing) -> Result<tx_commit::Response> {
        let (_, raw) = self.sign(messages, signing)?;
        raw.broadcast_commit(&self.rpc).await.map_err(told)
    }

    /// Sends what must be good.
    async fn done(&self, messages: &[Any]) -> Result<tx_commit::Response> {
        let answer = self.send(messages).await?;
        ensure!(answer.check_tx.code.is_ok() && answer.tx_result.code.is_ok(), "{answer:?}");
        Ok(answer)
    }

    /// Asks a contract over gRPC.
    async fn smart(&self, contract: &AccountId, question: &str) -> Result<serde_json::Value> {
        let mut client = wasm::query_client::QueryClient::connect(self.node.grpc.clone()).await?;
        let query = wasm::QuerySmartContractStateRequest { address: contract.to_string(), query_data: question.into() };
        Ok(serde_json::from_slice(&client.smart_contract_state(query).await?.into_inner().data)?)
    }

    /// Asks by `abci_query`: the answer, or its code and words.
    async fn ask<A: Message + Default>(&self, path: &str, question: &impl Message) -> Result<Result<A, (u32, String)>> {
        let answer = self.rpc.abci_query(Some(path.to_owned()), question.encode_to_vec(), None, false).await?;
        Ok(if answer.code.is_ok() { Ok(A::decode(&*answer.value)?) } else { Err((answer.code.value(), answer.log)) })
    }

    /// A token contract, its code and its admin Alice.
    async fn token(&self) -> Result<(u64, AccountId)> {
        let stored = self.done(&[self.store()?]).await?;
        let code_id = response::<MsgStoreCodeResponse>(&stored)?.code_id;
        let made = self.done(&[self.make(code_id, &self.first(), "token")]).await?;
        Ok((code_id, response::<MsgInstantiateContractResponse>(&made)?.address))
    }

    fn store(&self) -> Result<Any> {
        let wasm_byte_code = std::fs::read(node::contract("token")?)?;
        any(MsgStoreCode { sender: self.alice.clone(), wasm_byte_code, instantiate_permission: None })
    }

    fn first(&self) -> String {
        format!(r#"{{"name":"test","initial_balances":[{{"address":"{}","amount":"100"}}]}}"#, self.alice)
    }

    fn make(&self, code_id: u64, msg: &str, label: &str) -> Any {
        let (sender, admin) = (self.alice.clone(), Some(self.alice.clone()));
        let label = Some(label.to_owned());
        any(MsgInstantiateContract { sender, admin, code_id, label, msg: msg.into(), funds: vec![] })
            .expect("it encodes")
    }

    fn call(&self, contract: &AccountId, msg: &str) -> Any {
        let (sender, contract) = (self.alice.clone(), contract.clone());
        any(MsgExecuteContract { sender, contract, msg: msg.into(), funds: vec![] }).expect("it encodes")
    }

    fn pay(&self, to: &AccountId, amount: u128) -> Any {
        let amount = vec![coin(amount)];
        any(MsgSend { from_address: self.alice.clone(), to_address: to.clone(), amount }).expect("it encodes")
    }
}

fn any(message: impl Msg) -> Result<Any> {
    message.to_any().map_err(told)
}

/// The answer of a transaction's first message.
fn response<M: Msg>(answer: &tx_commit::Response) -> Result<M> {
    // tendermint-rpc hands the base64 of the data on as it stands.
    let data = TxMsgData::try_from(STANDARD.decode(&answer.tx_result.data)?).map_err(told)?;
    data.msg_responses.first().context("no response")?.try_decode_as().map_err(told)
}

/// The first attribute of a name in the events of a kind.
fn attribute(events: &[Event], kind: &str, key: &str) -> Option<String> {
    let attributes = events.iter().filter(|event| event.kind == kind).flat_map(|event| &event.attributes);
    attributes
        .into_iter()
        .find(|attribute| attribute.key_bytes() == key.as_bytes())
        .map(|found| String::from_utf8_lossy(found.value_bytes()).into_owned())
}

#[tokio::test]
async fn an_account_is_the_same_over_grpc_and_by_abci_query() -> Result<()> {
    let chain = Chain::open()?;
    let account = chain.account(&chain.alice).await?;
    assert_eq!((account.address.clone(), account.sequence), (chain.alice.clone(), 0));
    let question = auth::QueryAccountRequest { address: chain.alice.to_string() };
    let path = "/cosmos.auth.v1beta1.Query/Account";
    let asked: auth::QueryAccountResponse = chain.ask(path, &question).await?.unwrap();
    let asked: BaseAccount = auth::BaseAccount::decode(&*asked.account.unwrap().value)?.try_into().map_err(told)?;
    assert_eq!(asked, account);

    chain.done(&[chain.pay(&chain.alice, 1)]).await?;
    let after = chain.account(&chain.alice).await?;
    assert_eq!((after.sequence, after.pubkey), (1, Some(chain.key.public_key())));

    let stranger = account_of(&SigningKey::random())?;
    let question = auth::QueryAccountRequest { address: stranger.to_string() };
    let (code, log) = chain.ask::<auth::QueryAccountResponse>(path, &question).await?.unwrap_err();
    assert!(code == 22 && log.contains("code = NotFound"), "{code} {log}");
    let mut client = auth::query_client::QueryClient::connect(chain.node.grpc.clone()).await?;
    let status = client.account(question).await.unwrap_err();
    assert!(format!("{:?} {}", status.code(), status.message()).starts_with("NotFound account"), "{status}");
    Ok(())
}

#[tokio::test]
async fn coins_move_and_the_transaction_is_found_in_every_way() -> Result<()> {
    let chain = Chain::open()?;
    let bob = account_of(&SigningKey::random())?;
    let signing = chain.signing().await?;
    let fee = signing.fee.clone();
    let (body, raw) = chain.sign(&[chain.pay(&bob, 1_234)], signing)?;
    let sent = raw.broadcast_commit(&chain.rpc).await.map_err(told)?;
    assert!(sent.tx_result.code.is_ok() && sent.tx_result.gas_used <= sent.tx_result.gas_wanted, "{sent:?}");
    // The fee's transfer first, then the message's.
    assert_eq!(attribute(&sent.tx_result.events, "transfer", "amount").as_deref(), Some("150000ucosm"));
    assert_eq!(attribute(&sent.tx_result.events, "message", "action").as_deref(), Some("/cosmos.bank.v1beta1.MsgSend"));

    let found = Tx::find_by_hash(&chain.rpc, sent.hash).await.map_err(told)?;
    assert_eq!((&found.body, &found.auth_info.fee), (&body, &fee));
    let query = Query::eq("tx.hash", sent.hash.to_string());
    let searched = chain.rpc.tx_search(query, false, 1, 10, rpc::Order::Ascending).await?;
    assert_eq!((searched.total_count, searched.txs[0].hash), (1, sent.hash));
    let query = Query::eq("transfer.recipient", bob.to_string());
    assert_eq!(chain.rpc.tx_search(query, true, 1, 10, rpc::Order::Descending).await?.txs[0].height, sent.height);

    let mut client = service::service_client::ServiceClient::connect(chain.node.grpc.clone()).await?;
    let got = client.get_tx(service::GetTxRequest { hash: sent.hash.to_string() }).await?.into_inner();
    let (tx, answer) = (got.tx.unwrap(), got.tx_response.unwrap());
    assert_eq!(Tx::try_from(tx).map_err(told)?.body, body);
    assert_eq!(
        (answer.txhash, answer.code, answer.height),
        (sent.hash.to_string(), 0, i64::try_from(sent.height.value())?)
    );
    assert!(answer.timestamp.ends_with('Z') && !answer.events.is_empty(), "{}", answer.timestamp);
    let missing = client.get_tx(service::GetTxRequest { hash: "00".repeat(32) }).await.unwrap_err();
    assert!(missing.message().contains("not found"), "{missing}");

    let mut client = bank::query_client::QueryClient::connect(chain.node.grpc.clone()).await?;
    let question = bank::QueryBalanceRequest { address: bob.to_string(), denom: DENOM.into() };
    assert_eq!(client.balance(question).await?.into_inner().balance.unwrap().amount, "1234");
    Ok(())
}

#[tokio::test]
async fn one_pays_many_in_one_message() -> Result<()> {
    let chain = Chain::open()?;
    let people = [account_of(&SigningKey::random())?, account_of(&SigningKey::random())?];
    let io = |address: &AccountId, amount| MultiSendIo { address: address.clone(), coins: vec![coin(amount)] };
    let outputs = people.iter().map(|person| io(person, 7)).collect();
    chain.done(&[any(MsgMultiSend { inputs: vec![io(&chain.alice, 14)], outputs })?]).await?;
    for person in people {
        let question = bank::QueryAllBalancesRequest { address: person.to_string(), ..Default::default() };
        let path = "/cosmos.bank.v1beta1.Query/AllBalances";
        let answer: bank::QueryAllBalancesResponse = chain.ask(path, &question).await?.unwrap();
        assert_eq!(answer.balances[0].amount, "7");
    }
    Ok(())
}

#[tokio::test]
async fn a_contract_lives_from_its_code_to_its_migration() -> Result<()> {
    let chain = Chain::open()?;
    let wasm_byte_code = std::fs::read(node::contract("token")?)?;
    let stored = chain.done(&[chain.store()?]).await?;
    let code: MsgStoreCodeResponse = response(&stored)?;
    let told_id = attribute(&stored.tx_result.events, "store_code", "code_id");
    assert_eq!(told_id, Some(code.code_id.to_string()));
    let told_sum = attribute(&stored.tx_result.events, "store_code", "code_checksum").unwrap();
    assert_eq!(told_sum.to_uppercase(), code.checksum.to_string());

    let made = chain.done(&[chain.make(code.code_id, &chain.first(), "token")]).await?;
    let token = response::<MsgInstantiateContractResponse>(&made)?.address;
    assert_eq!(attribute(&made.tx_result.events, "instantiate", "_contract_address"), Some(token.to_string()));

    let bob = account_of(&SigningKey::random())?;
    let transfer = format!(r#"{{"transfer":{{"recipient":"{bob}","amount":"40"}}}}"#);
    let called = chain.done(&[chain.call(&token, &transfer)]).await?;
    response::<MsgExecuteContractResponse>(&called)?;
    assert_eq!(attribute(&called.tx_result.events, "wasm", "_contract_address"), Some(token.to_string()));
    assert_eq!(attribute(&called.tx_result.events, "wasm", "action").as_deref(), Some("transfer"));
    let balance = format!(r#"{{"balance":{{"address":"{bob}"}}}}"#);
    assert_eq!(chain.smart(&token, &balance).await?["balance"], "40");
    let question = wasm::QuerySmartContractStateRequest { address: token.to_string(), query_data: balance.into() };
    let path = "/cosmwasm.wasm.v1.Query/SmartContractState";
    let answer: wasm::QuerySmartContractStateResponse = chain.ask(path, &question).await?.unwrap();
    assert_eq!(answer.data, br#"{"balance":"40"}"#);

    let second: MsgStoreCodeResponse = response(&chain.done(&[chain.store()?]).await?)?;
    assert_eq!(second.checksum, code.checksum);
    let (sender, contract) = (chain.alice.clone(), token.clone());
    let migrate =
        MsgMigrateContract { sender, contract, code_id: second.code_id, msg: br#"{"name":"renamed"}"#.to_vec() };
    chain.done(&[any(migrate)?]).await?;
    assert_eq!(chain.smart(&token, r#"{"token_info":{}}"#).await?["name"], "renamed");

    let mut client = wasm::query_client::QueryClient::connect(chain.node.grpc.clone()).await?;
    let address = token.to_string();
    let info = client.contract_info(wasm::QueryContractInfoRequest { address: address.clone() }).await?.into_inner();
    let info = cosmrs::cosmwasm::ContractInfo::try_from(info.contract_info.unwrap()).map_err(told)?;
    assert_eq!((info.code_id, &info.admin, &*info.label), (second.code_id, &Some(chain.alice.clone()), "token"));
    let question = wasm::QueryContractHistoryRequest { address: address.clone(), pagination: None };
    assert_eq!(client.contract_history(question).await?.into_inner().entries.len(), 2);
    let code = client.code(wasm::QueryCodeRequest { code_id: code.code_id }).await?.into_inner();
    let code = cosmrs::cosmwasm::QueryCodeResponse::try_from(code).map_err(told)?;
    assert!(code.data == wasm_byte_code, "the code is another");
    let raw = wasm::QueryRawContractStateRequest { address: address.clone(), query_data: b"token_info".to_vec() };
    assert!(!client.raw_contract_state(raw).await?.into_inner().data.is_empty());

    let (sender, contract) = (chain.alice.clone(), token.clone());
    chain.done(&[any(MsgUpdateAdmin { sender, new_admin: bob.clone(), contract: contract.clone() })?]).await?;
    let clear = any(MsgClearAdmin { sender: chain.alice.clone(), contract })?;
    let refused = chain.send(&[clear]).await?;
    assert_eq!((refused.tx_result.code.value(), &*refused.tx_result.codespace), (4, "sdk"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn gas_is_found_out_before_it_is_paid() -> Result<()> {
    let chain = Chain::open()?;
    let (_, token) = chain.token().await?;
    let transfer = format!(r#"{{"transfer":{{"recipient":"{}","amount":"1"}}}}"#, chain.alice);
    let call = chain.call(&token, &transfer);
    let (_, raw) = chain.sign(std::slice::from_ref(&call), chain.signing().await?)?;
    let mut client = service::service_client::ServiceClient::connect(chain.node.grpc.clone()).await?;
    #[allow(deprecated, reason = "the message has the field")]
    let request = service::SimulateRequest { tx: None, tx_bytes: raw.to_bytes().map_err(told)? };
    let simulated = client.simulate(request).await?.into_inner();
    let gas = simulated.gas_info.unwrap().gas_used;
    assert!((60_000..200_000).contains(&gas), "{gas}");
    let fee = Fee::from_amount_and_gas(coin(u128::from(gas) / 20), gas * 13 / 10);
    let sent = chain.send_as(&[call], Signing { fee, ..chain.signing().await? }).await?;
    assert!(sent.tx_result.code.is_ok(), "{sent:?}");
    let used = u64::try_from(sent.tx_result.gas_used)?;
    assert!(used.abs_diff(gas) < gas / 20, "{used} after {gas} were simulated");

    // What fails is told by the simulation already.
    let (_, raw) = chain.sign(&[chain.call(&token, r#"{"nonsense":{}}"#)], chain.signing().await?)?;
    #[allow(deprecated, reason = "the message has the field")]
    let request = service::SimulateRequest { tx: None, tx_bytes: raw.to_bytes().map_err(told)? };
    assert!(client.simulate(request).await.unwrap_err().message().contains("unknown variant"));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_has_its_number_and_its_words() -> Result<()> {
    let chain = Chain::open()?;
    let (code_id, token) = chain.token().await?;
    let bob = account_of(&SigningKey::random())?;
    let pay = || chain.pay(&bob, 1);
    let signing = || chain.signing();
    let cheap = Fee::from_amount_and_gas(coin(1), GAS);
    let rich = Fee::from_amount_and_gas(coin(u128::from(u64::MAX)), GAS);
    for (messages, signing, code, words) in [
        (vec![pay()], Signing { sequence: 77, ..signing().await? }, 32, "account sequence mismatch, expected"),
        (vec![pay()], Signing { chain: "cosmrs-2", ..signing().await? }, 4, "signature verification failed"),
        (vec![pay()], Signing { number: 77, ..signing().await? }, 4, "signature verification failed"),
        (
            vec![pay()],
            Signing { fee: cheap, ..signing().await? },
            13,
            "insufficient fees; got: 1ucosm required: 150000ucosm",
        ),
        (vec![pay()], Signing { fee: rich, ..signing().await? }, 5, "insufficient funds"),
        (vec![pay()], Signing { memo: "m".repeat(300), ..signing().await? }, 12, "memo too large"),
        (vec![pay()], Signing { timeout: 1, ..signing().await? }, 30, "tx timeout height"),
        (vec![], signing().await?, 18, "must contain at least one message"),
        (vec![chain.make(code_id, "no JSON", "l")], signing().await?, 14, "invalid"),
    ] {
        let answer = chain.send_as(&messages, signing).await?;
        assert_eq!(answer.check_tx.code.value(), code, "{answer:?}");
        assert!(answer.check_tx.log.contains(words), "{}", answer.check_tx.log);
    }
    for (message, codespace, code, words) in [
        (chain.pay(&bob, u128::from(u64::MAX)), "sdk", 5, "insufficient funds"),
        (chain.call(&bob, "{}"), "wasm", 22, "no such contract"),
        (chain.call(&token, r#"{"nonsense":{}}"#), "wasm", 5, "unknown variant"),
        (chain.call(&token, r#"{"burn":{"amount":"1000"}}"#), "wasm", 5, "execute wasm contract failed"),
        (chain.make(4711, "{}", "l"), "wasm", 28, "no such code"),
        (chain.make(code_id, "{}", "l"), "wasm", 4, "missing field"),
    ] {
        let answer = chain.send(&[message]).await?;
        let result = answer.tx_result;
        assert_eq!((&*result.codespace, result.code.value()), (codespace, code), "{}", result.log);
        assert!(result.log.contains(words), "{}", result.log);
    }
    let unread = chain.smart(&token, r#"{"nonsense":{}}"#).await.unwrap_err();
    assert!(format!("{unread:?}").contains("unknown variant"), "{unread:?}");
    let unknown =
        chain.ask::<auth::QueryAccountResponse>("/no.such/Path", &auth::QueryAccountRequest::default()).await?;
    assert_eq!(unknown.unwrap_err().0, 6);
    Ok(())
}

#[tokio::test]
async fn blocks_are_those_of_a_cometbft() -> Result<()> {
    let chain = Chain::open()?;
    let sent = chain.done(&[chain.pay(&chain.alice, 1)]).await?;
    let status = chain.rpc.status().await?;
    assert_eq!(status.node_info.network.as_str(), CHAIN);
    let block = chain.rpc.block(sent.height).await?;
    let commit = chain.rpc.commit(sent.height).await?;
    assert_eq!(block.block.header.hash(), block.block_id.hash);
    assert_eq!(commit.signed_header.commit.block_id, block.block_id);
    let results = chain.rpc.block_results(sent.height).await?;
    assert_eq!(results.txs_results.unwrap()[0].gas_used, sent.tx_result.gas_used);
    let set = chain.rpc.validators(sent.height, rpc::Paging::All).await?;
    assert_eq!(block.block.header.proposer_address, set.validators[0].address);
    assert!(chain.rpc.genesis::<serde_json::Value>().await?.app_state.is_object());
    let latest = chain.rpc.latest_block().await?.block.header.height;
    assert!(latest >= sent.height && chain.rpc.latest_consensus_params().await?.block_height <= latest);
    let metas = chain.rpc.blockchain(1u32.into(), latest).await?.block_metas;
    assert_eq!(metas.len(), usize::try_from(latest.value())?);

    let mut client = comet::service_client::ServiceClient::connect(chain.node.grpc.clone()).await?;
    let node = client.get_node_info(comet::GetNodeInfoRequest {}).await?.into_inner();
    assert_eq!(node.default_node_info.unwrap().network, CHAIN);
    let height = i64::try_from(sent.height.value())?;
    let again = client.get_block_by_height(comet::GetBlockByHeightRequest { height }).await?.into_inner();
    assert_eq!(Hash::Sha256(again.block_id.unwrap().hash.try_into().unwrap()), block.block_id.hash);
    assert!(!client.get_syncing(comet::GetSyncingRequest {}).await?.into_inner().syncing);
    Ok(())
}

#[test]
fn the_program_of_the_documentation_deploys() -> Result<()> {
    let node = Node::start(&[])?;
    let mut deploy = std::process::Command::new(env!("CARGO_BIN_EXE_deploy"));
    let output = deploy.args([&node.rpc, &node.grpc]).arg(node.words()).arg(node::contract("token")?).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let good = told.starts_with("aceso1") && told.trim_end().ends_with(r#"{"name":"test","total_supply":"100"}"#);
    ensure!(good, "{told}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What happens comes over one websocket to whoever asked for it, block for block, and to nobody else.
#[tokio::test]
async fn events_come_over_a_websocket() -> Result<()> {
    let chain = Chain::open()?;
    let url = format!("{}/websocket", chain.node.rpc.trim_end_matches('/').replacen("http", "ws", 1));
    let (client, driver) = WebSocketClient::new(url.as_str()).await?;
    let driver = tokio::spawn(driver.run());
    let stranger = account_of(&SigningKey::random())?;
    let of = |sender: &AccountId| Query::from(EventType::Tx).and_eq("message.sender", sender.to_string());
    let mut blocks = client.subscribe(EventType::NewBlock.into()).await?;
    let (mut mine, mut none) = (client.subscribe(of(&chain.alice)).await?, client.subscribe(of(&stranger)).await?);

    let sent = chain.done(&[chain.pay(&stranger, 7)]).await?;
    let height = i64::from(sent.height);
    let event = next(&mut mine).await?;
    assert_eq!(event.query, of(&chain.alice).to_string());
    let EventData::Tx { tx_result } = event.data else { bail!("{:?}", event.data) };
    assert_eq!((tx_result.height, tx_result.index.unwrap_or_default()), (height, 0));
    let found = chain.rpc.tx(sent.hash, false).await?;
    assert_eq!((&tx_result.tx, &tx_result.result.events), (&found.tx, &found.tx_result.events));
    let events = event.events.context("no events beside it")?;
    assert_eq!(events.get("tx.hash"), Some(&vec![sent.hash.to_string()]));
    assert!(events.get("transfer.recipient").is_some_and(|all| all.contains(&stranger.to_string())), "{events:?}");

    // Blocks come one after the other; that of the transaction has its bytes and its result.
    let mut before = None;
    loop {
        let EventData::NewBlock { block: Some(block), block_id, result_finalize_block } = next(&mut blocks).await?.data
        else {
            bail!("no block of CometBFT 0.38")
        };
        let at = block.header.height.value();
        assert_eq!((before.is_none_or(|last| last + 1 == at), block_id.hash), (true, block.header.hash()));
        before = Some(at);
        if i64::try_from(at)? == height {
            let results = result_finalize_block.context("no result of the block")?.tx_results;
            assert_eq!((block.data, results.len()), (vec![found.tx], 1));
            break;
        }
    }

    // Who has unsubscribed hears no more, and others go on.
    client.unsubscribe(of(&chain.alice)).await?;
    chain.done(&[chain.pay(&stranger, 1)]).await?;
    next(&mut blocks).await?;
    assert!(mine.next().now_or_never().flatten().is_none() && none.next().now_or_never().flatten().is_none());
    // Whoever left may come back.
    client.subscribe(of(&chain.alice)).await?;
    client.close()?;
    driver.await??;
    Ok(())
}

/// The next event, if it comes.
async fn next(events: &mut Subscription) -> Result<rpc::event::Event> {
    let event = tokio::time::timeout(std::time::Duration::from_secs(20), events.next()).await?;
    Ok(event.context("the subscription ended")??)
}
