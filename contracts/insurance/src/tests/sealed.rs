//! Claims for sealed images: what is asked, what is set aside, how each ends, and that nothing is paid twice.

use aceso_consent::msg as consent;
use aceso_contract::{
    Ended, Failure, ReadDone, Terms as GrantTerms,
    testing::{Committee, Registration, Script, Stated},
};
use aceso_interface::{
    Frame, Image,
    consent::{Decision, Opening, Rule, hidden_image, hidden_rule},
    insurance::{Acceptance, Claim, ClaimStatus, Closed, Disclosure, Party, Payout, Sealed, SealedClaim, Terms},
};
use aceso_types::{BlobId, Digest, guest::Origin};
use cosmwasm_std::{Response, Uint128, from_json, testing::message_info};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::stage::{FEE, NOW, PRICE, Stage, account, origin, refused, share};
use crate::{
    Picture,
    helpers::identity,
    msg::{ClaimsResponse, DueResponse, EscrowResponse, ExecuteMsg, QueryMsg, SealedClaimsResponse},
};

const REWARD: u64 = 10;
/// What the chain takes: the model's price and three members' reward.
const HELD: u128 = 130;
/// What a claim sets aside: the author's fee is below the author's share of 300.
const RESERVED: u128 = PRICE + 3 * 10;

pub(super) fn plan() -> Sealed {
    Sealed {
        accept: Acceptance { members_min: 2, power_min_bps: 2_000, required: vec![], excluded: vec![] },
        disclosure: Disclosure::Sealed {},
        blocks: 10,
        callback_gas: 500_000,
        payout: Payout::Batched,
    }
}

pub(super) fn terms() -> GrantTerms {
    GrantTerms {
        open: false,
        findings: vec!["finding".into()],
        ..aceso_test_support::terms(&[account("physician").as_str()])
    }
}

fn cid(name: &str) -> Image {
    BlobId::of_raw(name.as_bytes()).into()
}

impl Stage {
    /// A policy for sealed images with coins for ten claims, and a committee that earns.
    fn for_sealed(change: impl FnOnce(&mut Terms)) -> Self {
        let mut stage = Self::new();
        stage.host.set_committee(Committee { reward: REWARD, ..Committee::default() });
        let policy = stage
            .policy(|terms| {
                terms.sealed = Some(plan());
                change(terms);
            })
            .unwrap();
        stage.fund(policy, 10 * RESERVED).unwrap();
        stage
    }

    fn with(change: impl FnOnce(&mut Sealed)) -> Self {
        Self::for_sealed(|terms| {
            if let Some(plan) = &mut terms.sealed {
                change(plan);
            }
        })
    }

    /// Seals these pixels as a file of this name, granted to the physician.
    pub(super) fn seal_as(&mut self, owner: &str, name: &str, pixels: &str, word: Option<Origin>) -> Image {
        let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
        let guard = account("consent").into();
        let registration = Registration { owner: account(owner).into(), guard, origin: word, stated };
        self.host.sealed(*cid(name), pixels.as_bytes(), registration);
        let msg = consent::ExecuteMsg::Grant { images: vec![cid(name)], rule: rule(), sealed: true };
        let (env, info) = (self.env("consent"), message_info(&account(owner), &[]));
        aceso_consent::contract::execute(self.consent.as_mut(), env, info, msg).unwrap();
        cid(name)
    }

    /// The patient's, vouched for by the hospital, in a study named as the pixels.
    fn seal(&mut self, name: &str, pixels: &str) -> Image {
        let word = origin("hospital", Script::pixels(pixels.as_bytes()), pixels);
        self.seal_as("patient", name, pixels, Some(word))
    }

    fn claim_with(&mut self, policy: u64, image: Image, grant: GrantTerms) -> Result<u64, String> {
        self.claim_opened(policy, image, grant, None)
    }

    fn claim_opened(
        &mut self,
        policy: u64,
        image: Image,
        grant: GrantTerms,
        opening: Option<Box<Opening>>,
    ) -> Result<u64, String> {
        self.claim_frame(policy, Picture { image, frame: Frame::default() }, grant, opening)
    }

    pub(super) fn claim_frame(
        &mut self,
        policy: u64,
        Picture { image, frame }: Picture,
        grant: GrantTerms,
        opening: Option<Box<Opening>>,
    ) -> Result<u64, String> {
        let msg = ExecuteMsg::Claim {
            policy,
            image,
            frame,
            model: self.model,
            purpose: "TREAT".into(),
            granter: account("patient").into(),
            grant: 1,
            terms: grant.encode().into(),
            opening,
        };
        let response = self.send(message_info(&account("physician"), &[]), msg)?;
        Ok(from_json(response.data.unwrap()).unwrap())
    }

