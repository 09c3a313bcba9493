"""Graphs that must be refused, one per way of being wrong: `model.onnx` in a folder named after it."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

MS = "com.microsoft"
U8, S8 = np.uint8, np.int8


def refused(root, Graph):
    cases = {}

    def conv(name, change, **kw):
        """The valid graph that most of these are variations of."""
        g = Graph(name, [1, 3, 8, 8])
        g.qconv("image", g.quant(U8), (4, 3, 3, 3), **kw)
        y = g.gap(g.nodes[-1].output[0], g.quant(U8), U8)
        model = g.model([(y, U8)])
        change(model)
        cases[name] = model

    def init(model, at, array):
        """Replaces the convolution's operand at a position."""
        name = model.graph.node[0].input[at]
        for tensor in model.graph.initializer:
            if tensor.name == name:
                tensor.CopyFrom(numpy_helper.from_array(np.asarray(array), name))

    def changed(fn):
        conv(fn.__name__, fn)

    @changed
    def evil_conv(m):
        m.graph.node[0].domain = "evil"
        m.opset_import.append(helper.make_opsetid("evil", 1))
        m.graph.node[0].op_type = "Conv"

    @changed
    def unknown_op(m):
        m.graph.node[0].op_type = "QLinearTanh"

    @changed
    def missing_constant(m):
        del m.graph.initializer[2]

    def signal(name, shape, weights, **kw):
        """A convolution over rows of the image as signals, or as whatever the shape says."""
        g = Graph(name, [1, 3, 8, 8])
        y, _ = g.qconv(g.node("Reshape", ["image", g.const(shape, np.int64)]), g.quant(U8), weights, **kw)
        cases[name] = g.model([(y, U8)])

    signal("signal_with_four_pads", [3, 8, 8], (2, 8, 3), pads=[1, 1, 1, 1])
    signal("signal_with_two_strides", [3, 8, 8], (2, 8, 3), strides=[1, 1])
    signal("signal_with_planes_of_weights", [3, 8, 8], (2, 8, 3, 1))
    signal("three_dimensions", [1, 3, 2, 4, 8], (2, 3, 1, 1, 1))

    @changed
    def cycle(m):
        m.graph.node[0].input[0] = m.graph.node[1].output[0]

    @changed
    def unsorted(m):
        nodes = list(m.graph.node)[::-1]
        del m.graph.node[:]
        m.graph.node.extend(nodes)

    @changed
    def name_twice(m):
        m.graph.node[1].output[0] = m.graph.node[0].output[0]

    @changed
    def constant_twice(m):
        m.graph.initializer.append(m.graph.initializer[0])

    @changed
    def zero_scale(m):
        init(m, 1, np.float32(0))

    @changed
    def nan_scale(m):
        init(m, 4, np.float32(np.nan))

    @changed
    def tiny_scale(m):
        init(m, 6, np.float32(1e-30))

    @changed
    def large_multiplier(m):
        init(m, 6, np.float32(1e-9))

    @changed
    def double_scale(m):
        init(m, 1, np.float64(0.1))

    @changed
    def zero_point_of_other_type(m):
        init(m, 2, np.int8(3))

    @changed
    def scales_of_other_length(m):
        init(m, 4, np.full(3, 0.01, np.float32))

    @changed
    def bias_of_other_length(m):
        init(m, 8, np.zeros(3, np.int32))

    @changed
    def float_bias(m):
        init(m, 8, np.zeros(4, np.float32))

    @changed
    def accumulator(m):
        init(m, 8, np.array([0, -(1 << 31), 0, 0], np.int32))

    @changed
    def wrong_channels(m):
        init(m, 3, np.zeros((4, 2, 3, 3), np.int8))

    @changed
    def huge_dims(m):
        del m.graph.input[0].type.tensor_type.shape.dim[:]
        for dim in [1 << 40, 1 << 40, 1 << 40, 1 << 40]:
            m.graph.input[0].type.tensor_type.shape.dim.add().dim_value = dim

    @changed
    def huge_constant(m):
        del m.graph.initializer[0].dims[:]
        m.graph.initializer[0].dims.extend([1 << 30, 1 << 30, 1 << 30])

    @changed
    def short_constant(m):
        m.graph.initializer[2].raw_data = b"\0"

    @changed
    def half_float_constant(m):
        init(m, 1, np.float16(0.1))

    @changed
    def external_data(m):
        m.graph.initializer[2].data_location = TensorProto.EXTERNAL

    @changed
    def dynamic_batch(m):
        m.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"

    @changed
    def two_inputs(m):
        m.graph.input.append(helper.make_tensor_value_info("second", TensorProto.UINT8, [1]))

    @changed
    def wrong_shape(m):
        m.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 9

    @changed
    def image_of_int64(m):
        m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64

    @changed
    def old_opset(m):
        m.opset_import[0].version = 9

    @changed
    def new_opset(m):
        m.opset_import[0].version = 22

    @changed
    def opset_missing(m):
        del m.opset_import[1]

    @changed
    def opset_twice(m):
        m.opset_import.append(m.opset_import[0])

    @changed
    def function(m):
        m.functions.add().name = "f"

    @changed
    def training(m):
        m.training_info.add()

    @changed
    def sparse_constant(m):
        m.graph.sparse_initializer.add()

    @changed
    def annotation(m):
        m.graph.quantization_annotation.add()

    @changed
    def overload(m):
        m.graph.node[0].overload = "other"

    @changed
    def subgraph(m):
        m.graph.node[0].attribute.append(helper.make_attribute("body", helper.make_graph([], "g", [], [])))

    @changed
    def unknown_attribute(m):
        m.graph.node[0].attribute.append(helper.make_attribute("fast", 1))

    @changed
    def attribute_twice(m):
        m.graph.node[0].attribute.append(m.graph.node[0].attribute[0])

    @changed
    def attribute_of_other_type(m):
        m.graph.node[0].attribute.append(helper.make_attribute("strides", 1.0))

    @changed
    def zero_stride(m):
        m.graph.node[0].attribute.append(helper.make_attribute("strides", [0, 1]))

    @changed
    def negative_pads(m):
        m.graph.node[0].attribute.append(helper.make_attribute("pads", [-1, 0, 0, 0]))

    @changed
    def huge_pads(m):
        m.graph.node[0].attribute.append(helper.make_attribute("pads", [1 << 40, 0, 0, 0]))

    @changed
    def large_result(m):
        m.graph.node[0].attribute.append(helper.make_attribute("pads", [4096, 4096, 4096, 4096]))

    @changed
    def kernel_of_other_shape(m):
        m.graph.node[0].attribute[0].ints[0] = 2

    @changed
    def group_zero(m):
        m.graph.node[0].attribute.append(helper.make_attribute("group", 0))

    @changed
    def too_many_inputs(m):
        m.graph.node[1].input.append(m.graph.node[1].input[0])

    @changed
    def two_outputs(m):
        m.graph.node[0].output.append("more")

    @changed
    def no_output(m):
        del m.graph.output[:]

    @changed
    def output_missing(m):
        m.graph.output[0].name = "nowhere"

    @changed
    def no_graph(m):
        m.ClearField("graph")

    @changed
    def channels_last(m):
        m.graph.node[1].attribute[0].i = 1

    def graph(name, shape=(1, 3, 8, 8), ty=U8, **kw):
        g = Graph(name, list(shape), ty, **kw)
        def done(y, out=U8):
            cases[name] = g.model([(y, out)])
        return g, done

    g, done = graph("multiplications", (1, 1, 400, 400))
    a, aq = g.qconv("image", g.quant(U8), (128, 1, 1, 1))
    z = g.const(np.zeros((128, 128, 1, 1), S8))
    for _ in range(14):
        a = g.node("QLinearConv", [a, *aq, z, *aq[:1], g.const(S8(0)), *aq])
    done(a)

    g, done = graph("add_shapes")
    b, bq = g.qconv("image", g.quant(U8), (2, 3, 1, 1))
    done(g.node("QLinearAdd", ["image", *bq, b, *bq, *bq], MS))

    g, done = graph("add_ratio")
    q = g.quant(U8, 1.0)
    done(g.node("QLinearAdd", ["image", *q, "image", *g.quant(U8, 1e-4), *q], MS))

    g, done = graph("pad_reflect")
    done(g.node("Pad", ["image", g.const([0, 0, 8, 0, 0, 0, 0, 0], np.int64)], mode="reflect"))

    g, done = graph("reshape_other_count")
    done(g.node("Reshape", ["image", g.const([1, 7], np.int64)]))

    g, done = graph("reshape_computed")
    done(g.node("Reshape", ["image", "image"]))

    g, done = graph("transpose_twice")
    done(g.node("Transpose", ["image"], perm=[0, 0, 1, 2]))

    g, done = graph("pool_padding")
    done(g.node("MaxPool", ["image"], kernel_shape=[2, 2], pads=[2, 0, 0, 0]))

    g, done = graph("pool_ceil")
    kw = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}
    done(g.node("QLinearAveragePool", ["image", *g.quant(U8), *g.quant(U8)], MS, **kw))

    g, done = graph("pool_of_sums")
    y = g.node("ConvInteger", ["image", g.const(g.weight((4, 3, 3, 3)))])
    done(g.node("MaxPool", [y], kernel_shape=[2, 2]), np.int32)

    g, done = graph("dynamic_scales", ty=np.float32)
    x, y = g.node("DynamicQuantizeLinear", ["image"]), g.nodes[-1]
    y.output.extend(["scale", "zero"])
    done(x)

    g, done = graph("chain_without_end")
    y = g.node("Cast", [g.node("ConvInteger", ["image", g.const(g.weight((4, 3, 3, 3)))])], to=1)
    done(g.node("Add", [y, g.const(np.float32(1))]), np.float32)

    g, done = graph("chain_too_far")
    y = g.node("Cast", [g.node("ConvInteger", ["image", g.const(g.weight((4, 3, 3, 3)))])], to=1)
    done(g.q(g.node("Mul", [y, g.const(np.float32(1e38))]), g.quant(U8)))

    g, done = graph("chain_divided_by_zero")
    y = g.node("Cast", [g.node("ConvInteger", ["image", g.const(g.weight((4, 3, 3, 3)))])], to=1)
    done(g.q(g.node("Div", [y, g.const(np.float32(0))]), g.quant(U8)))

    g, done = graph("sums_too_deep", (1, 3, 8, 8))
    t = g.node("Reshape", [g.node("Expand", ["image", g.const([180, 3, 8, 8], np.int64)]), g.const([1, -1], np.int64)])
    done(g.node("MatMulInteger", [t, g.const(np.zeros((34560, 1), U8))]), np.int32)

    g, done = graph("div_of_integers")
    done(g.node("Div", ["image", "image"]))

    g, done = graph("cast_to_double")
    done(g.node("Cast", ["image"], to=11), np.float32)

    g, done = graph("zero_of_other_type")
    done(g.node("ConvInteger", ["image", g.const(g.weight((4, 3, 3, 3))), g.const(S8(0))]), np.int32)
    g, done = graph("window_too_large")
    done(g.node("MaxPool", ["image"], kernel_shape=[9, 9]))

    g, done = graph("relu_u8")
    done(g.node("Relu", ["image"]))

    # Float in many places.
    g, done = graph("float_conv", ty=np.float32)
    done(g.node("Conv", ["image", g.const(np.zeros((4, 3, 3, 3), np.float32))]), np.float32)

    g, done = graph("float_softmax", ty=np.float32)
    q = g.quant(U8)
    done(g.node("Softmax", [g.dq(g.q("image", q), q)]), np.float32)

    g, done = graph("float_tail", ty=np.float32)
    q = g.quant(U8)
    done(g.node("GlobalAveragePool", [g.dq(g.q("image", q), q)]), np.float32)

    g, done = graph("float_between", ty=np.float32)
    q = g.quant(U8)
    p = g.node("GlobalAveragePool", [g.dq(g.q("image", q), q)])
    done(g.q(g.node("GlobalAveragePool", [p]), q))

    g, done = graph("float_weights", ty=np.float32)
    q = g.quant(U8)
    done(g.q(g.node("Conv", [g.dq(g.q("image", q), q), g.const(np.zeros((4, 3, 3, 3), np.float32))]), q))

    g, done = graph("float_image", ty=np.float32)
    done(g.q(g.node("Relu", ["image"]), g.quant(U8)))

    g, done = graph("float_constant_bias", ty=np.float32)
    q = g.quant(U8, 0.01)
    w, b = g.dq_weights((4, 3, 3, 3), 0.01)
    done(g.q(g.node("Conv", [g.dq(g.q("image", q), q), w, g.const(np.zeros(4, np.float32))]), q))

    g, done = graph("bias_scale", ty=np.float32)
    q = g.quant(U8, 0.01)
    w, b = g.dq_weights((4, 3, 3, 3), 0.011)
    done(g.q(g.node("Conv", [g.dq(g.q("image", q), q), w, b]), q))

    g, done = graph("clip_between_steps", ty=np.float32)
    q = g.quant(U8, 0.01)
    c = g.node("Clip", [g.dq(g.q("image", q), q), g.const(np.float32(0.123)), g.const(np.float32(0.456))])
    done(g.q(g.node("GlobalAveragePool", [c]), q))

    g, done = graph("constant_with_text", ty=U8)
    done(g.node("Concat", ["image", g.node("Constant", [], value_string="x")], axis=1))

    # Numbers that are no scales, and shapes that are none.
    @changed
    def infinite_scale(m):
        init(m, 6, np.float32(np.inf))

    @changed
    def negative_scale(m):
        init(m, 1, np.float32(-0.1))

    @changed
    def denormal_scale(m):
        init(m, 4, np.float32(1e-42))

    @changed
    def scale_of_one_channel(m):
        init(m, 4, np.array([0.01, 0.01, 0, 0.01], np.float32))

    @changed
    def scale_in_a_matrix(m):
        init(m, 4, np.full((2, 2), 0.01, np.float32))

    @changed
    def scale_in_integers(m):
        init(m, 1, np.int32(1))

    @changed
    def scale_computed(m):
        m.graph.node.insert(0, helper.make_node("Relu", [m.graph.node[0].input[1]], ["computed"], name="first"))
        m.graph.node[1].input[1] = "computed"

    @changed
    def weights_computed(m):
        m.graph.node.insert(0, helper.make_node("Identity", ["image"], ["computed"], name="first"))
        m.graph.node[1].input[3] = "computed"

    @changed
    def zero_point_left_out(m):
        m.graph.node[0].input[2] = ""

    @changed
    def negative_constant_dims(m):
        m.graph.initializer[2].dims[0] = -4

    @changed
    def long_constant(m):
        m.graph.initializer[2].raw_data += b"\0"

    @changed
    def constant_out_of_range(m):
        zero = m.graph.initializer[1]
        zero.ClearField("raw_data")
        zero.int32_data.append(256)

    @changed
    def external_path(m):
        tensor = m.graph.initializer[2]
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "108")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    @changed
    def self_reading(m):
        m.graph.node[0].input[0] = m.graph.node[0].output[0]

    @changed
    def name_of_the_image(m):
        m.graph.node[0].output[0] = "image"

    @changed
    def nameless_output(m):
        m.graph.node[0].output[0] = ""

    @changed
    def output_twice(m):
        m.graph.output.append(m.graph.output[0])

    @changed
    def escapes_in_names(m):
        m.graph.node[0].name = "\x1b[2Jconv\n"
        m.graph.node[0].op_type = "\x1b[31mConv\r"

    @changed
    def long_names(m):
        m.graph.node[0].name = "n" * 4000
        m.graph.node[0].input[3] = "w" * 4000

    @changed
    def image_of_half_floats(m):
        m.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16

    @changed
    def no_input(m):
        del m.graph.input[:]

    g, done = graph("hidden_dims", ty=np.float32)
    name = g.const(np.zeros(0, np.float32))
    del g.inits[-1].dims[:]
    g.inits[-1].dims.extend([0, 1 << 40, 1 << 40])
    done(g.node("QuantizeLinear", [name, g.const(np.full(3, 0.1, np.float32)), g.const(np.zeros(3, U8))], axis=0))

    g, done = graph("positions", ty=U8)
    x = g.node("Expand", ["image", g.const([1000, 3, 8, 8], np.int64)])
    x = g.node("Reshape", [x, g.const([1, 192_000], np.int64)])
    x = g.node("Concat", [x, x], axis=1)
    done(g.node("Slice", [x, g.const([1], np.int64), g.const([9], np.int64), g.const([1], np.int64)]))

    g, done = graph("moved_again_and_again", ty=np.float32)
    q = g.quant(U8)
    x = g.node("Softmax", [g.dq(g.q("image", q), q)])
    for _ in range(65):
        x = g.node("Transpose", [x])
    done(g.q(x, q))

    g, done = graph("functions_of_channels", ty=np.float32)
    q = g.quant(U8)
    x = g.node("Reshape", [g.dq(g.q("image", q), q), g.const([1, 192, 1, 1], np.int64)])
    x = g.node("BatchNormalization", [x, *(g.const(np.ones(192, np.float32)) for _ in range(4))])
    for _ in range(3):
        x = g.node("Erf", [x])
    done(g.q(x, q))

    g, done = graph("product_accumulator")
    q = g.quant(U8, zero=0)
    a = g.node("Expand", ["image", g.const([200, 3, 8, 8], np.int64)])
    row, column = (g.node("Reshape", [a, g.const(dims, np.int64)]) for dims in ([1, 38_400], [38_400, 1]))
    done(g.node("QLinearMatMul", [row, *q, column, *q, *q]))

    g, done = graph("product_depth")
    q = g.quant(U8)
    done(g.node("QLinearMatMul", ["image", *q, g.node("Reshape", ["image", g.const([1, 3, 4, 16], np.int64)]), *q, *q]))

    g, done = graph("matrix_depth")
    done(g.node("QLinearMatMul", ["image", *g.quant(U8), *g.conv_weights((7, 4)), *g.quant(U8)]))

    g, done = graph("rank_of_nine")
    done(g.node("Reshape", ["image", g.const([1] * 8 + [192], np.int64)]))

    g, done = graph("split_unevenly")
    x = helper.make_node("Split", ["image", g.const([1, 1], np.int64)], ["a", "b"], name="Split_1", axis=1)
    g.nodes.append(x)
    done("a")

    g, done = graph("gather_outside")
    done(g.node("Gather", ["image", g.const([3], np.int64)], axis=1))

    g, done = graph("slice_of_nothing")
    done(g.node("Slice", ["image", g.const([5], np.int64), g.const([5], np.int64), g.const([2], np.int64)]))

    g, done = graph("expand_to_other")
    done(g.node("Expand", ["image", g.const([1, 2, 8, 8], np.int64)]))

    g, done = graph("concat_of_other_axis")
    done(g.node("Concat", ["image", "image"], axis=4))

    g, done = graph("depth_to_parts")
    done(g.node("DepthToSpace", ["image"], blocksize=2))

    g, done = graph("resize_cubic")
    sizes = g.const([1, 3, 16, 16], np.int64)
    done(g.node("Resize", ["image", "", "", sizes], mode="cubic"))

    g, done = graph("resize_to_nothing")
    done(g.node("Resize", ["image", "", g.const(np.array([1, 1, 0.01, 1], np.float32))]))

    def curved(name, op, *more, **attributes):
        g, done = graph(name, ty=np.float32)
        q = g.quant(U8)
        x = g.dq(g.q("image", q), q)
        done(g.q(g.node(op, [x, *(g.const(np.float32(one)) for one in more)], **attributes), q))

    curved("root_of_negatives", "Sqrt")
    curved("other_power", "Pow", 2.5)
    curved("approximate_gelu", "Gelu", approximate="tanh")
    curved("infinite_slope", "LeakyRelu", alpha=float("inf"))
    curved("sine", "Sin")

    g, done = graph("training_mode", ty=np.float32)
    q = g.quant(U8)
    norm = [g.const(np.ones(3, np.float32)) for _ in range(4)]
    done(g.q(g.node("BatchNormalization", [g.dq(g.q("image", q), q), *norm], training_mode=1), q))

    # Files that are no models.
    whole = cases["sine"].SerializeToString()
    cases["cut_off"] = whole[:-20]
    cases["pointer"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    cases["archive"] = b"PK\x03\x04\x14\x00\x00\x00archive/data.pkl" + bytes(40)
    cases["page"] = b"<!DOCTYPE html><html><body>404</body></html>"
    cases["empty"] = b""
    cases["groups"] = b"\x3b\x3c" * 40

    for name, model in cases.items():
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
