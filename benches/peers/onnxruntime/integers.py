#!/usr/bin/env python3
"""Writes graphs of operations on plain integers for `cargo bench -p aceso-inference --bench steps`: `integers.py FOLDER`.

Each takes a colour image of 224 × 224 bytes and repeats one kind of operation: pairs of bytes, divisions, sums of products
with the chains that bring them back to bytes, positions of the largest, casts. The same seed gives the same files. Needs
onnx and numpy.
"""
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SIDE, CLASSES = 224, 10


class Net:
    def __init__(self):
        self.rng = np.random.default_rng(1)
        self.nodes, self.inits, self.count = [], [], 0

    def const(self, value, dtype):
        self.count += 1
        self.inits.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{self.count}"))
        return f"c{self.count}"

    def node(self, op, inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(op, inputs, [f"v{self.count}"], f"{op}_{self.count}", **attributes))
        return f"v{self.count}"

    def quantised(self, sums, channels=0):
        """What `quantize_dynamic` writes after sums, with a constant scale."""
        x = self.node("Mul", [self.node("Cast", [sums], to=TensorProto.FLOAT), self.const(0.001, np.float32)])
        if channels:
            bias = self.const(self.rng.normal(0, 1, (1, channels, 1, 1)), np.float32)
            x = self.node("Relu", [self.node("Add", [x, bias])])
        return self.node("QuantizeLinear", [x, self.const(0.05, np.float32), self.const(3, np.uint8)])

    def conv(self, x, cin, cout, kernel, stride=1):
        w = self.const(self.rng.integers(-127, 128, (cout, cin, kernel, kernel)), np.int8)
        sums = self.node("ConvInteger", [x, w, self.const(7, np.uint8)], kernel_shape=[kernel] * 2,
                         pads=[kernel // 2] * 4, strides=[stride] * 2)
        return self.quantised(sums, cout)

    def save(self, path, x):
        """Ten of the bytes are the model's scores."""
        x = self.node("Reshape", [x, self.const([1, -1], np.int64)])
        x = self.node("Slice", [x, *(self.const([at], np.int64) for at in (0, CLASSES, 1))])
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
        graph = helper.make_graph(self.nodes, path.stem, [info("image", [1, 3, SIDE, SIDE])],
                                  [info(x, [1, CLASSES])], self.inits)
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)


def write(folder):
    for op in ("Add", "Sub", "Mul", "Min", "Max", "BitwiseAnd", "BitwiseXor", "BitShift"):
        net, x = Net(), "image"
        other = net.node("Transpose", [x], perm=[0, 1, 3, 2])
        for _ in range(6):
            x = net.node(op, [x, other], **({"direction": "LEFT"} if op == "BitShift" else {}))
        net.save(folder / f"pair_{op}.onnx", x)
    for name, op, attributes in [("div", "Div", {}), ("mod", "Mod", {}), ("fmod", "Mod", {"fmod": 1})]:
        net, x = Net(), "image"
        for _ in range(4):
            x = net.node(op, [x, net.const(net.rng.integers(1, 256, (1, 3, SIDE, SIDE)), np.uint8)], **attributes)
        net.save(folder / f"{name}.onnx", x)
    for kernel in (1, 3):
        net = Net()
        net.save(folder / f"sums_{kernel}x{kernel}.onnx", net.conv(net.conv("image", 3, 64, 3, 4), 64, 64, kernel))
    net = Net()
    x = net.node("Reshape", ["image", net.const([3 * SIDE, SIDE], np.int64)])
    for _ in range(3):
        w = net.const(net.rng.integers(-127, 128, (SIDE, SIDE)), np.int8)
        x = net.quantised(net.node("MatMulInteger", [x, w, net.const(7, np.uint8)]))
    net.save(folder / "sums_matmul.onnx", x)
    net = Net()
    a = net.node("Reshape", ["image", net.const([3, SIDE, SIDE], np.int64)])
    net.save(folder / "sums_product.onnx",
             net.quantised(net.node("MatMulInteger", [a, net.node("Transpose", [a], perm=[0, 2, 1])])))
    for axis in (1, 3):
        net = Net()
        x = net.node("ArgMax", ["image"], axis=axis, keepdims=0)
        net.save(folder / f"arg_{axis}.onnx", net.node("Cast", [x], to=TensorProto.UINT8))
    net, x = Net(), "image"
    for to in ("INT32", "INT64", "INT8", "INT64", "INT32", "UINT8"):
        x = net.node("Cast", [x], to=getattr(TensorProto, to))
    net.save(folder / "cast.onnx", x)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
