//! The imports as the chain answers them: permits before reads, uses and fees counted whatever comes after.

use aceso_types::{
    BlobId, Frame as Picture, ModelId, ReadId, Tensor,
    guest::{Answer, PERMIT_BYTES_MAX, PURPOSE_MAX, PermitRequest, ReadInfo},
    journal::{Entry, Event},
};

use super::{
    engine::Opened,
    host::{Chain, Frame, Run, Stop, Trap, next_read, vouched},
};
use crate::Errno;

impl Chain {
    pub(crate) fn load_by_name(&mut self, name: &str) -> Result<u32, Stop> {
        let model: ModelId = name.parse().map_err(|_| Errno::NotFound)?;
        if !self.models.contains_key(&model) {
            return Err(Errno::NotFound.into());
        }
        let frame = self.frame()?;
        frame.graphs.push(model);
        handle(frame.graphs.len())
    }

    pub(crate) fn init_execution_context(&mut self, graph: u32) -> Result<u32, Stop> {
        let frame = self.frame()?;
        let model = *position(graph).and_then(|at| frame.graphs.get(at)).ok_or(Errno::InvalidArgument)?;
        frame.runs.push(Run { model, inputs: Default::default(), outputs: None, read: None });
        handle(frame.runs.len())
    }

    pub(crate) fn set_input(&mut self, context: u32, index: u32, tensor: &Tensor) -> Result<(), Stop> {
        self.settable(context)?.inputs.insert(index, tensor.clone());
        Ok(())
    }

    pub(crate) fn set_input_frame(
        &mut self,
        context: u32,
        index: u32,
        cid: &str,
        frame: Picture,
        purpose: &str,
    ) -> Result<(), Stop> {
        let model = self.settable(context)?.model;
        let id: BlobId = cid.parse().map_err(|_| Errno::InvalidArgument)?;
        if purpose.len() > PURPOSE_MAX {
            return Err(Errno::InvalidArgument.into());
        }
        if !self.images.contains_key(&id) {
            return Err(Errno::NotFound.into());
        }
        let permit = self.take_permit(&id, &model, purpose)?;
        let opened = self.open(&id, frame, &model)?;
        let read = self.pay_and_count((&id, frame), &model, permit)?;
        let run = self.run(context)?;
        run.read = Some((read, id, frame, opened.pixels));
        run.inputs.insert(index, opened.input);
        Ok(())
    }

    pub(crate) fn compute(&mut self, context: u32) -> Result<(), Stop> {
        let run = self.run(context)?;
        let (model, inputs) = (run.model, run.inputs.values().cloned().collect::<Vec<_>>());
        let manifest = &self.models.get(&model).ok_or(Errno::NotFound)?.manifest;
        let outputs = self.engine.run(manifest, &inputs).map_err(|_| Errno::RuntimeError)?;
        self.run(context)?.outputs = Some(outputs);
        Ok(())
    }

    pub(crate) fn get_output(&mut self, context: u32, index: u32) -> Result<Vec<u8>, Stop> {
        let outputs = self.run(context)?.outputs.as_ref().ok_or(Errno::RuntimeError)?;
        let output = usize::try_from(index).ok().and_then(|at| outputs.get(at)).ok_or(Errno::InvalidArgument)?;
        Ok(output.data().to_vec())
    }

    pub(crate) fn blob_size(&mut self, cid: &str) -> Result<u64, Stop> {
        let id: BlobId = cid.parse().map_err(|_| Errno::InvalidArgument)?;
        Ok(self.images.get(&id).ok_or(Errno::NotFound)?.bytes.len() as u64)
    }

    pub(crate) fn permit(&mut self, json: &[u8]) -> Result<(), Stop> {
        if json.len() > PERMIT_BYTES_MAX {
            return Err(Errno::TooLarge.into());
        }
        let request: PermitRequest = serde_json::from_slice(json).map_err(|_| Errno::InvalidEncoding)?;
        let guard = self.frame()?.contract.clone();
        let registration = if request.owner.is_empty() {
            self.images.get(&request.image).map(|image| &image.registration)
        } else {
            let record = self.jobs.records.get(&(request.owner.clone(), request.image));
            record.map(|record| &record.registration)
        };
        if registration.ok_or(Errno::NotFound)?.guard != guard {
            return Err(trap(format!("{guard} is not the guard of image {}", request.image)));
        }
        if !self.signers.contains(&request.actor) {
            return Err(trap(format!("{} has not signed this transaction", request.actor)));
        }
        let PermitRequest { caller, actor, image, model, purpose, grant, answer, .. } = request.clone();
        let event = match answer {
            Answer::Permit { max_uses } => {
                let uses = self.uses_of(&guard, &grant);
                if uses >= max_uses {
                    return Err(trap(format!("grant {grant} of {guard} is used up: {uses} of {max_uses}")));
                }
                self.permits.push((guard.clone(), request));
                Event::Permitted { guard, grant, actor, purpose }
            }
            Answer::Deny { reason } => Event::Refused { guard, grant, actor, purpose, reason },
        };
        self.write(image, model, caller, event);
        Ok(())
    }

