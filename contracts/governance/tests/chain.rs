//! The contract as the authority of a chain from its first block on: its members vote a validator in, weigh it, vote it
//! out; they change parameters and schedule an upgrade; what the chain refuses changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::Arc};

use aceso_app::{
    App, Config, Reopen, Shown,
    attest::AttestKey,
    genesis_contract,
    upgrade::{Rules, Upgrade},
};
use aceso_blobs::{BlobStore, Options};
use aceso_governance::msg::{ExecuteMsg, InstantiateMsg, ProposalResponse, QueryMsg, Status, Vote, Voter};
use aceso_types::{
    genesis::{Attester, Balance, Coin as GenesisCoin, Genesis, GenesisContract, Params},
    msg::{MsgScheduleUpgrade, MsgSetValidator, MsgUpdateParams, Named},
    query::{Asked, QueryUpgrade, QueryValidators, ValidatorRows},
};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
        base::v1beta1::Coin,
        crypto::secp256k1::PubKey,
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw, mode_info},
        },
    },
    cosmwasm::wasm::v1::{MsgExecuteContract, QuerySmartContractStateRequest, QuerySmartContractStateResponse},
};
use cosmwasm_std::{AnyMsg, CosmosMsg, Decimal, WasmMsg, to_json_binary};
use cw_utils::{Duration, Threshold};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use prost::{Message, Name};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use tendermint::{
    Hash, PublicKey, Time,
    abci::types::{CommitInfo, ExecTxResult},
    account, consensus, evidence, public_key,
    v0_38::abci::{request, response},
    validator,
};

/// Nothing is sealed here, so nothing is opened.
struct NoRecords;

impl Reopen for NoRecords {
    fn outcome(&self, _: &Shown<'_>) -> aceso_types::sealed::Outcome {
        panic!("there are no records")
    }
}

const CHAIN: &str = "aceso-test";
const DENOM: &str = "uaceso";
const FIRST: [u8; 32] = [0x11; 32];
const SECOND: [u8; 32] = [0x22; 32];

struct Member(SigningKey);

impl Member {
    fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_encoded_point(true).as_bytes().to_vec()
    }

    fn address(&self) -> String {
        let hash = Ripemd160::digest(Sha256::digest(self.public()));
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("aceso").unwrap(), &hash).unwrap()
    }
}

fn sdk<M: Message + Name>(msg: &M) -> Any {
    Any { type_url: M::type_url(), value: msg.encode_to_vec() }
}

/// A message of ours as a contract sends it.
fn native<M: Named>(msg: &M) -> CosmosMsg {
    CosmosMsg::Any(AnyMsg { type_url: M::TYPE_URL.into(), value: msg.encode_to_vec().into() })
}

struct Chain {
    app: App,
    height: u64,
    governance: String,
    members: Vec<Member>,
    nobody: Member,
    _dir: tempfile::TempDir,
}

static UPGRADES: &[Upgrade] = &[Upgrade { name: "second-opinion", rules: Rules::Gated, migrate: |_| Ok(()) }];

fn time(at: u64) -> Time {
    Time::from_unix_timestamp(1_800_000_000 + i64::try_from(at).unwrap(), 0).unwrap()
}

