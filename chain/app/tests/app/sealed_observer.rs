//! An observer with all blocks and the whole state tries to tell which records are of one patient.
//!
//! Patients register each image in the name of an account of its own, whose fees a sponsor pays; they grant, hide their rules,
//! are insured, read and paid. What two records of one patient still have in common is compared with the list in
//! `docs/security.md`, and must hold for somebody else's record too. That the observer sees at all is shown by patients who
//! are careless in one thing.

use std::collections::BTreeSet;

use aceso_app::AtRest;
use aceso_seal::KeyStore;
use aceso_test_support::repository;
use aceso_types::{
    BlobId, Digest, PixelDigest,
    exported::{Row, State},
    genesis::{Balance, Coin, Genesis},
    guest::{Answered, Origin},
    msg::{MsgRevokeGrant, SignedOrigin},
    query::QueryRecord,
    sealed::{Input, Outcome, Terms, claim},
};
use aceso_verify::grant::ContentPoint;
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance},
    cosmwasm::wasm::v1::MsgExecuteContract,
};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use tendermint::abci::{Event, types::ExecTxResult};

use crate::{
    contracts::make,
    fixture::{CHAIN, DENOM, Key, RICH, alice, coins, ours, sdk},
    hospital::Hospital,
    observer::{Node, Observer, Shared},
    shipped::upload,
    ward::{Kept, START, cid},
};

const PATIENTS: usize = 4;
const EACH: usize = 3;
/// The second until which policies and rules hold.
const END: u64 = START + 900_000;
const PRICE: u128 = 1_000_000;

/// In what a patient is careless.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Careless {
    Nothing,
    /// One account for all her images.
    Account,
    /// The same pixels, sealed twice and claimed twice.
    Pixels,
    /// An institution calls her by one pseudonym.
    Subject,
    /// A sponsor who pays for nobody else.
    Sponsor,
    /// Rules hidden with one salt.
    Salt,
}

/// An image of a patient's, in its own account's name.
struct Record {
    patient: usize,
    number: u64,
    cid: String,
    kept: Kept,
    terms: Terms,
    /// The number of its grant.
    grant: u64,
    opening: Value,
    policy: u64,
}

struct City {
    hospital: Hospital,
    consent: String,
    insurance: String,
    stores: Vec<KeyStore>,
    records: Vec<Record>,
    careless: Careless,
}

/// What a patient has in common with another one, but not with all.
fn half(patient: usize, one: u8, other: u8) -> Key {
    Key::new(if patient < PATIENTS / 2 { one } else { other })
}

impl City {
    fn open(careless: Careless) -> Self {
        let people: Vec<Key> = (7..=13).chain([16]).map(Key::new).collect();
        let rich = |genesis: &mut Genesis| {
            for key in people.iter().skip(1) {
                let coins = vec![Coin { denom: DENOM.into(), amount: RICH.to_string() }];
                genesis.balances.push(Balance { address: key.address(), coins });
            }
        };
        let mut hospital = Hospital::with(4, rich, |_| {});
        let net = hospital.net();
        let [consent, insurance] = ["consent", "insurance"].map(|name| upload(net, name));
        let consent = make(net, consent, "{}");
        let insurance = make(net, insurance, &json!({"treasury": alice().address(), "denom": DENOM}).to_string());
        let stores = (0..PATIENTS).map(|patient| KeyStore::new([40 + u8::try_from(patient).unwrap(); 32])).collect();
        Self { hospital, consent, insurance, stores, records: Vec::new(), careless }
    }

    fn sponsor(&self, patient: usize) -> Key {
        if self.careless == Careless::Sponsor && patient == 0 { Key::new(16) } else { half(patient, 12, 13) }
    }

    fn physician(patient: usize) -> Key {
        half(patient, 7, 11)
    }

    /// What a patient draws at random.
    fn random(&self, what: u8, record: usize) -> [u8; 32] {
        Digest::sha3("test/random", &[&[what], &record.to_be_bytes()]).0
    }

