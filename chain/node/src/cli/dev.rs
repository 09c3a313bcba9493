//! `aceso dev`: a chain of one validator in this process, with RPC, REST and gRPC.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use aceso_app::{App, Fetch, Shelf};
use aceso_blobs::{BlobStore, Recovery};
use aceso_inference::Kernels;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::{
    HomeArg, Output,
    die::Deaths,
    init::{Chain, proof_spec},
    operator,
};
use crate::{
    Build,
    abci::{consensus::Consensus, info::Info, mempool as checks, query::Queries, vote::Voter},
    application::Application,
    engine::{Engine, EngineError, Parts, commit::Signer, events::Hub, mempool::Mempool, pulse::Pulse, store::Store},
    grpc,
    home::{Home, config::Config, genesis::Document},
    metrics::{Metrics, meters::Meters},
    net::{self, places::Places, turns::Turns},
    rest::{self, Rest, Room, ledger::Ledger},
    rpc::{self, Node},
    services::engine::Rpc,
    shelf,
    trace::LogArgs,
    worker::{
        Work,
        chores::{Chores, Pins},
        keep_memory_private, work,
    },
};

/// How often unregistered blobs are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(600);

/// How often models are looked for that were admitted since and are not packed yet.
const SHELVE_PERIOD: Duration = Duration::from_secs(5);

/// Options of the verb.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  aceso dev\n  aceso dev --home /tmp/chain --fund alice.mnemonic=1000000uaceso --rpc 127.0.0.1:0 --rest 127.0.0.1:0 --grpc off --json\n\
    \nStop it with Ctrl-C. Started again over the same home it goes on where it stopped."
)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    chain: Chain,
    /// Where CometBFT's RPC listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:26657", value_name = "ADDR")]
    rpc: String,
    /// Where gRPC and gRPC-web listen; port 0 takes a free one, `off` none.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "ADDR")]
    grpc: String,
    /// Where REST, blobs and the page listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:1317", value_name = "ADDR")]
    rest: String,
    /// Least milliseconds between two blocks.
    #[arg(long, default_value_t = 20, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    block_time: u64,
    /// Most milliseconds between two blocks, for programs that wait for the next height; by default a block is made
    /// only when there is something to put into it.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    empty_blocks: Option<u64>,
    /// Directory of the page's files.
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
    #[command(flatten)]
    deaths: Deaths,
}

