//! Validators that are hospitals: a record sealed for them, jobs, and votes that answer them.

use std::collections::{BTreeMap, BTreeSet};

use aceso_app::{
    OpenJob, TASKS_PAGE,
    attest::{AttestKey, extension},
};
use aceso_types::{
    BlobId, Digest as Hash, ElementType, Manifest, ModelId, Tensor,
    genesis::{Attester, Balance, Coin, Genesis},
    guest::{Answered, Callback, ReadDone},
    manifest::Finding,
    msg::{
        Disclose, MsgAttest, MsgRegisterBlob, MsgRegisterModel, MsgRequestRead, MsgRequestReadResponse, Named,
        RootShare, Share,
    },
    query::{ConductRow, JobRow, ModelStatus, QueryConduct, QueryJob, QueryJobs, QueryModel, QueryReceipt},
    receipt::Receipt,
    sealed::{Disclosure, Input, Outcome, Statement, Terms},
};
use bytes::Bytes;
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{TxBody, TxRaw},
    cosmwasm::wasm::v1::MsgExecuteContract,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    Hash as Id,
    abci::types::{BlockSignatureInfo, ExecTxResult, ExtendedCommitInfo, ExtendedVoteInfo, Validator},
    account,
    block::BlockIdFlag,
    v0_38::abci::{request, response},
};

use crate::{
    contracts::{make, raw, store},
    fixture::{CHAIN, DENOM, Key, Net, RICH, alice, block_of, bob, consensus_key, height, ours, responses, sdk, send},
    guests::{NOTHING, listener},
    reads::model_files,
    ward::{Kept, LATER, Ward, carol, cid, dave, register_reader, terms},
};

pub(crate) fn erin() -> Key {
    Key::new(5)
}

/// Registered the model.
pub(crate) fn author() -> Key {
    Key::new(6)
}

/// The physician.
pub(crate) fn eve() -> Key {
    Key::new(7)
}

/// A validator.
pub(crate) struct Seat {
    pub(crate) consensus: [u8; 32],
    pub(crate) attest: AttestKey,
    pub(crate) operator: Key,
    /// Whether it says something in its votes.
    pub(crate) speaks: bool,
    /// What it says instead of what it ought to.
    pub(crate) lie: Option<Outcome>,
}

impl Seat {
    pub(crate) fn share(&self, statement: &Statement, outcome: &Outcome) -> Share {
        let signature = self.attest.sign(&statement.sign_bytes(outcome)).to_vec();
        Share { job: statement.job, outcome: outcome.encode(), signature }
    }
}

pub(crate) struct Hospital {
    pub(crate) ward: Ward,
    pub(crate) seats: Vec<Seat>,
    pub(crate) kept: Kept,
    pub(crate) model: ModelId,
    pub(crate) manifest: Manifest,
    pub(crate) terms: Terms,
    /// What jobs come to, where it is not the usual.
    pub(crate) answers: BTreeMap<u64, Outcome>,
    /// Files that no member has: nobody signs anything of them.
    pub(crate) unreadable: BTreeSet<BlobId>,
}

/// The model with thresholds between which a value could be narrowed down.
pub(crate) fn model() -> (Vec<u8>, Manifest) {
    let (onnx, mut manifest) = model_files();
    let first = manifest.output.findings[0].clone();
    manifest.output.findings.extend([180, 80, 20].map(|at_least| Finding {
        id: format!("{}{at_least}", first.id),
        at_least,
        ..first.clone()
    }));
    (onnx, manifest)
}

/// What members sign of a job if nothing else is said.
pub(crate) fn usual(disclosure: &Disclosure) -> Outcome {
    let input = Input { claim: Hash([1; 32]), vouched: false };
    match disclosure {
        Disclosure::Open => {
            let output = Tensor::new(ElementType::U8, vec![1, 1], vec![100]).unwrap();
            Outcome::Open { input, outputs: vec![output] }
        }
        Disclosure::Predicate(ids) => {
            let findings = ids.iter().map(|id| Answered { id: id.clone(), present: true }).collect();
            Outcome::Predicate { input, findings }
        }
        Disclosure::Sealed => Outcome::Sealed { input, commitment: Hash([2; 32]), ciphertext: vec![3; 64] },
    }
}

