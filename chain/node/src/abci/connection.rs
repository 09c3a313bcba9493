//! One connection of CometBFT: requests in, answers out in the same order.
//!
//! A message is its length as a varint and a protobuf. One half reads requests and puts each into its [`Lane`]; the
//! other waits for their answers, one after the other, and writes what is there whenever it would have to wait. So an
//! answer and the acknowledged flush behind it are one write, and no answer is held back for another request.
//!
//! Requests are read as they come, long before it is their turn. CometBFT's client has a timer of 20 ns where 20 ms were
//! meant (`flushThrottleMS` of `abci/client/socket_client.go`), which goes round for as long as it has to wait for room on the
//! socket: with two thousand transactions to be checked again behind a block, a fifth of the engine's time.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message;
use tendermint::{
    abci::MethodKind,
    v0_38::abci::{ConsensusRequest, InfoRequest, MempoolRequest, Request, Response, SnapshotRequest, response},
};
use tendermint_proto::v0_38::abci as pb;
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::TryRecvError as Nothing},
        oneshot::{self, error::TryRecvError as NotYet},
    },
};

use super::lane::{Answer, Lane};

/// Most bytes of one request, CometBFT's `maxMsgSize` of this socket.
const REQUEST_MAX: u64 = 100 << 20;
/// Code of a request that makes no sense, in the codespace `sdk`.
const INVALID_REQUEST: u32 = 18;
/// Bytes of requests without an answer, and such requests, before a connection is no longer read. A mempool has 5,000
/// transactions by default; a single larger request is read when nothing else waits.
const WAITING_BYTES: u32 = 32 << 20;
const WAITING: usize = 8192;

/// Where requests go.
pub(crate) struct Lanes {
    pub(crate) consensus: Lane<ConsensusRequest>,
    pub(crate) mempool: Lane<MempoolRequest>,
    pub(crate) info: Lane<InfoRequest>,
    pub(crate) snapshot: Lane<SnapshotRequest>,
}

