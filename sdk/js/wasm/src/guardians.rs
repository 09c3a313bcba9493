//! Secrets dealt to guardians, and brought back by them.

use aceso_verify::grant::{Deal, Dealt, Handed, PublicKey, Share};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Answer, Refusal,
    grants::{decimal, entropy, keys, place, read, secret, sized},
};

type Result = std::result::Result<Answer, Refusal>;

/// What a deal is about; the version as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    chain_id: String,
    owner: String,
    #[serde(deserialize_with = "decimal")]
    version: u64,
    /// How many guardians bring the secret back: asked for when it is dealt.
    #[serde(default)]
    threshold: usize,
}

pub(crate) fn deal(about: &[u8], secret: &[u8], guardians: &[u8], entropy: &[u8]) -> Result {
    let about: About = read(about)?;
    let (secret, guardians) = (self::secret(secret)?, keys(guardians)?);
    let deal = Deal::new(&about.borrow(), &secret, about.threshold, &guardians, self::entropy(entropy)?)?;
    Ok(Answer::bytes(deal.to_bytes()))
}

pub(crate) fn check(about: &[u8], deal: &[u8], guardians: &[u8]) -> Result {
    let (about, deal): (About, _) = (read(about)?, Deal::from_bytes(deal)?);
    deal.check(&about.borrow(), &keys(guardians)?)?;
    let counts = json!({"threshold": deal.threshold(), "guardians": deal.guardians()});
    Ok(Answer::with(&counts, deal.key().to_bytes().into())?)
}

pub(crate) fn open(about: &[u8], deal: &[u8], place: &[u8], secret: &[u8]) -> Result {
    let (about, deal): (About, _) = (read(about)?, Deal::from_bytes(deal)?);
    // What is no place of a deal at all is none of this one.
    let place = u8::try_from(self::place(place)?).unwrap_or_default();
    let share = deal.open(&about.borrow(), place, &self::secret(secret)?)?;
    Ok(Answer::bytes(share.to_bytes()))
}

pub(crate) fn hand(about: &[u8], deal: &[u8], share: &[u8], to: &[u8], entropy: &[u8]) -> Result {
    let (about, deal): (About, _) = (read(about)?, Deal::from_bytes(deal)?);
    let share = Share::from_bytes(sized(share, "a share")?)?;
    let handed = deal.hand(&about.borrow(), &share, &PublicKey::from_bytes(to)?, self::entropy(entropy)?);
    Ok(Answer::bytes(handed.to_bytes()))
}

pub(crate) fn receive(about: &[u8], deal: &[u8], handed: &[u8], secret: &[u8]) -> Result {
    let (about, deal): (About, _) = (read(about)?, Deal::from_bytes(deal)?);
    let share = deal.receive(&about.borrow(), &Handed::from_bytes(handed)?, &self::secret(secret)?)?;
    Ok(Answer::bytes(share.to_bytes()))
}

pub(crate) fn recover(deal: &[u8], shares: &[u8]) -> Result {
    let deal = Deal::from_bytes(deal)?;
    let share = |bytes| -> std::result::Result<Share, Refusal> { Ok(Share::from_bytes(sized(bytes, "a share")?)?) };
    let shares: Vec<Share> = shares.chunks(33).map(share).collect::<std::result::Result<_, _>>()?;
    Ok(Answer::bytes(deal.recover(&shares)?.to_bytes()))
}

impl About {
    fn borrow(&self) -> Dealt<'_> {
        Dealt { chain_id: &self.chain_id, owner: &self.owner, version: self.version }
    }
}
