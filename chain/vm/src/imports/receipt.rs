//! `aceso`: compact receipts of sealed reads, believed by a root whose digest the contract trusts.
//!
//! Who must have signed what is [`aceso_types::sealed`]'s to say; the host reads receipt and root, and does the pairings.

use aceso_types::Digest;
use aceso_types::sealed::{Backing, COMPACT_BYTES_MAX, NotBelieved, ROOT_BYTES_MAX, examine};

use super::aceso::MODULE;
use super::declare;
use super::nn::Errno;
use crate::memory::Host;
use crate::{VmError, curve, price};

declare! { MODULE;
    "verify_receipt" = verify_receipt(receipt: u32, length: u32, root: u32, root_length: u32, trusted: u32, out: u32) -> u32;
}

/// `verify_receipt(receipt: *u8, length: u32, root: *u8, root_length: u32, trusted: *[u8; 32], out: *[u8; 32]) -> errno`
///
/// Writes [`Backing`], or answers a number of [`NotBelieved`]. Both byte strings are dag-cbor; `trusted` is the digest that
/// the root must have, so that a contract keeps 32 bytes of it. Keys are looked at where their owners signed.
fn verify_receipt(
    host: &mut Host<'_>,
    receipt: u32,
    length: u32,
    root: u32,
    root_length: u32,
    trusted: u32,
    out: u32,
) -> Result<u32, VmError> {
    let longer = |length: u32, most: usize| usize::try_from(length).map_or(true, |length| length > most);
    if longer(length, COMPACT_BYTES_MAX) || longer(root_length, ROOT_BYTES_MAX) {
        return Ok(Errno::TooLarge.into());
    }
    host.charge(price::RECEIPT_DECODE.of(u64::from(length).saturating_add(u64::from(root_length))))?;

    let (receipt, root) = (host.read(receipt, length)?, host.read(root, root_length)?);
    let trusted = host.read(trusted, 32)?.and_then(|bytes| bytes.try_into().ok()).map(Digest);
    let (Some(receipt), Some(root), Some(trusted)) = (receipt, root, trusted) else {
        return Ok(Errno::InvalidArgument.into());
    };
    let examined = match examine(&receipt, &root, &trusted) {
        Ok(examined) => examined,
        Err(reason) => return Ok(reason.number()),
    };
    host.charge_for(price::RECEIPT_CHECK, examined.signed.signers.len())?;

    let keys = examined.root.keys_at(&examined.signed.signers).map(|key| key.key.as_slice());
    let keys: Option<Vec<_>> = keys.map(curve::public_key).collect();
    let Some(keys) = keys else {
        return Ok(NotBelieved::Key.number());
    };
    if !curve::signed_together(&keys, &examined.signed.message, &examined.compact.signature) {
        return Ok(NotBelieved::Signature.number());
    }
    host.charge(price::BYTES_OUT * Backing::BYTES as u64)?;
    let done = host.write(out, &examined.backing().to_bytes())?;
    Ok(if done { Errno::Success } else { Errno::InvalidArgument }.into())
}
