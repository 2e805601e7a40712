package pictures

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleaner/internal/shared"
)

// picture is an encoded w×h picture, red on the left half and blue on the right.
func picture(t testing.TB, ext string, w, h int) []byte {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.Set(x, y, color.RGBA{R: 255, A: 255})
			if 2*x >= w {
				im.Set(x, y, color.RGBA{B: 255, A: 255})
			}
		}
	}
	var b bytes.Buffer
	var err error
	if ext == ".png" {
		err = png.Encode(&b, im)
	} else {
		err = jpeg.Encode(&b, im, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, root string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// idx is an IDX array of unsigned bytes.
func idx(dims []uint32, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func TestOpenFolders(t *testing.T) {
	jpg, pngs := picture(t, ".jpg", 32, 16), picture(t, ".png", 20, 10)
	for _, c := range []struct {
		name, source string
		files        map[string][]byte
		labels       []string
		class        []int
		skipped      string
	}{
		{"class folders", "", map[string][]byte{"유리병/하나.jpg": jpg, "can/1.png": pngs, "can/deep/2.JPEG": jpg, "can/notes.txt": nil,
			".git/x.jpg": jpg}, []string{"can", "유리병"}, []int{0, 0, 1}, ""},
		{"parts of a split", "", map[string][]byte{"train/can/1.jpg": jpg, "Valid/can/2.jfif": jpg, "test/bag/deep/3.png": pngs, "test/4.jpg": jpg},
			[]string{"bag", "can"}, []int{1, 0, 1}, "lies in no class's folder"},
		{"classes called as parts are", "", map[string][]byte{"train/a/1.jpg": jpg, "tram/a/1.jpg": jpg}, []string{"train", "tram"}, []int{0, 1}, ""},
		{"parts without classes", "", map[string][]byte{"train/1.jpg": jpg, "test/1.jpg": jpg}, []string{"test", "train"}, []int{0, 1}, ""},
		{"flat", "", map[string][]byte{"cloudy12.jpg": jpg, "rain_3.png": pngs, "유리병-1.jpg": jpg, "7.jpg": jpg},
			[]string{"cloudy", "rain", "유리병"}, []int{0, 1, 2}, "does not begin with a class"},
		{"bad pictures", "", map[string][]byte{"a/1.jpg": jpg, "a/2.jpg": []byte("GIF89a……"), "b/3.jpg": nil, "b/4.png": pngs,
			"c/5.jpg": []byte("no picture at all")}, []string{"a", "b"}, []int{0, 1}, "a GIF under another name"},
		{"list", "set/list.txt", map[string][]byte{"set/list.txt": []byte("# mine\nx/1.jpg\tred\r\n\nset2/2.png\tblue thing\nx/3.jpg\tred\n"),
			"set/x/1.jpg": jpg, "set2/2.png": pngs}, []string{"blue thing", "red"}, []int{1, 0}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, c.files)
			s, err := Open(filepath.Join(root, c.source))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Labels(), c.labels) || !slices.Equal(s.class, c.class) || s.Cutout() {
				t.Errorf("labels %q, classes %v, want %q, %v", s.Labels(), s.class, c.labels, c.class)
			}
			var why []string
			for _, k := range s.Skipped() {
				why = append(why, k.Path+": "+k.Reason)
			}
			if got := strings.Join(why, "; "); (c.skipped == "") != (got == "") || !strings.Contains(got, c.skipped) {
				t.Errorf("skipped %q, want %q", got, c.skipped)
			}
			for i := range s.Len() {
				im, err := s.Image(i)
				if err != nil {
					t.Fatal(err)
				}
				left, right := im.Row(im.H / 2)[:3], im.Row(im.H / 2)[3*im.W-3:]
				if left[2] < 200 || left[0] > 60 || right[0] < 200 || right[2] > 60 {
					t.Errorf("%s: BGR %v on the left, %v on the right", s.Path(i), left, right)
				}
			}
		})
	}
}

