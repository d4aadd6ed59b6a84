"""foreign.pth: this ResNet-18 as other code names and saves it, and foreign.json: the features that PyTorch computes from it.

Usage: python nn/testdata/foreign.py       (torch 2.15.0 from PyPI; writes beside itself)

torchvision's names (bn1, conv1, downsample), a last layer `linear`, DataParallel's prefix, no num_batches_tracked (PyTorch before 0.4.1 had none), half
precision, and images normalised by other numbers than the notebook's.
"""

import json
import pathlib

import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
from golden_set import CLASSES, images  # noqa: E402

assert torch.__version__.split("+")[0] == "2.15.0", torch.__version__
torch.set_num_threads(1)
MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


class BasicBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ForeignResNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(BasicBlock(width, width, 1), BasicBlock(width, width, 1))
        for stage in 2, 3, 4:
            c = width << stage - 1
            setattr(self, f"layer{stage}", nn.Sequential(BasicBlock(c // 2, c, 2), BasicBlock(c, c, 1)))
        self.linear = nn.Linear(8 * width, CLASSES)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
        return x, self.linear(x)


torch.manual_seed(5)
x = (images().permute(0, 3, 1, 2).float() / 255 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
model = ForeignResNet(2)
for _ in range(20):  # running statistics that are not the initial ones
    model(x)
state = {f"module.{n}": t.half() for n, t in model.state_dict().items() if "num_batches" not in n}
torch.save({"net": state, "acc": 12.5, "epoch": 3}, HERE / "foreign.pth")
model.load_state_dict({n.removeprefix("module."): t.float() for n, t in state.items()}, strict=False)
model.eval()
with torch.no_grad():
    features, logits = model(x[:4])
golden = {"torch": torch.__version__, "mean": MEAN, "std": STD, "features": features.tolist(), "logits": logits.tolist()}
(HERE / "foreign.json").write_text(json.dumps(golden, indent=1) + "\n")
