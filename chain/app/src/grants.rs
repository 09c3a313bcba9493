//! What patients and readers prove about keys, checked from what everybody sees.
//!
//! A reader shows that she has the secret of a key ([`check_possession`]); a patient that she knows what she registers
//! ([`check_registration`]); and whoever wraps a record's key for others, that they get just that key, with one proof
//! for all of them ([`check_wrap`]). Whoever has opened one of these ciphertexts can show what it holds ([`check_opening`]).
//! The statements, their transcripts and the encodings are those of `sdk/verify`'s
//! grants, which also makes them; here is a second implementation, over blst, that the two are tested against each other.
//!
//! Whatever comes from outside is checked for curve, subgroup and identity, scalars for their one spelling. Points that
//! stand in the state were checked when they came.

pub(crate) mod group;

use aceso_types::sealed::MEMBERS_MAX;
pub use aceso_types::sealed::{Granted, Opened, Registered};
use sha3::{Digest as _, Sha3_512};

use group::{Point, Scalar};

const POSSESSION: &[u8] = b"aceso/grant/possession/1";
const REGISTRATION: &[u8] = b"aceso/grant/registration/1";
const WRAP: &[u8] = b"aceso/grant/wrap/1";
const OPENING: &[u8] = b"aceso/grant/opening/1";

/// Bytes of a point.
pub const POINT_LEN: usize = 48;
/// Bytes of a registration: key, ciphertext, proof.
pub const REGISTRATION_LEN: usize = 48 + 96 + 96;
/// Bytes of a proof of possession.
pub const POSSESSION_LEN: usize = 64;
/// Bytes of an opening's proof.
pub const OPENING_LEN: usize = 64;

/// Why bytes prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Bytes of another length.
    #[error("{what} has {want} bytes, and {got} came")]
    Length {
        /// What was decoded.
        what: &'static str,
        /// How many it has.
        want: usize,
        /// How many there were.
        got: usize,
    },
    /// No point of the group, or its identity.
    #[error("{0} is no point of G1 in its subgroup other than the identity")]
    Point(&'static str),
    /// No scalar in its one spelling.
    #[error("{0} is no scalar below the group's order")]
    Scalar(&'static str),
    /// Nobody, or too many, to wrap for.
    #[error("a wrap is for 1 to {most} members, and {got} were named")]
    Members {
        /// Most members.
        most: usize,
        /// How many were named.
        got: usize,
    },
    /// The proof is about something else, or whoever made it did not know the secrets.
    #[error("the proof of the {0} does not hold")]
    Proof(&'static str),
}

/// A ciphertext and the key for which it is: what a wrap is made from. Both stand in the state.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The key, 48 bytes.
    pub key: &'a [u8],
    /// The ciphertext's first half, 48 bytes.
    pub c1: &'a [u8],
    /// Its second half, 48 bytes.
    pub c2: &'a [u8],
}

impl<'a> Source<'a> {
    /// The owner's key and ciphertext in a registration.
    pub fn of_registration(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { key: bytes.get(..48)?, c1: bytes.get(48..96)?, c2: bytes.get(96..144)? })
    }

    /// The ciphertext at a place of a wrap, for the key of whoever has that place.
    pub fn of_wrap(wrap: &'a [u8], place: usize, key: &'a [u8]) -> Option<Self> {
        let begin = place.checked_add(1)?.checked_mul(POINT_LEN)?;
        let end = begin.checked_add(POINT_LEN)?;
        (end.checked_add(96)? <= wrap.len()).then_some(())?;
        Some(Self { key, c1: wrap.get(..POINT_LEN)?, c2: wrap.get(begin..end)? })
    }
}

/// Bytes of a wrap for this many: a point that all share, one for each, proof.
pub const fn wrap_len(members: usize) -> usize {
    POINT_LEN + members * POINT_LEN + 96
}

/// Checks that somebody has the secret of a key, and said so in this context.
///
/// # Errors
/// [`ProofError`], by what is wrong.
pub fn check_possession(key: &[u8], context: &[u8], proof: &[u8]) -> Result<(), ProofError> {
    let [c, answer] = scalars(proof, "a proof of possession")?;
    let public = checked(key, "a public key")?;
    let t = Point::generator().times(&answer).plus(&public.times(&c.negative()));
    let transcript = Transcript::new(POSSESSION).field(key).field(context).point(&t);
    proven(transcript, &c, "key's possession")
}

/// Checks that whoever made a registration knew its secrets, and meant this record of this owner on this chain.
///
/// # Errors
/// [`ProofError`], by what is wrong.
pub fn check_registration(about: &Registered<'_>, bytes: &[u8]) -> Result<(), ProofError> {
    let wrong = ProofError::Length { what: "a registration", want: REGISTRATION_LEN, got: bytes.len() };
    let (points, proof) = bytes.split_at_checked(144).filter(|(_, proof)| proof.len() == 96).ok_or(wrong)?;
    let (key, sealed) = points.split_at_checked(POINT_LEN).ok_or(wrong)?;
    let (c1, c2) = sealed.split_at_checked(POINT_LEN).ok_or(wrong)?;
    let [c, for_r, for_key] = scalars(proof, "a registration's proof")?;
    let public = checked(key, "a public key")?;
    let first = checked(c1, "a ciphertext's first half")?;
    checked(c2, "a ciphertext's second half")?;
    let (generator, minus) = (Point::generator(), c.negative());
    let t1 = generator.times(&for_r).plus(&first.times(&minus));
    let t2 = generator.times(&for_key).plus(&public.times(&minus));
    let transcript = about.fields().into_iter().fold(Transcript::new(REGISTRATION), Transcript::field);
    let transcript = transcript.field(key).field(c1).field(c2).point(&t1).point(&t2);
    proven(transcript, &c, "registration")
}

