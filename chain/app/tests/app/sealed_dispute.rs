//! Disputes: a record's key is shown, everybody computes what its committee should have signed, and who signed something
//! else is marked.

use std::{collections::BTreeMap, fs, path::Path};

use aceso_app::{Reopen, Shown};
use aceso_inference::{
    Model, admit,
    image::{EFFORT_FREE, Limits, effort},
};
use aceso_types::{
    BlobId, Digest, Manifest,
    gas::WASM_PER_SDK,
    genesis::Genesis,
    journal::{Entry, Event},
    msg::{
        Disclose, Extension, MsgDispute, MsgDisputeResponse, MsgRegisterBlob, MsgRegisterModel, MsgRequestRead,
        MsgRetireSealed, MsgRevokeGrant, MsgSetValidator, PassedOn,
    },
    query::{QueryGrant, QueryJournal, QueryValidators},
    sealed::{Disclosure, Failure, Input, Outcome, Statement},
    transcript::Read,
};
use aceso_verify::grant::{ContentPoint, Opened, Opening, Registration, SecretKey, Wrap};
use cosmos_sdk_proto::cosmos::tx::v1beta1::{SimulateRequest, SimulateResponse};
use prost::Message;

use crate::{
    fixture::{CHAIN, DENOM, Key, Members, alice, bob, code, ours, responses, told},
    guests::NOTHING,
    hospital::{Hospital, author, eve, model},
    reads::{large, picture},
    replay::{Follower, encoded, signed, signer, transcript, truth, with_images},
    ward::{Kept, LATER, reader, register_reader, terms},
};

/// Hospitals that can read a second record of alice's, which is a sealed file like those that clients make.
pub(crate) struct Ward {
    pub(crate) hospital: Hospital,
    kept: Kept,
    image: BlobId,
    file: Vec<u8>,
    pub(crate) manifest: Manifest,
    pub(crate) model: Model,
    modality: String,
    body_part: String,
    effort: u64,
}

impl Ward {
    fn open(validators: usize) -> Self {
        Self::with(Hospital::open(validators), &picture(1))
    }

    pub(crate) fn with(hospital: Hospital, record: &[u8]) -> Self {
        let kept = Kept::new(&alice(), 2);
        let file = sealed(&kept, record);
        Self::of(hospital, kept, file, ("DX", "CHEST", 0), model())
    }

    /// Registers the file as record 2, grants it, and has every validator hold its bytes.
    fn of(
        mut hospital: Hospital,
        kept: Kept,
        file: Vec<u8>,
        (modality, body_part, effort): (&str, &str, u64),
        (onnx, manifest): (Vec<u8>, Manifest),
    ) -> Self {
        let image = hospital.net().put(&file);
        let mut registered = kept.register(&[image.to_string()]);
        let stated = &mut registered.files[0];
        (stated.modality, stated.body_part, stated.effort) = (modality.into(), body_part.into(), effort);
        hospital.net().ok(&alice(), vec![ours(&registered)]);
        let operators: Vec<_> = hospital.seats.iter().map(|seat| seat.operator.clone()).collect();
        let mut giving = hospital.ward.give(&kept, 2, 2, &operators.iter().collect::<Vec<_>>());
        giving.msg.committee = true;
        giving.msg.terms = hospital.terms.digest(giving.msg.expires).0.into();
        hospital.net().ok(&alice(), vec![ours(&giving.made())]);
        let model = admit(&onnx, &manifest).unwrap();
        let (modality, body_part) = (modality.into(), body_part.into());
        Self { hospital, kept, image, file, manifest, model, modality, body_part, effort }
    }

    /// The sealed file becomes a blob that every validator holds.
    pub(crate) fn publish(&mut self) {
        let (cid, size) = (self.image.to_string(), self.file.len() as u64);
        let blob = MsgRegisterBlob { owner: bob().address(), cid, size, term: 1_000 };
        self.hospital.net().ok(&bob(), vec![ours(&blob)]);
        while self.hospital.ward.net.app.expects_blocks() {
            self.hospital.block(vec![]);
        }
    }

    pub(crate) fn asking(&self, disclose: Disclose) -> MsgRequestRead {
        let findings = match disclose {
            Disclose::Predicate => vec![self.manifest.output.findings[0].id.clone()],
            _ => vec![],
        };
        let model = self.manifest.id().as_bytes().into();
        let image = self.image.to_string();
        MsgRequestRead { image, grant: 2, disclose: disclose.into(), findings, model, ..self.hospital.asking() }
    }

    fn statement(&self, job: u64) -> Statement {
        Statement::decode(&self.hospital.job(job).statement).unwrap()
    }

    /// What an honest member signs of a job.
    pub(crate) fn truth(&self, job: u64) -> Outcome {
        self.found(job, &self.kept.content)
    }

    /// What the file comes to under a key.
    fn found(&self, job: u64, content: &ContentPoint) -> Outcome {
        Members.outcome(&Shown {
            statement: &self.statement(job),
            manifest: &self.manifest,
            model: &self.model,
            commitment: &self.kept.commitment,
            modality: &self.modality,
            body_part: &self.body_part,
            effort: self.effort,
            vouched: None,
            point: &content.to_bytes()[..],
            file: &self.file,
        })
    }

