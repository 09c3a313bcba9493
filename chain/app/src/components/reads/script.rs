//! The transcript of a block while it is written: what its open reads took from bytes, and what came out.
//!
//! What an image gives to the execution is its pixel digest, or why it was refused; the tensor made of it goes into the
//! model and nowhere else. So a node without the bytes takes both from a transcript that a peer gave ([`Script::of`]):
//! entry for entry, in the order in which its own execution comes to the reads. Whether that transcript is true shows
//! in the app hash and nowhere before.
//!
//! Only what is executed in a block is written down. A transaction that is tried beside it has a script of its own that
//! nobody reads.

use aceso_inference::{InferError, Model};
use aceso_types::{
    BlobId, Digest, Frame, Height, Manifest, ModelId, PixelDigest, Tensor, TxIndex,
    receipt::outputs_digest,
    sealed::{OUTCOME_BYTES_MAX, Outcome as Came},
    transcript::{self, ENTRY_WEIGHT, Entry, Read as What, Seen, Transcript, WEIGHT_MAX, reason, weight_of},
};

use crate::{
    code::{Code, Fault},
    components::blobs,
    error::{AppError, Outcome},
    host::Host,
};

/// What an outcome weighs in a transcript, at most.
pub(crate) const OUTCOME_WEIGHT: u64 = OUTCOME_BYTES_MAX as u64;

/// See the module.
#[derive(Default)]
pub(crate) struct Script {
    entries: Vec<Entry>,
    weight: u64,
    /// What a peer says, instead of images.
    given: Option<Vec<Entry>>,
}

/// The finished transcript of a block that has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    /// See [`Transcript::ends`].
    pub(crate) ends: Option<Height>,
}

/// Who reads with what, as an entry names it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) tx: Option<TxIndex>,
    pub(crate) caller: String,
    pub(crate) model: ModelId,
}

impl Who {
    fn wrote(self, read: What) -> Entry {
        Entry { tx: self.tx, caller: self.caller, model: self.model, read }
    }

    fn is_of(&self, entry: &Entry) -> bool {
        (self.tx, &self.caller, self.model) == (entry.tx, &entry.caller, entry.model)
    }
}

/// What an open read knows of the entry that it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// An image that was opened.
pub(crate) struct Opened {
    pub(crate) place: Place,
    pub(crate) pixels: PixelDigest,
    /// What the model gets; none where no image was looked at.
    pub(crate) tensor: Option<Tensor>,
}

impl Script {
    /// A script that takes from a transcript what images would give.
    pub(crate) fn of(given: Transcript) -> Self {
        Self { given: Some(given.entries), ..Self::default() }
    }

    /// Refuses what the block's transcript has no room for, before any work.
    pub(crate) fn need_room(&self, outputs: u64) -> Result<(), Fault> {
        let weight = self.weight.saturating_add(ENTRY_WEIGHT).saturating_add(outputs);
        if weight <= WEIGHT_MAX {
            return Ok(());
        }
        let words = format_args!("the block's open reads would pass {WEIGHT_MAX} bytes; send it again");
        Err(Code::ReadsFull.because(words))
    }

    /// Writes down how an image was opened: `look` does it, unless a peer has said what comes of it. Answers with it, or
    /// why it was refused.
    pub(crate) fn open(
        &mut self,
        who: Who,
        (image, frame): (BlobId, Frame),
        ends: Height,
        outputs: u64,
        look: impl FnOnce() -> Outcome<Result<(PixelDigest, Tensor), String>>,
    ) -> Outcome<Result<Opened, String>> {
        let opened = match self.given(&who)? {
            Some(What::Image { image: theirs, frame: their_frame, ends: theirs_end, seen })
                if (*theirs, *their_frame, *theirs_end) == (image, frame, ends) =>
            {
                match seen {
                    Seen::Refused { reason } => Err(reason.clone()),
                    Seen::Opened { pixels } | Seen::Failed { pixels, .. } | Seen::Done { pixels, .. } => {
                        Ok((*pixels, None))
                    }
                }
            }
            Some(_) => return Err(self.strange("another read").into()),
            None => look()?.map(|(pixels, tensor)| (pixels, Some(tensor))).map_err(reason),
        };
        let seen = match &opened {
            Ok((pixels, _)) => Seen::Opened { pixels: *pixels },
            Err(reason) => Seen::Refused { reason: reason.clone() },
        };
        let place = self.write(who.wrote(What::Image { image, frame, ends, seen }), outputs);
        Ok(opened.map(|(pixels, tensor)| Opened { place, pixels, tensor }))
    }

    /// Runs a model on an image that was opened at `place`, unless a peer has said what comes of it.
    pub(crate) fn run(
        &mut self,
        place: Place,
        model: &Model,
        inputs: &[Tensor],
    ) -> Outcome<Result<Vec<Tensor>, String>> {
        let given = self.given.as_ref().and_then(|given| given.get(place.0));
        let ran = match given.map(|entry| &entry.read) {
            None => infer(model, inputs)?,
            Some(What::Image { seen: Seen::Failed { reason, .. }, .. }) => Err(reason.clone()),
            Some(What::Image { seen: Seen::Done { outputs, .. }, .. }) => {
                let specs = model.outputs();
                let fits = outputs.len() == specs.len()
                    && outputs.iter().zip(specs).all(|(one, spec)| (one.ty(), one.dims()) == (spec.ty, &spec.dims[..]));
                if !fits {
                    return Err(self.strange("outputs that are not the model's").into());
                }
                Ok(outputs.clone())
            }
            Some(_) => return Err(self.strange("no run").into()),
        };
        if let Some(Entry { read: What::Image { seen, .. }, .. }) = self.entries.get_mut(place.0)
            && let Some(pixels) = seen.pixels()
        {
            *seen = match &ran {
                Ok(outputs) => Seen::Done { pixels, outputs: outputs.clone() },
                Err(reason) => Seen::Failed { pixels, reason: reason.clone() },
            };
        }
        Ok(ran)
    }

