// In which order threads and blocks take their turns: $NCTRAIN_EMU_ORDER = round (the default), reverse or random:SEED.
#ifndef EMU_ORDER_H
#define EMU_ORDER_H
#include <vector>

namespace emu {

// read_order reads the environment; false where it cannot be understood.
bool read_order();
void arrange(std::vector<unsigned>& turn);

}  // namespace emu
#endif
