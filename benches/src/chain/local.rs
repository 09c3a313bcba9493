//! Our application in this process, called as CometBFT calls it.

use std::{
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_app::{App, COMPONENTS, Config, Reopen, Shown, attest::AttestKey};
use aceso_blobs::BlobStore;
use aceso_client::{Account, Chain};
use aceso_state::{Changes, Options, Order, Store};
use aceso_test_support::{contract, random::Random};
use aceso_types::{
    genesis::{Attester, Balance, Coin, Genesis, Params},
    sealed::{Failure, Outcome},
};
use anyhow::{Context, Result, bail, ensure};
use bech32::{Bech32, Hrp};
use bytes::Bytes;
use cosmos_sdk_proto::{
    cosmos::auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
    traits::Message,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tendermint::{
    Hash, PublicKey, Time,
    abci::{
        request::CheckTxKind,
        types::{CommitInfo, ExecTxResult},
    },
    account, block, consensus, evidence, public_key,
    v0_38::abci::{request, response},
    validator,
};

use super::{
    ACCOUNTS, Settings,
    load::{FUNDS, People},
    process, row,
};

/// Heights that stay readable, as the stated disk space has it.
const KEEP: u64 = 100;
/// The validator's public key: of RFC 8032, section 7.1.
const CONSENSUS: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// People who get their rows in one commit when a state is made large.
const BATCH: usize = 250_000;

/// There are no disputes here.
struct NoDisputes;

impl Reopen for NoDisputes {
    fn outcome(&self, _: &Shown<'_>) -> Outcome {
        Outcome::Failed(Failure::Key)
    }
}

/// An application with a token, and who has of it.
struct Local {
    app: Option<App>,
    home: TempDir,
    people: People,
    height: u64,
    token: String,
}

/// Seconds that a part of the work took.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    wall: f64,
    cpu: f64,
}

/// What a load took.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    txs: usize,
    check: Spent,
    propose: Spent,
    finalize: Spent,
    commit: Spent,
    bytes: f64,
}

/// Runs all cases of one process.
pub(crate) fn run(settings: &Settings, emit: &mut impl FnMut(Value)) -> Result<()> {
    let count = if settings.quick { 4_000 } else { 20_000 };
    let mut tokens = vec![("token", contract("token"))];
    if let Some(path) = &settings.cw20 {
        tokens.push(("cw20_base", std::fs::read(path)?));
    }
    for (name, wasm) in &tokens {
        for block in [100, 1_000] {
            let mut local = Local::start(wasm)?;
            let totals = local.load(count, block, true, 0)?;
            totals.tell(&format!("{name}, blocks of {block}"), emit);
        }
        let mut local = Local::start(wasm)?;
        let totals = local.load(count, 1_000, false, 0)?;
        totals.tell_execution(&format!("{name}, blocks of 1000, never checked before"), emit);
    }
    large(&contract("token"), settings.quick, count, emit)
}

/// The same transfers, each to anybody, over a small state and over large ones.
fn large(wasm: &[u8], quick: bool, count: usize, emit: &mut impl FnMut(Value)) -> Result<()> {
    let sizes: &[u64] = if quick { &[10_000, 300_000] } else { &[10_000, 1_000_000, 10_000_000] };
    let mut small: Option<[f64; 2]> = None;
    for size in sizes {
        let mut local = Local::start(wasm)?;
        let people = local.fill(*size)?;
        // The first blocks bring in what is touched by all.
        local.load(count / 4, 1_000, true, people)?;
        let totals = local.load(count, 1_000, true, people)?;
        let case = format!("token, blocks of 1000, {size} keys");
        totals.tell_execution(&case, emit);
        let each = [totals.whole(), totals.execution()].map(|spent| spent.cpu / totals.txs as f64);
        if let (Some(small), [whole, execution]) = (small, each) {
            let mut tell = |what: &str, times: f64, peer: Option<(f64, &'static str)>| {
                emit(row(&format!("{case}: {what}, processor, against 10000 keys"), times, "times", peer));
            };
            tell("CheckTx to Commit", whole / small[0], Some((1.5, "target")));
            tell("FinalizeBlock + Commit", execution / small[1], None);
        }
        small.get_or_insert(each);
    }
    Ok(())
}