    fn claim(&mut self, policy: u64, image: Image) -> Result<u64, String> {
        self.claim_with(policy, image, terms())
    }

    fn settle(&mut self, start_after: Option<&str>, limit: Option<u32>) -> Result<Response, String> {
        let start_after = start_after.map(Into::into);
        self.send(message_info(&account("anybody"), &[]), ExecuteMsg::Settle { start_after, limit })
    }

    fn release(&mut self, sender: &str, job: u64) -> Result<Response, String> {
        self.send(message_info(&account(sender), &[]), ExecuteMsg::Release { job })
    }

    pub(super) fn sealed_claim(&self, job: u64) -> SealedClaim {
        self.query(QueryMsg::SealedClaim { job })
    }

    pub(super) fn reason(&self, job: u64) -> Closed {
        match self.sealed_claim(job).status {
            ClaimStatus::Closed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn due(&self, name: &str) -> u128 {
        let due: DueResponse = self.query(QueryMsg::Due { account: account(name).into() });
        due.amount.u128()
    }

    fn escrow_and_reserved(&self, policy: u64) -> (u128, u128) {
        let EscrowResponse { amount, reserved } = self.query(QueryMsg::Escrow { policy });
        (amount.u128(), reserved.u128())
    }

    /// What the contract and the chain hold for it is what it has put down.
    fn balanced(&self, policies: u64) {
        let books: u128 = (1..=policies).map(|policy| self.escrow_and_reserved(policy)).map(|(a, b)| a + b).sum();
        let due: u128 = ["hospital", "author", "patient", "treasury", "other"].iter().map(|name| self.due(name)).sum();
        let jobs = self.ledger.get("jobs").copied().unwrap_or_default();
        let lost = self.lost("patient");
        assert_eq!(self.holds("insurance") + jobs, i128::try_from(books + due - lost).unwrap());
    }
}

fn rule() -> Rule {
    Rule {
        decision: Decision::Permit { max_uses: 1_000 },
        actors: vec![account("physician").into()],
        via: vec![],
        purposes: vec!["TREAT".into()],
        models: vec![],
        not_before: NOW,
        not_after: NOW + 1_000_000,
    }
}

#[test]
fn a_sealed_read_is_paid_by_the_split_once_its_outcome_is_there() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    let open = stage.sealed_claim(job);
    assert_eq!((open.status, open.held.u128(), open.reserved.u128()), (ClaimStatus::Open {}, HELD, RESERVED));
    assert_eq!((open.deadline, open.actor), (12_345 + 10, account("physician").to_string()));
    assert_eq!(stage.escrow_and_reserved(1), (9 * RESERVED, RESERVED));
    assert_eq!(stage.ledger["jobs"], 130);
    stage.balanced(1);

    stage.finish(job, Ended::Done).unwrap();
    let ClaimStatus::Paid(paid) = stage.sealed_claim(job).status else { panic!() };
    let identity =
        aceso_types::sealed::claim("cosmos-testnet-14002", account("insurance").as_str(), &Script::pixels(b"chest"));
    assert_eq!((paid.read, paid.claim.0, paid.fee.u128()), (1, identity, HELD));
    assert_eq!((paid.members, paid.power, paid.total), (3, 30, 100));
    assert_eq!(
        (paid.institution, paid.study),
        (Some(account("hospital").into()), Some(Origin::study_of("chest").into()))
    );
    assert!(paid.commitment.is_some() && paid.findings.is_empty());
    // Batched: owed, not sent.
    assert_eq!(["hospital", "author", "patient", "treasury"].map(|name| stage.due(name)), [250, 200, 400, 50]);
    assert_eq!((stage.holds("patient"), stage.escrow_and_reserved(1)), (0, (9 * RESERVED, 0)));
    stage.balanced(1);
    assert_eq!(stage.settle(None, None).unwrap().messages.len(), 4);
    assert_eq!(["hospital", "patient", "treasury"].map(|name| stage.holds(name)), [250, 400, 50]);
    refused(stage.settle(None, None), expect!["nothing is owed to anybody there"]);
    stage.balanced(1);
    let page: SealedClaimsResponse = stage.query(QueryMsg::SealedClaims { policy: 1, start_after: None, limit: None });
    assert_eq!(page.claims, [stage.sealed_claim(job)]);
}

#[test]
fn a_predicate_tells_the_finding_and_a_known_one_is_claimed_by_what_members_see() {
    let findings = vec!["finding".to_owned()];
    let mut stage = Stage::with(|plan| plan.disclosure = Disclosure::Predicate { findings });
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    let ClaimStatus::Paid(paid) = stage.sealed_claim(job).status else { panic!() };
    assert_eq!((paid.findings.len(), paid.findings[0].present, paid.commitment), (1, true, None));
    // A later policy may pay again. The bit is known, but not whose pixels it is about: members are asked, and paid.
    let later = stage
        .policy(|terms| {
            (terms.not_before, terms.not_after) = (NOW + 100, NOW + 200);
            let disclosure = Disclosure::Predicate { findings: vec!["finding".into()] };
            terms.sealed = Some(Sealed { disclosure, ..plan() });
        })
        .unwrap();
    stage.fund(later, 10 * RESERVED).unwrap();
    stage.at(NOW + 100);
    let again = stage.claim(later, image).unwrap();
    assert_eq!((again, stage.sealed_claim(again).held.u128()), (job + 1, HELD));
    stage.finish(again, Ended::Done).unwrap();
    let ClaimStatus::Paid(again) = stage.sealed_claim(again).status else { panic!() };
    assert_eq!((again.claim, again.findings), (paid.claim, paid.findings));
    stage.balanced(2);
}

#[test]
fn a_claim_that_ends_without_an_outcome_frees_what_it_kept() {
    let cases = [
        (Ended::Failed(Failure::Leaf), Closed::Failed { failure: "leaf".into() }, 30),
        (Ended::Expired, Closed::Expired {}, 0),
        (Ended::Cancelled, Closed::Cancelled {}, 0),
        (Ended::Broken, Closed::Broken {}, 0),
    ];
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let mut left = 10 * RESERVED;
    for (ended, reason, fee) in cases {
        let job = stage.claim(1, image).unwrap();
        stage.finish(job, ended).unwrap();
        left -= fee;
        assert_eq!((stage.reason(job), stage.escrow_and_reserved(1)), (reason, (left, 0)));
        assert_eq!(stage.due("patient"), 0);
        stage.balanced(1);
    }
    // It can be asked again.
    let job = stage.claim(1, image).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.due("patient"), 400);
}

