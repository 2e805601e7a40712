package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"gleaner/daemon/mqtt"
	"gleaner/prove/internal/cases"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// sources are wrong pictures, clips and cameras.
func (b *bench) sources() []cases.Case {
	return []cases.Case{
		cases.Refused("picture that is no picture", []string{"text.png", "not a picture"}, "once", b.store, b.File("text.png", []byte("no picture"))),
		cases.Refused("picture that is empty", []string{"empty.jpg"}, "once", b.store, b.File("empty.jpg", nil)),
		cases.Refused("picture that is random", []string{"random.jpg"}, "once", b.store, b.File("random.jpg", noise(5000))),
		cases.Refused("picture that does not exist", []string{"none.png"}, "once", b.store, filepath.Join(b.Dir, "none.png")),
		cases.Refused("clip that does not exist", []string{"none.mp4"}, "replay", b.store, filepath.Join(b.Dir, "none.mp4")),
		cases.Refused("clip that does not exist, to bench", []string{"none.mp4"}, "bench", b.store, filepath.Join(b.Dir, "none.mp4")),
		cases.Refused("clip that is no clip", []string{"random.mp4"}, "replay", b.store, b.File("random.mp4", noise(50000))),
		cases.Refused("source of an unknown scheme", []string{"foo"}, "replay", b.store, "foo:bar"),
		cases.Refused("replay without a source", []string{"no source"}, "replay", b.store),
		{Name: "camera that does not exist: the daemon stays", Try: func() error {
			d, err := start(b.store, "cameras[0].name=cam", "cameras[0].source=v4l2:/dev/video99")
			if err != nil {
				return err
			}
			defer d.kill()
			time.Sleep(6 * time.Second)
			page, err := d.page()
			if err != nil || !strings.Contains(page, `"offline"`) || !strings.Contains(page, "/dev/video99") {
				return fmt.Errorf("the page says %s, %v", page, err)
			}
			if err := d.heard("/cam/cam/status ", `"state":"offline"`, "/dev/video99"); err != nil {
				return err
			}
			return d.stop()
		}},
	}
}

// korean are names that must work.
func (b *bench) korean() []cases.Case {
	var labels strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&labels, "라벨 %d/유리\n", i)
	}
	names := b.File("이름표.txt", []byte(labels.String()))
	hostile := "a/+/#\x00 b\t벨트"
	return []cases.Case{
		{Name: "labels and paths in Korean: add and once", Try: func() error {
			model := filepath.Join(b.shared, "models", "models", "mobilenet_v2_1.0_224_quant.tflite")
			if err := works([]string{"models", "add", b.store, "--colour=rgb", "--head=probs", "--mean=127.5", "--std=127.5", "--background=yes",
				"--name=korean", model, names}, "korean-"); err != nil {
				return err
			}
			return works([]string{"once", b.store, "--classify", "korean", b.picture}, "병 하나.jpg", `"class":"라벨 `, "/유리")
		}},
		{Name: "labels and paths in Korean: replay", Try: func() error {
			return works([]string{"replay", b.store, "--detect", "frame", "--classify", "korean", "--set=cameras[0].name=카메라 하나",
				"--set=cameras[0].decide.threshold=0", "--set=cameras[0].decide.majority=0", "--set=cameras[0].track.min_hits=1",
				"images:" + filepath.Dir(b.picture)}, `"cam":"카메라 하나"`, `"class":"라벨 `)
		}},
		{Name: "labels and paths in Korean: MQTT", Try: func() error {
			return b.publishes("카메라 하나", "카메라 하나")
		}},
		{Name: "camera name that is hostile to topics", Try: func() error { return b.publishes(hostile, hostile) }},
	}
}

