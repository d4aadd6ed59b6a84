"""Golden file of the sgd kernel: three steps of torch.optim.SGD, whose bits nctrain's FMA instruction sets give.

Made with torch 2.15.0 on an AVX-512 machine (its AVX2 kernels give the same; its plain build does not fuse):
    python sgd_torch.py > sgd_torch.json
"""
import json

import numpy as np
import torch

torch.set_num_threads(1)
golden = {"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(), "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
for dtype, bits in ((torch.float32, 32), (torch.float64, 64)):
    torch.manual_seed(bits)
    unsigned = np.uint32 if bits == 32 else np.uint64
    raw = lambda t: [str(v) for v in t.detach().numpy().view(unsigned)]  # bit patterns; text, because JSON numbers stop at 2^53
    n = 19
    w = torch.nn.Parameter(torch.randn(n, dtype=dtype))
    optimizer = torch.optim.SGD([w], lr=0.01, momentum=0.9, weight_decay=5e-4)
    case = {"w": raw(w), "gradients": []}
    for _ in range(3):
        w.grad = 0.1 * torch.randn(n, dtype=dtype)
        case["gradients"].append(raw(w.grad))
        optimizer.step()
    case["w_after"], case["buf_after"] = raw(w), raw(optimizer.state[w]["momentum_buffer"])
    golden[f"bits{bits}"] = case
print(json.dumps(golden, indent=1))
