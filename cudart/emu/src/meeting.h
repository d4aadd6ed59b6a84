// Where lanes of a warp meet and see what each gave (intrinsics.cpp).
#ifndef EMU_MEETING_H
#define EMU_MEETING_H
#include <stddef.h>

namespace emu {

using Table = const char (*)[64];  // a lane's slot each, good until the lane's next meeting

// exchange_table: each lane of mask gives `bytes` (at most 64), and gets the table of all.
Table exchange_table(unsigned mask, const void* in, size_t bytes, const void* pc);

}  // namespace emu
#endif
