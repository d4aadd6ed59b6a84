package main

// multiprocessor bounds what is resident at a time (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
type multiprocessor struct {
	warps, blocks, registers int
	shared                   int  // bytes for blocks, each of which takes systemShared for the system as well
	reported                 bool // the compiler's report counts those in
}

const systemShared = 1 << 10

var multiprocessors = map[string]multiprocessor{
	"sm_80":  {warps: 64, blocks: 32, registers: 65536, shared: 164 << 10},
	"sm_90a": {warps: 64, blocks: 32, registers: 65536, shared: 228 << 10, reported: true},
}

// counted is how much of a report's shared memory is the system's.
func (m multiprocessor) counted(shared int) int {
	if m.reported {
		return min(shared, systemShared)
	}
	return 0
}

// occupancy is how many blocks are resident, and the share of the warps that they are. Registers are given out 256 at a time to a warp, and to warps four at a time.
func (m multiprocessor) occupancy(threads, registers, shared int) (blocks int, share float64) {
	warps := (threads + 31) / 32
	registersOfWarp := (registers*32 + 255) / 256 * 256
	warpsByRegisters := m.registers / registersOfWarp / 4 * 4
	blocks = min(m.blocks, m.warps/warps, warpsByRegisters/warps)
	if shared > 0 {
		blocks = min(blocks, m.shared/((shared+127)/128*128+systemShared))
	}
	return blocks, float64(blocks*warps) / float64(m.warps)
}
