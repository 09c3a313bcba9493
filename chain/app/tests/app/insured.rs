//! Claims at the insurance and consent contracts of this repository, as they are built. For sealed images: what is set
//! aside, what the callback pays and costs, and who cannot be paid twice, too early, or by whom it is not told. For open
//! ones: that the books know of each coin that the chain takes, whatever becomes of the transaction.

use aceso_test_support::{random::Random, rewrapped};
use aceso_types::{
    Digest, PixelDigest,
    guest::{Ended, Origin},
    msg::{Disclose, MsgRegisterSealed, MsgRevokeGrant, SignedOrigin},
    query::JobStatus,
    sealed::{Input, Outcome, claim},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    cosmos::base::v1beta1::Coin,
    cosmwasm::wasm::v1::{
        MsgExecuteContract, MsgSudoContract, QuerySmartContractStateRequest, QuerySmartContractStateResponse,
    },
};
use serde_json::{Value, json};
use tendermint::{abci::types::ExecTxResult, v0_38::abci::response};

use crate::{
    fixture::{CHAIN, DENOM, Key, alice, bob, code, ours, sdk, text, told},
    hospital::{Hospital, author, eve, usual},
    reads::{picture, register_image},
    shipped::{answered, ship},
    ward::{Kept, LATER, START, cid, dave},
};

/// What a claim pays.
const PRICE: u128 = 1_000_000;
/// What each policy's escrow is funded with.
const ESCROW: u128 = 20_000_000;
/// What each member of a committee gets.
const REWARD: u128 = 100;

/// An insurer's counter on a chain of hospitals. Alice is the member and the insurer, eve asks, dave is the treasury.
struct Counter {
    hospital: Hospital,
    consent: String,
    insurance: String,
    /// Grants that alice has given.
    grants: u64,
}

impl Counter {
    fn open(validators: usize) -> Self {
        let mut hospital = Hospital::open(validators);
        let consent = ship(hospital.net(), "consent", "{}");
        let msg = json!({"treasury": dave().address(), "denom": DENOM}).to_string();
        let insurance = ship(hospital.net(), "insurance", &msg);
        Self { hospital, consent, insurance, grants: 1 }
    }

    fn execute(&mut self, key: &Key, contract: &str, msg: &Value, coins: u128) -> ExecTxResult {
        let funds = match coins {
            0 => vec![],
            amount => vec![Coin { denom: DENOM.into(), amount: amount.to_string() }],
        };
        let msg = MsgExecuteContract {
            sender: key.address(),
            contract: contract.into(),
            msg: msg.to_string().into_bytes(),
            funds,
        };
        let net = self.hospital.net();
        let mut draft = net.draft(&[key], vec![sdk(&msg)]);
        draft.gas = 60_000_000;
        net.deliver(draft.sign())
    }

    fn insure(&mut self, key: &Key, msg: &Value, coins: u128) -> ExecTxResult {
        let insurance = self.insurance.clone();
        self.execute(key, &insurance, msg, coins)
    }

    fn ask(&self, question: Value) -> Value {
        let query_data = question.to_string().into_bytes();
        let request = QuerySmartContractStateRequest { address: self.insurance.clone(), query_data };
        let path = "/cosmwasm.wasm.v1.Query/SmartContractState";
        let answer: QuerySmartContractStateResponse = self.hospital.ward.net.query(path, &request);
        serde_json::from_slice(&answer.data).unwrap()
    }

    /// A funded policy with these terms for sealed images.
    fn policy(&mut self, sealed: Value) -> u64 {
        self.policy_of(sealed, json!([]), &[("author", 3_000), ("subject", 6_000), ("treasury", 1_000)])
    }

