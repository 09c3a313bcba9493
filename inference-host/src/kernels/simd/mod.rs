//! Sets for processors with vectors.
//!
//! One description serves them all: what a processor has is a vocabulary of vectors ([`lanes::Lanes`]), and products
//! ([`panels`], [`matrices`]), convolutions of single channels ([`depthwise`]), what is made of two tensors byte by byte
//! ([`pairs`]) and normalisations ([`affine`]) are written in it once; what else gains by vectors is the portable code,
//! compiled for them ([`portable`]). The files named after processors hold the vocabulary, in the processor's own instructions.
//!
//! Products are of two kinds. Where an instruction multiplies four unsigned bytes with four signed ones and adds all of
//! it to 32 bits without saturating (VNNI), numbers stay bytes. Elsewhere they are widened to 16 bits and multiplied in
//! pairs, which is exact too; the instruction for pairs of bytes (`vpmaddubsw`) is not, because it saturates at 16 bits.
//! Zero points are taken out beforehand: `Σ (x − z)·w = Σ x·w − z·Σ w`, and the last term is the same for every place.

#![allow(unsafe_code, reason = "intrinsics: each use says which check makes it sound")]

mod affine;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod depthwise;
mod lanes;
mod matrices;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pairs;
mod panels;
mod plane;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod tables;

use std::marker::PhantomData;

#[cfg(test)]
pub(super) use self::affine::line;
use self::{affine::Affine, depthwise::Depthwise, lanes::Lanes, panels::Product};
use super::{Form, KernelSet, Run, Set, scalar::Scalar};
use crate::{
    PackedError,
    formula::AddTables,
    ir::{Conv, MatMul, Op},
    packed::{Field, Reader},
};

/// The sets that this machine has, from the slowest to the fastest.
pub(super) fn sets() -> Vec<(KernelSet, &'static dyn Set)> {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        let sets: [(bool, KernelSet, &'static dyn Set); 2] = [
            (avx2, KernelSet::Avx2, &Vectors::<avx2::Avx2>(PhantomData)),
            (
                avx512,
                KernelSet::Avx512Vnni,
                &Bytes(Vectors::<avx512::Vnni>(PhantomData), Vectors::<avx2::Avx2>(PhantomData)),
            ),
        ];
        sets.into_iter().filter(|&(has, ..)| has).map(|(_, set, kernels)| (set, kernels)).collect()
    }
    #[cfg(target_arch = "aarch64")]
    {
        // Every processor of this architecture has it.
        vec![(KernelSet::Neon, &Vectors::<neon::Neon>(PhantomData))]
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    {
        vec![(KernelSet::Simd128, &Vectors::<simd128::Simd128>(PhantomData))]
    }
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )))]
    Vec::new()
}

/// A set of 16-bit or 8-bit products. Only [`sets`] makes one, where the processor has what `L` needs.
#[derive(Debug)]
struct Vectors<L>(PhantomData<L>);

impl<L: Lanes> Vectors<L> {
    /// The convolution, if its weights have a form in which these vectors multiply, at a bearable size.
    fn conv(&self, conv: &Conv) -> Option<Box<dyn Run>> {
        if conv.is_depthwise() {
            return Some(Box::new(Depthwise::<L>::new(conv)?));
        }
        Some(Box::new(Product::<L>::conv(conv)?))
    }

    fn matmul(&self, matmul: &MatMul) -> Option<Box<dyn Run>> {
        Some(Box::new(Product::<L>::matmul(matmul)?))
    }

    /// What was packed for these vectors, `lanes` of so many numbers each.
    fn packed(&self, form: Form, lanes: [usize; 2], from: &mut Reader) -> Result<Box<dyn Run>, PackedError> {
        if lanes != [L::LANES, L::STEP] {
            return Err(from.wrong("it was packed for other vectors"));
        }
        Ok(match form {
            Form::Panels => Box::new(Product::<L>::unpack(from)?),
            Form::Strips => Box::new(Depthwise::<L>::read(from)?),
            Form::Lines => Box::new(Affine::<L>::read(from)?),
            Form::Fields | Form::Gathered | Form::Single | Form::Rows => {
                return Err(from.wrong("vectors have no such form"));
            }
        })
    }
}

/// Whether what is written in this form says for which vectors.
fn is_vectors(form: Form) -> bool {
    matches!(form, Form::Panels | Form::Strips | Form::Lines)
}

impl<L: Lanes> Set for Vectors<L> {
    fn prepare(&self, op: Op) -> Box<dyn Run> {
        let faster = match &op {
            Op::Conv(conv) => self.conv(conv),
            Op::MatMul(matmul) => self.matmul(matmul),
            #[cfg(target_arch = "x86_64")]
            Op::Table(table) => Some(tables::avx2(table.clone())),
            op => element_wise::<L>(op),
        };
        faster.unwrap_or_else(|| match op {
            Op::Product(op) => matrices::prepare::<L>(op),
            op => portable::prepare::<L>(op),
        })
    }

    fn plain(&self, op: Op) -> Box<dyn Run> {
        match op {
            // Its tables are no lines, else it would have been written as such.
            op @ Op::ChannelTable(_) => portable::prepare::<L>(op),
            op => self.prepare(op),
        }
    }

    fn unpack(&self, form: Form, from: &mut Reader) -> Result<Box<dyn Run>, PackedError> {
        if !is_vectors(form) {
            return Scalar.unpack(form, from);
        }
        let lanes = Field::read(from)?;
        self.packed(form, lanes, from)
    }
}

/// What looks at no more than one element of each input, if there are vectors for it.
fn element_wise<L: Lanes>(op: &Op) -> Option<Box<dyn Run>> {
    match op {
        Op::Add(tables) => Some(pairs::prepare::<L>(AddTables::clone(tables))),
        Op::Mul(op) => Some(pairs::prepare::<L>(*op)),
        Op::ChannelTable(op) => affine::prepare::<L>(op),
        _ => None,
    }
}

/// A set whose weights must fit 8 bits once centred, and the set that takes all others.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
struct Bytes<A, B>(Vectors<A>, Vectors<B>);

#[cfg(target_arch = "x86_64")]
impl<A: Lanes, B: Lanes> Set for Bytes<A, B> {
    fn prepare(&self, op: Op) -> Box<dyn Run> {
        let faster = match &op {
            Op::Conv(conv) => self.0.conv(conv).or_else(|| self.1.conv(conv)),
            Op::MatMul(matmul) => self.0.matmul(matmul).or_else(|| self.1.matmul(matmul)),
            Op::Table(table) => Some(tables::avx512(table.clone())),
            op => element_wise::<A>(op),
        };
        faster.unwrap_or_else(|| match op {
            // Both sides are centred while it runs, and need not fit 8 bits then.
            Op::Product(op) => matrices::prepare::<B>(op),
            op => portable::prepare::<A>(op),
        })
    }

    fn plain(&self, op: Op) -> Box<dyn Run> {
        match op {
            op @ Op::ChannelTable(_) => portable::prepare::<A>(op),
            op => self.prepare(op),
        }
    }

    fn unpack(&self, form: Form, from: &mut Reader) -> Result<Box<dyn Run>, PackedError> {
        if !is_vectors(form) {
            return Scalar.unpack(form, from);
        }
        let lanes = Field::read(from)?;
        if lanes == [A::LANES, A::STEP] { self.0.packed(form, lanes, from) } else { self.1.packed(form, lanes, from) }
    }
}
