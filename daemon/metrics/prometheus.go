package metrics

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers GET /metrics in Prometheus' formats: the numbers of r, and those of the process and of the Go runtime
// as the library names them.
func (r *Registry) Handler() http.Handler {
	p := prometheus.NewRegistry()
	p.MustRegister(exporter{r}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(p, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// exporter hands a Registry to the library, which calls it from any goroutine.
type exporter struct{ r *Registry }

// Describe gives nothing: which series exist is known only when they are collected.
func (e exporter) Describe(chan<- *prometheus.Desc) {}

// Collect gives every series as it is now.
func (e exporter) Collect(ch chan<- prometheus.Metric) {
	e.r.each(func(d *Def, s *series) {
		desc := prometheus.NewDesc(d.Name, help(d), d.Labels, nil)
		values := make([]string, len(s.labels))
		for i, v := range s.labels {
			values[i] = strings.ToValidUTF8(v, "\uFFFD") // the library refuses anything else, and with it the page
		}
		var m prometheus.Metric
		var err error
		switch {
		case s.timer != nil:
			cum, n := s.timer.octavesSeconds()
			m, err = prometheus.NewConstHistogram(desc, n, s.timer.Sum().Seconds(), cum, values...)
		case d.Kind == CounterKind:
			m, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value(), values...)
		default:
			m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value(), values...)
		}
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		ch <- m
	})
}

func help(d *Def) string {
	if d.Unit == "1" {
		return d.Help
	}
	return d.Help + " Unit: " + d.Unit + "."
}
