//! What each output tensor of a model means, where there is more to say than one value per label.
//!
//! A manifest of version 2 may list its outputs in the graph's order ([`Output::tensors`]): scores by label, the number of
//! a class, a class for every pixel, planes of 8-bit values, quantities with a scale, or nothing that has words. Whether a
//! tensor has the type and the shape of its meaning is looked at when the model is admitted.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Finding, LIST_MAX, Label, Output, SIDE_MAX, is_short};

/// Most outputs that a manifest lists.
pub const OUTPUTS_MAX: usize = 8;
/// Most classes, channels and quantities of all outputs of a manifest together: a receipt names each.
pub const NAMES_MAX: usize = 64;
/// Largest step of a quantity, in millionths, of either sign.
const SCALE_MAX: u64 = 1_000_000_000_000;
/// Largest value of a quantity, in millionths, of either sign: the most that every reader of JSON holds exactly.
pub const QUANTITY_MAX: u64 = (1 << 53) - 1;

/// What one output tensor means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Meaning {
    /// One element per label of the manifest, in their order. At most one output is that.
    Labels,
    /// One element, the number of a class, as ArgMax answers.
    Class {
        /// What is classified.
        name: String,
        /// The classes, from number 0 on.
        classes: Vec<String>,
    },
    /// A segmentation: the number of a class for every pixel, row by row, in the shape `[height, width]` with dimensions of
    /// one element wherever they stand.
    Mask {
        /// What is segmented.
        name: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The classes, from number 0 on.
        classes: Vec<String>,
    },
    /// A plane of 8-bit values for each channel, `[channels, height, width]`: they are handed on as they are, and nothing is
    /// said of what they are worth.
    Maps {
        /// What is mapped.
        name: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The channels, in their order.
        channels: Vec<String>,
    },
    /// Quantities, one for each element: `element · scale + offset`.
    Quantities(Vec<Quantity>),
    /// What the manifest has no words for. It is in the outcome's digest as all outputs are.
    Unnamed,
}

/// How an element becomes a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// What is measured.
    pub name: String,
    /// Its unit, as UCUM writes it: `mm`, `%`, `a`; `1` for a number.
    pub unit: String,
    /// One step of the element, in millionths of the unit; not zero.
    pub scale: i64,
    /// What 0 stands for, in millionths of the unit.
    pub offset: i64,
}

impl Quantity {
    /// The quantity that an element stands for, in millionths; none beyond [`QUANTITY_MAX`].
    pub fn of(&self, element: i64) -> Option<i64> {
        let micro = element.checked_mul(self.scale)?.checked_add(self.offset)?;
        (micro.unsigned_abs() <= QUANTITY_MAX).then_some(micro)
    }
}

impl Meaning {
    /// What it is called, in an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Class { .. } => "class",
            Self::Mask { .. } => "mask",
            Self::Maps { .. } => "maps",
            Self::Quantities(_) => "quantities",
            Self::Unnamed => "unnamed",
        }
    }

    /// How many names it has: classes, channels or quantities.
    pub fn names(&self) -> usize {
        match self {
            Self::Labels | Self::Unnamed => 0,
            Self::Class { classes: names, .. }
            | Self::Mask { classes: names, .. }
            | Self::Maps { channels: names, .. } => names.len(),
            Self::Quantities(all) => all.len(),
        }
    }

    /// What is wrong with it, if anything is.
    fn refusal(&self) -> Option<&'static str> {
        let named = |name: &String, all: &[String]| {
            let words = "needs a name, and one for each class or channel, of 1 to 128 bytes";
            (!is_short(name) || all.is_empty() || !all.iter().all(|one| is_short(one))).then_some(words)
        };
        let plane = |width: &u32, height: &u32| {
            let side = |pixels: &u32| (1..=SIDE_MAX).contains(pixels);
            (!side(width) || !side(height)).then_some("needs width and height of 1 to 4096 pixels")
        };
        match self {
            Self::Labels | Self::Unnamed => None,
            Self::Class { name, classes } => named(name, classes),
            Self::Mask { name, width, height, classes: all } | Self::Maps { name, width, height, channels: all } => {
                named(name, all).or_else(|| plane(width, height))
            }
            Self::Quantities(all) => {
                let short = all.iter().all(|one| is_short(&one.name) && is_short(&one.unit));
                let scaled = all.iter().all(|one| (1..=SCALE_MAX).contains(&one.scale.unsigned_abs()));
                let held = all.iter().all(|one| one.offset.unsigned_abs() <= QUANTITY_MAX);
                match (all.is_empty() || !short, scaled && held) {
                    (true, _) => Some("needs quantities with names and units of 1 to 128 bytes"),
                    (_, false) => Some("needs scales of 1 to 10^12 millionths and offsets below 2^53, of either sign"),
                    _ => None,
                }
            }
        }
    }

    /// Whether a finding asks something of it that it can answer.
    fn answers(&self, finding: &Finding) -> bool {
        let named = (finding.label as usize) < self.names();
        named
            && match self {
                Self::Class { .. } => finding.at_least == 1,
                Self::Mask { width, height, .. } => u64::try_from(finding.at_least)
                    .is_ok_and(|pixels| (1..=u64::from(*width) * u64::from(*height)).contains(&pixels)),
                Self::Quantities(_) => true,
                Self::Labels | Self::Maps { .. } | Self::Unnamed => false,
            }
    }
}

