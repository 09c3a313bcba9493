//! gRPC of `aceso dev` as stock clients speak it: what it answers is what `abci_query` answers, refusals have their status,
//! reflection tells what is served, and what is too much is refused.

#![allow(clippy::result_large_err, reason = "a status is what the library answers with")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use aceso_types::query::{Asked, BlobRow, ModelRows, QueryBlob, QueryModels};
use common::{Node, Wallet, alice};
use cosmos_sdk_proto::cosmos::{
    auth::v1beta1::{QueryAccountRequest, QueryAccountResponse},
    bank::v1beta1::{QueryBalanceRequest, QueryBalanceResponse},
    base::{
        node::v1beta1::{ConfigRequest, ConfigResponse, StatusRequest, StatusResponse},
        query::v1beta1::PageRequest,
        tendermint::v1beta1::{
            AbciQueryRequest, AbciQueryResponse, GetBlockByHeightRequest, GetBlockByHeightResponse,
            GetLatestBlockRequest, GetLatestBlockResponse, GetLatestValidatorSetRequest, GetLatestValidatorSetResponse,
            GetNodeInfoRequest, GetNodeInfoResponse, GetSyncingRequest, GetSyncingResponse,
            GetValidatorSetByHeightRequest, GetValidatorSetByHeightResponse,
        },
    },
    tx::v1beta1::{
        BroadcastMode, BroadcastTxRequest, BroadcastTxResponse, GetBlockWithTxsRequest, GetBlockWithTxsResponse,
        GetTxRequest, GetTxResponse, GetTxsEventRequest, GetTxsEventResponse, OrderBy, SimulateRequest,
        SimulateResponse, TxDecodeAminoRequest, TxDecodeAminoResponse, TxDecodeRequest, TxDecodeResponse,
        TxEncodeAminoRequest, TxEncodeAminoResponse, TxEncodeRequest, TxEncodeResponse,
    },
};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{QueryContractInfoRequest, QueryContractInfoResponse};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{Code, Request, Response, Status, client::Grpc, codec::ProstCodec, transport::Channel};

const TX: &str = "/cosmos.tx.v1beta1.Service/";
const COMET: &str = "/cosmos.base.tendermint.v1beta1.Service/";
const NODE: &str = "/cosmos.base.node.v1beta1.Service/";

/// A node with gRPC, and a client.
struct Server {
    node: Node,
    wallet: Wallet,
    runtime: Runtime,
    channel: Channel,
    _home: tempfile::TempDir,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let fund = alice(home.path());
        let wallet = Wallet::open(&home.path().join("keys/alice.mnemonic"));
        let arguments = [&["--fund", &fund, "--grpc", "127.0.0.1:0", "--chain-id", "grpc-1"][..], more].concat();
        let node = Node::start(home.path(), &arguments);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let at = node.told["grpc"].as_str().unwrap().to_owned();
        let channel = runtime.block_on(Channel::from_shared(at).unwrap().connect()).unwrap();
        Self { node, wallet, runtime, channel, _home: home }
    }

    fn at(&self) -> &str {
        self.node.told["grpc"].as_str().unwrap()
    }

    fn send<Q, A>(&self, path: &str, request: Request<Q>) -> Result<Response<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let path = path.parse().unwrap();
        self.runtime.block_on(async {
            let mut client = Grpc::new(self.channel.clone());
            client.ready().await.unwrap();
            client.unary(request, path, ProstCodec::default()).await
        })
    }

    fn ask<A: Message + Default + 'static>(&self, path: &str, question: impl Message + 'static) -> Result<A, Status> {
        self.send(path, Request::new(question)).map(Response::into_inner)
    }

    /// Asks, and holds the answer against that of `abci_query`.
    fn same<A>(&self, path: &str, question: impl Message + Clone + 'static) -> A
    where
        A: Message + Default + PartialEq + 'static,
    {
        let answer = self.ask(path, question.clone()).unwrap();
        assert_eq!(self.node.query::<A>(path, &question).unwrap(), answer, "{path}");
        answer
    }

    /// The refusal of a question, which `abci_query` refuses in the same words.
    fn refused<A: Message + Default + 'static>(&self, path: &str, question: impl Message + Clone + 'static) -> Status {
        let status = self.ask::<A>(path, question.clone()).unwrap_err();
        let log = self.node.query::<A>(path, &question).unwrap_err();
        assert!(log.contains(serde_json::to_string(status.message()).unwrap().trim_matches('"')), "{log}: {status}");
        status
    }

    fn transfer(&self) -> Vec<u8> {
        let account = self.wallet.account(&self.node).unwrap();
        self.wallet.send("grpc-1", account.account_number, account.sequence)
    }
}

