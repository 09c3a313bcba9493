//! What is written down whatever becomes of the transaction: who asked for which image, what the guard answered, what
//! was read and what it cost.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{BlobId, Frame, Height, ModelId, TxIndex};

/// One line of the journal. Stored and served in dag-cbor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The block.
    pub height: Height,
    /// The transaction's position in it.
    pub tx: TxIndex,
    /// The image.
    pub image: BlobId,
    /// The model.
    pub model: ModelId,
    /// The contract that asked.
    pub caller: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The guard said yes.
    Permitted {
        /// The guard.
        guard: String,
        /// The grant.
        grant: String,
        /// For whom.
        actor: String,
        /// Why.
        purpose: String,
    },
    /// The guard said no.
    Refused {
        /// The guard.
        guard: String,
        /// The grant, where one was found.
        grant: String,
        /// For whom.
        actor: String,
        /// Why it was asked for.
        purpose: String,
        /// Why it said no.
        reason: String,
    },
    /// A committee was asked for a sealed read: the use counts and the fee is held from here on.
    Requested {
        /// The job; 0 where the answer was known.
        job: u64,
        /// Whose record it is.
        owner: String,
        /// Which frame of it; the first where it names none.
        #[serde(default, skip_serializing_if = "Frame::is_first")]
        frame: Frame,
        /// Who gave the grant.
        granter: String,
        /// Its number.
        grant: u64,
        /// For whom.
        actor: String,
        /// Why.
        purpose: String,
        /// Which use of the grant this was, from 1.
        r#use: u32,
    },
    /// The image was opened: the use counts and the fee is paid from here on.
    Read {
        /// The guard; empty for a public image.
        guard: String,
        /// The grant; empty for a public image.
        grant: String,
        /// Which use of the grant this was, from 1; 0 for a public image.
        r#use: u32,
        /// Which frame of it; the first where it names none.
        #[serde(default, skip_serializing_if = "Frame::is_first")]
        frame: Frame,
        /// What the caller paid.
        fee: u64,
        /// To whom.
        author: String,
    },
}

impl Entry {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which an entry has none.
        serde_ipld_dagcbor::to_vec(self).unwrap_or_default()
    }

    /// Reads an entry; none where the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_ipld_dagcbor::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let read = |frame| {
            let (guard, grant, author) = ("g".into(), "1".into(), "a".into());
            Event::Read { guard, grant, r#use: 1, frame, fee: 5, author }
        };
        let entry = Entry {
            height: Height(1),
            tx: TxIndex(0),
            image: BlobId::of_raw(b"i"),
            model: ModelId::default(),
            caller: "c".into(),
            event: read(Frame::FIRST),
        };
        assert_eq!(Entry::decode(&entry.encode()), Some(entry.clone()));
        // Of the first frame it is spelled as it was before a frame could be named.
        let named = |entry: &Entry| entry.encode().windows(6).any(|bytes| bytes == b"\x65frame");
        assert!(!named(&entry));
        let second = Entry { event: read(Frame::of_wire(2)), ..entry };
        assert!(named(&second));
        assert_eq!(Entry::decode(&second.encode()), Some(second));
        assert_eq!(Entry::decode(b"x"), None);
    }
}
