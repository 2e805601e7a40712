// Command 1-switch shows the switching part of the recovery line of the first issue: 100 switches of the current bundle
// under load; every one takes effect, no frame is lost by them, every record names one of the two bundles, and the memory
// is back within 5 MB.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gleaner/daemon/web"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
)

const (
	bar      = "100 of 100 switches take effect, no frame failed or unaccounted for, none more dropped than without switching, memory within 5 MB"
	switches = 100
	warmUp   = 20 // switches before the memory is first looked at
	sample   = 20 // switches whose median counts
	slackMB  = 5.0
	calm     = 15 * time.Second // without a switch, for comparison
	tooLate  = 10 * time.Second
)

func main() {
	figure, ok, err := prove()
	word := "PASS"
	if err != nil || !ok {
		word = "FAIL"
	}
	if err != nil {
		figure = fmt.Sprintf("%s; %v", cmp.Or(figure, "none"), err)
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

func prove() (figure string, ok bool, err error) {
	dir, err := os.MkdirTemp("", "prove-switch")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	store, ids, sums, err := bundles(filepath.Join(dir, "models"))
	if err != nil {
		return "", false, err
	}
	d, err := start(store.Dir())
	if err != nil {
		return "", false, err
	}
	defer d.kill()
	if err := d.await("garments 1"); err != nil {
		return "", false, err
	}
	time.Sleep(3 * time.Second) // the belt fills
	lossCalm, err := d.loss(func() error { time.Sleep(calm); return nil })
	if err != nil {
		return "", false, err
	}
	var rss []float64
	lossBusy, err := d.loss(func() (err error) { rss, err = d.switches(store, ids); return err })
	if err != nil {
		return fmt.Sprintf("%d of %d switches", len(rss), switches), false, err
	}
	end, err := d.stop()
	if err != nil {
		return "", false, err
	}
	by, foreign := d.models(sums)
	before, after := median(rss[warmUp:warmUp+sample]), median(rss[len(rss)-sample:])
	fmt.Printf("records by bundle %v, by others %d; dropped %.2f %% of the frames without switches, %.2f %% with\n", by, foreign,
		100*lossCalm, 100*lossBusy)
	missing := end["frames"] - end["processed"] - end["dropped"] - end["failed"]
	figure = fmt.Sprintf("%d switches, %d frames: %d failed, %d unaccounted for, %.2f %% dropped against %.2f %% without switches, memory %+.1f MB",
		len(rss), end["frames"], end["failed"], missing, 100*lossBusy, 100*lossCalm, after-before)
	ok = end["failed"] == 0 && missing == 0 && end["frames"] > 0 && lossBusy <= lossCalm+0.01 && after-before <= slackMB &&
		foreign == 0 && by[0] > 0 && by[1] > 0
	return figure, ok, nil
}

// switches makes one bundle and the other the current one in turn, each time waits until it is in use, and returns the
// memory after each switch in MB.
func (d *daemon) switches(store *bundle.Store, ids []string) (rss []float64, err error) {
	for i := range switches {
		if _, err := store.Use(ids[(i+1)%2]); err != nil {
			return rss, err
		}
		if err := d.await(fmt.Sprint("garments ", (i+1)%2+1)); err != nil {
			return rss, fmt.Errorf("switch %d: %w", i+1, err)
		}
		time.Sleep(200 * time.Millisecond) // the old one is closed right after
		mb, err := d.rss()
		if err != nil {
			return rss, err
		}
		rss = append(rss, mb)
		if (i+1)%20 == 0 {
			fmt.Printf("%d switches, %.1f MB\n", i+1, mb)
		}
	}
	return rss, nil
}

// bundles makes a store with the garments under two versions, the first one in use.
func bundles(dir string) (s *bundle.Store, ids, sums []string, err error) {
	if s, err = bundle.OpenStore(dir); err != nil {
		return nil, nil, nil, err
	}
	e, err := catalogue.Find("garments")
	if err != nil {
		return nil, nil, nil, err
	}
	m, files, err := catalogue.Build(context.Background(), e, "", catalogue.DefaultOptions(), nil)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, m.Version = range []string{"1", "2"} {
		id, err := s.Put(m, files)
		if err != nil {
			return nil, nil, nil, err
		}
		b, err := bundle.Open(filepath.Join(dir, id))
		if err != nil {
			return nil, nil, nil, err
		}
		ids, sums = append(ids, id), append(sums, b.ID())
	}
	_, err = s.Use(ids[0])
	return s, ids, sums, err
}

// daemon is bin/gleaner at work, and a subscriber to its records.
type daemon struct {
	cmd, sub *exec.Cmd
	page     string
	wg, logs sync.WaitGroup

	mu      sync.Mutex
	stopped string         // the line with the last counts
	records map[string]int // by model
}

var ready = regexp.MustCompile(`msg=ready .*broker=(\S+):(\d+) topics=\S+ page=(\S+)`)

// start runs the demo's belt at 15 frames a second, which leaves a machine of two cores some air.
func start(store string) (*daemon, error) {
	d := &daemon{records: map[string]int{}}
	d.cmd = exec.Command("bin/gleaner", "run", "--set=models.dir="+store, "--set=web.listen=127.0.0.1:0",
		"--set=mqtt.embedded.listen=127.0.0.1:0", "--set=cameras[0].name=belt", "--set=cameras[0].source='belt:'",
		"--set=cameras[0].fps=15", "--set=cameras[0].classify.models=[current]", "--set=models.workers=1")
	log, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			d.page = "http://" + m[3] + "/api/status.json"
			d.logs.Go(func() { d.follow(lines) })
			return d, d.subscribe(m[1], m[2])
		}
	}
	return nil, errors.Join(fmt.Errorf("the daemon did not start: %s", strings.Join(said, "; ")), d.cmd.Wait())
}

