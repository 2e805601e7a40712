package capturetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpmjpeg"
	"github.com/pion/rtp"
)

// RTSPServer serves one stream at every path but /absent, over TCP: MJPEG, or H.264 as most cameras send it.
type RTSPServer struct {
	srv    *gortsplib.Server
	ln     net.Listener
	stream *gortsplib.ServerStream
	media  *description.Media
	stop   chan struct{}
	wg     sync.WaitGroup
}

// NewRTSPServer listens on a free port of 127.0.0.1.
func NewRTSPServer(o StreamOptions) (*RTSPServer, error) {
	s := &RTSPServer{stop: make(chan struct{})}
	next, forma, err := packets(o)
	if err != nil {
		return nil, err
	}
	s.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{forma}}
	s.srv = &gortsplib.Server{Handler: s, RTSPAddress: "127.0.0.1:0",
		Listen: func(network, address string) (net.Listener, error) {
			var err error
			s.ln, err = net.Listen(network, address)
			return s.ln, err
		}}
	if err := s.srv.Start(); err != nil {
		return nil, fmt.Errorf("start RTSP server: %w", err)
	}
	s.stream = gortsplib.NewServerStream(s.srv, &description.Session{Medias: []*description.Media{s.media}})
	s.wg.Go(func() { s.send(next, o.period()) })
	return s, nil
}

// send writes each frame's packets when it is due. A reader that is too slow is gortsplib's to cut.
func (s *RTSPServer) send(next func() ([]*rtp.Packet, error), period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		ps, err := next()
		if err != nil {
			return
		}
		for _, p := range ps {
			p.Timestamp = uint32(time.Duration(n) * period * 90 / time.Millisecond) // 90 kHz, RFC 3551 and RFC 6184
			if s.stream.WritePacketRTP(s.media, p) != nil {
				return
			}
		}
	}
}

// Addr is host:port.
func (s *RTSPServer) Addr() string { return s.ln.Addr().String() }

// Close cuts all connections and ends the server.
func (s *RTSPServer) Close() error {
	close(s.stop)
	s.wg.Wait()
	s.stream.Close()
	s.srv.Close()
	return nil
}

// OnDescribe answers with the stream.
func (s *RTSPServer) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Path == "/absent" {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

// OnSetup answers with the stream.
func (s *RTSPServer) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

// OnPlay lets it begin.
func (s *RTSPServer) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// packets makes the stream's format and what gives the packets of one frame after the other, for ever.
func packets(o StreamOptions) (next func() ([]*rtp.Packet, error), forma format.Format, err error) {
	i := -1
	if o.H264 != nil {
		units, sps, pps := accessUnits(o.H264)
		if len(units) == 0 || sps == nil || pps == nil {
			return nil, nil, errors.New("no H.264 access unit, or no parameter sets")
		}
		f := &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: sps, PPS: pps}
		enc := &rtph264.Encoder{PayloadType: 96}
		return func() ([]*rtp.Packet, error) {
			i++
			return enc.Encode(units[i%len(units)])
		}, f, enc.Init()
	}
	pictures, err := Pictures(o.W, o.H, 10)
	if err != nil {
		return nil, nil, err
	}
	enc := &rtpmjpeg.Encoder{}
	return func() ([]*rtp.Packet, error) {
		i++
		return enc.Encode(pictures[i%len(pictures)])
	}, &format.MJPEG{}, enc.Init()
}

// accessUnits splits an Annex B stream whose frames begin with access unit delimiters (ITU-T H.264, 7.3.2.4 and annex
// B).
func accessUnits(stream []byte) (units [][][]byte, sps, pps []byte) {
	for _, nalu := range bytes.Split(bytes.ReplaceAll(stream, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1}) {
		if len(nalu) == 0 {
			continue
		}
		switch nalu[0] & 0x1f {
		case 9: // delimiter: the next frame begins
			units = append(units, nil)
			continue
		case 7:
			sps = nalu
		case 8:
			pps = nalu
		}
		if len(units) > 0 {
			units[len(units)-1] = append(units[len(units)-1], nalu)
		}
	}
	return units, sps, pps
}

// Encode makes an H.264 stream of a test picture, frames pictures long, with a key frame every second, by the ffmpeg
// program. ok is false where that is not installed.
func Encode(w, h int, fps float64, frames int) (stream []byte, ok bool, err error) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, false, nil
	}
	cmd := exec.Command(ffmpeg, "-loglevel", "error", "-f", "lavfi",
		"-i", fmt.Sprintf("testsrc=size=%dx%d:rate=%g", w, h, fps), "-frames:v", fmt.Sprint(frames),
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
		"-g", fmt.Sprint(int(fps)), "-x264-params", "aud=1:slices=1", "-f", "h264", "pipe:1")
	var said bytes.Buffer
	cmd.Stderr = &said
	stream, err = cmd.Output()
	if err != nil {
		return nil, true, fmt.Errorf("encode H.264: %w: %s", err, said.Bytes())
	}
	return stream, true, nil
}
