//! Roots: the first trusted, each later one signed by the one before.

use alloc::{format, vec::Vec};

use aceso_types::{
    Digest,
    sealed::{Compact, Key, Root, Signed, SignedRoot},
};
use bls12_381::G1Affine;
use serde::{Deserialize, Serialize};

use super::{CompactError, bls};

/// Most bytes of a roots file.
const BYTES_MAX: usize = 16 << 20;

/// Roots that are believed: one, and those that follow from it. Numbers have no gaps.
#[derive(Clone, Debug)]
pub struct Roots {
    first: Table,
    later: Vec<Table>,
}

/// A root with its keys as points, in the same order.
#[derive(Clone, Debug)]
struct Table {
    signed: SignedRoot,
    points: Vec<G1Affine>,
}

/// The file: JSON, with the digest that is trusted beside the roots. Whoever compares the digest has compared all.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trusted: Digest,
    roots: Vec<SignedRoot>,
}

impl Table {
    fn new(signed: SignedRoot) -> Result<Self, CompactError> {
        signed.root.check()?;
        let number = signed.root.number;
        let point = |key: &Key| bls::key(&key.key).ok_or(CompactError::Key { root: number, number: key.number });
        let points = signed.root.keys.iter().map(point).collect::<Result<_, _>>()?;
        Ok(Self { signed, points })
    }
}

impl Roots {
    /// Begins with a root that is trusted.
    ///
    /// # Errors
    /// [`CompactError`] where it is no root.
    pub fn trust(root: Root) -> Result<Self, CompactError> {
        let first = SignedRoot { root, signers: Vec::new(), signature: Vec::new() };
        Ok(Self { first: Table::new(first)?, later: Vec::new() })
    }

    /// Adds the root that follows the last one, if more than two thirds of that one's power have signed it.
    ///
    /// # Errors
    /// [`CompactError`]; nothing is changed then.
    pub fn advance(&mut self, next: SignedRoot) -> Result<(), CompactError> {
        let last = self.last();
        let signed = last.signed.root.followed(&next)?;
        let table = Table::new(next)?;
        let keys = signed.signers.iter().filter_map(|place| last.points.get(*place));
        bls::check(keys, &signed.message, &table.signed.signature, "root")?;
        self.later.push(table);
        Ok(())
    }

    /// Reads a roots file.
    ///
    /// # Errors
    /// [`CompactError`].
    pub fn decode(json: &[u8]) -> Result<Self, CompactError> {
        if json.len() > BYTES_MAX {
            return Err(CompactError::Roots(format!("it has {} bytes, and at most {BYTES_MAX} are read", json.len())));
        }
        let File { trusted, roots } = serde_json::from_slice(json).map_err(|e| CompactError::Roots(format!("{e}")))?;
        let mut roots = roots.into_iter();
        let first = roots.next().ok_or_else(|| CompactError::Roots("there is no root".into()))?;
        let got = first.root.digest();
        if got != trusted {
            return Err(CompactError::Trusted { got, want: trusted });
        }
        if !first.signers.is_empty() || !first.signature.is_empty() {
            return Err(CompactError::Roots("the first root is trusted by its digest and has no signature".into()));
        }
        let mut all = Self::trust(first.root)?;
        roots.try_for_each(|next| all.advance(next))?;
        Ok(all)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let roots = [&self.first].into_iter().chain(&self.later).map(|table| table.signed.clone()).collect();
        // Writing into a `Vec` fails only for maps with keys that are not text, of which there are none.
        serde_json::to_vec_pretty(&File { trusted: self.trusted(), roots }).unwrap_or_default()
    }

    /// The digest that all of it follows from.
    pub fn trusted(&self) -> Digest {
        self.first.signed.root.digest()
    }

    /// The last root.
    pub fn latest(&self) -> &Root {
        &self.last().signed.root
    }

    /// The root with this number.
    pub fn get(&self, number: u64) -> Option<&Root> {
        self.table(number).map(|table| &table.signed.root)
    }

    /// Checks members, power and signature of a compact receipt whose own fields are in order; answers with who signed and
    /// the power of all validators.
    pub(super) fn check(&self, compact: &Compact) -> Result<(Signed, u64), CompactError> {
        let (first, last) = (self.first.signed.root.number, self.latest().number);
        let table = self.table(compact.root).ok_or(CompactError::Unknown { got: compact.root, first, last })?;
        let signed = compact.signed(&table.signed.root)?;
        let keys = signed.signers.iter().filter_map(|place| table.points.get(*place));
        bls::check(keys, &signed.message, &compact.signature, "read")?;
        Ok((signed, table.signed.root.total))
    }

    fn table(&self, number: u64) -> Option<&Table> {
        let place = number.checked_sub(self.first.signed.root.number)?;
        match usize::try_from(place).ok()?.checked_sub(1) {
            None => Some(&self.first),
            Some(later) => self.later.get(later),
        }
    }

    fn last(&self) -> &Table {
        self.later.last().unwrap_or(&self.first)
    }
}
