#!/usr/bin/env python3
"""Writes tests/vectors: small random graphs, what ONNX Runtime makes of them, and graphs that must be refused.

Run from inference-host with onnx==1.23.0, onnxruntime==1.31.0, numpy==1.26.4 on an x86-64 CPU with AVX-512 VNNI (other
CPUs take other code in ONNX Runtime): `python3 tools/cross_check.py`. Seeds are fixed: a second run writes the same
graphs. Every accepted case has an output of at most 64 elements first, because a manifest labels each of them, and the
tensor under test after it.

case.txt: `layout` and `normalise` of the manifest, then `run` followed by one line per tensor, the input first:
type, dimensions, elements in hexadecimal.
"""
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent / "tests" / "vectors"
# Another seed and another folder, for runs that are larger than what is committed: `cross_check.py SEED FOLDER`.
SEED, ROOT = (int(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) == 3 else (0, ROOT)
MS = "com.microsoft"


class Graph:
    """A graph under construction; `rng` is seeded by the case's name."""

    def __init__(self, name, shape, ty=np.uint8, opset=17, normalise=None, layout="nchw"):
        self.name, self.shape, self.ty, self.opset = name, shape, ty, opset
        self.normalise, self.layout = normalise, layout
        self.rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        self.nodes, self.inits, self.count = [], [], 0

    def const(self, value, dtype=None):
        self.count += 1
        name = f"c{self.count}"
        self.inits.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, op, inputs, domain="", **attributes):
        self.count += 1
        out = f"v{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"{op}_{self.count}", domain=domain, **attributes))
        return out

    def scale(self, low=0.01, high=0.1):
        return np.float32(self.rng.uniform(low, high))

    def zero(self, ty):
        return ty(self.rng.integers(100, 156)) if ty == np.uint8 else ty(self.rng.integers(-28, 28))

    def weight(self, shape, ty=np.int8):
        info = np.iinfo(ty)
        return self.rng.integers(info.min, info.max + 1, shape).astype(ty)

    def quant(self, ty, scale=None, zero=None):
        """Names of a scale and a zero point."""
        scale = self.scale() if scale is None else np.float32(scale)
        zero = self.zero(ty) if zero is None else ty(zero)
        return self.const(scale, np.float32), self.const(zero, ty)

    def conv_weights(self, shape, ty=np.int8, per_channel=False, zero=None):
        rows = shape[0]
        scale = self.rng.uniform(0.001, 0.01, rows if per_channel else ()).astype(np.float32)
        zero = (0 if ty == np.int8 else 121) if zero is None else zero
        zeros = np.full(rows if per_channel else (), zero, ty)
        return self.const(self.weight(shape, ty)), self.const(scale), self.const(zeros)

    def qconv(self, x, xq, shape, out=np.uint8, wt=np.int8, per_channel=False, y_scale=None, bias=True, zero=None, **kw):
        w = self.conv_weights(shape, wt, per_channel)
        fan = np.prod(shape[1:])
        y = self.quant(out, y_scale if y_scale is not None else 0.03 * np.sqrt(fan), zero)
        inputs = [x, *xq, *w, *y]
        if bias:
            inputs.append(self.const(self.rng.integers(-4000, 4000, shape[0]).astype(np.int32)))
        return self.node("QLinearConv", inputs, kernel_shape=list(shape[2:]), **kw), y

    def gap(self, x, xq, ty):
        return self.node("QLinearGlobalAveragePool", [x, *xq, *self.quant(ty)], MS, channels_last=0)

    def model(self, outputs):
        types = {t: helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in (U8, S8, np.int32, np.int64, np.float32)}
        x = helper.make_tensor_value_info("image", types[self.ty], self.shape)
        outs = [helper.make_tensor_value_info(o, types[t], None) for o, t in outputs]
        graph = helper.make_graph(self.nodes, self.name, [x], outs, self.inits)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    # Operators in float, between DequantizeLinear and QuantizeLinear.
    def q(self, x, quant):
        return self.node("QuantizeLinear", [x, *quant])

    def dq(self, x, quant, **kw):
        return self.node("DequantizeLinear", [x, *quant], **kw)

    def dq_weights(self, shape, x_scale, per_channel=False, axis=0, bias=True):
        rows = shape[axis]
        scale = self.rng.uniform(0.001, 0.01, rows if per_channel else ()).astype(np.float32)
        zeros = np.zeros(rows if per_channel else (), np.int8)
        kw = {"axis": axis} if per_channel else {}
        w = self.dq(self.const(self.weight(shape)), (self.const(scale), self.const(zeros)), **kw)
        if not bias:
            return [w]
        b_scale = (np.float32(x_scale) * scale).astype(np.float32)
        b = self.rng.integers(-4000, 4000, rows).astype(np.int32)
        kw = {"axis": 0} if per_channel else {}
        return [w, self.dq(self.const(b), (self.const(b_scale), self.const(np.zeros(b_scale.shape, np.int32))), **kw)]


CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def simple_conv(name, shape, w, ty=np.uint8, channels=3, **kw):
    """One convolution on an integer image, and the mean of its planes."""
    def build():
        g = Graph(name, [1, channels, *shape], ty)
        y, yq = g.qconv("image", g.quant(ty), w, out=ty, **kw)
        return g, [(g.gap(y, yq, ty), ty), (y, ty)]
    CASES.append(build)


U8, S8 = np.uint8, np.int8
simple_conv("conv_u8", (9, 7), (5, 3, 3, 3))
simple_conv("conv_u8_per_channel", (9, 7), (6, 3, 3, 3), per_channel=True)
simple_conv("conv_strided_asymmetric", (11, 10), (7, 3, 3, 2), pads=[0, 1, 2, 1], strides=[2, 3], per_channel=True)
simple_conv("conv_dilated", (12, 11), (4, 3, 3, 3), dilations=[2, 3], pads=[2, 1, 2, 3])
simple_conv("conv_s8", (8, 8), (9, 3, 3, 3), ty=S8, pads=[1, 1, 1, 1])
simple_conv("conv_s8_per_channel", (8, 8), (9, 3, 3, 3), ty=S8, pads=[1, 1, 1, 1], per_channel=True)
simple_conv("conv_u8_weights_u8", (8, 8), (5, 3, 3, 3), wt=U8, pads=[1, 1, 1, 1])
simple_conv("conv_saturating", (8, 8), (5, 3, 3, 3), y_scale=0.0005, pads=[1, 1, 1, 1])
simple_conv("conv_pointwise", (6, 6), (17, 3, 1, 1))
simple_conv("conv_same_upper", (9, 10), (4, 3, 3, 4), auto_pad="SAME_UPPER", strides=[2, 2])
simple_conv("conv_same_lower", (9, 10), (4, 3, 4, 3), auto_pad="SAME_LOWER", strides=[2, 2])
simple_conv("conv_grey_7x7", (20, 18), (16, 1, 7, 7), channels=1, pads=[3, 3, 3, 3], strides=[2, 2], per_channel=True)
simple_conv("conv_depthwise", (9, 9), (3, 1, 3, 3), group=3, pads=[1, 1, 1, 1], per_channel=True)
simple_conv("conv_depthwise_s8_strided", (9, 9), (6, 1, 3, 3), ty=S8, group=3, strides=[2, 2], pads=[0, 1, 1, 0])
simple_conv("conv_no_bias", (7, 7), (3, 3, 2, 2), bias=False)


@case
def conv_grouped():
    g = Graph("conv_grouped", [1, 3, 8, 8])
    a, aq = g.qconv("image", g.quant(U8), (8, 3, 1, 1))
    y, yq = g.qconv(a, aq, (12, 2, 3, 3), group=4, pads=[1, 0, 1, 0], per_channel=True)
    return g, [(g.gap(y, yq, U8), U8), (y, U8)]


