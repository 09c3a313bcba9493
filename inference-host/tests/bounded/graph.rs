//! ONNX files written byte by byte: as small as they can be, and as wrong as is wanted.

/// ONNX's numbers of element types.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const UINT8: u64 = 2;
pub(crate) const INT8: u64 = 3;
const INT64: u64 = 7;

/// A file under construction.
#[derive(Default)]
pub(crate) struct Graph {
    body: Vec<u8>,
    count: usize,
}

/// An attribute of a node.
pub(crate) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Text(&'a str),
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field that is a number.
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that has a length: text, bytes, a message.
pub(crate) fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn dims(dims: &[i64]) -> Vec<u8> {
    bytes(1, dims.iter().flat_map(|&dim| varint(dim.cast_unsigned())).collect::<Vec<_>>())
}

impl Graph {
    fn name(&mut self) -> String {
        const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let (mut left, mut name) = (self.count, String::new());
        self.count += 1;
        // Two characters at least: one is the image's name.
        while left > 0 || name.len() < 2 {
            name.push(char::from(DIGITS[left % 36]));
            left /= 36;
        }
        name
    }

    fn constant(&mut self, shape: &[i64], ty: u64, data: Vec<u8>) -> String {
        let name = self.name();
        let tensor = [dims(shape), number(2, ty), bytes(8, &name), data].concat();
        self.body.extend(bytes(5, tensor));
        name
    }

    /// A list of int64.
    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        self.ints_of(&[values.len() as i64], values)
    }

    /// Several, in a shape.
    pub(crate) fn ints_of(&mut self, shape: &[i64], values: &[i64]) -> String {
        let packed: Vec<u8> = values.iter().flat_map(|&value| varint(value.cast_unsigned())).collect();
        self.constant(shape, INT64, bytes(7, packed))
    }

    /// Floats of one value.
    pub(crate) fn floats(&mut self, shape: &[i64], value: f32) -> String {
        let count = shape.iter().product::<i64>() as usize;
        self.constant(shape, FLOAT, bytes(9, value.to_le_bytes().repeat(count)))
    }

    /// Bytes of one value.
    pub(crate) fn byte(&mut self, shape: &[i64], ty: u64, value: u8) -> String {
        self.constant(shape, ty, bytes(9, vec![value; shape.iter().product::<i64>() as usize]))
    }

    /// One value of a constant whose shape says something else.
    pub(crate) fn lie(&mut self, shape: &[i64], ty: u64) -> String {
        self.constant(shape, ty, bytes(9, []))
    }

    /// A node of one output.
    pub(crate) fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]) -> String {
        self.nodes(op, inputs, attributes, 1).remove(0)
    }

    /// A node of several outputs.
    pub(crate) fn nodes(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
        outputs: usize,
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..outputs).map(|_| self.name()).collect();
        let mut node: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input)).collect();
        node.extend(outputs.iter().flat_map(|output| bytes(2, output)));
        node.extend(bytes(4, op));
        for (name, value) in attributes {
            let (ty, value) = match value {
                Attribute::Int(value) => (2, number(3, value.cast_unsigned())),
                Attribute::Text(text) => (3, bytes(4, text)),
                Attribute::Ints(list) => (7, list.iter().flat_map(|&value| number(8, value.cast_unsigned())).collect()),
            };
            node.extend(bytes(5, [bytes(1, name), number(20, ty), value].concat()));
        }
        self.body.extend(bytes(1, node));
        outputs
    }

    /// Bytes of the graph that are none of the above.
    pub(crate) fn raw(&mut self, raw: &[u8]) {
        self.body.extend(raw);
    }

    /// The file: an image `i` of 8 bits and this shape, and one output.
    pub(crate) fn file(mut self, image: [i64; 4], output: &str) -> Vec<u8> {
        let dims: Vec<u8> = image.iter().flat_map(|&dim| bytes(1, number(1, dim.cast_unsigned()))).collect();
        let ty = bytes(1, [number(1, UINT8), bytes(2, dims)].concat());
        self.body.extend(bytes(11, [bytes(1, "i"), bytes(2, ty)].concat()));
        self.body.extend(bytes(12, bytes(1, output)));
        [bytes(7, self.body), bytes(8, number(2, 17))].concat()
    }
}
