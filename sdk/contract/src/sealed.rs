//! Sealed reads: a contract asks a committee, and hears of the outcome in its entry point `sudo`.
//!
//! The life of one is three calls. [`request_read`] makes the message that a contract sends, with a reply on success;
//! in that `reply`, [`requested`] tells the job's number and what was taken for it; later the chain calls `sudo` with a
//! [`Callback`]. A guarded record needs its guard's permit first, in a submessage of the same transaction.
//!
//! ```
//! # use aceso_contract::{Callback, Ended};
//! # use cosmwasm_std::{DepsMut, Env, Response, StdResult};
//! # fn close(job: u64) {}
//! # fn pay(job: u64) {}
//! fn sudo(_deps: DepsMut, _env: Env, Callback::AcesoRead(done): Callback) -> StdResult<Response> {
//!     match done.ended {
//!         Ended::Done => pay(done.job),
//!         Ended::Failed(_) | Ended::Expired | Ended::Cancelled | Ended::Broken => close(done.job),
//!     }
//!     Ok(Response::new())
//! }
//! ```

use aceso_types::{
    BlobId, Frame, Height, ModelId,
    msg::{Acceptance, Disclose, MsgRequestRead, MsgRequestReadResponse, Named},
    sealed::{Disclosure, PREDICATE_MAX, Terms},
};
use cosmwasm_std::{Addr, AnyMsg, MsgResponse};
use prost::Message;

/// What is asked of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// For whom; must have signed the transaction and be named in the terms.
    pub actor: String,
    /// The model.
    pub model: ModelId,
    /// Whose record it is.
    pub owner: String,
    /// The sealed file.
    pub image: BlobId,
    /// Which frame of what is sealed in it. One that it does not have is a [`Failure::Frame`].
    ///
    /// [`Failure::Frame`]: aceso_types::sealed::Failure::Frame
    pub frame: Frame,
    /// Who gave the grant that wraps the key for the committee.
    pub granter: String,
    /// Its number.
    pub grant: u64,
    /// Its terms, opened: their digest must be the one that stands on the chain.
    pub terms: Terms,
    /// Why: a code of HL7 v3 ActReason.
    pub purpose: String,
    /// Who may know the outcome.
    pub disclosure: Disclosure,
    /// What the payer demands of the committee.
    pub accept: Acceptance,
    /// The first height at which it is too late.
    pub deadline: Height,
    /// SDK gas of the callback, paid now; 0 for no callback.
    pub callback_gas: u64,
    /// Why, in words, where the grant is for emergencies; public for ever.
    pub reason: String,
    /// Whether the contract wants to know the image's identity for it (`claim` in its callback) even where all findings are
    /// known: then there is always a job, and it costs what a job costs.
    pub identify: bool,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The job's number; none where the findings were disclosed before and nothing else was asked for. Then the callback comes
    /// at the end of this block, with job 0.
    pub job: Option<u64>,
    /// What was taken for it, in the chain's smallest coin.
    pub fee: u128,
}

/// Why a request cannot be made, or its answer not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nothing is asked, or more than one read discloses.
    #[error("a predicate discloses 1 to {PREDICATE_MAX} findings, not {0}")]
    Findings(usize),
    /// The reply is to another message.
    #[error("the reply has no answer to a request for a read")]
    NotAnswered,
    /// The answer is not in the form that this library knows.
    #[error("the answer to a request for a read does not decode: {0}")]
    Malformed(String),
}

/// The message with which `requester`, the contract that sends it, asks for a read. Send it with a reply on success and
/// read the answer with [`requested`]. The model's price and the members' reward are taken from the contract.
///
/// # Errors
/// [`RequestError::Findings`].
pub fn request_read(requester: &Addr, request: ReadRequest) -> Result<AnyMsg, RequestError> {
    let (disclose, findings) = match request.disclosure {
        Disclosure::Open => (Disclose::Open, Vec::new()),
        Disclosure::Sealed => (Disclose::Sealed, Vec::new()),
        Disclosure::Predicate(findings) if (1..=PREDICATE_MAX).contains(&findings.len()) => {
            (Disclose::Predicate, findings)
        }
        Disclosure::Predicate(findings) => return Err(RequestError::Findings(findings.len())),
    };
    let msg = MsgRequestRead {
        requester: requester.to_string(),
        actor: request.actor,
        model: request.model.as_bytes().to_vec(),
        owner: request.owner,
        image: request.image.to_string(),
        granter: request.granter,
        grant: request.grant,
        terms: request.terms.encode(),
        purpose: request.purpose,
        disclose: disclose.into(),
        findings,
        accept: Some(request.accept),
        deadline: request.deadline.0,
        callback_gas: request.callback_gas,
        reason: request.reason,
        identify: request.identify,
        frame: request.frame.to_wire(),
    };
    Ok(AnyMsg { type_url: MsgRequestRead::TYPE_URL.into(), value: msg.encode_to_vec().into() })
}