@case
def conv_deep():
    g = Graph("conv_deep", [1, 3, 10, 10])
    a, aq = g.qconv("image", g.quant(U8), (24, 3, 3, 3), pads=[1, 1, 1, 1])
    b, bq = g.qconv(a, aq, (24, 1, 3, 3), group=24, pads=[1, 1, 1, 1], per_channel=True)
    y, yq = g.qconv(b, bq, (19, 24, 3, 3), strides=[2, 2], per_channel=True)
    return g, [(g.gap(y, yq, U8), U8), (y, U8)]


def signals(name, ty):
    """Rows of the image as signals, [n, c, l]: convolutions and pools along one dimension."""
    def build():
        g = Graph(name, [1, 3, 5, 17], ty)
        x = g.node("Reshape", ["image", g.const([3, 5, 17], np.int64)])
        a, aq = g.qconv(x, g.quant(ty), (8, 5, 5), out=ty, strides=[2], pads=[1, 3], per_channel=True)
        b, bq = g.qconv(a, aq, (8, 1, 3), out=ty, group=8, dilations=[2], pads=[2, 2])
        b, bq = g.qconv(b, bq, (8, 8, 4), out=ty, auto_pad="SAME_UPPER")
        p = g.node("MaxPool", [b], kernel_shape=[3], strides=[2], pads=[1, 1])
        c, cq = g.qconv(p, bq, (6, 8, 1), out=ty)
        y = g.quant(ty)
        m = g.node("QLinearAveragePool", [c, *cq, *y], MS, channels_last=0, kernel_shape=[2], strides=[1], pads=[1, 0])
        return g, [(g.gap(m, y, ty), ty), (m, ty), (b, ty)]
    CASES.append(build)


signals("signals_u8", U8)
signals("signals_s8", S8)


@case
def signals_qdq():
    g = Graph("signals_qdq", [1, 3, 5, 17], np.float32, normalise=NORMALISE)
    quant, quant2, out = g.quant(U8, 0.0187, 114), g.quant(U8, 0.09, 20), g.quant(U8, 0.06, 7)
    x = g.node("Reshape", [g.dq(g.q("image", quant), quant), g.const([3, 5, 17], np.int64)])
    y = g.node("Conv", [x, *g.dq_weights((7, 5, 3), 0.0187, True)], kernel_shape=[3], strides=[2], pads=[1, 1])
    y = g.dq(g.q(g.node("Relu", [y]), quant2), quant2)
    y = g.dq(g.q(g.node("MaxPool", [y], kernel_shape=[2], strides=[2], ceil_mode=1), quant2), quant2)
    y = g.node("Conv", [y, *g.dq_weights((9, 7, 2), 0.09)], kernel_shape=[2])
    z = g.q(y, out)
    return g, [(g.gap(z, out, U8), U8), (z, U8)]


def matmul(name, ty, per_column):
    def build():
        g = Graph(name, [1, 3, 4, 12], ty)
        w = g.conv_weights((12, 5), S8)
        if per_column:
            scale = g.rng.uniform(0.001, 0.01, 5).astype(np.float32)
            w = (w[0], g.const(scale), g.const(np.zeros(5, S8)))
        y = g.node("QLinearMatMul", ["image", *g.quant(ty), *w, *g.quant(ty, 0.15)])
        return g, [(y, ty)]
    CASES.append(build)


matmul("matmul_u8", U8, False)
matmul("matmul_u8_per_column", U8, True)
matmul("matmul_s8", S8, False)


def gemm(name, ty, per_column, trans):
    def build():
        g = Graph(name, [1, 1, 6, 7], ty)
        xq = g.quant(ty)
        x = g.node("Flatten", ["image"])
        rows = (13,) if per_column else ()
        w = g.const(g.weight((13, 42) if trans else (42, 13)))
        scale, zero = g.const(g.rng.uniform(0.001, 0.01, rows).astype(np.float32)), g.const(np.zeros(rows, S8))
        bias = g.const(g.rng.integers(-9000, 9000, 13).astype(np.int32))
        y = g.node("QGemm", [x, *xq, w, scale, zero, bias, *g.quant(ty, 0.2)], MS, transB=int(trans), alpha=1.0)
        return g, [(y, ty)]
    CASES.append(build)


