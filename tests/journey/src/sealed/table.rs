//! A row of a table, read as sealed as a picture: the bundled tabular model, end to end.

use std::path::Path;

use aceso_types::{
    ReadId,
    sealed::{Disclosure, Outcome},
};
use aceso_verify::{Opened, recompute_sealed};
use anyhow::{Context, Result, bail, ensure};

use super::{
    ask, outcome,
    patient::{Patient, committee, terms},
};
use crate::{
    play::{Scene, model_files},
    report::Report,
};

/// What no table says of itself, sealed with the row.
const TAGS: [(&str, &str); 2] = [("modality", "TABLE"), ("body_part", "BREAST")];

/// Plays it.
pub(super) fn play(report: &mut Report, scene: &Scene, patient: &mut Patient<'_>, models: &Path) -> Result<()> {
    let (author, physician) = (&scene.cast.author, &scene.cast.physician);
    let (manifest, onnx) = model_files(models, "wdbc")?;
    let row = models.join("wdbc/golden/malignant.csv");
    let row = std::fs::read(&row).with_context(|| format!("cannot read {}", row.display()))?;
    let finding = manifest.output.findings.first().context("the model has no finding")?.id.clone();
    let model = report.step(author.name, format!("registers {}", manifest.name), || {
        author.publish(&onnx)?;
        let (model, tx) = author.register_model(&manifest)?;
        author.expect_admitted(model)?;
        Ok((model, Some(tx)))
    })?;
    let (record, granted) =
        report.step(patient.party.name, "seals a row of laboratory values, and grants it", || {
            let stored = patient.seal("text/csv", &TAGS, &row)?;
            let (record, _) = patient.register(stored, "", None)?;
            let terms = terms(&physician.address, model, &finding, 1)?;
            let (granted, tx) = patient.grant(&record, terms, &committee(patient.party)?, true)?;
            Ok(((record, granted), Some(tx)))
        })?;
    let read = report.step(physician.name, "asks whether the row looks malignant: it does", || {
        let (job, tx) = ask(scene, &record, &granted, &Disclosure::Predicate(vec![finding.clone()]))?;
        match outcome(&job)?.1 {
            Outcome::Predicate { findings, .. } => ensure!(findings.iter().all(|one| one.present), "{findings:?}"),
            other => bail!("it came to {other:?}"),
        }
        Ok((ReadId(job.read), Some(tx)))
    })?;
    report.step("auditor", "verifies what the committee has signed of the row", || {
        scene.auditor.compact(physician, read)?;
        Ok(((), None))
    })?;
    report.step(patient.party.name, "computes the same from the row itself", || {
        let receipt = physician.evidence(read)?.receipt()?;
        let tags = TAGS.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let opened = Opened {
            content: &record.content,
            tags: &tags,
            record: &row,
            modality: "",
            body_part: "",
            effort: 0,
            vouched: None,
        };
        recompute_sealed(&receipt, &manifest.encode(), &onnx, &opened)?;
        Ok(((), None))
    })
}
