//! What a block or a transaction tells those who watch.

use aceso_types::Frame;
use tendermint::abci;

/// One event before it leaves the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Event {
    pub(crate) fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), attributes: Vec::new() }
    }

    /// The event with one more attribute.
    pub(crate) fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// The event with the frame that it is about, where that is not the first.
    pub(crate) fn with_frame(self, frame: Frame) -> Self {
        if frame.is_first() { self } else { self.with("frame", frame.to_string()) }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.attributes.iter().any(|(one, _)| one == key)
    }
}

/// A contract may put a NUL into its events. PostgreSQL stores none, so that one transaction would keep its whole block
/// out of an operator's history. Events are not hashed into the chain.
impl From<Event> for abci::Event {
    fn from(event: Event) -> Self {
        let text = |text: String| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
        let attributes = event.attributes.into_iter().map(|(key, value)| (text(key), text(value), true));
        Self::new(text(event.kind), attributes)
    }
}

/// All of them.
pub(crate) fn to_abci(events: Vec<Event>) -> Vec<abci::Event> {
    events.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nul_leaves_the_application() {
        let event = abci::Event::from(Event::new("wasm-\0a").with("k\0", "\0v\0").with("plain", ""));
        let attributes = [("k\u{fffd}", "\u{fffd}v\u{fffd}", true), ("plain", "", true)];
        assert_eq!(event, abci::Event::new("wasm-\u{fffd}a", attributes));
    }
}