    /// Delivers messages in the name of a record's account, on the sponsor's fee.
    fn act(&mut self, record: &Record, msgs: Vec<Any>) -> ExecTxResult {
        let sponsor = self.sponsor(record.patient);
        let mut draft = self.hospital.ward.net.draft(&[&record.kept.owner], msgs);
        draft.granter = sponsor.address();
        let result = self.hospital.ward.net.deliver(draft.sign());
        assert!(result.code.is_ok(), "{}", result.log);
        result
    }

    fn execute(&self, sender: &Key, contract: &str, msg: &Value, funds: u128) -> Any {
        let funds = if funds == 0 { vec![] } else { coins(funds) };
        let (sender, contract, msg) = (sender.address(), contract.into(), msg.to_string().into_bytes());
        sdk(&MsgExecuteContract { sender, contract, msg, funds })
    }

    /// An account of its own that has nothing, and an image sealed for it.
    fn new_record(&mut self, patient: usize) {
        let at = self.records.len();
        let first = self.records.iter().find(|one| one.patient == patient);
        let nonce = match (self.careless, first) {
            (Careless::Account, Some(first)) => self.nonce_of(first),
            _ => self.random(1, at),
        };
        let store = &mut self.stores[patient];
        let owner = Key(SigningKey::from_slice(&store.account_of(&nonce)[..]).unwrap());
        let cid = cid(1_000 + u32::try_from(at).unwrap());
        store.add(&cid, nonce).unwrap();
        assert_eq!(store.account(&cid).unwrap(), store.account_of(&nonce));
        let mut entropy = [0; 64];
        entropy[..32].copy_from_slice(&self.random(2, at));
        let (secret, content) = (self.stores[patient].key(&cid).unwrap(), ContentPoint::generate(&entropy));
        let kept = Kept { owner, secret, commitment: content.commitment(), content };
        let terms = Terms {
            salt: Digest(self.random(3, at)),
            actors: vec![Self::physician(patient).address()],
            ..self.hospital.terms.clone()
        };
        let opening = Value::Null;
        self.records.push(Record { patient, number: 0, cid, kept, terms, grant: 0, opening, policy: 0 });
    }

    fn nonce_of(&self, record: &Record) -> [u8; 32] {
        let at = self.records.iter().position(|one| one.cid == record.cid).unwrap();
        self.random(1, at)
    }

    fn sponsored(&mut self, record: &Record) {
        let sponsor = self.sponsor(record.patient);
        let allowance = sdk(&BasicAllowance { spend_limit: coins(10_000_000), expiration: None });
        let (granter, grantee) = (sponsor.address(), record.kept.owner.address());
        let known = self.hospital.ward.net.account(&grantee).is_some();
        assert!(!known || self.careless == Careless::Account);
        if !known {
            let msg = MsgGrantAllowance { granter, grantee, allowance: Some(allowance) };
            self.hospital.net().ok(&sponsor, vec![sdk(&msg)]);
        }
    }

    fn register(&mut self, at: usize, record: &mut Record) {
        let mut msg = record.kept.register(std::slice::from_ref(&record.cid));
        msg.guard.clone_from(&self.consent);
        msg.files[0].size = 100_000 + 7_919 * at as u64;
        msg.files[0].modality = if record.patient < PATIENTS / 2 { "DX" } else { "CR" }.into();
        let institution = half(record.patient, 9, 10);
        let subject = if self.careless == Careless::Subject { record.patient + 100 } else { at };
        let origin = Origin {
            institution: institution.address(),
            pixels: PixelDigest(Digest(self.pixels(at))),
            study: Digest(self.random(5, at)),
            subject: Digest(self.random(6, subject)),
        };
        msg.origin = Some(SignedOrigin {
            institution: origin.institution.clone(),
            pixels: origin.pixels.as_bytes().to_vec(),
            study: origin.study.0.to_vec(),
            subject: origin.subject.0.to_vec(),
            public_key: institution.public(),
            signature: institution.sign(&origin.sign_bytes(CHAIN).0),
        });
        self.act(record, vec![ours(&msg)]);
        let question = QueryRecord { owner: msg.owner, cid: record.cid.clone(), ..QueryRecord::default() };
        record.number = self.hospital.ward.net.ask(&question).record;
    }

