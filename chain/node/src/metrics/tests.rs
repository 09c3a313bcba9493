use std::{collections::BTreeMap, sync::Arc};

use tendermint::abci::{Event, types::ExecTxResult};

use super::*;

/// A page, checked line by line against the OpenMetrics text format: the values by name and labels.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    let word = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let (mut values, mut families) = (BTreeMap::new(), BTreeMap::<String, (String, bool)>::new());
    let mut family = String::new();
    let body = text.strip_suffix("# EOF\n").expect("the page ends with # EOF");
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let (kind, rest) = meta.split_once(' ').unwrap();
            let (name, said) = rest.split_once(' ').unwrap();
            match kind {
                "HELP" => {
                    assert!(word(name) && name.starts_with("aceso_") && !said.is_empty(), "{line}");
                    assert!(families.insert(name.into(), (String::new(), false)).is_none(), "twice: {line}");
                    family = name.into();
                }
                "TYPE" => families.get_mut(name).unwrap().0 = said.into(),
                "UNIT" => assert!(name.ends_with(said), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let (kind, seen) = families.get_mut(&family).expect(line);
        *seen = true;
        let endings: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{other}: {line}"),
        };
        assert!(endings.iter().any(|end| name == format!("{family}{end}")), "{line} in {family}");
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).unwrap();
            for label in labels.split(',') {
                let (key, quoted) = label.split_once('=').unwrap();
                assert!(word(key) && quoted.len() > 2 && quoted.starts_with('"') && quoted.ends_with('"'), "{line}");
            }
        }
        assert!(values.insert(series.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
    }
    values
}

fn metrics(home: &std::path::Path, meters: &Meters) -> Metrics {
    let blobs = aceso_blobs::BlobStore::open(&home.join("blobs"), Default::default()).unwrap();
    Metrics::new(App::open(aceso_app::Config::new(home, Arc::new(blobs), &crate::worker::Reopening)).unwrap(), meters)
}

#[test]
fn what_is_done_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let meters = Meters::default();
    let metrics = metrics(home.path(), &meters);
    let kind = request::CheckTxKind::New;
    assert!(metrics.check_tx(request::CheckTx { tx: "x".into(), kind }).code.is_err());
    let mut result = ExecTxResult { gas_used: 70, ..Default::default() };
    result.events.push(Event { kind: "read".into(), attributes: Vec::new() });
    let failed = ExecTxResult { code: 5.into(), gas_used: 3, ..Default::default() };
    metrics.count(&response::FinalizeBlock {
        events: Vec::new(),
        tx_results: vec![result, failed],
        validator_updates: Vec::new(),
        consensus_param_updates: None,
        app_hash: Default::default(),
    });
    meters.queues.of("info").set(3);
    meters.waiting.txs.set(2);
    meters.fetching.failed.count("lied", 1);
    meters.spans.dropped.count("queue", 4);
    meters.extension.observe(700.0);
    meters.reads.took("infer", "block", 0.02);
    meters.reads.took("infer", "nowhere", 0.02);
    let traffic = Traffic { uploads: 1, unregistered_bytes: 9, ..Traffic::default() };
    let values = parse(&metrics.text(traffic).unwrap());
    for (series, want) in [
        ("aceso_stage_seconds_count{stage=\"check\"}", 1.0),
        ("aceso_stage_seconds_count{stage=\"commit\"}", 0.0),
        ("aceso_transactions_total{outcome=\"done\"}", 1.0),
        ("aceso_transactions_total{outcome=\"failed\"}", 1.0),
        ("aceso_gas_used_total", 73.0),
        ("aceso_reads_total", 1.0),
        ("aceso_height", 0.0),
        ("aceso_blobs", 0.0),
        ("aceso_abci_queue{connection=\"info\"}", 3.0),
        ("aceso_mempool_transactions", 2.0),
        ("aceso_blob_fetch_failures_total{reason=\"lied\"}", 1.0),
        ("aceso_spans_dropped_total{reason=\"queue\"}", 4.0),
        ("aceso_vote_extension_bytes_bucket{le=\"1024.0\"}", 1.0),
        ("aceso_read_seconds_count{step=\"infer\",mode=\"block\"}", 1.0),
        ("aceso_uploads", 1.0),
        ("aceso_blobs_unregistered_bytes", 9.0),
        ("aceso_cache_misses_total{cache=\"signature\"}", 0.0),
        ("aceso_instances_refused_total", 0.0),
    ] {
        assert_eq!(values.get(series), Some(&want), "{series} in {values:#?}");
    }
    assert!(!values.keys().any(|series| series.contains("nowhere")));
    assert!(held::process().0 > 1 << 20 && held::process().1 > 2);
}

#[test]
#[should_panic(expected = "twice")]
fn a_page_that_repeats_itself_is_found_out() {
    parse("# HELP aceso_a A.\n# TYPE aceso_a gauge\naceso_a 1\naceso_a 2\n# EOF\n");
}
