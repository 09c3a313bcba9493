//! Sealed images: each owner speaks for her own record; what is hidden is weighed once it is opened.

use aceso_interface::{
    Hash,
    consent::{Opening, hidden_image, hidden_rule},
};
use aceso_types::Digest;

use super::*;
use crate::msg::{HiddenResponse, HiddenState};

const RULE_SALT: Digest = Digest([1; 32]);

fn image_salt(of: &Image) -> Digest {
    Digest::sha3("test", &[&of.to_bytes()])
}

pub(super) fn opening() -> Opening {
    Opening { grant: 1, rule: rule(), rule_salt: RULE_SALT.into(), image_salt: Digest([2; 32]).into() }
}

impl Stage {
    /// Registers the stage's CID as a sealed image of this account.
    fn seal(&self, owner: &str, guard: &str) {
        let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
        let registration = Registration { owner: account(owner).into(), guard: guard.into(), origin: None, stated };
        self.host.sealed(*self.image, b"image", registration);
    }

    /// A stage whose image is sealed by `patient`, and by nobody else.
    fn sealed() -> Self {
        let stage = Self::new();
        stage.seal("patient", stage.env.contract.address.as_str());
        stage
    }

    fn grant_sealed(&mut self, sender: &str, change: impl FnOnce(&mut Rule)) -> Result<u64, ContractError> {
        let mut rule = rule();
        change(&mut rule);
        let msg = ExecuteMsg::Grant { images: vec![self.image], rule, sealed: true };
        let response = self.send(&message_info(&account(sender), &[]), msg)?;
        Ok(from_json(response.data.unwrap()).unwrap())
    }

    /// Grants, hidden, what `rule` says of the stage's image.
    fn grant_hidden(&mut self, sender: &str, rule: &Rule) -> Result<u64, ContractError> {
        let patient = account(sender);
        let images = vec![
            hidden_image(&image_salt(&self.image), patient.as_str(), &self.image).into(),
            Hash::from(Digest([9; 32])),
        ];
        let digest = hidden_rule(&RULE_SALT, patient.as_str(), rule).unwrap().into();
        let msg = ExecuteMsg::GrantHidden { images, rule: digest, not_after: NOW + 100 };
        let response = self.send(&message_info(&patient, &[]), msg)?;
        Ok(from_json(response.data.unwrap()).unwrap())
    }

    fn opening(&self, grant: u64, rule: Rule) -> Opening {
        Opening { grant, rule, rule_salt: RULE_SALT.into(), image_salt: image_salt(&self.image).into() }
    }

    fn use_sealed(&mut self, owner: &str, opening: Option<Opening>) -> Result<String, ContractError> {
        self.host.transaction(&[account("physician").as_str()]);
        let msg = ExecuteMsg::Use {
            image: self.image,
            model: model(1),
            purpose: "TREAT".into(),
            actor: account("physician").into(),
            owner: Some(account(owner).into()),
            opening: opening.map(Box::new),
        };
        let response = self.send(&message_info(&account("insurance"), &[]), msg)?;
        Ok(response.attributes.into_iter().find(|attribute| attribute.key == "grant").unwrap().value)
    }

    fn use_opened(&mut self, grant: u64, rule: Rule) -> Result<String, ContractError> {
        let opening = self.opening(grant, rule);
        self.use_sealed("patient", Some(opening))
    }
}

#[test]
fn a_sealed_grant_is_of_the_owner_and_her_record() {
    let mut stage = Stage::sealed();
    assert_eq!(stage.grant_sealed("patient", |_| ()).unwrap(), 1);
    assert_eq!(stage.use_sealed("patient", None).unwrap(), "1");
    let listed: GrantState = stage.query(QueryMsg::Grant { grant: 1 });
    assert!(listed.grant.sealed);
    let of = Of::Sealed { owner: account("patient").into(), image: stage.image };
    let page: GrantsResponse = stage.query(QueryMsg::Grants { of, start_after: None, limit: None });
    assert_eq!(page.grants, [listed]);
}