gemm("gemm_u8", U8, False, False)
gemm("gemm_u8_transposed_per_column", U8, True, True)
gemm("gemm_s8_transposed", S8, False, True)


def add(name, ty, sa, sb, sy):
    """An image and the same transposed: hundreds of different pairs."""
    def build():
        g = Graph(name, [1, 3, 16, 16], ty)
        t = g.node("Transpose", ["image"], perm=[0, 1, 3, 2])
        aq, bq, yq = g.quant(ty, sa), g.quant(ty, sb), g.quant(ty, sy)
        y = g.node("QLinearAdd", ["image", *aq, t, *bq, *yq], MS)
        return g, [(g.gap(y, yq, ty), ty), (y, ty)]
    CASES.append(build)


add("add_u8", U8, 0.031, 0.0173, 0.0291)
add("add_u8_halves", U8, 0.5, 0.25, 1.0)
add("add_s8", S8, 0.0513, 0.0021, 0.0444)


def average(name, ty, **kw):
    def build():
        g = Graph(name, [1, 3, 11, 10], ty)
        xq = g.quant(ty)
        y_q = g.quant(ty)
        y = g.node("QLinearAveragePool", ["image", *xq, *y_q], MS, channels_last=0, **kw)
        return g, [(g.gap(y, y_q, ty), ty), (y, ty)]
    CASES.append(build)


average("average_u8", U8, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
average("average_u8_count_pad", U8, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 1, 1, 0], count_include_pad=1)
average("average_s8", S8, kernel_shape=[2, 2], strides=[2, 2])


@case
def average_same_scale():
    g = Graph("average_same_scale", [1, 3, 8, 8])
    q = g.quant(U8, 0.0078125, 131)
    y = g.node("QLinearAveragePool", ["image", *q, *q], MS, channels_last=0, kernel_shape=[2, 2], strides=[2, 2])
    return g, [(g.gap(y, q, U8), U8), (y, U8)]


def maximum(name, ty, opset=17, **kw):
    def build():
        g = Graph(name, [1, 3, 11, 10], ty, opset)
        y = g.node("MaxPool", ["image"], **kw)
        return g, [(g.gap(y, g.quant(ty), ty), ty), (y, ty)]
    CASES.append(build)


maximum("max_u8", U8, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])
maximum("max_s8_dilated", S8, kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 2, 1, 1])
maximum("max_u8_ceil", U8, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)


@case
def concat_scales():
    g = Graph("concat_scales", [1, 3, 6, 6])
    a, aq = g.qconv("image", g.quant(U8), (4, 3, 1, 1))
    b, bq = g.qconv("image", g.quant(U8), (5, 3, 1, 1))
    yq = g.quant(U8, 0.011)
    y = g.node("QLinearConcat", [*yq, a, *aq, b, *bq, a, *yq], MS, axis=1)
    return g, [(g.gap(y, yq, U8), U8), (y, U8)]


@case
def moves():
    g = Graph("moves", [1, 3, 4, 5])
    t = g.node("Transpose", ["image"], perm=[0, 2, 3, 1])
    c = g.node("Concat", [t, t], axis=-1)
    p = g.node("Pad", [c, g.const([0, 1, 0, 2, 0, 0, 3, 1], np.int64), g.const(np.uint8(77))], mode="constant")
    r = g.node("Reshape", [p, g.const([0, -1, 3], np.int64)])
    f = g.node("Flatten", [r], axis=2)
    k = g.node("Clip", [f, g.const(np.uint8(20)), g.const(np.uint8(200))])
    u = g.node("Identity", [k])
    s = g.node("Pad", [g.node("Flatten", ["image"]), g.const([0, 0, 0, 2], np.int64)])
    return g, [(g.node("MaxPool", ["image"], kernel_shape=[4, 5]), U8), (u, U8), (s, U8)]