/// Waits until something is there.
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it did not come");
}

#[test]
fn questions_are_answered_as_abci_query_answers_them() {
    let server = Server::start(&[]);
    let address = server.wallet.address.clone();
    let account: QueryAccountResponse =
        server.same("/cosmos.auth.v1beta1.Query/Account", QueryAccountRequest { address: address.clone() });
    assert_eq!(account.account.unwrap().type_url, "/cosmos.auth.v1beta1.BaseAccount");
    let balance = QueryBalanceRequest { address: address.clone(), denom: "uaceso".into() };
    let before: QueryBalanceResponse = server.same("/cosmos.bank.v1beta1.Query/Balance", balance.clone());
    assert_eq!(before.balance.as_ref().unwrap().amount, "1000000000000");
    let models: ModelRows = server.same(QueryModels::PATH, QueryModels::default());
    assert!(models.rows.is_empty());

    // Refusals have gRPC's kinds and the words that ABCI has.
    let nobody = QueryContractInfoRequest { address: address.clone() };
    let path = "/cosmwasm.wasm.v1.Query/ContractInfo";
    let refused = server.refused::<QueryContractInfoResponse>(path, nobody);
    assert_eq!(refused.code(), Code::Unknown);
    assert!(refused.message().contains("no such contract"), "{refused}");
    let wrong = QueryAccountRequest { address: "nobody".into() };
    let refused = server.refused::<QueryAccountResponse>("/cosmos.auth.v1beta1.Query/Account", wrong);
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = server.refused::<BlobRow>(QueryBlob::PATH, QueryBlob { cid: "nothing".into() });
    assert_eq!(refused.code(), Code::InvalidArgument);

    // A height is asked and answered of.
    let height = |height: &str| {
        let mut request = Request::new(balance.clone());
        request.metadata_mut().insert("x-cosmos-block-height", height.parse().unwrap());
        server.send::<_, QueryBalanceResponse>("/cosmos.bank.v1beta1.Query/Balance", request)
    };
    let sent = server.transfer();
    let mode = BroadcastMode::Sync.into();
    let broadcast: BroadcastTxResponse =
        server.ask(&format!("{TX}BroadcastTx"), BroadcastTxRequest { tx_bytes: sent, mode }).unwrap();
    assert_eq!(broadcast.tx_response.unwrap().code, 0);
    let after = wait(|| {
        let answer: QueryBalanceResponse = server.ask("/cosmos.bank.v1beta1.Query/Balance", balance.clone()).unwrap();
        (answer != before).then_some(answer)
    });
    let first = height("1").unwrap();
    assert_eq!(first.metadata().get("x-cosmos-block-height").unwrap(), "1");
    assert_eq!(first.into_inner(), before);
    assert_eq!(height("0").unwrap().into_inner(), after);
    for (wrong, words) in [("-1", "height < 0"), ("soon", "invalid height header"), ("999999", "999999")] {
        let refused = height(wrong).unwrap_err();
        assert!(refused.code() == Code::Unknown && refused.message().contains(words), "{refused}");
    }
}

