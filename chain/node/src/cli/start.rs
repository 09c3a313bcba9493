//! `aceso start`: the application behind a CometBFT node's ABCI socket, with REST and the page beside it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use aceso_app::Fetch;
use aceso_blobs::BlobStore;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{HomeArg, Output, dev};
use crate::{
    Build,
    abci::{
        consensus::Consensus,
        info::Info,
        mempool::Mempool,
        query::Queries,
        server::{self, Address},
        snapshot::Snapshot,
        vote::Voter,
    },
    application::Application,
    divergence,
    engine::pulse::Pulse,
    home::{config::Config, genesis::Document},
    metrics::Metrics,
    net,
    peers::Peers,
    rest::{
        self, Rest, Rpc,
        ledger::{Ledger, Limits},
    },
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  aceso init --home node\n  aceso start --home node --abci unix://node/abci.sock &\n  \
    cometbft node --home node --proxy_app unix://node/abci.sock\n\nCometBFT v0.38 is meant; its own home may be the same directory."
)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// Where CometBFT connects: tcp://HOST:PORT or unix://PATH.
    #[arg(long, default_value = "tcp://127.0.0.1:26658", value_name = "ADDR")]
    abci: String,
    /// Where REST, blobs and the page listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:1317", value_name = "ADDR")]
    rest: String,
    /// CometBFT's RPC as clients reach it; the page is told.
    #[arg(long, default_value = "http://127.0.0.1:26657", value_name = "URL")]
    rpc: String,
    /// Directory of the page's files.
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) fn run(args: Args, build: Build, output: Output) -> anyhow::Result<()> {
    let address: Address = args.abci.parse()?;
    let home = args.home.home()?;
    let _lock = home.lock()?;
    if home.blocks_file().exists() {
        anyhow::bail!(
            "{} belongs to an embedded chain (`aceso dev`), whose blocks CometBFT does not have; choose another --home",
            home.path().display()
        );
    }
    server::check_free(&address)?;
    let config = Config::load_or_create(&home)?;
    let blobs = Arc::new(BlobStore::open(&home.blobs_dir(), aceso_blobs::Options::default())?);
    let document = home.has_genesis().then(|| home.genesis()).transpose()?;
    let peers = document.as_ref().map(|document| {
        let patience = Duration::from_secs(config.blob_fetch_seconds);
        let chain_id = document.origin.chain_id.as_str();
        let keys = home.attest_key_reader();
        Arc::new(Peers::new(&config.blob_peers, chain_id, keys, Arc::clone(&blobs), patience))
    });
    let app = dev::open(&home, &config, &blobs, |options| {
        options.fetch = peers.clone().map(|peers| peers as Arc<dyn Fetch>);
        options.snapshot_interval = config.snapshot_interval;
        options.keep_blocks = config.keep_blocks;
        build(options);
    })?;
    let note = home.divergence_file();
    divergence::check_start(&app, &note)?;
    let metrics = Arc::new(Metrics::new(app));
    let app: Arc<dyn Application> = Arc::clone(&metrics) as Arc<dyn Application>;
    let voter = Arc::new(Voter::new(home.attest_keys()?, Arc::clone(&blobs)));
    let (watched, witnesses) = (Arc::clone(&app), peers.clone());
    let alarm = move |divergence| divergence::alarm(&*watched, witnesses.as_deref(), &note, &divergence);
    let consensus = Consensus::new(Arc::clone(&app), voter).with_alarm(Arc::new(alarm));
    let (mempool, info) = (Mempool::new(Arc::clone(&app)), Info::new(Arc::clone(&app)));
    let snapshot = Snapshot::new(Arc::clone(&app));
    let (queries, height) = (Queries::new(Arc::clone(&app)), info.info().last_block_height);
    let blob_readers = config.blob_readers(&home)?;
    let runtime = config.runtime()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let (app_of_rest, config) = (Arc::clone(&app), config.uploads());
        let beside = Beside { app: app_of_rest, info: info.clone(), queries, blobs, metrics, blob_readers, config };
        let rest = match document {
            Some(document) => Some(beside.serve(&args, &document, stopped.clone()).await?),
            None => None,
        };
        if let Some(peers) = peers {
            std::thread::Builder::new().name("peers".into()).spawn(move || peers.run(&*app, || *stopped.borrow()))?;
        }
        let object = json!({
            "ok": true,
            "abci": args.abci,
            "rest": rest,
            "home": home.path(),
            "height": height.to_string(),
        });
        let stopping = stop_signal()?;
        output.print(&object, || {
            let rest = rest.as_deref().unwrap_or("not served: the home holds no genesis.json");
            format!("the application waits for CometBFT at {}\n  rest  {rest}", args.abci)
        })?;
        let ended = tokio::select! {
            served = server::serve(address, consensus, mempool, info, snapshot) => Ok(served?),
            () = stopping => Ok(()),
        };
        // The receivers may all be gone, which is what is wanted.
        let _ = stop.send(true);
        ended
    })
}

/// What REST is served from beside CometBFT.
struct Beside {
    app: Arc<dyn Application>,
    info: Info,
    queries: Queries,
    blobs: Arc<BlobStore>,
    metrics: Arc<Metrics>,
    blob_readers: Vec<[u8; 48]>,
    config: Limits,
}

impl Beside {
    /// Serves REST of the chain whose genesis lies in the home, and answers where.
    async fn serve(self, args: &Args, document: &Document, stopped: watch::Receiver<bool>) -> anyhow::Result<String> {
        let (listener, at) = net::bind("--rest", &args.rest).await?;
        let ledger = Arc::new(Ledger::new(self.config));
        let rest = Rest {
            chain_id: document.origin.chain_id.to_string(),
            app: self.app,
            info: self.info,
            queries: self.queries.clone(),
            rpc: Rpc::CometBft(args.rpc.clone()),
            blobs: Arc::clone(&self.blobs),
            blob_readers: self.blob_readers,
            ledger: Arc::clone(&ledger),
            metrics: self.metrics,
            downloads: Rest::downloads(),
            tellings: Rest::tellings(),
            pulse: Arc::new(Pulse::default()),
            prefix: document.app.prefix.clone(),
            denom: document.app.denom.clone(),
            ui: args.ui.clone(),
        };
        tokio::spawn(dev::sweep(ledger, self.blobs, self.queries, stopped.clone()));
        tokio::spawn(net::serve(listener, rest::router(Arc::new(rest)), stopped));
        Ok(format!("http://{at}"))
    }
}

/// From here on SIGINT and SIGTERM are heard; what is answered waits for one of them. Call it before the line that tells
/// others that this process runs: they may end it at once.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("interrupted, stopping"),
            _ = terminate.recv() => tracing::info!("asked to stop"),
        }
    })
}
