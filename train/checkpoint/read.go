package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"slices"
)

// maxHeader bounds the header in bytes: a damaged file must not take the machine's memory.
const maxHeader = 64 << 20

// ErrDamaged says that a file is no checkpoint, or not the one that was written.
var ErrDamaged = errors.New("damaged")

// Read reads a file that Write made and checks its sum. An error about the content wraps ErrDamaged.
func Read(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("read checkpoint %s: it is no file", path)
	}
	f, err := parse(bufio.NewReaderSize(r, 1<<18), st.Size())
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	return f, nil
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

// parse reads a file of size bytes.
func parse(r io.Reader, size int64) (*File, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, damaged("it has %d bytes", size)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, damaged("it is no safetensors file, or cut off in its header")
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, damaged("cut off in its header")
	}
	f, sum, err := parseHeader(header, size-8-int64(n))
	if err != nil {
		return nil, err
	}
	at := sumAt(header, sum)
	if len(sum) != len(noSum) || at < 0 {
		return nil, damaged("it states no sha256")
	}
	copy(header[at:], noSum)
	h := sha256.New()
	h.Write(length[:])
	h.Write(header)
	buf := make([]byte, 1<<18)
	for i := range f.Arrays {
		if err := readFloats(r, f.Arrays[i].Data, buf, h); err != nil {
			return nil, damaged("cut off in array %s", f.Arrays[i].Name)
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return nil, damaged("its sha256 is %.16s…, and it states %.16s…", got, sum)
	}
	return f, nil
}

// parseHeader reads the header of a file with rest bytes behind it; the arrays' memory is made, their numbers are not read.
func parseHeader(header []byte, rest int64) (f *File, sum string, err error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, "", damaged("its header is no JSON: %v", err)
	}
	f = &File{}
	if m, ok := raw[metadata]; ok {
		if err := json.Unmarshal(m, &f.Text); err != nil {
			return nil, "", damaged("its texts: %v", err)
		}
	}
	sum = f.Text[sumKey]
	delete(f.Text, sumKey)
	delete(raw, metadata)
	type placed struct {
		name string
		entry
	}
	var all []placed
	for name, m := range raw {
		var e entry
		d := json.NewDecoder(bytes.NewReader(m))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, "", damaged("array %s: %v", name, err)
		}
		all = append(all, placed{name, e})
	}
	slices.SortFunc(all, func(a, b placed) int {
		if a.Offsets != b.Offsets {
			return slices.Compare(a.Offsets[:], b.Offsets[:])
		}
		return slices.Compare([]byte(a.name), []byte(b.name)) // empty arrays lie in one place
	})
	end := 0
	for _, e := range all {
		size := 4
		for _, d := range e.Shape {
			if d < 0 || d > 0 && size > math.MaxInt32*4/d {
				return nil, "", damaged("array %s has the shape %v", e.name, e.Shape)
			}
			size *= d
		}
		if e.Type != float || e.Offsets != [2]int{end, end + size} || int64(end+size) > rest {
			return nil, "", damaged("array %s of type %s and shape %v cannot lie in bytes %d to %d", e.name, e.Type, e.Shape, e.Offsets[0], e.Offsets[1])
		}
		end += size
		f.Arrays = append(f.Arrays, Array{Name: e.name, Shape: e.Shape})
	}
	if int64(end) != rest {
		return nil, "", damaged("%d bytes of arrays, and the header tells of %d", rest, end)
	}
	for i, e := range all { // only now, when all of it is really there
		f.Arrays[i].Data = make([]float32, (e.Offsets[1]-e.Offsets[0])/4)
	}
	return f, sum, nil
}

func readFloats(r io.Reader, data []float32, buf []byte, h hash.Hash) error {
	for len(data) > 0 {
		b := buf[:4*min(len(data), len(buf)/4)]
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		h.Write(b)
		for i := range len(b) / 4 {
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		data = data[len(b)/4:]
	}
	return nil
}