    /// Asks, and has the members sign what is made of the truth.
    fn done(&mut self, disclose: Disclose, change: impl FnOnce(Outcome) -> Outcome) -> u64 {
        let asking = self.asking(disclose);
        self.done_with(&asking, change)
    }

    /// The same of a request.
    pub(crate) fn done_with(&mut self, asking: &MsgRequestRead, change: impl FnOnce(Outcome) -> Outcome) -> u64 {
        let job = self.hospital.ask(asking);
        let answer = change(self.truth(job));
        self.hospital.answers.insert(job, answer);
        self.hospital.block(vec![]);
        assert!(self.hospital.job(job).outcome.is_some());
        job
    }

    /// Eve's message, out of what the patient's own key opens.
    fn showing(&self, job: u64) -> MsgDispute {
        self.opened(job, (CHAIN, job), None, &self.kept.secret)
    }

    /// Eve's message, out of what a key opens: a place of a grant, or the registration. The proof says which chain and job it
    /// is for.
    fn opened(&self, job: u64, (chain_id, about): (&str, u64), from: Option<PassedOn>, key: &SecretKey) -> MsgDispute {
        let sealed = match &from {
            None => Registration::from_bytes(&self.hospital.ward.record(2).registration).unwrap().sealed,
            Some(PassedOn { granter, grant, place }) => {
                let row = self.hospital.ward.net.ask(&QueryGrant { granter: granter.clone(), grant: *grant });
                let wrap = row.grant.unwrap().wrap;
                Wrap::from_bytes(&wrap).unwrap().of(usize::try_from(*place).unwrap()).unwrap()
            }
        };
        let (content, proof) = Opening::new(&Opened { chain_id, job: about }, key, &sealed, &[4; 64]);
        let (point, proof) = (content.to_bytes().to_vec(), proof.to_bytes().into());
        MsgDispute { sender: eve().address(), job, point, from, proof }
    }

    /// Eve shows the key.
    pub(crate) fn dispute(&mut self, job: u64) -> (MsgDisputeResponse, Vec<String>) {
        let msg = self.showing(job);
        let result = self.hospital.net().ok(&eve(), vec![ours(&msg)]);
        let response = MsgDisputeResponse::decode(&responses(&result)[0].value[..]).unwrap();
        (response, told(&result))
    }

    /// Wrong outcomes of the members, by their seats.
    fn wrong(&self, job: u64) -> Vec<u64> {
        let members = self.hospital.job(job).members;
        let number = |key: [u8; 48]| members.iter().find(|one| one.bls_key == key).unwrap().number;
        let seats = self.hospital.seats.iter();
        seats.map(|seat| self.hospital.conduct(number(seat.attest.public())).wrong).collect()
    }
}

fn sealed(kept: &Kept, record: &[u8]) -> Vec<u8> {
    let (owner, length) = (kept.owner.address(), record.len() as u64);
    aceso_seal::seal(&kept.content, &owner, [9; 32], ("image/png", BTreeMap::new()), record, length, Vec::new())
        .unwrap()
}

/// Another outcome of the same kind, as near to the true one as it gets.
fn lie(outcome: Outcome) -> Outcome {
    let other = |input: Input| Input { claim: Digest([7; 32]), ..input };
    match outcome {
        Outcome::Open { input, outputs } => Outcome::Open { input: other(input), outputs },
        Outcome::Predicate { input, mut findings } => {
            findings[0].present = !findings[0].present;
            Outcome::Predicate { input, findings }
        }
        Outcome::Sealed { input, commitment, mut ciphertext } => {
            ciphertext[0] ^= 1;
            Outcome::Sealed { input, commitment, ciphertext }
        }
        Outcome::Stored { input, commitment, blob, size } => {
            Outcome::Stored { input: other(input), commitment, blob, size }
        }
        Outcome::Failed(_) => Outcome::Failed(Failure::Owner),
    }
}

#[test]
fn members_above_two_thirds_that_lied_are_marked_once_each() {
    let mut ward = Ward::open(4);
    ward.hospital.seats[3].speaks = false;
    ward.publish();
    let job = ward.done(Disclose::Open, lie);
    let before = (ward.hospital.receipt(1).encode(), ward.hospital.balance(&eve()), ward.hospital.balance(&author()));
    assert_eq!(ward.wrong(job), [0, 0, 0, 0]);
    let (response, events) = ward.dispute(job);
    let truth = ward.truth(job);
    assert_eq!((response.wrong, response.marked, Outcome::decode(&response.outcome)), (true, 3, Ok(truth.clone())));
    assert_eq!(ward.wrong(job), [1, 1, 1, 0]);
    let said =
        format!("dispute job={job} read=1 sender={} found=wrong outcome={} marked=3", eve().address(), truth.digest());
    assert!(events.iter().any(|event| event.starts_with(&said)), "{events:#?}");
    assert_eq!(events.iter().filter(|event| event.starts_with("member_wrong")).count(), 3);
    // The job says so from now on; the receipt and all that proves it stay as they were.
    let row = ward.hospital.job(job);
    let found = row.disputed.unwrap();
    assert_eq!((found.sender, found.height), (eve().address(), ward.hospital.ward.net.height));
    assert_eq!((found.wrong, found.outcome, found.marked), (true, truth.encode(), 3));
    assert_eq!(ward.hospital.receipt(1).encode(), before.0);
    // It cost what an open read costs, and the author has it.
    let price = u128::from(ward.manifest.price.amount);
    assert_eq!(before.1 - ward.hospital.balance(&eve()), 250_000 + price);
    assert_eq!(ward.hospital.balance(&author()) - before.2, price);
    let journal = ward.hospital.ward.net.ask(&QueryJournal { image: ward.image.to_string(), page: None });
    let last = Entry::decode(journal.entries.last().unwrap()).unwrap();
    assert_eq!(last.caller, eve().address());
    assert!(matches!(last.event, Event::Read { fee, .. } if u128::from(fee) == price), "{last:?}");
    // Nobody is marked twice.
    let again = ward.showing(job);
    ward.hospital.ward.refused(&eve(), &again, ("aceso", 927), "its members were wrong");
    assert_eq!(ward.wrong(job), [1, 1, 1, 0]);
}

