"""The table, a small network in numpy, and its integer twin.

`load_breast_cancer` of scikit-learn is the table: 569 rows, 30 measured columns, label 1 here means malignant. A column
becomes 8 bits as the manifest's pipeline does it (TABLE.md): `half_up(255 · (v − low) / (high − low))`, clamped, with
low and high in millionths. The network sees these bytes divided by 255: 30 → 16 (ReLU) → 1. Its twin has s8 weights,
symmetric, per tensor, u8 activations and i32 biases, as ONNX's QGemm computes them.
"""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold

HIDDEN, STEPS, RATE, DECAY = 16, 1500, 0.01, 1e-3
OPSETS = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]


def table():
    """(names, values in billionths i64 [569, 30], labels i64 [569])."""
    data = load_breast_cancer()
    # The bundled file's decimals have at most seven places: rounding to nine restores them exactly.
    values = np.array([[int(round(v * 1e9)) for v in row] for row in data.data], np.int64)
    return [name.replace(" ", "_") for name in data.feature_names], values, 1 - data.target.astype(np.int64)


def folds(labels, seed):
    """Five (train, test) pairs of positions."""
    return list(StratifiedKFold(5, shuffle=True, random_state=seed).split(labels, labels))


def ranges(values):
    """Low and high of each column in millionths: the 0.5 and 99.5 percentiles."""
    low = np.floor(np.percentile(values, 0.5, axis=0) / 1000).astype(np.int64)
    high = np.ceil(np.percentile(values, 99.5, axis=0) / 1000).astype(np.int64)
    return low, high


def to_bytes(values, low, high):
    """What the pipeline makes of rows: u8 [rows, columns]. Python's integers, so that nothing is rounded twice."""
    rows = []
    for row in values:
        cells = []
        for v, lo, hi in zip(row.tolist(), low.tolist(), high.tolist()):
            d, span = v - lo * 1000, (hi - lo) * 1000
            cells.append(min(max((2 * 255 * d + span) // (2 * span), 0), 255))
        rows.append(cells)
    return np.array(rows, np.uint8)


def forward(p, x):
    h = np.maximum(x @ p["w0"] + p["b0"], 0)
    return h, (h @ p["w1"] + p["b1"])[:, 0]


def train(x, y, seed):
    """Full-batch Adam on cross entropy with decayed weights."""
    rng = np.random.default_rng(seed)
    p = {
        "w0": rng.normal(0, np.sqrt(2 / x.shape[1]), (x.shape[1], HIDDEN)), "b0": np.zeros(HIDDEN),
        "w1": rng.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, 1)), "b1": np.zeros(1),
    }
    first, second = ({k: np.zeros_like(v) for k, v in p.items()} for _ in range(2))
    for step in range(1, STEPS + 1):
        h, logit = forward(p, x)
        slope = ((1 / (1 + np.exp(-logit))) - y)[:, None] / len(y)
        back = (slope @ p["w1"].T) * (h > 0)
        grads = {"w1": h.T @ slope, "b1": slope.sum(0), "w0": x.T @ back, "b0": back.sum(0)}
        for k in p:
            g = grads[k] + (DECAY * p[k] if k[0] == "w" else 0)
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g * g
            rate = RATE * (0.5 + 0.5 * np.cos(np.pi * step / STEPS))
            p[k] -= rate * (first[k] / (1 - 0.9**step)) / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
    return p


def int8_model(p, x):
    """The integer twin, calibrated on `x`."""
    h, logits = forward(p, x)
    f32 = lambda v: np.array(np.float32(v))
    x_scale, h_scale = np.float32(1 / 255), np.float32(h.max() / 255)
    low, high = np.percentile(logits, [0.5, 99.5])
    out_scale = np.float32((high - low) / 255)
    out_zero = np.uint8(np.clip(np.round(-low / out_scale), 0, 255))
    held = {"zero": np.array(np.uint8(0)), "w_zero": np.array(np.int8(0)), "x_scale": f32(x_scale),
            "h_scale": f32(h_scale), "logit_scale": f32(out_scale), "logit_zero": np.array(out_zero)}
    for i, scale in ((0, x_scale), (1, h_scale)):
        w = p[f"w{i}"].T
        step = np.float32(np.abs(w).max() / 127)
        held[f"w{i}"] = np.clip(np.round(w / step), -127, 127).astype(np.int8)
        held[f"w{i}_scale"] = f32(step)
        held[f"b{i}"] = np.round(p[f"b{i}"] / (np.float64(scale) * np.float64(step))).astype(np.int32)
    gemm = lambda i, a, scale, out, out_scale, out_zero: helper.make_node(
        "QGemm", [a, scale, "zero", f"w{i}", f"w{i}_scale", "w_zero", f"b{i}", out_scale, out_zero], [out],
        name=f"gemm{i}", domain="com.microsoft", transB=1, alpha=1.0)
    nodes = [
        helper.make_node("Flatten", ["record"], ["flat"], name="flat", axis=1),
        # With zero point 0 the clamp to u8 is the ReLU.
        gemm(0, "flat", "x_scale", "hidden", "h_scale", "zero"),
        gemm(1, "hidden", "h_scale", "logit_q", "logit_scale", "logit_zero"),
        helper.make_node("DequantizeLinear", ["logit_q", "logit_scale", "logit_zero"], ["logit"], name="dequantise"),
    ]
    graph = helper.make_graph(
        nodes, "wdbc", [helper.make_tensor_value_info("record", TensorProto.UINT8, [1, 1, 1, x.shape[1]])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(value, key) for key, value in held.items()])
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8, producer_name="aceso")
    onnx.checker.check_model(model)
    return model


def run(model, rows):
    """The u8 logits that ONNX Runtime computes of rows of bytes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    runner = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    held = {init.name: numpy_helper.to_array(init) for init in model.graph.initializer}
    logits = np.array([runner.run(None, {"record": row[None, None, None]})[0].item() for row in rows])
    return np.round(logits / held["logit_scale"] + held["logit_zero"]).astype(np.int64)

