//! The host of contract tests takes requests for sealed reads as the chain does, and says what a contract is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_contract::{
    Acceptance, Callback, Disclosure, Ended, Failure, ReadDone, ReadRequest, Requested, Terms, permit, request_read,
    requested,
    testing::{CHAIN_ID, Committee, Host, Registration, Script, Stated},
};
use aceso_types::{
    BlobId, Digest, Frame, Height, ModelId,
    guest::{AcesoQuery, Answer, ImageInfo, PermitRequest},
    journal::Event,
    sealed::claim,
};
use cosmwasm_std::{Addr, testing::mock_env};
use expect_test::{Expect, expect};

const FEE: u64 = 5;

struct Stage {
    host: Host,
    model: ModelId,
    image: BlobId,
}

fn terms() -> Terms {
    Terms { uses: 9, findings: vec!["finding".into()], bits: 1, ..aceso_test_support::terms(&["actor"]) }
}

impl Stage {
    fn new() -> Self {
        let host = Host::new(Script);
        let model = host.model(&Script::manifest("m", FEE), b"onnx", "author").unwrap();
        let image = BlobId::of_raw(b"sealed");
        let stated = Stated { modality: "DX".into(), body_part: String::new() };
        host.sealed(image, b"chest", Registration { owner: "patient".into(), stated, ..Registration::default() });
        host.set_committee(Committee { reward: 2, ..Committee::default() });
        host.set_coins("contract", 100);
        host.transaction(&["actor"]);
        Self { host, model, image }
    }

    fn request(&self, change: impl FnOnce(&mut ReadRequest)) -> Result<Requested, String> {
        let mut request = ReadRequest {
            actor: "actor".into(),
            model: self.model,
            owner: "patient".into(),
            image: self.image,
            frame: Frame::FIRST,
            granter: "patient".into(),
            grant: 1,
            terms: terms(),
            purpose: "TREAT".into(),
            disclosure: Disclosure::Open,
            accept: Acceptance::default(),
            deadline: Height(100),
            callback_gas: 1,
            reason: String::new(),
            identify: false,
        };
        change(&mut request);
        let any = request_read(&Addr::unchecked("contract"), request).unwrap();
        Ok(requested(&[self.host.request_read("contract", &any)?]).unwrap())
    }

    fn finish(&self, job: u64, ended: Ended) -> ReadDone {
        let Callback::AcesoRead(done) = self.host.finish_job(job, ended).unwrap();
        done
    }
}

fn refused(change: impl FnOnce(&mut ReadRequest), sentence: Expect) {
    sentence.assert_eq(&Stage::new().request(change).unwrap_err());
}

