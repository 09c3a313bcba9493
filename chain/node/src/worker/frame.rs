//! What a node and a worker process say to each other, and how it is framed: a byte that says what it is, the length in
//! four bytes, big-endian, and so many bytes. Nothing of it is secret: sealed files, models, outcomes, results that only who holds the key can read.

use std::io::{self, Read, Write};

use aceso_types::{
    manifest::ONNX_BYTES_MAX,
    sealed::{OUTCOME_BYTES_MAX, RESULT_BYTES_MAX},
};

/// The protocol's version, which a worker process says first. In version 4 a job says what effort its file was registered with.
pub(super) const VERSION: u8 = 4;

/// A kind of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// From the worker: [`VERSION`].
    Hello = 1,
    /// From the node: a job in dag-cbor. Its file follows.
    Job = 2,
    /// From the node: the sealed file.
    File = 3,
    /// From the worker: that it lacks the model.
    Want = 4,
    /// From the node: the model.
    Model = 5,
    /// From the worker: the outcome in dag-cbor.
    Outcome = 6,
    /// Either: why there is nothing, in words.
    Unable = 7,
    /// From the worker, after an outcome that names a file: the file.
    Result = 8,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::Hello, Self::Job, Self::File, Self::Want, Self::Model, Self::Outcome, Self::Unable, Self::Result];

    /// Most bytes of such a frame. A sealed file is longer than the record that a model reads by little.
    fn most(self) -> u64 {
        match self {
            Self::Hello => 1,
            Self::Job => 256 << 10,
            Self::File => super::compute::file_bytes_max(),
            Self::Want => 0,
            Self::Model => ONNX_BYTES_MAX,
            Self::Outcome => OUTCOME_BYTES_MAX as u64,
            Self::Unable => 1 << 10,
            Self::Result => RESULT_BYTES_MAX as u64,
        }
    }
}

/// Writes a frame.
pub(super) fn send(to: &mut impl Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| u64::from(*length) <= kind.most());
    let length = length.ok_or_else(|| wrong(format!("a frame {kind:?} of {} bytes is too long", bytes.len())))?;
    let [a, b, c, d] = length.to_be_bytes();
    to.write_all(&[kind as u8, a, b, c, d])?;
    to.write_all(bytes)?;
    to.flush()
}

/// Reads a frame. Memory is taken as bytes come, never by what was claimed.
pub(super) fn receive(from: &mut impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let kind = Kind::ALL.into_iter().find(|one| *one as u8 == kind).ok_or_else(|| wrong(format!("no frame {kind}")))?;
    let length = u64::from(u32::from_be_bytes(length));
    if length > kind.most() {
        return Err(wrong(format!("a frame {kind:?} of {length} bytes is too long")));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok((kind, bytes)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// As much of a sentence as a frame holds, without what would break a line.
pub(super) fn sentence(error: &impl ToString) -> Vec<u8> {
    error.to_string().chars().filter(|c| !c.is_control()).take(200).collect::<String>().into_bytes()
}

pub(super) fn wrong(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_are_bounded() {
        let mut wire = Vec::new();
        for (kind, bytes) in [(Kind::Hello, &[VERSION][..]), (Kind::Want, &[]), (Kind::File, b"sealed")] {
            send(&mut wire, kind, bytes).unwrap();
        }
        let mut from = &wire[..];
        assert_eq!(receive(&mut from).unwrap(), (Kind::Hello, vec![VERSION]));
        assert_eq!(receive(&mut from).unwrap(), (Kind::Want, vec![]));
        assert_eq!(receive(&mut from).unwrap(), (Kind::File, b"sealed".to_vec()));
        assert_eq!(receive(&mut from).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

        assert!(send(&mut Vec::new(), Kind::Outcome, &vec![0; OUTCOME_BYTES_MAX + 1]).is_err());
        for (bytes, word) in [
            (&[0, 0, 0, 0, 0][..], "no frame 0"),
            (&[9, 0, 0, 0, 0], "no frame 9"),
            (&[1, 0, 0, 0, 2, 1, 1], "too long"),
            (&[3, 255, 255, 255, 255], "too long"),
        ] {
            assert!(receive(&mut &bytes[..]).unwrap_err().to_string().contains(word), "{bytes:?}");
        }
        // Cut anywhere it is no frame.
        for end in 1..wire.len() {
            let mut from = &wire[..end];
            while let Ok((_, _)) = receive(&mut from) {}
            assert!(from.is_empty());
        }
    }

    #[test]
    fn a_sentence_is_one_line() {
        assert_eq!(sentence(&"a\nb\u{1b}[1m"), b"ab[1m");
        assert!(sentence(&"ß".repeat(1000)).len() <= 800);
    }
}