/// Somebody who owns something and never sends.
fn other(number: u64, prefix: &str) -> Result<String> {
    let digest = Sha256::digest(number.to_be_bytes());
    Ok(bech32::encode::<Bech32>(Hrp::parse(prefix)?, digest.get(..20).unwrap_or_default())?)
}

impl Totals {
    fn tell(&self, what: &str, emit: &mut impl FnMut(Value)) {
        let txs = self.txs as f64;
        let mut tell = |case: &str, seconds: f64, must: Option<f64>| {
            let peer = must.map(|must| (must, "target"));
            emit(row(&format!("{what}: {case}"), seconds * 1e6 / txs, "us", peer));
        };
        tell("CheckTx", self.check.wall, None);
        tell("CheckTx, processor", self.check.cpu, Some(100.0));
        tell("proposal made and checked", self.propose.wall, None);
        tell("FinalizeBlock", self.finalize.wall, None);
        tell("Commit", self.commit.wall, None);
        self.tell_execution(what, emit);
        let bytes = (600.0, "target");
        emit(row(&format!("{what}: disk per transfer, {KEEP} heights kept"), self.bytes / txs, "bytes", Some(bytes)));
    }

    fn tell_execution(&self, what: &str, emit: &mut impl FnMut(Value)) {
        let (Spent { wall, cpu }, each) = (self.execution(), 1e6 / self.txs as f64);
        emit(row(&format!("{what}: FinalizeBlock + Commit"), wall * each, "us", None));
        emit(row(&format!("{what}: FinalizeBlock + Commit, processor"), cpu * each, "us", Some((120.0, "target"))));
    }

    fn execution(&self) -> Spent {
        self.finalize + self.commit
    }

    /// All that a transaction costs the application of who proposes it.
    fn whole(&self) -> Spent {
        self.check + self.propose + self.execution()
    }
}

