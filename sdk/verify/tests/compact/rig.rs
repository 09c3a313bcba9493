//! A chain's attestation keys, committees that sign with them, and roots. Signing is blst's, as in the chain.

use std::sync::LazyLock;

use aceso_types::{
    BlobId, Digest, ElementType, Frame, Height, ModelId, Tensor,
    guest::Answered,
    sealed::{
        Compact, CompactStatement, Disclosure, Failure, Input, Key, Outcome, Root, SIGNATURE_DOMAIN, SignedRoot,
        VERSION, committee_digest,
    },
};
use aceso_verify::Roots;
use blst::min_pk::{AggregateSignature, SecretKey, Signature};

pub(crate) const CHAIN: &str = "aceso-1";

/// The secret of a validator's key of an epoch.
pub(crate) fn secret(number: u32, epoch: u64) -> SecretKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    seed[4..12].copy_from_slice(&epoch.to_be_bytes());
    SecretKey::key_gen(&seed, b"").unwrap()
}

pub(crate) fn key(number: u32, power: u64, epoch: u64) -> Key {
    Key { number, key: secret(number, epoch).sk_to_pk().to_bytes().into(), power, epoch }
}

pub(crate) fn root(number: u64, previous: Digest, keys: Vec<Key>, total: u64) -> Root {
    Root { version: VERSION, chain_id: CHAIN.into(), number, previous, keys, total }
}

/// One bit for each of `of`, set for those at `places`.
pub(crate) fn bits(of: usize, places: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0_u8; of.div_ceil(8)];
    places.iter().for_each(|place| bytes[place / 8] |= 1 << (place % 8));
    bytes
}

/// Signatures of all `keys` over a message, added up.
pub(crate) fn sign<'a>(keys: impl IntoIterator<Item = &'a Key>, message: &Digest) -> Vec<u8> {
    let sign = |key: &Key| secret(key.number, key.epoch).sign(&message.0, SIGNATURE_DOMAIN, &[]);
    let all: Vec<Signature> = keys.into_iter().map(sign).collect();
    AggregateSignature::aggregate(&all.iter().collect::<Vec<_>>(), false).unwrap().to_signature().to_bytes().into()
}

/// The root after `last`, signed by the keys at `places`.
pub(crate) fn follow(last: &Root, keys: Vec<Key>, total: u64, places: &[usize]) -> SignedRoot {
    let next = root(last.number + 1, last.digest(), keys, total);
    let signature = sign(places.iter().map(|place| &last.keys[*place]), &next.digest());
    SignedRoot { root: next, signers: bits(last.keys.len(), places), signature }
}

/// Root 0: four hospitals of equal power, a fifth that has no key. Root 1: 130 of them. Root 2: the second has a new key,
/// the fourth is gone.
pub(crate) static ROOTS: LazyLock<Roots> = LazyLock::new(|| {
    let first = root(0, Digest::default(), (1..=4).map(|number| key(number, 10, 0)).collect(), 41);
    let mut roots = Roots::trust(first.clone()).unwrap();
    let many = follow(&first, (1..=130).map(|number| key(number, 10, 0)).collect(), 1_300, &[0, 2, 3]);
    roots.advance(many.clone()).unwrap();
    let few = vec![key(1, 10, 0), key(2, 10, 1), key(3, 10, 0)];
    roots.advance(follow(&many.root, few, 30, &(10..100).collect::<Vec<_>>())).unwrap();
    roots
});

/// A read before it is signed.
pub(crate) struct Draft {
    pub(crate) root: u64,
    pub(crate) members: Vec<u32>,
    /// Places among the members.
    pub(crate) signers: Vec<usize>,
    pub(crate) disclosure: Disclosure,
    pub(crate) outcome: Outcome,
    pub(crate) frame: Frame,
}

pub(crate) fn input() -> Input {
    Input { claim: Digest([5; 32]), vouched: true }
}

