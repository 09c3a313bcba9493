//! Blobs that validators hold: registered for a term, pending until more than two thirds of the power say that they
//! hold them, available a few blocks later, expired at the end of the term.
//!
//! Bytes are not here but in the blob store; a blob that is available in this table and cannot be read from the store
//! is a failure of the machine, never of a transaction.

use aceso_blobs::BlobError;
use aceso_types::{
    BlobId,
    genesis::Params,
    msg::{Availability, MsgRegisterBlob, MsgRegisterBlobResponse},
    query::{BlobRow, BlobStatus},
    signers::places,
};

use crate::{
    attest,
    chain::Chain,
    code::{Code, Fault},
    coin::Coins,
    components::{
        BLOBS, bank, models,
        validators::{self, Table},
    },
    error::{AppError, Outcome},
    event::Event,
    host::Host,
    run::{Mode, Run},
    store::{Bare, Part, Read, Write, damaged},
};

/// Blobs that a block looks at after the validators have changed; the rest wait for the next one.
const SWEEP_MAX: usize = 256;
/// Terms that a block ends at most, oldest first; the rest wait for the next one.
const EXPIRIES_MAX: usize = 64;
/// Pending registrations that are looked at in one go.
pub(crate) const PENDING_MAX: usize = 256;
/// Millionths in a coin, bytes in the unit of the price.
const MICRO: u128 = 1_000_000;
const KIB: u128 = 1_024;

/// Every key of the component. Renaming one is a state migration.
mod keys {
    /// `blob/bafkrei…`
    pub(super) fn blob(cid: &str) -> Vec<u8> {
        format!("blob/{cid}").into_bytes()
    }

    /// `pending/00000000000000000012` — the registration's number
    pub(super) fn pending(number: u64) -> Vec<u8> {
        format!("pending/{number:020}").into_bytes()
    }

    /// `delayed/00000000000000001234/bafkrei…` — the height from which on it is available
    pub(super) fn delayed(height: u64, cid: &str) -> Vec<u8> {
        format!("delayed/{height:020}/{cid}").into_bytes()
    }

    /// `expiry/00000000000000001234/bafkrei…` — the height at which the term is over
    pub(super) fn expiry(height: u64, cid: &str) -> Vec<u8> {
        format!("expiry/{height:020}/{cid}").into_bytes()
    }

    /// `sweep`: how far the look at blobs has come that began when the validators changed.
    pub(super) fn sweep() -> Vec<u8> {
        b"sweep".to_vec()
    }

    /// `registrations`: how many there have been.
    pub(super) fn registrations() -> Vec<u8> {
        b"registrations".to_vec()
    }

    /// The height in a key of [`delayed`] or [`expiry`].
    pub(super) fn height_of(key: &[u8]) -> Option<u64> {
        std::str::from_utf8(key).ok()?.split('/').nth(1)?.parse().ok()
    }

    #[test]
    fn keys_do_not_change() {
        let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
        expect_test::expect![[r#"
            blob/b
            pending/00000000000000000012
            delayed/00000000000000001234/b
            expiry/00000000000000001234/b
            sweep
            registrations"#]]
        .assert_eq(
            &[blob("b"), pending(12), delayed(1234, "b"), expiry(1234, "b"), sweep(), registrations()]
                .map(text)
                .join("\n"),
        );
        assert_eq!(height_of(&expiry(1234, "b")), Some(1234));
    }
}

/// A registration.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Row {
    #[prost(string, tag = "1")]
    pub(crate) owner: String,
    #[prost(uint64, tag = "2")]
    pub(crate) size: u64,
    /// The first height at which the term is over.
    #[prost(uint64, tag = "3")]
    pub(crate) expires: u64,
    /// The height from which on it is available; 0 until it is attested.
    #[prost(uint64, tag = "4")]
    pub(crate) available_from: u64,
    /// The registration's number.
    #[prost(uint64, tag = "5")]
    pub(crate) number: u64,
    /// The numbers of the validators that attested it.
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) attesters: Vec<u32>,
}

