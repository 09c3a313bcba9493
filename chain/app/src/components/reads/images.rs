//! Registration of images: one owner for each CID, the first; a guard that is a contract; a word of origin that is
//! checked before it is believed.

use aceso_types::{
    BlobId, Digest, PixelDigest,
    guest::{ImageInfo, Origin},
    msg::{MsgRegisterImage, MsgRegisterImageResponse, SignedOrigin},
    query::ImageRow,
};

use crate::{
    chain::Chain,
    code::{Code, Fault},
    components::{READS, blobs, reads::keys, wasm},
    error::Outcome,
    event::Event,
    gas,
    pubkey::SingleKey,
    run::Run,
    store::{Read, Write},
};

/// An image's row, if it is registered. Its blob is filled in by queries.
pub(crate) fn get(state: &mut impl Read, cid: &BlobId) -> Outcome<Option<ImageRow>> {
    state.row(READS, &keys::image(&cid.to_string()))
}

/// What contracts learn of an image.
pub(crate) fn info(state: &mut impl Read, cid: &BlobId) -> Outcome<Option<ImageInfo>> {
    let Some(row) = get(state, cid)? else { return Ok(None) };
    let origin = row.origin.as_ref().map(origin_of).transpose()?;
    let ImageRow { owner, guard, modality, body_part, .. } = row;
    Ok(Some(ImageInfo { owner, guard, origin, modality, body_part }))
}

/// The statement without its signature.
pub(crate) fn origin_of(signed: &SignedOrigin) -> Result<Origin, Fault> {
    let digest = |name: &str, bytes: &[u8]| {
        Digest::try_from(bytes).map_err(|e| Code::ImageOrigin.because(format_args!("{name}: {e}")))
    };
    Ok(Origin {
        institution: signed.institution.clone(),
        pixels: PixelDigest(digest("pixels", &signed.pixels)?),
        study: digest("study", &signed.study)?,
        subject: digest("subject", &signed.subject)?,
    })
}

/// `MsgRegisterImage`.
pub(crate) fn register(run: &mut Run<'_>, msg: &MsgRegisterImage) -> Outcome<MsgRegisterImageResponse> {
    let chain = run.chain.clone();
    let cid = blobs::parse(&msg.cid)?;
    let owner = chain.address(&msg.owner)?.to_string();
    if let Some(row) = get(run, &cid)? {
        return Err(Code::ImageRegistered.because(format_args!("{cid}: by {}", row.owner)).into());
    }
    let guard = guard(run, &chain, &msg.guard)?;
    for (name, text) in [("modality", &msg.modality), ("body part", &msg.body_part)] {
        if !is_code_string(text) {
            let text: String = text.chars().take(32).collect();
            return Err(Code::ImageStated.because(format_args!("{name} {text:?} is no DICOM code string")).into());
        }
    }
    let origin = msg.origin.clone().map(|signed| check_origin(run, &chain, signed)).transpose()?;
    let expires = blobs::register_or_join(run, &owner, &cid, msg.size, msg.term)?;
    let text = cid.to_string();
    let row = ImageRow {
        cid: text.clone(),
        owner: owner.clone(),
        guard: guard.clone(),
        modality: msg.modality.clone(),
        body_part: msg.body_part.clone(),
        origin,
        blob: None,
        height: run.block.height.0,
        effort: msg.effort,
    };
    run.put(READS, keys::image(&text), &row)?;
    run.set(READS, keys::owned(&owner, &text), b"1".to_vec())?;
    run.emit(
        Event::new("register_image")
            .with("cid", text)
            .with("owner", owner)
            .with("guard", guard)
            .with("expires", expires.to_string()),
    );
    Ok(MsgRegisterImageResponse { expires })
}

/// A guard is a contract of this chain, or there is none.
pub(crate) fn guard(run: &mut Run<'_>, chain: &Chain, text: &str) -> Outcome<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let guard = chain.address(text)?;
    if wasm::contract(run, &guard)?.is_none() {
        return Err(Code::ImageGuard.because(format_args!("{guard} is no contract")).into());
    }
    Ok(guard.into())
}

/// Believes a statement of origin only with the signature of the account that makes it.
pub(crate) fn check_origin(run: &mut Run<'_>, chain: &Chain, signed: SignedOrigin) -> Outcome<SignedOrigin> {
    run.meter.spend(gas::ORIGIN, "origin signature")?;
    let origin = origin_of(&signed)?;
    let key = SingleKey::secp256k1(&signed.public_key);
    if key.address(&chain.prefix)?.as_str() != origin.institution {
        let words = format_args!("the public key is not that of {}", origin.institution);
        return Err(Code::ImageOrigin.because(words).into());
    }
    if !key.has_signed(&origin.sign_bytes(&chain.id).0, &signed.signature) {
        let words = format_args!("{} has not signed it for chain {}", origin.institution, chain.id);
        return Err(Code::ImageOrigin.because(words).into());
    }
    Ok(signed)
}

/// DICOM's value representation CS, or nothing (PS3.5 section 6.2).
pub(crate) fn is_code_string(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b' ')
}
