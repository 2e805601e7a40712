// Package pictures reads labelled picture sets: IDX files such as Fashion-MNIST, folders with one sub-folder per class,
// flat folders whose file names begin with the class, and list files. It is what the drawn belt carries and what a
// classifier is fitted and judged on. Cleaning, splitting and augmenting sets are not its business, nor are boxes:
// one picture has one label.
package pictures

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gleaner/capture"
)

// Skipped says why a file that looks like a picture of the set is not in it.
type Skipped struct {
	Path   string
	Reason string
}

// Set is a labelled picture set. It is immutable after Open and may be used from several goroutines.
type Set struct {
	name    string
	labels  []string
	class   []int    // class of picture i
	files   []string // path of picture i; nil for an IDX set
	skipped []Skipped

	// An IDX set keeps its grey pixels in memory: picture i is pix[i*w*h : (i+1)*w*h], row-major, 0 black to 255 white.
	pix  []byte
	w, h int
}

// ErrEmpty says that a set holds no usable picture.
var ErrEmpty = errors.New("no labelled picture")

// maxPixels bounds a picture: a few bytes can claim a size that takes all memory.
const maxPixels = 120_000_000

// Open reads the set that source names:
//
//	fashion-mnist         Debian's Fashion-MNIST test set, 10,000 garments in ten classes
//	fashion-mnist:train   its training set, 60,000 garments
//	x-images-idx3-ubyte   an IDX file, gzipped or not, with x-labels-idx1-ubyte beside it, and labels.txt, if the classes have names
//	list.txt              a list file (.txt or .tsv): path TAB class; paths are relative to the list or its parent
//	folder                one sub-folder per class, also below train, val and test; without sub-folders, file names that begin with the class
//
// Files whose name is not that of a JPEG or PNG are passed over; pictures whose first bytes are neither are left out
// and told by Skipped. A folder's pictures are decoded by Image, one at a time.
func Open(source string) (*Set, error) {
	if dir, split, ok := fashion(source); ok {
		return openFashion(dir, split)
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("open pictures: %w", err)
	}
	var s *Set
	switch low := strings.ToLower(source); {
	case info.IsDir():
		s, err = openFolder(source)
	case !info.Mode().IsRegular():
		err = errors.New("neither a file nor a folder")
	case strings.Contains(filepath.Base(low), "idx3-ubyte"):
		s, err = openIDX(source)
	case strings.HasSuffix(low, ".txt"), strings.HasSuffix(low, ".tsv"):
		s, err = openList(source)
	default:
		err = errors.New("neither a folder, a list file (.txt, .tsv) nor an IDX file (…idx3-ubyte, …idx3-ubyte.gz)")
	}
	if err != nil {
		return nil, fmt.Errorf("open pictures %s: %w", source, err)
	}
	s.name = source
	if s.Len() == 0 {
		return nil, fmt.Errorf("open pictures %s: %w (%d files left out)", source, ErrEmpty, len(s.skipped))
	}
	return s, nil
}

// String is the source that the set was opened from.
func (s *Set) String() string { return s.name }

// Labels are the class names, in the order of the class numbers. The caller must not change them.
func (s *Set) Labels() []string { return s.labels }

// Len is the number of pictures.
func (s *Set) Len() int { return len(s.class) }

// Label is the class number of picture i, 0 to len(Labels())-1.
func (s *Set) Label(i int) int { return s.class[i] }

// Path is the file of picture i; for an IDX set the source and the picture's number, such as "fashion-mnist#17".
func (s *Set) Path(i int) string {
	if s.files == nil {
		return fmt.Sprintf("%s#%d", s.name, i)
	}
	return s.files[i]
}

// Cutout reports that the pictures show one bright thing on black, to be cut out by its outline (IDX sets); otherwise
// they are photographs.
func (s *Set) Cutout() bool { return s.files == nil }

// Skipped are the files that were left out, with the reason.
func (s *Set) Skipped() []Skipped { return s.skipped }

// Image decodes picture i into new memory. Orientation tags (EXIF) are not applied: the pixels are as stored.
func (s *Set) Image(i int) (capture.Image, error) {
	if s.files == nil {
		return s.grey(i), nil
	}
	return Load(s.files[i])
}

// Load decodes a JPEG or PNG file into new memory. Orientation tags (EXIF) are not applied: the pixels are as stored.
func Load(path string) (capture.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return capture.Image{}, fmt.Errorf("open picture: %w", err)
	}
	defer f.Close()
	head, _, err := image.DecodeConfig(f)
	if err == nil && int64(head.Width)*int64(head.Height) > maxPixels {
		err = fmt.Errorf("%d×%d pixels are more than %d million", head.Width, head.Height, maxPixels/1_000_000)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return capture.Image{}, fmt.Errorf("decode picture %s: %w", path, err)
	}
	im, _, err := image.Decode(f)
	if err != nil {
		return capture.Image{}, fmt.Errorf("decode picture %s: %w", path, err)
	}
	if im.Bounds().Empty() {
		return capture.Image{}, fmt.Errorf("decode picture %s: no pixels", path)
	}
	return bgr(im), nil
}

func (s *Set) grey(i int) capture.Image {
	im := capture.NewImage(s.w, s.h)
	for p, v := range s.pix[i*s.w*s.h : (i+1)*s.w*s.h] {
		im.Pix[3*p], im.Pix[3*p+1], im.Pix[3*p+2] = v, v, v
	}
	return im
}
