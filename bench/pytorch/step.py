"""Times PyTorch on nctrain's training step or feature sweep and prints one line of JSON.

Usage: python step.py [--task train|infer] [--layout nchw|channels_last] [--precision fp32|bf16] [--compile] [--width 64] [--batch 128] [--steps 5] [--threads 2]
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional as F

from resnet18 import ResNet18

parser = argparse.ArgumentParser()
parser.add_argument("--task", default="train", choices=["train", "infer"])
parser.add_argument("--layout", default="nchw", choices=["nchw", "channels_last"])
parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
parser.add_argument("--compile", action="store_true", help="by torch.compile, which needs a C++ compiler")
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(47)
layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
model = ResNet18(100, args.width).to(memory_format=layout)
x = torch.randn(args.batch, 3, 32, 32).contiguous(memory_format=layout)
y = torch.randint(0, 100, (args.batch,))
sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16")


def train():
    sgd.zero_grad()
    with autocast:
        _, logits = model(x)
        loss = F.cross_entropy(logits, y)
    loss.backward()
    sgd.step()


def infer():
    with torch.no_grad(), autocast:
        model(x)


model.train(args.task == "train")
if args.compile:
    model = torch.compile(model)
step = train if args.task == "train" else infer
step()
seconds = []
for _ in range(args.steps):
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
median = statistics.median(seconds)
print(json.dumps({
    "images_per_second": args.batch / median,
    "step_ms": {"median": 1e3 * median, "min": 1e3 * min(seconds), "max": 1e3 * max(seconds)},
    "device": f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads",
}))
