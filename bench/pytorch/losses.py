"""Trains PyTorch on the batches that nctrain saw, from the same weights, and compares the losses step by step.

Usage: go run ./bench/losses --data cifar100:PATH | python bench/pytorch/losses.py PATH [--tolerance 1e-3]
PATH is CIFAR-100's binary archive (.tar.gz) or its directory. Exits with 1 where a loss differs by more than the tolerance (relative).
"""

import argparse
import json
import pathlib
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    ours = json.load(sys.stdin)

    images, labels = cifar100_train(args.path)
    torch.manual_seed(ours["seed"])
    model = ResNet18(ours["classes"], ours["width"]).to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), lr=ours["lr"], momentum=0.9, weight_decay=5e-4)
    worst, n, batch = 0.0, len(labels), ours["batch"]
    per_epoch = -(-n // batch)
    for step, ours_loss in enumerate(ours["losses"]):
        epoch, at = divmod(step, per_epoch)
        # The learning rate of epoch 0 holds: 50 steps lie within the first of 400 epochs, or its cosine has moved by less than 1e-4 of itself.
        index = epoch_order(n, ours["seed"], epoch)[at * batch : (at + 1) * batch]
        sgd.zero_grad()
        _, logits = model(normalise(images[index]).contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, labels[index])
        loss.backward()
        sgd.step()
        difference = abs(loss.item() - ours_loss) / abs(loss.item())
        worst = max(worst, difference)
        print(f"step {step + 1:3}  nctrain {ours_loss:.7f}  PyTorch {loss.item():.7f}  relative difference {difference:.1e}")
    print(f"worst relative difference of {len(ours['losses'])} losses: {worst:.1e} (torch {torch.__version__})")
    sys.exit(worst > args.tolerance)


main()
