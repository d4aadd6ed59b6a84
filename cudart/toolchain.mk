# The CUDA compiler and headers: an installed CUDA 12 or 13 where there is one (CUDA_HOME, else /usr/local/cuda), else NVIDIA's own packages from PyPI, pinned
# by hash, in .toolchain/. Included by the root Makefile; paths are relative to the root.
TOOLCHAIN_CUDA := .toolchain/cuda/nvidia/cu13
CUDA_HOME ?= $(if $(wildcard /usr/local/cuda/bin/nvcc),$(if $(wildcard /usr/local/cuda/include/cuda.h),/usr/local/cuda,$(TOOLCHAIN_CUDA)),$(TOOLCHAIN_CUDA))
NVCC = $(CUDA_HOME)/bin/nvcc

.PHONY: toolchain
toolchain: $(CUDA_HOME)/bin/nvcc ## the CUDA compiler: the installed one, else PyPI's in .toolchain/ (130 MB)
	@$(NVCC) --version | sed -n 's/^Cuda compilation tools, //p' | sed 's|^|nvcc in $(CUDA_HOME): |'

# pip writes into a temporary folder that is renamed when it is whole: a download that broke off leaves nothing that looks like a toolchain.
$(TOOLCHAIN_CUDA)/bin/nvcc: cudart/toolchain/requirements.txt
	@[ "$$(uname -sm)" = "Linux x86_64" ] || { echo "nctrain: toolchain: the pinned packages are for Linux on x86-64: install CUDA 12 or 13 and set CUDA_HOME"; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo "nctrain: toolchain: no pip: apt-get install python3-pip, or install CUDA and set CUDA_HOME"; exit 1; }
	@rm -rf .toolchain/cuda .toolchain/cuda.partial
	python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --no-compile \
	  --target .toolchain/cuda.partial -r cudart/toolchain/requirements.txt
	@mv .toolchain/cuda.partial .toolchain/cuda
	@touch $@
