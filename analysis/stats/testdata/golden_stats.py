"""Golden class statistics by two passes: python golden_stats.py

Writes stats_golden.npz beside itself: for each case NAME_features (float32 or float16), NAME_labels, NAME_logits (rounded to float16), and in float64 NAME_within and NAME_total, S_W
and S_T. Both passes run in numpy's longdouble (x87, 64 bits of precision), and two-pass float64 numpy is asserted to agree with it to 1e-13.

Made with numpy 2.4.6 on x86-64.
"""
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent


def two_pass(features, labels, classes, kind):
    h = features.astype(kind)
    means = np.stack([h[labels == k].mean(0, dtype=kind) for k in range(classes)])
    means += np.stack([(h[labels == k] - means[k]).mean(0, dtype=kind) for k in range(classes)])
    within, total = h - means[labels], h - h.mean(0, dtype=kind)
    total -= total.mean(0, dtype=kind)
    n = kind(len(h))
    return np.einsum("ni,nj->ij", within, within) / n, np.einsum("ni,nj->ij", total, total) / n


def draw(rng, counts, d, spread, dead=0, dtype=np.float32):
    means = np.abs(rng.normal(1, 0.6, (len(counts), d)))
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    features = np.maximum(means[labels] + spread * rng.normal(size=(len(labels), d)), 0)
    features[:, :dead] = 0
    features = features.astype(dtype)
    logits = (features.astype(np.float64) @ (means - means.mean(0)).T).astype(np.float16)
    return features, labels, logits


rng = np.random.default_rng(47)
cases = {
    "collapsed": draw(rng, [25] * 8, 12, 6.5e-4),  # tr S_T / tr S_W = 6e5, at which a shift common to all classes loses S_W
    "many_classes": draw(rng, [6] * 30, 10, 0.3, dtype=np.float16),  # C - 1 > D
    "zero_units": draw(rng, [1, 60, 3, 40], 9, 0.4, dead=3, dtype=np.float16),
}
arrays = {}
for name, (features, labels, logits) in cases.items():
    classes = labels.max() + 1
    exact = two_pass(features, labels, classes, np.longdouble)
    for a, b in zip(two_pass(features, labels, classes, np.float64), exact):
        assert np.linalg.norm((a - b).astype(np.float64)) < 1e-13 * np.linalg.norm(b.astype(np.float64)), name
    within, total = (x.astype(np.float64) for x in exact)
    print(name, "tr S_T / tr S_W =", np.trace(total) / np.trace(within))
    arrays |= {f"{name}_features": features, f"{name}_labels": labels.astype(np.uint8), f"{name}_logits": logits, f"{name}_within": within, f"{name}_total": total}
np.savez_compressed(HERE / "stats_golden.npz", **arrays)
