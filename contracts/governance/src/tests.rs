//! Each message, each refusal with its sentence, each kind of threshold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cosmwasm_std::{
    Addr, BankMsg, CosmosMsg, Decimal, Env, MessageInfo, OwnedDeps, Response, coins, from_json,
    testing::{MockApi, MockQuerier, MockStorage, message_info, mock_dependencies, mock_env},
};
use cw_utils::{Duration, Expiration, Threshold, ThresholdResponse};
use expect_test::{Expect, expect, expect_file};

use crate::{
    contract::{execute, instantiate, migrate, query},
    error::ContractError,
    msg::{
        ExecuteMsg, InstantiateMsg, MigrateMsg, ProposalListResponse, ProposalResponse, QueryMsg, Status, Vote,
        VoteListResponse, VoteResponse, Voter, VoterListResponse, VoterResponse,
    },
    state::{DESCRIPTION_MAX, MSGS_MAX, PERIOD_MAX, TITLE_MAX, VOTERS_MAX},
};

struct Stage {
    deps: OwnedDeps<MockStorage, MockApi, MockQuerier>,
    env: Env,
}

fn account(name: &str) -> Addr {
    MockApi::default().addr_make(name)
}

fn voter(name: &str, weight: u64) -> Voter {
    Voter { addr: account(name).into(), weight }
}

fn percentage(percent: u64) -> Threshold {
    Threshold::AbsolutePercentage { percentage: Decimal::percent(percent) }
}

fn begin(voters: &[(&str, u64)], threshold: Threshold) -> InstantiateMsg {
    let voters = voters.iter().map(|(name, weight)| voter(name, *weight)).collect();
    InstantiateMsg { voters, threshold, max_voting_period: Duration::Height(10) }
}

fn payment() -> CosmosMsg {
    BankMsg::Send { to_address: account("clinic").into(), amount: coins(5, "uaceso") }.into()
}

impl Stage {
    fn try_new(msg: InstantiateMsg) -> Result<Self, ContractError> {
        let mut stage = Self { deps: mock_dependencies(), env: mock_env() };
        let info = message_info(&account("genesis"), &[]);
        instantiate(stage.deps.as_mut(), stage.env.clone(), info, msg)?;
        Ok(stage)
    }

    fn new(voters: &[(&str, u64)], threshold: Threshold) -> Self {
        Self::try_new(begin(voters, threshold)).unwrap()
    }

    fn send(&mut self, info: &MessageInfo, msg: ExecuteMsg) -> Result<Response, ContractError> {
        execute(self.deps.as_mut(), self.env.clone(), info.clone(), msg)
    }

    fn by(&mut self, name: &str, msg: ExecuteMsg) -> Result<Response, ContractError> {
        self.send(&message_info(&account(name), &[]), msg)
    }

    fn itself(&mut self, msg: ExecuteMsg) -> Result<Response, ContractError> {
        let info = message_info(&self.env.contract.address.clone(), &[]);
        self.send(&info, msg)
    }

    fn propose(&mut self, name: &str) -> Result<u64, ContractError> {
        let (title, description) = ("title".into(), "description".into());
        let response =
            self.by(name, ExecuteMsg::Propose { title, description, msgs: vec![payment()], latest: None })?;
        let id = response.attributes.into_iter().find(|attribute| attribute.key == "proposal_id").unwrap();
        Ok(id.value.parse().unwrap())
    }

    fn vote(&mut self, name: &str, proposal_id: u64, vote: Vote) -> Result<Response, ContractError> {
        self.by(name, ExecuteMsg::Vote { proposal_id, vote })
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, msg: QueryMsg) -> T {
        from_json(query(self.deps.as_ref(), self.env.clone(), msg).unwrap()).unwrap()
    }

    fn status(&self, proposal_id: u64) -> Status {
        self.ask::<ProposalResponse>(QueryMsg::Proposal { proposal_id }).status
    }
}