    fn pixels(&self, at: usize) -> [u8; 32] {
        let first = self.records.iter().position(|one| one.patient == at % PATIENTS).unwrap();
        self.random(4, if self.careless == Careless::Pixels { first } else { at })
    }

    /// The key for the committee, and a rule of the guard's that nobody can read yet.
    fn grant(&mut self, at: usize, record: &mut Record) {
        let owner = record.kept.owner.address();
        let given = self.records.iter().filter(|one| one.grant > 0 && one.kept.owner.address() == owner).count();
        record.grant = 1 + given as u64;
        let members = if record.patient.is_multiple_of(2) { 4 } else { 3 };
        let seats: Vec<Key> = self.hospital.seats.iter().take(members).map(|seat| seat.operator.clone()).collect();
        let mut giving =
            self.hospital.ward.give(&record.kept, record.number, record.grant, &seats.iter().collect::<Vec<_>>());
        giving.msg.committee = true;
        giving.msg.nonce = self.random(7, at)[..16].into();
        giving.msg.expires -= at as u64;
        giving.msg.terms = record.terms.digest(giving.msg.expires).0.into();
        self.act(record, vec![ours(&giving.made())]);

        let rule = json!({
            "decision": {"permit": {"max_uses": 2}}, "actors": [Self::physician(record.patient).address()], "via": [],
            "purposes": ["TREAT"], "models": [], "not_before": 0, "not_after": END,
        });
        let salt = |what| Digest(self.random(what, if self.careless == Careless::Salt { record.patient } else { at }));
        let image: BlobId = record.cid.parse().unwrap();
        // As `decision` stands first in the rule and JSON's keys are sorted here, the text is written out.
        let text = format!(
            r#"{{"decision":{},"actors":{},"via":[],"purposes":["TREAT"],"models":[],"not_before":0,"not_after":{END}}}"#,
            rule["decision"], rule["actors"]
        );
        let hidden =
            |tag: &str, salt: &Digest, what: &[u8]| Digest::sha3(tag, &[&salt.0, owner.as_bytes(), what]).to_string();
        let (rule_salt, image_salt) = (salt(8), salt(9));
        let msg = json!({"grant_hidden": {
            "images": [hidden("aceso/hidden-image/v1", &image_salt, &image.to_bytes())],
            "rule": hidden("aceso/hidden-rule/v1", &rule_salt, text.as_bytes()),
            "not_after": END,
        }});
        let execute = self.execute(&record.kept.owner, &self.consent, &msg, 0);
        let result = self.act(record, vec![execute]);
        let grant: u64 = attribute(&result.events, "wasm", "grant").parse().unwrap();
        record.opening = json!({"grant": grant, "rule": rule, "rule_salt": rule_salt.to_string(), "image_salt": image_salt.to_string()});
    }

    /// The insurer knows whose account it is, and writes a policy for it.
    fn insure(&mut self, record: &mut Record) {
        let finding = &self.hospital.manifest.output.findings[0].id;
        let terms = json!({
            "member": record.kept.owner.address(), "not_before": 0, "not_after": END, "origin": [],
            "covers": [{"model": self.hospital.model.to_string(), "price": PRICE.to_string()}],
            "split": [{"to": {"subject": {}}, "bps": 2_000}, {"to": {"author": {}}, "bps": 5_000}],
            "sealed": {
                "accept": {"members_min": 3, "power_min_bps": 0, "required": [], "excluded": []},
                "disclosure": {"predicate": {"findings": [finding]}}, "blocks": 20, "callback_gas": 2_000_000,
                "payout": "batched",
            },
        });
        let mut terms = terms;
        terms["split"].as_array_mut().unwrap().push(json!({"to": {"treasury": {}}, "bps": 3_000}));
        let create = self.execute(&alice(), &self.insurance, &json!({"create_policy": {"terms": terms}}), 0);
        let result = self.hospital.net().ok(&alice(), vec![create]);
        record.policy = attribute(&result.events, "wasm", "policy").parse().unwrap();
        let fund = json!({"fund": {"policy": record.policy}});
        let fund = self.execute(&alice(), &self.insurance, &fund, 3 * PRICE);
        self.hospital.net().ok(&alice(), vec![fund]);
    }

