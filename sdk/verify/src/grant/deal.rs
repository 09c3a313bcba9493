//! Deals: a key's secret in shares, so that some guardians together bring it back and fewer learn nothing.
//!
//! The secret is k = f(0) of a polynomial f over the scalars of degree t − 1, and guardian j, counted from 1, gets f(j)
//! (Shamir 1979). Published are C_i = f_i·G (Feldman 1987), the first of which is the key itself, so that every share can
//! be compared:
//!
//! ```text
//! f(j)·G = Σ jⁱ·C_i
//! ```
//!
//! A dealer who gives somebody something else is found by her, a guardian who hands in something else by whoever
//! collects. Shares travel masked: f(j) + H(about, C, E, j, R_j, eR_j) with E = eG, under guardian j's key R_j. The mask
//! alone could be shifted by somebody on the way; what comes out is compared with C, and all of the deal is in a proof
//! that its maker has k.

use alloc::vec::Vec;
use core::fmt;

use bls12_381::{G1Affine, G1Projective, Scalar};
use ff::Field;
use group::Curve;
use zeroize::Zeroize;

use super::{
    Entropy, GrantError, PublicKey, SecretKey,
    key::{bytes_of, concat, nonce, point, scalar, scalars},
    transcript::Transcript,
};

const DEAL: &[u8] = b"aceso/grant/deal/1";
const MASK: &[u8] = b"aceso/grant/deal/share/1";
const HAND: &[u8] = b"aceso/grant/deal/hand/1";

/// Most guardians of a secret.
pub const GUARDIANS_MAX: usize = 32;

/// What a deal is about. All of it is in the proof and in every mask.
#[derive(Clone, Copy, Debug)]
pub struct Dealt<'a> {
    /// The chain on which its owner lives.
    pub chain_id: &'a str,
    /// Whose secret it is: an address.
    pub owner: &'a str,
    /// Which of her secrets, in the order in which she dealt them: what is dealt later takes an older one's place.
    pub version: u64,
}

/// A secret key in shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal {
    coefficients: Vec<G1Affine>,
    ephemeral: G1Affine,
    masked: Vec<Scalar>,
    challenge: Scalar,
    answer: Scalar,
}

/// A guardian's share; wiped when it goes.
pub struct Share {
    place: u8,
    value: Scalar,
}

/// A share on its way to who collects them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    place: u8,
    ephemeral: G1Affine,
    masked: Scalar,
}

impl Deal {
    /// Deals a secret to guardians, any `threshold` of whom bring it back.
    ///
    /// # Errors
    /// [`GrantError::Guardians`].
    pub fn new(
        about: &Dealt<'_>,
        secret: &SecretKey,
        threshold: usize,
        guardians: &[PublicKey],
        entropy: &Entropy,
    ) -> Result<Self, GrantError> {
        check_counts(threshold, guardians.len())?;
        let generator = G1Projective::generator();
        let mut statement = Vec::new();
        about.put(&mut |field| {
            statement.extend((field.len() as u64).to_be_bytes());
            statement.extend(field);
        });
        guardians.iter().for_each(|guardian| statement.extend(guardian.to_bytes()));
        let draw = |number| nonce(&[&secret.0], entropy, number, &[&statement]);
        let (mut e, mut a) = (draw(1), draw(2));
        // At most 31 more: the numbers end below 35.
        let mut polynomial: Vec<Scalar> = (3..).take(threshold - 1).map(draw).collect();
        polynomial.insert(0, secret.0);

        let coefficients: Vec<G1Affine> = polynomial.iter().map(|one| (generator * one).to_affine()).collect();
        let ephemeral = (generator * e).to_affine();
        let mut deal =
            Self { coefficients, ephemeral, masked: Vec::new(), challenge: Scalar::ZERO, answer: Scalar::ZERO };
        for (place, guardian) in (1..).zip(guardians) {
            let shared = (guardian.0 * e).to_affine();
            let mask = deal.mask(MASK, about, place, &ephemeral, guardian, &shared);
            deal.masked.push(evaluate(&polynomial, place) + mask);
        }
        deal.challenge = deal.bound(about, guardians, &(generator * a));
        deal.answer = a + deal.challenge * secret.0;
        polynomial.iter_mut().chain([&mut e, &mut a]).for_each(Zeroize::zeroize);
        Ok(deal)
    }

    /// Checks that whoever dealt had the secret and meant these guardians. What each of them got only she can compare
    /// ([`Self::open`]).
    ///
    /// # Errors
    /// [`GrantError::Guardians`], [`GrantError::Proof`].
    pub fn check(&self, about: &Dealt<'_>, guardians: &[PublicKey]) -> Result<(), GrantError> {
        if guardians.len() != self.masked.len() {
            let (threshold, got) = (self.threshold(), guardians.len());
            return Err(GrantError::Guardians { most: self.masked.len(), threshold, got });
        }
        let t = G1Projective::generator() * self.answer - self.key().0 * self.challenge;
        if self.bound(about, guardians, &t) == self.challenge { Ok(()) } else { Err(GrantError::Proof("deal")) }
    }

