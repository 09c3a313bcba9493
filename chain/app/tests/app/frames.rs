//! Files of several frames: each is read by its number, and is what a file of it alone is.

use aceso_app::Verdict;
use aceso_inference::image::{Limits, Stated, decode};
use aceso_test_support::film;
use aceso_types::{
    Frame, PixelDigest, Receipt, Tensor,
    guest::ReadInfo,
    journal::Event,
    msg::{Disclose, MsgRequestRead},
    query::QueryReceipt,
    receipt::outputs_digest,
    sealed::{Failure, Outcome, Statement, claim},
    transcript::Read,
};

use crate::{
    fixture::{CHAIN, code},
    guests::{self, NOTHING},
    hospital::{Hospital, eve},
    reads::{Clinic, picture},
    replay::{Follower, encoded, signed, signer, transcript, truth, with_images},
    sealed_dispute::Ward,
};

fn pixels(seed: u8) -> PixelDigest {
    decode(&picture(seed), Limits::default()).unwrap().pixel_digest()
}

/// A clinic of this image, whose reader reads this frame.
fn clinic(frame: u32, image: &[u8]) -> Clinic {
    Clinic::of(guests::frame_reader(NOTHING, frame), image)
}

/// Reads, and answers what the contract knows and what the chain keeps of it.
fn read(clinic: &mut Clinic) -> (ReadInfo, Receipt) {
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    let result = clinic.run(msgs);
    assert!(result.code.is_ok(), "{}", result.log);
    let info = clinic.info();
    let row = clinic.net.ask(&QueryReceipt { read: info.read.0 });
    (info, Receipt::decode(&row.receipt).unwrap())
}

#[test]
fn a_frame_is_what_a_file_of_it_alone_is() {
    let (_, alone) = read(&mut Clinic::of(guests::reader(NOTHING), &picture(2)));
    let mut film = clinic(2, &film(&[1, 2, 1]));
    let (info, second) = read(&mut film);
    assert_eq!((info.frame, second.frame), (Frame::of_wire(2), Frame::of_wire(2)));
    assert_eq!((second.pixels, second.outcome.clone()), (Some(pixels(2)), alone.outcome));
    assert_eq!((info.pixels, alone.pixels), (pixels(2), Some(pixels(2))));
    let said = film.journal();
    assert!(
        matches!(said[..], [Event::Permitted { .. }, Event::Read { frame, .. }] if frame == second.frame),
        "{said:?}"
    );

    // The first has the same receipt whether it is named or not, and another outcome than the second.
    let film = aceso_test_support::film(&[1, 2, 1]);
    let (_, named) = read(&mut clinic(1, &film));
    let (_, unnamed) = read(&mut Clinic::of(guests::reader(NOTHING), &film));
    assert_eq!(Receipt { reader: String::new(), ..named.clone() }, Receipt { reader: String::new(), ..unnamed });
    assert_eq!((named.frame, named.pixels), (Frame::FIRST, Some(pixels(1))));
    assert_ne!(named.outcome.digest, second.outcome.digest);
    let (_, third) = read(&mut clinic(3, &film));
    assert_eq!((third.pixels, third.outcome), (named.pixels, named.outcome));
}

#[test]
fn a_frame_that_a_file_does_not_have_is_refused_in_words() {
    for (image, frame, words) in [
        (film(&[1, 2]), 3, "frame 3 is asked for, and the file has frames 1 to 2"),
        (film(&[1, 2]), u32::MAX, "frame 4294967295 is asked for, and the file has frames 1 to 2"),
        (picture(0), 2, "frame 2 is asked for, and the file has frames 1 to 1"),
    ] {
        let mut clinic = clinic(frame, &image);
        let msgs = vec![clinic.permit(|_| {}), clinic.read()];
        let result = clinic.run(msgs);
        assert_eq!(code(&result), ("aceso", 406));
        assert!(result.log.contains(words), "{}", result.log);
        assert!(matches!(clinic.journal()[..], [Event::Permitted { .. }]));
    }
    // There is no frame 0: the import says so before anything is looked at, and this guest stops at any errno.
    let mut clinic = clinic(0, &film(&[1, 2]));
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    assert!(clinic.run(msgs).log.contains("unreachable"));
}

