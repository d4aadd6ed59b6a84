package analysis

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

	"nctrain/internal/npz"
)

// maxMeta bounds the meta array of a file in bytes; ours take some two hundred.
const maxMeta = 1 << 20

// readMeta reads the meta array: JSON as uint8; absent is the zero Meta.
func readMeta(file *npz.File) (m Meta, err error) {
	info, ok := file.Info("meta")
	if !ok {
		return m, nil
	}
	if info.DType != npz.Uint8 || info.Len() > maxMeta {
		return m, fmt.Errorf("analysis: %s: array meta: found %s, want JSON as at most %d uint8: leave meta out or write it so", file.Path(), info.Form(), maxMeta)
	}
	text, err := file.Uint8s("meta")
	if err != nil {
		return m, fmt.Errorf("analysis: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("analysis: %s: array meta is no JSON object of checkpoint, epoch, set, split, version (%v): leave meta out or write it so", filepath.Clean(file.Path()), err)
	}
	return m, nil
}

// metaOf reads the metadata of a .safetensors, texts under the keys of Meta's JSON; others are left alone.
func metaOf(path string, metadata map[string]string) (Meta, error) {
	m := Meta{Checkpoint: metadata["checkpoint"], Set: metadata["set"], Split: metadata["split"], Version: metadata["version"]}
	if text, ok := metadata["epoch"]; ok {
		epoch, err := strconv.Atoi(text)
		if err != nil {
			return m, fmt.Errorf("analysis: %s: metadata epoch is %q: write a whole number or leave it out", path, text)
		}
		m.Epoch = &epoch
	}
	return m, nil
}