    /// The key whose secret was dealt.
    pub fn key(&self) -> PublicKey {
        // There is always one: `check_counts` and `from_bytes` see to it.
        PublicKey(self.coefficients.first().copied().unwrap_or_default())
    }

    /// How many guardians bring it back.
    pub fn threshold(&self) -> usize {
        self.coefficients.len()
    }

    /// How many guardians there are.
    pub fn guardians(&self) -> usize {
        self.masked.len()
    }

    /// A guardian's share, by her place (counted from 1) and her secret, compared with what was published.
    ///
    /// # Errors
    /// [`GrantError::Share`]: the dealer gave her something else, or it is another's place.
    pub fn open(&self, about: &Dealt<'_>, place: u8, secret: &SecretKey) -> Result<Share, GrantError> {
        let masked = usize::from(place).checked_sub(1).and_then(|at| self.masked.get(at));
        let masked = masked.ok_or(GrantError::Share(place))?;
        let shared = (self.ephemeral * secret.0).to_affine();
        let mask = self.mask(MASK, about, place, &self.ephemeral, &secret.public(), &shared);
        self.compared(Share { place, value: masked - mask })
    }

    /// A share that was handed to `secret`'s owner, compared with what was published.
    ///
    /// # Errors
    /// [`GrantError::Share`]: the guardian handed in something else, or somebody changed it on the way.
    pub fn receive(&self, about: &Dealt<'_>, handed: &Handed, secret: &SecretKey) -> Result<Share, GrantError> {
        let Handed { place, ephemeral, masked } = handed;
        let shared = (ephemeral * secret.0).to_affine();
        let mask = self.mask(HAND, about, *place, ephemeral, &secret.public(), &shared);
        self.compared(Share { place: *place, value: masked - mask })
    }

    /// Masks a share for who collects.
    pub fn hand(&self, about: &Dealt<'_>, share: &Share, to: &PublicKey, entropy: &Entropy) -> Handed {
        let mut e = nonce(&[&share.value], entropy, 1, &[HAND, &[share.place], &to.to_bytes()]);
        let ephemeral = (G1Projective::generator() * e).to_affine();
        let shared = (to.0 * e).to_affine();
        e.zeroize();
        let masked = share.value + self.mask(HAND, about, share.place, &ephemeral, to, &shared);
        Handed { place: share.place, ephemeral, masked }
    }

    /// The secret, out of as many shares as it takes.
    ///
    /// # Errors
    /// [`GrantError::Share`] with the place of the first that is not of this deal; [`GrantError::Shares`].
    pub fn recover(&self, shares: &[Share]) -> Result<SecretKey, GrantError> {
        let mut chosen: Vec<&Share> = Vec::new();
        for share in shares {
            if !self.holds(share) {
                return Err(GrantError::Share(share.place));
            }
            if chosen.len() < self.threshold() && chosen.iter().all(|one| one.place != share.place) {
                chosen.push(share);
            }
        }
        if chosen.len() < self.threshold() {
            return Err(GrantError::Shares { want: self.threshold(), got: chosen.len() });
        }
        let mut secret = Scalar::ZERO;
        for share in &chosen {
            let (mut over, mut under) = (Scalar::ONE, Scalar::ONE);
            for other in chosen.iter().filter(|other| other.place != share.place) {
                over *= at(other.place);
                under *= at(other.place) - at(share.place);
            }
            // Places differ, so there is an inverse.
            secret += share.value * over * under.invert().unwrap_or(Scalar::ZERO);
        }
        let key = SecretKey::from_bytes(&bytes_of(&secret));
        secret.zeroize();
        key
    }

