package torchrand

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// golden is what testdata/make_golden.py wrote; float32 are given by their bits, as torch's int32 view.
type golden struct {
	Random64 []string
	Uniform  []struct {
		Seed, N   uint64
		Low, High float64
		SHA256    string
		Head      []int32
	}
	Randperm []struct {
		Seed, N uint64
		SHA256  string
		Head    []int
	}
	Sequence [3][]int32
}

func readGolden(t *testing.T) golden {
	t.Helper()
	content, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(content, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func bitsOf(values []float32) []int32 {
	bits := make([]int32, len(values))
	for i, v := range values {
		bits[i] = int32(math.Float32bits(v))
	}
	return bits
}

func digest[T int32 | int64](values []T) string {
	b, _ := binary.Append(nil, binary.LittleEndian, values)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func int64s(values []int) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

// The C++ standard (rand.predef) fixes the 10,000th number of mt19937 with its default seed.
func TestRandom32KnownAnswer(t *testing.T) {
	g := New(5489)
	for range 9999 {
		g.Random32()
	}
	if got := g.Random32(); got != 4123659995 {
		t.Errorf("10,000th number %d, want 4123659995", got)
	}
}

func TestRandom64IsTorchs(t *testing.T) {
	g := New(47)
	for i, want := range readGolden(t).Random64 {
		if got := strconv.FormatUint(g.Random64(), 10); got != want {
			t.Errorf("number %d is %s, want %s", i, got, want)
		}
	}
}

func TestUniformIsTorchs(t *testing.T) {
	for _, c := range readGolden(t).Uniform {
		got := make([]float32, c.N)
		New(c.Seed).Uniform(got, c.Low, c.High)
		if !slices.Equal(bitsOf(got[:len(c.Head)]), c.Head) {
			t.Errorf("seed %d, n %d: starts with %x, want %x", c.Seed, c.N, bitsOf(got[:len(c.Head)]), c.Head)
		}
		if digest(bitsOf(got)) != c.SHA256 {
			t.Errorf("seed %d, n %d, %v..%v: differs from torch", c.Seed, c.N, c.Low, c.High)
		}
	}
}

func TestRandpermIsTorchs(t *testing.T) {
	for _, c := range readGolden(t).Randperm {
		got := New(c.Seed).Randperm(int(c.N))
		if !slices.Equal(got[:len(c.Head)], c.Head) {
			t.Errorf("seed %d, n %d: starts with %v, want %v", c.Seed, c.N, got[:len(c.Head)], c.Head)
		}
		if digest(int64s(got)) != c.SHA256 {
			t.Errorf("seed %d, n %d: differs from torch", c.Seed, c.N)
		}
	}
}

// One generator serving several calls: each takes the draws where the one before stopped.
func TestSequenceOfCallsIsTorchs(t *testing.T) {
	want := readGolden(t).Sequence
	g := New(47)
	three, many := make([]float32, 3), make([]float32, 700)
	g.Uniform(three, 0, 1)
	perm := g.Randperm(5)
	g.Uniform(many, 0, 1)
	if !slices.Equal(bitsOf(three), want[0]) || !slices.Equal(bitsOf(many[697:]), want[2]) {
		t.Errorf("%x and %x, want %x and %x", bitsOf(three), bitsOf(many[697:]), want[0], want[2])
	}
	for i, v := range want[1] {
		if perm[i] != int(v) {
			t.Errorf("permutation %v, want %v", perm, want[1])
			break
		}
	}
}

// The permutations on both sides of the switch to 64-bit draws; hashes by `make_golden.py large` (torch 2.15.0).
func TestRandpermAroundTheSwitch(t *testing.T) {
	if os.Getenv("NCTRAIN_LARGE") != "1" {
		t.Skip("takes 3 GB and half a minute: set NCTRAIN_LARGE=1")
	}
	for n, want := range map[int]string{
		wideFrom - 1: "eebe61fa712a0ecc3f3fbe6c5c4855bb0862bcc353400f05abf38ede8e55fd93",
		wideFrom:     "7033953fef2095567fa2c59e701af3d66d410e51206c05aa8aac2aff78c44eeb",
	} {
		hash := sha256.New()
		for part := range slices.Chunk(New(42).Randperm(n), 1<<16) {
			b := make([]byte, 0, 4*len(part))
			for _, v := range part {
				b = binary.LittleEndian.AppendUint32(b, uint32(v))
			}
			hash.Write(b)
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != want {
			t.Errorf("n %d: %s, want %s", n, got, want)
		}
	}
}

func TestShuffleWideIsAPermutation(t *testing.T) {
	p := make([]int, 1000)
	New(1).shuffleWide(p)
	seen := make([]bool, len(p))
	for i, v := range p {
		if seen[v] {
			t.Fatalf("%d occurs twice, again at %d", v, i)
		}
		seen[v] = true
	}
}

// exactFMA rounds x*y + z once, by arbitrary precision.
func exactFMA(x, y, z float32) float32 {
	f := func(v float32) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(float64(v)) }
	product := new(big.Float).SetPrec(2000).Mul(f(x), f(y))
	got, _ := product.Add(product, f(z)).Float32()
	return got
}

func TestFMA32RoundsOnce(t *testing.T) {
	// 1 + 2^-24 and 1 + 2^-23 + 2^-24 are middles between two float32. The products of the first four pass them by 2^-54
	// on one side or the other, which float64 beside 1 cannot hold.
	tail := float32(1 + 0x1p-23)
	const above, below = 1 - 0x1p-10 + 0x1p-20, 1 - 0x1p-15 // times 1+2^-10: 1 + 2^-30; times 1+2^-15: 1 - 2^-30
	middles := [][3]float32{
		{0x1p-24 * (1 + 0x1p-10), above, 1}, {-0x1p-24 * (1 + 0x1p-10), above, -1},
		{0x1p-24 * (1 + 0x1p-15), below, tail}, {0x1p-24 * (1 + 0x1p-15), -below, -tail},
		{1 - 511*0x1p-23, 0x1p-24 * (1 + 511*0x1p-23), tail}, // 2^-52 - 2^-60 short of a middle: the float64 sum is odd as it is
		{0x1p-24, 1, 1}, {0x1p-24, tail, 1}, {-0x1p-24, tail, 1}, {0x1p-24, -tail, -1}, {0x1p-24 * tail, 1 - 0x1p-24, 1},
		{0x1p-100, 1, 0x1p-149}, {0x1p-75, 0x1p-75, 0x1p-149}, {1, 0, 0}, {-0x1p-30, 0x1p-60, 1}, {0x1p-30, 0x1p-60, -1},
		{4097, 4095, -(1 << 24)}, {3e38, 2, -3e38}, {0x1p-12 + 0x1p-35, 0x1p-12, 0x1p-23*3 + 1},
	}
	twice := 0 // how often rounding to float64 and then to float32 errs
	check := func(x, y, z float32) {
		got, want := fma32(x, y, z), exactFMA(x, y, z)
		if got != want {
			t.Errorf("%x * %x + %x = %x, want %x", x, y, z, got, want)
		}
		if float32(math.FMA(float64(x), float64(y), float64(z))) != want {
			twice++
		}
	}
	for _, c := range middles {
		check(c[0], c[1], c[2])
	}
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(span int) float32 {
		// Few bits set and exponents close together, so that sums often fall on or beside a middle.
		m := uint32(rng.Uint64()&rng.Uint64()&rng.Uint64())&0x7fffff | uint32(rng.IntN(4))
		v := math.Float32frombits(uint32(127+rng.IntN(span)-span/2)<<23 | m&0x7fffff)
		if rng.IntN(2) == 0 {
			return -v
		}
		return v
	}
	for range 200_000 {
		check(random(60), random(30), random(30))
	}
	if twice < 4 {
		t.Errorf("%d cases told one rounding from two, want the first four at least: the test is blind", twice)
	}
	if got := fma32(3e38, 3e38, 1); !math.IsInf(float64(got), 1) {
		t.Errorf("overflow gives %v", got)
	}
	if got := fma32(float32(math.Inf(1)), 1, 1); !math.IsInf(float64(got), 1) {
		t.Errorf("infinity gives %v", got)
	}
}

func BenchmarkUniform(b *testing.B) {
	g, dst := New(47), make([]float32, 1<<16)
	b.SetBytes(4 << 16)
	for b.Loop() {
		g.Uniform(dst, -1, 1)
	}
}
