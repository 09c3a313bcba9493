//! What decoding would cost, reckoned before anything is decoded.
//!
//! Two bytes of protobuf can stand for a message of some hundred bytes in memory, so a file of 128 MiB could ask for
//! gigabytes. This walks the wire once, without allocating, adds up what [`super::pb`] would allocate, and says no
//! beyond a budget. It also refuses the wire types that ONNX does not use.

use super::pb;

/// Memory that a file may take beyond its own length: some 200,000 messages.
const ALLOWANCE: u64 = 64 << 20;
/// What one string or byte field takes beside its bytes: the vector, its growth, the allocator's share.
const FIELD: u64 = 64;
/// What a varint in a packed field may grow to.
const PACKED: u64 = 8;
/// Longest varint.
const VARINT_BYTES: u32 = 10;

/// Why a file is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not protobuf, or cut off.
    Wire(&'static str),
    /// Decoding would take more memory than the budget.
    Cost {
        /// Bytes reckoned when the walk stopped.
        got: u64,
        /// The budget.
        max: u64,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Plain,
}

/// What a length-delimited field holds.
enum Content {
    Message(Kind, u64),
    Numbers,
    Bytes,
    Skipped,
}

impl Kind {
    fn content(self, field: u64) -> Content {
        use Content::{Bytes, Message, Numbers, Skipped};
        let message = |kind, size: usize| Message(kind, 2 * size as u64);
        match (self, field) {
            (Self::Model, 7) => message(Self::Graph, size_of::<pb::GraphProto>()),
            (Self::Model, 8) => message(Self::Plain, size_of::<pb::OperatorSetIdProto>()),
            (Self::Graph, 1) => message(Self::Node, size_of::<pb::NodeProto>()),
            (Self::Graph, 5) | (Self::Attribute, 5) => message(Self::Tensor, size_of::<pb::TensorProto>()),
            (Self::Graph, 11 | 12) => message(Self::ValueInfo, size_of::<pb::ValueInfoProto>()),
            (Self::Node, 5) => message(Self::Attribute, size_of::<pb::AttributeProto>()),
            (Self::ValueInfo, 2) => message(Self::Type, size_of::<pb::TypeProto>()),
            (Self::Type, 1) => message(Self::TensorType, size_of::<pb::TensorTypeProto>()),
            (Self::TensorType, 2) => message(Self::Shape, size_of::<pb::TensorShapeProto>()),
            (Self::Shape, 1) => message(Self::Plain, size_of::<pb::DimensionProto>()),
            (Self::Attribute, 7 | 8) | (Self::Tensor, 1 | 4 | 5 | 7) => Numbers,
            (Self::Model, 20 | 25)
            | (Self::Graph, 14 | 15)
            | (Self::Node, 1 | 2 | 3 | 4 | 7 | 8)
            | (Self::Attribute, 1 | 4 | 6 | 9 | 10 | 11 | 14 | 15 | 21 | 22 | 23)
            | (Self::Tensor, 3 | 8 | 9 | 13)
            | (Self::ValueInfo, 1)
            | (Self::Plain, 1 | 2) => Bytes,
            _ => Skipped,
        }
    }
}

/// Checks that decoding `file` keeps within its budget.
pub(crate) fn check(file: &[u8]) -> Result<(), Fault> {
    let max = (file.len() as u64).saturating_add(ALLOWANCE);
    walk(Kind::Model, file, &mut 0, max)
}

/// The kinds form no cycle, so this recurses at most ten deep.
fn walk(kind: Kind, mut rest: &[u8], cost: &mut u64, max: u64) -> Result<(), Fault> {
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let field = key >> 3;
        if field == 0 {
            return Err(Fault::Wire("a field has number 0"));
        }
        match key & 7 {
            0 => {
                varint(&mut rest)?;
                *cost += PACKED;
            }
            1 => skip(&mut rest, 8, cost)?,
            5 => skip(&mut rest, 4, cost)?,
            2 => {
                let len = varint(&mut rest)?;
                let inside = take(&mut rest, len)?;
                match kind.content(field) {
                    Content::Message(kind, size) => {
                        *cost += size;
                        walk(kind, inside, cost, max)?;
                    }
                    Content::Numbers => *cost += PACKED.saturating_mul(len),
                    Content::Bytes => *cost += FIELD + len,
                    Content::Skipped => (),
                }
            }
            _ => return Err(Fault::Wire("a field has a wire type that ONNX does not use")),
        }
        if *cost > max {
            return Err(Fault::Cost { got: *cost, max });
        }
    }
    Ok(())
}

fn skip(rest: &mut &[u8], bytes: u64, cost: &mut u64) -> Result<(), Fault> {
    *cost += PACKED;
    take(rest, bytes).map(|_| ())
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], Fault> {
    let (taken, left) = usize::try_from(len)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(Fault::Wire("a field is longer than the message around it"))?;
    *rest = left;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0u64;
    for at in 0..VARINT_BYTES {
        let Some((&byte, left)) = rest.split_first() else {
            return Err(Fault::Wire("the file ends in the middle of a number"));
        };
        *rest = left;
        value |= u64::from(byte & 0x7f).wrapping_shl(7 * at);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Fault::Wire("a number is longer than ten bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_of_empty_nodes_is_refused() {
        // A graph of four million nodes, two bytes each.
        let nodes = [0x0a, 0x00].repeat(4 << 20);
        let mut file = vec![0x3a, 0x80, 0x80, 0x80, 0x04];
        file.extend(nodes);
        assert!(matches!(check(&file), Err(Fault::Cost { .. })));
    }

    #[test]
    fn wire_faults_are_named() {
        for (file, fault) in [
            (&[0x3a, 0x05, 0x00][..], "a field is longer than the message around it"),
            (&[0x80], "the file ends in the middle of a number"),
            (&[0xff; 11], "a number is longer than ten bytes"),
            (&[0x02, 0x00], "a field has number 0"),
            (&[0x0b], "a field has a wire type that ONNX does not use"),
        ] {
            assert_eq!(check(file), Err(Fault::Wire(fault)));
        }
        assert_eq!(check(&[]), Ok(()));
    }
}
