#!/usr/bin/env python3
"""Writes the networks that `cargo xtask bench inference` measures: `families.py FOLDER SIDE NAME…`.

Float graphs of the published shapes (torchvision's, exported for inference: batch normalisations folded into
convolutions where they follow one) with weights from a seed and a head of ten classes, quantised statically by
onnxruntime over eight images of noise, as QDQ and as QOperator: `NAME.FORMAT.onnx`. SIDE is that of the image. The same
seed gives the same file. Needs onnx, onnxruntime and numpy.
"""
import logging
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

CLASSES = 10


class Net:
    def __init__(self, name, side):
        self.rng = np.random.default_rng(sum(map(ord, name)))
        self.name, self.side = name, side
        self.nodes, self.inits, self.count = [], [], 0

    def const(self, value, dtype=np.float32):
        self.count += 1
        self.inits.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{self.count}"))
        return f"c{self.count}"

    def node(self, op, inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"v{self.count}" + (f"_{at}" if outputs > 1 else "") for at in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, f"{op}_{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def normal(self, shape, fan):
        return self.const(self.rng.normal(0, (2 / fan) ** 0.5, shape))

    def conv(self, x, cin, cout, kernel=3, stride=1, groups=1, act=None, bias=True, pad=None):
        pad = (kernel - 1) // 2 if pad is None else pad
        w = self.normal((cout, cin // groups, kernel, kernel), cin // groups * kernel * kernel)
        inputs = [x, w] + ([self.const(self.rng.normal(0, 0.1, cout))] if bias else [])
        y = self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)
        return self.act(y, act)

    def act(self, x, name):
        if name == "relu6":
            return self.node("Clip", [x, self.const(0.0), self.const(6.0)])
        if name == "silu":
            return self.node("Mul", [x, self.node("Sigmoid", [x])])
        if name == "hswish":
            return self.node("HardSwish", [x])
        return self.node("Relu", [x]) if name == "relu" else x

    def norm(self, x, channels):
        parts = [self.rng.uniform(0.8, 1.2, channels), self.rng.normal(0, 0.1, channels),
                 self.rng.normal(0, 0.1, channels), self.rng.uniform(0.5, 1.5, channels)]
        return self.node("BatchNormalization", [x, *map(self.const, parts)])

    def pool(self, x, op, kernel, stride, pad=0):
        return self.node(op, [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def head(self, x, channels):
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        return self.linear(x, channels, CLASSES, gemm=True)

    def linear(self, x, cin, cout, gemm=False):
        if gemm:
            return self.node("Gemm", [x, self.normal((cout, cin), cin), self.const(np.zeros(cout))], transB=1)
        return self.node("Add", [self.node("MatMul", [x, self.normal((cin, cout), cin)]), self.const(np.zeros(cout))])

    def model(self, outputs, *shapes):
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        outputs = [outputs] if isinstance(outputs, str) else outputs
        graph = helper.make_graph(self.nodes, self.name, [info("image", [1, 3, self.side, self.side])],
                                  [info(*one) for one in zip(outputs, shapes)], self.inits)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resnet(name, side, blocks, bottleneck):
    g = Net(name, side)
    x, cin = g.pool(g.conv("image", 3, 64, 7, 2, act="relu"), "MaxPool", 3, 2, 1), 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            cout = width * (4 if bottleneck else 1)
            if bottleneck:
                y = g.conv(g.conv(x, cin, width, 1, act="relu"), width, width, 3, stride, act="relu")
                y = g.conv(y, width, cout, 1)
            else:
                y = g.conv(g.conv(x, cin, width, 3, stride, act="relu"), width, cout)
            x = g.conv(x, cin, cout, 1, stride) if stride > 1 or cin != cout else x
            x, cin = g.act(g.node("Add", [y, x]), "relu"), cout
    return g.model(g.head(x, cin), [1, CLASSES])


def densenet121(name, side):
    g = Net(name, side)
    x, channels = g.pool(g.conv("image", 3, 64, 7, 2, act="relu"), "MaxPool", 3, 2, 1), 64
    for stage, count in enumerate((6, 12, 24, 16)):
        parts = [x]
        for _ in range(count):
            x = g.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
            # The second normalisation follows a convolution and is folded into it.
            y = g.conv(g.act(g.norm(x, channels), "relu"), channels, 128, 1, act="relu")
            parts = [x, g.conv(y, 128, 32, bias=False)]
            channels += 32
        x = g.act(g.norm(g.node("Concat", parts, axis=1), channels), "relu")
        if stage < 3:
            x = g.pool(g.conv(x, channels, channels // 2, 1, bias=False), "AveragePool", 2, 2)
            channels //= 2
    return g.model(g.head(x, channels), [1, CLASSES])


def mobilenet_v2(name, side):
    g = Net(name, side)
    x, cin = g.conv("image", 3, 32, 3, 2, act="relu6"), 32
    for expand, cout, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                        (6, 160, 3, 2), (6, 320, 1, 1)]:
        for block in range(count):
            s, wide = stride if not block else 1, cin * expand
            y = g.conv(x, cin, wide, 1, act="relu6") if expand > 1 else x
            y = g.conv(g.conv(y, wide, wide, 3, s, wide, act="relu6"), wide, cout, 1)
            x, cin = g.node("Add", [x, y]) if s == 1 and cin == cout else y, cout
    return g.model(g.head(g.conv(x, cin, 1280, 1, act="relu6"), 1280), [1, CLASSES])


def excite(g, x, channels, squeezed, inner, outer):
    y = g.conv(g.node("GlobalAveragePool", [x]), channels, squeezed, 1, act=inner)
    y = g.conv(y, squeezed, channels, 1)
    y = g.node("Sigmoid", [y]) if outer == "sigmoid" else g.node("HardSigmoid", [y], alpha=1 / 6, beta=0.5)
    return g.node("Mul", [x, y])


def mobilenet_v3_small(name, side):
    g = Net(name, side)
    x, cin = g.conv("image", 3, 16, 3, 2, act="hswish"), 16
    rows = [(3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
            (5, 96, 40, True, "hswish", 2), (5, 240, 40, True, "hswish", 1), (5, 240, 40, True, "hswish", 1),
            (5, 120, 48, True, "hswish", 1), (5, 144, 48, True, "hswish", 1), (5, 288, 96, True, "hswish", 2),
            (5, 576, 96, True, "hswish", 1), (5, 576, 96, True, "hswish", 1)]
    for kernel, wide, cout, se, act, stride in rows:
        y = g.conv(x, cin, wide, 1, act=act) if wide != cin else x
        y = g.conv(y, wide, wide, kernel, stride, wide, act=act)
        y = excite(g, y, wide, max(8, (wide // 4 + 4) // 8 * 8), "relu", "hard") if se else y
        y = g.conv(y, wide, cout, 1)
        x, cin = g.node("Add", [x, y]) if stride == 1 and cin == cout else y, cout
    x = g.node("Flatten", [g.node("GlobalAveragePool", [g.conv(x, cin, 576, 1, act="hswish")])])
    x = g.act(g.linear(x, 576, 1024, gemm=True), "hswish")
    return g.model(g.linear(x, 1024, CLASSES, gemm=True), [1, CLASSES])


def efficientnet_b0(name, side):
    g = Net(name, side)
    x, cin = g.conv("image", 3, 32, 3, 2, act="silu"), 32
    for expand, cout, count, stride, kernel in [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                                                (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]:
        for block in range(count):
            s, wide = stride if not block else 1, cin * expand
            y = g.conv(x, cin, wide, 1, act="silu") if expand > 1 else x
            y = g.conv(y, wide, wide, kernel, s, wide, act="silu")
            y = excite(g, y, wide, max(1, cin // 4), "silu", "sigmoid")
            y = g.conv(y, wide, cout, 1)
            x, cin = g.node("Add", [x, y]) if s == 1 and cin == cout else y, cout
    return g.model(g.head(g.conv(x, cin, 1280, 1, act="silu"), 1280), [1, CLASSES])


def unet(name, side, width=32):
    """Four steps down and up, by transposed convolutions; a mask of the image's size."""
    g = Net(name, side)
    double = lambda x, cin, cout: g.conv(g.conv(x, cin, cout, act="relu"), cout, cout, act="relu")
    x, cin, left = "image", 3, []
    for step in range(4):
        x = double(x, cin, width << step)
        left.append(x)
        x, cin = g.pool(x, "MaxPool", 2, 2), width << step
    x = double(x, cin, width << 4)
    for step in reversed(range(4)):
        cout = width << step
        w = g.normal((cout * 2, cout, 2, 2), cout * 2)
        x = g.node("ConvTranspose", [x, w, g.const(np.zeros(cout))], kernel_shape=[2, 2], strides=[2, 2])
        x = double(g.node("Concat", [left[step], x], axis=1), cout * 2, cout)
    mask = g.conv(x, width, 2, 1)
    # What there is of each class in all, first: a manifest labels the elements of the first output.
    return g.model([g.node("Flatten", [g.node("GlobalAveragePool", [mask])]), mask], [1, 2], [1, 2, side, side])


def vit(name, side, width=192, heads=3, depth=4, patch=16):
    """A small vision transformer: a class token, attention of several heads, Gelu."""
    g = Net(name, side)
    count, each = (side // patch) ** 2, width // heads
    x = g.conv("image", 3, width, patch, patch, pad=0)
    x = g.node("Transpose", [g.node("Reshape", [x, g.const([1, width, count], np.int64)])], perm=[0, 2, 1])
    x = g.node("Concat", [g.const(g.rng.normal(0, 1, (1, 1, width))), x], axis=1)
    x = g.node("Add", [x, g.const(g.rng.normal(0, 0.5, (1, count + 1, width)))])
    layer = lambda x: g.node("LayerNormalization", [x, g.const(g.rng.uniform(0.8, 1.2, width)),
                                                    g.const(g.rng.normal(0, 0.1, width))], axis=-1, epsilon=1e-6)
    split = lambda x: g.node("Transpose", [g.node("Reshape", [x, g.const([1, count + 1, heads, each], np.int64)])],
                             perm=[0, 2, 1, 3])
    for _ in range(depth):
        y = layer(x)
        q, k, v = (split(g.linear(y, width, width)) for _ in range(3))
        q = g.node("Mul", [q, g.const(each ** -0.5)])
        a = g.node("Softmax", [g.node("MatMul", [q, g.node("Transpose", [k], perm=[0, 1, 3, 2])])], axis=-1)
        a = g.node("Transpose", [g.node("MatMul", [a, v])], perm=[0, 2, 1, 3])
        a = g.node("Reshape", [a, g.const([1, count + 1, width], np.int64)])
        x = g.node("Add", [x, g.linear(a, width, width)])
        y = g.linear(layer(x), width, width * 4)
        h = g.node("Add", [g.node("Erf", [g.node("Div", [y, g.const(2 ** 0.5)])]), g.const(1.0)])
        y = g.node("Mul", [g.node("Mul", [y, h]), g.const(0.5)])
        x = g.node("Add", [x, g.linear(y, width * 4, width)])
    x = g.node("Gather", [layer(x), g.const(0, np.int64)], axis=1)
    return g.model(g.linear(x, width, CLASSES, gemm=True), [1, CLASSES])


FAMILIES = {
    "resnet18": lambda name, side: resnet(name, side, (2, 2, 2, 2), False),
    "resnet50": lambda name, side: resnet(name, side, (3, 4, 6, 3), True),
    "densenet121": densenet121,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3_small,
    "efficientnet_b0": efficientnet_b0,
    "unet": unet,
    "vit": vit,
}


class Noise(CalibrationDataReader):
    def __init__(self, side):
        rng = np.random.default_rng(8)
        self.images = iter([{"image": rng.random((1, 3, side, side), np.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.images, None)


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.ERROR)
    folder, side = Path(sys.argv[1]), int(sys.argv[2])
    for name in sys.argv[3:]:
        whole = folder / f"{name}.float.onnx"
        save(FAMILIES[name](name, side), whole)
        for fmt in QuantFormat:
            quantize_static(whole, folder / f"{name}.{fmt.name}.onnx", Noise(side), quant_format=fmt, per_channel=True,
                            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        whole.unlink()
