//! Results that are too long for their outcomes: who keeps them, for how long, who pays, and what members cannot get past
//! each other. What is in them is tested where it is made (`sdk/verify/tests/outcome.rs`).

use aceso_seal::Registered;
use aceso_test_support::{picture, with_maps};
use aceso_types::{
    BlobId, Digest, Manifest, ModelId,
    guest::Ended,
    manifest::Onnx,
    msg::{Disclose, MsgRegisterBlob, MsgRegisterModel, MsgRequestRead},
    query::{JobStatus, QueryModel, QueryResults, ResultRow},
    sealed::{Failure, INLINE_BYTES_MAX, Input, Outcome},
};

use crate::{
    fixture::{alice, bob, code, ours},
    guests::NOTHING,
    hospital::{Hospital, author, eve},
    reads::model_files,
    ward::cid,
};

const INPUT: Input = Input { claim: Digest([1; 32]), vouched: false };
const REWARD: u128 = 100;

/// Hospitals with a model whose answer no outcome holds.
struct Masks {
    hospital: Hospital,
    model: ModelId,
    /// Bytes of its results.
    size: u64,
}

impl Masks {
    fn open(validators: usize, blocks: u64, most: u64) -> Self {
        let change = |genesis: &mut aceso_types::genesis::Genesis| {
            genesis.params.sealed_result_blocks = blocks;
            genesis.params.sealed_result_bytes_max = most;
        };
        let mut hospital = Hospital::with(validators, change, |terms| terms.open = true);
        let (onnx, usual) = model_files();
        let onnx = with_maps(&onnx);
        let net = hospital.net();
        let blob = net.put(&onnx);
        let manifest = Manifest { onnx: Onnx::of(blob, &onnx), ..usual };
        let register =
            MsgRegisterBlob { owner: alice().address(), cid: blob.to_string(), size: onnx.len() as u64, term: 100_000 };
        net.ok(&alice(), vec![ours(&register)]);
        net.ok(&author(), vec![ours(&MsgRegisterModel { author: author().address(), manifest: manifest.encode() })]);
        while hospital.net().app.expects_blocks() {
            hospital.block(vec![]);
        }
        let model = manifest.id();
        let row = hospital.net().ask(&QueryModel { model: model.to_string() });
        assert!(row.result_bytes > INLINE_BYTES_MAX as u64, "{}", row.reason);
        Self { hospital, model, size: row.result_bytes }
    }

    fn asking(&self) -> MsgRequestRead {
        let model = self.model.as_bytes().into();
        MsgRequestRead { model, disclose: Disclose::Sealed.into(), ..self.hospital.asking() }
    }

    /// What each member earns for keeping a result: a blob's price of a millionth per KiB and block.
    fn keep(&self, blocks: u64) -> u128 {
        (u128::from(self.size).div_ceil(1024) * u128::from(blocks)).div_ceil(1_000_000)
    }

    fn stored(&self, name: &[u8], size: u64) -> Outcome {
        Outcome::Stored { input: INPUT, commitment: Digest([2; 32]), blob: BlobId::of_raw(name), size }
    }

    fn kept(&self, operator: &str, cid: &str) -> Vec<ResultRow> {
        let question = QueryResults { operator: operator.into(), cid: cid.into(), page: None };
        self.hospital.ward.net.ask(&question).rows
    }
}

