#!/usr/bin/python3
"""The networks of bench/train in Debian's PyTorch, to be measured beside ours.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive OPENBLAS_NUM_THREADS=1 /usr/bin/python3 bench/train/pytorch.py CASE contiguous|channels_last

It reads numbers of training steps from standard input, one a line, and answers each with one line of JSON: images, seconds,
cpu_ms (of the process, all threads), peak_rss_mb. Layers, strides, paddings, batches and optimisers are those of
bench/train/cases.go; weights and pictures are random.
"""

import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

THREADS = 2


class Same(nn.Module):
    """TensorFlow's SAME padding of a 3x3 convolution with stride 2 on an even picture: a row and a column behind it."""

    def forward(self, x):
        return F.pad(x, (0, 1, 0, 1))


def conv_norm(cin, cout, k, stride=1, groups=1, act=None, same=False):
    pad = 0 if same and stride == 2 else k // 2
    layers = [Same()] if same and stride == 2 else []
    layers += [nn.Conv2d(cin, cout, k, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(cout)]
    if act:
        layers.append(act(inplace=True))
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    def __init__(self, cin, c, stride):
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(cin, c, 1, act=nn.ReLU),
            conv_norm(c, c, 3, stride, act=nn.ReLU),
            conv_norm(c, 4 * c, 1),
        )
        self.short = conv_norm(cin, 4 * c, 1, stride) if stride != 1 or cin != 4 * c else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x), inplace=True)


class Inverted(nn.Module):
    def __init__(self, cin, expand, cout, stride):
        super().__init__()
        mid = cin * expand
        layers = [conv_norm(cin, mid, 1, act=nn.ReLU6)] if expand != 1 else []
        layers += [conv_norm(mid, mid, 3, stride, mid, nn.ReLU6, same=True), conv_norm(mid, cout, 1)]
        self.body, self.joins = nn.Sequential(*layers), stride == 1 and cin == cout

    def forward(self, x):
        return x + self.body(x) if self.joins else self.body(x)


def pooled_head(c, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes)]


def resnet(depths, classes):
    layers, c = [conv_norm(3, 64, 7, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1)], 64
    for i, depth in enumerate(depths):
        for k in range(depth):
            layers.append(Bottleneck(c, 64 << i, 2 if i > 0 and k == 0 else 1))
            c = 256 << i
    return nn.Sequential(*layers, *pooled_head(c, classes))


def mobilenet(classes):
    layers, c = [conv_norm(3, 32, 3, 2, act=nn.ReLU6, same=True)], 32
    for expand, out, depth, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):
        for k in range(depth):
            layers.append(Inverted(c, expand, out, stride if k == 0 else 1))
            c = out
    layers.append(conv_norm(c, 1280, 1, act=nn.ReLU6))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, classes))


def cnn_small():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(6272, 128), nn.ReLU(inplace=True), nn.Linear(128, 10),
    )


def head():
    return nn.Sequential(nn.Linear(1280, 128), nn.ReLU(inplace=True), nn.Linear(128, 6))


# case: network, input without the batch, batch, classes, optimiser
CASES = {
    "cnn-small": (cnn_small, (1, 28, 28), 64, 10, "adam"),
    "block": (lambda: resnet([3], 6), (3, 128, 128), 16, 6, "adam"),
    "resnet50": (lambda: resnet([3, 4, 6, 3], 6), (3, 128, 128), 8, 6, "sgd"),
    "mobilenetv2": (lambda: mobilenet(6), (3, 160, 160), 16, 6, "sgd"),
    "head": (head, (1280,), 50, 6, "adam"),
}


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    make, shape, batch, classes, optimiser = CASES[sys.argv[1]]
    net, x = make().train(), torch.randn(batch, *shape)
    y = torch.arange(batch) % classes
    if sys.argv[2] == "channels_last" and x.dim() == 4:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    params = list(net.parameters())
    opt = torch.optim.Adam(params, 1e-3) if optimiser == "adam" else torch.optim.SGD(params, 1e-3, momentum=0.9)

    def step():
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()

    for line in sys.stdin:
        steps = int(line)
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(steps):
            step()
        print(json.dumps({
            "images": steps * batch,
            "seconds": time.perf_counter() - wall,
            "cpu_ms": (time.process_time() - cpu) * 1e3,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }), flush=True)


main()
