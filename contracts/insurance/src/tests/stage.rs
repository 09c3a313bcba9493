//! A chain in small: two contracts, a host, a ledger. It carries messages from one contract to the other and undoes
//! everything where one of them errors.

use std::collections::BTreeMap;

use aceso_consent::msg as consent;
use aceso_contract::{
    Callback, Ended, ReadDone,
    testing::{Host, MockDeps, Registration, Script, Stated},
};
use aceso_interface::{
    Frame, Image, Model,
    consent::{Decision, GuardExecuteMsg, Rule},
    insurance::{Answer, Claim, Cover, Party, Share, Terms},
};
use aceso_types::{PixelDigest, guest::Origin};
use cosmwasm_std::{
    Addr, BankMsg, Binary, CosmosMsg, Env, MessageInfo, MsgResponse, Order, Reply, ReplyOn, Response, Storage,
    SubMsgResponse, SubMsgResult, Timestamp, Uint128, WasmMsg, coins, from_json,
    testing::{MockApi, MockStorage, message_info, mock_env},
};
use expect_test::Expect;

use crate::{
    Picture,
    contract::{execute, instantiate, query, reply, sudo},
    helpers::words,
    msg::{EscrowResponse, ExecuteMsg, InstantiateMsg, LostResponse, QueryMsg},
};

pub(super) const NOW: u64 = 1_000_000;
pub(super) const PRICE: u128 = 1_000;
pub(super) const FEE: u64 = 100;

pub(super) struct Stage {
    pub(super) host: Host,
    pub(super) insurance: MockDeps,
    pub(super) consent: MockDeps,
    pub(super) ledger: BTreeMap<String, i128>,
    pub(super) model: Model,
    pub(super) image: Image,
    /// An account that takes no coins.
    pub(super) refuses: Option<String>,
    pub(super) height: u64,
    /// Whether something in the transaction fails after the counter has done its work.
    pub(super) fails: bool,
    /// Jobs that were open after the last transaction, and what the running one has left with the chain for a job.
    asked: Vec<u64>,
    held: u64,
    now: u64,
}

pub(super) fn account(name: &str) -> Addr {
    MockApi::default().addr_make(name)
}

pub(super) fn origin(institution: &str, pixels: PixelDigest, study: &str) -> Origin {
    let institution = account(institution).into();
    Origin { institution, pixels, study: Origin::study_of(study), subject: Origin::subject_of("p", b"s") }
}

pub(super) fn share(to: Party, bps: u32) -> Share {
    Share { to, bps }
}

pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, String>, sentence: Expect) {
    sentence.assert_eq(&result.unwrap_err());
}

fn copy(storage: &dyn Storage) -> MockStorage {
    let mut to = MockStorage::new();
    storage.range(None, None, Order::Ascending).for_each(|(key, value)| to.set(&key, &value));
    to
}

impl Stage {
    /// Insurer, guard, a model of price [`FEE`], an image with origin, and nothing granted or insured.
    pub(super) fn new() -> Self {
        let host = Host::new(Script);
        let model = host.model(&Script::manifest("m", FEE), b"onnx", account("author").as_str()).unwrap();
        let mut stage = Self::on(host, model.into());
        stage.image = stage.register("chest|png", Some(origin("hospital", Script::pixels(b"chest|png"), "1.2.3")));
        stage
    }

    /// The two contracts on a host, with a model and no image yet.
    pub(super) fn on(host: Host, model: Model) -> Self {
        let mut stage = Self {
            insurance: host.deps(),
            consent: host.deps(),
            host,
            ledger: BTreeMap::new(),
            model,
            image: aceso_types::BlobId::of_raw(b"").into(),
            refuses: None,
            height: mock_env().block.height,
            fails: false,
            asked: vec![],
            held: 0,
            now: NOW,
        };
        let treasury = account("treasury").into();
        let msg = InstantiateMsg { insurer: None, treasury, denom: "uaceso".into() };
        let info = message_info(&account("insurer"), &[]);
        let env = stage.env("insurance");
        instantiate(stage.insurance.as_mut(), env, info.clone(), msg).unwrap();
        let env = stage.env("consent");
        aceso_consent::contract::instantiate(stage.consent.as_mut(), env, info, consent::InstantiateMsg {}).unwrap();
        stage
    }

