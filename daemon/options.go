package daemon

import (
	"fmt"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/crop"
	"gleaner/daemon/decide"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
	"gleaner/detect"
	"gleaner/detect/track"
)

// Options is everything that the daemon is told.
type Options struct {
	// Cameras are the cameras, each with its own stages.
	Cameras []CameraSpec `yaml:"cameras"`
	// Models says where model bundles lie and how they run.
	Models ModelOptions `yaml:"models"`
	// MQTT is where results go.
	MQTT mqtt.Options `yaml:"mqtt"`
	// Web is the status page.
	Web web.Options `yaml:"web"`
}

// CameraSpec is one camera and what is done with its frames.
type CameraSpec struct {
	// Name stands in topics, records and on the page; any text, unique among the cameras.
	Name            string `yaml:"name"`
	capture.Options `yaml:",inline"`
	// Detect says how objects are found.
	Detect detect.Options `yaml:"detect"`
	// Track says how objects are followed from frame to frame.
	Track track.Options `yaml:"track"`
	// Classify says which models answer what an object is; with no model the detector's class is the answer.
	Classify classify.Options `yaml:"classify"`
	// Decide is the rule that makes one verdict of many answers.
	Decide decide.Options `yaml:"decide"`
	// Publish says what goes out besides the records.
	Publish crop.Options `yaml:"publish"`
}

// DefaultOptions has no camera; results go to the embedded broker and the page to the loopback address.
func DefaultOptions() Options {
	return Options{Models: DefaultModelOptions(), MQTT: mqtt.DefaultOptions(), Web: web.DefaultOptions()}
}

// DefaultCamera is what a camera has where its section says nothing.
func DefaultCamera() CameraSpec {
	return CameraSpec{Options: capture.DefaultOptions(), Detect: detect.DefaultOptions(),
		Track: track.DefaultOptions(), Classify: classify.DefaultOptions(), Decide: decide.DefaultOptions(),
		Publish: crop.DefaultOptions()}
}

// Validate checks what no part can check alone and asks each part to check itself. The error begins with the key's
// path.
func (o *Options) Validate() error {
	names := map[string]int{}
	for i := range o.Cameras {
		cam := &o.Cameras[i]
		at := fmt.Sprintf("cameras[%d]", i)
		if cam.Name == "" {
			return fmt.Errorf("%s.name: is missing", at)
		}
		if j, dup := names[cam.Name]; dup {
			return fmt.Errorf("%s.name: %q is also the name of cameras[%d]", at, cam.Name, j)
		}
		names[cam.Name] = i
		if err := cam.Validate(); err != nil {
			return fmt.Errorf("%s.%w", at, err)
		}
	}
	for _, part := range []struct {
		key   string
		check func() error
	}{{"models", o.Models.Validate}, {"mqtt", o.MQTT.Check}, {"web", o.Web.Check}} {
		if err := part.check(); err != nil {
			return fmt.Errorf("%s.%w", part.key, err)
		}
	}
	return nil
}

// Validate asks each stage to check its section.
func (c *CameraSpec) Validate() error {
	if c.Source == "" {
		return fmt.Errorf("source: is missing, such as v4l2:0, rtsp://host/path or file:clip.mp4")
	}
	if err := c.Options.Validate(); err != nil {
		return err
	}
	for _, part := range []struct {
		key   string
		check func() error
	}{{"detect", c.Detect.Validate}, {"track", c.Track.Validate}, {"classify", c.Classify.Validate},
		{"decide", c.Decide.Validate}, {"publish", c.Publish.Validate}} {
		if err := part.check(); err != nil {
			return fmt.Errorf("%s.%w", part.key, err)
		}
	}
	return nil
}