#[test]
fn who_registers_anothers_cid_neither_grants_nor_is_granted() {
    let mut stage = Stage::sealed();
    stage.seal("thief", stage.env.contract.address.clone().as_str());
    stage.grant_sealed("thief", |_| ()).unwrap();
    // His grant is of his record; hers has none, and hers is not his.
    refused(stage.use_sealed("patient", None), expect![""]);
    stage.grant_sealed("patient", |rule| rule.decision = Decision::Deny {}).unwrap();
    assert_eq!(stage.use_sealed("thief", None).unwrap(), "1");
    refused(stage.use_sealed("patient", None), expect![""]);
    refused(stage.grant_sealed("other", |_| ()), expect![""]);
}

#[test]
fn open_and_sealed_images_of_one_cid_are_two_things() {
    let mut stage = Stage::sealed();
    stage.grant(|_| ()).unwrap();
    refused(stage.use_sealed("patient", None), expect![""]);
    stage.grant_sealed("patient", |_| ()).unwrap();
    stage.revoke("patient", 1).unwrap();
    refused(stage.used(), expect![""]);
    stage.host.retire(account("patient").as_str(), &stage.image.clone());
    refused(stage.grant_sealed("patient", |_| ()), expect![""]);
    stage.seal("patient", "elsewhere");
    refused(stage.grant_sealed("patient", |_| ()), expect![""]);
}

#[test]
fn a_permit_of_a_sealed_image_says_whose_it_is() {
    let mut stage = Stage::sealed();
    stage.grant_sealed("patient", |_| ()).unwrap();
    stage.use_sealed("patient", None).unwrap();
    // The permit is for the patient's record: nobody reads the open image with it.
    let read_model = stage.host.model(&Script::manifest("m", 0), b"onnx", "author").unwrap();
    let (image, insurance) = (stage.image, account("insurance"));
    let trap = stage.host.call(insurance.as_str(), || aceso_contract::read(&read_model, &image, "TREAT"));
    assert!(trap.unwrap_err().to_string().starts_with("no permit for"));
}

#[test]
fn a_hidden_grant_lets_read_once_it_is_opened() {
    let mut stage = Stage::sealed();
    let grant = stage.grant_hidden("patient", &rule()).unwrap();
    refused(stage.use_sealed("patient", None), expect![""]);
    assert_eq!(stage.use_opened(grant, rule()).unwrap(), "1");
    let entry = stage.host.journal().pop().unwrap();
    assert!(matches!(entry.event, Event::Permitted { grant, .. } if grant == "1"));
    let reason = stage.query::<CheckResponse>(QueryMsg::Check {
        image: stage.image,
        model: model(1),
        purpose: "TREAT".into(),
        actor: account("physician").into(),
        caller: account("insurance").into(),
        owner: Some(account("patient").into()),
        opening: Some(Box::new(stage.opening(grant, rule()))),
    });
    assert_eq!(reason, CheckResponse { grant: Some(1), reason: None });
}

#[test]
fn what_is_opened_is_what_was_granted() {
    let mut stage = Stage::sealed();
    let grant = stage.grant_hidden("patient", &rule()).unwrap();
    let more = Rule { decision: Decision::Permit { max_uses: 9 }, ..rule() };
    refused(stage.use_opened(grant, more), expect![""]);
    refused(stage.use_opened(7, rule()), expect![""]);
    let mut other = stage.opening(grant, rule());
    other.rule_salt = Digest([3; 32]).into();
    refused(stage.use_sealed("patient", Some(other)), expect![""]);
    let mut other = stage.opening(grant, rule());
    other.image_salt = Digest([3; 32]).into();
    refused(stage.use_sealed("patient", Some(other)), expect![""]);
    // The CID in another's name.
    stage.seal("thief", stage.env.contract.address.clone().as_str());
    let opening = stage.opening(grant, rule());
    refused(stage.use_sealed("thief", Some(opening)), expect![""]);
    let copied = stage.grant_hidden("thief", &rule()).unwrap();
    refused(stage.use_opened(copied, rule()), expect![""]);
}

