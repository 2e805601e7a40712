#!/usr/bin/env bash
# Training on the processor against the bare C++ loop of the same calls and, where it is installed, PyTorch, in one run: CPU time
# per image, memory, garbage. Figures go to BENCHMARKS.md.
set -euo pipefail
exec go run ./bench/train