#[test]
fn who_told_the_truth_against_the_others_is_cleared() {
    let mut ward = Ward::open(4);
    ward.publish();
    let asking = ward.asking(Disclose::Open);
    let job = ward.hospital.ask(&asking);
    let truth = ward.truth(job);
    ward.hospital.answers.insert(job, lie(truth.clone()));
    ward.hospital.seats[3].lie = Some(truth.clone());
    let share = ward.hospital.seats[3].share(&ward.statement(job), &truth);
    ward.hospital.block(vec![]);
    assert_eq!(ward.wrong(job), [0, 0, 0, 1]);
    let (response, events) = ward.dispute(job);
    assert_eq!((response.marked, ward.wrong(job)), (3, vec![1, 1, 1, 0]));
    assert_eq!(events.iter().filter(|event| event.starts_with("member_cleared")).count(), 1, "{events:#?}");
    // Its word is brought up again, and is no word against the truth.
    let repeat = |at: usize, vote: Vec<u8>| -> Vec<u8> {
        let mut extension = Extension::decode(&vote[..]).unwrap();
        extension.shares.extend((at == 3).then(|| share.clone()));
        extension.encode_to_vec()
    };
    assert!(ward.hospital.propose_after(vec![], repeat).is_empty());
    // Had nobody made it known before, it would not be a word against it either; what nobody should sign still is.
    let other = ward.hospital.seats[3].share(&ward.statement(job), &Outcome::Failed(Failure::Record));
    let proposed = ward.hospital.propose_after(vec![], |at, vote| {
        let mut extension = Extension::decode(&vote[..]).unwrap();
        extension.shares.extend((at == 3).then(|| other.clone()));
        extension.encode_to_vec()
    });
    ward.hospital.decide(proposed);
    assert_eq!(ward.wrong(job), [1, 1, 1, 1]);
}

#[test]
fn a_true_outcome_is_upheld_in_each_disclosure() {
    let mut ward = Ward::open(4);
    ward.publish();
    for disclose in [Disclose::Open, Disclose::Predicate, Disclose::Sealed] {
        let job = ward.done(disclose, |truth| truth);
        let (response, events) = ward.dispute(job);
        let truth = ward.truth(job).encode();
        assert_eq!((response.wrong, response.marked, response.outcome), (false, 0, truth));
        assert!(events.iter().any(|event| event.contains("found=upheld")), "{events:#?}");
        let found = ward.hospital.job(job).disputed.unwrap();
        assert_eq!((found.wrong, found.outcome.len(), found.marked), (false, 0, 0));
        assert_eq!(ward.wrong(job), [0, 0, 0, 0]);
        let again = ward.showing(job);
        ward.hospital.ward.refused(&eve(), &again, ("aceso", 927), "its members were right");
    }
}

#[test]
fn a_lie_is_found_in_each_disclosure_and_in_failures() {
    type Lie = fn(Outcome) -> Outcome;
    let mut ward = Ward::open(1);
    ward.publish();
    let lies: [(Disclose, Lie); 4] = [
        (Disclose::Open, lie),
        (Disclose::Predicate, lie),
        (Disclose::Sealed, lie),
        (Disclose::Open, |_| Outcome::Failed(Failure::Leaf)),
    ];
    for (count, (disclose, lie)) in (1..).zip(lies) {
        let job = ward.done(disclose, lie);
        let (response, _) = ward.dispute(job);
        assert_eq!((response.wrong, response.marked, ward.wrong(job)), (true, 1, vec![count]));
    }
}

#[test]
fn a_false_bit_is_forgotten_and_a_true_one_is_not() {
    let mut ward = Ward::open(4);
    ward.publish();
    let job = ward.done(Disclose::Predicate, lie);
    let asking = ward.asking(Disclose::Predicate);
    assert_eq!(ward.hospital.ask(&asking), 0, "it is known");
    assert_eq!(ward.dispute(job).0.marked, 4);
    let again = ward.done(Disclose::Predicate, |truth| truth);
    assert_ne!(again, 0);
    assert!(!ward.dispute(again).0.wrong);
    let asking = ward.asking(Disclose::Predicate);
    assert_eq!(ward.hospital.ask(&asking), 0);
}

