//! Images, models, permits and the journal: who may read, what it costs, and what stays of a read that fails.

use std::{fs, path::Path};

use aceso_inference::image::{Limits, effort};
pub(crate) use aceso_test_support::{large, picture};
use aceso_types::{
    BlobId, Digest, Manifest, PixelDigest, Receipt,
    gas::WASM_PER_SDK,
    guest::{Answer, Origin, PermitRequest, ReadInfo},
    journal::{Entry, Event},
    msg::{MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, SignedOrigin},
    query::{
        BlobStatus, ModelStatus, QueryBlob, QueryImage, QueryImages, QueryJournal, QueryModel, QueryReceipt,
        QueryReceipts, QueryUses,
    },
};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{SimulateRequest, SimulateResponse},
    cosmwasm::wasm::v1::{MsgExecuteContract, QuerySmartContractStateRequest},
};
use prost::Message;
use tendermint::abci::types::ExecTxResult;

use crate::{
    contracts::{execute, make, raw, store},
    fixture::{CHAIN, Key, Net, alice, bob, code, nobody, ours, sdk, send, told},
    guests::{self, NOTHING},
};

pub(crate) const PURPOSE: &str = "TREAT";

/// A chain on which a model is admitted and a guarded image is available.
pub(crate) struct Clinic {
    pub(crate) net: Net,
    pub(crate) model: String,
    pub(crate) price: u128,
    pub(crate) image: BlobId,
    pub(crate) guard: String,
    pub(crate) reader: String,
}

pub(crate) fn model_files() -> (Vec<u8>, Manifest) {
    let folder = Path::new("../../models/pneumonia");
    let onnx = fs::read(folder.join("model.onnx")).unwrap();
    (onnx, serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap())
}

pub(crate) fn register_image(owner: &Key, cid: &BlobId, size: usize, guard: &str) -> MsgRegisterImage {
    MsgRegisterImage {
        owner: owner.address(),
        cid: cid.to_string(),
        size: size as u64,
        term: 1_000,
        guard: guard.into(),
        modality: "DX".into(),
        body_part: "CHEST".into(),
        origin: None,
        effort: 0,
    }
}

impl Clinic {
    pub(crate) fn open() -> Self {
        Self::with(NOTHING)
    }

    /// A clinic whose reader answers so.
    pub(crate) fn with(reader: &str) -> Self {
        Self::of(guests::reader(reader), &picture(0))
    }

    /// A clinic of this reader and image.
    pub(crate) fn of(reader: Vec<u8>, bytes: &[u8]) -> Self {
        Self::on(Net::start(), reader, bytes, 10)
    }

    /// A clinic on a chain that has begun; its reader is given the price of so many reads.
    pub(crate) fn on(mut net: Net, reader: Vec<u8>, bytes: &[u8], reads: u128) -> Self {
        let (onnx, manifest) = model_files();
        let price = u128::from(manifest.price.amount);
        let model = manifest.id().to_string();
        let cid = net.put(&onnx);
        let blob =
            MsgRegisterBlob { owner: alice().address(), cid: cid.to_string(), size: onnx.len() as u64, term: 1_000 };
        let register = MsgRegisterModel { author: bob().address(), manifest: manifest.encode() };
        net.ok(&alice(), vec![ours(&blob)]);
        net.ok(&bob(), vec![ours(&register)]);
        let guard_code = store(&mut net, guests::guard(NOTHING));
        let guard = make(&mut net, guard_code, NOTHING);
        let reader_code = store(&mut net, reader);
        let reader = make(&mut net, reader_code, NOTHING);
        net.ok(&alice(), vec![send(&alice(), &reader, reads * price)]);
        let image = net.put(bytes);
        net.ok(&alice(), vec![ours(&register_image(&alice(), &image, bytes.len(), &guard))]);
        while net.app.expects_blocks() {
            net.block(vec![]);
        }
        Self { net, model, price, image, guard, reader }
    }

    fn request(&self) -> PermitRequest {
        PermitRequest {
            caller: self.reader.clone(),
            actor: alice().address(),
            image: self.image,
            owner: String::new(),
            model: self.model.parse().unwrap(),
            purpose: PURPOSE.into(),
            grant: "g1".into(),
            answer: Answer::Permit { max_uses: 1 },
        }
    }

