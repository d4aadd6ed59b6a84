"""Golden table of OpenOOD's protocol: python golden_openood.py

Writes openood_inputs.npz (ten classes; features on a coarse grid, so that max logits are exact and many tie) and openood_golden.json: for the score mls, the metrics of
each set and of the near and far groups as OpenOOD v1.5 (openood/evaluators/metrics.py and openood/evaluation_api/evaluator.py, commit 3c35632) defines them, in percent:

  FPR@95             the first point of the ROC curve with OOD positive (detector output -score) whose true positive rate is at least 0.95
  AUROC              the trapezoid under that curve
  AUPR_IN, AUPR_OUT  the trapezoid under the precision-recall curve with ID, with OOD positive
  ACC                accuracy on the ID rows
  nearood, farood    means over the sets of a group

Made with numpy 2.4.6 and scikit-learn as printed into the json.
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import auc, precision_recall_curve, roc_curve

HERE = pathlib.Path(__file__).parent
D, CLASSES = 6, 10
GROUPS = {"nearood": {"cifar100": (0.6, 70), "tin": (0.4, 50)}, "farood": {"mnist": (0.0, 90), "svhn": (0.2, 60), "texture": (0.1, 40), "places365": (0.3, 45)}}


def grid(x):
    return (np.round(2 * x) / 2).astype(np.float32)


def measure(id_scores, ood_scores):
    is_ood = np.repeat([0, 1], [len(id_scores), len(ood_scores)])
    scores = np.concatenate([id_scores, ood_scores])
    false, found, _ = roc_curve(is_ood, -scores)
    precision_in, recall_in, _ = precision_recall_curve(1 - is_ood, scores)
    precision_out, recall_out, _ = precision_recall_curve(is_ood, -scores)
    return {"FPR@95": 100 * false[np.flatnonzero(found >= 0.95)[0]], "AUROC": 100 * auc(false, found), "AUPR_IN": 100 * auc(recall_in, precision_in),
            "AUPR_OUT": 100 * auc(recall_out, precision_out)}


def main():
    rng = np.random.default_rng(5)
    means = 2 * rng.normal(size=(CLASSES, D))
    weight = (np.round(4 * means) / 4).astype(np.float32)
    labels = rng.integers(0, CLASSES, 120)
    arrays = {"weight": weight, "labels": labels, "id": grid(means[labels] + 0.8 * rng.normal(size=(120, D)))}
    for group in GROUPS.values():
        for name, (share, n) in group.items():
            arrays[name] = grid(share * means[rng.integers(0, CLASSES, n)] + rng.normal(size=(n, D)))
    np.savez_compressed(HERE / "openood_inputs.npz", **arrays)

    logits = {name: rows.astype(float) @ weight.astype(float).T for name, rows in arrays.items() if name not in ("weight", "labels")}
    mls = {name: rows.max(1) for name, rows in logits.items()}
    accuracy = 100 * np.mean(logits["id"].argmax(1) == labels)
    table = {}
    for group, sets in GROUPS.items():
        rows = {name: measure(mls["id"], mls[name]) for name in sets}
        table |= rows
        table[group] = {key: np.mean([row[key] for row in rows.values()]) for key in next(iter(rows.values()))}
    for row in table.values():
        row["ACC"] = accuracy
    ties = len(mls["id"]) + sum(n for g in GROUPS.values() for _, n in g.values()) - len(np.unique(np.concatenate(list(mls.values()))))
    (HERE / "openood_golden.json").write_text(json.dumps({"versions": {"numpy": np.__version__, "sklearn": sklearn.__version__}, "ties": ties, "table": table}, indent=1) + "\n")


main()
