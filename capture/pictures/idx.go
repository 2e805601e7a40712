package pictures

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fashionDir is where Debian's dataset-fashion-mnist puts its files.
const fashionDir = "/usr/share/datasets/fashion-mnist"

// fashionLabels are the ten classes in the order of the data set's numbers (Xiao, Rasul, Vollgraf 2017).
var fashionLabels = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
	"Ankle boot"}

// LabelsFile is the file beside an IDX file that names its classes, one per line.
const LabelsFile = "labels.txt"

// maxIDX bounds what a header may ask for, in bytes: a damaged file must not take the machine's memory.
const maxIDX = 1 << 30

func fashion(source string) (dir, split string, ok bool) {
	switch source {
	case "fashion-mnist", "fashion-mnist:test":
		return fashionDir, "t10k", true
	case "fashion-mnist:train":
		return fashionDir, "train", true
	}
	return "", "", false
}

func openFashion(dir, split string) (*Set, error) {
	path := filepath.Join(dir, split+"-images-idx3-ubyte.gz")
	s, err := openIDX(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open pictures fashion-mnist: %s is missing: install dataset-fashion-mnist (make setup)", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open pictures %s: %w", path, err)
	}
	s.name = "fashion-mnist"
	if split != "t10k" {
		s.name += ":" + split
	}
	return s, nil
}

// openIDX reads an images file and the labels file that its name implies.
func openIDX(path string) (*Set, error) {
	dims, pix, err := readIDX(path)
	if err != nil {
		return nil, err
	}
	if len(dims) != 3 {
		return nil, fmt.Errorf("want 3 dimensions (pictures, rows, columns), the file has %d", len(dims))
	}
	base := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(filepath.Base(path))
	labels := filepath.Join(filepath.Dir(path), base)
	ldims, class, err := readIDX(labels)
	if err != nil {
		return nil, fmt.Errorf("labels %s: %w", labels, err)
	}
	if len(ldims) != 1 || ldims[0] != dims[0] {
		return nil, fmt.Errorf("labels %s: want one label for each of %d pictures, the file has %v", labels, dims[0], ldims)
	}
	if dims[1] == 0 || dims[2] == 0 {
		return nil, fmt.Errorf("pictures of %d×%d pixels", dims[2], dims[1])
	}
	s := &Set{pix: pix, h: dims[1], w: dims[2], class: make([]int, len(class))}
	top := -1
	for i, c := range class {
		s.class[i] = int(c)
		top = max(top, int(c))
	}
	if s.labels, err = namesBeside(path, top); err != nil {
		return nil, err
	}
	return s, nil
}

// namesBeside are the names of classes 0 to top, one per line of labels.txt beside an IDX file; without that file those of
// Fashion-MNIST, where the path says that it is it, and numbers elsewhere.
func namesBeside(path string, top int) (names []string, err error) {
	file := filepath.Join(filepath.Dir(path), LabelsFile)
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		names = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
		if len(names) <= top {
			return nil, fmt.Errorf("%s: %d names, and the labels go up to %d, counted from 0", file, len(names), top)
		}
		if !utf8.Valid(text) || slices.Contains(names, "") {
			return nil, fmt.Errorf("%s: a class without a name, or no UTF-8", file)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("names of the classes: %w", err)
	case strings.Contains(strings.ToLower(path), "fashion") && top < len(fashionLabels):
		return fashionLabels, nil
	default:
		for c := range top + 1 {
			names = append(names, strconv.Itoa(c))
		}
	}
	return names, nil
}

func readIDX(path string) ([]int, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(strings.ToLower(path), ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("unzip: %w", err)
		}
		defer z.Close()
		r = z
	}
	return parseIDX(r)
}

// parseIDX reads one IDX array of unsigned bytes: two zero bytes, the type (8: unsigned byte), the number of
// dimensions, each dimension as a big-endian 32-bit number, then the data row-major. The format is described in
// LeCun, Cortes, Burges: "The MNIST database of handwritten digits", section "The IDX file format".
func parseIDX(r io.Reader) ([]int, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, fmt.Errorf("read the header: %w", err)
	}
	if head[0] != 0 || head[1] != 0 {
		return nil, nil, fmt.Errorf("not an IDX file: it begins with % x", head)
	}
	if head[2] != 8 {
		return nil, nil, fmt.Errorf("element type %#x, only unsigned bytes (0x8) are read", head[2])
	}
	if head[3] < 1 || head[3] > 4 {
		return nil, nil, fmt.Errorf("%d dimensions, want 1 to 4", head[3])
	}
	dims := make([]int, head[3])
	total := int64(1)
	for i := range dims {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return nil, nil, fmt.Errorf("read dimension %d: %w", i, err)
		}
		n := binary.BigEndian.Uint32(d[:])
		if total *= int64(n); total > maxIDX {
			return nil, nil, fmt.Errorf("dimensions of more than %d bytes", maxIDX)
		}
		dims[i] = int(n)
	}
	// The buffer grows with what is really there, so a false header costs no memory.
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, total))
	if err != nil {
		return nil, nil, fmt.Errorf("read the data: %w", err)
	}
	if n < total {
		return nil, nil, fmt.Errorf("truncated: %d of %d bytes", n, total)
	}
	return dims, buf.Bytes(), nil
}