    pub(crate) fn read_info(&mut self, context: u32) -> Result<Vec<u8>, Stop> {
        let run = self.run(context)?;
        let (model, outputs) = (run.model, run.outputs.clone().ok_or(Errno::RuntimeError)?);
        let (read, image, frame, pixels) = run.read.ok_or(Errno::NotFound)?;
        let registration = &self.images.get(&image).ok_or(Errno::NotFound)?.registration;
        let known = self.models.get(&model).ok_or(Errno::NotFound)?;
        let answers = self.engine.answer(&known.manifest, &outputs).map_err(|_| Errno::RuntimeError)?;
        let info = ReadInfo {
            read,
            image,
            frame,
            pixels,
            owner: registration.owner.clone(),
            origin: vouched(registration.origin.as_ref(), &pixels),
            model,
            author: known.author.clone(),
            fee: known.manifest.price.amount.to_string(),
            scores: answers.scores,
            findings: answers.findings,
            readings: answers.readings,
        };
        serde_json::to_vec(&info).map_err(|_| Errno::InvalidEncoding.into())
    }

    /// The permit for this read, which is gone from here on; none is needed for a public image.
    fn take_permit(&mut self, id: &BlobId, model: &ModelId, purpose: &str) -> Result<Option<PermitRequest>, Stop> {
        let contract = self.frame()?.contract.clone();
        let guard = self.images.get(id).map(|image| image.registration.guard.clone()).unwrap_or_default();
        if guard.is_empty() {
            return Ok(None);
        }
        let fits = |(by, permit): &(String, PermitRequest)| {
            *by == guard
                && permit.caller == contract
                && permit.image == *id
                && permit.owner.is_empty()
                && permit.model == *model
                && permit.purpose == purpose
        };
        let Some(at) = self.permits.iter().position(fits) else {
            return Err(trap(format!("no permit for {contract} to read image {id} with model {model} for {purpose}")));
        };
        Ok(Some(self.permits.remove(at).1))
    }

    fn open(&self, id: &BlobId, frame: Picture, model: &ModelId) -> Result<Opened, Stop> {
        let image = self.images.get(id).ok_or(Errno::NotFound)?;
        let manifest = &self.models.get(model).ok_or(Errno::NotFound)?.manifest;
        let opened = self.engine.open(&image.bytes, frame, &image.registration.stated, manifest);
        opened.map_err(|sentence| trap(format!("image {id}: {sentence}")))
    }

    /// The fee goes from contract to author, the grant's use is counted, and the journal says so.
    fn pay_and_count(
        &mut self,
        (id, frame): (&BlobId, Picture),
        model: &ModelId,
        permit: Option<PermitRequest>,
    ) -> Result<ReadId, Stop> {
        let contract = self.frame()?.contract.clone();
        let known = self.models.get(model).ok_or(Errno::NotFound)?;
        let (fee, author) = (known.manifest.price.amount, known.author.clone());
        let has = self.coins.get(&contract).copied().unwrap_or_default();
        let rest =
            has.checked_sub(fee).ok_or_else(|| trap(format!("{contract} holds {has}, and the read costs {fee}")))?;
        let (guard, grant, used) = match permit {
            None => (String::new(), String::new(), 0),
            Some(permit) => {
                let guard = self.images.get(id).map(|image| image.registration.guard.clone()).unwrap_or_default();
                let used = self.uses_of(&guard, &permit.grant).saturating_add(1);
                if let Answer::Permit { max_uses } = permit.answer
                    && used > max_uses
                {
                    return Err(trap(format!(
                        "grant {} of {guard} is used up: {max_uses} of {max_uses}",
                        permit.grant
                    )));
                }
                self.uses.insert((guard.clone(), permit.grant.clone()), used);
                (guard, permit.grant, used)
            }
        };
        self.coins.insert(contract.clone(), rest);
        let owner = self.images.get(id).map(|image| image.registration.owner.clone()).unwrap_or_default();
        *self.spent.entry((contract.clone(), owner)).or_default() += u128::from(fee);
        self.write(*id, *model, contract, Event::Read { guard, grant, r#use: used, frame, fee, author });
        Ok(next_read(self))
    }

    fn write(&mut self, image: BlobId, model: ModelId, caller: String, event: Event) {
        self.journal.push(Entry { height: self.height, tx: self.tx, image, model, caller, event });
    }

    fn frame(&mut self) -> Result<&mut Frame, Errno> {
        self.frames.last_mut().ok_or(Errno::UnsupportedOperation)
    }

    fn run(&mut self, context: u32) -> Result<&mut Run, Errno> {
        position(context).and_then(|at| self.frame().ok()?.runs.get_mut(at)).ok_or(Errno::InvalidArgument)
    }

    /// A run whose input may be set now. One that came from an image stays as it is until the model has run; a run
    /// that is done begins anew.
    fn settable(&mut self, context: u32) -> Result<&mut Run, Errno> {
        let run = self.run(context)?;
        if run.outputs.take().is_some() {
            *run = Run { model: run.model, inputs: Default::default(), outputs: None, read: None };
        }
        if run.read.is_some() { Err(Errno::Busy) } else { Ok(run) }
    }
}

/// The handle of the last of so many; the first is 0.
fn handle(length: usize) -> Result<u32, Stop> {
    u32::try_from(length.saturating_sub(1)).map_err(|_| Errno::TooLarge.into())
}

fn position(handle: u32) -> Option<usize> {
    usize::try_from(handle).ok()
}

fn trap(sentence: String) -> Stop {
    Stop::Trap(Trap(sentence))
}
