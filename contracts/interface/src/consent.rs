//! The guard of an image: whom it lets read, and how it is asked.

use aceso_types::Digest;
use cosmwasm_schema::{QueryResponses, cw_serde};

use crate::{Hash, Image, Model};

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
        /// Whose image it is, where it is a sealed one: several may have registered one CID, and each speaks for her own
        /// record only. Absent for an open image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// A hidden grant, opened. From then on everybody knows its rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<Box<Opening>>,
    },
}

/// What every guard answers.
#[cw_serde]
#[derive(QueryResponses)]
pub enum GuardQueryMsg {
    /// May this account see the picture? Asked by whoever serves the bytes of an open image. Nobody asks it of a sealed
    /// one: its bytes say nothing without the key, and who holds the key stands in the chain's grants, which a guard
    /// cannot take back.
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

/// A grant of which the chain knows digests only, opened for one image.
#[cw_serde]
pub struct Opening {
    /// Its number at the guard.
    pub grant: u64,
    /// The rule.
    pub rule: Rule,
    /// What the rule was hidden with.
    pub rule_salt: Hash,
    /// What this image was hidden with; other images of the grant stay hidden.
    pub image_salt: Hash,
}

/// The digest under which a rule is granted without being shown: over a salt, who grants, and the rule in JSON, its
/// fields in the order in which they are declared and without white space.
///
/// # Errors
/// Where the rule does not encode, which no rule does.
pub fn hidden_rule(salt: &Digest, patient: &str, rule: &Rule) -> cosmwasm_std::StdResult<Digest> {
    let json = cosmwasm_std::to_json_vec(rule)?;
    Ok(Digest::sha3("aceso/hidden-rule/v1", &[&salt.0, patient.as_bytes(), &json]))
}

/// The digest under which a sealed image is granted without being named. Each image of a grant has a salt of its own, so
/// that an opening tells nothing of the others.
pub fn hidden_image(salt: &Digest, patient: &str, image: &Image) -> Digest {
    Digest::sha3("aceso/hidden-image/v1", &[&salt.0, patient.as_bytes(), &image.to_bytes()])
}

/// A grant of which only digests are known.
#[cw_serde]
pub struct HiddenGrant {
    /// Its number at this guard, from 1, counted together with the others.
    pub id: u64,
    /// Who gave it.
    pub patient: String,
    /// Digests of its images: [`hidden_image`].
    pub images: Vec<Hash>,
    /// The digest of its rule: [`hidden_rule`].
    pub rule: Hash,
    /// Its end, which is also the rule's.
    pub not_after: u64,
    /// When it was given (Unix time in seconds).
    pub granted_at: u64,
    /// When it was taken back.
    pub revoked_at: Option<u64>,
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
    /// Whether they are sealed ones: then it speaks of the patient's own records of them and of nobody else's.
    #[serde(default)]
    pub sealed: bool,
    /// The rule.
    pub rule: Rule,
    /// When it was given (Unix time in seconds).
    pub granted_at: u64,
    /// When it was taken back; it does not hold from then on.
    pub revoked_at: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wallets compute these digests too.
    #[test]
    fn what_is_hidden_has_fixed_digests() {
        let rule = Rule {
            decision: Decision::Permit { max_uses: 2 },
            actors: vec!["physician".into()],
            via: vec![],
            purposes: vec!["TREAT".into()],
            models: vec![],
            not_before: 1,
            not_after: 2,
        };
        let json = cosmwasm_std::to_json_string(&rule).unwrap();
        expect_test::expect![[r#"{"decision":{"permit":{"max_uses":2}},"actors":["physician"],"via":[],"purposes":["TREAT"],"models":[],"not_before":1,"not_after":2}"#]].assert_eq(&json);
        let (salt, image) = (Digest([7; 32]), Image::from(aceso_types::BlobId::of_raw(b"x")));
        let digests = [hidden_rule(&salt, "patient", &rule).unwrap(), hidden_image(&salt, "patient", &image)];
        expect_test::expect![""].assert_eq(&digests.map(|digest| digest.to_string()).join(" "));
        assert_ne!(digests[0], hidden_rule(&salt, "other", &rule).unwrap());
        assert_ne!(digests[1], hidden_image(&Digest([8; 32]), "patient", &image));
    }
}