/// A refusal's sentence, in which accounts stand by their names.
fn sentence<T: std::fmt::Debug>(result: Result<T, ContractError>) -> String {
    let text = result.unwrap_err().to_string();
    ["a", "stranger"].into_iter().fold(text, |text, name| text.replace(account(name).as_str(), name))
}

fn refused<T: std::fmt::Debug>(result: Result<T, ContractError>, want: Expect) {
    want.assert_eq(&sentence(result));
}

/// How a proposal of the first member stands after these votes, while voting is open and when it is over.
fn weighed(threshold: Threshold, weights: &[u64], votes: &[Vote]) -> (Status, Status) {
    let names = ["a", "b", "c", "d", "e"];
    let members: Vec<_> = names.into_iter().zip(weights.iter().copied()).collect();
    let mut stage = Stage::new(&members, threshold);
    let id = stage.propose("a").unwrap();
    for (name, vote) in names[1..].iter().zip(votes) {
        stage.vote(name, id, *vote).unwrap();
    }
    let open = stage.status(id);
    stage.env.block.height += 10;
    (open, stage.status(id))
}

#[test]
fn thresholds_are_weighed_to_the_vote() {
    use Status::{Open, Passed, Rejected};
    use Vote::{Abstain, No, Veto, Yes};
    let count = |weight| Threshold::AbsoluteCount { weight };
    assert_eq!(weighed(count(3), &[1, 1, 1, 1], &[Yes]), (Open, Rejected));
    assert_eq!(weighed(count(3), &[1, 1, 1, 1], &[Yes, Yes]), (Passed, Passed));
    assert_eq!(weighed(count(3), &[1, 1, 1, 1], &[No]), (Open, Rejected));
    assert_eq!(weighed(count(3), &[1, 1, 1, 1], &[No, Veto]), (Rejected, Rejected));

    // Half of 5 is 3 votes, and those who abstain are not counted.
    assert_eq!(weighed(percentage(50), &[2, 1, 1, 1], &[]), (Open, Rejected));
    assert_eq!(weighed(percentage(50), &[2, 1, 1, 1], &[Yes]), (Passed, Passed));
    assert_eq!(weighed(percentage(50), &[2, 1, 1, 1], &[Abstain]), (Passed, Passed));
    assert_eq!(weighed(percentage(51), &[1, 1], &[No]), (Rejected, Rejected));
    assert_eq!(weighed(percentage(100), &[1, 1, 1], &[Yes]), (Open, Rejected));
    assert_eq!(weighed(percentage(100), &[1, 1, 1], &[Yes, Yes]), (Passed, Passed));

    let quorum = |threshold, quorum| Threshold::ThresholdQuorum {
        threshold: Decimal::percent(threshold),
        quorum: Decimal::percent(quorum),
    };
    // At the end only those who took part count, if enough did.
    assert_eq!(weighed(quorum(51, 40), &[1, 1, 1, 1, 1], &[Yes]), (Open, Passed));
    assert_eq!(weighed(quorum(51, 41), &[1, 1, 1, 1, 1], &[Yes]), (Open, Rejected));
    assert_eq!(weighed(quorum(51, 40), &[1, 1, 1, 1, 1], &[No]), (Open, Rejected));
    assert_eq!(weighed(quorum(51, 40), &[1, 1, 1, 1, 1], &[Yes, Yes]), (Passed, Passed));
    assert_eq!(weighed(quorum(51, 40), &[1, 1, 1, 1, 1], &[No, No]), (Open, Rejected));
    assert_eq!(weighed(quorum(51, 40), &[1, 1, 1, 1, 1], &[No, No, Veto]), (Rejected, Rejected));
    assert_eq!(weighed(quorum(50, 20), &[1, 1, 1], &[Abstain, Abstain]), (Passed, Passed));
    // Weights as large as they come.
    assert_eq!(weighed(percentage(50), &[u64::MAX / 2 + 1, u64::MAX / 2], &[]), (Passed, Passed));
}