/// The look at blobs after the validators have changed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Sweep {
    /// The last key that was looked at; empty for none yet.
    #[prost(bytes = "vec", tag = "1")]
    after: Vec<u8>,
    /// Whether they have changed since, so that it begins again when it is through.
    #[prost(bool, tag = "2")]
    again: bool,
}

impl Row {
    /// Where the blob stands at a height, given the validators as they are decided.
    pub(crate) fn status(&self, height: u64, decided: &Table) -> BlobStatus {
        match self.available_from {
            _ if height >= self.expires => BlobStatus::Expired,
            from if from != 0 && height >= from && decided.are_enough(&self.attesters) => BlobStatus::Available,
            _ => BlobStatus::Pending,
        }
    }

    /// The first height at which a node need not hold it any more for this registration.
    pub(crate) fn held_until(&self, params: &Params) -> u64 {
        self.expires.saturating_add(params.blob_grace)
    }

    /// The row as queries show it; `held` is whether nodes hold the bytes.
    pub(crate) fn shown(&self, cid: &BlobId, height: u64, decided: &Table, held: bool) -> BlobRow {
        BlobRow {
            cid: cid.to_string(),
            size: self.size,
            expires: self.expires,
            status: self.status(height, decided).into(),
            available_from: self.available_from,
            owner: self.owner.clone(),
            held,
        }
    }
}

/// A CID as a client wrote it.
pub(crate) fn parse(cid: &str) -> Result<BlobId, Fault> {
    cid.parse().map_err(|e| Code::BlobId.because(e))
}

/// A registration, if there has been one.
pub(crate) fn get(state: &mut impl Read, cid: &BlobId) -> Outcome<Option<Row>> {
    state.row(BLOBS, &keys::blob(&cid.to_string()))
}

/// A blob that is available at a height; refused in words otherwise.
pub(crate) fn available(state: &mut impl Read, cid: &BlobId, height: u64) -> Outcome<Row> {
    let Some(row) = get(state, cid)? else {
        return Err(Code::BlobUnknown.because(cid).into());
    };
    let words = match row.status(height, &validators::decided(state)?) {
        BlobStatus::Available => return Ok(row),
        BlobStatus::Expired => format!("{cid}: its term ended at height {}", row.expires),
        BlobStatus::Pending if row.available_from > height => {
            format!("{cid}: available from height {}", row.available_from)
        }
        BlobStatus::Pending => format!("{cid}: too few validators have said that they hold it"),
    };
    Err(Code::BlobUnavailable.because(words).into())
}

/// The bytes of a blob that is available. If they are not here they are fetched; that this fails is this machine's
/// fault.
pub(crate) fn bytes(host: &Host, cid: &BlobId, size: u64) -> Result<Vec<u8>, AppError> {
    let lost = |reason| AppError::Blob { id: *cid, reason: Box::new(reason) };
    let bytes = match (host.blobs.read(cid, size), &host.fetch) {
        (Err(BlobError::Missing { .. } | BlobError::Incomplete(_) | BlobError::Corrupt(_)), Some(fetch)) => {
            fetch.fetch(cid, size).map_err(|reason| AppError::Fetch { id: Box::new(*cid), size, reason })?;
            host.blobs.read(cid, size).map_err(lost)?
        }
        (read, _) => read.map_err(lost)?,
    };
    if bytes.len() as u64 != size {
        return Err(AppError::BlobSize { id: *cid, got: bytes.len() as u64, want: size });
    }
    Ok(bytes)
}

/// A page of at most `limit` registrations in the order of their names: those of them that nodes should hold, because
/// the term is not over or whoever begins at the genesis needs it, and after which name the next page begins, if there is
/// one.
pub(crate) fn live(
    state: &mut impl Read,
    height: u64,
    after: Option<&BlobId>,
    limit: usize,
) -> Outcome<(Vec<crate::WantedBlob>, Option<BlobId>)> {
    let mut part = Part::first(keys::blob(""), limit);
    part.after = after.map(|id| keys::blob(&id.to_string()));
    let (mut live, mut last) = (Vec::new(), None);
    let rows = state.page(BLOBS, &part)?;
    let full = rows.len() == limit;
    for (key, row) in rows {
        let row: Row = crate::store::decode(BLOBS, &key, &row)?;
        let name = key.get(keys::blob("").len()..).and_then(|name| std::str::from_utf8(name).ok());
        let id: BlobId = name.and_then(|name| name.parse().ok()).ok_or_else(|| damaged(BLOBS, &key))?;
        last = Some(id).filter(|_| full);
        if row.expires > height || models::is_kept(state, &id)? {
            live.push(crate::WantedBlob { id, size: row.size, expires: row.expires });
        }
    }
    Ok((live, last))
}

