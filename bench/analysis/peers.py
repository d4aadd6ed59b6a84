"""Times what others would run on the arrays of a folder, and prints one line of JSON: seconds by stage, and the numbers that all must agree on.

Usage: python peers.py --way notebook|numpy|scikit-learn [--notebook notebook.txt] [--threads 2] DIR

DIR holds train.npz, id.npz, ood.npz and head.npz (docs of nctrain, "Files"). Nothing is timed but the computation: the arrays are in memory, as the notebook has them
(float32), and are widened to float64 inside the time where the way does so.

notebook       the notebook's own functions, taken out of its text
numpy          nctrain's formulas, vectorised, in float64
scikit-learn   single stages: covariance, eigen, PCA, AUROC, AUPR in float64
"""

import argparse
import ast
import contextlib
import io
import json
import time
import types

import numpy as np
import threadpoolctl

SCORES = ["msp", "mls", "energy", "mahalanobis", "vim", "neco"]


def load(folder, name):
    with np.load(f"{folder}/{name}.npz") as f:
        return {key: f[key] for key in f.files}


class Clock:
    """Collects the seconds of named stages."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, stage):
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def functions_of(path, names):
    """The definitions of these names in the text of a notebook, and the imports that stand at the start of a line."""
    lines = open(path).read().split("\n")
    space = {}
    for i, line in enumerate(lines):
        if line.startswith(("import ", "from ")) and not any(word in line for word in ("google.colab", "torchvision", "tqdm", "seaborn", "matplotlib")):
            exec(line, space)
        if line.startswith(("def ", "class ")) and line.split()[1].split("(")[0].rstrip(":") in names:
            end = next((j for j in range(i + 1, len(lines)) if lines[j] and not lines[j][0].isspace()), len(lines))
            body = "\n".join(lines[i:end])
            ast.parse(body)
            exec(body, space)
    missing = [name for name in names if name not in space]
    if missing:
        raise SystemExit(f"peers.py: {path} defines no {', '.join(missing)}")
    return space


def notebook(clock, sets, head, path):
    import torch

    names = ["OODScorer", "evaluate_ood", "neco_scores"] + [f"verify_nc{k}" for k in range(1, 6)]
    book = functions_of(path, names)
    tensor = torch.from_numpy
    book["resnet"] = types.SimpleNamespace(fc=types.SimpleNamespace(weight=tensor(head["weight"])))
    train, ident, out = sets["train"], sets["id"], sets["ood"]
    with clock("collapse"), contextlib.redirect_stdout(io.StringIO()):
        features, labels = tensor(train["features"]), tensor(train["labels"])
        book["verify_nc1"](features, labels)
        book["verify_nc2"](features, labels)
        book["verify_nc3"](features, labels)
        book["verify_nc4"](train["features"], train["labels"], train["logits"])
        book["verify_nc5"](train["features"], train["labels"], out["features"])
    with clock("scores"), contextlib.redirect_stdout(io.StringIO()):
        scorer = book["OODScorer"](head["weight"], head["bias"], len(head["weight"]))
        scorer.fit(train["features"], train["logits"], train["labels"])
        of_id, of_ood = (scorer.score(s["features"], s["logits"]) for s in (ident, out))
        of_id["neco"], of_ood["neco"] = (book["neco_scores"](s["features"], train["features"]) for s in (ident, out))
        for name in SCORES:
            book["evaluate_ood"](of_id[name], of_ood[name])
    return {}  # other definitions (float32 softmax, K, dim): nothing to agree on


def unit_rows(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def frobenius(x):
    return x / np.linalg.norm(x)


def class_means(h, labels, classes):
    order = np.argsort(labels, kind="stable")
    count = np.bincount(labels, minlength=classes)
    return np.add.reduceat(h[order], np.concatenate([[0], np.cumsum(count)[:-1]])) / count[:, None], count


def collapse(train, ood, w, b):
    """NC1..NC5 with their variants."""
    h, labels, logits = train["features"].astype(np.float64), train["labels"], train["logits"].astype(np.float64)
    n, d = h.shape
    classes = len(w)
    mu, count = class_means(h, labels, classes)
    x = h - mu[labels]
    s_w = x.T @ x / n
    var = np.bincount(labels, weights=np.einsum("ij,ij->i", x, x), minlength=classes) / count
    of_means, of_rows = mu.mean(0), h.mean(0)
    rank = min(classes - 1, d)

    def ratio(centre, k=None):
        m = mu - centre
        values, vectors = np.linalg.eigh(m.T @ m / classes)
        k = k or int((values > d * np.finfo(np.float32).eps * values[-1]).sum())
        u = vectors[:, -k:]
        return (np.einsum("ij,ij->j", u, s_w @ u) / values[-k:]).sum(), m

    papyan, m_means = ratio(of_means, rank)
    square = ((mu[:, None] - mu[None]) ** 2).sum(-1) if classes * classes * d < 1e8 else None
    off = ~np.eye(classes, dtype=bool)
    m = mu - of_rows
    etf = (np.eye(classes) - 1 / classes) / np.sqrt(classes - 1)
    out = {
        "nc1.rank": papyan / classes,
        "nc1.notebook": ratio(of_rows)[0] / classes,
        "nc1.quotient": np.trace(s_w) / ((m_means**2).sum() / classes),
        "nc1.cdnv": ((var[:, None] + var[None])[off] / (2 * square[off])).mean(),
    }
    for suffix, rows in (("", m), ("_weights", w)):
        norms = np.linalg.norm(rows, axis=1)
        cos = unit_rows(rows) @ unit_rows(rows).T
        out["nc2.equinorm" + suffix] = norms.std() / norms.mean()
        out["nc2.equiangularity" + suffix] = np.abs(cos[off] + 1 / (classes - 1)).mean()
        out["nc2.etf_error" + suffix] = np.linalg.norm(frobenius(rows @ rows.T) - etf)
    out["nc3.papyan"] = np.linalg.norm(frobenius(w) - frobenius(m)) ** 2
    out["nc3.row_l2"] = np.linalg.norm(unit_rows(w) - unit_rows(m), axis=1).mean()
    out["nc3.mean_cos"] = (unit_rows(w) * unit_rows(m)).sum(1).mean()
    out["nc3.duality_etf"] = np.linalg.norm(frobenius(w @ m.T) - etf)
    out["nc3.bias_collapse"] = np.linalg.norm(w @ of_rows + b)
    distance = (mu**2).sum(1) - 2 * h @ mu.T
    out["nc4.train"] = (distance.argmin(1) != logits.argmax(1)).mean()
    mu_ood = ood["features"].astype(np.float64).mean(0)
    away = mu_ood - of_rows
    out["nc5.raw"] = np.abs(unit_rows(mu) @ (mu_ood / np.linalg.norm(mu_ood))).mean()
    out["nc5.centred"] = np.abs(unit_rows(m) @ (away / np.linalg.norm(away))).mean()
    basis = np.linalg.svd(m, full_matrices=False)[2][:rank]
    out["nc5.etf_energy"] = ((basis @ away) ** 2).sum() / (away @ away)
    return out


def logsumexp(x):
    top = x.max(1)
    return top + np.log(np.exp(x - top[:, None]).sum(1))


def six_scores(train, sets, w, b):
    """The six scores of each set, fitted on the training rows."""
    h, labels, logits = train["features"].astype(np.float64), train["labels"], train["logits"].astype(np.float64)
    n, d = h.shape
    classes = len(w)
    mu, _ = class_means(h, labels, classes)
    x = h - mu[labels]
    values, vectors = np.linalg.eigh(x.T @ x / n)
    quantum = ((np.finfo(np.float32).eps * np.sqrt((h**2).mean(0))) ** 2 / 12).mean()
    kept = values > max(d * np.finfo(np.float64).eps * values[-1], quantum)
    white = vectors[:, kept] / np.sqrt(values[kept])
    mu_white = mu @ white
    u = -np.linalg.pinv(w) @ b
    shifted = h - u
    residual = np.linalg.eigh(shifted.T @ shifted / n)[1][:, : d - (512 if d >= 768 else d // 2)]
    alpha = logits.max(1).mean() / np.linalg.norm(shifted @ residual, axis=1).mean()
    mean, std = h.mean(0), h.std(0)
    std[std == 0] = 1
    z = (h - mean) / std
    basis = np.linalg.eigh(z.T @ z / n)[1][:, -min(classes, d - 1) :]
    for s in sets:
        f, l = s["features"].astype(np.float64), s["logits"].astype(np.float64)
        top = l.argmax(1)
        others = l.copy()
        others[np.arange(len(l)), top] = -np.inf
        y = f @ white
        distance = (y**2).sum(1)[:, None] - 2 * y @ mu_white.T + (mu_white**2).sum(1)
        energy = logsumexp(l)
        standard = (f - mean) / std
        yield {
            "msp": l.max(1) - logsumexp(others),
            "mls": l.max(1),
            "energy": energy,
            "mahalanobis": -distance.min(1),
            "vim": energy - alpha * np.linalg.norm((f - u) @ residual, axis=1),
            "neco": np.linalg.norm(standard @ basis, axis=1) / np.linalg.norm(standard, axis=1),
        }


def detection(ident, ood):
    """The seven metrics in percent, from one sort; scores without ties."""
    score = np.concatenate([ident, ood])
    is_ood = np.concatenate([np.zeros(len(ident)), np.ones(len(ood))])
    order = np.argsort(score, kind="stable")

    def curve(positive):
        tp, total = np.cumsum(positive), np.arange(1, len(positive) + 1)
        precision, recall = tp / total, tp / tp[-1]
        rise = np.diff(recall, prepend=0)
        at = np.searchsorted(tp, int(np.ceil(0.95 * tp[-1] - 1e-9)))
        false = (total - tp)[at] / (len(positive) - tp[-1])
        before = np.concatenate([[1.0], precision[:-1]])
        return (rise * precision).sum(), (rise * (precision + before) / 2).sum(), false

    found = is_ood[order]
    out_step, out_trapezoid, fpr_out = curve(found)
    in_step, in_trapezoid, fpr_in = curve(1 - found[::-1])
    ranks = np.empty(len(score))
    ranks[order] = np.arange(1, len(score) + 1)
    auroc = (ranks[: len(ident)].sum() - len(ident) * (len(ident) + 1) / 2) / len(ident) / len(ood)
    values = {"auroc": auroc, "fpr95_ood_pos": fpr_out, "fpr95_id_pos": fpr_in, "aupr_out": out_step, "aupr_in": in_step,
              "aupr_out_trapz": out_trapezoid, "aupr_in_trapz": in_trapezoid}
    return {key: 100 * v for key, v in values.items()}


def vectorised(clock, sets, head):
    w, b = head["weight"].astype(np.float64), head["bias"].astype(np.float64)
    with clock("collapse"):
        numbers = collapse(sets["train"], sets["ood"], w, b)
    with clock("scores"):
        of_id, of_ood = six_scores(sets["train"], [sets["id"], sets["ood"]], w, b)
        for name in SCORES:
            numbers |= {f"{name}.{key}": v for key, v in detection(of_id[name], of_ood[name]).items()}
    return numbers


def scikit_learn(clock, sets, head):
    from sklearn.covariance import empirical_covariance
    from sklearn.decomposition import PCA
    from sklearn.metrics import average_precision_score, roc_auc_score

    h = sets["train"]["features"].astype(np.float64)
    with clock("covariance"):
        s = empirical_covariance(h)
    with clock("eigen"):
        np.linalg.eigh(s)
    with clock("pca"):
        PCA(n_components=len(head["weight"])).fit(h)
    of_id, of_ood = sets["id"]["logits"].max(1).astype(np.float64), sets["ood"]["logits"].max(1).astype(np.float64)
    labels, output = np.repeat([0, 1], [len(of_id), len(of_ood)]), -np.concatenate([of_id, of_ood])
    with clock("auroc"):
        auroc = roc_auc_score(labels, output)
    with clock("aupr"):
        aupr = average_precision_score(labels, output)
    return {"mls.auroc": 100 * auroc, "mls.aupr_out": 100 * aupr}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=["notebook", "numpy", "scikit-learn"], required=True)
    parser.add_argument("--notebook")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("folder")
    args = parser.parse_args()
    sets = {name: load(args.folder, name) for name in ("train", "id", "ood")}
    head, clock = load(args.folder, "head"), Clock()
    versions = [f"numpy {np.__version__}"]
    with threadpoolctl.threadpool_limits(args.threads):
        if args.way == "notebook":
            import sklearn
            import torch

            torch.set_num_threads(args.threads)
            versions += [f"torch {torch.__version__}", f"scikit-learn {sklearn.__version__}"]
            numbers = notebook(clock, sets, head, args.notebook)
        elif args.way == "numpy":
            numbers = vectorised(clock, sets, head)
        else:
            import sklearn

            versions += [f"scikit-learn {sklearn.__version__}"]
            numbers = scikit_learn(clock, sets, head)
    print(json.dumps({"seconds": clock.seconds, "numbers": {k: float(v) for k, v in numbers.items()}, "version": ", ".join(versions)}))


if __name__ == "__main__":
    main()
