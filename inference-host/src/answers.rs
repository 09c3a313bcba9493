//! What the output tensors say, in the manifest's words and integers only.
//!
//! [`check`] holds the outputs' types and shapes against what the manifest says of them, once when a model is admitted and
//! again before anything is said of a tensor that came from elsewhere; [`answers`] reads the elements.

use aceso_types::{
    ElementType, Manifest, Tensor,
    guest::{Answered, Answers, Area, Reading, Score},
    manifest::{Finding, Label, MICRO, Meaning, Output, Quantity},
};

use crate::{
    error::{InferError, OutputFault},
    formula,
};

/// Scores by label, answers by finding, and what else the outputs say.
///
/// `outputs` are those of the model that `manifest` describes, in the graph's order. A label's probability is the entry of
/// its table at the value's distance from the lowest value of its type; a finding is present when its value reaches
/// `at_least`.
///
/// # Errors
/// [`InferError::Output`] where the tensors are not such outputs, [`InferError::Class`] where an element is the number of
/// no class.
pub fn answers(manifest: &Manifest, outputs: &[Tensor]) -> Result<Answers, InferError> {
    let said = &manifest.output;
    let shapes: Vec<_> = outputs.iter().map(|one| (one.ty(), one.dims())).collect();
    check(&shapes, said).map_err(|(index, fault)| InferError::Output { index, fault })?;
    let mut answers = Answers::default();
    for (index, (meaning, tensor)) in said.meanings().iter().zip(outputs).enumerate() {
        match meaning {
            Meaning::Labels if said.labels.iter().all(Label::has_table) => answers.scores = scores(said, tensor),
            Meaning::Labels => answers.readings.extend(values(index, said, tensor)?),
            _ => answers.readings.extend(readings(index, meaning, tensor)?),
        }
    }
    let findings =
        said.findings.iter().map(|one| Answered { id: one.id.clone(), present: is_present(one, said, outputs) });
    answers.findings = findings.collect();
    Ok(answers)
}

/// Whether outputs of these types and shapes are what a manifest says, or which of them is not.
pub(crate) fn check(outputs: &[(ElementType, &[u32])], said: &Output) -> Result<(), (usize, OutputFault)> {
    let meanings = said.meanings();
    if outputs.is_empty() {
        return Err((0, OutputFault::None));
    }
    if said.tensors.is_some() && outputs.len() != meanings.len() {
        return Err((0, OutputFault::Listed { outputs: outputs.len(), listed: meanings.len() }));
    }
    for (index, (meaning, &(ty, dims))) in meanings.iter().zip(outputs).enumerate() {
        fits(meaning, said, ty, dims).map_err(|fault| (index, fault))?;
    }
    Ok(())
}

/// Whether an output can mean that.
fn fits(meaning: &Meaning, said: &Output, ty: ElementType, dims: &[u32]) -> Result<(), OutputFault> {
    let bytes = matches!(ty, ElementType::U8 | ElementType::I8);
    let fault = |takes| Err(OutputFault::Meaning { ty, meaning: meaning.kind(), takes });
    let plane = |want: &[u32]| {
        let long = |dims: &[u32]| dims.iter().copied().filter(|&dim| dim != 1).collect::<Vec<_>>();
        if long(dims) == long(want) {
            return Ok(());
        }
        Err(OutputFault::Plane { dims: dims.into(), want: want.into(), meaning: meaning.kind() })
    };
    match meaning {
        Meaning::Labels => {
            let (labels, elements) = (said.labels.len(), dims.iter().map(|&dim| dim as usize).product());
            if labels != elements {
                return Err(OutputFault::Labels { labels, elements });
            }
            if let Some(label) = said.labels.iter().find(|one| one.has_table() != bytes) {
                return Err(OutputFault::Probabilities { label: label.name.clone(), ty });
            }
            let (lo, hi) = if bytes { formula::limits(ty == ElementType::I8) } else { (i32::MIN, i32::MAX) };
            let scored = said.findings.iter().filter(|finding| finding.output.is_none());
            match scored.into_iter().find(|finding| !(lo..=hi).contains(&finding.at_least)) {
                Some(Finding { id, at_least, .. }) => {
                    Err(OutputFault::Threshold { finding: id.clone(), at_least: *at_least, ty })
                }
                None => Ok(()),
            }
        }
        Meaning::Class { .. } => plane(&[1]),
        Meaning::Mask { width, height, .. } => plane(&[*height, *width]),
        Meaning::Maps { .. } if !bytes => fault("u8 or i8"),
        Meaning::Maps { width, height, channels, .. } => {
            plane(&[u32::try_from(channels.len()).unwrap_or(u32::MAX), *height, *width])
        }
        Meaning::Quantities(_) if ty == ElementType::I64 => fault("u8, i8 or i32"),
        Meaning::Quantities(all) => {
            plane(&[u32::try_from(all.len()).unwrap_or(u32::MAX)])?;
            let (lo, hi) = match ty {
                ElementType::U8 => (0, 255),
                ElementType::I8 => (-128, 127),
                ElementType::I32 | ElementType::I64 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            };
            match all.iter().find(|one| one.of(lo).is_none() || one.of(hi).is_none()) {
                Some(far) => Err(OutputFault::Quantity { quantity: far.name.clone(), ty }),
                None => Ok(()),
            }
        }
        Meaning::Unnamed => Ok(()),
    }
}

