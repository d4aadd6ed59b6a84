"""The 32 images and labels of the golden values, which Go makes again (main_test.go)."""

import numpy as np
import torch

CLASSES, SAMPLES = 10, 32


def noise(n, seed):
    """n numbers in [-1, 1): a linear congruential generator's upper bits, exact in float64."""
    out = np.empty(n, np.float64)
    state = seed
    for i in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        out[i] = (state >> 40) / 2**23 - 1
    return out


def images():
    values = noise(SAMPLES * 32 * 32 * 3, 7)
    return torch.from_numpy(((values + 1) * 128).astype(np.uint8).reshape(SAMPLES, 32, 32, 3))


def labels():
    return torch.arange(SAMPLES) * 7 % CLASSES
