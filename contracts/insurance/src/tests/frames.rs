//! Files of several pictures: each frame is paid by itself, and once.

use super::{
    sealed,
    stage::{PRICE, Stage, account},
};
use crate::Picture;
use aceso_contract::{
    Ended,
    testing::{Registration, Script, Stated},
};
use aceso_interface::{
    Frame, Image,
    insurance::{ClaimStatus, Closed},
};

fn frame(image: Image, number: u32) -> Picture {
    Picture { image, frame: Frame(aceso_types::Frame::of_wire(number)) }
}

#[track_caller]
fn says<T: std::fmt::Debug>(refused: Result<T, String>, words: &str) {
    let sentence = refused.unwrap_err();
    assert!(sentence.contains(words), "{sentence}");
}

impl Stage {
    /// A policy that asks for nobody's word, since an institution vouches for one picture.
    fn for_frames(sealed: bool) -> (Self, u64) {
        let mut stage = Self::new();
        let policy = stage
            .policy(|terms| {
                terms.origin.clear();
                terms.split.remove(0);
                terms.split[0].bps += 2_500;
                terms.sealed = sealed.then(sealed::plan);
            })
            .unwrap();
        stage.fund(policy, 10 * PRICE).unwrap();
        (stage, policy)
    }
}

#[test]
fn frames_of_a_file_are_paid_one_by_one_and_each_once() {
    let (mut stage, policy) = Stage::for_frames(false);
    let (model, image) = (stage.model, stage.register("chest/knee/chest|loop", None));
    stage.grant_image(image, 100);
    let mut read = |number: u32| stage.request_frame("physician", policy, frame(image, number), model, "TREAT");
    let (first, second) = (read(1).unwrap(), read(2).unwrap());
    assert_eq!((first.pixels, second.pixels), (Script::pixels(b"chest").into(), Script::pixels(b"knee").into()));
    assert_eq!((first.frame, second.frame), (Frame::default(), frame(image, 2).frame));
    assert_eq!(second.scores[0].value, i32::from(b'k'));
    says(read(1), "is already paid, by read 1");
    says(read(2), "frame 2 is already paid, by read 2");
    // The third has the pixels of the first: it is read, seen, and not paid for; then nobody reads it again.
    says(read(3), "are already paid, by read 1");
    says(read(3), "frame 3 is already paid, by read 1");
    says(read(4), "has no frame 4");

    // A file of the second frame alone is the same image.
    let alone = stage.register("knee|png", None);
    stage.grant_image(alone, 1);
    says(stage.request(policy, alone), "are already paid, by read 2");
}

#[test]
fn frames_of_a_sealed_file_are_claimed_one_by_one_and_each_once() {
    let (mut stage, policy) = Stage::for_frames(true);
    let image = stage.seal_as("patient", "file", "chest/knee/chest", None);
    let claim = |stage: &mut Stage, number| stage.claim_frame(policy, frame(image, number), sealed::terms(), None);
    let jobs = [1, 2].map(|number| claim(&mut stage, number).unwrap());
    says(claim(&mut stage, 2), "frame 2 is open, with job 2");
    for job in jobs {
        stage.finish(job, Ended::Done).unwrap();
        assert!(matches!(stage.sealed_claim(job).status, ClaimStatus::Paid(_)));
    }
    assert_eq!(jobs.map(|job| stage.sealed_claim(job).frame), [1, 2].map(|number| frame(image, number).frame));
    says(claim(&mut stage, 1), "is already paid, by read 1");
    says(claim(&mut stage, 2), "frame 2 is already paid, by read 2");
    let third = claim(&mut stage, 3).unwrap();
    // A word about another frame is not about this claim.
    let aceso_contract::Callback::AcesoRead(done) = stage.end(third, Ended::Done);
    let other = aceso_contract::ReadDone { frame: aceso_types::Frame::FIRST, ..done.clone() };
    says(stage.hear(other), "job 3");
    stage.hear(done).unwrap();
    assert_eq!(stage.reason(third), Closed::PaidBefore { read: 1 });
    // One that the file does not have cannot be read.
    let beyond = claim(&mut stage, 4).unwrap();
    stage.finish(beyond, Ended::Done).unwrap();
    assert!(matches!(stage.reason(beyond), Closed::Failed { .. }));
}

#[test]
fn an_institution_vouches_for_one_frame() {
    let mut stage = Stage::insured();
    let model = stage.model;
    let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
    let word = super::stage::origin("hospital", Script::pixels(b"knee"), "1.2.3");
    let (owner, guard) = (account("patient").into(), account("consent").into());
    let image = stage.host.image(b"chest/knee", Registration { owner, guard, origin: Some(word), stated }).into();
    stage.grant_image(image, 9);
    says(stage.request_frame("physician", 1, frame(image, 1), model, "TREAT"), "does not hold for what read");
    assert!(stage.request_frame("physician", 1, frame(image, 2), model, "TREAT").unwrap().study.is_some());
}

#[test]
fn a_message_names_the_first_by_naming_none() {
    let message = |more: &str| {
        let image = aceso_types::BlobId::of_raw(b"x");
        let json = format!(
            r#"{{"request_read":{{"policy":1,"image":"{image}","model":"{}","purpose":"TREAT"{more}}}}}"#,
            "00".repeat(32)
        );
        cosmwasm_std::from_json::<crate::msg::ExecuteMsg>(json)
    };
    assert_eq!(message("").unwrap(), message(r#","frame":1"#).unwrap());
    assert_ne!(message("").unwrap(), message(r#","frame":2"#).unwrap());
    assert!(!cosmwasm_std::to_json_string(&message("").unwrap()).unwrap().contains("frame"));
    for wrong in ["0", "-1", "4294967296", "\"1\"", "null", "1.5"] {
        assert!(message(&format!(r#","frame":{wrong}"#)).is_err(), "{wrong}");
    }
}
