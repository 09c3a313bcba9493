//! The guard of an image: whom it lets read, and how it is asked.

use cosmwasm_schema::{QueryResponses, cw_serde};

use crate::{Image, Model};

/// Purposes that rules may name: codes of HL7 v3 ActReason, as FHIR's `Consent.provision.purpose` carries them.
pub const PURPOSES: [&str; 19] = [
    "TREAT", "ETREAT", "BTG", "HPAYMT", "CLMATTCH", "COVAUTH", "ELIGDTRM", "REMITADV", "HOPERAT", "HQUALIMP", "HRESCH",
    "CLINTRCH", "DSRCH", "PUBHLTH", "TRAIN", "SYSDEV", "PATRQT", "HMARKT", "HLEGAL",
];

/// What every guard understands.
#[cw_serde]
pub enum GuardExecuteMsg {
    /// Sent by a contract that is about to read, in the same transaction, with its own address as sender. On success
    /// the sender holds a permit for one read; it reads in its `reply`.
    Use {
        /// The image.
        image: Image,
        /// The model.
        model: Model,
        /// Why: one of [`PURPOSES`].
        purpose: String,
        /// For whom; must have signed the transaction.
        actor: String,
    },
}

/// What every guard answers.
#[cw_serde]
#[derive(QueryResponses)]
pub enum GuardQueryMsg {
    /// May this account see the picture? Asked by whoever serves the bytes.
    #[returns(MayViewResponse)]
    MayView {
        /// The image.
        image: Image,
        /// The account.
        account: String,
    },
}

/// Answer to [`GuardQueryMsg::MayView`].
#[cw_serde]
pub struct MayViewResponse {
    /// Yes or no.
    pub may_view: bool,
}

/// What a grant says: who may do what with its images, or may not.
#[cw_serde]
pub struct Rule {
    /// Yes or no. A no beats every yes.
    pub decision: Decision,
    /// The accounts it speaks of; at least one.
    pub actors: Vec<String>,
    /// The contracts through which they read; empty means any.
    pub via: Vec<String>,
    /// What for: some of [`PURPOSES`]; at least one.
    pub purposes: Vec<String>,
    /// The models; empty means any.
    pub models: Vec<Model>,
    /// From this second on (Unix time, by the block's clock).
    pub not_before: u64,
    /// Until this second, which is the first at which it no longer holds.
    pub not_after: u64,
}

/// Yes or no.
#[cw_serde]
pub enum Decision {
    /// Yes, this often in all.
    Permit {
        /// Reads that the grant allows; at least 1.
        max_uses: u32,
    },
    /// No.
    Deny {},
}

/// A rule for some images, given by the patient who registered them.
#[cw_serde]
pub struct Grant {
    /// Its number at this guard, from 1.
    pub id: u64,
    /// Who gave it.
    pub patient: String,
    /// The images.
    pub images: Vec<Image>,
    /// The rule.
    pub rule: Rule,
    /// When it was given (Unix time in seconds).
    pub granted_at: u64,
    /// When it was taken back; it does not hold from then on.
    pub revoked_at: Option<u64>,
}