#[test]
fn a_file_that_was_changed_fails_for_everybody() {
    type Change = fn(&mut Vec<u8>);
    let kept = Kept::new(&alice(), 2);
    let whole = sealed(&kept, &picture(1));
    let changes: [(Change, Failure); 4] = [
        (|file| *file.last_mut().unwrap() ^= 1, Failure::Leaf),
        (|file| file[0] ^= 1, Failure::Header),
        (|file| file.truncate(400), Failure::Leaf),
        (|file| *file = sealed(&Kept { owner: bob(), ..Kept::new(&alice(), 2) }, &picture(1)), Failure::Owner),
    ];
    for (change, failure) in changes {
        let mut file = whole.clone();
        change(&mut file);
        let kept = Kept::new(&alice(), 2);
        let mut ward = Ward::of(Hospital::open(1), kept, file, ("DX", "CHEST", 0), model());
        ward.publish();
        let job = ward.done(Disclose::Open, |truth| truth);
        assert_eq!(ward.truth(job), Outcome::Failed(failure));
        assert!(!ward.dispute(job).0.wrong);
        let job = ward.done(Disclose::Open, |_| crate::hospital::usual(&Disclosure::Open));
        let (response, _) = ward.dispute(job);
        assert_eq!((response.wrong, response.outcome), (true, Outcome::Failed(failure).encode()));
    }
}

/// What liars say where they ought to have told what is in the record.
fn key_differs(_: Outcome) -> Outcome {
    Outcome::Failed(Failure::Key)
}

#[test]
fn members_that_say_falsely_that_the_wrap_holds_another_key_are_marked() {
    let mut ward = Ward::open(4);
    ward.publish();
    let asking = ward.asking(Disclose::Open);
    let job = ward.hospital.ask(&asking);
    let truth = ward.truth(job);
    ward.hospital.answers.insert(job, Outcome::Failed(Failure::Key));
    ward.hospital.seats[3].lie = Some(truth.clone());
    ward.hospital.block(vec![]);
    assert_eq!(ward.wrong(job), [0, 0, 0, 1]);
    let (response, events) = ward.dispute(job);
    assert_eq!((response.wrong, response.marked, response.outcome), (true, 3, truth.encode()));
    assert_eq!(ward.wrong(job), [1, 1, 1, 0]);
    assert_eq!(events.iter().filter(|event| event.starts_with("member_cleared")).count(), 1, "{events:#?}");
    // In every form of disclosure.
    ward.hospital.seats[3].lie = None;
    for (count, disclose) in (2..).zip([Disclose::Predicate, Disclose::Sealed]) {
        let job = ward.done(disclose, key_differs);
        assert!(ward.dispute(job).0.wrong);
        assert_eq!(ward.wrong(job), [count, count, count, count - 1]);
    }
}

/// An owner whose ciphertexts hold one key and whose registration commits to another, under which the file is sealed.
fn two_keys() -> (Ward, Kept) {
    let other = Kept { secret: SecretKey::from_bytes(&[9; 32]).unwrap(), ..Kept::new(&alice(), 3) };
    let kept = Kept { commitment: other.commitment, ..Kept::new(&alice(), 2) };
    let file = sealed(&other, &picture(1));
    let mut ward = Ward::of(Hospital::open(4), kept, file, ("DX", "CHEST", 0), model());
    ward.publish();
    (ward, other)
}

#[test]
fn members_that_say_truly_that_the_wrap_holds_another_key_are_upheld() {
    let (mut ward, other) = two_keys();
    let job = ward.done(Disclose::Open, |truth| truth);
    assert_eq!(ward.truth(job), Outcome::Failed(Failure::Key));
    // The key that is committed to opens the file, and is not what the members were given: nobody has a proof for it.
    let mut msg = ward.showing(job);
    msg.point = other.content.to_bytes().to_vec();
    ward.hospital.ward.refused(&eve(), &msg, ("aceso", 928), "the proof of the opening does not hold");
    let (response, events) = ward.dispute(job);
    assert_eq!((response.wrong, response.marked), (false, 0), "{events:#?}");
    assert_eq!((response.outcome, ward.wrong(job)), (Outcome::Failed(Failure::Key).encode(), vec![0; 4]));
}

#[test]
fn who_was_told_the_other_key_and_says_what_it_opens_is_wrong() {
    let (mut ward, other) = two_keys();
    let asking = ward.asking(Disclose::Open);
    let job = ward.hospital.ask(&asking);
    // What the file has in it, under the key that the owner has told three of them, and wrapped for nobody.
    let told = ward.found(job, &other.content);
    assert!(matches!(told, Outcome::Open { .. }));
    ward.hospital.answers.insert(job, told);
    ward.hospital.seats[3].lie = Some(Outcome::Failed(Failure::Key));
    ward.hospital.block(vec![]);
    assert_eq!(ward.wrong(job), [0, 0, 0, 1]);
    let (response, _) = ward.dispute(job);
    assert_eq!((response.wrong, response.marked), (true, 3));
    assert_eq!((response.outcome, ward.wrong(job)), (Outcome::Failed(Failure::Key).encode(), vec![1, 1, 1, 0]));
}

