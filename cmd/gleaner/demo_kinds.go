package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// demoKind is one of the demos.
type demoKind struct {
	name, site, about string
	see               func(source string) (sets []string, err error) // configuration for what a source shows; "": none was named
}

// demoKinds are the demos; the first is that of --demo alone.
var demoKinds = []demoKind{
	{"belt", "demo", "A belt of garments is being sorted.", seeBelt("garments", "fashion-mnist")},
	{"masks", "masks", "Faces with and without a mask are told apart.", seeFaces},
	{"recycling", "recycling", "Waste is being sorted by its material.", seeBelt("recycling", "", "cameras[0].classify.margin=0")},
}

func demoNames() (names []string) {
	for _, k := range demoKinds {
		names = append(names, k.name)
	}
	return names
}

// findDemo is the demo of that name, and its configuration for a source.
func findDemo(name, source string) (demoKind, []string, error) {
	i := slices.IndexFunc(demoKinds, func(k demoKind) bool { return k.name == name })
	if i < 0 {
		return demoKind{}, nil, &badInput{fmt.Errorf("--demo=%s: the demos are %s", name, strings.Join(demoNames(), ", "))}
	}
	k := demoKinds[i]
	sets, err := k.see(source)
	if err != nil {
		return k, nil, &badInput{fmt.Errorf("--demo=%s: %w", name, err)}
	}
	return k, append(sets, "cameras[0].publish.crop=true", "mqtt.site="+k.site), nil
}

// seeBelt sorts what lies on the drawn belt, the pictures of a folder with a sub-folder per class or those named, or what a camera
// or a clip shows of another belt. Where photos lie on the drawn belt, ofPhotos counts too: a model that learnt from such photos alone
// is asked about them without the belt around.
func seeBelt(model, pictures string, ofPhotos ...string) func(string) ([]string, error) {
	return func(source string) ([]string, error) {
		sets := []string{"cameras[0].name=belt", "cameras[0].detect.kind=motion", "cameras[0].classify.models=[" + model + "]"}
		if source == "" && pictures != "" {
			return append(sets, "cameras[0].source='belt:'", "cameras[0].belt.pictures="+pictures), nil
		}
		if st, err := os.Stat(source); err == nil && st.IsDir() {
			sets = append(sets, ofPhotos...)
			return append(sets, "cameras[0].source='belt:'", fmt.Sprintf("cameras[0].belt.pictures=%q", source)), nil
		}
		at, err := demoSource(source, "a folder of photos with a sub-folder per class, which the drawn belt carries")
		return append(sets, at...), err
	}
}

// seeFaces asks of every face what it wears.
func seeFaces(source string) ([]string, error) {
	sets := []string{"cameras[0].name=kiosk", "cameras[0].detect.kind=face", "cameras[0].detect.model=face-full", "cameras[0].detect.min_score=0.3",
		"cameras[0].classify.models=[masks]", "cameras[0].classify.margin=0"}
	if st, err := os.Stat(source); err == nil && st.IsDir() {
		return append(sets, fmt.Sprintf("cameras[0].source=%q", "images:"+source), "cameras[0].loop=true"), nil
	}
	at, err := demoSource(source, "a folder of pictures")
	return append(sets, at...), err
}

// demoSource is a camera, the first of this machine where none is named, or a clip, again and again.
func demoSource(source, folder string) ([]string, error) {
	if source == "" {
		cameras, _ := filepath.Glob("/dev/video*") // the pattern is a good one
		if len(cameras) == 0 {
			return nil, errors.New("no camera is attached: name a clip, a camera's address or " + folder + ", with --source (make run SOURCE=…)")
		}
		source = "v4l2:" + slices.Min(cameras)
	}
	if st, err := os.Stat(source); err == nil && st.Mode().IsRegular() {
		return []string{fmt.Sprintf("cameras[0].source=%q", "file:"+source), "cameras[0].loop=true"}, nil
	}
	if !strings.Contains(source, ":") {
		return nil, fmt.Errorf("--source=%s: no such file or folder, and no address such as v4l2:0 or rtsp://host/path", source)
	}
	return []string{fmt.Sprintf("cameras[0].source=%q", source)}, nil
}
