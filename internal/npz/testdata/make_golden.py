"""Writes the golden files of package npz: what NumPy itself writes, for the Go reader to read.

Usage: python3 make_golden.py        (NumPy 2.x; the files here are of NumPy 2.4.6; they do not depend on the machine)

Every numeric array holds the values that element(i) in npz_test.go computes from the flat C index i, so that the test
needs no second copy of the data.
"""
import pathlib
import numpy as np

HERE = pathlib.Path(__file__).parent
print("numpy", np.__version__)


def element(shape, dtype):
    """element i (flat, C order) is i - 3 for signed and floating types (plus i/4 for floats), i for unsigned ones."""
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return ((i - 3) + i / 4).astype(dtype).reshape(shape)
    if dtype.kind == "i":
        return (i - 3).astype(dtype).reshape(shape)
    if dtype.kind == "b":
        return (i % 2 == 1).reshape(shape)
    return i.astype(dtype).reshape(shape)


arrays = {t: element((5, 7), t) for t in
          ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]}
arrays["big/float32"] = element((5, 7), ">f4")
arrays["big/int64"] = element((35,), ">i8")
arrays["fortran/float32"] = np.asfortranarray(element((5, 7), "f4"))
arrays["fortran/uint8"] = np.asfortranarray(element((2, 3, 4, 3), "u1"))
arrays["images"] = element((2, 3, 4, 3), "u1")
arrays["scalar"] = element((), "f8")
arrays["empty"] = np.zeros((0, 7), "f4")
arrays["halves"] = np.array([0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x3c00, 0x7bff, 0x7c00, 0xfc00, 0x7e00], "u2").view("f2")
arrays["huge"] = np.array([1, 2**63], "u8")
arrays["text"] = np.array(["shapes", "digits"])
np.savez(HERE / "stored.npz", **arrays)
np.savez_compressed(HERE / "deflated.npz", **arrays)
np.save(HERE / "loose_fortran.npy", arrays["fortran/float32"])
np.save(HERE / "loose.npy", arrays["int64"])
np.save(HERE / "loose_vector.npy", element((3,), "f4"))
for version in (2, 3):
    with open(HERE / f"version{version}.npy", "wb") as f:
        np.lib.format.write_array(f, element((5, 7), "f4"), version=(version, 0))