/// What the chain answered to a request, out of a reply's `msg_responses`.
///
/// # Errors
/// [`RequestError::NotAnswered`], [`RequestError::Malformed`].
pub fn requested(responses: &[MsgResponse]) -> Result<Requested, RequestError> {
    let answer = responses.iter().find(|one| one.type_url == MsgRequestReadResponse::TYPE_URL);
    let answer = answer.ok_or(RequestError::NotAnswered)?;
    let malformed = |e: &dyn std::fmt::Display| RequestError::Malformed(e.to_string());
    let MsgRequestReadResponse { job, fee } =
        MsgRequestReadResponse::decode(answer.value.as_slice()).map_err(|e| malformed(&e))?;
    let fee = fee.parse().map_err(|_| malformed(&format_args!("{fee:?} is not a number of coins")))?;
    Ok(Requested { job: Some(job).filter(|&job| job != 0), fee })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(disclosure: Disclosure) -> ReadRequest {
        let terms = aceso_test_support::terms(&["physician"]);
        let accept = Acceptance { members_min: 2, power_min_bps: 500, required: vec!["a".into()], excluded: vec![] };
        ReadRequest {
            actor: "physician".into(),
            model: ModelId::default(),
            owner: "patient".into(),
            image: BlobId::of_raw(b"sealed"),
            frame: Frame::of_wire(3),
            granter: "patient".into(),
            grant: 7,
            terms,
            purpose: "TREAT".into(),
            disclosure,
            accept,
            deadline: Height(99),
            callback_gas: 5,
            reason: String::new(),
            identify: false,
        }
    }

    #[test]
    fn every_field_arrives() {
        let asked = request(Disclosure::Predicate(vec!["one".into(), "two".into()]));
        let any = request_read(&Addr::unchecked("contract"), asked.clone()).unwrap();
        assert_eq!(any.type_url, "/aceso.reads.v1.MsgRequestRead");
        let msg = MsgRequestRead::decode(any.value.as_slice()).unwrap();
        assert_eq!(
            (msg.requester.as_str(), msg.actor.as_str(), msg.owner.as_str()),
            ("contract", "physician", "patient")
        );
        assert_eq!((msg.granter.as_str(), msg.grant, msg.purpose.as_str()), ("patient", 7, "TREAT"));
        assert_eq!((&msg.image, &msg.model), (&asked.image.to_string(), &vec![0; 32]));
        assert_eq!((msg.disclose(), &msg.findings), (Disclose::Predicate, &vec!["one".to_owned(), "two".into()]));
        assert_eq!(Terms::decode(&msg.terms), Ok(asked.terms));
        assert_eq!((msg.accept, msg.deadline, msg.callback_gas), (Some(asked.accept), 99, 5));
        assert_eq!(msg.frame, 3);
        let disclose = |disclosure| {
            let any = request_read(&Addr::unchecked("contract"), request(disclosure)).unwrap();
            MsgRequestRead::decode(any.value.as_slice()).unwrap().disclose()
        };
        assert_eq!([disclose(Disclosure::Open), disclose(Disclosure::Sealed)], [Disclose::Open, Disclose::Sealed]);
    }

    #[test]
    fn a_predicate_has_a_bounded_number_of_findings() {
        let refused = |count: usize| {
            let findings = vec!["f".to_owned(); count];
            request_read(&Addr::unchecked("c"), request(Disclosure::Predicate(findings))).unwrap_err().to_string()
        };
        expect_test::expect!["a predicate discloses 1 to 2 findings, not 0"].assert_eq(&refused(0));
        expect_test::expect!["a predicate discloses 1 to 2 findings, not 3"].assert_eq(&refused(3));
    }

    #[test]
    fn an_answer_is_read_out_of_the_reply() {
        let of = |type_url: &str, value: Vec<u8>| MsgResponse { type_url: type_url.into(), value: value.into() };
        let answer = |job, fee: &str| {
            let response = MsgRequestReadResponse { job, fee: fee.into() };
            of(MsgRequestReadResponse::TYPE_URL, response.encode_to_vec())
        };
        let other = of("/cosmos.bank.v1beta1.MsgSendResponse", vec![]);
        assert_eq!(requested(&[other.clone(), answer(3, "1200")]), Ok(Requested { job: Some(3), fee: 1200 }));
        assert_eq!(requested(&[answer(0, "0")]), Ok(Requested { job: None, fee: 0 }));
        assert_eq!(requested(&[other]), Err(RequestError::NotAnswered));
        let sentence = |responses: &[MsgResponse]| requested(responses).unwrap_err().to_string();
        expect_test::expect![[
            r#"the answer to a request for a read does not decode: "12uaceso" is not a number of coins"#
        ]]
        .assert_eq(&sentence(&[answer(1, "12uaceso")]));
        assert!(sentence(&[of(MsgRequestReadResponse::TYPE_URL, vec![0xff])]).contains("does not decode"));
    }
}
