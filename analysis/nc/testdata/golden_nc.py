"""Golden values of NC1..NC5: python golden_nc.py NOTEBOOK.txt

Writes nc_inputs.npz (small feature sets) and nc_golden.json beside itself. For each case the json holds
  reference  every variant by two passes in float64 numpy, straight from the definitions
  notebook   what the notebook's own verify_nc1..verify_nc5 return; their text is taken from the file given

Made with torch 2.15.0 (CPU) and numpy 2.4.6; the json repeats the versions it was made with.
"""
import json
import pathlib
import re
import sys
import types

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent


def notebook_functions(path):
    text = pathlib.Path(path).read_text()
    scope = {"torch": torch, "np": np, "print": lambda *_: None}
    for name in ("verify_nc1", "verify_nc2", "verify_nc3", "verify_nc4", "verify_nc5"):
        body = re.search(rf"^def {name}\(.*?(?=^\S|\Z)", text, re.S | re.M).group(0)
        exec(body, scope)
    return scope


def draw(rng, counts, d, spread, dead=0, dtype=np.float16):
    """Non-negative features around class means, as after ReLU and pooling; `dead` units are zero."""
    c = len(counts)
    means = np.abs(rng.normal(1, 0.6, (c, d)))
    labels = rng.permutation(np.repeat(np.arange(c), counts))
    features = np.maximum(means[labels] + spread * rng.normal(size=(len(labels), d)), 0)
    features[:, :dead] = 0
    features = features.astype(dtype).astype(np.float32)
    weight = (means - means.mean(0) + 0.3 * rng.normal(size=(c, d))).astype(np.float16).astype(np.float32)
    bias = (0.1 * rng.normal(size=c)).astype(np.float16).astype(np.float32)
    ood = np.maximum(rng.normal(0.7, 0.5, (40, d)), 0).astype(np.float16).astype(np.float32)
    return features, labels.astype(np.int64), weight, bias, ood


def reference(features, labels, weight, bias, ood, logits):
    h, w, b = features.astype(np.float64), weight.astype(np.float64), bias.astype(np.float64)
    c, d = w.shape
    n, r = len(h), min(c - 1, d)
    means = np.stack([h[labels == k].mean(0) for k in range(c)])
    centred = h - means[labels]
    sw = centred.T @ centred / n
    eps32 = 2.0**-23

    m1 = means - means.mean(0)
    mu = h.mean(0)
    m = means - mu

    def trace(rows, keep):
        values, vectors = np.linalg.eigh(rows.T @ rows / c)
        values, vectors = values[::-1], vectors[:, ::-1]
        k = keep(values)
        return float(sum(vectors[:, j] @ sw @ vectors[:, j] / values[j] for j in range(k))), values

    # Directions in which S_B is zero by construction (dead units) have no inverse.
    rank, values = trace(m1, lambda v: min(r, int((v > 1e-13 * v[0]).sum())))
    notebook, _ = trace(m, lambda v: int((v > d * eps32 * v[0]).sum()))
    var = np.array([((h[labels == k] - means[k]) ** 2).sum(1).mean() for k in range(c)])
    cdnv = np.mean([(var[i] + var[j]) / (2 * ((means[i] - means[j]) ** 2).sum()) for i in range(c) for j in range(c) if i != j])
    out = {
        "nc1.rank": rank / c, "nc1.notebook": notebook / c, "nc1.papyan_code": rank,
        "nc1.quotient": np.trace(sw) / np.trace(m1.T @ m1 / c), "nc1.cdnv": cdnv,
    }

    etf = (np.eye(c) - 1 / c) / np.sqrt(c - 1)
    off = ~np.eye(c, dtype=bool)

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    for rows, suffix in ((m, ""), (w, "_weights")):
        norms = np.linalg.norm(rows, axis=1)
        gram = rows @ rows.T
        out["nc2.equinorm" + suffix] = norms.std() / norms.mean()
        out["nc2.equiangularity" + suffix] = np.abs((unit(rows) @ unit(rows).T)[off] + 1 / (c - 1)).mean()
        out["nc2.etf_error" + suffix] = np.linalg.norm(gram / np.linalg.norm(gram) - etf)
    dual = w @ m.T
    out |= {
        "nc3.papyan": np.linalg.norm(w / np.linalg.norm(w) - m / np.linalg.norm(m)) ** 2,
        "nc3.row_l2": np.linalg.norm(unit(w) - unit(m), axis=1).mean(),
        "nc3.mean_cos": (unit(w) * unit(m)).sum(1).mean(),
        "nc3.duality_etf": np.linalg.norm(dual / np.linalg.norm(dual) - etf),
        "nc3.bias_collapse": np.linalg.norm(w @ mu + b),
    }
    distances = ((h[:, None, :] - means[None]) ** 2).sum(2)
    out["nc4.train"] = (distances.argmin(1) != logits.argmax(1)).mean()
    o = ood.astype(np.float64).mean(0)
    x = o - mu
    _, s, v = np.linalg.svd(m)
    span = v[: min(r, int((s > 1e-12 * s[0]).sum()))]
    out |= {
        "nc5.raw": np.abs(unit(means) @ o / np.linalg.norm(o)).mean(),
        "nc5.centred": np.abs(unit(m) @ x / np.linalg.norm(x)).mean(),
        "nc5.etf_energy": ((span @ x) ** 2).sum() / (x @ x),
        "nc5.upper_bound": np.sqrt(np.linalg.eigvalsh(unit(m).T @ unit(m) / c)[-1]),
        "nc5.chance": np.sqrt(2 / (np.pi * d)),
        "nc5.etf_energy_chance": r / d,
        "accuracy.train": 100 * (logits.argmax(1) == labels).mean(),
        "health.zero_units": int((h == 0).all(0).sum()),
        "health.lambda_ratio": max(values[r - 1], 0) / values[0],
        "health.smallest_class": int(np.bincount(labels, minlength=c).min()),
        "tr_st_over_tr_sw": ((h - mu) ** 2).sum() / (centred**2).sum(),
    }
    return {k: float(v) for k, v in out.items()}