impl Local {
    /// A chain with accounts, a contract and what they have of it.
    fn start(wasm: &[u8]) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let chain =
            Chain { id: "bench".into(), prefix: "aceso".into(), denom: "uaceso".into(), gas_price_micro: 25_000 };
        let people = People::new(ACCOUNTS, chain)?;
        let app = Some(open(home.path())?);
        let mut local = Self { app, home, people, height: 0, token: String::new() };
        local.app()?.init_chain(genesis(&local.people)?)?;
        local.block(&[], &mut Totals::default())?;
        local.learn()?;
        let store = local.people.store(wasm)?;
        let code = attribute(&local.one(store)?, "store_code", "code_id")?.parse()?;
        let instantiate = local.people.instantiate(code)?;
        local.token = attribute(&local.one(instantiate)?, "instantiate", "_contract_address")?;
        Ok(local)
    }

    fn app(&self) -> Result<&App> {
        self.app.as_ref().context("the application is closed")
    }

    fn learn(&mut self) -> Result<()> {
        let app = self.app.as_ref().context("the application is closed")?;
        self.people.learn(|address| account(app, address))
    }

    fn one(&mut self, tx: Vec<u8>) -> Result<ExecTxResult> {
        let mut done = self.block(&[tx.into()], &mut Totals::default())?;
        done.tx_results.pop().context("no result")
    }

    /// Makes the state larger: for every row of the first account as many people get one as come to `rows`. Answers how
    /// many people there are now beside the accounts.
    fn fill(&mut self, rows: u64) -> Result<u64> {
        self.app = None;
        let store = Store::open(&self.home.path().join("state"), Options::new(COMPONENTS, 1))?;
        let (first, prefix) =
            (self.people.addresses.first().cloned().context("no accounts")?, &self.people.chain.prefix);
        let mut own = Vec::new();
        for component in COMPONENTS {
            for entry in store.snapshot().range(component, None, None, Order::Ascending) {
                let (key, value) = entry?;
                if find(&key, first.as_bytes()).is_some() && key.len() < 200 {
                    own.push((*component, key, value));
                }
            }
        }
        ensure!(own.len() >= 3, "the account has only {} rows", own.len());
        let people = rows / own.len() as u64;
        for begin in (0..people).step_by(BATCH) {
            let mut changes = Changes::new();
            for number in begin..(begin + BATCH as u64).min(people) {
                let name = other(number, prefix)?;
                for (component, key, value) in &own {
                    let (key, value) = (renamed(key, &first, &name), renamed(value, &first, &name));
                    changes.set(component, key, value)?;
                }
            }
            self.height += 1;
            store.commit(store.stage(self.height, &changes)?)?;
        }
        // As after many heights: nothing that these commits replaced is left, and nothing of theirs is still to be merged.
        self.height += 1;
        store.commit(store.stage(self.height, &Changes::new())?)?;
        store.compact()?;
        drop(store);
        self.app = Some(open(self.home.path())?);
        settle()?;
        Ok(people)
    }

    /// Transfers in blocks, after CheckTx or without, each to one of `people` or, where there are none, to an account.
    fn load(&mut self, count: usize, block: usize, check: bool, people: u64) -> Result<Totals> {
        let (accounts, prefix) = (self.people.addresses.clone(), self.people.chain.prefix.clone());
        let to = |random: &mut Random| match people {
            0 => Ok(accounts[usize::try_from(random.below(accounts.len() as u64))?].clone()),
            people => other(random.below(people), &prefix),
        };
        let txs: Vec<Bytes> = self.people.transfers(&self.token, count, to)?.into_iter().map(Bytes::from).collect();
        let mut totals = Totals { txs: txs.len(), ..Totals::default() };
        let before = process::size(self.home.path())?;
        for txs in txs.chunks(block) {
            if check {
                totals.check.time(|| self.check(txs))?;
            }
            self.block(txs, &mut totals)?;
        }
        totals.bytes = process::size(self.home.path())? as f64 - before as f64;
        Ok(totals)
    }

    fn check(&self, txs: &[Bytes]) -> Result<()> {
        for tx in txs {
            let done = self.app()?.check_tx(request::CheckTx { tx: tx.clone(), kind: CheckTxKind::New });
            ensure!(done.code.is_ok(), "CheckTx said {}", done.log);
        }
        Ok(())
    }

    /// One block, as its proposer has it.
    fn block(&mut self, txs: &[Bytes], totals: &mut Totals) -> Result<response::FinalizeBlock> {
        self.height += 1;
        let (app, height, time) = (self.app()?, block::Height::try_from(self.height)?, time(self.height)?);
        totals.propose.time(|| {
            let proposed = app.prepare_proposal(request::PrepareProposal {
                max_tx_bytes: 4 << 20,
                txs: txs.to_vec(),
                local_last_commit: None,
                misbehavior: vec![],
                height,
                time,
                next_validators_hash: Hash::None,
                proposer_address: account::Id::new([0; 20]),
            });
            ensure!(proposed.txs.len() == txs.len(), "only {} of {} were proposed", proposed.txs.len(), txs.len());
            let accepted = app.process_proposal(request::ProcessProposal {
                txs: txs.to_vec(),
                proposed_last_commit: None,
                misbehavior: vec![],
                hash: Hash::None,
                height,
                time,
                next_validators_hash: Hash::None,
                proposer_address: account::Id::new([0; 20]),
            });
            ensure!(accepted == response::ProcessProposal::Accept, "the proposal was rejected");
            Ok(())
        })?;
        let request = request::FinalizeBlock {
            txs: txs.to_vec(),
            decided_last_commit: CommitInfo { round: 0_u16.into(), votes: vec![] },
            misbehavior: vec![],
            hash: Hash::None,
            height,
            time,
            next_validators_hash: Hash::None,
            proposer_address: account::Id::new([0; 20]),
        };
        let done = totals.finalize.time(|| Ok(app.finalize_block(request)?))?;
        totals.commit.time(|| Ok(app.commit()?))?;
        if let Some(failed) = done.tx_results.iter().find(|result| result.code.is_err()) {
            bail!("a transaction failed: {}", failed.log);
        }
        Ok(done)
    }
}

impl std::ops::Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

impl Spent {
    /// Counts what some work takes.
    fn time<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (cpu, begun) = (process::cpu("self")?, Instant::now());
        let done = work()?;
        self.wall += begun.elapsed().as_secs_f64();
        self.cpu += process::cpu("self")? - cpu;
        Ok(done)
    }
}

