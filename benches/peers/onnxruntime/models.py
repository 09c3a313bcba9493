#!/usr/bin/env python3
"""Writes the quantised networks that `cargo xtask bench inference` measures: `models.py FOLDER`.

Shapes of the published networks with weights from a seed, in integer operators (QLinearConv and its kin), a head of ten
classes, and an image of uint8. Needs onnx and numpy. The same seed gives the same file.
"""
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

MS = "com.microsoft"


class Net:
    def __init__(self, name, image):
        self.rng = np.random.default_rng(7)
        self.name, self.image, self.nodes, self.inits = name, image, [], []
        self.count = 0

    def const(self, value, dtype=None):
        self.count += 1
        self.inits.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{self.count}"))
        return f"c{self.count}"

    def node(self, op, inputs, domain="", **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(op, inputs, [f"v{self.count}"], f"n{self.count}", domain=domain, **attributes))
        return f"v{self.count}"

    def quant(self, scale, zero):
        return self.const(scale, np.float32), self.const(zero, np.uint8)

    def conv(self, x, inputs, outputs, kernel, stride=1, groups=1, relu=True):
        """`x` is (name, scale, zero); the result too. Relu is a zero point of 0: what is below it is cut off."""
        name, scale, zero = x
        fan = inputs // groups * kernel * kernel
        w = np.clip(np.round(self.rng.normal(0, 40, (outputs, inputs // groups, kernel, kernel))), -127, 127)
        w_scale = self.rng.uniform(0.5, 1.5, outputs).astype(np.float32) / 40 / np.sqrt(np.float32(fan))
        y_scale = np.float32(0.02)
        bias = np.round(self.rng.normal(0, 0.3, outputs) / (scale * w_scale)).astype(np.int32)
        y = (y_scale, 0 if relu else 128)
        pad = (kernel - 1) // 2
        out = self.node(
            "QLinearConv",
            [name, *self.quant(scale, zero), self.const(w, np.int8), self.const(w_scale), self.const(np.zeros(outputs), np.int8),
             *self.quant(*y), self.const(bias)],
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups,
        )
        return out, *y

    def add(self, a, b, relu):
        y = (np.float32(0.03), 0 if relu else 128)
        quant = [part for name, *of in (a, b) for part in (name, *self.quant(*of))]
        return self.node("QLinearAdd", [*quant, *self.quant(*y)], MS), *y

    def max_pool(self, x, kernel, stride, pad):
        return self.node("MaxPool", [x[0]], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4), *x[1:]

    def head(self, x, features, classes=10):
        y = (np.float32(0.02), 0)
        mean = self.node("QLinearGlobalAveragePool", [x[0], *self.quant(*x[1:]), *self.quant(*y)], MS, channels_last=0)
        flat = self.node("Flatten", [mean], axis=1)
        w = np.clip(np.round(self.rng.normal(0, 40, (classes, features))), -127, 127)
        w_scale, out = np.float32(1 / 40 / np.sqrt(features)), (np.float32(0.02), 128)
        return self.node(
            "QGemm", [flat, *self.quant(*y), self.const(w, np.int8), *self.quant_s8(w_scale), self.const(np.zeros(classes), np.int32),
                      *self.quant(*out)], MS, transB=1), *out

    def quant_s8(self, scale):
        return self.const(scale, np.float32), self.const(0, np.int8)

    def write(self, output, folder):
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, self.image)
        out = helper.make_tensor_value_info(output[0], TensorProto.UINT8, [1, 10])
        graph = helper.make_graph(self.nodes, self.name, [image], [out], self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], ir_version=8)
        save(model, Path(folder) / f"{self.name}.onnx")


IMAGE = ("image", np.float32(1 / 64), 128)


def resnet18(folder):
    net = Net("resnet18", [1, 3, 224, 224])
    x = net.max_pool(net.conv(IMAGE, 3, 64, 7, 2), 3, 2, 1)
    inputs = 64
    for outputs, stride in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        y = net.conv(net.conv(x, inputs, outputs, 3, stride), outputs, outputs, 3, relu=False)
        same = x if inputs == outputs else net.conv(x, inputs, outputs, 1, stride, relu=False)
        x, inputs = net.add(y, same, relu=True), outputs
    net.write(net.head(x, inputs), folder)


def resnet50(folder):
    net = Net("resnet50", [1, 3, 224, 224])
    x = net.max_pool(net.conv(IMAGE, 3, 64, 7, 2), 3, 2, 1)
    inputs = 64
    for width, blocks, first in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for stride in [first] + [1] * (blocks - 1):
            y = net.conv(x, inputs, width, 1)
            y = net.conv(y, width, width, 3, stride)
            y = net.conv(y, width, 4 * width, 1, relu=False)
            same = x if inputs == 4 * width else net.conv(x, inputs, 4 * width, 1, stride, relu=False)
            x, inputs = net.add(y, same, relu=True), 4 * width
    net.write(net.head(x, inputs), folder)


def mobilenet_v2(folder):
    net = Net("mobilenet_v2", [1, 3, 224, 224])
    x, inputs = net.conv(IMAGE, 3, 32, 3, 2), 32
    for expand, outputs, repeat, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                           (6, 160, 3, 2), (6, 320, 1, 1)]:
        for stride in [first] + [1] * (repeat - 1):
            wide = inputs * expand
            y = net.conv(x, inputs, wide, 1) if expand > 1 else x
            y = net.conv(y, wide, wide, 3, stride, groups=wide)
            y = net.conv(y, wide, outputs, 1, relu=False)
            x = net.add(x, y, relu=False) if stride == 1 and inputs == outputs else y
            inputs = outputs
    x = net.conv(x, inputs, 1280, 1)
    net.write(net.head(x, 1280), folder)


if __name__ == "__main__":
    for network in (resnet18, resnet50, mobilenet_v2):
        network(sys.argv[1])
