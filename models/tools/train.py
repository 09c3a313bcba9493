"""Trains the float parent of one seed: `python train.py --task pneumonia --data FOLDER --seed 1 --out DIR`.

Six 3×3 convolutions with batch normalisation and ReLU, mean over the plane, one linear unit: one logit. The recipe
(tasks.py) is fixed; nothing is stopped early or picked by epoch. Augmentation moves what may differ between clinics: place,
size, brightness, contrast, gamma, shading, noise, missing parts. Weights are averaged over time (EMA) and the
normalisation's statistics are taken afresh for the average. The task's student learns from the mean probability that the
other seeds' networks, which lie in DIR, give the very image it sees. Writes `float-SEED.npz` with the normalisation
folded into the convolutions.
"""

import argparse
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import metrics
from tasks import TASKS, load, normalise

# (output channels, stride) of each convolution.
CONVS = [(16, 1), (24, 2), (32, 1), (48, 2), (48, 1), (64, 1)]
EPSILON = 1e-3


def initial(key):
    params, channels = {}, 1
    for i, (width, _) in enumerate(CONVS):
        key, part = jax.random.split(key)
        params[f"w{i}"] = jax.random.normal(part, (3, 3, channels, width)) * np.sqrt(2 / (9 * channels))
        params[f"g{i}"], params[f"b{i}"] = jnp.ones(width), jnp.zeros(width)
        channels = width
    params["fc"], params["bias"] = jnp.zeros(channels), jnp.zeros(())
    return params