/// Waits until the store's own threads have sorted what it was given at once: that is no transfer's time.
fn settle() -> Result<()> {
    const PAUSE: Duration = Duration::from_secs(1);
    for _ in 0..600 {
        let before = process::cpu("self")?;
        sleep(PAUSE);
        if process::cpu("self")? - before < PAUSE.as_secs_f64() / 20.0 {
            break;
        }
    }
    Ok(())
}

fn find(bytes: &[u8], name: &[u8]) -> Option<usize> {
    bytes.windows(name.len()).position(|window| window == name)
}

/// The same bytes with another name of the same length.
fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(at) = find(&bytes, from.as_bytes()) {
        bytes.splice(at..at + from.len(), to.bytes());
    }
    bytes
}

fn open(home: &Path) -> Result<App> {
    let blobs = Arc::new(BlobStore::open(&home.join("blobs"), aceso_blobs::Options::default())?);
    let mut config = Config::new(home, blobs, &NoDisputes);
    config.keep_heights = KEEP;
    config.threads = std::thread::available_parallelism()?.get();
    Ok(App::open(config)?)
}

fn genesis(people: &People) -> Result<request::InitChain> {
    let mut consensus = [0; 32];
    hex::decode_to_slice(CONSENSUS, &mut consensus)?;
    let attest = AttestKey::generate(&[7; 32]).context("no attestation key")?;
    let coins = vec![Coin { denom: people.chain.denom.clone(), amount: FUNDS.to_string() }];
    let genesis = Genesis {
        prefix: people.chain.prefix.clone(),
        denom: people.chain.denom.clone(),
        balances: people
            .addresses
            .iter()
            .map(|address| Balance { address: address.clone(), coins: coins.clone() })
            .collect(),
        denom_metadata: vec![],
        vesting: vec![],
        codes: vec![],
        attesters: vec![Attester {
            consensus_key: consensus.to_vec(),
            bls_key: attest.public().to_vec(),
            possession: attest.possession(&consensus, 0).to_vec(),
            operator: String::new(),
            name: String::new(),
        }],
        authority: String::new(),
        params: Params::default(),
        contracts: vec![],
        proof_spec: serde_json::from_str(&aceso_state::proof_spec_json())?,
        state: None,
    };
    let key = PublicKey::from_raw_ed25519(&consensus).context("not a key")?;
    Ok(request::InitChain {
        time: time(0)?,
        chain_id: people.chain.id.clone(),
        consensus_params: consensus::Params {
            block: block::Size { max_bytes: 4 << 20, max_gas: -1, time_iota_ms: 1 },
            evidence: evidence::Params {
                max_age_num_blocks: 1,
                max_age_duration: evidence::Duration(Duration::from_secs(1)),
                max_bytes: 0,
            },
            validator: consensus::params::ValidatorParams { pub_key_types: vec![public_key::Algorithm::Ed25519] },
            version: None,
            abci: consensus::params::AbciParams { vote_extensions_enable_height: Some(1_u32.into()) },
        },
        validators: vec![validator::Update { pub_key: key, power: 10_u32.into() }],
        app_state_bytes: serde_json::to_vec(&genesis)?.into(),
        initial_height: 1_u32.into(),
    })
}

fn time(height: u64) -> Result<Time> {
    Ok(Time::from_unix_timestamp(1_700_000_000 + i64::try_from(height)?, 0)?)
}

fn account(app: &App, address: &str) -> Result<Account> {
    let data = QueryAccountRequest { address: address.into() }.encode_to_vec().into();
    let path = "/cosmos.auth.v1beta1.Query/Account".into();
    let answer = app.query(request::Query { data, path, height: 0_u32.into(), prove: false });
    ensure!(answer.code.is_ok(), "{address}: {}", answer.log);
    let account = QueryAccountResponse::decode(&answer.value[..])?.account.context("no account")?;
    let account = BaseAccount::decode(&account.value[..])?;
    Ok(Account { number: account.account_number, sequence: account.sequence })
}

fn attribute(result: &ExecTxResult, kind: &str, key: &str) -> Result<String> {
    ensure!(result.code.is_ok(), "a transaction failed: {}", result.log);
    let attributes = result.events.iter().filter(|event| event.kind == kind).flat_map(|event| &event.attributes);
    let mut found = attributes.filter(|attribute| attribute.key_bytes() == key.as_bytes());
    Ok(found.next().with_context(|| format!("no {kind}.{key}"))?.value_str()?.to_owned())
}
