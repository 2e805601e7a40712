package event

import (
	"embed"
	"io/fs"
)

//go:embed schema/*.json
var schemas embed.FS

// Schemas are the JSON Schemas (draft 2020-12) of the payloads, one file per message: object.json, act.json, last.json,
// presence.json, crossing.json, zone.json, count.json, status.json, info.json, metrics.json, command.json, availability.json,
// which describes the bare word as a JSON string, and crop.json, which describes the comment in the JPEG.
func Schemas() fs.FS {
	sub, err := fs.Sub(schemas, "schema")
	if err != nil { // only a wrong folder name in the line above could do it
		panic(err)
	}
	return sub
}
