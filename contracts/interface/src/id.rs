//! Identifiers in messages.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use aceso_types::{BlobId, Digest, ModelId, PixelDigest};
use cosmwasm_schema::{
    cw_schema::{DefinitionReference, Identifier, Node, NodeType, SchemaVisitor, Schemaifier},
    schemars::{JsonSchema, r#gen::SchemaGenerator, schema::Schema},
};
use serde::{Deserialize, Serialize};

/// An identifier as it stands in a contract's messages: text in JSON, a string in the schema. Text that is not such an
/// identifier does not decode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id<T>(pub T);

/// An image: its CID.
pub type Image = Id<BlobId>;
/// A model: 64 hexadecimal digits.
pub type Model = Id<ModelId>;
/// An image's identity for payment: 64 hexadecimal digits.
pub type Pixels = Id<PixelDigest>;
/// A hashed study instance UID: 64 hexadecimal digits.
pub type Study = Id<Digest>;
/// Any other digest, or a salt: 64 hexadecimal digits.
pub type Hash = Id<Digest>;

impl<T> Deref for Id<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Id<T> {
    fn from(id: T) -> Self {
        Self(id)
    }
}

impl<T: FromStr> FromStr for Id<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> JsonSchema for Id<T> {
    fn is_referenceable() -> bool {
        false
    }

    fn schema_name() -> String {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl<T> Schemaifier for Id<T> {
    fn id() -> Identifier {
        String::id()
    }

    fn visit_schema(visitor: &mut SchemaVisitor) -> DefinitionReference {
        let node = Node { name: Cow::Borrowed("String"), description: None, value: NodeType::String };
        visitor.insert(Self::id(), node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::{from_json, to_json_string};

    #[test]
    fn text_in_json() {
        let image = Image::from(BlobId::of_raw(b"x"));
        let json = to_json_string(&image).unwrap();
        assert_eq!(json, format!("\"{image}\""));
        assert_eq!(from_json::<Image>(&json).unwrap(), image);
        assert!(from_json::<Image>("\"bafk\"").is_err());
        assert!(from_json::<Model>("\"00\"").is_err());
    }
}
