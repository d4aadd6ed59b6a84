# GPU acceptance in one archive that needs no Go and no network where it runs (docs/gpu.md). Included by the root Makefile after cuda.mk; paths are relative to the
# root. Its programs are built without OpenBLAS and with the C++ library in them, so that they need no more of a machine than the C library.
BUNDLE := build/gpu/nctrain-gpu
BUNDLE_ARCHIVE := build/nctrain-gpu.tar.xz
BUNDLE_LIMIT := 40000000
BUNDLE_GO = $(CUDA_ENV) $(GO) $(1) -tags cuda -ldflags "-s -w -X nctrain/cmd/nctrain/internal/version.Version=$(VERSION) -extldflags '-static-libstdc++ -static-libgcc'"

# The tests' own kernels, beside their sources: for the card, and for the emulated driver of a rehearsal.
BUNDLE_KERNELS = $(foreach kind,fatbin so,$(patsubst %.cu,build/gpu/kernels/%.$(kind),$(wildcard cudart/testdata/*.cu kernels/cuda/testdata/*.cu)))
build/gpu/kernels/%.fatbin: %.cu $(wildcard kernels/cuda/*.cuh) kernels/cuda/fatbin.sh $(NVCC)
	@mkdir -p $(@D)
	sh kernels/cuda/fatbin.sh $(NVCC) $< $@
build/gpu/kernels/%.so: %.cu $(wildcard kernels/cuda/*.cuh) cudart/emu/include/emu_device.h $(EMU)
	@mkdir -p $(@D)
	$(EMU_KERNEL) -c -o $(@:.so=.o) $<
	@$(CXX) -shared -o $@ $(@:.so=.o) $(EMU) && rm $(@:.so=.o)

.PHONY: gpu-bundle
gpu-bundle: tools driver emu cuda-kernels $(BUNDLE_KERNELS) ## one archive for a machine with a GPU: tests, speed, PyTorch beside it (docs/gpu.md)
	@rm -rf $(BUNDLE) && mkdir -p $(BUNDLE)/bin $(BUNDLE)/tests/cudart $(BUNDLE)/tests/kernels/cuda $(BUNDLE)/tests/nn
	$(call BUNDLE_GO,build) -o $(BUNDLE)/bin/nctrain ./cmd/nctrain
	CGO_ENABLED=0 $(GO) build -ldflags "-s -w" -o $(BUNDLE)/bin/acceptance ./bench/gpu
	$(call BUNDLE_GO,test) -c -o $(BUNDLE)/tests/cudart/cudart.test ./cudart
	$(call BUNDLE_GO,test) -c -o $(BUNDLE)/tests/kernels/cuda/cuda.test ./kernels/cuda
	$(call BUNDLE_GO,test) -c -o $(BUNDLE)/tests/nn/nn.test ./nn
	@cp kernels/cuda/*.cu kernels/cuda/*.cuh $(BUNDLE)/tests/kernels/cuda/
	@cp -r build/gpu/kernels/. $(BUNDLE)/tests/
	@cp bench/gpu/run.sh bench/gpu/torch_peer.py bench/pytorch/resnet18.py docs/gpu.md $(BUNDLE)/
	@needs=$$(objdump -T $(BUNDLE)/bin/nctrain $(BUNDLE)/tests/*/*.test $(BUNDLE)/tests/*/*/*.test | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1); \
	  echo "$(VERSION), for Linux on $$(uname -m) with $$needs or later" | tee $(BUNDLE)/VERSION
	@tar -C $(dir $(BUNDLE)) -cf - $(notdir $(BUNDLE)) | xz -T0 --lzma2=preset=6,dict=64MiB > $(BUNDLE_ARCHIVE).partial
	@size=$$(stat -c %s $(BUNDLE_ARCHIVE).partial); [ $$size -lt $(BUNDLE_LIMIT) ] || \
	  { echo "nctrain: gpu-bundle: $(BUNDLE_ARCHIVE).partial has $$size bytes, the limit is $(BUNDLE_LIMIT): leave out what ls -lR $(BUNDLE) shows to be large"; exit 1; }
	@mv $(BUNDLE_ARCHIVE).partial $(BUNDLE_ARCHIVE)
	@ls -l $(BUNDLE_ARCHIVE)

# A trial of the archive here: unpacked into a fresh folder and run in tiny sizes with a bare environment under the emulated driver, with PyTorch on the CPU where
# NCTRAIN_PYTHON names one.
REHEARSAL := build/gpu/rehearsal
.PHONY: gpu-rehearsal
gpu-rehearsal: gpu-bundle ## that archive, unpacked and run in tiny sizes under the emulated driver
	@rm -rf $(REHEARSAL) && mkdir -p $(REHEARSAL)
	tar -C $(REHEARSAL) -xf $(BUNDLE_ARCHIVE)
	env -i PATH=/usr/bin:/bin HOME=$(abspath $(REHEARSAL)) NCTRAIN_CUDA_DRIVER=$(abspath $(EMU)) NCTRAIN_PYTHON=$(NCTRAIN_PYTHON) \
	  $(REHEARSAL)/nctrain-gpu/run.sh $(REHEARSAL)/out --rehearse --sanitizer $(CURDIR)/bench/gpu/testdata/sanitizer-stand-in.sh
check: gpu-rehearsal
