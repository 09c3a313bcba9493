//! Worker processes, as the node sees them: each connection to a Unix socket is a lane.
//!
//! Over the socket goes what anybody may see: the job as it stands on the chain, the sealed file, the model, the outcome.
//! The opener key is the worker's and the attestation key the node's; neither ever leaves its process. An outcome that
//! comes back is one by its shape, or the connection is closed; whether it is the right one only the rest of the
//! committee can tell, as with outcomes of this process.
//!
//! A process that dies loses nothing: its job waits again. The socket is for its owner's eyes (0600), and a connection
//! that says nothing for too long is closed.

use std::{
    fs,
    io::{self, Read},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aceso_types::sealed::Outcome;
use aceso_verify::outcome::Came;

use super::{
    compute::Unable,
    frame::{Kind, VERSION, receive, send, sentence, wrong},
    job::Job,
    lane::{self, Computes},
    work::Work,
};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// How long a worker process may take for its first word.
const HELLO: Duration = Duration::from_secs(10);
/// How long it may take for a job, and how long it may take none of what it is sent.
const PATIENCE: Duration = Duration::from_secs(300);

/// Listens where only this user may connect.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    // Made under another name, so that nobody can connect before its mode is set; what an earlier run has left goes.
    let draft = path.with_extension("draft");
    for old in [&draft, path] {
        match fs::remove_file(old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    fs::rename(&draft, path)?;
    Ok(listener)
}

/// Lets worker processes work, each connection in a thread of its own.
pub(super) fn serve(work: &Arc<Work>, listener: &UnixListener) {
    let taken = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) if taken.fetch_add(1, Ordering::Relaxed) < CONNECTIONS_MAX => stream,
            Ok(_) => {
                taken.fetch_sub(1, Ordering::Relaxed);
                tracing::warn!("more than {CONNECTIONS_MAX} connections of worker processes: one is closed");
                continue;
            }
            Err(e) => {
                tracing::warn!("no worker process can connect: {e}");
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
        };
        let (of, places) = (Arc::clone(work), Arc::clone(&taken));
        let lane = move || {
            of.meters.processes.inc();
            match Remote::greet(stream) {
                Ok(mut remote) => {
                    if let Err(e) = lane::run(&of, &mut remote) {
                        tracing::info!("{e}");
                    }
                }
                Err(e) => tracing::warn!("a connection is no worker process of this version: {e}"),
            }
            of.meters.processes.dec();
            places.fetch_sub(1, Ordering::Relaxed);
        };
        if let Err(e) = std::thread::Builder::new().name("worker-link".into()).spawn(lane) {
            taken.fetch_sub(1, Ordering::Relaxed);
            tracing::error!("a worker process is sent away: {e}");
        }
    }
}

/// A worker process at the other end.
struct Remote(UnixStream);

impl Remote {
    fn greet(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(HELLO))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        match receive(&mut &stream)? {
            (Kind::Hello, version) if version == [VERSION] => {}
            (kind, bytes) => return Err(wrong(format!("it begins with {kind:?} {bytes:?}"))),
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    fn ask(&self, job: &Job, file: &[u8], onnx: &dyn Fn() -> Result<Vec<u8>, String>) -> io::Result<Answer> {
        let mut wire = &self.0;
        send(&mut wire, Kind::Job, &serde_ipld_dagcbor::to_vec(job).map_err(io::Error::other)?)?;
        send(&mut wire, Kind::File, file)?;
        loop {
            match receive(&mut wire)? {
                (Kind::Want, _) => match onnx() {
                    Ok(bytes) => send(&mut wire, Kind::Model, &bytes)?,
                    Err(reason) => send(&mut wire, Kind::Unable, &sentence(&reason))?,
                },
                (Kind::Outcome, bytes) => {
                    let outcome = Outcome::decode(&bytes).map_err(|e| wrong(e.to_string()))?;
                    if !outcome.fits(&job.statement.disclosure) {
                        return Err(wrong("its outcome is no answer to what was asked".into()));
                    }
                    let file = match &outcome {
                        Outcome::Stored { .. } => match receive(&mut wire)? {
                            (Kind::Result, file) => Some(file),
                            (kind, _) => return Err(wrong(format!("{kind:?} came instead of a result"))),
                        },
                        _ => None,
                    };
                    return Ok(Answer::Came(Came { outcome, file }));
                }
                (Kind::Unable, bytes) => return Ok(Answer::Unable(String::from_utf8_lossy(&bytes).into_owned())),
                (kind, _) => return Err(wrong(format!("{kind:?} is nothing that a worker process says"))),
            }
        }
    }
}

enum Answer {
    Came(Came),
    Unable(String),
}

impl Computes for Remote {
    /// A process that has nothing to do says nothing: whatever can be read is its end.
    fn is_there(&mut self) -> bool {
        let silent = |stream: &UnixStream| -> io::Result<bool> {
            stream.set_nonblocking(true)?;
            let said = (&mut &*stream).read(&mut [0]);
            stream.set_nonblocking(false)?;
            Ok(matches!(said, Err(e) if e.kind() == io::ErrorKind::WouldBlock))
        };
        silent(&self.0).unwrap_or(false)
    }

    fn outcome(&mut self, job: &Job, file: &[u8], onnx: &dyn Fn() -> Result<Vec<u8>, String>) -> Result<Came, Unable> {
        match self.ask(job, file, onnx) {
            Ok(Answer::Came(came)) => Ok(came),
            Ok(Answer::Unable(reason)) => Err(Unable::Told(reason)),
            Err(e) => Err(Unable::Gone(e)),
        }
    }
}
