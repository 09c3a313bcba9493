//! The main job, step by step: from a model's author to an auditor who trusts nobody.

use std::path::{Path, PathBuf};

use aceso_client::{ClientError, TxResult};
use aceso_consent::msg as consent;
use aceso_inference::image::{self, Limits};
use aceso_insurance::msg as insurance;
use aceso_interface::{
    consent::{Decision, Rule},
    insurance::{Claim, Cover, Party as Payee, Sealed, Share, Terms},
};
use aceso_types::{
    BlobId, Manifest, ModelId, ReadId,
    guest::Origin,
    manifest::Onnx,
    msg::{MsgRegisterImage, SignedOrigin},
    query::{ImageRow, QueryImage},
};
use anyhow::{Context, Result, bail, ensure};
use cosmwasm_std::Uint128;

use crate::{
    auditor::Auditor,
    parties::{Party, TERM},
    report::Report,
    sample::{Plain, Samples, Stated},
};

/// What the policy pays for a read.
pub(crate) const PRICE: u128 = 1_000_000;
/// What the policy's escrow is funded with.
const ESCROW: u128 = 50_000_000;
/// The study that the image of the main job was made in.
pub(crate) const STUDY: &str = "2.25.1";
/// The study of the second image.
const SECOND_STUDY: &str = "2.25.2";
/// A month, in seconds.
const MONTH: u64 = 30 * 24 * 3600;
/// Shares of institution, author, subject, treasury in ten-thousandths.
pub(crate) const SPLIT: [(Payee, u32); 4] =
    [(Payee::Institution {}, 4000), (Payee::Author {}, 3000), (Payee::Subject {}, 2000), (Payee::Treasury {}, 1000)];

/// Everybody.
pub(crate) struct Cast {
    pub(crate) developer: Party,
    pub(crate) author: Party,
    pub(crate) hospital: Party,
    pub(crate) patient: Party,
    pub(crate) physician: Party,
    pub(crate) insurer: Party,
    pub(crate) treasury: Party,
}

/// What the main job leaves for the refusals.
pub(crate) struct Scene {
    pub(crate) cast: Cast,
    pub(crate) manifest: Manifest,
    pub(crate) model: ModelId,
    pub(crate) consent: String,
    pub(crate) insurance: String,
    pub(crate) policy: u64,
    pub(crate) samples: Samples,
    pub(crate) image: BlobId,
    pub(crate) receipt: PathBuf,
    pub(crate) claim: Claim,
    /// The second image: what its registrant states of it, and what was read in it.
    pub(crate) stated: String,
    pub(crate) second: Claim,
    /// How many grants there are.
    pub(crate) grants: u64,
    pub(crate) auditor: Auditor,
}

