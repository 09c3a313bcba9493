//! Whether a request may be made: by the grant's terms, opened, and by the guard where the record has one.

use aceso_types::{
    BlobId, Digest, Frame, Manifest, ModelId,
    guest::PURPOSE_MAX,
    msg::{Disclose, MsgRequestRead},
    query::{GrantRow, ModelRow, ModelStatus, RecordRow},
    sealed::{Disclosure, INLINE_BYTES_MAX, PREDICATE_MAX, Terms},
};

use crate::{
    address::Address,
    code::{Code, Fault},
    components::{
        blobs, models, reads,
        sealed::{grants, reviews},
        wasm,
    },
    error::Outcome,
    run::Run,
};

/// Most bytes of the reason for an emergency.
const REASON_MAX: usize = 1_024;

/// A request that is allowed.
pub(super) struct Allowed {
    pub(super) requester: Address,
    pub(super) actor: String,
    pub(super) image: BlobId,
    pub(super) frame: Frame,
    pub(super) model: ModelId,
    pub(super) row: ModelRow,
    pub(super) manifest: Manifest,
    pub(super) grant: GrantRow,
    pub(super) record: RecordRow,
    pub(super) terms: Terms,
    pub(super) disclosure: Disclosure,
}

/// Checks all that stands in the request against grant, terms, record, model and limits. Changes nothing.
pub(super) fn check(run: &mut Run<'_>, msg: &MsgRequestRead) -> Outcome<Allowed> {
    let chain = run.chain.clone();
    let (requester, actor) = (chain.address(&msg.requester)?, chain.address(&msg.actor)?.to_string());
    let (owner, granter) = (chain.address(&msg.owner)?, chain.address(&msg.granter)?);
    let image = blobs::parse(&msg.image)?;
    let now = run.block.seconds();
    let (grant, record) = grants::holding(run, granter.as_str(), msg.grant, now)?;
    let name = format!("{granter}/{}", msg.grant);
    let refuse = |words: String| Code::RequestRefused.because(words);
    if !grants::said(&grant)?.committee {
        return Err(refuse(format!("grant {name} is for readers, not for a committee")).into());
    }
    let text = image.to_string();
    if record.owner != owner.as_str() || !record.files.iter().any(|file| file.cid == text) {
        return Err(refuse(format!("grant {name} is not of file {image} of {owner}")).into());
    }
    if !run.tx.signers.contains(&actor) {
        return Err(Code::ActorNotSigner.because(format_args!("actor {actor:?}")).into());
    }
    let terms = grants::opened(&grant, &msg.terms)?;
    let model = Digest::try_from(msg.model.as_slice()).map_err(|e| refuse(format!("model: {e}")))?;
    let model = ModelId(model);
    let asks = Asks { requester: requester.as_str(), actor: &actor, purpose: &msg.purpose, model: &model, now };
    by_terms(&terms, &asks, &msg.reason)
        .map_err(|words| Code::TermsForbid.because(format_args!("grant {name}: {words}")))?;
    if grant.uses >= terms.uses {
        let words = format_args!("grant {name} allows {} uses and has had {}", terms.uses, grant.uses);
        return Err(Code::UsesExceeded.because(words).into());
    }
    let admitted = models::get(run, &model)?.filter(|row| row.status() == ModelStatus::Admitted);
    let Some(row) = admitted else { return Err(refuse(format!("model {model} is not admitted")).into()) };
    let row = models::completed(run, &model, row)?;
    let manifest = models::manifest(&row)?;
    let most = run.chain.params.sealed_result_bytes_max;
    let result = (row.result_bytes, INLINE_BYTES_MAX as u64, most.max(INLINE_BYTES_MAX as u64));
    let disclosure = disclosure(msg, &terms, &manifest, &name, result)?;
    limits(run, msg, &requester)?;
    // Only who opens the file knows how many it has: one that it lacks is for members to say.
    let frame = Frame::of_wire(msg.frame);
    Ok(Allowed { requester, actor, image, frame, model, row, manifest, grant, record, terms, disclosure })
}

/// Who asks what for.
struct Asks<'a> {
    requester: &'a str,
    actor: &'a str,
    purpose: &'a str,
    model: &'a ModelId,
    now: u64,
}