    /// The same with a grant of many uses to the physician and a policy with coins for ten reads.
    pub(super) fn insured() -> Self {
        let mut stage = Self::new();
        stage.grant(100);
        let policy = stage.policy(|_| ()).unwrap();
        stage.fund(policy, 10 * PRICE).unwrap();
        stage
    }

    pub(super) fn env(&self, contract: &str) -> Env {
        let mut env = mock_env();
        env.block.time = Timestamp::from_seconds(self.now);
        env.block.height = self.height;
        env.contract.address = account(contract);
        env
    }

    pub(super) fn at(&mut self, seconds: u64) {
        self.now = seconds;
    }

    pub(super) fn register_as(&self, owner: &str, guard: &str, file: &str, origin: Option<Origin>) -> Image {
        self.register_bytes(owner, guard, file.as_bytes(), origin)
    }

    pub(super) fn register_bytes(&self, owner: &str, guard: &str, file: &[u8], origin: Option<Origin>) -> Image {
        let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
        let registration = Registration { owner: account(owner).into(), guard: guard.into(), origin, stated };
        self.host.image(file, registration).into()
    }

    pub(super) fn register(&self, file: &str, origin: Option<Origin>) -> Image {
        self.register_as("patient", account("consent").as_str(), file, origin)
    }

    pub(super) fn grant(&mut self, max_uses: u32) {
        self.grant_image(self.image, max_uses);
    }

    pub(super) fn grant_image(&mut self, image: Image, max_uses: u32) {
        self.grant_image_as("patient", image, max_uses);
    }