@case
def relu_s8():
    g = Graph("relu_s8", [1, 3, 6, 6], S8)
    y = g.node("Relu", ["image"])
    return g, [(g.gap(y, g.quant(S8), S8), S8), (y, S8)]


NORMALISE = [(485000, 229000), (456000, 224000), (406000, 225000)]


def qdq_head(g, ty=U8, scale=0.0187, zero=114):
    quant = g.quant(ty, scale, zero)
    return g.dq(g.q("image", quant), quant), scale


@case
def qdq_classifier():
    """Convolutions with Relu, a residual sum, pools, a classifier: as a quantised ResNet is exported."""
    g = Graph("qdq_classifier", [1, 3, 12, 12], np.float32, normalise=NORMALISE)
    x, s = qdq_head(g)
    def block(x, s, shape, scale, relu, **kw):
        y = g.node("Conv", [x, *g.dq_weights(shape, s, True)], kernel_shape=list(shape[2:]), **kw)
        y = g.node("Relu", [y]) if relu else y
        quant = g.quant(U8, scale, 0 if relu else 128)
        return g.dq(g.q(y, quant), quant), scale
    a, sa = block(x, s, (8, 3, 3, 3), 0.021, True, pads=[1, 1, 1, 1])
    b, sb = block(a, sa, (8, 8, 3, 3), 0.033, True, pads=[1, 1, 1, 1])
    c, sc = block(b, sb, (8, 8, 3, 3), 0.051, False, pads=[1, 1, 1, 1])
    quant = g.quant(U8, 0.047, 0)
    d = g.dq(g.q(g.node("Relu", [g.node("Add", [a, c])]), quant), quant)
    m = g.node("MaxPool", [d], kernel_shape=[2, 2], strides=[2, 2])
    m = g.dq(g.q(m, quant), quant)
    quant2 = g.quant(U8, 0.019, 3)
    p = g.dq(g.q(g.node("GlobalAveragePool", [m]), quant2), quant2)
    f = g.node("Flatten", [p])
    f = g.dq(g.q(f, quant2), quant2)
    y = g.node("Gemm", [f, *g.dq_weights((5, 8), 0.019)], transB=1)
    out = g.quant(U8, 0.4, 128)
    return g, [(g.dq(g.q(y, out), out), np.float32), (g.q(m, quant), U8)]


@case
def qdq_mobile():
    """Depthwise convolutions with Clip to 6, an average pool, a matrix product."""
    g = Graph("qdq_mobile", [1, 1, 14, 14], np.float32, normalise=[(0, 1000000)])
    x, s = qdq_head(g, U8, 1 / 255, 0)
    y = g.node("Conv", [x, *g.dq_weights((8, 1, 3, 3), s, True)], kernel_shape=[3, 3], strides=[2, 2])
    six = (g.const(np.float32(0)), g.const(np.float32(6)))
    quant = g.quant(U8, 6 / 255, 0)
    y = g.dq(g.q(g.node("Clip", [y, *six]), quant), quant)
    y = g.node("Conv", [y, *g.dq_weights((8, 1, 3, 3), 6 / 255, True)], group=8, pads=[1, 1, 1, 1])
    y = g.dq(g.q(g.node("Clip", [y, *six]), quant), quant)
    quant2 = g.quant(U8, 0.021, 7)
    y = g.node("AveragePool", [y], kernel_shape=[3, 3], strides=[3, 3])
    y = g.dq(g.q(y, quant2), quant2)
    y = g.node("Reshape", [y, g.const([1, -1], np.int64)])
    y = g.dq(g.q(y, quant2), quant2)
    y = g.node("MatMul", [y, *g.dq_weights((32, 3), 0.021, True, 1, bias=False)])
    out = g.quant(U8, 0.05, 100)
    return g, [(g.q(y, out), U8)]


