#!/usr/bin/env bash
# The pipeline against the bare C++ loop, in one run: CPU and frames per second, allocations, memory, start, idle.
set -euo pipefail
bin/gleaner models pull ssd-oidv4 garments >/dev/null
exec go run ./bench/pipeline