/// `MsgRegisterBlob`.
pub(crate) fn register_msg(run: &mut Run<'_>, msg: &MsgRegisterBlob) -> Outcome<MsgRegisterBlobResponse> {
    let cid = parse(&msg.cid)?;
    if let Some(row) = get(run, &cid)?.filter(|row| row.expires > run.block.height.0) {
        let words = format_args!("{cid}: by {} until height {}", row.owner, row.expires);
        return Err(Code::BlobRegistered.because(words).into());
    }
    let expires = register(run, &msg.owner, &cid, msg.size, msg.term)?;
    Ok(MsgRegisterBlobResponse { expires })
}

/// Registers a blob for a term, or joins the registration that there is: then its size must be the same, and its term
/// stays. Answers the end of the term.
pub(crate) fn register_or_join(run: &mut Run<'_>, owner: &str, cid: &BlobId, size: u64, term: u64) -> Outcome<u64> {
    match get(run, cid)?.filter(|row| row.expires > run.block.height.0) {
        Some(row) if row.size == size => Ok(row.expires),
        Some(row) => {
            let words = format_args!("{cid}: registered with {} bytes, not {size}", row.size);
            Err(Code::BlobTerms.because(words).into())
        }
        None => register(run, owner, cid, size, term),
    }
}

fn register(run: &mut Run<'_>, owner: &str, cid: &BlobId, size: u64, term: u64) -> Outcome<u64> {
    let chain = run.chain.clone();
    let owner = chain.address(owner)?;
    let (bytes_max, term_max) = (chain.params.blob_bytes_max, chain.params.blob_term_max);
    if !(1..=bytes_max).contains(&size) {
        return Err(Code::BlobTerms.because(format_args!("{cid}: {size} bytes, not 1 to {bytes_max}")).into());
    }
    if !(1..=term_max).contains(&term) {
        return Err(Code::BlobTerms
            .because(format_args!("{cid}: a term of {term} blocks, not 1 to {term_max}"))
            .into());
    }
    let height = run.block.height.0;
    let expires = height.saturating_add(term);
    let price = price(&chain, size, term);
    if price > 0 {
        bank::send(run, &owner, &chain.fee_collector, &Coins::one(&chain.denom, price))?;
    }
    let number = run.count(BLOBS, keys::registrations())?;
    let text = cid.to_string();
    let row = Row { owner: owner.to_string(), size, expires, available_from: 0, number, attesters: Vec::new() };
    run.put(BLOBS, keys::blob(&text), &row)?;
    run.set(BLOBS, keys::pending(number), text.clone().into_bytes())?;
    run.set(BLOBS, keys::expiry(expires, &text), number.to_be_bytes().into())?;
    run.emit(
        Event::new("register_blob")
            .with("cid", text)
            .with("owner", owner.as_str())
            .with("size", size.to_string())
            .with("expires", expires.to_string())
            .with("price", format!("{price}{}", chain.denom)),
    );
    Ok(expires)
}

/// What a term costs: a price per started KiB and block, the sum rounded up to whole coins.
pub(crate) fn price(chain: &Chain, size: u64, term: u64) -> u128 {
    let kib = u128::from(size).div_ceil(KIB);
    let micro = kib.saturating_mul(u128::from(term)).saturating_mul(u128::from(chain.params.blob_price_micro));
    micro.div_ceil(MICRO)
}

