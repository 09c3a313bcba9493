//! Pages of lists, as the SDK's `query.Paginate` has them.

use cosmos_sdk_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};

use aceso_state::Order;

use crate::{
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

    let (mut rows, mut bytes, mut seen) = (Vec::new(), 0, 0);
    let mut next_key = Vec::new();
    walk(state, component, part, |(key, value)| {
        seen += 1;
        if seen <= skip {
            return true;
        }
        if rows.len() == limit || bytes >= BYTES_MAX {
            next_key = key.get(prefix.len()..).map(<[u8]>::to_vec).unwrap_or_default();
            return false;
        }
        bytes += key.len() + value.len();
        rows.push((key, value));
        true
    })?;
    let mut total = 0;
    if counts {
        walk(state, component, Part::first(prefix, CHUNK), |_| {
            total += 1;
            total < COUNT_MAX as u64
        })?;
    }
    Ok((rows, PageResponse { next_key, total }))
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
}
