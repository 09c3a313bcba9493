//! Entries of one component from several sorted sources, the uppermost of which wins.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::error::StateError;
use crate::snapshot::{Entry, Order};

/// A sorted source that may say of a key that it is gone.
type Layer<'a> = Peekable<Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)> + 'a>>;

/// Merges the entries at the bottom with the layers written over it, lazily: only what is asked for is read.
pub(crate) struct Merge<'a, B: Iterator> {
    bottom: Peekable<B>,
    /// From the lowest to the uppermost.
    layers: Vec<Layer<'a>>,
    order: Order,
    failed: bool,
}

impl<'a, B: Iterator<Item = Result<Entry, StateError>>> Merge<'a, B> {
    pub(crate) fn new(bottom: B, order: Order) -> Self {
        Self { bottom: bottom.peekable(), layers: Vec::new(), order, failed: false }
    }

    /// Lays a source over those that are there.
    pub(crate) fn push(&mut self, layer: impl Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)> + 'a) {
        let layer: Box<dyn Iterator<Item = _> + 'a> = Box::new(layer);
        self.layers.push(layer.peekable());
    }

    fn step(&mut self) -> Option<Result<Entry, StateError>> {
        loop {
            let order = self.order;
            let keys = self.layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, _)| *key));
            let Some(upper) = keys.min_by(|a, b| order.compare(a, b)) else { return self.bottom.next() };
            let place = match self.bottom.peek() {
                None => Ordering::Greater,
                Some(Err(_)) => Ordering::Less,
                Some(Ok((bottom, _))) => order.compare(bottom, upper),
            };
            if place == Ordering::Less {
                return self.bottom.next();
            }
            if place == Ordering::Equal {
                self.bottom.next();
            }
            let mut found = None;
            for layer in &mut self.layers {
                found = layer.next_if(|(key, _)| *key == upper).or(found);
            }
            if let Some((key, Some(value))) = found {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

impl<B: Iterator<Item = Result<Entry, StateError>>> Iterator for Merge<'_, B> {
    type Item = Result<Entry, StateError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.step();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
