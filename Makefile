# make alone prints this help. Everything but Go, a C++ compiler and make is optional, and what is left out is said.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO ?= go
CXX ?= g++
comma := ,
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The build tag openblas stands where this compiler links OpenBLAS and LAPACKE; OPENBLAS=0 leaves it out.
OPENBLAS ?= $(shell printf 'extern void cblas_dsyrk();extern int LAPACKE_dsyevd();int main(){cblas_dsyrk();return LAPACKE_dsyevd();}' \
	| $(CC) -x c -std=gnu17 -w -o /dev/null - -llapacke -lopenblas 2>/dev/null && echo 1 || echo 0)

include cudart/toolchain.mk
include cudart/cuda.mk
include bench/gpu/bundle.mk

# The build tag cuda stands where a CUDA compiler is, installed or in .toolchain/; CUDA=0 leaves it out.
CUDA ?= $(if $(wildcard $(NVCC)),1,0)
CPU_TAGS := $(if $(filter 1,$(OPENBLAS)),-tags openblas)
ifeq ($(CUDA),1)
  TAGS := -tags $(if $(filter 1,$(OPENBLAS)),openblas$(comma))cuda
  GO_ENV := $(CUDA_ENV)
  CUDA_PARTS := driver emu cuda-kernels
else
  TAGS := $(CPU_TAGS)
endif

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools:
	@command -v $(GO) >/dev/null || { echo "nctrain: no Go: install Go 1.26 or later (https://go.dev/dl, or your package manager's golang)"; exit 1; }
	@command -v $(CXX) >/dev/null || { echo "nctrain: no C++ compiler: install g++ 12 or clang++ 15 or later (Debian, Ubuntu: apt-get install g++)"; exit 1; }

.PHONY: build
build: tools $(CUDA_PARTS) ## bin/nctrain, with what this machine has
	@$(if $(CPU_TAGS),,echo "OpenBLAS is left out (the analysis then runs on gonum's Go code): apt-get install libopenblas-dev liblapacke-dev")
	@$(if $(CUDA_PARTS),,echo "CUDA is left out (bin/nctrain then computes on the CPU alone): make cuda")
	$(GO_ENV) $(GO) build $(TAGS) -ldflags "-X nctrain/cmd/nctrain/internal/version.Version=$(VERSION)" -o bin/nctrain ./cmd/nctrain

# 2,500 images in batches of 32 reach 100 % training and 99 % test accuracy within 50 epochs; an earlier demo is overwritten.
DEMO_FLAGS := --data shapes --ood digits --limit 2500 --width 8 --epochs 50 --batch-size 32 --lr 0.05 --checkpoint-every 5 --out runs/demo --overwrite

.PHONY: demo
demo: build ## train on the built-in sets and analyse: runs/demo (3 minutes on 2 cores)
	bin/nctrain run $(DEMO_FLAGS)

.PHONY: cuda
cuda: toolchain ## bin/nctrain for CPU, GPU and emulated driver; brings the CUDA compiler where there is none
	@$(MAKE) --no-print-directory build CUDA=1

# The cuda device is tested under the emulated driver, in a quick tier, where its compiler is or can be had; CUDA=0 leaves it out.
.PHONY: test test-go
test: tools ## every test
	@[ "$(CUDA)" = 1 ] || [ "$(origin CUDA)" != file ] || $(MAKE) --no-print-directory toolchain || \
	  echo "nctrain: no CUDA compiler (the lines above say why): the tests of the cuda device are left out"
	@$(MAKE) --no-print-directory test-go
test-go: $(CUDA_PARTS)
	$(GO_ENV) $(GO) vet $(TAGS) ./...
	NCTRAIN_CUDA_DRIVER=none $(GO_ENV) $(GO) test $(TAGS) ./...
	@$(if $(CUDA_PARTS),$(MAKE) --no-print-directory test-cuda)

.PHONY: race
race: tools ## the tests under Go's race detector
	$(GO) test $(CPU_TAGS) -race -short -timeout 40m ./...

.PHONY: lint
lint: tools $(CUDA_PARTS) ## gofmt, vet, staticcheck, clang-format, tidy modules
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt -w these:"; echo "$$out"; exit 1; }
	$(GO_ENV) $(GO) vet $(TAGS) ./...
	$(if $(CUDA_PARTS),$(GO) vet ./kernels ./cmd/nctrain)
	$(GO_ENV) $(GO) run $(STATICCHECK) $(TAGS) ./...
	@command -v clang-format >/dev/null || { echo "nctrain: no clang-format: apt-get install clang-format (or pip install clang-format)"; exit 1; }
	clang-format --dry-run --Werror $$(git ls-files 'kernels/*.cpp' 'kernels/*.hpp' 'kernels/*.h' 'kernels/*.cu' 'kernels/*.cuh' 'cudart/*.cpp' 'cudart/*.h' 'cudart/*.c')
	$(GO) mod tidy -diff

