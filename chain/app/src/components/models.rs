//! Models: registered by manifest, admitted when their bytes are available, kept with the state from then on.
//!
//! A model whose bytes are available is admitted or refused in the transaction that registers it. Else it waits for its
//! blob, and a block in which the blob is available admits or refuses it at its end, a bounded number in each block.
//! Admission is a function of the bytes and the manifest alone; the bytes are copied into the state, so that a model
//! outlives its blob.

use std::sync::Arc;

use aceso_inference::{Model, ModelRefused, meter};
use aceso_types::{
    BlobId, Gas, Manifest, ModelId, Tensor,
    guest::ModelInfo,
    msg::{MsgRegisterModel, MsgRegisterModelResponse},
    query::{BlobStatus, ModelRow, ModelStatus},
    sealed,
};
use aceso_vm::{ModelFacts, TensorSpec};

use crate::{
    code::Code,
    components::{
        MODELS, blobs,
        reads::{
            self,
            script::{Script, Who},
        },
        validators,
    },
    error::{AppError, Outcome, Stop},
    event::Event,
    gas,
    host::Host,
    run::{Mode, Run},
    store::{Bare, Part, Read, Write, damaged},
};

/// Models that a block admits at most; the rest wait for the next one.
const ADMISSIONS_MAX: usize = 4;
/// Latest reads whose models are made ready first after a start.
const READS_LOOKED_AT: usize = 64;
/// Most models that are made ready after a start: a fraction of a second each, beside all else that starts.
const READY_MAX: u64 = 64;
/// Models that may wait for one blob.
const WAITING_MAX: usize = 16;

/// Every key of the component. Renaming one is a state migration.
mod keys {
    /// `model/0293161d…` — 64 hexadecimal digits
    pub(super) fn model(id: &str) -> Vec<u8> {
        format!("model/{id}").into_bytes()
    }

    /// `onnx/4bca…` — the digest of the bytes, 64 hexadecimal digits
    pub(super) fn onnx(digest: &str) -> Vec<u8> {
        format!("onnx/{digest}").into_bytes()
    }

    /// `bytes/bafkrei…` — the blob of an admitted model, which whoever executes the chain from its beginning needs again
    pub(super) fn bytes(cid: &str) -> Vec<u8> {
        format!("bytes/{cid}").into_bytes()
    }

    /// `waiting/bafkrei…/0293161d…`
    pub(super) fn waiting(cid: &str, id: &str) -> Vec<u8> {
        format!("waiting/{cid}/{id}").into_bytes()
    }

    /// `queue/00000000000000001234/0293161d…` — the height from which on its blob is available
    pub(super) fn queue(height: u64, id: &str) -> Vec<u8> {
        format!("queue/{height:020}/{id}").into_bytes()
    }

    #[test]
    fn keys_do_not_change() {
        let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
        expect_test::expect!["model/m onnx/d bytes/c waiting/c/m queue/00000000000000001234/m"]
            .assert_eq(&[model("m"), onnx("d"), bytes("c"), waiting("c", "m"), queue(1234, "m")].map(text).join(" "));
    }
}

/// A registration, if there is one.
pub(crate) fn get(state: &mut impl Read, id: &ModelId) -> Outcome<Option<ModelRow>> {
    state.row(MODELS, &keys::model(&id.to_string()))
}

/// The manifest in a row.
pub(crate) fn manifest(row: &ModelRow) -> Outcome<Manifest> {
    Ok(Manifest::decode(&row.manifest).map_err(|_| damaged(MODELS, row.model.as_bytes()))?)
}

/// Whether a blob is the bytes of an admitted model. Nodes that have it keep it beyond its term.
pub(crate) fn is_kept(state: &mut impl Read, cid: &BlobId) -> Outcome<bool> {
    Ok(state.get(MODELS, &keys::bytes(&cid.to_string()))?.is_some())
}

/// What contracts learn of a model that can be read with.
pub(crate) fn info(state: &mut impl Read, id: &ModelId) -> Outcome<Option<ModelInfo>> {
    let Some(row) = get(state, id)?.filter(|row| row.status() == ModelStatus::Admitted) else { return Ok(None) };
    let manifest = manifest(&row)?;
    let findings = manifest.output.findings.into_iter().map(|one| one.id).collect();
    Ok(Some(ModelInfo { name: manifest.name, author: row.author, price: manifest.price, findings }))
}