    /// Decodes threshold and number of guardians (a byte each), the C, E, the masked shares, and the proof's 64 bytes.
    ///
    /// # Errors
    /// [`GrantError`], by what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let [threshold, count, rest @ ..] = bytes else {
            return Err(GrantError::Length { what: "a deal", want: Self::len(1, 1), got: bytes.len() });
        };
        let (threshold, count) = (usize::from(*threshold), usize::from(*count));
        check_counts(threshold, count)?;
        let wrong = GrantError::Length { what: "a deal", want: Self::len(threshold, count), got: bytes.len() };
        if bytes.len() != Self::len(threshold, count) {
            return Err(wrong);
        }
        let (points, rest) = rest.split_at_checked(48 * (threshold + 1)).ok_or(wrong)?;
        let (masked, proof) = rest.split_at_checked(32 * count).ok_or(wrong)?;
        let mut points = points.chunks(48).map(|bytes| point(bytes, "a deal's point"));
        let coefficients = points.by_ref().take(threshold).collect::<Result<_, _>>()?;
        let ephemeral = points.next().ok_or(wrong)??;
        let masked = masked.as_chunks::<32>().0.iter().map(|bytes| scalar(bytes, "a deal's share"));
        let [challenge, answer] = scalars(proof, "a deal's proof")?;
        Ok(Self { coefficients, ephemeral, masked: masked.collect::<Result<_, _>>()?, challenge, answer })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts = [self.threshold(), self.guardians()].map(|count| u8::try_from(count).unwrap_or(u8::MAX));
        let mut all = Vec::with_capacity(Self::len(self.threshold(), self.guardians()));
        all.extend(counts);
        self.coefficients.iter().chain([&self.ephemeral]).for_each(|point| all.extend(point.to_compressed()));
        self.masked.iter().for_each(|masked| all.extend(bytes_of(masked)));
        let proof: [u8; 64] = concat([&self.challenge, &self.answer]);
        all.extend(proof);
        all
    }

    fn len(threshold: usize, guardians: usize) -> usize {
        2 + 48 * (threshold + 1) + 32 * guardians + 64
    }

    fn compared(&self, share: Share) -> Result<Share, GrantError> {
        if self.holds(&share) { Ok(share) } else { Err(GrantError::Share(share.place)) }
    }

    fn holds(&self, share: &Share) -> bool {
        if share.place == 0 || usize::from(share.place) > self.guardians() {
            return false;
        }
        let place = at(share.place);
        let published =
            self.coefficients.iter().rev().fold(G1Projective::identity(), |sum, coefficient| sum * place + coefficient);
        G1Projective::generator() * share.value == published
    }

    fn mask(
        &self,
        domain: &'static [u8],
        about: &Dealt<'_>,
        place: u8,
        ephemeral: &G1Affine,
        to: &PublicKey,
        shared: &G1Affine,
    ) -> Scalar {
        let mut transcript = Transcript::new(domain);
        about.put(&mut |field| transcript.field(field));
        transcript.field(&[place]);
        transcript.points(&self.coefficients).points([ephemeral, &to.0, shared]).scalar()
    }

    /// The challenge of the proof: everything but the proof itself.
    fn bound(&self, about: &Dealt<'_>, guardians: &[PublicKey], t: &G1Projective) -> Scalar {
        let mut transcript = Transcript::new(DEAL);
        about.put(&mut |field| transcript.field(field));
        for count in [self.threshold(), self.guardians()] {
            transcript.field(&(count as u64).to_be_bytes());
        }
        self.masked.iter().for_each(|masked| transcript.field(&bytes_of(masked)));
        let points = self.coefficients.iter().chain([&self.ephemeral]).chain(guardians.iter().map(|one| &one.0));
        transcript.points(points).commitments(&[*t]).scalar()
    }
}

impl Dealt<'_> {
    fn put(&self, take: &mut dyn FnMut(&[u8])) {
        take(self.chain_id.as_bytes());
        take(self.owner.as_bytes());
        take(&self.version.to_be_bytes());
    }
}

impl Share {
    /// Whose it is, counted from 1.
    pub fn place(&self) -> u8 {
        self.place
    }

    /// Decodes a place and a scalar. Whether it is of a deal, the deal says.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Scalar`].
    pub fn from_bytes(bytes: &[u8; 33]) -> Result<Self, GrantError> {
        let [place, value @ ..] = bytes;
        Ok(Self { place: *place, value: scalar(value, "a share")? })
    }

    /// Its 33 bytes, for its guardian's own keeping.
    pub fn to_bytes(&self) -> [u8; 33] {
        let mut all = [self.place; 33];
        all[1..].copy_from_slice(&bytes_of(&self.value));
        all
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", self.place)
    }
}

impl Handed {
    /// Bytes of one: place, point, masked share.
    pub const LEN: usize = 1 + 48 + 32;

    /// Whose share it is, counted from 1.
    pub fn place(&self) -> u8 {
        self.place
    }

    /// Decodes [`Self::LEN`] bytes.
    ///
    /// # Errors
    /// [`GrantError`], by what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let wrong = GrantError::Length { what: "a handed share", want: Self::LEN, got: bytes.len() };
        let (place, rest) = bytes.split_first().ok_or(wrong)?;
        let (ephemeral, masked) = rest.split_at_checked(48).ok_or(wrong)?;
        let masked: &[u8; 32] = masked.try_into().map_err(|_| wrong)?;
        let masked = scalar(masked, "a handed share")?;
        Ok(Self { place: *place, ephemeral: point(ephemeral, "a handed share's point")?, masked })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut all = [self.place; Self::LEN];
        all[1..49].copy_from_slice(&self.ephemeral.to_compressed());
        all[49..].copy_from_slice(&bytes_of(&self.masked));
        all
    }
}

/// A guardian's place as a scalar.
fn at(place: u8) -> Scalar {
    Scalar::from(u64::from(place))
}

fn evaluate(polynomial: &[Scalar], place: u8) -> Scalar {
    polynomial.iter().rev().fold(Scalar::ZERO, |sum, coefficient| sum * at(place) + coefficient)
}

fn check_counts(threshold: usize, got: usize) -> Result<(), GrantError> {
    if (1..=GUARDIANS_MAX).contains(&got) && (1..=got).contains(&threshold) {
        Ok(())
    } else {
        Err(GrantError::Guardians { most: GUARDIANS_MAX, threshold, got })
    }
}
