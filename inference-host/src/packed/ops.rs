//! Operations without packed weights, field by field.

use super::{Field, PackedError, Reader, Writer, closed, fields};
use crate::{
    formula::{AddTables, Range},
    ir::{
        Arg, AveragePool, Between, Cast, Centre, Chain, ChainStep, ChannelTable, Concat, GlobalAveragePool, Link,
        MaxPool, Mul, Normalise, Op, Pad, Pair, PairStep, Pick, Product, Requant, Resize, Softmax, Sums, Transpose,
        Window,
    },
};

fields!(Range { zero, lo, hi });
fields!(Centre { signed, zero });
fields!(Window { kernel, stride, dilation, pad, input, output });
fields!(Requant { scales, bias, range });
fields!(ChannelTable { tables, inner });
fields!(Mul { a, b, scale, range });
fields!(Pair { step, signed });
fields!(Product { a, b, rows, depth, columns, scale, range });
fields!(Chain { links, scale, range });
fields!(Link { step, values, inner });
fields!(Arg { ty, size, least, last });
fields!(Cast { from, to });
fields!(Softmax { signed, size, weights, scale, range });
fields!(Normalise { signed, epsilon, gamma, beta, scale, range });
fields!(Resize { channels, input, rows, columns, reals, scale, range });
fields!(Between { first, second, share });
fields!(Pick { input, places });
fields!(MaxPool { signed, channels, window });
fields!(AveragePool { channels, window, reals, scale, range, count_pad });
fields!(GlobalAveragePool { channels, size, x, scale, range });
fields!(Transpose { dims, strides });
fields!(Concat { runs });
fields!(Pad { input, output, begin, fill });
closed!(PairStep { Add, Sub, Mul, Div, Modulo, Remainder, Min, Max, Left, Right, And, Or, Xor });
closed!(ChainStep { Mul, Add, Sub, SubFrom, Div, Least, Most });

/// What follows from these few numbers is worked out again, by the same code.
impl Field for AddTables {
    fn write(&self, to: &mut Writer) {
        (self.signed, self.ratios, self.constant, [self.lo, self.hi]).write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        let (signed, ratios, constant, bounds) = Field::read(from)?;
        Ok(Self::of(signed, ratios, constant, bounds))
    }
}

impl<A: Field, B: Field, C: Field, D: Field> Field for (A, B, C, D) {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
        self.1.write(to);
        self.2.write(to);
        self.3.write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        Ok((A::read(from)?, B::read(from)?, C::read(from)?, D::read(from)?))
    }
}

/// The fields of an operation; nothing of one whose weights kernels pack and write themselves.
pub(super) fn write(op: &Op, to: &mut Writer) {
    match op {
        Op::Conv(_) | Op::MatMul(_) | Op::Sums(Sums::Conv(_) | Sums::MatMul(_)) => (),
        Op::Table(op) => op.write(to),
        Op::ChannelTable(op) => op.write(to),
        Op::Add(op) => op.write(to),
        Op::Mul(op) => op.write(to),
        Op::Pair(op) => op.write(to),
        Op::Product(op) | Op::Sums(Sums::Product(op)) => op.write(to),
        Op::Chain(op) => op.write(to),
        Op::Arg(op) => op.write(to),
        Op::Cast(op) => op.write(to),
        Op::Softmax(op) => op.write(to),
        Op::Normalise(op) => op.write(to),
        Op::Resize(op) => op.write(to),
        Op::MaxPool(op) => op.write(to),
        Op::AveragePool(op) => op.write(to),
        Op::GlobalAveragePool(op) => op.write(to),
        Op::Transpose(op) => op.write(to),
        Op::Pick(op) => op.write(to),
        Op::Concat(op) => op.write(to),
        Op::Pad(op) => op.write(to),
    }
}

/// What operations are called whose weights kernels write themselves.
const PACKED: [&str; 4] = ["convolution", "depthwise convolution", "matrix product", "sums of products"];

/// The same name, of an operation whose weights kernels write themselves.
pub(super) fn packed_name(name: &str, from: &Reader) -> Result<&'static str, PackedError> {
    PACKED.into_iter().find(|known| *known == name).ok_or_else(|| from.wrong("no operation of this name has weights"))
}

/// The operation of a name ([`Op::name`]), which was written by its fields.
pub(super) fn read(name: &str, from: &mut Reader) -> Result<Op, PackedError> {
    Ok(match name {
        "table" => Op::Table(Field::read(from)?),
        "table per channel" => Op::ChannelTable(Field::read(from)?),
        "sum" => Op::Add(Field::read(from)?),
        "product" => Op::Mul(Field::read(from)?),
        "pair" => Op::Pair(Field::read(from)?),
        "product of matrices" => Op::Product(Field::read(from)?),
        "sums of products" => Op::Sums(Sums::Product(Field::read(from)?)),
        "chain" => Op::Chain(Field::read(from)?),
        "position" => Op::Arg(Field::read(from)?),
        "cast" => Op::Cast(Field::read(from)?),
        "softmax" => Op::Softmax(Field::read(from)?),
        "layer normalisation" => Op::Normalise(Field::read(from)?),
        "resize" => Op::Resize(Field::read(from)?),
        "max pool" => Op::MaxPool(Field::read(from)?),
        "average pool" => Op::AveragePool(Field::read(from)?),
        "global average pool" => Op::GlobalAveragePool(Field::read(from)?),
        "transpose" => Op::Transpose(Field::read(from)?),
        "pick" => Op::Pick(Field::read(from)?),
        "concat" => Op::Concat(Field::read(from)?),
        "pad" => Op::Pad(Field::read(from)?),
        _ => return Err(from.wrong("no operation of this name is written by its fields")),
    })
}