def forward(params, x, stats=None, drop=None, rate=0.0):
    """Logits [n], and the mean and variance that each normalisation saw (or was given)."""
    seen = []
    for i, (_, stride) in enumerate(CONVS):
        x = jax.lax.conv_general_dilated(
            x, params[f"w{i}"], (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        mean, var = (x.mean((0, 1, 2)), x.var((0, 1, 2))) if stats is None else stats[i]
        seen.append((mean, var))
        x = jax.nn.relu((x - mean) * (params[f"g{i}"] * jax.lax.rsqrt(var + EPSILON)) + params[f"b{i}"])
    x = x.mean((1, 2))
    if drop is not None:
        x = x * jax.random.bernoulli(drop, 1 - rate, x.shape) / (1 - rate)
    return x @ params["fc"] + params["bias"], seen


def folded(parent, x):
    """Logits [n] of a network that was trained before, its normalisation folded; images [n, 28, 28]."""
    x = x[..., None]
    for i, (_, stride) in enumerate(CONVS):
        w = parent[f"w{i}"].transpose(2, 3, 1, 0)
        x = jax.lax.conv_general_dilated(x, w, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + parent[f"b{i}"])
    return x.mean((1, 2)) @ parent["fc"] + parent["bias"]


def warp(task, images, key):
    """Mirrors, turns, scales and moves; bilinear, edges repeated."""
    n = images.shape[0]
    keys = jax.random.split(key, 5)
    uniform = lambda k, reach, shape=(n,): jax.random.uniform(k, shape, minval=-reach, maxval=reach)
    angle, shift = uniform(keys[0], np.deg2rad(task.turn)), uniform(keys[1], task.shift, (n, 2))
    size = jnp.exp(uniform(keys[2], task.grow, (n, 2)))
    mirror = jnp.where(jax.random.bernoulli(keys[3], 0.5, (n,)), -1.0, 1.0)
    y, x = jnp.meshgrid(jnp.arange(28.0) - 13.5, jnp.arange(28.0) - 13.5, indexing="ij")
    cos, sin = jnp.cos(angle)[:, None, None], jnp.sin(angle)[:, None, None]
    u = (cos * y - sin * x) * size[:, 0, None, None] + shift[:, 0, None, None] + 13.5
    v = (sin * y + cos * x) * (size[:, 1] * mirror)[:, None, None] + shift[:, 1, None, None] + 13.5
    u, v = jnp.clip(u, 0, 27), jnp.clip(v, 0, 27)
    top, left = jnp.minimum(jnp.floor(u), 26).astype(int), jnp.minimum(jnp.floor(v), 26).astype(int)
    fu, fv = u - top, v - left
    flat = images.reshape(n, 784)
    at = lambda r, c: jnp.take_along_axis(flat, (r * 28 + c).reshape(n, 784), 1).reshape(n, 28, 28)
    return (at(top, left) * (1 - fu) + at(top + 1, left) * fu) * (1 - fv) + (
        at(top, left + 1) * (1 - fu) + at(top + 1, left + 1) * fu
    ) * fv


def augment(task, images, key):
    """Images in 0…1 to images in 0…1."""
    n = images.shape[0]
    keys = jax.random.split(key, 12)
    uniform = lambda k, low, high, shape=(n, 1, 1): jax.random.uniform(k, shape, minval=low, maxval=high)
    x = warp(task, images, keys[0])
    x = jnp.clip(x, 1e-3, 1) ** jnp.exp(uniform(keys[1], -task.gamma, task.gamma))
    middle = x.mean((1, 2), keepdims=True)
    x = (x - middle) * jnp.exp(uniform(keys[2], -task.contrast, task.contrast)) + middle + uniform(keys[3], -task.light, task.light)
    ramp = jnp.linspace(-1, 1, 28)
    x = x + uniform(keys[4], -task.ramp, task.ramp) * ramp[None, :, None] + uniform(keys[5], -task.ramp, task.ramp) * ramp[None, None, :]
    soft = (jnp.roll(x, 1, 1) + 2 * x + jnp.roll(x, -1, 1)) / 4
    soft = (jnp.roll(soft, 1, 2) + 2 * soft + jnp.roll(soft, -1, 2)) / 4
    x = x + (soft - x) * uniform(keys[6], *task.soften)
    x = x + jax.random.normal(keys[7], x.shape) * uniform(keys[8], 0, task.noise)
    if task.speckle:
        grain, size = jax.random.split(jax.random.fold_in(key, 12))
        x = x * (1 + jax.random.normal(grain, x.shape) * uniform(size, 0, task.speckle))
    corner, side = uniform(keys[9], -4, 28, (n, 2, 1)), uniform(keys[10], *task.hole, (n, 2, 1))
    inside = (jnp.arange(28.0) >= corner) & (jnp.arange(28.0) < corner + side)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :] & jax.random.bernoulli(keys[11], 0.5, (n, 1, 1))
    return jnp.clip(jnp.where(hole, middle, x), 0, 1)


def loss(task, params, x, y, weight, drop):
    logit, _ = forward(params, x, drop=drop, rate=task.drop)
    return (weight * (jax.nn.softplus(logit) - y * logit)).sum() / weight.sum()


def stepper(task, teachers):
    """One step of AdamW on one batch, compiled for the task."""

    @jax.jit
    def step(state, images, labels, weights, key, rate, count):
        params, first, second, average = state
        pixels, mix, order, drop = jax.random.split(key, 4)
        x = (augment(task, images.astype(jnp.float32) / 255, pixels) - task.mean) / task.deviation
        y = labels * (1 - task.smooth) + task.smooth / 2
        part = jax.random.beta(mix, task.mix, task.mix, (x.shape[0],))
        part = jnp.maximum(part, 1 - part)
        other = jax.random.permutation(order, x.shape[0])
        x = part[:, None, None] * x + (1 - part[:, None, None]) * x[other]
        y, weights = part * y + (1 - part) * y[other], part * weights + (1 - part) * weights[other]
        if teachers:
            y = sum(jax.nn.sigmoid(folded(teacher, x)) for teacher in teachers) / len(teachers)
        value, slope = jax.value_and_grad(loss, 1)(task, params, x[..., None], y, weights, drop)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        new = {}
        for name, p in params.items():
            move = first[name] / (1 - 0.9**count) / (jnp.sqrt(second[name] / (1 - 0.999**count)) + 1e-8)
            new[name] = p - rate * (move + (task.decay * p if p.ndim == 4 or name == "fc" else 0))
        keep = jnp.minimum(task.average, count / (count + 10))
        average = jax.tree.map(lambda a, p: keep * a + (1 - keep) * p, average, new)
        return (new, first, second, average), value

    return step


def settle(params, x):
    """Mean and variance of every normalisation over the whole train split without augmentation, layer by layer."""
    given = []
    with_stats = jax.jit(lambda p, x, s: forward(p, x, s)[0])
    for i, (_, stride) in enumerate(CONVS):
        @jax.jit
        def conv(h, w):
            return jax.lax.conv_general_dilated(
                h, w, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
            )

        @jax.jit
        def after(h, mean, var, g, b):
            return jax.nn.relu((h - mean) * (g * jax.lax.rsqrt(var + EPSILON)) + b)

        x = [conv(part, params[f"w{i}"]) for part in x]
        count = sum(part.shape[0] for part in x)
        mean = sum(part.mean((0, 1, 2)) * part.shape[0] for part in x) / count
        var = sum(((part - mean) ** 2).mean((0, 1, 2)) * part.shape[0] for part in x) / count
        given.append((mean, var))
        x = [after(part, mean, var, params[f"g{i}"], params[f"b{i}"]) for part in x]
    return given, with_stats


def fold(params, stats):
    """Convolutions with a bias instead of a normalisation, weights as ONNX orders them (OIHW)."""
    out = {"fc": np.asarray(params["fc"]), "bias": np.asarray(params["bias"])}
    for i, (mean, var) in enumerate(stats):
        gain = np.asarray(params[f"g{i}"]) / np.sqrt(np.asarray(var) + EPSILON)
        out[f"w{i}"] = (np.asarray(params[f"w{i}"]) * gain).transpose(3, 2, 0, 1)
        out[f"b{i}"] = np.asarray(params[f"b{i}"]) - np.asarray(mean) * gain
        out[f"s{i}"] = np.int64(CONVS[i][1])
    return {name: np.ascontiguousarray(value, np.int64 if name[0] == "s" else np.float32) for name, value in out.items()}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--task", choices=TASKS, required=True)
    args.add_argument("--data", required=True)
    args.add_argument("--seed", type=int, required=True)
    args.add_argument("--out", required=True)
    args = args.parse_args()
    task = TASKS[args.task]
    split = load(task, args.data)
    images, labels = split["train"]
    teachers = []
    if args.seed == task.student:
        for seed in task.seeds:
            if seed != task.student:
                with np.load(os.path.join(args.out, f"float-{seed}.npz")) as parent:
                    teachers.append(dict(parent))
    # Each class weighs one half: how common a finding is in train is not how common it is where the network is used.
    weight = np.where(labels == 1, len(labels) / (2 * (labels == 1).sum()), len(labels) / (2 * (labels == 0).sum()))
    rng = np.random.default_rng(args.seed)
    key = jax.random.key(args.seed)
    key, part = jax.random.split(key)
    params = initial(part)
    zero = jax.tree.map(jnp.zeros_like, params)
    step = stepper(task, teachers)
    state, count, steps = (params, zero, zero, params), 0, len(labels) // task.batch * task.epochs
    for epoch in range(task.epochs):
        start, total = time.time(), 0.0
        order = rng.permutation(len(labels))
        for at in range(0, len(labels) - task.batch + 1, task.batch):
            pick, count = order[at : at + task.batch], count + 1
            rate = task.rate * min(1, count / task.warm) * (0.5 + 0.5 * np.cos(np.pi * count / steps))
            state, value = step(
                state, images[pick], labels[pick].astype(np.float32), weight[pick].astype(np.float32),
                jax.random.fold_in(key, count), np.float32(rate), np.float32(count),
            )
            total += float(value)
        if epoch % 6 == 5 or epoch == 0:
            mean = total / (len(labels) // task.batch)
            print(f"seed {args.seed} epoch {epoch + 1} loss {mean:.4f} {time.time() - start:.1f}s", flush=True)
    average = state[3]
    plain = normalise(task, images)[..., None]
    stats, logits = settle(average, [jnp.asarray(plain[i : i + 500]) for i in range(0, len(plain), 500)])
    for name in ("train", "val"):
        x, y = split[name]
        score = np.concatenate([logits(average, normalise(task, x[i : i + 500])[..., None], stats) for i in range(0, len(x), 500)])
        print(f"seed {args.seed} {name} auc {metrics.auc(score, y):.4f} at 0 {metrics.confusion(score >= 0, y)}", flush=True)
    np.savez(os.path.join(args.out, f"float-{args.seed}.npz"), **fold(average, stats))


if __name__ == "__main__":
    main()
