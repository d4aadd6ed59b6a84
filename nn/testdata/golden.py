"""Golden values of package nn, from PyTorch.

Usage: python nn/testdata/golden.py       (torch 2.15.0 from PyPI, CPU capability AVX2 or AVX512; writes golden.json and torch_width2.safetensors beside it)

Tensors are stored as projections: sum_i t_i * r_i and sum_i |t_i * r_i| with r from the generator `noise` below, which Go repeats. A wrong element
anywhere changes them.
"""

import copy
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "bench" / "pytorch"))
from golden_set import CLASSES, SAMPLES, images, labels, noise  # noqa: E402
from resnet18 import ResNet18, epoch_order, normalise  # noqa: E402

assert torch.__version__.split("+")[0] == "2.15.0", torch.__version__
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"), "the plain build of PyTorch does not contract to FMA"
torch.set_num_threads(1)

WIDTH, BATCH, SEED, STEPS, LR = 8, 8, 47, 10, 0.01


def project(t):
    v = t.detach().double().reshape(-1).numpy() * noise(t.numel(), 1)
    return [float(v.sum()), float(np.abs(v).sum())]


def gradients(model, x, y):
    model = copy.deepcopy(model)
    _, logits = model(x)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    return loss, {n: p.grad for n, p in model.named_parameters()}, {n: b for n, b in model.named_buffers() if b.dtype.is_floating_point}


def main():
    golden = {"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()}

    torch.manual_seed(47)
    full = ResNet18(num_classes=100)
    golden["initial"] = {n: hashlib.sha256(t.numpy().tobytes()).hexdigest() for n, t in full.state_dict().items() if t.dtype == torch.float32}

    torch.manual_seed(SEED)
    model = ResNet18(CLASSES, WIDTH)
    x, y = normalise(images()), labels()
    order = epoch_order(SAMPLES, SEED, 0)[:BATCH]

    loss, grads, buffers = gradients(copy.deepcopy(model).double(), x[order].double(), y[order])
    golden["loss"] = loss.item()
    golden["gradients"] = {n: project(g) for n, g in grads.items()}
    golden["running"] = {n: project(b) for n, b in buffers.items()}

    _, grads32, _ = gradients(model, x[order], y[order])
    error = sum(float((grads32[n].double() - g).norm() ** 2) for n, g in grads.items())
    norm = sum(float(g.norm() ** 2) for g in grads.values())
    golden["float32_gradient_error"] = (error / norm) ** 0.5

    double = copy.deepcopy(model).double()
    sgd = torch.optim.SGD(double.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4)
    losses = []
    for step in range(STEPS):
        epoch, at = divmod(step * BATCH, SAMPLES)
        i = epoch_order(SAMPLES, SEED, epoch)[at : at + BATCH]
        sgd.zero_grad()
        _, logits = double(x[i].double())
        loss = F.cross_entropy(logits, y[i])
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    golden["sgd_losses"] = losses
    golden["sgd_weights"] = {n: project(t) for n, t in double.state_dict().items() if t.dtype.is_floating_point}
    golden["sgd_momentum"] = {n: project(sgd.state[p]["momentum_buffer"]) for n, p in double.named_parameters()}

    torch.manual_seed(3)
    small = ResNet18(CLASSES, 2)
    for _ in range(20):  # running statistics that are not the initial ones
        small(x)
    save_file(small.state_dict(), HERE / "torch_width2.safetensors")
    small.eval()
    with torch.no_grad():
        features, logits = small(x[:4])
    golden["width2_features"], golden["width2_logits"] = features.tolist(), logits.tolist()

    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


main()
