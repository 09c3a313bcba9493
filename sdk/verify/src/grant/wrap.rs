//! Wraps: K for others, with one proof for all of them.
//!
//! Somebody for whom K is sealed as C = (C1, C2) under her key P = xG draws s and gives each member j with key R_j the
//! ciphertext (sG, K + sR_j). The proof shows x and s with
//!
//! ```text
//! P = xG    D1 = sG    C2 − D2_j = xC1 − sR_j   for every j
//! ```
//!
//! Since C2 − xC1 = K, the third line says that (D1, D2_j) opens to the same K by R_j's secret. One challenge over all
//! lines makes two answers suffice, whatever the number of members: T1 = aG, T2 = bG, T3_j = aC1 − bR_j,
//! c = H(all points, T, context), z1 = a + cx, z2 = b + cs.

use alloc::vec::Vec;

use bls12_381::{G1Affine, G1Projective, Scalar};
use group::Curve;
use zeroize::Zeroize;

use super::{
    Ciphertext, Entropy, GrantError, Granted, MEMBERS_MAX, PublicKey, SecretKey,
    key::{concat, nonce, point, scalars},
    transcript::Transcript,
};

const WRAP: &[u8] = b"aceso/grant/wrap/1";

/// K for one or several members, and the proof that it is the K of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrap {
    d1: G1Affine,
    d2: Vec<G1Affine>,
    challenge: Scalar,
    for_key: Scalar,
    for_s: Scalar,
}

impl Wrap {
    /// Wraps what `from` holds for `secret`'s owner.
    ///
    /// # Errors
    /// [`GrantError::Members`].
    pub fn new(
        about: &Granted<'_>,
        secret: &SecretKey,
        from: &Ciphertext,
        members: &[PublicKey],
        entropy: &Entropy,
    ) -> Result<Self, GrantError> {
        check_members(members.len())?;
        let (generator, content) = (G1Projective::generator(), from.open(secret));
        let statement = bytes(about, from, members);
        let draw = |number| nonce(&[&secret.0], entropy, number, &[&statement]);
        let (mut s, mut a, mut b) = (draw(1), draw(2), draw(3));
        let d1 = (generator * s).to_affine();
        let d2: Vec<G1Affine> = members.iter().map(|member| (content.0 + member.0 * s).to_affine()).collect();
        let mut t = alloc::vec![generator * a, generator * b];
        t.extend(members.iter().map(|member| from.c1 * a - member.0 * b));
        let c = challenge(about, &secret.public(), from, members, &d1, &d2, &t);
        let wrap = Self { d1, d2, challenge: c, for_key: a + c * secret.0, for_s: b + c * s };
        [&mut s, &mut a, &mut b].into_iter().for_each(Zeroize::zeroize);
        Ok(wrap)
    }

    /// Checks that every member gets what `from` holds for `key`.
    ///
    /// # Errors
    /// [`GrantError::Members`], [`GrantError::Proof`].
    pub fn check(
        &self,
        about: &Granted<'_>,
        key: &PublicKey,
        from: &Ciphertext,
        members: &[PublicKey],
    ) -> Result<(), GrantError> {
        check_members(members.len())?;
        if members.len() != self.d2.len() {
            return Err(GrantError::Members { most: self.d2.len(), got: members.len() });
        }
        let (generator, c) = (G1Projective::generator(), self.challenge);
        let mut t = alloc::vec![generator * self.for_key - key.0 * c, generator * self.for_s - self.d1 * c];
        // What stays the same for all members is computed once: z1·C1 − c·C2.
        let common = from.c1 * self.for_key - from.c2 * c;
        t.extend(members.iter().zip(&self.d2).map(|(member, d2)| common - member.0 * self.for_s + d2 * c));
        if challenge(about, key, from, members, &self.d1, &self.d2, &t) == c {
            Ok(())
        } else {
            Err(GrantError::Proof("wrap"))
        }
    }

    /// How many it is for.
    pub fn members(&self) -> usize {
        self.d2.len()
    }

    /// K for one of them, by its place.
    pub fn of(&self, place: usize) -> Option<Ciphertext> {
        self.d2.get(place).map(|d2| Ciphertext { c1: self.d1, c2: *d2 })
    }

    /// Decodes D1, as many D2 as there are, and the proof's 96 bytes.
    ///
    /// # Errors
    /// [`GrantError`], by what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let members = bytes.len().saturating_sub(48 + 96) / 48;
        check_members(members)?;
        let want = 48 + members * 48 + 96;
        let wrong = GrantError::Length { what: "a wrap", want, got: bytes.len() };
        let (points, proof) = bytes.split_at_checked(48 + members * 48).filter(|_| bytes.len() == want).ok_or(wrong)?;
        let (d1, d2) = points.split_at_checked(48).ok_or(wrong)?;
        let [challenge, for_key, for_s] = scalars(proof, "a wrap's proof")?;
        let d2 = d2.chunks(48).map(|bytes| point(bytes, "a wrap's member")).collect::<Result<_, _>>()?;
        Ok(Self { d1: point(d1, "a wrap's first point")?, d2, challenge, for_key, for_s })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(48 + self.d2.len() * 48 + 96);
        all.extend(self.d1.to_compressed());
        self.d2.iter().for_each(|d2| all.extend(d2.to_compressed()));
        let proof: [u8; 96] = concat([&self.challenge, &self.for_key, &self.for_s]);
        all.extend(proof);
        all
    }
}

/// All that tells one statement from another, for nonces.
fn bytes(about: &Granted<'_>, from: &Ciphertext, members: &[PublicKey]) -> Vec<u8> {
    let mut all = Vec::new();
    about.each_field(|field| {
        all.extend((field.len() as u64).to_be_bytes());
        all.extend(field);
    });
    all.extend(from.to_bytes());
    members.iter().for_each(|member| all.extend(member.to_bytes()));
    all
}

fn challenge(
    about: &Granted<'_>,
    key: &PublicKey,
    from: &Ciphertext,
    members: &[PublicKey],
    d1: &G1Affine,
    d2: &[G1Affine],
    t: &[G1Projective],
) -> Scalar {
    let mut transcript = Transcript::new(WRAP);
    about.each_field(|field| transcript.field(field));
    transcript.field(&(members.len() as u64).to_be_bytes());
    let points = [&key.0, &from.c1, &from.c2, d1];
    transcript.points(points).points(members.iter().map(|one| &one.0)).points(d2).commitments(t).scalar()
}

fn check_members(got: usize) -> Result<(), GrantError> {
    if (1..=MEMBERS_MAX).contains(&got) { Ok(()) } else { Err(GrantError::Members { most: MEMBERS_MAX, got }) }
}
