//! What a block or a transaction tells those who watch.

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

    pub(crate) fn has(&self, key: &str) -> bool {
        self.attributes.iter().any(|(one, _)| one == key)
    }
}

impl From<Event> for abci::Event {
    fn from(event: Event) -> Self {
        Self::new(event.kind, event.attributes.into_iter().map(|(key, value)| (key, value, true)))
    }
}

/// All of them.
pub(crate) fn to_abci(events: Vec<Event>) -> Vec<abci::Event> {
    events.into_iter().map(Into::into).collect()
}