    fn policy_of(&mut self, sealed: Value, origin: Value, split: &[(&str, u32)]) -> u64 {
        let to = |party: &str| match party.strip_prefix("account ") {
            Some(address) => json!({"account": {"address": address}}),
            None => json!({party: {}}),
        };
        let split: Vec<Value> = split.iter().map(|(party, bps)| json!({"to": to(party), "bps": bps})).collect();
        let terms = json!({
            "member": alice().address(), "not_before": START, "not_after": LATER,
            "covers": [{"model": self.hospital.model, "price": PRICE.to_string()}],
            "origin": origin, "split": split, "sealed": sealed,
        });
        let made = self.insure(&alice(), &json!({"create_policy": {"terms": terms}}), 0);
        let policy: u64 = serde_json::from_slice(&answered(&made)).unwrap();
        let funded = self.insure(&alice(), &json!({"fund": {"policy": policy}}), ESCROW);
        assert!(funded.code.is_ok(), "{}", funded.log);
        policy
    }

    /// Alice seals a file, guarded by the consent contract, and grants it to these hospitals; eve may read it.
    fn seal(&mut self, number: u8, origin: Option<SignedOrigin>, members: &[Key]) {
        let kept = Kept::new(&alice(), number);
        let register =
            MsgRegisterSealed { guard: self.consent.clone(), origin, ..kept.register(&[cid(number.into())]) };
        self.hospital.net().ok(&alice(), vec![ours(&register)]);
        self.grants += 1;
        let members: Vec<&Key> = members.iter().collect();
        let grant = self.hospital.grant_of(&kept, number.into(), self.grants, &members);
        self.hospital.net().ok(&alice(), vec![grant]);
        let rule = json!({
            "decision": {"permit": {"max_uses": 100}}, "actors": [eve().address()], "via": [],
            "purposes": ["TREAT"], "models": [], "not_before": START, "not_after": LATER,
        });
        let msg = json!({"grant": {"images": [cid(number.into())], "rule": rule, "sealed": true}});
        let consent = self.consent.clone();
        let result = self.execute(&alice(), &consent, &msg, 0);
        assert!(result.code.is_ok(), "{}", result.log);
    }

    fn everybody(&self) -> Vec<Key> {
        self.hospital.seats.iter().map(|seat| seat.operator.clone()).collect()
    }

    /// Eve's claim for the file that was sealed under this number, by the grant that came with it.
    fn try_claim(&mut self, policy: u64, number: u8) -> ExecTxResult {
        let msg = json!({"claim": {
            "policy": policy, "image": cid(number.into()), "model": self.hospital.model, "purpose": "TREAT",
            "granter": alice().address(), "grant": u64::from(number),
            "terms": STANDARD.encode(self.hospital.terms.encode()),
        }});
        self.insure(&eve(), &msg, 0)
    }

    fn claim(&mut self, policy: u64, number: u8) -> u64 {
        serde_json::from_slice(&answered(&self.try_claim(policy, number))).unwrap()
    }

    /// What members will say of a job: that they saw these pixels.
    fn see(&mut self, job: u64, disclose: Disclose, pixels: u8, vouched: bool) {
        let name = claim(CHAIN, &self.insurance, &PixelDigest(Digest([pixels; 32])));
        let input = Input { claim: name, vouched };
        let findings: Vec<String> = self.hospital.manifest.output.findings.iter().map(|one| one.id.clone()).collect();
        let outcome = match disclose {
            Disclose::Predicate => match usual(&aceso_types::sealed::Disclosure::Predicate(findings[..1].to_vec())) {
                Outcome::Predicate { findings, .. } => Outcome::Predicate { input, findings },
                other => other,
            },
            _ => Outcome::Sealed { input, commitment: Digest([2; 32]), ciphertext: vec![3; 64] },
        };
        self.hospital.answers.insert(job, outcome);
    }

    /// A claim for a sealed outcome of these pixels, heard to its end. Answers what its callback cost.
    fn read(&mut self, policy: u64, number: u8, pixels: u8) -> (u64, i64) {
        let job = self.claim(policy, number);
        self.see(job, Disclose::Sealed, pixels, false);
        (job, callback(&self.hospital.block(vec![])))
    }

