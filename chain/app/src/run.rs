//! What is at hand while a transaction, or a query that runs a contract, is worked on.
//!
//! One object holds the state's layers, the gas meter, the events and everything that lives as long as the
//! transaction: who signed it, its journal, its permits and its open reads. Work that may fail alone runs in a frame
//! ([`Run::frame`]): writes, events and fresh permits of a failed frame are gone; the journal and the gas stay.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use aceso_state::Delta;
use aceso_types::{Height, TxIndex, journal::Entry as Line};
use aceso_vm::{Checksum, Lane};

use crate::{
    chain::Chain,
    code::{Code, Fault},
    components::reads::{Journal, OpenRead, Permit, script::Script},
    error::{Outcome, Stop},
    event::Event,
    gas::{self, Meter},
    host::{CALLS_MAX, Host},
    store::{self, Entry, Part, Range, Read, Write},
};

/// What the work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// May it enter the mempool?
    Check,
    /// May it stay there after a block?
    Recheck,
    /// What would it cost? Signatures do not count and nothing stays.
    Simulate,
    /// It is in a block.
    Deliver,
    /// A question from outside.
    Query,
}

/// The block that is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) height: Height,
    /// Nanoseconds since the Unix epoch, from the header.
    pub(crate) nanos: u64,
}

impl Block {
    /// Seconds since the Unix epoch.
    pub(crate) fn seconds(&self) -> u64 {
        self.nanos / 1_000_000_000
    }
}

/// What lives as long as the transaction.
#[derive(Default)]
pub(crate) struct TxScope {
    pub(crate) index: TxIndex,
    pub(crate) hash: [u8; 32],
    /// Who signed it, in normal form.
    pub(crate) signers: Vec<String>,
    pub(crate) journal: Journal,
    pub(crate) permits: Vec<Permit>,
    pub(crate) reads: Vec<OpenRead>,
    /// Requests for sealed reads, for the journal: unlike reads they are undone with their frame.
    pub(crate) requests: Vec<Line>,
    /// Code that has run in it.
    pub(crate) warm: BTreeSet<Checksum>,
    /// What accounts held of the chain's coin before the messages began, of those that changed since.
    pub(crate) before: BTreeMap<String, u128>,
}

