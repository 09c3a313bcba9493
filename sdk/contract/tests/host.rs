//! The host of contract tests follows the chain's rules: permits before reads, uses and fees counted whatever comes
//! after, refusals that no contract can handle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_contract::{
    Errno, Graph, ReadError, blob_size, permit, read, read_frame,
    testing::{Host, Registration, Script, Stated, Trap},
};
use aceso_types::{
    BlobId, ElementType, Frame, ModelId, ReadId, Tensor,
    guest::{Answer, Origin, PermitRequest, ReadInfo},
    journal::Event,
};
use expect_test::{Expect, expect};

const FEE: u64 = 5;

struct Stage {
    host: Host,
    model: ModelId,
    image: BlobId,
}

impl Stage {
    fn new() -> Self {
        let host = Host::new(Script);
        let model = host.model(&Script::manifest("m", FEE), b"onnx", "author").unwrap();
        let image = host.image(b"chest", registered("guard"));
        host.set_coins("reader", 100);
        host.transaction(&["actor"]);
        Self { host, model, image }
    }

    fn request(&self, answer: Answer) -> PermitRequest {
        PermitRequest {
            caller: "reader".into(),
            actor: "actor".into(),
            image: self.image,
            owner: String::new(),
            model: self.model,
            purpose: "TREAT".into(),
            grant: "1".into(),
            answer,
        }
    }

    fn permit(&self, max_uses: u32) -> Result<(), Trap> {
        self.host.call("guard", || permit(&self.request(Answer::Permit { max_uses })).unwrap())
    }

    fn read(&self) -> Result<ReadInfo, Trap> {
        self.host.call("reader", || read(&self.model, &self.image, "TREAT").unwrap())
    }

    fn uses(&self) -> u32 {
        self.host.uses("guard", "1")
    }
}

fn registered(guard: &str) -> Registration {
    let stated = Stated { modality: "DX".into(), body_part: String::new() };
    Registration { owner: "patient".into(), guard: guard.into(), origin: None, stated }
}

fn trapped<T: std::fmt::Debug>(result: Result<T, Trap>, sentence: Expect) {
    sentence.assert_eq(&result.unwrap_err().to_string());
}

#[test]
fn a_permit_is_one_read() {
    let stage = Stage::new();
    trapped(
        stage.read(),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for TREAT"
        ],
    );
    stage.permit(9).unwrap();
    let info = stage.read().unwrap();
    assert_eq!(
        (info.read.0, info.owner.as_str(), info.author.as_str(), info.fee.as_str()),
        (1, "patient", "author", "5")
    );
    assert_eq!((info.scores[0].value, info.findings[0].present), (i32::from(b'c'), true));
    assert_eq!((stage.uses(), stage.host.coins("reader")), (1, 95));
    trapped(
        stage.read(),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for TREAT"
        ],
    );
    let events = stage.host.journal().into_iter().map(|entry| entry.event).collect::<Vec<_>>();
    assert!(
        matches!(events.as_slice(), [Event::Permitted { .. }, Event::Read { r#use: 1, fee: FEE, .. }]),
        "{events:?}"
    );
}

#[test]
fn a_permit_is_for_just_one_thing() {
    let stage = Stage::new();
    let other = stage.host.model(&Script::manifest("other", 0), b"onnx", "author").unwrap();
    stage.permit(9).unwrap();
    let read =
        |reader: &str, model, purpose: &str| stage.host.call(reader, || read(&model, &stage.image, purpose).unwrap());
    trapped(
        read("thief", stage.model, "TREAT"),
        expect![
            "no permit for thief to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for TREAT"
        ],
    );
    trapped(
        read("reader", other, "TREAT"),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ffe6162c48ad6c4bea5e445878fe5669aec67fa5b936c7c7ed4c0537e25848dd for TREAT"
        ],
    );
    trapped(
        read("reader", stage.model, "HRESCH"),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for HRESCH"
        ],
    );
    assert_eq!(stage.uses(), 0);
    stage.host.transaction(&["actor"]);
    trapped(
        read("reader", stage.model, "TREAT"),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for TREAT"
        ],
    );
}

#[test]
fn only_the_guard_permits_and_only_for_signers_and_so_often() {
    let stage = Stage::new();
    let ask = |contract: &str| stage.host.call(contract, || permit(&stage.request(Answer::Permit { max_uses: 1 })));
    trapped(
        ask("reader"),
        expect!["reader is not the guard of image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq"],
    );
    stage.host.transaction(&["somebody"]);
    trapped(ask("guard"), expect!["actor has not signed this transaction"]);
    stage.host.transaction(&["actor"]);
    stage.permit(1).unwrap();
    stage.permit(1).unwrap();
    stage.read().unwrap();
    trapped(stage.read(), expect!["grant 1 of guard is used up: 1 of 1"]);
    trapped(stage.permit(1), expect!["grant 1 of guard is used up: 1 of 1"]);
    assert_eq!(stage.uses(), 1);
}

#[test]
fn a_refusal_is_journalled() {
    let stage = Stage::new();
    let request = stage.request(Answer::Deny { reason: "no".into() });
    stage.host.call("guard", || permit(&request)).unwrap().unwrap();
    let entry = stage.host.journal().pop().unwrap();
    assert!(matches!(entry.event, Event::Refused { reason, .. } if reason == "no"));
    trapped(
        stage.read(),
        expect![
            "no permit for reader to read image bafkreid4udlqdekyztms3zhlgunb5hw62gj2d2z6oyfqtmkulfpqinxqwq with model ec68b00eb9c7293ee8424efd300906efe7cad7294fdf655424a39c707a99c5aa for TREAT"
        ],
    );
}

