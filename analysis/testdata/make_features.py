"""Writes one small set of rows as numpy, PyTorch, scikit-learn and pandas users do, for the Go readers to read.

Usage: python make_features.py        (numpy 2.4.6, torch 2.15.0, safetensors 0.8.0, scikit-learn 1.9.0 and pandas 2.3.3 wrote the files here)

Row i of 20 has the features (7i + 3j) % 16 / 8 - 1/2 + SHIFT (j < 3), the logits i - 2k (k < 2) and the label i % 2. SHIFT is 0.1, in the type of the file, where the
file holds float32 or float64, and 0 in the narrower types, which then hold the values exactly.
"""
import pathlib

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from sklearn.preprocessing import FunctionTransformer, LabelEncoder

HERE = pathlib.Path(__file__).parent
i = np.arange(20)[:, None]
exact = (7 * i + 3 * np.arange(3)) % 16 / 8 - 0.5
logits = (i - 2 * np.arange(2)).astype(np.float32)
labels = np.arange(20) % 2
float32 = exact.astype(np.float32) + np.float32(0.1)
float64 = exact + 0.1

np.savez(HERE / "numpy_float16.npz", features=np.asfortranarray(exact.astype(np.float16)), logits=logits.astype(np.float16), labels=labels.astype(np.int32))
np.savez_compressed(HERE / "numpy_float64.npz", features=float64, logits=logits, labels=labels.astype(np.uint8))
np.savez(HERE / "torch.npz", features=torch.from_numpy(float32).numpy(), logits=torch.from_numpy(logits).numpy(), labels=torch.tensor(labels).numpy())
# scikit-learn's transformers give float64, often in Fortran order, its encoders int64.
np.savez(HERE / "sklearn.npz", features=FunctionTransformer(np.asfortranarray).fit_transform(float64), logits=logits,
         labels=LabelEncoder().fit_transform(np.array(["cat", "dog"])[labels]))
for name, array in (("features", np.asfortranarray(float32)), ("logits", logits), ("labels", labels)):
    np.save(HERE / f"loose_{name}.npy", array)
save_file({"features": torch.from_numpy(exact).bfloat16(), "logits": torch.from_numpy(logits), "labels": torch.tensor(labels)},
          HERE / "torch.safetensors", metadata={"checkpoint": "abc", "epoch": "7", "format": "pt"})


def frame(features, prefix):
    return pd.DataFrame(features).add_prefix(prefix).assign(label=labels).join(pd.DataFrame(logits).add_prefix("logit"))


frame(float32, "f").to_csv(HERE / "pandas.csv", index=False)
frame(float64, "h").assign(file=[f"{n}, of 20" for n in range(20)]).to_csv(HERE / "pandas_index.csv")
np.savetxt(HERE / "savetxt.csv", np.hstack([float32, labels[:, None], logits]), delimiter=",", header="f0,f1,f2,label,logit0,logit1")
