#!/usr/bin/python3
"""Trains five small networks in PyTorch and writes their losses as the table that prove/2-known compares ours with.

    /usr/bin/python3 bench/known/known.py >prove/2-known/golden.csv

It needs Debian's python3-torch (1.13). Weights and batches come from a hash that is the same here and in
train/engine/backend.go, so that nothing but losses is kept. Arrays are made in our layout (pictures NHWC, weights OHWI) and
turned into PyTorch's. Layer names, shapes and paddings are those of prove/2-known/nets.go, which are presets where they can be.

A value that rounding pushes over a ReLU's edge changes a small network's losses by a thousandth and more, and then the steps
after it: such losses are no known answer. Therefore rates are low, few normalised values lie near the edge (see first), Adam's
ε is large enough for gradients that are nearly 0, each network's seed was chosen to have no value at an edge, and the script
fails if losses in float64, or from weights that are off by some rounding errors, differ by more than a tenth of the bar.
"""

import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

STEPS, BATCH, CLASSES, BAR = 50, 16, 6, 1e-3


def mix(h):
    """The finaliser of MurmurHash3 on an array of uint32."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x85EBCA6B)
    h = h ^ (h >> np.uint32(13))
    h = h * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def fnv(name):
    """FNV-1a, 32 bits."""
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xFFFFFFFF
    return h


def uniform(name, size, step=0):
    """size numbers in [0, 1), float32: engine.Hash(i, fnv(name), step)."""
    salt = mix(np.array([(step * 0x9E3779B9 + fnv(name)) & 0xFFFFFFFF], dtype=np.uint32))
    return (mix(np.arange(size, dtype=np.uint32) ^ salt) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def first(seed, name, shape):
    """First values of a variable, by the end of its name. Norms' results lie around 1 or, each second channel, around -1."""
    size = math.prod(shape)
    u = uniform(f"{seed} {name}", size).astype(np.float64)
    end = name.rsplit("/", 1)[1]
    if end == "w":
        v = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:]))
    elif end == "gamma":
        v = 0.4 + 0.2 * u
    elif end == "beta":
        v = np.where(np.arange(size) % 2 == 0, -1, 1) * (0.75 + 0.5 * u)
    elif end == "var":
        v = np.ones_like(u)
    elif end == "mean":
        v = np.zeros_like(u)
    else:
        v = 0.2 * u - 0.1
    return v.astype(np.float32).reshape(shape)


def batch(seed, shape, step):
    """Pictures [N H W C] in (-1, 1), half noise and half their class's pattern, and their classes [N]."""
    labels = (uniform(f"{seed} label", BATCH, step) * np.float32(CLASSES)).astype(np.int64)
    size = math.prod(shape)
    x = uniform(f"{seed} picture", BATCH * size, step).reshape(BATCH, size)
    x = x + np.stack([uniform(f"{seed} class {k}", size) for k in labels]) - np.float32(1)
    return x.reshape(BATCH, *shape), labels


