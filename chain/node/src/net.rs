//! Listening: addresses, a bounded number of connections, clients that never finish a sentence and clients that never
//! hear one out.
//!
//! A connection is a socket that [`steady`] watches and whose [`request_line`]s are read generously. Every request
//! carries its [`Peer`].

mod request_line;
mod steady;

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router, body::Bytes};
use futures::{Stream, StreamExt};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

/// Connections to one port at the same time, CometBFT's `max_open_connections`.
const CONNECTIONS_MAX: usize = 900;
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a sender whose request was refused is listened to.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 << 20;
/// How long a client may take none of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

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

/// Serves until `stop` says true.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(place) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        connection(stream, peer.ip().into(), router).await;
                        drop(place);
                    });
                }
                Err(_) => tracing::warn!(%peer, "turned away: {CONNECTIONS_MAX} connections are open"),
            },
            Err(e) => {
                // Out of file descriptors, most likely: let some connections end.
                tracing::warn!("cannot accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
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

async fn connection(stream: TcpStream, peer: Peer, router: Router) {
    // Answers are small and come at once; if it cannot be set they come a little later.
    let _ = stream.set_nodelay(true);
    let stream = request_line::Encoded::new(steady::Steady::new(stream, STALL_TIMEOUT));
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
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
