# What CUDA adds to the build: the late-bound driver that Go links against, the emulated driver, and the kernels compiled for both. Included by the root
# Makefile after toolchain.mk; paths are relative to the root. Go builds with CUDA by `$(CUDA_ENV) go build -tags cuda`.
DRIVER_DIR := build/driver
CUDA_INCLUDE = $(abspath $(CUDA_HOME))/include
CUDA_ENV = CGO_CFLAGS="-O2 -I$(CURDIR)/cudart/driver/include -I$(CUDA_INCLUDE)" CGO_LDFLAGS="-L$(CURDIR)/$(DRIVER_DIR)"

.PHONY: driver
driver: $(DRIVER_DIR)/libcuda.a ## the late-bound libcuda that the program links against

# The functions that the program needs are what the compiled packages leave undefined. cgo takes an empty library for that, and both compile once.
$(DRIVER_DIR)/symbols.txt: $(wildcard cudart/*.go cudart/*.h) go.mod cudart/driver/include/cuda.h $(NVCC)
	@mkdir -p $(DRIVER_DIR) && { [ -f $(DRIVER_DIR)/libcuda.a ] || ar rc $(DRIVER_DIR)/libcuda.a; }
	@$(CUDA_ENV) $(GO) list -export -tags cuda -f '{{.Export}}' gorgonia.org/cu nctrain/cudart > $(DRIVER_DIR)/archives.txt
	@xargs nm < $(DRIVER_DIR)/archives.txt 2>/dev/null | awk '$$(NF) ~ /^cu[A-Z]/ { if ($$(NF-1) == "U") want[$$NF]; else have[$$NF] } \
	  END { for (s in want) if (!(s in have)) print s }' | sort > $@.partial; \
	  [ -s $@.partial ] || { echo "nctrain: driver: the compiled packages name no CUDA function"; exit 1; }
	@mv $@.partial $@

$(DRIVER_DIR)/libcuda.a: $(DRIVER_DIR)/symbols.txt cudart/driver/trampolines.sh cudart/driver/bind.c cudart/driver/include/nctrain_driver.h
	@sh cudart/driver/trampolines.sh < $< > $(DRIVER_DIR)/trampolines.S
	$(CC) -c -o $(DRIVER_DIR)/trampolines.o $(DRIVER_DIR)/trampolines.S
	$(CC) -O2 -Wall -Wextra -fPIC -Icudart/driver/include -c -o $(DRIVER_DIR)/bind.o cudart/driver/bind.c
	@rm -f $@
	ar rc $@ $(DRIVER_DIR)/trampolines.o $(DRIVER_DIR)/bind.o

# The tests of the cuda device under the emulated driver: small shapes, threads in one random order; in full every shape, in each order.
# -count=1: Go cannot see that the emulated driver, or what it reads of the environment, has changed.
EMU_TEST = NCTRAIN_CUDA_DRIVER=$(CURDIR)/$(EMU) $(CUDA_ENV) $(GO) test -count=1 $(if $(filter 1,$(OPENBLAS)),-tags openblas$(comma)cuda,-tags cuda)
.PHONY: test-cuda test-cuda-full
test-cuda: driver emu cuda-kernels ## the cuda device under the emulated driver, quickly
	NCTRAIN_EMU_ORDER=random:1 $(EMU_TEST) ./cudart/... ./kernels/cuda
	$(EMU_TEST) -run CUDA ./nn ./cmd/nctrain ./cmd/nctrain/internal/run
test-cuda-full: driver emu cuda-kernels ## every shape of every kernel under the emulated driver, in three orders of threads and blocks
	for order in round reverse random:2; do \
	  NCTRAIN_EMU_ORDER=$$order NCTRAIN_CHECK=full $(EMU_TEST) -timeout 2h ./kernels/cuda || exit 1; done
	$(EMU_TEST) -run CUDA ./nn ./cmd/nctrain ./cmd/nctrain/internal/run

# Faults in the kernels that those tests must catch (docs/testing.md); ONLY=TEXT tries some of them.
.PHONY: mutants
mutants: driver emu cuda-kernels ## the CUDA kernels with one fault at a time, each of which must be caught under the emulated driver
	NCTRAIN_CUDA_DRIVER=$(CURDIR)/$(EMU) $(CUDA_ENV) $(GO) run -tags cuda ./kernels/cuda/mutants/run -only '$(ONLY)'

# What the compiler made of the kernels: both targets check it, the first writes the table of docs/kernels.md, the second says where that is stale.
RESOURCES = $(GO) run ./kernels/cuda/resources -cuda $(CUDA_HOME)
.PHONY: resources check-resources
resources: cuda-kernels ## the CUDA kernels' registers, occupancy, spills and wide accesses, for docs/kernels.md
	$(RESOURCES) -write
check-resources: cuda-kernels
	$(RESOURCES)

# The emulated driver: NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so.
EMU := build/libcuda_emu.so
EMU_OBJECTS = $(patsubst cudart/emu/src/%.cpp,build/emu/%.o,$(wildcard cudart/emu/src/*.cpp))
.PHONY: emu
emu: $(EMU) ## the emulated CUDA driver: build/libcuda_emu.so
build/emu/%.o: cudart/emu/src/%.cpp $(wildcard cudart/emu/src/*.h cudart/emu/include/*.h)
	@mkdir -p build/emu
	$(CXX) -std=c++20 -O2 -g -Wall -Wextra -fPIC -c -o $@ $<
$(EMU): $(EMU_OBJECTS)
	$(CXX) -shared -Wl,-soname,libcuda_emu.so -Wl,-z,defs -o $@ $^ -ldl

# The kernels, compiled twice: a fatbin for the card, a shared object for the emulated driver. Both are embedded in the program.
KERNEL_NAMES = $(patsubst kernels/cuda/%.cu,%,$(wildcard kernels/cuda/*.cu))
KERNEL_DIR := kernels/cuda/images
.PHONY: cuda-kernels
cuda-kernels: stale-kernels $(KERNEL_NAMES:%=$(KERNEL_DIR)/%.fatbin) $(KERNEL_NAMES:%=$(KERNEL_DIR)/%.so) ## the CUDA kernels, for the card and for the emulated driver
# What a source that is gone has left would be in the program all the same.
.PHONY: stale-kernels
stale-kernels:
	@rm -f $(filter-out $(KERNEL_NAMES:%=$(KERNEL_DIR)/%.fatbin) $(KERNEL_NAMES:%=$(KERNEL_DIR)/%.so),$(wildcard $(KERNEL_DIR)/*))
$(KERNEL_DIR)/%.fatbin: kernels/cuda/%.cu $(wildcard kernels/cuda/*.cuh) kernels/cuda/fatbin.sh $(NVCC)
	@mkdir -p $(KERNEL_DIR)
	sh kernels/cuda/fatbin.sh $(NVCC) $< $@
# The flags are emu.Compile's (cudart/emu/compile.go), where they are explained.
EMU_KERNEL = $(CXX) -x c++ -std=c++20 -O1 -g -fPIC -fsanitize=thread,signed-integer-overflow -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas -Icudart/emu/include
$(KERNEL_DIR)/%.so: kernels/cuda/%.cu $(wildcard kernels/cuda/*.cuh) cudart/emu/include/emu_device.h $(EMU)
	@mkdir -p $(KERNEL_DIR) build/emu
	$(EMU_KERNEL) -c -o build/emu/$*.kernel.o $<
	@$(CXX) -shared -o $@ build/emu/$*.kernel.o $(EMU)
