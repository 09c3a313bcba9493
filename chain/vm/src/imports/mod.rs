//! What a contract may import, and what a store carries to answer it.
//!
//! Each file declares the imports of one subject with [`declare`]: name, types and function in one line, from which
//! both the check of a contract's imports and the linker are made. Every call is charged before the function sees
//! it; from there the rhythm is: read bounded input, charge for the work, do the work, write the answer.
//! A contract can reach every line: nothing here panics.

mod aceso;
mod env_crypto;
mod env_db;
mod env_misc;
mod hash;
mod multiply;
mod nn;
mod receipt;
mod wasi;

use std::sync::Arc;

use wasmtime::{Engine, Linker, ResourceLimiter};

use crate::Backtrace;
use crate::lend::Lent;
use crate::limits::MEMORY_PAGES_MAX;
use crate::memory::{Guest, engine};
use crate::vm::DebugSink;

/// Modules whose import a contract must declare with the marker `requires_aceso`.
pub(crate) const INFERENCE_MODULES: [&str; 2] = [nn::MODULE, aceso::MODULE];

/// A type that crosses the border by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    I32,
    I64,
}

impl Scalar {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

/// An import's name and type.
pub(crate) struct Signature {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Scalar],
    pub(crate) result: Option<Scalar>,
}

/// The wasm type behind a Rust type in a declaration.
trait Abi {
    const SCALAR: Option<Scalar>;
}

impl Abi for u32 {
    const SCALAR: Option<Scalar> = Some(Scalar::I32);
}

impl Abi for i32 {
    const SCALAR: Option<Scalar> = Some(Scalar::I32);
}

impl Abi for u64 {
    const SCALAR: Option<Scalar> = Some(Scalar::I64);
}

impl Abi for () {
    const SCALAR: Option<Scalar> = None;
}

/// The wasm type of a parameter.
const fn param<T: Abi>() -> Scalar {
    match T::SCALAR {
        Some(scalar) => scalar,
        None => Scalar::I32,
    }
}

/// Declares the imports of one module.
macro_rules! declare {
    ($module:expr; $($name:literal = $function:ident($($arg:ident: $ty:ty),*) -> $result:ty;)*) => {
        pub(super) const SIGNATURES: &[crate::imports::Signature] = &[$(
            crate::imports::Signature {
                module: $module,
                name: $name,
                params: &[$(crate::imports::param::<$ty>()),*],
                result: <$result as crate::imports::Abi>::SCALAR,
            },
        )*];

        pub(super) fn link(linker: &mut wasmtime::Linker<crate::imports::Frame>) -> wasmtime::Result<()> {
            use wasmtime::AsContextMut as _;
            $(
                linker.func_wrap(
                    $module,
                    $name,
                    |mut caller: wasmtime::Caller<'_, crate::imports::Frame>, $($arg: $ty),*| -> wasmtime::Result<$result> {
                        let mut host = crate::memory::Host::new(caller.as_context_mut());
                        host.charge(crate::price::HOST_CALL)?;
                        Ok($function(&mut host, $($arg),*)?)
                    },
                )?;
            )*
            Ok(())
        }
    };
}
use declare;

/// All imports, by subject.
const SIGNATURES: [&[Signature]; 9] = [
    env_db::SIGNATURES,
    env_misc::SIGNATURES,
    env_crypto::SIGNATURES,
    wasi::SIGNATURES,
    nn::SIGNATURES,
    aceso::SIGNATURES,
    hash::SIGNATURES,
    multiply::SIGNATURES,
    receipt::SIGNATURES,
];

/// The import of that name.
pub(crate) fn signature(module: &str, name: &str) -> Option<&'static Signature> {
    SIGNATURES.iter().copied().flatten().find(|import| import.module == module && import.name == name)
}

/// What to do instead of an import that does not exist, with its own punctuation; empty where nothing is known.
pub(crate) fn hint(module: &str, name: &str) -> &'static str {
    if module == wasi::MODULE { wasi::hint(name) } else { "" }
}

/// A linker that knows all of them.
pub(crate) fn linker(on: &Engine) -> wasmtime::Result<Linker<Frame>> {
    let mut linker = Linker::new(on);
    env_db::link(&mut linker)?;
    env_misc::link(&mut linker)?;
    env_crypto::link(&mut linker)?;
    wasi::link(&mut linker)?;
    nn::link(&mut linker)?;
    aceso::link(&mut linker)?;
    hash::link(&mut linker)?;
    multiply::link(&mut linker)?;
    receipt::link(&mut linker)?;
    Ok(linker)
}

/// What a store carries during one call. Between calls it carries an empty one.
pub(crate) struct Frame {
    /// The backend, for the time of the call.
    pub(crate) backend: Lent,
    /// Where the contract's messages go.
    pub(crate) debug: Option<DebugSink>,
    /// Wasm gas that the call was given.
    pub(crate) limit: u64,
    /// The instance, once it is there.
    pub(crate) guest: Option<Arc<Guest>>,
    /// Whether the host has called `allocate` and it has not returned.
    pub(crate) allocating: bool,
    /// Where the contract's code stood when it first failed.
    pub(crate) backtrace: Option<Backtrace>,
    pub(crate) growth: Growth,
    iterators: u32,
    inference: nn::Inference,
}

impl Frame {
    pub(crate) fn new(backend: Lent, debug: Option<DebugSink>, limit: u64) -> Self {
        Self {
            backend,
            debug,
            limit,
            guest: None,
            allocating: false,
            backtrace: None,
            growth: Growth,
            iterators: 0,
            inference: nn::Inference::default(),
        }
    }

    /// Passes a message of the contract on, if anybody listens.
    fn say(&self, message: &[u8]) {
        if let Some(sink) = &self.debug {
            sink(&String::from_utf8_lossy(message));
        }
    }
}

/// Holds every contract's memory to the limit.
#[derive(Default)]
pub(crate) struct Growth;

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let most = usize::try_from(MEMORY_PAGES_MAX).unwrap_or(usize::MAX).saturating_mul(64 << 10);
        Ok(desired <= maximum.unwrap_or(most).min(most))
    }

    /// Growth that is allowed and fails is the system's doing. The contract would see −1 here and not elsewhere.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(engine("grow a contract's memory", &error).into())
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::SIGNATURES;

    #[test]
    fn names_are_unique_and_env_has_its_24() {
        let names: Vec<_> = SIGNATURES.iter().copied().flatten().map(|s| (s.module, s.name)).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names.len(), unique.len());
        assert_eq!(unique.iter().filter(|(module, _)| *module == "env").count(), 24);
    }
}
