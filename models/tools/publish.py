"""Chooses by the task's rule, calibrates, and writes what the repository keeps, after train.py and quantise.py for all seeds.

`python publish.py --task pneumonia --data FOLDER --runs DIR --out models/pneumonia [--phantoms FILE]`. On validation alone:
the seed (highest int8 AUC, where the task has no student), the threshold, the probabilities (Platt's two numbers). Then
the test split is measured once. `--phantoms` holds the input tensors of pneumonia's synthetic samples, 784 bytes each, as
`ACESO_PHANTOMS=FILE cargo test --release -p aceso-inference --test image synthetic` writes them; other tasks have
pictures by a formula instead.
"""

import argparse
import json
import os
import shutil

import numpy as np
import onnx

import files
import metrics
from quantise import of, output, quantised, run
from tasks import TASKS, load

WORST, NEAR, EVEN = 32, 16, 16


def synthetic(side):
    """Sixteen pictures of nothing: pixel (y, x) of picture i is `(37·i + 7·x·(i mod 5 + 1) + y·y) mod 256`."""
    i, y, x = np.ogrid[:16, :side, :side]
    return ((37 * i + 7 * x * (i % 5 + 1) + y * y) % 256).astype(np.uint8)


def manifest(task, bytes_, probability, at_least):
    return {
        "version": 1,
        "name": task.title,
        "onnx": files.onnx_of(bytes_),
        "pipeline": files.picture_pipeline(list(task.modalities), task.body_part, 28, task.mean, task.deviation),
        "output": {
            "labels": [{"name": task.finding, "probability": probability}],
            "findings": [{"id": task.finding, "label": 0, "at_least": at_least}],
        },
        "intended_use": task.intended_use,
        "licence": "CC-BY-4.0",
        "card": None,
        "price": {"denom": "uaceso", "amount": 1000},
    }


def picked(float_logits, logits, q, at_least):
    """64 positions: the farthest from the float parent, the next to the threshold, evenly spaced ones."""
    pick = list(np.argsort(-np.abs(float_logits - logits), kind="stable")[:WORST])
    pick += [i for i in np.argsort(np.abs(q - at_least), kind="stable") if i not in pick][:NEAR]
    rest = [i for i in range(len(q)) if i not in pick]
    return sorted(pick + [rest[i] for i in np.linspace(0, len(rest) - 1, EVEN).astype(int)])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--task", choices=TASKS, required=True)
    for name in ("data", "runs", "out"):
        args.add_argument(f"--{name}", required=True)
    args.add_argument("--phantoms")
    args = args.parse_args()
    task = TASKS[args.task]
    source, split = of(task), load(task, args.data)
    (val, val_labels), (test, test_labels) = split["val"], split["test"]

    rows = {}
    for seed in task.seeds:
        parent, model = (onnx.load(os.path.join(args.runs, f"{kind}-{seed}.onnx")) for kind in ("float", "int8"))
        logits = run(source, model, val)[0].reshape(-1)
        q = quantised(model, logits)
        platt = metrics.platt(logits, val_labels)
        probability = metrics.probabilities(*platt, *map(float, output(model)))
        if task.sensitivity is None:
            at_least = int(np.searchsorted(probability, 500_000))
        else:
            at_least = int(metrics.threshold(q, val_labels, task.sensitivity))
        rows[seed] = parent, model, metrics.auc(q, val_labels), platt, probability, at_least
    chosen = task.student or max(task.seeds, key=lambda seed: rows[seed][2])

    seeds = []
    for seed in task.seeds:
        parent, model, val_auc, _, _, at_least = rows[seed]
        float_logits = run(source, parent, test)[0].reshape(-1)
        logits = run(source, model, test)[0].reshape(-1)
        q = quantised(model, logits)
        accuracy, sensitivity, specificity = metrics.confusion(q >= at_least, test_labels)
        seeds.append({"seed": seed, "model": "model.onnx" if seed == chosen else f"seeds/{seed}.onnx", "at_least": at_least,
                      "float_auc_micro": round(metrics.auc(float_logits, test_labels) * 1e6)})
        print(f"seed {seed}{' (chosen)' if seed == chosen else ''}: val auc {val_auc:.4f}, at least {at_least}; test auc float "
              f"{metrics.auc(float_logits, test_labels):.4f} int8 {metrics.auc(q, test_labels):.4f}, accuracy {accuracy:.4f}, "
              f"sensitivity {sensitivity:.4f}, specificity {specificity:.4f}")
        if seed == chosen:
            kept = float_logits, logits, q
    for folder in ("golden", "seeds"):
        os.makedirs(os.path.join(args.out, folder), exist_ok=True)
    for row in seeds:
        shutil.copy(os.path.join(args.runs, f"int8-{row['seed']}.onnx"), os.path.join(args.out, row["model"]))
    with open(os.path.join(args.out, "seeds", "seeds.json"), "w") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in seeds) + "\n]\n")

    _, model, _, (slope, offset), probability, at_least = rows[chosen]
    step, zero = output(model)
    print(f"platt slope {slope:.4f} offset {offset:.4f}; logit step {float(step):.5f} zero {int(zero)}")
    with open(os.path.join(args.out, "model.onnx"), "rb") as file:
        files.manifest(os.path.join(args.out, "manifest.json"), manifest(task, file.read(), probability, at_least))

    float_logits, logits, q = kept
    golden = lambda name, header, lines: files.golden(os.path.join(args.out, "golden", name), header, lines)
    all_q = files.sha3("aceso/golden/v1", bytes(q.astype(np.uint8)))
    golden("test-split.txt", [
        f"Quantised logits of 64 images of {task.archive}'s test split: position, output. The 32 farthest from the float",
        f"parent, the 16 next to the threshold, 16 evenly spaced. `all`: SHA3-256 (domain aceso/golden/v1) of all {len(q)} bytes.",
        files.RED], [f"{i} {q[i]}" for i in picked(float_logits, logits, q, at_least)] + [f"all {all_q}"])
    golden("float-parent.txt", [
        f"Logits of the float parent on {task.archive}'s test split, in millionths, in the split's order. Measured once, at",
        "training; what the integer model's AUC is compared with."], [str(round(float(v) * 1e6)) for v in float_logits])
    if args.phantoms:
        tensors = np.fromfile(args.phantoms, np.uint8).reshape(-1, 28, 28)
        made = quantised(model, run(source, model, tensors)[0].reshape(-1))
        golden("phantoms.txt", ["Quantised logits of the synthetic samples: index, label (1 has opacities), output.", files.RED],
               [f"{i} {i % 2} {v}" for i, v in enumerate(made)])
    else:
        made = quantised(model, run(source, model, synthetic(28))[0].reshape(-1))
        golden("synthetic.txt", ["Quantised logits of sixteen pictures of nothing (`synthetic` in models/tools/publish.py): index, output.",
                                 files.RED], [f"{i} {v}" for i, v in enumerate(made)])
    far = np.abs(float_logits - logits)
    print("synthetic", [int(v) for v in made], "farthest", int(far.argmax()), float(far.max()))


if __name__ == "__main__":
    main()
