//! Numbers and what is made of them as bytes, little-endian, and back.
//!
//! Everything that is read has a bound: nothing is allocated that the bytes at hand could not fill.

use std::{marker::PhantomData, sync::Arc};

use aceso_types::ElementType;

use super::{Packed, PackedError};

/// Where numbers begin that kernels read in vectors: a cache line.
pub(crate) const LINE: usize = 64;

/// The bytes so far.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Bytes at the beginning of a cache line, after how many there are.
    pub(crate) fn lines(&mut self, bytes: &[u8]) {
        bytes.len().write(self);
        self.0.resize(self.0.len().next_multiple_of(LINE), 0);
        self.bytes(bytes);
    }
}

/// What is left of the bytes.
#[derive(Debug)]
pub(crate) struct Reader {
    packed: Arc<Packed>,
    at: usize,
}

/// Some of the bytes, where they lie.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    packed: Arc<Packed>,
    from: usize,
    len: usize,
}

impl Share {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.packed.bytes().get(self.from..self.from + self.len).unwrap_or_default()
    }
}

impl Reader {
    pub(super) fn new(packed: Packed) -> Self {
        Self { packed: Arc::new(packed), at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.packed.bytes().len().saturating_sub(self.at)
    }

    /// That something is not what it has to be.
    pub(crate) fn wrong(&self, what: &'static str) -> PackedError {
        PackedError::Field { at: self.at, what }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&[u8], PackedError> {
        let (from, bytes) = (self.at, self.packed.bytes());
        let taken = from.checked_add(len).and_then(|end| bytes.get(from..end));
        let taken = taken.ok_or(PackedError::Short { at: from })?;
        self.at += len;
        Ok(taken)
    }

    /// What [`Writer::lines`] has written.
    pub(crate) fn lines(&mut self) -> Result<Share, PackedError> {
        let len = usize::read(self)?;
        self.take(self.at.next_multiple_of(LINE) - self.at)?;
        let from = self.at;
        self.take(len)?;
        Ok(Share { packed: Arc::clone(&self.packed), from, len })
    }
}

/// Something that is bytes in one way only.
pub(crate) trait Field: Sized {
    /// Bytes that one takes at least.
    const LEAST: usize = 1;

    fn write(&self, to: &mut Writer);

    fn read(from: &mut Reader) -> Result<Self, PackedError>;

    /// Many of them; numbers go faster than one by one.
    fn write_all(all: &[Self], to: &mut Writer) {
        all.iter().for_each(|one| one.write(to));
    }

    fn read_all(count: usize, from: &mut Reader) -> Result<Vec<Self>, PackedError> {
        if count.saturating_mul(Self::LEAST) > from.left() {
            return Err(PackedError::Short { at: from.at });
        }
        (0..count).map(|_| Self::read(from)).collect()
    }
}

macro_rules! numbers {
    ($($ty:ty),*) => { $(
        impl Field for $ty {
            const LEAST: usize = size_of::<Self>();

            fn write(&self, to: &mut Writer) {
                to.bytes(&self.to_le_bytes());
            }

            fn read(from: &mut Reader) -> Result<Self, PackedError> {
                let mut bytes = [0; size_of::<Self>()];
                bytes.copy_from_slice(from.take(size_of::<Self>())?);
                Ok(Self::from_le_bytes(bytes))
            }

            fn read_all(count: usize, from: &mut Reader) -> Result<Vec<Self>, PackedError> {
                let short = PackedError::Short { at: from.at };
                let bytes = from.take(count.checked_mul(size_of::<Self>()).ok_or(short)?)?;
                Ok(bytes.as_chunks().0.iter().copied().map(Self::from_le_bytes).collect())
            }
        }
    )* };
}

// A float is its bits: none is lost, whatever it is.
numbers!(u8, i16, u32, i32, u64, f32, f64);

impl Field for usize {
    const LEAST: usize = 8;

    fn write(&self, to: &mut Writer) {
        (*self as u64).write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let whole = u64::read(from)?;
        Self::try_from(whole).map_err(|_| from.wrong("a number is larger than this machine counts"))
    }
}

impl Field for bool {
    fn write(&self, to: &mut Writer) {
        u8::from(*self).write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        match u8::read(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.wrong("neither yes nor no")),
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, to: &mut Writer) {
        self.is_some().write(to);
        self.iter().for_each(|one| one.write(to));
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        Ok(if bool::read(from)? { Some(T::read(from)?) } else { None })
    }
}

impl<T: Field> Field for Vec<T> {
    const LEAST: usize = 8;

    fn write(&self, to: &mut Writer) {
        self.len().write(to);
        T::write_all(self, to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let count = usize::read(from)?;
        T::read_all(count, from)
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const LEAST: usize = N * T::LEAST;

    fn write(&self, to: &mut Writer) {
        T::write_all(self, to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let all = T::read_all(N, from)?;
        all.try_into().map_err(|_| from.wrong("another number of them"))
    }
}

impl<T: Field> Field for Box<T> {
    const LEAST: usize = T::LEAST;

    fn write(&self, to: &mut Writer) {
        T::write(self, to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        T::read(from).map(Self::new)
    }
}

impl Field for String {
    const LEAST: usize = 8;

    fn write(&self, to: &mut Writer) {
        self.len().write(to);
        to.bytes(self.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let bytes = Vec::read(from)?;
        Self::from_utf8(bytes).map_err(|_| from.wrong("this is not text"))
    }
}

impl Field for ElementType {
    fn write(&self, to: &mut Writer) {
        self.tag().write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let tag = u8::read(from)?;
        Self::from_tag(tag).ok_or_else(|| from.wrong("no type of elements"))
    }
}

impl<T> Field for PhantomData<T> {
    const LEAST: usize = 0;

    fn write(&self, _: &mut Writer) {}

    fn read(_: &mut Reader) -> Result<Self, PackedError> {
        Ok(Self)
    }
}

/// A structure is its fields, in the order that is written here.
macro_rules! fields {
    (for<$param:ident: $bound:path> $ty:ident { $($field:ident),* $(,)? }) => {
        $crate::packed::fields!(impl [$param: $bound] $ty<$param> { $($field),* });
    };
    ($ty:ident { $($field:ident),* $(,)? }) => {
        $crate::packed::fields!(impl [] $ty { $($field),* });
    };
    (impl [$($generics:tt)*] $ty:ty { $($field:ident),* }) => {
        impl<$($generics)*> $crate::packed::Field for $ty {
            fn write(&self, to: &mut $crate::packed::Writer) {
                $( $crate::packed::Field::write(&self.$field, to); )*
            }

            fn read(from: &mut $crate::packed::Reader) -> Result<Self, $crate::PackedError> {
                Ok(Self { $( $field: $crate::packed::Field::read(from)?, )* })
            }
        }
    };
}

/// One of these, by its place in the list.
macro_rules! closed {
    ($ty:ident { $($variant:ident),* $(,)? }) => {
        impl $crate::packed::Field for $ty {
            fn write(&self, to: &mut $crate::packed::Writer) {
                // The list is complete: this does not compile without one of them.
                match self { $( Self::$variant => (), )* }
                let place = [$( Self::$variant, )*].iter().position(|one| one == self).unwrap_or(usize::MAX);
                $crate::packed::Field::write(&u8::try_from(place).unwrap_or(u8::MAX), to);
            }

            fn read(from: &mut $crate::packed::Reader) -> Result<Self, $crate::PackedError> {
                let place: u8 = $crate::packed::Field::read(from)?;
                let found = [$( Self::$variant, )*].get(usize::from(place)).copied();
                found.ok_or_else(|| from.wrong(concat!("no ", stringify!($ty))))
            }
        }
    };
}

pub(crate) use {closed, fields};
