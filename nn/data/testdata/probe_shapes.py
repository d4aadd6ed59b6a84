"""How hard the built-in set shapes is: a linear model on its pixels, and a ResNet-18 of width 8.

Usage: python3 probe_shapes.py TRAIN.npz TEST.npz      (scikit-learn 1.9.1, PyTorch 2.15; some minutes on two cores)
The files come from `nctrain data convert` (or data.WriteNPZ) of shapes, split train and test.

Measured, with the defaults below (all 5,000 images for the linear model, at its best of three strengths of regularisation;
the first 3,000 for the network, with SPEC's crop and flip; accuracies without augmentation, test on 1,000 images):
    linear              train 28.1 %, test 18.5 %
    ResNet, 10 epochs   train 98.3 %, test 97.6 %
    ResNet, 20 epochs   train 99.9 %, test 99.0 %
"""
import sys

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

SAMPLES, EPOCHS, BATCH, RATE, WIDTH = 3000, 20, 64, 0.05, 8


def linear(train, test):
    x, x_test = (s["images"].reshape(len(s["labels"]), -1) / 127.5 - 1 for s in (train, test))
    for c in (1e-4, 1e-3, 1e-2):
        model = LogisticRegression(C=c, max_iter=300).fit(x, train["labels"])
        print(f"linear, C={c}: train {model.score(x, train['labels']):.3f}, test {model.score(x_test, test['labels']):.3f}", flush=True)


class Unit(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet18(width, classes):
    layers, channels = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()], width
    for stage in range(4):
        for unit in range(2):
            layers.append(Unit(channels, width << stage, 2 if stage and not unit else 1))
            channels = width << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def network(train, test):
    torch.manual_seed(47)
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    x, x_test = (((torch.tensor(s["images"]) / 255 - mean) / std).permute(0, 3, 1, 2) for s in (train, test))
    y, y_test = (torch.tensor(s["labels"]) for s in (train, test))
    x, y = x[:SAMPLES], y[:SAMPLES]
    black = (-mean / std).view(1, 3, 1, 1)
    net = resnet18(WIDTH, 10)
    sgd = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=EPOCHS)

    def accuracy(images, labels):
        net.eval()
        with torch.no_grad():
            return (torch.cat([net(b).argmax(1) for b in images.split(500)]) == labels).float().mean().item()

    for epoch in range(1, EPOCHS + 1):
        net.train()
        for batch in torch.randperm(len(x)).split(BATCH):
            padded = black.expand(len(batch), 3, 40, 40).clone()
            padded[:, :, 4:36, 4:36] = x[batch]
            row, col, flip = torch.randint(0, 9, (len(batch),)), torch.randint(0, 9, (len(batch),)), torch.rand(len(batch)) < 0.5
            crops = torch.stack([p[:, r:r + 32, c:c + 32] for p, r, c in zip(padded, row, col)])
            crops[flip] = crops[flip].flip(3)
            loss = nn.functional.cross_entropy(net(crops), y[batch])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        cosine.step()
        if epoch % 5 == 0:
            print(f"width {WIDTH}, {SAMPLES} samples, epoch {epoch}: train {accuracy(x, y):.4f}, test {accuracy(x_test, y_test):.4f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train, test = np.load(sys.argv[1]), np.load(sys.argv[2])
    linear(train, test)
    network(train, test)
