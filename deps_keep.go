//go:build depskeep

package gleaner

import (
	_ "github.com/bluenviron/gortsplib/v4"
	_ "github.com/coreos/go-systemd/v22/daemon"
	_ "github.com/eclipse/paho.mqtt.golang"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/google/flatbuffers/go"
	_ "github.com/google/renameio/v2"
	_ "github.com/google/uuid"
	_ "github.com/mattn/go-tflite"
	_ "github.com/mochi-mqtt/server/v2"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/spf13/cobra"
	_ "github.com/spf13/viper"
	_ "go.uber.org/goleak"
	_ "gocv.io/x/gocv"
	_ "pgregory.net/rapid"
)