/// `MsgRegisterModel`.
pub(crate) fn register_msg(run: &mut Run<'_>, msg: &MsgRegisterModel) -> Outcome<MsgRegisterModelResponse> {
    let chain = run.chain.clone();
    let author = chain.address(&msg.author)?.to_string();
    let manifest = Manifest::decode(&msg.manifest).map_err(|e| Code::ManifestRefused.because(e))?;
    if manifest.price.denom != chain.denom {
        let words = format_args!("a read is paid in {}, not in {}", chain.denom, manifest.price.denom);
        return Err(Code::ModelPrice.because(words).into());
    }
    let id = manifest.id();
    if let Some(row) = get(run, &id)? {
        return Err(Code::ModelRegistered.because(format_args!("{id}: by {}", row.author)).into());
    }
    if let Some(named) = manifest.author.as_deref().filter(|named| *named != author) {
        let words = format_args!("the manifest names {named} as its author, and {author} registers it");
        return Err(Code::ManifestRefused.because(words).into());
    }
    let cid = manifest.onnx.blob;
    let Some(blob) = blobs::get(run, &cid)? else { return Err(Code::BlobUnknown.because(cid).into()) };
    if blob.size != manifest.onnx.size {
        let words = format_args!("{cid}: registered with {} bytes, not {}", blob.size, manifest.onnx.size);
        return Err(Code::ManifestRefused.because(words).into());
    }
    let height = run.block.height.0;
    let status = blob.status(height, &validators::decided(&mut Bare(run.delta))?);
    if status == BlobStatus::Expired {
        let words = format_args!("{cid}: its term ended at height {}", blob.expires);
        return Err(Code::BlobUnavailable.because(words).into());
    }
    run.meter.spend(gas::MODEL_BYTE.saturating_mul(manifest.onnx.size), "model admission")?;
    let mut row = ModelRow {
        model: id.to_string(),
        manifest: msg.manifest.clone(),
        author,
        status: ModelStatus::Pending.into(),
        height,
        ..ModelRow::default()
    };
    run.emit(Event::new("register_model").with("model", id.to_string()).with("author", row.author.as_str()));
    let admitted = status == BlobStatus::Available;
    if admitted {
        // A simulation decodes nothing that its sender did not pay for: the price is the same without the work.
        if run.mode != Mode::Simulate {
            run.script.need_room(0)?;
            let host = run.host;
            let who = Who { tx: Some(run.tx.index), caller: row.author.clone(), model: id };
            let (model, bytes) =
                run.script.admit(who, host, &manifest)?.map_err(|reason| Code::ModelRefused.because(reason))?;
            admit_row(&mut Bare(run.delta), &mut row, &manifest, &model, bytes)?;
            host.models.put(id, Arc::new(model));
        }
        run.emit(verdict(&row));
    } else if blob.available_from != 0 {
        run.set(MODELS, keys::queue(blob.available_from, &row.model), b"1".to_vec())?;
    } else {
        let waiting = run.page(MODELS, &Part::first(keys::waiting(&cid.to_string(), ""), WAITING_MAX))?;
        if waiting.len() == WAITING_MAX {
            let words = format_args!("{cid}: {WAITING_MAX} models wait for it already");
            return Err(Code::ModelRefused.because(words).into());
        }
        run.set(MODELS, keys::waiting(&cid.to_string(), &row.model), b"1".to_vec())?;
    }
    run.put(MODELS, keys::model(&row.model), &row)?;
    Ok(MsgRegisterModelResponse { model: id.as_bytes().into(), admitted })
}

