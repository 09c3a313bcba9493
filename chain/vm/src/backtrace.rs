//! Where a contract's code stood when its call failed.

use std::fmt;

use wasmtime::WasmBacktrace;

/// The functions that were running when a call failed, for the people who wrote them.
///
/// Nothing that is hashed may depend on it: which names there are is up to the name section, which is no part of the
/// protocol, and how many frames there are to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backtrace(Vec<String>);

impl Backtrace {
    /// What an error of the engine carries; none if it did not come out of running code.
    pub(crate) fn of(error: &wasmtime::Error) -> Option<Self> {
        let frames = error.downcast_ref::<WasmBacktrace>()?.frames().iter();
        let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
            Some(name) => name.into(),
            None => format!("function {}", frame.func_index()),
        };
        Some(Self(frames.map(name).collect()))
    }

    /// The functions, innermost first, at most [`crate::BACKTRACE_FRAMES_MAX`]: each by its name of at most
    /// [`crate::BACKTRACE_NAME_MAX`] printable characters, or as `function 12` by its index in the module, imports
    /// included.
    pub fn frames(&self) -> &[String] {
        &self.0
    }
}

/// One line: `innermost < its caller < … < entry point`.
impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" < "))
    }
}