# The kernels without Go (kernels/cpu/sanitize/README.md): one program, built four ways.
SANITIZE_SOURCES = $(addprefix kernels/cpu/,sanitize/sanitize_main.cpp pool.cpp recording.cpp memory.cpp dispatch.cpp isa_baseline.cpp isa_avx2.cpp isa_avx512.cpp isa_neon.cpp)
SANITIZE_FLAGS = -g -std=c++20 -Wall -Wextra -Wno-psabi -pthread
build/sanitize:
	@mkdir -p $@
.PHONY: sanitize asan tsan valgrind neon
sanitize: asan tsan ## the CPU kernels without Go under the address, undefined-behaviour and thread sanitizers
asan: tools | build/sanitize
	$(CXX) -O1 $(SANITIZE_FLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all -DNCT_GUARD=0 $(SANITIZE_SOURCES) -o build/sanitize/asan
	build/sanitize/asan
tsan: tools | build/sanitize
	$(CXX) -O1 $(SANITIZE_FLAGS) -fsanitize=thread $(SANITIZE_SOURCES) -o build/sanitize/tsan
	build/sanitize/tsan
valgrind: tools | build/sanitize
	@command -v valgrind >/dev/null || { echo "nctrain: no valgrind: apt-get install valgrind"; exit 1; }
	$(CXX) -O1 $(SANITIZE_FLAGS) -DNCT_GUARD=0 $(SANITIZE_SOURCES) -o build/sanitize/plain
	valgrind -q --error-exitcode=9 build/sanitize/plain
neon: tools | build/sanitize
	@command -v aarch64-linux-gnu-g++ qemu-aarch64-static >/dev/null || { echo "nctrain: no NEON emulation: apt-get install g++-aarch64-linux-gnu qemu-user-static"; exit 1; }
	aarch64-linux-gnu-g++ -O2 $(SANITIZE_FLAGS) -static $(SANITIZE_SOURCES) -o build/sanitize/aarch64
	qemu-aarch64-static build/sanitize/aarch64

.PHONY: check
check: lint test race sanitize valgrind neon portable test-cuda-full mutants check-resources fuzz ## everything, an hour or so

# The built-in sets have the same bits where the compiler contracts multiply-adds and on another architecture.
.PHONY: portable
portable: tools
	GOAMD64=v3 $(GO) test -run BuiltInBits ./nn/data
	@command -v qemu-aarch64-static >/dev/null || { echo "nctrain: no arm64 emulation: apt-get install qemu-user-static"; exit 1; }
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec qemu-aarch64-static -run BuiltInBits ./nn/data

FUZZTIME ?= 60s
.PHONY: fuzz
fuzz: tools ## every fuzz target for FUZZTIME (60s)
	@for dir in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/func //'); do \
	    echo "== $$dir $$target"; $(GO) test ./$$dir -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
	  done; done

.PHONY: bench
bench: tools ## Go benchmarks of every package, as benchstat reads them
	$(GO) test $(CPU_TAGS) -run '^$$' -bench . -benchmem ./...

RESULT = bench/results/$(shell date +%F)-$(1).md
.PHONY: bench-pytorch
bench-pytorch: build ## training step and feature sweep beside PyTorch's, interleaved (NCTRAIN_PYTHON=python with torch)
	$(GO) run ./bench/compare --task train --out $(call RESULT,train)
	$(GO) run ./bench/compare --task infer --out $(call RESULT,infer)

# The text of the notebook whose functions are timed beside; without it they are left out.
NOTEBOOK ?= $(wildcard ../shared/seed/notebook.txt)
.PHONY: bench-analysis
bench-analysis: tools ## NC1..NC5 and six scores beside numpy, scikit-learn and the notebook (NCTRAIN_PYTHON, NOTEBOOK=notebook.txt)
	$(GO) run ./bench/analysis --notebook "$(NOTEBOOK)" --out $(call RESULT,analysis)

.PHONY: clean
clean: ## remove what the build made (runs/ stays)
	rm -rf bin build kernels/cuda/images
