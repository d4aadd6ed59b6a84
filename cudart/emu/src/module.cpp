#include "module.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace emu {

static std::vector<Module*> modules;

// A module's image comes without its length. Of an object that GNU ld wrote, the section headers are the end.
static size_t image_bytes(const void* image) {
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_type != ET_DYN || header.e_shentsize != sizeof(Elf64_Shdr)) return 0;
  return header.e_shoff + size_t{header.e_shnum} * header.e_shentsize;
}

static std::string path_of(const Module& m) { return "/proc/self/fd/" + std::to_string(m.file); }

static void find_addresses(Module* m) {
  link_map* map = nullptr;
  dlinfo(m->handle, RTLD_DI_LINKMAP, &map);
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* const module = static_cast<Module*>(data);
        if (info->dlpi_addr != module->begin) return 0;
        for (int i = 0; i < info->dlpi_phnum; i++)
          if (info->dlpi_phdr[i].p_type == PT_LOAD)
            module->end = std::max(module->end, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
        return 1;
      },
      (m->begin = map->l_addr, m));
}

Error load_module(const void* image, Module** out) {
  const size_t bytes = image_bytes(image);
  if (!bytes) return invalid_image;
  auto m = std::make_unique<Module>();
  m->file = memfd_create("kernels", MFD_CLOEXEC);
  if (m->file < 0) return out_of_memory;
  const std::string path = path_of(*m);
  if (write(m->file, image, bytes) == static_cast<ssize_t>(bytes)) m->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!m->handle) {
    const char* const why = dlerror();
    refusal = {invalid_image, why ? why : "the kernels' image could not be written"};
    close(m->file);
    return invalid_image;
  }
  find_addresses(m.get());
  modules.push_back(m.get());
  *out = m.release();
  return success;
}

Error unload_module(Module* m) {
  const auto found = std::find(modules.begin(), modules.end(), m);
  if (found == modules.end()) return invalid_handle;
  modules.erase(found);
  forget_places();
  dlclose(m->handle);
  // The loader keeps objects with unique symbols, under their name: the file stays open then, so that no later module gets the same one.
  void* const kept = dlopen(path_of(*m).c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (kept)
    dlclose(kept);
  else
    close(m->file);
  delete m;
  return success;
}

Error find_function(Module* m, const char* name, Function** out) {
  if (std::find(modules.begin(), modules.end(), m) == modules.end()) return invalid_handle;
  std::unique_ptr<Function>& f = m->functions[name];
  if (!f) {
    const std::string n = name;
    const auto call = reinterpret_cast<Kernel>(dlsym(m->handle, ("emu_call_" + n).c_str()));
    const auto count = reinterpret_cast<size_t (*)()>(dlsym(m->handle, ("emu_count_" + n).c_str()));
    const auto size = reinterpret_cast<size_t (*)(size_t)>(dlsym(m->handle, ("emu_size_" + n).c_str()));
    if (!call || !count || !size) return not_found;
    f = std::make_unique<Function>();
    f->name = n;
    f->call = call;
    for (size_t i = 0; i < count(); i++) f->parameters.push_back(size(i));
  }
  *out = f.get();
  return success;
}

bool constant(uintptr_t address) {
  return std::any_of(modules.begin(), modules.end(), [=](const Module* m) { return address >= m->begin && address < m->end; });
}

}  // namespace emu
