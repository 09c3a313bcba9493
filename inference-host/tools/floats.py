#!/usr/bin/env python3
"""Writes tests/vectors/float: small float models, to be quantised. Run from inference-host with onnx==1.23.0, numpy==1.26.4."""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "float"


def network(labels, tail=None, batch=1, last="Gemm"):
    """Two convolutions with batch normalisation on a grey image of 28 × 28, then a classifier."""
    rng = np.random.default_rng(5)
    nodes, held = [], []

    def const(name, shape, low, high):
        held.append(numpy_helper.from_array(rng.uniform(low, high, shape).astype(np.float32), name))
        return name

    x, channels = "image", 1
    for at, width in enumerate([6, 8]):
        weights = const(f"w{at}", (width, channels, 3, 3), -0.5, 0.5)
        nodes.append(helper.make_node("Conv", [x, weights], [f"c{at}"], name=f"conv{at}", strides=[2, 2], pads=[1] * 4))
        norm = [const(f"{key}{at}", (width,), low, 1.0) for key, low in (("g", 0.5), ("b", -0.5), ("m", -0.2), ("v", 0.5))]
        nodes.append(helper.make_node("BatchNormalization", [f"c{at}", *norm], [f"n{at}"], name=f"norm{at}"))
        nodes.append(helper.make_node("Relu", [f"n{at}"], [f"r{at}"], name=f"relu{at}"))
        x, channels = f"r{at}", width
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"], name="mean"))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"], name="flat"))
    inputs = ["flat", const("fc", (labels, channels), -1, 1), const("bias", (labels,), -0.5, 0.5)]
    nodes.append(helper.make_node("Gemm", inputs, ["logit"], name="fc", transB=1))
    y = "logit"
    if last != "Gemm":
        nodes.append(helper.make_node(last, [y], ["curved"], name="last"))
        y = "curved"
    if tail:
        nodes.append(helper.make_node(tail, [y], ["share"], name="tail"))
        y = "share"
    dims = [batch, 1, 28, 28]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [batch, labels])], held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    for name, model in {
        "one": network(1, tail="Sigmoid", batch="N"),
        "three": network(3, tail="Softmax"),
        "sine": network(1, last="Sin"),
    }.items():
        onnx.checker.check_model(model)
        path = ROOT / name / "model.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
