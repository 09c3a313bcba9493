//! Spans as a collector wants them: when they began and ended, which of them is whose part, and what they say.
//!
//! A span that ends is handed over in one step that never waits ([`SyncSender::try_send`]); where too many wait already
//! it is dropped and counted.

use std::{
    fmt,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::otlp::Message;
use crate::metrics::meters;

/// Most fields of one span; the rest is left out.
const FIELDS_MAX: usize = 32;
/// Most characters of a field.
const TEXT_MAX: usize = 200;

/// What a field says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
}

/// A span that has ended, or is open.
#[derive(Debug)]
pub(super) struct Span {
    /// The same of all that belong together.
    pub(super) trace: [u64; 2],
    pub(super) id: u64,
    /// The span that this one is a part of.
    pub(super) parent: Option<u64>,
    pub(super) name: &'static str,
    /// Nanoseconds since the Unix epoch.
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) fields: Vec<(&'static str, Value)>,
    /// Whether an error was logged in it.
    pub(super) failed: bool,
}

/// Makes spans of what is traced.
pub(crate) struct Spans {
    queue: SyncSender<Message>,
    meters: meters::Spans,
    ids: Ids,
}

impl Spans {
    pub(super) fn new(queue: SyncSender<Message>, meters: meters::Spans, seed: u64) -> Self {
        Self { queue, meters, ids: Ids(AtomicU64::new(seed)) }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Filtered out, the nearest part of what is exported is further up.
        let above = span.scope().skip(1).find_map(|above| {
            let extensions = above.extensions();
            extensions.get::<Span>().map(|above| (above.trace, above.id))
        });
        let (trace, parent) = match above {
            Some((trace, id)) => (trace, Some(id)),
            None => ([self.ids.next(), self.ids.next()], None),
        };
        let mut data = Span {
            trace,
            id: self.ids.next(),
            parent,
            name: attributes.metadata().name(),
            begun: now(),
            ended: 0,
            fields: Vec::new(),
            failed: false,
        };
        attributes.record(&mut data);
        span.extensions_mut().insert(data);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(data) = span.extensions_mut().get_mut::<Span>()
        {
            values.record(data);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR
            && let Some(span) = context.lookup_current()
            && let Some(data) = span.extensions_mut().get_mut::<Span>()
        {
            data.failed = true;
        }
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let Some(mut data) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Span>()) else { return };
        data.ended = now();
        if self.queue.try_send(Message::Span(data)).is_err() {
            self.meters.dropped.count("queue", 1);
        }
    }
}

impl Span {
    fn say(&mut self, field: &Field, value: Value) {
        let room = self.fields.len() < FIELDS_MAX;
        match self.fields.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, said)) => *said = value,
            None if room => self.fields.push((field.name(), value)),
            None => {}
        }
    }
}

impl Visit for Span {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.say(field, Value::Text(value.chars().take(TEXT_MAX).collect()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.say(field, Value::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.say(field, Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.say(field, Value::Bool(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Numbers that no two spans share: splitmix64 over a counter with a random beginning, never zero, which the protocol
/// takes for none.
struct Ids(AtomicU64);

impl Ids {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).max(1)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
