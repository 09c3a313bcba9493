//! How well scores tell classes apart: what quantising cost, in the numbers that papers print.
//!
//! A model of one output answers yes or no, at a logit of 0; a model of several answers with the highest.

/// What each of some scores says of one file: one number per label of the manifest.
pub(super) type Scores = Vec<f64>;

/// The class that scores speak for.
pub(super) fn class(scores: &[f64]) -> usize {
    match scores {
        [one] => usize::from(*one >= 0.0),
        _ => scores.iter().enumerate().fold(0, |best, (at, score)| if *score > scores[best] { at } else { best }),
    }
}

/// Share of the files whose class is right.
pub(super) fn accuracy(scores: &[Scores], classes: &[usize]) -> f64 {
    let right = scores.iter().zip(classes).filter(|(scores, want)| class(scores) == **want).count();
    ratio(right, scores.len())
}

/// Area under the curve (the probability that a file of the class scores higher than one of another, ties counting half):
/// of the one output, or the mean over classes that occur and do not always. None where there is no such class.
pub(super) fn auc(scores: &[Scores], classes: &[usize]) -> Option<f64> {
    let outputs = scores.first().map_or(0, Vec::len);
    let of = |output: usize, class: usize| {
        let own = |is: bool| {
            let chosen = scores.iter().zip(classes).filter(move |(_, of)| (**of == class) == is);
            chosen.map(|(scores, _)| scores[output]).collect::<Vec<_>>()
        };
        area(&own(true), &own(false))
    };
    if outputs == 1 {
        return of(0, 1);
    }
    let areas: Vec<f64> = (0..outputs).filter_map(|class| of(class, class)).collect();
    if areas.is_empty() { None } else { Some(areas.iter().sum::<f64>() / count(areas.len())) }
}

fn area(own: &[f64], other: &[f64]) -> Option<f64> {
    if own.is_empty() || other.is_empty() {
        return None;
    }
    let mut sorted = other.to_vec();
    sorted.sort_by(f64::total_cmp);
    let won = own.iter().map(|score| {
        let (below, until) = (sorted.partition_point(|one| one < score), sorted.partition_point(|one| one <= score));
        count(below) + count(until - below) / 2.0
    });
    Some(won.sum::<f64>() / (count(own.len()) * count(other.len())))
}

/// One number divided by another; 0 of nothing.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { count(part) / count(whole) }
}

#[allow(clippy::cast_precision_loss, reason = "there are not that many files")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn one_output_answers_at_zero() {
        let scores = [vec![-1.0], vec![0.0], vec![0.0], vec![2.0]];
        assert!(near(accuracy(&scores, &[0, 0, 1, 1]), 0.75));
        // Of four pairs three are won, and one is a tie.
        assert!(near(auc(&scores, &[0, 0, 1, 1]).unwrap(), 0.875));
        assert_eq!(auc(&scores, &[1, 1, 1, 1]), None);
    }

    #[test]
    fn of_several_the_highest_answers() {
        let scores = [vec![3.0, 1.0, 0.0], vec![0.0, 1.0, 0.5], vec![1.0, 0.0, 0.0]];
        assert!(near(accuracy(&scores, &[0, 1, 1]), 2.0 / 3.0));
        // The third class does not occur, so two classes count: 1, and a tie of two pairs.
        assert!(near(auc(&scores, &[0, 1, 1]).unwrap(), f64::midpoint(1.0, 0.25)));
        assert!(near(ratio(0, 0), 0.0));
    }
}