/// Plays the main job.
pub(crate) fn main_job(
    report: &mut Report,
    cast: Cast,
    auditor: Auditor,
    samples: Samples,
    contracts: &Path,
    models: &Path,
) -> Result<Scene> {
    let (manifest, onnx) = model_files(models, "pneumonia")?;
    let denom = cast.insurer.chain().denom.clone();

    let model = report.step(cast.author.name, format!("registers {}", manifest.name), || {
        let (blob, _) = cast.author.publish(&onnx)?;
        ensure!(blob == manifest.onnx.blob, "the file is {blob}, and the manifest names {}", manifest.onnx.blob);
        let (model, tx) = cast.author.register_model(&manifest)?;
        cast.author.expect_admitted(model)?;
        Ok((model, Some(tx)))
    })?;
    let consent = report.step(cast.developer.name, "deploys the consent contract", || {
        let (code, _) = cast.developer.store(contracts, "consent")?;
        cast.developer.instantiate(code, "consent", &consent::InstantiateMsg {}).map(|(at, tx)| (at, Some(tx)))
    })?;
    let stores = |file: &[u8], study: &str| -> Result<((BlobId, SignedOrigin), Option<TxResult>)> {
        let (image, _) = cast.hospital.put_blob(file)?;
        Ok(((image, origin(&cast.hospital, file, study)?), None))
    };
    let first = &samples.first;
    let (image, origin) =
        report.step(cast.hospital.name, "stores a chest X-ray and signs its origin", || stores(&first.file, STUDY))?;
    let second = &samples.second;
    let (png, png_origin) =
        report.step(cast.hospital.name, "stores another one as PNG and signs its origin", || {
            stores(&second.file, SECOND_STUDY)
        })?;
    report.step(cast.patient.name, "registers the image with consent as its guard", || {
        let tx = register_image(&cast.patient, &first.file, first.stated, &consent, Some(origin))?;
        Ok(((), Some(tx)))
    })?;
    report.step(cast.patient.name, "registers the PNG likewise and states its modality", || {
        let tx = register_image(&cast.patient, &second.file, second.stated, &consent, Some(png_origin))?;
        Ok(((), Some(tx)))
    })?;
    report.step(cast.patient.name, "grants the physician one use, TREAT, this model, 30 days", || {
        let tx = grant(&cast.patient, &consent, &[image], rule(&cast.physician, &[model])?)?;
        Ok(((), Some(tx)))
    })?;
    report.step(cast.patient.name, "grants the same for the PNG", || {
        let tx = grant(&cast.patient, &consent, &[png], rule(&cast.physician, &[model])?)?;
        Ok(((), Some(tx)))
    })?;
    let stated =
        report.step(cast.physician.name, "finds the PNG as it was stored and stated; others do not", || {
            found(&cast, &consent, png, second).map(|stated| (stated, None))
        })?;
    let insurance = report.step(cast.insurer.name, "instantiates the insurance contract", || {
        let (code, _) = cast.insurer.store(contracts, "insurance")?;
        let treasury = cast.treasury.address.clone();
        let msg = insurance::InstantiateMsg { insurer: None, treasury, denom };
        cast.insurer.instantiate(code, "insurance", &msg).map(|(at, tx)| (at, Some(tx)))
    })?;
    let policy = report.step(cast.insurer.name, "makes a policy for the patient and funds its escrow", || {
        create_policy(&cast, &insurance, &[model], PRICE, ESCROW, &SPLIT, None).map(|(policy, tx)| (policy, Some(tx)))
    })?;

    let everybody = [&cast.hospital, &cast.author, &cast.patient, &cast.treasury];
    let balances = || everybody.iter().map(|party| Ok(party.balance(&party.address)?)).collect::<Result<Vec<_>>>();
    let before = balances()?;
    let claim =
        report.step(cast.physician.name, "asks for a read: consent, read and pay in one transaction", || {
            let tx = request(&cast.physician, &insurance, policy, image, model)?;
            Ok((the_claim(&cast, &insurance, policy, image, 1)?, Some(tx)))
        })?;
    report.step(cast.insurer.name, "sees every share paid, to the coin", || {
        let after = balances()?;
        for (((_, bps), party), (before, after)) in SPLIT.iter().zip(everybody).zip(before.iter().zip(&after)) {
            let due = PRICE * u128::from(*bps) / 10_000;
            ensure!(after - before == due, "the {} got {}, not {due}", party.name, after - before);
        }
        let question = insurance::QueryMsg::Escrow { policy };
        let escrow: insurance::EscrowResponse = cast.insurer.smart(&insurance, &question)?;
        ensure!(escrow.amount.u128() == ESCROW - PRICE, "the escrow holds {}", escrow.amount);
        Ok(((), None))
    })?;

    let read = ReadId(claim.read);
    let receipt = report.step(cast.physician.name, format!("saves the receipt of read {read}"), || {
        auditor.receive(&cast.physician, read).map(|path| (path, None))
    })?;
    report.step("auditor", "verifies the receipt without network", || {
        auditor.verify(&receipt)?;
        Ok(((), None))
    })?;
    report.step("auditor", "recomputes the diagnosis from the image", || {
        auditor.recompute(&receipt, &first.file, &manifest, &onnx)?;
        Ok(((), None))
    })?;
    let second = report.step(cast.physician.name, "asks for a read of the PNG, as what it is stated to be", || {
        let tx = request(&cast.physician, &insurance, policy, png, model)?;
        Ok((the_claim(&cast, &insurance, policy, png, 2)?, Some(tx)))
    })?;
    report.step("auditor", "verifies that receipt and recomputes it from the PNG", || {
        let receipt = auditor.receive(&cast.physician, ReadId(second.read))?;
        auditor.verify(&receipt)?;
        auditor.recompute(&receipt, &samples.second.file, &manifest, &onnx)?;
        Ok(((), None))
    })?;
    let grants = 2;
    Ok(Scene {
        cast,
        manifest,
        model,
        consent,
        insurance,
        policy,
        samples,
        image,
        receipt,
        claim,
        stated,
        second,
        grants,
        auditor,
    })
}