    pub(crate) fn message(contract: &str, msg: String) -> Any {
        sdk(&MsgExecuteContract {
            sender: alice().address(),
            contract: contract.into(),
            msg: msg.into_bytes(),
            funds: vec![],
        })
    }

    pub(crate) fn permit(&self, change: impl FnOnce(&mut PermitRequest)) -> Any {
        let mut request = self.request();
        change(&mut request);
        Self::message(&self.guard, serde_json::to_string(&request).unwrap())
    }

    pub(crate) fn read_of(&self, model: &str, image: &BlobId) -> String {
        format!("\"{model}{image}{PURPOSE}\"")
    }

    pub(crate) fn read(&self) -> Any {
        Self::message(&self.reader, self.read_of(&self.model, &self.image))
    }

    pub(crate) fn run(&mut self, msgs: Vec<Any>) -> ExecTxResult {
        self.net.run(&alice(), msgs)
    }

    pub(crate) fn journal(&self) -> Vec<Event> {
        let rows = self.net.ask(&QueryJournal { image: self.image.to_string(), page: None });
        rows.entries.iter().map(|bytes| Entry::decode(bytes).unwrap().event).collect()
    }

    fn uses(&self) -> u32 {
        self.net.ask(&QueryUses { guard: self.guard.clone(), grant: "g1".into() }).uses
    }

    pub(crate) fn info(&self) -> ReadInfo {
        serde_json::from_slice(&raw(&self.net, &self.reader, b"info")).unwrap()
    }

    fn receipts(&self) -> usize {
        self.net.ask(&QueryReceipts { image: self.image.to_string(), page: None }).rows.len()
    }
}