/// Registrations that are not attested yet, oldest first.
pub(crate) fn pending(state: &mut impl Read, limit: usize) -> Outcome<Vec<(BlobId, Row)>> {
    let entries = state.page(BLOBS, &Part::first(b"pending/".to_vec(), limit))?;
    let mut pending = Vec::with_capacity(entries.len());
    for (key, cid) in entries {
        let id: Option<BlobId> = std::str::from_utf8(&cid).ok().and_then(|cid| cid.parse().ok());
        let Some(id) = id else { return Err(damaged(BLOBS, &key).into()) };
        if let Some(row) = get(state, &id)? {
            pending.push((id, row));
        }
    }
    Ok(pending)
}

/// Whether a blob waits for the height from which on it is available.
pub(crate) fn is_delayed(state: &mut impl Read) -> Outcome<bool> {
    Ok(!state.page(BLOBS, &Part::first(b"delayed/".to_vec(), 1))?.is_empty())
}

/// Checks a statement against the state as it stands before the transactions of the block that carries it, and answers
/// the numbers of those who make it. `table` signed the votes that it was added up from.
pub(crate) fn check_attestation(
    state: &mut impl Read,
    table: &Table,
    chain: &Chain,
    height: u64,
    said: &Availability,
) -> Outcome<Vec<u32>> {
    let refuse = |what: &str| Err(Code::AttestInvalid.because(format_args!("{}: {what}", said.cid)).into());
    let cid = parse(&said.cid)?;
    let Some(row) = get(state, &cid)? else { return refuse("not registered") };
    if row.available_from != 0 || row.expires <= height {
        return refuse("not pending");
    }
    if (row.size, row.expires) != (said.size, said.expires) || cid.to_string() != said.cid {
        return refuse("another registration than the pending one");
    }
    let Some(slots) = places(&said.signers, table.members.len()) else {
        return refuse("the signers' bits do not fit the validator table");
    };
    let signers: Vec<_> = slots.into_iter().filter_map(|slot| table.members.get(slot)).collect();
    if signers.iter().any(|one| one.bls_key.is_empty()) {
        return refuse("a signer has no attestation key");
    }
    if !table.is_enough(signers.iter().map(|one| one.power).sum()) {
        return refuse("not more than two thirds of the power");
    }
    let numbers: Vec<u32> = signers.iter().map(|one| one.number).collect();
    if !validators::decided(state)?.are_enough(&numbers) {
        return refuse("not more than two thirds of the power that is decided");
    }
    let keys: Vec<Vec<u8>> = signers.iter().map(|one| one.bls_key.clone()).collect();
    let message = Availability::sign_bytes(&chain.id, &said.cid, said.size, said.expires);
    match attest::check_together(&keys, &message, &said.signature) {
        Ok(()) => Ok(numbers),
        Err(e) => refuse(&e.to_string()),
    }
}

/// Puts a checked statement into effect, after the delay in which everyone fetches the bytes.
pub(crate) fn attested(
    state: &mut impl Write,
    chain: &Chain,
    height: u64,
    said: &Availability,
    attesters: Vec<u32>,
) -> Outcome<Event> {
    let key = keys::blob(&said.cid);
    let Some(row) = state.row::<Row>(BLOBS, &key)? else { return Err(damaged(BLOBS, &key).into()) };
    let available_from = height.saturating_add(chain.params.available_delay);
    state.remove(BLOBS, &keys::pending(row.number))?;
    state.set(BLOBS, keys::delayed(available_from, &said.cid), b"1".to_vec())?;
    state.put(BLOBS, key, &Row { available_from, attesters, ..row })?;
    models::blob_attested(state, &said.cid, available_from)?;
    Ok(Event::new("blob_available")
        .with("cid", said.cid.as_str())
        .with("available_from", available_from.to_string())
        .with("expires", said.expires.to_string()))
}