#[test]
fn sealing_the_same_pixels_again_pays_nothing_twice() {
    let mut stage = Stage::for_sealed(|_| ());
    let (first, again) = (stage.seal("one", "chest|a"), stage.seal("two", "chest|b"));
    let word = Some(origin("hospital", Script::pixels(b"lateral"), "chest|a"));
    let study = stage.seal_as("patient", "three", "lateral", word);
    // Three claims are open at once; the first that is told of is paid.
    let jobs = [first, again, study].map(|image| stage.claim(1, image).unwrap());
    stage.finish(jobs[1], Ended::Done).unwrap();
    stage.finish(jobs[0], Ended::Done).unwrap();
    stage.finish(jobs[2], Ended::Done).unwrap();
    assert!(matches!(stage.sealed_claim(jobs[1]).status, ClaimStatus::Paid(_)));
    assert_eq!(stage.reason(jobs[0]), Closed::PaidBefore { read: 1 });
    // The study of the third is the first's, which was not paid; so the third is.
    assert!(matches!(stage.sealed_claim(jobs[2]).status, ClaimStatus::Paid(_)));
    refused(
        stage.claim(1, again),
        expect!["image bafkreib7ytgp45cyodrmbwm7ohzq74dfnsg63va4yhl5hu3wwdn6nbpc6m is already paid, by read 1"],
    );
    assert_eq!(stage.due("patient"), 800);
    stage.balanced(1);
}

#[test]
fn a_study_is_paid_once() {
    let mut stage = Stage::for_sealed(|_| ());
    let word = |pixels: &str| Some(origin("hospital", Script::pixels(pixels.as_bytes()), "1.2.3"));
    let frontal = stage.seal_as("patient", "one", "frontal", word("frontal"));
    let lateral = stage.seal_as("patient", "two", "lateral", word("lateral"));
    let jobs = [frontal, lateral].map(|image| stage.claim(1, image).unwrap());
    jobs.iter().for_each(|&job| drop(stage.finish(job, Ended::Done).unwrap()));
    assert_eq!(stage.reason(jobs[1]), Closed::PaidBefore { read: 1 });
}