#[test]
fn a_job_lives_from_its_request_to_its_callback() {
    let stage = Stage::new();
    assert_eq!(stage.request(|_| ()), Ok(Requested { job: Some(1), fee: 11 }));
    assert_eq!((stage.host.coins("contract"), stage.host.open_jobs()), (89, vec![1]));
    assert!(matches!(stage.host.journal()[0].event, Event::Requested { job: 1, r#use: 1, .. }));
    let done = stage.finish(1, Ended::Done);
    assert_eq!((done.job, done.ended, done.fee.as_str(), done.read.unwrap().0), (1, Ended::Done, "11", 1));
    assert_eq!((done.scores[0].value, done.findings[0].present), (i32::from(b'c'), true));
    assert_eq!(done.claim, Some(claim(CHAIN_ID, "contract", &Script::pixels(b"chest"))));
    assert_eq!((done.members, done.power, done.total), (3, 30, 100));
    assert_eq!(mock_env().block.chain_id, CHAIN_ID);
    assert_eq!(stage.host.finish_job(1, Ended::Done), Err("job 1 is not open".into()));
}

#[test]
fn a_frame_is_read_and_known_by_itself() {
    let stage = Stage::new();
    let stated = Stated { modality: "DX".into(), ..Stated::default() };
    stage.host.sealed(stage.image, b"a/b", Registration { owner: "patient".into(), stated, ..Registration::default() });
    let predicate = Disclosure::Predicate(vec!["finding".into()]);
    let ask = |number| {
        let (frame, disclosure) = (Frame::of_wire(number), predicate.clone());
        stage.request(|request| (request.frame, request.disclosure) = (frame, disclosure)).unwrap().job
    };
    // What is known of the first says nothing of the second.
    assert_eq!(ask(1), Some(1));
    stage.finish(1, Ended::Done);
    assert_eq!((ask(1), ask(2)), (None, Some(2)));
    let done = stage.finish(2, Ended::Done);
    assert_eq!((done.frame, done.claim), (Frame::of_wire(2), Some(claim(CHAIN_ID, "contract", &Script::pixels(b"b")))));
    assert_eq!((ask(2), ask(3)), (None, Some(3)));
    assert!(matches!(stage.finish(3, Ended::Done).ended, Ended::Failed(_)));
}

#[test]
fn each_disclosure_tells_what_it_says() {
    let stage = Stage::new();
    let predicate = Disclosure::Predicate(vec!["finding".into()]);
    stage.request(|request| request.disclosure = predicate.clone()).unwrap();
    stage.request(|request| request.disclosure = Disclosure::Sealed).unwrap();
    let (bit, kept) = (stage.finish(1, Ended::Done), stage.finish(2, Ended::Done));
    assert_eq!((bit.scores.len(), bit.findings.len(), bit.commitment), (0, 1, None));
    assert!(kept.scores.is_empty() && kept.findings.is_empty() && kept.commitment.is_some());
    assert_eq!(bit.claim, kept.claim);
    // A bit that is known needs no job and costs nothing.
    let has = stage.host.coins("contract");
    assert_eq!(stage.request(|request| request.disclosure = predicate), Ok(Requested { job: None, fee: 0 }));
    let known = stage.host.known();
    let [Callback::AcesoRead(again)] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!((again.job, &again.findings, again.read, again.claim), (0, &bit.findings, bit.read, None));
    assert_eq!((stage.host.coins("contract"), stage.host.known().len()), (has, 0));
}

#[test]
fn what_a_job_did_not_cost_comes_back() {
    let cases = [(Ended::Failed(Failure::Header), 6), (Ended::Expired, 0), (Ended::Cancelled, 0), (Ended::Broken, 0)];
    let (stage, mut has) = (Stage::new(), 100);
    for (ended, fee) in cases {
        let job = stage.request(|_| ()).unwrap().job.unwrap();
        let done = stage.finish(job, ended.clone());
        has -= fee;
        assert_eq!((done.ended, done.fee, stage.host.coins("contract")), (ended, fee.to_string(), has));
    }
    // The model does not take what the committee sees.
    let stated = Stated { modality: "CT".into(), body_part: String::new() };
    let registration = Registration { owner: "patient".into(), stated, ..Registration::default() };
    stage.host.sealed(stage.image, b"chest", registration);
    let job = stage.request(|_| ()).unwrap().job.unwrap();
    assert_eq!(stage.finish(job, Ended::Done).ended, Ended::Failed(Failure::Unsuitable));
}

#[test]
fn a_guarded_record_needs_a_permit_for_its_owner() {
    let stage = Stage::new();
    let registered =
        |owner: &str| Registration { owner: owner.into(), guard: "guard".into(), ..Registration::default() };
    for owner in ["patient", "thief"] {
        stage.host.sealed(stage.image, b"chest", registered(owner));
    }
    let allow = |owner: &str| {
        let request = PermitRequest {
            caller: "contract".into(),
            actor: "actor".into(),
            image: stage.image,
            owner: owner.into(),
            model: stage.model,
            purpose: "TREAT".into(),
            grant: "1".into(),
            answer: Answer::Permit { max_uses: 1 },
        };
        stage.host.call("guard", || permit(&request).unwrap()).map_err(|trap| trap.to_string())
    };
    allow("thief").unwrap();
    expect!["no permit for contract to read patient's image bafkreigj2abwx3lhis6n62jpzganq4l5pzpvut2oqjtljkcjqjqc7monbe with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa"].assert_eq(&stage.request(|_| ()).unwrap_err());
    allow("patient").unwrap();
    stage.request(|_| ()).unwrap();
    assert_eq!(stage.host.uses("guard", "1"), 1);
    expect!["grant 1 of guard is used up: 1 of 1"].assert_eq(&allow("patient").unwrap_err());
    let trap = stage.host.call("stranger", || {
        let request = PermitRequest {
            caller: "contract".into(),
            actor: "actor".into(),
            image: stage.image,
            owner: "patient".into(),
            model: stage.model,
            purpose: "TREAT".into(),
            grant: "1".into(),
            answer: Answer::Permit { max_uses: 1 },
        };
        permit(&request)
    });
    expect!["stranger is not the guard of image bafkreigj2abwx3lhis6n62jpzganq4l5pzpvut2oqjtljkcjqjqc7monbe"]
        .assert_eq(&trap.unwrap_err().to_string());
}

#[test]
fn each_refusal_says_why() {
    refused(|request| request.actor = "other".into(), expect!["other has not signed this transaction"]);
    refused(|request| request.terms.actors = vec!["other".into()], expect!["the terms do not name actor"]);
    refused(|request| request.purpose = "HRESCH".into(), expect![[r#"the terms are not for purpose "HRESCH""#]]);
    refused(
        |request| request.terms.models = vec![ModelId(Digest([1; 32]))],
        expect!["the terms are not for model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa"],
    );
    refused(|request| request.terms.via = vec!["other".into()], expect!["not through contract"]);
    refused(|request| request.terms.open = false, expect!["the terms do not allow disclosure Open"]);
    refused(|request| request.terms.emergency = true, expect!["an emergency needs a reason"]);
    refused(|request| request.terms.version = 2, expect!["version: must be 1"]);
    refused(
        |request| request.owner = "thief".into(),
        expect!["thief has no sealed image bafkreigj2abwx3lhis6n62jpzganq4l5pzpvut2oqjtljkcjqjqc7monbe"],
    );
    refused(
        |request| request.model = ModelId(Digest([1; 32])),
        expect!["model 0101010101010101010101010101010101010101010101010101010101010101 is not registered"],
    );
    refused(|request| request.accept.members_min = 4, expect!["the committee has 3 members, and 4 are asked for"]);
    refused(
        |request| request.accept.power_min_bps = 3_001,
        expect!["the committee has 30 of 100, and 3001 bps are asked for"],
    );
    refused(
        |request| request.accept.required = vec!["four".into()],
        expect!["the committee lacks four, who is required"],
    );
    refused(|request| request.accept.excluded = vec!["one".into()], expect!["the committee has one, who is excluded"]);
    let unknown = |request: &mut ReadRequest| {
        request.terms.findings = vec!["other".into()];
        request.disclosure = Disclosure::Predicate(vec!["other".into()]);
    };
    refused(unknown, expect![[r#"the model has no finding "other""#]]);
    let stage = Stage::new();
    stage.host.set_coins("contract", 10);
    expect!["contract holds 10, and the read costs 11"].assert_eq(&stage.request(|_| ()).unwrap_err());
    let stage = Stage::new();
    let once = |request: &mut ReadRequest| request.terms.uses = 1;
    stage.request(once).unwrap();
    expect!["grant 1 of patient is used up: 1 of 1"].assert_eq(&stage.request(once).unwrap_err());
}

#[test]
fn sealed_registrations_are_per_owner() {
    let stage = Stage::new();
    let deps = stage.host.deps();
    let ask = |owner: &str| {
        aceso_contract::sealed_info(&deps.as_ref().querier, owner, &stage.image)
            .unwrap()
            .map(|info: ImageInfo| info.owner)
    };
    assert_eq!((ask("patient"), ask("thief")), (Some("patient".into()), None));
    stage.host.retire("patient", &stage.image);
    assert_eq!(ask("patient"), None);
    let json = serde_json::to_string(&AcesoQuery::Sealed { owner: "o".into(), image: stage.image }).unwrap();
    assert!(json.starts_with(r#"{"sealed":{"owner":"o""#));
}
