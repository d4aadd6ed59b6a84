"""Golden OOD scores and detection metrics: python golden_ood.py NOTEBOOK.txt

Writes ood_inputs.npz (small feature sets), ood_golden.npz (score arrays CASE_SCORE_SET, set id or ood) and metrics_golden.json beside itself.
  NAME@notebook  from the notebook's own OODScorer and neco_scores, whose text is taken from the file given (its 100 classes replaced by the case's)
  NAME           by two passes in float64 numpy, straight from the definitions
Metrics come from scikit-learn, with roc_curve(..., drop_intermediate=False), and AUROC, AUPR also from the notebook's evaluate_ood.

Made with numpy 2.4.6, scipy and scikit-learn as printed into the json.
"""
import json
import pathlib
import re
import sys

import numpy as np
import scipy
import sklearn
import torch
from scipy.linalg import pinv
from scipy.special import logsumexp, softmax
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

HERE = pathlib.Path(__file__).parent
VIM_DIM = 9  # of vim@notebook, whose 64 needs more features than these sets have
CLASSES = 8


def notebook_scope(path):
    text = pathlib.Path(path).read_text()
    scope = {
        "torch": torch, "np": np, "print": lambda *_: None, "logsumexp": logsumexp, "softmax": softmax, "pinv": pinv, "PCA": PCA,
        "EmpiricalCovariance": EmpiricalCovariance, "roc_auc_score": roc_auc_score, "roc_curve": roc_curve, "average_precision_score": average_precision_score,
    }
    for head in ("class OODScorer", r"def neco_scores\(", r"def evaluate_ood\("):
        body = re.search(rf"^{head}.*?(?=^\S|\Z)", text, re.S | re.M).group(0)
        exec(body.replace("num_classes = 100", f"num_classes = {CLASSES}"), scope)
    return scope


def draw(rng, d, spread, store, dead=0):
    means = np.abs(rng.normal(1, 0.7, (CLASSES, d)))
    weight = (means - means.mean(0) + 0.2 * rng.normal(size=means.shape)).astype(np.float16).astype(np.float32)
    bias = (0.1 * rng.normal(size=CLASSES)).astype(np.float16).astype(np.float32)

    def rows(labels):
        h = np.maximum(means[labels] + spread * rng.normal(size=(len(labels), d)), 0)
        h[:, :dead] = 0
        return h.astype(store).astype(np.float32)

    labels = rng.permutation(np.repeat(np.arange(CLASSES), 36))
    ood = np.maximum(rng.normal(0.9, 0.6, (50, d)), 0)
    ood[:, :dead] = 0
    sets = {"train": rows(labels), "id": rows(rng.integers(0, CLASSES, 60)), "ood": ood.astype(store).astype(np.float32)}
    return sets, labels, weight, bias


def reference(sets, labels, weight, bias, logits):
    """Default forms in float64."""
    h, w, b = sets["train"].astype(np.float64), weight.astype(np.float64), bias.astype(np.float64)
    n, d = h.shape
    c = len(w)
    means = np.stack([h[labels == k].mean(0) for k in range(c)])
    dev = h - means[labels]
    values, vectors = np.linalg.eigh(dev.T @ dev / n)
    q2 = np.mean((2.0**-23) ** 2 * (h**2).mean(0) / 12)
    keep = values > max(d * 2.0**-52 * values[-1], q2)
    white = vectors[:, keep] / np.sqrt(values[keep])

    u = -np.linalg.pinv(w) @ b
    x = h - u
    dim = d // 2
    _, v = np.linalg.eigh(x.T @ x / n)
    r = v[:, : d - dim]
    alpha = logits["train"].astype(np.float64).max(1).mean() / np.linalg.norm(x @ r, axis=1).mean()

    mu, std = h.mean(0), h.std(0)
    std[std == 0] = 1
    z = (h - mu) / std
    _, _, pc = np.linalg.svd(z, full_matrices=False)
    pc = pc[: min(c, d - 1)]

    out = {}
    for name in ("id", "ood"):
        f, l = sets[name].astype(np.float64), logits[name].astype(np.float64)
        energy = logsumexp(l, axis=1)
        top = l.argmax(1)
        rest = l.copy()
        rest[np.arange(len(l)), top] = -np.inf
        zf = (f - mu) / std
        out[name] = {
            "msp": l.max(1) - logsumexp(rest, axis=1),
            "mls": l.max(1),
            "energy": energy,
            "mahalanobis": -((((f[:, None] - means[None]) @ white) ** 2).sum(2)).min(1),
            "vim": energy - alpha * np.linalg.norm((f - u) @ r, axis=1),
            "neco": np.linalg.norm(zf @ pc.T, axis=1) / np.linalg.norm(zf, axis=1),
        }
    return out