impl Chain {
    /// Three members with one vote each, of which two are enough; one validator of power 10.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
        let app = App::open(Config { upgrades: UPGRADES, ..Config::new(dir.path(), blobs, &NoRecords) }).unwrap();
        let code = aceso_test_support::contract("governance");
        let governance = genesis_contract(&code, b"authority", "aceso").unwrap();
        let members: Vec<Member> = (1..4).map(Member::new).collect();
        let nobody = Member::new(9);
        let begin = InstantiateMsg {
            voters: members.iter().map(|one| Voter { addr: one.address(), weight: 1 }).collect(),
            threshold: Threshold::AbsolutePercentage { percentage: Decimal::percent(51) },
            max_voting_period: Duration::Height(50),
        };
        let rich = |one: &Member| Balance {
            address: one.address(),
            coins: vec![GenesisCoin { denom: DENOM.into(), amount: "1000000000".into() }],
        };
        let attest = AttestKey::generate(&[7; 32]).unwrap();
        let genesis = Genesis {
            prefix: "aceso".into(),
            denom: DENOM.into(),
            balances: members.iter().chain([&nobody]).map(rich).collect(),
            denom_metadata: vec![],
            vesting: vec![],
            codes: vec![],
            attesters: vec![Attester {
                consensus_key: FIRST.to_vec(),
                bls_key: attest.public().to_vec(),
                possession: attest.possession(&FIRST, 0).to_vec(),
                operator: String::new(),
                name: String::new(),
            }],
            authority: governance.clone(),
            params: Params::default(),
            contracts: vec![GenesisContract {
                code,
                code_id: 0,
                label: "governance".into(),
                admin: "self".into(),
                msg: serde_json::to_value(&begin).unwrap(),
                salt: "authority".into(),
            }],
            proof_spec: serde_json::from_str(&aceso_state::proof_spec_json()).unwrap(),
            state: None,
        };
        app.init_chain(request::InitChain {
            time: time(0),
            chain_id: CHAIN.into(),
            consensus_params: consensus::Params {
                block: tendermint::block::Size { max_bytes: 4 << 20, max_gas: 200_000_000, time_iota_ms: 1 },
                evidence: evidence::Params {
                    max_age_num_blocks: 1,
                    max_age_duration: evidence::Duration(std::time::Duration::from_secs(1)),
                    max_bytes: 0,
                },
                validator: consensus::params::ValidatorParams { pub_key_types: vec![public_key::Algorithm::Ed25519] },
                version: None,
                abci: consensus::params::AbciParams { vote_extensions_enable_height: Some(1_u32.into()) },
            },
            validators: vec![validator::Update {
                pub_key: PublicKey::from_raw_ed25519(&FIRST).unwrap(),
                power: 10_u32.into(),
            }],
            app_state_bytes: serde_json::to_vec(&genesis).unwrap().into(),
            initial_height: 1_u32.into(),
        })
        .unwrap();
        let mut chain = Self { app, height: 0, governance, members, nobody, _dir: dir };
        chain.block(vec![]);
        chain
    }

    fn block(&mut self, txs: Vec<Vec<u8>>) -> response::FinalizeBlock {
        self.height += 1;
        let done = self.app.finalize_block(request::FinalizeBlock {
            txs: txs.into_iter().map(Into::into).collect(),
            decided_last_commit: CommitInfo { round: 0_u16.into(), votes: vec![] },
            misbehavior: vec![],
            hash: Hash::None,
            height: self.height.try_into().unwrap(),
            time: time(self.height),
            next_validators_hash: Hash::None,
            proposer_address: account::Id::new([0; 20]),
        });
        self.app.commit().unwrap();
        done.unwrap()
    }

    fn query<A: Message + Default>(&self, path: &str, request: &impl Message) -> A {
        let data = request.encode_to_vec().into();
        let answer = self.app.query(request::Query { data, path: path.into(), height: 0_u32.into(), prove: false });
        assert!(answer.code.is_ok(), "{path}: {}", answer.log);
        A::decode(answer.value).unwrap()
    }

    fn sign(&self, member: &Member, msg: &ExecuteMsg) -> Vec<u8> {
        let execute = MsgExecuteContract {
            sender: member.address(),
            contract: self.governance.clone(),
            msg: serde_json::to_vec(msg).unwrap(),
            funds: vec![],
        };
        let request = QueryAccountRequest { address: member.address() };
        let account: QueryAccountResponse = self.query("/cosmos.auth.v1beta1.Query/Account", &request);
        let account = BaseAccount::decode(&account.account.unwrap().value[..]).unwrap();
        let body = TxBody { messages: vec![sdk(&execute)], ..TxBody::default() };
        let single = mode_info::Single { mode: SignMode::Direct.into() };
        let signer = SignerInfo {
            public_key: Some(sdk(&PubKey { key: member.public() })),
            mode_info: Some(ModeInfo { sum: Some(mode_info::Sum::Single(single)) }),
            sequence: account.sequence,
        };
        let amount = vec![Coin { denom: DENOM.into(), amount: "250000".into() }];
        let fee = Fee { amount, gas_limit: 10_000_000, ..Fee::default() };
        let auth = AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..AuthInfo::default() };
        let (body_bytes, auth_info_bytes) = (body.encode_to_vec(), auth.encode_to_vec());
        let doc = SignDoc {
            body_bytes: body_bytes.clone(),
            auth_info_bytes: auth_info_bytes.clone(),
            chain_id: CHAIN.into(),
            account_number: account.account_number,
        };
        let signature: Signature = member.0.sign(&doc.encode_to_vec());
        TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature.to_bytes().to_vec()] }.encode_to_vec()
    }

    fn send(&mut self, member: usize, msg: &ExecuteMsg) -> (ExecTxResult, response::FinalizeBlock) {
        let tx = self.sign(&self.members[member], msg);
        let done = self.block(vec![tx]);
        (done.tx_results[0].clone(), done)
    }

    fn ok(&mut self, member: usize, msg: &ExecuteMsg) -> response::FinalizeBlock {
        let (result, done) = self.send(member, msg);
        assert!(result.code.is_ok(), "{}", result.log);
        done
    }

    /// Proposed by the first member and passed by the second; answers its number.
    fn passed(&mut self, msgs: Vec<CosmosMsg>) -> u64 {
        let (title, description) = ("title".into(), String::new());
        let done = self.ok(0, &ExecuteMsg::Propose { title, description, msgs, latest: None });
        let events = &done.tx_results[0].events;
        let attributes = events.iter().filter(|event| event.kind == "wasm").flat_map(|event| &event.attributes);
        let attributes: BTreeMap<_, _> =
            attributes.map(|one| (one.key_str().unwrap(), one.value_str().unwrap())).collect();
        let proposal_id = attributes["proposal_id"].parse().unwrap();
        assert_eq!(self.status(proposal_id), Status::Open);
        self.ok(1, &ExecuteMsg::Vote { proposal_id, vote: Vote::Yes });
        assert_eq!(self.status(proposal_id), Status::Passed);
        proposal_id
    }

    /// Proposed, passed and executed.
    fn decide(&mut self, msgs: Vec<CosmosMsg>) -> response::FinalizeBlock {
        let proposal_id = self.passed(msgs);
        self.ok(2, &ExecuteMsg::Execute { proposal_id })
    }

    fn status(&self, proposal_id: u64) -> Status {
        let request = QuerySmartContractStateRequest {
            address: self.governance.clone(),
            query_data: serde_json::to_vec(&QueryMsg::Proposal { proposal_id }).unwrap(),
        };
        let answer: QuerySmartContractStateResponse =
            self.query("/cosmwasm.wasm.v1.Query/SmartContractState", &request);
        serde_json::from_slice::<ProposalResponse>(&answer.data).unwrap().status
    }

    fn validators(&self) -> Vec<(u64, String)> {
        let rows: ValidatorRows = self.query(QueryValidators::PATH, &QueryValidators { page: None });
        rows.rows.into_iter().map(|row| (row.power, row.name)).collect()
    }

    fn set(&self, power: u64) -> CosmosMsg {
        native(&MsgSetValidator {
            authority: self.governance.clone(),
            consensus_key: SECOND.to_vec(),
            power,
            operator: self.members[0].address(),
            name: "clinic".into(),
        })
    }

    fn params(&self, json: &str) -> CosmosMsg {
        let (authority, params) = (self.governance.clone(), json.as_bytes().to_vec());
        native(&MsgUpdateParams { authority, params, consensus: vec![] })
    }
}