#[test]
fn what_has_passed_is_sent_once_by_anybody() {
    let mut stage = Stage::new(&[("a", 1), ("b", 1), ("c", 1)], percentage(60));
    let id = stage.propose("a").unwrap();
    refused(
        stage.by("stranger", ExecuteMsg::Execute { proposal_id: id }),
        expect!["proposal 1 cannot be executed: open"],
    );
    stage.vote("b", id, Vote::Yes).unwrap();
    // Heard, though it changes nothing any more.
    stage.vote("c", id, Vote::No).unwrap();
    stage.env.block.height += 1_000;
    let done = stage.by("stranger", ExecuteMsg::Execute { proposal_id: id }).unwrap();
    assert_eq!(done.messages.len(), 1);
    assert_eq!(done.messages[0].msg, payment());
    refused(stage.by("a", ExecuteMsg::Execute { proposal_id: id }), expect!["proposal 1 cannot be executed: executed"]);
    refused(stage.by("a", ExecuteMsg::Execute { proposal_id: 9 }), expect!["proposal 9 does not exist"]);
}

#[test]
fn votes_are_cast_once_in_time_by_members() {
    let mut stage = Stage::new(&[("a", 1), ("b", 2), ("c", 1)], percentage(100));
    let id = stage.propose("a").unwrap();
    refused(stage.vote("stranger", id, Vote::Yes), expect!["stranger was no member when proposal 1 was made"]);
    refused(stage.vote("a", id, Vote::No), expect!["a has voted on proposal 1"]);
    stage.vote("b", id, Vote::Abstain).unwrap();
    stage.env.block.height += 10;
    refused(stage.vote("c", id, Vote::Yes), expect!["proposal 1 cannot be voted on: rejected"]);
    refused(stage.by("a", ExecuteMsg::Execute { proposal_id: id }), expect!["proposal 1 cannot be executed: rejected"]);
    stage.by("stranger", ExecuteMsg::Close { proposal_id: id }).unwrap();
    refused(stage.by("a", ExecuteMsg::Close { proposal_id: id }), expect!["proposal 1 cannot be closed: rejected"]);
    let open = stage.propose("a").unwrap();
    refused(stage.by("a", ExecuteMsg::Close { proposal_id: open }), expect!["proposal 2 cannot be closed: open"]);
}

#[test]
fn a_proposal_is_bounded_and_a_members() {
    let mut stage = Stage::new(&[("a", 1), ("b", 1)], percentage(100));
    let refusal = |stage: &mut Stage, name: &str, change: &dyn Fn(&mut String, &mut String, &mut Vec<CosmosMsg>)| {
        let (mut title, mut description, mut msgs) = ("t".to_string(), String::new(), vec![payment()]);
        change(&mut title, &mut description, &mut msgs);
        let msg = ExecuteMsg::Propose { title, description, msgs, latest: None };
        sentence(stage.by(name, msg))
    };
    expect!["stranger is no member"].assert_eq(&refusal(&mut stage, "stranger", &|_, _, _| {}));
    expect!["0 bytes of a title, not 1 to 140"].assert_eq(&refusal(&mut stage, "a", &|title, _, _| title.clear()));
    expect!["141 bytes of a title, not 1 to 140"]
        .assert_eq(&refusal(&mut stage, "a", &|title, _, _| *title = "x".repeat(TITLE_MAX + 1)));
    expect!["10001 bytes of a description, not 0 to 10000"]
        .assert_eq(&refusal(&mut stage, "a", &|_, text, _| *text = "x".repeat(DESCRIPTION_MAX + 1)));
    expect!["0 messages, not 1 to 32"].assert_eq(&refusal(&mut stage, "a", &|_, _, msgs| msgs.clear()));
    expect!["33 messages, not 1 to 32"]
        .assert_eq(&refusal(&mut stage, "a", &|_, _, msgs| *msgs = vec![payment(); MSGS_MAX + 1]));
    let large = refusal(&mut stage, "a", &|_, _, msgs| {
        *msgs = vec![BankMsg::Burn { amount: coins(1, "x".repeat(70_000)) }.into()];
    });
    assert!(large.ends_with("bytes of messages, not 0 to 65536"), "{large}");
}

