//! Opening a record as everybody must who answers for it: each reason why it cannot be read has one name, and they are
//! looked for in one order, so that all who open the same bytes with the same key say the same.

#[cfg(feature = "recompute")]
use aceso_types::sealed::Outcome;
use aceso_types::{Digest, sealed::Failure};
use aceso_verify::grant::ContentPoint;
#[cfg(feature = "recompute")]
use aceso_verify::outcome::{self, Came, Case, RECORD_BYTES_MAX};
use zeroize::Zeroizing;

use crate::{Header, Inner, SealError, open};

/// A sealed file as the chain has it registered.
#[derive(Clone, Copy, Debug)]
pub struct Registered<'a> {
    /// Whose it is: an address.
    pub owner: &'a str,
    /// What the registration commits to: [`ContentPoint::commitment`].
    pub commitment: &'a Digest,
}

/// Most bytes of a sealed file whose record has at most `most`: a sixteenth more, deflated at the worst and with all that
/// stands around it.
pub fn sealed_bytes_max(most: u64) -> u64 {
    most.saturating_add(most / 16).saturating_add(1 << 20)
}

/// Opens a registered file of `size` bytes whose record has at most `most`: what stands inside, and the record, which is
/// wiped when it goes. Takes memory for the record and its sealed bytes, some three times `most` at the worst. Of a file
/// that is longer than [`sealed_bytes_max`] the first leaf is enough.
///
/// # Errors
/// The first [`Failure`] in their order, up to [`Failure::Record`]; of the leaves and what is in them that of the first leaf
/// that shows one.
pub fn open_registered(
    about: &Registered<'_>,
    content: &ContentPoint,
    file: &[u8],
    size: u64,
    most: u64,
) -> Result<(Inner, Zeroizing<Vec<u8>>), Failure> {
    if content.commitment() != *about.commitment {
        return Err(Failure::Key);
    }
    let (header, before) = Header::decode(file).map_err(|_| Failure::Header)?;
    crate::key::Chunks::new(content, &header, &file[..before]).map_err(|_| Failure::Header)?;
    if header.owner != about.owner {
        return Err(Failure::Owner);
    }
    if size > sealed_bytes_max(most) {
        return Err(Failure::Record);
    }
    match open(content, file, most) {
        Ok((_, inner, record)) => Ok((inner, Zeroizing::new(record))),
        Err(error) => Err(failure(&error)),
    }
}

/// What a job comes to, given its sealed file of `size` bytes as [`open_registered`] takes it: the one way there is from
/// sealed bytes to an outcome, for members of a committee and in disputes over what they signed.
#[cfg(feature = "recompute")]
pub fn outcome(about: &Registered<'_>, case: &Case<'_>, content: &ContentPoint, file: &[u8], size: u64) -> Came {
    match open_registered(about, content, file, size, RECORD_BYTES_MAX) {
        Ok((inner, record)) => outcome::outcome(case, content, &inner.tags, &record),
        Err(failure) => Outcome::Failed(failure).into(),
    }
}

/// The name of what was wrong.
fn failure(error: &SealError) -> Failure {
    match error {
        SealError::Header(_) | SealError::Version(_) | SealError::Key => Failure::Header,
        SealError::Leaf(_) | SealError::Range { .. } | SealError::Large { .. } => Failure::Leaf,
        // The header was read before, so what is too long stands inside.
        SealError::Long { .. } | SealError::Unread(_) | SealError::Inner(_) | SealError::Record { .. } => {
            Failure::Record
        }
    }
}