def notebook_values(f, features, labels, weight, ood, logits):
    f["resnet"] = types.SimpleNamespace(fc=types.SimpleNamespace(weight=torch.from_numpy(weight)))
    h, y, l = torch.from_numpy(features), torch.from_numpy(labels), torch.from_numpy(logits)
    equinorm, equiangularity = f["verify_nc2"](h, y)
    return {
        "nc1.notebook": f["verify_nc1"](h, y), "nc2.equinorm": equinorm, "nc2.equiangularity": equiangularity,
        "nc3.row_l2": f["verify_nc3"](h, y), "nc4.train": f["verify_nc4"](h, y, l), "nc5.centred": f["verify_nc5"](h, y, torch.from_numpy(ood)),
    }


def main():
    torch.set_num_threads(1)
    functions = notebook_functions(sys.argv[1])
    rng = np.random.default_rng(47)
    cases = {
        "balanced": draw(rng, [30] * 8, 24, 0.4),
        "imbalanced": draw(rng, [3, 70, 11, 40, 25, 60], 20, 0.4),
        "collapsed": draw(rng, [20] * 8, 16, 0.001, dtype=np.float32),
        "many_classes": draw(rng, [8] * 30, 16, 0.3),
        "zero_units": draw(rng, [30] * 8, 20, 0.4, dead=5),
        "many_classes_zero_units": draw(rng, [8] * 24, 16, 0.3, dead=3),
    }
    arrays, golden = {}, {"versions": f"torch {torch.__version__}, numpy {np.__version__}"}
    for name, (features, labels, weight, bias, ood) in cases.items():
        logits = (features @ weight.T + bias).astype(np.float16).astype(np.float32)
        golden[name] = {
            "reference": reference(features, labels, weight, bias, ood, logits),
            "notebook": notebook_values(functions, features, labels, weight, ood, logits),
        }
        store = np.float32 if name == "collapsed" else np.float16
        for key, value in (("features", features), ("weight", weight), ("bias", bias), ("ood", ood)):
            kind = np.float16 if key != "features" else store
            assert (value.astype(kind).astype(np.float32) == value).all()
            arrays[f"{name}_{key}"] = value.astype(kind)
        arrays[f"{name}_labels"] = labels.astype(np.uint8)
        arrays[f"{name}_logits"] = logits.astype(np.float16)
    np.savez_compressed(HERE / "nc_inputs.npz", **arrays)
    (HERE / "nc_golden.json").write_text(json.dumps(golden, indent=1) + "\n")


main()