/// What a block does to blobs before its transactions: delays that are over are forgotten, terms that are over end.
pub(crate) fn begin_block(state: &mut impl Write, height: u64) -> Outcome<Vec<Event>> {
    let over = |key: &[u8]| keys::height_of(key).is_some_and(|at| at <= height);
    for (key, _) in state.page(BLOBS, &Part::first(b"delayed/".to_vec(), EXPIRIES_MAX))? {
        if over(&key) {
            state.remove(BLOBS, &key)?;
        }
    }
    let mut events = Vec::new();
    for (key, number) in state.page(BLOBS, &Part::first(b"expiry/".to_vec(), EXPIRIES_MAX))? {
        if !over(&key) {
            break;
        }
        state.remove(BLOBS, &key)?;
        // A registration that nobody attested is pending to its end.
        let number = <[u8; 8]>::try_from(number.as_slice()).map_err(|_| damaged(BLOBS, &key))?;
        state.remove(BLOBS, &keys::pending(u64::from_be_bytes(number)))?;
        let cid = String::from_utf8_lossy(&key).rsplit('/').next().map(String::from).unwrap_or_default();
        events.push(Event::new("blob_expired").with("cid", cid));
    }
    Ok(events)
}

/// Begins a look at all blobs: the validators have changed, and those who attested some may hold too little power now.
/// Such a blob is pending at once, whenever it is looked at; the look puts it back among those that wait for attesters.
pub(crate) fn begin_sweep(state: &mut impl Write) -> Outcome<()> {
    let running: Option<Sweep> = state.row(BLOBS, &keys::sweep())?;
    state.put(BLOBS, keys::sweep(), &Sweep { again: true, ..running.unwrap_or_default() })
}

/// Whether such a look is not through yet.
pub(crate) fn is_sweeping(state: &mut impl Read) -> Outcome<bool> {
    Ok(state.get(BLOBS, &keys::sweep())?.is_some())
}

/// Looks at the next blobs, after a block's transactions.
pub(crate) fn end_block(state: &mut impl Write, height: u64) -> Outcome<Vec<Event>> {
    let Some(Sweep { after, again }) = state.row(BLOBS, &keys::sweep())? else { return Ok(Vec::new()) };
    let decided = validators::decided(state)?;
    let again = again && !after.is_empty();
    let part = Part { after: Some(after).filter(|key| !key.is_empty()), ..Part::first(keys::blob(""), SWEEP_MAX) };
    let rows = state.page(BLOBS, &part)?;
    let mut events = Vec::new();
    for (key, row) in &rows {
        let row: Row = crate::store::decode(BLOBS, key, row)?;
        if row.available_from == 0 || height >= row.expires || decided.are_enough(&row.attesters) {
            continue;
        }
        let cid = String::from_utf8_lossy(key.get(keys::blob("").len()..).unwrap_or_default()).into_owned();
        state.remove(BLOBS, &keys::delayed(row.available_from, &cid))?;
        state.set(BLOBS, keys::pending(row.number), cid.clone().into_bytes())?;
        state.put(BLOBS, key.clone(), &Row { available_from: 0, attesters: Vec::new(), ..row })?;
        events.push(Event::new("blob_pending").with("cid", cid));
    }
    let next = match rows.last().filter(|_| rows.len() == SWEEP_MAX) {
        Some((last, _)) => Some(Sweep { after: last.clone(), again }),
        None => again.then(Sweep::default),
    };
    match next {
        // A row may not be empty: what begins again is marked.
        Some(next) if next == Sweep::default() => state.put(BLOBS, keys::sweep(), &Sweep { again: true, ..next })?,
        Some(next) => state.put(BLOBS, keys::sweep(), &next)?,
        None => state.remove(BLOBS, &keys::sweep())?,
    }
    Ok(events)
}

/// The size of an available blob, as contracts ask for it; none in a simulation of bytes that nobody holds yet.
pub(crate) fn size(run: &mut Run<'_>, cid: &str) -> Outcome<Option<u64>> {
    let Ok(cid) = parse(cid) else { return Ok(None) };
    let height = run.block.height.0;
    let row = get(run, &cid)?;
    let simulated = run.mode == Mode::Simulate;
    let decided = validators::decided(&mut Bare(run.delta))?;
    Ok(row.filter(|row| simulated || row.status(height, &decided) == BlobStatus::Available).map(|row| row.size))
}
