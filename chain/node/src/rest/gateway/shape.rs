//! How fields look in JSON where their type alone does not say it: gogoproto's options, read once from the descriptors.

use std::{collections::BTreeMap, sync::LazyLock};

use prost_reflect::{DescriptorPool, FieldDescriptor};

/// What stands in the place of a field's plain form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cast {
    /// Nothing.
    #[default]
    None,
    /// Bytes that are JSON themselves: a contract's message or answer.
    Json,
    /// Bytes in upper-case hexadecimal digits.
    Hex,
    /// A number in a string, "0" where it is empty.
    Int,
}

/// What the options of a field say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Whether an absent message is printed with its defaults instead of null.
    pub(super) always: bool,
    /// Its form.
    pub(super) cast: Cast,
}

static SHAPES: LazyLock<BTreeMap<String, Shape>> = LazyLock::new(|| shapes(aceso_proto::pool()));

/// The shape of a field.
pub(super) fn of(field: &FieldDescriptor) -> Shape {
    SHAPES.get(field.full_name()).copied().unwrap_or_default()
}

fn shapes(pool: &DescriptorPool) -> BTreeMap<String, Shape> {
    let extension = |name: &str| pool.get_extension_by_name(&format!("gogoproto.{name}"));
    let (Some(nullable), Some(custom), Some(cast)) =
        (extension("nullable"), extension("customtype"), extension("casttype"))
    else {
        return BTreeMap::new();
    };
    let mut shapes = BTreeMap::new();
    for field in pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let options = field.options();
        let text = |extension| options.get_extension(extension).as_str().map(str::to_owned).unwrap_or_default();
        let cast = match (text(&cast).rsplit('.').next(), text(&custom).as_str()) {
            (Some("RawContractMessage"), _) => Cast::Json,
            (Some("HexBytes"), _) => Cast::Hex,
            (_, "cosmossdk.io/math.Int") => Cast::Int,
            _ => Cast::None,
        };
        let always = options.has_extension(&nullable) && options.get_extension(&nullable).as_bool() == Some(false);
        let shape = Shape { always, cast };
        if shape != Shape::default() {
            shapes.insert(field.full_name().to_owned(), shape);
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let shape = |message: &str, field: &str| {
            of(&aceso_proto::pool().get_message_by_name(message).unwrap().get_field_by_name(field).unwrap())
        };
        assert_eq!(shape("cosmwasm.wasm.v1.MsgExecuteContract", "msg").cast, Cast::Json);
        assert_eq!(shape("cosmwasm.wasm.v1.Model", "key").cast, Cast::Hex);
        assert_eq!(shape("cosmos.base.v1beta1.Coin", "amount").cast, Cast::Int);
        assert!(shape("tendermint.types.BlockID", "part_set_header").always);
        assert_eq!(shape("cosmos.tx.v1beta1.TxBody", "memo"), Shape::default());
    }
}
