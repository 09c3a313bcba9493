//! The times of reads, taken from the spans that the application opens around their steps.

use std::{fmt, time::Instant};

use tracing::{
    Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::metrics::meters::Reads;

/// The target of those spans.
pub(super) const TARGET: &str = "aceso_app::read";

/// Times reads.
pub(super) struct Times {
    reads: Reads,
}

/// A step that runs.
struct Step {
    begun: Instant,
    step: String,
    mode: String,
}

impl Times {
    pub(super) fn new(reads: Reads) -> Self {
        Self { reads }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Times {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut step = Step { begun: Instant::now(), step: String::new(), mode: String::new() };
        attributes.record(&mut step);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(step);
        }
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let step = context.span(&id).and_then(|span| span.extensions_mut().remove::<Step>());
        if let Some(Step { begun, step, mode }) = step {
            self.reads.took(&step, &mode, begun.elapsed().as_secs_f64());
        }
    }
}

impl Visit for Step {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "step" => self.step = value.into(),
            "mode" => self.mode = value.into(),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
