"""Trains PyTorch on the batches that nctrain saw, from the same weights, and compares the losses step by step.

Usage: go run ./bench/losses --data cifar100:PATH --precision fp64 | python bench/pytorch/losses.py PATH
PATH is CIFAR-100's binary archive (.tar.gz) or its directory.

float64: every loss must agree within --tolerance (1e-3 relative; what it reaches is printed).
float32: training amplifies rounding: PyTorch's own float32 losses in two memory layouts part by more than 1e-3 within some five steps. So both are
held against PyTorch in float64, and nctrain may have drifted at most twice as far as the worse of PyTorch's layouts at the median step.
Exits with 1 where that does not hold.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tarfile

import numpy as np
import torch
from torch.nn import functional as F

from resnet18 import ResNet18, epoch_order, normalise


def cifar100_train(path):
    path = pathlib.Path(path)
    if path.is_dir():
        raw = next(path.rglob("train.bin")).read_bytes()
    else:
        with tarfile.open(path) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith("train.bin"))
            raw = archive.extractfile(member).read()
    records = np.frombuffer(raw, np.uint8).reshape(-1, 2 + 3 * 32 * 32)
    images = records[:, 2:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return torch.from_numpy(images.copy()), torch.from_numpy(records[:, 1].astype(np.int64))


def train(ours, images, labels, dtype, layout):
    """The losses of as many steps as nctrain made. The learning rate is the first epoch's: over 400 epochs the cosine moves by 4e-6 in two."""
    torch.manual_seed(ours["seed"])
    model = ResNet18(ours["classes"], ours["width"]).to(dtype).to(memory_format=layout)
    sgd = torch.optim.SGD(model.parameters(), lr=ours["lr"], momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=400)
    n, batch = len(labels), ours["batch"]
    per_epoch = -(-n // batch)
    losses = []
    for step in range(len(ours["losses"])):
        epoch, at = divmod(step, per_epoch)
        index = epoch_order(n, ours["seed"], epoch)[at * batch : (at + 1) * batch]
        sgd.zero_grad()
        _, logits = model(normalise(images[index]).to(dtype).contiguous(memory_format=layout))
        loss = F.cross_entropy(logits, labels[index])
        loss.backward()
        sgd.step()
        losses.append(loss.item())
        if at == per_epoch - 1:
            schedule.step()
    return losses


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    ours = json.load(sys.stdin)
    images, labels = cifar100_train(args.path)

    exact = train(ours, images, labels, torch.float64, torch.contiguous_format)
    columns = {f"nctrain {ours['precision']}": ours["losses"]}
    if ours["precision"] == "fp32":
        columns["PyTorch float32 NCHW"] = train(ours, images, labels, torch.float32, torch.contiguous_format)
        columns["PyTorch float32 channels_last"] = train(ours, images, labels, torch.float32, torch.channels_last)
    drift = {name: [abs(a - b) / abs(b) for a, b in zip(losses, exact)] for name, losses in columns.items()}
    print("relative difference to PyTorch in float64")
    print("step  loss      " + "  ".join(columns))
    for step, loss in enumerate(exact):
        print(f"{step + 1:4}  {loss:.6f}  " + "  ".join(f"{d[step]:{len(name)}.1e}" for name, d in drift.items()))
    for name, d in drift.items():
        print(f"{name}: median {statistics.median(d):.1e}, worst {max(d):.1e} over {len(d)} steps (torch {torch.__version__})")
    mine, *theirs = drift.values()
    if theirs:
        sys.exit(statistics.median(mine) > 2 * max(statistics.median(d) for d in theirs))
    sys.exit(max(mine) > args.tolerance)


main()
