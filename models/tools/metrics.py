"""What is measured of scores, and how scores become probabilities."""

import numpy as np


def auc(scores, labels):
    """Area under the ROC curve by mid-ranks (ties count one half)."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = labels == 1
    n, m = positive.sum(), (~positive).sum()
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))


def macro_auc(scores, labels):
    """The mean over classes of each against the rest. Scores [n, classes], labels [n]."""
    return float(np.mean([auc(scores[:, k], (labels == k).astype(int)) for k in range(scores.shape[1])]))


def threshold(scores, labels, sensitivity=0.95):
    """The highest score at or above which at least `sensitivity` of the sick are found."""
    sick = np.sort(scores[labels == 1])[::-1]
    return sick[int(np.ceil(sensitivity * len(sick))) - 1]


def confusion(positive, labels):
    """Accuracy, sensitivity, specificity of yes-or-no answers."""
    sick = labels == 1
    return float((positive == sick).mean()), float(positive[sick].mean()), float((~positive[~sick]).mean())


def platt(logits, labels):
    """Slope and offset of a logistic regression on one feature, by Newton's method."""
    x = np.stack([logits.astype(np.float64), np.ones(len(logits))])
    found = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(found @ x)))
        found -= np.linalg.solve((x * (p * (1 - p))) @ x.T, x @ (p - labels))
    return found


def probabilities(slope, offset, step, zero):
    """The 256 probabilities in millionths that belong to quantised logits."""
    steps = (np.arange(256) - zero) * step
    return [int(p) for p in np.round(1e6 / (1 + np.exp(-(slope * steps + offset))))]
