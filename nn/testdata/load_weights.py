"""Loads weights that nctrain wrote into PyTorch (strict) and writes the features of the golden set: load_weights.py WEIGHTS FEATURES.f32"""

import pathlib
import sys

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "bench" / "pytorch"))
from golden_set import images  # noqa: E402
from resnet18 import ResNet18, normalise  # noqa: E402

weights, out = sys.argv[1:]
state = load_file(weights)
model = ResNet18(num_classes=state["fc.weight"].shape[0], width=state["conv1.weight"].shape[0])
model.load_state_dict(state, strict=True)
model.eval()
with torch.no_grad():
    features, _ = model(normalise(images()))
features.numpy().tofile(out)