impl Hospital {
    pub(crate) fn open(validators: usize) -> Self {
        Self::with(validators, |_| {}, |_| {})
    }

    /// Hospitals whose genesis and whose grant's terms were changed. Alice's record 1 is granted to all of them as a
    /// committee, by her grant 1.
    pub(crate) fn with(
        validators: usize,
        change: impl FnOnce(&mut Genesis),
        change_terms: impl FnOnce(&mut Terms),
    ) -> Self {
        let operators = [bob(), carol(), dave(), erin()];
        let seats: Vec<Seat> = (0..).zip(operators).take(validators).map(|(at, operator)| seat(at, operator)).collect();
        let ward = Ward::with(|genesis| {
            genesis.authority = alice().address();
            for key in [erin(), author(), eve()] {
                let coins = vec![Coin { denom: DENOM.into(), amount: RICH.to_string() }];
                genesis.balances.push(Balance { address: key.address(), coins });
            }
            genesis.attesters.extend(seats.iter().skip(1).map(|seat| Attester {
                consensus_key: seat.consensus.to_vec(),
                bls_key: seat.attest.public().to_vec(),
                possession: seat.attest.possession(&seat.consensus, 0).to_vec(),
                operator: seat.operator.address(),
                name: String::new(),
            }));
            change(genesis);
        });
        let (_, manifest) = model();
        let mut terms = Terms {
            actors: vec![eve().address()],
            uses: 100,
            sealed: true,
            findings: manifest.output.findings.iter().map(|one| one.id.clone()).collect(),
            bits: 2,
            ..terms()
        };
        change_terms(&mut terms);
        let kept = Kept::new(&alice(), 1);
        let (model, answers, unreadable) = (manifest.id(), BTreeMap::new(), BTreeSet::new());
        let mut hospital = Self { ward, seats, kept, model, manifest, terms, answers, unreadable };
        hospital.found();
        hospital
    }

    /// The model is admitted, keys are registered, the record is sealed and granted.
    fn found(&mut self) {
        let (onnx, manifest) = model();
        let net = &mut self.ward.net;
        let blob = net.put(&onnx);
        let register =
            MsgRegisterBlob { owner: alice().address(), cid: blob.to_string(), size: onnx.len() as u64, term: 100_000 };
        net.ok(&alice(), vec![ours(&register)]);
        net.ok(&author(), vec![ours(&MsgRegisterModel { author: author().address(), manifest: manifest.encode() })]);
        for seat in &self.seats {
            net.ok(&seat.operator, vec![ours(&register_reader(&seat.operator, 0, LATER))]);
        }
        net.ok(&alice(), vec![ours(&self.kept.register(&[cid(1)]))]);
        while self.ward.net.app.expects_blocks() {
            self.block(vec![]);
        }
        let row = self.ward.net.ask(&QueryModel { model: self.model.to_string() });
        assert_eq!((row.status(), row.reason.as_str()), (ModelStatus::Admitted, ""));
        let grant = self.grant(1);
        self.ward.net.ok(&alice(), vec![grant]);
    }

    /// The next grant of the record to all hospitals.
    pub(crate) fn grant(&self, number: u64) -> Any {
        let operators: Vec<&Key> = self.seats.iter().map(|seat| &seat.operator).collect();
        self.grant_of(&self.kept, 1, number, &operators)
    }

    /// Alice's next grant of one of her records to some of them.
    pub(crate) fn grant_of(&self, kept: &Kept, record: u64, number: u64, members: &[&Key]) -> Any {
        let mut giving = self.ward.give(kept, record, number, members);
        giving.msg.committee = true;
        giving.msg.terms = self.terms.digest(giving.msg.expires).0.into();
        ours(&giving.made())
    }

    pub(crate) fn net(&mut self) -> &mut Net {
        &mut self.ward.net
    }

    /// What eve asks for: all of it, for everyone.
    pub(crate) fn asking(&self) -> MsgRequestRead {
        MsgRequestRead {
            requester: eve().address(),
            actor: eve().address(),
            model: self.model.as_bytes().into(),
            owner: alice().address(),
            image: cid(1),
            granter: alice().address(),
            grant: 1,
            terms: self.terms.encode(),
            purpose: "TREAT".into(),
            disclose: Disclose::Open.into(),
            findings: vec![],
            accept: None,
            deadline: self.ward.net.height + 50,
            callback_gas: 0,
            reason: String::new(),
            identify: false,
            frame: 0,
        }
    }

