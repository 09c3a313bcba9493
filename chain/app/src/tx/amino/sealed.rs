//! Messages about sealed records, as amino JSON has them. A number that may be 0 as a place or an epoch is left out then,
//! as every empty field is.

use aceso_types::msg::{
    MsgBreakGlass, MsgDispute, MsgGrant, MsgRegisterReader, MsgRegisterSealed, MsgRequestRead, MsgSubmitShare, PassedOn,
};
use serde_json::Value;

use super::{Fields, origin};

pub(super) fn register_reader(m: &MsgRegisterReader) -> Fields {
    Fields::new()
        .text("account", &m.account)
        .number("epoch", m.epoch)
        .bytes("key", &m.key)
        .number("expires", m.expires)
        .bytes("possession", &m.possession)
}

pub(super) fn register_sealed(m: &MsgRegisterSealed) -> Fields {
    let files = m.files.iter().map(|file| {
        Fields::new()
            .text("cid", &file.cid)
            .number("size", file.size)
            .text("modality", &file.modality)
            .text("body_part", &file.body_part)
            .number("effort", file.effort)
            .into_value()
    });
    Fields::new()
        .text("owner", &m.owner)
        .value("files", files.collect())
        .text("guard", &m.guard)
        .bytes("registration", &m.registration)
        .bytes("commitment", &m.commitment)
        .optional("origin", m.origin.as_ref().map(origin))
}

pub(super) fn grant(m: &MsgGrant) -> Fields {
    let recipients = m
        .recipients
        .iter()
        .map(|one| Fields::new().text("account", &one.account).number("epoch", one.epoch).into_value());
    Fields::new()
        .text("granter", &m.granter)
        .number("grant", m.grant)
        .number("record", m.record)
        .optional("from", m.from.as_ref().map(passed_on))
        .value("recipients", recipients.collect())
        .flag("committee", m.committee)
        .bytes("nonce", &m.nonce)
        .number("expires", m.expires)
        .bytes("terms", &m.terms)
        .bytes("wrap", &m.wrap)
        .bytes("source_terms", &m.source_terms)
}

pub(super) fn break_glass(m: &MsgBreakGlass) -> Fields {
    Fields::new()
        .text("actor", &m.actor)
        .number("epoch", m.epoch)
        .text("granter", &m.granter)
        .number("grant", m.grant)
        .bytes("terms", &m.terms)
        .text("reason", &m.reason)
}

pub(super) fn request_read(m: &MsgRequestRead) -> Fields {
    let small = |number: u32| (number != 0).then(|| Value::from(number));
    let accept = m.accept.as_ref().map(|accept| {
        Fields::new()
            .optional("members_min", small(accept.members_min))
            .optional("power_min_bps", small(accept.power_min_bps))
            .texts("required", &accept.required)
            .texts("excluded", &accept.excluded)
            .into_value()
    });
    Fields::new()
        .text("requester", &m.requester)
        .text("actor", &m.actor)
        .bytes("model", &m.model)
        .text("owner", &m.owner)
        .text("image", &m.image)
        .text("granter", &m.granter)
        .number("grant", m.grant)
        .bytes("terms", &m.terms)
        .text("purpose", &m.purpose)
        .optional("disclose", (m.disclose != 0).then(|| Value::from(m.disclose)))
        .texts("findings", &m.findings)
        .optional("accept", accept)
        .number("deadline", m.deadline)
        .number("callback_gas", m.callback_gas)
        .text("reason", &m.reason)
        .flag("identify", m.identify)
        .optional("frame", small(m.frame))
}

pub(super) fn submit_share(m: &MsgSubmitShare) -> Fields {
    let share = m.share.as_ref().map(|share| {
        Fields::new()
            .number("job", share.job)
            .bytes("outcome", &share.outcome)
            .bytes("signature", &share.signature)
            .into_value()
    });
    Fields::new().text("operator", &m.operator).optional("share", share)
}

pub(super) fn dispute(m: &MsgDispute) -> Fields {
    let fields = Fields::new().text("sender", &m.sender).number("job", m.job).bytes("point", &m.point);
    fields.optional("from", m.from.as_ref().map(passed_on)).bytes("proof", &m.proof)
}

fn passed_on(from: &PassedOn) -> Value {
    let fields = Fields::new().text("granter", &from.granter).number("grant", from.grant);
    // 32 bits are a number, 64 are text; as elsewhere what is 0 is left out.
    fields.optional("place", (from.place != 0).then_some(Value::from(from.place))).into_value()
}

#[cfg(test)]
mod tests {
    use aceso_types::msg::{Acceptance, Disclose, Recipient, SealedFile, Share};

    use super::*;

