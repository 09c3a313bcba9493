//! How components see the state: rows under keys, behind a trait to read and a trait to write.
//!
//! A query handler is handed a [`Read`] and can change nothing. [`View`] reads a committed height, [`Bare`] reads and
//! writes without a price (genesis, the journal, what happens between transactions), and [`Run`](crate::run::Run)
//! charges for every row. Contracts' own storage does not come through here: the engine charges for it.

use aceso_state::{Delta, Order, Snapshot};
use prost::Message;

use crate::error::{AppError, Outcome};

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// A part of a component's keys: all that begin with `prefix`, in `order`, after `after`, at most `limit`.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) prefix: Vec<u8>,
    pub(crate) order: Order,
    /// The key after which the part begins.
    pub(crate) after: Option<Vec<u8>>,
    /// The key, as it sorts, at which the part begins, if `after` is none.
    pub(crate) from: Option<Vec<u8>>,
    pub(crate) limit: usize,
}

impl Part {
    /// The first entries.
    pub(crate) fn first(prefix: Vec<u8>, limit: usize) -> Self {
        Self { prefix, order: Order::Ascending, after: None, from: None, limit }
    }

    /// The bounds that take in just these keys.
    fn bounds(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let end = prefix_end(&self.prefix);
        match (&self.from, self.order) {
            (Some(from), Order::Ascending) => (from.clone().max(self.prefix.clone()), end),
            // The key itself belongs to the part, so the exclusive end lies one step behind it.
            (Some(from), Order::Descending) => {
                let behind: Vec<u8> = from.iter().copied().chain([0]).collect();
                (self.prefix.clone(), Some(end.map_or(behind.clone(), |end| end.min(behind))))
            }
            (None, _) => (self.prefix.clone(), end),
        }
    }
}

/// The keys of a component from `start` on and before `end`, in `order`; none where they cross.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
    pub(crate) order: Order,
}

/// The first key that does not begin with `prefix`; none if all larger keys do.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// Reads rows.
pub(crate) trait Read {
    /// The value of a key.
    fn get(&mut self, component: &'static str, key: &[u8]) -> Outcome<Option<Vec<u8>>>;

    /// Entries in order.
    fn page(&mut self, component: &'static str, part: &Part) -> Outcome<Vec<Entry>>;

    /// Coins of an account that are promised already, though they still stand in its row.
    fn reserved(&self, _address: &str, _denom: &str) -> u128 {
        0
    }

    /// The time that decides what accounts which vest can spend, in seconds since the Unix epoch; none where nobody is
    /// held to it.
    fn vests_at(&self) -> Option<u64> {
        None
    }

    /// A row in protobuf.
    fn row<M: Message + Default>(&mut self, component: &'static str, key: &[u8]) -> Outcome<Option<M>>
    where
        Self: Sized,
    {
        self.get(component, key)?.map(|bytes| decode(component, key, &bytes)).transpose()
    }

    /// A counter; zero where there is none yet.
    fn counter(&mut self, component: &'static str, key: &[u8]) -> Outcome<u64> {
        let Some(bytes) = self.get(component, key)? else { return Ok(0) };
        let bytes = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| damaged(component, key))?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// Writes rows.
pub(crate) trait Write: Read {
    /// Sets a key. Neither key nor value may be empty.
    fn set(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Outcome<()>;

    /// Sets a key that is written with another one, whose price has this one in it.
    fn set_along(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Outcome<()> {
        self.set(component, key, value)
    }

    /// Removes a key, present or not.
    fn remove(&mut self, component: &'static str, key: &[u8]) -> Outcome<()>;

    /// Called before an account's row of coins changes, with what stands in it.
    fn before_balance(&mut self, _address: &str, _denom: &str, _stored: u128) {}

    /// Writes a row in protobuf.
    fn put<M: Message>(&mut self, component: &'static str, key: Vec<u8>, row: &M) -> Outcome<()>
    where
        Self: Sized,
    {
        self.set(component, key, row.encode_to_vec())
    }

    /// Counts one up and answers the new number; the first is 1.
    fn count(&mut self, component: &'static str, key: Vec<u8>) -> Outcome<u64> {
        let next = self.counter(component, &key)?.saturating_add(1);
        self.set(component, key, next.to_be_bytes().into())?;
        Ok(next)
    }
}

/// Decodes a row that this application wrote.
pub(crate) fn decode<M: Message + Default>(component: &'static str, key: &[u8], bytes: &[u8]) -> Outcome<M> {
    Ok(M::decode(bytes).map_err(|_| damaged(component, key))?)
}

/// A row that this application did not write, where it ought to have.
pub(crate) fn damaged(component: &'static str, key: &[u8]) -> AppError {
    AppError::Row { component, key: String::from_utf8_lossy(key).into_owned() }
}

/// A committed height.
pub(crate) struct View(pub(crate) Snapshot);

impl Read for View {
    fn get(&mut self, component: &'static str, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        Ok(self.0.get(component, key)?)
    }

    fn page(&mut self, component: &'static str, part: &Part) -> Outcome<Vec<Entry>> {
        page(&Delta::new(self.0.clone()), component, part)
    }
}

/// A delta without prices.
pub(crate) struct Bare<'a>(pub(crate) &'a mut Delta);

impl Read for Bare<'_> {
    fn get(&mut self, component: &'static str, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        Ok(self.0.get(component, key)?)
    }

    fn page(&mut self, component: &'static str, part: &Part) -> Outcome<Vec<Entry>> {
        page(self.0, component, part)
    }
}

impl Write for Bare<'_> {
    fn set(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Outcome<()> {
        Ok(self.0.set(component, key, value)?)
    }

    fn remove(&mut self, component: &'static str, key: &[u8]) -> Outcome<()> {
        Ok(self.0.remove(component, key)?)
    }
}

/// The entries of a part.
pub(crate) fn page(delta: &Delta, component: &'static str, part: &Part) -> Outcome<Vec<Entry>> {
    let (start, end) = part.bounds();
    Ok(delta.page(component, Some(&start), end.as_deref(), part.order, part.after.as_deref(), part.limit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_its_neighbour() {
        assert_eq!(prefix_end(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(prefix_end(&[1, 255]), Some(vec![2]));
        assert_eq!(prefix_end(&[255]), None);
    }

    #[test]
    fn a_part_begins_where_it_is_told() {
        let part =
            |order, from: &str| Part { prefix: b"a/".to_vec(), order, after: None, from: Some(from.into()), limit: 1 };
        assert_eq!(part(Order::Ascending, "a/5").bounds(), (b"a/5".to_vec(), Some(b"a0".to_vec())));
        assert_eq!(part(Order::Ascending, "Z").bounds(), (b"a/".to_vec(), Some(b"a0".to_vec())));
        assert_eq!(part(Order::Descending, "a/5").bounds(), (b"a/".to_vec(), Some(b"a/5\0".to_vec())));
        assert_eq!(part(Order::Descending, "z").bounds(), (b"a/".to_vec(), Some(b"a0".to_vec())));
    }
}