    pub(super) fn grant_image_as(&mut self, owner: &str, image: Image, max_uses: u32) {
        let rule = Rule {
            decision: Decision::Permit { max_uses },
            actors: vec![account("physician").into()],
            via: vec![],
            purposes: vec!["TREAT".into()],
            models: vec![],
            not_before: self.now,
            not_after: self.now + 1_000_000,
        };
        let msg = consent::ExecuteMsg::Grant { images: vec![image], rule, sealed: false };
        let info = message_info(&account(owner), &[]);
        let env = self.env("consent");
        aceso_consent::contract::execute(self.consent.as_mut(), env, info, msg).unwrap();
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            member: account("patient").into(),
            not_before: NOW,
            not_after: NOW + 100,
            covers: vec![Cover { model: self.model, price: Uint128::new(PRICE) }],
            origin: vec![account("hospital").into()],
            split: vec![
                share(Party::Institution {}, 2_500),
                share(Party::Author {}, 3_000),
                share(Party::Subject {}, 4_000),
                share(Party::Treasury {}, 500),
            ],
            sealed: None,
        }
    }

    pub(super) fn policy(&mut self, change: impl FnOnce(&mut Terms)) -> Result<u64, String> {
        let mut terms = self.terms();
        change(&mut terms);
        let info = message_info(&account("insurer"), &[]);
        self.send(info, ExecuteMsg::CreatePolicy { terms }).map(|response| from_json(response.data.unwrap()).unwrap())
    }

    pub(super) fn fund(&mut self, policy: u64, amount: u128) -> Result<Response, String> {
        let info = message_info(&account("insurer"), &coins(amount, "uaceso"));
        self.send(info, ExecuteMsg::Fund { policy })
    }

    pub(super) fn request(&mut self, policy: u64, image: Image) -> Result<Claim, String> {
        self.request_as("physician", policy, image, self.model, "TREAT")
    }

    pub(super) fn request_as(
        &mut self,
        sender: &str,
        policy: u64,
        image: Image,
        model: Model,
        purpose: &str,
    ) -> Result<Claim, String> {
        self.request_frame(sender, policy, Picture { image, frame: Frame::default() }, model, purpose)
    }

    pub(super) fn request_frame(
        &mut self,
        sender: &str,
        policy: u64,
        Picture { image, frame }: Picture,
        model: Model,
        purpose: &str,
    ) -> Result<Claim, String> {
        let msg = ExecuteMsg::RequestRead { policy, image, frame, model, purpose: purpose.into() };
        let response = self.send(message_info(&account(sender), &[]), msg)?;
        match from_json(response.data.unwrap()).unwrap() {
            Answer::Paid(claim) => Ok(*claim),
            Answer::Refused(refused) => Err(words(&refused)),
        }
    }

    pub(super) fn lost(&self, member: &str) -> u128 {
        self.query::<LostResponse>(QueryMsg::Lost { member: account(member).into() }).amount.u128()
    }

    pub(super) fn escrow(&self, policy: u64) -> u128 {
        let answer: EscrowResponse = self.query(QueryMsg::Escrow { policy });
        answer.amount.u128()
    }

    pub(super) fn query<T: serde::de::DeserializeOwned>(&self, msg: QueryMsg) -> T {
        from_json(query(self.insurance.as_ref(), self.env("insurance"), msg).unwrap()).unwrap()
    }

    pub(super) fn holds(&self, name: &str) -> i128 {
        self.ledger.get(account(name).as_str()).copied().unwrap_or_default()
    }

    /// One transaction with one message to the counter. What an error undoes is undone; what the host has taken stays.
    pub(super) fn send(&mut self, info: MessageInfo, msg: ExecuteMsg) -> Result<Response, String> {
        let before = (copy(&self.insurance.storage), copy(&self.consent.storage), self.ledger.clone());
        self.host.transaction(&[info.sender.as_str()]);
        let may_pay = u64::try_from(self.holds("insurance")).unwrap();
        self.host.set_coins(account("insurance").as_str(), may_pay);
        let result = match self.deliver(info, msg) {
            Ok(_) if self.fails => Err("a later message failed".into()),
            other => other,
        };
        if result.is_err() {
            (self.insurance.storage, self.consent.storage, self.ledger) = before;
        }
        let before = std::mem::replace(&mut self.asked, self.host.open_jobs());
        for &job in self.asked.clone().iter().filter(|job| result.is_err() && !before.contains(job)) {
            self.host.finish_job(job, Ended::Cancelled).unwrap();
        }
        // What stays with the chain for a job is on the ledger since the job was made; the rest went to an author.
        let taken = may_pay - self.host.coins(account("insurance").as_str());
        let held = if result.is_ok() { std::mem::take(&mut self.held) } else { 0 };
        self.held = 0;
        self.pay("insurance", account("author").as_str(), u128::from(taken - held));
        result
    }

    fn deliver(&mut self, info: MessageInfo, msg: ExecuteMsg) -> Result<Response, String> {
        let received: u128 = info.funds.iter().map(|coin| Uint128::try_from(coin.amount).unwrap().u128()).sum();
        *self.ledger.entry(account("insurance").into()).or_default() += i128::try_from(received).unwrap();
        let (env, host) = (self.env("insurance"), self.host.clone());
        let counter = account("insurance");
        let mut response = host
            .call(counter.as_str(), || execute(self.insurance.as_mut(), env.clone(), info, msg))
            .map_err(|trap| trap.to_string())?
            .map_err(|error| error.to_string())?;
        for sub in std::mem::take(&mut response.messages) {
            match sub.msg {
                CosmosMsg::Wasm(WasmMsg::Execute { contract_addr, msg, .. }) => {
                    assert_eq!(contract_addr, account("consent").as_str());
                    self.use_grant(&msg)?;
                    if sub.reply_on == ReplyOn::Success {
                        response = self.reply(env.clone(), sub.id, sub.payload)?;
                    }
                }
                CosmosMsg::Any(any) => {
                    let had = self.host.coins(counter.as_str());
                    let answer = self.host.request_read(counter.as_str(), &any)?;
                    self.held = had - self.host.coins(counter.as_str());
                    self.pay("insurance", "jobs", self.held.into());
                    response = self.reply_with(env.clone(), sub.id, sub.payload, vec![answer])?;
                }
                CosmosMsg::Bank(BankMsg::Send { .. }) => response.messages.push(sub),
                other => panic!("{other:?}"),
            }
        }
        self.transfer(&response);
        Ok(response)
    }

    fn use_grant(&mut self, msg: &Binary) -> Result<(), String> {
        let GuardExecuteMsg::Use { image, model, purpose, actor, owner, opening } = from_json(msg).unwrap();
        let msg = consent::ExecuteMsg::Use { image, model, purpose, actor, owner, opening };
        let (env, info, guard) = (self.env("consent"), message_info(&account("insurance"), &[]), account("consent"));
        let answer = self
            .host
            .clone()
            .call(guard.as_str(), || aceso_consent::contract::execute(self.consent.as_mut(), env, info, msg));
        answer.map_err(|trap| trap.to_string())?.map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) fn reply(&mut self, env: Env, id: u64, payload: Binary) -> Result<Response, String> {
        self.reply_with(env, id, payload, vec![])
    }

    pub(super) fn reply_with(
        &mut self,
        env: Env,
        id: u64,
        payload: Binary,
        msg_responses: Vec<MsgResponse>,
    ) -> Result<Response, String> {
        #[allow(deprecated, reason = "the field must be given to build a reply")]
        let result = SubMsgResult::Ok(SubMsgResponse { events: vec![], data: None, msg_responses });
        let message = Reply { id, payload, gas_used: 0, result };
        let counter = account("insurance");
        let answer = self.host.clone().call(counter.as_str(), || reply(self.insurance.as_mut(), env, message));
        answer.map_err(|trap| trap.to_string())?.map_err(|error| error.to_string())
    }

    /// Ends a job as the chain does: fees and refunds, then the contract's `sudo`, whose failure is its own.
    pub(super) fn finish(&mut self, job: u64, ended: Ended) -> Result<Response, String> {
        let Callback::AcesoRead(done) = self.end(job, ended);
        self.hear(done)
    }

    /// The first half of it: what is told, with the coins already moved.
    pub(super) fn end(&mut self, job: u64, ended: Ended) -> Callback {
        let counter = account("insurance");
        let had = self.host.coins(counter.as_str());
        let told = self.host.finish_job(job, ended).unwrap();
        let Callback::AcesoRead(done) = &told;
        let fee: u128 = done.fee.parse().unwrap();
        self.pay("jobs", account("author").as_str(), fee);
        self.pay("jobs", counter.as_str(), u128::from(self.host.coins(counter.as_str()) - had));
        told
    }

    /// The second half: `sudo`. An error undoes what it did.
    pub(super) fn hear(&mut self, done: ReadDone) -> Result<Response, String> {
        let before = (copy(&self.insurance.storage), self.ledger.clone());
        let (env, host) = (self.env("insurance"), self.host.clone());
        let counter = account("insurance");
        let told = Callback::AcesoRead(done);
        let answer = host.call(counter.as_str(), || sudo(self.insurance.as_mut(), env, told)).unwrap();
        let answer = answer.map_err(|error| error.to_string());
        match &answer {
            Ok(response) => self.transfer(response),
            Err(_) => (self.insurance.storage, self.ledger) = before,
        }
        answer
    }

    fn transfer(&mut self, response: &Response) {
        for sub in &response.messages {
            let CosmosMsg::Bank(BankMsg::Send { to_address, amount }) = &sub.msg else { panic!("{sub:?}") };
            let [coin] = amount.as_slice() else { panic!("{amount:?}") };
            assert_eq!(coin.denom, "uaceso");
            if self.refuses.as_deref() == Some(to_address.as_str()) && sub.reply_on == ReplyOn::Error {
                let env = self.env("insurance");
                self.reply(env, sub.id, sub.payload.clone()).unwrap();
            } else {
                self.pay("insurance", to_address, Uint128::try_from(coin.amount).unwrap().u128());
            }
        }
    }

    fn pay(&mut self, from: &str, to: &str, amount: u128) {
        let amount = i128::try_from(amount).unwrap();
        let from = if from == "jobs" { from.into() } else { account(from).to_string() };
        *self.ledger.entry(from).or_default() -= amount;
        *self.ledger.entry(to.into()).or_default() += amount;
    }
}