fn scores(said: &Output, tensor: &Tensor) -> Vec<Score> {
    let lowest = if tensor.ty() == ElementType::I8 { -128 } else { 0 };
    let score = |(label, value): (&Label, i64)| {
        let entry = usize::try_from(value - lowest).ok().and_then(|at| label.probability.get(at));
        let value = i32::try_from(value).unwrap_or_default();
        Score { label: label.name.clone(), value, probability: entry.copied().unwrap_or(0) }
    };
    said.labels.iter().zip(elements(tensor)).map(score).collect()
}

/// Elements of labels that have no table of probabilities, as they are: nothing is said of how likely they are.
fn values(index: usize, said: &Output, tensor: &Tensor) -> Result<Vec<Reading>, InferError> {
    let value = |(label, element): (&Label, i64)| {
        let itself = Quantity { name: label.name.clone(), unit: "1".into(), scale: i64::from(MICRO), offset: 0 };
        let micro = itself.of(element).ok_or(InferError::Beyond { index, element })?;
        Ok(Reading::Quantity { name: itself.name, micro, unit: itself.unit })
    };
    said.labels.iter().zip(elements(tensor)).map(value).collect()
}

/// What an output that was checked says.
fn readings(index: usize, meaning: &Meaning, tensor: &Tensor) -> Result<Vec<Reading>, InferError> {
    let output = u32::try_from(index).unwrap_or(u32::MAX);
    let class = |element: i64, classes: &[String]| {
        let at = usize::try_from(element).ok().filter(|&at| at < classes.len());
        at.ok_or(InferError::Class { index, class: element, classes: classes.len() })
    };
    Ok(match meaning {
        Meaning::Labels | Meaning::Unnamed => Vec::new(),
        Meaning::Class { name, classes } => {
            let chosen = class(elements(tensor).next().unwrap_or(-1), classes)?;
            let class = classes.get(chosen).cloned().unwrap_or_default();
            vec![Reading::Class { name: name.clone(), class }]
        }
        Meaning::Mask { name, width, height, classes } => {
            let mut areas: Vec<_> = classes.iter().map(|class| Area { class: class.clone(), pixels: 0 }).collect();
            for element in elements(tensor) {
                let at = class(element, classes)?;
                areas.iter_mut().skip(at).take(1).for_each(|area| area.pixels += 1);
            }
            vec![Reading::Mask { name: name.clone(), output, width: *width, height: *height, areas }]
        }
        Meaning::Maps { name, width, height, channels } => vec![Reading::Maps {
            name: name.clone(),
            output,
            width: *width,
            height: *height,
            channels: channels.clone(),
        }],
        Meaning::Quantities(all) => {
            let quantity = |(one, element): (&Quantity, i64)| Reading::Quantity {
                name: one.name.clone(),
                micro: one.of(element).unwrap_or_default(),
                unit: one.unit.clone(),
            };
            all.iter().zip(elements(tensor)).map(quantity).collect()
        }
    })
}

