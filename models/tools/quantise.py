"""Turns a float parent into the integer model: `python quantise.py --task pneumonia --data FOLDER --float DIR/float-1.npz --out DIR`.

Writes `float-SEED.onnx` (the parent, for comparison) and `int8-SEED.onnx`: opset 13 with com.microsoft 1, QOperator
nodes only, batch 1. Weights are s8, symmetric, per output channel; activations u8, per tensor, calibrated on 1,000 train
images; biases i32. Between the first QuantizeLinear and the last DequantizeLinear nothing is float.

A parent is a row of square convolutions (`w0`, `b0`, stride `s0`, …), each followed by ReLU, the mean over the plane and
a linear layer (`fc`, `bias`). What its input is made of is a `Source`.
"""

import argparse
import os
import re
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime as ort

from tasks import TASKS, load

CALIBRATION = 1000
CLIP = 99.99  # percentile of an activation that is still representable
OPSETS = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]


@dataclass(frozen=True)
class Source:
    """A grey image of side × side pixels, (grey / 255 − mean) / deviation; the graph is called `name`."""

    name: str
    side: int
    mean: float
    deviation: float

    def normalise(self, image):
        return ((image.astype(np.float32) / 255 - np.float32(self.mean)) / np.float32(self.deviation))[None, None]


def of(task):
    return Source(task.name, 28, task.mean, task.deviation)


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(source, model, images, names=None):
    """Outputs of every image, one by one: a list per output name."""
    runner = session(model)
    rows = [runner.run(names, {"image": source.normalise(image)}) for image in images]
    return [np.concatenate(column) for column in zip(*rows)]


def build(source, nodes, weights, outputs, name):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, source.side, source.side])],
        outputs,
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8, producer_name="aceso")
    onnx.checker.check_model(model)
    return model


def convolutions(parent):
    count = 0
    while f"w{count}" in parent:
        count += 1
    return range(count)


def pads(weights):
    """So that a stride of 1 keeps the side."""
    return [weights.shape[-1] // 2] * 4


def linear(parent):
    """The last layer as [outputs, features] and [outputs]: with one output it is kept as a vector and a number."""
    return np.atleast_2d(parent["fc"]), parent["bias"].reshape(-1)


def float_model(source, parent, inner=False):
    nodes, weights, x, side, seen = [], {}, "image", source.side, {}
    for i in convolutions(parent):
        weights[f"w{i}"], weights[f"b{i}"] = parent[f"w{i}"], parent[f"b{i}"]
        stride = int(parent[f"s{i}"].item())
        nodes.append(helper.make_node("Conv", [x, f"w{i}", f"b{i}"], [f"c{i}"], strides=[stride] * 2, pads=pads(parent[f"w{i}"])))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        x, side = f"r{i}", -(-side // stride)
        seen[x] = [1, len(weights[f"b{i}"]), side, side]
    weights["fc"], weights["bias"] = linear(parent)
    nodes += [
        helper.make_node("GlobalAveragePool", [x], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "fc", "bias"], ["logit"], transB=1),
    ]
    outputs = [helper.make_tensor_value_info("logit", TensorProto.FLOAT, [1, len(weights["bias"])])]
    if inner:
        seen["mean"] = [1, weights["fc"].shape[1], 1, 1]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in seen.items()]
    return build(source, nodes, weights, outputs, f"{source.name}_float")