/// Notes what an admitted model costs, and keeps its bytes. Their price is paid with the admission.
fn admit_row(
    state: &mut impl Write,
    row: &mut ModelRow,
    manifest: &Manifest,
    model: &Model,
    bytes: Vec<u8>,
) -> Outcome<()> {
    state.set(MODELS, keys::onnx(&manifest.onnx.digest.to_string()), bytes)?;
    state.set(MODELS, keys::bytes(&manifest.onnx.blob.to_string()), b"1".to_vec())?;
    let facts = model.facts();
    row.status = ModelStatus::Admitted.into();
    row.macs = facts.macs;
    row.load_gas = Gas::from_wasm(meter::load(&facts)).0;
    row.run_gas = Gas::from_wasm(meter::run(&facts)).0;
    row.result_bytes = result_bytes(model)?;
    Ok(())
}

/// The row of an admitted model with all that is noted today. One from before [`ModelRow::result_bytes`] was noted has 0
/// there, which no model has: it follows from the model, which is loaded for that, at the price of a load, and noted.
pub(crate) fn completed(run: &mut Run<'_>, id: &ModelId, row: ModelRow) -> Outcome<ModelRow> {
    if row.result_bytes > 0 {
        return Ok(row);
    }
    run.meter.spend(row.load_gas, "model")?;
    let Some((row, model)) = load(run, id)? else { return Ok(row) };
    let row = ModelRow { result_bytes: result_bytes(&model)?, ..row };
    run.put(MODELS, keys::model(&row.model), &row)?;
    Ok(row)
}

/// Bytes of what a model's outputs become for who holds a record's key: the same whatever is in them.
fn result_bytes(model: &Model) -> Outcome<u64> {
    let zeros = |spec: &aceso_inference::TensorSpec| {
        let bytes = Tensor::bytes(spec.ty, &spec.dims).unwrap_or_default();
        Tensor::new(spec.ty, spec.dims.clone(), vec![0; bytes]).map_err(|e| AppError::Host(e.to_string()))
    };
    let outputs = model.outputs().iter().map(zeros).collect::<Result<Vec<_>, _>>()?;
    Ok(sealed::result_bytes(&outputs))
}

fn verdict(row: &ModelRow) -> Event {
    let kind = if row.status() == ModelStatus::Refused { "model_refused" } else { "model_admitted" };
    let event = Event::new(kind).with("model", row.model.as_str()).with("author", row.author.as_str());
    if row.reason.is_empty() { event } else { event.with("reason", row.reason.as_str()) }
}

/// Queues the models that wait for a blob which has been attested.
pub(crate) fn blob_attested(state: &mut impl Write, cid: &str, available_from: u64) -> Outcome<()> {
    for (key, _) in state.page(MODELS, &Part::first(keys::waiting(cid, ""), WAITING_MAX))? {
        state.remove(MODELS, &key)?;
        let id = String::from_utf8_lossy(&key).rsplit('/').next().map(String::from).unwrap_or_default();
        state.set(MODELS, keys::queue(available_from, &id), b"1".to_vec())?;
    }
    Ok(())
}

/// Whether models are queued whose blob is attested.
pub(crate) fn is_queued(state: &mut impl Read) -> Outcome<bool> {
    Ok(!state.page(MODELS, &Part::first(b"queue/".to_vec(), 1))?.is_empty())
}

/// What a block does to models after its transactions: those whose blob is available are admitted or refused.
pub(crate) fn end_block(state: &mut impl Write, host: &Host, script: &mut Script, height: u64) -> Outcome<Vec<Event>> {
    let mut events = Vec::new();
    for (key, _) in state.page(MODELS, &Part::first(b"queue/".to_vec(), ADMISSIONS_MAX))? {
        let text = String::from_utf8_lossy(&key).into_owned();
        let mut parts = text.split('/').skip(1);
        let due = parts.next().and_then(|at| at.parse::<u64>().ok()).is_some_and(|at| at <= height);
        if !due {
            break;
        }
        state.remove(MODELS, &key)?;
        let model_key = keys::model(parts.next().unwrap_or_default());
        let Some(mut row) = state.row::<ModelRow>(MODELS, &model_key)? else {
            return Err(damaged(MODELS, &model_key).into());
        };
        let manifest = manifest(&row)?;
        let cid = manifest.onnx.blob;
        if let Some(available_from) = pending_until(state, &cid, height)? {
            // Too few of those who attested it are left: it waits for others, or for what they said to take effect.
            let key = match available_from {
                0 => keys::waiting(&cid.to_string(), &row.model),
                from => keys::queue(from, &row.model),
            };
            state.set(MODELS, key, b"1".to_vec())?;
            continue;
        }
        match expired(state, &cid, height)? {
            Some(reason) => refuse(&mut row, reason),
            None => {
                let who = Who { tx: None, caller: row.author.clone(), model: manifest.id() };
                match script.admit(who, host, &manifest)? {
                    Ok((model, bytes)) => {
                        admit_row(state, &mut row, &manifest, &model, bytes)?;
                        host.models.put(manifest.id(), Arc::new(model));
                    }
                    Err(reason) => refuse(&mut row, reason),
                }
            }
        }
        state.put(MODELS, model_key, &row)?;
        events.push(verdict(&row));
    }
    Ok(events)
}

