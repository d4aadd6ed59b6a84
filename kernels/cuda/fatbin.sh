#!/bin/sh
# fatbin.sh NVCC SOURCE.cu OUT.fatbin: compiles a kernel for each architecture that its header comment states ("Builds for: sm_80 and later.", or a list:
# "Builds for: sm_90a.") and that this nvcc knows, and as PTX for what comes after. PTX is of an architecture without the a: with it no other card runs it.
set -eu
nvcc=$1 source=$2 out=$3
built_for=$(sed -n 's|^//.*Builds for: \([^.]*\)\..*|\1|p' "$source")
[ -n "$built_for" ] || { echo "$source: its header comment must say 'Builds for: sm_NN and later.' or 'Builds for: sm_NNx.'" >&2; exit 1; }
known=$("$nvcc" --list-gpu-code)
least=$(expr "$built_for" : 'sm_\([0-9]*\) and later$' || true)
flags= newest=
for arch in 75 80 86 89 90a 100 120; do
  number=${arch%a}
  if [ -n "$least" ]; then [ "$number" -ge "$least" ] || continue; else case " $built_for " in *" sm_$arch "*) ;; *) continue ;; esac; fi
  echo "$known" | grep -qx "sm_$number" || continue    # the list leaves out sm_90a
  flags="$flags -gencode arch=compute_$arch,code=sm_$arch"
  newest=$number
done
[ -n "$newest" ] || { echo "$source: $nvcc knows none of the architectures it builds for ($built_for)" >&2; exit 1; }
[ -z "$least" ] || flags="$flags -gencode arch=compute_$newest,code=compute_$newest"
"$nvcc" -std=c++17 -O3 -fmad=false --extended-lambda -lineinfo -Xptxas -warn-spills -Werror all-warnings $flags -fatbin -o "$out" "$source"
