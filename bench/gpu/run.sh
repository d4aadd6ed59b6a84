#!/bin/sh
# GPU acceptance from the unpacked archive of `make gpu-bundle` (docs/gpu.md, here gpu.md): ./run.sh OUT_DIR [--only conformance,training]; --help has the rest.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) && exec "$here/bin/acceptance" --root "$here" "$@"