class Net:
    """Layers by name, on NCHW activations; parameters are made when a layer is first applied."""

    def __init__(self, build, seed, dtype, noise):
        self.build, self.seed, self.dtype, self.params, self.stats, self.training = build, seed, dtype, {}, {}, True
        self.noise, self.random = noise, np.random.RandomState(1)

    def first(self, name, shape):
        v = first(self.seed, name, shape).astype(np.float64)
        v *= 1 + self.noise * self.random.randn(*shape)
        return torch.tensor(v, dtype=self.dtype)

    def __call__(self, x):
        x = torch.tensor(x, dtype=self.dtype)
        return self.build(self, x.permute(0, 3, 1, 2))

    def param(self, name, *shape):
        if name not in self.params:
            self.params[name] = self.first(name, shape).requires_grad_()
        return self.params[name]

    def stat(self, name, c):
        if name not in self.stats:
            self.stats[name] = self.first(name, (c,))
        return self.stats[name]

    def conv(self, layer, x, out, k, stride=1, pad=0, groups=1, bias=False):
        if pad < 0:  # TensorFlow's SAME: an odd row goes behind the picture
            n = x.shape[2]
            total = max(0, (-(-n // stride) - 1) * stride + k - n)
            x, pad = F.pad(x, (total // 2, total - total // 2) * 2), 0
        w = self.param(layer + "/w", out, k, k, x.shape[1] // groups).permute(0, 3, 1, 2)
        b = self.param(layer + "/b", out) if bias else None
        return F.conv2d(x, w, b, stride, pad, 1, groups)

    def norm(self, layer, x):
        c = x.shape[1]
        gamma, beta = self.param(layer + "/gamma", c), self.param(layer + "/beta", c)
        mean, var = self.stat(layer + "/mean", c), self.stat(layer + "/var", c)
        return F.batch_norm(x, mean, var, gamma, beta, self.training, 0.1, 1e-5)

    def conv_norm(self, layer, x, out, k, **more):
        return self.norm(layer + "/bn", self.conv(layer, x, out, k, **more))

    def dense(self, layer, x, out):
        if x.dim() == 4:
            x = x.permute(0, 2, 3, 1).flatten(1)
        return F.linear(x, self.param(layer + "/w", out, x.shape[1]), self.param(layer + "/b", out))

    def head(self, x):
        return self.dense("head/class", x, CLASSES)


def dense(n, x):
    h = F.relu(n.dense("dense1", x, 48))
    return n.head(F.relu(n.dense("dense2", h, 24)))


def cnn_small(n, x):
    h = F.max_pool2d(F.relu(n.conv("conv", x, 16, 3, pad=1, bias=True)), 2)
    return n.head(F.relu(n.dense("dense", h, 32)))


def cnn_bn(n, x):
    for i, c in enumerate((8, 16, 32, 64), 1):
        if i > 1:
            x = F.max_pool2d(x, 2)
        x = F.relu(n.conv_norm(f"conv{i}a", x, c, 3, pad=1))
        x = F.relu(n.conv_norm(f"conv{i}b", x, c, 3, pad=1))
    return n.head(x.mean((2, 3)))


def resnet18(n, x):
    x = F.relu(n.conv_norm("stem", x, 8, 7, stride=2, pad=3))
    x = F.max_pool2d(x, 3, 2, 1)
    for i, c in enumerate((8, 16, 32, 64), 1):
        for k in (1, 2):
            layer, stride = f"stage{i}/block{k}", 2 if i > 1 and k == 1 else 1
            y = F.relu(n.conv_norm(layer + "/conv1", x, c, 3, stride=stride, pad=1))
            y = n.conv_norm(layer + "/conv2", y, c, 3, pad=1)
            if stride > 1:
                x = n.conv_norm(layer + "/shortcut", x, c, 1, stride=stride)
            x = F.relu(x + y)
    return n.head(x.mean((2, 3)))


def mobilenet(n, x):
    x = F.relu6(n.conv_norm("stem", x, 8, 3, stride=2, pad=-1))
    for i, (expand, out, stride) in enumerate(((1, 8, 1), (4, 16, 2), (4, 16, 1))):
        layer, c = f"block{i}", x.shape[1]
        y = F.relu6(n.conv_norm(layer + "/expand", x, expand * c, 1)) if expand > 1 else x
        y = F.relu6(n.conv_norm(layer + "/depthwise", y, expand * c, 3, stride=stride, pad=-1, groups=expand * c))
        y = n.conv_norm(layer + "/project", y, out, 1)
        x = x + y if stride == 1 and c == out else y
    x = F.relu6(n.conv_norm("last", x, 64, 1))
    return n.head(x.mean((2, 3)))


def plain(z, y):
    return F.cross_entropy(z, y)


def smooth(z, y):
    return F.cross_entropy(z, y, label_smoothing=0.1)


def focal(z, y):
    """Focal loss of gamma 1.5 with class weights, divided by the number of pictures, not by the weights' sum."""
    weights = torch.tensor([1, 2, 0.5, 1, 1.5, 0.25], dtype=z.dtype)
    log_p = F.log_softmax(z, 1).gather(1, y[:, None])[:, 0]
    return -(weights[y] * (1 - log_p.exp()) ** 1.5 * log_p).sum() / len(y)


def sgd(lr, **more):
    return lambda params: torch.optim.SGD(params, lr=lr, momentum=0.9, **more)


def adam(lr, eps):
    return lambda params: torch.optim.Adam(params, lr=lr, eps=eps)


def adamw(lr, eps, decay):
    return lambda params: torch.optim.AdamW(params, lr=lr, eps=eps, weight_decay=decay)


def cosine(step):
    return 0.5 * (1 + math.cos(math.pi * step / STEPS))


def constant(_):
    return 1.0


# name: build, seed, input [H W C], loss, optimiser, share of the learning rate by step, clipping, blend of the moving average
NETS = {
    "dense": (dense, 0, (12, 12, 1), smooth, adam(2e-3, 1e-8), constant, 0, 0),
    "cnn-small": (cnn_small, 0, (12, 12, 3), plain, sgd(0.01, nesterov=True), constant, 0, 0),
    "cnn-bn": (cnn_bn, 5, (16, 16, 3), smooth, adamw(5e-4, 1e-3, 0.05), constant, 0, 0.1),
    "resnet18": (resnet18, 4, (32, 32, 3), plain, sgd(5e-3, weight_decay=1e-3), cosine, 1.0, 0),
    "mobilenet": (mobilenet, 1, (12, 12, 3), focal, adam(5e-4, 1e-3), constant, 0, 0),
}


def train(name, dtype=torch.float32, noise=0.0):
    """The losses of the steps, and that of one more batch with the running statistics and the averaged weights."""
    build, seed, shape, loss, optimiser, rate, clip, blend = NETS[name]
    n = Net(build, seed, dtype, noise)
    n(batch(seed, shape, 0)[0])  # makes the parameters
    n.stats = {}
    params = list(n.params.values())
    opt, average, losses = optimiser(params), [p.detach().clone() for p in params], []
    base = opt.param_groups[0]["lr"]
    for step in range(STEPS):
        x, y = batch(seed, shape, step)
        value = loss(n(x), torch.tensor(y))
        losses.append(value.item())
        opt.zero_grad()
        value.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        opt.param_groups[0]["lr"] = base * rate(step)
        opt.step()
        for a, p in zip(average, params):
            a.add_(p.detach() - a, alpha=blend)
    n.training = False
    if blend:
        n.params = dict(zip(n.params, average))
    x, y = batch(seed, shape, STEPS)
    with torch.no_grad():
        return losses + [F.cross_entropy(n(x), torch.tensor(y)).item()]


def spread(name, losses, **variant):
    return max(abs(a - b) for a, b in zip(losses, train(name, **variant)))


def main():
    torch.set_num_threads(1)
    print("network,step,loss")
    for name in NETS:
        losses = train(name)
        worst = max(spread(name, losses, dtype=torch.float64), spread(name, losses, noise=2e-7), spread(name, losses, noise=5e-7))
        print(f"{name}: {losses[0]:.3f} → {losses[-2]:.3f}, then {losses[-1]:.3f}; rounding changes {worst:.1e}", file=sys.stderr)
        if not worst <= BAR / 10:
            sys.exit(f"{name}: rounding decides the losses")
        for step, value in enumerate(losses):
            print(f"{name},{step},{value:.7f}")


if __name__ == "__main__":
    main()