/// Whether what a finding looks at reaches its threshold, in outputs that were checked.
fn is_present(finding: &Finding, said: &Output, outputs: &[Tensor]) -> bool {
    let labels = || said.meanings().iter().position(|meaning| *meaning == Meaning::Labels);
    let index = finding.output.map_or_else(labels, |output| usize::try_from(output).ok());
    let looked = index.and_then(|index| Some((said.meanings().get(index)?, outputs.get(index)?)));
    let Some((meaning, tensor)) = looked else { return false };
    let at_least = i64::from(finding.at_least);
    match meaning {
        Meaning::Class { .. } | Meaning::Mask { .. } => {
            let pixels = elements(tensor).filter(|&element| element == i64::from(finding.label)).count();
            i64::try_from(pixels).is_ok_and(|pixels| pixels >= at_least)
        }
        _ => elements(tensor).nth(finding.label as usize).is_some_and(|element| element >= at_least),
    }
}

/// A tensor's elements, row by row.
fn elements(tensor: &Tensor) -> impl Iterator<Item = i64> {
    let ty = tensor.ty();
    tensor.data().chunks_exact(ty.width()).map(move |bytes| match (ty, bytes) {
        (ElementType::U8, [byte, ..]) => i64::from(*byte),
        (ElementType::I8, [byte, ..]) => i64::from(byte.cast_signed()),
        (ElementType::I32, bytes) => bytes.try_into().map_or(0, |bytes| i64::from(i32::from_le_bytes(bytes))),
        (_, bytes) => bytes.try_into().map_or(0, i64::from_le_bytes),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn tensor(ty: ElementType, dims: &[u32], elements: &[i64]) -> Tensor {
        let data = elements.iter().flat_map(|one| one.to_le_bytes()[..ty.width()].to_vec()).collect();
        Tensor::new(ty, dims.into(), data).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    /// A mask of 3×2, a class, two quantities and the labels of the bundled model.
    fn manifest() -> Manifest {
        let json = include_bytes!("../../models/pneumonia/manifest.json");
        let mut manifest: Manifest = serde_json::from_slice(json).unwrap();
        let quantity = |name: &str, scale, offset| Quantity { name: name.into(), unit: "mm".into(), scale, offset };
        (manifest.version, manifest.author) = (2, Some("aceso1author".into()));
        manifest.output.tensors = Some(vec![
            Meaning::Mask { name: "lungs".into(), width: 3, height: 2, classes: names(&["other", "left", "right"]) },
            Meaning::Class { name: "view".into(), classes: names(&["pa", "ap"]) },
            Meaning::Labels,
            Meaning::Quantities(vec![quantity("heart", 500_000, 0), quantity("shift", -1, 7)]),
        ]);
        let asked = [("left lung", 0, 1, 2), ("right lung", 0, 2, 2), ("ap", 1, 1, 1), ("wide heart", 3, 0, -3)];
        manifest.output.findings.extend(asked.map(|(id, output, label, at_least)| Finding {
            id: id.into(),
            output: Some(output),
            label,
            at_least,
        }));
        manifest.check().unwrap();
        manifest
    }

    fn outputs(labels: ElementType) -> Vec<Tensor> {
        vec![
            tensor(ElementType::I64, &[1, 1, 2, 3], &[0, 1, 1, 0, 2, 0]),
            tensor(ElementType::I32, &[], &[1]),
            tensor(labels, &[1, 1], &[3]),
            tensor(ElementType::I8, &[1, 2], &[-3, -128]),
        ]
    }

    #[test]
    fn every_output_is_told_in_its_own_words() {
        let told = answers(&manifest(), &outputs(ElementType::I8)).unwrap();
        let findings: Vec<_> = told.findings.iter().map(|one| format!("{} {}", one.id, one.present)).collect();
        expect!["pneumonia false, left lung true, right lung false, ap true, wide heart true"]
            .assert_eq(&findings.join(", "));
        assert_eq!((told.scores.len(), told.scores[0].value), (1, 3));
        expect![[r#"[{"mask":{"name":"lungs","output":0,"width":3,"height":2,"areas":[{"class":"other","pixels":3},{"class":"left","pixels":2},{"class":"right","pixels":1}]}},{"class":{"name":"view","class":"ap"}},{"quantity":{"name":"heart","micro":-1500000,"unit":"mm"}},{"quantity":{"name":"shift","micro":135,"unit":"mm"}}]"#]]
            .assert_eq(&serde_json::to_string(&told.readings).unwrap());
    }

    #[test]
    fn labels_without_a_table_tell_their_elements() {
        let mut manifest = manifest();
        (manifest.version, manifest.author, manifest.output.tensors) = (1, None, None);
        manifest.output.findings.truncate(1);
        manifest.output.labels[0].probability.clear();
        manifest.output.findings[0].at_least = 70_000;
        manifest.check().unwrap();
        let told = |ty, element| answers(&manifest, &[tensor(ty, &[1, 1], &[element])]);
        let [low, high] = [told(ElementType::I32, -70_000).unwrap(), told(ElementType::I64, 70_000).unwrap()];
        assert!(!low.findings[0].present && high.findings[0].present && low.scores.is_empty());
        let micro = -70_000_000_000;
        assert_eq!(low.readings, [Reading::Quantity { name: "pneumonia".into(), micro, unit: "1".into() }]);
        expect!["output 0 answers 9007199255, beyond 2^53 millionths"]
            .assert_eq(&told(ElementType::I64, 9_007_199_255).unwrap_err().to_string());
        let narrow = told(ElementType::U8, 1).unwrap_err();
        assert!(matches!(narrow, InferError::Output { fault: OutputFault::Probabilities { .. }, .. }), "{narrow}");
    }

    #[test]
    fn outputs_that_the_manifest_does_not_speak_of_are_refused() {
        let refused = |at: usize, other: Tensor| {
            let mut outputs = outputs(ElementType::I8);
            outputs[at] = other;
            answers(&manifest(), &outputs).unwrap_err().to_string()
        };
        let fewer = answers(&manifest(), &outputs(ElementType::I8)[..3]).unwrap_err().to_string();
        let sentences = [
            fewer,
            answers(&manifest(), &[]).unwrap_err().to_string(),
            refused(0, tensor(ElementType::U8, &[3, 2], &[0; 6])),
            refused(0, tensor(ElementType::U8, &[2, 3], &[0, 0, 0, 0, 0, 3])),
            refused(1, tensor(ElementType::I64, &[1], &[-1])),
            refused(1, tensor(ElementType::I64, &[2], &[0, 0])),
            refused(2, tensor(ElementType::I32, &[1, 1], &[0])),
            refused(2, tensor(ElementType::U8, &[2], &[0, 0])),
            refused(3, tensor(ElementType::I64, &[2], &[0, 0])),
            refused(3, tensor(ElementType::I8, &[3], &[0; 3])),
        ];
        expect![[r#"
            output 0: the model has 3 outputs, and the manifest lists 4
            output 0: a model has at least one output
            output 0: its shape [3, 2] is not [2, 3], which the manifest's mask takes, whatever dimensions of 1 there are
            output 0 answers class 3, and the manifest has 3
            output 1 answers class -1, and the manifest has 2
            output 1: its shape [2] is not [1], which the manifest's class takes, whatever dimensions of 1 there are
            output 2: label "pneumonia" must have a table of probabilities where the output has 8 bits, else none, and it is i32
            output 2: it has 2 elements, and the manifest has 1 labels
            output 3: it is i64, and the manifest calls it quantities, which takes u8, i8 or i32
            output 3: its shape [3] is not [2], which the manifest's quantities takes, whatever dimensions of 1 there are"#]].assert_eq(&sentences.join("\n"));
        let mut far = manifest();
        if let Some(Meaning::Quantities(all)) = far.output.tensors.as_mut().and_then(|all| all.last_mut()) {
            all[0].scale = 100_000_000;
        }
        assert!(answers(&far, &outputs(ElementType::I8)).is_ok());
        let wide = tensor(ElementType::I32, &[2], &[0, 0]);
        let wide: Vec<_> = outputs(ElementType::I8).into_iter().take(3).chain([wide]).collect();
        expect![[r#"output 3: quantity "heart" goes beyond 2^53 millionths for an element of i32"#]]
            .assert_eq(&answers(&far, &wide).unwrap_err().to_string());
    }
}
