"""Trains the float parents of all five folds: `python ultrasound_train.py --data busi --out DIR [--fold K] [--epochs N]`.

Seven plain convolutions with batch normalisation and ReLU, mean over the plane, one linear unit per class, each class
against the rest. From scratch, one thread. The recipe is fixed; nothing is stopped early or picked by epoch, and the fold
that a network is measured on is not looked at before its training is over. Every few epochs the whole state is written to
`DIR/fold-K.pt`: started again, the program goes on from there and ends with the same weights as if it had never stopped.
Writes `float-K.npz` with the normalisation folded into the convolutions.
"""

import argparse
import math
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import metrics
import ultrasound

# (output channels, stride, side of the kernel) of each convolution: 40.7 million MACs.
CONVS = [(24, 4, 7), (32, 2, 3), (48, 1, 3), (64, 2, 3), (64, 1, 3), (96, 2, 3), (128, 1, 3)]
EPOCHS, BATCH, RATE, WARM, DECAY, AVERAGE, SMOOTH, MIX, DROP = 80, 16, 2e-3, 100, 0.05, 0.995, 0.1, 0.3, 0.3
# Augmentation: degrees, logarithm of the scale, share of the side, and so on; never upside down.
TURN, GROW, SHIFT, GAMMA, CONTRAST, LIGHT, RAMP, SPECKLE = 12, 0.2, 0.1, 0.3, 0.3, 0.08, 0.1, 0.25
HOLE = (32, 80)  # pixels
KEEP_EVERY = 4  # epochs between two states on disk


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 1
        for width, stride, kernel in CONVS:
            layers += [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features, self.last = nn.Sequential(*layers), nn.Linear(channels, len(ultrasound.CLASSES))

    def forward(self, x):
        return self.last(F.dropout(self.features(x).mean((2, 3)), DROP, self.training))


def normalise(images):
    """What the graph's float input holds, in torch: f32 [n, 1, side, side]."""
    x = (images.float() / 255 - ultrasound.MEAN) / ultrasound.DEVIATION
    return x[:, None].contiguous(memory_format=torch.channels_last)


def uniform(reach, *shape):
    return (torch.rand(shape) * 2 - 1) * reach


def augment(images):
    """u8 [n, side, side] to f32 in 0…1, [n, 1, side, side]."""
    n, side = len(images), ultrasound.SIDE
    x = images[:, None].float() / 255
    angle, size = uniform(math.radians(TURN), n), torch.exp(uniform(GROW, n, 2))
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    cos, sin, shift = torch.cos(angle), torch.sin(angle), uniform(2 * SHIFT, n, 2)
    turn = torch.stack([
        torch.stack([cos * size[:, 0] * mirror, -sin * size[:, 0], shift[:, 0]], 1),
        torch.stack([sin * size[:, 1] * mirror, cos * size[:, 1], shift[:, 1]], 1),
    ], 1)
    x = F.grid_sample(x, F.affine_grid(turn, list(x.shape), align_corners=False), padding_mode="border", align_corners=False)
    x = x.clamp(1e-3, 1) ** torch.exp(uniform(GAMMA, n, 1, 1, 1))
    middle = x.mean((2, 3), keepdim=True)
    x = (x - middle) * torch.exp(uniform(CONTRAST, n, 1, 1, 1)) + middle + uniform(LIGHT, n, 1, 1, 1)
    ramp = torch.linspace(-1, 1, side)
    x = x + uniform(RAMP, n, 1, 1, 1) * ramp[:, None] + uniform(RAMP, n, 1, 1, 1) * ramp
    # Speckle has the size of the beam, not of a pixel.
    grain = F.interpolate(torch.randn(n, 1, side // 4, side // 4), size=side, mode="nearest")
    x = x * (1 + grain * torch.rand(n, 1, 1, 1) * SPECKLE)
    for i in range(n):
        if torch.rand(()) < 0.5:
            height, width = torch.randint(*HOLE, (2,)).tolist()
            top, left = torch.randint(0, side - 32, (2,)).tolist()
            x[i, 0, top : top + height, left : left + width] = middle[i, 0, 0, 0]
    return x.clamp(0, 1)


def settle(net, images):
    """Statistics of every normalisation over all images without augmentation, layer by layer."""
    net.eval()
    with torch.no_grad():
        x = [normalise(images[at : at + 32]) for at in range(0, len(images), 32)]
        for layer in net.features:
            if isinstance(layer, nn.BatchNorm2d):
                count = sum(part.shape[0] for part in x)
                mean = sum(part.mean((2, 3)).sum(0) for part in x) / count
                var = sum(((part - mean[:, None, None]) ** 2).mean((2, 3)).sum(0) for part in x) / count
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(var)
            x = [layer(part) for part in x]


def fold_weights(net):
    """Convolutions with a bias instead of a normalisation, as quantise.py takes them."""
    out = {"fc": net.last.weight, "bias": net.last.bias}
    for i, (_, stride, _) in enumerate(CONVS):
        conv, norm = net.features[3 * i], net.features[3 * i + 1]
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        out[f"w{i}"], out[f"b{i}"] = conv.weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain
        out[f"s{i}"] = torch.tensor(stride)
    kind = lambda name: np.int64 if name[0] == "s" else np.float32
    return {name: np.ascontiguousarray(value.detach().numpy(), kind(name)) for name, value in out.items()}


def replace(path, write):
    """A file is whole or as it was, whenever the machine stops."""
    write(path + ".part")
    os.replace(path + ".part", path)


def train(images, labels, fold, out, epochs):
    torch.manual_seed(ultrasound.SEED * 100 + fold)
    net = Net().to(memory_format=torch.channels_last)
    average = Net().to(memory_format=torch.channels_last)
    average.load_state_dict(net.state_dict())
    plain = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": DECAY}, {"params": plain, "weight_decay": 0}]
    rule = torch.optim.AdamW(groups, lr=RATE)
    count, begin, steps = 0, 0, len(labels) // BATCH * epochs
    state = os.path.join(out, f"fold-{fold}.pt")
    if os.path.exists(state):
        held = torch.load(state, weights_only=True)
        assert held["epochs"] == epochs, f"{state} was begun for {held['epochs']} epochs"
        net.load_state_dict(held["net"]), average.load_state_dict(held["average"]), rule.load_state_dict(held["rule"])
        torch.set_rng_state(held["random"])
        count, begin = held["count"], held["epoch"]
    # Each class weighs one third.
    weight = (len(labels) / (3 * torch.bincount(labels, minlength=3).float()))[labels]
    target = F.one_hot(labels, 3).float() * (1 - SMOOTH) + SMOOTH / 3
    net.train()
    for epoch in range(begin, epochs):
        start, total = time.process_time(), 0.0
        order = torch.randperm(len(labels))
        for at in range(0, len(labels) - BATCH + 1, BATCH):
            pick, count = order[at : at + BATCH], count + 1
            x, y, w = augment(images[pick]), target[pick], weight[pick]
            part = torch.distributions.Beta(MIX, MIX).sample((BATCH,))
            part, other = torch.maximum(part, 1 - part), torch.randperm(BATCH)
            x = part[:, None, None, None] * x + (1 - part[:, None, None, None]) * x[other]
            y, w = part[:, None] * y + (1 - part[:, None]) * y[other], part * w + (1 - part) * w[other]
            x = ((x - ultrasound.MEAN) / ultrasound.DEVIATION).contiguous(memory_format=torch.channels_last)
            for group in rule.param_groups:
                group["lr"] = RATE * min(1, count / WARM) * (0.5 + 0.5 * math.cos(math.pi * count / steps))
            rule.zero_grad(set_to_none=True)
            value = (F.binary_cross_entropy_with_logits(net(x), y, reduction="none").sum(1) * w).sum() / w.sum()
            value.backward()
            rule.step()
            keep = min(AVERAGE, count / (count + 10))
            with torch.no_grad():
                for a, p in zip(average.parameters(), net.parameters()):
                    a.mul_(keep).add_(p, alpha=1 - keep)
            total += value.item()
        print(f"fold {fold} epoch {epoch + 1} loss {total / (len(labels) // BATCH):.4f} {time.process_time() - start:.1f} CPU s", flush=True)
        if (epoch + 1) % KEEP_EVERY == 0 or epoch + 1 == epochs:
            held = {"net": net.state_dict(), "average": average.state_dict(), "rule": rule.state_dict(), "count": count,
                    "random": torch.get_rng_state(), "epoch": epoch + 1, "epochs": epochs}
            replace(state, lambda path: torch.save(held, path))
    settle(average, images)
    return average


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--data", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--fold", type=int, choices=range(1, ultrasound.FOLDS + 1))
    args.add_argument("--epochs", type=int, default=EPOCHS, help="another number is another recipe")
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    _, images, labels, _, folds = ultrasound.load(args.data, os.path.join(args.out, "tensors.npz"))
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    for fold in [args.fold] if args.fold else range(1, ultrasound.FOLDS + 1):
        made = os.path.join(args.out, f"float-{fold}.npz")
        if os.path.exists(made):
            continue
        held_out = torch.from_numpy(folds == fold - 1)
        net = train(images[~held_out], labels[~held_out], fold, args.out, args.epochs)
        with torch.no_grad():
            logits = torch.cat([net(normalise(part)) for part in images[held_out].split(32)]).numpy()
        print(f"fold {fold} held out: macro auc {metrics.macro_auc(logits, labels[held_out].numpy()):.4f}", flush=True)
        weights = fold_weights(net)

        def write(path):
            with open(path, "wb") as file:
                np.savez(file, **weights)

        replace(made, write)


if __name__ == "__main__":
    main()