#[test]
fn those_who_sign_a_long_result_keep_it_for_its_term_and_are_paid_for_it() {
    let blocks = 1_000_000;
    let mut masks = Masks::open(4, blocks, 1 << 20);
    masks.hospital.seats[3].speaks = false;
    let contract = masks.hospital.listener(NOTHING);
    let before = masks.hospital.ward.net.balance(&contract);
    let asking = MsgRequestRead { callback_gas: 400_000, ..masks.asking() };
    assert!(masks.hospital.through(&contract, &asking).code.is_ok());
    let (job, keep) = (1, masks.keep(blocks));
    let price = u128::from(masks.hospital.manifest.price.amount);
    assert!(keep > 10);
    assert_eq!(before - masks.hospital.ward.net.balance(&contract), price + 4 * (REWARD + keep));
    let outcome = masks.stored(b"result", masks.size);
    masks.hospital.answers.insert(job, outcome.clone());
    let had = masks.hospital.balance(&bob());
    let done = masks.hospital.block(vec![]);
    assert!(done.tx_results[0].events.iter().any(|event| event.kind == "result_kept"));
    // Who has not signed keeps nothing and earns nothing; its part goes back.
    assert_eq!(masks.hospital.balance(&bob()) - had, REWARD + keep);
    assert_eq!(before - masks.hospital.ward.net.balance(&contract), price + 3 * (REWARD + keep));
    let told = masks.hospital.told(&contract).unwrap();
    assert_eq!((told.ended, told.commitment), (Ended::Done, Some(Digest([2; 32]))));
    assert_eq!(told.fee, (price + 3 * (REWARD + keep)).to_string());

    let row = masks.hospital.job(job);
    let receipt = masks.hospital.receipt(row.read);
    assert_eq!(receipt.sealed.as_ref().unwrap().outcome, outcome, "CID and size are what was signed");
    receipt.check_sealed().unwrap();
    let cid = BlobId::of_raw(b"result").to_string();
    let [kept] = &masks.kept("", &cid)[..] else { panic!("one result") };
    let signed: Vec<String> = masks.hospital.seats[..3].iter().map(|seat| seat.operator.address()).collect();
    let mut operators = kept.operators.clone();
    operators.sort();
    let mut expected = signed.clone();
    expected.sort();
    assert_eq!(operators, expected);
    assert_eq!((kept.job, kept.record, kept.size, kept.expires), (job, 1, masks.size, row.closed + blocks));
    for operator in &signed {
        assert_eq!(masks.kept(operator, ""), std::slice::from_ref(kept));
    }
    assert!(masks.kept(&masks.hospital.seats[3].operator.address(), "").is_empty());
}

#[test]
fn nothing_is_kept_once_the_term_is_over() {
    let mut masks = Masks::open(1, 3, 1 << 20);
    let asking = masks.asking();
    for (number, name) in [(1, b"one"), (2, b"two")] {
        assert_eq!(masks.hospital.ask(&asking), number);
        masks.hospital.answers.insert(number, masks.stored(name, masks.size));
        masks.hospital.block(vec![]);
        assert_eq!(masks.kept("", &BlobId::of_raw(name).to_string()).len(), 1);
    }
    let operator = masks.hospital.seats[0].operator.address();
    let last = masks.kept("", &BlobId::of_raw(b"two").to_string())[0].expires;
    assert_eq!(masks.kept(&operator, "").len(), 2);
    while masks.hospital.ward.net.height < last - 1 {
        masks.hospital.block(vec![]);
    }
    let [kept] = &masks.kept(&operator, "")[..] else { panic!("the first is gone") };
    assert_eq!((kept.job, kept.expires), (2, last));
    masks.hospital.block(vec![]);
    assert!(masks.kept(&operator, "").is_empty());
    assert!(masks.kept("", &BlobId::of_raw(b"two").to_string()).is_empty());
}

#[test]
fn a_result_has_the_length_that_the_model_gives_it() {
    let mut masks = Masks::open(4, 10, 1 << 20);
    let asking = MsgRequestRead { deadline: masks.hospital.ward.net.height + 6, ..masks.asking() };
    let job = masks.hospital.ask(&asking);
    // Cut, stretched, or put where a short one stands: no proposer takes it up, however many sign it.
    let inline = Outcome::Sealed { input: INPUT, commitment: Digest([2; 32]), ciphertext: vec![3; 64] };
    for wrong in [masks.stored(b"r", masks.size - 1), masks.stored(b"r", masks.size + 1), inline] {
        masks.hospital.answers.insert(job, wrong);
        assert!(masks.hospital.propose(vec![]).is_empty());
    }
    // Two of four name another file: nobody has more than two thirds, and nothing is paid.
    let (one, other) = (masks.stored(b"one", masks.size), masks.stored(b"other", masks.size));
    masks.hospital.answers.insert(job, one);
    masks.hospital.seats.iter_mut().take(2).for_each(|seat| seat.lie = Some(other.clone()));
    let had = masks.hospital.balance(&eve());
    assert!(masks.hospital.propose(vec![]).is_empty());
    while masks.hospital.job(job).status() == JobStatus::Open {
        masks.hospital.block(vec![]);
    }
    let price = u128::from(masks.hospital.manifest.price.amount);
    assert_eq!(masks.hospital.job(job).status(), JobStatus::Expired);
    assert_eq!(masks.hospital.balance(&eve()) - had, price + 4 * (REWARD + masks.keep(10)));
    // One of four does: it is wrong by its own word, and earns nothing.
    let job = masks.hospital.ask(&masks.asking());
    masks.hospital.answers.insert(job, masks.stored(b"one", masks.size));
    masks.hospital.seats[1].lie = None;
    masks.hospital.block(vec![]);
    let [kept] = &masks.kept("", &BlobId::of_raw(b"one").to_string())[..] else { panic!("one result") };
    assert_eq!((kept.job, kept.operators.len()), (job, 3));
    assert!(!kept.operators.contains(&masks.hospital.seats[0].operator.address()));
    masks.hospital.block(vec![]);
    let number = masks.hospital.job(job).members[0].number;
    assert_eq!(masks.hospital.conduct(number).wrong, 1);
}