#[test]
fn transactions_go_in_and_are_found() {
    let server = Server::start(&[]);
    let tx_bytes = server.transfer();
    #[allow(deprecated, reason = "the field is left empty")]
    let simulate = SimulateRequest { tx: None, tx_bytes: tx_bytes.clone() };
    let simulated: SimulateResponse = server.same(&format!("{TX}Simulate"), simulate);
    assert!(simulated.gas_info.unwrap().gas_used > 0);
    let decoded: TxDecodeResponse =
        server.same(&format!("{TX}TxDecode"), TxDecodeRequest { tx_bytes: tx_bytes.clone() });
    let encoded: TxEncodeResponse = server.same(&format!("{TX}TxEncode"), TxEncodeRequest { tx: decoded.tx.clone() });
    assert_eq!(encoded.tx_bytes, tx_bytes);
    // Amino's binary form is declared, as the SDK has it, and refused by its name.
    let amino_json = r#"{"type":"cosmos-sdk/StdTx","value":{}}"#.to_owned();
    for status in [
        server.refused::<TxEncodeAminoResponse>(&format!("{TX}TxEncodeAmino"), TxEncodeAminoRequest { amino_json }),
        server.refused::<TxDecodeAminoResponse>(
            &format!("{TX}TxDecodeAmino"),
            TxDecodeAminoRequest { amino_binary: vec![1] },
        ),
    ] {
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
        assert!(status.message().contains("amino's binary form is not spoken here"), "{status}");
    }
    let empty = TxEncodeAminoRequest::default();
    let status = server.refused::<TxEncodeAminoResponse>(&format!("{TX}TxEncodeAmino"), empty);
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "invalid empty tx json"));

    let path = format!("{TX}BroadcastTx");
    let broadcast = |tx_bytes: &[u8], mode: BroadcastMode| {
        server.ask::<BroadcastTxResponse>(&path, BroadcastTxRequest { tx_bytes: tx_bytes.into(), mode: mode.into() })
    };
    let sent = broadcast(&tx_bytes, BroadcastMode::Sync).unwrap().tx_response.unwrap();
    assert_eq!((sent.code, sent.txhash.len()), (0, 64), "{}", sent.raw_log);
    let again = broadcast(&tx_bytes, BroadcastMode::Sync).unwrap().tx_response.unwrap();
    assert_eq!((again.code, again.codespace.as_str(), &again.txhash), (19, "sdk", &sent.txhash));
    let none = broadcast(b"", BroadcastMode::Sync).unwrap_err();
    assert_eq!((none.code(), none.message()), (Code::InvalidArgument, "invalid empty tx"));
    let unspecified = broadcast(&tx_bytes, BroadcastMode::Unspecified).unwrap_err();
    assert_eq!(unspecified.code(), Code::Unknown);
    assert!(unspecified.message().contains("supported types: sync, async"), "{unspecified}");

    let path = format!("{TX}GetTx");
    let hash = sent.txhash.clone();
    wait(|| server.ask::<GetTxResponse>(&path, GetTxRequest { hash: hash.clone() }).ok());
    let found: GetTxResponse = server.same(&path, GetTxRequest { hash: hash.clone() });
    let response = found.tx_response.clone().unwrap();
    assert_eq!(found.tx, decoded.tx);
    assert_eq!((response.code, &response.txhash), (0, &hash), "{}", response.raw_log);
    let (date, time) = response.timestamp.split_at(10);
    assert!(date.split('-').count() == 3 && time.len() == 10 && time.starts_with('T') && time.ends_with('Z'), "{time}");
    assert!(response.events.iter().any(|event| event.r#type == "transfer"));
    let missing = server.refused::<GetTxResponse>(&path, GetTxRequest { hash: "00".repeat(32) });
    assert_eq!((missing.code(), missing.message().contains("tx not found")), (Code::NotFound, true));
    for wrong in ["", "zz"] {
        let refused = server.refused::<GetTxResponse>(&path, GetTxRequest { hash: wrong.into() });
        assert_eq!(refused.code(), Code::InvalidArgument);
    }

    let path = format!("{TX}GetTxsEvent");
    let query = format!("transfer.sender='{}'", server.wallet.address);
    let search = GetTxsEventRequest { query: query.clone(), order_by: OrderBy::Desc.into(), ..Default::default() };
    let listed: GetTxsEventResponse = server.same(&path, search);
    assert_eq!(
        (listed.total, &listed.tx_responses[..], &listed.txs),
        (1, &[response.clone()][..], &vec![found.tx.unwrap()])
    );
    #[allow(deprecated, reason = "old clients name conditions one by one")]
    let old = GetTxsEventRequest { events: vec![query], ..Default::default() };
    assert_eq!(server.same::<GetTxsEventResponse>(&path, old), listed);
    for wrong in ["", "a.b="] {
        let search = GetTxsEventRequest { query: wrong.into(), ..Default::default() };
        assert_eq!(server.refused::<GetTxsEventResponse>(&path, search).code(), Code::Internal);
    }

    let path = format!("{TX}GetBlockWithTxs");
    let height = response.height;
    let block: GetBlockWithTxsResponse = server.same(&path, GetBlockWithTxsRequest { height, pagination: None });
    assert!(block.txs.contains(&decoded.tx.unwrap()));
    let count = block.pagination.unwrap().total;
    let beyond = PageRequest { offset: count, ..Default::default() };
    for wrong in [
        GetBlockWithTxsRequest { height: 0, pagination: None },
        GetBlockWithTxsRequest { height: 1_000_000, pagination: None },
        GetBlockWithTxsRequest { height, pagination: Some(beyond) },
    ] {
        assert_eq!(server.refused::<GetBlockWithTxsResponse>(&path, wrong).code(), Code::Unknown);
    }
}

#[test]
fn the_engine_tells_of_blocks_and_validators() {
    let server = Server::start(&["--empty-blocks", "50"]);
    wait(|| {
        let answer: StatusResponse = server.ask(&format!("{NODE}Status"), StatusRequest {}).ok()?;
        (answer.height > 3).then_some(())
    });
    let info: GetNodeInfoResponse = server.ask(&format!("{COMET}GetNodeInfo"), GetNodeInfoRequest {}).unwrap();
    let node = info.default_node_info.unwrap();
    assert_eq!((node.network.as_str(), node.channels.is_empty()), ("grpc-1", false));
    assert_eq!(info.application_version.unwrap().app_name, "aceso");
    let syncing: GetSyncingResponse = server.ask(&format!("{COMET}GetSyncing"), GetSyncingRequest {}).unwrap();
    assert!(!syncing.syncing);

    // The block is one that Tendermint's own types take.
    let path = format!("{COMET}GetBlockByHeight");
    for height in 1..=3 {
        let answer: GetBlockByHeightResponse = server.same(&path, GetBlockByHeightRequest { height });
        let block = tendermint::Block::try_from(answer.block.clone().unwrap()).unwrap();
        assert_eq!((block.header.height.value(), block.header.chain_id.as_str()), (height as u64, "grpc-1"));
        let id = answer.block_id.unwrap();
        assert_eq!(block.header.hash().as_bytes(), id.hash);
        let printed = answer.sdk_block.unwrap().header.unwrap();
        assert!(printed.proposer_address.contains("valcons1"), "{}", printed.proposer_address);
        assert_eq!(printed.app_hash, answer.block.unwrap().header.unwrap().app_hash);
    }
    let too_high = server.refused::<GetBlockByHeightResponse>(&path, GetBlockByHeightRequest { height: 1_000_000 });
    assert_eq!(too_high.code(), Code::InvalidArgument);
    let none = server.refused::<GetBlockByHeightResponse>(&path, GetBlockByHeightRequest { height: 0 });
    assert_eq!(none.code(), Code::Unknown);
    let latest: GetLatestBlockResponse =
        server.ask(&format!("{COMET}GetLatestBlock"), GetLatestBlockRequest {}).unwrap();
    assert!(latest.block.unwrap().header.unwrap().height > 3);

    let set: GetLatestValidatorSetResponse =
        server.ask(&format!("{COMET}GetLatestValidatorSet"), GetLatestValidatorSetRequest::default()).unwrap();
    let path = format!("{COMET}GetValidatorSetByHeight");
    let at: GetValidatorSetByHeightResponse =
        server.same(&path, GetValidatorSetByHeightRequest { height: 2, pagination: None });
    assert_eq!((at.block_height, &at.validators), (2, &set.validators));
    assert_eq!((set.validators.len(), set.pagination.unwrap().total), (1, 1));
    assert!(set.validators[0].address.contains("valcons1") && set.validators[0].voting_power > 0);

    let config: ConfigResponse = server.same(&format!("{NODE}Config"), ConfigRequest {});
    assert!(config.minimum_gas_price.is_empty() || config.minimum_gas_price.ends_with("uaceso"));
    assert_eq!(config.pruning_keep_recent, "100000");
    let mut request = Request::new(StatusRequest {});
    request.metadata_mut().insert("x-cosmos-block-height", "2".parse().unwrap());
    let status: StatusResponse = server.send(&format!("{NODE}Status"), request).unwrap().into_inner();
    assert_eq!((status.height, status.app_hash.len(), status.validator_hash.len()), (2, 32, 32));

    let path = format!("{COMET}ABCIQuery");
    let ask = |path: &str| AbciQueryRequest { path: path.into(), ..Default::default() };
    let version: AbciQueryResponse = server.ask(&path, ask("/app/version")).unwrap();
    assert_eq!((version.code, version.value), (0, env!("CARGO_PKG_VERSION").into()));
    for wrong in ["", &path, "/cosmos.bank.v1beta1.Query/Params"] {
        assert_eq!(server.refused::<AbciQueryResponse>(&path, ask(wrong)).code(), Code::InvalidArgument);
    }
}

/// `ServerReflectionRequest` of one text at a tag.
fn question(tag: u32, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::string::encode(tag, &text.to_owned(), &mut bytes);
    bytes
}

#[test]
fn reflection_lists_every_service_and_each_declared_method_is_answered() {
    let server = Server::start(&[]);
    let pool = aceso_proto::pool();
    let declared: BTreeSet<String> = pool
        .services()
        .filter(|service| service.name() != "Msg")
        .map(|service| service.full_name().to_owned())
        .collect();
    assert!(declared.contains("cosmos.bank.v1beta1.Query") && declared.contains("aceso.reads.v1.Query"));
    for version in ["v1", "v1alpha"] {
        let asked = |bytes: Vec<u8>| {
            let name = format!("grpc.reflection.{version}.ServerReflectionResponse");
            let answer =
                server.stream(&format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"), bytes);
            prost_reflect::DynamicMessage::decode(pool.get_message_by_name(&name).unwrap(), &answer[..]).unwrap()
        };
        let listed = asked(question(7, "*"));
        let listed = listed.get_field_by_name("list_services_response").unwrap();
        let rows = listed.as_message().unwrap().get_field_by_name("service").unwrap();
        let listed: BTreeSet<String> = rows
            .as_list()
            .unwrap()
            .iter()
            .map(|row| row.as_message().unwrap().get_field_by_name("name").unwrap().as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, declared);
        for (tag, name) in [
            (4, "cosmos.bank.v1beta1.Query"),
            (4, "cosmos.bank.v1beta1.Query.Balance"),
            (4, "aceso.reads.v1.MsgGrant.terms"),
            (4, "aceso.blobs.v1.BlobStatus"),
            (3, "google/protobuf/any.proto"),
        ] {
            let answer = asked(question(tag, name));
            let files = answer.get_field_by_name("file_descriptor_response").unwrap();
            let files = files.as_message().unwrap().get_field_by_name("file_descriptor_proto").unwrap();
            assert_eq!(files.as_list().unwrap().len(), 1, "{name}");
        }
        let missing = asked(question(4, "cosmos.nothing.Query"));
        let error = missing.get_field_by_name("error_response").unwrap();
        assert_eq!(error.as_message().unwrap().get_field_by_name("error_code").unwrap().as_i32(), Some(5));
    }
    for service in pool.services().filter(|service| service.name() != "Msg") {
        for method in service.methods().filter(|method| !method.is_client_streaming()) {
            let path = format!("/{}/{}", service.full_name(), method.name());
            if let Err(status) = server.ask::<()>(&path, ()) {
                assert_ne!(status.code(), Code::Unimplemented, "{path}: {status}");
                assert!(!status.message().contains("unknown query path"), "{path}: {status}");
            }
        }
    }
    for path in
        ["/cosmos.bank.v1beta1.Query/Nothing", "/cosmos.nothing.Query/Balance", "/cosmos.bank.v1beta1.Msg/Send", "/x"]
    {
        assert_eq!(server.ask::<()>(path, ()).unwrap_err().code(), Code::Unimplemented, "{path}");
    }
}

impl Server {
    /// The first answer of a stream to one message.
    fn stream(&self, path: &str, message: Vec<u8>) -> Vec<u8> {
        let path = path.parse().unwrap();
        self.runtime.block_on(async {
            let mut client = Grpc::new(self.channel.clone());
            client.ready().await.unwrap();
            let asked = Request::new(futures::stream::iter([Raw(message)]));
            let mut answers = client.streaming(asked, path, RawCodec).await.unwrap().into_inner();
            let first = answers.message().await.unwrap().unwrap();
            assert!(answers.message().await.unwrap().is_none());
            first.0
        })
    }
}

/// A message as it travels.
struct Raw(Vec<u8>);

#[derive(Clone, Copy)]
struct RawCodec;

impl tonic::codec::Codec for RawCodec {
    type Encode = Raw;
    type Decode = Raw;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl tonic::codec::Encoder for RawCodec {
    type Item = Raw;
    type Error = Status;

    fn encode(&mut self, message: Raw, out: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(out, &message.0);
        Ok(())
    }
}

impl tonic::codec::Decoder for RawCodec {
    type Item = Raw;
    type Error = Status;

    fn decode(&mut self, message: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Raw>, Status> {
        let length = bytes::Buf::remaining(message);
        Ok(Some(Raw(bytes::Buf::copy_to_bytes(message, length).to_vec())))
    }
}

#[test]
fn what_is_too_large_or_no_question_is_refused() {
    let server = Server::start(&[]);
    let path = format!("{TX}TxDecode");
    let large = TxDecodeRequest { tx_bytes: vec![0; (6 << 20) + 1] };
    let refused = server.ask::<TxDecodeResponse>(&path, large).unwrap_err();
    assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted), "{refused}");
    // The connection goes on.
    assert!(server.ask::<GetSyncingResponse>(&format!("{COMET}GetSyncing"), GetSyncingRequest {}).is_ok());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    assert_eq!(agent.get(format!("{}/", server.at())).call().unwrap().status(), 400);
}

#[test]
fn streams_of_a_connection_and_requests_of_a_client_are_bounded() {
    use std::io::{Read, Write};
    let server = Server::start(&[]);
    // What a connection is told first: an empty frame of settings is answered with the server's own (RFC 9113, 6.5.2).
    let mut stream = std::net::TcpStream::connect(server.at().trim_start_matches("http://")).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload).unwrap();
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let settings: Vec<_> = payload.chunks(6).map(|one| (number(&one[..2]), number(&one[2..]))).collect();
    assert_eq!(head[3], 4, "settings come first");
    assert!(settings.contains(&(3, 64)) && settings.contains(&(6, 16 << 10)), "{settings:?}");

    // As many requests that never end as a connection takes, which is one address's half of the room.
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let open: Vec<_> = (0..64)
        .map(|_| {
            server.runtime.block_on(async {
                let mut client = Grpc::new(server.channel.clone());
                client.ready().await.unwrap();
                let endless = Request::new(futures::stream::pending::<Raw>());
                client.streaming(endless, path.parse().unwrap(), RawCodec).await.unwrap()
            })
        })
        .collect();
    let at = server.at().to_owned();
    let other = server.runtime.block_on(Channel::from_shared(at).unwrap().connect()).unwrap();
    let ask = || {
        server.runtime.block_on(async {
            let mut client = Grpc::new(other.clone());
            client.ready().await.unwrap();
            let path = format!("{COMET}GetSyncing").parse().unwrap();
            let codec = ProstCodec::<GetSyncingRequest, GetSyncingResponse>::default();
            client.unary(Request::new(GetSyncingRequest {}), path, codec).await
        })
    };
    let refused = ask().unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("64 requests"), "{refused}");
    drop(open);
    wait(|| ask().ok());
}