    /// Runs a model on a tensor that the contract held.
    pub(crate) fn run_tensor(
        &mut self,
        who: Who,
        model: &Model,
        inputs: &[Tensor],
    ) -> Outcome<Result<Vec<Tensor>, String>> {
        self.need_room(0)?;
        let ran = infer(model, inputs)?;
        let outcome = ran.as_ref().map(|outputs| outputs_digest(outputs)).map_err(Clone::clone);
        self.write(who.wrote(What::Tensor { outcome }), 0);
        Ok(ran)
    }

    /// Admits a model by its bytes, or says why it is refused.
    pub(crate) fn admit(
        &mut self,
        who: Who,
        host: &Host,
        manifest: &Manifest,
    ) -> Outcome<Result<(Model, Vec<u8>), String>> {
        let blob = manifest.onnx.blob;
        let verdict = match self.given(&who)? {
            Some(What::Admission { blob: theirs, refused: Some(reason) }) if *theirs == blob => Err(reason.clone()),
            // The bytes of what was admitted stay where the model does.
            _ => {
                let bytes = blobs::bytes(host, &blob, manifest.onnx.size)?;
                host.models.admit(&bytes, manifest).map(|model| (model, bytes)).map_err(reason)
            }
        };
        let refused = verdict.as_ref().err().cloned();
        self.write(who.wrote(What::Admission { blob, refused }), 0);
        Ok(verdict)
    }

    /// Writes down what a job's members should have signed: `look` opens the sealed file and computes it, unless a peer has
    /// said what comes of it.
    pub(crate) fn dispute(
        &mut self,
        who: Who,
        image: BlobId,
        ends: Height,
        look: impl FnOnce() -> Outcome<Came>,
    ) -> Outcome<Came> {
        let outcome = match self.given(&who)? {
            Some(What::Dispute { image: theirs, ends: theirs_end, outcome })
                if (*theirs, *theirs_end) == (image, ends) =>
            {
                outcome.clone()
            }
            Some(_) => return Err(self.strange("another read").into()),
            None => look()?,
        };
        self.write(who.wrote(What::Dispute { image, ends, outcome: outcome.clone() }), OUTCOME_WEIGHT);
        Ok(outcome)
    }

    /// The transcript, if there was a read. An error if a peer's transcript has reads that never came.
    pub(crate) fn finish(self, chain_id: &str, height: Height) -> Result<Option<Written>, AppError> {
        if self.given.as_ref().is_some_and(|given| given.len() != self.entries.len()) {
            return Err(self.strange("another number of reads"));
        }
        if self.entries.is_empty() {
            return Ok(None);
        }
        let chain_id = chain_id.into();
        let transcript = Transcript { version: transcript::VERSION, chain_id, height, entries: self.entries };
        let bytes = transcript.encode();
        if bytes.is_empty() {
            return Err(AppError::Host(format!("the transcript of block {height} does not encode")));
        }
        Ok(Some(Written { digest: transcript::digest(&bytes), ends: transcript.ends(), bytes }))
    }

    /// What a peer says of the next read; none where this node looks for itself.
    fn given(&self, who: &Who) -> Result<Option<&What>, AppError> {
        let Some(given) = &self.given else { return Ok(None) };
        match given.get(self.entries.len()) {
            Some(entry) if who.is_of(entry) => Ok(Some(&entry.read)),
            Some(_) => Err(self.strange("another read")),
            None => Err(self.strange("no read")),
        }
    }

    fn write(&mut self, entry: Entry, outputs: u64) -> Place {
        self.weight = self.weight.saturating_add(ENTRY_WEIGHT).saturating_add(outputs);
        self.entries.push(entry);
        Place(self.entries.len() - 1)
    }

    fn strange(&self, what: &'static str) -> AppError {
        AppError::Transcript { read: self.entries.len(), what }
    }
}

/// What a model's outputs weigh in a transcript.
pub(crate) fn output_weight(model: &Model) -> u64 {
    weight_of(model.outputs().iter().map(|spec| Tensor::bytes(spec.ty, &spec.dims).unwrap_or(usize::MAX)))
}

/// Runs a model. Only what this machine cannot do is an error.
pub(crate) fn infer(model: &Model, inputs: &[Tensor]) -> Outcome<Result<Vec<Tensor>, String>> {
    match model.run(inputs) {
        Ok(outputs) => Ok(Ok(outputs)),
        Err(error @ InferError::Rounding) => Err(AppError::Host(error.to_string()).into()),
        Err(error) => Ok(Err(reason(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_no_more_than_its_transcript_holds() {
        let mut script = Script::default();
        let who = || Who { tx: Some(TxIndex(0)), caller: "c".into(), model: ModelId::default() };
        let refused = || Ok(Err("no image".to_owned()));
        let outputs = 8 << 20;
        let mut reads = 0;
        while script.need_room(outputs).is_ok() {
            let opened = script.open(who(), (BlobId::of_raw(b"i"), Frame::FIRST), Height(9), outputs, refused).unwrap();
            assert_eq!(opened.err().as_deref(), Some("no image"));
            reads += 1;
        }
        assert_eq!((reads, script.need_room(outputs).unwrap_err().code), (5, Code::ReadsFull));
        assert!(script.need_room(0).is_ok());
        let written = script.finish("chain", Height(1)).unwrap().unwrap();
        assert_eq!((written.ends, written.digest), (Some(Height(9)), transcript::digest(&written.bytes)));
        assert_eq!(Script::default().finish("chain", Height(1)).unwrap(), None);
    }
}
