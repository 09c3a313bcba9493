//! What a sealed read comes to, for every way in which it may be disclosed and every reason why it cannot be read. The
//! vectors are protocol: members that differ from them in a byte agree with nobody.

#![cfg(feature = "recompute")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::LazyLock};

use aceso_inference::{Kernels, Model, admit, admit_with, image};
use aceso_test_support::{film, picture, repository, with_maps};
use aceso_types::{
    BlobId, Digest, Frame, Height, Manifest, PixelDigest, ReadId, Receipt, Tensor, TxIndex,
    manifest::Onnx,
    receipt::{self, Committee, Consent, SealedRead},
    sealed::{
        Disclosure, Failure, Outcome, RESULT_BYTES_MAX, Statement, claim, commitment, consent_digest, result_bytes,
    },
};
use aceso_verify::{
    Opened, RecomputeError,
    grant::ContentPoint,
    outcome::{
        BODY_PART, Came, Case, MODALITY, OutputsError, blind, open_outputs, open_result, outcome as came, read,
        seal_outputs,
    },
    recompute_sealed,
};
use expect_test::expect;

static FILES: LazyLock<(Manifest, Vec<u8>)> = LazyLock::new(|| {
    let folder = repository().join("models/pneumonia");
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    (serde_json::from_slice(&manifest).unwrap(), std::fs::read(folder.join("model.onnx")).unwrap())
});
static MODEL: LazyLock<Model> = LazyLock::new(|| admit(&FILES.1, &FILES.0).unwrap());

fn content(seed: u8) -> ContentPoint {
    ContentPoint::generate(&[seed; 64])
}

fn statement(disclosure: Disclosure) -> Statement {
    Statement {
        chain_id: "clinic-1".into(),
        job: 7,
        requested: Height(30),
        committee: Digest([1; 32]),
        model: FILES.0.id(),
        pipeline: FILES.0.pipeline.digest(),
        image: BlobId::of_raw(b"sealed"),
        frame: Frame::FIRST,
        owner: "aceso1patient".into(),
        requester: "aceso1insurance".into(),
        consent: Digest([2; 32]),
        disclosure,
    }
}

fn case<'a>(statement: &'a Statement, model: &'a Model) -> Case<'a> {
    Case { statement, manifest: &FILES.0, model, modality: "DX", body_part: "CHEST", effort: 0, vouched: None }
}

fn outcome(case: &Case<'_>, content: &ContentPoint, tags: &BTreeMap<String, String>, record: &[u8]) -> Outcome {
    came(case, content, tags, record).outcome
}

fn came_to(disclosure: Disclosure) -> Outcome {
    outcome(&case(&statement(disclosure), &MODEL), &content(1), &BTreeMap::new(), &picture(1))
}

fn pixels() -> PixelDigest {
    image::decode(&picture(1), image::Limits::default()).unwrap().pixel_digest()
}

fn outputs() -> Vec<Tensor> {
    let statement = statement(Disclosure::Open);
    read(&case(&statement, &MODEL), &BTreeMap::new(), &picture(1)).map(|read| read.outputs().to_vec()).unwrap()
}

