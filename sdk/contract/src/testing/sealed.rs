//! Sealed reads without a chain: a request becomes a job, and the test says how the job ends.
//!
//! Nothing is sealed here: a record is registered with what its committee would see, and the engine reads that.

use aceso_types::{
    BlobId, Digest, Frame, ModelId, ReadId,
    guest::{Answered, Answers, Callback, Ended, Origin, ReadDone, Vouched},
    journal::{Entry, Event},
    msg::{Acceptance, Disclose, MsgRequestRead, MsgRequestReadResponse, Named},
    sealed::{Failure, Terms, claim, commitment},
};
use cosmwasm_std::{AnyMsg, MsgResponse};
use prost::Message;

use super::host::{Chain, Host, Registration, next_read, vouched};

/// The chain of these tests, which is also that of [`cosmwasm_std::testing::mock_env`].
pub const CHAIN_ID: &str = "cosmos-testnet-14002";

/// Who opens and computes, whatever the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    /// The members' operators.
    pub operators: Vec<String>,
    /// Their power together.
    pub power: u64,
    /// The power of all validators.
    pub total: u64,
    /// What each member earns with an outcome.
    pub reward: u64,
}

impl Default for Committee {
    /// Three members, `one`, `two` and `three`, with 30 of 100, who earn nothing.
    fn default() -> Self {
        Self { operators: ["one", "two", "three"].map(String::from).into(), power: 30, total: 100, reward: 0 }
    }
}

/// A sealed record, as its committee sees it.
pub(crate) struct Record {
    pub(crate) registration: Registration,
    plain: Vec<u8>,
}

/// An open job.
#[derive(Clone)]
pub(crate) struct Job {
    request: MsgRequestRead,
    model: ModelId,
    image: BlobId,
    frame: Frame,
    fee: u64,
}

/// Owner, image, frame, model, finding.
type Question = (String, BlobId, Frame, ModelId, String);

/// What a chain keeps of sealed reads.
#[derive(Default)]
pub(crate) struct Jobs {
    pub(crate) records: std::collections::BTreeMap<(String, BlobId), Record>,
    committee: Committee,
    open: std::collections::BTreeMap<u64, Job>,
    last: u64,
    /// Findings that are known: the answer, and the read that disclosed it.
    bits: std::collections::BTreeMap<Question, (bool, ReadId)>,
    known: Vec<Callback>,
}

/// What came out of a record.
struct Outcome {
    claim: Digest,
    origin: Option<Origin>,
    answers: Answers,
    commitment: Option<Digest>,
}

impl Host {
    /// Registers a sealed record of one file under its owner: several accounts may register one CID. `plain` is what the
    /// committee sees when it opens it.
    pub fn sealed(&self, image: BlobId, plain: &[u8], registration: Registration) {
        let key = (registration.owner.clone(), image);
        self.with(|chain| chain.jobs.records.insert(key, Record { registration, plain: plain.into() }));
    }

    /// Ends a record.
    pub fn retire(&self, owner: &str, image: &BlobId) {
        self.with(|chain| chain.jobs.records.remove(&(owner.into(), *image)));
    }

    /// Says who the committee of every job is from now on.
    pub fn set_committee(&self, committee: Committee) {
        self.with(|chain| chain.jobs.committee = committee);
    }

    /// Does what the chain does with a contract's [`crate::request_read`] in the current transaction, and answers what the
    /// contract's reply finds in `msg_responses`. The job is open until [`Host::finish_job`].
    ///
    /// Not looked at, since they need a chain: the grant itself, its times and its terms' digest.
    ///
    /// # Errors
    /// The sentence with which the chain would refuse it, which undoes the transaction.
    pub fn request_read(&self, contract: &str, any: &AnyMsg) -> Result<MsgResponse, String> {
        self.with(|chain| chain.request(contract, any)).map(|(job, fee)| {
            let response = MsgRequestReadResponse { job, fee: fee.to_string() };
            let type_url = MsgRequestReadResponse::TYPE_URL.into();
            MsgResponse { type_url, value: response.encode_to_vec().into() }
        })
    }

