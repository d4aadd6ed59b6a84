"""Where the notebook is wrong: what its own functions print on a run's checkpoints, beside what nctrain found of the same features. For docs/notebook.md.

Usage: python notebook_errors.py RUN --ood NAME --notebook notebook.txt      (torch, scikit-learn 1.5 or later)

RUN is the --out of an `nctrain run ... --notebook --keep-features` of 100 classes. First the numbers that must agree are asserted: score arrays of the @notebook
forms within 1e-4 of their standard deviation, or the notebook's own float32 rounding where that is more; metrics within 1e-6 of scikit-learn's on identical arrays.
"""

import argparse
import contextlib
import io
import json
import pathlib
import sys
import types

import numpy as np
import torch
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "analysis"))
from peers import functions_of, load  # noqa: E402

NAMES = ["OODScorer", "evaluate_ood", "neco_scores", "verify_nc1", "verify_nc3", "verify_nc4", "verify_nc5"]
SCORES = {"msp": "msp@notebook", "mls": "mls", "energy": "energy", "mahalanobis": "mahalanobis@notebook", "vim": "vim@notebook", "neco": "neco@notebook"}


class Epoch:
    """The kept features of one checkpoint, and nctrain's numbers of it."""

    def __init__(self, run, ood, numbers, detection):
        self.nc, self.ood = numbers, detection["ood"][ood]
        at = f"epoch_{numbers['epoch']:04d}"
        self.train, self.id, self.other, self.head = (load(run / "features", f"{at}_{part}") for part in ("train", "test", f"ood_{ood}", "head"))


def quietly(f, *args):
    with contextlib.redirect_stdout(io.StringIO()):
        return f(*args)


def notebook_scores(book, e, dtype):
    """The notebook's scores of ID and OOD rows, its functions called with the rows that they are meant for."""
    train, *scored = ({key: x.astype(dtype) if x.dtype == np.float32 else x for key, x in rows.items()} for rows in (e.train, e.id, e.other))
    scorer = book["OODScorer"](e.head["weight"].astype(dtype), e.head["bias"].astype(dtype), len(e.head["weight"]))
    scorer.fit(train["features"], train["logits"], train["labels"])
    out = []
    for rows in scored:
        scores = scorer.score(rows["features"], rows["logits"])
        scores["neco"] = quietly(book["neco_scores"], rows["features"], train["features"])
        out.append({name: s.astype(np.float64) for name, s in scores.items()})
    return out


def assert_same(book, e, ours, ood):
    """The notebook's functions, rightly called, against nctrain's @notebook forms; returns the notebook's scores of ID and OOD rows."""
    theirs, exact = (notebook_scores(book, e, dtype) for dtype in (np.float32, np.float64))
    print("| score | worst difference / std | of the notebook itself, float32 to float64 | worst metric difference to scikit-learn |\n|---|---|---|---|")
    for name, form in SCORES.items():
        difference, own = 0, 0
        for part, scores, wide in zip(("id", ood), theirs, exact):
            difference = max(difference, np.abs(ours[f"{part}/{form}"] - scores[name]).max() / scores[name].std())
            own = max(own, np.abs(wide[name] - scores[name]).max() / scores[name].std())
        metric = metric_difference(ours[f"id/{form}"], ours[f"{ood}/{form}"], e.ood[form])
        print(f"| {form} | {difference:.1e} | {own:.1e} | {metric:.1e} |")
        assert difference <= max(1e-4, 1.01 * own) and metric <= 1e-6, form
    return theirs


def metric_difference(inside, outside, ours):
    """The largest difference of a metric, as a share, to scikit-learn's on these scores."""
    labels = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
    scores = -np.r_[inside, outside]
    out = roc_curve(labels, scores, drop_intermediate=False)
    ident = roc_curve(1 - labels, -scores, drop_intermediate=False)
    pr_out, pr_in = precision_recall_curve(labels, scores), precision_recall_curve(1 - labels, -scores)
    want = {
        "auroc": roc_auc_score(labels, scores),
        "fpr95_ood_pos": out[0][np.argmax(out[1] >= 0.95)],
        "fpr95_id_pos": ident[0][np.argmax(ident[1] >= 0.95)],
        "aupr_out": average_precision_score(labels, scores),
        "aupr_in": average_precision_score(1 - labels, -scores),
        "aupr_out_trapz": auc(pr_out[1], pr_out[0]),
        "aupr_in_trapz": auc(pr_in[1], pr_in[0]),
    }
    return max(abs(ours[key] / 100 - value) for key, value in want.items())


