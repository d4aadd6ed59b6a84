package nn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nctrain/internal/half"
	"nctrain/internal/safetensors"
	"nctrain/internal/wholefile"
)

// metadataKey is where nctrain keeps what it knows of a file, as JSON, in a safetensors header; PyTorch's loaders ignore it.
const metadataKey = "nctrain"

// Metadata says where weights come from.
type Metadata struct {
	Version  string          `json:"version"`
	Epoch    int             `json:"epoch"`
	NoEpoch  bool            `json:"no_epoch,omitempty"` // converted from a file that does not tell its epoch
	Hash     string          `json:"hash"`               // SPEC 8's identity of the weights
	Settings json.RawMessage `json:"settings,omitempty"` // the run's config.json
	Val      []int32         `json:"val,omitempty"`      // indices of the training set that --val-fraction held out
	// Normalization of the images that the network takes, where it is not the notebook's.
	Normalization *Normalization `json:"normalization,omitempty"`
}

// SaveWeights writes tensors and metadata as a safetensors file, whole or not at all, and returns their identity.
func SaveWeights(path string, tensors []Tensor, meta Metadata) (hash string, err error) {
	meta.Hash = Hash(tensors)
	return meta.Hash, writeSafetensors(path, tensors, meta)
}

func writeSafetensors(path string, tensors []Tensor, meta any) error {
	encoded, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("%s: metadata: %w", path, err)
	}
	all := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		all[i] = safetensors.Tensor{Name: t.Name, DType: string(t.DType), Shape: t.Dims, Data: t.Data}
	}
	return wholefile.Write(path, 0o644, func(w io.Writer) error {
		return safetensors.Write(w, all, map[string]string{"format": "pt", metadataKey: string(encoded)})
	})
}

// LoadWeights reads a safetensors file: every tensor, and nctrain's metadata where the file has it (a foreign file's is zero but for the hash).
func LoadWeights(path string) ([]Tensor, Metadata, error) {
	var meta Metadata
	tensors, err := readSafetensors(path, &meta)
	if err != nil {
		return nil, meta, err
	}
	hash := Hash(tensors)
	if meta.Hash != "" && meta.Hash != hash {
		return nil, meta, fmt.Errorf("weights: %s: the tensors' hash is %.12s, the file says %.12s: it was changed after it was written; use an intact copy", path, hash, meta.Hash)
	}
	meta.Hash = hash
	return tensors, meta, nil
}

func readSafetensors(path string, meta any) ([]Tensor, error) {
	buffer, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	tensors, encoded, err := decodeSafetensors(buffer)
	if err != nil {
		switch ext := filepath.Ext(path); ext {
		case ".pth", ".pt", ".ckpt":
			return nil, fmt.Errorf("weights: %s: a %s is what torch.save writes, and this file does not begin so: copy or save it again, torch.save(model.state_dict(), F)", path, ext)
		}
		return nil, fmt.Errorf("weights: %s: %w: is it a whole .safetensors file?", path, err)
	}
	if encoded != "" {
		if err := json.Unmarshal([]byte(encoded), meta); err != nil {
			return nil, fmt.Errorf("weights: %s: metadata %q: %w: the file is damaged, or was written by another program: use an intact copy", path, metadataKey, err)
		}
	}
	return tensors, nil
}

// decodeSafetensors parses a whole file: its tensors, views of buffer, sorted by name, and nctrain's metadata.
func decodeSafetensors(buffer []byte) (tensors []Tensor, metadata string, err error) {
	located, texts, err := safetensors.ReadHeader(bytes.NewReader(buffer), int64(len(buffer)))
	if err != nil {
		return nil, "", err
	}
	for _, at := range located {
		t := Tensor{Name: at.Name, DType: DType(at.Descr), Dims: at.Shape}
		if _, half := halves[t.DType]; !half && !slices.Contains([]DType{F32, F64, I32, I64}, t.DType) {
			return nil, "", fmt.Errorf("%s has element type %s: nctrain reads F16, BF16, F32, F64, I32 and I64", t.Name, t.DType)
		}
		n, _ := at.Bytes()
		t.Data = buffer[at.Offset : at.Offset+n]
		tensors = append(tensors, widened(t))
	}
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return tensors, texts[metadataKey], nil
}

// halves are the 16-bit element types and their widening.
var halves = map[DType]func(uint16) float32{
	"F16":  half.FromBinary16,
	"BF16": half.FromBFloat16,
}

// widened is a tensor of 16-bit elements as float32, exactly; any other as it is.
func widened(t Tensor) Tensor {
	widen, ok := halves[t.DType]
	if !ok {
		return t
	}
	out := make([]float32, len(t.Data)/2)
	for i := range out {
		out[i] = widen(binary.LittleEndian.Uint16(t.Data[2*i:]))
	}
	return NewTensor(t.Name, out, t.Dims...)
}

// Checkpoint is a file of this network's weights, whoever wrote it.
type Checkpoint struct {
	Path       string
	Tensors    []Tensor // SPEC 1's names in PyTorch's order, float32 and int64: they fit Model
	Model      *ResNet18
	Meta       Metadata // a foreign file's is zero but for the hash, and the epoch where it tells one
	EpochKnown bool
	Mapping    Mapping
}

// LoadCheckpoint reads weights from a .safetensors or .pth file, told apart by their first bytes: nctrain's own, the notebook's, or any of this network
// under the names that OpenOOD, torchvision and their kin use (foreign.go). Nothing is placed on a device, and nothing in the file is run.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	torch, err := isTorch(path)
	if err != nil {
		return nil, err
	}
	if torch {
		f, err := openTorch(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return f.checkpoint()
	}
	tensors, meta, err := LoadWeights(path)
	if err != nil {
		return nil, err
	}
	return newCheckpoint(path, tensors, meta, meta.Version != "" && !meta.NoEpoch)
}

// newCheckpoint maps a file's tensors; their identity is that of what they were mapped to.
func newCheckpoint(path string, tensors []Tensor, meta Metadata, epochKnown bool) (*Checkpoint, error) {
	c := &Checkpoint{Path: path, Meta: meta, EpochKnown: epochKnown}
	var err error
	if c.Tensors, c.Model, c.Mapping, err = adopt(tensors); err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	c.Meta.Hash = Hash(c.Tensors)
	if meta.Normalization != nil {
		c.Model.Normalization = *meta.Normalization
	}
	return c, nil
}

// describe is the network that tensors are of, by the shapes of its first and last weight.
func describe(tensors []Tensor) (*ResNet18, error) {
	dims := map[string][]int{}
	for _, t := range tensors {
		dims[t.Name] = t.Dims
	}
	stem, fc := dims["conv1.weight"], dims["fc.weight"]
	if len(stem) != 4 || len(fc) != 2 {
		return nil, fmt.Errorf("no conv1.weight [width,3,3,3] and fc.weight [classes,8*width] among the %d tensors: are these the weights of this ResNet-18?", len(tensors))
	}
	return NewResNet18(fc[0], stem[0])
}

// CheckpointPath is where a run keeps the weights of an epoch.
func CheckpointPath(dir string, epoch int) string {
	return filepath.Join(dir, "checkpoints", fmt.Sprintf("epoch_%04d.safetensors", epoch))
}