def int8_model(source, parent, images):
    """The integer twin, calibrated on `images`."""
    float_graph = float_model(source, parent, inner=True)
    logits, *activations = run(source, float_graph, images)
    top = [np.float32(np.percentile(a, CLIP) / 255) for a in activations]
    low, high = np.percentile(logits, [0.05, 99.95])
    logit_scale = np.float32((high - low) / 255)
    logit_zero = np.uint8(np.clip(np.round(-low / logit_scale), 0, 255))
    one = lambda value: np.array(value)

    weights = {"x_scale": one(np.float32(1 / (255 * source.deviation))), "x_zero": one(np.uint8(round(255 * source.mean)))}
    nodes = [helper.make_node("QuantizeLinear", ["image", "x_scale", "x_zero"], ["q"], name="quantise")]
    x, scale, zero = "q", "x_scale", "x_zero"
    weights["zero"], weights["w_zero"] = one(np.uint8(0)), one(np.int8(0))
    for i in convolutions(parent):
        w, b = parent[f"w{i}"], parent[f"b{i}"]
        step = (np.abs(w).max((1, 2, 3)) / 127).astype(np.float32)
        weights[f"w{i}"] = np.clip(np.round(w / step[:, None, None, None]), -127, 127).astype(np.int8)
        weights[f"w{i}_scale"], weights[f"w{i}_zero"] = step, np.zeros(len(step), np.int8)
        weights[f"b{i}"] = np.round(b / (weights[scale] * step)).astype(np.int32)
        weights[f"r{i}_scale"] = one(top[i])
        stride = int(parent[f"s{i}"].item())
        inputs = [x, scale, zero, f"w{i}", f"w{i}_scale", f"w{i}_zero", f"r{i}_scale", "zero", f"b{i}"]
        # With zero point 0 the clamp to u8 is the ReLU.
        nodes.append(
            helper.make_node("QLinearConv", inputs, [f"r{i}"], name=f"conv{i}", strides=[stride] * 2, pads=pads(w))
        )
        x, scale, zero = f"r{i}", f"r{i}_scale", "zero"
    weights["mean_scale"] = one(top[-1])
    fc, bias = linear(parent)
    step = np.float32(np.abs(fc).max() / 127)
    weights["fc"] = np.clip(np.round(fc / step), -127, 127).astype(np.int8)
    weights["fc_scale"] = one(step)
    weights["bias"] = np.round(bias / (top[-1] * step)).astype(np.int32)
    weights["logit_scale"], weights["logit_zero"] = one(logit_scale), one(logit_zero)
    nodes += [
        helper.make_node(
            "QLinearGlobalAveragePool", [x, scale, zero, "mean_scale", "zero"], ["mean"],
            name="mean", domain="com.microsoft", channels_last=0,
        ),
        helper.make_node("Flatten", ["mean"], ["flat"], name="flat", axis=1),
        helper.make_node(
            "QGemm",
            ["flat", "mean_scale", "zero", "fc", "fc_scale", "w_zero", "bias", "logit_scale", "logit_zero"],
            ["logit_q"], name="gemm", domain="com.microsoft", transB=1, alpha=1.0,
        ),
        helper.make_node("DequantizeLinear", ["logit_q", "logit_scale", "logit_zero"], ["logit"], name="dequantise"),
    ]
    outputs = [helper.make_tensor_value_info("logit", TensorProto.FLOAT, [1, len(bias)])]
    return build(source, nodes, weights, outputs, source.name)


def output(model):
    """Step and zero point of the quantised logits."""
    held = {init.name: numpy_helper.to_array(init) for init in model.graph.initializer}
    return held["logit_scale"], held["logit_zero"]


def quantised(model, logits):
    """The u8 values behind dequantised logits."""
    step, zero = output(model)
    return np.round(logits / step + zero).astype(np.int64)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--task", choices=TASKS, required=True)
    args.add_argument("--data", required=True)
    args.add_argument("--float", required=True)
    args.add_argument("--out", required=True)
    args = args.parse_args()
    task = TASKS[args.task]
    seed = re.search(r"float-(\d+)\.npz$", args.float).group(1)
    images = load(task, args.data)["train"][0]
    pick = np.linspace(0, len(images) - 1, min(CALIBRATION, len(images))).astype(int)
    with np.load(args.float) as parent:
        parent = dict(parent)
    onnx.save(float_model(of(task), parent), os.path.join(args.out, f"float-{seed}.onnx"))
    onnx.save(int8_model(of(task), parent, images[pick]), os.path.join(args.out, f"int8-{seed}.onnx"))


if __name__ == "__main__":
    main()
