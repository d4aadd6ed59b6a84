"""Golden numbers of PyTorch's CPU generator for package torchrand.

Usage: python3 make_golden.py     (PyTorch 2.15.0 with CPU capability AVX2 or AVX512: its plain build rounds twice in uniform_)
       python3 make_golden.py large    prints the hashes of the two permutations around the switch to 64-bit draws (2 GB)

Writes golden.json: first values in full, the whole of longer results as SHA-256 of their little-endian bytes
(float32 as float32, indices as int64).
"""
import hashlib
import json
import pathlib
import sys

import torch

assert torch.__version__.startswith("2.15.0"), torch.__version__
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"), torch.backends.cpu.get_cpu_capability()


def generator(seed):
    return torch.Generator().manual_seed(seed)


def digest(tensor):
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


if sys.argv[1:] == ["large"]:
    for n in ((2**32 - 1) // 20 - 1, (2**32 - 1) // 20):
        p = torch.randperm(n, generator=generator(42), dtype=torch.int32)
        print(n, p[:4].tolist(), p[-4:].tolist(), "int32 sha256", digest(p))
    sys.exit()

uniform = []
for seed, n, low, high in [
    (47, 1, 0, 1), (47, 15, 0, 1), (47, 16, 0, 1), (47, 17, 0, 1), (0, 8, -1, 1),
    (47, 15, -0.19245008972987526, 0.19245008972987526), (47, 16, -0.19245008972987526, 0.19245008972987526),
    (47, 1728, -0.19245008972987526, 0.19245008972987526), (47, 36864, -0.041666666666666664, 0.041666666666666664),
    (5489, 1000, -3.3e7, 1e-7), (2**40 + 47, 100, 0.1, 0.30000000000000004), (1, 3000, 1e-42, 1e-40),
]:
    t = torch.empty(n).uniform_(low, high, generator=generator(seed))
    uniform.append(dict(seed=seed, n=n, low=low, high=high, sha256=digest(t), head=t[:4].view(torch.int32).tolist()))

randperm = []
for seed, n in [(42, 0), (42, 1), (42, 2), (42, 10), (42, 1000), (42, 26032), (47, 50000), (7, 73257), (2**63 + 5, 624)]:
    p = torch.randperm(n, generator=generator(seed))
    randperm.append(dict(seed=seed, n=n, sha256=digest(p), head=p[:10].tolist()))

g = generator(47)
sequence = [torch.empty(3).uniform_(0, 1, generator=g).view(torch.int32).tolist(),
            torch.randperm(5, generator=g).tolist(),
            torch.empty(700).uniform_(0, 1, generator=g)[-3:].view(torch.int32).tolist()]

golden = dict(
    torch=torch.__version__, capability=torch.backends.cpu.get_cpu_capability(),
    random64=[str(v % 2**64) for v in torch.empty(4, dtype=torch.int64).random_(-2**63, None, generator=generator(47)).tolist()],
    uniform=uniform, randperm=randperm, sequence=sequence)
(pathlib.Path(__file__).parent / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