/// Why a connection ended before its client closed it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The socket fails, or the client went in the middle of a request.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A request is longer than any that CometBFT sends.
    #[error("a request has {0} bytes, and at most {REQUEST_MAX} are read")]
    Oversized(u64),
    /// A request is no protobuf.
    #[error("a request does not decode: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A request is not of ABCI 2.0.
    #[error("a request is not one of CometBFT 0.38: {0}")]
    Request(#[from] tendermint::Error),
    /// An answer cannot be encoded.
    #[error("an answer does not encode: {0}")]
    Encode(#[from] prost::EncodeError),
    /// The application gives no answers any more.
    #[error("the application has stopped")]
    Stopped,
}

/// A request that has been read: its answer, and the room that it takes until that is written.
struct Place {
    due: Due,
    _room: OwnedSemaphorePermit,
}

/// An answer that is due.
enum Due {
    Flush,
    Refusal(Box<response::Query>),
    Answer(oneshot::Receiver<Answer>),
}

/// Serves a connection until its client closes it.
pub(crate) async fn serve(stream: impl AsyncRead + AsyncWrite, lanes: &Lanes) -> Result<(), ConnectionError> {
    let (reading, writing) = tokio::io::split(stream);
    let (queue, due) = mpsc::channel(WAITING);
    tokio::try_join!(receive(reading, lanes, queue), answer(writing, due)).map(drop)
}

async fn receive(
    reading: impl AsyncRead + Unpin,
    lanes: &Lanes,
    queue: mpsc::Sender<Place>,
) -> Result<(), ConnectionError> {
    let mut reading = BufReader::new(reading);
    let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
    while let Some(bytes) = message(&mut reading).await? {
        // What is decoded shares these bytes: the transactions of a block are not copied.
        let bytes = Bytes::from(bytes);
        let takes = u32::try_from(bytes.len()).unwrap_or(u32::MAX).clamp(1, WAITING_BYTES);
        let Ok(taken) = Arc::clone(&room).acquire_many_owned(takes).await else { break };
        let request = pb::Request::decode(bytes)?;
        let due = match unanswerable(&request) {
            Some(refusal) => Due::Refusal(Box::new(refusal)),
            None => route(Request::try_from(request)?, lanes).await?,
        };
        // The other half ends with an error of its own, which is the one to tell.
        if queue.send(Place { due, _room: taken }).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Puts a request into its lane.
async fn route(request: Request, lanes: &Lanes) -> Result<Due, ConnectionError> {
    let answer = match request.kind() {
        MethodKind::Flush => None,
        MethodKind::Consensus => Some(lanes.consensus.put(request.try_into()?).await),
        MethodKind::Mempool => Some(lanes.mempool.put(request.try_into()?).await),
        MethodKind::Info => Some(lanes.info.put(request.try_into()?).await),
        MethodKind::Snapshot => Some(lanes.snapshot.put(request.try_into()?).await),
    };
    Ok(match answer {
        None => Due::Flush,
        Some(answer) => Due::Answer(answer.ok_or(ConnectionError::Stopped)?),
    })
}

/// The answer to what CometBFT hands on from its clients unseen and no request can hold. Everything else that does not
/// decode is CometBFT's own, and ends the connection.
fn unanswerable(request: &pb::Request) -> Option<response::Query> {
    match &request.value {
        Some(pb::request::Value::Query(query)) if query.height < 0 => Some(response::Query {
            code: INVALID_REQUEST.into(),
            codespace: "sdk".into(),
            log: format!("height {} is negative: invalid request", query.height),
            ..response::Query::default()
        }),
        _ => None,
    }
}

/// One message; none where the client has closed the connection between two.
async fn message(reading: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>, ConnectionError> {
    let mut length = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = match reading.read_u8().await {
            Err(e) if shift == 0 && e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            byte => byte?,
        };
        length |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    if length > REQUEST_MAX {
        return Err(ConnectionError::Oversized(length));
    }
    // Room is made as bytes come, not by what the length claims.
    let mut bytes = Vec::new();
    let got = reading.take(length).read_to_end(&mut bytes).await?;
    if u64::try_from(got).is_ok_and(|got| got == length) {
        Ok(Some(bytes))
    } else {
        Err(io::Error::from(ErrorKind::UnexpectedEof).into())
    }
}

async fn answer(mut writing: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Place>) -> Result<(), ConnectionError> {
    let mut bytes = Vec::new();
    loop {
        let place = match queue.try_recv() {
            Ok(place) => place,
            Err(Nothing::Disconnected) => break,
            Err(Nothing::Empty) => {
                write(&mut writing, &mut bytes).await?;
                match queue.recv().await {
                    Some(place) => place,
                    None => break,
                }
            }
        };
        let response = match place.due {
            Due::Flush => Response::Flush,
            Due::Refusal(refusal) => Response::Query(*refusal),
            Due::Answer(mut answer) => match answer.try_recv() {
                Ok(answered) => answered.map_err(|_| ConnectionError::Stopped)?,
                Err(NotYet::Closed) => return Err(ConnectionError::Stopped),
                Err(NotYet::Empty) => {
                    write(&mut writing, &mut bytes).await?;
                    answer.await.ok().and_then(Result::ok).ok_or(ConnectionError::Stopped)?
                }
            },
        };
        pb::Response::from(response).encode_length_delimited(&mut bytes)?;
    }
    write(&mut writing, &mut bytes).await
}

async fn write(writing: &mut (impl AsyncWrite + Unpin), bytes: &mut Vec<u8>) -> Result<(), ConnectionError> {
    if !bytes.is_empty() {
        writing.write_all(bytes).await?;
        bytes.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pb::{request::Value as Asked, response::Value as Answered};
    use tendermint::{abci::types::CommitInfo, v0_38::abci::request};
    use tokio::{io::DuplexStream, task::JoinHandle};

    use super::*;
    use crate::{
        abci::{consensus::Consensus, info::Info, mempool::Mempool, snapshot::Snapshot},
        testing::{Counter, Here},
    };

    type Served = JoinHandle<Result<(), ConnectionError>>;

    fn connect() -> (DuplexStream, Served) {
        connect_by(1 << 20)
    }

    /// With so many bytes on their way in each direction.
    fn connect_by(room: usize) -> (DuplexStream, Served) {
        connect_to(room, &lanes(|| {}))
    }

    fn connect_to(room: usize, lanes: &Arc<Lanes>) -> (DuplexStream, Served) {
        let ((ours, theirs), lanes) = (tokio::io::duplex(room), Arc::clone(lanes));
        (ours, tokio::spawn(async move { serve(theirs, &lanes).await }))
    }

    /// Lanes of an application, where each check does this first.
    fn lanes(first: impl Fn() + Send + 'static) -> Arc<Lanes> {
        let app = Arc::new(Counter::default());
        let consensus = Consensus::new(app.clone(), Arc::new(Here));
        let (mempool, info, snapshot) = (Mempool::new(app.clone()), Info::new(app.clone()), Snapshot::new(app));
        let (faults, _) = mpsc::unbounded_channel();
        let checks = move |r| {
            first();
            mempool.answer(r)
        };
        Arc::new(Lanes {
            consensus: Lane::start("consensus", Default::default(), faults.clone(), move |r| consensus.answer(r))
                .unwrap(),
            mempool: Lane::start("mempool", Default::default(), faults.clone(), checks).unwrap(),
            info: Lane::start("info", Default::default(), faults.clone(), move |r| info.answer(r)).unwrap(),
            snapshot: Lane::start("snapshot", Default::default(), faults, move |r| snapshot.answer(r)).unwrap(),
        })
    }

    /// The first check does not end until all of this is over: as many more wait as have room, and blocks are made.
    #[tokio::test]
    async fn checks_that_wait_hold_up_no_block() {
        use crate::abci::server::tests::ask;
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let lanes = lanes(move || _ = ended.recv());
        let (mut flood, _checking) = connect_to(1 << 10, &lanes);
        let checks = encoded(Asked::CheckTx(pb::RequestCheckTx { tx: "bad".into(), r#type: 0 })).repeat(WAITING * 2);
        let patience = std::time::Duration::from_secs(1);
        tokio::time::timeout(patience, flood.write_all(&checks)).await.unwrap_err();
        let (mut engine, _served) = connect_to(1 << 20, &lanes);
        for height in 1..=20_u32 {
            let block = request::FinalizeBlock {
                txs: vec!["a=1".into()],
                decided_last_commit: CommitInfo { round: 0_u16.into(), votes: vec![] },
                misbehavior: vec![],
                hash: tendermint::Hash::None,
                height: height.into(),
                time: tendermint::Time::unix_epoch(),
                next_validators_hash: tendermint::Hash::None,
                proposer_address: tendermint::account::Id::new([0; 20]),
            };
            for request in [Asked::FinalizeBlock(block.into()), Asked::Commit(pb::RequestCommit {})] {
                tokio::time::timeout(patience * 10, ask(&mut engine, request)).await.unwrap();
            }
        }
        drop(end);
    }

    fn encoded(value: Asked) -> Vec<u8> {
        pb::Request { value: Some(value) }.encode_length_delimited_to_vec()
    }

    fn echo(message: &str) -> Vec<u8> {
        encoded(Asked::Echo(pb::RequestEcho { message: message.into() }))
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_requests() {
        let (mut client, served) = connect();
        let check = |tx: &str| encoded(Asked::CheckTx(pb::RequestCheckTx { tx: tx.to_owned().into(), r#type: 0 }));
        let mut asked = Vec::new();
        for round in 0..200 {
            // Three lanes, whose work takes different times.
            asked.extend([echo(&round.to_string()), check("bad"), encoded(Asked::Flush(Default::default()))].concat());
        }
        client.write_all(&asked).await.unwrap();
        client.shutdown().await.unwrap();
        // What was asked before the client closed its side is answered.
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        let mut rest = &bytes[..];
        for round in 0..200 {
            let mut next = || pb::Response::decode_length_delimited(&mut rest).unwrap().value.unwrap();
            assert!(matches!(next(), Answered::Echo(echo) if echo.message == round.to_string()));
            assert!(matches!(next(), Answered::CheckTx(checked) if checked.code == 2));
            assert!(matches!(next(), Answered::Flush(_)));
        }
        assert!(rest.is_empty());
        served.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn requests_are_read_ahead_of_their_answers_and_within_bounds() {
        let check = |bytes: usize| encoded(Asked::CheckTx(pb::RequestCheckTx { tx: vec![7; bytes].into(), r#type: 1 }));
        async fn send(
            client: &mut DuplexStream,
            request: Vec<u8>,
            times: usize,
        ) -> Result<io::Result<()>, tokio::time::error::Elapsed> {
            let all = request.repeat(times);
            tokio::time::timeout(std::time::Duration::from_secs(2), client.write_all(&all)).await
        }
        // The client reads no answers, of which a thousand have no room.
        let (mut client, _served) = connect_by(1 << 10);
        send(&mut client, check(500), 4_000).await.unwrap().unwrap();
        let (mut client, _served) = connect_by(1 << 10);
        send(&mut client, check(1), WAITING * 2).await.unwrap_err();
        let (mut client, _served) = connect_by(1);
        send(&mut client, check(1 << 20), 40).await.unwrap_err();
        // What is larger than all the room is read by itself.
        let (mut client, served) = connect();
        client.write_all(&check(33 << 20)).await.unwrap();
        client.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        assert!(!bytes.is_empty());
        served.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_answer_does_not_wait_for_a_flush() {
        let (mut client, _served) = connect();
        client.write_all(&echo("hello")).await.unwrap();
        let answer = pb::Response { value: Some(Answered::Echo(pb::ResponseEcho { message: "hello".into() })) };
        let mut bytes = vec![0; answer.encode_length_delimited_to_vec().len()];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(pb::Response::decode_length_delimited(&bytes[..]).unwrap(), answer);
    }

    #[tokio::test]
    async fn a_clients_negative_height_is_answered() {
        let (mut client, served) = connect();
        let query = pb::RequestQuery { path: "/app/version".into(), height: -1, ..Default::default() };
        client.write_all(&[encoded(Asked::Query(query)), echo("still here")].concat()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        let mut rest = &bytes[..];
        let mut next = || pb::Response::decode_length_delimited(&mut rest).unwrap().value.unwrap();
        assert!(matches!(next(), Answered::Query(query) if query.code == 18 && query.log.starts_with("height -1")));
        assert!(matches!(next(), Answered::Echo(echo) if echo.message == "still here"));
        served.await.unwrap().unwrap();
    }

    async fn refused(bytes: &[u8]) -> ConnectionError {
        let (mut client, served) = connect();
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        served.await.unwrap().unwrap_err()
    }

    #[tokio::test]
    async fn what_is_no_request_ends_the_connection() {
        let whole = echo("hello");
        for cut in 1..whole.len() {
            assert!(matches!(refused(&whole[..cut]).await, ConnectionError::Io(_)), "cut at {cut}");
        }
        let long = [0x81, 0x80, 0x80, 0x32];
        assert!(matches!(refused(&long).await, ConnectionError::Oversized(length) if length == REQUEST_MAX + 1));
        assert!(matches!(refused(&[0xff; 12]).await, ConnectionError::Oversized(u64::MAX)));
        assert!(matches!(refused(&[2, 0xff, 0xff]).await, ConnectionError::Decode(_)));
        assert!(matches!(refused(&[0]).await, ConnectionError::Request(_)));
    }
}
