//! Somebody who has all blocks and the whole state, and looks for what two records have in common.
//!
//! Nothing here knows a message or a row: bytes are taken apart as JSON, dag-cbor or protobuf, whichever they are, down to
//! leaves that have a path and a value. A leaf is about a record if what stands around it names that record, by its owner or
//! its file; what belongs to one record only (a claim, a statement) becomes another name of it, until nothing new is found.
//! So a field that is added to a message or a row tomorrow is looked at as well.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use ipld_core::ipld::Ipld;
use serde_json::Value;

/// Bytes of keys, digests, identifiers and signatures, which are never taken apart.
const OPAQUE: [usize; 10] = [16, 20, 32, 33, 36, 48, 64, 65, 96, 240];
/// From this length on a value says the same wherever it stands; shorter ones are compared at the same path only.
const TELLING: usize = 12;
/// Shortest value that may become another name of a record.
const NAME: usize = 16;

/// Something public, taken apart.
pub(crate) enum Node {
    Leaf(Vec<u8>),
    Branch(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn text(text: impl ToString) -> Self {
        Self::Leaf(text.to_string().into_bytes())
    }

    /// Takes bytes apart.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let opaque = OPAQUE.contains(&bytes.len());
        json(bytes)
            .or_else(|| plain(bytes))
            .or_else(|| cbor(bytes))
            .or_else(|| if opaque { None } else { protobuf(bytes) })
            .unwrap_or_else(|| Self::Leaf(bytes.into()))
    }

    /// Every leaf with its path.
    fn leaves<'a>(&'a self, path: &str, each: &mut impl FnMut(String, &'a [u8])) {
        match self {
            Self::Leaf(value) => each(path.into(), value),
            Self::Branch(children) => {
                for (name, child) in children {
                    child.leaves(&format!("{path}/{name}"), each);
                }
            }
        }
    }
}

fn json(bytes: &[u8]) -> Option<Node> {
    bytes.first().filter(|first| b"{[\"".contains(first))?;
    serde_json::from_slice(bytes).ok().map(of_json)
}

fn of_json(value: Value) -> Node {
    match value {
        Value::Object(map) => Node::Branch(map.into_iter().map(|(name, value)| (name, of_json(value))).collect()),
        Value::Array(list) => Node::Branch(list.into_iter().map(|value| ("[]".into(), of_json(value))).collect()),
        Value::String(text) => packed(&text).unwrap_or_else(|| Node::text(text)),
        other => Node::text(other),
    }
}

/// What a contract's messages carry as base64.
fn packed(text: &str) -> Option<Node> {
    let bytes = Some(text).filter(|text| text.len() >= NAME).and_then(|text| STANDARD.decode(text).ok())?;
    json(&bytes).or_else(|| cbor(&bytes))
}

fn plain(bytes: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then(|| Node::text(text))
}

fn cbor(bytes: &[u8]) -> Option<Node> {
    bytes.first().filter(|first| (0x80..=0xbf).contains(*first))?;
    serde_ipld_dagcbor::from_slice(bytes).ok().map(of_ipld)
}

fn of_ipld(value: Ipld) -> Node {
    match value {
        Ipld::Map(map) => Node::Branch(map.into_iter().map(|(name, value)| (name, of_ipld(value))).collect()),
        Ipld::List(list) => Node::Branch(list.into_iter().map(|value| ("[]".into(), of_ipld(value))).collect()),
        Ipld::String(text) => Node::text(text),
        Ipld::Bytes(bytes) => Node::of(&bytes),
        Ipld::Link(cid) => Node::text(cid),
        other => Node::text(format!("{other:?}")),
    }
}

/// Fields by their numbers; a packed message (`Any`) by the name of its type.
fn protobuf(mut bytes: &[u8]) -> Option<Node> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let (number, kind) = (tag >> 3, tag & 7);
        let value = match kind {
            0 => Node::text(varint(&mut bytes)?),
            1 => Node::Leaf(bytes.split_off(..8)?.into()),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Node::of(bytes.split_off(..length)?)
            }
            5 => Node::Leaf(bytes.split_off(..4)?.into()),
            _ => return None,
        };
        if !(1..=64).contains(&number) {
            return None;
        }
        fields.push((number.to_string(), value));
    }
    let packed = match fields.first() {
        Some((_, Node::Leaf(name))) if name.starts_with(b"/") => Some(String::from_utf8_lossy(name).into_owned()),
        _ => None,
    };
    if let (Some(name), [_, (number, _)]) = (packed, &mut fields[..]) {
        *number = name.rsplit('.').next().unwrap_or_default().into();
    }
    Some(Node::Branch(fields))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What several records have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) paths: BTreeSet<String>,
    #[expect(dead_code, reason = "is printed where a test fails")]
    pub(crate) value: String,
    /// The records, by number.
    pub(crate) records: BTreeSet<usize>,
}

