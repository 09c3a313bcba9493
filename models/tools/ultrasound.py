"""BUSI as the manifest's pipeline sees it, its near-duplicates in groups, and five folds that keep groups together.

The folder holds `benign`, `malignant` and `normal` with PNG files of 256 × 256 pixels (Al-Dhabyani et al., Data in Brief
28, 2020, 104863, resized). Several pictures show one finding from almost the same place: what looks alike is in one fold,
so that no network is measured on a picture whose twin it has learned.
"""

import os
import re

import numpy as np
from PIL import Image

CLASSES = ("benign", "malignant", "normal")
SIDE = 224
MEAN, DEVIATION = 84 / 255, 0.22  # a whole grey level, so that quantising the input loses nothing
FOLDS, SEED = 5, 20
# Bits of 256 in which two hashes may differ and their pictures still be called alike. Of the 303,810 pairs 199 lie within 38
# bits, 219 within 56, and those of unrelated pictures begin near 70.
ALIKE = 56


def grey(pixels):
    """The pipeline's grey of RGB (IMAGE.md, step 2): u8 [h, w]."""
    r, g, b = (pixels[..., k].astype(np.int64) for k in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)


def overlaps(source, target):
    """How much of source pixel k target pixel i covers (IMAGE.md, step 5): i64 [target, source], in source × target-ths."""
    i, k = np.arange(target)[:, None], np.arange(source)[None]
    low, high = np.maximum(i * source, k * target), np.minimum((i + 1) * source, (k + 1) * target)
    return np.maximum(high - low, 0)


def area(picture, side):
    """A square picture by exact area means, rounded half up: u8 [side, side]."""
    source = picture.shape[0]
    share = overlaps(source, side).astype(np.float64)  # whole numbers below 2^53 are exact
    total, whole = (share @ picture.astype(np.float64) @ share.T).astype(np.int64), source * source
    return ((2 * total + whole) // (2 * whole)).astype(np.uint8)


def tensor(pixels):
    """What the pipeline makes of a square RGB picture: u8 [SIDE, SIDE]."""
    return area(grey(pixels), SIDE)


def hashes(images):
    """256 bits of each picture: is a cell of a 16 × 17 raster brighter than its right neighbour?"""
    rows, columns = overlaps(SIDE, 16).astype(np.float64), overlaps(SIDE, 17).astype(np.float64)
    cells = np.stack([rows @ image @ columns.T for image in images])
    return (cells[:, :, :-1] > cells[:, :, 1:]).reshape(len(images), -1)


def groups(images):
    """The number of each picture's group: what is alike, as it is or mirrored, directly or over others."""
    plain, mirrored = hashes(images).astype(np.int32), hashes([image[:, ::-1] for image in images]).astype(np.int32)
    apart = lambda a, b: a.sum(1)[:, None] + b.sum(1)[None] - 2 * a @ b.T
    near = np.minimum(apart(plain, plain), apart(plain, mirrored)) <= ALIKE
    group = np.arange(len(images))
    while True:
        least = np.where(near, group[None], len(images)).min(1)
        if (least == group).all():
            return group
        group = least


def likeness(images, fold):
    """How much each picture correlates, at 56 × 56 pixels, as it is or mirrored, with the one of another fold that is most like it."""
    share = overlaps(SIDE, 56).astype(np.float64)
    cells = np.stack([share @ image @ share.T for image in images])
    unit = lambda x: (x - x.mean(1, keepdims=True)) / np.linalg.norm(x - x.mean(1, keepdims=True), axis=1, keepdims=True)
    plain, mirrored = unit(cells.reshape(len(images), -1)), unit(cells[:, :, ::-1].reshape(len(images), -1))
    return np.where(fold[:, None] != fold[None], np.maximum(plain @ plain.T, plain @ mirrored.T), -1).max(1)


def folds(labels, group):
    """The fold of each picture. Groups, the large ones first, then by seed, each go where their class is rarest."""
    rng = np.random.default_rng(SEED)
    names, sizes = np.unique(group, return_counts=True)
    order = np.lexsort((rng.permutation(len(names)), -sizes))
    counts, fold = np.zeros((FOLDS, len(CLASSES)), int), np.zeros(len(labels), int)
    for name in names[order]:
        members = group == name
        added = np.bincount(labels[members], minlength=len(CLASSES))
        at = int(np.lexsort((counts.sum(1), counts @ added))[0])
        counts[at] += added
        fold[members] = at
    return fold


def load(folder, kept):
    """(names, images u8 [n, SIDE, SIDE], labels i64 [n], group i64 [n], fold i64 [n]); files by class, then number.

    Reading takes a minute: the tensors are kept in the file `kept`.
    """
    names = []
    for kind in CLASSES:
        files = os.listdir(os.path.join(folder, kind))
        files.sort(key=lambda file: int(re.search(r"\((\d+)\)", file).group(1)))
        names += [f"{kind}/{file}" for file in files]
    labels = np.array([CLASSES.index(name.split("/")[0]) for name in names], np.int64)
    if not os.path.exists(kept):
        images = []
        for name in names:
            with Image.open(os.path.join(folder, name)) as picture:
                images.append(tensor(np.asarray(picture.convert("RGB"))))
        np.savez(kept, images=np.stack(images))
    with np.load(kept) as npz:
        images = npz["images"]
    group = groups(images)
    return names, images, labels, group, folds(labels, group)
