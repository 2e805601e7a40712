//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/internal/shared"
)

// shade is a w×h picture of one colour.
func shade(w, h int, c color.RGBA) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.SetRGBA(i%w, i/w, c)
	}
	return m
}

func save(t *testing.T, path string, m image.Image, encode func(io.Writer, image.Image) error) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func asGIF(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }
func asJPEG(w io.Writer, m image.Image) error {
	return jpeg.Encode(w, m, &jpeg.Options{Quality: 95})
}

// readAll reads a fast source to its end and returns the names and middle pixels (B, G, R) of its frames.
func readAll(t *testing.T, o capture.Options) (names []string, pixels [][3]byte, warnings []string, err error) {
	t.Helper()
	o.Pace = "fast"
	dev, err := NewDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := dev.Open(context.Background())
	if err != nil {
		return nil, nil, nil, err
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	for {
		_, err := src.Read(context.Background(), buf)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return names, pixels, src.(Warner).Warnings(), err
		}
		m := buf.Image()
		px := m.Row(m.H / 2)[3*(m.W/2):]
		names = append(names, filepath.Base(src.(Namer).Name()))
		pixels = append(pixels, [3]byte(px[:3]))
	}
}

func TestImagesFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "사진 모음")
	red, green := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}
	save(t, filepath.Join(dir, "유리10.jpg"), shade(64, 48, red), png.Encode) // PNG bytes
	save(t, filepath.Join(dir, "유리2.jpg"), shade(32, 24, green), asGIF)     // GIF bytes
	save(t, filepath.Join(dir, "하위", "a.jpg"), shade(64, 48, red), asJPEG)
	save(t, filepath.Join(dir, ".숨김.jpg"), shade(64, 48, red), asJPEG)
	for name, text := range map[string]string{"메모.txt": "글", "빈.jpg": "", "cut.png": "\x89PNG\r\n\x1a\n\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, pixels, warnings, err := readAll(t, capture.Options{Source: "images:" + dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != "유리2.jpg 유리10.jpg a.jpg" {
		t.Fatalf("order %s", got)
	}
	if pixels[0] != [3]byte{0, 255, 0} || pixels[1] != [3]byte{0, 0, 255} {
		t.Fatalf("pixels %v: want green, then red, as B, G, R", pixels)
	}
	all := strings.Join(warnings, "\n")
	if len(warnings) != 3 || !strings.Contains(all, "메모.txt: not a picture") || !strings.Contains(all, "빈.jpg: not a picture") ||
		!strings.Contains(all, "cut.png: damaged picture") {
		t.Fatalf("warnings:\n%s", all)
	}
}

func TestImagesErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "그림.jpg")
	if err := os.WriteFile(text, []byte("이것은 그림이 아니다"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A JPEG header that is right and pixels that are not: OpenCV alone can tell.
	huge := filepath.Join(dir, "huge.bmp")
	head := make([]byte, 64)
	copy(head, "BM")
	head[14], head[20], head[24] = 40, 0x10, 0x10 // 2^20 by 2^20 pixels
	if err := os.WriteFile(huge, head, 0o644); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "빈")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, source, err string }{
		{"not a picture", "images:" + text, "read picture " + text + ": not a picture"},
		{"too large", "images:" + huge, "picture of 1048576×1048576 pixels"},
		{"all bad", "images:" + dir, "none of 2 files is a picture: skipped " + huge},
		{"empty folder", "images:" + empty, "folder " + empty + " is empty"},
		{"absent", "images:" + filepath.Join(dir, "없음.jpg"), "없음.jpg: no such file"},
		{"no match", "images:" + filepath.Join(dir, "*.webp"), "no file matches"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, _, err := readAll(t, capture.Options{Source: c.source}); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestImagesOddFiles(t *testing.T) {
	names, _, warnings, err := readAll(t, capture.Options{Source: "images:" + shared.Path(t, "data/odd")})
	if err != nil || len(names) != 5 || len(warnings) != 0 {
		t.Fatalf("%d of 5 pictures, warnings %v, error %v", len(names), warnings, err)
	}
}

func TestDamagedPictureAfterGoodOne(t *testing.T) {
	// The Mat still holds the good picture when the damaged one, of the same size, fails: it must not pass for it.
	dir := t.TempDir()
	save(t, filepath.Join(dir, "1.png"), shade(64, 48, color.RGBA{9, 9, 9, 255}), png.Encode)
	data, err := os.ReadFile(filepath.Join(dir, "1.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2.png"), data[:40], 0o644); err != nil {
		t.Fatal(err)
	}
	names, _, warnings, err := readAll(t, capture.Options{Source: "images:" + dir})
	if err != nil || len(names) != 1 || len(warnings) != 1 {
		t.Fatalf("frames %v, warnings %v, error %v", names, warnings, err)
	}
}

func TestNaturalOrder(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		want       int
	}{
		{"numbers", "frame2", "frame10", -1},
		{"leading zeros", "a01", "a2", -1},
		{"zeros alone differ", "a01", "a1", -1},
		{"same", "가1", "가1", 0},
		{"Hangul", "가", "나", -1},
		{"prefix", "a", "a1", -1},
		{"long numbers", "9999999999999999999998", "9999999999999999999999", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := naturalCompare(c.a, c.b); got != c.want || naturalCompare(c.b, c.a) != -c.want {
				t.Fatalf("compare %s with %s: %d, want %d", c.a, c.b, got, c.want)
			}
		})
	}
}
