//! Messages that a contract understands, found out by asking it.
//!
//! A contract that cannot read a message says why: which variants there are, which field is missing. From that the shape of
//! what each entry point takes is learned on our engine, and random messages of that shape are made, some of them spoiled.

use aceso_vm::{Checksum, Entry};
use anyhow::Result;
use cosmwasm_vm::testing::{MOCK_CONTRACT_ADDR, MockApi};
use serde_json::{Map, Value, json};

use crate::{
    engines::{Ask, Ours},
    random::Random,
    world::{Rows, World},
};

/// Gas for a question: endless loops end soon.
const GAS: u64 = 5_000_000_000;
/// How deep messages are looked into.
const DEPTH: u32 = 6;
/// A name that no contract gives a variant.
const NOBODY: &str = "zz_nobody";

/// What an entry point takes.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// One of several variants, by name.
    Variants(Vec<(String, Shape)>),
    /// All of these fields.
    Fields(Vec<(String, Shape)>),
    /// A value of one of these kinds.
    Value(Vec<Kind>),
}

/// Kinds of values that are tried where a field is of no known type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Address,
    Text,
    Digits,
    Base64,
    Number,
    Flag,
    Coin,
    Coins,
    Texts,
    Bytes,
    Nothing,
    Object,
}

const KINDS: [Kind; 12] = [
    Kind::Address,
    Kind::Text,
    Kind::Digits,
    Kind::Base64,
    Kind::Number,
    Kind::Flag,
    Kind::Coin,
    Kind::Coins,
    Kind::Texts,
    Kind::Bytes,
    Kind::Nothing,
    Kind::Object,
];

/// One entry point of a contract that is asked.
pub(crate) struct Asked<'a> {
    pub(crate) ours: &'a Ours,
    pub(crate) code: &'a Checksum,
    pub(crate) entry: Entry,
    /// The arguments before the message.
    pub(crate) before: Vec<Vec<u8>>,
    /// The arguments behind it.
    pub(crate) behind: Vec<Vec<u8>>,
}

impl Asked<'_> {
    /// Learns what the entry point takes.
    pub(crate) fn shape(&self) -> Result<Shape> {
        self.inside(&|value| value, 0)
    }

    fn inside(&self, wrap: &dyn Fn(Value) -> Value, depth: u32) -> Result<Shape> {
        let stranger = self.complaint(&wrap(json!({ NOBODY: {} })))?;
        if let Some(names) = stranger.as_deref().and_then(variants).filter(|_| depth < DEPTH) {
            let shape = |name: String| {
                let inner = self.inside(&|value| wrap(json!({ name.as_str(): value })), depth + 1)?;
                Ok((name, inner))
            };
            return Ok(Shape::Variants(names.into_iter().map(shape).collect::<Result<_>>()?));
        }
        let (mut fields, mut sample) = (Vec::new(), Map::new());
        while let Some(name) = self.complaint(&wrap(sample.clone().into()))?.as_deref().and_then(missing) {
            // Asked for again: it is missing further outside.
            if sample.remove(&name).is_some() {
                fields.pop();
                break;
            }
            if depth >= DEPTH {
                break;
            }
            let with = |value: Value| {
                let mut all = sample.clone();
                all.insert(name.clone(), value);
                wrap(all.into())
            };
            let shape = self.inside(&with, depth + 1)?;
            sample.insert(name.clone(), first(&shape));
            fields.push((name, shape));
        }
        if !fields.is_empty() {
            return Ok(Shape::Fields(fields));
        }
        let mut kinds = Vec::new();
        for kind in KINDS {
            let complaint = self.complaint(&wrap(value(kind, &mut Random::new(1))))?;
            if complaint.is_none_or(|complaint| missing(&complaint).is_some()) {
                kinds.push(kind);
            }
        }
        Ok(Shape::Value(kinds))
    }

    /// What the contract says of a message that it cannot read; none if it can.
    fn complaint(&self, message: &Value) -> Result<Option<String>> {
        let mut args = self.before.clone();
        args.push(serde_json::to_vec(message)?);
        args.extend(self.behind.iter().cloned());
        let report = self.ours.call(self.code, &Ask { entry: self.entry, args }, &mut World::new(Rows::default()), GAS);
        let Ok(json) = report.result else { return Ok(None) };
        let answer: Value = serde_json::from_slice(&json).unwrap_or_default();
        let error = answer["error"].as_str().unwrap_or_default();
        let unread = ["parsing into type", "kind: Parsing", "unknown variant", "missing field"];
        Ok(unread.iter().any(|sign| error.contains(sign)).then(|| error.to_owned()))
    }
}

