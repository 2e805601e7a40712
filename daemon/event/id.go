package event

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// LiveID is a new UUID of version 7 (RFC 9562, section 5.7): ids of one device sort by the time they were made.
func LiveID() string {
	id, err := uuid.NewV7()
	if err != nil { // the system's random source failed, which Go's own crypto/rand treats as fatal as well
		panic(err)
	}
	return id.String()
}

// replaySpace keeps ids of replays apart from hashes that others make of the same names.
var replaySpace = uuid.MustParse("6f1c8a52-0d5e-5b83-9f3b-2a6f5f0f7c11")

// ReplayID is the id of an object in a replay: a UUID of version 8 (RFC 9562, section 5.8) made of SHA-256 over the
// source, the camera's name and the track, so that the same recording gives the same ids.
func ReplayID(source, cam string, track int64) string {
	b := make([]byte, 0, len(source)+len(cam)+24)
	b = binary.BigEndian.AppendUint64(b, uint64(len(source))) // lengths keep ("ab","c") and ("a","bc") apart
	b = append(b, source...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(cam)))
	b = append(b, cam...)
	b = binary.BigEndian.AppendUint64(b, uint64(track))
	return uuid.NewHash(sha256.New(), replaySpace, b, 8).String()
}

// ReplayEventID is the id of something that an object did in a replay, such as the n-th crossing of a line: made as
// ReplayID is, and of what it did besides.
func ReplayEventID(source, cam string, track int64, what, name string, n uint64) string {
	b := []byte(ReplayID(source, cam, track))
	b = binary.BigEndian.AppendUint64(b, uint64(len(what)))
	b = append(b, what...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint64(b, n)
	return uuid.NewHash(sha256.New(), replaySpace, b, 8).String()
}
