//! Each message, each refusal with its sentence, each edge of a rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_contract::testing::{Host, MockDeps, Registration, Script, Stated};
use aceso_interface::{
    Image, Model,
    consent::{Decision, GuardExecuteMsg, GuardQueryMsg, MayViewResponse, Rule},
};
use aceso_types::{BlobId, ModelId, journal::Event};
use cosmwasm_std::{
    Addr, Env, MessageInfo, Response, Timestamp, coins, from_json,
    testing::{MockApi, message_info, mock_env},
    to_json_string,
};
use expect_test::{Expect, expect, expect_file};

use crate::{
    contract::{execute, instantiate, migrate, query},
    error::ContractError,
    msg::{CheckResponse, ExecuteMsg, GrantState, GrantsResponse, InstantiateMsg, MigrateMsg, Of, QueryMsg},
    state::PER_IMAGE_MAX,
};

mod sealed;

const NOW: u64 = 1_000_000;

struct Stage {
    host: Host,
    deps: MockDeps,
    env: Env,
    image: Image,
}

fn account(name: &str) -> Addr {
    MockApi::default().addr_make(name)
}

fn model(byte: u8) -> Model {
    Model::from(ModelId(aceso_types::Digest([byte; 32])))
}

fn rule() -> Rule {
    Rule {
        decision: Decision::Permit { max_uses: 1 },
        actors: vec![account("physician").into()],
        via: vec![],
        purposes: vec!["TREAT".into()],
        models: vec![],
        not_before: NOW,
        not_after: NOW + 100,
    }
}

impl Stage {
    fn new() -> Self {
        let host = Host::new(Script);
        let mut env = mock_env();
        env.block.time = Timestamp::from_seconds(NOW);
        let mut stage = Self { deps: host.deps(), host, env, image: Image::from(BlobId::of_raw(b"")) };
        stage.image = stage.register(b"image", "patient", stage.env.contract.address.as_str());
        let info = message_info(&account("operator"), &[]);
        instantiate(stage.deps.as_mut(), stage.env.clone(), info, InstantiateMsg {}).unwrap();
        stage
    }

    fn register(&self, bytes: &[u8], owner: &str, guard: &str) -> Image {
        let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
        let registration = Registration { owner: account(owner).into(), guard: guard.into(), origin: None, stated };
        self.host.image(bytes, registration).into()
    }

    fn send(&mut self, info: &MessageInfo, msg: ExecuteMsg) -> Result<Response, ContractError> {
        let (env, guard) = (self.env.clone(), self.env.contract.address.to_string());
        self.host.clone().call(&guard, || execute(self.deps.as_mut(), env, info.clone(), msg)).unwrap()
    }

    fn grant_as(&mut self, sender: &str, images: Vec<Image>, rule: Rule) -> Result<u64, ContractError> {
        let info = message_info(&account(sender), &[]);
        let response = self.send(&info, ExecuteMsg::Grant { images, rule, sealed: false })?;
        Ok(from_json(response.data.unwrap()).unwrap())
    }

    fn grant(&mut self, change: impl FnOnce(&mut Rule)) -> Result<u64, ContractError> {
        let mut rule = rule();
        change(&mut rule);
        self.grant_as("patient", vec![self.image], rule)
    }

    fn revoke(&mut self, sender: &str, grant: u64) -> Result<Response, ContractError> {
        self.send(&message_info(&account(sender), &[]), ExecuteMsg::Revoke { grant })
    }

    fn ask(&mut self, caller: &str, model: Model, purpose: &str, actor: &str) -> Result<Response, ContractError> {
        self.host.transaction(&[account(actor).as_str()]);
        let (purpose, actor) = (purpose.into(), account(actor).into());
        let msg = ExecuteMsg::Use { image: self.image, model, purpose, actor, owner: None, opening: None };
        self.send(&message_info(&account(caller), &[]), msg)
    }

    /// The grant that answers the ordinary question: insurance, model 1, TREAT, physician.
    fn used(&mut self) -> Result<String, ContractError> {
        let response = self.ask("insurance", model(1), "TREAT", "physician")?;
        Ok(response.attributes.into_iter().find(|attribute| attribute.key == "grant").unwrap().value)
    }

    fn query<T: serde::de::DeserializeOwned>(&self, msg: QueryMsg) -> T {
        from_json(query(self.deps.as_ref(), self.env.clone(), msg).unwrap()).unwrap()
    }

