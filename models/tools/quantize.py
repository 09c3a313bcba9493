#!/usr/bin/env python3
"""Quantises a float model with onnxruntime, so that the chain admits it: what `aceso model quantize` runs.

`python3 quantize.py FOLDER`: FOLDER/request.json says what, FOLDER/inputs.bin holds the calibration tensors, 8 bits each, as
the manifest's pipeline makes them. Writes FOLDER/model.onnx (the integer model) and FOLDER/floats.bin (what the float model
says of each tensor, float32), and prints one line of JSON.

Settings: weights int8, symmetric, per output channel; activations uint8; static, calibrated on the tensors. A softmax or
sigmoid that ends the graph is taken off: the manifest's table of probabilities does that, in integers.
"""
import json

from ask import Refused, answer, floats, session, tools


def load(onnx, path):
    try:
        model = onnx.load(path)
    except Exception as error:
        raise Refused(f"it is not an ONNX model ({str(error).splitlines()[0][:120]}); export it again as a binary ONNX file")
    if not model.graph.node:
        raise Refused("its graph has no nodes; export it again as a binary ONNX file")
    quantised = sorted({n.op_type for n in model.graph.node if "QLinear" in n.op_type or n.op_type == "QuantizeLinear"})
    if quantised:
        raise Refused(f"it is quantised already ({', '.join(quantised)}); give the float model, or run `aceso model check`")
    return model


def fixed_input(onnx, model, dims):
    """Name of the one input, with its shape fixed to what the manifest's pipeline makes."""
    held = {init.name for init in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in held]
    if len(inputs) != 1:
        raise Refused(f"it has {len(inputs)} inputs beside its constants; export it with the image alone")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise Refused("its input is not float; export the float model")
    shape = tensor.shape.dim
    got = [one.dim_value if one.HasField("dim_value") else "?" for one in shape]
    if len(got) != len(dims) or any(g not in ("?", 0, -1, want) for g, want in zip(got, dims)):
        raise Refused(f"its input has shape {got}, and the manifest's pipeline makes {dims}; change one of them")
    for one, want in zip(shape, dims):
        one.dim_value = want
    return inputs[0].name


def opset(onnx, model):
    """Brings the model to an operator set that is admitted and knows scales per channel."""
    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if 13 <= version <= 21:
        return model
    try:
        return onnx.version_converter.convert_version(model, 17)
    except Exception as error:
        reason = str(error).splitlines()[0][:120]
        raise Refused(f"operator set {version} cannot be converted to 17 ({reason}); export for one between 13 and 21")


def without_tail(onnx, model):
    """Takes a final softmax or sigmoid off, and says which."""
    output = model.graph.output[0]
    last = [node for node in model.graph.node if output.name in node.output]
    if not last or last[0].op_type not in ("Softmax", "Sigmoid", "LogSoftmax"):
        return None
    model.graph.node.remove(last[0])
    before = last[0].input[0]
    for other in model.graph.node:
        if before in other.output:
            other.output[list(other.output).index(before)] = output.name
        for at, name in enumerate(other.input):
            if name == before:
                other.input[at] = output.name
    return last[0].op_type


def run(folder):
    np, onnx, ort = tools("onnxruntime.quantization")
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    request = json.loads((folder / "request.json").read_text())
    model = load(onnx, request["model"])
    name = fixed_input(onnx, model, request["dims"])
    model = opset(onnx, model)
    tail = without_tail(onnx, model)
    # What was inferred for another batch is inferred anew; dimensions of outputs follow the input's.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, folder / "float.onnx")
    runner = session(ort, folder / "float.onnx")

    tensors = np.fromfile(folder / "inputs.bin", np.uint8).reshape(-1, *request["dims"][1:])
    images = [floats(np, one[None], request) for one in tensors]
    output = model.graph.output[0].name
    said = [runner.run([output], {name: image})[0].astype(np.float32).reshape(-1) for image in images]
    np.concatenate(said).tofile(folder / "floats.bin")

    class Images(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(images)

        def get_next(self):
            image = next(self.rest, None)
            return None if image is None else {name: image}

    try:
        # Constants folded, batch normalisation folded into convolutions, shapes written down.
        quant_pre_process(str(folder / "float.onnx"), str(folder / "prepared.onnx"), skip_symbolic_shape=True)
        quantize_static(
            str(folder / "prepared.onnx"),
            str(folder / "model.onnx"),
            Images(),
            quant_format={"qdq": QuantFormat.QDQ, "qoperator": QuantFormat.QOperator}[request["format"]],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method={
                "minmax": CalibrationMethod.MinMax,
                "entropy": CalibrationMethod.Entropy,
                "percentile": CalibrationMethod.Percentile,
            }[request["method"]],
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
        )
    except Exception as error:
        raise Refused(f"onnxruntime does not quantise it: {str(error).splitlines()[0][:200]}")
    return {"onnxruntime": ort.__version__, "taken_off": tail, "outputs": int(said[0].size)}


if __name__ == "__main__":
    answer(run)
