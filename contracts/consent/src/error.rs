//! Why a message did nothing.

use aceso_contract::Errno;
use aceso_interface::{Image, NotAnAddress};
use cosmwasm_std::StdError;

/// Why a message did nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Storage or JSON.
    #[error(transparent)]
    Std(#[from] StdError),
    /// A text that is not an address of this chain.
    #[error(transparent)]
    NotAnAddress(#[from] NotAnAddress),
    /// The image may not be read.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Coins came with the message.
    #[error("the guard takes no coins")]
    Coins,
    /// The code of another contract is to be replaced.
    #[error("the stored contract is {stored}, not {expected}")]
    OtherContract {
        /// What is stored.
        stored: String,
        /// What this code is.
        expected: &'static str,
    },
    /// A list is empty that must not be.
    #[error("a grant names at least one of its {0}")]
    Missing(&'static str),
    /// A list is too long.
    #[error("a grant names at most {max} {what}, not {got}")]
    TooMany {
        /// Which.
        what: &'static str,
        /// How many may be.
        max: usize,
        /// How many are.
        got: usize,
    },
    /// Nobody registered the image.
    #[error("image {0} is not registered")]
    UnknownImage(Image),
    /// Somebody else registered the image.
    #[error("image {image} is registered by another account than {sender}")]
    NotOwner {
        /// The image.
        image: Box<Image>,
        /// Who wants to grant it.
        sender: String,
    },
    /// The sender has not registered this sealed image.
    #[error("{sender} has no sealed image {image}")]
    NotSealed {
        /// The image.
        image: Box<Image>,
        /// Who wants to grant it.
        sender: String,
    },
    /// The image is guarded by another contract, or by none.
    #[error("image {0} is not guarded by this contract")]
    NotGuarded(Image),
    /// A purpose that HL7 does not define, or that has no business here.
    #[error("{0:?} is not a purpose that can be granted")]
    UnknownPurpose(String),
    /// The period has no second in it.
    #[error("the period from {not_before} to {not_after} is empty")]
    EmptyPeriod {
        /// Its first second.
        not_before: u64,
        /// The first second after it.
        not_after: u64,
    },
    /// The period lies in the past.
    #[error("the period ended at {not_after}, and it is {now}")]
    PeriodOver {
        /// The first second after it.
        not_after: u64,
        /// The block's time.
        now: u64,
    },
    /// A yes that allows nothing.
    #[error("a permit allows at least one use")]
    NoUses,
    /// Too many grants hold for the image.
    #[error("{PER_IMAGE_MAX} grants hold for image {0}: revoke one first", PER_IMAGE_MAX = crate::state::PER_IMAGE_MAX)]
    Crowded(Image),
    /// No such grant.
    #[error("grant {0} does not exist")]
    UnknownGrant(u64),
    /// Somebody else's grant.
    #[error("grant {grant} was given by another account than {sender}")]
    NotPatient {
        /// The grant.
        grant: u64,
        /// Who wants to revoke it.
        sender: String,
    },
    /// Revoked before.
    #[error("grant {grant} was revoked at {at}")]
    AlreadyRevoked {
        /// The grant.
        grant: u64,
        /// When.
        at: u64,
    },
    /// The chain did not take the answer.
    #[error("the host did not take the answer: {0}")]
    Host(Errno),
}

/// Why an image may not be read. Ordered by how near it came to a yes, which is the reason that is told where several
/// grants do not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Silence means no.
    #[error("no grant lets {actor} read this image")]
    NotGranted {
        /// Who asked.
        actor: String,
    },
    /// Taken back.
    #[error("grant {grant} was revoked at {at}")]
    Revoked {
        /// The grant.
        grant: u64,
        /// When.
        at: u64,
    },
    /// The period has not begun.
    #[error("grant {grant} does not hold before {not_before}, and it is {now}")]
    TooEarly {
        /// The grant.
        grant: u64,
        /// The period's first second.
        not_before: u64,
        /// The block's time.
        now: u64,
    },
    /// The period is over.
    #[error("grant {grant} ended at {not_after}, and it is {now}")]
    TooLate {
        /// The grant.
        grant: u64,
        /// The first second after the period.
        not_after: u64,
        /// The block's time.
        now: u64,
    },
    /// Through another contract.
    #[error("grant {grant} does not let contract {caller} read")]
    Caller {
        /// The grant.
        grant: u64,
        /// The contract that asked.
        caller: String,
    },
    /// For something else.
    #[error("grant {grant} is not for purpose {purpose:?}")]
    Purpose {
        /// The grant.
        grant: u64,
        /// What was asked for, cut to what can be a purpose.
        purpose: String,
    },
    /// With another model.
    #[error("grant {grant} is not for model {model}")]
    Model {
        /// The grant.
        grant: u64,
        /// The model that was asked for.
        model: String,
    },
    /// Used as often as it may be.
    #[error("grant {grant} is used up: {max_uses} of {max_uses}")]
    UsedUp {
        /// The grant.
        grant: u64,
        /// Uses that it allows.
        max_uses: u32,
    },
    /// What was opened is not what was granted.
    #[error("hidden grant {grant} cannot be used: {why}")]
    Opening {
        /// The grant.
        grant: u64,
        /// Why.
        why: &'static str,
    },
    /// A no beats every yes.
    #[error("grant {grant} denies {actor} this read")]
    Denied {
        /// The grant.
        grant: u64,
        /// Who asked.
        actor: String,
    },
}

impl Refusal {
    /// The grant that came nearest to a yes, or said no.
    pub fn grant(&self) -> Option<u64> {
        match *self {
            Self::NotGranted { .. } => None,
            Self::Revoked { grant, .. }
            | Self::TooEarly { grant, .. }
            | Self::TooLate { grant, .. }
            | Self::Caller { grant, .. }
            | Self::Purpose { grant, .. }
            | Self::Model { grant, .. }
            | Self::UsedUp { grant, .. }
            | Self::Opening { grant, .. }
            | Self::Denied { grant, .. } => Some(grant),
        }
    }
}
