// Faults as text: what, where in the source, which kernel, block and thread.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "emu.h"

namespace emu {

Fault fault, refusal;

// addr2line lists the functions that were inlined at an address, the innermost first; the kernel's own line is the first that is in a .cu file.
std::string source_line(const void* pc) {
  char address[32];
  snprintf(address, sizeof address, "%p", pc);
  Dl_info info;
  if (!dladdr(pc, &info) || !info.dli_fname) return address;
  std::string object = info.dli_fname;
  const std::string self = "/proc/self/";
  if (object.rfind(self, 0) == 0) object = "/proc/" + std::to_string(getpid()) + "/" + object.substr(self.size());
  char command[512];
  snprintf(command, sizeof command, "addr2line -s -i -e %s 0x%zx 2>/dev/null", object.c_str(),
           static_cast<size_t>(static_cast<const char*>(pc) - 1 - static_cast<const char*>(info.dli_fbase)));
  FILE* const pipe = popen(command, "r");
  if (!pipe) return address;
  std::string found;
  char line[256];
  while (fgets(line, sizeof line, pipe)) {
    line[strcspn(line, " \n")] = 0;
    if (found.empty() || (strstr(line, ".cu:") && found.find(".cu:") == std::string::npos)) found = line;
  }
  pclose(pipe);
  return found.empty() || found[0] == '?' ? address : found;
}

void raise(Error error, const std::string& what, const void* pc) {
  fault.error = error;
  fault.text = source_line(pc) + ": " + what + ", kernel " + block->kernel + " block " + "(" + std::to_string(block->at.x) + "," +
               std::to_string(block->at.y) + "," + std::to_string(block->at.z) + ") thread " + where(*block->running);
  leave_launch();
}

}  // namespace emu
