//! `aceso start`: the application behind a CometBFT node's ABCI socket, with REST, gRPC and the page beside it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use aceso_app::Fetch;
use aceso_blobs::BlobStore;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use super::{HomeArg, Output, dev, die::Deaths};
use crate::{
    Build,
    abci::{
        consensus::{COMMIT_WAIT, Consensus},
        info::Info,
        mempool::Mempool,
        query::Queries,
        server::{self, Address},
        snapshot::Snapshot,
        vote::{AttestKeys, Voter},
    },
    application::Application,
    divergence,
    engine::pulse::Pulse,
    grpc,
    home::{config::Config, genesis::Document},
    metrics::{Metrics, meters::Meters},
    net,
    peers::Peers,
    rest::{
        self, Rest, Room,
        ledger::{Ledger, Limits},
    },
    services::{Engine, engine::Rpc},
    trace::LogArgs,
    worker::{chores::Pins, keep_memory_private},
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
    /// Where gRPC and gRPC-web listen; port 0 takes a free one, `off` none.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "ADDR")]
    grpc: String,
    /// CometBFT's RPC as clients reach it; the page is told, and this node asks there for blocks.
    #[arg(long, default_value = "http://127.0.0.1:26657", value_name = "URL")]
    rpc: String,
    /// Directory of the page's files.
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
    #[command(flatten)]
    deaths: Deaths,
}

/// Runs the verb.
pub(crate) fn run(args: Args, build: Build, output: Output, log: &LogArgs) -> anyhow::Result<()> {
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
    keep_memory_private();
    let (config, meters) = (Config::load_or_create(&home)?, Meters::default());
    let blobs = Arc::new(dev::blobs(&home)?);
    let document = home.has_genesis().then(|| home.genesis()).transpose()?;
    let chain_id = document.as_ref().map_or("", |document| document.origin.chain_id.as_str());
    let _exporter = log.start_node(&meters, config.collector(&home, chain_id)?)?;
    let peers = document.as_ref().map(|_| {
        let patience = Duration::from_secs(config.blob_fetch_seconds);
        let keys = home.attest_key_reader();
        let peers = Peers::new(&config.blob_peers, chain_id, keys, Arc::clone(&blobs), patience);
        Arc::new(peers.watched(meters.fetching.clone()))
    });
    let shelf = dev::shelf(&home, &config, &meters);
    let app = dev::open(&home, &config, &blobs, |options| {
        options.shelf = shelf.clone();
        options.fetch = peers.clone().map(|peers| peers as Arc<dyn Fetch>);
        options.snapshot_interval = config.snapshot_interval;
        options.keep_blocks = config.keep_blocks;
        options.fail_point = args.deaths.fail_point();
        build(options);
    })?;
    let note = home.divergence_file();
    divergence::check_start(&app, &note)?;
    let kernels = app.kernels();
    let metrics = Arc::new(Metrics::new(app, &meters));
    dev::warm(&metrics)?;
    let app: Arc<dyn Application> = Arc::clone(&metrics) as Arc<dyn Application>;
    let (pins, fetch) = (Arc::new(Pins::default()), peers.clone().map(|peers| peers as Arc<dyn Fetch>));
    let work = dev::committees(&home, &config, (kernels, shelf), &meters, &app, &blobs, fetch, None, &pins)?;
    let voter = Voter::new(home.attest_keys()?, Arc::clone(&blobs)).working(Arc::clone(&work));
    let voter = Arc::new(voter.watched(meters.extension.clone()));
    let consensus = Consensus::new(Arc::clone(&app), voter);
    let rpc = Rpc::CometBft(args.rpc.clone());
    let queries = Queries::new(Arc::clone(&app)).over(Engine { rpc, keep_heights: config.keep_heights });
    let mempool = Mempool::new(Arc::clone(&app));
    let info = Info::new(Arc::clone(&app)).asking(queries.clone());
    let snapshot = Snapshot::new(Arc::clone(&app));
    let height = info.info().last_block_height;
    let blob_readers = config.blob_readers(&home)?;
    let runtime = config.runtime()?;
    let ended = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let (bounds, asked) = (config.grpc(), queries.clone());
        let (app_of_rest, config, keys) = (Arc::clone(&app), config.uploads(), home.attest_keys()?);
        let beside =
            Beside { app: app_of_rest, info: info.clone(), queries, blobs, metrics, blob_readers, pins, keys, config };
        let (rest, grpc) = match document {
            Some(document) => {
                let rest = beside.serve(&args, &document, stopped.clone()).await?;
                let grpc = grpc::bind(&args.grpc).await?;
                (Some(rest), grpc.map(|listening| listening.serve(asked, bounds, stopped.clone())))
            }
            None => (None, None),
        };
        let (alarm, mut alarmed) = mpsc::channel(1);
        if let Some(peers) = peers {
            let (watched, witnesses, until) = (Arc::clone(&app), Arc::clone(&peers), stopped.clone());
            std::thread::Builder::new().name("witness".into()).spawn(move || {
                if let Some(fault) = divergence::watch(&*watched, &witnesses, &note, || *until.borrow()) {
                    // Nobody listens any more when the node is stopping for another reason.
                    let _ = alarm.blocking_send(fault);
                }
            })?;
            std::thread::Builder::new().name("peers".into()).spawn(move || peers.run(&*app, || *stopped.borrow()))?;
        }
        let object = json!({
            "ok": true,
            "abci": args.abci,
            "rest": rest,
            "grpc": grpc.map(|at| format!("http://{at}")),
            "home": home.path(),
            "height": height.to_string(),
        });
        let stopping = stop_signal()?;
        output.print(&object, || {
            let rest = rest.as_deref().unwrap_or("not served: the home holds no genesis.json");
            let grpc = grpc.map_or_else(|| "not served".into(), |at| format!("http://{at}"));
            format!("the application waits for CometBFT at {}\n  rest  {rest}\n  grpc  {grpc}", args.abci)
        })?;
        let between = consensus.between_blocks();
        let ended = tokio::select! {
            served = server::serve(address, consensus, mempool, info, snapshot, meters.queues) => Ok(served?),
            Some(fault) = alarmed.recv() => Err(anyhow::anyhow!(fault)),
            // The engine is answered until the block that is executed is committed, and hears nothing after it.
            () = async { stopping.await; between.closed(COMMIT_WAIT).await } => Ok(()),
        };
        // The receivers may all be gone, which is what is wanted.
        let _ = stop.send(true);
        ended
    });
    work.stop();
    // Threads that still answer somebody get a moment to finish.
    runtime.shutdown_timeout(Duration::from_secs(2));
    ended
}

/// What REST is served from beside CometBFT.
struct Beside {
    app: Arc<dyn Application>,
    info: Info,
    queries: Queries,
    blobs: Arc<BlobStore>,
    metrics: Arc<Metrics>,
    blob_readers: Vec<[u8; 48]>,
    pins: Arc<Pins>,
    keys: AttestKeys,
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
            pins: Arc::clone(&self.pins),
            ledger: Arc::clone(&ledger),
            metrics: self.metrics,
            downloads: Rest::downloads(),
            keys: self.keys,
            tellings: Rest::tellings(),
            room: Room::default(),
            pulse: Arc::new(Pulse::default()),
            prefix: document.app.prefix.clone(),
            denom: document.app.denom.clone(),
            ui: args.ui.clone(),
        };
        tokio::spawn(dev::sweep(ledger, self.blobs, self.queries, self.pins, stopped.clone()));
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
