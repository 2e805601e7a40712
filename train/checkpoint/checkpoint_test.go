package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func sample() *File {
	return &File{
		Text: map[string]string{"state": `{"step":7,"sha256":"` + noSum + `"}`, "network": "벨트"},
		Arrays: []Array{
			{Name: "conv/w", Shape: []int{2, 3}, Data: []float32{1, -2.5, float32(math.Inf(1)), math.SmallestNonzeroFloat32, 0, 6}},
			{Name: "a/scalar", Shape: []int{}, Data: []float32{3}},
			{Name: "z/large", Shape: []int{300, 300}, Data: make([]float32, 90000)},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run [1]", "checkpoint.safetensors")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	want := sample()
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v", got.Text)
	}
	if got.Array("a/scalar").Data[0] != 3 || got.Array("none") != nil {
		t.Error("arrays are not found by name")
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
		t.Error("the same content has other bytes")
	}
	// The format as others read it: github.com/huggingface/safetensors, "Format".
	n := binary.LittleEndian.Uint64(first)
	var header map[string]struct {
		DType   string            `json:"dtype"`
		Offsets []int             `json:"data_offsets"`
		Meta    map[string]string `json:"-"`
	}
	if err := json.Unmarshal(first[8:8+n], &header); err != nil || n%8 != 0 || header["z/large"].DType != "F32" || header["z/large"].Offsets[1] != len(first)-8-int(n) {
		t.Errorf("header of %d bytes, %v: %+v", n, err, header)
	}
	left := filepath.Join(filepath.Dir(path), ".checkpoint.safetensors123")
	if err := errors.Join(os.WriteFile(left, nil, 0o644), Sweep(path)); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 || files[0].Name() != "checkpoint.safetensors" {
		t.Errorf("%v is left", files)
	}
}

func encoded(t testing.TB, f *File) []byte {
	path := filepath.Join(t.TempDir(), "x")
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryDamageShows flips each byte in turn, and cuts the file anywhere.
func TestEveryDamageShows(t *testing.T) {
	f := sample()
	f.Arrays = f.Arrays[:2]
	good := encoded(t, f)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := parse(bytes.NewReader(bad), int64(len(bad))); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := parse(bytes.NewReader(good[:i]), int64(i)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := parse(bytes.NewReader(append(good, 0)), int64(len(good)+1)); !errors.Is(err, ErrDamaged) {
		t.Error("a byte too many is not seen")
	}
}

func TestWriteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for name, f := range map[string]*File{
		"two of a name":  {Arrays: []Array{{Name: "a", Shape: []int{1}, Data: []float32{1}}, {Name: "a", Shape: []int{1}, Data: []float32{1}}}},
		"wrong size":     {Arrays: []Array{{Name: "a", Shape: []int{2}, Data: []float32{1}}}},
		"reserved name":  {Arrays: []Array{{Name: "__metadata__", Shape: []int{1}, Data: []float32{1}}}},
		"without a name": {Arrays: []Array{{Name: "", Shape: []int{1}, Data: []float32{1}}}},
	} {
		if err := Write(path, f); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := Write(filepath.Join(path, "no", "folder"), &File{}); err == nil {
		t.Error("written into a folder that is not there")
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 0 {
		t.Errorf("%v is left", files)
	}
	if _, err := Read(filepath.Dir(path)); err == nil {
		t.Error("a folder is read")
	}
}

// TestFill: arrays that are asked for one by one are written as those in memory are, and an error keeps the old file.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	lazy := sample()
	for i := range lazy.Arrays {
		data := lazy.Arrays[i].Data
		lazy.Arrays[i].Data = nil
		lazy.Arrays[i].Fill = func(dst []float32) error { copy(dst, data); return nil }
	}
	path := filepath.Join(dir, "x")
	if err := Write(path, lazy); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, encoded(t, sample())) {
		t.Errorf("other bytes, %v", err)
	}
	lazy.Arrays[2].Fill = func([]float32) error { return errors.New("no more") }
	if err := Write(path, lazy); err == nil || !strings.Contains(err.Error(), "no more") {
		t.Errorf("got %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, got) {
		t.Error("the old file is gone")
	}
}

// TestFullDisk writes with a limit on the size of files, in a process of its own: the old file stays and nothing else.
func TestFullDisk(t *testing.T) {
	path := os.Getenv("CHECKPOINT_TEST_FULL")
	if path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
			t.Fatal(err)
		}
		err := Write(path, sample())
		var full *FullError
		if !errors.As(err, &full) || !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "0.4 MB are needed; what was there before is kept") {
			t.Fatalf("got %v", err)
		}
		return
	}
	path = filepath.Join(t.TempDir(), "x")
	old := sample()
	old.Text["state"] = "old"
	if err := Write(path, old); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
	c.Env = append(os.Environ(), "CHECKPOINT_TEST_FULL="+path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if f, err := Read(path); err != nil || f.Text["state"] != "old" {
		t.Errorf("the old file is gone: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("%v is left", files)
	}
}

func FuzzParse(f *testing.F) {
	s := sample()
	s.Arrays = s.Arrays[:2]
	good := encoded(f, s)
	f.Add(good)
	f.Add(good[:40])
	f.Add(append(binary.LittleEndian.AppendUint64(nil, 2), "{}"...))
	for _, h := range []string{`{"a":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}}`, `{"__metadata__":{"sha256":"` + noSum + `"}}`,
		`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}0000`} {
		f.Add(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			return
		}
		n := 0
		for _, a := range got.Arrays {
			n += 4 * len(a.Data)
		}
		if n > len(b) {
			t.Errorf("%d bytes of arrays out of %d", n, len(b))
		}
	})
}