    fn claim(&mut self, at: usize, record: &Record) {
        let physician = Self::physician(record.patient);
        let msg = json!({"claim": {
            "policy": record.policy, "image": record.cid, "model": self.hospital.model.to_string(), "purpose": "TREAT",
            "granter": record.kept.owner.address(), "grant": record.grant, "terms": STANDARD.encode(record.terms.encode()),
            "opening": record.opening,
        }});
        let execute = self.execute(&physician, &self.insurance, &msg, 0);
        let mut draft = self.hospital.ward.net.draft(&[&physician], vec![execute]);
        (draft.gas, draft.fee) = (30_000_000, coins(750_000));
        let result = self.hospital.ward.net.deliver(draft.sign());
        assert!(result.code.is_ok(), "{}", result.log);
        let job: u64 = attribute(&result.events, "wasm", "job").parse().unwrap();
        let pixels = PixelDigest(Digest(self.pixels(at)));
        let input = Input { claim: claim(CHAIN, &self.insurance, &pixels), vouched: true };
        let id = self.hospital.manifest.output.findings[0].id.clone();
        let findings = vec![Answered { id, present: at.is_multiple_of(5) }];
        self.hospital.answers.insert(job, Outcome::Predicate { input, findings });
        self.hospital.block(vec![]);
        assert_eq!(self.hospital.opened(), 0);
    }

    fn live(&mut self) {
        for _ in 0..EACH {
            (0..PATIENTS).for_each(|patient| self.new_record(patient));
        }
        // Nothing is done twice in a row for one patient: who does all at once is linked by the time.
        let steps: [fn(&mut Self, usize, &mut Record); 6] = [
            |city, _, record| city.sponsored(record),
            |city, at, record| city.register(at, record),
            |city, at, record| city.grant(at, record),
            |city, _, record| city.insure(record),
            |city, at, record| city.claim(at, record),
            |city, at, record| {
                if at < PATIENTS {
                    let owner = record.kept.owner.address();
                    let msg = MsgRevokeGrant { sender: owner.clone(), granter: owner, grant: record.grant };
                    city.act(record, vec![ours(&msg)]);
                }
            },
        ];
        let all = self.records.len();
        for (number, step) in steps.into_iter().enumerate() {
            for place in 0..all {
                let at = (place * 5 + number) % all;
                let gone = Record {
                    kept: Kept { owner: Key::new(1), ..Kept::new(&alice(), 1) },
                    cid: String::new(),
                    opening: Value::Null,
                    terms: self.hospital.terms.clone(),
                    ..self.records[at]
                };
                let mut record = std::mem::replace(&mut self.records[at], gone);
                let patient = record.patient;
                self.records[at].patient = patient;
                step(self, at, &mut record);
                self.records[at] = record;
            }
        }
        let settle = self.execute(&alice(), &self.insurance, &json!({"settle": {}}), 0);
        self.hospital.net().ok(&alice(), vec![settle]);
        let owner = self.records[0].kept.owner.address();
        assert!(self.hospital.ward.net.balance(&owner) >= PRICE / 5, "she was paid");
    }

