//! What is known of a coin, in the Cosmos SDK's JSON (`cosmos/bank/v1beta1/bank.proto`), so that what other chains say of
//! theirs can be taken over.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::genesis::is_denom;

/// What a coin is called, and how people count it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenomMetadata {
    /// A sentence for people.
    #[serde(default)]
    pub description: String,
    /// The names in which amounts are told, the smallest first.
    pub denom_units: Vec<DenomUnit>,
    /// The denomination in which the chain counts.
    pub base: String,
    /// The unit in which people count.
    pub display: String,
    /// A name for people.
    pub name: String,
    /// A short name, as on a price list.
    pub symbol: String,
    /// A document about the coin.
    #[serde(default)]
    pub uri: String,
    /// The SHA-256 of that document.
    #[serde(default)]
    pub uri_hash: String,
}

/// A unit of a coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenomUnit {
    /// Its name.
    pub denom: String,
    /// It is this power of ten of the smallest.
    #[serde(default)]
    pub exponent: u32,
    /// Other names of it.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl DenomMetadata {
    /// Checks it by the SDK's rules (`x/bank/types/metadata.go`, `Validate`); what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let named = [("name", &self.name), ("symbol", &self.symbol)];
        if let Some((field, _)) = named.iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(format!("{field} field cannot be blank"));
        }
        for (field, denom) in [("base", &self.base), ("display", &self.display)] {
            if !is_denom(denom) {
                return Err(format!("{denom:?} is no denomination, as which {field} names it"));
            }
        }
        let mut known: Vec<&str> = Vec::new();
        for (place, unit) in self.denom_units.iter().enumerate() {
            let first = place == 0;
            if first && (unit.denom != self.base || unit.exponent != 0) {
                return Err("the first unit must be the base, with exponent 0".to_string());
            }
            let before = place.checked_sub(1).and_then(|before| self.denom_units.get(before));
            if before.is_some_and(|before| before.exponent >= unit.exponent) {
                return Err("denom units should be sorted asc by exponent".to_string());
            }
            for name in core::iter::once(&unit.denom).chain(&unit.aliases) {
                if known.contains(&name.as_str()) || name.trim().is_empty() {
                    return Err(format!("a unit's name {name:?} is blank or there twice"));
                }
                known.push(name);
            }
            if !is_denom(&unit.denom) {
                return Err(format!("{:?} is no denomination", unit.denom));
            }
        }
        if !self.denom_units.iter().any(|unit| unit.denom == self.display) {
            return Err(format!("metadata must contain a denomination unit with display denom {:?}", self.display));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATOM: &str = r#"{"description":"d","denom_units":[{"denom":"uatom","exponent":0,"aliases":["microatom"]},{"denom":"atom","exponent":6,"aliases":[]}],"base":"uatom","display":"atom","name":"Atom","symbol":"ATOM","uri":"","uri_hash":""}"#;

    #[test]
    fn what_the_sdk_writes_is_read() {
        let known: DenomMetadata = serde_json::from_str(ATOM).unwrap();
        assert_eq!(known.check(), Ok(()));
        assert_eq!(serde_json::to_string(&known).unwrap(), ATOM);
    }

    #[test]
    fn each_rule_has_its_words() {
        let refused = |change: fn(&mut DenomMetadata)| {
            let mut known = serde_json::from_str(ATOM).unwrap();
            change(&mut known);
            known.check().unwrap_err()
        };
        for (words, change) in [
            ("symbol field", (|k| k.symbol = " ".into()) as fn(&mut DenomMetadata)),
            ("as which base", |k| k.base = "1".into()),
            ("the first unit", |k| k.denom_units[0].exponent = 1),
            ("the first unit", |k| k.denom_units.reverse()),
            ("sorted asc", |k| k.denom_units[1].exponent = 0),
            ("there twice", |k| k.denom_units[1].aliases.push("uatom".into())),
            ("is blank", |k| k.denom_units[1].aliases.push(String::new())),
            ("is no denomination", |k| k.denom_units[1].denom = "x".into()),
            ("display denom", |k| k.denom_units.truncate(1)),
        ] {
            let said = refused(change);
            assert!(said.contains(words), "{said}, not {words}");
        }
    }
}