#[test]
fn a_read_must_be_paid() {
    let stage = Stage::new();
    stage.permit(9).unwrap();
    stage.host.set_coins("reader", FEE - 1);
    trapped(stage.read(), expect!["reader holds 4, and the read costs 5"]);
    assert_eq!((stage.uses(), stage.host.coins("reader")), (0, FEE - 1));
}

#[test]
fn public_images_need_no_permit_and_the_wrong_ones_are_refused() {
    let stage = Stage::new();
    let public = stage.host.image(b"public", registered(""));
    let ct = Stated { modality: "CT".into(), body_part: String::new() };
    let ct = stage.host.image(b"ct", Registration { stated: ct, ..registered("") });
    let origin = Origin {
        institution: "hospital".into(),
        pixels: Script::pixels(b"elsewhere"),
        study: Origin::study_of("1"),
        subject: Origin::subject_of("p", b"s"),
    };
    let elsewhere = stage.host.image(b"here", Registration { origin: Some(origin), ..registered("") });
    let read = |image| stage.host.call("reader", || read(&stage.model, &image, "TREAT"));
    assert_eq!(read(public).unwrap().unwrap().image, public);
    trapped(
        read(ct),
        expect![
            "image bafkreihy3szugchfy2puniz4v6tcxwjci5vrrr4kcfhlcrhdjjpdot35ma: the image is CT, and the model takes DX"
        ],
    );
    assert_eq!(read(elsewhere).unwrap().unwrap().origin, None);
    let unknown = BlobId::of_raw(b"unknown");
    assert!(matches!(read(unknown).unwrap(), Err(ReadError::Image { errno: Errno::NotFound, .. })));
}

#[test]
fn each_frame_of_a_file_is_an_image() {
    let stage = Stage::new();
    let film = stage.host.image(b"a/b/a|film", registered(""));
    let of = |number| stage.host.call("reader", || read_frame(&stage.model, &film, Frame::of_wire(number), "TREAT"));
    let info = |number| of(number).unwrap().unwrap();
    assert_eq!(
        info(1),
        ReadInfo {
            read: ReadId(1),
            ..stage.host.call("reader", || read(&stage.model, &film, "TREAT")).unwrap().unwrap()
        }
    );
    let (second, third) = (info(2), info(3));
    assert_eq!((second.frame, second.pixels), (Frame::of_wire(2), Script::pixels(b"b")));
    assert_eq!((third.frame, third.pixels), (Frame::of_wire(3), Script::pixels(b"a")));
    assert!(matches!(stage.host.journal().last().unwrap().event, Event::Read { frame, .. } if frame == third.frame));
    trapped(
        of(4),
        expect!["image bafkreiecqsoieywz6ebdikq5fsx6zdt4quz22lyxx2w5d32i3jbcmoklra: the image has no frame 4"],
    );
}

#[test]
fn steps_out_of_order_are_errors() {
    let stage = Stage::new();
    let public = stage.host.image(b"public", registered(""));
    let tensor = Tensor::new(ElementType::U8, vec![1], vec![200]).unwrap();
    stage
        .host
        .call("reader", || {
            assert_eq!(Graph::load_by_name(&ModelId::default()), Err(Errno::NotFound));
            assert_eq!(Graph::from_handle(0).context(), Err(Errno::InvalidArgument));
            let mut context = Graph::load_by_name(&stage.model).unwrap().context().unwrap();
            assert_eq!(context.compute(), Err(Errno::RuntimeError));
            assert_eq!(context.get_output(0), Err(Errno::RuntimeError));
            context.set_input(0, &tensor).unwrap();
            context.compute().unwrap();
            assert_eq!(context.get_output(0), Ok(vec![200]));
            assert_eq!(context.get_output(1), Err(Errno::InvalidArgument));
            assert_eq!(context.get_output_into(0, &mut []), Err(Errno::TooLarge));
            assert_eq!(context.read_info(), Err(ReadError::Outcome { errno: Errno::NotFound }));
            context.set_input_blob(0, &public, "TREAT").unwrap();
            assert_eq!(context.set_input(0, &tensor), Err(Errno::Busy));
            assert_eq!(context.read_info(), Err(ReadError::Outcome { errno: Errno::RuntimeError }));
            context.compute().unwrap();
            assert_eq!(context.read_info().unwrap().pixels, Script::pixels(b"public"));
            assert_eq!(blob_size(&public), Ok(6));
            assert_eq!(blob_size(&BlobId::of_raw(b"unknown")), Err(Errno::NotFound));
        })
        .unwrap();
    let outside = Graph::load_by_name(&stage.model);
    assert_eq!(outside, Err(Errno::UnsupportedOperation));
}

#[test]
fn a_request_has_a_largest_length() {
    let stage = Stage::new();
    let request = PermitRequest { purpose: "x".repeat(9000), ..stage.request(Answer::Permit { max_uses: 1 }) };
    assert_eq!(stage.host.call("guard", || permit(&request)), Ok(Err(Errno::TooLarge)));
}