/// Checks that every member, by its key, gets what the source holds.
///
/// # Errors
/// [`ProofError`], by what is wrong.
pub fn check_wrap(about: &Granted<'_>, source: &Source<'_>, members: &[&[u8]], wrap: &[u8]) -> Result<(), ProofError> {
    let got = members.len();
    if !(1..=MEMBERS_MAX).contains(&got) {
        return Err(ProofError::Members { most: MEMBERS_MAX, got });
    }
    let wrong = ProofError::Length { what: "a wrap", want: wrap_len(got), got: wrap.len() };
    let (points, proof) =
        wrap.split_at_checked(POINT_LEN + got * POINT_LEN).filter(|_| wrap.len() == wrap_len(got)).ok_or(wrong)?;
    let (d1, d2) = points.split_at_checked(POINT_LEN).ok_or(wrong)?;
    let [c, for_key, for_s] = scalars(proof, "a wrap's proof")?;
    let first = checked(d1, "a wrap's first point")?;
    let key = known(source.key, "the granter's key")?;
    let (c1, c2) = (known(source.c1, "the source")?, known(source.c2, "the source")?);
    let (generator, minus, minus_s) = (Point::generator(), c.negative(), for_s.negative());
    let mut transcript = Transcript::new(WRAP);
    about.each_field(|field| transcript.take(field));
    transcript =
        transcript.field(&(got as u64).to_be_bytes()).field(source.key).field(source.c1).field(source.c2).field(d1);
    transcript = members.iter().fold(transcript, |transcript, member| transcript.field(member));
    transcript = d2.chunks(POINT_LEN).fold(transcript, Transcript::field);
    transcript = transcript
        .point(&generator.times(&for_key).plus(&key.times(&minus)))
        .point(&generator.times(&for_s).plus(&first.times(&minus)));
    // What stays the same for all members is computed once: z1·C1 − c·C2.
    let common = c1.times(&for_key).plus(&c2.times(&minus));
    for (member, wrapped) in members.iter().zip(d2.chunks(POINT_LEN)) {
        let (member, wrapped) = (known(member, "a member's key")?, checked(wrapped, "a wrap's member")?);
        transcript = transcript.point(&common.plus(&member.times(&minus_s)).plus(&wrapped.times(&c)));
    }
    proven(transcript, &c, "wrap")
}

/// Checks that a point is what the source holds, as whoever has its key's secret has opened it.
///
/// # Errors
/// [`ProofError`], by what is wrong.
pub fn check_opening(about: &Opened<'_>, source: &Source<'_>, point: &[u8], proof: &[u8]) -> Result<(), ProofError> {
    let [c, answer] = scalars(proof, "an opening's proof")?;
    let content = checked(point, "a content point")?;
    let key = known(source.key, "the opened key")?;
    let (c1, c2) = (known(source.c1, "the source")?, known(source.c2, "the source")?);
    let minus = c.negative();
    let transcript = Transcript::new(OPENING).field(about.chain_id.as_bytes()).field(&about.job.to_be_bytes());
    let transcript = transcript.field(source.key).field(source.c1).field(source.c2).field(point);
    let t1 = Point::generator().times(&answer).plus(&key.times(&minus));
    let t2 = c1.times(&answer).plus(&c2.times(&minus)).plus(&content.times(&c));
    proven(transcript.point(&t1).point(&t2), &c, "opening")
}

/// SHA3-512 over fields, each with its length, under a domain of its own.
struct Transcript(Sha3_512);

impl Transcript {
    fn new(domain: &[u8]) -> Self {
        Self(Sha3_512::new()).field(domain)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn field(mut self, bytes: &[u8]) -> Self {
        self.take(bytes);
        self
    }

    fn point(self, point: &Point) -> Self {
        self.field(&point.bytes())
    }
}

fn proven(transcript: Transcript, challenge: &Scalar, what: &'static str) -> Result<(), ProofError> {
    let wide: [u8; 64] = transcript.0.finalize().into();
    if Scalar::reduced(&wide) == *challenge { Ok(()) } else { Err(ProofError::Proof(what)) }
}

fn checked(bytes: &[u8], what: &'static str) -> Result<Point, ProofError> {
    sized(bytes, what)?;
    Point::checked(bytes).ok_or(ProofError::Point(what))
}

fn known(bytes: &[u8], what: &'static str) -> Result<Point, ProofError> {
    sized(bytes, what)?;
    Point::known(bytes).ok_or(ProofError::Point(what))
}

fn sized(bytes: &[u8], what: &'static str) -> Result<(), ProofError> {
    let (want, got) = (POINT_LEN, bytes.len());
    if want == got { Ok(()) } else { Err(ProofError::Length { what, want, got }) }
}

fn scalars<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[Scalar; N], ProofError> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let chunks: &[[u8; 32]; N] = chunks.try_into().ok().filter(|_| rest.is_empty()).ok_or(ProofError::Length {
        what,
        want: N * 32,
        got: bytes.len(),
    })?;
    let mut all = [Scalar::checked(&[0; 32]).ok_or(ProofError::Scalar(what))?; N];
    for (scalar, bytes) in all.iter_mut().zip(chunks) {
        *scalar = Scalar::checked(bytes).ok_or(ProofError::Scalar(what))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