#[test]
fn an_opened_rule_is_weighed_as_any_other() {
    let mut stage = Stage::sealed();
    let check = |stage: &mut Stage, change: fn(&mut Rule), sentence: Expect| {
        let mut changed = rule();
        change(&mut changed);
        let grant = stage.grant_hidden("patient", &changed).unwrap();
        refused(stage.use_opened(grant, changed), sentence);
    };
    check(&mut stage, |rule| rule.actors = vec![account("nurse").into()], expect![""]);
    check(&mut stage, |rule| rule.purposes = vec!["HRESCH".into()], expect![""]);
    check(&mut stage, |rule| rule.models = vec![model(2)], expect![""]);
    check(&mut stage, |rule| rule.via = vec!["market".into()], expect![""]);
    check(&mut stage, |rule| rule.not_before = NOW + 1, expect![""]);
    check(&mut stage, |rule| rule.not_after = NOW + 99, expect![""]);
    check(&mut stage, |rule| rule.decision = Decision::Deny {}, expect![""]);
    check(&mut stage, |rule| rule.decision = Decision::Permit { max_uses: 0 }, expect![""]);
}

#[test]
fn a_hidden_grant_ends_is_revoked_and_yields_to_a_no() {
    let mut stage = Stage::sealed();
    let (first, second) =
        (stage.grant_hidden("patient", &rule()).unwrap(), stage.grant_hidden("patient", &rule()).unwrap());
    refused(stage.revoke("physician", first), expect![""]);
    stage.revoke("patient", first).unwrap();
    refused(stage.revoke("patient", first), expect![""]);
    refused(stage.use_opened(first, rule()), expect![""]);
    let no = stage.grant_sealed("patient", |rule| rule.decision = Decision::Deny {}).unwrap();
    refused(stage.use_opened(second, rule()), expect![""]);
    stage.revoke("patient", no).unwrap();
    stage.use_opened(second, rule()).unwrap();
    stage.host.retire(account("patient").as_str(), &stage.image.clone());
    refused(stage.use_opened(second, rule()), expect![""]);
    stage.seal("patient", stage.env.contract.address.clone().as_str());
    stage.at(NOW + 100);
    refused(stage.use_opened(second, rule()), expect![""]);
}

#[test]
fn queries_show_digests_only() {
    let mut stage = Stage::sealed();
    let grant = stage.grant_hidden("patient", &rule()).unwrap();
    stage.use_opened(grant, rule()).unwrap();
    let state: HiddenState = stage.query(QueryMsg::Hidden { grant });
    assert_eq!((state.uses, state.grant.not_after, state.grant.images.len()), (0, NOW + 100, 2));
    let json = to_json_string(&state).unwrap();
    for secret in [account("physician").to_string(), stage.image.to_string(), "TREAT".into()] {
        assert!(!json.contains(&secret), "{secret}");
    }
    let patient = account("patient").to_string();
    let page: HiddenResponse = stage.query(QueryMsg::HiddenGrants { patient, start_after: None, limit: None });
    assert_eq!(page.grants, [state]);
    let of = Of::Patient(account("patient").into());
    let open: GrantsResponse = stage.query(QueryMsg::Grants { of, start_after: None, limit: None });
    assert!(open.grants.is_empty());
}

#[test]
fn a_hidden_grant_that_makes_no_sense_is_refused() {
    let mut stage = Stage::sealed();
    let mut send = |images: usize, not_after| {
        let hash = Hash::from(Digest([9; 32]));
        let msg = ExecuteMsg::GrantHidden { images: vec![hash; images], rule: hash, not_after };
        stage.send(&message_info(&account("patient"), &[]), msg)
    };
    refused(send(0, NOW + 1), expect![""]);
    refused(send(65, NOW + 1), expect![""]);
    refused(send(1, NOW), expect![""]);
    send(1, NOW + 1).unwrap();
}