#[test]
fn whoever_was_let_in_can_show_what_all_were_given() {
    let mut ward = Ward::open(4);
    ward.publish();
    // A physician, to whom the owner has given it, and one to whom he has passed it on.
    for key in [&eve(), &author()] {
        ward.hospital.net().ok(key, vec![ours(&register_reader(key, 0, LATER))]);
    }
    let mut giving = ward.hospital.ward.give(&ward.kept, 2, 3, &[&eve()]);
    giving.msg.terms = terms().digest(giving.msg.expires).0.into();
    ward.hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    let passed = ward.hospital.ward.pass(&eve(), 1, (&alice(), 3), 0, &[&author()]).made();
    ward.hospital.net().ok(&eve(), vec![ours(&passed)]);
    let mut openers = Vec::new();
    for (place, seat) in (0_u32..).zip(&ward.hospital.seats) {
        openers.push((alice(), 2, place, reader(&seat.operator, 0)));
    }
    openers.extend([(alice(), 3, 0, reader(&eve(), 0)), (eve(), 1, 0, reader(&author(), 0))]);
    // Whatever became of the grants: what was given was given.
    let jobs: Vec<u64> = openers.iter().map(|_| ward.done(Disclose::Open, key_differs)).collect();
    for grant in [2, 3] {
        let sender = alice().address();
        let revoke = MsgRevokeGrant { sender: sender.clone(), granter: sender, grant };
        ward.hospital.net().ok(&alice(), vec![ours(&revoke)]);
    }
    for ((granter, grant, place, key), job) in openers.into_iter().zip(jobs) {
        let from = PassedOn { granter: granter.address(), grant, place };
        let msg = ward.opened(job, (CHAIN, job), Some(from), &key);
        assert_eq!(msg.point, ward.kept.content.to_bytes()[..]);
        let result = ward.hospital.net().ok(&eve(), vec![ours(&msg)]);
        let response = MsgDisputeResponse::decode(&responses(&result)[0].value[..]).unwrap();
        assert_eq!((response.wrong, response.marked), (true, 4));
    }
}

#[test]
fn what_cannot_be_disputed_is_refused_by_name() {
    let mut ward = Ward::open(4);
    let job = ward.done(Disclose::Open, lie);
    let msg = ward.showing(job);
    let another = ward.done(Disclose::Open, key_differs);
    ward.hospital.seats[0].speaks = false;
    ward.hospital.seats[1].speaks = false;
    let asking = ward.asking(Disclose::Open);
    let open = ward.hospital.ask(&asking);
    let change = |change: &dyn Fn(&mut MsgDispute)| {
        let mut msg = msg.clone();
        change(&mut msg);
        msg
    };
    let point = |point: &[u8]| change(&|msg| msg.point = point.into());
    let other = ContentPoint::generate(&[77; 64]).to_bytes();
    let theirs = ward.hospital.kept.content.to_bytes();
    let identity = [&[0xc0][..], &[0; 47]].concat();
    let holds = "the proof of the opening does not hold";
    let (owner, member) = (&ward.kept.secret, reader(&ward.hospital.seats[1].operator, 0));
    let place = |granter: &Key, grant, place| PassedOn { granter: granter.address(), grant, place };
    let from = |granter: &Key, grant, at| change(&|msg| msg.from = Some(place(granter, grant, at)));
    let mut cases = vec![
        (change(&|msg| msg.job = 99), 926, "job 99"),
        (change(&|msg| msg.job = 0), 926, "job 0"),
        (change(&|msg| msg.job = open), 927, "it has no outcome yet"),
        // Its proof is for another job.
        (change(&|msg| msg.job = another), 928, holds),
        (ward.opened(job, (CHAIN, another), None, owner), 928, holds),
        (ward.opened(job, ("another-chain", job), None, owner), 928, holds),
        (point(&other[..]), 928, holds),
        (point(&theirs[..]), 928, holds),
        (point(&identity), 928, "a content point is no point of G1 in its subgroup"),
        (point(&[0xff; 48]), 928, "a content point is no point of G1 in its subgroup"),
        (point(&other[..47]), 928, "47 bytes, and it has 48"),
        (change(&|msg| msg.proof.truncate(63)), 928, "proof: 63 bytes, and it has 64"),
        (change(&|msg| msg.proof[..32].fill(0xff)), 928, "no scalar below the group's order"),
        (change(&|msg| msg.proof[32..].fill(0xff)), 928, "no scalar below the group's order"),
        // Somebody else's key opens another point, of which there is no proof either.
        (ward.opened(job, (CHAIN, job), None, &member), 928, holds),
        (ward.opened(job, (CHAIN, job), Some(place(&alice(), 2, 0)), &member), 928, holds),
        (ward.opened(job, (CHAIN, job), Some(place(&alice(), 2, 1)), owner), 928, holds),
        // A proof of the registration's for a wrap; a wrap of another record, of nobody's, at no place.
        (from(&alice(), 2, 0), 928, holds),
        (from(&alice(), 1, 0), 928, "/1 is of record 1"),
        (from(&alice(), 2, 4), 928, "/2 has 4 places, and no place 4"),
        (from(&alice(), 2, u32::MAX), 928, "and no place 4294967295"),
        (from(&alice(), 9, 0), 909, "/9"),
        (from(&eve(), 1, 0), 909, "/1"),
        (msg.clone(), 104, "blob not registered"),
    ];
    for at in 0..64 {
        cases.push((change(&|msg| msg.proof[at] ^= 1), 928, "record 2"));
    }
    for (msg, number, words) in cases {
        ward.hospital.ward.refused(&eve(), &msg, ("aceso", number), words);
    }
    let nobody = change(&|msg| msg.from = Some(PassedOn { granter: "nobody".into(), grant: 2, place: 0 }));
    ward.hospital.ward.refused(&eve(), &nobody, ("sdk", 7), "granter");
    // Registered, and too few have said that they hold it.
    let blob = MsgRegisterBlob {
        owner: bob().address(),
        cid: ward.image.to_string(),
        size: ward.file.len() as u64,
        term: 1_000,
    };
    ward.hospital.net().ok(&bob(), vec![ours(&blob)]);
    ward.hospital.ward.refused(&eve(), &msg, ("aceso", 105), "blob not available");
    assert_eq!((ward.wrong(job), ward.hospital.job(job).disputed), (vec![0; 4], None));
    assert!(with_images(&ward.hospital.ward.net).is_empty(), "a refused dispute has opened something");
    // What was called off has nothing to look into.
    ward.hospital.net().ok(&alice(), vec![ours(&MsgRetireSealed { owner: alice().address(), record: 2 })]);
    let off = MsgDispute { job: open, ..msg };
    ward.hospital.ward.refused(&eve(), &off, ("aceso", 927), "everything was given back");
}

