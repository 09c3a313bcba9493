//! A liar between a CometBFT engine and an honest application: ABCI passes through, some answers are changed.
//!
//! So a validator misbehaves exactly where consensus lets it, with its real keys, and nothing of it is in the product.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail};
use prost::{
    Message,
    encoding::{decode_varint, encode_varint},
};
use tendermint_proto::v0_38::abci::{Response, response::Value};

/// Longest message that passes.
const MESSAGE_MAX: u64 = 64 << 20;

/// Changes an answer; true where it did.
pub(crate) type Lie = fn(&mut Value) -> bool;

/// A running proxy. It ends with the process.
pub(crate) struct Proxy {
    /// Where the engine connects.
    pub(crate) socket: PathBuf,
    lie: Arc<Mutex<Lie>>,
    told: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens beside the application's socket.
    pub(crate) fn start(app: &Path, lie: Lie) -> Result<Self> {
        let socket = app.with_extension("proxy");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
        let (app, told, lie) = (app.to_path_buf(), Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(lie)));
        let (counted, current) = (Arc::clone(&told), Arc::clone(&lie));
        thread::spawn(move || {
            for engine in listener.incoming().map_while(Result::ok) {
                let (app, told, lie) = (app.clone(), Arc::clone(&counted), Arc::clone(&current));
                thread::spawn(move || {
                    // The engine sees a closed connection and says so itself.
                    let _ = pass(engine, &app, &lie, &told);
                });
            }
        });
        Ok(Self { socket, lie, told })
    }

    /// Tells another lie from now on.
    pub(crate) fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
    }

    /// How many answers were changed.
    pub(crate) fn lies(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
}

fn pass(mut engine: UnixStream, app: &Path, lie: &Mutex<Lie>, told: &AtomicU64) -> Result<()> {
    let mut app = UnixStream::connect(app)?;
    let (mut requests, mut forward) = (engine.try_clone()?, app.try_clone()?);
    thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(got @ 1..) = requests.read(&mut piece) {
            if piece.get(..got).is_none_or(|piece| forward.write_all(piece).is_err()) {
                break;
            }
        }
        let _ = forward.shutdown(std::net::Shutdown::Both);
    });
    loop {
        let message = read(&mut app)?;
        let mut response = Response::decode(&message[..])?;
        let lie = *lie.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = response.value.as_mut().is_some_and(lie);
        if changed {
            told.fetch_add(1, Ordering::Relaxed);
        }
        let body = if changed { response.encode_to_vec() } else { message };
        let mut framed = Vec::with_capacity(body.len() + 10);
        encode_varint(body.len() as u64, &mut framed);
        framed.extend_from_slice(&body);
        engine.write_all(&framed)?;
    }
}

/// One message: its length as a varint, then its bytes.
fn read(stream: &mut impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.last().is_none_or(|byte| byte & 0x80 != 0) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let length = decode_varint(&mut &head[..])?;
    if length > MESSAGE_MAX {
        bail!("a message of {length} bytes");
    }
    let mut message = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut message)?;
    Ok(message)
}