@case
def qdq_joins():
    g = Graph("qdq_joins", [1, 3, 8, 8], np.float32)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    qa, qb, qy = g.quant(U8, 0.013, 120), g.quant(U8, 0.029, 90), g.quant(U8, 0.023, 133)
    a = g.node("Conv", [x, *g.dq_weights((4, 3, 3, 3), s)], pads=[1, 1, 1, 1])
    b = g.node("Conv", [x, *g.dq_weights((3, 3, 3, 3), s)], pads=[1, 1, 1, 1])
    a, b = g.dq(g.q(a, qa), qa), g.dq(g.q(b, qb), qb)
    c = g.node("Concat", [a, b], axis=1)
    c = g.dq(g.q(c, qy), qy)
    t = g.node("Transpose", [c], perm=[0, 1, 3, 2])
    t = g.dq(g.q(t, qy), qy)
    z = g.q(t, qy)
    return g, [(g.gap(z, qy, U8), U8), (z, U8)]


@case
def qdq_float_weights():
    """Weights that are quantised inside the graph."""
    g = Graph("qdq_float_weights", [1, 3, 8, 8], np.float32, opset=13)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    scale = g.const(g.rng.uniform(0.001, 0.01, 4).astype(np.float32))
    zero = g.const(np.zeros(4, S8))
    w = g.const(g.rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32))
    w = g.node("DequantizeLinear", [g.node("QuantizeLinear", [w, scale, zero], axis=0), scale, zero], axis=0)
    out = g.quant(U8, 0.02, 128)
    z = g.q(g.node("Conv", [x, w]), out)
    return g, [(g.gap(z, out, U8), U8), (z, U8)]


@case
def qdq_clip():
    """Relu and Clip on their own, between steps of the scale."""
    g = Graph("qdq_clip", [1, 3, 8, 8], np.float32, normalise=NORMALISE)
    x, _ = qdq_head(g)
    a = g.q(g.node("Relu", [x]), g.quant(U8, 0.0151, 9))
    b = g.q(g.node("Clip", [x, g.const(np.float32(-1.003)), g.const(np.float32(0.777))]), g.quant(U8, 0.0123, 100))
    return g, [(g.gap(a, g.quant(U8), U8), U8), (a, U8), (b, U8)]


@case
def qdq_relu_above():
    """Relu where the zero point is not the lowest value; ONNX Runtime computes this one in float."""
    g = Graph("qdq_relu_above", [1, 3, 8, 8], np.float32)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    out = g.quant(U8, 0.02, 40)
    z = g.q(g.node("Relu", [g.node("Conv", [x, *g.dq_weights((4, 3, 3, 3), s)])]), out)
    return g, [(g.gap(z, out, U8), U8), (z, U8)]


@case
def qdq_mixed_types():
    """From uint8 to int8 and back, clipped on the way; in float there as well."""
    g = Graph("qdq_mixed_types", [1, 3, 8, 8], np.float32)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    quant = g.quant(S8, 0.0203, -11)
    y = g.node("Conv", [x, *g.dq_weights((4, 3, 3, 3), s)])
    y = g.dq(g.q(g.node("Clip", [y, g.const(np.float32(-0.5)), g.const(np.float32(1.1))]), quant), quant)
    out = g.quant(U8, 0.017, 70)
    p = g.q(g.node("MaxPool", [g.node("Relu", [y])], kernel_shape=[2, 2]), out)
    m = g.q(g.node("GlobalAveragePool", [y]), g.quant(U8, 0.006, 100))
    return g, [(m, U8), (p, U8)]


@case
def qdq_opset_10():
    """Clip and Pad with attributes."""
    g = Graph("qdq_opset_10", [1, 3, 8, 8], np.float32, opset=10)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    p = g.node("Pad", [x], pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.0)
    quant = g.quant(U8, 1 / 255, 0)
    p = g.dq(g.q(p, quant), quant)
    y = g.node("Clip", [g.node("Conv", [p, *g.dq_weights((4, 3, 3, 3), s)])], min=0.0, max=6.0)
    out = g.quant(U8, 6 / 255, 0)
    z = g.q(y, out)
    return g, [(g.gap(z, out, U8), U8), (z, U8)]