#[test]
fn open_and_sealed_reads_of_the_same_pixels_are_paid_once() {
    let mut stage = Stage::for_sealed(|_| ());
    stage.grant(9);
    let open = stage.image;
    stage.request(1, open).unwrap();
    let sealed = stage.seal("file", "chest|sealed");
    let job = stage.claim(1, sealed).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.reason(job), Closed::PaidBefore { read: 1 });

    let mut stage = Stage::for_sealed(|_| ());
    stage.grant(9);
    let sealed = stage.seal("file", "chest|sealed");
    let job = stage.claim(1, sealed).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    let open = stage.image;
    refused(
        stage.request(1, open),
        expect!["pixels a8ab6fd6936802f3694878dd16fd6d4f64ea5ef58ad84e40a9dcf58929c280d4 are already paid, by read 1"],
    );
}

#[test]
fn what_nobody_accepted_vouches_for_is_not_paid() {
    let mut stage = Stage::for_sealed(|_| ());
    let none = stage.seal_as("patient", "none", "none", None);
    let stranger = Some(origin("stranger", Script::pixels(b"stranger"), "1"));
    let stranger = stage.seal_as("patient", "stranger", "stranger", stranger);
    refused(
        stage.claim(1, none),
        expect![
            "policy 1 asks for an accepted institution's word, and image bafkreiaubpw37hb7nvlktbdnfotqrb4yna7u3igcjarrgnxgublhtzh57y has none"
        ],
    );
    refused(
        stage.claim(1, stranger),
        expect![
            "policy 1 asks for an accepted institution's word, and image bafkreiekzjhtm52pqkthyud4xhewm6kifywmoz7s2ocqejuvk6swnmes7m has none"
        ],
    );
    // The word is there, and about other pixels: only the committee sees that.
    let elsewhere = Some(origin("hospital", Script::pixels(b"other"), "1"));
    let elsewhere = stage.seal_as("patient", "elsewhere", "elsewhere", elsewhere);
    let job = stage.claim(1, elsewhere).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.reason(job), Closed::Unvouched {});
    assert_eq!(stage.escrow_and_reserved(1), (10 * RESERVED - HELD, 0));
    stage.balanced(1);
}

#[test]
fn a_second_claim_cannot_spend_what_is_kept_for_the_first() {
    let mut stage = Stage::new();
    stage.host.set_committee(Committee { reward: REWARD, ..Committee::default() });
    stage.policy(|terms| terms.sealed = Some(plan())).unwrap();
    stage.fund(1, RESERVED + 500).unwrap();
    let (one, two) = (stage.seal("one", "one"), stage.seal("two", "two"));
    let job = stage.claim(1, one).unwrap();
    refused(stage.claim(1, two), expect!["the escrow of policy 1 holds 500, and a read costs 1030"]);
    assert_eq!(stage.host.open_jobs(), [job]);
    stage.grant(1);
    let open = stage.image;
    refused(stage.request(1, open), expect!["the escrow of policy 1 holds 500, and a read costs 1000"]);
    stage.at(NOW + 100);
    // Neither can the insurer withdraw it.
    stage.send(message_info(&account("insurer"), &[]), ExecuteMsg::Withdraw { policy: 1 }).unwrap();
    assert_eq!((stage.holds("insurer"), stage.escrow_and_reserved(1)), (500, (0, RESERVED)));
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.due("patient"), 400);
    stage.balanced(1);
}

#[test]
fn paying_per_claim_sends_at_once_and_owes_who_takes_nothing() {
    let mut stage = Stage::with(|plan| plan.payout = Payout::PerClaim);
    stage.refuses = Some(account("treasury").into());
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(["hospital", "patient", "treasury"].map(|name| stage.holds(name)), [250, 400, 0]);
    assert_eq!((stage.due("patient"), stage.due("treasury")), (0, 50));
    stage.balanced(1);
}

#[test]
fn settling_goes_on_past_an_account() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    let mut owed = ["hospital", "author", "patient", "treasury"].map(|name| account(name).to_string());
    owed.sort();
    assert_eq!(stage.settle(Some(&owed[1]), Some(1)).unwrap().messages.len(), 1);
    assert_eq!(stage.settle(None, None).unwrap().messages.len(), 3);
    stage.balanced(1);
}

