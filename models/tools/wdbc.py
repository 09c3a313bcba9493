"""Measures on five held-out folds, then makes what the repository keeps: `python wdbc.py --out models/wdbc`.

The recipe is fixed (wdbc_net.py) and nothing is picked by a result: every fold is trained, quantised and measured once on the
rows it has not seen, with the ranges of columns taken from its training rows alone. The model that is shipped is the
first fold's, so that it too has rows that it has never seen; threshold and probabilities come from its training rows.
"""

import argparse
import os

import numpy as np
import onnx

import files
import metrics
import wdbc_net as net

SEED = 20


def platt(logits, labels):
    """Slope and offset of a logistic regression on one feature, by Newton's method, a little drawn to 1 and 0."""
    x, found = np.stack([logits, np.ones(len(logits))]), np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(found @ x)))
        pull = 0.5 * np.eye(2)
        found -= np.linalg.solve((x * (p * (1 - p))) @ x.T + pull, x @ (p - labels) + pull @ (found - [1.0, 0.0]))
    return found


def decimal(billionths):
    whole, part = divmod(billionths, 10**9)
    return f"{whole}.{part:09}".rstrip("0").rstrip(".")


def synthetic(low, high):
    """Sixteen rows that nobody has: cell (i, j) is `low + (high − low) · ((37·i + 101·j) mod 256) / 255`, in millionths."""
    cell = lambda i, j: int(low[j]) + (int(high[j]) - int(low[j])) * ((37 * i + 101 * j) % 256) // 255
    return np.array([[cell(i, j) * 1000 for j in range(len(low))] for i in range(16)], np.int64)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--out", required=True)
    out = args.parse_args().out
    names, values, labels = net.table()
    rows, kept = [], None
    for fold, (train, test) in enumerate(net.folds(labels, SEED)):
        low, high = net.ranges(values[train])
        seen, unseen = net.to_bytes(values[train], low, high), net.to_bytes(values[test], low, high)
        parent = net.train(seen / 255, labels[train], SEED + fold)
        model = net.int8_model(parent, seen / 255)
        logits, q = net.forward(parent, unseen / 255)[1], net.run(model, unseen)
        train_q = net.run(model, seen)
        # The value at which train says yes most often rightly; of several the lowest, so that nobody sick is missed for it.
        right = [((train_q >= t) == (labels[train] == 1)).sum() for t in range(256)]
        at_least = int(np.argmax(right))
        yes = q >= at_least
        sick = labels[test] == 1
        rows.append([metrics.auc(logits, labels[test]), metrics.auc(q, labels[test]), ((logits >= 0) == sick).mean(), (yes == sick).mean(),
                     yes[sick].mean(), (~yes[~sick]).mean()])
        print(f"fold {fold + 1}: {len(test)} rows; auc float {rows[-1][0]:.4f} int8 {rows[-1][1]:.4f}; accuracy float "
              f"{rows[-1][2]:.4f} int8 {rows[-1][3]:.4f}; sensitivity {rows[-1][4]:.4f} specificity {rows[-1][5]:.4f}; at least {at_least}")
        if fold == 0:
            kept = low, high, model, train, test, q, train_q, at_least
    print("mean: " + " ".join(f"{x:.4f}" for x in np.mean(rows, axis=0)))

    low, high, model, train, test, q, train_q, at_least = kept
    held = {init.name: onnx.numpy_helper.to_array(init) for init in model.graph.initializer}
    step, zero = float(held["logit_scale"]), int(held["logit_zero"])
    slope, offset = platt((train_q - zero) * step, labels[train])
    probability = metrics.probabilities(slope, offset, step, zero)
    print(f"platt slope {slope:.4f} offset {offset:.4f}; logit step {step:.5f} zero {zero}")

    onnx.save(model, os.path.join(out, "model.onnx"))
    with open(os.path.join(out, "model.onnx"), "rb") as file:
        bytes_ = file.read()
    manifest = {
        "version": 1,
        "name": "malignancy from cell nuclei, 30 columns",
        "onnx": files.onnx_of(bytes_),
        "pipeline": {
            "modalities": ["TABLE"], "body_parts": ["BREAST"], "channels": "grey", "window": "full", "crop": "none",
            "width": len(names), "height": 1, "resize": "area", "layout": "nchw", "normalise": None,
            "table": [{"name": n, "low": int(lo), "high": int(hi)} for n, lo, hi in zip(names, low, high)],
        },
        "output": {
            "labels": [{"name": "malignant", "probability": probability}],
            "findings": [{"id": "malignant", "label": 0, "at_least": at_least}],
        },
        "intended_use": "Research and demonstration of reads of tables. Not for clinical use.",
        "licence": "CC-BY-4.0",
        "card": None,
        "price": {"denom": "uaceso", "amount": 500},
    }
    files.manifest(os.path.join(out, "manifest.json"), manifest)

    # Nobody's rows: the means of the training rows of either kind, to four decimals.
    for name, label in (("benign", 0), ("malignant", 1)):
        mean = [int(round(v / 1e5)) * 10**5 for v in values[train][labels[train] == label].mean(0)]
        with open(os.path.join(out, "golden", f"{name}.csv"), "w") as file:
            file.write(",".join(names) + "\n" + ",".join(decimal(v) for v in mean) + "\n")
        print(name, net.run(model, net.to_bytes(np.array([mean]), low, high)))
    made = net.run(model, net.to_bytes(synthetic(low, high), low, high))
    with open(os.path.join(out, "golden", "synthetic.txt"), "w") as file:
        file.write("# Quantised logits of sixteen rows that nobody has (models/tools/wdbc.py): index, output, by ONNX Runtime.\n"
                   f"# {files.RED}\n" + "".join(f"{i} {v}\n" for i, v in enumerate(made)))
    with open(os.path.join(out, "golden", "held-out.txt"), "w") as file:
        file.write("# Quantised logits of the rows of scikit-learn's bundled table that the model has not seen: position, label\n"
                   f"# (1 malignant), output, by ONNX Runtime. {files.RED}\n"
                   + "".join(f"{i} {labels[i]} {v}\n" for i, v in zip(test, q)))


if __name__ == "__main__":
    main()