impl Output {
    /// What each output means. A manifest that lists none speaks of the first alone, by its labels.
    pub fn meanings(&self) -> &[Meaning] {
        const FIRST: &[Meaning] = &[Meaning::Labels];
        self.tensors.as_deref().unwrap_or(FIRST)
    }

    /// The field that holds what it may not, and what it must be.
    pub(super) fn refusal(&self) -> Option<(&'static str, &'static str)> {
        let all = self.meanings();
        let scored = all.iter().filter(|one| **one == Meaning::Labels).count();
        if !(1..=OUTPUTS_MAX).contains(&all.len()) || all.iter().map(Meaning::names).sum::<usize>() > NAMES_MAX {
            return Some(("output.tensors", "must list 1 to 8 outputs with at most 64 names in all"));
        }
        if scored > 1 {
            return Some(("output.tensors", "must have labels at most once"));
        }
        if let Some(words) = all.iter().find_map(Meaning::refusal) {
            return Some(("output.tensors", words));
        }
        if scored == 0 && !self.labels.is_empty() {
            return Some(("output.labels", "must be empty where no output is of labels"));
        }
        if scored == 1 && !(1..=LIST_MAX).contains(&self.labels.len()) {
            return Some(("output.labels", "must have 1 to 64 entries"));
        }
        self.findings.iter().find_map(|finding| match finding.output {
            None if (finding.label as usize) >= self.labels.len() => {
                Some(("output.findings.label", "must be the position of a label"))
            }
            None => {
                let tables = self.labels.iter().any(Label::has_table);
                let holds = !tables || (-128..=255).contains(&finding.at_least);
                (!holds).then_some(("output.findings.at_least", "must be an 8-bit value"))
            }
            Some(output) => {
                let tensors = self.tensors.as_deref().unwrap_or_default();
                let asked = tensors.get(output as usize).is_some_and(|meaning| meaning.answers(finding));
                let words = "must be a class (at least 1), a mask (1 to all pixels of a class) or a quantity";
                (!asked).then_some(("output.findings.output", words))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, ManifestError, VERSION_AUTHORED, tests::specimen};

    fn quantity(scale: i64, offset: i64) -> Quantity {
        Quantity { name: "age".into(), unit: "a".into(), scale, offset }
    }

    /// Labels, a class, a mask, maps, a quantity and something else.
    fn of_many() -> Manifest {
        let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        let mut manifest = specimen();
        (manifest.version, manifest.author) = (VERSION_AUTHORED, Some("aceso1author".into()));
        manifest.output.tensors = Some(vec![
            Meaning::Labels,
            Meaning::Class { name: "view".into(), classes: names(&["pa", "ap"]) },
            Meaning::Mask { name: "lungs".into(), width: 6, height: 4, classes: names(&["other", "left", "right"]) },
            Meaning::Maps { name: "heat".into(), width: 3, height: 2, channels: names(&["heat"]) },
            Meaning::Quantities(vec![quantity(392_157, 0)]),
            Meaning::Unnamed,
        ]);
        let asked = [(1, 1, 1), (2, 2, 24), (4, 0, -7)];
        manifest.output.findings.extend(asked.map(|(output, label, at_least)| Finding {
            id: format!("finding {output}"),
            output: Some(output),
            label,
            at_least,
        }));
        manifest
    }

    fn tensors(manifest: &mut Manifest) -> &mut Vec<Meaning> {
        manifest.output.tensors.as_mut().unwrap()
    }

    #[test]
    fn every_meaning_comes_back_as_it_was() {
        let manifest = of_many();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap().id(), manifest.id());
        expect_test::expect!["labels class mask maps quantities unnamed"]
            .assert_eq(&manifest.output.meanings().iter().map(Meaning::kind).collect::<Vec<_>>().join(" "));
        let mut only = of_many();
        only.output.labels.clear();
        only.output.findings.clear();
        tensors(&mut only).remove(0);
        assert_eq!(only.check(), Ok(()), "a model need not have labels");
    }

    #[test]
    fn every_flipped_bit_is_another_manifest_or_none() {
        let (bytes, id) = (of_many().encode(), of_many().id());
        // The tables of probabilities are most of it, and are looked at elsewhere.
        for position in (0..bytes.len()).filter(|at| *at < 900 || bytes.len() - at < 900) {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[position] ^= 1 << bit;
                assert!(Manifest::decode(&other).map_or(true, |read| read.id() != id), "byte {position} bit {bit}");
            }
        }
    }

    #[test]
    fn each_rule_of_outputs_names_its_field() {
        let refused = |change: fn(&mut Manifest)| {
            let mut manifest = of_many();
            change(&mut manifest);
            match Manifest::decode(&manifest.encode()) {
                Err(ManifestError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        for change in [
            |m: &mut Manifest| tensors(m).clear(),
            |m: &mut Manifest| tensors(m).push(Meaning::Labels),
            |m: &mut Manifest| *tensors(m) = vec![Meaning::Unnamed; OUTPUTS_MAX + 1],
            |m: &mut Manifest| tensors(m)[1] = Meaning::Class { name: "view".into(), classes: vec![] },
            |m: &mut Manifest| {
                tensors(m)[1] = Meaning::Class { name: "view".into(), classes: vec!["x".into(); NAMES_MAX] }
            },
            |m: &mut Manifest| tensors(m)[1] = Meaning::Class { name: String::new(), classes: vec!["x".into(); 2] },
            |m: &mut Manifest| {
                tensors(m)[3] = Meaning::Maps { name: "h".into(), width: 0, height: 1, channels: vec!["x".into()] }
            },
            |m: &mut Manifest| {
                tensors(m)[3] = Meaning::Mask { name: "h".into(), width: 1, height: 4097, classes: vec!["x".into()] }
            },
            |m: &mut Manifest| tensors(m)[4] = Meaning::Quantities(vec![]),
            |m: &mut Manifest| tensors(m)[4] = Meaning::Quantities(vec![quantity(0, 0)]),
            |m: &mut Manifest| tensors(m)[4] = Meaning::Quantities(vec![quantity(i64::MIN, 0)]),
            |m: &mut Manifest| tensors(m)[4] = Meaning::Quantities(vec![quantity(1, 1 << 53)]),
        ] {
            assert_eq!(refused(change), "output.tensors");
        }
        assert_eq!(refused(|m| drop(tensors(m).remove(0))), "output.labels");
        assert_eq!(refused(|m| m.output.labels.clear()), "output.labels");
        for change in [
            |m: &mut Manifest| m.output.findings[1].output = Some(9),
            |m: &mut Manifest| m.output.findings[1].output = Some(0),
            |m: &mut Manifest| m.output.findings[1].output = Some(3),
            |m: &mut Manifest| m.output.findings[1].label = 2,
            |m: &mut Manifest| m.output.findings[1].at_least = 2,
            |m: &mut Manifest| m.output.findings[2].at_least = 25,
            |m: &mut Manifest| m.output.findings[2].at_least = 0,
        ] {
            assert_eq!(refused(change), "output.findings.output");
        }
        // Of outputs and of its author only the second version speaks, and that one always names its author.
        assert_eq!(refused(|m| m.version = 1), "version");
        assert_eq!(refused(|m| (m.version, m.author) = (1, None)), "version");
        assert_eq!(refused(|m| m.author = None), "version");
        assert_eq!(refused(|m| m.author = Some(String::new())), "author");
    }

    #[test]
    fn a_quantity_is_exact_or_none() {
        let half = quantity(-500_000, 1);
        assert_eq!([half.of(3), half.of(i64::MAX), half.of(i64::MIN)], [Some(-1_499_999), None, None]);
        let whole = quantity(1, 0);
        assert_eq!([whole.of((1 << 53) - 1), whole.of(1 << 53)], [Some((1 << 53) - 1), None]);
    }
}