def curves(book, epochs):
    """NC3 and NC5 as NC_values draws them: one head and one set of OOD features, the last epoch's, for every epoch."""
    last = epochs[-1]
    print("\n| epoch | NC3 drawn | NC3, own head | NC5 drawn | NC5, own OOD features | bound | chance |\n|---|---|---|---|---|---|---|")
    for e in epochs:
        features, labels = torch.from_numpy(e.train["features"]), torch.from_numpy(e.train["labels"])
        book["resnet"] = types.SimpleNamespace(fc=types.SimpleNamespace(weight=torch.from_numpy(last.head["weight"])))
        nc3 = quietly(book["verify_nc3"], features, labels)
        nc5 = quietly(book["verify_nc5"], features, labels, torch.from_numpy(last.other["features"]))
        right = next(iter(e.nc["nc5"].values()))
        print(f"| {e.nc['epoch']} | {nc3:.4f} | {e.nc['nc3']['row_l2']:.4f} | {nc5:.4f} | {right['centred']:.4f} | {right['upper_bound']:.4f} | {right['chance']:.4f} |")


def neco(book, e):
    """NECO as the notebook called it, and with the rows that it meant."""
    np.random.seed(47)  # of these sizes scikit-learn's PCA is randomised
    print("\n| NECO | AUROC | FPR95 | AUPR-In | AUPR-Out |\n|---|---|---|---|---|")
    for text, fit, ident in (
        ("as called: PCA of the OOD rows, training rows as ID", e.other, e.train),
        ("PCA of the OOD rows, test rows as ID", e.other, e.id),
        ("same function, PCA of the training rows, test rows as ID", e.train, e.id),
    ):
        inside, outside = (quietly(book["neco_scores"], rows["features"], fit["features"]) for rows in (ident, e.other))
        m = book["evaluate_ood"](inside, outside)
        print(f"| {text} | {m['AUROC']:.2f} | {m['FPR95']:.2f} | {m['AUPR_In']:.2f} | {m['AUPR_Out']:.2f} |")
    for form in ("neco@notebook", "neco"):
        m = e.ood[form]
        print(f"| nctrain, {form} | {m['auroc']:.2f} | {m['fpr95_ood_pos']:.2f} | {m['aupr_in']:.2f} | {m['aupr_out']:.2f} |")


def figures(book, e, theirs):
    """The points and curves of plot_comparisons and save_individual_plots beside their labels."""
    print("\n| score | FPR95 marked at | curve's FPR there, grid | sheet | area under \"PR-In\" of the grid | its label |\n|---|---|---|---|---|---|")
    for name, form in SCORES.items():
        inside, outside = (scores[name] for scores in theirs)
        m = book["evaluate_ood"](inside, outside)
        labels, scores = np.r_[np.zeros(len(inside)), np.ones(len(outside))], -np.r_[inside, outside]
        precision, recall, _ = precision_recall_curve(labels, scores)  # what the grid draws as PR-In
        ours = e.ood[form]
        print(f"| {name} | {m['FPR95']:.1f} | {ours['fpr95_ood_pos'] / 100:.3f} | {ours['fpr95_id_pos'] / 100:.3f} | {100 * auc(recall, precision):.2f} | {m['AUPR_In']:.2f} |")


def rounding(book, epochs, theirs):
    e = epochs[-1]
    ones = sum((s["msp"] == 1).sum() for s in theirs), sum(len(s["msp"]) for s in theirs)
    print(f"\nfloat32 softmax: {ones[0]} of {ones[1]} MSP scores are exactly 1; AUROC {e.ood['msp@notebook']['auroc']:.3f}, as log-odds {e.ood['msp']['auroc']:.3f}")
    print("\n| epoch | NC1, notebook | `rank` | NC4, notebook | float64 |\n|---|---|---|---|---|")
    for e in epochs:
        features, labels = torch.from_numpy(e.train["features"]), torch.from_numpy(e.train["labels"])
        nc1 = quietly(book["verify_nc1"], features, labels)
        nc4 = quietly(book["verify_nc4"], features, labels, e.train["logits"])
        print(f"| {e.nc['epoch']} | {nc1:.5g} | {e.nc['nc1']['rank']:.5g} | {nc4:.6f} | {e.nc['nc4']['train']:.6f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--ood", required=True)
    parser.add_argument("--notebook", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    book = functions_of(args.notebook, NAMES)
    numbers = zip(*(json.loads((args.run / name).read_text()) for name in ("nc.json", "ood.json")))
    epochs = [Epoch(args.run, args.ood, *pair) for pair in numbers]
    print(f"last checkpoint: epoch {epochs[-1].nc['epoch']}, weights {epochs[-1].nc['checkpoint'][:12]}\n")
    theirs = assert_same(book, epochs[-1], load(args.run, "scores"), args.ood)
    curves(book, epochs)
    neco(book, epochs[-1])
    figures(book, epochs[-1], theirs)
    rounding(book, epochs, theirs)


main()
