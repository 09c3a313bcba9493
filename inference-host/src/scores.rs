//! What the first output tensor says, in the manifest's words and integers only.

use aceso_types::{
    ElementType, Manifest, Tensor,
    guest::{Answered, Score},
};

use crate::{error::InferError, formula};

/// Scores by label and answers by finding.
///
/// `output` is the first output of the model that `manifest` describes. A label's probability is the entry of its table
/// at the value's distance from the lowest value of its type; a finding is present when its value reaches `at_least`.
pub fn scores(manifest: &Manifest, output: &Tensor) -> Result<(Vec<Score>, Vec<Answered>), InferError> {
    let (labels, ty) = (&manifest.output.labels, output.ty());
    let data = output.data();
    let signed = ty == ElementType::I8;
    if data.len() != labels.len() || !matches!(ty, ElementType::I8 | ElementType::U8) {
        return Err(InferError::Scores { labels: labels.len(), got: data.len() / ty.width(), ty });
    }
    let (lowest, _) = formula::limits(signed);
    let values: Vec<i32> = data.iter().map(|&byte| formula::number(signed, byte)).collect();
    let scores = labels.iter().zip(&values).map(|(label, &value)| {
        let entry = usize::try_from(value - lowest).ok().and_then(|at| label.probability.get(at));
        Score { label: label.name.clone(), value, probability: entry.copied().unwrap_or(0) }
    });
    let findings = manifest.output.findings.iter().map(|finding| {
        let value = values.get(finding.label as usize);
        Answered { id: finding.id.clone(), present: value.is_some_and(|&value| value >= finding.at_least) }
    });
    Ok((scores.collect(), findings.collect()))
}
