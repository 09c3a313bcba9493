//! The names of functions, as backtraces show them.
//!
//! A name section is whatever a contract's author put there: it bears on no result, and nothing of it is taken but the
//! names of functions, written anew, short and in printable characters. Indices stay, because instrumentation adds no
//! function.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use wasm_encoder::{NameMap, NameSection};
use wasmparser::{KnownCustom, Name, NameSectionReader, Payload};

use crate::limits::BACKTRACE_NAME_MAX;

/// Longest name that is read as a compiler's, in bytes. rustc's longest seen have some 400.
const MANGLED_MAX: usize = 4 << 10;

/// Names by the functions' indices.
#[derive(Default)]
pub(super) struct Names(BTreeMap<u32, String>);

impl Names {
    /// Takes what a part of the module says of `functions` functions. Of two names for a function the first counts, and
    /// behind the first that cannot be read there is none.
    pub(super) fn see(&mut self, payload: &Payload<'_>, functions: u32) {
        let Payload::CustomSection(section) = payload else { return };
        if let KnownCustom::Name(section) = section.as_known() {
            self.read(section, functions);
        }
    }

    fn read(&mut self, section: NameSectionReader<'_>, functions: u32) {
        for part in section.into_iter().map_while(Result::ok) {
            let Name::Function(names) = part else { continue };
            for naming in names.into_iter().map_while(Result::ok).filter(|naming| naming.index < functions) {
                self.0.entry(naming.index).or_insert_with(|| legible(naming.name));
            }
        }
    }

    /// A section of them; none without a name.
    pub(super) fn section(&self) -> Option<NameSection> {
        let mut map = NameMap::new();
        self.0.iter().for_each(|(&index, name)| map.append(index, name));
        let mut section = NameSection::new();
        section.functions(&map);
        (!self.0.is_empty()).then_some(section)
    }
}

/// A name for people: a path as in the source where rustc has made a symbol of it, cut where it gets long.
fn legible(name: &str) -> String {
    let mut clip = Clip(String::new());
    // What does not fit is left out, which the writer says by failing.
    let _full = if name.len() <= MANGLED_MAX {
        write!(clip, "{:#}", rustc_demangle::demangle(name))
    } else {
        clip.write_str(name)
    };
    clip.0
}

/// Takes so many characters, each a byte, and no more.
struct Clip(String);

impl Write for Clip {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.0.len() == BACKTRACE_NAME_MAX {
                return Err(fmt::Error);
            }
            // A name must not write lines into a log or move a terminal's cursor.
            self.0.push(if matches!(char, ' '..='~') { char } else { '?' });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_read_and_everything_else_is_cut() {
        let symbol = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE";
        assert_eq!(legible(symbol), "core::panicking::panic_fmt");
        assert_eq!(legible("_RNvC6_123foo3bar"), "123foo::bar");
        assert_eq!(legible("plain"), "plain");
        assert_eq!(legible("a\n\u{1b}[2Jé\u{202e}"), "a??[2J??");
        assert_eq!(legible(&"x".repeat(3 << 20)), "x".repeat(BACKTRACE_NAME_MAX));
    }

    /// Types inside types by reference: written out, the last would have 2^40 letters.
    #[test]
    fn a_symbol_that_unfolds_without_end_is_cut() {
        let mut symbol = String::from("_RIC1a");
        let digit = |n: usize| char::from(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[n]);
        let base_62 = |n: usize| match n.checked_sub(1) {
            None => "_".to_owned(),
            Some(n) if n < 62 => format!("{}_", digit(n)),
            Some(n) => format!("{}{}_", digit(n / 62), digit(n % 62)),
        };
        let mut last = symbol.len() - 2;
        symbol.push('u');
        for _ in 0..40 {
            let at = symbol.len() - 2;
            let back = base_62(last);
            symbol.push_str(&format!("TB{back}B{back}E"));
            last = at;
        }
        symbol.push('E');
        assert!(rustc_demangle::try_demangle(&symbol).is_ok(), "{symbol}");
        assert_eq!(legible(&symbol).len(), BACKTRACE_NAME_MAX);
    }
}
