"""PneumoniaMNIST as arrays, its leak closed, and the two metrics.

The npz is MedMNIST v2's `pneumoniamnist.npz` (28×28 grey, 0 normal, 1 pneumonia). Eight validation images also occur
in train: they are dropped from train, so that what is chosen on validation is chosen on unseen images.
"""

import numpy as np

MEAN = 146 / 255  # a whole grey level near the train mean, so that quantising the input loses nothing
DEVIATION = 0.17


def load(path):
    """(images u8 [n, 28, 28], labels i64 [n]) per split."""
    with np.load(path) as npz:
        split = {
            name: (npz[f"{name}_images"].astype(np.uint8), npz[f"{name}_labels"].reshape(-1).astype(np.int64))
            for name in ("train", "val", "test")
        }
    images, labels = split["train"]
    held_out = {image.tobytes() for image in split["val"][0]}
    keep = np.array([image.tobytes() not in held_out for image in images])
    split["train"] = images[keep], labels[keep]
    return split


def normalise(images):
    """What the graph's float input holds."""
    return (images.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)


def auc(scores, labels):
    """Area under the ROC curve by mid-ranks (ties count one half)."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = labels == 1
    n, m = positive.sum(), (~positive).sum()
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))


def threshold(scores, labels, sensitivity=0.95):
    """The highest score at or above which at least `sensitivity` of the sick are found."""
    sick = np.sort(scores[labels == 1])[::-1]
    return sick[int(np.ceil(sensitivity * len(sick))) - 1]


def confusion(positive, labels):
    """Accuracy, sensitivity, specificity of yes-or-no answers."""
    sick = labels == 1
    return float((positive == sick).mean()), float(positive[sick].mean()), float((~positive[~sick]).mean())
