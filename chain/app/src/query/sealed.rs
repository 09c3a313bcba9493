//! Questions about sealed records: readers' keys, records, grants, review items, jobs, roots, members.

use aceso_types::query::{
    Asked, GrantRows, JobRows, Page, QueryConduct, QueryGrant, QueryGrants, QueryJob, QueryJobs, QueryReader,
    QueryRecord, QueryRecords, QueryResults, QueryReviews, QueryRoot, RecordRows, ResultRows, ReviewRow, ReviewRows,
};

use crate::{
    components::{
        SEALED,
        sealed::{conduct, grants, jobs, lists, readers, records, results, roots},
    },
    query::{
        Answered, decode, encode,
        ours::{cid_of, list},
        status::Status,
    },
    store::{self, Entry, Read},
};

/// Bytes of rows after which a page ends early; who asks goes on from there.
const BYTES_MAX: usize = 1 << 20;

/// Answers a question about sealed records; none if the path is not one of these.
pub(super) fn answer(state: &mut impl Read, path: &str, data: &[u8]) -> Option<Answered> {
    Some(match path {
        QueryReader::PATH => reader(state, data),
        QueryRecord::PATH => record(state, data),
        QueryRecords::PATH => record_list(state, data),
        QueryGrant::PATH => grant(state, data),
        QueryGrants::PATH => grant_list(state, data),
        QueryReviews::PATH => review_list(state, data),
        QueryJob::PATH => job(state, data),
        QueryJobs::PATH => job_list(state, data),
        QueryRoot::PATH => root(state, data),
        QueryResults::PATH => result_list(state, data),
        QueryConduct::PATH => member_conduct(state, data),
        _ => return None,
    })
}

fn reader(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryReader { account, epoch, latest } = decode(data)?;
    let (row, which) = match latest {
        true => (readers::latest(state, &account)?, "a key".into()),
        false => (readers::get(state, &account, epoch)?, format!("a key of epoch {epoch}")),
    };
    match row {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("{account} has not registered {which}"))),
    }
}

fn record(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryRecord { record, owner, cid } = decode(data)?;
    let (row, which) = match record {
        0 => (records::of_file(state, &owner, &cid_of(&cid)?)?, format!("of {owner} with file {cid}")),
        number => (records::get(state, number)?, number.to_string()),
    };
    match row {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("there is no sealed record {which}"))),
    }
}

fn record_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryRecords { owner, page } = decode(data)?;
    let prefix = if owner.is_empty() { lists::all_records() } else { lists::owned_by(&owner) };
    let (rows, next) = rows(state, prefix, page, |state, (key, _)| {
        let number = last(key).and_then(|text| text.parse().ok());
        let number = number.ok_or_else(|| crate::error::Stop::from(store::damaged(SEALED, key)))?;
        Ok(records::get(state, number)?)
    })?;
    encode(&RecordRows { rows, next })
}

fn grant(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryGrant { granter, grant } = decode(data)?;
    match grants::get(state, &granter, grant)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("{granter} has not given a grant {grant}"))),
    }
}

fn grant_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryGrants { record, recipient, page } = decode(data)?;
    let prefix = if record == 0 { lists::grants_for(&recipient) } else { lists::grants_of(record) };
    let (rows, next) = rows(state, prefix, page, |state, (key, _)| {
        let name = std::str::from_utf8(key).ok().and_then(|key| {
            let mut parts = key.rsplit('/');
            let number: u64 = parts.next()?.parse().ok()?;
            Some((parts.next()?, number))
        });
        let (granter, number) = name.ok_or_else(|| crate::error::Stop::from(store::damaged(SEALED, key)))?;
        Ok(grants::get(state, granter, number)?)
    })?;
    encode(&GrantRows { rows, next })
}

fn review_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryReviews { record, page } = decode(data)?;
    let (rows, next) = rows(state, lists::reviews_of(record), page, |_, (key, row)| {
        Ok(Some(store::decode::<ReviewRow>(SEALED, key, row)?))
    })?;
    encode(&ReviewRows { rows, next })
}

fn result_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryResults { operator, cid, page } = decode(data)?;
    if operator.is_empty() {
        let cid = cid_of(&cid)?.to_string();
        return encode(&ResultRows { rows: results::get(state, &cid)?.into_iter().collect(), next: Vec::new() });
    }
    let (rows, next) = rows(state, lists::results_of(&operator), page, |state, (key, cid)| {
        let cid = std::str::from_utf8(cid).map_err(|_| crate::error::Stop::from(store::damaged(SEALED, key)))?;
        Ok(results::get(state, cid)?)
    })?;
    encode(&ResultRows { rows, next })
}

fn job(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryJob { job } = decode(data)?;
    match jobs::get(state, job)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("there is no job {job}"))),
    }
}

fn job_list(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryJobs { open, requester, page } = decode(data)?;
    let prefix = match (requester.as_str(), open) {
        ("", true) => lists::all_open(),
        ("", false) => lists::all_jobs(),
        (requester, _) => lists::asked_by(requester),
    };
    let (rows, next) = rows(state, prefix, page, |state, (key, _)| {
        let number = lists::job_of(key).ok_or_else(|| crate::error::Stop::from(store::damaged(SEALED, key)))?;
        Ok(jobs::get(state, number)?.filter(|row| !open || jobs::is_open(row)))
    })?;
    encode(&JobRows { rows, next })
}

fn root(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryRoot { number, latest } = decode(data)?;
    let wanted = if latest { roots::number(state)?.unwrap_or_default() } else { number };
    match roots::get(state, wanted)? {
        Some(row) => encode(&row),
        None => Err(Status::NotFound(format!("there is no root {wanted}"))),
    }
}

fn member_conduct(state: &mut impl Read, data: &[u8]) -> Answered {
    let QueryConduct { number } = decode(data)?;
    // Who was in no committee that came to an outcome has done nothing, good or bad.
    encode(&conduct::get(state, number)?.unwrap_or_default())
}

/// The last part of a key.
fn last(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()
}

/// Rows of a page, which ends early where they are large, and what to ask after.
fn rows<S: Read, M: prost::Message>(
    state: &mut S,
    prefix: Vec<u8>,
    page: Option<Page>,
    row_of: impl Fn(&mut S, &Entry) -> Result<Option<M>, Status>,
) -> Result<(Vec<M>, Vec<u8>), Status> {
    let (entries, next) = list(state, SEALED, prefix.clone(), page)?;
    let (mut rows, mut bytes) = (Vec::with_capacity(entries.len()), 0);
    let count = entries.len();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(row) = row_of(state, entry)? {
            bytes += row.encoded_len();
            rows.push(row);
        }
        if bytes >= BYTES_MAX && index + 1 < count {
            return Ok((rows, entry.0.get(prefix.len()..).unwrap_or_default().to_vec()));
        }
    }
    Ok((rows, next))
}