#[test]
fn voting_ends_within_the_rules() {
    let mut stage = Stage::new(&[("a", 1), ("b", 1)], percentage(100));
    let now = stage.env.block.height;
    let mut until = |latest| {
        let (title, description) = ("t".into(), String::new());
        stage.by("a", ExecuteMsg::Propose { title, description, msgs: vec![payment()], latest: Some(latest) }).map(drop)
    };
    until(Expiration::AtHeight(now + 10)).unwrap();
    until(Expiration::AtHeight(now + 1)).unwrap();
    refused(
        until(Expiration::AtHeight(now + 11)),
        expect![
            "voting cannot end with expiration height: 12356; the rules say expiration height: 12355 at the latest"
        ],
    );
    refused(
        until(Expiration::AtHeight(now)),
        expect![
            "voting cannot end with expiration height: 12345; the rules say expiration height: 12355 at the latest"
        ],
    );
    refused(
        until(Expiration::Never {}),
        expect!["voting cannot end with expiration: never; the rules say expiration height: 12355 at the latest"],
    );
    let time = stage.env.block.time.plus_seconds(1);
    let (title, description) = ("t".into(), String::new());
    let latest = Some(Expiration::AtTime(time));
    assert!(stage.by("a", ExecuteMsg::Propose { title, description, msgs: vec![payment()], latest }).is_err());
    // By time, where the rules say so.
    stage.itself(ExecuteMsg::UpdateRules { threshold: percentage(100), max_voting_period: Duration::Time(5) }).unwrap();
    let id = stage.propose("a").unwrap();
    let shown: ProposalResponse = stage.ask(QueryMsg::Proposal { proposal_id: id });
    assert_eq!(shown.expires, Expiration::AtTime(stage.env.block.time.plus_seconds(5)));
}

#[test]
fn members_change_by_the_contracts_own_word_and_open_proposals_keep_theirs() {
    let mut stage = Stage::new(&[("a", 1), ("b", 1), ("c", 1)], percentage(60));
    let add = |members: &[(&str, u64)]| members.iter().map(|(name, weight)| voter(name, *weight)).collect::<Vec<_>>();
    let update = |remove: &[&str], new: &[(&str, u64)]| ExecuteMsg::UpdateMembers {
        remove: remove.iter().map(|name| account(name).into()).collect(),
        add: add(new),
    };
    refused(
        stage.by("a", update(&[], &[("d", 1)])),
        expect!["a asks, and only the contract itself may; make a proposal"],
    );

    let before = stage.propose("a").unwrap();
    stage.itself(update(&["b"], &[("a", 5), ("d", 7)])).unwrap();
    // In the same block: those who came later do not vote, those who left do, and nobody weighs more than then.
    assert!(matches!(stage.vote("d", before, Vote::Yes), Err(ContractError::NotVoter { proposal: 1, .. })));
    stage.vote("b", before, Vote::No).unwrap();
    assert_eq!(stage.status(before), Status::Open);
    stage.vote("c", before, Vote::Yes).unwrap();
    assert_eq!(stage.status(before), Status::Passed);
    let shown: ProposalResponse = stage.ask(QueryMsg::Proposal { proposal_id: before });
    assert_eq!(
        shown.threshold,
        ThresholdResponse::AbsolutePercentage { percentage: Decimal::percent(60), total_weight: 3 }
    );

    let after = stage.propose("d").unwrap();
    assert!(matches!(stage.vote("b", after, Vote::Yes), Err(ContractError::NotVoter { .. })));
    assert_eq!(stage.status(after), Status::Open);
    stage.vote("c", after, Vote::Yes).unwrap();
    assert_eq!(stage.status(after), Status::Passed);
    let total: ThresholdResponse = stage.ask(QueryMsg::Threshold {});
    assert_eq!(total, ThresholdResponse::AbsolutePercentage { percentage: Decimal::percent(60), total_weight: 13 });
}