#[test]
fn a_claim_of_which_nothing_is_heard_is_released() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    stage.height = 12_345 + 10 + 999;
    refused(
        stage.release("insurer", job),
        expect!["the claim with job 1 can be released from height 13355 on, and this is 13354"],
    );
    stage.height += 1;
    refused(
        stage.release("physician", job),
        expect!["cosmwasm1mg89zwuxgx93e9t06refpt8rd0k4vsrcx660qzxpumnkfmvn8z7q3lse25 is not the insurer"],
    );
    refused(stage.release("insurer", 9), expect!["no claim has job 9"]);
    stage.release("insurer", job).unwrap();
    assert_eq!((stage.reason(job), stage.escrow_and_reserved(1)), (Closed::Released {}, (10 * RESERVED - HELD, 0)));
    // What the chain has taken counts as spent, so that the books never hold more than the contract.
    assert_eq!(stage.holds("insurance"), i128::try_from(10 * RESERVED - HELD).unwrap());
    refused(stage.release("insurer", job), expect!["the claim with job 1 is closed"]);
    // Late, and in vain.
    refused(stage.finish(job, Ended::Done), expect!["the claim with job 1 is closed"]);
    assert_eq!(stage.due("patient"), 0);
}

#[test]
fn what_the_chain_tells_must_be_of_the_claim() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let job = stage.claim(1, image).unwrap();
    let aceso_contract::Callback::AcesoRead(done) = stage.end(job, Ended::Done);
    let mut check = |change: fn(&mut ReadDone), sentence: Expect| {
        let mut other = done.clone();
        change(&mut other);
        refused(stage.hear(other), sentence);
    };
    check(|done| done.job = 7, expect!["no claim has job 7"]);
    check(|done| done.job = 0, expect!["no claim has job 0"]);
    check(|done| done.image = *cid("other"), expect!["what is told of job 1 is not what was claimed"]);
    check(|done| done.owner.push('x'), expect!["what is told of job 1 is not what was claimed"]);
    check(|done| done.model = Default::default(), expect!["what is told of job 1 is not what was claimed"]);
    check(|done| done.fee = "131".into(), expect!["job 1 cost 131, and 130 were taken for it"]);
    check(|done| done.fee = "x".into(), expect!["job 1 cost x, and 130 were taken for it"]);
    let mut blind = done.clone();
    blind.claim = None;
    stage.hear(blind).unwrap();
    assert_eq!(stage.reason(job), Closed::Unidentified {});
    refused(stage.hear(done), expect!["the claim with job 1 is closed"]);
}

#[test]
fn the_committee_must_be_one_that_the_policy_accepts() {
    let check = |change: fn(&mut Sealed), sentence: Expect| {
        let mut stage = Stage::with(change);
        let operators = ["one", "two", "three"].map(|name| account(name).to_string()).to_vec();
        stage.host.set_committee(Committee { operators, ..Committee::default() });
        let image = stage.seal("file", "chest");
        refused(stage.claim(1, image), sentence);
        stage.balanced(1);
    };
    check(|plan| plan.accept.members_min = 4, expect!["the committee has 3 members, and 4 are asked for"]);
    check(|plan| plan.accept.power_min_bps = 3_001, expect!["the committee has 30 of 100, and 3001 bps are asked for"]);
    check(
        |plan| plan.accept.required = vec![account("four").into()],
        expect![
            "the committee lacks cosmwasm1qnh67zq0tgl8fcwzn5w2dfy9dyuzew7dxf8g6kwjhql0y8qrnuqqkgl6yp, who is required"
        ],
    );
    check(
        |plan| plan.accept.excluded = vec![account("two").into()],
        expect![
            "the committee has cosmwasm18lzveln5tpcw9sxenaclxrlsv4kgmmw5rnqa057nw6cdhe59uteszh007r, who is excluded"
        ],
    );
}

