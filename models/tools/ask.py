"""What scripts that `aceso model` runs share: the author's onnxruntime, tensors as it takes them, and one line of JSON."""
import importlib
import json
import sys
from pathlib import Path

PINNED = "onnx==1.23.0 onnxruntime==1.31.0"


class Refused(Exception):
    """A sentence for whoever asked."""


def tools(*more):
    """numpy, onnx and onnxruntime; `more` are modules that have to be there as well."""
    try:
        numpy, onnx, onnxruntime, *_ = [importlib.import_module(name) for name in ("numpy", "onnx", "onnxruntime", *more)]
    except ImportError as error:
        raise Refused(f"{sys.executable} cannot import {error.name}; run: {sys.executable} -m pip install {PINNED}")
    onnxruntime.set_default_logger_severity(3)
    return numpy, onnx, onnxruntime


def session(ort, path):
    """A model on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refused(f"onnxruntime does not run it: {str(error).splitlines()[0][:200]}")


def floats(np, tensors, request):
    """What the chain's first step makes of bytes: (byte / 255 - mean) / deviation, in float32."""
    x = tensors.astype(np.float32) / np.float32(255)
    if request["normalise"]:
        shape = [1, -1, 1, 1] if request["layout"] == "nchw" else [1, 1, 1, -1]
        million = np.float32(1e6)
        mean, deviation = (
            (np.array([one[key] for one in request["normalise"]], np.float32) / million).reshape(shape)
            for key in ("mean", "deviation")
        )
        x = (x - mean) / deviation
    return x


def answer(run):
    """Runs on the folder that is named, and says what came of it."""
    try:
        said = {"ok": True, **run(Path(sys.argv[1]))}
    except Refused as error:
        said = {"ok": False, "error": str(error)}
    print(json.dumps(said))