#[test]
fn a_transcript_of_another_frame_is_a_lie() {
    let mut clinic = clinic(2, &film(&[1, 2]));
    read(&mut clinic);
    clinic.net.block(vec![]);
    let net = &clinic.net;
    let at = with_images(net)[0];
    let mut lie = transcript(net, at);
    let Read::Image { frame, .. } = &mut lie.entries[0].read else { panic!("{lie:?}") };
    assert_eq!(*frame, Frame::of_wire(2));
    *frame = Frame::FIRST;
    let mut follower = Follower::new(net);
    follower.tell(at, encoded(lie.encode(), signed(net, at, &signer(), |_| {})));
    follower.tell(at, truth(net, at));
    follower.go_to(net, net.height + 1);
    let verdicts = follower.verdicts();
    assert!(matches!(verdicts[..], [Verdict::Lie(_), Verdict::Accepted]), "{verdicts:?}");
    assert_eq!(follower.app.transcript(at).unwrap(), net.app.transcript(at).unwrap());
}

impl Ward {
    fn of_frame(&self, disclose: Disclose, frame: u32) -> MsgRequestRead {
        MsgRequestRead { frame, ..self.asking(disclose) }
    }

    /// What the model makes of a picture.
    fn computed(&self, seed: u8) -> Vec<Tensor> {
        let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
        let image = decode(&picture(seed), Limits::default()).unwrap();
        self.model.run(&[image.to_tensor(&self.manifest.pipeline, &stated).unwrap()]).unwrap()
    }
}

#[test]
fn a_committee_reads_the_frame_that_is_named() {
    let mut ward = Ward::with(Hospital::open(4), &film(&[1, 2]));
    ward.publish();
    for (frame, seed) in [(0, 1), (1, 1), (2, 2)] {
        let job = ward.done_with(&ward.of_frame(Disclose::Open, frame), |truth| truth);
        let row = ward.hospital.job(job);
        let receipt = ward.hospital.receipt(row.read);
        assert_eq!(receipt.frame, Frame::of_wire(frame));
        assert_eq!(Statement::decode(&row.statement).unwrap().frame, receipt.frame);
        assert_eq!(receipt.check_sealed(), Ok(()));
        let Outcome::Open { input, outputs } = receipt.sealed.clone().unwrap().outcome else { panic!() };
        assert_eq!(input.claim, claim(CHAIN, &eve().address(), &pixels(seed)));
        assert_eq!((&outputs, receipt.outcome.digest), (&ward.computed(seed), outputs_digest(&outputs)));
        // What was signed was of this frame and of no other.
        let compact = receipt.compact().unwrap();
        let about = compact.statement.of(receipt.committee.digest);
        let other = Statement { frame: Frame::of_wire(3), ..about.clone() };
        assert_ne!(about.sign_bytes(&compact.outcome), other.sign_bytes(&compact.outcome));
    }
    // A frame that it does not have is for members to say, who are paid for having looked.
    for frame in [3, u32::MAX] {
        let job = ward.done_with(&ward.of_frame(Disclose::Sealed, frame), |truth| truth);
        let receipt = ward.hospital.receipt(ward.hospital.job(job).read);
        assert_eq!(receipt.sealed.unwrap().outcome, Outcome::Failed(Failure::Frame));
    }
}

#[test]
fn bits_of_one_frame_are_not_those_of_another() {
    let mut ward = Ward::with(Hospital::open(4), &film(&[1, 2, 1]));
    let first = ward.done_with(&ward.of_frame(Disclose::Predicate, 0), |truth| truth);
    assert!(first > 0);
    // Known, however the first is spelled.
    for frame in [0, 1] {
        let again = ward.of_frame(Disclose::Predicate, frame);
        assert_eq!(ward.hospital.ask(&again), 0);
    }
    let second = ward.done_with(&ward.of_frame(Disclose::Predicate, 2), |truth| truth);
    assert!(second > first);
    let again = ward.of_frame(Disclose::Predicate, 2);
    assert_eq!(ward.hospital.ask(&again), 0);
    // What may be disclosed in all is counted over the file: two bits, and both are out.
    let third = ward.of_frame(Disclose::Predicate, 3);
    let result = ward.hospital.ward.net.run(&eve(), vec![crate::fixture::ours(&third)]);
    assert!(result.log.contains("2 bits of") && result.code.is_err(), "{}", result.log);
}

#[test]
fn a_dispute_looks_at_the_frame_that_was_asked_for() {
    let mut ward = Ward::with(Hospital::open(4), &film(&[1, 2]));
    ward.publish();
    let first = ward.done_with(&ward.of_frame(Disclose::Open, 0), |truth| truth);
    let of_first = ward.truth(first);
    let honest = ward.done_with(&ward.of_frame(Disclose::Open, 2), |truth| truth);
    assert!(!ward.dispute(honest).0.wrong);
    // Members that read the first in place of the second are wrong.
    let lied = ward.done_with(&ward.of_frame(Disclose::Open, 2), |_| of_first);
    let (found, _) = ward.dispute(lied);
    assert_eq!((found.wrong, found.marked, found.outcome), (true, 4, ward.truth(lied).encode()));
}
