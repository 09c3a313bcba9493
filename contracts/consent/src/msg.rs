//! What the guard is told and asked.

use aceso_interface::{
    Hash, Image, Model,
    consent::{Grant, HiddenGrant, Opening, Rule},
};
use cosmwasm_schema::{QueryResponses, cw_serde};

/// Sent once, by whoever sets the guard up. Nothing is to be chosen: nobody owns a guard.
#[cw_serde]
pub struct InstantiateMsg {}

/// Sent by the chain's governance or whoever was named admin, with new code.
#[cw_serde]
pub struct MigrateMsg {}

/// What changes something. No message takes coins.
#[cw_serde]
pub enum ExecuteMsg {
    /// For patients. Lets the rule's actors read these images, or keeps them from it. The sender must have registered
    /// every one of them with this contract as guard. Answers the grant's number, as data and as attribute `grant`.
    Grant {
        /// The images; 1 to 64.
        images: Vec<Image>,
        /// The rule.
        rule: Rule,
        /// Whether the images are sealed ones. Then the grant speaks of the sender's own records: whoever else has
        /// registered the same CID can neither grant for them nor be granted by them.
        #[serde(default)]
        sealed: bool,
    },
    /// For patients. Lets somebody read sealed images without saying who, which, what for and how often: only digests and
    /// the end are known, until a use opens them. What is hidden is looked at then; a rule that says no cannot be
    /// hidden, since nobody would open it. Answers the grant's number, as data and as attribute `grant`.
    GrantHidden {
        /// Digests of the images, see [`aceso_interface::consent::hidden_image`]; 1 to 64.
        images: Vec<Hash>,
        /// The rule's digest, see [`aceso_interface::consent::hidden_rule`].
        rule: Hash,
        /// The rule's end (Unix time in seconds).
        not_after: u64,
    },
    /// For the patient who gave the grant. It does not hold from the next transaction on; reads already made stay.
    Revoke {
        /// The grant's number.
        grant: u64,
    },
    /// For contracts that are about to read; see [`aceso_interface::consent::GuardExecuteMsg::Use`].
    Use {
        /// The image.
        image: Image,
        /// The model.
        model: Model,
        /// Why: a code of HL7 v3 ActReason.
        purpose: String,
        /// For whom; must have signed the transaction.
        actor: String,
        /// Whose image it is, where it is a sealed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// A hidden grant, opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<Box<Opening>>,
    },
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// One grant.
    #[returns(GrantState)]
    Grant {
        /// Its number.
        grant: u64,
    },
    /// Grants in the order of their numbers, also those that no longer hold.
    #[returns(GrantsResponse)]
    Grants {
        /// Whose.
        of: Of,
        /// Only grants with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// One hidden grant: digests, its end, and how often it was used.
    #[returns(HiddenState)]
    Hidden {
        /// Its number.
        grant: u64,
    },
    /// A patient's hidden grants in the order of their numbers, also those that no longer hold.
    #[returns(HiddenResponse)]
    HiddenGrants {
        /// Whose.
        patient: String,
        /// Only grants with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// What would [`ExecuteMsg::Use`] answer now? Changes and journals nothing.
    #[returns(CheckResponse)]
    Check {
        /// The image.
        image: Image,
        /// The model.
        model: Model,
        /// Why.
        purpose: String,
        /// For whom.
        actor: String,
        /// The contract that would read.
        caller: String,
        /// Whose image it is, where it is a sealed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// A hidden grant, opened. A question shows it to the node that is asked and to nobody else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<Box<Opening>>,
    },
    /// May this account see the picture, an open one? Its patient may, and whoever a grant in force permits to read it, used up or
    /// not, unless another in force denies that account anything.
    #[returns(aceso_interface::consent::MayViewResponse)]
    MayView {
        /// The image.
        image: Image,
        /// The account.
        account: String,
    },
}

/// Whose grants.
#[cw_serde]
pub enum Of {
    /// Those that a patient gave.
    Patient(String),
    /// Those that speak of an account.
    Actor(String),
    /// Those for an open image; of the ones that no longer hold only the latest are kept here.
    Image(Image),
    /// Those for an owner's sealed image, likewise.
    Sealed {
        /// The owner.
        owner: String,
        /// The image.
        image: Image,
    },
}

/// A hidden grant and how often it was used.
#[cw_serde]
pub struct HiddenState {
    /// The grant.
    pub grant: HiddenGrant,
    /// Its uses, as the chain counts them.
    pub uses: u32,
}

/// Answer to [`QueryMsg::HiddenGrants`].
#[cw_serde]
pub struct HiddenResponse {
    /// The page.
    pub grants: Vec<HiddenState>,
}

/// A grant and how often it was used.
#[cw_serde]
pub struct GrantState {
    /// The grant.
    pub grant: Grant,
    /// Its uses, as the chain counts them.
    pub uses: u32,
}

/// Answer to [`QueryMsg::Grants`].
#[cw_serde]
pub struct GrantsResponse {
    /// The page.
    pub grants: Vec<GrantState>,
}

/// Answer to [`QueryMsg::Check`].
#[cw_serde]
pub struct CheckResponse {
    /// The grant that would be used; none where the answer is no.
    pub grant: Option<u64>,
    /// Why the answer is no.
    pub reason: Option<String>,
}
