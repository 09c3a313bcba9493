//! Our own queries: models, blobs, images, receipts, the journal, validators and upgrades.
//!
//! Asked by clients under their ABCI paths and by contracts as gRPC queries, so they read through [`Read`] alone.

use aceso_types::{
    BlobId, ModelId,
    query::{
        Asked, BlobRow, ImageRow, ImageRows, JournalRows, ModelRow, ModelRows, Page, QueryBlob, QueryImage,
        QueryImages, QueryJournal, QueryModel, QueryModels, QueryReceipt, QueryReceipts, QueryUpgrade, QueryUses,
        QueryValidator, QueryValidators, ROWS_MAX, ReceiptRow, ReceiptRows, UpgradeDone, UpgradeRow, UsesRow,
        ValidatorRows,
    },
};

use aceso_state::Order;

use crate::{
    chain,
    components::{
        MODELS, READS, VALIDATORS, blobs, models,
        reads::{self, lists},
        validators,
    },
    query::{Answered, decode, encode, sealed, status::Status},
    store::{self, Entry, Part, Read},
};

/// Rows of a page if the client names no number.
const DEFAULT: u32 = 100;

/// Answers one of our queries at a height; none if the path is not one of them.
pub(crate) fn answer(state: &mut impl Read, height: u64, path: &str, data: &[u8]) -> Option<Answered> {
    Some(match path {
        QueryModel::PATH => model(state, data),
        QueryModels::PATH => model_list(state, data),
        QueryBlob::PATH => blob(state, height, data),
        QueryImage::PATH => image(state, height, data),
        QueryImages::PATH => image_list(state, height, data),
        QueryReceipt::PATH => receipt(state, data),
        QueryReceipts::PATH => receipt_list(state, data),
        QueryJournal::PATH => journal(state, data),
        QueryUses::PATH => uses(state, data),
        QueryValidators::PATH => validator_list(state, height, data),
        QueryValidator::PATH => validator(state, height, data),
        QueryUpgrade::PATH => upgrade(state, data),
        _ => return sealed::answer(state, path, data),
    })
}

fn model(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryModel { model } = decode(data)?;
    let id: ModelId = model.parse().map_err(|e| Status::Invalid(format!("{e}")))?;
    match models::get(state, &id)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("model {id} is not registered"))),
    }
}

fn model_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryModels { page } = decode(data)?;
    let (rows, next) = list(state, MODELS, models::row_key(""), page)?;
    let mut decoded: Vec<ModelRow> = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        decoded.push(store::decode(MODELS, &key, &row)?);
    }
    encode(&ModelRows { rows: decoded, next })
}

fn blob(state: &mut impl Read, height: u64, data: &[u8]) -> Answered {
    let QueryBlob { cid } = decode(data)?;
    let cid = cid_of(&cid)?;
    match shown_blob(state, height, &cid)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("blob {cid} is not registered"))),
    }
}

fn image(state: &mut impl Read, height: u64, data: &[u8]) -> Answered {
    let QueryImage { cid } = decode(data)?;
    let cid = cid_of(&cid)?;
    match shown_image(state, height, &cid)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("image {cid} is not registered"))),
    }
}

fn image_list(state: &mut impl Read, height: u64, data: &[u8]) -> Answered {
    let QueryImages { owner, page } = decode(data)?;
    let prefix = if owner.is_empty() { lists::images() } else { lists::images_of(&owner) };
    let (entries, next) = list(state, READS, prefix.clone(), page)?;
    let mut rows = Vec::with_capacity(entries.len());
    for (key, _) in entries {
        let cid = key.get(prefix.len()..).and_then(|cid| std::str::from_utf8(cid).ok()).unwrap_or_default();
        rows.extend(shown_image(state, height, &cid_of(cid)?)?);
    }
    encode(&ImageRows { rows, next })
}

fn receipt(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryReceipt { read } = decode(data)?;
    match receipt_row(state, read)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("read {read} has no receipt"))),
    }
}

fn receipt_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryReceipts { image, page } = decode(data)?;
    let prefix = if image.is_empty() { lists::receipts() } else { lists::receipts_of(&cid_of(&image)?.to_string()) };
    let (entries, next) = list(state, READS, prefix, page)?;
    let mut rows = Vec::with_capacity(entries.len());
    for (key, _) in entries {
        let read = std::str::from_utf8(&key).ok().and_then(|key| key.rsplit('/').next()?.parse().ok());
        let read = read.ok_or_else(|| crate::error::Stop::from(store::damaged(READS, &key)))?;
        rows.extend(receipt_row(state, read)?);
    }
    encode(&ReceiptRows { rows, next })
}

