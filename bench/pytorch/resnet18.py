"""SPEC 1's ResNet-18 in PyTorch, with the notebook's names and construction order, at any width: what nctrain is compared with."""

import torch
from torch import nn


class ResUnit(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.c1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(c_out)
        self.c2 = nn.Conv2d(c_out, c_out, 3, stride=1, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or c_in != c_out:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        out = self.relu(self.b1(self.c1(x)))
        out = self.b2(self.c2(out))
        out += self.shortcut(x)
        return self.relu(out)


class ResNet18(nn.Module):
    """forward(x [N,3,32,32]) returns (features [N, 8*width], logits [N, num_classes])."""

    def __init__(self, num_classes=100, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        c_in = width
        for stage in range(4):
            c_out = width << stage
            units = [ResUnit(c_in, c_out, 1 if stage == 0 else 2), ResUnit(c_out, c_out, 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*units))
            c_in = c_out
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(c_in, num_classes)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        features = torch.flatten(self.avgpool(out), 1)
        return features, self.fc(features)


MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)


def normalise(images):
    """uint8 [N,H,W,3] to float32 [N,3,H,W], rounded as torchvision's ToTensor and Normalize round."""
    x = images.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255)
    mean = torch.tensor(MEAN, dtype=torch.float32).view(-1, 1, 1)
    std = torch.tensor(STD, dtype=torch.float32).view(-1, 1, 1)
    return x.sub_(mean).div_(std)


def epoch_order(n, seed, epoch):
    """The order in which epoch (from 0) visits n samples: SPEC 2."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch))