// publishes runs the daemon on a picture and wants the camera's true name and the Korean labels in what it says, below
// topics of the escaped name.
func (b *bench) publishes(name, want string) error {
	quoted, err := json.Marshal(name) // JSON is YAML
	if err != nil {
		return err
	}
	text := fmt.Sprintf("cameras:\n- name: %s\n  source: 'images:%s'\n  loop: true\n  detect: {kind: frame}\n"+
		"  classify: {models: [korean]}\n  decide: {when: votes, threshold: 0, majority: 0}\n", quoted, filepath.Dir(b.picture))
	d, err := startWith(b.store, "-c", b.File("daemon.yaml", []byte(text)))
	if err != nil {
		return err
	}
	defer d.kill()
	inJSON, _ := json.Marshal(want)
	topic := "/cam/" + mqtt.Escape(name)
	if err := d.heard(topic+"/object ", `"cam":`+string(inJSON), `"class":"라벨 `, "/유리"); err != nil {
		return err
	}
	if err := d.heard(topic+"/count/"+mqtt.Escape("라벨 ")[:6], `"class":"라벨 `); err != nil {
		return err
	}
	if err := d.heard(topic+"/status ", `"state":"online"`, string(inJSON)); err != nil {
		return err
	}
	return d.stop()
}

// daemon is bin/gleaner and a foreign subscriber.
type daemon struct {
	cmd, sub *exec.Cmd
	web      string
	wg, logs sync.WaitGroup
	mu       sync.Mutex
	lines    []string // of the subscriber: topic, blank, payload
	log      bytes.Buffer
}

var ready = regexp.MustCompile(`msg=ready .*broker=(\S+):(\d+) topics=.* page=(\S+)`)

func start(store string, sets ...string) (*daemon, error) {
	var args []string
	for _, s := range sets {
		args = append(args, "--set="+s)
	}
	return startWith(store, args...)
}

func startWith(store string, args ...string) (*daemon, error) {
	d := &daemon{}
	d.cmd = exec.Command("bin/gleaner", append([]string{"run", store, "--set=web.listen=127.0.0.1:0",
		"--set=mqtt.embedded.listen=127.0.0.1:0"}, args...)...)
	pipe, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		fmt.Fprintln(&d.log, lines.Text())
		m := ready.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		d.web = m[3]
		d.logs.Go(func() {
			for lines.Scan() {
				d.mu.Lock()
				fmt.Fprintln(&d.log, lines.Text())
				d.mu.Unlock()
			}
		})
		return d, d.subscribe(m[1], m[2])
	}
	return nil, errors.Join(fmt.Errorf("the daemon did not start: %s", d.log.String()), d.cmd.Wait())
}

func (d *daemon) subscribe(host, port string) error {
	d.sub = exec.Command("mosquitto_sub", "-h", host, "-p", port, "-q", "1", "-v", "-t", "gleaner/#")
	out, err := d.sub.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.sub.Start(); err != nil {
		return fmt.Errorf("mosquitto_sub (Debian: mosquitto-clients): %w", err)
	}
	d.wg.Go(func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			d.mu.Lock()
			d.lines = append(d.lines, lines.Text())
			d.mu.Unlock()
		}
	})
	return nil
}

// heard waits for a message that has all of want in topic and payload.
func (d *daemon) heard(want ...string) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		d.mu.Lock()
		for _, l := range d.lines {
			missing := 0
			for _, w := range want {
				if !strings.Contains(l, w) {
					missing++
				}
			}
			if missing == 0 {
				d.mu.Unlock()
				return nil
			}
		}
		d.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Errorf("no message with %q; heard %q", want, d.lines)
}

func (d *daemon) page() (string, error) {
	res, err := http.Get("http://" + d.web + "/api/status.json")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// stop ends the daemon, which must go with exit code 0 and without a stack trace.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	d.logs.Wait()
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("the daemon: %w: %s", err, d.log.String())
	}
	if s := d.log.String(); strings.Contains(s, "goroutine ") || strings.Contains(s, "panic") {
		return fmt.Errorf("a stack trace: %s", s)
	}
	return nil
}

// kill ends what is still there.
func (d *daemon) kill() {
	if d.cmd.ProcessState == nil {
		_ = d.cmd.Process.Kill()
		d.logs.Wait()
		_ = d.cmd.Wait()
	}
	if d.sub != nil {
		_ = d.sub.Process.Kill()
		_ = d.sub.Wait()
	}
	d.wg.Wait()
}
