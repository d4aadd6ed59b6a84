// Kernels as shared objects: a .cu source compiled by g++ against emu_device.h and linked with libcuda_emu.so.
#ifndef EMU_MODULE_H
#define EMU_MODULE_H
#include <map>
#include <memory>

#include "emu.h"

namespace emu {

struct Function {
  std::string name;
  Kernel call;
  std::vector<size_t> parameters;       // sizes in bytes
  size_t dynamic_limit = static_limit;  // bytes of dynamic shared memory, and whether it was asked for
  bool asked = false;
};

struct Module {
  int file = -1;
  void* handle = nullptr;
  uintptr_t begin = 0, end = 0;  // its addresses
  std::map<std::string, std::unique_ptr<Function>> functions;
};

Error load_module(const void* image, Module** out);
Error unload_module(Module*);
Error find_function(Module*, const char* name, Function** out);

}  // namespace emu
#endif
