// Faults as text: what, where in the source, which kernel, block and thread.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <map>

#include "emu.h"

namespace emu {

Fault fault, refusal;

// places lists the lines of the functions that were inlined at an address, the innermost first, as addr2line gives them.
static std::vector<std::string> places(const void* pc) {
  std::vector<std::string> found;
  Dl_info info;
  if (!dladdr(pc, &info) || !info.dli_fname) return found;
  std::string object = info.dli_fname;
  const std::string self = "/proc/self/";
  if (object.rfind(self, 0) == 0) object = "/proc/" + std::to_string(getpid()) + "/" + object.substr(self.size());
  char command[512];
  snprintf(command, sizeof command, "addr2line -s -i -e %s 0x%zx 2>/dev/null", object.c_str(),
           static_cast<size_t>(static_cast<const char*>(pc) - 1 - static_cast<const char*>(info.dli_fbase)));
  FILE* const pipe = popen(command, "r");
  if (!pipe) return found;
  char line[256];
  while (fgets(line, sizeof line, pipe)) {
    line[strcspn(line, " \n")] = 0;
    found.push_back(line);
  }
  pclose(pipe);
  return found;
}

// The kernel's own line is the first that is in a .cu file.
std::string source_line(const void* pc) {
  const std::vector<std::string> lines = places(pc);
  for (const std::string& line : lines)
    if (line.find(".cu:") != std::string::npos) return line;
  if (!lines.empty() && lines[0][0] != '?') return lines[0];
  char address[32];
  snprintf(address, sizeof address, "%p", pc);
  return address;
}

static std::map<const void*, std::vector<std::string>> known_places;

bool same_place(const void* a, const void* b) {
  if (a == b) return true;
  for (const void* pc : {a, b})
    if (!known_places.count(pc)) known_places[pc] = places(pc);
  return known_places[a] == known_places[b];
}

void forget_places() { known_places.clear(); }

void raise(Error error, const std::string& what, const void* pc) {
  fault.error = error;
  fault.text = source_line(pc) + ": " + what + ", kernel " + block->kernel + " block " + "(" + std::to_string(block->at.x) + "," +
               std::to_string(block->at.y) + "," + std::to_string(block->at.z) + ") thread " + where(*block->running);
  leave_launch();
}

}  // namespace emu
