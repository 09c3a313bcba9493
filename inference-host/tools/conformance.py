#!/usr/bin/env python3
"""Writes ONNX's own node tests (`onnx.backend.test.case`) of the operators in SPEC.md as models that an engine with one
image and constant parameters can be asked to run: `conformance.py FOLDER`, with onnx==1.23.0 and numpy==1.26.4.

A node test is one node, its inputs and what must come out. Here the first input becomes the image, one row of bytes that is
reshaped; every other input becomes a constant. Operators whose result does not depend on what numbers are, but only on which
is larger, take float data by *ranks*: each number is replaced by its place in the order of all of them, a uint8. Where there
are more than 256, neighbours share one (*coarse ranks*): the largest of them stays the largest. Data that
QuantizeLinear takes are a constant, and what comes out is joined to the image. A case that cannot be asked so is
written without data: the engine must refuse it.

FOLDER/NAME/model.onnx, and case.txt: `op`, `as` (what was done to the case), `of` (which numbers it is of), `image` and its
height and width, then, where there are data, a line for the image and
one for each output: type, dimensions, elements in hexadecimal. The model's first output is one byte of the image.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

# The newest operator set that is admitted. What a newer one changed in these operators are types.
OPSET = 21
MOVES = """Concat DepthToSpace Expand Flatten Gather Identity Pad Reshape Slice SpaceToDepth Split Squeeze Transpose
Unsqueeze""".split()
CHOICES = "ArgMax ArgMin Clip Max MaxPool Min".split()
QUANTISED = """ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
QuantizeLinear""".split()
BYTEWISE = "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Mod Sign".split()
FLOATS = """Abs Add AveragePool BatchNormalization Cast Conv ConvTranspose Div Elu Erf Exp Gelu Gemm GlobalAveragePool
HardSigmoid HardSwish LayerNormalization LeakyRelu MatMul Mul Neg PRelu Pow Reciprocal ReduceMean Relu Resize Sigmoid
Softmax Sqrt Sub Tanh""".split()
# Inputs that hold data, where it is not the first alone.
DATA = {"Concat": range(64), "Clip": range(3), "Max": range(64), "Min": range(64), "Pad": (0, 2)}
BYTES = (np.uint8, np.int8)


def line(array):
    kind = {"uint8": "u8", "int8": "i8", "int32": "i32", "int64": "i64", "float32": "f32"}[array.dtype.name]
    return f"{kind} {'x'.join(map(str, array.shape)) or '-'} {np.ascontiguousarray(array).tobytes().hex()}"


def ranked(node, arrays, outputs):
    """The case in ranks, if there are at most 256 of them."""
    data = [at for at in DATA.get(node.op_type, (0,)) if at < len(arrays) and arrays[at] is not None]
    numbers = [arrays[at].ravel() for at in data]
    if node.op_type == "Pad" and len(arrays) < 3 or node.op_type == "Pad" and arrays[2] is None:
        numbers.append(np.zeros(1, arrays[0].dtype))
        arrays = arrays[:2] + [np.zeros((), arrays[0].dtype)] + arrays[3:]
        data.append(2)
    order = np.unique(np.concatenate(numbers))
    coarse = len(order) > 256
    if coarse and node.op_type in ("ArgMax", "ArgMin") or not np.all(np.isfinite(order.astype(np.float64))):
        return None
    places = np.arange(len(order)) * 256 // len(order) if coarse else np.arange(len(order))
    rank = lambda array: places[np.searchsorted(order, array)].astype(np.uint8)
    arrays = [rank(array) if at in data else array for at, array in enumerate(arrays)]
    kind = order.dtype
    if any(out.dtype == kind and not np.isin(out, order).all() for out in outputs):
        return None
    positions = node.op_type in ("ArgMax", "ArgMin")
    outputs = [rank(out) if out.dtype == kind and not positions else out for out in outputs]
    return arrays, outputs, "coarse ranks" if coarse else "ranks"


def domain(op, arrays, outputs):
    """Of which numbers a case is: `bytes`, integers of `others` lengths, or `floats`."""
    def kind(array):
        name = TensorProto.DataType.Name(array.data_type) if isinstance(array, onnx.TensorProto) else array.dtype.name
        return name.lower()

    if op in ("QuantizeLinear", "DequantizeLinear"):
        # The other side is float by definition; a zero point has the integers' type.
        sides = arrays[:1] if op[0] == "D" else outputs
        return "bytes" if all(kind(a) in ("uint8", "int8") for a in sides) else "others"
    if op == "DynamicQuantizeLinear":
        return "floats"
    tensors = [a for a in [arrays[0] if arrays else None, *outputs] if isinstance(a, (np.ndarray, onnx.TensorProto))]
    kinds = {kind(a) for a in tensors}
    if op == "QLinearMatMul" and kind(arrays[1]) != "float32" or not tensors:
        return "others"
    if op in MOVES + ["ArgMax", "ArgMin", "MaxPool", "Clip", "Max", "Min"]:
        return "bytes"
    if any("float" in name or name == "double" for name in kinds):
        return "floats"
    # Positions and sums are longer than what they are of.
    return "bytes" if kind(tensors[0]) in ("uint8", "int8") and kinds <= {"uint8", "int8", "int32", "int64"} else "others"


def plane(size):
    """The image's shape: as wide as an image may be."""
    width = next(width for width in range(min(size, 4096), 0, -1) if size % width == 0)
    return [1, 1, size // width, width]


class Written:
    """A case on its way into a folder."""

    def __init__(self, case):
        self.case, self.node = case, case.model.graph.node[0]
        inputs, outputs = case.data_sets[0]
        given = dict(zip([i.name for i in case.model.graph.input], inputs))
        arrays = [given.get(name) if name else None for name in self.node.input]
        self.arrays = [a if a is None or isinstance(a, onnx.TensorProto) else np.asarray(a) for a in arrays]
        self.outputs = outputs
        self.words = []

    def opset(self):
        version = next(i.version for i in self.case.model.opset_import if i.domain == "")
        if version > OPSET:
            self.words.append(f"set {version} as {OPSET}")
        return helper.make_opsetid("", min(version, OPSET))

    def model(self, nodes, image, outputs, constants):
        graph = helper.make_graph(nodes, self.case.name, [image], outputs, constants)
        return helper.make_model(graph, opset_imports=[self.opset()], ir_version=8)

    def asked(self):
        """The model, and the lines of its data, as far as the engine can be asked."""
        op, first = self.node.op_type, self.arrays[0] if self.arrays else None
        if not all(isinstance(of, np.ndarray) for of in [first, *self.outputs]):
            return self.as_it_is()
        mode = next((a.s for a in self.node.attribute if a.name == "mode"), b"nearest")
        moves = op in MOVES + CHOICES or op == "Resize" and mode == b"nearest"
        if moves and first is not None and first.dtype not in BYTES and first.size > 0:
            coded = ranked(self.node, list(self.arrays), self.outputs) if first.dtype.kind in "fiu" else None
            if coded:
                self.arrays, self.outputs, word = coded
                self.words.append(word)
                first = self.arrays[0]
                while len(self.node.input) < len(self.arrays):
                    self.node.input.append(f"parameter {len(self.node.input)}")
        if first is not None and first.dtype in BYTES and first.size > 0:
            return self.image_first(first)
        if op == "QuantizeLinear" and first.dtype == np.float32 and self.outputs[0].dtype in BYTES:
            return self.constant_first()
        return self.as_it_is()

    def constants(self, start):
        names = [(name, array) for name, array in zip(self.node.input, self.arrays)][start:]
        if any(name for name, _ in names):
            self.words.append("parameters as constants")
        return [self.constant(array, name) for name, array in dict((n, a) for n, a in names if n).items()]

    def constant(self, array, name):
        tensor = onnx.TensorProto() if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(array)
        if isinstance(array, onnx.TensorProto):
            tensor.CopyFrom(array)
        tensor.name = name
        return tensor

    def declared(self):
        infos = [info.name for info in self.case.model.graph.output]
        kinds = {np.dtype(k): helper.np_dtype_to_tensor_dtype(np.dtype(k)) for k in ("u1", "i1", "i4", "i8", "f4")}
        return [helper.make_tensor_value_info(n, kinds[o.dtype], o.shape) for n, o in zip(infos, self.outputs)]

    def image_first(self, first):
        wide = first.reshape(plane(first.size))
        kind = helper.np_dtype_to_tensor_dtype(first.dtype)
        image = helper.make_tensor_value_info("image", kind, wide.shape)
        shape = numpy_helper.from_array(np.array(first.shape, np.int64), "its shape")
        head, ends = self.head()
        data = [n for n in self.node.input if n][0]
        nodes = [head, helper.make_node("Reshape", ["image", "its shape"], [data], name="data"), self.node]
        model = self.model(nodes, image, [self.declared_head(kind)] + self.declared(), [shape, *ends, *self.constants(1)])
        return model, [line(wide)] + [line(out) for out in self.outputs]

    def head(self):
        """One byte of the image, for the labels of a manifest."""
        names = ["first", "second", "last axis"]
        ends = [numpy_helper.from_array(np.array([v], np.int64), n) for v, n in zip((0, 1, 3), names)]
        return helper.make_node("Slice", ["image", *names], ["head"], name="head"), ends

    def declared_head(self, kind):
        return helper.make_tensor_value_info("head", kind, [1, 1, 1, 1])

    def constant_first(self):
        self.words.append("data as a constant")
        out = self.outputs[0]
        kind = helper.np_dtype_to_tensor_dtype(out.dtype)
        image = helper.make_tensor_value_info("image", kind, [1, 1, 1, 1])
        head, ends = self.head()
        shapes = [numpy_helper.from_array(np.array([n], np.int64), t) for n, t in ((1, "one"), (out.size, "all"))]
        nodes = [
            head,
            self.node,
            helper.make_node("Concat", ["image", "quantised"], ["joined"], axis=3, name="joined"),
        ]
        self.node.output[0] = "quantised"
        # A constant is joined in the shape that it has: one row.
        self.arrays[0] = self.arrays[0].reshape(1, 1, *self.arrays[0].shape) if self.arrays[0].ndim == 2 else self.arrays[0]
        shaped = self.arrays[0].reshape(1, 1, 1, -1) if self.arrays[1].size == 1 else None
        if shaped is None:
            return self.along_axis(out, kind, image, head, ends)
        self.arrays[0] = shaped
        joined = np.concatenate([np.array([[[[7]]]], out.dtype), out.reshape(1, 1, 1, -1)], axis=3)
        outputs = [self.declared_head(kind), helper.make_tensor_value_info("joined", kind, joined.shape)]
        model = self.model(nodes, image, outputs, ends + self.constants(0))
        return model, [line(joined[..., :1]), line(joined)]

    def along_axis(self, out, kind, image, head, ends):
        """Several scales: the image is repeated to one more element along the last dimension."""
        beside = [*out.shape[:-1], 1]
        shape = numpy_helper.from_array(np.array(beside, np.int64), "beside")
        one = numpy_helper.from_array(np.array([1] * out.ndim, np.int64), "ones")
        nodes = [
            head,
            self.node,
            helper.make_node("Reshape", ["image", "ones"], ["small"], name="small"),
            helper.make_node("Expand", ["small", "beside"], ["repeated"], name="repeated"),
            helper.make_node("Concat", ["repeated", "quantised"], ["joined"], axis=out.ndim - 1, name="joined"),
        ]
        joined = np.concatenate([np.full(beside, 7, out.dtype), out], axis=-1)
        outputs = [self.declared_head(kind), helper.make_tensor_value_info("joined", kind, joined.shape)]
        model = self.model(nodes, image, outputs, ends + [shape, one] + self.constants(0))
        return model, [line(np.full((1, 1, 1, 1), 7, out.dtype)), line(joined)]

    def as_it_is(self):
        """Data that no image can be: the engine says why. Parameters are constants as far as they can be written."""
        first = self.arrays[0] if self.arrays else None
        if first is None or not isinstance(first, (np.ndarray, onnx.TensorProto)):
            return self.case.model, []
        dims = list(first.shape if isinstance(first, np.ndarray) else first.dims)
        kind = self.case.model.graph.input[0].type.tensor_type.elem_type
        image = helper.make_tensor_value_info("image", kind, plane(max(int(np.prod(dims)), 1)))
        if self.node.op_type == "DynamicQuantizeLinear":
            self.node.input[0] = "image"
            return self.model([self.node], image, list(self.case.model.graph.output), []), []
        shape = numpy_helper.from_array(np.array(dims, np.int64), "its shape")
        nodes = [helper.make_node("Reshape", ["image", "its shape"], [self.node.input[0]], name="data"), self.node]
        return self.model(nodes, image, list(self.case.model.graph.output), [shape, *self.constants(1)]), []


def main(folder):
    for case in collect_testcases(None):
        graph = case.model.graph if case.model is not None else None
        if graph is None or len(graph.node) != 1 or not case.data_sets or case.name.endswith("_expanded"):
            continue
        node = graph.node[0]
        if node.domain or node.op_type not in MOVES + CHOICES + QUANTISED + BYTEWISE + FLOATS:
            continue
        written = Written(case)
        mode = next((a.s for a in node.attribute if a.name == "mode"), b"nearest")
        of = "bytes" if node.op_type == "Resize" and mode == b"nearest" else domain(node.op_type, written.arrays, written.outputs)
        model, data = written.asked()
        target = folder / case.name
        target.mkdir(parents=True)
        (target / "model.onnx").write_bytes(model.SerializeToString())
        sides = [dim.dim_value or 1 for dim in model.graph.input[0].type.tensor_type.shape.dim] if model.graph.input else []
        height, width = ([1, 1] + sides)[-2:]
        head = [f"op {node.op_type}", "as " + ("; ".join(written.words) or "it is"), f"of {of}", f"image {height} {width}"]
        (target / "case.txt").write_text("\n".join(head + data) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
