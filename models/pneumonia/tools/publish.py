"""Chooses among the seeds on validation, calibrates, and writes what the repository keeps.

`python publish.py --data pneumoniamnist.npz --runs DIR --phantoms FILE --out models/pneumonia`, after train.py and
quantise.py for every seed. Chosen on validation alone: the seed (highest int8 AUC), the threshold (highest quantised
logit that still finds 95 % of the sick), the probabilities (Platt's two numbers). Then the test split is measured once.
`--phantoms` holds the input tensors of the synthetic samples, 784 bytes each, as
`ACESO_PHANTOMS=FILE cargo test --release -p aceso-inference --test image synthetic` writes them.
"""

import argparse
import base64
import hashlib
import json
import os
import shutil

import numpy as np
import onnx

import data
from quantise import quantised, run

SEEDS = [1, 2, 3, 4, 5]
WORST, NEAR, EVEN = 32, 16, 16


def platt(logits, labels):
    """Slope and offset of a logistic regression on one feature, by Newton's method."""
    x = np.stack([logits.astype(np.float64), np.ones(len(logits))])
    found = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(found @ x)))
        found -= np.linalg.solve((x * (p * (1 - p))) @ x.T, x @ (p - labels))
    return found


def sha3(domain, part):
    return hashlib.sha3_256(domain.encode() + b"\0" + len(part).to_bytes(8, "big") + part).hexdigest()


def cid(block):
    """CIDv1, raw, sha2-256, in base32: what one leaf of a blob is named."""
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + hashlib.sha256(block).digest()).decode().lower().rstrip("=")


def manifest(bytes_, probability, at_least):
    mean, deviation = round(data.MEAN * 1e6), round(data.DEVIATION * 1e6)
    return {
        "version": 1,
        "name": "pneumonia on chest X-rays, 28 px",
        "onnx": {"blob": cid(bytes_), "digest": sha3("aceso/onnx/v1", bytes_), "size": len(bytes_)},
        "pipeline": {
            "modalities": ["DX", "CR"],
            "body_parts": ["CHEST"],
            "channels": "grey",
            "window": "image",
            "crop": "center",
            "width": 28,
            "height": 28,
            "resize": "area",
            "layout": "nchw",
            "normalise": [{"mean": mean, "deviation": deviation}],
        },
        "output": {
            "labels": [{"name": "pneumonia", "probability": probability}],
            "findings": [{"id": "pneumonia", "label": 0, "at_least": at_least}],
        },
        "intended_use": "Research and demonstration on de-identified paediatric chest X-rays. Not for clinical use.",
        "licence": "CC-BY-4.0",
        "card": None,
        "price": {"denom": "uaceso", "amount": 1000},
    }


def write(path, header, lines):
    with open(path, "w") as file:
        file.write("".join(f"# {line}\n" for line in header) + "".join(f"{line}\n" for line in lines))


RED = "A red line forks the chain. Record anew only together with a new model id."


