"""Writes features.safetensors, as PyTorch users write it, for the Go reader to read.

Usage: python make_golden.py        (safetensors 0.8.0 and torch 2.15.0 wrote the file here; it does not depend on the machine)

Element i (flat) of every tensor is (i - 3) * 1.25, without its fraction in integers.
"""
import pathlib

import safetensors
import torch
from safetensors.torch import save_file

print("torch", torch.__version__, "safetensors", safetensors.__version__)


def element(shape, dtype):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return ((i - 3) * 1.25).trunc().to(dtype).reshape(shape) if not dtype.is_floating_point else ((i - 3) * 1.25).to(dtype).reshape(shape)


save_file(
    {
        "float32": element((5, 7), torch.float32),
        "float16": element((5, 7), torch.float16),
        "bfloat16": element((5, 7), torch.bfloat16),
        "float64": element((5, 7), torch.float64),
        "int64": element((5,), torch.int64),
        "int32": element((5,), torch.int32),
        "scalar": element((), torch.float32),
        "empty": element((0, 7), torch.float32),
    },
    pathlib.Path(__file__).parent / "features.safetensors",
    metadata={"checkpoint": "abc", "epoch": "7"},
)
