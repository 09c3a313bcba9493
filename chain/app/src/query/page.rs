//! Pages of lists, as the SDK's `query.Paginate` has them.

use cosmos_sdk_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};

use aceso_state::Order;

use crate::{
    error::Outcome,
    query::status::Status,
    store::{Entry, Part, Read},
};

/// Rows of a page if the client names no number.
const DEFAULT: u64 = 100;
/// Most rows of a page.
const MAX: u64 = 1_000;
/// Bytes of rows after which a page ends early; the client asks for the rest.
const BYTES_MAX: usize = 8 << 20;
/// Most rows that are counted or skipped.
const COUNT_MAX: usize = 10_000;
/// Most rows that are looked at for a page.
const SEEN_MAX: usize = 2 * COUNT_MAX;
/// Rows that are held at a time while counting.
const CHUNK: usize = 64;

/// The rows of a page under `prefix`, and what the client needs for the next one. The next key is what follows the
/// prefix.
pub(crate) fn page(
    state: &mut impl Read,
    component: &'static str,
    prefix: Vec<u8>,
    request: Option<PageRequest>,
) -> Result<(Vec<Entry>, PageResponse), Status> {
    select(state, component, prefix, request, |entry| Ok(Some(entry)))
}

/// The same of those rows of which `keep` makes something. Where it passes many over, a page ends early, empty perhaps, and
/// has a next key.
pub(crate) fn select<T>(
    state: &mut impl Read,
    component: &'static str,
    prefix: Vec<u8>,
    request: Option<PageRequest>,
    mut keep: impl FnMut(Entry) -> Outcome<Option<T>>,
) -> Result<(Vec<T>, PageResponse), Status> {
    let request = request.unwrap_or_default();
    if request.offset > 0 && !request.key.is_empty() {
        return Err(Status::Invalid("invalid request, either offset or key is expected, got both".into()));
    }
    let limit = match request.limit {
        0 => DEFAULT,
        limit => limit.min(MAX),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let skip = usize::try_from(request.offset).unwrap_or(usize::MAX).min(COUNT_MAX);
    // The SDK counts where the client gives no limit and no key.
    let counts = request.key.is_empty() && (request.count_total || request.limit == 0);
    let from = (!request.key.is_empty()).then(|| [&prefix[..], &request.key].concat());
    let order = if request.reverse { Order::Descending } else { Order::Ascending };
    let part = Part { prefix: prefix.clone(), order, after: None, from, limit: CHUNK };

    let (mut kept, mut bytes, mut found, mut seen) = (Vec::new(), 0, 0, 0);
    let (mut next_key, mut failed) = (Vec::new(), None);
    walk(state, component, part, |entry| {
        seen += 1;
        let size = entry.0.len() + entry.1.len();
        let own = entry.0.get(prefix.len()..).map(<[u8]>::to_vec).unwrap_or_default();
        let one = match keep(entry) {
            Ok(one) => one,
            Err(stop) => {
                failed = Some(stop);
                return false;
            }
        };
        let full = kept.len() == limit || bytes >= BYTES_MAX;
        if seen > SEEN_MAX || (full && one.is_some()) {
            next_key = own;
            return false;
        }
        let Some(one) = one else { return true };
        found += 1;
        if found > skip {
            bytes += size;
            kept.push(one);
        }
        true
    })?;
    let mut total = 0;
    if counts && failed.is_none() {
        let mut seen = 0;
        walk(state, component, Part::first(prefix, CHUNK), |entry| {
            seen += 1;
            match keep(entry) {
                Ok(one) => total += u64::from(one.is_some()),
                Err(stop) => failed = Some(stop),
            }
            seen < COUNT_MAX && failed.is_none()
        })?;
    }
    match failed {
        Some(stop) => Err(stop.into()),
        None => Ok((kept, PageResponse { next_key, total })),
    }
}

/// Shows a part's entries one after the other, as long as they are wanted, and holds a few at a time.
fn walk(
    state: &mut impl Read,
    component: &'static str,
    mut part: Part,
    mut wanted: impl FnMut(Entry) -> bool,
) -> Result<(), Status> {
    loop {
        let entries = state.page(component, &part)?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        part.after = Some(last.clone());
        let full = entries.len() == part.limit;
        for entry in entries {
            if !wanted(entry) {
                return Ok(());
            }
        }
        if !full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use aceso_state::{Delta, Options, Store};

    use super::*;
    use crate::{
        COMPONENTS,
        components::BANK,
        store::{Bare, Write},
    };

    #[test]
    fn a_list_longer_than_what_is_held_at_a_time_is_shown_in_pages() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::new(COMPONENTS, 1)).unwrap();
        let mut delta = Delta::new(store.snapshot());
        let mut state = Bare(&mut delta);
        for row in 0..200_u8 {
            state.set(BANK, vec![b'p', row], vec![row + 1]).unwrap();
        }
        state.set(BANK, b"q".to_vec(), vec![1]).unwrap();
        let mut ask = |request: PageRequest| {
            let (rows, next) = page(&mut state, BANK, b"p".to_vec(), Some(request)).unwrap();
            let ends = [rows.first(), rows.last()].map(|row| row.map(|(key, _)| key[1]));
            (rows.len(), ends, next.next_key, next.total)
        };
        let all = |limit| PageRequest { limit, ..PageRequest::default() };
        assert_eq!(ask(all(0)), (100, [Some(0), Some(99)], vec![100], 200));
        assert_eq!(ask(all(200)), (200, [Some(0), Some(199)], vec![], 0));
        let after = |key, limit| PageRequest { key: vec![key], limit, ..PageRequest::default() };
        assert_eq!(ask(after(100, 90)), (90, [Some(100), Some(189)], vec![190], 0));
        assert_eq!(ask(PageRequest { offset: 150, ..all(70) }), (50, [Some(150), Some(199)], vec![], 0));
        assert_eq!(ask(PageRequest { reverse: true, ..after(70, 70) }), (70, [Some(70), Some(1)], vec![0], 0));
        let both = PageRequest { offset: 1, ..after(1, 1) };
        assert!(matches!(page(&mut state, BANK, b"p".to_vec(), Some(both)), Err(Status::Invalid(_))));
    }

    #[test]
    fn rows_that_are_passed_over_do_not_hold_a_page_up_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::new(COMPONENTS, 1)).unwrap();
        let mut delta = Delta::new(store.snapshot());
        let mut state = Bare(&mut delta);
        let count = u32::try_from(SEEN_MAX).unwrap() + 7;
        for row in 0..count {
            state.set(BANK, [b"p", &row.to_be_bytes()[..]].concat(), vec![1]).unwrap();
        }
        let mut ask = |wanted: [u32; 3], request: PageRequest| {
            let number = |key: &[u8]| u32::from_be_bytes(key[1..].try_into().unwrap());
            let keep = |(key, _): Entry| Ok(Some(number(&key)).filter(|number| wanted.contains(number)));
            let (rows, next) = select(&mut state, BANK, b"p".to_vec(), Some(request), keep).unwrap();
            (rows, next.next_key, next.total)
        };
        let (wanted, last) = ([3, 5, count - 1], count - 1);
        let all = PageRequest { limit: 9, ..PageRequest::default() };
        let (rows, next, _) = ask(wanted, all.clone());
        assert_eq!((rows, &next[..]), (vec![3, 5], &(count - 7).to_be_bytes()[..]));
        assert_eq!(ask(wanted, PageRequest { key: next, ..all.clone() }), (vec![last], vec![], 0));
        // A full page goes on at what comes next of these, not at a row that is none of them.
        let two = PageRequest { limit: 1, ..all.clone() };
        assert_eq!(ask(wanted, two).1, 5_u32.to_be_bytes());
        let counted = PageRequest { offset: 1, count_total: true, limit: 1, ..PageRequest::default() };
        assert_eq!((ask([3, 5, 7], counted.clone()).0, ask([3, 5, 7], counted).2), (vec![5], 3));
    }
}
