//! A read, in its order: is it allowed, is it there, is it paid; then it is opened, and from there on it counts.
//!
//! Everything that can refuse a read does so before any work of the model. What is opened is journalled at once: a
//! contract that looks and then fails has used its permit and paid.

use std::sync::PoisonError;

use aceso_inference::{
    Model, Record,
    image::{EFFORT_FREE, Limits, Stated},
};
use aceso_state::Order;
use aceso_types::{
    BlobId, Frame, Height, Manifest, ModelId, PixelDigest, ReadId, Receipt, Tensor,
    guest::{Answers, ReadInfo},
    journal::{Entry, Event as What},
    manifest::{Layout, Pipeline},
    query::{ImageRow, ModelRow},
    receipt::{Consent, Disclosure, Outcome as Result_, VERSION, outputs_digest},
};
use tracing::Span;

use crate::{
    code::{Code, Fault},
    components::{
        READS, bank, blobs, models,
        reads::{
            images, keys, permits,
            script::{Place, Who, infer, output_weight},
        },
        validators,
    },
    error::{AppError, Outcome},
    event::Event,
    host::Host,
    run::{Mode, Run},
    store::{Bare, Part, Read, Write, damaged},
};

/// Wasm gas of any read: what an image takes whose effort need not be registered. The price must not depend on what is in the
/// file, because a simulation knows only what is registered.
const READ: u64 = 40_000_000_000;
/// Wasm gas of each byte of the file: fetching, hashing and parsing 200 MB a second.
const READ_BYTE: u64 = 5_000;
/// Wasm gas of effort that was registered beyond what every image may take (`inference-host/IMAGE.md`, Effort): 5 to 11 ns
/// in all codings but native ones (13), whose bytes pay the rest (`benches/RESULTS.md`, Pictures).
const READ_EFFORT: u64 = 10_000;

/// The span of a step of a read, `open` or `infer`. It names what stands on the chain, and nothing of what is in the
/// picture. Those who time reads know these spans by their target.
pub(crate) fn span(step: &'static str, mode: Mode, model: &ModelId, image: Option<&str>) -> Span {
    let mode = match mode {
        Mode::Deliver => "block",
        Mode::Simulate => "simulation",
        Mode::Check | Mode::Recheck | Mode::Query => "query",
    };
    tracing::info_span!(target: "aceso_app::read", "read", step, mode, %model, image)
}

/// A read that has begun and waits for the model's outputs.
#[derive(Clone, Debug)]
pub(crate) struct OpenRead {
    reader: String,
    image: ImageRow,
    cid: BlobId,
    frame: Frame,
    model: ModelId,
    row: ModelRow,
    manifest: Manifest,
    pixels: PixelDigest,
    /// Where the block's transcript has it; none for what no block executes.
    place: Option<Place>,
    consent: Option<Consent>,
    fee: u64,
    finished: bool,
}

/// What is known of a read before it is opened.
struct Wanted {
    cid: BlobId,
    image: ImageRow,
    size: u64,
    /// The first height at which nodes need not hold the bytes any more.
    ends: Height,
    row: ModelRow,
    manifest: Manifest,
    /// What the model's outputs weigh in the block's transcript.
    outputs: u64,
    /// The permit that allows it; none for a public image.
    permit: Option<usize>,
}

/// Wasm gas of opening an image for a model. Refuses all that a look at the state can refuse.
pub(crate) fn price(run: &mut Run<'_>, reader: &str, model: &ModelId, cid: &str, purpose: &str) -> Outcome<u64> {
    let wanted = wanted(run, reader, model, cid, purpose)?;
    check_fee(run, reader, &wanted)?;
    Ok(opening(wanted.size, wanted.image.effort))
}

/// Wasm gas of taking a file of so many bytes apart, which was registered with an effort, whatever is in it.
pub(crate) fn opening(size: u64, effort: u64) -> u64 {
    let more = READ_EFFORT.saturating_mul(effort.saturating_sub(EFFORT_FREE));
    READ_BYTE.saturating_mul(size).saturating_add(READ).saturating_add(more)
}

