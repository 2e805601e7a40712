#!/usr/bin/env python3
"""ResNet-50 in PyTorch on a CUDA card, to be measured beside ours (bench/cuda).

    python3 torch.py eager|compile SIZE tf32|bf16 BATCH STEPS

The layers are those of train/net's resnet50 (version 1.5), channels-last, SGD with momentum, the batch on the card. It prints one
line of JSON: images_per_s, step_ms, compile_s (until the first step was done), loss, version.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WARM = 5


def conv_norm(cin, cout, k, stride=1):
    return nn.Conv2d(cin, cout, k, stride, k // 2, bias=False), nn.BatchNorm2d(cout)


class Bottleneck(nn.Module):
    def __init__(self, cin, c, stride):
        super().__init__()
        relu = nn.ReLU(inplace=True)
        self.body = nn.Sequential(*conv_norm(cin, c, 1), relu, *conv_norm(c, c, 3, stride), relu, *conv_norm(c, 4 * c, 1))
        fits = stride == 1 and cin == 4 * c
        self.short = nn.Identity() if fits else nn.Sequential(*conv_norm(cin, 4 * c, 1, stride))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x), inplace=True)


class ResNet50(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        cin = 64
        for i, depth in enumerate((3, 4, 6, 3)):
            for k in range(depth):
                layers.append(Bottleneck(cin, 64 << i, 2 if k == 0 and i > 0 else 1))
                cin = 4 * (64 << i)
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(cin, classes)

    def forward(self, x):
        return self.head(self.trunk(x).mean((2, 3)))


def main():
    mode, size, precision, batch, steps = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA card")
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    device = "cuda"
    net = ResNet50(1000).to(device, memory_format=torch.channels_last)
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, foreach=True)
    x = (torch.rand(batch, 3, size, size, device=device) * 2 - 1).to(memory_format=torch.channels_last)
    y = torch.randint(1000, (batch,), device=device)

    def forward(x, y):
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            z = net(x)
        return F.cross_entropy(z.float(), y)

    if mode == "compile":
        forward = torch.compile(forward)

    def step():
        opt.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        opt.step()
        return loss

    began = time.perf_counter()
    step()
    torch.cuda.synchronize()
    first = time.perf_counter() - began
    for _ in range(WARM - 1):
        step()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        loss = step()
    torch.cuda.synchronize()
    spent = time.perf_counter() - began
    print(json.dumps({"images_per_s": steps * batch / spent, "step_ms": spent * 1e3 / steps, "compile_s": first, "loss": loss.item(),
                      "version": torch.__version__}))


if __name__ == "__main__":
    main()
