//! A load whose every acknowledged transaction is written down.
//!
//! Each worker has an account of its own and one transaction at a time, so that its sequence says whether one got in.
//! A transaction that a node took and that is in no block after a while is handed to another node, the same bytes: it
//! can be executed once only. Acknowledged is what some node shows in a block.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use aceso_client::{Account, Client, ClientError, Key};
use anyhow::{Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::cosmos::tx::v1beta1::TxBody;
use sha2::{Digest, Sha256};

use crate::{
    net::{Net, ask},
    random::Random,
};

/// What every account owns at first.
pub(crate) const FUNDS: u128 = 1_000_000_000_000;
/// Gas that a transfer is given.
const GAS: u64 = 120_000;
/// How long a network may take for one transaction, whatever happens to it.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a transaction may be in no block before it is handed to another node.
const LOST: Duration = Duration::from_secs(3);

/// Accounts of a load.
pub(crate) struct Accounts {
    pub(crate) keys: Vec<Key>,
    /// Who gets all that is sent.
    pub(crate) sink: Key,
    /// Who decides on validators and upgrades, and does all that is not part of the load.
    pub(crate) authority: Key,
    /// The words of the authority's key.
    pub(crate) words: String,
    /// Who does other things at the same time.
    pub(crate) guests: Vec<Key>,
    /// Contracts that own coins which were somebody's.
    pub(crate) contracts: Vec<String>,
}

impl Accounts {
    pub(crate) fn new(workers: usize) -> Result<Self> {
        let keys: Result<Vec<Key>, ClientError> = (0..workers).map(|_| Key::generate().map(|(key, _)| key)).collect();
        let (authority, words) = Key::generate()?;
        let sink = Key::generate()?.0;
        Ok(Self { keys: keys?, sink, authority, words, guests: Vec::new(), contracts: Vec::new() })
    }

    /// Everybody who owns coins at first.
    pub(crate) fn people(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().chain([&self.sink, &self.authority]).chain(&self.guests)
    }

    /// `--fund` of a network that this load will run on.
    pub(crate) fn funds(&self) -> Vec<String> {
        self.people().map(|key| format!("{}={FUNDS}uaceso", key.address("aceso"))).collect()
    }
}

/// What was acknowledged: hash in upper-case hexadecimal → height and amount.
pub(crate) type Ledger = BTreeMap<String, (u64, u128)>;

/// A running load.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
    workers: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    /// Starts sending, each worker as fast as it is answered.
    pub(crate) fn start(net: &Net, accounts: &Accounts, random: &mut Random) -> Self {
        let (stop, ledger) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Ledger::new())));
        let ends: Vec<(String, String)> = net.nodes.iter().map(|node| (node.rpc.clone(), node.rest.clone())).collect();
        let to = accounts.sink.address("aceso");
        let workers = accounts.keys.iter().map(|key| {
            let worker = Worker {
                key: key.clone(),
                account: None,
                to: to.clone(),
                ends: ends.clone(),
                random: Random::new(random.next()),
                stop: Arc::clone(&stop),
                ledger: Arc::clone(&ledger),
            };
            std::thread::spawn(move || worker.run())
        });
        Self { workers: workers.collect(), stop, ledger }
    }

    /// How many transactions were acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets every worker finish the transaction that it is at, and answers with what was acknowledged.
    pub(crate) fn finish(self) -> Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            match worker.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a worker of the load panicked"),
            }
        }
        Ok(std::mem::take(&mut *self.ledger.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

struct Worker {
    key: Key,
    account: Option<Account>,
    to: String,
    ends: Vec<(String, String)>,
    random: Random,
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Worker {
    fn run(mut self) -> Result<()> {
        let mut sent: u64 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            sent += 1;
            let Some(tx) = self.next(sent) else {
                sleep(Duration::from_millis(100));
                continue;
            };
            let height = self.deliver(&tx.bytes)?;
            if let Some(account) = &mut self.account {
                account.sequence += 1;
            }
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.insert(hex::encode_upper(Sha256::digest(&tx.bytes)), (height, tx.amount));
        }
        Ok(())
    }

    /// A client of some node that answers.
    fn client(&mut self) -> Option<Client> {
        let (rpc, rest) = &self.ends[usize::try_from(self.random.below(self.ends.len() as u64)).ok()?];
        Client::connect(rpc, rest).ok()
    }

    /// The next transfer, signed; none while no node tells the account's sequence.
    fn next(&mut self, number: u64) -> Option<Signed> {
        let client = self.client()?;
        let from = client.address(&self.key);
        // Asked once: a validator that lags would tell a sequence that is over.
        if self.account.is_none() {
            self.account = client.account(&from).ok();
        }
        let account = self.account.as_ref()?;
        let amount = u128::from(1 + self.random.below(1000));
        let body = TxBody {
            messages: vec![client.msg_send(&from, &self.to, amount)],
            memo: format!("{number}"),
            ..TxBody::default()
        };
        Some(Signed { bytes: client.signed(&self.key, &body, account, GAS), amount })
    }

    /// Hands a transaction to nodes until one of them shows it in a block, and answers with the block's height. It is
    /// an error if it got in and failed.
    fn deliver(&mut self, tx: &[u8]) -> Result<u64> {
        let hash = hex::encode_upper(Sha256::digest(tx));
        let first = Instant::now();
        loop {
            // Whatever the answer is: a node that lags says that the sequence is wrong, one that is ahead has seen it.
            let submitted = self.client().and_then(|client| client.submit(tx).ok());
            let begun = Instant::now();
            while begun.elapsed() < LOST {
                for (rpc, _) in &self.ends {
                    match found(rpc, &hash) {
                        Some((height, 0)) => return Ok(height),
                        Some((height, code)) => bail!("{hash} failed in block {height} with code {code}"),
                        None => {}
                    }
                }
                sleep(Duration::from_millis(50));
            }
            if submitted.is_none() {
                sleep(Duration::from_millis(100));
            }
            if first.elapsed() > PATIENCE {
                bail!("{hash} is in no block after {} s", PATIENCE.as_secs());
            }
        }
    }
}

struct Signed {
    bytes: Vec<u8>,
    amount: u128,
}

/// Where a node has a transaction, and its code.
pub(crate) fn found(rpc: &str, hash: &str) -> Option<(u64, u64)> {
    let result = ask(rpc, &format!("tx?hash=0x{hash}"), Duration::from_secs(2)).ok()?;
    Some((result["height"].as_str()?.parse().ok()?, result["tx_result"]["code"].as_u64()?))
}

/// The hash of a transaction as blocks hold it, in base64.
pub(crate) fn hash_of(base64: &str) -> Option<String> {
    Some(hex::encode_upper(Sha256::digest(STANDARD.decode(base64).ok()?)))
}
