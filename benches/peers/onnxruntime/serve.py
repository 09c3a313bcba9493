#!/usr/bin/env python3
"""ONNX Runtime on one thread, told what to do line by line, so that a bench can take turns with it.

`load MEAN DEVIATION FILE` makes a session whose image, if it is float, is normalised by these (in millionths); `run N` runs it N times on a fixed image and answers
{"seconds": on the processor per run, "output": the first output's bytes in hexadecimal}. Needs onnxruntime and numpy.
"""
import json
import sys
import time

import numpy as np
import onnxruntime as ort


def main():
    session, feed = None, None
    for line in sys.stdin:
        verb, argument = line.strip().split(" ", 1)
        if verb == "load":
            options = ort.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            start = time.perf_counter()
            mean, deviation, path = argument.split(" ", 2)
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            seconds = time.perf_counter() - start
            image = session.get_inputs()[0]
            index = np.arange(np.prod(image.shape), dtype=np.uint64)
            values = (index * 31 + (index >> 8) * 7).astype(np.uint8).reshape(image.shape)
            if image.type == "tensor(float)":
                million = np.float32(1_000_000)
                values = values.astype(np.float32) / np.float32(255)
                values = (values - np.float32(mean) / million) / (np.float32(deviation) / million)
            feed = {image.name: values}
            answer = {"seconds": seconds, "version": ort.__version__}
        else:
            output = session.run(None, feed)[0]
            start = time.process_time()
            for _ in range(int(argument)):
                session.run(None, feed)
            seconds = (time.process_time() - start) / int(argument)
            answer = {"seconds": seconds, "output": output.tobytes().hex()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
