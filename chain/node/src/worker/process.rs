//! `aceso worker`: a process that computes for a node of the same operator.

use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aceso_verify::outcome::Came;
use serde_json::json;

use super::{
    compute::Unable,
    frame::{Kind, VERSION, receive, send, sentence, wrong},
    job::Job,
    keep_memory_private,
    lane::{Computes, Here},
    models::Models,
};
use crate::{
    cli::{HomeArg, Output},
    home::config::Config,
    shelf::Shelf,
};

/// The pause before a node is looked for again, and the longest one.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso worker --home node                                    beside its node, with its opener keys
  aceso worker --home openers --socket /run/aceso/worker.sock keys in a home of their own, which no node reads
  aceso worker --home node --threads 4

The node listens where worker_socket of its config/aceso.toml says. Opener keys stay in this process: over the socket go
sealed files, models and outcomes. Stop it with Ctrl-C; what it worked on is done by another.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// The node's socket [default: as worker_socket of this home's configuration says].
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Jobs at a time; each takes some 250 MB at most.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> anyhow::Result<()> {
    keep_memory_private();
    let home = args.home.home()?;
    let config = if home.config_file().exists() { Config::load_or_create(&home)? } else { Config::default() };
    let Some(socket) = args.socket.clone().or_else(|| config.worker_socket(&home)) else {
        anyhow::bail!(
            "the node's socket is not known: set worker_socket in its config/aceso.toml, or name it with --socket"
        )
    };
    let epochs = home.openers()?;
    if epochs.is_empty() {
        anyhow::bail!(
            "{} holds no opener key, so nothing could be opened; copy config/opener there, or make one with aceso opener register",
            home.path().display()
        );
    }
    let shelf = Shelf::beside(&home).map(|shelf| Arc::new(shelf) as Arc<dyn aceso_app::Shelf>);
    let models = Models::new(config.kernels(&home)?).within(config.model_cache_bytes).beside(shelf);
    let models = Arc::new(models);
    let lane = |number: u16| {
        let (mut here, socket) = (Here::new(home.clone(), Arc::clone(&models)), socket.clone());
        let name = format!("worker-{number}");
        std::thread::Builder::new().name(name).spawn(move || stay(&socket, &mut here))
    };
    let lanes = (0..args.threads).map(lane).collect::<io::Result<Vec<_>>>()?;
    let object = json!({"ok": true, "socket": socket, "epochs": epochs, "threads": args.threads});
    output.print(&object, || format!("works for the node at {}; stop it with Ctrl-C", socket.display()))?;
    for lane in lanes {
        lane.join().map_err(|_| anyhow::anyhow!("a worker's thread panicked; see the lines above"))?;
    }
    Ok(())
}

/// Works for the node, whenever there is one.
fn stay(socket: &Path, here: &mut Here) {
    let mut pause = AGAIN;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                pause = AGAIN;
                if let Err(e) = converse(&stream, here) {
                    tracing::info!("the node at {} is gone: {e}", socket.display());
                }
            }
            Err(e) => tracing::debug!("no node at {}: {e}", socket.display()),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(AGAIN_MAX);
    }
}

/// Computes what the node asks for, until it asks no more.
pub(super) fn converse(stream: &UnixStream, here: &mut Here) -> io::Result<()> {
    let mut wire = stream;
    send(&mut wire, Kind::Hello, &[VERSION])?;
    loop {
        let job = match receive(&mut wire)? {
            (Kind::Job, bytes) => bytes,
            (kind, _) => return Err(wrong(format!("{kind:?} came instead of a job"))),
        };
        let job: Job = serde_ipld_dagcbor::from_slice(&job).map_err(|e| wrong(e.to_string()))?;
        let file = match receive(&mut wire)? {
            (Kind::File, bytes) => bytes,
            (kind, _) => return Err(wrong(format!("{kind:?} came instead of a file"))),
        };
        match here.outcome(&job, &file, &|| model(stream)) {
            Ok(Came { outcome, file }) => {
                send(&mut wire, Kind::Outcome, &outcome.encode())?;
                if let Some(file) = file {
                    send(&mut wire, Kind::Result, &file)?;
                }
            }
            Err(Unable::Gone(e)) => return Err(e),
            Err(e) => {
                tracing::warn!(job = job.number(), "{e}");
                send(&mut wire, Kind::Unable, &sentence(&e))?;
            }
        }
    }
}

/// Asks the node for the model of the job at hand.
fn model(stream: &UnixStream) -> Result<Vec<u8>, String> {
    let mut wire = stream;
    send(&mut wire, Kind::Want, &[]).map_err(|e| e.to_string())?;
    match receive(&mut wire) {
        Ok((Kind::Model, bytes)) => Ok(bytes),
        Ok((_, bytes)) => Err(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) => Err(e.to_string()),
    }
}
