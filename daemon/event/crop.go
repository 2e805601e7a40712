package event

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// CropSchema is the schema of what stands in a crop's comment.
const CropSchema = "crop/1"

// Crop is the picture of an object that got a verdict, on cam/<cam>/crop. Its payload is a JPEG whose first comment
// segment (COM, marker FFFE; ITU-T T.81, section B.2.4.5) holds the other members as one JSON object, so that a reader
// can match it with the Object: any JPEG tool shows it, such as rdjpgcom.
type Crop struct {
	Schema  string  `json:"schema"` // filled in by Marshal
	ID      string  `json:"id"`     // that of the Object
	Boot    string  `json:"boot,omitempty"`
	Cam     string  `json:"cam"`
	Track   int64   `json:"track"`
	Verdict Verdict `json:"verdict"`
	Class   string  `json:"class"`
	P       Prob    `json:"p"`
	Cap     int64   `json:"cap"`  // when the frame of the picture was exposed, microseconds since the Unix epoch
	Rect    [4]Frac `json:"rect"` // x0, y0, x1, y1 of the picture in that frame, 0 to 1
	JPEG    []byte  `json:"-"`    // the picture, without the comment
}

func (c Crop) value() Event { c.Schema = CropSchema; return c }

// The JPEG markers in question, and the most that a segment holds besides its length.
const (
	markerSOI, markerCOM = 0xffd8, 0xfffe
	maxSegment           = 65533
)

// marshal puts the comment into the JPEG, behind its first marker.
func (c Crop) marshal() ([]byte, error) {
	if len(c.JPEG) < 4 || binary.BigEndian.Uint16(c.JPEG) != markerSOI {
		return nil, errors.New("marshal crop: its picture is no JPEG")
	}
	var note bytes.Buffer
	enc := json.NewEncoder(&note)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("marshal crop: %w", err)
	}
	text := bytes.TrimSuffix(note.Bytes(), []byte("\n"))
	if len(text) > maxSegment {
		return nil, fmt.Errorf("marshal crop: %d bytes do not fit into a comment", len(text))
	}
	b := make([]byte, 0, len(c.JPEG)+len(text)+4)
	b = binary.BigEndian.AppendUint16(b, markerSOI)
	b = binary.BigEndian.AppendUint16(b, markerCOM)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)+2))
	b = append(b, text...)
	return append(b, c.JPEG[2:]...), nil
}

// CropComment is the JSON that Marshal put into a crop's JPEG; it fails on anything that does not begin as one.
func CropComment(payload []byte) ([]byte, error) {
	if len(payload) < 6 || binary.BigEndian.Uint16(payload) != markerSOI || binary.BigEndian.Uint16(payload[2:]) != markerCOM {
		return nil, errors.New("no JPEG with a comment")
	}
	n := int(binary.BigEndian.Uint16(payload[4:]))
	if n < 2 || 4+n > len(payload) {
		return nil, errors.New("the JPEG's comment is cut off")
	}
	return payload[6 : 4+n], nil
}