#[test]
fn a_permitted_read_is_paid_counted_and_leaves_a_receipt() {
    let mut clinic = Clinic::open();
    let (before, author) = (clinic.net.balance(&clinic.reader), clinic.net.balance(&bob().address()));
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    let result = clinic.run(msgs);
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(clinic.net.balance(&clinic.reader), before - clinic.price);
    assert_eq!(clinic.net.balance(&bob().address()), author + clinic.price);
    assert_eq!(clinic.uses(), 1);
    assert!(matches!(clinic.journal()[..], [Event::Permitted { .. }, Event::Read { r#use: 1, .. }]));
    let info = clinic.info();
    assert_eq!((info.owner, info.author, info.fee), (alice().address(), bob().address(), clinic.price.to_string()));
    assert_eq!((info.scores.len(), info.findings.is_empty()), (1, false));
    let row = clinic.net.ask(&QueryReceipt { read: info.read.0 });
    let receipt = Receipt::decode(&row.receipt).unwrap();
    assert_eq!((receipt.image, receipt.outcome.scores.clone()), (clinic.image, info.scores));
    assert_eq!((receipt.chain_id.as_str(), receipt.height.0), (CHAIN, clinic.net.height));
    let consent = receipt.consent.unwrap();
    assert_eq!((consent.actor, consent.grant.as_str(), consent.r#use), (alice().address(), "g1", 1));
    // The receipt is proven like any other row.
    let proof = clinic.net.app.query(tendermint::v0_38::abci::request::Query {
        data: row.key.into(),
        path: "/store/reads/key".into(),
        height: crate::fixture::height(0),
        prove: true,
    });
    assert_eq!(proof.value, row.receipt);
    assert!(told(&result).iter().any(|line| line.starts_with("read ")));
}

#[test]
fn without_a_permit_nothing_is_read_and_nothing_paid() {
    let mut clinic = Clinic::open();
    let before = clinic.net.balance(&clinic.reader);
    let read = clinic.read();
    let result = clinic.run(vec![read]);
    assert_eq!(code(&result), ("aceso", 205));
    assert!(result.log.contains("has not permitted"), "{}", result.log);
    assert_eq!((clinic.net.balance(&clinic.reader), clinic.journal(), clinic.receipts()), (before, vec![], 0));
    // No inference was charged for: loading and running the model would be far above this.
    assert!(result.gas_used < 150_000, "{}", result.gas_used);
}

#[test]
fn a_permit_is_for_one_contract_image_model_and_purpose() {
    let mut clinic = Clinic::open();
    let other = clinic.guard.clone();
    for change in [
        Box::new(move |request: &mut PermitRequest| request.caller = other) as Box<dyn FnOnce(&mut PermitRequest)>,
        Box::new(|request: &mut PermitRequest| request.model = Default::default()),
        Box::new(|request: &mut PermitRequest| request.purpose = "HRESCH".into()),
    ] {
        let msgs = vec![clinic.permit(change), clinic.read()];
        assert_eq!(code(&clinic.run(msgs)), ("aceso", 205));
    }
    assert_eq!((clinic.uses(), clinic.receipts()), (0, 0));
    assert!(clinic.journal().iter().all(|event| matches!(event, Event::Permitted { .. })));
}

#[test]
fn a_permit_lasts_for_one_read_and_one_transaction() {
    let mut clinic = Clinic::open();
    let twice = vec![clinic.permit(|_| {}), clinic.read(), clinic.read()];
    assert_eq!(code(&clinic.run(twice)), ("aceso", 205));
    assert_eq!(clinic.uses(), 1, "the first read counts though the transaction failed");
    let mut clinic = Clinic::open();
    let permit = vec![clinic.permit(|_| {})];
    assert!(clinic.run(permit).code.is_ok());
    let later = vec![clinic.read()];
    assert_eq!(code(&clinic.run(later)), ("aceso", 205));
}

#[test]
fn a_grant_is_used_no_more_often_than_it_says() {
    let mut clinic = Clinic::open();
    for (allowed, uses) in [(true, 1), (false, 1)] {
        let msgs = vec![clinic.permit(|_| {}), clinic.read()];
        let result = clinic.run(msgs);
        assert_eq!((result.code.is_ok(), clinic.uses()), (allowed, uses), "{}", result.log);
        assert!(allowed || code(&result) == ("aceso", 204), "{}", result.log);
    }
    // Two permits of one use are minted before either is consumed: the second read is refused all the same.
    let mut clinic = Clinic::open();
    let msgs = vec![clinic.permit(|_| {}), clinic.permit(|_| {}), clinic.read(), clinic.read()];
    assert_eq!(code(&clinic.run(msgs)), ("aceso", 204));
    assert_eq!(clinic.uses(), 1);
}

#[test]
fn only_the_guard_answers_and_only_for_a_signer() {
    let mut clinic = Clinic::open();
    let code_id = store(&mut clinic.net, guests::guard(NOTHING));
    let impostor = make(&mut clinic.net, code_id, NOTHING);
    let request = serde_json::to_string(&clinic.request()).unwrap();
    let result = clinic.run(vec![Clinic::message(&impostor, request)]);
    assert_eq!(code(&result), ("aceso", 202));
    let absent = clinic.permit(|request| request.actor = bob().address());
    assert_eq!(code(&clinic.run(vec![absent])), ("aceso", 203));
    let unknown = clinic.permit(|request| request.image = BlobId::of_raw(b"nothing"));
    assert_eq!(code(&clinic.run(vec![unknown])), ("aceso", 402));
    let garbage = Clinic::message(&clinic.guard, r#"{"caller":1}"#.into());
    assert_eq!(code(&clinic.run(vec![garbage])), ("aceso", 201));
    let long = clinic.permit(|request| request.grant = "g".repeat(129));
    assert_eq!(code(&clinic.run(vec![long])), ("aceso", 206));
    assert_eq!(clinic.journal(), []);
}

#[test]
fn a_refusal_is_journalled_whatever_becomes_of_the_transaction() {
    let mut clinic = Clinic::open();
    let code_id = store(&mut clinic.net, guests::guard(r#"{"error":"consent was revoked"}"#));
    let guard = make(&mut clinic.net, code_id, NOTHING);
    let bytes = picture(1);
    clinic.image = clinic.net.put(&bytes);
    clinic.net.ok(&alice(), vec![ours(&register_image(&alice(), &clinic.image, bytes.len(), &guard))]);
    clinic.guard = guard;
    let deny = clinic.permit(|request| request.answer = Answer::Deny { reason: "revoked".into() });
    let result = clinic.run(vec![deny, clinic.read()]);
    assert_eq!(code(&result), ("wasm", 5));
    assert!(result.log.contains("consent was revoked"), "{}", result.log);
    let journal = clinic.journal();
    assert!(matches!(&journal[..], [Event::Refused { reason, .. }] if reason == "revoked"), "{journal:?}");
    assert!(told(&result).iter().any(|line| line.starts_with("journal answer=refused")), "{:?}", told(&result));
}

#[test]
fn a_free_look_is_not_free() {
    let mut clinic = Clinic::with(r#"{"error":"I saw enough"}"#);
    let (before, author) = (clinic.net.balance(&clinic.reader), clinic.net.balance(&bob().address()));
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    let result = clinic.run(msgs);
    assert_eq!(code(&result), ("wasm", 5));
    assert!(result.log.contains("I saw enough"), "{}", result.log);
    assert_eq!(clinic.net.balance(&clinic.reader), before - clinic.price);
    assert_eq!(clinic.net.balance(&bob().address()), author + clinic.price);
    assert_eq!((clinic.uses(), clinic.receipts()), (1, 0));
    assert!(matches!(clinic.journal()[..], [Event::Permitted { .. }, Event::Read { r#use: 1, .. }]));
    assert!(raw(&clinic.net, &clinic.reader, b"info").is_empty());
}

#[test]
fn a_look_in_a_frame_that_fails_is_not_free_either() {
    let mut clinic = Clinic::with(r#"{"error":"I saw enough"}"#);
    let before = clinic.net.balance(&clinic.reader);
    let echo_code = store(&mut clinic.net, guests::echo());
    let outer = make(&mut clinic.net, echo_code, NOTHING);
    let look = {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let msg = STANDARD.encode(clinic.read_of(&clinic.model, &clinic.image));
        let call = serde_json::json!({ "wasm": { "execute": {
            "contract_addr": clinic.reader, "msg": msg, "funds": [],
        } } });
        serde_json::json!({ "ok": { "messages": [{
            "id": 1, "msg": call, "gas_limit": null, "reply_on": "error",
        }], "attributes": [], "events": [], "data": null } })
    };
    let msgs = vec![clinic.permit(|_| {}), Clinic::message(&outer, look.to_string())];
    let result = clinic.run(msgs);
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!((clinic.uses(), clinic.receipts()), (1, 0));
    assert_eq!(clinic.net.balance(&clinic.reader), before - clinic.price);
}

#[test]
fn running_out_of_gas_behind_the_look_is_not_free_either() {
    let mut clinic = Clinic::open();
    let before = clinic.net.balance(&clinic.reader);
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    let whole = clinic.run(msgs).gas_used;
    let mut draft = clinic.net.draft(&[&alice()], vec![clinic.permit(|r| r.grant = "g2".into()), clinic.read()]);
    draft.gas = u64::try_from(whole).unwrap() - 5_000;
    let result = clinic.net.deliver(draft.sign());
    assert_eq!(code(&result), ("sdk", 11), "{}", result.log);
    assert_eq!(clinic.net.balance(&clinic.reader), before - 2 * clinic.price);
    let uses = clinic.net.ask(&QueryUses { guard: clinic.guard.clone(), grant: "g2".into() }).uses;
    assert_eq!((uses, clinic.receipts()), (1, 1));
}

#[test]
fn the_reader_pays_with_what_it_had_before() {
    let mut clinic = Clinic::open();
    let code_id = store(&mut clinic.net, guests::reader(NOTHING));
    let poor = make(&mut clinic.net, code_id, NOTHING);
    let pay = send(&alice(), &poor, clinic.price);
    let permit = clinic.permit(|request| request.caller = poor.clone());
    let read = Clinic::message(&poor, clinic.read_of(&clinic.model, &clinic.image));
    let result = clinic.run(vec![pay.clone(), permit.clone(), read.clone()]);
    assert_eq!(code(&result), ("aceso", 501));
    assert!(result.log.contains("when the transaction began"), "{}", result.log);
    assert!(clinic.run(vec![pay]).code.is_ok());
    assert!(clinic.run(vec![permit, read]).code.is_ok());
    assert_eq!(clinic.net.balance(&poor), 0);
}

#[test]
fn a_simulation_costs_the_same_and_shows_nothing() {
    let mut clinic = Clinic::open();
    let draft = clinic.net.draft(&[&alice()], vec![clinic.permit(|_| {}), clinic.read()]);
    #[allow(deprecated, reason = "the field is left empty")]
    let request = SimulateRequest { tx: None, tx_bytes: draft.sign() };
    let answer: SimulateResponse = clinic.net.query("/cosmos.tx.v1beta1.Service/Simulate", &request);
    let simulated = answer.gas_info.unwrap().gas_used;
    assert_eq!((clinic.uses(), clinic.journal()), (0, vec![]));
    let result = clinic.net.deliver(draft.sign());
    assert!(result.code.is_ok(), "{}", result.log);
    let used = u64::try_from(result.gas_used).unwrap();
    assert!(simulated.abs_diff(used) < used / 20, "{simulated} {used}");
}

#[test]
fn queries_read_public_images_only() {
    let mut clinic = Clinic::open();
    let ask = |clinic: &Clinic, image: &BlobId| {
        let request = QuerySmartContractStateRequest {
            address: clinic.reader.clone(),
            query_data: clinic.read_of(&clinic.model, image).into_bytes(),
        };
        clinic.net.raw_query("/cosmwasm.wasm.v1.Query/SmartContractState", request.encode_to_vec())
    };
    let answer = ask(&clinic, &clinic.image);
    assert!(answer.log.contains("codespace aceso code 502"), "{}", answer.log);
    let bytes = picture(3);
    let public = clinic.net.put(&bytes);
    clinic.net.ok(&alice(), vec![ours(&register_image(&alice(), &public, bytes.len(), ""))]);
    while clinic.net.app.expects_blocks() {
        clinic.net.block(vec![]);
    }
    let answer = ask(&clinic, &public);
    assert!(answer.code.is_ok(), "{}", answer.log);
    // A public image needs no permit in a transaction, and its read is paid and journalled all the same.
    let before = clinic.net.balance(&clinic.reader);
    let read = Clinic::message(&clinic.reader, clinic.read_of(&clinic.model, &public));
    assert!(clinic.run(vec![read]).code.is_ok());
    assert_eq!(clinic.net.balance(&clinic.reader), before - clinic.price);
    assert_eq!(clinic.net.ask(&QueryJournal { image: public.to_string(), page: None }).entries.len(), 1);
}

#[test]
fn an_image_of_another_kind_is_refused_before_it_counts() {
    let mut clinic = Clinic::open();
    let bytes = picture(4);
    clinic.image = clinic.net.put(&bytes);
    let ct = MsgRegisterImage {
        modality: "CT".into(),
        ..register_image(&alice(), &clinic.image, bytes.len(), &clinic.guard)
    };
    clinic.net.ok(&alice(), vec![ours(&ct)]);
    while clinic.net.app.expects_blocks() {
        clinic.net.block(vec![]);
    }
    let before = clinic.net.balance(&clinic.reader);
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    let result = clinic.run(msgs);
    assert_eq!(code(&result), ("aceso", 406));
    assert!(result.log.contains("CT"), "{}", result.log);
    assert_eq!((clinic.net.balance(&clinic.reader), clinic.uses()), (before, 0));
}

#[test]
fn images_and_blobs_are_registered_once_and_in_order() {
    let mut clinic = Clinic::open();
    let (cid, guard) = (clinic.image, clinic.guard.clone());
    let mut refused = |msg: MsgRegisterImage| {
        let result = clinic.net.run(&bob(), vec![ours(&msg)]);
        (result.codespace.clone(), result.code.value(), result.log)
    };
    let (space, number, log) = refused(register_image(&bob(), &cid, 9, &guard));
    assert_eq!((space.as_str(), number), ("aceso", 401), "{log}");
    let fresh = BlobId::of_raw(b"fresh");
    assert_eq!(refused(register_image(&bob(), &fresh, 0, "")).1, 103);
    assert_eq!(refused(register_image(&bob(), &fresh, 1 << 40, "")).1, 103);
    assert_eq!(refused(register_image(&bob(), &fresh, 9, &alice().address())).1, 403);
    assert_eq!(refused(MsgRegisterImage { term: 0, ..register_image(&bob(), &fresh, 9, "") }).1, 103);
    assert_eq!(refused(MsgRegisterImage { modality: "dx".into(), ..register_image(&bob(), &fresh, 9, "") }).1, 404);
    assert_eq!(refused(MsgRegisterImage { cid: "Qm".into(), ..register_image(&bob(), &fresh, 9, "") }).1, 101);
    let row = clinic.net.ask(&QueryImage { cid: cid.to_string() });
    assert_eq!((row.owner, row.guard), (alice().address(), guard));
    assert_eq!(row.blob.unwrap().status(), BlobStatus::Available);
    assert_eq!(clinic.net.ask(&QueryImages { owner: alice().address(), page: None }).rows.len(), 1);
    assert_eq!(clinic.net.ask(&QueryImages { owner: bob().address(), page: None }).rows.len(), 0);
}

#[test]
fn an_origin_counts_with_its_signature_only() {
    let mut clinic = Clinic::open();
    let hospital = Key::new(50);
    let origin = Origin {
        institution: hospital.address(),
        pixels: PixelDigest(Digest([1; 32])),
        study: Origin::study_of("1.2.3"),
        subject: Origin::subject_of("p", b"s"),
    };
    let signed = |chain: &str| SignedOrigin {
        institution: origin.institution.clone(),
        pixels: origin.pixels.as_bytes().to_vec(),
        study: origin.study.0.to_vec(),
        subject: origin.subject.0.to_vec(),
        public_key: hospital.public(),
        signature: hospital.sign(&origin.sign_bytes(chain).0),
    };
    let mut register = |seed: u8, origin: SignedOrigin| {
        let cid = BlobId::of_raw(&[seed]);
        let msg = MsgRegisterImage { origin: Some(origin), ..register_image(&alice(), &cid, 1, "") };
        clinic.net.run(&alice(), vec![ours(&msg)]).code.value()
    };
    assert_eq!(register(1, signed(CHAIN)), 0);
    assert_eq!(register(2, signed("another-chain")), 405);
    assert_eq!(register(3, SignedOrigin { public_key: alice().public(), ..signed(CHAIN) }), 405);
    assert_eq!(register(4, SignedOrigin { subject: vec![0; 32], ..signed(CHAIN) }), 405);
    assert_eq!(register(5, SignedOrigin { study: vec![0; 31], ..signed(CHAIN) }), 405);
}

#[test]
fn a_blob_is_available_when_it_is_attested_and_not_before() {
    let mut net = Net::start();
    let cid = BlobId::of_raw(b"held later");
    let blob = MsgRegisterBlob { owner: alice().address(), cid: cid.to_string(), size: 10, term: 5 };
    net.ok(&alice(), vec![ours(&blob)]);
    assert_eq!(
        code(&net.run(&bob(), vec![ours(&MsgRegisterBlob { owner: bob().address(), ..blob.clone() })])),
        ("aceso", 102)
    );
    let status = |net: &Net| net.ask(&QueryBlob { cid: cid.to_string() }).status();
    assert!(!net.app.expects_blocks(), "nobody holds it");
    assert_eq!((status(&net), net.app.wanted_blobs().len()), (BlobStatus::Pending, 1));
    net.put(b"held later");
    assert!(net.app.expects_blocks());
    net.block(vec![]);
    assert_eq!((status(&net), net.app.wanted_blobs().len()), (BlobStatus::Pending, 0));
    net.block(vec![]);
    assert_eq!(status(&net), BlobStatus::Available);
    for _ in 0..5 {
        net.block(vec![]);
    }
    assert_eq!(status(&net), BlobStatus::Expired);
    net.ok(&alice(), vec![ours(&blob)]);
    assert_eq!(status(&net), BlobStatus::Pending);
}

#[test]
fn a_model_is_admitted_with_its_bytes_or_refused_with_a_reason() {
    let clinic = Clinic::open();
    let row = clinic.net.ask(&QueryModel { model: clinic.model.clone() });
    assert_eq!((row.status(), row.author.clone()), (ModelStatus::Admitted, bob().address()));
    assert!(row.macs > 0 && row.run_gas > 0);
    let mut net = Net::start();
    let (_, mut manifest) = model_files();
    let broken = b"not ONNX at all".to_vec();
    manifest.onnx = aceso_types::manifest::Onnx::of(net.put(&broken), &broken);
    let blob = MsgRegisterBlob {
        owner: alice().address(),
        cid: manifest.onnx.blob.to_string(),
        size: broken.len() as u64,
        term: 1_000,
    };
    let register =
        |manifest: &Manifest| ours(&MsgRegisterModel { author: alice().address(), manifest: manifest.encode() });
    assert_eq!(code(&net.run(&alice(), vec![register(&manifest)])), ("aceso", 104));
    net.ok(&alice(), vec![ours(&blob)]);
    net.ok(&alice(), vec![register(&manifest)]);
    assert_eq!(code(&net.run(&alice(), vec![register(&manifest)])), ("aceso", 303));
    while net.app.expects_blocks() {
        net.block(vec![]);
    }
    let row = net.ask(&QueryModel { model: manifest.id().to_string() });
    assert_eq!(row.status(), ModelStatus::Refused);
    assert!(!row.reason.is_empty());
    // Now that the bytes are there, the transaction itself says it.
    manifest.name = "another".into();
    let result = net.run(&alice(), vec![register(&manifest)]);
    assert_eq!(code(&result), ("aceso", 302), "{}", result.log);
    manifest.price.denom = "ubtc".into();
    assert_eq!(code(&net.run(&alice(), vec![register(&manifest)])), ("aceso", 304));
    let garbage = ours(&MsgRegisterModel { author: alice().address(), manifest: vec![1, 2, 3] });
    assert_eq!(code(&net.run(&alice(), vec![garbage])), ("aceso", 301));
}

#[test]
fn a_node_that_lost_the_bytes_halts_instead_of_differing() {
    let clinic = Clinic::open();
    clinic.net.blobs.remove(&clinic.image).unwrap();
    let tx = clinic.net.draft(&[&alice()], vec![clinic.permit(|_| {}), clinic.read()]).sign();
    let height = clinic.net.height + 1;
    let halted = clinic.net.app.finalize_block(crate::fixture::block_of(height, vec![tx.into()]));
    let error = halted.unwrap_err().to_string();
    assert!(error.contains("is available on chain and cannot be read here"), "{error}");
}

#[test]
fn nobody_reads_an_image_that_nobody_registered() {
    let mut clinic = Clinic::open();
    let unknown = BlobId::of_raw(b"unknown");
    let read = clinic.read_of(&clinic.model, &unknown);
    let reader = clinic.reader.clone();
    assert_eq!(code(&execute(&mut clinic.net, &reader, &read)), ("aceso", 402));
    let read = clinic.read_of(&"0".repeat(64), &clinic.image);
    assert!(execute(&mut clinic.net, &reader, &read).code.is_err());
    assert!(clinic.net.account(&nobody().address()).is_none());
}

#[test]
fn an_image_is_read_with_the_effort_that_it_was_registered_with() {
    let registered = |seed: u8, effort: u64| {
        let mut clinic = Clinic::open();
        let bytes = large(seed);
        clinic.image = clinic.net.put(&bytes);
        let message =
            MsgRegisterImage { effort, ..register_image(&alice(), &clinic.image, bytes.len(), &clinic.guard) };
        clinic.net.ok(&alice(), vec![ours(&message)]);
        while clinic.net.app.expects_blocks() {
            clinic.net.block(vec![]);
        }
        assert_eq!(clinic.net.ask(&QueryImage { cid: clinic.image.to_string() }).effort, effort);
        let msgs = vec![clinic.permit(|_| {}), clinic.read()];
        let draft = clinic.net.draft(&[&alice()], msgs.clone());
        #[allow(deprecated, reason = "the field is left empty")]
        let request = SimulateRequest { tx: None, tx_bytes: draft.sign() };
        let answer: SimulateResponse = clinic.net.query("/cosmos.tx.v1beta1.Service/Simulate", &request);
        (clinic.run(msgs), answer.gas_info.unwrap().gas_used)
    };
    let (refused, _) = registered(1, 0);
    assert_eq!(code(&refused), ("aceso", 406));
    assert!(refused.log.contains("takes more effort than 4194304"), "{}", refused.log);
    let effort = effort(&large(1), Limits::default()).unwrap();
    assert_eq!(effort, 1 << 23, "a power of two above what it takes");
    let (read, simulated) = registered(1, effort);
    assert!(read.code.is_ok(), "{}", read.log);
    let used = u64::try_from(read.gas_used).unwrap();
    assert!(simulated.abs_diff(used) < used / 20, "{simulated} {used}");
    // Half as much again is paid for, whether it is needed or not.
    let (dearer, _) = registered(1, effort + effort / 2);
    let more = (u64::try_from(dearer.gas_used).unwrap() - used) * WASM_PER_SDK;
    assert!(more.abs_diff(effort / 2 * 10_000) < effort * 100, "{more}");
}