    /// Ends a job, gives back what it did not cost, and answers with what the chain would say to the contract's `sudo`.
    /// [`Ended::Done`] runs the engine; a record that it does not take ends in [`Failure::Unsuitable`].
    ///
    /// # Errors
    /// Where no such job is open.
    pub fn finish_job(&self, job: u64, ended: Ended) -> Result<Callback, String> {
        self.with(|chain| chain.finish(job, ended))
    }

    /// Callbacks of requests that needed no job, because all that they asked for was disclosed before.
    pub fn known(&self) -> Vec<Callback> {
        self.with(|chain| std::mem::take(&mut chain.jobs.known))
    }

    /// Numbers of the jobs that are open.
    pub fn open_jobs(&self) -> Vec<u64> {
        self.with(|chain| chain.jobs.open.keys().copied().collect())
    }
}

impl Chain {
    fn request(&mut self, contract: &str, any: &AnyMsg) -> Result<(u64, u64), String> {
        if any.type_url != MsgRequestRead::TYPE_URL {
            return Err(format!("{} is not {}", any.type_url, MsgRequestRead::TYPE_URL));
        }
        let msg = MsgRequestRead::decode(any.value.as_slice()).map_err(|e| e.to_string())?;
        let model = <[u8; 32]>::try_from(msg.model.as_slice()).map_err(|e| e.to_string())?;
        let model = ModelId(Digest(model));
        let image: BlobId = msg.image.parse().map_err(|_| format!("{:?} is no CID", msg.image))?;
        let frame = Frame::of_wire(msg.frame);
        let terms = Terms::decode(&msg.terms).map_err(|e| e.to_string())?;
        if msg.requester != contract {
            return Err(format!("{contract} cannot ask for {}", msg.requester));
        }
        let r#use = self.check_terms(&msg, &model, &terms)?;
        let known = self.models.get(&model).ok_or_else(|| format!("model {model} is not registered"))?;
        let manifest = &known.manifest;
        if let Some(unknown) = msg.findings.iter().find(|id| manifest.output.findings.iter().all(|one| one.id != **id))
        {
            return Err(format!("the model has no finding {unknown:?}"));
        }
        let price = manifest.price.amount;
        self.jobs.committee.accepted(msg.accept.as_ref().unwrap_or(&Acceptance::default()))?;
        let owner = msg.owner.clone();
        let record = self.jobs.records.get(&(owner.clone(), image));
        let guard = record.ok_or_else(|| format!("{owner} has no sealed image {image}"))?.registration.guard.clone();
        let used = self.take_sealed_permit(&guard, contract, &msg, &image, &model)?;

        let bit = |id: &String| self.jobs.bits.get(&(owner.clone(), image, frame, model, id.clone())).copied();
        let bits: Option<Vec<(bool, ReadId)>> = msg.findings.iter().map(bit).collect();
        if msg.disclose() == Disclose::Predicate
            && !msg.identify
            && let Some(bits) = bits
        {
            let findings = msg.findings.iter().zip(&bits);
            let findings = findings.map(|(id, &(present, _))| Answered { id: id.clone(), present }).collect();
            let job = Job { request: msg, model, image, frame, fee: 0 };
            let mut done = self.done(0, &job, Ended::Done, 0);
            (done.findings, done.read) = (findings, bits.first().map(|&(_, read)| read));
            if job.request.callback_gas > 0 {
                self.jobs.known.push(Callback::AcesoRead(done));
            }
            return Ok((0, 0));
        }
        let members = u64::try_from(self.jobs.committee.operators.len()).unwrap_or(u64::MAX);
        let fee = price.saturating_add(self.jobs.committee.reward.saturating_mul(members));
        let has = self.coins.get(contract).copied().unwrap_or_default();
        let rest = has.checked_sub(fee).ok_or_else(|| format!("{contract} holds {has}, and the read costs {fee}"))?;
        self.coins.insert(contract.into(), rest);
        if let Some((grant, cap)) = used {
            let count = self.uses_of(&guard, &grant).saturating_add(1);
            if count > cap {
                return Err(format!("grant {grant} of {guard} is used up: {cap} of {cap}"));
            }
            self.uses.insert((guard, grant), count);
        }
        self.jobs.last = self.jobs.last.saturating_add(1);
        let job = self.jobs.last;
        let MsgRequestRead { granter, grant, actor, purpose, .. } = msg.clone();
        let event = Event::Requested { job, owner, frame, granter, grant, actor, purpose, r#use };
        let (height, tx, caller) = (self.height, self.tx, contract.into());
        self.journal.push(Entry { height, tx, image, model, caller, event });
        self.jobs.open.insert(job, Job { request: msg, model, image, frame, fee });
        Ok((job, fee))
    }

    /// Checks a request against the terms and counts the use; answers which one it is, from 1.
    fn check_terms(&mut self, msg: &MsgRequestRead, model: &ModelId, terms: &Terms) -> Result<u32, String> {
        let allowed = match msg.disclose() {
            Disclose::Open => terms.open,
            Disclose::Sealed => terms.sealed,
            Disclose::Predicate => msg.findings.iter().all(|id| terms.findings.contains(id)),
        };
        let named = terms.actors.contains(&msg.actor);
        let rules = [
            (self.signers.contains(&msg.actor), format!("{} has not signed this transaction", msg.actor)),
            (named || terms.anybody, format!("the terms do not name {}", msg.actor)),
            (!terms.emergency || !msg.reason.is_empty(), "an emergency needs a reason".into()),
            (terms.via.is_empty() || terms.via.contains(&msg.requester), format!("not through {}", msg.requester)),
            (terms.purposes.contains(&msg.purpose), format!("the terms are not for purpose {:?}", msg.purpose)),
            (terms.models.is_empty() || terms.models.contains(model), format!("the terms are not for model {model}")),
            (allowed, format!("the terms do not allow disclosure {:?}", msg.disclose())),
        ];
        if let Some((_, sentence)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(sentence);
        }
        let key = (msg.granter.clone(), format!("{}/{}", msg.granter, msg.grant));
        let used = self.uses.entry(key).or_default();
        if *used >= terms.uses {
            return Err(format!("grant {} of {} is used up: {} of {}", msg.grant, msg.granter, terms.uses, terms.uses));
        }
        *used = used.saturating_add(1);
        Ok(*used)
    }

    /// The guard's grant and its cap, where the record has a guard.
    fn take_sealed_permit(
        &mut self,
        guard: &str,
        contract: &str,
        msg: &MsgRequestRead,
        image: &BlobId,
        model: &ModelId,
    ) -> Result<Option<(String, u32)>, String> {
        if guard.is_empty() {
            return Ok(None);
        }
        let at = self.permits.iter().position(|(by, permit)| {
            by == guard
                && permit.caller == contract
                && (&permit.image, &permit.owner) == (image, &msg.owner)
                && (&permit.model, &permit.purpose) == (model, &msg.purpose)
        });
        let Some(at) = at else {
            let owner = &msg.owner;
            return Err(format!("no permit for {contract} to read {owner}'s image {image} with model {model}"));
        };
        let permit = self.permits.remove(at).1;
        Ok(match permit.answer {
            aceso_types::guest::Answer::Permit { max_uses } => Some((permit.grant, max_uses)),
            aceso_types::guest::Answer::Deny { .. } => None,
        })
    }

    fn finish(&mut self, number: u64, ended: Ended) -> Result<Callback, String> {
        let job = self.jobs.open.remove(&number).ok_or_else(|| format!("job {number} is not open"))?;
        let outcome = match ended {
            Ended::Done => Some(self.outcome(number, &job)),
            _ => None,
        };
        let ended = match outcome {
            Some(Err(_)) => Ended::Failed(Failure::Unsuitable),
            _ => ended,
        };
        let price = self.models.get(&job.model).map_or(0, |model| model.manifest.price.amount);
        let fee = match ended {
            Ended::Done => job.fee,
            Ended::Failed(_) => job.fee.saturating_sub(price),
            Ended::Expired | Ended::Cancelled | Ended::Broken => 0,
        };
        let coins = self.coins.entry(job.request.requester.clone()).or_default();
        *coins = coins.saturating_add(job.fee.saturating_sub(fee));
        let mut done = self.done(number, &job, ended, fee);
        if matches!(done.ended, Ended::Done | Ended::Failed(_)) {
            done.read = Some(next_read(self));
        }
        if let Some(Ok(outcome)) = outcome {
            done.claim = Some(outcome.claim);
            done.origin = outcome.origin.map(|one| Vouched { institution: one.institution, study: one.study });
            let Answers { scores, findings, readings } = outcome.answers;
            (done.scores, done.findings, done.readings) = (scores, findings, readings);
            done.commitment = outcome.commitment;
            if let (Disclose::Predicate, Some(read)) = (job.request.disclose(), done.read) {
                for one in &done.findings {
                    let key = (job.request.owner.clone(), job.image, job.frame, job.model, one.id.clone());
                    self.jobs.bits.insert(key, (one.present, read));
                }
            }
        }
        Ok(Callback::AcesoRead(done))
    }

    fn outcome(&self, number: u64, job: &Job) -> Result<Outcome, String> {
        let request = &job.request;
        let record = self.jobs.records.get(&(request.owner.clone(), job.image)).ok_or("the record has ended")?;
        let manifest = &self.models.get(&job.model).ok_or("the model is not registered")?.manifest;
        let opened = self.engine.open(&record.plain, job.frame, &record.registration.stated, manifest)?;
        let outputs = self.engine.run(manifest, &[opened.input])?;
        let answers = self.engine.answer(manifest, &outputs)?;
        let (answers, commitment) = match request.disclose() {
            Disclose::Open => (answers, None),
            Disclose::Predicate => {
                let asked = answers.findings.into_iter().filter(|one| request.findings.contains(&one.id));
                (Answers { findings: asked.collect(), ..Answers::default() }, None)
            }
            // On a chain the blind follows from the record's key and the job.
            Disclose::Sealed => {
                let blind = Digest::sha3("aceso/testing/v1", &[&number.to_be_bytes()]);
                (Answers::default(), Some(commitment(&blind.0, &outputs)))
            }
        };
        let claim = claim(CHAIN_ID, &request.requester, &opened.pixels);
        let origin = vouched(record.registration.origin.as_ref(), &opened.pixels);
        Ok(Outcome { claim, origin, answers, commitment })
    }

    /// What is told of every job, however it ended.
    fn done(&self, number: u64, job: &Job, ended: Ended, fee: u64) -> ReadDone {
        let Committee { operators, power, total, .. } = &self.jobs.committee;
        ReadDone {
            job: number,
            ended,
            read: None,
            image: job.image,
            frame: job.frame,
            owner: job.request.owner.clone(),
            actor: job.request.actor.clone(),
            purpose: job.request.purpose.clone(),
            model: job.model,
            author: self.models.get(&job.model).map(|model| model.author.clone()).unwrap_or_default(),
            fee: fee.to_string(),
            claim: None,
            origin: None,
            members: u32::try_from(operators.len()).unwrap_or(u32::MAX),
            power: *power,
            total: *total,
            scores: Vec::new(),
            findings: Vec::new(),
            readings: Vec::new(),
            commitment: None,
        }
    }
}

impl Committee {
    /// Whether a payer's demands are met.
    fn accepted(&self, accept: &Acceptance) -> Result<(), String> {
        let members = self.operators.len();
        if (members as u64) < u64::from(accept.members_min.max(1)) {
            return Err(format!(
                "the committee has {members} members, and {} are asked for",
                accept.members_min.max(1)
            ));
        }
        if u128::from(self.power) * 10_000 < u128::from(accept.power_min_bps) * u128::from(self.total) {
            let Self { power, total, .. } = self;
            return Err(format!(
                "the committee has {power} of {total}, and {} bps are asked for",
                accept.power_min_bps
            ));
        }
        if let Some(missing) = accept.required.iter().find(|one| !self.operators.contains(one)) {
            return Err(format!("the committee lacks {missing}, who is required"));
        }
        match accept.excluded.iter().find(|one| self.operators.contains(one)) {
            Some(unwanted) => Err(format!("the committee has {unwanted}, who is excluded")),
            None => Ok(()),
        }
    }
}
