package labels

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fold is a path as it is compared: without case, and composed as Korean names from a Mac are not.
func fold(p string) string { return strings.ToLower(norm.NFC.String(p)) }

// key is a file name as it is compared, without its folder.
func key(p string) string { return fold(path.Base(p)) }

var errNowhere = errors.New("nowhere below the folder")

// find is the picture that a label file names, and how many names at the end of the two paths are the same. Sets have one name in many
// folders, such as batch_1/000006.jpg: the picture lies where the label says, as seen from the label's folder, or else has most of the
// folders that the label gives it, or else most of those that the label file lies in or is called by, such as instances_val.json.
// Where that leaves several it is none of them: boxes would be cut from the picture of others.
func (t *tree) find(label, name string) (picture string, same int, err error) {
	found := t.pictures[key(name)]
	if len(found) == 0 { // Windows parts folders so
		name = strings.ReplaceAll(name, `\`, "/")
		found = t.pictures[key(name)]
	}
	var best []string
	var most []int
	for _, f := range found {
		score := []int{0, ending(name, f), folders(label, f), 0}
		if fold(path.Join(path.Dir(label), name)) == fold(f) {
			score[0] = 1
		}
		if path.Base(name) == path.Base(f) { // A.jpg and a.jpg are two
			score[3] = 1
		}
		switch c := slices.Compare(score, most); {
		case c > 0:
			best, most = []string{f}, score
		case c == 0:
			best = append(best, f)
		}
	}
	switch len(best) {
	case 0:
		return "", 0, errNowhere
	case 1:
		return best[0], most[1], nil
	}
	return "", 0, fmt.Errorf("one of %d pictures of its name, and nothing says which: %s, %s", len(best), best[0], best[1])
}

// ending is how many names at the end of two paths are the same.
func ending(a, b string) (n int) {
	x, y := strings.Split(fold(a), "/"), strings.Split(fold(b), "/")
	for n < min(len(x), len(y)) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// folders is how many of a picture's folders a label file lies in, or has in its name.
func folders(label, picture string) (n int) {
	label = fold(label)
	have := append(strings.Split(path.Dir(label), "/"), strings.FieldsFunc(path.Base(label), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})...)
	for _, d := range strings.Split(path.Dir(fold(picture)), "/") {
		if slices.Contains(have, d) {
			n++
		}
	}
	return n
}

// spelt is the only picture whose path is another but for case, the way in which Korean is composed, and Windows' slashes.
func (t *tree) spelt(p string) (picture string, ok bool) {
	for _, f := range t.pictures[key(p)] {
		if fold(f) == fold(p) {
			if ok {
				return "", false
			}
			picture, ok = f, true
		}
	}
	return picture, ok
}