    fn at(&mut self, seconds: u64) {
        self.env.block.time = Timestamp::from_seconds(seconds);
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, ContractError>, sentence: Expect) {
    sentence.assert_eq(&result.unwrap_err().to_string());
}

#[test]
fn a_grant_lets_read_and_the_answer_is_journalled() {
    let mut stage = Stage::new();
    let image = stage.image;
    assert_eq!(stage.grant(|_| ()).unwrap(), 1);
    assert_eq!(stage.used().unwrap(), "1");
    let entry = stage.host.journal().pop().unwrap();
    assert_eq!((entry.image, entry.model, entry.caller), (*image, *model(1), account("insurance").into()));
    let Event::Permitted { guard, grant, actor, purpose } = entry.event else { panic!("{:?}", entry.event) };
    assert_eq!((guard, grant), (stage.env.contract.address.to_string(), "1".into()));
    assert_eq!((actor, purpose), (account("physician").to_string(), "TREAT".to_owned()));
}

#[test]
fn a_refusal_is_journalled_with_its_sentence() {
    let mut stage = Stage::new();
    let grant = stage.grant(|rule| rule.purposes = vec!["HRESCH".into()]).unwrap();
    let sentence = stage.used().unwrap_err().to_string();
    let Event::Refused { grant: named, reason, .. } = stage.host.journal().pop().unwrap().event else { panic!() };
    assert_eq!((named, reason), (grant.to_string(), sentence));
}

#[test]
fn silence_means_no() {
    let mut stage = Stage::new();
    refused(
        stage.used(),
        expect!["no grant lets cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25 read this image"],
    );
    stage.grant(|rule| rule.actors = vec![account("nurse").into()]).unwrap();
    refused(
        stage.used(),
        expect!["no grant lets cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25 read this image"],
    );
}

#[test]
fn each_part_of_a_rule_refuses() {
    let check = |change: fn(&mut Rule), sentence: Expect| {
        let mut stage = Stage::new();
        stage.grant(change).unwrap();
        refused(stage.used(), sentence);
    };
    check(|rule| rule.not_before = NOW + 1, expect!["grant 1 does not hold before 1000001, and it is 1000000"]);
    check(
        |rule| rule.via = vec![account("market").into()],
        expect![
            "grant 1 does not let contract cosmwasm1vn5fx74ud4cu7tf0pls9u5krxengsdzr4e8g4aujf3c3nr92r7wsmnllvt read"
        ],
    );
    check(|rule| rule.purposes = vec!["HRESCH".into()], expect![[r#"grant 1 is not for purpose "TREAT""#]]);
    check(
        |rule| rule.models = vec![model(2)],
        expect!["grant 1 is not for model 0101010101010101010101010101010101010101010101010101010101010101"],
    );
}

#[test]
fn each_part_of_a_rule_allows() {
    for change in [
        |rule: &mut Rule| rule.via = vec![account("market").into(), account("insurance").into()],
        |rule: &mut Rule| rule.purposes = vec!["HRESCH".into(), "TREAT".into()],
        |rule: &mut Rule| rule.models = vec![model(2), model(1)],
        |rule: &mut Rule| rule.actors.insert(0, account("nurse").into()),
    ] {
        let mut stage = Stage::new();
        stage.grant(change).unwrap();
        assert_eq!(stage.used().unwrap(), "1");
    }
}

#[test]
fn a_period_holds_from_its_first_second_to_before_its_end() {
    let mut stage = Stage::new();
    stage.grant(|rule| rule.not_before = NOW + 10).unwrap();
    stage.at(NOW + 9);
    refused(stage.used(), expect!["grant 1 does not hold before 1000010, and it is 1000009"]);
    stage.at(NOW + 10);
    stage.used().unwrap();
    stage.at(NOW + 99);
    stage.used().unwrap();
    stage.at(NOW + 100);
    refused(stage.used(), expect!["grant 1 ended at 1000100, and it is 1000100"]);
}

#[test]
fn a_revoked_grant_is_none() {
    let mut stage = Stage::new();
    stage.grant(|_| ()).unwrap();
    refused(
        stage.revoke("physician", 1),
        expect![
            "grant 1 was given by another account than cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25"
        ],
    );
    stage.used().unwrap();
    stage.at(NOW + 5);
    stage.revoke("patient", 1).unwrap();
    stage.at(NOW + 6);
    refused(stage.used(), expect!["grant 1 was revoked at 1000005"]);
    refused(stage.revoke("patient", 1), expect!["grant 1 was revoked at 1000005"]);
    refused(stage.revoke("patient", 2), expect!["grant 2 does not exist"]);
}

#[test]
fn a_used_up_grant_refuses_and_the_next_one_answers() {
    let mut stage = Stage::new();
    let (image, guard) = (stage.image, stage.env.contract.address.to_string());
    let read_model = stage.host.model(&Script::manifest("m", 0), b"onnx", "author").unwrap();
    stage.grant(|_| ()).unwrap();
    stage.ask("insurance", read_model.into(), "TREAT", "physician").unwrap();
    let insurance = account("insurance");
    let read = || aceso_contract::read(&read_model, &image, "TREAT");
    stage.host.call(insurance.as_str(), read).unwrap().unwrap();
    assert_eq!(stage.host.uses(&guard, "1"), 1);
    refused(stage.used(), expect!["grant 1 is used up: 1 of 1"]);
    stage.grant(|rule| rule.decision = Decision::Permit { max_uses: 2 }).unwrap();
    assert_eq!(stage.used().unwrap(), "2");
    let listed: GrantState = stage.query(QueryMsg::Grant { grant: 1 });
    assert_eq!((listed.uses, listed.grant.revoked_at), (1, None));
}

#[test]
fn a_no_beats_every_yes() {
    let mut stage = Stage::new();
    stage.grant(|_| ()).unwrap();
    stage.grant(|rule| rule.decision = Decision::Deny {}).unwrap();
    stage.grant(|_| ()).unwrap();
    refused(
        stage.used(),
        expect!["grant 2 denies cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25 this read"],
    );
    stage.revoke("patient", 2).unwrap();
    assert_eq!(stage.used().unwrap(), "1");
}

#[test]
fn a_no_about_something_else_does_not_hinder() {
    let mut stage = Stage::new();
    stage.grant(|_| ()).unwrap();
    stage
        .grant(|rule| {
            rule.decision = Decision::Deny {};
            rule.purposes = vec!["HMARKT".into()];
        })
        .unwrap();
    assert_eq!(stage.used().unwrap(), "1");
}

#[test]
fn the_nearest_miss_is_told() {
    let mut stage = Stage::new();
    stage.grant(|rule| rule.models = vec![model(2)]).unwrap();
    stage.grant(|rule| rule.purposes = vec!["HRESCH".into()]).unwrap();
    refused(
        stage.used(),
        expect!["grant 1 is not for model 0101010101010101010101010101010101010101010101010101010101010101"],
    );
}

#[test]
fn a_purpose_that_is_none_is_bounded_in_the_journal() {
    let mut stage = Stage::new();
    stage.grant(|_| ()).unwrap();
    let long = format!("TREAT {}", "x".repeat(100_000));
    refused(
        stage.ask("insurance", model(1), &long, "physician").map(|_| ()),
        expect![[r#"grant 1 is not for purpose "TREATxxxxxxxxxxxxxxxxxxxxxxxxxxx""#]],
    );
    assert_eq!(stage.host.journal().len(), 1);
}

#[test]
fn an_actor_who_has_not_signed_ends_the_call() {
    let mut stage = Stage::new();
    stage.grant(|_| ()).unwrap();
    stage.host.transaction(&[account("somebody").as_str()]);
    let (env, guard) = (stage.env.clone(), stage.env.contract.address.to_string());
    let (purpose, actor) = ("TREAT".into(), account("physician").into());
    let msg = ExecuteMsg::Use { image: stage.image, model: model(1), purpose, actor, owner: None, opening: None };
    let info = message_info(&account("insurance"), &[]);
    let trap = stage.host.clone().call(&guard, || execute(stage.deps.as_mut(), env, info, msg)).unwrap_err();
    expect!["cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25 has not signed this transaction"]
        .assert_eq(&trap.to_string());
}

#[test]
fn only_the_registered_owner_grants() {
    let mut stage = Stage::new();
    let guard = stage.env.contract.address.to_string();
    let (known, other) = (stage.image, stage.register(b"other", "other", &guard));
    let (free, elsewhere) = (stage.register(b"free", "patient", ""), stage.register(b"else", "patient", "guard"));
    refused(
        stage.grant_as("physician", vec![known], rule()),
        expect![
            "image bafkreidbaxlmy5vpiabsl2knlcgoken6lp63w45ug7ofd3fehel5pjb6hu is registered by another account than cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25"
        ],
    );
    refused(
        stage.grant_as("patient", vec![known, other], rule()),
        expect![
            "image bafkreigzfgfbbunqonmdpxcl3bo2yza3b46o6j5epzovhjkpf47vwl6p7i is registered by another account than cosmwasm1y22l775tmzel9zzvvjppgm3aa5zp0aeqwtq8n7lzy0snaqaq8z8q875hfe"
        ],
    );
    refused(
        stage.grant_as("patient", vec![free], rule()),
        expect!["image bafkreifnsxk7uzi3vbwysi76ci4nesspdgekouvm7zbgvrzky7aei4n4c4 is not guarded by this contract"],
    );
    refused(
        stage.grant_as("patient", vec![elsewhere], rule()),
        expect!["image bafkreid52uymju3nur6ngm4woghpd6q6rqhx3epokuox7xa4oovgl3nukq is not guarded by this contract"],
    );
    refused(
        stage.grant_as("patient", vec![BlobId::of_raw(b"unknown").into()], rule()),
        expect!["image bafkreifshjviiooa3xsvcwet47eqyhrsgo4gc3tdirypedoeskf46nqjxq is not registered"],
    );
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    let check = |change: fn(&mut Rule), sentence: Expect| refused(Stage::new().grant(change), sentence);
    check(|rule| rule.actors.clear(), expect!["a grant names at least one of its actors"]);
    check(|rule| rule.actors = vec![account("a").into(); 33], expect!["a grant names at most 32 actors, not 33"]);
    check(|rule| rule.actors[0] = "nobody".into(), expect![[r#""nobody" is not an address of this chain"#]]);
    check(|rule| rule.via = vec![account("a").into(); 33], expect!["a grant names at most 32 contracts, not 33"]);
    check(|rule| rule.via = vec!["nobody".into()], expect![[r#""nobody" is not an address of this chain"#]]);
    check(|rule| rule.purposes.clear(), expect!["a grant names at least one of its purposes"]);
    check(|rule| rule.purposes = vec!["TREAT".into(); 33], expect!["a grant names at most 32 purposes, not 33"]);
    check(|rule| rule.purposes = vec!["treat".into()], expect![[r#""treat" is not a purpose that can be granted"#]]);
    check(|rule| rule.models = vec![model(1); 33], expect!["a grant names at most 32 models, not 33"]);
    check(|rule| rule.not_after = NOW, expect!["the period from 1000000 to 1000000 is empty"]);
    check(
        |rule| (rule.not_before, rule.not_after) = (0, NOW),
        expect!["the period ended at 1000000, and it is 1000000"],
    );
    check(|rule| rule.decision = Decision::Permit { max_uses: 0 }, expect!["a permit allows at least one use"]);
    let mut stage = Stage::new();
    let image = stage.image;
    refused(stage.grant_as("patient", vec![], rule()), expect!["a grant names at least one of its images"]);
    refused(stage.grant_as("patient", vec![image; 65], rule()), expect!["a grant names at most 64 images, not 65"]);
}

#[test]
fn grants_that_are_over_make_room() {
    let mut stage = Stage::new();
    for _ in 0..PER_IMAGE_MAX {
        stage.grant(|_| ()).unwrap();
    }
    refused(
        stage.grant(|_| ()),
        expect![
            "256 grants hold for image bafkreidbaxlmy5vpiabsl2knlcgoken6lp63w45ug7ofd3fehel5pjb6hu: revoke one first"
        ],
    );
    stage.revoke("patient", 7).unwrap();
    assert_eq!(stage.grant(|_| ()).unwrap(), 257);
    refused(
        stage.grant(|_| ()),
        expect![
            "256 grants hold for image bafkreidbaxlmy5vpiabsl2knlcgoken6lp63w45ug7ofd3fehel5pjb6hu: revoke one first"
        ],
    );
    stage.at(NOW + 100);
    assert_eq!(stage.grant(|rule| rule.not_after = NOW + 200).unwrap(), 258);
    assert_eq!(stage.used().unwrap(), "258");
    let listed: GrantState = stage.query(QueryMsg::Grant { grant: 7 });
    assert_eq!(listed.grant.revoked_at, Some(NOW));
}

#[test]
fn no_coins_are_taken() {
    let mut stage = Stage::new();
    let info = message_info(&account("patient"), &coins(1, "uaceso"));
    refused(stage.send(&info, ExecuteMsg::Revoke { grant: 1 }), expect!["the guard takes no coins"]);
    let env = stage.env.clone();
    refused(instantiate(stage.deps.as_mut(), env, info, InstantiateMsg {}), expect!["the guard takes no coins"]);
}

#[test]
fn lists_come_in_pages() {
    let mut stage = Stage::new();
    for _ in 0..120 {
        stage.grant(|_| ()).unwrap();
    }
    let numbers = |of: Of, start_after, limit| {
        let page: GrantsResponse = stage.query(QueryMsg::Grants { of, start_after, limit });
        page.grants.into_iter().map(|state| state.grant.id).collect::<Vec<_>>()
    };
    let patient = || Of::Patient(account("patient").into());
    assert_eq!(numbers(patient(), None, None), (1..=30).collect::<Vec<_>>());
    assert_eq!(numbers(patient(), Some(2), Some(2)), [3, 4]);
    assert_eq!(numbers(patient(), None, Some(1000)).len(), 100);
    assert_eq!(numbers(Of::Actor(account("physician").into()), Some(118), None), [119, 120]);
    assert_eq!(numbers(Of::Image(stage.image), Some(119), None), [120]);
    assert!(numbers(Of::Actor(account("patient").into()), None, None).is_empty());
}

#[test]
fn a_check_tells_what_a_use_would() {
    let mut stage = Stage::new();
    let check = |stage: &Stage, purpose: &str| -> CheckResponse {
        let (actor, caller) = (account("physician").into(), account("insurance").into());
        let purpose = purpose.into();
        let (owner, opening) = (None, None);
        stage.query(QueryMsg::Check { image: stage.image, model: model(1), purpose, actor, caller, owner, opening })
    };
    stage.grant(|_| ()).unwrap();
    assert_eq!(check(&stage, "TREAT"), CheckResponse { grant: Some(1), reason: None });
    let reason = stage.ask("insurance", model(1), "HRESCH", "physician").unwrap_err().to_string();
    assert_eq!(check(&stage, "HRESCH"), CheckResponse { grant: None, reason: Some(reason) });
    assert_eq!(stage.host.journal().len(), 1);
}

#[test]
fn who_may_see_the_picture() {
    let mut stage = Stage::new();
    let may = |stage: &Stage, name: &str| {
        let answer: MayViewResponse =
            stage.query(QueryMsg::MayView { image: stage.image, account: account(name).into() });
        answer.may_view
    };
    assert_eq!((may(&stage, "patient"), may(&stage, "physician")), (true, false));
    stage.grant(|_| ()).unwrap();
    assert_eq!((may(&stage, "physician"), may(&stage, "nurse")), (true, false));
    stage.grant(|rule| rule.decision = Decision::Deny {}).unwrap();
    assert!(!may(&stage, "physician"));
    stage.revoke("patient", 2).unwrap();
    assert!(may(&stage, "physician"));
    stage.at(NOW + 100);
    assert_eq!((may(&stage, "patient"), may(&stage, "physician")), (true, false));
}

#[test]
fn it_is_a_guard() {
    let image = Stage::new().image;
    let (purpose, actor) = (|| "TREAT".to_owned(), || "a".to_owned());
    for (owner, opening) in [(None, None), (Some("o".to_owned()), Some(Box::new(sealed::opening())))] {
        let (again, open) = (owner.clone(), opening.clone());
        let used = GuardExecuteMsg::Use { image, model: model(1), purpose: purpose(), actor: actor(), owner, opening };
        let ours =
            ExecuteMsg::Use { image, model: model(1), purpose: purpose(), actor: actor(), owner: again, opening: open };
        assert_eq!(to_json_string(&used).unwrap(), to_json_string(&ours).unwrap());
    }
    // Guards that know no sealed images understand what is asked of open ones.
    let old =
        GuardExecuteMsg::Use { image, model: model(1), purpose: purpose(), actor: actor(), owner: None, opening: None };
    assert!(!to_json_string(&old).unwrap().contains("owner"));
    let asked = GuardQueryMsg::MayView { image, account: "a".into() };
    let ours = QueryMsg::MayView { image, account: "a".into() };
    assert_eq!(to_json_string(&asked).unwrap(), to_json_string(&ours).unwrap());
}

#[test]
fn only_its_own_code_migrates() {
    let mut stage = Stage::new();
    let env = stage.env.clone();
    migrate(stage.deps.as_mut(), env.clone(), MigrateMsg {}).unwrap();
    cw2::set_contract_version(stage.deps.as_mut().storage, "other", "1").unwrap();
    refused(
        migrate(stage.deps.as_mut(), env, MigrateMsg {}),
        expect!["the stored contract is other, not aceso-consent"],
    );
}

/// A wire change shows up in review. `UPDATE_EXPECT=1 cargo test --release -p aceso-consent` writes the file anew.
#[test]
fn the_committed_schema_is_this_one() {
    let schema = cosmwasm_schema::generate_api! {
        name: "aceso-consent",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    };
    expect_file!["../schema/aceso-consent.json"].assert_eq(&(schema.render().to_string().unwrap() + "\n"));
}