fn refuse(row: &mut ModelRow, reason: String) {
    row.status = ModelStatus::Refused.into();
    row.reason = reason;
}

/// For a blob that is pending, the height from which on it will be available; 0 where that is not known.
fn pending_until(state: &mut impl Read, cid: &BlobId, height: u64) -> Outcome<Option<u64>> {
    let decided = validators::decided(state)?;
    let row = blobs::get(state, cid)?.filter(|row| row.status(height, &decided) == BlobStatus::Pending);
    Ok(row.map(|row| if row.available_from > height { row.available_from } else { 0 }))
}

/// Why a blob is not available any more; none if it is.
fn expired(state: &mut impl Read, cid: &BlobId, height: u64) -> Outcome<Option<String>> {
    match blobs::available(state, cid, height) {
        Ok(_) => Ok(None),
        Err(Stop::Refused(fault)) => Ok(Some(fault.text)),
        Err(halt) => Err(halt),
    }
}

/// An admitted model ready to run, with its row; none if there is no such model to read with. The engine charges for
/// it as if it were cold.
pub(crate) fn load(run: &mut Run<'_>, id: &ModelId) -> Outcome<Option<(ModelRow, Arc<Model>)>> {
    let Some(row) = get(&mut Bare(run.delta), id)? else { return Ok(None) };
    if row.status() != ModelStatus::Admitted {
        return Ok(None);
    }
    if let Some(model) = run.host.models.get(id) {
        return Ok(Some((row, model)));
    }
    let model = Arc::new(ready_model(&mut Bare(run.delta), run.host, id, &manifest(&row)?)?);
    run.host.models.put(*id, model.clone());
    Ok(Some((row, model)))
}

/// Makes models ready that were admitted before this machine was started, those of the latest reads first, until the
/// memory for them is full. Answers how many. Changes time only: whoever loads one pays as if it were cold.
pub(crate) fn warm(state: &mut impl Read, host: &Host) -> Outcome<u64> {
    if let Some(shelf) = host.models.shelf() {
        // Where the state cannot tell, nothing is lost by keeping it.
        shelf.retain(&mut |id| get(state, id).ok().is_none_or(|row| row.is_some()));
    }
    let mut ready = 0;
    for id in likely(state)? {
        if host.models.has(&id) {
            continue;
        }
        let Some(manifest) = admitted(state, &id)?.filter(|one| host.models.may_hold(one.onnx.size)) else { continue };
        let model = match host.models.packed(&id) {
            Some(model) => model,
            None => understood(&id, host.models.admit_for_shelf(&onnx(state, &manifest)?, &manifest))?,
        };
        if !host.models.put_beside(id, Arc::new(model)) {
            break;
        }
        ready += 1;
        if ready == READY_MAX {
            break;
        }
    }
    Ok(ready)
}

/// Puts models onto the shelf that it wants, those of the latest reads first. Answers how many.
pub(crate) fn shelve(state: &mut impl Read, host: &Host) -> Outcome<u64> {
    let Some(shelf) = host.models.shelf() else { return Ok(0) };
    let mut put = 0;
    for id in likely(state)?.into_iter().filter(|id| shelf.wants(id)) {
        let Some(manifest) = admitted(state, &id)? else { continue };
        understood(&id, host.models.admit_for_shelf(&onnx(state, &manifest)?, &manifest))?;
        put += 1;
    }
    Ok(put)
}