#[test]
fn members_and_rules_that_cannot_be_are_refused() {
    let make = |voters: &[(&str, u64)], threshold| match Stage::try_new(begin(voters, threshold)) {
        Ok(_) => String::new(),
        Err(error) => sentence(Err::<(), _>(error)),
    };
    expect!["0 members, not 1 to 200"].assert_eq(&make(&[], percentage(60)));
    expect!["a is named twice"].assert_eq(&make(&[("a", 1), ("a", 2)], percentage(60)));
    expect!["a weighs nothing; a member weighs at least 1"].assert_eq(&make(&[("a", 0)], percentage(60)));
    expect!["the weights of all add up to more than 18446744073709551615"]
        .assert_eq(&make(&[("a", u64::MAX), ("b", 1)], percentage(60)));
    expect!["Not possible to reach required (passing) weight"]
        .assert_eq(&make(&[("a", 1)], Threshold::AbsoluteCount { weight: 2 }));
    assert!(!make(&[("a", 1)], percentage(49)).is_empty());
    assert!(!make(&[("a", 1)], percentage(101)).is_empty());
    let many: Vec<Voter> = (0..=VOTERS_MAX).map(|one| voter(&format!("m{one}"), 1)).collect();
    let msg = InstantiateMsg { voters: many, ..begin(&[], percentage(60)) };
    refused(Stage::try_new(msg).map(drop), expect!["201 members to add, not 0 to 200"]);
    let msg = InstantiateMsg { voters: vec![Voter { addr: "x".into(), weight: 1 }], ..begin(&[], percentage(60)) };
    refused(Stage::try_new(msg).map(drop), expect![[r#""x" is not an address of this chain"#]]);
    for length in [0, PERIOD_MAX + 1] {
        let msg = InstantiateMsg { max_voting_period: Duration::Time(length), ..begin(&[("a", 1)], percentage(60)) };
        assert!(matches!(Stage::try_new(msg), Err(ContractError::Period { .. })));
    }

    let mut stage = Stage::new(&[("a", 1), ("b", 1)], Threshold::AbsoluteCount { weight: 2 });
    let remove = |name: &str| ExecuteMsg::UpdateMembers { remove: vec![account(name).into()], add: vec![] };
    assert!(matches!(stage.itself(remove("stranger")), Err(ContractError::NotMember(_))));
    refused(stage.itself(remove("a")), expect!["Not possible to reach required (passing) weight"]);
    let rules = ExecuteMsg::UpdateRules { threshold: percentage(60), max_voting_period: Duration::Height(1) };
    assert!(matches!(stage.by("a", rules), Err(ContractError::NotItself { .. })));
    let paid = message_info(&account("a"), &coins(1, "uaceso"));
    refused(stage.send(&paid, ExecuteMsg::Close { proposal_id: 1 }), expect!["governance takes no coins"]);
}

#[test]
fn questions_are_answered_in_pages() {
    let mut stage = Stage::new(&[("a", 1), ("b", 2), ("c", 3)], percentage(100));
    for name in ["a", "b", "c"] {
        stage.propose(name).unwrap();
    }
    stage.vote("b", 1, Vote::Veto).unwrap();
    let list = |msg| -> Vec<u64> {
        stage.ask::<ProposalListResponse>(msg).proposals.into_iter().map(|proposal| proposal.id).collect()
    };
    assert_eq!(list(QueryMsg::ListProposals { start_after: Some(1), limit: None }), [2, 3]);
    assert_eq!(list(QueryMsg::ListProposals { start_after: None, limit: Some(1) }), [1]);
    assert_eq!(list(QueryMsg::ReverseProposals { start_before: Some(3), limit: None }), [2, 1]);
    let voters: VoterListResponse = stage.ask(QueryMsg::ListVoters { start_after: None, limit: Some(2) });
    let rest = QueryMsg::ListVoters { start_after: Some(voters.voters[1].addr.clone()), limit: None };
    assert_eq!(stage.ask::<VoterListResponse>(rest).voters.len(), 1);
    let weight = |name: &str| stage.ask::<VoterResponse>(QueryMsg::Voter { address: account(name).into() }).weight;
    assert_eq!((weight("b"), weight("stranger")), (Some(2), None));
    let vote =
        |name: &str| stage.ask::<VoteResponse>(QueryMsg::Vote { proposal_id: 1, voter: account(name).into() }).vote;
    assert_eq!(vote("b").map(|vote| (vote.vote, vote.weight)), Some((Vote::Veto, 2)));
    assert_eq!(vote("c"), None);
    let votes = QueryMsg::ListVotes { proposal_id: 1, start_after: None, limit: None };
    assert_eq!(stage.ask::<VoteListResponse>(votes).votes.len(), 2);
    let missing = QueryMsg::Proposal { proposal_id: 9 };
    assert!(query(stage.deps.as_ref(), stage.env.clone(), missing).is_err());
}

/// The wire that cw3's tools speak.
#[test]
fn it_speaks_cw3() {
    let read = |json: &str| from_json::<ExecuteMsg>(json.as_bytes()).unwrap();
    read(
        r#"{"propose":{"title":"t","description":"d","msgs":[{"any":{"type_url":"/a","value":"AQ=="}}],"latest":{"at_height":9}}}"#,
    );
    read(r#"{"propose":{"title":"t","description":"d","msgs":[]}}"#);
    read(r#"{"vote":{"proposal_id":1,"vote":"abstain"}}"#);
    read(r#"{"execute":{"proposal_id":1}}"#);
    let mut stage = Stage::new(&[("a", 1)], percentage(100));
    stage.propose("a").unwrap();
    let shown = query(stage.deps.as_ref(), stage.env.clone(), QueryMsg::Proposal { proposal_id: 1 }).unwrap();
    let shown = String::from_utf8(shown.to_vec()).unwrap();
    let shown = shown.replace(account("a").as_str(), "a").replace(account("clinic").as_str(), "clinic");
    expect![[r#"{"id":1,"title":"title","description":"description","msgs":[{"bank":{"send":{"to_address":"clinic","amount":[{"denom":"uaceso","amount":"5"}]}}}],"status":"passed","expires":{"at_height":12355},"threshold":{"absolute_percentage":{"percentage":"1","total_weight":1}},"proposer":"a","deposit":null}"#]].assert_eq(&shown);
}

#[test]
fn only_its_own_code_migrates() {
    let mut stage = Stage::new(&[("a", 1)], percentage(60));
    let env = stage.env.clone();
    migrate(stage.deps.as_mut(), env.clone(), MigrateMsg {}).unwrap();
    cw2::set_contract_version(stage.deps.as_mut().storage, "other", "1").unwrap();
    refused(
        migrate(stage.deps.as_mut(), env, MigrateMsg {}),
        expect!["the stored contract is other, not aceso-governance"],
    );
}

/// A wire change shows up in review. `UPDATE_EXPECT=1 cargo test --release -p aceso-governance` writes the file anew.
#[test]
fn the_committed_schema_is_this_one() {
    let schema = cosmwasm_schema::generate_api! {
        name: "aceso-governance",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    };
    expect_file!["../schema/aceso-governance.json"].assert_eq(&(schema.render().to_string().unwrap() + "\n"));
}