    /// The same for a finding.
    pub(crate) fn asking_bits(&self) -> MsgRequestRead {
        let findings = vec![self.manifest.output.findings[0].id.clone()];
        MsgRequestRead { disclose: Disclose::Predicate.into(), findings, ..self.asking() }
    }

    /// Asks, and answers the job.
    pub(crate) fn ask(&mut self, msg: &MsgRequestRead) -> u64 {
        let result = self.ward.net.ok(&eve(), vec![ours(msg)]);
        MsgRequestReadResponse::decode(&responses(&result)[0].value[..]).unwrap().job
    }

    /// A contract that asks in its own name, and answers so when it is told.
    pub(crate) fn listener(&mut self, answer: &str) -> String {
        let code = store(&mut self.ward.net, listener(answer));
        let contract = make(&mut self.ward.net, code, NOTHING);
        self.ward.net.ok(&alice(), vec![send(&alice(), &contract, 10_000_000)]);
        contract
    }

    /// Eve has a contract ask.
    pub(crate) fn through(&mut self, contract: &str, msg: &MsgRequestRead) -> ExecTxResult {
        let msg = MsgRequestRead { requester: contract.into(), ..msg.clone() };
        let execute = self.executing(contract, &msg);
        self.ward.net.run(&eve(), vec![execute])
    }

    /// The message by which eve has a contract send another.
    pub(crate) fn executing<M: Named>(&self, contract: &str, msg: &M) -> Any {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let any =
            serde_json::json!({ "any": { "type_url": M::TYPE_URL, "value": STANDARD.encode(msg.encode_to_vec()) } });
        let sub = serde_json::json!({ "id": 0, "msg": any, "gas_limit": null, "reply_on": "never", "payload": "" });
        let answer = serde_json::json!({ "ok": { "messages": [sub], "attributes": [], "events": [], "data": null } });
        sdk(&MsgExecuteContract {
            sender: eve().address(),
            contract: contract.into(),
            msg: answer.to_string().into_bytes(),
            funds: vec![],
        })
    }

    /// What a contract was told last.
    pub(crate) fn told(&self, contract: &str) -> Option<ReadDone> {
        let told = raw(&self.ward.net, contract, b"got");
        (!told.is_empty()).then(|| {
            let Callback::AcesoRead(done) = serde_json::from_slice(&told).unwrap();
            done
        })
    }

    pub(crate) fn job(&self, job: u64) -> JobRow {
        self.ward.net.ask(&QueryJob { job })
    }

    pub(crate) fn opened(&self) -> usize {
        self.ward.net.ask(&QueryJobs { open: true, ..QueryJobs::default() }).rows.len()
    }

    pub(crate) fn receipt(&self, read: u64) -> Receipt {
        Receipt::decode(&self.ward.net.ask(&QueryReceipt { read }).receipt).unwrap()
    }

    pub(crate) fn conduct(&self, number: u32) -> ConductRow {
        self.ward.net.ask(&QueryConduct { number })
    }

    pub(crate) fn balance(&self, key: &Key) -> u128 {
        self.ward.net.balance(&key.address())
    }

    /// What a member signs of a job.
    pub(crate) fn outcome(&self, statement: &Statement) -> Outcome {
        self.answers.get(&statement.job).cloned().unwrap_or_else(|| usual(&statement.disclosure))
    }

    /// The open jobs of a member, page by page.
    pub(crate) fn open_jobs(&self, seat: &Seat) -> Vec<OpenJob> {
        let (mut all, key) = (Vec::<OpenJob>::new(), seat.attest.public());
        loop {
            let page = self.ward.net.app.open_jobs(&key, all.last().map(|open| open.job));
            all.extend(&page);
            if page.len() < TASKS_PAGE {
                return all;
            }
        }
    }

