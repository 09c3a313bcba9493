#!/usr/bin/env python3
"""Runs an integer model in onnxruntime, tensor by tensor: what `aceso model check --against onnxruntime` runs.

`python3 compare.py FOLDER`: FOLDER/request.json says what, FOLDER/inputs.bin holds the input tensors. A run in onnxruntime
shows outputs only, so FOLDER/part-N.onnx are copies of the model that also hand out up to fifteen tensors each, and
FOLDER/part-N.bin is what onnxruntime gives for them, input by input. Prints one line of JSON.
"""
import json

from ask import answer, floats, session, tools

# Outputs of one part: what a graph may have, without its own.
AT_ONCE = 15
# Where each operator that gives integers has the zero point of its result.
ZERO_POINT = {
    "QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7, "QLinearAdd": 7, "QLinearMul": 7, "QGemm": 8, "QLinearConcat": 1,
    "QLinearSigmoid": 4, "QLinearLeakyRelu": 4, "QLinearSoftmax": 4, "QLinearGlobalAveragePool": 4, "QLinearAveragePool": 4,
}


def integers(onnx, model):
    """Tensors of 8 bits that nodes compute, in order: name and element type."""
    held = {init.name: init.data_type for init in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            held[node.output[0]] = next((a.t.data_type for a in node.attribute if a.name == "value"), 0)
    found = {}
    for node in model.graph.node:
        at = ZERO_POINT.get(node.op_type)
        if at is None or (node.op_type == "QuantizeLinear" and node.input[0] in held):
            continue
        zero = node.input[at] if at < len(node.input) else ""
        said = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
        kind = held.get(zero) or said or onnx.TensorProto.UINT8
        if kind in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8):
            found[node.output[0]] = kind
    return found


def run(folder):
    np, onnx, ort = tools()
    request = json.loads((folder / "request.json").read_text())
    model = onnx.load(request["model"])
    held = {init.name for init in model.graph.initializer}
    entry = next(one for one in model.graph.input if one.name not in held)
    kind = {onnx.TensorProto.UINT8: np.uint8, onnx.TensorProto.INT8: np.int8}.get(entry.type.tensor_type.elem_type)
    raw = np.fromfile(folder / "inputs.bin", np.uint8).reshape(-1, *request["dims"])
    feeds = [one.view(kind) if kind else floats(np, one, request) for one in raw]

    own = {one.name for one in model.graph.output}
    wanted = integers(onnx, model)
    # Outputs that are integers come with every part; they are compared in the first.
    first = [name for name in wanted if name in own]
    inner = [name for name in wanted if name not in own]
    room = max(1, AT_ONCE + 1 - len(own))
    parts = []
    for at in range(0, max(len(inner), 1), room):
        more = inner[at : at + room]
        part = onnx.ModelProto()
        part.CopyFrom(model)
        part.graph.output.extend(onnx.helper.make_tensor_value_info(name, wanted[name], None) for name in more)
        path = folder / f"part-{len(parts)}.onnx"
        onnx.save(part, path)
        runner = session(ort, path)
        names = (first if at == 0 else []) + more
        with open(folder / f"part-{len(parts)}.bin", "wb") as file:
            for feed in feeds:
                for value in runner.run(names, {entry.name: feed}) if names else []:
                    file.write(value.tobytes())
        parts.append(names)
    return {"onnxruntime": ort.__version__, "parts": parts}


if __name__ == "__main__":
    answer(run)