def notebook_scores(scope, sets, labels, weight, bias, logits):
    scorer = scope["OODScorer"](weight, bias, CLASSES)
    scorer.fit(sets["train"], logits["train"], labels, vim_dim=VIM_DIM)
    out = {}
    for name in ("id", "ood"):
        scores = scorer.score(sets[name], logits[name])
        scores["neco"] = scope["neco_scores"](sets[name], sets["train"])
        out[name] = {f"{k}@notebook": scores[k] for k in ("msp", "mahalanobis", "vim", "neco")}
    return out


def metrics(scope, id_scores, ood_scores):
    y = np.concatenate([np.zeros(len(id_scores)), np.ones(len(ood_scores))])
    s = -np.concatenate([id_scores, ood_scores])
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    fpr_in, tpr_in, _ = roc_curve(1 - y, -s, drop_intermediate=False)
    p_out, r_out, _ = precision_recall_curve(y, s)
    p_in, r_in, _ = precision_recall_curve(1 - y, -s)
    theirs = scope["evaluate_ood"](np.asarray(id_scores), np.asarray(ood_scores))
    out = {
        "auroc": 100 * roc_auc_score(y, s), "fpr95_ood_pos": 100 * fpr[np.argmax(tpr >= 0.95)], "fpr95_id_pos": 100 * fpr_in[np.argmax(tpr_in >= 0.95)],
        "aupr_out": 100 * average_precision_score(y, s), "aupr_in": 100 * average_precision_score(1 - y, -s),
        "aupr_out_trapz": 100 * auc(r_out, p_out), "aupr_in_trapz": 100 * auc(r_in, p_in),
    }
    assert np.allclose([out["auroc"], out["aupr_in"], out["aupr_out"]], [theirs["AUROC"], theirs["AUPR_In"], theirs["AUPR_Out"]])
    return {k: float(v) for k, v in out.items()}


def main():
    scope = notebook_scope(sys.argv[1])
    rng = np.random.default_rng(47)
    inputs, golden = {}, {}
    for case, (sets, labels, weight, bias) in {
        "plain": draw(rng, 20, 0.4, np.float16), "collapsed": draw(rng, 12, 0.001, np.float32), "zero_units": draw(rng, 16, 0.4, np.float16, dead=3),
    }.items():
        # Logits are rounded to float16, as a foreign file may hold them.
        logits = {k: (h @ weight.T + bias).astype(np.float16).astype(np.float32) for k, h in sets.items()}
        for k, h in sets.items():
            inputs[f"{case}_{k}_features"] = h if case == "collapsed" else h.astype(np.float16)
            inputs[f"{case}_{k}_logits"] = logits[k].astype(np.float16)
        inputs |= {f"{case}_labels": labels.astype(np.uint8), f"{case}_weight": weight.astype(np.float16), f"{case}_bias": bias.astype(np.float16)}
        forms = [reference(sets, labels, weight, bias, logits)]
        if case != "collapsed":  # in float32 the notebook's own floors leave noise there: nothing to agree with
            forms.append(notebook_scores(scope, sets, labels, weight, bias, logits))
        for scores in forms:
            for name in ("id", "ood"):
                for k, v in scores[name].items():
                    golden[f"{case}_{k}_{name}"] = np.asarray(v, np.float64)
    np.savez_compressed(HERE / "ood_inputs.npz", **inputs)
    np.savez_compressed(HERE / "ood_golden.npz", **golden)

    draws = {
        "distinct": (rng.normal(1, 1, 60), rng.normal(0, 1, 45)),
        "ties": (np.round(rng.normal(1, 1, 60), 0), np.round(rng.normal(0, 1, 45), 0)),
        "saturated": (np.minimum(rng.normal(1, 1, 40), 1), np.minimum(rng.normal(0.5, 1, 70), 1)),
        "constant": (np.ones(7), np.ones(5)),
        "one_each": (np.array([2.0]), np.array([1.0])),
        "one_each_reversed": (np.array([1.0]), np.array([2.0])),
        "perfect": (np.arange(20.0, 40), np.arange(0.0, 20)),
        "one_ood": (rng.normal(1, 1, 33), np.array([0.3])),
        "twenty": (rng.normal(1, 1, 20), rng.normal(0, 1, 20)),
    }
    out = {"versions": f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"}
    for name, (a, b) in draws.items():
        out[name] = {"id": a.tolist(), "ood": b.tolist(), "metrics": metrics(scope, a, b)}
    (HERE / "metrics_golden.json").write_text(json.dumps(out) + "\n")


main()