/// Opens a frame of an image for a model: the permit is consumed, the use counted, the fee owed. Answers the read's handle and the
/// model's input. A simulation answers zeros.
pub(crate) fn start(
    run: &mut Run<'_>,
    reader: &str,
    model: &ModelId,
    (cid, frame): (&str, Frame),
    purpose: &str,
) -> Outcome<(u32, Tensor)> {
    let wanted = wanted(run, reader, model, cid, purpose)?;
    let fee = check_fee(run, reader, &wanted)?;
    let (place, pixels, tensor) = opened(run, reader, model, &wanted, frame)?;
    let consent = consume(run, &wanted)?;
    if !is_query(run) {
        let (guard, grant, r#use) = match &consent {
            Some(consent) => (consent.guard.clone(), consent.grant.clone(), consent.r#use),
            None => Default::default(),
        };
        let author = wanted.row.author.clone();
        note(run, reader, wanted.cid, *model, What::Read { guard, grant, r#use, frame, fee, author });
        run.tx.journal.spend(reader, &wanted.image.owner, fee);
    }
    let Wanted { cid, image, row, manifest, .. } = wanted;
    let handle = u32::try_from(run.tx.reads.len()).unwrap_or(u32::MAX);
    let model = *model;
    let reader = reader.into();
    run.tx.reads.push(OpenRead {
        reader,
        image,
        cid,
        frame,
        model,
        row,
        manifest,
        pixels,
        place,
        consent,
        fee,
        finished: false,
    });
    Ok((handle, tensor))
}

/// Runs a model: on an image that was opened for `reader` under the handle `read`, or on a tensor that the contract held.
pub(crate) fn compute(
    run: &mut Run<'_>,
    reader: &str,
    id: &ModelId,
    model: &Model,
    inputs: &[Tensor],
    read: Option<u32>,
) -> Outcome<Vec<Tensor>> {
    let handle = read.and_then(|handle| usize::try_from(handle).ok());
    let place = handle.and_then(|slot| run.tx.reads.get(slot)).and_then(|open| open.place);
    let ran = match (run.mode, place) {
        (Mode::Deliver, Some(place)) => run.script.run(place, model, inputs)?,
        (Mode::Deliver, None) => {
            let who = Who { tx: Some(run.tx.index), caller: reader.into(), model: *id };
            run.script.run_tensor(who, model, inputs)?
        }
        _ => infer(model, inputs)?,
    };
    Ok(ran.map_err(|reason| Code::InferenceFailed.because(format_args!("model {id}: {reason}")))?)
}

/// Ends a read with the model's outputs: writes the receipt and answers what the contract may know.
pub(crate) fn finish(run: &mut Run<'_>, reader: &str, handle: u32, outputs: &[Tensor]) -> Outcome<ReadInfo> {
    let slot = usize::try_from(handle).unwrap_or(usize::MAX);
    let open = run.tx.reads.get_mut(slot).filter(|open| open.reader == reader && !open.finished);
    let Some(open) = open else { return Err(Code::ReadUnfinished.because(format_args!("read {handle}")).into()) };
    open.finished = true;
    let open = open.clone();
    let Answers { scores, findings, readings } = aceso_inference::answers(&open.manifest, outputs)
        .map_err(|e| Code::InferenceFailed.because(format_args!("model {}: {e}", open.model)))?;
    let read = if is_query(run) {
        ReadId(0)
    } else {
        let committee = validators::signing(&mut Bare(run.delta), run.block.height.0)?.committee();
        let receipt = Receipt {
            version: VERSION,
            chain_id: run.chain.id.clone(),
            height: run.block.height,
            tx: run.tx.index,
            read: ReadId::default(),
            reader: reader.into(),
            model: open.model,
            pipeline: open.manifest.pipeline.digest(),
            image: open.cid,
            frame: open.frame,
            pixels: Some(open.pixels),
            consent: open.consent.clone(),
            disclosure: Disclosure::Open,
            outcome: Result_ {
                digest: outputs_digest(outputs),
                scores: scores.clone(),
                findings: findings.clone(),
                readings: readings.clone(),
            },
            committee,
            sealed: None,
        };
        // The engine has charged for a receipt.
        let (read, event) = record(&mut Bare(run.delta), receipt)?;
        run.emit(event);
        read
    };
    let origin = open.image.origin.as_ref().map(images::origin_of).transpose()?;
    Ok(ReadInfo {
        read,
        image: open.cid,
        frame: open.frame,
        pixels: open.pixels,
        owner: open.image.owner,
        origin: origin.filter(|origin| origin.pixels == open.pixels),
        model: open.model,
        author: open.row.author,
        fee: open.fee.to_string(),
        scores,
        findings,
        readings,
    })
}

fn wanted(run: &mut Run<'_>, reader: &str, model: &ModelId, cid: &str, purpose: &str) -> Outcome<Wanted> {
    let cid = blobs::parse(cid)?;
    let state = &mut Bare(run.delta);
    let Some(image) = images::get(state, &cid)? else { return Err(Code::ImageUnknown.because(cid).into()) };
    let permit = if image.guard.is_empty() {
        None
    } else if is_query(run) {
        return Err(Code::ReadGuardedInQuery.because(cid).into());
    } else {
        Some(find_permit(run, reader, model, &cid, purpose, &image.guard)?)
    };
    let height = run.block.height.0;
    let state = &mut Bare(run.delta);
    let blob = match (run.mode, blobs::get(state, &cid)?) {
        // Bytes that nobody holds yet cost what they will cost.
        (Mode::Simulate, Some(row)) => row,
        _ => blobs::available(state, &cid, height)?,
    };
    let Some((row, ready)) = models::load(run, model)? else {
        return Err(Code::InferenceFailed.because(format_args!("model {model} is not admitted")).into());
    };
    let manifest = models::manifest(&row)?;
    let (size, ends, outputs) = (blob.size, Height(blob.held_until(&run.chain.params)), output_weight(&ready));
    run.script.need_room(outputs)?;
    Ok(Wanted { cid, image, size, ends, row, manifest, outputs, permit })
}

fn find_permit(
    run: &Run<'_>,
    reader: &str,
    model: &ModelId,
    cid: &BlobId,
    purpose: &str,
    guard: &str,
) -> Result<usize, Fault> {
    let fits = |permit: &permits::Permit| {
        !permit.consumed
            && permit.caller == reader
            && permit.image == *cid
            && permit.owner.is_empty()
            && permit.model == *model
            && permit.purpose == purpose
            && permit.guard == guard
    };
    run.tx.permits.iter().position(fits).ok_or_else(|| {
        Code::NoPermit
            .because(format_args!("{guard} has not permitted {reader} to read {cid} with model {model} for {purpose}"))
    })
}

fn note(run: &mut Run<'_>, reader: &str, image: BlobId, model: ModelId, event: What) {
    let (height, tx) = (run.block.height, run.tx.index);
    run.tx.journal.note(Entry { height, tx, image, model, caller: reader.into(), event });
}

/// Journals that a sealed file was read in the open, because its key was shown; the fee is owed from here on.
pub(crate) fn note_open(
    run: &mut Run<'_>,
    reader: &str,
    (image, frame): (BlobId, Frame),
    row: &ModelRow,
    manifest: &Manifest,
) {
    let (fee, author) = (manifest.price.amount, row.author.clone());
    let read = What::Read { guard: String::new(), grant: String::new(), r#use: 0, frame, fee, author };
    note(run, reader, image, manifest.id(), read);
}

fn check_fee(run: &mut Run<'_>, reader: &str, wanted: &Wanted) -> Outcome<u64> {
    if is_query(run) { Ok(0) } else { covered(run, reader, &wanted.manifest) }
}

/// What a read with a model costs. Who pays must have held it before the transaction began and hold it still, so that what
/// it owes is there whatever is undone. Coins that have not vested pay for nothing.
pub(crate) fn covered(run: &mut Run<'_>, reader: &str, manifest: &Manifest) -> Outcome<u64> {
    let (fee, denom) = (manifest.price.amount, run.chain.denom.clone());
    let owed = run.tx.journal.owed(reader);
    let now = bank::stored(&mut Bare(run.delta), reader, &denom)?;
    let before = run.tx.before.get(reader).copied().unwrap_or(now);
    let locked = match run.vests_at() {
        Some(now) => bank::locked(&mut Bare(run.delta), reader, &denom, now)?,
        None => 0,
    };
    let held = now.min(before).saturating_sub(locked).saturating_sub(owed);
    if held < u128::from(fee) {
        let words = format_args!(
            "{reader} could spend {held}{denom} when the transaction began, and a read with model {} costs {fee}{denom}",
            manifest.id()
        );
        return Err(Code::ReadFee.because(words).into());
    }
    Ok(fee)
}

/// The image's pixel digest and the model's input, with the place in the block's transcript. Where no image is looked at
/// the input is zeros: a simulation shows nothing, and where a transcript says what the model made of an image nothing
/// is computed from it.
fn opened(
    run: &mut Run<'_>,
    reader: &str,
    model: &ModelId,
    wanted: &Wanted,
    frame: Frame,
) -> Outcome<(Option<Place>, PixelDigest, Tensor)> {
    let pipeline = &wanted.manifest.pipeline;
    let host = run.host;
    let seen = match run.mode {
        Mode::Simulate => {
            let stated = wanted.image.origin.as_ref().and_then(|origin| PixelDigest::try_from(&origin.pixels[..]).ok());
            Ok((None, stated.unwrap_or_default(), None))
        }
        Mode::Deliver => {
            let who = Who { tx: Some(run.tx.index), caller: reader.into(), model: *model };
            let opened =
                run.script.open(who, (wanted.cid, frame), wanted.ends, wanted.outputs, || look(host, wanted, frame))?;
            opened.map(|opened| (Some(opened.place), opened.pixels, opened.tensor))
        }
        _ => look_in_turn(host, wanted, frame)?.map(|(pixels, tensor)| (None, pixels, Some(tensor))),
    };
    let refused = |reason| Code::ImageRefused.because(format_args!("{}: {reason}", wanted.cid));
    let (place, pixels, tensor) = seen.map_err(refused)?;
    Ok((place, pixels, tensor.map_or_else(|| zeros(pipeline), Ok)?))
}

/// The same for a question, beside the block.
fn look_in_turn(host: &Host, wanted: &Wanted, frame: Frame) -> Outcome<Result<(PixelDigest, Tensor), String>> {
    // It guards nothing that a panic could spoil.
    let _turn = host.looking.lock().unwrap_or_else(PoisonError::into_inner);
    look(host, wanted, frame)
}

/// Decodes the record, or says why the model does not take it.
fn look(host: &Host, wanted: &Wanted, frame: Frame) -> Outcome<Result<(PixelDigest, Tensor), String>> {
    let bytes = blobs::bytes(host, &wanted.cid, wanted.size)?;
    let ImageRow { modality, body_part, effort, .. } = &wanted.image;
    let stated = Stated { modality: modality.clone(), body_part: body_part.clone() };
    let pipeline = &wanted.manifest.pipeline;
    let record = match Record::decode_frame(&bytes, frame, pipeline, Limits::registered(*effort)) {
        Ok(record) => record,
        Err(e) => return Ok(Err(e.to_string())),
    };
    let tensor = record.to_tensor(pipeline, &stated).map_err(|e| e.to_string());
    Ok(tensor.map(|tensor| (record.identity(), tensor)))
}

/// Uses the permit up. Its grant's uses are counted against the cap once more: another permit may have come between.
fn consume(run: &mut Run<'_>, wanted: &Wanted) -> Outcome<Option<Consent>> {
    let Some(slot) = wanted.permit else { return Ok(None) };
    let Some(permit) = run.tx.permits.get(slot).cloned() else { return Ok(None) };
    let used = permits::check_uses(run, &permit.guard, &permit.grant, permit.max_uses)?;
    if let Some(permit) = run.tx.permits.get_mut(slot) {
        permit.consumed = true;
    }
    let permits::Permit { guard, grant, actor, purpose, .. } = permit;
    Ok(Some(Consent { guard, grant, actor, purpose, r#use: used + 1 }))
}

/// The tensor of an image that nobody looks at.
fn zeros(pipeline: &Pipeline) -> Outcome<Tensor> {
    let channels = pipeline.channels.count();
    let dims = match pipeline.layout {
        Layout::Nchw => vec![1, channels, pipeline.height, pipeline.width],
        Layout::Nhwc => vec![1, pipeline.height, pipeline.width, channels],
    };
    Ok(Tensor::zeros(aceso_types::ElementType::U8, dims).map_err(|e| Code::InferenceFailed.because(e))?)
}

/// Whether the work only answers a question. Its reads are of public images, cost no fee and leave no receipt.
fn is_query(run: &Run<'_>) -> bool {
    run.mode == Mode::Query || run.queries > 0
}

/// Gives a receipt its number and writes it into state and lists.
pub(crate) fn record(state: &mut impl Write, receipt: Receipt) -> Outcome<(ReadId, Event)> {
    let read = ReadId(state.count(READS, keys::reads())?);
    let receipt = Receipt { read, ..receipt };
    let bytes = receipt.encode();
    if bytes.is_empty() {
        return Err(AppError::Host(format!("receipt {read} does not encode")).into());
    }
    let cid = receipt.image.to_string();
    state.set(READS, keys::receipt(read.0), bytes)?;
    state.set(READS, keys::receipt_of(&cid, read.0), b"1".to_vec())?;
    state.set(READS, keys::receipt_in(receipt.height.0, receipt.tx.0, read.0), b"1".to_vec())?;
    let event = Event::new("read")
        .with("read", read.to_string())
        .with("image", cid)
        .with_frame(receipt.frame)
        .with("model", receipt.model.to_string())
        .with("reader", receipt.reader.as_str())
        .with("outcome", receipt.outcome.digest.to_string());
    Ok((read, event))
}

/// The models of the latest reads, the latest first, each once.
pub(crate) fn latest_models(state: &mut impl Read, reads: usize) -> Outcome<Vec<ModelId>> {
    let part = Part { order: Order::Descending, ..Part::first(keys::receipts(), reads) };
    let mut models = Vec::new();
    for (key, bytes) in state.page(READS, &part)? {
        let Receipt { model, .. } = Receipt::decode(&bytes).map_err(|_| damaged(READS, &key))?;
        if !models.contains(&model) {
            models.push(model);
        }
    }
    Ok(models)
}

/// A receipt by its number.
pub(crate) fn receipt(state: &mut impl Read, read: u64) -> Outcome<Option<Receipt>> {
    let key = keys::receipt(read);
    let bytes = state.get(READS, &key)?;
    Ok(bytes.map(|bytes| Receipt::decode(&bytes).map_err(|_| damaged(READS, &key))).transpose()?)
}
