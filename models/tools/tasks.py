"""The two tasks at 28 px: whose pictures, what counts as a finding, and the recipe by which a network is trained.

Both are files of MedMNIST v2 (28×28 grey). What also occurs in a later split is dropped from train, so that what is
chosen on validation and measured on test is chosen and measured on unseen images.
"""

import os
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    name: str  # of the folder under models/
    title: str  # the manifest's name
    archive: str
    finding: str
    sick: int  # MedMNIST's label that means the finding
    modalities: tuple
    body_part: str
    intended_use: str
    seeds: tuple
    student: int | None  # the seed taught by all others; it is the one that is published. None: validation chooses.
    sensitivity: float | None  # what the threshold still reaches on validation. None: a probability of one half.
    # The network's input, (grey / 255 − mean) / deviation. A whole grey level as mean: quantising the input loses nothing.
    mean: float
    deviation: float
    # Training.
    epochs: int
    batch: int
    rate: float
    warm: int  # steps until the full rate
    decay: float
    average: float  # of the weights over time
    smooth: float  # of labels
    mix: float  # of pairs of images
    drop: float  # of the last features
    # Augmentation: how far each may go, up or down.
    turn: float  # degrees
    grow: float  # logarithm of the scale
    shift: float  # pixels
    gamma: float
    contrast: float
    light: float
    ramp: float  # shading across the image
    soften: tuple  # sharper … softer
    noise: float
    speckle: float  # noise that grows with brightness, as an ultrasound's
    hole: tuple  # sides in pixels


PNEUMONIA = Task(
    name="pneumonia", title="pneumonia on chest X-rays, 28 px", archive="pneumoniamnist.npz", finding="pneumonia", sick=1,
    modalities=("DX", "CR"), body_part="CHEST",
    intended_use="Research and demonstration on de-identified paediatric chest X-rays. Not for clinical use.",
    seeds=(1, 2, 3, 4, 5), student=None, sensitivity=0.95, mean=146 / 255, deviation=0.17,
    epochs=36, batch=64, rate=2e-3, warm=200, decay=0.02, average=0.997, smooth=0.05, mix=0.2, drop=0.2,
    turn=8, grow=0.12, shift=2.5, gamma=0.35, contrast=0.35, light=0.12, ramp=0.08, soften=(-0.5, 1), noise=0.04,
    speckle=0, hole=(4, 10),
)
# 545 images to learn from: they are moved further and decay is stronger, and three networks teach a fourth. Never upside down:
# what lies deep is dark for a reason.
BREAST = Task(
    name="breast", title="malignancy on breast ultrasound, 28 px", archive="breastmnist.npz", finding="malignant", sick=0,
    modalities=("US",), body_part="BREAST",
    intended_use="Research and demonstration on de-identified breast ultrasound images. Not for clinical use.",
    seeds=(1, 2, 3, 4), student=4, sensitivity=None, mean=84 / 255, deviation=0.2,
    epochs=150, batch=32, rate=2e-3, warm=100, decay=0.05, average=0.997, smooth=0.05, mix=0.2, drop=0.2,
    turn=12, grow=0.18, shift=3, gamma=0.3, contrast=0.3, light=0.08, ramp=0.1, soften=(-0.3, 1), noise=0.03,
    speckle=0.15, hole=(5, 11),
)
TASKS = {task.name: task for task in (PNEUMONIA, BREAST)}


def load(task, folder):
    """(images u8 [n, 28, 28], labels i64 [n], 1 is the finding) per split."""
    with np.load(os.path.join(folder, task.archive)) as npz:
        split = {
            name: (npz[f"{name}_images"].astype(np.uint8), (npz[f"{name}_labels"].reshape(-1) == task.sick).astype(np.int64))
            for name in ("train", "val", "test")
        }
    images, labels = split["train"]
    held_out = {image.tobytes() for name in ("val", "test") for image in split[name][0]}
    keep = np.array([image.tobytes() not in held_out for image in images])
    split["train"] = images[keep], labels[keep]
    return split


def normalise(task, images):
    """What the graph's float input holds."""
    return (images.astype(np.float32) / 255 - np.float32(task.mean)) / np.float32(task.deviation)
