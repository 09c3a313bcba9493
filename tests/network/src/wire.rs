//! Everything that goes over the lines between validators, and between them and their clients.
//!
//! A packet socket sees each frame on every line of this namespace. Segments of TCP are put together by their numbers, so
//! that what is looked for may lie across two of them.

use std::{
    collections::BTreeMap,
    io::Read,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

/// `AF_PACKET`, `SOCK_RAW`, and `ETH_P_ALL` in the order of the network (`packet(7)`).
const PACKET: i32 = 17;
const RAW: i32 = 3;
const ALL: i32 = 0x0300;
/// A frame that has not been cut into packets yet is as long as this.
const FRAME_MAX: usize = 128 << 10;
/// Bytes that the kernel keeps for us.
const BUFFER: usize = 64 << 20;
/// Most bytes that are kept.
const KEPT_MAX: usize = 1 << 30;

/// One direction of a connection: from address and port, to address and port.
pub(crate) type Line = (Ipv4Addr, u16, Ipv4Addr, u16);
/// Payloads by sequence number.
type Seen = BTreeMap<Line, BTreeMap<u32, Vec<u8>>>;

/// A running capture.
pub(crate) struct Wire {
    stop: Arc<AtomicBool>,
    listener: JoinHandle<Result<Seen>>,
}

impl Wire {
    /// Begins to listen on all lines.
    pub(crate) fn tap() -> Result<Self> {
        let socket = Socket::new(Domain::from(PACKET), Type::from(RAW), Some(Protocol::from(ALL)));
        let socket = socket.context("packets are seen by root only")?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let listener = std::thread::spawn(move || listen(socket, &until));
        Ok(Self { stop, listener })
    }

    /// What went over each connection, in order.
    pub(crate) fn end(self) -> Result<BTreeMap<Line, Vec<u8>>> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.listener.join().map_err(|_| anyhow!("who listened has panicked"))??;
        Ok(seen.into_iter().map(|(line, pieces)| (line, joined(pieces))).collect())
    }
}

fn listen(mut socket: Socket, stop: &AtomicBool) -> Result<Seen> {
    let (mut seen, mut frame, mut kept) = (Seen::new(), vec![0; FRAME_MAX], 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.read(&mut frame) else { continue };
        let Some((line, number, payload)) = frame.get(..length).and_then(segment) else { continue };
        let pieces = seen.entry(line).or_default();
        // A frame is seen on each line that it passes.
        if pieces.get(&number).is_none_or(|piece| piece.len() < payload.len()) {
            kept += payload.len();
            pieces.insert(number, payload.to_vec());
        }
        if kept > KEPT_MAX {
            return Err(anyhow!("more than {KEPT_MAX} bytes went over the lines"));
        }
    }
    Ok(seen)
}

/// A frame of Ethernet that carries TCP over IPv4, with something in it.
fn segment(frame: &[u8]) -> Option<(Line, u32, &[u8])> {
    let packet = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
    let (head, total) = (packet.first()?, short(packet, 2)?);
    let packet = packet.get(..usize::from(total)).filter(|_| head >> 4 == 4 && packet.get(9) == Some(&6))?;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let tcp = packet.get(usize::from(head & 15) * 4..)?;
    let number = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let payload = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..).filter(|payload| !payload.is_empty())?;
    Some(((address(12)?, short(tcp, 0)?, address(16)?, short(tcp, 2)?), number, payload))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Segments one after another; what was sent again counts once.
fn joined(pieces: BTreeMap<u32, Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut next = None;
    for (number, piece) in pieces {
        let known = next.map_or(0, |next: u32| usize::try_from(next.saturating_sub(number)).unwrap_or_default());
        all.extend(piece.get(known..).unwrap_or_default());
        let end = number.saturating_add(u32::try_from(piece.len()).unwrap_or_default());
        next = next.max(Some(end));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_put_in_order_and_counted_once() {
        let pieces = [(10, b"cde".to_vec()), (8, b"ab".to_vec()), (12, b"efg".to_vec()), (11, b"de".to_vec())];
        assert_eq!(joined(pieces.into_iter().collect()), b"abcdefg");
    }

    #[test]
    fn a_frame_is_taken_apart_or_left() {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 43, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x1f, 0x90, 0, 80, 0, 0, 1, 2, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(b"abc");
        // Short frames are filled up.
        frame.extend([0; 3]);
        let (line, number, payload) = segment(&frame).unwrap();
        assert_eq!((line.0.octets(), line.1, line.3), ([10, 0, 0, 1], 8080, 80));
        assert_eq!((number, payload), (258, &b"abc"[..]));
        for cut in 0..56 {
            assert_eq!(segment(&frame[..cut]), None, "{cut}");
        }
        frame[13] = 6;
        assert_eq!(segment(&frame), None);
    }
}