func TestOpenIDX(t *testing.T) {
	pix := []byte{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15}
	images, labels := idx([]uint32{2, 2, 3}, pix), idx([]uint32{2}, []byte{1, 0})
	for _, c := range []struct {
		name  string
		files map[string][]byte
		open  string
		want  string // the error; empty: none
	}{
		{"named", map[string][]byte{"a-images-idx3-ubyte": images, "a-labels-idx1-ubyte": labels, "labels.txt": []byte("0\r\n1\r\n유리\n")}, "a-images-idx3-ubyte", ""},
		{"too few names", map[string][]byte{"a-images-idx3-ubyte": images, "a-labels-idx1-ubyte": labels, "labels.txt": []byte("0\n")},
			"a-images-idx3-ubyte", "1 names, and the labels go up to 1"},
		{"an empty name", map[string][]byte{"a-images-idx3-ubyte": images, "a-labels-idx1-ubyte": labels, "labels.txt": []byte("0\n\n1\n")},
			"a-images-idx3-ubyte", "a class without a name"},
		{"plain", map[string][]byte{"a-images-idx3-ubyte": images, "a-labels-idx1-ubyte": labels}, "a-images-idx3-ubyte", ""},
		{"zipped", map[string][]byte{"a-images-idx3-ubyte.gz": zipped(images), "a-labels-idx1-ubyte.gz": zipped(labels)}, "a-images-idx3-ubyte.gz", ""},
		{"no labels", map[string][]byte{"a-images-idx3-ubyte": images}, "a-images-idx3-ubyte", "a-labels-idx1-ubyte"},
		{"too few labels", map[string][]byte{"a-images-idx3-ubyte": images, "a-labels-idx1-ubyte": idx([]uint32{1}, []byte{1})},
			"a-images-idx3-ubyte", "one label for each of 2 pictures"},
		{"truncated", map[string][]byte{"a-images-idx3-ubyte": images[:len(images)-1]}, "a-images-idx3-ubyte", "truncated: 11 of 12 bytes"},
		{"not zipped", map[string][]byte{"a-images-idx3-ubyte.gz": images}, "a-images-idx3-ubyte.gz", "unzip"},
		{"text", map[string][]byte{"a-images-idx3-ubyte": []byte("hello there")}, "a-images-idx3-ubyte", "not an IDX file"},
		{"floats", map[string][]byte{"a-images-idx3-ubyte": {0, 0, 13, 3}}, "a-images-idx3-ubyte", "element type 0xd"},
		{"huge", map[string][]byte{"a-images-idx3-ubyte": idx([]uint32{1 << 31, 1 << 31, 1 << 31}, nil)}, "a-images-idx3-ubyte", "more than"},
		{"empty", map[string][]byte{"a-images-idx3-ubyte": idx([]uint32{0, 2, 3}, nil), "a-labels-idx1-ubyte": idx([]uint32{0}, nil)},
			"a-images-idx3-ubyte", "no labelled picture"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, c.files)
			s, err := Open(filepath.Join(root, c.open))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.open) {
					t.Fatalf("got %v, want %q and the path", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			im, err := s.Image(1)
			if err != nil {
				t.Fatal(err)
			}
			if s.Len() != 2 || s.Label(0) != 1 || s.Label(1) != 0 || im.W != 3 || im.H != 2 || !s.Cutout() ||
				!bytes.Equal(im.Row(1), []byte{13, 13, 13, 14, 14, 14, 15, 15, 15}) || !slices.Equal(s.Labels()[:2], []string{"0", "1"}) {
				t.Errorf("%d pictures, labels %v %q, image %+v", s.Len(), s.class, s.Labels(), im)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string][]byte{"empty/readme.md": nil, "bad.txt": []byte("one.jpg red\n"), "x.bin": nil})
	for _, c := range []struct{ source, want string }{
		{"absent", "no such file"}, {"empty", ErrEmpty.Error()}, {"bad.txt", "line 1: want path TAB class"}, {"x.bin", "neither a folder"},
	} {
		_, err := Open(filepath.Join(root, c.source))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.source) {
			t.Errorf("%s: got %v, want %q and the path", c.source, err, c.want)
		}
	}
	if _, err := openFashion(root, "t10k"); err == nil || !strings.Contains(err.Error(), "install dataset-fashion-mnist (make setup)") {
		t.Errorf("no Fashion-MNIST: %v", err)
	}
	if _, err := Open(filepath.Join(root, "empty")); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestFashionMNIST(t *testing.T) {
	s, err := Open("fashion-mnist")
	if err != nil {
		t.Skip(err)
	}
	var n [10]int
	for i := range s.Len() {
		n[s.Label(i)]++
	}
	if s.Len() != 10000 || len(s.Labels()) != 10 || slices.Min(n[:]) != 1000 || slices.Max(n[:]) != 1000 {
		t.Errorf("%d pictures, %q, per class %v", s.Len(), s.Labels(), n)
	}
	if l := s.Labels()[s.Label(0)]; l != "Ankle boot" || s.Path(0) != "fashion-mnist#0" {
		t.Errorf("the first is %q at %q, want an Ankle boot", l, s.Path(0))
	}
}

func TestImageRefusesWhatOnlyLooksLikeAPicture(t *testing.T) {
	root := t.TempDir()
	huge := picture(t, ".png", 20, 10)
	binary.BigEndian.PutUint32(huge[16:], 100_000) // IHDR: width, height
	binary.BigEndian.PutUint32(huge[20:], 100_000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	write(t, root, map[string][]byte{"a/1.png": huge, "a/2.jpg": picture(t, ".jpg", 32, 32)[:200]})
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"100000×100000 pixels", "unexpected EOF"} {
		if _, err := s.Image(i); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.Path(i)) {
			t.Errorf("%s: got %v, want %q and the path", s.Path(i), err, want)
		}
	}
}

