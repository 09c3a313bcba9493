//! Which set of kernels a model runs with.

use std::{fmt, str::FromStr};

use super::{Set, scalar::Scalar, simd};

/// A set of kernels by name. All compute the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelSet {
    /// The fastest that this processor has.
    #[default]
    Auto,
    /// Portable code.
    Scalar,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL and VNNI.
    Avx512Vnni,
    /// aarch64.
    Neon,
    /// wasm32, where it was compiled with vectors.
    Simd128,
}

impl KernelSet {
    /// All that can be asked for.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Scalar, Self::Avx2, Self::Avx512Vnni, Self::Neon, Self::Simd128];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Neon => "neon",
            Self::Simd128 => "simd128",
        }
    }
}

impl fmt::Display for KernelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KernelSet {
    type Err = KernelsError;

    fn from_str(name: &str) -> Result<Self, KernelsError> {
        let found = Self::ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| KernelsError::Unknown(name.chars().take(40).collect()))
    }
}

/// Why there are no such kernels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelsError {
    /// No set has this name.
    #[error("there are no kernels {0:?}; there are {names}", names = names(&KernelSet::ALL))]
    Unknown(String),
    /// The processor, or what this was compiled for, lacks what the set needs.
    #[error("this machine cannot run the {wanted} kernels: it has {has}", has = names(has))]
    Unavailable {
        /// What was asked for.
        wanted: KernelSet,
        /// What could be asked for.
        has: Vec<KernelSet>,
    },
}

fn names(sets: &[KernelSet]) -> String {
    sets.iter().map(|set| set.name()).collect::<Vec<_>>().join(", ")
}

/// The kernels that models run with. The default is [`KernelSet::Auto`].
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    set: KernelSet,
    chosen: &'static dyn Set,
    pub(crate) threads: usize,
    pub(crate) after: Option<fn(&mut [u8])>,
}

impl Kernels {
    /// The kernels of this set, if this machine has them.
    pub fn new(wanted: KernelSet) -> Result<Self, KernelsError> {
        let has = sets();
        let fastest = has.last().copied().unwrap_or((KernelSet::Scalar, &Scalar));
        let found = match wanted {
            KernelSet::Auto => Some(fastest),
            wanted => has.iter().find(|(set, _)| *set == wanted).copied(),
        };
        let Some((set, chosen)) = found else {
            let has = [KernelSet::Auto].into_iter().chain(has.into_iter().map(|(set, _)| set)).collect();
            return Err(KernelsError::Unavailable { wanted, has });
        };
        Ok(Self { set, chosen, threads: 1, after: None })
    }

    /// Every set that this machine has, the fastest last.
    pub fn available() -> Vec<KernelSet> {
        sets().into_iter().map(|(set, _)| set).collect()
    }

    /// What was chosen; never [`KernelSet::Auto`].
    pub fn set(&self) -> KernelSet {
        self.set
    }

    /// The same, but that so many threads, 1 to 16, share the places of each large convolution or product. Every place is
    /// computed as before, so nothing but time changes; a run alone is one thread.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.clamp(1, 16), ..self }
    }

    /// The same, but that `after` may change the bytes of each run's first output: a machine that computes wrongly, for
    /// tests of what others make of it.
    #[doc(hidden)]
    #[must_use]
    pub fn altered(self, after: fn(&mut [u8])) -> Self {
        Self { after: Some(after), ..self }
    }

    pub(crate) fn chosen(&self) -> &'static dyn Set {
        self.chosen
    }
}

impl Default for Kernels {
    fn default() -> Self {
        let (set, chosen) = sets().pop().unwrap_or((KernelSet::Scalar, &Scalar));
        Self { set, chosen, threads: 1, after: None }
    }
}

/// What this machine has, from the slowest to the fastest.
fn sets() -> Vec<(KernelSet, &'static dyn Set)> {
    let mut sets: Vec<(KernelSet, &'static dyn Set)> = vec![(KernelSet::Scalar, &Scalar)];
    sets.extend(simd::sets());
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_chosen_by_name() {
        for set in KernelSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
            match Kernels::new(set) {
                Ok(kernels) if set == KernelSet::Auto => {
                    assert_eq!(Some(&kernels.set()), Kernels::available().last());
                }
                Ok(kernels) => assert_eq!(kernels.set(), set),
                Err(error) => assert!(error.to_string().contains(set.name()), "{error}"),
            }
        }
        let foreign = if cfg!(target_arch = "x86_64") { KernelSet::Neon } else { KernelSet::Avx2 };
        let refused = Kernels::new(foreign).unwrap_err().to_string();
        assert!(refused.starts_with("this machine cannot run the ") && refused.contains("auto, scalar"), "{refused}");
        let unknown = "avx".parse::<KernelSet>().unwrap_err().to_string();
        expect_test::expect![[
            r#"there are no kernels "avx"; there are auto, scalar, avx2, avx512-vnni, neon, simd128"#
        ]]
        .assert_eq(&unknown);
    }
}