def main():
    args = argparse.ArgumentParser()
    for name in ("data", "runs", "phantoms", "out"):
        args.add_argument(f"--{name}", required=True)
    args = args.parse_args()
    split = data.load(args.data)
    (val, val_labels), (test, test_labels) = split["val"], split["test"]

    rows = {}
    for seed in SEEDS:
        parent, model = (onnx.load(os.path.join(args.runs, f"{kind}-{seed}.onnx")) for kind in ("float", "int8"))
        logits = run(model, val)[0].reshape(-1)
        q = quantised(model, logits)
        rows[seed] = (parent, model, logits, q, data.auc(q, val_labels), int(data.threshold(q, val_labels)))
    chosen = max(SEEDS, key=lambda seed: rows[seed][4])

    seeds = []
    for seed in SEEDS:
        parent, model, _, q, val_auc, at_least = rows[seed]
        float_logits = run(parent, test)[0].reshape(-1)
        logits = run(model, test)[0].reshape(-1)
        test_q = quantised(model, logits)
        accuracy, sensitivity, specificity = data.confusion(test_q >= at_least, test_labels)
        seeds.append({"seed": seed, "model": "model.onnx" if seed == chosen else f"seeds/{seed}.onnx", "at_least": at_least,
                      "float_auc_micro": round(data.auc(float_logits, test_labels) * 1e6)})
        print(f"seed {seed}{' (chosen)' if seed == chosen else ''}: val auc {val_auc:.4f}, at least {at_least}; test auc float "
              f"{data.auc(float_logits, test_labels):.4f} int8 {data.auc(test_q, test_labels):.4f}, accuracy {accuracy:.4f}, "
              f"sensitivity {sensitivity:.4f}, specificity {specificity:.4f}")
        if seed == chosen:
            kept = float_logits, logits, test_q
    os.makedirs(os.path.join(args.out, "golden"), exist_ok=True)
    os.makedirs(os.path.join(args.out, "seeds"), exist_ok=True)
    for row in seeds:
        shutil.copy(os.path.join(args.runs, f"int8-{row['seed']}.onnx"), os.path.join(args.out, row["model"]))
    with open(os.path.join(args.out, "seeds", "seeds.json"), "w") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in seeds) + "\n]\n")

    _, model, logits, q, _, at_least = rows[chosen]
    slope, offset = platt(logits, val_labels)
    held = {init.name: onnx.numpy_helper.to_array(init) for init in model.graph.initializer}
    steps = (np.arange(256) - int(held["logit_zero"])) * float(held["logit_scale"])
    probability = [int(p) for p in np.round(1e6 / (1 + np.exp(-(slope * steps + offset))))]
    print(f"platt slope {slope:.4f} offset {offset:.4f}; logit step {float(held['logit_scale']):.5f} zero {int(held['logit_zero'])}")
    with open(os.path.join(args.out, "model.onnx"), "rb") as file:
        written = manifest(file.read(), "PROBABILITY", at_least)
    text = json.dumps(written, indent=2, ensure_ascii=False)
    table = ",\n".join("            " + ", ".join(map(str, probability[i : i + 16])) for i in range(0, 256, 16))
    with open(os.path.join(args.out, "manifest.json"), "w") as file:
        file.write(text.replace('"PROBABILITY"', f"[\n{table}\n          ]") + "\n")

    float_logits, logits, test_q = kept
    order = np.argsort(-np.abs(float_logits - logits), kind="stable")
    pick = list(order[:WORST])
    near = [i for i in np.argsort(np.abs(test_q - at_least), kind="stable") if i not in pick]
    pick += near[:NEAR]
    rest = [i for i in range(len(test)) if i not in pick]
    pick += [rest[i] for i in np.linspace(0, len(rest) - 1, EVEN).astype(int)]
    all_q = sha3("aceso/golden/v1", bytes(test_q.astype(np.uint8)))
    write(os.path.join(args.out, "golden", "test-split.txt"), [
        "Quantised logits of 64 images of PneumoniaMNIST's test split: position, output. The 32 farthest from the float",
        "parent, the 16 next to the threshold, 16 evenly spaced. `all`: SHA3-256 (domain aceso/golden/v1) of all 624 bytes.",
        RED], [f"{i} {test_q[i]}" for i in sorted(pick)] + [f"all {all_q}"])
    write(os.path.join(args.out, "golden", "float-parent.txt"), [
        "Logits of the float parent on PneumoniaMNIST's test split, in millionths, in the split's order. Measured once, at",
        "training; what the integer model's AUC is compared with."], [str(round(float(v) * 1e6)) for v in float_logits])
    tensors = np.fromfile(args.phantoms, np.uint8).reshape(-1, 28, 28)
    phantom_q = quantised(model, run(model, tensors)[0])
    write(os.path.join(args.out, "golden", "phantoms.txt"), [
        "Quantised logits of the synthetic samples: index, label (1 has opacities), output.", RED],
        [f"{i} {i % 2} {v}" for i, v in enumerate(phantom_q)])
    print("phantoms", [int(v) for v in phantom_q], "worst", int(order[0]), float(np.abs(float_logits - logits).max()))


if __name__ == "__main__":
    main()