/// What the registration of the second image states. It, and the bytes behind the CID, must be what the hospital and
/// the patient meant; who may see them follows from the grant.
fn found(cast: &Cast, consent: &str, id: BlobId, image: &Plain) -> Result<String> {
    let row = cast.physician.ask(&QueryImage { cid: id.to_string() })?.context("the image is not registered")?;
    let ImageRow { owner, guard, modality, body_part, origin, .. } = row;
    ensure!(owner == cast.patient.address, "it is registered by {owner}");
    ensure!(guard == consent, "it is guarded by {guard:?}");
    let stated = image.stated.context("nothing is stated of it")?;
    ensure!((&modality[..], &body_part[..]) == stated, "it is stated to be {modality:?} of {body_part:?}");
    let decoded = image::decode(&image.file, Limits::default())?;
    ensure!(decoded.modality().is_none(), "the file itself says that it is {:?}", decoded.modality());
    let origin = origin.context("nobody vouches for it")?;
    ensure!(origin.institution == cast.hospital.address, "{} vouches for it", origin.institution);
    ensure!(origin.pixels == decoded.pixel_digest().as_bytes(), "the hospital's word is about other pixels");

    let bytes = cast.physician.get_image(&cast.physician.key, &id)?.context("the node does not have it")?;
    ensure!(bytes == image.file, "{} bytes came that are not the file's", bytes.len());
    for somebody in [cast.insurer.get_image(&cast.insurer.key, &id), cast.physician.get_blob(&id)] {
        match somebody {
            Err(ClientError::Rpc { code: 403, .. }) => {}
            Err(other) => return Err(other.into()),
            Ok(_) => bail!("somebody whom no grant names gets it"),
        }
    }
    Ok(format!("{modality} of the {body_part}"))
}

/// The claim on an image, which must be the policy's last one of `count`.
fn the_claim(cast: &Cast, insurance: &str, policy: u64, image: BlobId, count: usize) -> Result<Claim> {
    let question = insurance::QueryMsg::Claims { policy, start_after: None, limit: None };
    let answer: insurance::ClaimsResponse = cast.physician.smart(insurance, &question)?;
    ensure!(answer.claims.len() == count, "there are {} claims, not {count}", answer.claims.len());
    let claim = answer.claims.into_iter().find(|claim| claim.image == image.into());
    claim.context("there is no claim on the image")
}