#[test]
fn a_claim_is_checked_before_anything_is_asked() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let no_plan = stage.policy(|_| ()).unwrap();
    refused(stage.claim(no_plan, image), expect!["policy 2 does not pay for sealed images"]);
    refused(stage.claim(7, image), expect!["policy 7 does not exist"]);
    refused(
        stage.claim(1, cid("unknown")),
        expect![
            "the member of policy 1 has no sealed image bafkreifshjviiooa3xsvcwet47eqyhrsgo4gc3tdirypedoeskf46nqjxq"
        ],
    );
    // Another account's record of a CID is not the member's.
    let thief = stage.seal_as("thief", "theirs", "theirs", None);
    refused(
        stage.claim(1, thief),
        expect![
            "the member of policy 1 has no sealed image bafkreicmkwufkkrmojq7mh3zrqrglzxrgnmpgjvolojubfx7c26rlzrmgm"
        ],
    );
    let registration = Registration { owner: account("patient").into(), ..Registration::default() };
    stage.host.sealed(*cid("free"), b"free", registration);
    refused(
        stage.claim(1, cid("free")),
        expect![
            "image bafkreifnsxk7uzi3vbwysi76ci4nesspdgekouvm7zbgvrzky7aei4n4c4 has no guard who could consent to its read"
        ],
    );
    let other = stage.host.model(&Script::manifest("other", 0), b"onnx", "author").unwrap().into();
    let ours = std::mem::replace(&mut stage.model, other);
    refused(
        stage.claim(1, image),
        expect!["policy 1 does not cover model ffe6162c48ad6c4bea5e445878fe5669aec67fa5b936c7c7ed4c0537e25848dd"],
    );
    stage.model = ours;
    let mut bad = terms();
    bad.version = 2;
    refused(stage.claim_with(1, image, bad), expect!["the grant's terms cannot be read: version: must be 1"]);
    let mut narrow = terms();
    narrow.purposes = vec!["HRESCH".into()];
    refused(stage.claim_with(1, image, narrow), expect![[r#"the terms are not for purpose "TREAT""#]]);
    let job = stage.claim(1, image).unwrap();
    refused(
        stage.claim(1, image),
        expect!["a claim for image bafkreib3tq2y6nxqumnwvu7bj4yjy7hrtcwjerxigfxzzzkd2wyzvqblqa is open, with job 1"],
    );
    stage.at(NOW + 100);
    refused(stage.claim(1, image), expect!["policy 1 ended at 1000100, and it is 1000100"]);
    // A claim that was made in time is paid after the period.
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.due("patient"), 400);
    stage.balanced(2);
}

#[test]
fn a_hidden_grant_of_the_guard_is_opened_by_the_claim() {
    let mut stage = Stage::for_sealed(|_| ());
    let image = stage.seal("file", "chest");
    let revoke = consent::ExecuteMsg::Revoke { grant: 1 };
    let patient = account("patient");
    let salt = Digest([6; 32]);
    let hide = consent::ExecuteMsg::GrantHidden {
        images: vec![hidden_image(&salt, patient.as_str(), &image).into()],
        rule: hidden_rule(&salt, patient.as_str(), &rule()).unwrap().into(),
        not_after: rule().not_after,
    };
    for msg in [revoke, hide] {
        let (env, info) = (stage.env("consent"), message_info(&patient, &[]));
        aceso_consent::contract::execute(stage.consent.as_mut(), env, info, msg).unwrap();
    }
    refused(stage.claim(1, image), expect!["grant 1 was revoked at 1000000"]);
    let opening = Opening { grant: 2, rule: rule(), rule_salt: salt.into(), image_salt: salt.into() };
    let job = stage.claim_opened(1, image, terms(), Some(Box::new(opening))).unwrap();
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!(stage.host.uses(account("consent").as_str(), "2"), 1);
}

#[test]
fn terms_for_sealed_images_that_make_no_sense_are_refused() {
    let check = |change: fn(&mut Sealed), sentence: Expect| {
        let mut plan = plan();
        change(&mut plan);
        refused(Stage::new().policy(|terms| terms.sealed = Some(plan)), sentence);
    };
    let acceptance =
        || expect!["a policy accepts committees of 1 to 128 members with at most 10000 ten-thousandths of the power"];
    check(|plan| plan.accept.members_min = 0, acceptance());
    check(|plan| plan.accept.members_min = 129, acceptance());
    check(|plan| plan.accept.power_min_bps = 10_001, acceptance());
    check(
        |plan| plan.accept.required = vec![account("a").into(); 33],
        expect!["a policy names at most 32 required operators, not 33"],
    );
    check(
        |plan| plan.accept.excluded = vec![account("a").into(); 33],
        expect!["a policy names at most 32 excluded operators, not 33"],
    );
    check(
        |plan| plan.accept.excluded = vec!["nobody".into()],
        expect![[r#""nobody" is not an address of this chain"#]],
    );
    check(
        |plan| {
            plan.accept.required = vec![account("a").into()];
            plan.accept.excluded = plan.accept.required.clone();
        },
        expect![
            "operator cosmwasm1e2tczyk2rw7u47kzxxee5g7ufkncdmlcz37yuu4espmcttlwfzasvcmsxa is both required and excluded"
        ],
    );
    let no_time = || expect!["a policy for sealed images gives a committee at least one block and its callback gas"];
    check(|plan| plan.blocks = 0, no_time());
    check(|plan| plan.callback_gas = 0, no_time());
    check(
        |plan| plan.disclosure = Disclosure::Predicate { findings: vec![] },
        expect!["a policy asks for 1 or 2 findings, not 0"],
    );
    check(
        |plan| plan.disclosure = Disclosure::Predicate { findings: vec!["finding".into(); 3] },
        expect!["a policy asks for 1 or 2 findings, not 3"],
    );
    check(
        |plan| plan.disclosure = Disclosure::Predicate { findings: vec!["other".into()] },
        expect![[
            r#"model 4fe331b31507cc5a0f6927c48317383744e2ed807f37e0b757a2987b67cbfda8 does not have the findings ["other"] in this order"#
        ]],
    );
    check(
        |plan| plan.disclosure = Disclosure::Predicate { findings: vec!["finding".into(); 2] },
        expect![[
            r#"model 4fe331b31507cc5a0f6927c48317383744e2ed807f37e0b757a2987b67cbfda8 does not have the findings ["finding", "finding"] in this order"#
        ]],
    );
}

#[test]
fn an_authors_fee_above_the_share_and_the_reward_are_the_escrows() {
    let mut stage = Stage::for_sealed(|terms| {
        terms.split = vec![share(Party::Author {}, 500), share(Party::Subject {}, 9_500)];
        terms.origin.clear();
    });
    // The author's share is 50, the fee 100: 50 on top of the price, and the reward of 30.
    let image = stage.seal_as("patient", "file", "chest", None);
    let job = stage.claim(1, image).unwrap();
    assert_eq!(stage.sealed_claim(job).reserved.u128(), PRICE + u128::from(FEE) - 50 + 30);
    stage.finish(job, Ended::Done).unwrap();
    assert_eq!((stage.due("author"), stage.due("patient"), stage.escrow_and_reserved(1).1), (0, 950, 0));
    stage.balanced(1);
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    Claim {
        policy: u64,
        file: usize,
    },
    /// An open read, in a transaction that may fail after it.
    Read {
        policy: u64,
        file: usize,
        fails: bool,
    },
    End {
        which: usize,
        ended: Ended,
    },
    Settle,
    Fund {
        policy: u64,
        amount: u128,
    },
    Release {
        which: usize,
    },
    Later,
    Withdraw {
        policy: u64,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    let ended = prop_oneof![
        4 => Just(Ended::Done),
        1 => Just(Ended::Failed(Failure::Header)),
        1 => Just(Ended::Expired),
        1 => Just(Ended::Cancelled),
        1 => Just(Ended::Broken),
    ];
    prop_oneof![
        6 => (1_u64..=2, 0_usize..6).prop_map(|(policy, file)| Step::Claim { policy, file }),
        5 => (1_u64..=2, 0_usize..6, any::<bool>()).prop_map(|(policy, file, fails)| Step::Read { policy, file, fails }),
        5 => (any::<usize>(), ended).prop_map(|(which, ended)| Step::End { which, ended }),
        1 => Just(Step::Settle),
        1 => (1_u64..=2, 1_u128..3_000).prop_map(|(policy, amount)| Step::Fund { policy, amount }),
        1 => any::<usize>().prop_map(|which| Step::Release { which }),
        1 => Just(Step::Later),
        1 => (1_u64..=2).prop_map(|policy| Step::Withdraw { policy }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_and_no_pixels_are_paid_twice(
        steps in prop::collection::vec(steps(), 1..60), reward in 0_u64..400, per_claim in any::<bool>(),
    ) {
        let mut stage = Stage::new();
        stage.host.set_committee(Committee { reward, ..Committee::default() });
        let payout = if per_claim { Payout::PerClaim } else { Payout::Batched };
        for end in [100, 150] {
            stage.policy(|terms| {
                terms.not_after = NOW + end;
                terms.sealed = Some(Sealed { payout: payout.clone(), ..plan() });
            }).unwrap();
        }
        // A third policy is another member's: whatever happens to the two, its coins are there.
        stage.policy(|terms| terms.member = account("other").into()).unwrap();
        stage.fund(3, 5_000).unwrap();
        // Six files of three pictures, in one study each, sealed; and six open files of two of them and of another one.
        let open: Vec<Image> = (0..6).map(|at| {
            let picture = 1 + at % 3;
            let word = origin("hospital", Script::pixels(format!("{picture}").as_bytes()), &format!("{picture}"));
            let image = stage.register(&format!("{picture}|open {at}"), Some(word));
            stage.grant_image(image, 1_000);
            image
        }).collect();
        let files: Vec<Image> = (0..6).map(|at| stage.seal_as(
            "patient", &format!("file {at}"), &format!("{}|{at}", at % 3),
            Some(origin("hospital", Script::pixels(format!("{}", at % 3).as_bytes()), &format!("{}", at % 3))),
        )).collect();
        let mut funded = 5_000_i128;
        let mut released = 0_i128;
        let mut now = NOW;
        for step in steps {
            let jobs = stage.host.open_jobs();
            match step {
                Step::Claim { policy, file } => { let _ = stage.claim(policy, files[file]); }
                Step::Read { policy, file, fails } => {
                    stage.fails = fails;
                    let _ = stage.request(policy, open[file]);
                    stage.fails = false;
                }
                Step::End { which, ended } => if !jobs.is_empty() {
                    let job = jobs[which % jobs.len()];
                    let told = stage.end(job, ended);
                    let aceso_contract::Callback::AcesoRead(done) = told;
                    let fee: i128 = done.fee.parse().unwrap();
                    let held = i128::try_from(stage.sealed_claim(job).held.u128()).unwrap();
                    if stage.hear(done).is_err() {
                        // Only of a claim that was released; then what comes back is in no book.
                        prop_assert_eq!(stage.reason(job), Closed::Released {});
                        released += held - fee;
                    }
                },
                Step::Settle => { let _ = stage.settle(None, None); }
                Step::Fund { policy, amount } => {
                    stage.fund(policy, amount).unwrap();
                    funded += i128::try_from(amount).unwrap();
                }
                Step::Release { which } => if !jobs.is_empty() {
                    let job = jobs[which % jobs.len()];
                    let _ = stage.release("insurer", job);
                },
                Step::Later => {
                    now += 40;
                    stage.height += 600;
                    stage.at(now);
                }
                Step::Withdraw { policy } => {
                    let _ = stage.send(message_info(&account("insurer"), &[]), ExecuteMsg::Withdraw { policy });
                }
            }
            let (mut books, mut most) = (stage.escrow(3), 0);
            for policy in 1..=2 {
                let (free, reserved) = stage.escrow_and_reserved(policy);
                let page: SealedClaimsResponse =
                    stage.query(QueryMsg::SealedClaims { policy, start_after: None, limit: Some(100) });
                let of_open: Uint128 = page.claims.iter().filter(|one| one.status == ClaimStatus::Open {})
                    .map(|one| one.reserved).sum();
                prop_assert_eq!(of_open.u128(), reserved);
                books += free + reserved;
                most = most.max(free);
            }
            let due: u128 = ["hospital", "author", "patient", "treasury"].iter().map(|name| stage.due(name)).sum();
            // Jobs of released claims are the chain's alone.
            let theirs: u128 = stage.host.open_jobs().into_iter().map(|job| stage.sealed_claim(job))
                .filter(|one| one.status != ClaimStatus::Open {}).map(|one| one.held.u128()).sum();
            let jobs = stage.ledger.get("jobs").copied().unwrap_or_default() - i128::try_from(theirs).unwrap();
            // What the chain took for reads whose transactions failed is known, and in an escrow of the member's.
            let lost = stage.lost("patient");
            prop_assert!(lost <= most, "{lost} of {most}");
            prop_assert_eq!(stage.holds("insurance") + jobs - released, i128::try_from(books + due - lost).unwrap());
            prop_assert_eq!((stage.escrow(3), stage.lost("other")), (5_000, 0));
            // Nothing comes from nowhere.
            prop_assert_eq!(stage.ledger.values().sum::<i128>(), funded);
        }
        // Each of the four pictures is paid once at most, open or sealed: both policies' periods overlap.
        let mut paid = Vec::new();
        for policy in 1..=2 {
            let page: SealedClaimsResponse =
                stage.query(QueryMsg::SealedClaims { policy, start_after: None, limit: Some(100) });
            for claim in page.claims {
                if let ClaimStatus::Paid(one) = claim.status { paid.push(one.claim.to_string()); }
            }
            let page: ClaimsResponse =
                stage.query(QueryMsg::Claims { policy, start_after: None, limit: Some(100) });
            let identity = |claim: &Claim| identity(&stage.env("insurance"), &claim.pixels).to_string();
            paid.extend(page.claims.iter().map(identity));
        }
        let all = paid.len();
        paid.sort();
        paid.dedup();
        prop_assert_eq!(paid.len(), all);
    }
}
