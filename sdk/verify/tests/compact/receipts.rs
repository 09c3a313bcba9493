//! Receipts of sealed reads: what a receipt says is what its committee signed.

use aceso_types::{
    Digest, Height, PixelDigest, ReadId, Receipt, TxIndex,
    guest::{Answered, Reading, Score},
    receipt::{self, Committee, Consent, Disagreement, Disclosure, Outcome, SealedRead},
    sealed::{self, Compact, ProofError, committee_digest, consent_digest},
};
use aceso_verify::compact::{CompactError, verify_receipt};

use crate::rig::{CHAIN, Draft, ROOTS, sign};

/// A receipt as a chain writes it.
fn of(draft: &Draft) -> Receipt {
    let consent = Consent {
        guard: String::new(),
        grant: "aceso1patient/7".into(),
        actor: "aceso1doctor".into(),
        purpose: "TREAT".into(),
        r#use: 1,
    };
    let root = ROOTS.get(draft.root).unwrap();
    let keys: Vec<_> =
        draft.members.iter().map(|one| root.keys.iter().find(|key| key.number == *one).unwrap().clone()).collect();
    let mut compact = draft.unsigned();
    compact.statement.consent = consent_digest(&consent);
    let committee = committee_digest(draft.root, &keys);
    let message = compact.statement.of(committee).sign_bytes(&compact.outcome);
    let signature = sign(draft.signers.iter().map(|place| &keys[*place]), &message);
    let Compact { root: number, members, statement, outcome, signers, .. } = compact;
    let findings = match &outcome {
        sealed::Outcome::Predicate { findings, .. } => findings.clone(),
        _ => Vec::new(),
    };
    Receipt {
        version: receipt::VERSION,
        chain_id: CHAIN.into(),
        height: Height(88_044),
        tx: TxIndex(0),
        read: ReadId(3),
        reader: statement.requester,
        model: statement.model,
        pipeline: statement.pipeline,
        image: statement.image,
        frame: statement.frame,
        pixels: None,
        consent: Some(consent),
        disclosure: statement.disclosure,
        outcome: Outcome { digest: outcome.digest(), scores: Vec::new(), findings, readings: Vec::new() },
        committee: Committee { digest: committee, power: keys.iter().map(|key| key.power).sum(), total: root.total },
        sealed: Some(SealedRead {
            job: statement.job,
            requested: statement.requested,
            owner: statement.owner,
            outcome,
            root: number,
            members,
            signers,
            signature,
        }),
    }
}

#[test]
fn receipts_of_every_kind_are_believed() {
    let second = Draft { frame: aceso_types::Frame::of_wire(2), ..Draft::default() };
    for draft in [Draft::default(), Draft::sealed(), Draft::open(), Draft::failed(), second] {
        let receipt = of(&draft);
        let receipt = Receipt::decode(&receipt.encode()).unwrap();
        let verified = verify_receipt(&receipt, &ROOTS).unwrap();
        assert_eq!(verified.committee, receipt.committee.digest);
        assert_eq!(aceso_verify::verify_compact(&verified.compact.encode(), &ROOTS), Ok(verified));
    }
}

#[test]
fn what_the_committee_did_not_sign_is_not_believed() {
    let score = Score { label: "pneumonia".into(), value: 1, probability: 1 };
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut other = of(&Draft::default());
        change(&mut other);
        verify_receipt(&other, &ROOTS).unwrap_err()
    };
    let disclosed = |what| CompactError::Receipt(Disagreement::Disclosed(what));
    assert_eq!(refused(&|r| r.outcome.findings[0].present = false), disclosed("findings"));
    assert_eq!(
        refused(&|r| r.outcome.findings.push(Answered { id: "effusion".into(), present: true })),
        disclosed("findings")
    );
    assert_eq!(refused(&|r| r.outcome.scores.push(score.clone())), disclosed("scores"));
    let reading = Reading::Class { name: "view".into(), class: "pa".into() };
    assert_eq!(refused(&|r| r.outcome.readings.push(reading.clone())), disclosed("readings"));
    assert_eq!(refused(&|r| r.pixels = Some(PixelDigest(Digest([1; 32])))), disclosed("pixels"));
    assert!(matches!(
        refused(&|r| r.outcome.digest = Digest([1; 32])),
        CompactError::Receipt(Disagreement::Outcome { .. })
    ));
    assert!(matches!(
        refused(&|r| r.disclosure = Disclosure::Sealed),
        CompactError::Receipt(Disagreement::Signed(sealed::SealedError::Field { what: "outcome", .. }))
    ));
    assert_eq!(refused(&|r| r.consent = None), CompactError::Receipt(Disagreement::Consent));
    assert!(matches!(refused(&|r| r.height = Height(88_041)), CompactError::Receipt(Disagreement::Height { .. })));
    assert_eq!(refused(&|r| r.sealed = None), CompactError::Receipt(Disagreement::Unsigned));
    assert_eq!(refused(&|r| (r.sealed, r.disclosure) = (None, Disclosure::Open)), CompactError::Open);
    let committee = |what| CompactError::Proof(ProofError::Committee { what });
    assert_eq!(refused(&|r| r.committee.digest = Digest([1; 32])), committee("digest"));
    assert_eq!(refused(&|r| r.committee.power = 50), committee("power"));
    assert_eq!(refused(&|r| r.committee.total = 40), committee("total"));
    // Another use of the grant, another actor: the statement names the consent by its digest.
    assert_eq!(refused(&|r| r.consent.as_mut().unwrap().r#use = 2), CompactError::Signature("read"));
    assert_eq!(refused(&|r| r.frame = aceso_types::Frame::of_wire(2)), CompactError::Signature("read"));
    assert_eq!(refused(&|r| r.reader.push('x')), CompactError::Signature("read"));
}
