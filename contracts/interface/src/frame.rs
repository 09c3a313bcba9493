//! Frames in messages.

use std::{num::NonZeroU32, ops::Deref};

use cosmwasm_schema::{
    cw_schema::{DefinitionReference, Identifier, SchemaVisitor, Schemaifier},
    schemars::{JsonSchema, r#gen::SchemaGenerator, schema::Schema},
};
use serde::{Deserialize, Serialize};

/// A frame of an image file as it stands in a contract's messages: a number from 1. A message that names none means the
/// first, and an answer about the first names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frame(pub aceso_types::Frame);

impl Frame {
    /// Whether it need not be named.
    pub fn is_first(&self) -> bool {
        self.0.is_first()
    }
}

impl Deref for Frame {
    type Target = aceso_types::Frame;

    fn deref(&self) -> &aceso_types::Frame {
        &self.0
    }
}

impl From<aceso_types::Frame> for Frame {
    fn from(frame: aceso_types::Frame) -> Self {
        Self(frame)
    }
}

impl JsonSchema for Frame {
    fn is_referenceable() -> bool {
        false
    }

    fn schema_name() -> String {
        NonZeroU32::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        NonZeroU32::json_schema(generator)
    }
}

impl Schemaifier for Frame {
    fn id() -> Identifier {
        u32::id()
    }

    fn visit_schema(visitor: &mut SchemaVisitor) -> DefinitionReference {
        u32::visit_schema(visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::{from_json, to_json_string};

    #[test]
    fn a_number_from_1_in_json() {
        let second = Frame::from(aceso_types::Frame::of_wire(2));
        assert_eq!(to_json_string(&second).unwrap(), "2");
        assert_eq!(from_json::<Frame>("2").unwrap(), second);
        for none in ["0", "-1", "4294967296", "1.5", "\"2\"", "null"] {
            assert!(from_json::<Frame>(none).is_err(), "{none}");
        }
    }
}
