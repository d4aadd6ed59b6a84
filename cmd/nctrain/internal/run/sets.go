package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"nctrain/nn/data"
)

// Sets are the images of a run.
type Sets struct {
	Train   *data.Set
	Val     *data.Set // nil: nothing is held out
	Test    *data.Set // nil: the set has one split only and no other was named
	OOD     []NamedData
	Records map[string]SetRecord
}

// NamedData is an out-of-distribution set, cut to its subset (SPEC 2).
type NamedData struct {
	Name string
	*data.Set
	Of int // images of the whole set
}

// SetRecord tells later which images a set held.
type SetRecord struct {
	Set     string `json:"set"`
	Split   string `json:"split"`
	N       int    `json:"n"`
	Classes int    `json:"classes"`
	Height  int    `json:"height"`
	Width   int    `json:"width"`
	SHA256  string `json:"sha256"` // of sizes, images and labels as they are used
}

// openSets reads every set that the settings name, and checks that they fit each other.
func openSets(s *Settings) (*Sets, error) {
	o := data.Options{Limit: s.Limit, ValFraction: s.ValFraction, Seed: s.Training.Seed, ImageSize: s.ImageSize}
	sets := &Sets{Records: map[string]SetRecord{}}
	var err error
	if sets.Train, err = data.Open(s.Data, data.Train, o); err != nil {
		return nil, err
	}
	sets.record("train", sets.Train)
	if s.ValFraction > 0 {
		if sets.Val, err = data.Open(s.Data, data.Val, o); err != nil {
			return nil, err
		}
		sets.record("val", sets.Val)
	}
	o.ValFraction = 0
	switch {
	case s.Test != "":
		sets.Test, err = data.Open(s.Test, data.Test, o)
	case !sets.Train.OneSplit:
		sets.Test, err = data.Open(s.Data, data.Test, o)
	}
	if err != nil {
		return nil, err
	}
	if sets.Test != nil {
		if err := sets.sameClasses(sets.Test); err != nil {
			return nil, err
		}
		if err := sets.sameSize(sets.Test); err != nil {
			return nil, err
		}
		sets.record("test", sets.Test)
	}
	for _, named := range s.OOD {
		if err := sets.openOOD(named, o); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

func (sets *Sets) openOOD(named NamedSet, o data.Options) error {
	set, err := data.Open(named.Set, data.Test, o)
	if err != nil {
		return err
	}
	if err := sets.sameSize(set); err != nil {
		return err
	}
	of := set.Len()
	if sets.Test != nil && of > sets.Test.Len() {
		set = set.Subset(data.OODSubset(of, sets.Test.Len()))
	}
	sets.record("ood/"+named.Name, set)
	sets.OOD = append(sets.OOD, NamedData{Name: named.Name, Set: set, Of: of})
	return nil
}

// sameClasses: labels count as many classes as in training, and where both sets name theirs, each number has one name: folders of another class, or of one more, would shift the labels
// behind it. A set that does not say how many classes it has may lack images of the last ones, and then has those of training.
func (sets *Sets) sameClasses(s *data.Set) error {
	t := sets.Train
	if s.Uncounted && s.Classes < t.Classes {
		s.Classes, s.ClassNames = t.Classes, t.ClassNames
	}
	if how := s.ClassesUnlike(t); how != "" {
		return fmt.Errorf("data: %s: %s: name a test set with the same classes", s.Name, how)
	}
	return nil
}

func (sets *Sets) sameSize(s *data.Set) error {
	if t := sets.Train; s.H != t.H || s.W != t.W {
		return fmt.Errorf("data: %s: images of %dx%d pixels, those of the training set %s have %dx%d: name a set of the same size, or folder: with --image-size",
			s.Name, s.H, s.W, t.Name, t.H, t.W)
	}
	return nil
}

// valIndices are the images of the stored training split that are held out, for the weights' metadata.
func (sets *Sets) valIndices() []int32 {
	if sets.Val == nil {
		return nil
	}
	indices := make([]int32, len(sets.Val.Indices))
	for i, at := range sets.Val.Indices {
		indices[i] = int32(at)
	}
	return indices
}

func (sets *Sets) record(key string, s *data.Set) {
	sets.Records[key] = SetRecord{Set: s.Name, Split: s.Split, N: s.Len(), Classes: s.Classes, Height: s.H, Width: s.W, SHA256: fingerprint(s)}
}

func fingerprint(s *data.Set) string {
	h := sha256.New()
	var word [8]byte
	for _, n := range []int{s.Len(), s.H, s.W} {
		binary.LittleEndian.PutUint64(word[:], uint64(n))
		h.Write(word[:])
	}
	h.Write(s.Images)
	labels := make([]byte, 0, 4*len(s.Labels))
	for _, label := range s.Labels {
		labels = binary.LittleEndian.AppendUint32(labels, uint32(label))
	}
	h.Write(labels)
	return hex.EncodeToString(h.Sum(nil))
}

// checkSame is an error where a resumed run finds other images than it began with.
func (sets *Sets) checkSame(records map[string]SetRecord) error {
	for key, was := range records {
		if now, ok := sets.Records[key]; ok && now.SHA256 != was.SHA256 {
			return fmt.Errorf("data: %s: its images or labels are not those that the run began with (%s, sha256 %.12s then, %.12s now): bring the old files back, or start a new run",
				was.Set, key, was.SHA256, now.SHA256)
		}
	}
	return nil
}