/// Runs the verb.
pub(crate) fn run(args: Args, build: Build, output: Output, log: &LogArgs) -> anyhow::Result<()> {
    if let Some(ui) = args.ui.as_ref().filter(|ui| !ui.join("index.html").is_file()) {
        anyhow::bail!("--ui {} holds no index.html; build the page first, or leave the option out", ui.display());
    }
    let home = args.home.home()?;
    let _lock = home.lock()?;
    keep_memory_private();
    let document = home.begin(&operator::beginning(&args.chain)?, proof_spec()?)?;
    let (config, meters) = (Config::load_or_create(&home)?, Meters::default());
    let _exporter = log.start_node(&meters, config.collector(&home, document.origin.chain_id.as_str())?)?;
    let runtime = config.runtime()?;
    let served = runtime.block_on(serve(&args, &home, &config, document, &meters, build, output));
    // Threads that still answer somebody get a moment to finish.
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

async fn serve(
    args: &Args,
    home: &Home,
    config: &Config,
    document: Document,
    meters: &Meters,
    build: Build,
    output: Output,
) -> anyhow::Result<()> {
    let (rpc_listener, rpc_at) = net::bind("--rpc", &args.rpc).await?;
    let (rest_listener, rest_at) = net::bind("--rest", &args.rest).await?;
    let grpc = grpc::bind(&args.grpc).await?;
    let blobs = Arc::new(blobs(home)?);
    let shelf = shelf(home, config, meters);
    let app = open(home, config, &blobs, |options| {
        options.fail_point = args.deaths.fail_point();
        options.shelf = shelf.clone();
        build(options);
    })?;
    let kernels = app.kernels();
    let metrics = Arc::new(Metrics::new(app, meters));
    warm(&metrics)?;
    let app: Arc<dyn Application> = Arc::clone(&metrics) as Arc<dyn Application>;

    let (ended, mut engine_ended) = mpsc::channel(1);
    let (pulse, pins) = (Arc::new(Pulse::default()), Arc::new(Pins::default()));
    let work = committees(home, config, (kernels, shelf), meters, &app, &blobs, None, Some(Arc::clone(&pulse)), &pins)?;
    let chain = start(args, home, config, meters, &document, Arc::clone(&app), &blobs, rpc_at, &pulse, &work)?;
    let node = chain.node;
    let engine = std::thread::Builder::new()
        .name("engine".into())
        .spawn(move || {
            // Nobody listens any more when the node is stopping for another reason.
            let _ = ended.blocking_send(chain.engine.run());
        })
        .map_err(EngineError::Thread)?;

    let ledger = Arc::new(Ledger::new(config.uploads()));
    let (stop, stopped) = watch::channel(false);
    let sweeping =
        sweep(Arc::clone(&ledger), Arc::clone(&blobs), node.queries.clone(), Arc::clone(&pins), stopped.clone());
    tokio::spawn(sweeping);
    let rest = Arc::new(Rest {
        chain_id: document.origin.chain_id.to_string(),
        app: Arc::clone(&app),
        info: node.info.clone(),
        queries: node.questions(),
        rpc: Rpc::Here(Arc::clone(&node)),
        blobs,
        blob_readers: config.blob_readers(home)?,
        pins,
        ledger,
        metrics,
        downloads: Rest::downloads(),
        keys: home.attest_keys()?,
        tellings: Rest::tellings(),
        room: Room::default(),
        pulse: Arc::clone(&pulse),
        prefix: document.app.prefix.clone(),
        denom: document.app.denom.clone(),
        ui: args.ui.clone(),
    });
    tokio::spawn(net::serve(rpc_listener, rpc::http::router(Arc::clone(&node)), stopped.clone()));
    tokio::spawn(net::serve(rest_listener, rest::router(rest), stopped.clone()));
    let grpc = grpc.map(|listening| listening.serve(node.questions(), config.grpc(), stopped));
    let stopping = super::start::stop_signal()?;
    tell(output, home, &document, &node, rpc_at, rest_at, grpc)?;
    operator::register_opener(home, rpc_at, rest_at)?;

    let outcome = tokio::select! {
        ended = engine_ended.recv() => ended.unwrap_or(Ok(())).map_err(anyhow::Error::from),
        () = stopping => Ok(()),
    };
    pulse.stop();
    work.stop();
    // The receivers may all be gone, which is what is wanted.
    let _ = stop.send(true);
    // The engine ends between two blocks, so that nothing has to be done again at the next start.
    let joined = tokio::task::spawn_blocking(move || engine.join()).await?;
    outcome.and_then(|()| joined.map_err(|_| anyhow::anyhow!("the engine's thread panicked; see the lines above")))
}

/// Opens the blobs of a home, and says what a crash or the disk has done to them: lost ones are fetched or put again.
pub(crate) fn blobs(home: &Home) -> anyhow::Result<BlobStore> {
    let blobs = BlobStore::open(&home.blobs_dir(), aceso_blobs::Options::default())?;
    let Recovery { torn_bytes, damaged_bytes, damaged_roots, .. } = blobs.recovery();
    if torn_bytes > 0 {
        tracing::info!(torn_bytes, "blobs: unfinished writes were cut off");
    }
    if damaged_bytes > 0 || damaged_roots > 0 {
        tracing::warn!(
            damaged_bytes,
            damaged_roots,
            "blobs: the disk has changed what was written, some are lost here"
        );
    }
    Ok(blobs)
}

/// Opens the application of a home. Whoever does not say otherwise takes no snapshots and fetches nothing.
pub(crate) fn open(
    home: &Home,
    config: &Config,
    blobs: &Arc<BlobStore>,
    change: impl FnOnce(&mut aceso_app::Config),
) -> anyhow::Result<App> {
    let mut options = aceso_app::Config::new(home.path(), Arc::clone(blobs), &crate::worker::Reopening);
    options.state_dir = home.state_dir();
    options.vm_cache_dir = home.code_dir();
    options.kernels = config.kernels(home)?;
    options.threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    options.snapshot_dir = home.snapshots_dir();
    options.transcript_dir = home.transcripts_dir();
    options.snapshot_interval = 0;
    config.apply(&mut options);
    change(&mut options);
    Ok(App::open(options)?)
}

/// Where models lie packed, if they do.
pub(crate) fn shelf(home: &Home, config: &Config, meters: &Meters) -> Option<Arc<dyn Shelf>> {
    let shelf = shelf::Shelf::open(home, config, meters.packing.clone())?;
    Some(Arc::new(shelf))
}

/// Makes models ready on a thread of its own, so that the first reads after a start do not wait for them; then packs those
/// that are new, for the next start.
pub(crate) fn warm(metrics: &Arc<Metrics>) -> anyhow::Result<()> {
    let app = Arc::downgrade(metrics);
    let work = move || {
        match app.upgrade().map(|app| app.warm_models()) {
            Some(Ok(count)) => tracing::info!(count, "models are ready"),
            // Whoever reads with one hears of it then.
            Some(Err(error)) => tracing::warn!(%error, "models could not be made ready"),
            None => return,
        }
        // Nobody waits for it, so it need not hear of a new one at once.
        while let Some(app) = app.upgrade() {
            match app.shelve_models() {
                Ok(0) => (),
                Ok(count) => tracing::debug!(count, "models were packed"),
                Err(error) => return tracing::warn!(%error, "models could not be packed"),
            }
            drop(app);
            std::thread::sleep(SHELVE_PERIOD);
        }
    };
    std::thread::Builder::new().name("models".into()).spawn(work)?;
    Ok(())
}

/// Lets a node do what committees wait for.
#[allow(clippy::too_many_arguments, reason = "each is another part of the node")]
pub(crate) fn committees(
    home: &Home,
    config: &Config,
    (kernels, shelf): (Kernels, Option<Arc<dyn Shelf>>),
    meters: &Meters,
    app: &Arc<dyn Application>,
    blobs: &Arc<BlobStore>,
    fetch: Option<Arc<dyn Fetch>>,
    pulse: Option<Arc<Pulse>>,
    pins: &Arc<Pins>,
) -> anyhow::Result<Arc<Work>> {
    let (app, blobs, pins) = (Arc::clone(app), Arc::clone(blobs), Arc::clone(pins));
    let queries = Queries::new(Arc::clone(&app));
    let chores = Chores { home: home.clone(), queries, blobs: Arc::clone(&blobs), fetch: fetch.clone(), pins };
    let meters = meters.sealed.clone();
    let work =
        Work::open(work::Parts { app, blobs, fetch, home: home.clone(), kernels, shelf, meters, pulse }, config)?;
    work.start(home, config, chores)?;
    Ok(work)
}

struct Running {
    engine: Engine,
    node: Arc<Node>,
}

#[allow(clippy::too_many_arguments, reason = "each is another part of the node")]
fn start(
    args: &Args,
    home: &Home,
    config: &Config,
    meters: &Meters,
    document: &Document,
    app: Arc<dyn Application>,
    blobs: &Arc<BlobStore>,
    rpc_at: SocketAddr,
    pulse: &Arc<Pulse>,
    work: &Arc<Work>,
) -> anyhow::Result<Running> {
    let pulse = Arc::clone(pulse);
    let store = Arc::new(Store::open(&home.blocks_file())?);
    let limits = config.mempool(document.origin.params.block.max_bytes);
    let mempool = Mempool::new(checks::Mempool::new(Arc::clone(&app)), limits, Arc::clone(&pulse));
    let mempool = Arc::new(mempool.watched(meters.waiting.clone()));
    let hub = Arc::new(Hub::default());
    let signer = Signer::new(home.validator()?);
    let voter = Voter::new(home.attest_keys()?, Arc::clone(blobs)).working(Arc::clone(work));
    let voter = Arc::new(voter.watched(meters.extension.clone()));
    let limits = config.rpc();
    let node = Arc::new(Node {
        origin: document.origin.clone(),
        genesis: document.json.clone(),
        store: Arc::clone(&store),
        mempool: Arc::clone(&mempool),
        hub: Arc::clone(&hub),
        info: Info::new(Arc::clone(&app)),
        queries: Queries::new(Arc::clone(&app)),
        public: signer.public(),
        rpc_address: rpc_at.to_string(),
        keep_heights: config.keep_heights,
        limits,
        workers: Arc::new(Turns::new(limits.workers)),
        suspects: Arc::default(),
        websockets: Arc::new(Places::new("websockets", limits.websockets)),
    });
    let parts = Parts {
        consensus: Consensus::new(Arc::clone(&app), voter),
        app,
        store,
        mempool,
        hub,
        signer,
        pulse,
        interval: Duration::from_millis(args.block_time),
        empty_blocks: args.empty_blocks.map(Duration::from_millis),
    };
    let engine = Engine::start(parts, document.origin.clone())?;
    Ok(Running { engine, node })
}

fn tell(
    output: Output,
    home: &Home,
    document: &Document,
    node: &Node,
    rpc: SocketAddr,
    rest: SocketAddr,
    grpc: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let validator = rpc::json::hex(node.address().as_bytes());
    let object = json!({
        "ok": true,
        "rpc": format!("http://{rpc}"),
        "rest": format!("http://{rest}"),
        "grpc": grpc.map(|at| format!("http://{at}")),
        "chain_id": document.origin.chain_id,
        "prefix": document.app.prefix,
        "denom": document.app.denom,
        "validator": validator,
        "validator_key": rpc::json::base64(&node.public.to_bytes()),
        "home": home.path(),
        "height": node.store.height().to_string(),
    });
    output.print(&object, || {
        format!(
            "chain {} is running\n  rpc   http://{rpc}\n  rest  http://{rest}\n  grpc  {}\n  home  {}\nstop it with Ctrl-C",
            document.origin.chain_id,
            grpc.map_or_else(|| "off".into(), |at| format!("http://{at}")),
            home.path().display()
        )
    })
}

/// Removes blobs that nobody registers, until the node stops.
pub(crate) async fn sweep(
    ledger: Arc<Ledger>,
    blobs: Arc<BlobStore>,
    queries: Queries,
    pins: Arc<Pins>,
    mut stopped: watch::Receiver<bool>,
) {
    let period = SWEEP_PERIOD.min(ledger.limits().keep.max(Duration::from_secs(1)));
    loop {
        let (ledger, blobs, queries) = (Arc::clone(&ledger), Arc::clone(&blobs), queries.clone());
        let pins = Arc::clone(&pins);
        match tokio::task::spawn_blocking(move || ledger.sweep(&blobs, &queries, &pins)).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::warn!("unregistered blobs stay for now: {e}"),
            Err(e) => tracing::error!("unregistered blobs stay for now: {e}"),
        }
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}