    fn observed(&mut self) -> Observer {
        let mut observer = Observer::default();
        for (height, (txs, done)) in (1..).zip(&self.hospital.ward.net.blocks) {
            for (tx, result) in txs.iter().zip(&done.tx_results) {
                let item = vec![
                    ("height".into(), Node::text(height)),
                    ("bytes".into(), Node::of(tx)),
                    ("code".into(), Node::text(result.code.value())),
                    ("data".into(), Node::of(&result.data)),
                    ("log".into(), Node::text(&result.log)),
                    ("gas_wanted".into(), Node::text(result.gas_wanted)),
                    ("gas_used".into(), Node::text(result.gas_used)),
                    ("events".into(), events(&result.events)),
                ];
                observer.sees("tx", Node::Branch(item));
            }
            let item = vec![("height".into(), Node::text(height)), ("events".into(), events(&done.events))];
            observer.sees("block", Node::Branch(item));
        }
        let state: State = self.hospital.ward.net.at_rest(|state: &AtRest| {
            let app_state = serde_json::to_vec(&state.export(None, None).unwrap().app_state()).unwrap();
            serde_json::from_slice::<Genesis>(&app_state).unwrap().state.unwrap()
        });
        for component in state.components {
            for Row(key, value) in component.rows {
                let (label, parts) = key_of(&key.0);
                let value = ("value".into(), Node::of(&value));
                let row = Node::Branch(vec![("key".into(), parts), ("whole key".into(), Node::Leaf(key.0)), value]);
                observer.sees(format!("state/{}/{label}", component.name), row);
            }
        }
        observer
    }

    fn shared(&mut self) -> Vec<Shared> {
        let observer = self.observed();
        println!("{} public values", observer.leaves());
        let names = |record: &Record| {
            let (owner, image): (_, BlobId) = (&record.kept.owner, record.cid.parse().unwrap());
            let (_, address) = bech32::decode(&owner.address()).unwrap();
            let mut names = BTreeSet::from([record.cid.clone().into_bytes(), image.to_bytes(), owner.public()]);
            names.extend([owner.address().into_bytes(), address]);
            // Rows of the insurer's that have a policy's number for a name.
            names.extend(["escrow", "reserved"].map(|map| [map.as_bytes(), &record.policy.to_be_bytes()].concat()));
            names
        };
        observer.compare(&self.records.iter().map(names).collect::<Vec<_>>())
    }
}

/// A key's parts, and what kind of row it is.
fn key_of(key: &[u8]) -> (String, Node) {
    let mut label = Vec::new();
    let mut parts = Vec::new();
    for (at, part) in key.split(|&byte| byte == b'/').enumerate() {
        let word = part.iter().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(byte));
        if word && (at == 0 || part.len() < 16) {
            label.push(String::from_utf8_lossy(part).into_owned());
        } else {
            // Numbers are filled up with zeros there.
            let digits = part.iter().all(u8::is_ascii_digit) && part.len() == 20;
            let zeros = part.iter().take_while(|&&byte| digits && byte == b'0').count();
            parts.push((at.to_string(), Node::Leaf(part[zeros..].into())));
        }
    }
    (label.join("/"), Node::Branch(parts))
}

fn events(events: &[Event]) -> Node {
    let event = |event: &Event| {
        let attributes = event.attributes.iter();
        let attributes =
            attributes.map(|one| (one.key_str().unwrap().into(), Node::of(one.value_str().unwrap().as_bytes())));
        (event.kind.clone(), Node::Branch(attributes.collect()))
    };
    Node::Branch(events.iter().map(event).collect())
}

fn attribute(events: &[Event], kind: &str, key: &str) -> String {
    let mut all = events.iter().filter(|event| event.kind.starts_with(kind)).flat_map(|event| &event.attributes);
    all.find(|one| one.key_str().is_ok_and(|name| name == key)).unwrap().value_str().unwrap().into()
}

