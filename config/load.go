package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"gleaner/daemon"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Origin is where a configuration comes from; later entries win.
type Origin struct {
	File string   // path of a YAML, TOML or JSON file; empty for none
	Env  []string // "KEY=value" as os.Environ gives; GLEANER_CAMERAS_0_STALL=3s sets cameras[0].stall
	Sets []string // "cameras[0].stall=3s", as --set takes them
}

// notConfig are the variables that begin with GLEANER_ and are no configuration keys.
var notConfig = map[string]bool{"GLEANER_CONFIG": true, "GLEANER_SHARED": true, "GLEANER_NATIVE": true,
	"GLEANER_SKIP_PACKAGES": true, "GLEANER_TFLITE_PROBE": true}

// Load reads, checks and composes a configuration: defaults, then the file, then the environment, then the sets. Every
// problem is an *Error that names the file or variable and the key's path.
func Load(o Origin) (*Config, error) {
	tree := map[string]any{}
	if o.File != "" {
		t, err := readFile(o.File)
		if err != nil {
			return nil, err
		}
		tree = t
	}
	root := reflect.TypeOf(Config{})
	for _, kv := range o.Env {
		key, val, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(key, "GLEANER_") || notConfig[key] {
			continue
		}
		path, ok := envPath(root, strings.TrimPrefix(key, "GLEANER_"))
		if !ok {
			return nil, &Error{Where: "environment", Path: key, Problem: "no such configuration key"}
		}
		if err := override(tree, path, val); err != nil {
			return nil, &Error{Where: "environment " + key, Path: path.String(), Problem: err.Error()}
		}
	}
	for _, kv := range o.Sets {
		key, val, ok := strings.Cut(kv, "=")
		path, err := parsePath(key)
		if !ok || err != nil {
			return nil, &Error{Where: "--set", Path: kv, Problem: "not of the form key=value, such as cameras[0].stall=3s"}
		}
		if err := override(tree, path, val); err != nil {
			return nil, &Error{Where: "--set", Path: key, Problem: err.Error()}
		}
	}
	where := o.File
	if where == "" {
		where = "configuration"
	}
	checked, err := checkTree(where, "", tree, root)
	if err != nil {
		return nil, err
	}
	cfg := Default()
	if err := decode(checked.(map[string]any), &cfg); err != nil {
		return nil, &Error{Where: where, Problem: err.Error()}
	}
	if err := cfg.Validate(); err != nil {
		return nil, &Error{Where: where, Problem: err.Error()}
	}
	return &cfg, nil
}

// readFile parses the file with a fresh viper, whose map is taken as it is. Keys are case-insensitive.
func readFile(path string) (map[string]any, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, &Error{Where: path, Problem: "cannot be read: " + plain(err)}
	}
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	v.SetConfigFile(path)
	if !strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".") {
		v.SetConfigType("yaml")
	}
	if err := v.ReadInConfig(); err != nil {
		return nil, &Error{Where: path, Problem: strings.TrimPrefix(plain(err), "While parsing config: ")}
	}
	return v.AllSettings(), nil
}

// plain is an error's text on one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// decode fills cfg, which holds the defaults, from a checked tree. List elements start from their own defaults.
func decode(tree map[string]any, cfg *Config) error {
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	if err := v.MergeConfigMap(tree); err != nil {
		return err
	}
	return v.UnmarshalExact(cfg, tagged, viper.DecodeHook(cameraDefaults))
}

func tagged(c *mapstructure.DecoderConfig) {
	c.TagName, c.SquashTagOption = "yaml", "inline"
}

// cameraDefaults makes a camera out of its map, over the defaults of a camera.
func cameraDefaults(_, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeOf(daemon.CameraSpec{}) {
		return data, nil
	}
	cam := daemon.DefaultCamera()
	dc := &mapstructure.DecoderConfig{Result: &cam, ErrorUnused: true}
	tagged(dc)
	d, err := mapstructure.NewDecoder(dc)
	if err != nil {
		return nil, err
	}
	return cam, d.Decode(data)
}

// parseValue reads an override as one YAML scalar or flow value: 3s, 0.5, true, [a, b].
func parseValue(s string) (any, error) {
	var v any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		return s, nil // not YAML, such as "gst:a ! b: c": plain text
	}
	if _, isMap := v.(map[string]any); isMap && !strings.HasPrefix(strings.TrimSpace(s), "{") {
		return s, nil // "belt: x" is text here, not a mapping
	}
	if v == nil {
		return s, nil
	}
	return v, nil
}

// Error is a configuration problem in words for whoever wrote the configuration.
type Error struct {
	Where   string // the file, "environment …" or "--set"
	Path    string // the key, such as cameras[0].stall; empty when the problem names it
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %s", e.Where, e.Problem)
	}
	return fmt.Sprintf("%s: %s: %s", e.Where, e.Path, e.Problem)
}