/// What the terms say to it; a sentence where they forbid it.
fn by_terms(terms: &Terms, asks: &Asks<'_>, reason: &str) -> Result<(), String> {
    let Asks { requester, actor, purpose, model, now } = asks;
    let has = |list: &[String], one: &str| list.iter().any(|each| each == one);
    let purpose: String = purpose.chars().take(PURPOSE_MAX).collect();
    if !reviews::may(terms, actor) {
        return Err(format!("{actor} is not named"));
    }
    match (terms.emergency, reason.trim().len()) {
        (true, 0) => return Err("it is for emergencies and needs a reason that everybody may read".into()),
        (false, 1..) => return Err("it is not for emergencies and takes no reason".into()),
        _ if reason.len() > REASON_MAX => {
            return Err(format!("a reason has at most {REASON_MAX} bytes, not {}", reason.len()));
        }
        _ => {}
    }
    if !terms.via.is_empty() && !has(&terms.via, requester) {
        return Err(format!("{requester} is not named among those that may make the request"));
    }
    if !has(&terms.purposes, asks.purpose) {
        return Err(format!("{purpose:?} is not among its purposes"));
    }
    if !terms.models.is_empty() && !terms.models.contains(model) {
        return Err(format!("model {model} is not among its models"));
    }
    if *now < terms.not_before {
        return Err(format!("it begins at {}, and it is {now}", terms.not_before));
    }
    Ok(())
}

/// Who may know the outcome, as the terms allow it and the model has it: `result` are the bytes of the model's outputs, and
/// how many may be told to everyone and to who holds the key.
fn disclosure(
    msg: &MsgRequestRead,
    terms: &Terms,
    manifest: &Manifest,
    name: &str,
    result: (u64, u64, u64),
) -> Result<Disclosure, Fault> {
    let forbid = |words: &str| Err(Code::TermsForbid.because(format_args!("grant {name}: {words}")));
    let refuse = |words: String| Err(Code::RequestRefused.because(words));
    let Ok(disclose) = Disclose::try_from(msg.disclose) else {
        return refuse(format!("there is no disclosure {}", msg.disclose));
    };
    if disclose != Disclose::Predicate && !msg.findings.is_empty() {
        return refuse("findings are named where they are not what is disclosed".into());
    }
    let (bytes, open, sealed) = result;
    if disclose == Disclose::Open && bytes > open {
        let words = "are more than an outcome tells everyone; ask for them sealed";
        return refuse(format!("the model's outputs of {bytes} bytes {words}"));
    }
    if disclose == Disclose::Sealed && bytes > sealed {
        return refuse(format!("a sealed result of the model has {bytes} bytes, and at most {sealed} are kept"));
    }
    match disclose {
        Disclose::Open if terms.open => Ok(Disclosure::Open),
        Disclose::Open => forbid("outcomes may not be known to everyone"),
        Disclose::Sealed if terms.sealed => Ok(Disclosure::Sealed),
        Disclose::Sealed => forbid("outcomes may not be kept for who holds the key"),
        Disclose::Predicate => {
            let count = msg.findings.len();
            if !(1..=PREDICATE_MAX).contains(&count) {
                return refuse(format!("{count} findings are asked for, and 1 to {PREDICATE_MAX} are allowed"));
            }
            if let Some(other) = msg.findings.iter().find(|one| !terms.findings.contains(one)) {
                let other: String = other.chars().take(128).collect();
                return forbid(&format!("finding {other:?} may not be disclosed"));
            }
            // In the manifest's order, each once: one question has one spelling.
            let mut known = manifest.output.findings.iter().map(|one| &one.id);
            match msg.findings.iter().find(|one| !known.any(|id| id == *one)) {
                None => Ok(Disclosure::Predicate(msg.findings.clone())),
                Some(other) => {
                    refuse(format!("finding {other:?} is not the model's, or not in the order of its findings"))
                }
            }
        }
    }
}

/// Deadline and callback.
fn limits(run: &mut Run<'_>, msg: &MsgRequestRead, requester: &Address) -> Outcome<()> {
    let refuse = |words: String| Err(Code::RequestRefused.because(words).into());
    let (height, params) = (run.block.height.0, run.chain.params.clone());
    let last = height.saturating_add(params.sealed_term_max);
    if msg.deadline <= height || msg.deadline > last {
        return refuse(format!("a deadline at height {}, and {} to {last} are allowed", msg.deadline, height + 1));
    }
    let most = params.sealed_callback_gas_max.min(run.chain.block_gas.unwrap_or(u64::MAX));
    if msg.callback_gas > most {
        return refuse(format!("a callback of {} gas, and at most {most} are allowed", msg.callback_gas));
    }
    if msg.callback_gas > 0 && wasm::contract(run, requester)?.is_none() {
        return refuse(format!("{requester} is no contract and hears no callback"));
    }
    Ok(())
}

/// Uses the guard's permit up, where the record has a guard.
pub(super) fn consume_permit(run: &mut Run<'_>, msg: &MsgRequestRead, allowed: &Allowed) -> Outcome<()> {
    let Allowed { requester, actor, image, model, record, .. } = allowed;
    if record.guard.is_empty() {
        return Ok(());
    }
    reads::consume_sealed(
        run,
        &reads::SealedUse {
            caller: requester.as_str(),
            actor,
            image,
            owner: &record.owner,
            model,
            purpose: &msg.purpose,
            guard: &record.guard,
        },
    )
}