/// What the document says, and where it is seen. A path is a message or row, and then the numbers of protobuf fields.
const KNOWN: &[(&str, &[&str])] = &[
    ("who pays and who asks", &["tx/bytes/2/2/4", "tx/bytes/2/1/1/PubKey/1", "event/requested/actor"]),
    ("the institution that vouches", &["MsgRegisterSealed/6/1", "MsgRegisterSealed/6/5"]),
    ("modality and body part", &["MsgRegisterSealed/2/3", "sealed/record/value/3/3"]),
    (
        "the committee",
        &[
            "MsgGrant/5/1",
            "MsgAttest/2/3",
            "request_read/members",
            "sealed/job/value/3/committee",
            "sealed/job/value/9/",
            "sealed/job/value/18/3",
            "receipt/value/committee/power",
            "receipt/value/sealed/members",
            "receipt/value/sealed/signers",
            "status/paid/members",
            "status/paid/power",
        ],
    ),
    (
        "what it costs",
        &[
            "coin_received/amount",
            "coin_spent/amount",
            "transfer/amount",
            "request_read/fee",
            "sealed_read/fee",
            "sealed/job/value/14",
            "state/wasm/state/value/reserved",
            "state/wasm/state/value/held",
            "status/paid/fee",
            "state/wasm/state/value",
        ],
    ),
    ("the bits of a `predicate`", &["findings/[]/present"]),
    (COUNTS[0], &["tx/gas_used"]),
    (COUNTS[1], &["accounts/account/value/4", "tx/bytes/2/1/3", "BasicAllowance/1/2"]),
];
/// Small numbers that may be the same for nobody else by chance.
const COUNTS: [&str; 2] = ["gas", "how often somebody has signed"];
/// The part of the document.
const HEADING: &str = "### What two records of one patient have in common\n";

/// What the document says of something that is shared.
fn known(shared: &Shared) -> Option<(&'static str, &'static str)> {
    let all = KNOWN.iter().flat_map(|(words, paths)| paths.iter().map(|path| (*words, *path)));
    all.into_iter().find(|(_, path)| shared.paths.iter().any(|one| one == path || one.contains(path) && *path != COINS))
}

/// Where a contract keeps a bare number.
const COINS: &str = "state/wasm/state/value";

/// What links records and should not: what nobody has written down, and what is of one patient only.
fn links(city: &mut City) -> (Vec<Shared>, BTreeSet<(&'static str, &'static str)>) {
    let patients: Vec<usize> = city.records.iter().map(|record| record.patient).collect();
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for shared in city.shared() {
        let whose: BTreeSet<usize> = shared.records.iter().map(|&record| patients[record]).collect();
        if whose.len() == shared.records.len() {
            continue;
        }
        let known = known(&shared);
        seen.extend(known);
        if known.is_none_or(|(words, _)| whose.len() == 1 && !COUNTS.contains(&words)) {
            wrong.push(shared);
        }
    }
    (wrong, seen)
}

#[test]
fn what_two_records_of_one_patient_share_is_what_the_document_says() {
    let mut city = City::open(Careless::Nothing);
    city.live();
    let (wrong, seen) = links(&mut city);
    assert!(wrong.is_empty(), "two records of one patient are linked: {wrong:#?}");
    let all: BTreeSet<_> = KNOWN.iter().flat_map(|(words, paths)| paths.iter().map(|path| (*words, *path))).collect();
    assert_eq!(seen, all, "a path in the list is shared by nothing");

    let document = std::fs::read_to_string(repository().join("docs/security.md")).unwrap();
    let (_, part) = document.split_once(HEADING).expect("the document has the part");
    let part = part.split("\n#").next().unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let written: BTreeSet<&str> = rows.skip(1).collect();
    assert_eq!(written, KNOWN.iter().map(|(words, _)| *words).collect());
}

#[test]
fn an_observer_notices_what_a_patient_does_carelessly() {
    for (careless, path) in [
        (Careless::Account, "MsgRegisterSealed/1"),
        (Careless::Pixels, "predicate/input/claim"),
        (Careless::Subject, "MsgRegisterSealed/6/4"),
        (Careless::Sponsor, "tx/bytes/2/2/4"),
        (Careless::Salt, "opening/rule_salt"),
    ] {
        let mut city = City::open(careless);
        city.live();
        let (wrong, _) = links(&mut city);
        let named = wrong.iter().any(|shared| shared.paths.iter().any(|one| one.ends_with(path)));
        assert!(named, "{path} is not noticed; what is: {wrong:#?}");
    }
}