fn powers(done: &response::FinalizeBlock) -> Vec<u64> {
    done.validator_updates.iter().map(|one| one.power.value()).collect()
}

#[test]
fn members_vote_a_validator_in_weigh_it_and_vote_it_out() {
    let mut chain = Chain::start();
    assert_eq!(powers(&chain.decide(vec![chain.set(5)])), [5]);
    assert_eq!(chain.validators(), [(10, String::new()), (5, "clinic".into())]);
    assert_eq!(powers(&chain.decide(vec![chain.set(7)])), [7]);
    assert_eq!(powers(&chain.decide(vec![chain.set(0)])), [0]);
    assert_eq!(chain.validators(), [(10, String::new()), (0, "clinic".into())]);
}

#[test]
fn members_change_parameters_and_schedule_an_upgrade() {
    let mut chain = Chain::start();
    chain.decide(vec![chain.params(r#"{"memo_bytes_max": 3, "blob_price_micro": 2}"#)]);
    let params = chain.app.chain().unwrap().params;
    assert_eq!((params.memo_bytes_max, params.blob_price_micro), (3, 2));
    let height = chain.height + 6;
    let (authority, name) = (chain.governance.clone(), "second-opinion".into());
    chain.decide(vec![native(&MsgScheduleUpgrade { authority, name, height, info: String::new() })]);
    while chain.height < height {
        chain.block(vec![]);
    }
    let upgrade = chain.query::<<QueryUpgrade as Asked>::Answer>(QueryUpgrade::PATH, &QueryUpgrade {});
    assert_eq!((upgrade.name.as_str(), upgrade.done[0].height), ("", height));
}

#[test]
fn a_proposal_that_would_break_the_spread_changes_nothing() {
    let mut chain = Chain::start();
    chain.decide(vec![chain.set(10), chain.params(r#"{"power_share_max_bps": 6000}"#)]);
    let before = (chain.validators(), chain.app.chain().unwrap().params);
    // The first message alone would be fine: all or none.
    let proposal_id = chain.passed(vec![chain.params(r#"{"memo_bytes_max": 3}"#), chain.set(90)]);
    let (result, done) = chain.send(2, &ExecuteMsg::Execute { proposal_id });
    assert_eq!((result.codespace.as_str(), result.code.value()), ("aceso", 704), "{}", result.log);
    assert!(result.log.contains("90 of 100, 9000 bps"), "{}", result.log);
    assert!(done.validator_updates.is_empty());
    assert_eq!((chain.validators(), chain.app.chain().unwrap().params), before);
    assert_eq!(chain.status(proposal_id), Status::Passed);
}

#[test]
fn whoever_is_no_member_is_refused() {
    let mut chain = Chain::start();
    let (title, description, msgs) = ("t".into(), String::new(), vec![chain.set(5)]);
    let propose = ExecuteMsg::Propose { title, description, msgs, latest: None };
    let tx = chain.sign(&chain.nobody, &propose);
    let result = chain.block(vec![tx]).tx_results.remove(0);
    assert_eq!((result.codespace.as_str(), result.code.value()), ("wasm", 5));
    assert!(result.log.contains("is no member"), "{}", result.log);
    let proposal_id = chain.passed(vec![chain.set(5)]);
    let tx = chain.sign(&chain.nobody, &ExecuteMsg::Vote { proposal_id, vote: Vote::No });
    assert!(!chain.block(vec![tx]).tx_results[0].code.is_ok());
    // Its members change by its own word.
    let update = ExecuteMsg::UpdateMembers {
        remove: vec![chain.members[2].address()],
        add: vec![Voter { addr: chain.nobody.address(), weight: 1 }],
    };
    assert!(!chain.send(0, &update).0.code.is_ok());
    let contract_addr = chain.governance.clone();
    let msg = to_json_binary(&update).unwrap();
    chain.decide(vec![WasmMsg::Execute { contract_addr, msg, funds: vec![] }.into()]);
    let tx = chain.sign(&chain.nobody, &propose);
    assert!(chain.block(vec![tx]).tx_results[0].code.is_ok());
    assert!(!chain.send(2, &propose).0.code.is_ok());
}
