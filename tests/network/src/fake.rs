//! REST ports that lie: of blobs, to nodes that fetch and to people who ask.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use anyhow::Result;

/// Bytes that are sent instead of a blob.
const BLOB: usize = 300_000;

/// A REST port that answers everything in its way.
pub(crate) struct Fake {
    pub(crate) url: String,
    /// How often it was asked.
    pub(crate) asked: Arc<AtomicU64>,
}

impl Fake {
    /// Listens at an address.
    pub(crate) fn start(at: &str, answer: fn(TcpStream) -> std::io::Result<()>) -> Result<Self> {
        let listener = TcpListener::bind((at, 0))?;
        let (url, asked) = (format!("http://{}", listener.local_addr()?), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(std::io::Result::ok) {
                counted.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    let mut request = [0; 4096];
                    // The other side may have had enough of it.
                    let _ = stream.read(&mut request).and_then(|_| answer(stream));
                });
            }
        });
        Ok(Self { url, asked })
    }
}

/// As many bytes as a blob of these scenarios has, and others.
pub(crate) fn other_bytes(mut stream: TcpStream) -> std::io::Result<()> {
    let body = vec![7; BLOB];
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

/// Bytes without an end.
pub(crate) fn endless(mut stream: TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    loop {
        stream.write_all(&[7; 4096])?;
    }
}

/// A byte a second.
pub(crate) fn slow(mut stream: TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n")?;
    loop {
        stream.write_all(&[7])?;
        sleep(Duration::from_secs(1));
    }
}