@case
def qdq_opset_21():
    g = Graph("qdq_opset_21", [1, 3, 8, 8], np.float32, opset=21)
    x, s = qdq_head(g, U8, 1 / 255, 0)
    y = g.node("Conv", [x, *g.dq_weights((4, 3, 3, 3), s, True)], auto_pad="SAME_UPPER")
    out = g.quant(U8, 0.02, 128)
    y = g.dq(g.q(y, out), out)
    y = g.node("Pad", [y, g.const([1, 2], np.int64), "", g.const([2], np.int64)])
    z = g.q(y, out)
    return g, [(g.gap(z, out, U8), U8), (z, U8)]


@case
def nhwc_image():
    g = Graph("nhwc_image", [1, 6, 5, 3], np.float32, normalise=NORMALISE, layout="nhwc")
    quant = g.quant(U8, 0.0187, 114)
    t = g.node("Transpose", [g.q("image", quant)], perm=[0, 3, 1, 2])
    y, yq = g.qconv(t, quant, (4, 3, 3, 3))
    return g, [(g.gap(y, yq, U8), U8), (y, U8)]


@case
def signed_image():
    """Images quantised to signed numbers, in QLinear operators."""
    g = Graph("signed_image", [1, 3, 7, 7], np.float32, normalise=NORMALISE)
    quant = g.quant(S8, 0.0187, -14)
    y, yq = g.qconv(g.q("image", quant), quant, (4, 3, 3, 3), out=S8)
    return g, [(g.gap(y, yq, S8), S8), (y, S8)]


def line(array):
    kind = {"uint8": "u8", "int8": "i8", "int32": "i32", "int64": "i64"}[array.dtype.name]
    return f"{kind} {'x'.join(map(str, array.shape))} {array.tobytes().hex()}"


def images(g):
    """Noise, and the extremes."""
    channels = g.shape[1] if g.layout == "nchw" else g.shape[3]
    info = np.iinfo(U8 if g.ty == np.float32 else g.ty)
    noise = g.rng.integers(info.min, info.max + 1, g.shape).astype(info.dtype)
    hard = np.where(g.rng.random(g.shape) < 0.5, info.min, info.max).astype(info.dtype)
    return channels, [noise, hard]


def feed(g, image, channels):
    if g.ty != np.float32:
        return image
    plain = [(0, 1000000)] * channels
    shape = [1, channels, 1, 1] if g.layout == "nchw" else [1, 1, 1, channels]
    pairs = np.array(g.normalise or plain).astype(np.float32) / np.float32(1e6)
    mean, deviation = pairs[:, 0].reshape(shape), pairs[:, 1].reshape(shape)
    return (image.astype(np.float32) / np.float32(255) - mean) / deviation


def integers(value, model, name):
    """A dequantised output in integers again."""
    if value.dtype != np.float32:
        return value
    node = next(n for n in model.graph.node if n.output[0] == name)
    inits = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    scale, zero = inits[node.input[1]], inits[node.input[2]]
    return np.clip(np.rint(value / scale) + zero, 0, 255).astype(zero.dtype)


def accepted():
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    for build in CASES:
        g, outputs = build()
        model = g.model(outputs)
        bytes_ = model.SerializeToString()
        session = ort.InferenceSession(bytes_, options, providers=["CPUExecutionProvider"])
        channels, inputs = images(g)
        lines = [f"layout {g.layout}"]
        if g.normalise:
            lines.append("normalise " + " ".join(f"{m}/{d}" for m, d in g.normalise))
        for image in inputs:
            names = [o for o, _ in outputs]
            results = session.run(names, {"image": feed(g, image, channels)})
            lines += ["run", line(image)]
            lines += [line(integers(r, model, n)) for r, n in zip(results, names)]
        folder = ROOT / "accepted" / g.name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(bytes_)
        (folder / "case.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    shutil.rmtree(ROOT, ignore_errors=True)
    from functions import add as add_functions
    add_functions(CASES, Graph, qdq_head)
    from wide import add as add_wide
    add_wide(CASES, Graph, qdq_head)
    accepted()
    from refusals import refused
    refused(ROOT / "refused", Graph)