    #[test]
    fn what_a_ledger_shows_of_a_grant() {
        let recipient = |account: &str, epoch| Recipient { account: account.into(), epoch };
        let msg = MsgGrant {
            granter: "b".into(),
            grant: 3,
            record: 7,
            from: Some(PassedOn { granter: "a".into(), grant: 2, place: 1 }),
            recipients: vec![recipient("c", 0), recipient("d", 1)],
            committee: true,
            nonce: vec![1],
            expires: 9,
            terms: vec![2],
            wrap: vec![3],
            source_terms: vec![],
        };
        expect_test::expect![[r#"{"committee":true,"expires":"9","from":{"grant":"2","granter":"a","place":1},"grant":"3","granter":"b","nonce":"AQ==","recipients":[{"account":"c"},{"account":"d","epoch":"1"}],"record":"7","terms":"Ag==","wrap":"Aw=="}"#]].assert_eq(&grant(&msg).into_value().to_string());
        let msg = MsgGrant { from: Some(PassedOn::default()), ..MsgGrant::default() };
        expect_test::expect![[r#"{"from":{},"recipients":[]}"#]].assert_eq(&grant(&msg).into_value().to_string());
    }

    #[test]
    fn what_a_ledger_shows_of_a_record() {
        let file = SealedFile { cid: "c".into(), size: 5, modality: "DX".into(), body_part: String::new(), effort: 0 };
        let msg = MsgRegisterSealed {
            owner: "o".into(),
            files: vec![file],
            registration: vec![1],
            commitment: vec![2],
            ..MsgRegisterSealed::default()
        };
        expect_test::expect![[r#"{"commitment":"Ag==","files":[{"cid":"c","modality":"DX","size":"5"}],"owner":"o","registration":"AQ=="}"#]].assert_eq(&register_sealed(&msg).into_value().to_string());
    }

    #[test]
    fn what_a_ledger_shows_of_a_readers_key() {
        let msg = MsgRegisterReader { account: "a".into(), epoch: 2, key: vec![1], expires: 9, possession: vec![2] };
        expect_test::expect![[r#"{"account":"a","epoch":"2","expires":"9","key":"AQ==","possession":"Ag=="}"#]]
            .assert_eq(&register_reader(&msg).into_value().to_string());
        let first = MsgRegisterReader { epoch: 0, ..msg };
        assert!(!register_reader(&first).into_value().to_string().contains("epoch"));
    }

    #[test]
    fn what_a_ledger_shows_of_an_emergency() {
        let msg = MsgBreakGlass {
            actor: "a".into(),
            epoch: 1,
            granter: "g".into(),
            grant: 4,
            terms: vec![1],
            reason: "a < b".into(),
        };
        expect_test::expect![[
            r#"{"actor":"a","epoch":"1","grant":"4","granter":"g","reason":"a < b","terms":"AQ=="}"#
        ]]
        .assert_eq(&break_glass(&msg).into_value().to_string());
    }

    #[test]
    fn what_a_ledger_shows_of_a_request() {
        let accept = Acceptance {
            members_min: 3,
            power_min_bps: 2_500,
            required: vec!["r".into()],
            excluded: vec!["x".into(), "y".into()],
        };
        let msg = MsgRequestRead {
            requester: "contract".into(),
            actor: "a".into(),
            model: vec![1],
            owner: "o".into(),
            image: "bafk".into(),
            granter: "g".into(),
            grant: 4,
            terms: vec![2],
            purpose: "TREAT".into(),
            disclose: Disclose::Predicate.into(),
            findings: vec!["f".into()],
            accept: Some(accept),
            deadline: 70,
            callback_gas: 400_000,
            reason: "why".into(),
            identify: true,
            frame: 2,
        };
        expect_test::expect![[r#"{"accept":{"excluded":["x","y"],"members_min":3,"power_min_bps":2500,"required":["r"]},"actor":"a","callback_gas":"400000","deadline":"70","disclose":1,"findings":["f"],"frame":2,"grant":"4","granter":"g","identify":true,"image":"bafk","model":"AQ==","owner":"o","purpose":"TREAT","reason":"why","requester":"contract","terms":"Ag=="}"#]].assert_eq(&request_read(&msg).into_value().to_string());
        // What is empty is not shown: a request for all of it, for everybody, of any committee, by nobody's contract.
        let msg = MsgRequestRead {
            disclose: Disclose::Open.into(),
            findings: vec![],
            accept: Some(Acceptance::default()),
            callback_gas: 0,
            reason: String::new(),
            identify: false,
            frame: 0,
            ..msg
        };
        expect_test::expect![[r#"{"accept":{},"actor":"a","deadline":"70","grant":"4","granter":"g","image":"bafk","model":"AQ==","owner":"o","purpose":"TREAT","requester":"contract","terms":"Ag=="}"#]].assert_eq(&request_read(&msg).into_value().to_string());
        assert!(!request_read(&MsgRequestRead { accept: None, ..msg }).into_value().to_string().contains("accept"));
    }

    #[test]
    fn what_a_ledger_shows_of_a_share() {
        let share = Share { job: 7, outcome: vec![1], signature: vec![2] };
        let msg = MsgSubmitShare { operator: "o".into(), share: Some(share) };
        expect_test::expect![[r#"{"operator":"o","share":{"job":"7","outcome":"AQ==","signature":"Ag=="}}"#]]
            .assert_eq(&submit_share(&msg).into_value().to_string());
        let nothing = MsgSubmitShare { operator: "o".into(), share: None };
        assert_eq!(submit_share(&nothing).into_value().to_string(), r#"{"operator":"o"}"#);
    }
}
