//! Request lines as CometBFT's documentation writes them: `GET /block?height="3" HTTP/1.1`.
//!
//! A quote and angle brackets must be percent-encoded in a URI (RFC 3986), and our HTTP library refuses them raw; Go's
//! takes them, so clients send them. They are encoded here, in the target of a request line and nowhere else: after a
//! head that announces a body or an upgrade the connection passes through untouched for the rest of its life.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are looked at in one go; encoded they are at most three times as many.
const PIECE: usize = 4096;
/// The longest name among [`OPAQUE`].
const NAME_MAX: usize = 17;
/// Headers behind whose head other bytes than a request line may come.
const OPAQUE: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"upgrade"];

/// Where in a request the next byte stands.
enum Place {
    /// In the request line; whether the method is over.
    Line { target: bool },
    /// In a header's line: the beginning of its name in lower case, and whether the name is over.
    Header { name: Vec<u8>, named: bool },
    /// Anywhere. Nothing is changed any more.
    Opaque,
}

/// What has been seen of a connection.
struct Scanner {
    place: Place,
    /// Whether a header of [`OPAQUE`] came.
    opaque: bool,
}

impl Scanner {
    fn new() -> Self {
        Self { place: Place::Line { target: false }, opaque: false }
    }

    /// Takes one byte and writes what stands for it.
    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        match &mut self.place {
            Place::Line { target } => match byte {
                b'"' if *target => return out.extend(b"%22"),
                b'<' if *target => return out.extend(b"%3C"),
                b'>' if *target => return out.extend(b"%3E"),
                // A line without a space is an empty one before the request.
                b'\n' if *target => self.place = Place::Header { name: Vec::new(), named: false },
                b' ' => *target = true,
                _ => {}
            },
            Place::Header { name, named } => match byte {
                b'\n' if name.is_empty() && !*named => {
                    self.place = if self.opaque { Place::Opaque } else { Place::Line { target: false } };
                }
                b'\n' => (*name, *named) = (Vec::new(), false),
                b'\r' if name.is_empty() => {}
                b':' if !*named => {
                    *named = true;
                    self.opaque |= OPAQUE.contains(&name.as_slice());
                }
                _ if *named || name.len() > NAME_MAX => {}
                byte => name.push(byte.to_ascii_lowercase()),
            },
            Place::Opaque => {}
        }
        out.push(byte);
    }
}

/// A connection whose request lines are encoded on the way in.
pub(super) struct Encoded<S> {
    stream: S,
    scanner: Scanner,
    /// Encoded bytes that are not handed on yet, and how many of them are.
    ready: Vec<u8>,
    taken: usize,
}

impl<S> Encoded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, scanner: Scanner::new(), ready: Vec::new(), taken: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Encoded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.taken == this.ready.len() {
            if matches!(this.scanner.place, Place::Opaque) {
                return Pin::new(&mut this.stream).poll_read(cx, out);
            }
            let mut bytes = [0; PIECE];
            let mut piece = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut piece))?;
            this.ready.clear();
            this.taken = 0;
            for byte in piece.filled() {
                this.scanner.take(*byte, &mut this.ready);
            }
        }
        let rest = this.ready.get(this.taken..).unwrap_or_default();
        let piece = rest.get(..out.remaining()).unwrap_or(rest);
        out.put_slice(piece);
        this.taken += piece.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Encoded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn encoded(text: &str) -> String {
        let (mut scanner, mut out) = (Scanner::new(), Vec::new());
        text.bytes().for_each(|byte| scanner.take(byte, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_in_a_request_line_are_encoded() {
        assert_eq!(encoded("GET /block?height=\"3\" HTTP/1.1\r\n"), "GET /block?height=%223%22 HTTP/1.1\r\n");
        assert_eq!(encoded("GET /x?q=\"a<1>2\" HTTP/1.1\n"), "GET /x?q=%22a%3C1%3E2%22 HTTP/1.1\n");
    }

    #[test]
    fn requests_of_one_connection_are_told_apart() {
        let one = "GET /a?b=\"c\" HTTP/1.1\r\nhost: \"x\"\r\n\r\n";
        let clean = "GET /a?b=%22c%22 HTTP/1.1\r\nhost: \"x\"\r\n\r\n";
        assert_eq!(encoded(&format!("{one}\r\n{one}{one}")), format!("{clean}\r\n{clean}{clean}"));
    }

    #[test]
    fn nothing_else_changes() {
        for text in [
            "\"GET\" / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\netag: \"<x>\"\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n\"<a b>\"\r\n\r\nPOST \"x\" ",
            "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nhost: x\r\n\r\n3\r\n\"\"\"\r\n0\r\n\r\n",
            "GET /websocket HTTP/1.1\r\nupgrade: websocket\r\n\r\na \"b\" \n \"c\"",
        ] {
            assert_eq!(encoded(text), text);
        }
    }

    #[tokio::test]
    async fn however_the_bytes_arrive() {
        let (mut client, server) = tokio::io::duplex(7);
        let line = format!("GET /?{}=1 HTTP/1.1\r\nhost: x\r\n\r\n", "\"".repeat(9000));
        let sent = line.clone();
        let sending = tokio::spawn(async move { client.write_all(sent.as_bytes()).await });
        let mut got = String::new();
        Encoded::new(server).read_to_string(&mut got).await.unwrap();
        sending.await.unwrap().unwrap();
        assert_eq!(got, line.replace('"', "%22"));
    }
}