pub(crate) fn asked(findings: &[&str]) -> Disclosure {
    Disclosure::Predicate(findings.iter().map(|id| (*id).into()).collect())
}

pub(crate) fn findings(present: &[(&str, bool)]) -> Outcome {
    let findings = present.iter().map(|(id, present)| Answered { id: (*id).into(), present: *present }).collect();
    Outcome::Predicate { input: input(), findings }
}

/// What a small classifier answers.
pub(crate) fn logits() -> Tensor {
    Tensor::new(ElementType::I8, vec![1, 1], vec![0x87]).unwrap()
}

impl Default for Draft {
    /// Three of four, about one finding.
    fn default() -> Self {
        Self {
            root: 0,
            members: vec![1, 2, 3, 4],
            signers: vec![0, 1, 3],
            disclosure: asked(&["pneumonia"]),
            outcome: findings(&[("pneumonia", true)]),
            frame: Frame::FIRST,
        }
    }
}

impl Draft {
    pub(crate) fn of(
        root: u64,
        members: impl IntoIterator<Item = u32>,
        signers: impl IntoIterator<Item = usize>,
    ) -> Self {
        let (members, signers) = (members.into_iter().collect(), signers.into_iter().collect());
        Self { root, members, signers, ..Self::default() }
    }

    pub(crate) fn sealed() -> Self {
        // As long as one output of one byte is, encrypted.
        let (commitment, ciphertext) = (Digest([6; 32]), vec![0xc1; 39]);
        let outcome = Outcome::Sealed { input: input(), commitment, ciphertext };
        Self { disclosure: Disclosure::Sealed, outcome, ..Self::default() }
    }

    pub(crate) fn open() -> Self {
        let outcome = Outcome::Open { input: input(), outputs: vec![logits()] };
        Self { disclosure: Disclosure::Open, outcome, ..Self::default() }
    }

    pub(crate) fn failed() -> Self {
        Self { disclosure: Disclosure::Sealed, outcome: Outcome::Failed(Failure::Leaf), ..Self::default() }
    }

    /// The receipt, with names as long as they are on a chain.
    pub(crate) fn unsigned(&self) -> Compact {
        Compact {
            version: VERSION,
            root: self.root,
            members: self.members.clone(),
            statement: CompactStatement {
                chain_id: CHAIN.into(),
                job: 1_207,
                requested: Height(88_041),
                model: ModelId(Digest([1; 32])),
                pipeline: Digest([3; 32]),
                image: BlobId::of_raw(b"image"),
                frame: self.frame,
                owner: "aceso1patient9x5zqk2m8s4tq0w6dfhj3nyl7uvecra".into(),
                requester: "aceso1insurer7f3q9x5zqk2m8s4tq0w6dfhj3nyl7uvecra8p2g5d4kxw6zt9".into(),
                consent: Digest([4; 32]),
                disclosure: self.disclosure.clone(),
            },
            outcome: self.outcome.clone(),
            signers: bits(self.members.len(), &self.signers),
            signature: vec![0; 96],
        }
    }

    /// Signed by the members' own keys.
    pub(crate) fn compact(&self) -> Compact {
        let root = ROOTS.get(self.root).unwrap();
        let keys: Vec<&Key> =
            self.members.iter().map(|one| root.keys.iter().find(|key| key.number == *one).unwrap()).collect();
        let unsigned = self.unsigned();
        let committee = committee_digest(self.root, keys.iter().copied());
        let message = unsigned.statement.of(committee).sign_bytes(&unsigned.outcome);
        let signature = sign(self.signers.iter().map(|place| keys[*place]), &message);
        Compact { signature, ..unsigned }
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        self.compact().encode()
    }
}

/// On the curve and outside of the subgroup: the point with the smallest such x.
pub(crate) fn outside() -> Vec<u8> {
    (0_u8..)
        .map(|x| [&[0x80][..], &[0; 94], &[x]].concat())
        .find(|bytes| Signature::uncompress(bytes).is_ok_and(|point| point.validate(false).is_err()))
        .unwrap()
}