#[test]
fn a_record_that_has_ended_can_still_speak() {
    let mut ward = Ward::open(4);
    let job = ward.done(Disclose::Sealed, lie);
    ward.hospital.net().ok(&alice(), vec![ours(&MsgRetireSealed { owner: alice().address(), record: 2 })]);
    ward.publish();
    assert_eq!((ward.dispute(job).0.marked, ward.wrong(job)), (4, vec![1; 4]));
}

#[test]
fn work_is_paid_before_it_is_done() {
    let mut ward = Ward::open(1);
    ward.publish();
    let job = ward.done(Disclose::Open, lie);
    let msg = ward.showing(job);
    let run = |ward: &mut Ward, gas| {
        let mut draft = ward.hospital.ward.net.draft(&[&eve()], vec![ours(&msg)]);
        draft.gas = gas;
        ward.hospital.ward.net.deliver(draft.sign())
    };
    // A query and a simulation say what it costs, and nothing else.
    let simulate = |ward: &Ward| -> SimulateResponse {
        let tx_bytes = ward.hospital.ward.net.draft(&[&eve()], vec![ours(&msg)]).sign();
        let request = SimulateRequest { tx_bytes, ..SimulateRequest::default() };
        ward.hospital.ward.net.query("/cosmos.tx.v1beta1.Service/Simulate", &request)
    };
    let simulated = simulate(&ward);
    let result = simulated.result.unwrap();
    assert_eq!(MsgDisputeResponse::decode(&result.msg_responses[0].value[..]), Ok(MsgDisputeResponse::default()));
    assert!(result.events.iter().all(|event| event.r#type != "dispute" && event.r#type != "member_wrong"));
    assert_eq!((ward.hospital.job(job).disputed, ward.wrong(job)), (None, vec![0]));
    let gas = simulated.gas_info.unwrap().gas_used;
    let short = run(&mut ward, gas / 2);
    assert_eq!(code(&short), ("sdk", 11), "{}", short.log);
    assert!(with_images(&ward.hospital.ward.net).is_empty(), "opened before it was paid");
    assert_eq!(ward.hospital.job(job).disputed, None);
    // What it is found to be changes nothing of the price.
    let whole = run(&mut ward, gas);
    assert!(whole.code.is_ok(), "{}", whole.log);
    let true_job = ward.done(Disclose::Open, |truth| truth);
    let msg = ward.showing(true_job);
    let upheld = ward.hospital.net().ok(&eve(), vec![ours(&msg)]);
    let (one, other) = (whole.gas_used, upheld.gas_used);
    assert!(one.abs_diff(other) < 5_000, "{one} and {other}");
}

#[test]
fn a_contract_disputes_at_its_own_cost_and_who_cannot_pay_opens_nothing() {
    let mut ward = Ward::open(1);
    ward.publish();
    let job = ward.done(Disclose::Open, lie);
    let contract = ward.hospital.listener(NOTHING);
    let held = ward.hospital.ward.net.balance(&contract);
    let msg = MsgDispute { sender: contract.clone(), ..ward.showing(job) };
    let execute = ward.hospital.executing(&contract, &msg);
    ward.hospital.net().ok(&eve(), vec![execute]);
    // A contract disputes in its own name and at its own cost, nobody else's.
    assert_eq!(held - ward.hospital.ward.net.balance(&contract), u128::from(ward.manifest.price.amount));
    assert!(ward.hospital.job(job).disputed.is_some_and(|found| found.wrong && found.sender == contract));
    let job = ward.done(Disclose::Open, lie);
    let poor = crate::fixture::nobody();
    let fund = crate::fixture::send(&alice(), &poor.address(), 250_000);
    ward.hospital.net().ok(&alice(), vec![fund]);
    let msg = MsgDispute { sender: poor.address(), ..ward.showing(job) };
    let before = with_images(&ward.hospital.ward.net).len();
    ward.hospital.ward.refused(&poor, &msg, ("aceso", 501), DENOM);
    assert_eq!(with_images(&ward.hospital.ward.net).len(), before);
}

#[test]
fn a_wrong_outcome_cuts_power_where_the_parameters_say_so() {
    let cutting = |genesis: &mut Genesis| genesis.params.sealed_wrong_power_cut_bps = 5_000;
    let mut ward = Ward::with(Hospital::with(4, cutting, |_| {}), &picture(1));
    ward.hospital.seats[3].speaks = false;
    ward.publish();
    let job = ward.done(Disclose::Open, lie);
    let (_, events) = ward.dispute(job);
    assert_eq!(events.iter().filter(|event| event.starts_with("wrong_outcome")).count(), 3, "{events:#?}");
    let mut powers: Vec<u64> =
        ward.hospital.ward.net.ask(&QueryValidators::default()).rows.iter().map(|row| row.power).collect();
    powers.sort_unstable();
    assert_eq!(powers, [5, 5, 5, 10]);
}

/// Powers in the order of seats.
fn powers(ward: &Ward) -> Vec<u64> {
    let rows = ward.hospital.ward.net.ask(&QueryValidators::default()).rows;
    let power = |key: &[u8]| rows.iter().find(|row| row.consensus_key == key).unwrap().power;
    ward.hospital.seats.iter().map(|seat| power(&seat.consensus)).collect()
}

/// The authority says which power the fourth has.
fn weigh(ward: &mut Ward, power: u64) {
    let consensus_key = ward.hospital.seats[3].consensus.to_vec();
    let authority = alice().address();
    let set = MsgSetValidator { authority, consensus_key, power, operator: String::new(), name: String::new() };
    ward.hospital.net().ok(&alice(), vec![ours(&set)]);
}

/// Three lie, and the fourth is held to be wrong because it tells the truth.
fn slandered(ward: &mut Ward) -> u64 {
    let asking = ward.asking(Disclose::Open);
    let job = ward.hospital.ask(&asking);
    let truth = ward.truth(job);
    ward.hospital.answers.insert(job, lie(truth.clone()));
    ward.hospital.seats[3].lie = Some(truth);
    ward.hospital.block(vec![]);
    ward.hospital.seats[3].lie = None;
    job
}

#[test]
fn who_is_cleared_gets_the_power_back_that_it_lost_by_that_word() {
    let cutting = |genesis: &mut Genesis| genesis.params.sealed_wrong_power_cut_bps = 5_000;
    let mut ward = Ward::with(Hospital::with(4, cutting, |_| {}), &picture(1));
    ward.publish();
    weigh(&mut ward, 14);
    // Twice: what it lost for each word comes back with that word, in whatever order.
    let first = slandered(&mut ward);
    assert_eq!(powers(&ward), [10, 10, 10, 7]);
    let second = slandered(&mut ward);
    assert_eq!(powers(&ward), [10, 10, 10, 4]);
    let (_, events) = ward.dispute(first);
    let back: Vec<&String> = events.iter().filter(|event| event.starts_with("right_outcome")).collect();
    assert!(matches!(back[..], [one] if one.contains("power_back=7 ")), "{events:#?}");
    assert_eq!(powers(&ward), [5, 5, 5, 11]);
    ward.dispute(second);
    assert_eq!(powers(&ward), [3, 3, 3, 14]);
    // The engine hears of it, and the chain goes on.
    ward.hospital.block(vec![]);
    ward.hospital.block(vec![]);
    assert_eq!(powers(&ward), [3, 3, 3, 14]);
}

#[test]
fn what_the_authority_has_said_since_stands() {
    let cutting = |genesis: &mut Genesis| genesis.params.sealed_wrong_power_cut_bps = 5_000;
    for said in [9, 5] {
        let mut ward = Ward::with(Hospital::with(4, cutting, |_| {}), &picture(1));
        ward.publish();
        let job = slandered(&mut ward);
        assert_eq!(powers(&ward)[3], 5);
        // Also if it is the very power that the cut has left.
        weigh(&mut ward, said);
        let (_, events) = ward.dispute(job);
        assert!(events.iter().any(|event| event.starts_with("member_cleared")), "{events:#?}");
        assert!(events.iter().all(|event| !event.starts_with("right_outcome")), "{events:#?}");
        assert_eq!((powers(&ward)[3], ward.wrong(job)[3]), (said, 0));
    }
}

#[test]
fn who_was_taken_out_meanwhile_gets_nothing_back() {
    let cutting = |genesis: &mut Genesis| genesis.params.sealed_wrong_power_cut_bps = 5_000;
    let mut ward = Ward::with(Hospital::with(4, cutting, |_| {}), &picture(1));
    ward.publish();
    let job = slandered(&mut ward);
    weigh(&mut ward, 0);
    let (response, events) = ward.dispute(job);
    assert!(response.wrong && events.iter().all(|event| !event.starts_with("right_outcome")), "{events:#?}");
    assert_eq!(powers(&ward), [5, 5, 5, 0]);
    // It comes back as another one.
    weigh(&mut ward, 7);
    assert_eq!(powers(&ward), [5, 5, 5, 7]);
}

#[test]
fn blocks_with_disputes_are_executed_without_the_sealed_bytes() {
    let mut ward = Ward::open(1);
    ward.publish();
    for disclose in [Disclose::Open, Disclose::Sealed] {
        let job = ward.done(disclose, lie);
        assert!(ward.dispute(job).0.wrong);
    }
    let job = ward.done(Disclose::Predicate, |truth| truth);
    assert!(!ward.dispute(job).0.wrong);
    let net = &ward.hospital.ward.net;
    let heights = with_images(net);
    assert_eq!(heights.len(), 3);
    let mut follower = Follower::new(net);
    // A lie about it makes another state.
    let mut lie = transcript(net, heights[0]);
    let Read::Dispute { outcome, .. } = &mut lie.entries[0].read else { panic!("{lie:?}") };
    *outcome = Outcome::Failed(Failure::Leaf);
    follower.tell(heights[0], encoded(lie.encode(), signed(net, heights[0], &signer(), |_| {})));
    let mut strange = lie;
    strange.entries[0].read = Read::Tensor { outcome: Err("no".into()) };
    follower.tell(heights[0], encoded(strange.encode(), signed(net, heights[0], &signer(), |_| {})));
    for at in &heights {
        follower.tell(*at, truth(net, *at));
    }
    follower.go_to(net, net.height + 1);
    let verdicts = follower.verdicts();
    assert_eq!(verdicts.len(), 5);
    for (verdict, words) in verdicts.iter().zip(["it makes app hash", "another read"]) {
        assert!(matches!(verdict, aceso_app::Verdict::Lie(reason) if reason.contains(words)), "{verdict:?}");
    }
    assert!(verdicts[2..].iter().all(|verdict| *verdict == aceso_app::Verdict::Accepted), "{verdicts:?}");
    assert_eq!(follower.app.latest_reads(), net.app.latest_reads());
}

#[test]
fn a_table_is_disputed_as_an_image_is() {
    let folder = Path::new("../../models/wdbc");
    let onnx = fs::read(folder.join("model.onnx")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut hospital = Hospital::open(1);
    let blob = hospital.net().put(&onnx);
    let size = onnx.len() as u64;
    let blob = MsgRegisterBlob { owner: alice().address(), cid: blob.to_string(), size, term: 100_000 };
    hospital.net().ok(&alice(), vec![ours(&blob)]);
    while hospital.ward.net.app.expects_blocks() {
        hospital.block(vec![]);
    }
    let register = MsgRegisterModel { author: author().address(), manifest: manifest.encode() };
    hospital.net().ok(&author(), vec![ours(&register)]);
    let kept = Kept::new(&alice(), 2);
    let file = sealed(&kept, &fs::read(folder.join("golden/benign.csv")).unwrap());
    let mut ward = Ward::of(hospital, kept, file, ("TABLE", "BREAST", 0), (onnx, manifest));
    ward.publish();
    let job = ward.done(Disclose::Open, |truth| truth);
    assert!(matches!(ward.truth(job), Outcome::Open { .. }) && !ward.dispute(job).0.wrong);
    let job = ward.done(Disclose::Open, lie);
    assert!(ward.dispute(job).0.wrong);
}

#[test]
fn a_file_is_opened_with_the_effort_that_it_was_registered_with() {
    let record = large(5);
    let disputed = |effort: u64| {
        let kept = Kept::new(&alice(), 2);
        let file = sealed(&kept, &record);
        let mut ward = Ward::of(Hospital::open(1), kept, file, ("DX", "CHEST", effort), model());
        ward.publish();
        let job = ward.done(Disclose::Open, |truth| truth);
        let msg = ward.showing(job);
        let result = ward.hospital.net().ok(&eve(), vec![ours(&msg)]);
        let response = MsgDisputeResponse::decode(&responses(&result)[0].value[..]).unwrap();
        assert!(!response.wrong);
        (Outcome::decode(&response.outcome).unwrap(), u64::try_from(result.gas_used).unwrap())
    };
    let (undecodable, little) = disputed(0);
    assert_eq!(undecodable, Outcome::Failed(Failure::Undecodable));
    let effort = effort(&record, Limits::default()).unwrap();
    let (read, more) = disputed(effort);
    assert!(matches!(read, Outcome::Open { .. }), "{read:?}");
    // Ten thousand wasm gas for each beyond what every image may take.
    let more = (more - little) * WASM_PER_SDK;
    let price = (effort - EFFORT_FREE) * 10_000;
    assert!(more.abs_diff(price) < price / 50, "{more} {price}");
}
