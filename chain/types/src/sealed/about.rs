//! What proofs over keys are about: every field is in the proof's transcript, in the order in which it stands here.
//!
//! Who makes the proofs (`sdk/verify`) and who checks them for the chain read these; `docs/grants.md` has the transcripts.

use crate::Digest;

/// What a registration is about. All of it is in the proof, so that nobody can register another's ciphertext as hers.
#[derive(Clone, Copy, Debug)]
pub struct Registered<'a> {
    /// The chain.
    pub chain_id: &'a str,
    /// The sealed file, or the record's name.
    pub cid: &'a str,
    /// Whose it is: an address.
    pub owner: &'a str,
    /// What the point commits to, as the sealed header has it.
    pub commitment: &'a Digest,
}

/// What a wrap is about. All of it is in the proof: one that was made for another grant, reader, record or chain does not
/// hold.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// The chain.
    pub chain_id: &'a str,
    /// Which form of grants this is.
    pub version: u32,
    /// The digest of the registered bytes, or of the wrap that this one passes on.
    pub source: &'a Digest,
    /// The sealed file, or the record's name.
    pub cid: &'a str,
    /// Whose it is: an address.
    pub owner: &'a str,
    /// The granter's number of the grant.
    pub grant: u64,
    /// A number that the granter uses once.
    pub nonce: &'a [u8; 16],
    /// The epoch of the first recipient's key.
    pub epoch: u64,
    /// Who is meant: a digest over the recipients' names, epochs and keys in their order.
    pub committee: &'a Digest,
    /// What it allows: a digest over the terms.
    pub terms: &'a Digest,
}

/// What an opening is about. All of it is in the proof: one that was made for another job or chain does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// The chain.
    pub chain_id: &'a str,
    /// The job that is disputed with it; 8 bytes, big-endian, in the proof.
    pub job: u64,
}

impl Registered<'_> {
    /// Each field's bytes, in their order.
    pub fn fields(&self) -> [&[u8]; 4] {
        [self.chain_id.as_bytes(), self.cid.as_bytes(), self.owner.as_bytes(), &self.commitment.0]
    }
}

impl Granted<'_> {
    /// Hands out each field's bytes in their order, numbers big-endian.
    pub fn each_field(&self, mut take: impl FnMut(&[u8])) {
        take(self.chain_id.as_bytes());
        take(&self.version.to_be_bytes());
        take(&self.source.0);
        take(self.cid.as_bytes());
        take(self.owner.as_bytes());
        take(&self.grant.to_be_bytes());
        take(self.nonce);
        take(&self.epoch.to_be_bytes());
        take(&self.committee.0);
        take(&self.terms.0);
    }
}