fn tags(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn outcomes_do_not_change() {
    let finding = FILES.0.output.findings[0].id.clone();
    let all = [Disclosure::Open, Disclosure::Predicate(vec![finding]), Disclosure::Sealed];
    let told = all.map(|disclosure| {
        let outcome = came_to(disclosure.clone());
        assert!(outcome.fits(&disclosure) && Outcome::decode(&outcome.encode()).unwrap() == outcome);
        format!("{} {}\n", hex::encode(outcome.encode()), statement(disclosure).sign_bytes(&outcome))
    });
    expect![[r#"
        a1646f70656ea265696e707574a265636c61696d58202d3280651babada2de62ed725a3bbb42904e171f30054d48f95a119f32baf78b67766f7563686564f4676f75747075747381a3627479627538646461746141056464696d73820101 b6ddbf2ec42debc7e83d0c8dfee74502d7df2ccf4a61d7e8cff54e9dc78bb0b7
        a169707265646963617465a265696e707574a265636c61696d58202d3280651babada2de62ed725a3bbb42904e171f30054d48f95a119f32baf78b67766f7563686564f46866696e64696e677381a262696469706e65756d6f6e69616770726573656e74f4 d4884c2de3ec8e8b763494db136b1a917779da4656d5fcee3f899a09ac60c3f1
        a1667365616c6564a365696e707574a265636c61696d58202d3280651babada2de62ed725a3bbb42904e171f30054d48f95a119f32baf78b67766f7563686564f46a636970686572746578745827beb8c1694e09d62374983d791a049ede62d25d4fb022a4c66399b53c35f6f98c1a4bc163095ce56a636f6d6d69746d656e745820472a6e9c9fbd1ee2b42747c013d82684c625579d6c291020d36623741b05caa8 49973ae6851626a351277f65b9bd34110b38f3ae0523b2ca878fe39cd12d64cd
    "#]].assert_eq(&told.concat());
}

#[test]
fn what_is_known_of_the_input_depends_on_pixels_and_requester_only() {
    let statement = statement(Disclosure::Open);
    let mut case = case(&statement, &MODEL);
    let input = |case: &Case<'_>| *outcome(case, &content(1), &BTreeMap::new(), &picture(1)).input().unwrap();
    assert_eq!(input(&case).claim, claim("clinic-1", "aceso1insurance", &pixels()));
    assert!(!input(&case).vouched);
    case.vouched = Some(PixelDigest(Digest([9; 32])));
    assert!(!input(&case).vouched);
    case.vouched = Some(pixels());
    assert!(input(&case).vouched);
    // Sealed under another key it is the same image.
    let again = outcome(&case, &content(2), &BTreeMap::new(), &picture(1));
    assert_eq!(again.input(), Some(&input(&case)));
    let other = outcome(&case, &content(1), &BTreeMap::new(), &picture(2));
    assert!(other.input().unwrap().claim != input(&case).claim);
}

#[test]
fn each_failure_has_its_name() {
    let open = statement(Disclosure::Open);
    let failed = |case: &Case<'_>, tags: &BTreeMap<String, String>, record: &[u8]| match outcome(
        case,
        &content(1),
        tags,
        record,
    ) {
        Outcome::Failed(failure) => Some(failure),
        _ => None,
    };
    let case = case(&open, &MODEL);
    let none = BTreeMap::new();
    for record in [&b""[..], b"no picture", &picture(1)[..100]] {
        assert_eq!(failed(&case, &none, record), Some(Failure::Undecodable));
    }
    // Undecodable comes before unsuitable.
    let stated = |modality: &'static str, body_part: &'static str| Case { modality, body_part, ..case };
    assert_eq!(failed(&stated("MG", "BREAST"), &none, b"no picture"), Some(Failure::Undecodable));
    for (modality, body_part) in [("MG", "CHEST"), ("", "CHEST"), ("DX", "BREAST"), ("DX", "")] {
        assert_eq!(failed(&stated(modality, body_part), &none, &picture(1)), Some(Failure::Unsuitable));
    }
    // What the owner has sealed with it counts as what stands in the registration does, and may not contradict it.
    let inside = tags(&[(MODALITY, "CR"), (BODY_PART, "CHEST")]);
    assert_eq!(failed(&stated("", ""), &inside, &picture(1)), None);
    assert_eq!(failed(&stated("CR", "CHEST"), &inside, &picture(1)), None);
    assert_eq!(failed(&stated("DX", "CHEST"), &inside, &picture(1)), Some(Failure::Unsuitable));
    assert_eq!(failed(&stated("", ""), &tags(&[(MODALITY, "MG")]), &picture(1)), Some(Failure::Unsuitable));

    let unknown = statement(Disclosure::Predicate(vec!["gout".into()]));
    assert_eq!(failed(&Case { statement: &unknown, ..case }, &none, &picture(1)), Some(Failure::Inference));
}

#[test]
fn a_frame_comes_to_what_a_file_of_it_alone_does() {
    let of = |frame| Statement { frame: Frame::of_wire(frame), ..statement(Disclosure::Open) };
    let read = |frame, record: &[u8]| outcome(&case(&of(frame), &MODEL), &content(1), &BTreeMap::new(), record);
    let film = film(&[1, 2]);
    assert_eq!(read(1, &film), read(1, &picture(1)));
    assert_eq!(read(2, &film), read(1, &picture(2)));
    assert_ne!(read(1, &film), read(2, &film));
    for (frame, record) in [(3, &film[..]), (u32::MAX, &film), (2, &picture(1))] {
        assert_eq!(read(frame, record), Outcome::Failed(Failure::Frame));
    }
    // What is no picture at all has no frames to speak of.
    assert_eq!(read(2, b"no picture"), Outcome::Failed(Failure::Undecodable));
    // A sealed outcome is for the job: which frame it was of changes nothing else.
    let sealed = Statement { frame: Frame::of_wire(2), ..statement(Disclosure::Sealed) };
    let sealed = outcome(&case(&sealed, &MODEL), &content(1), &BTreeMap::new(), &film);
    assert_eq!(sealed.input(), read(2, &film).input());
}

#[test]
fn only_the_keys_holder_opens_a_sealed_outcome() {
    let about = statement(Disclosure::Sealed);
    let Outcome::Sealed { commitment: want, ciphertext, .. } = came_to(Disclosure::Sealed) else { panic!("sealed") };
    assert_eq!(want, commitment(&blind(&content(1), 7), &outputs()));
    assert_eq!(open_outputs(&content(1), &about, &want, &ciphertext), Ok(outputs()));

    let refused = |content: &ContentPoint, about: &Statement, ciphertext: &[u8]| {
        open_outputs(content, about, &want, ciphertext).unwrap_err()
    };
    assert_eq!(refused(&content(2), &about, &ciphertext), OutputsError::Cipher);
    let other_job = Statement { job: 8, ..about.clone() };
    let other_chain = Statement { chain_id: "clinic-2".into(), ..about.clone() };
    for other in [other_job, other_chain] {
        assert_eq!(refused(&content(1), &other, &ciphertext), OutputsError::Cipher);
    }
    for at in 0..ciphertext.len() {
        let mut changed = ciphertext.clone();
        changed[at] ^= 1;
        assert_eq!(refused(&content(1), &about, &changed), OutputsError::Cipher);
    }
    assert_eq!(refused(&content(1), &about, &[]), OutputsError::Cipher);
    let (most, long) = (RESULT_BYTES_MAX, vec![0; RESULT_BYTES_MAX + 1]);
    assert_eq!(refused(&content(1), &about, &long), OutputsError::Long { most, got: most + 1 });
    let lie = Digest([3; 32]);
    assert_eq!(open_outputs(&content(1), &about, &lie, &ciphertext), Err(OutputsError::Commitment { want: lie }));
    // Neither its length nor its bytes depend on what is in the picture's file but the pixels.
    assert_eq!(seal_outputs(&content(1), &about, &outputs()), ciphertext);
}

/// A machine that errs encrypts other outputs under the same key and nonce. With a stream cipher the difference of the
/// ciphertexts would be that of the outputs, which a third party could read.
#[test]
fn a_second_plaintext_under_a_jobs_key_tells_nothing() {
    fn faulty(output: &mut [u8]) {
        output[0] ^= 0x10;
    }
    let errs = admit_with(&FILES.1, &FILES.0, Kernels::default().altered(faulty)).unwrap();
    let about = statement(Disclosure::Sealed);
    let sealed = |model: &Model| match outcome(&case(&about, model), &content(1), &BTreeMap::new(), &picture(1)) {
        Outcome::Sealed { commitment, ciphertext, .. } => (commitment, ciphertext),
        other => panic!("{other:?}"),
    };
    let ((right, one), (wrong, other)) = (sealed(&MODEL), sealed(&errs));
    assert!(right != wrong && one.len() == other.len());
    let difference: Vec<u8> = one.iter().zip(&other).map(|(a, b)| a ^ b).collect();
    let same = difference.iter().filter(|byte| **byte == 0).count();
    assert!(same < difference.len() / 16 + 4, "{same} of {} bytes are equal", difference.len());
    // Each opens to its own outputs, and to nothing under the other's commitment.
    let (a, b) = (open_outputs(&content(1), &about, &right, &one), open_outputs(&content(1), &about, &wrong, &other));
    assert!(a.unwrap() != b.unwrap());
    assert_eq!(open_outputs(&content(1), &about, &right, &other), Err(OutputsError::Commitment { want: right }));
}

/// The bundled model with the maps of its first layer beside its answer.
static MAPS: LazyLock<(Manifest, Vec<u8>)> = LazyLock::new(|| {
    let onnx = with_maps(&FILES.1);
    (Manifest { onnx: Onnx::of(BlobId::of_raw(&onnx), &onnx), ..FILES.0.clone() }, onnx)
});

/// What a member whose kernels are these makes of the picture with that model.
fn with_a_file(kernels: Kernels) -> Came {
    let model = admit_with(&MAPS.1, &MAPS.0, kernels).unwrap();
    let about = statement(Disclosure::Sealed);
    let case = Case { manifest: &MAPS.0, ..case(&about, &model) };
    came(&case, &content(1), &BTreeMap::new(), &picture(1))
}

#[test]
fn a_result_that_is_too_long_for_an_outcome_is_a_file_that_the_outcome_names() {
    let (about, came) = (statement(Disclosure::Sealed), with_a_file(Kernels::default()));
    assert_eq!(with_a_file(Kernels::default()), came, "every member makes the same bytes");
    let file = came.file.as_deref().unwrap();
    let Outcome::Stored { commitment, blob, size, .. } = &came.outcome else { panic!("{:?}", came.outcome) };
    assert_eq!((blob, *size), (&BlobId::of_raw(file), file.len() as u64));
    assert!(came.outcome.encode().len() < 300 && came.outcome.fits(&Disclosure::Sealed));
    let outputs = open_result(&content(1), &about, &came.outcome, Some(file)).unwrap();
    assert_eq!(outputs.len(), 2);
    assert_eq!(outputs[0], self::outputs()[0], "what the model says is the same");
    assert!(outputs[1].data().len() > 4_096 && outputs[1].data().iter().any(|one| *one != outputs[1].data()[0]));
    // As many bytes as the model's shapes say, whatever is in them.
    let zeros =
        outputs.iter().map(|one| Tensor::new(one.ty(), one.dims().to_vec(), vec![0; one.data().len()]).unwrap());
    assert_eq!(result_bytes(&zeros.collect::<Vec<_>>()), *size);

    let refused = |about: &Statement, outcome: &Outcome, file: Option<&[u8]>| {
        open_result(&content(1), about, outcome, file).unwrap_err()
    };
    assert_eq!(refused(&about, &came.outcome, None), OutputsError::Elsewhere(*blob));
    let cut = &file[..file.len() - 1];
    assert_eq!(refused(&about, &came.outcome, Some(cut)), OutputsError::Size { want: *size, got: *size - 1 });
    for at in [0, file.len() / 2, file.len() - 1] {
        let mut changed = file.to_vec();
        changed[at] ^= 1;
        assert_eq!(refused(&about, &came.outcome, Some(&changed)), OutputsError::Cipher, "byte {at}");
    }
    let other = Statement { job: 8, ..about.clone() };
    assert_eq!(refused(&other, &came.outcome, Some(file)), OutputsError::Cipher);
    assert_eq!(open_result(&content(2), &about, &came.outcome, Some(file)), Err(OutputsError::Cipher));
    let lie = Outcome::Stored {
        input: *came.outcome.input().unwrap(),
        commitment: Digest([9; 32]),
        blob: *blob,
        size: *size,
    };
    assert_eq!(refused(&about, &lie, Some(file)), OutputsError::Commitment { want: Digest([9; 32]) });
    assert_ne!(commitment, &Digest([9; 32]));
    assert_eq!(refused(&about, &Outcome::Failed(Failure::Leaf), Some(file)), OutputsError::NotSealed);
    // What is told everyone stays short.
    let model = admit(&MAPS.1, &MAPS.0).unwrap();
    let open = statement(Disclosure::Open);
    let case = Case { manifest: &MAPS.0, ..case(&open, &model) };
    let told = outcome(&case, &content(1), &BTreeMap::new(), &picture(1));
    assert_eq!(told, Outcome::Failed(Failure::Inference));
}

/// Members that differ in one bit sign another name: no two texts go by one, and what a machine that errs has encrypted
/// under the job's key tells nobody more than that it differs.
#[test]
fn a_second_text_of_a_long_result_has_another_name() {
    fn faulty(output: &mut [u8]) {
        output[0] ^= 0x10;
    }
    let (right, wrong) = (with_a_file(Kernels::default()), with_a_file(Kernels::default().altered(faulty)));
    let (Outcome::Stored { blob: a, size: one, .. }, Outcome::Stored { blob: b, size: other, .. }) =
        (&right.outcome, &wrong.outcome)
    else {
        panic!("{:?} {:?}", right.outcome, wrong.outcome)
    };
    assert!(a != b && one == other);
    let (one, other) = (right.file.unwrap(), wrong.file.unwrap());
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same < one.len() / 64, "{same} of {} bytes are equal", one.len());
    let about = statement(Disclosure::Sealed);
    let crossed = open_result(&content(1), &about, &right.outcome, Some(&other));
    assert!(matches!(crossed, Err(OutputsError::Commitment { .. })), "{crossed:?}");
}

#[test]
fn a_receipt_is_computed_again_by_who_can_open_the_record() {
    let (manifest, onnx) = (FILES.0.encode(), &FILES.1);
    let about = statement(Disclosure::Sealed);
    let consent = Consent {
        guard: String::new(),
        grant: "aceso1patient/1".into(),
        actor: "aceso1physician".into(),
        purpose: "TREAT".into(),
        r#use: 1,
    };
    let signed = Statement { consent: consent_digest(&consent), ..about };
    let came_to = outcome(&case(&signed, &MODEL), &content(1), &BTreeMap::new(), &picture(1));
    let receipt = Receipt {
        version: receipt::VERSION,
        chain_id: signed.chain_id.clone(),
        height: Height(33),
        tx: TxIndex(0),
        read: ReadId(1),
        reader: signed.requester.clone(),
        model: signed.model,
        pipeline: signed.pipeline,
        image: signed.image,
        frame: signed.frame,
        pixels: None,
        consent: Some(consent),
        disclosure: Disclosure::Sealed,
        outcome: receipt::Outcome { digest: came_to.digest(), scores: vec![], findings: vec![], readings: vec![] },
        committee: Committee { digest: signed.committee, power: 10, total: 10 },
        sealed: Some(SealedRead {
            job: signed.job,
            requested: signed.requested,
            owner: signed.owner.clone(),
            outcome: came_to.clone(),
            root: 0,
            members: vec![1],
            signers: vec![1],
            signature: vec![0; 96],
        }),
    };
    let (key, other, tags, picture) = (content(1), content(2), BTreeMap::new(), picture(1));
    let opened = Opened {
        content: &key,
        tags: &tags,
        record: &picture,
        modality: "DX",
        body_part: "CHEST",
        effort: 0,
        vouched: None,
    };
    let again = |receipt: &Receipt, opened: &Opened<'_>| {
        recompute_sealed(receipt, &manifest, onnx, opened).map(|came| came.outcome)
    };
    assert_eq!(again(&receipt, &opened).unwrap(), came_to);
    let another = aceso_test_support::picture(2);
    for differs in
        [Opened { content: &other, ..opened }, Opened { record: &another, ..opened }, Opened { modality: "", ..opened }]
    {
        assert!(matches!(again(&receipt, &differs), Err(RecomputeError::Outcome { .. })));
    }
    let elsewhere = Receipt { chain_id: "clinic-2".into(), ..receipt.clone() };
    assert!(matches!(again(&elsewhere, &opened), Err(RecomputeError::Outcome { .. })));
    assert!(matches!(again(&Receipt { sealed: None, ..receipt }, &opened), Err(RecomputeError::Open)));
}
