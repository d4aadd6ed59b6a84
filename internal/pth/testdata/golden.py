"""What torch.save writes: tensors.pth and tensors.json (its values), legacy.pth, code.pth, for the tests of package pth.

Usage: python internal/pth/testdata/golden.py       (torch 2.15.0 from PyPI; writes beside itself)
"""

import json
import os
import pathlib
from collections import OrderedDict

import torch

HERE = pathlib.Path(__file__).parent
assert torch.__version__.split("+")[0] == "2.15.0", torch.__version__

base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8 - 1
half = torch.tensor([0.0, -0.0, 1.0, -2.5, 65504.0, 2.0**-24, -(2.0**-15), float("inf"), float("-inf"), 0.333251953125])
tensors = OrderedDict(
    float32=base.clone(),
    transposed=base.permute(2, 0, 1),
    sliced=base.clone()[1, ::2, 1:],
    float64=base[0].double() / 3,
    float16=half.half(),
    bfloat16=(half / 3).bfloat16(),
    int64=torch.tensor([-1, 0, 2**40]),
    scalar=torch.tensor(7),
    empty=torch.empty(0),
    parameter=torch.nn.Parameter(torch.ones(2) / 3),
)
plain = {"none": None, "true": True, "false": False, "negative": -5, "small": 300, "large": 2**40, "minus": -(2**40), "float": 0.1, "text": "ü"}
torch.save({"tensors": tensors, "plain": plain, "list": [1, [2.5]], "one": (1,), "module": torch.nn.Linear(1, 1, bias=False).state_dict()}, HERE / "tensors.pth")
values = {n: {"dims": list(t.shape), "values": [str(v) for v in t.detach().float().reshape(-1).tolist()]} for n, t in tensors.items() if t.dtype != torch.int64}
values |= {n: {"dims": list(t.shape), "values": [str(v) for v in t.reshape(-1).tolist()]} for n, t in tensors.items() if t.dtype == torch.int64}
(HERE / "tensors.json").write_text(json.dumps(values, indent=1) + "\n")

torch.save({"a": torch.ones(2)}, HERE / "legacy.pth", _use_new_zipfile_serialization=False)


class Code:
    def __reduce__(self):
        return os.system, ("touch /tmp/nctrain-ran-a-pickle",)


torch.save({"a": torch.ones(2), "b": Code()}, HERE / "code.pth")
