"""Cases of cross_check.py: functions of one number, products of computed tensors, rows, moves, other sizes."""
import numpy as np

U8, S8, MS = np.uint8, np.int8, "com.microsoft"


def add(CASES, Graph, qdq_head):
    def case(build):
        CASES.append(build)

    def ends(g, z, quant, ty=U8):
        """The tensor under test, and before it something small."""
        return g, [(g.gap(z, quant, ty), ty), (z, ty)]

    def function(name, op, low=-6.0, high=6.0, domain="", opset=17, out=None, consts=(), **attributes):
        """A function of every one of 256 bytes, in float in ONNX Runtime as well."""
        def build():
            g = Graph(name, [1, 1, 16, 16], np.float32, opset)
            x, _ = qdq_head(g, U8, 1 / 255, 0)
            scale = np.float32((high - low) / 255)
            quant = g.quant(U8, scale, np.clip(np.rint(-low / scale), 0, 255))
            # 0 to 1 is spread over low to high by a convolution of one tap.
            w = g.dq(g.const(np.full((1, 1, 1, 1), 127, S8)), (g.const(np.float32((high - low) / 127)), g.const(S8(0))))
            b = g.dq(g.const(np.array([round(low / ((high - low) / 127 / 255))], np.int32)),
                     (g.const(np.float32(np.float32(1 / 255) * np.float32((high - low) / 127))), g.const(np.int32(0))))
            x = g.dq(g.q(g.node("Conv", [x, w, b]), quant), quant)
            z = g.node(op, [x, *[g.const(np.asarray(c)) for c in consts]], domain, **attributes)
            y_quant = g.quant(U8, *(out or ((high - low) / 255, 100)))
            return ends(g, g.q(z, y_quant), y_quant)
        case(build)

    function("function_sigmoid", "Sigmoid", out=(1 / 255, 0))
    function("function_tanh", "Tanh", out=(2 / 255, 128))
    function("function_erf", "Erf", -3, 3, out=(2 / 255, 128))
    function("function_exp", "Exp", -4, 2, out=(7.4 / 255, 0))
    function("function_sqrt", "Sqrt", 0, 4, out=(2 / 255, 0))
    function("function_abs", "Abs", out=(6 / 255, 0))
    function("function_neg", "Neg", out=(12 / 255, 128))
    function("function_reciprocal", "Reciprocal", 0.5, 4, out=(2 / 255, 0))
    function("function_hard_sigmoid", "HardSigmoid", out=(1 / 255, 0), alpha=1 / 6, beta=0.5)
    function("function_hard_swish", "HardSwish", out=(6.4 / 255, 15))
    function("function_leaky_relu", "LeakyRelu", out=(6.6 / 255, 25), alpha=0.1)
    function("function_elu", "Elu", out=(7 / 255, 36), alpha=1.0)
    function("function_gelu", "Gelu", opset=20, out=(6.2 / 255, 7))
    function("function_gelu_microsoft", "Gelu", domain=MS, out=(6.2 / 255, 7))
    function("function_quick_gelu", "QuickGelu", domain=MS, out=(6.2 / 255, 7), alpha=1.702)
    function("function_pow", "Pow", out=(36 / 255, 0), consts=[np.float32(2)])
    function("function_prelu", "PRelu", out=(7.5 / 255, 51), consts=[np.array([[[0.25]]], np.float32)])
    function("function_add", "Add", out=(12 / 255, 60), consts=[np.float32(1.5)])
    function("function_div", "Div", out=(2 / 255, 128), consts=[np.float32(6)])
    function("function_batch_normalization", "BatchNormalization", out=(9 / 255, 110),
             consts=[np.float32([0.7]), np.float32([0.3]), np.float32([-0.2]), np.float32([1.9])])

    def composed(name, steps, out):
        """Several float steps between DequantizeLinear and QuantizeLinear."""
        def build():
            g = Graph(name, [1, 1, 16, 16], np.float32, normalise=[(500000, 100000)])
            x, _ = qdq_head(g, U8, 10 / 255, 128)
            quant = g.quant(U8, *out)
            return ends(g, g.q(steps(g, x), quant), quant)
        case(build)

    composed("composed_silu", lambda g, x: g.node("Mul", [x, g.node("Sigmoid", [x])]), (5.3 / 255, 14))
    composed("composed_hard_swish", lambda g, x: g.node("Div", [g.node("Mul", [x, g.node("Clip", [
        g.node("Add", [x, g.const(np.float32(3))]), g.const(np.float32(0)), g.const(np.float32(6))])]),
        g.const(np.float32(6))]), (5.4 / 255, 18))
    composed("composed_gelu", lambda g, x: g.node("Mul", [g.node("Mul", [x, g.node("Add", [g.node("Erf", [
        g.node("Div", [x, g.const(np.float32(2 ** 0.5))])]), g.const(np.float32(1))])]), g.const(np.float32(0.5))]),
        (5.2 / 255, 8))

    @case
    def channel_affine():
        """A batch normalisation before its Relu, as DenseNet has it, and a number for each channel."""
        g = Graph("channel_affine", [1, 3, 6, 6], np.float32)
        x, _ = qdq_head(g, U8, 1 / 255, 0)
        p = [g.const(g.rng.uniform(low, high, 3).astype(np.float32)) for low, high in
             [(0.5, 2), (-0.5, 0.5), (0.3, 0.6), (0.05, 0.3)]]
        quant = g.quant(U8, 4 / 255, 0)
        y = g.node("Relu", [g.node("BatchNormalization", [x, *p], epsilon=1e-3)])
        y = g.dq(g.q(y, quant), quant)
        y = g.node("Mul", [y, g.const(g.rng.uniform(0.2, 1, (3, 1, 1)).astype(np.float32))])
        quant = g.quant(U8, 3 / 255, 9)
        return ends(g, g.q(y, quant), quant)

    def qlinear(name, op, ty, out, **kw):
        def build():
            g = Graph(name, [1, 1, 16, 16], ty)
            quant = g.quant(ty, *out)
            zero = 128 if ty == U8 else 0
            z = g.node(op, ["image", *g.quant(ty, 12 / 255, zero), *quant], MS, **kw)
            return ends(g, z, quant, ty)
        case(build)

    qlinear("qlinear_sigmoid_u8", "QLinearSigmoid", U8, (1 / 255, 0))
    qlinear("qlinear_sigmoid_s8", "QLinearSigmoid", S8, (1 / 255, -128))
    qlinear("qlinear_leaky_relu_u8", "QLinearLeakyRelu", U8, (7 / 255, 20), alpha=0.1)
    qlinear("qlinear_leaky_relu_s8", "QLinearLeakyRelu", S8, (7 / 255, -100), alpha=0.2)

    def softmax(name, ty, axis, opset, scale):
        def build():
            g = Graph(name, [1, 3, 5, 8], ty)
            quant = g.quant(ty, 1 / 256, 0 if ty == U8 else -128)
            x_quant = g.quant(ty, scale, 120 if ty == U8 else 3)
            z = g.node("QLinearSoftmax", ["image", *x_quant, *quant], MS, axis=axis, opset=opset)
            return ends(g, z, quant, ty)
        case(build)

    softmax("softmax_u8", U8, -1, 13, 0.05)
    softmax("softmax_s8", S8, -1, 13, 0.02)
    softmax("softmax_u8_flat", U8, 1, 11, 0.03)

    @case
    def qdq_softmax():
        """Along the channels: scores of each place. ONNX Runtime rounds 1 / y_scale down, so it must be a whole number."""
        g = Graph("qdq_softmax", [1, 3, 6, 6], np.float32, normalise=[(500000, 100000)] * 3)
        x, _ = qdq_head(g, U8, 10 / 255, 128)
        quant = g.quant(U8, 1 / 256, 0)
        return ends(g, g.q(g.node("Softmax", [x], axis=1), quant), quant)

    def mul(name, ty, shape, by, sizes):
        """An image times a part of it, which is repeated."""
        def build():
            g = Graph(name, [1, *shape], ty)
            aq, bq, yq = (g.quant(ty, size) for size in sizes)
            part = g.node("MaxPool", ["image"], kernel_shape=list(shape[1:])) if by == "channel" else "image"
            part = g.node("Transpose", ["image"], perm=[0, 1, 3, 2]) if by == "turned" else part
            return ends(g, g.node("QLinearMul", ["image", *aq, part, *bq, *yq], MS), yq, ty)
        case(build)

    mul("mul_u8", U8, (3, 16, 16), "turned", (0.031, 0.0173, 0.0671))
    mul("mul_s8", S8, (3, 16, 16), "turned", (0.021, 0.0373, 0.0951))
    mul("mul_u8_channels", U8, (3, 7, 9), "channel", (0.031, 0.0173, 0.0671))

    @case
    def add_channels():
        g = Graph("add_channels", [1, 3, 7, 9])
        aq, bq, yq = g.quant(U8, 0.031), g.quant(U8, 0.0173), g.quant(U8, 0.04)
        part = g.node("MaxPool", ["image"], kernel_shape=[7, 9])
        return ends(g, g.node("QLinearAdd", [part, *bq, "image", *aq, *yq], MS), yq)

    @case
    def squeeze_and_excite():
        """Channels weighed by what is in them: MobileNetV3 and EfficientNet."""
        g = Graph("squeeze_and_excite", [1, 3, 8, 8], np.float32)
        x, s = qdq_head(g, U8, 1 / 255, 0)
        quant = g.quant(U8, 0.021, 120)
        y = g.dq(g.q(g.node("Conv", [x, *g.dq_weights((8, 3, 3, 3), s, True)], pads=[1, 1, 1, 1]), quant), quant)
        p_quant = g.quant(U8, 0.013, 100)
        p = g.dq(g.q(g.node("GlobalAveragePool", [y]), p_quant), p_quant)
        h_quant = g.quant(U8, 0.011, 0)
        h = g.dq(g.q(g.node("Relu", [g.node("Conv", [p, *g.dq_weights((4, 8, 1, 1), 0.013)])]), h_quant), h_quant)
        e_quant = g.quant(U8, 0.031, 128)
        e = g.dq(g.q(g.node("Conv", [h, *g.dq_weights((8, 4, 1, 1), 0.011)]), e_quant), e_quant)
        w_quant = g.quant(U8, 1 / 255, 0)
        w = g.dq(g.q(g.node("Sigmoid", [e]), w_quant), w_quant)
        z_quant = g.quant(U8, 0.012, 117)
        return ends(g, g.q(g.node("Mul", [y, w]), z_quant), z_quant)

    def attention(name, ty):
        """Two computed matrices: once as they are, once one beside many."""
        def build():
            g = Graph(name, [1, 3, 9, 16], ty)
            turned = g.node("Transpose", ["image"], perm=[0, 1, 3, 2])
            aq, bq, yq = g.quant(ty, 0.011), g.quant(ty, 0.013), g.quant(ty, 0.2)
            y = g.node("QLinearMatMul", ["image", *aq, turned, *bq, *yq])
            one = g.node("MaxPool", [turned], kernel_shape=[1, 9])
            two = g.node("QLinearMatMul", ["image", *aq, one, *bq, *yq])
            return g, [(g.gap(y, yq, ty), ty), (y, ty), (two, ty)]
        case(build)

    attention("attention_u8", U8)
    attention("attention_s8", S8)

    @case
    def layer_normalization():
        g = Graph("layer_normalization", [1, 3, 5, 48], np.float32, normalise=[(500000, 100000)] * 3)
        x, _ = qdq_head(g, U8, 10 / 255, 128)
        gamma = g.const(g.rng.uniform(0.5, 1.5, 48).astype(np.float32))
        beta = g.const(g.rng.uniform(-0.3, 0.3, 48).astype(np.float32))
        quant = g.quant(U8, 6 / 255, 128)
        y = g.q(g.node("LayerNormalization", [x, gamma, beta], epsilon=1e-6, axis=-1), quant)
        both = g.const(g.rng.uniform(0.5, 1.5, (5, 48)).astype(np.float32))
        z = g.q(g.node("LayerNormalization", [x, both], epsilon=1e-5, axis=-2), quant)
        return g, [(g.gap(y, quant, U8), U8), (y, U8), (z, U8)]

    def mean(name, axes, keep, opset):
        def build():
            g = Graph(name, [1, 3, 6, 8], np.float32, opset)
            x, _ = qdq_head(g, U8, 1 / 255, 0)
            quant = g.quant(U8, 0.0037, 3)
            if opset < 18:
                y = g.node("ReduceMean", [x], axes=axes, keepdims=keep)
            else:
                y = g.node("ReduceMean", [x, g.const(axes, np.int64)], keepdims=keep)
            z = g.q(y, quant)
            return g, [(z, U8)]
        case(build)

    mean("mean_planes", [2, 3], 1, 17)
    mean("mean_channels_opset_18", [1], 0, 18)
    mean("mean_rows", [-2], 0, 13)

    def transposed(name, shape, weights, per_channel=False, bias=True, **kw):
        def build():
            g = Graph(name, [1, *shape], np.float32)
            x, s = qdq_head(g, U8, 1 / 255, 0)
            if len(weights) == 3:
                # Rows as signals.
                x = g.node("Reshape", [x, g.const(shape, np.int64)])
            rows = weights[1] * kw.get("group", 1)
            w_scale = g.rng.uniform(0.001, 0.01, weights[1] if per_channel else ()).astype(np.float32)
            w = g.dq(g.const(g.weight(weights)), (g.const(w_scale), g.const(np.zeros(w_scale.shape, S8))),
                     **({"axis": 1} if per_channel else {}))
            inputs = [x, w]
            if bias:
                b_scale = (np.float32(s) * w_scale).astype(np.float32)
                inputs.append(g.dq(g.const(g.rng.integers(-4000, 4000, rows).astype(np.int32)),
                                   (g.const(b_scale), g.const(np.zeros(b_scale.shape, np.int32))),
                                   **({"axis": 0} if per_channel else {})))
            quant = g.quant(U8, 0.02, 128)
            return ends(g, g.q(g.node("ConvTranspose", inputs, **kw), quant), quant)
        case(build)

    transposed("transposed_doubling", (3, 5, 6), (3, 4, 2, 2), True, strides=[2, 2])
    transposed("transposed_overlapping", (3, 5, 6), (3, 4, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1],
               output_padding=[1, 1])
    transposed("transposed_4x4", (3, 4, 7), (3, 2, 4, 4), True, strides=[2, 2], pads=[1, 1, 1, 1])
    transposed("transposed_plain", (3, 5, 5), (3, 2, 3, 2), bias=False)
    transposed("transposed_signals", (3, 5, 6), (5, 4, 5), True, strides=[3], pads=[2, 1], output_padding=[1])
    transposed("transposed_groups", (3, 5, 5), (3, 2, 3, 3), group=3, strides=[3, 2], pads=[0, 1, 1, 0])
    transposed("transposed_same", (3, 5, 4), (3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")

    def resized(name, mode, opset=17, ty=U8, sizes=None, scales=None, **kw):
        def build():
            g = Graph(name, [1, 3, 6, 7], np.float32, opset)
            x, _ = qdq_head(g, U8, 1 / 255, 0)
            quant = g.quant(U8, 1 / 255 if mode == "nearest" else 0.0041, 0 if mode == "nearest" else 2)
            given = [g.const(np.float32([1, 1, *scales]))] if scales else ["", g.const([1, 3, *sizes], np.int64)]
            z = g.q(g.node("Resize", [x, "", *given], mode=mode, **kw), quant)
            return ends(g, z, quant)
        case(build)

    resized("resize_nearest", "nearest", scales=[2, 2], coordinate_transformation_mode="asymmetric",
            nearest_mode="floor")
    resized("resize_nearest_half", "nearest", sizes=[9, 5])
    resized("resize_nearest_corners", "nearest", sizes=[11, 13], coordinate_transformation_mode="align_corners",
            nearest_mode="round_prefer_ceil")
    resized("resize_linear", "linear", scales=[2, 2])
    resized("resize_linear_pytorch", "linear", sizes=[5, 12], coordinate_transformation_mode="pytorch_half_pixel")
    resized("resize_linear_corners", "linear", sizes=[12, 14], coordinate_transformation_mode="align_corners")
    resized("resize_linear_asymmetric", "linear", opset=19, scales=[1.5, 2.5],
            coordinate_transformation_mode="asymmetric")

    @case
    def picks():
        g = Graph("picks", [1, 3, 8, 6])
        i64 = lambda *values: g.const(list(values), np.int64)
        s = g.node("Slice", ["image", i64(-1, 1), i64(-9, 5), i64(2, 3), i64(-2, 3)])
        g.nodes.append(__import__("onnx").helper.make_node("Split", ["image", i64(3, 5)], ["left", "right"], axis=2))
        e = g.node("Expand", [g.node("Gather", ["image", i64(2, 0, 2)], axis=1), i64(2, 1, 8, 6)])
        one = g.node("Gather", ["image", g.const(np.int64(-3))], axis=2)
        u = g.node("Squeeze", [g.node("Unsqueeze", [one, i64(0, 3)]), i64(0)])
        d = g.node("SpaceToDepth", ["image"], blocksize=2)
        back = g.node("DepthToSpace", [d], blocksize=2, mode="CRD")
        other = g.node("DepthToSpace", [d], blocksize=2)
        small = g.node("MaxPool", ["image"], kernel_shape=[8, 6])
        return g, [(small, U8)] + [(z, U8) for z in (s, "left", "right", e, u, d, back, other)]

    @case
    def split_evenly():
        """The parts of a tensor that holds queries, keys and values."""
        g = Graph("split_evenly", [1, 3, 4, 7], np.float32, opset=18)
        x, _ = qdq_head(g, U8, 1 / 255, 0)
        names = ["q", "k", "v"]
        g.nodes.append(__import__("onnx").helper.make_node("Split", [x], names, axis=-1, num_outputs=3))
        quant = g.quant(U8, 1 / 255, 0)
        return g, [(g.q(name, quant), U8) for name in names]