// follow reads the log to its end.
func (d *daemon) follow(lines *bufio.Scanner) {
	for lines.Scan() {
		d.mu.Lock()
		if strings.Contains(lines.Text(), "msg=stopped cam=") {
			d.stopped = lines.Text()
		}
		if strings.Contains(lines.Text(), "level=ERROR") {
			fmt.Println(lines.Text())
		}
		d.mu.Unlock()
	}
}

// subscribe counts the records by the model that they name.
func (d *daemon) subscribe(host, port string) error {
	d.sub = exec.Command("mosquitto_sub", "-h", host, "-p", port, "-q", "1", "-t", "gleaner/v1/+/+/cam/+/object")
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
			var rec struct{ Model string }
			if json.Unmarshal(lines.Bytes(), &rec) == nil {
				d.mu.Lock()
				d.records[rec.Model]++
				d.mu.Unlock()
			}
		}
	})
	return nil
}

// models are the records of each of the sums, and how many name another model; records without a vote name none.
func (d *daemon) models(sums []string) (by []int, foreign int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	by = make([]int, len(sums))
	for m, n := range d.records {
		if i := slices.Index(sums, m); i >= 0 {
			by[i] += n
		} else if m != "" {
			foreign += n
		}
	}
	return by, foreign
}

func (d *daemon) snapshot() (s web.Snapshot, err error) {
	res, err := http.Get(d.page)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// await waits until the one model in use has the name and version.
func (d *daemon) await(want string) error {
	for end := time.Now().Add(tooLate); ; time.Sleep(20 * time.Millisecond) {
		s, err := d.snapshot()
		if err != nil {
			return err
		}
		if len(s.Models) == 1 && s.Models[0].Name+" "+s.Models[0].Version == want {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not in use after %v: %+v", want, tooLate, s.Models)
		}
	}
}

// loss is the share of the frames that were dropped during work.
func (d *daemon) loss(work func() error) (float64, error) {
	a, err := d.snapshot()
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	b, err := d.snapshot()
	if err != nil {
		return 0, err
	}
	frames := b.Cameras[0].Frames - a.Cameras[0].Frames
	return float64(b.Cameras[0].Dropped-a.Cameras[0].Dropped) / float64(max(1, frames)), nil
}

// rss is the daemon's resident memory in MB.
func (d *daemon) rss() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, errors.New("the system does not say how much memory the daemon has")
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024, err
}

// stop ends the daemon and returns the counts of its last line.
func (d *daemon) stop() (map[string]int, error) {
	time.Sleep(time.Second)
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	d.logs.Wait()
	if err := d.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("the daemon: %w", err)
	}
	n := map[string]int{}
	for _, m := range regexp.MustCompile(`(\w+)=(\d+)`).FindAllStringSubmatch(d.stopped, -1) {
		n[m[1]], _ = strconv.Atoi(m[2])
	}
	fmt.Println(d.stopped)
	return n, nil
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

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
