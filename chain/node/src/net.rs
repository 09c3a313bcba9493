//! Listening: addresses, a bounded number of connections, clients that never finish a sentence and clients that never
//! hear one out.
//!
//! A connection is a socket that [`steady`] watches and whose [`request_line`]s are read generously. Every request
//! carries its [`Peer`].

pub(crate) mod places;
mod request_line;
mod steady;
pub(crate) mod suspects;
pub(crate) mod turns;

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, response::Response, routing::future::RouteFuture};
use futures::{Stream, StreamExt};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

use self::places::{Full, Places};

/// Connections to one port at the same time, CometBFT's `max_open_connections`; one address has half of them at most.
const CONNECTIONS_MAX: usize = 900;
/// How often it is told that clients are turned away: a flood of connections is no flood of lines.
const TURNED_PERIOD: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a sender whose request was refused is listened to.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 << 20;
/// How long a client may take none of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What every connection over HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 64;
/// Bytes of the headers of one request.
const HEAD_MAX: u32 = 16 << 10;
/// How often an HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING_PERIOD: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The client at the other end, as far as room is shared out: its address, or the /64 network of an IPv6 one, which a
/// single client usually has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        })
    }
}

/// Ends the connection that a request came over. HTTP/2 has many answers on one connection, and a client that takes the
/// others may leave one lying.
#[derive(Clone, Default)]
pub(crate) struct Hangup(Arc<Notify>);

impl Hangup {
    /// Ends it.
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }
}

/// What a port is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    /// HTTP/2 too, by clients that know beforehand that it is.
    Http2,
}

/// Why a port is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetError {
    /// The text is no address.
    #[error("{flag} {text:?} is not HOST:PORT")]
    Address {
        /// The option.
        flag: &'static str,
        /// What it says.
        text: String,
    },
    /// Somebody else listens there.
    #[error("{flag} {address} is in use; stop the other program or choose another port (0 takes a free one)")]
    Occupied {
        /// The option.
        flag: &'static str,
        /// Where.
        address: String,
    },
    /// The system refuses.
    #[error("{flag} {address}: {source}")]
    Io {
        /// The option.
        flag: &'static str,
        /// Where.
        address: String,
        /// What it said.
        source: io::Error,
    },
}

/// Takes a port; the option is named in errors.
pub(crate) async fn bind(flag: &'static str, text: &str) -> Result<(TcpListener, SocketAddr), NetError> {
    let host = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    if !host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(NetError::Address { flag, text: text.into() });
    }
    let address = host.to_owned();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => NetError::Occupied { flag, address: address.clone() },
        _ => NetError::Io { flag, address: address.clone(), source },
    };
    let listener = TcpListener::bind(host).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves HTTP/1.1 until `stop` says true.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    accept(listener, router, stop, Spoken::Http1).await;
}

/// Serves HTTP/1.1 and HTTP/2 until `stop` says true. Requests over HTTP/2 carry a [`Hangup`] as well.
pub(crate) async fn serve_http2(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    accept(listener, router, stop, Spoken::Http2).await;
}

async fn accept(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>, spoken: Spoken) {
    let (room, mut turned) = (Arc::new(Places::new("connections", CONNECTIONS_MAX)), Turned::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        match accepted {
            Ok((stream, address)) => match room.take(address.ip().into()) {
                Ok(place) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        let peer = address.ip().into();
                        let is_http2 = match spoken {
                            Spoken::Http1 => Some(false),
                            Spoken::Http2 => begins_http2(&stream).await,
                        };
                        match is_http2 {
                            Some(true) => http2(stream, peer, router).await,
                            Some(false) => connection(stream, peer, router).await,
                            None => tracing::debug!("connection ended: it has said nothing"),
                        }
                        drop(place);
                    });
                }
                Err(full) => turned.tell(address, full),
            },
            Err(e) => {
                // Out of file descriptors, most likely: let some connections end.
                tracing::warn!("cannot accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Clients for whom there was no connection.
#[derive(Default)]
struct Turned {
    count: u64,
    told: Option<Instant>,
}

impl Turned {
    fn tell(&mut self, address: SocketAddr, full: Full) {
        self.count += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TURNED_PERIOD) {
            tracing::warn!(%address, count = self.count, "turned away: {full}");
            *self = Self { count: 0, told: Some(Instant::now()) };
        }
    }
}

/// Reads on for a while the body of a request that was refused. Most clients look for an answer when they have sent
/// everything; of a connection that is closed before, they learn nothing but that.
pub(crate) fn linger<E: Send>(mut pieces: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static) {
    tokio::spawn(async move {
        let mut left = LINGER_BYTES;
        let rest = async {
            while let Some(Ok(piece)) = pieces.next().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Whoever has not finished by then is cut off.
        let _ = tokio::time::timeout(LINGER, rest).await;
    });
}

/// What answers the requests of one connection. The routes are those of all: a layer around them would be a copy of each.
#[derive(Clone)]
struct Connected {
    router: Router,
    peer: Peer,
    hangup: Option<Hangup>,
}

impl Service<hyper::Request<Incoming>> for Connected {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        if let Some(hangup) = &self.hangup {
            request.extensions_mut().insert(hangup.clone());
        }
        tonic::codegen::Service::<hyper::Request<Incoming>>::call(&mut self.router.clone(), request)
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router) {
    // Answers are small and come at once; if it cannot be set they come a little later.
    let _ = stream.set_nodelay(true);
    let stream = request_line::Encoded::new(steady::Steady::new(stream, STALL_TIMEOUT));
    let service = Connected { router, peer, hangup: None };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(e) = served {
        tracing::debug!("connection ended: {e}");
    }
}

/// Whether a connection begins with the preface of HTTP/2; none of one that says nothing in time.
async fn begins_http2(stream: &TcpStream) -> Option<bool> {
    let mut head = [0; PREFACE.len()];
    let heard = async {
        loop {
            let got = stream.peek(&mut head).await.unwrap_or_default();
            let begins = got > 0 && head.get(..got).is_some_and(|head| PREFACE.starts_with(head));
            if !begins || got == PREFACE.len() {
                return begins;
            }
            // Looking again answers at once while nothing more has come.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HEAD_TIMEOUT, heard).await.ok()
}

async fn http2(stream: TcpStream, peer: Peer, router: Router) {
    let _ = stream.set_nodelay(true);
    let stream = steady::Steady::new(stream, STALL_TIMEOUT);
    let hangup = Hangup::default();
    let service = Connected { router, peer, hangup: Some(hangup.clone()) };
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX)
        .keep_alive_interval(PING_PERIOD)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        served = serving => {
            if let Err(e) = served {
                tracing::debug!("connection ended: {e}");
            }
        }
        () = hangup.0.notified() => tracing::debug!("connection ended: an answer was not taken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
        assert_eq!(peer("10.0.0.1"), peer("::ffff:10.0.0.1"));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    }
}