func TestSharedSets(t *testing.T) {
	for _, c := range []struct {
		path   string
		n      int
		labels string
	}{
		{"data/trashnet", 2055, "cardboard glass metal paper plastic trash"},
		{"data/weather", 884, "cloudy rain shine sunrise"},
		{"data/lists/masks3_val.txt", 0, "correct incorrect none"},
		{"data/odd", 3, "cloudy rain shine"},
	} {
		t.Run(c.path, func(t *testing.T) {
			s, err := Open(shared.Path(t, c.path))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Labels(), " "); c.path != "data/odd" && got != c.labels {
				t.Errorf("labels %q, want %q", got, c.labels)
			}
			if c.n > 0 && s.Len() != c.n {
				t.Errorf("%d pictures (%d skipped), want %d", s.Len(), len(s.Skipped()), c.n)
			}
			for i := 0; i < s.Len(); i += max(1, s.Len()/5) {
				if _, err := s.Image(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idx([]uint32{2, 2, 3}, make([]byte, 12)))
	f.Add(idx([]uint32{3}, []byte{1, 2, 3}))
	f.Add([]byte{0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		dims, pix, err := parseIDX(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 1
		for _, d := range dims {
			n *= d
		}
		if n != len(pix) || len(pix) > len(data) {
			t.Errorf("dimensions %v, %d bytes out of %d", dims, len(pix), len(data))
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add("a.jpg\tred\n# no\n\nb c.jpg\t파랑\r\n")
	f.Add("a.jpg red")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseList(strings.NewReader(text))
		for _, r := range rows {
			if err == nil && (r.path == "" || r.class == "" || strings.ContainsAny(r.class, "\n\t") && strings.TrimSpace(r.class) == "") {
				t.Errorf("row %+v", r)
			}
		}
	})
}

// TestPipesAreNotRead leaves pipes out, and waits for none of them.
func TestPipesAreNotRead(t *testing.T) {
	root := t.TempDir()
	list := filepath.Join(root, "list.txt")
	if err := errors.Join(os.Mkdir(filepath.Join(root, "can"), 0o755), syscall.Mkfifo(filepath.Join(root, "can", "1.png"), 0o644),
		os.WriteFile(list, []byte("can/1.png\tcan\n"), 0o644), syscall.Mkfifo(filepath.Join(root, "pipe.txt"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{root, list, filepath.Join(root, "pipe.txt")} {
		done := make(chan error, 1)
		go func() {
			_, err := Open(source)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: no error", source)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it waits for a pipe", source)
		}
	}
}
