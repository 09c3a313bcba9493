//! A whole state as a part of a genesis file: every row of every component, as JSON.
//!
//! ```json
//! {"height": 41, "app_hash": "9F86…", "components": [{"name": "bank", "rows": [["supply/uaceso", "MTAw"], …]}, …]}
//! ```
//! Components and keys come in the order of their bytes, each key once, so that a state has one spelling. A key is its
//! text, with `%` and two hexadecimal digits for every byte that is no visible ASCII character; a value is base64.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The state that a chain begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The height whose state it is; the chain that begins with it goes on with the next one.
    pub height: u64,
    /// The app hash that the rows make together with the rest of `app_state`, in hexadecimal digits; empty where
    /// somebody has changed either of them on purpose.
    pub app_hash: String,
    /// The components that have rows.
    pub components: Vec<Component>,
}

/// A component's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its rows in the order of their keys.
    pub rows: Vec<Row>,
}

/// A row: key and value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row(pub Key, #[serde(with = "crate::base64_bytes")] pub Vec<u8>);

/// A key, bytes that are spelled as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<u8>);

impl State {
    /// Checks that there is one spelling: components and keys in order, none of them twice. The text names the place.
    pub fn check(&self) -> Result<(), String> {
        for pair in self.components.windows(2) {
            if let [one, next] = pair
                && one.name >= next.name
            {
                return Err(alloc::format!("component {:?} stands behind {:?}", next.name, one.name));
            }
        }
        for component in &self.components {
            for pair in component.rows.windows(2) {
                if let [Row(one, _), Row(next, _)] = pair
                    && one >= next
                {
                    return Err(alloc::format!("{}: key {next} stands behind {one}", component.name));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.0 {
            match byte {
                b'%' | b'"' | b'\\' => write!(f, "%{byte:02X}")?,
                0x21..=0x7e => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

impl Key {
    /// Reads the spelling that [`fmt::Display`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut key = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            key.push(match byte {
                b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
                other => other,
            });
        }
        let key = Self(key);
        (alloc::format!("{key}") == text).then_some(key)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(alloc::format!("{text:?} is not the spelling of a key")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &[u8]) -> Row {
        Row(Key(key.to_vec()), vec![1])
    }

    #[test]
    fn a_key_has_one_spelling() {
        let all: Vec<u8> = (0..=255).collect();
        let text = alloc::format!("{}", Key(all.clone()));
        assert_eq!(Key::parse(&text), Some(Key(all)));
        assert_eq!(alloc::format!("{}", Key(b"a/%\0b\xff".to_vec())), "a/%25%00b%FF");
        for wrong in ["%61", "a b", "%", "%1", "%zz", "%ff", "ä", "\""] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_state_comes_back_and_has_an_order() {
        let component = |name: &str, rows: &[Row]| Component { name: name.into(), rows: rows.to_vec() };
        let state =
            |components: &[Component]| State { height: 7, app_hash: "AA".into(), components: components.to_vec() };
        let good =
            state(&[component("bank", &[row(b"a"), row(b"a\0"), row(b"b")]), component("wasm", &[row(b"\xff")])]);
        let json = serde_json::to_string(&good).unwrap();
        assert!(json.contains(r#"["a%00","AQ=="]"#), "{json}");
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), good);
        assert_eq!(good.check(), Ok(()));
        let twice = state(&[component("bank", &[row(b"a"), row(b"a")])]);
        assert_eq!(twice.check(), Err("bank: key a stands behind a".into()));
        let reversed = state(&[component("wasm", &[]), component("bank", &[])]);
        assert_eq!(reversed.check(), Err("component \"bank\" stands behind \"wasm\"".into()));
    }
}
