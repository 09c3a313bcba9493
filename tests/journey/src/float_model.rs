//! A model that computes in floats: one ordinary convolution, as every framework exports it.

/// The ONNX file: `y = Conv(x, w)` over float tensors, `x` of shape 1 × 1 × 28 × 28, `w` of 1 × 1 × 3 × 3.
pub(crate) fn bytes() -> Vec<u8> {
    let node = [text(1, "x"), text(1, "w"), text(2, "y"), text(3, "conv1"), text(4, "Conv")].concat();
    let weights: Vec<u8> = (1_u8..=9).flat_map(|w| (f32::from(w) / 10.0).to_le_bytes()).collect();
    let dims: Vec<u8> = [1, 1, 3, 3].iter().flat_map(|&dim| number(1, dim)).collect();
    let initialiser = [dims, number(2, FLOAT), text(8, "w"), field(9, &weights)].concat();
    let graph = [
        field(1, &node),
        text(2, "float"),
        field(5, &initialiser),
        field(11, &value("x", &[1, 1, 28, 28])),
        field(12, &value("y", &[1, 1, 26, 26])),
    ];
    let opset = number(2, 13);
    [number(1, 8), field(7, &graph.concat()), field(8, &opset)].concat()
}

/// `TensorProto.DataType.FLOAT`
const FLOAT: u64 = 1;

/// `ValueInfoProto`: a float tensor of a shape.
fn value(name: &str, dims: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| field(1, &number(1, dim))).collect();
    let tensor = [number(1, FLOAT), field(2, &dims)].concat();
    [text(1, name), field(2, &field(1, &tensor))].concat()
}

/// A length-delimited field of a protobuf message.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn text(tag: u64, text: &str) -> Vec<u8> {
    field(tag, text.as_bytes())
}

fn number(tag: u64, number: u64) -> Vec<u8> {
    [varint(tag << 3), varint(number)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}
