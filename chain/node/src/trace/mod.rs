//! What a node says while it runs: lines on standard error, and spans to a collector.
//!
//! A block is a span with its stages in it, and in its execution its transactions, their calls of contracts and their
//! reads; questions and what comes over the REST port have spans of their own. The spans are opened where the work is
//! done, also in the application, which reads no clock: times are taken here, by those who listen. Nobody who listens is
//! asked anything, so that no answer can depend on it. Spans name what stands on the chain and never what is in a picture.
//!
//! Three listen, each to what it wants: lines as `--log` and `--log-format` say, the times of reads for the metrics
//! ([`reads`]), and [`spans`] for [`otlp`] where the configuration names a collector. A span that nobody wants costs a
//! comparison.

mod otlp;
mod reads;
mod spans;

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub(crate) use self::otlp::{Collector, Exporter};
use crate::metrics::meters::Meters;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// What to log, and how.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LogArgs {
    /// What to log: a level, or levels by part such as `info,aceso_node::engine=debug`.
    #[arg(long, global = true, default_value = "warn", value_name = "FILTER")]
    log: String,
    /// How to log: text for people, or one JSON object a line.
    #[arg(long, global = true, default_value = "text", value_name = "FORMAT")]
    log_format: Format,
}

impl LogArgs {
    /// Begins to log.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        Registry::default().with(self.lines()?).try_init()?;
        Ok(())
    }

    /// Begins to log, to time reads, and to export spans to a collector if there is one. What is answered ends the
    /// export when it is dropped, and sends before what still waits.
    pub(crate) fn start_node(&self, meters: &Meters, collector: Option<Collector>) -> anyhow::Result<Option<Exporter>> {
        let times = reads::Times::new(meters.reads.clone());
        let only_reads = filter_fn(|span| span.is_span() && span.target() == reads::TARGET);
        let times = times.with_filter(only_reads.with_max_level_hint(LevelFilter::INFO));
        let (spans, exporter) = match collector {
            Some(collector) => {
                let (spans, exporter) = otlp::start(collector, meters.spans.clone())?;
                let ours = Targets::new().with_target("aceso", LevelFilter::INFO);
                (Some(spans.with_filter(ours)), Some(exporter))
            }
            None => (None, None),
        };
        Registry::default().with(self.lines()?).with(times).with(spans).try_init()?;
        Ok(exporter)
    }

    fn lines<S>(&self) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        let filter = EnvFilter::try_new(&self.log)
            .map_err(|e| anyhow::anyhow!("--log {:?}: {e}; write for instance --log info", self.log))?;
        let layer = fmt::layer().with_writer(std::io::stderr);
        Ok(match self.log_format {
            Format::Text => layer.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
            Format::Json => layer.json().flatten_event(true).with_current_span(false).with_filter(filter).boxed(),
        })
    }
}