/// See the module.
pub(crate) struct Run<'a> {
    pub(crate) host: &'a Host,
    pub(crate) chain: Arc<Chain>,
    pub(crate) block: Block,
    pub(crate) mode: Mode,
    pub(crate) delta: &'a mut Delta,
    pub(crate) meter: Meter,
    pub(crate) events: Vec<Event>,
    pub(crate) tx: TxScope,
    /// The transcript of the block's reads; what a failed frame has read stays in it.
    pub(crate) script: Script,
    /// How many contracts called each other on the way here.
    pub(crate) calls: u32,
    /// How many queries are inside each other.
    pub(crate) queries: u32,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        host: &'a Host,
        chain: Arc<Chain>,
        block: Block,
        mode: Mode,
        delta: &'a mut Delta,
        meter: Meter,
    ) -> Self {
        Self {
            host,
            chain,
            block,
            mode,
            delta,
            meter,
            events: Vec::new(),
            tx: TxScope::default(),
            script: Script::default(),
            calls: 0,
            queries: 0,
        }
    }

    /// Tells of something. Nobody hears of what is checked again.
    pub(crate) fn emit(&mut self, event: Event) {
        if self.mode != Mode::Recheck {
            self.events.push(event);
        }
    }

    /// Which instances of the engine's pool the work may take.
    pub(crate) fn lane(&self) -> Lane {
        if self.mode == Mode::Deliver { Lane::Block } else { Lane::Side }
    }

    /// Does work that leaves nothing behind if it fails but the journal and the gas.
    pub(crate) fn frame<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let (events, permits, reads) = (self.events.len(), self.tx.permits.len(), self.tx.reads.len());
        let requests = self.tx.requests.len();
        self.delta.checkpoint();
        let outcome = work(self);
        match &outcome {
            Ok(_) => {
                self.delta.keep();
            }
            Err(_) => {
                self.delta.discard();
                self.events.truncate(events);
                self.tx.permits.truncate(permits);
                self.tx.reads.truncate(reads);
                self.tx.requests.truncate(requests);
                self.check_reserves()?;
            }
        }
        outcome
    }

    /// Does work one contract further in. A reply counts as one, because it may send messages that have replies.
    pub(crate) fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.calls >= CALLS_MAX {
            return Err(Code::CallDepth.because(format_args!("{CALLS_MAX} contracts inside each other")).into());
        }
        self.calls += 1;
        let outcome = work(self);
        self.calls -= 1;
        outcome
    }

    /// A failed frame takes back coins that it brought. If they were needed to pay for a read that was made, the whole
    /// transaction fails: below it the account's own coins are enough, because every fee was checked against them.
    fn check_reserves(&mut self) -> Outcome<()> {
        let denom = self.chain.denom.clone();
        for (payer, fee) in self.tx.journal.fees() {
            let stored = crate::components::bank::stored(&mut store::Bare(self.delta), payer, &denom)?;
            if stored < fee {
                let fault = Code::ReadFundsMoved
                    .because(format_args!("{payer} owes {fee}{denom} for reads and has moved all but {stored}{denom}"));
                return Err(fault.fatal().into());
            }
        }
        Ok(())
    }

    /// Runs `work` on a meter of its own with at most `limit` gas, then charges what it used.
    pub(crate) fn limited<T>(&mut self, limit: u64, work: impl FnOnce(&mut Self) -> Outcome<T>) -> (Outcome<T>, Meter) {
        let outer = std::mem::replace(&mut self.meter, Meter::new(limit));
        let outcome = work(self);
        let inner = std::mem::replace(&mut self.meter, outer);
        (outcome, inner)
    }

    fn price(&mut self, price: (u64, u64), bytes: usize, what: &'static str) -> Result<(), Fault> {
        self.meter.spend_linear(price, bytes, what)
    }

    /// The first entries of a range, of which a few are read ahead before they are paid.
    pub(crate) fn range(&mut self, component: &'static str, range: Range, limit: usize) -> Outcome<Vec<Entry>> {
        const AHEAD: usize = 32;
        let Range { start, end, order } = range;
        let mut entries: Vec<Entry> = Vec::new();
        if end.as_ref().is_some_and(|end| *end <= start) {
            return Ok(entries);
        }
        while entries.len() < limit {
            let after = entries.last().map(|(key, _)| key.as_slice());
            let count = AHEAD.min(limit - entries.len());
            let page = self.delta.page(component, Some(&start), end.as_deref(), order, after, count)?;
            for (key, value) in &page {
                self.price(gas::NEXT, key.len() + value.len(), "IterNextFlat")?;
            }
            let over = page.len() < count;
            entries.extend(page);
            if over {
                break;
            }
        }
        Ok(entries)
    }
}

impl Read for Run<'_> {
    fn get(&mut self, component: &'static str, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let value = self.delta.get(component, key)?;
        self.price(gas::READ, key.len() + value.as_ref().map_or(0, Vec::len), "ReadPerByte")?;
        Ok(value)
    }

    fn page(&mut self, component: &'static str, part: &Part) -> Outcome<Vec<Entry>> {
        let entries = store::page(self.delta, component, part)?;
        for (key, value) in &entries {
            self.price(gas::NEXT, key.len() + value.len(), "IterNextFlat")?;
        }
        Ok(entries)
    }

    fn reserved(&self, address: &str, denom: &str) -> u128 {
        if denom == self.chain.denom { self.tx.journal.owed(address) } else { 0 }
    }

    fn vests_at(&self) -> Option<u64> {
        self.chain.vests.then(|| self.block.seconds())
    }
}