#[test]
fn what_cannot_be_read_is_not_kept_and_what_is_too_long_not_asked_for() {
    let mut masks = Masks::open(1, 1_000_000, 1 << 20);
    let job = masks.hospital.ask(&masks.asking());
    masks.hospital.answers.insert(job, Outcome::Failed(Failure::Leaf));
    let had = masks.hospital.balance(&eve());
    masks.hospital.block(vec![]);
    let price = u128::from(masks.hospital.manifest.price.amount);
    assert_eq!(masks.hospital.balance(&eve()) - had, price + masks.keep(1_000_000));
    // An outcome for everyone stays short.
    let open = MsgRequestRead { disclose: Disclose::Open.into(), ..masks.asking() };
    let refused = masks.hospital.net().run(&eve(), vec![ours(&open)]);
    assert_eq!(code(&refused), ("aceso", 921), "{}", refused.log);
    assert!(refused.log.contains("ask for them sealed"), "{}", refused.log);
    let mut small = Masks::open(1, 10, 5_000);
    let asking = small.asking();
    let refused = small.hospital.net().run(&eve(), vec![ours(&asking)]);
    assert_eq!(code(&refused), ("aceso", 921), "{}", refused.log);
    assert!(refused.log.contains(&format!("has {} bytes, and at most 5000 are kept", small.size)), "{}", refused.log);
}

/// The very bytes: what a hospital computes of a sealed picture is the file whose name the chain takes, and its length
/// the one that the chain has reckoned from the model alone.
#[test]
fn the_length_is_known_before_anything_is_computed() {
    let masks = Masks::open(1, 10, 1 << 20);
    let statement = aceso_types::sealed::Statement {
        chain_id: "c".into(),
        job: 1,
        requested: aceso_types::Height(1),
        committee: Digest([1; 32]),
        model: masks.model,
        pipeline: masks.hospital.manifest.pipeline.digest(),
        image: cid(1).parse().unwrap(),
        frame: aceso_types::Frame::FIRST,
        owner: alice().address(),
        requester: eve().address(),
        consent: Digest([2; 32]),
        disclosure: aceso_types::sealed::Disclosure::Sealed,
    };
    let (onnx, usual) = model_files();
    let onnx = with_maps(&onnx);
    let manifest = Manifest { onnx: Onnx::of(BlobId::of_raw(&onnx), &onnx), ..usual };
    let model = aceso_inference::admit(&onnx, &manifest).unwrap();
    let content = aceso_verify::grant::ContentPoint::generate(&[5; 64]);
    let (owner, commitment) = (alice().address(), content.commitment());
    let record = picture(1);
    let length = record.len() as u64;
    let file =
        aceso_seal::seal(&content, &owner, [7; 32], ("image/png", Default::default()), &record[..], length, Vec::new())
            .unwrap();
    let case = aceso_verify::outcome::Case {
        statement: &statement,
        manifest: &manifest,
        model: &model,
        modality: "DX",
        body_part: "CHEST",
        effort: 0,
        vouched: None,
    };
    let about = Registered { owner: &owner, commitment: &commitment };
    let came = aceso_seal::outcome(&about, &case, &content, &file, file.len() as u64);
    let Outcome::Stored { size, .. } = came.outcome else { panic!("{:?}", came.outcome) };
    assert_eq!((size, came.file.unwrap().len() as u64), (masks.size, masks.size));
}
