//! Why a message did nothing.

use aceso_contract::{ReadError, RequestError};
use aceso_interface::{Image, Model, NotAnAddress};
use cosmwasm_std::{StdError, Uint128};

use crate::Picture;

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
    /// The chain could not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The request cannot be made, or its answer not be read.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The code of another contract is to be replaced.
    #[error("the stored contract is {stored}, not {expected}")]
    OtherContract {
        /// What is stored.
        stored: String,
        /// What this code is.
        expected: &'static str,
    },
    /// Coins came with a message that takes none.
    #[error("only fund takes coins")]
    Coins,
    /// The coins are not of the one kind that is taken.
    #[error("an escrow is funded with {0} and with nothing else")]
    OtherCoin(String),
    /// Not the insurer.
    #[error("{0} is not the insurer")]
    NotInsurer(String),
    /// A list is empty that must not be.
    #[error("a policy names at least one of its {0}")]
    Missing(&'static str),
    /// A list is too long.
    #[error("a policy names at most {max} {what}, not {got}")]
    TooMany {
        /// Which.
        what: &'static str,
        /// How many may be.
        max: usize,
        /// How many are.
        got: usize,
    },
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
    /// Nobody registered the model.
    #[error("model {0} is not registered")]
    UnknownModel(Model),
    /// A model twice.
    #[error("model {0} is covered twice")]
    CoveredTwice(Model),
    /// The model is priced in another coin.
    #[error("model {model} is priced in {denom}, and this contract pays in {ours}")]
    PricedOtherwise {
        /// The model.
        model: Model,
        /// Its coin.
        denom: String,
        /// The contract's.
        ours: String,
    },
    /// A price of nothing.
    #[error("the price for model {0} is zero")]
    NoPrice(Model),
    /// The shares are not a whole.
    #[error("the shares of the split are {0} ten-thousandths together, not 10000")]
    NotWhole(u64),
    /// A share of nothing.
    #[error("a share of the split is zero")]
    NoShare,
    /// An institution's share without an institution.
    #[error("an institution has a share, and the policy asks for no origin")]
    NobodyToShareWith,
    /// No such policy.
    #[error("policy {0} does not exist")]
    UnknownPolicy(u64),
    /// The policy has not begun.
    #[error("policy {policy} is not in force before {not_before}, and it is {now}")]
    TooEarly {
        /// The policy.
        policy: u64,
        /// The period's first second.
        not_before: u64,
        /// The block's time.
        now: u64,
    },
    /// The policy is over.
    #[error("policy {policy} ended at {not_after}, and it is {now}")]
    TooLate {
        /// The policy.
        policy: u64,
        /// The first second after the period.
        not_after: u64,
        /// The block's time.
        now: u64,
    },
    /// The escrow is promised to the member until the period is over.
    #[error("policy {policy} is in force until {not_after}, and it is {now}")]
    InForce {
        /// The policy.
        policy: u64,
        /// The first second after the period.
        not_after: u64,
        /// The block's time.
        now: u64,
    },
    /// Nothing to withdraw.
    #[error("the escrow of policy {0} is empty")]
    Empty(u64),
    /// Nobody registered the image.
    #[error("image {0} is not registered")]
    UnknownImage(Image),
    /// Somebody else registered the image.
    #[error("image {image} is not registered by the member of policy {policy}")]
    NotMembers {
        /// The policy.
        policy: u64,
        /// The image.
        image: Image,
    },
    /// A public image, for which nobody can be asked.
    #[error("image {0} has no guard who could consent to its read")]
    Unguarded(Image),
    /// The policy does not pay for this model.
    #[error("policy {policy} does not cover model {model}")]
    NotCovered {
        /// The policy.
        policy: u64,
        /// The model.
        model: Model,
    },
    /// No accepted institution vouches for the image.
    #[error("policy {policy} asks for an accepted institution's word, and image {image} has none")]
    NoOrigin {
        /// The policy.
        policy: u64,
        /// The image.
        image: Image,
    },
    /// The same frame of the same file was paid for.
    #[error("image {picture} is already paid, by read {read}")]
    ImagePaid {
        /// The image.
        picture: Picture,
        /// The read.
        read: u64,
    },
    /// The escrow does not hold what the claim would cost.
    #[error("the escrow of policy {policy} holds {holds}, and a read costs {costs}")]
    EscrowTooLow {
        /// The policy.
        policy: u64,
        /// What it holds.
        holds: Uint128,
        /// What the claim would cost.
        costs: Uint128,
    },
    /// Reads that failed have cost more than is there.
    #[error(
        "the escrow of policy {policy} holds {holds}, and reads of its member's images that failed have cost {lost}"
    )]
    LostMore {
        /// The policy.
        policy: u64,
        /// What it holds.
        holds: Uint128,
        /// What they have cost that no policy has borne.
        lost: Uint128,
    },
    /// A reply that nobody waits for.
    #[error("reply {0} is not expected")]
    UnknownReply(u64),
    /// A share is an institution's, and the read names none.
    #[error("read {0} names no institution, and one has a share")]
    NoInstitution(u64),
    /// The chain took something else than the model's price.
    #[error("the read cost {got}, and the model's price is {expected}")]
    FeeChanged {
        /// What was reckoned with.
        expected: Uint128,
        /// What the chain says.
        got: String,
    },
    /// The policy is not for sealed images.
    #[error("policy {0} does not pay for sealed images")]
    NotForSealed(u64),
    /// The member has not registered this sealed image.
    #[error("the member of policy {policy} has no sealed image {image}")]
    NotSealed {
        /// The policy.
        policy: u64,
        /// The image.
        image: Image,
    },
    /// What was opened are no terms.
    #[error("the grant's terms cannot be read: {0}")]
    Terms(String),
    /// A claim for this image is not decided yet.
    #[error("a claim for image {picture} is open, with job {job}")]
    ClaimOpen {
        /// The image.
        picture: Picture,
        /// The job.
        job: u64,
    },
    /// The chain has answered without a committee, and so without the pixels' identity.
    #[error("the chain has made no job for the request, and nothing can be claimed without one")]
    NoJob,
    /// An acceptance that cannot be met, or accepts nobody's word.
    #[error("a policy accepts committees of 1 to 128 members with at most 10000 ten-thousandths of the power")]
    Acceptance,
    /// An operator is asked for and ruled out.
    #[error("operator {0} is both required and excluded")]
    RequiredAndExcluded(String),
    /// Too many findings, or none.
    #[error("a policy asks for 1 or 2 findings, not {0}")]
    Findings(usize),
    /// A finding that a covered model does not have in this place.
    #[error("model {model} does not have the findings {findings:?} in this order")]
    NoFinding {
        /// The model.
        model: Model,
        /// The findings.
        findings: Vec<String>,
    },
    /// No time, or no gas, for a claim.
    #[error("a policy for sealed images gives a committee at least one block and its callback gas")]
    NoTime,
    /// Nobody claims with this job.
    #[error("no claim has job {0}")]
    UnknownJob(u64),
    /// The claim is decided.
    #[error("the claim with job {0} is closed")]
    ClaimClosed(u64),
    /// What the chain tells is not about the claim.
    #[error("what is told of job {0} is not what was claimed")]
    OtherRead(u64),
    /// The read cost more than was taken.
    #[error("job {job} cost {got}, and {held} were taken for it")]
    FeeAboveHeld {
        /// The job.
        job: u64,
        /// What it cost, as the chain says.
        got: String,
        /// What was taken.
        held: Uint128,
    },
    /// The claim may still be decided.
    #[error("the claim with job {job} can be released from height {from} on, and this is {height}")]
    NotReleasable {
        /// The job.
        job: u64,
        /// The height.
        from: u64,
        /// The block's.
        height: u64,
    },
    /// Nothing to send.
    #[error("nothing is owed to anybody there")]
    NothingDue,
}