    /// What a validator says in its vote.
    pub(crate) fn vote(&self, seat: &Seat) -> Vec<u8> {
        let net = &self.ward.net;
        let held = net.app.wanted_blobs().into_iter().filter(|blob| net.blobs.has(&blob.id).unwrap());
        let mut shares = Vec::new();
        let key = seat.attest.public();
        for task in self.open_jobs(seat).into_iter().map(|open| net.app.task(open.job, &key).unwrap()) {
            if self.unreadable.contains(&task.statement.image) {
                continue;
            }
            let outcome = seat.lie.clone().unwrap_or_else(|| self.outcome(&task.statement));
            shares.push(seat.share(&task.statement, &outcome));
        }
        let word = |(number, digest)| RootShare { number, signature: seat.attest.sign(&digest).to_vec() };
        let roots = net.app.unsigned_roots(&seat.attest.public()).into_iter().map(word);
        extension(&seat.attest, CHAIN, held, shares, roots).encode_to_vec()
    }

    /// What is proposed after everyone has voted.
    pub(crate) fn propose(&self, txs: Vec<Vec<u8>>) -> Vec<Bytes> {
        self.propose_after(txs, |_, vote| vote)
    }

    /// The same, where votes are changed on their way.
    pub(crate) fn propose_after(&self, txs: Vec<Vec<u8>>, change: impl Fn(usize, Vec<u8>) -> Vec<u8>) -> Vec<Bytes> {
        let vote = |(at, seat): (usize, &Seat)| ExtendedVoteInfo {
            validator: Validator {
                address: Sha256::digest(seat.consensus)[..20].try_into().unwrap(),
                power: 10_u32.into(),
            },
            sig_info: BlockSignatureInfo::Flag(BlockIdFlag::Commit),
            vote_extension: if seat.speaks { change(at, self.vote(seat)).into() } else { Bytes::new() },
            extension_signature: None,
        };
        let net = &self.ward.net;
        let request = request::PrepareProposal {
            max_tx_bytes: 4 << 20,
            txs: txs.into_iter().map(Bytes::from).collect(),
            local_last_commit: Some(ExtendedCommitInfo {
                round: 0_u16.into(),
                votes: self.seats.iter().enumerate().map(vote).collect(),
            }),
            misbehavior: vec![],
            height: height(net.height + 1),
            time: block_of(net.height + 1, vec![]).time,
            next_validators_hash: Id::None,
            proposer_address: account::Id::new([0; 20]),
        };
        net.app.prepare_proposal(request).txs
    }

    /// A block after everyone has voted. The item in front, if there is one, is among the results.
    pub(crate) fn block(&mut self, txs: Vec<Vec<u8>>) -> response::FinalizeBlock {
        let proposed = self.propose(txs);
        self.decide(proposed)
    }

    pub(crate) fn decide(&mut self, proposed: Vec<Bytes>) -> response::FinalizeBlock {
        assert_eq!(self.ward.net.review(&proposed), response::ProcessProposal::Accept);
        let done = self.ward.net.finalize(proposed);
        self.ward.net.app.commit().unwrap();
        done
    }
}

fn seat(at: u8, operator: Key) -> Seat {
    let consensus = match at {
        0 => consensus_key(),
        at => ed25519_consensus::SigningKey::from([at; 32]).verification_key().to_bytes(),
    };
    let attest = AttestKey::generate(&[7 + at; 32]).unwrap();
    Seat { consensus, attest, operator, speaks: true, lie: None }
}

/// The item at the front of a proposal.
pub(crate) fn item(proposed: &[Bytes]) -> MsgAttest {
    let raw = TxRaw::decode(&proposed[0][..]).unwrap();
    let body = TxBody::decode(&raw.body_bytes[..]).unwrap();
    assert_eq!(body.messages[0].type_url, MsgAttest::TYPE_URL);
    MsgAttest::decode(&body.messages[0].value[..]).unwrap()
}

/// An item as a proposer would put it in front.
pub(crate) fn framed(attest: &MsgAttest) -> Bytes {
    let body = TxBody { messages: vec![ours(attest)], ..TxBody::default() };
    TxRaw { body_bytes: body.encode_to_vec(), ..TxRaw::default() }.encode_to_vec().into()
}

/// Kinds of a result's events.
pub(crate) fn kinds(events: &[tendermint::abci::Event]) -> BTreeSet<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}