/// The names in ``unknown variant `zz_nobody`, expected one of `a`, `b` ``.
fn variants(complaint: &str) -> Option<Vec<String>> {
    let (_, names) = complaint.split_once(&format!("unknown variant `{NOBODY}`, expected"))?;
    Some(names.split('`').skip(1).step_by(2).map(String::from).collect())
}

/// The name in ``missing field `a` ``.
fn missing(complaint: &str) -> Option<String> {
    let (_, rest) = complaint.split_once("missing field `")?;
    rest.split('`').next().map(String::from)
}

/// A value that the shape allows, so that the next field can be asked for.
fn first(shape: &Shape) -> Value {
    match shape {
        Shape::Variants(variants) => {
            variants.first().map_or(Value::Null, |(name, inner)| json!({ name.as_str(): first(inner) }))
        }
        Shape::Fields(fields) => {
            fields.iter().map(|(name, inner)| (name.clone(), first(inner))).collect::<Map<_, _>>().into()
        }
        Shape::Value(kinds) => kinds.first().map_or(Value::Null, |kind| value(*kind, &mut Random::new(1))),
    }
}

/// A random message of that shape; one in so many of its parts is spoiled.
pub(crate) fn message(shape: &Shape, random: &mut Random) -> Value {
    if random.one_in(40) {
        return anything(random, 3);
    }
    match shape {
        Shape::Variants(variants) if !variants.is_empty() => {
            let (name, inner) = random.pick(variants);
            json!({ name.as_str(): message(inner, random) })
        }
        Shape::Fields(fields) => {
            let kept = fields.iter().filter_map(|(name, inner)| {
                if random.one_in(60) { None } else { Some((name.clone(), message(inner, random))) }
            });
            kept.collect::<Map<_, _>>().into()
        }
        Shape::Value(kinds) if !kinds.is_empty() => value(*random.pick(kinds), random),
        _ => anything(random, 2),
    }
}

/// Accounts of this world.
pub(crate) fn account(random: &mut Random) -> String {
    let name = *random.pick(&["alice", "bob", "rich", "carol"]);
    if random.one_in(6) { MOCK_CONTRACT_ADDR.into() } else { MockApi::default().addr_make(name) }
}

fn value(kind: Kind, random: &mut Random) -> Value {
    let numbers = [0, 1, 2, 7, 100, 65_536, u64::from(u32::MAX), u64::MAX];
    match kind {
        Kind::Address => account(random).into(),
        Kind::Text => random.text(24).into(),
        Kind::Digits => (random.next() >> random.below(64)).to_string().into(),
        Kind::Base64 => cosmwasm_std::Binary::from(random.bytes(40)).to_base64().into(),
        Kind::Number if random.one_in(3) => (*random.pick(&numbers)).into(),
        Kind::Number => (random.next() % 300).into(),
        Kind::Flag => (random.next() % 2 == 0).into(),
        Kind::Coin => json!({"denom": random.pick(&["earth", "mars", ""]), "amount": random.below(2_000).to_string()}),
        Kind::Coins => (0..random.below(4)).map(|_| value(Kind::Coin, random)).collect::<Vec<_>>().into(),
        Kind::Texts => (0..random.below(4)).map(|_| Value::from(random.text(9))).collect::<Vec<_>>().into(),
        Kind::Bytes => random.bytes(9).into(),
        Kind::Nothing => Value::Null,
        Kind::Object => json!({}),
    }
}

/// Any JSON.
pub(crate) fn anything(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => value(*random.pick(&KINDS), random),
        2 => (random.next().cast_signed()).into(),
        3 => (f64::from(random.next() as u32) / 7.0).into(),
        4 => random.text(60).into(),
        5 => (0..random.below(5)).map(|_| anything(random, depth - 1)).collect::<Vec<_>>().into(),
        _ => (0..random.below(5)).map(|_| (random.text(8), anything(random, depth - 1))).collect::<Map<_, _>>().into(),
    }
}
