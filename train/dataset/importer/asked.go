package importer

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strconv"

	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
)

// asked is all that decides what is cut, besides the set's format. The pictures of a folder may have become more before an import
// goes on; what labels say may not have changed.
func asked(list *labels.List, o Options) []pack.Asked {
	root := list.Root
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	objects := "of the labels"
	if o.NewFinder != nil {
		objects = "of a detector"
	}
	all := []pack.Asked{{Name: "pictures", Value: filepath.Join(root, list.File)}, {Name: "format", Value: list.Format},
		{Name: "pattern", Value: list.Pattern}, {Name: "objects", Value: objects}, {Name: "min-side", Value: strconv.Itoa(o.MinSide)}}
	if o.Map != nil {
		all = append(all, pack.Asked{Name: "map", Value: sum(func(h hash.Hash) { write(h, o.Map) })})
	}
	if slices.Contains([]string{"coco", "aihub", "list"}, list.Format) {
		all = append(all, pack.Asked{Name: "labels", Value: sum(func(h hash.Hash) {
			for _, it := range list.Items {
				write(h, it)
			}
		})})
	}
	return all
}

// sum is the first 8 bytes of a SHA-256, in hex: enough to tell two label files apart, and short enough for a message.
func sum(of func(hash.Hash)) string {
	h := sha256.New()
	of(h)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

func write(h hash.Hash, v any) {
	b, err := json.Marshal(v) // keys sorted
	if err != nil {
		b = []byte(err.Error()) // a corner that is no number: labels has left it out
	}
	h.Write(append(b, '\n'))
}