#[test]
fn a_page_asks_over_http_1() {
    let server = Server::start(&[]);
    let url = format!("{}/cosmos.bank.v1beta1.Query/Balance", server.at());
    let question =
        QueryBalanceRequest { address: server.wallet.address.clone(), denom: "uaceso".into() }.encode_to_vec();
    let frame = [&[0][..], &u32::try_from(question.len()).unwrap().to_be_bytes(), &question].concat();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let post = |url: &str, body: &[u8]| {
        let request =
            agent.post(url).header("content-type", "application/grpc-web+proto").header("origin", "http://page");
        let mut response = request.header("x-grpc-web", "1").send(body).unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["access-control-allow-origin"]),
            (200, &"*".parse().unwrap())
        );
        let bytes = response.body_mut().read_to_vec().unwrap();
        (response.headers().clone(), bytes)
    };
    let (_, bytes) = post(&url, &frame);
    let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
    let (message, trailers) = bytes[5..].split_at(length);
    assert_eq!((bytes[0], trailers[0]), (0, 0x80));
    let balance = QueryBalanceResponse::decode(message).unwrap().balance.unwrap();
    assert_eq!(balance.amount, "1000000000000");
    let trailers = String::from_utf8_lossy(&trailers[5..]).into_owned();
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
    // A refusal has no message; its status is in the headers or in the trailers.
    let (headers, bytes) = post(&format!("{}/cosmos.bank.v1beta1.Query/Nothing", server.at()), &frame);
    let told = format!("{headers:?}{}", String::from_utf8_lossy(&bytes));
    assert!(told.contains("grpc-status") && told.contains("12"), "{told}");
    // What the browser asks first.
    let preflight = ureq::http::Request::options(&url).header("origin", "http://page").body(()).unwrap();
    let allowed = agent.run(preflight).unwrap();
    let headers = allowed.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.status() == 204 && headers.contains("x-grpc-web") && headers.contains("grpc-timeout"), "{headers}");
}