impl Write for Run<'_> {
    fn set(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Outcome<()> {
        self.price(gas::WRITE, key.len() + value.len(), "WritePerByte")?;
        Ok(self.delta.set(component, key, value)?)
    }

    fn set_along(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Outcome<()> {
        Ok(self.delta.set(component, key, value)?)
    }

    fn remove(&mut self, component: &'static str, key: &[u8]) -> Outcome<()> {
        self.meter.spend(gas::REMOVE, "Delete")?;
        Ok(self.delta.remove(component, key)?)
    }

    fn before_balance(&mut self, address: &str, denom: &str, stored: u128) {
        if denom == self.chain.denom && !self.tx.before.contains_key(address) {
            self.tx.before.insert(address.into(), stored);
        }
    }
}

/// The deterministic part of a failure, or the halt.
pub(crate) fn fault(stop: Stop) -> Result<Fault, Stop> {
    match stop {
        Stop::Refused(fault) => Ok(fault),
        halt => Err(halt),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aceso_blobs::BlobStore;
    use aceso_state::{Options, Store};
    use aceso_types::{BlobId, ModelId, journal::Event as What};
    use aceso_vm::{Vm, VmConfig};

    use super::*;
    use crate::{
        COMPONENTS,
        address::Address,
        coin::Coins,
        components::bank,
        host::{ModelCache, Reopen, Shown},
    };

    const DENOM: &str = "uaceso";

    /// Opens nothing: no work here disputes anything.
    struct Nothing;

    impl Reopen for Nothing {
        fn outcome(&self, _: &Shown<'_>) -> aceso_types::sealed::Outcome {
            panic!("nothing is opened here")
        }
    }

    fn account(seed: u8) -> Address {
        Address::of_bytes(&[seed; 20], "aceso").unwrap()
    }

    /// Work in a transaction in which accounts 1 and 2 hold 100 coins each.
    pub(crate) fn with_run(work: impl FnOnce(&mut Run<'_>)) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state"), Options::new(COMPONENTS, 1)).unwrap();
        let blobs = BlobStore::open(&dir.path().join("blobs"), aceso_blobs::Options::default()).unwrap();
        let host = Host {
            vm: Vm::new(VmConfig::new(dir.path().join("wasm"))).unwrap(),
            blobs: Arc::new(blobs),
            fetch: None,
            reopen: &Nothing,
            models: ModelCache::new(0, Default::default(), None),
            signatures: Default::default(),
            decoded: Default::default(),
            threads: 1,
            looking: Default::default(),
        };
        let chain = Arc::new(Chain::named("chain"));
        let mut delta = Delta::new(store.snapshot());
        for seed in [1, 2] {
            bank::mint(&mut store::Bare(&mut delta), &account(seed), DENOM, 100).unwrap();
        }
        let block = Block { height: Height(1), nanos: 0 };
        work(&mut Run::new(&host, chain, block, Mode::Deliver, &mut delta, Meter::new(u64::MAX)));
    }

    fn send(run: &mut Run<'_>, from: u8, to: u8, amount: u128) -> Outcome<()> {
        bank::send(run, &account(from), &account(to), &Coins::one(DENOM, amount))
    }

    /// Account 1 has read for 50 coins.
    fn owe(run: &mut Run<'_>) {
        run.tx.journal.note(Line {
            height: Height(1),
            tx: TxIndex(0),
            image: BlobId::of_raw(b"image"),
            model: ModelId::default(),
            caller: account(1).into(),
            event: What::Read {
                guard: String::new(),
                grant: String::new(),
                r#use: 0,
                frame: aceso_types::Frame::FIRST,
                fee: 50,
                author: account(3).into(),
            },
        });
    }

    #[test]
    fn what_is_owed_for_a_read_is_not_spent_elsewhere() {
        with_run(|run| {
            owe(run);
            assert_eq!(bank::balance(run, account(1).as_str(), DENOM).unwrap(), 50);
            let fault = fault(send(run, 1, 2, 51).unwrap_err()).unwrap();
            assert_eq!(fault.code, Code::InsufficientFunds);
            assert!(send(run, 1, 2, 50).is_ok());
            crate::tx::journal::write(run).unwrap();
            let held = [1, 2, 3].map(|seed| bank::balance(run, account(seed).as_str(), DENOM).unwrap());
            assert_eq!(held, [0, 150, 50]);
        });
    }

    #[test]
    fn a_failed_frame_that_takes_the_fee_back_takes_the_transaction_with_it() {
        with_run(|run| {
            let outcome = run.frame(|run| {
                send(run, 1, 2, 80)?;
                let lost: Outcome<()> = run.frame(|run| {
                    send(run, 2, 1, 80)?;
                    owe(run);
                    Err(Code::ExecuteFailed.plain().into())
                });
                lost
            });
            let fault = fault(outcome.unwrap_err()).unwrap();
            assert_eq!((fault.code, fault.reach), (Code::ReadFundsMoved, crate::code::Reach::Tx));
            // Below the transaction the account's own coins are enough.
            crate::tx::journal::write(run).unwrap();
            let held = [1, 2, 3].map(|seed| bank::balance(run, account(seed).as_str(), DENOM).unwrap());
            assert_eq!(held, [50, 100, 50]);
        });
    }

    #[test]
    fn a_failed_frame_leaves_nothing_but_gas_and_journal() {
        with_run(|run| {
            let outcome: Outcome<()> = run.frame(|run| {
                send(run, 1, 2, 10)?;
                Err(Code::ExecuteFailed.plain().into())
            });
            assert!(outcome.is_err() && run.events.is_empty() && run.meter.used() > 0);
            assert_eq!(bank::balance(run, account(1).as_str(), DENOM).unwrap(), 100);
        });
    }
}
