"""notebook.pth: a checkpoint as the notebook's training loop saves it, in small, and notebook.json: how PyTorch goes on from it.

Usage: python nn/testdata/notebook.py       (torch 2.15.0 from PyPI; writes beside itself)

Class, optimiser, schedule and keys are the notebook's; width 1, the golden set's 32 images, without augmentation, in SPEC 2's order, so that Go can follow
batch by batch. It trains two of four epochs in float32 and saves. PyTorch then goes on from the file in float64, where a difference of order does not show.
"""

import json
import pathlib
import sys

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "bench" / "pytorch"))
from golden_set import CLASSES, SAMPLES, images, labels  # noqa: E402
from resnet18 import ResNet18, epoch_order, normalise  # noqa: E402

assert torch.__version__.split("+")[0] == "2.15.0", torch.__version__
torch.set_num_threads(1)

WIDTH, BATCH, SEED, EPOCHS, SAVED = 1, 8, 47, 4, 2


def prepare(dtype):
    model = ResNet18(CLASSES, WIDTH).to(dtype)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=5e-4, momentum=0.9)
    return model, sgd, torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=EPOCHS)


def train_epoch(model, sgd, scheduler, x, y, epoch):
    """Losses of the batches, training accuracy, test loss and test accuracy (of the same images)."""
    model.train()
    losses, correct = [], 0
    for i in epoch_order(SAMPLES, SEED, epoch).split(BATCH):
        _, logits = model(x[i])
        loss = F.cross_entropy(logits, y[i])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
        correct += (logits.argmax(1) == y[i]).sum().item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        _, logits = model(x)
    return losses, correct / SAMPLES, F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


x, y = normalise(images()), labels()
torch.manual_seed(SEED)
model, sgd, scheduler = prepare(torch.float32)
history = {"train_losses": [], "train_accuracies": [], "val_losses": [], "val_accuracies": []}
for epoch in range(SAVED):
    losses, *rest = train_epoch(model, sgd, scheduler, x, y, epoch)
    for column, value in zip(history.values(), [sum(losses) / len(losses), *rest]):
        column.append(value)
torch.save(
    {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": sgd.state_dict(),
        "sheduler_state_dict": scheduler.state_dict(),
        "epoch": SAVED,
        "loss": history["train_losses"][-1],
        **history,
    },
    HERE / "notebook.pth",
)

saved = torch.load(HERE / "notebook.pth", weights_only=True)
model, sgd, scheduler = prepare(torch.float64)
model.load_state_dict(saved["model_state_dict"])
sgd.load_state_dict(saved["optimizer_state_dict"])
scheduler.load_state_dict(saved["sheduler_state_dict"])
assert all(s["momentum_buffer"].dtype == torch.float64 for s in sgd.state.values())
rates, next_losses = [], []
for epoch in range(SAVED, EPOCHS):
    rates.append(sgd.param_groups[0]["lr"])
    next_losses += train_epoch(model, sgd, scheduler, x.double(), y, epoch)[0]
golden = {"torch": torch.__version__, "history": history, "rates": rates, "losses": next_losses}
(HERE / "notebook.json").write_text(json.dumps(golden, indent=1) + "\n")
