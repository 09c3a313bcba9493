"""Quantises and measures the five folds' networks and writes what the repository keeps, after ultrasound_train.py.

`python ultrasound_publish.py --data busi --runs DIR --out models/breast-ultrasound`. Every network is measured on the fold it
has not seen. The first fold's is the one that is shipped, which was settled beforehand, so that it too has pictures that it has
never seen. Its probabilities (Platt's two numbers per class, each against the rest) are fitted to the logits that the
other four networks give the folds that they have not seen; a finding holds from a probability of one half on.
"""

import argparse
import json
import os

import numpy as np
import onnx

import files
import metrics
import ultrasound
from publish import synthetic
from quantise import Source, float_model, int8_model, output, quantised, run

SHIPPED = 1
CALIBRATION = 200  # training pictures for the ranges of activations
SOURCE = Source("breast_ultrasound", ultrasound.SIDE, ultrasound.MEAN, ultrasound.DEVIATION)
ALIKE = 0.93  # correlation; the hash tells apart what was moved, and some series moves a lot
STUDENT_T = 2.776  # two-sided 95 %, four degrees of freedom


def interval(values):
    """Mean and the half width of its 95 % interval over five folds."""
    return np.mean(values), STUDENT_T * np.std(values, ddof=1) / np.sqrt(len(values))


def manifest(bytes_, probabilities):
    at_least = lambda table: int(np.searchsorted(table, 500_000))
    return {
        "version": 1,
        "name": "findings on breast ultrasound, 224 px",
        "onnx": files.onnx_of(bytes_),
        "pipeline": files.picture_pipeline(["US"], "BREAST", ultrasound.SIDE, ultrasound.MEAN, ultrasound.DEVIATION),
        "output": {
            "labels": [{"name": name, "probability": table} for name, table in zip(ultrasound.CLASSES, probabilities)],
            "findings": [
                {"id": name, "label": at, "at_least": min(at_least(probabilities[at]), 255)} for at, name in enumerate(ultrasound.CLASSES)
            ],
        },
        "intended_use": "Research and demonstration on de-identified breast ultrasound images. Not for clinical use.",
        "licence": "CC-BY-4.0",
        "card": None,
        "price": {"denom": "uaceso", "amount": 2000},
    }


def main():
    args = argparse.ArgumentParser()
    for name in ("data", "runs", "out"):
        args.add_argument(f"--{name}", required=True)
    args = args.parse_args()
    names, images, labels, group, folds = ultrasound.load(args.data, os.path.join(args.runs, "tensors.npz"))
    for folder in ("golden", "folds"):
        os.makedirs(os.path.join(args.out, folder), exist_ok=True)

    alone = ultrasound.likeness(images, folds) <= ALIKE
    rows, measured, models, held, alone_aucs = [], [], {}, {}, []
    for fold in range(1, ultrasound.FOLDS + 1):
        with np.load(os.path.join(args.runs, f"float-{fold}.npz")) as parent:
            parent = dict(parent)
        seen, unseen = images[folds != fold - 1], images[folds == fold - 1]
        truth = labels[folds == fold - 1]
        pick = np.linspace(0, len(seen) - 1, CALIBRATION).astype(int)
        models[fold] = int8_model(SOURCE, parent, seen[pick])
        float_logits = run(SOURCE, float_model(SOURCE, parent), unseen)[0]
        logits = run(SOURCE, models[fold], unseen)[0]
        held[fold] = logits, truth
        aucs = metrics.macro_auc(float_logits, truth), metrics.macro_auc(logits, truth)
        each = [metrics.auc(logits[:, k], (truth == k).astype(int)) for k in range(len(ultrasound.CLASSES))]
        accuracy = float((logits.argmax(1) == truth).mean())
        measured.append([*aucs, accuracy, *each])
        model = "model.onnx" if fold == SHIPPED else f"folds/{fold}.onnx"
        onnx.save(models[fold], os.path.join(args.out, model))
        apart = alone[folds == fold - 1]
        alone_aucs.append(metrics.macro_auc(logits[apart], truth[apart]))
        rows.append({"fold": fold, "model": model, "float_auc_micro": round(aucs[0] * 1e6)})
        print(f"fold {fold}: {len(truth)} pictures; macro auc float {aucs[0]:.4f} int8 {aucs[1]:.4f}; accuracy {accuracy:.4f}; "
              + ", ".join(f"{name} {area:.4f}" for name, area in zip(ultrasound.CLASSES, each)))
    for name, values in zip(("macro auc float", "macro auc int8", "accuracy", *ultrasound.CLASSES), zip(*measured)):
        mean, half = interval(values)
        print(f"{name}: {mean:.4f} ± {half:.4f}")
    mean, half = interval(alone_aucs)
    print(f"macro auc int8 of the {alone.sum()} pictures that are like none of another fold: {mean:.4f} ± {half:.4f}")
    with open(os.path.join(args.out, "folds", "folds.json"), "w") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")

    others = [held[fold] for fold in held if fold != SHIPPED]
    logits, truth = np.concatenate([one for one, _ in others]), np.concatenate([one for _, one in others])
    model = models[SHIPPED]
    step, zero = map(float, output(model))
    platt = [metrics.platt(logits[:, k], (truth == k).astype(int)) for k in range(len(ultrasound.CLASSES))]
    for name, (slope, offset) in zip(ultrasound.CLASSES, platt):
        print(f"platt {name}: slope {slope:.4f} offset {offset:.4f}; logit step {step:.5f} zero {zero:.0f}")
    with open(os.path.join(args.out, "model.onnx"), "rb") as file:
        written = manifest(file.read(), [metrics.probabilities(*one, step, zero) for one in platt])
    files.manifest(os.path.join(args.out, "manifest.json"), written)

    golden = lambda name, header, lines: files.golden(os.path.join(args.out, "golden", name), header, lines)
    golden("folds.txt", ["Every picture's fold and group of pictures that look alike: fold, group, file."],
           [f"{f + 1} {g} {name}" for f, g, name in zip(folds, group, names)])
    q = quantised(model, held[SHIPPED][0])
    lines = [" ".join(map(str, row)) for row in q]
    all_q = files.sha3("aceso/golden/v1", bytes(q.astype(np.uint8).reshape(-1)))
    golden("held-out.txt", ["Quantised logits (benign, malignant, normal) of the first fold's pictures, in the order of folds.txt. `all`:",
                            "SHA3-256 (domain aceso/golden/v1) of all bytes.", files.RED], [*lines, f"all {all_q}"])
    made = quantised(model, run(SOURCE, model, synthetic(ultrasound.SIDE))[0])
    golden("synthetic.txt", ["Quantised logits of sixteen pictures of nothing (`synthetic` in models/tools/publish.py): index, outputs.",
                             files.RED], [f"{i} " + " ".join(map(str, row)) for i, row in enumerate(made)])


if __name__ == "__main__":
    main()
