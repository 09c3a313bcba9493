"""Cases of integers of 32 and 64 bits for cross_check.py: sums, chains that quantise them, positions, casts, moves."""
import numpy as np

U8, S8, I32, I64, F32 = np.uint8, np.int8, np.int32, np.int64, np.float32
TO = {F32: 1, U8: 2, S8: 3, I32: 6, I64: 7}


def add(cases, Graph, qdq_head):
    def case(name, shape, build, **kw):
        def made():
            g = Graph(name, shape, **kw)
            return g, build(g)
        cases.append(made)

    def integer(g, x, shape, ty, wt, zero=True, **kw):
        """ConvInteger with random weights."""
        inputs = [x, g.const(g.weight(shape, wt))]
        if zero:
            inputs += [g.const(g.zero(ty)), g.const(g.zero(wt) if wt == U8 else S8(0))]
        return g.node("ConvInteger", inputs, **kw)

    def head(g, ty=U8):
        return g.node("MaxPool", ["image"], kernel_shape=g.shape[2:]), ty

    def conv(name, w, ty=U8, wt=U8, **kw):
        def build(g):
            y = integer(g, "image", w, ty, wt, **kw)
            return [head(g, ty), (y, I32), (g.node("Transpose", [y], perm=[0, 2, 3, 1]), I32)]
        case(name, [1, 3, 9, 8], build, ty=ty)

    conv("integer_conv_u8", (5, 3, 3, 3))
    conv("integer_conv_strided", (18, 3, 3, 2), strides=[2, 3], pads=[0, 1, 2, 1])
    conv("integer_conv_dilated", (4, 3, 3, 3), dilations=[2, 3], pads=[2, 1, 2, 3])
    conv("integer_conv_same_lower", (4, 3, 4, 3), strides=[2, 2], auto_pad="SAME_LOWER")
    conv("integer_conv_depthwise", (6, 1, 3, 3), group=3, pads=[1, 1, 1, 1])
    conv("integer_conv_s8_weights", (7, 3, 1, 1), wt=S8)
    conv("integer_conv_no_zero", (5, 3, 3, 3), zero=False)

    def matmul(name, ty, wt, per_column):
        def build(g):
            columns = (g.rng.integers(90, 160, 5) if wt == U8 else g.rng.integers(-9, 9, 5)).astype(wt)
            zero = g.const(columns if per_column else columns[0])
            y = g.node("MatMulInteger", ["image", g.const(g.weight((12, 5), wt)), g.const(g.zero(ty)), zero])
            return [(y, I32)]
        case(name, [1, 1, 4, 12], build, ty=ty)

    matmul("integer_matmul_u8", U8, U8, False)
    matmul("integer_matmul_u8_s8_per_column", U8, S8, True)
    matmul("integer_matmul_s8", S8, S8, False)

    def computed(g):
        t = g.node("Transpose", ["image"], perm=[0, 1, 3, 2])
        return [head(g), (g.node("MatMulInteger", ["image", t, g.const(U8(99)), g.const(U8(140))]), I32)]
    case("integer_matmul_computed", [1, 3, 6, 7], computed)

    def arg(name, ty, op="ArgMax", **kw):
        def build(g):
            y = g.node(op, ["image"], **kw)
            return [head(g, ty), (y, I64), (g.node("Cast", [y], to=TO[I32]), I32), (g.node("Cast", [y], to=TO[U8]), U8)]
        case(name, [1, 3, 7, 6], build, ty=ty)

    arg("arg_max_u8", U8, axis=1)
    arg("arg_max_s8_rows", S8, axis=-1, keepdims=0)
    arg("arg_max_s8_last", S8, axis=1, select_last_index=1)
    arg("arg_min_u8", U8, "ArgMin", axis=2, keepdims=0)

    def mask(g):
        """A segmentation: each place's class, behind dequantised integers."""
        x, s = qdq_head(g, U8, 1 / 255, 0)
        quant = g.quant(U8, 0.02, 128)
        y = g.node("Conv", [x, *g.dq_weights((4, 3, 3, 3), s, True)], pads=[1, 1, 1, 1])
        z = g.q(y, quant)
        y = g.node("ArgMax", [g.dq(z, quant)], axis=1, keepdims=0)
        return [(g.gap(z, quant, U8), U8), (y, I64)]
    case("arg_max_qdq", [1, 3, 8, 8], mask, ty=F32)

    def classes(g):
        f = g.node("Flatten", ["image"])
        y = g.node("MatMulInteger", [f, g.const(g.weight((24, 6), S8)), g.const(g.zero(U8))])
        return [(y, I32), (g.node("ArgMax", [y], axis=-1), I64)]
    case("integer_classifier", [1, 1, 4, 6], classes)

    def chain(g):
        """What quantize_dynamic writes, its scales constant: a convolution and a matrix product with bias and Relu."""
        y = integer(g, "image", (6, 3, 3, 3), U8, S8)
        scale = g.node("Mul", [g.const(g.scale(), F32), g.const(g.rng.uniform(0.001, 0.01, (1, 6, 1, 1)).astype(F32))])
        y = g.node("Mul", [g.node("Cast", [y], to=TO[F32]), scale])
        y = g.node("Add", [y, g.const(g.rng.normal(0, 3, (1, 6, 1, 1)).astype(F32))])
        quant = g.quant(U8, 0.09, 3)
        y = g.q(g.node("Relu", [y]), quant)
        f = g.node("Flatten", [g.node("MaxPool", [y], kernel_shape=[3, 3], strides=[3, 3])])
        m = g.node("MatMulInteger", [f, g.const(g.weight((24, 5), S8)), g.const(U8(3))])
        m = g.node("Mul", [g.node("Cast", [m], to=TO[F32]), g.const(g.rng.uniform(0.0001, 0.001, 5).astype(F32))])
        out = g.quant(U8, 0.02, 120)
        return [(g.q(g.node("Add", [m, g.const(g.rng.normal(0, 0.3, 5).astype(F32))]), out), U8), (y, U8)]
    case("integer_chain", [1, 3, 8, 8], chain)

    def clipped(g):
        y = integer(g, "image", (4, 3, 2, 2), U8, U8)
        d = g.node("DequantizeLinear", [y, g.const(F32(0.00037))])
        d = g.node("Clip", [g.node("Sub", [d, g.const(F32(0.5))]), g.const(F32(-2)), g.const(F32(3.3))])
        d = g.node("Div", [d, g.const(g.rng.uniform(0.5, 2, (4, 1, 1)).astype(F32))])
        return [head(g), (g.q(d, g.quant(S8, 0.031)), S8)]
    case("integer_chain_dequantised", [1, 3, 7, 7], clipped, opset=13)

    def moves(g):
        y = integer(g, "image", (4, 3, 2, 2), U8, U8)
        c = g.node("Concat", [y, g.node("Slice", [y, g.const([1], I64), g.const([3], I64), g.const([1], I64)])], axis=1)
        r = g.node("Reshape", [c, g.const([6, -1], I64)])
        t = g.node("Transpose", [r])
        w = g.node("Gather", [t, g.const([5, 0, 0], I64)], axis=1)
        u = g.node("Unsqueeze", [w, g.const([0], I64)])
        return [head(g), (c, I32), (u, I32), (g.node("Cast", [u], to=TO[I64]), I64), (g.node("Cast", [u], to=TO[S8]), S8)]
    case("integer_moves", [1, 3, 5, 6], moves)

    def floats(g):
        """Bytes as the floats that they are."""
        x = g.node("Cast", ["image"], to=TO[F32])
        quant = g.quant(U8, 0.73, 17)
        return [head(g), (g.q(g.node("Sigmoid", [g.node("Mul", [x, g.const(F32(0.02))])]), g.quant(U8, 1 / 256, 0)), U8),
                (g.q(x, quant), U8), (g.node("Cast", ["image"], to=TO[I64]), I64)]
    case("cast_to_float", [1, 3, 4, 4], floats)

    MS = "com.microsoft"

    def pool_ceil(g):
        """Windows that begin inside and end behind the padded input."""
        y = g.node("MaxPool", ["image"], kernel_shape=[3, 3], strides=[2, 3], pads=[1, 0, 0, 1], ceil_mode=1)
        xq, yq = g.quant(U8), g.quant(U8)
        kw = {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1, "channels_last": 0}
        a = g.node("QLinearAveragePool", ["image", *xq, *yq], MS, **kw)
        return [head(g), (y, U8), (a, U8)]
    case("pools_of_parts", [1, 3, 12, 11], pool_ceil)

    def pads(g):
        each = [("edge", [0, 1, 2, 5, 0, 0, 3, 1]), ("reflect", [0, 2, 3, 0, 0, 0, 1, 4]), ("wrap", [0, 0, 9, 2, 0, 1, 3, 6])]
        outs = [(g.node("Pad", ["image", g.const(by, I64)], mode=mode), S8) for mode, by in each]
        return [head(g, S8), *outs]
    case("pad_modes", [1, 3, 4, 5], pads, ty=S8, opset=19)

    def channels(g):
        """Scales and zero points for each channel of a tensor."""
        scales, zeros = g.const(g.rng.uniform(0.01, 0.05, 3).astype(F32)), g.const(g.rng.integers(90, 150, 3).astype(U8))
        x = g.node("DequantizeLinear", ["image", scales, zeros], axis=1)
        return [head(g), (g.q(x, g.quant(U8)), U8), (g.q(g.node("Relu", [x]), g.quant(S8)), S8)]
    case("channels_with_scales", [1, 3, 6, 6], channels)

    def stacks(g):
        """Constant matrices, one for each of the image's, and a left side that is turned."""
        b = (g.const(g.weight((3, 7, 4))), g.const(F32(0.004)), g.const(S8(-3)))
        y = g.node("QLinearMatMul", ["image", *g.quant(U8), *b, *g.quant(U8, 0.4)])
        xq, out = g.quant(U8, 0.02), g.quant(U8, 0.1)
        x = g.dq(g.node("Reshape", ["image", g.const([15, -1], I64)]), xq)
        t = g.node("Gemm", [x, *g.dq_weights((6, 15), 0.02)], transA=1, transB=1)
        m = g.dq(g.const(g.weight((3, 7, 2))), (g.const(F32(0.003)), g.const(S8(0))))
        d = g.node("MatMul", [g.dq("image", xq), m])
        return [head(g), (y, U8), (g.q(t, out), U8), (g.q(d, out), U8)]
    case("products_of_stacks", [1, 3, 5, 7], stacks)