    fn standing(&self, job: u64) -> Value {
        self.ask(json!({"sealed_claim": {"job": job}}))["status"].clone()
    }

    fn due(&self, account: &str) -> u128 {
        amount(&self.ask(json!({"due": {"account": account}}))["amount"])
    }

    /// What a policy's escrow holds for claims to come, and what is kept for open ones.
    fn escrow(&self, policy: u64) -> (u128, u128) {
        let answer = self.ask(json!({"escrow": {"policy": policy}}));
        (amount(&answer["amount"]), amount(&answer["reserved"]))
    }

    fn holds(&self) -> u128 {
        self.hospital.ward.net.balance(&self.insurance)
    }
}

fn amount(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

/// What the callbacks of a block's item cost. Nothing of them failed.
fn callback(done: &response::FinalizeBlock) -> i64 {
    let item = &done.tx_results[0];
    assert!(!told(item).iter().any(|line| line.starts_with("callback_failed")), "{:#?}", told(item));
    item.gas_used
}

/// Terms for sealed images with the default callback.
fn plan(members_min: u32) -> Value {
    json!({
        "accept": {"members_min": members_min, "power_min_bps": 5_000, "required": [], "excluded": []},
        "disclosure": {"sealed": {}}, "blocks": 40,
    })
}

fn with(mut plan: Value, name: &str, value: Value) -> Value {
    plan[name] = value;
    plan
}

#[test]
fn a_claim_is_paid_by_a_bit_or_by_nothing_that_others_can_read() {
    let mut counter = Counter::open(4);
    counter.hospital.seats[3].speaks = false;
    let finding = counter.hospital.manifest.output.findings[0].id.clone();
    let hidden = counter.policy(plan(3));
    let bit = counter.policy(with(plan(3), "disclosure", json!({"predicate": {"findings": [finding]}})));
    let everybody = counter.everybody();
    counter.seal(2, None, &everybody);
    counter.seal(3, None, &everybody);
    let fee = u128::from(counter.hospital.manifest.price.amount);
    for (policy, number, disclose) in [(hidden, 2, Disclose::Sealed), (bit, 3, Disclose::Predicate)] {
        let had = counter.holds();
        let job = counter.claim(policy, number);
        // The fee is within the author's share; all four are set aside, and three will have signed.
        assert_eq!(counter.escrow(policy), (ESCROW - PRICE - 4 * REWARD, PRICE + 4 * REWARD));
        assert_eq!(had - counter.holds(), fee + 4 * REWARD);
        assert_eq!(counter.standing(job), json!({"open": {}}));
        counter.see(job, disclose, number, false);
        callback(&counter.hospital.block(vec![]));
        let paid = &counter.standing(job)["paid"];
        assert_eq!((&paid["members"], &paid["power"], &paid["total"]), (&json!(4), &json!(40), &json!(40)));
        assert_eq!(amount(&paid["fee"]), fee + 3 * REWARD);
        match disclose {
            Disclose::Predicate => {
                assert_eq!(paid["findings"], json!([{"id": finding, "present": true}]));
                assert!(paid["commitment"].is_null());
            }
            _ => assert_eq!((paid["findings"].as_array().unwrap().len(), paid["commitment"].is_string()), (0, true)),
        }
        assert_eq!(counter.escrow(policy), (ESCROW - PRICE - 3 * REWARD, 0));
    }
    // Nothing was sent yet, and the counter holds what it owes.
    let owed = [alice(), author(), dave()].map(|who| counter.due(&who.address()));
    assert_eq!(owed, [2 * 600_000, 2 * (300_000 - fee), 2 * 100_000]);
    assert_eq!(counter.holds(), counter.escrow(hidden).0 + counter.escrow(bit).0 + owed.iter().sum::<u128>());
    let before = [author(), dave()].map(|who| counter.hospital.balance(&who));
    assert!(counter.insure(&eve(), &json!({"settle": {}}), 0).code.is_ok());
    let after = [author(), dave()].map(|who| counter.hospital.balance(&who));
    assert_eq!([after[0] - before[0], after[1] - before[1]], [owed[1], owed[2]]);
    assert_eq!(counter.due(&alice().address()), 0);
}

/// Another insurer has asked before, so that the bit is known to everybody. The chain keeps no name of the pixels that it
/// could tell this one, for one that fits all would match the patient's records: a claim asks members again.
#[test]
fn a_bit_that_another_payer_let_out_is_claimed_by_what_members_see() {
    let mut counter = Counter::open(1);
    let msg = json!({"treasury": dave().address(), "denom": DENOM}).to_string();
    let other = ship(counter.hospital.net(), "insurance", &msg);
    let finding = counter.hospital.manifest.output.findings[0].id.clone();
    let bit = with(plan(1), "disclosure", json!({"predicate": {"findings": [finding]}}));
    let everybody = counter.everybody();
    [2, 3].into_iter().for_each(|number| counter.seal(number, None, &everybody));
    let read = |counter: &mut Counter, policy, number, pixels| {
        let job = counter.claim(policy, number);
        counter.see(job, Disclose::Predicate, pixels, false);
        callback(&counter.hospital.block(vec![]));
        counter.standing(job)
    };
    let ours = std::mem::replace(&mut counter.insurance, other);
    let first = counter.policy(bit.clone());
    let theirs = read(&mut counter, first, 2, 7)["paid"].clone();
    counter.insurance = ours;

    // A claim is never answered from the state: members say by which name this insurer knows the pixels.
    let policy = counter.policy(bit.clone());
    let paid = read(&mut counter, policy, 2, 7)["paid"].clone();
    assert_eq!(paid["findings"], json!([{"id": finding, "present": true}]));
    let name = |insurance: &str, pixels| json!(claim(CHAIN, insurance, &PixelDigest(Digest([pixels; 32]))));
    assert_eq!(paid["claim"], name(&counter.insurance, 7));
    assert_ne!(paid["claim"], theirs["claim"]);
    // By that it knows them again, sealed anew.
    let again = read(&mut counter, policy, 3, 7);
    assert_eq!(again["closed"]["reason"], json!({"paid_before": {"read": paid["read"]}}));
    // And where it was itself told the bit before, of pixels that are not paid yet.
    let later = counter.policy(bit);
    assert_eq!(read(&mut counter, later, 3, 8)["paid"]["claim"], name(&counter.insurance, 8));
    counter.balanced(&[policy, later]);
}

#[test]
fn pixels_are_paid_once_however_often_they_are_sealed_anew() {
    let mut counter = Counter::open(1);
    let (policy, everybody) = (counter.policy(plan(1)), counter.everybody());
    for number in 2..=4 {
        counter.seal(number, None, &everybody);
    }
    let (first, _) = counter.read(policy, 2, 7);
    assert!(counter.standing(first)["paid"].is_object());
    let owed = counter.due(&alice().address());
    // Another key, another CID, the same pixels: read and not paid.
    let (again, _) = counter.read(policy, 3, 7);
    let read = counter.standing(first)["paid"]["read"].clone();
    assert_eq!(counter.standing(again)["closed"]["reason"], json!({"paid_before": {"read": read}}));
    assert_eq!(counter.due(&alice().address()), owed);
    // The file that was paid for is not even asked for.
    let refused = counter.try_claim(policy, 2);
    assert!(code(&refused) == ("wasm", 5) && refused.log.contains("is already paid, by read 1"), "{}", refused.log);
    // A later policy of the same period pays nothing for them either; other pixels are paid.
    let later = counter.policy(plan(1));
    let (again, _) = counter.read(later, 3, 7);
    assert!(counter.standing(again)["closed"]["reason"]["paid_before"].is_object());
    let (other, _) = counter.read(later, 4, 8);
    assert!(counter.standing(other)["paid"].is_object());
}

#[test]
fn a_committee_that_the_policy_does_not_believe_makes_no_job() {
    let mut counter = Counter::open(4);
    let (policy, strict) = (counter.policy(plan(3)), counter.policy(with(plan(1), "blocks", json!(9))));
    counter.seal(2, None, &[bob()]);
    let had = counter.holds();
    let refused = counter.try_claim(policy, 2);
    assert_eq!(code(&refused), ("aceso", 922));
    assert!(refused.log.contains("it has 1 members, and 3 are demanded"), "{}", refused.log);
    let refused = counter.try_claim(strict, 2);
    assert!(refused.log.contains("it has 10 of 40 power, and 5000 bps are demanded"), "{}", refused.log);
    assert_eq!((counter.holds(), counter.escrow(policy), counter.hospital.opened()), (had, (ESCROW, 0), 0));
    // Whoever trusts this one hospital is served by it.
    let mut alone = plan(1);
    alone["accept"]["power_min_bps"] = json!(2_500);
    alone["accept"]["required"] = json!([bob().address()]);
    let alone = counter.policy(alone);
    let (job, _) = counter.read(alone, 2, 1);
    assert_eq!(counter.standing(job)["paid"]["power"], json!(10));
}

#[test]
fn a_claim_that_nobody_answers_or_that_is_called_off_frees_what_was_set_aside() {
    let mut counter = Counter::open(1);
    let (policy, everybody) = (counter.policy(with(plan(1), "blocks", json!(3))), counter.everybody());
    counter.seal(2, None, &everybody);
    let had = counter.holds();
    counter.hospital.seats[0].speaks = false;
    let job = counter.claim(policy, 2);
    assert!(counter.escrow(policy).1 > 0);
    while counter.hospital.job(job).status() == JobStatus::Open {
        counter.hospital.block(vec![]);
    }
    let closed = |reason: Value| json!({"closed": {"reason": reason, "read": null, "fee": "0"}});
    assert_eq!(counter.standing(job), closed(json!({"expired": {}})));
    assert_eq!((counter.escrow(policy), counter.holds()), ((ESCROW, 0), had));

    let job = counter.claim(policy, 2);
    let revoke = MsgRevokeGrant { sender: alice().address(), granter: alice().address(), grant: 2 };
    counter.hospital.net().ok(&alice(), vec![ours(&revoke)]);
    assert_eq!(counter.standing(job), closed(json!({"cancelled": {}})));
    assert_eq!((counter.escrow(policy), counter.holds()), ((ESCROW, 0), had));
    let refused = counter.try_claim(policy, 2);
    assert_eq!(code(&refused), ("aceso", 910), "{}", refused.log);
}

#[test]
fn nobody_but_the_chain_tells_what_came_of_a_read() {
    let mut counter = Counter::open(1);
    let (policy, everybody) = (counter.policy(plan(1)), counter.everybody());
    counter.seal(2, None, &everybody);
    let job = counter.claim(policy, 2);
    let done = aceso_types::guest::ReadDone {
        job,
        ended: Ended::Done,
        read: Some(aceso_types::ReadId(1)),
        image: cid(2).parse().unwrap(),
        frame: aceso_types::Frame::FIRST,
        owner: alice().address(),
        actor: eve().address(),
        purpose: "TREAT".into(),
        model: counter.hospital.model,
        author: eve().address(),
        fee: "0".into(),
        claim: Some(Digest([9; 32])),
        origin: None,
        members: 4,
        power: 40,
        total: 40,
        scores: vec![],
        findings: vec![],
        readings: vec![],
        commitment: None,
    };
    let forged = serde_json::to_value(aceso_types::guest::Callback::AcesoRead(done)).unwrap();
    // The authority, who may tell contracts other things, is no exception.
    for sender in [alice(), eve()] {
        let msg = MsgSudoContract {
            authority: sender.address(),
            contract: counter.insurance.clone(),
            msg: forged.to_string().into_bytes(),
        };
        let net = counter.hospital.net();
        let tx = net.draft(&[&sender], vec![sdk(&msg)]).sign();
        let checked = net.check(tx.clone());
        assert_eq!((checked.codespace.as_str(), checked.code.value()), ("wasm", 14), "{}", checked.log);
        assert!(checked.log.contains("only the chain itself tells of reads"), "{}", checked.log);
        // A block that holds it all the same does nothing of it.
        let done = net.finalize(vec![tx.into()]);
        net.app.commit().unwrap();
        assert_eq!(code(&done.tx_results[0]), ("wasm", 14));
    }
    let result = counter.insure(&alice(), &forged, 0);
    assert!(code(&result) == ("wasm", 5) && result.log.contains("unknown variant"), "{}", result.log);
    assert_eq!((counter.standing(job), counter.due(&eve().address())), (json!({"open": {}}), 0));
}

#[test]
fn a_callback_without_gas_leaves_the_claim_to_be_released() {
    let mut counter = Counter::open(1);
    let mut poor = with(plan(1), "callback_gas", json!(20_000));
    poor["blocks"] = json!(2);
    let (policy, everybody) = (counter.policy(poor), counter.everybody());
    counter.seal(2, None, &everybody);
    let job = counter.claim(policy, 2);
    let held = u128::from(counter.hospital.manifest.price.amount) + REWARD;
    let done = counter.hospital.block(vec![]);
    let failed: Vec<String> =
        told(&done.tx_results[0]).into_iter().filter(|line| line.starts_with("callback_failed")).collect();
    assert!(failed.len() == 1 && failed[0].contains("codespace=sdk code=11"), "{failed:?}");
    // The read stands and has cost what it costs; the claim is open.
    assert_eq!(counter.hospital.job(job).status(), JobStatus::Done);
    assert_eq!(counter.standing(job), json!({"open": {}}));
    let deadline = counter.ask(json!({"sealed_claim": {"job": job}}))["deadline"].as_u64().unwrap();
    let release = json!({"release": {"job": job}});
    let early = counter.insure(&alice(), &release, 0);
    assert!(early.log.contains(&format!("can be released from height {} on", deadline + 1_000)), "{}", early.log);
    while counter.hospital.ward.net.height < deadline + 1_000 {
        counter.hospital.block(vec![]);
    }
    let stranger = counter.insure(&eve(), &release, 0);
    assert!(stranger.log.contains("is not the insurer"), "{}", stranger.log);
    let released = counter.insure(&alice(), &release, 0);
    assert!(released.code.is_ok(), "{}", released.log);
    assert_eq!(counter.escrow(policy), (ESCROW - held, 0));
    assert_eq!(counter.holds(), ESCROW - held);
    let twice = counter.insure(&alice(), &release, 0);
    assert!(twice.log.contains("is closed"), "{}", twice.log);
}

/// The dearest claims that a policy can promise: sixteen shares, an institution's word, a claim book that is not empty.
/// What they cost is what `CALLBACK_GAS` in `contracts/interface/src/insurance.rs` is set from.
#[test]
fn the_default_gas_is_enough_for_the_dearest_callback() {
    let accounts: Vec<String> = (0..12).map(|n| format!("account {}", text(&[n + 1; 20]))).collect();
    let mut split = vec![("institution", 4_000), ("author", 2_000), ("subject", 2_000), ("treasury", 800)];
    split.extend(accounts.iter().map(|account| (account.as_str(), 100)));
    let mut counter = Counter::open(4);
    let hospital = Key::new(50);
    let everybody = counter.everybody();
    let (mut dearest, mut default) = (0, 0);
    for (at, payout) in (0_u8..).zip(["batched", "per_claim"]) {
        let terms = with(plan(4), "payout", json!(payout));
        let policy = counter.policy_of(terms, json!([hospital.address()]), &split);
        for number in [2 + 2 * at, 3 + 2 * at] {
            counter.seal(number, Some(word(&hospital, number)), &everybody);
            let job = counter.claim(policy, number);
            counter.see(job, Disclose::Sealed, number, true);
            let cost = callback(&counter.hospital.block(vec![]));
            let paid = &counter.standing(job)["paid"];
            assert_eq!((paid["paid"].as_array().unwrap().len(), paid["institution"].is_string()), (16, true));
            println!("{payout}: {cost} gas");
            dearest = dearest.max(cost);
        }
        let terms = counter.ask(json!({"policy": {"policy": policy}}))["terms"].clone();
        default = terms["sealed"]["callback_gas"].as_i64().unwrap();
    }
    // Half as much again is left for values that are longer than these, and less than as much again is paid for nothing.
    assert!((dearest * 3 / 2..dearest * 2).contains(&default), "{dearest} of {default}");
}

/// An institution's word about what a file of this number shows.
fn word(institution: &Key, number: u8) -> SignedOrigin {
    let origin = Origin {
        institution: institution.address(),
        pixels: PixelDigest(Digest([number; 32])),
        study: Origin::study_of(&number.to_string()),
        subject: Origin::subject_of("p", b"s"),
    };
    SignedOrigin {
        institution: origin.institution.clone(),
        pixels: origin.pixels.as_bytes().to_vec(),
        study: origin.study.0.to_vec(),
        subject: origin.subject.0.to_vec(),
        public_key: institution.public(),
        signature: institution.sign(&origin.sign_bytes(CHAIN).0),
    }
}

impl Counter {
    /// An open picture of alice's, guarded by the consent contract; eve may read it.
    fn picture(&mut self, bytes: &[u8]) -> String {
        let net = self.hospital.net();
        let image = net.put(bytes);
        net.ok(&alice(), vec![ours(&register_image(&alice(), &image, bytes.len(), &self.consent))]);
        while self.hospital.net().app.expects_blocks() {
            self.hospital.block(vec![]);
        }
        let rule = json!({
            "decision": {"permit": {"max_uses": 100}}, "actors": [eve().address()], "via": [],
            "purposes": ["TREAT"], "models": [], "not_before": START, "not_after": LATER,
        });
        let (consent, image) = (self.consent.clone(), image.to_string());
        let granted = self.execute(&alice(), &consent, &json!({"grant": {"images": [image], "rule": rule}}), 0);
        assert!(granted.code.is_ok(), "{}", granted.log);
        image
    }

    /// Eve asks for a read of it; in the same transaction something may fail afterwards.
    fn request(&mut self, policy: u64, image: &str, fails: bool) -> ExecTxResult {
        let msg = json!({"request_read": {
            "policy": policy, "image": image, "model": self.hospital.model, "purpose": "TREAT",
        }});
        let message = |msg: Value| {
            sdk(&MsgExecuteContract {
                sender: eve().address(),
                contract: self.insurance.clone(),
                msg: msg.to_string().into_bytes(),
                funds: vec![],
            })
        };
        let mut msgs = vec![message(msg)];
        if fails {
            msgs.push(message(json!({"release": {"job": 1}})));
        }
        let net = self.hospital.net();
        let mut draft = net.draft(&[&eve()], msgs);
        draft.gas = 90_000_000;
        net.deliver(draft.sign())
    }

    fn lost(&self) -> u128 {
        amount(&self.ask(json!({"lost": {"member": alice().address()}}))["amount"])
    }

    /// What the contract holds, and the chain holds for its open claims, is what it has put down and knows to be lost.
    fn balanced(&self, policies: &[u64]) {
        let mut books = 0;
        for &policy in policies {
            let (free, reserved) = self.escrow(policy);
            books += free + reserved;
            let claims = self.ask(json!({"sealed_claims": {"policy": policy, "limit": 100}}));
            let open = claims["claims"].as_array().unwrap().iter().filter(|one| one["status"] == json!({"open": {}}));
            books -= open.map(|one| amount(&one["held"])).sum::<u128>();
        }
        let due: u128 = [alice(), author(), dave()].iter().map(|who| self.due(&who.address())).sum();
        assert_eq!(self.holds() + self.lost(), books + due);
    }
}

#[test]
fn a_read_that_shows_paid_pixels_is_refused_and_the_policy_bears_its_fee() {
    let mut counter = Counter::open(1);
    let (policy, fee) = (counter.policy(plan(1)), u128::from(counter.hospital.manifest.price.amount));
    let (bytes, again) = (picture(0), rewrapped(0));
    let (first, again) = (counter.picture(&bytes), counter.picture(&again));
    let paid: Value = serde_json::from_slice(&answered(&counter.request(policy, &first, false))).unwrap();
    assert!(paid["paid"]["read"].is_u64(), "{paid}");
    let (had, escrow, patient) = (counter.holds(), counter.escrow(policy).0, counter.hospital.balance(&alice()));
    let result = counter.request(policy, &again, false);
    let refused: Value = serde_json::from_slice(&answered(&result)).unwrap();
    assert_eq!(refused["refused"]["reason"], json!({"pixels_paid": {"read": paid["paid"]["read"]}}));
    let event = told(&result).into_iter().find(|line| line.starts_with("wasm-refused")).unwrap();
    assert!(event.contains("are already paid, by read"), "{event}");
    let read = refused["refused"]["read"].as_u64().unwrap();
    assert_eq!(counter.ask(json!({"refused_read": {"policy": policy, "read": read}})), refused["refused"]);
    // The author has the read's fee from this policy's escrow, and nobody anything else.
    assert_eq!((had - counter.holds(), escrow - counter.escrow(policy).0), (fee, fee));
    assert_eq!(counter.hospital.balance(&alice()), patient);
    counter.balanced(&[policy]);
}

#[test]
fn the_books_are_the_balance_at_every_block_whatever_is_asked() {
    let mut counter = Counter::open(1);
    let fee = u128::from(counter.hospital.manifest.price.amount);
    let policies = [counter.policy(plan(1)), counter.policy(plan(1))];
    let files = [picture(0), rewrapped(0), picture(1), rewrapped(1)].map(|bytes| counter.picture(&bytes));
    let everybody = counter.everybody();
    (2..=5).for_each(|number| counter.seal(number, None, &everybody));
    // One who reads and errs on purpose lowers what stands behind the member's own policies, and nobody else's.
    let escrow = counter.escrow(policies[0]).0;
    let failed = counter.request(policies[0], &files[0], true);
    assert!(code(&failed) == ("wasm", 5) && failed.log.contains("is not the insurer"), "{}", failed.log);
    assert_eq!((counter.escrow(policies[0]).0, counter.lost()), (escrow, fee));
    counter.balanced(&policies);

    let mut random = Random::new(7);
    let mut below = |end: u64| usize::try_from(random.below(end)).unwrap();
    let (mut made, mut refused, mut undone, mut claimed) = (0, 0, 0, 0);
    for _ in 0..48 {
        let policy = policies[below(2)];
        match below(5) {
            0..=1 => {
                let (file, fails) = (&files[below(4)], below(3) == 0);
                let result = counter.request(policy, file, fails);
                if result.code.is_ok() {
                    let told = String::from_utf8(answered(&result)).unwrap();
                    if told.starts_with("{\"paid\"") { made += 1 } else { refused += 1 }
                } else {
                    undone += 1;
                }
            }
            2..=3 => {
                let number = u8::try_from(2 + below(4)).unwrap();
                let result = counter.try_claim(policy, number);
                if result.code.is_ok() {
                    let job = serde_json::from_slice(&answered(&result)).unwrap();
                    counter.see(job, Disclose::Sealed, number % 3, false);
                    claimed += 1;
                }
            }
            _ => {
                let _ = counter.insure(&eve(), &json!({"settle": {}}), 0);
            }
        }
        counter.balanced(&policies);
        if below(2) == 0 {
            counter.hospital.block(vec![]);
            counter.balanced(&policies);
        }
    }
    assert!(made > 0 && refused > 0 && undone > 0 && claimed > 0, "{made} {refused} {undone} {claimed}");
}