/// Models that are likely to be read with: those of the latest reads first, then some others, admitted or not.
fn likely(state: &mut impl Read) -> Outcome<Vec<ModelId>> {
    let mut ids = reads::latest_models(state, READS_LOOKED_AT)?;
    let others = state.page(MODELS, &Part::first(b"model/".to_vec(), READS_LOOKED_AT))?;
    for (key, _) in others {
        let id = String::from_utf8_lossy(&key).rsplit('/').next().and_then(|id| id.parse().ok());
        ids.extend(id.filter(|id| !ids.contains(id)));
    }
    Ok(ids)
}

/// A model's manifest, if it is admitted.
fn admitted(state: &mut impl Read, id: &ModelId) -> Outcome<Option<Manifest>> {
    let row = get(state, id)?.filter(|row| row.status() == ModelStatus::Admitted);
    row.map(|row| manifest(&row)).transpose()
}

/// A model made ready from the shelf, else from the bytes in the state.
fn ready_model(state: &mut impl Read, host: &Host, id: &ModelId, manifest: &Manifest) -> Outcome<Model> {
    match host.models.packed(id) {
        Some(model) => Ok(model),
        None => understood(id, host.models.admit_known(&onnx(state, manifest)?, manifest)),
    }
}

/// The bytes of an admitted model.
fn onnx(state: &mut impl Read, manifest: &Manifest) -> Outcome<Vec<u8>> {
    let key = keys::onnx(&manifest.onnx.digest.to_string());
    Ok(state.get(MODELS, &key)?.ok_or_else(|| damaged(MODELS, &key))?)
}

fn understood(id: &ModelId, model: Result<Model, ModelRefused>) -> Outcome<Model> {
    Ok(model.map_err(|e| AppError::Host(format!("model {id} was admitted on chain and is refused here: {e}")))?)
}

/// What the engine wants to know of a model.
pub(crate) fn facts(id: &ModelId, model: &Model) -> ModelFacts {
    let specs = |specs: &[aceso_inference::TensorSpec]| {
        specs.iter().map(|spec| TensorSpec { ty: spec.ty, dims: spec.dims.clone() }).collect()
    };
    let facts = model.facts();
    ModelFacts {
        id: *id,
        load_gas: meter::load(&facts),
        run_gas: meter::run(&facts),
        inputs: specs(model.inputs()),
        outputs: specs(model.outputs()),
    }
}

/// The key of a model's row, for lists.
pub(crate) fn row_key(id: &str) -> Vec<u8> {
    keys::model(id)
}

#[cfg(test)]
mod tests {
    use aceso_types::ElementType;

    use super::*;
    use crate::run::tests::with_run;

    #[test]
    fn a_row_from_before_its_results_were_measured_is_completed_once() {
        let onnx = include_bytes!("../../../../models/pneumonia/model.onnx");
        let manifest: Manifest =
            serde_json::from_slice(include_bytes!("../../../../models/pneumonia/manifest.json")).unwrap();
        let id = manifest.id();
        let old = ModelRow {
            model: id.to_string(),
            manifest: manifest.encode(),
            status: ModelStatus::Admitted.into(),
            load_gas: 1_234_567,
            ..ModelRow::default()
        };
        with_run(|run| {
            run.set(MODELS, keys::onnx(&manifest.onnx.digest.to_string()), onnx.to_vec()).unwrap();
            run.put(MODELS, keys::model(&old.model), &old).unwrap();
            let before = run.meter.used();
            let row = completed(run, &id, old.clone()).unwrap();
            let outputs = [Tensor::zeros(ElementType::U8, vec![1, 1]).unwrap()];
            assert_eq!(row, ModelRow { result_bytes: sealed::result_bytes(&outputs), ..old.clone() });
            let paid = run.meter.used() - before;
            assert!(paid > old.load_gas, "the load is paid for: {paid}");
            assert_eq!(get(run, &id).unwrap(), Some(row.clone()));
            let before = run.meter.used();
            assert_eq!(completed(run, &id, row.clone()).unwrap(), row);
            assert_eq!(run.meter.used(), before);
        });
    }
}