fn journal(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryJournal { image, page } = decode(data)?;
    let prefix = lists::journal_of(&cid_of(&image)?.to_string());
    let (entries, next) = list(state, READS, prefix, page)?;
    encode(&JournalRows { entries: entries.into_iter().map(|(_, entry)| entry).collect(), next })
}

fn uses(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryUses { guard, grant } = decode(data)?;
    let uses = reads::uses(state, &reads::Journal::default(), &guard, &grant)?;
    encode(&UsesRow { uses })
}

fn validator_list(state: &mut impl Read, height: u64, data: &[u8]) -> Answered {
    let QueryValidators { page } = decode(data)?;
    let (decided, signing) = (validators::decided(state)?, validators::signing(state, height.saturating_add(1))?);
    let (entries, next) = list(state, VALIDATORS, validators::record_rows(), page)?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in &entries {
        rows.push(validators::shown(state, entry, &decided, &signing)?);
    }
    encode(&ValidatorRows { rows, next, total: decided.total() })
}

fn validator(state: &mut impl Read, height: u64, data: &[u8]) -> Answered {
    let QueryValidator { validator: text } = decode(data)?;
    let name = hex::decode(&text).ok().filter(|name| [20, 32].contains(&name.len()));
    let name = name.ok_or_else(|| {
        Status::Invalid("a validator is named by its consensus key or its address: 64 or 40 hexadecimal digits".into())
    })?;
    let (decided, signing) = (validators::decided(state)?, validators::signing(state, height.saturating_add(1))?);
    match validators::shown_by_name(state, &name, &decided, &signing)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("there is no validator {text}"))),
    }
}

fn upgrade(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryUpgrade {} = decode(data)?;
    let chain::Plan { name, height, info } = chain::plan(state)?.unwrap_or_default();
    let limit = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
    let done = chain::all_upgraded(state, limit)?.into_iter().map(|(name, height)| UpgradeDone { name, height });
    encode(&UpgradeRow { name, height, info, done: done.collect() })
}

fn receipt_row(state: &mut impl Read, read: u64) -> Result<Option<ReceiptRow>, Status> {
    let key = lists::receipt(read);
    let receipt = state.get(READS, &key)?;
    Ok(receipt.map(|receipt| ReceiptRow { read, receipt, key }))
}

fn shown_blob(state: &mut impl Read, height: u64, cid: &BlobId) -> Result<Option<BlobRow>, Status> {
    let decided = validators::decided(state)?;
    let Some(row) = blobs::get(state, cid)? else { return Ok(None) };
    let held = height < row.held_until(&chain::params(state)?) || models::is_kept(state, cid)?;
    Ok(Some(row.shown(cid, height, &decided, held)))
}

fn shown_image(state: &mut impl Read, height: u64, cid: &BlobId) -> Result<Option<ImageRow>, Status> {
    let Some(row) = reads::image(state, cid)? else { return Ok(None) };
    let blob = shown_blob(state, height, cid)?;
    Ok(Some(ImageRow { blob, ..row }))
}

pub(super) fn cid_of(text: &str) -> Result<BlobId, Status> {
    text.parse().map_err(|e| Status::Invalid(format!("{e}")))
}

/// A page under `prefix`, and what to ask after.
pub(super) fn list(
    state: &mut impl Read,
    component: &'static str,
    prefix: Vec<u8>,
    page: Option<Page>,
) -> Result<(Vec<Entry>, Vec<u8>), Status> {
    let Page { after, limit, reverse } = page.unwrap_or_default();
    let limit = match limit {
        0 => DEFAULT,
        limit => limit.min(ROWS_MAX),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let order = if reverse { Order::Descending } else { Order::Ascending };
    let after = (!after.is_empty()).then(|| [&prefix[..], &after].concat());
    let part = Part { prefix: prefix.clone(), order, after, from: None, limit: limit + 1 };
    let mut rows = state.page(component, &part)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more).and_then(|(key, _)| key.get(prefix.len()..));
    let next = last.map(<[u8]>::to_vec).unwrap_or_default();
    Ok((rows, next))
}