/// Everything public.
#[derive(Default)]
pub(crate) struct Observer {
    items: Vec<(String, Node)>,
}

impl Observer {
    /// Sees a transaction, an event, a row.
    pub(crate) fn sees(&mut self, kind: impl Into<String>, item: Node) {
        self.items.push((kind.into(), item));
    }

    /// Leaves that are known.
    pub(crate) fn leaves(&self) -> usize {
        let mut count = 0;
        self.items.iter().for_each(|(kind, item)| item.leaves(kind, &mut |_, _| count += 1));
        count
    }

    /// What two records or more have in common, but not all of them. `names[i]` is what record i is known by at first.
    pub(crate) fn compare(&self, names: &[BTreeSet<Vec<u8>>]) -> Vec<Shared> {
        let mut names = Names { begun: names, learnt: BTreeMap::new() };
        loop {
            let facts = self.facts(&names);
            let known = names.learnt.len();
            for ((value, _), (_, records)) in &facts {
                if let (Some(&only), 1, NAME..) = (records.first(), records.len(), value.len()) {
                    names.learnt.entry(value.clone()).or_insert(only);
                }
            }
            if names.learnt.len() == known {
                let everybody = names.begun.len();
                let common = facts.into_iter().filter(|(_, (_, records))| (2..everybody).contains(&records.len()));
                let shared =
                    |((value, _), (paths, records)): (Fact, Found)| Shared { paths, value: shown(&value), records };
                return common.map(shared).collect();
            }
        }
    }

    fn facts(&self, names: &Names<'_>) -> BTreeMap<Fact, Found> {
        let mut facts = BTreeMap::<Fact, Found>::new();
        for (at, (kind, item)) in self.items.iter().enumerate() {
            let mut note = |path: String, value: &[u8], of: &BTreeSet<usize>| {
                let place = if value.len() < TELLING { path.clone() } else { String::new() };
                let (paths, records) = facts.entry((value.to_vec(), place)).or_default();
                paths.insert(path);
                records.extend(of);
            };
            let whose = names.of(item);
            if whose.len() > 1 {
                note(format!("{kind} together"), format!("item {at}").as_bytes(), &whose);
            }
            about(kind.clone(), item, &whose, names, &mut note);
        }
        facts
    }
}

/// A value, and its path where it is a short one.
type Fact = (Vec<u8>, String);
/// Where it stands, and whose it is.
type Found = (BTreeSet<String>, BTreeSet<usize>);

/// What records are known by.
struct Names<'a> {
    /// Anywhere in a value.
    begun: &'a [BTreeSet<Vec<u8>>],
    /// As a whole value.
    learnt: BTreeMap<Vec<u8>, usize>,
}

impl Names<'_> {
    /// The records that something names.
    fn of(&self, node: &Node) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        node.leaves("", &mut |_, value| {
            let holds = |name: &Vec<u8>| value.windows(name.len()).any(|part| part == name);
            found.extend((0..).zip(self.begun).filter(|(_, names)| names.iter().any(holds)).map(|(record, _)| record));
            found.extend(self.learnt.get(value));
        });
        found
    }
}

/// Hands every leaf over with the records that it is about: those that the smallest part around it names.
fn about(
    path: String,
    node: &Node,
    around: &BTreeSet<usize>,
    names: &Names<'_>,
    note: &mut impl FnMut(String, &[u8], &BTreeSet<usize>),
) {
    if around.is_empty() {
        return;
    }
    let children = match node {
        Node::Leaf(value) => return note(path, value, around),
        Node::Branch(children) if around.len() > 1 => children,
        Node::Branch(_) => return node.leaves(&path, &mut |path, value| note(path, value, around)),
    };
    for (name, child) in children {
        let own = names.of(child);
        about(format!("{path}/{name}"), child, if own.is_empty() { around } else { &own }, names, note);
    }
}

fn shown(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| hex::encode(value), String::from)
}