/// A bundled model: its manifest as written for people, and its file.
pub(crate) fn model_files(models: &Path, model: &str) -> Result<(Manifest, Vec<u8>)> {
    let read = |name: &str| {
        let path = models.join(model).join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let manifest: Manifest =
        serde_json::from_slice(&read("manifest.json")?).context("manifest.json does not decode")?;
    let onnx = read("model.onnx")?;
    ensure!(manifest.onnx == Onnx::of(manifest.onnx.blob, &onnx), "manifest.json names another model.onnx");
    manifest.check()?;
    Ok((manifest, onnx))
}

/// The hospital's word for an image file.
pub(crate) fn origin(hospital: &Party, file: &[u8], study: &str) -> Result<SignedOrigin> {
    let pixels = image::decode(file, Limits::default())?.pixel_digest();
    let origin = Origin {
        institution: hospital.address.clone(),
        pixels,
        study: Origin::study_of(study),
        subject: Origin::subject_of("patient 1", &hospital.key.sign(b"pseudonyms")),
    };
    Ok(hospital.key.sign_origin(&origin, &hospital.chain().id))
}

/// The patient registers an image that the hospital has stored, and waits until the validators hold it.
pub(crate) fn register_image(
    patient: &Party,
    file: &[u8],
    stated: Stated,
    guard: &str,
    origin: Option<SignedOrigin>,
) -> Result<TxResult> {
    let (id, size) = patient.put_blob(file)?;
    // What is refused when it is read may be registered.
    let effort = image::effort(file, Limits::default()).unwrap_or_default();
    let message = MsgRegisterImage { effort, ..image_message(patient, id, size, stated, guard, origin) };
    let tx = patient.tx(aceso_client::any(&message))?;
    patient.wait_available(&id)?;
    Ok(tx)
}

/// The registration of an image. Modality and body part are stated where the file does not say them.
pub(crate) fn image_message(
    owner: &Party,
    id: BlobId,
    size: u64,
    stated: Stated,
    guard: &str,
    origin: Option<SignedOrigin>,
) -> MsgRegisterImage {
    let (modality, body_part) = stated.unwrap_or_default();
    MsgRegisterImage {
        owner: owner.address.clone(),
        cid: id.to_string(),
        size,
        term: TERM,
        guard: guard.into(),
        modality: modality.into(),
        body_part: body_part.into(),
        origin,
        effort: 0,
    }
}

/// One use for a reader, purpose TREAT, these models, a month.
pub(crate) fn rule(reader: &Party, models: &[ModelId]) -> Result<Rule> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(Rule {
        decision: Decision::Permit { max_uses: 1 },
        actors: vec![reader.address.clone()],
        via: Vec::new(),
        purposes: vec!["TREAT".into()],
        models: models.iter().map(|&model| model.into()).collect(),
        not_before: now - 3600,
        not_after: now + MONTH,
    })
}

pub(crate) fn grant(patient: &Party, consent: &str, images: &[BlobId], rule: Rule) -> Result<TxResult> {
    let images = images.iter().map(|&image| image.into()).collect();
    let msg = consent::ExecuteMsg::Grant { images, rule, sealed: false };
    patient.tx(patient.msg_execute(&patient.address, consent, &msg, 0))
}

/// Makes a policy that asks for the hospital's word, and funds it.
pub(crate) fn create_policy(
    cast: &Cast,
    insurance: &str,
    models: &[ModelId],
    price: u128,
    escrow: u128,
    split: &[(Payee, u32)],
    sealed: Option<Sealed>,
) -> Result<(u64, TxResult)> {
    let insurer = &cast.insurer;
    let period = rule(&cast.physician, models)?;
    let terms = Terms {
        member: cast.patient.address.clone(),
        not_before: period.not_before,
        not_after: period.not_after,
        covers: models.iter().map(|&model| Cover { model: model.into(), price: Uint128::new(price) }).collect(),
        origin: vec![cast.hospital.address.clone()],
        split: split.iter().map(|(to, bps)| Share { to: to.clone(), bps: *bps }).collect(),
        sealed,
    };
    let msg = insurance::ExecuteMsg::CreatePolicy { terms };
    let tx = insurer.tx(insurer.msg_execute(&insurer.address, insurance, &msg, 0))?;
    let policy = tx.attribute("wasm", "policy").context("there is no policy in the answer")?.parse()?;
    let msg = insurance::ExecuteMsg::Fund { policy };
    let tx = insurer.tx(insurer.msg_execute(&insurer.address, insurance, &msg, escrow))?;
    Ok((policy, tx))
}

/// The physician's request, with a gas limit that is not simulated.
pub(crate) fn request(
    physician: &Party,
    insurance: &str,
    policy: u64,
    image: BlobId,
    model: ModelId,
) -> Result<TxResult, ClientError> {
    request_for(physician, insurance, policy, image, model, "TREAT")
}

/// The same for another purpose.
pub(crate) fn request_for(
    physician: &Party,
    insurance: &str,
    policy: u64,
    image: BlobId,
    model: ModelId,
    purpose: &str,
) -> Result<TxResult, ClientError> {
    let (image, model) = (image.into(), model.into());
    let frame = Default::default();
    let msg = insurance::ExecuteMsg::RequestRead { policy, image, frame, model, purpose: purpose.into() };
    physician.try_execute(insurance, &msg)
}
