//! What the first output tensor says, in the manifest's words and integers only.

use aceso_types::{
    ElementType, Manifest, Tensor,
    guest::{Answered, Score},
};

use crate::{error::InferError, formula};

/// Scores by label and answers by finding.
///
/// `output` is the first output of the model that `manifest` describes. A label's probability is the entry of its table
/// at the value's distance from the lowest value of its type, 0 where the manifest has no table because the output has
/// more than 8 bits; a finding is present when its value reaches `at_least`.
pub fn scores(manifest: &Manifest, output: &Tensor) -> Result<(Vec<Score>, Vec<Answered>), InferError> {
    let (labels, ty) = (&manifest.output.labels, output.ty());
    let refused = || InferError::Scores { labels: labels.len(), got: output.data().len() / ty.width(), ty };
    let values: Vec<i32> = values(output).ok_or_else(refused)?;
    if values.len() != labels.len() {
        return Err(refused());
    }
    let (lowest, _) = formula::limits(ty == ElementType::I8);
    let scores = labels.iter().zip(&values).map(|(label, &value)| {
        let entry = usize::try_from(i64::from(value) - i64::from(lowest)).ok().and_then(|at| label.probability.get(at));
        Score { label: label.name.clone(), value, probability: entry.copied().unwrap_or(0) }
    });
    let findings = manifest.output.findings.iter().map(|finding| {
        let value = values.get(finding.label as usize);
        Answered { id: finding.id.clone(), present: value.is_some_and(|&value| value >= finding.at_least) }
    });
    Ok((scores.collect(), findings.collect()))
}

/// The elements of a tensor, if 32 bits hold each.
fn values(tensor: &Tensor) -> Option<Vec<i32>> {
    let data = tensor.data();
    Some(match tensor.ty() {
        ty @ (ElementType::U8 | ElementType::I8) => {
            data.iter().map(|&byte| formula::number(ty == ElementType::I8, byte)).collect()
        }
        ElementType::I32 => data.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect(),
        ElementType::I64 => {
            let narrow = |&bytes: &[u8; 8]| i32::try_from(i64::from_le_bytes(bytes)).ok();
            data.as_chunks().0.iter().map(narrow).collect::<Option<_>>()?
        }
    })
}
