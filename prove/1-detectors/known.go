package main

import (
	"fmt"
	"path/filepath"

	"gleaner/capture"
	"gleaner/detect"
	"gleaner/model/bundle"
)

// shows are pictures with one known thing in plain sight, and which network has to name it.
var shows = []struct{ file, net, label string }{
	{"cat.bmp", "oid", "Cat"}, {"cat.bmp", "coco", "cat"},
	{"imprinting/cat_test_0.bmp", "oid", "Cat"}, {"imprinting/cat_test_0.bmp", "coco", "cat"},
	{"imprinting/cat_train_0.bmp", "oid", "Cat"}, {"imprinting/cat_train_0.bmp", "coco", "cat"},
	{"imprinting/dog_test_0.bmp", "oid", "Dog"}, {"imprinting/dog_test_0.bmp", "coco", "dog"},
	{"imprinting/dog_train_0.bmp", "oid", "Dog"}, {"imprinting/dog_train_0.bmp", "coco", "dog"},
	{"bird.bmp", "coco", "bird"}, {"owl.jpg", "coco", "bird"}, {"parrot.jpg", "coco", "bird"},
	{"hot_dog.jpg", "coco", "hot dog"}, {"imprinting/hotdog_test_0.bmp", "coco", "hot dog"},
	{"imprinting/hotdog_train_0.bmp", "coco", "hot dog"},
	{"grace_hopper.bmp", "oid", "Person"}, {"grace_hopper.bmp", "coco", "person"},
	{"face.jpg", "short", "face"}, {"face.jpg", "full", "face"},
	{"grace_hopper.bmp", "short", "face"}, {"grace_hopper.bmp", "full", "face"},
}

func face(root, file, head string, side int) spec {
	s := spec{path: filepath.Join(root, "models/models", file),
		manifest: bundle.Manifest{Name: head, Head: head, Input: input(side, "letterbox")}, options: options()}
	s.options.MinScore = 0.6
	return s
}

// knownPictures counts the pictures whose strongest detection is what they show.
func knownPictures(root string, coco, oid *net) (right, of int, err error) {
	short, err := open(face(root, "face_detection_short_range.tflite", "blazeface-short", 128))
	if err != nil {
		return 0, 0, err
	}
	defer short.close()
	full, err := open(face(root, "face_detection_full_range.tflite", "blazeface-full", 192))
	if err != nil {
		return 0, 0, err
	}
	defer full.close()
	nets := map[string]*net{"coco": coco, "oid": oid, "short": short, "full": full}
	fmt.Println("known pictures")
	for _, s := range shows {
		n := nets[s.net]
		best := detect.Detection{Class: -1}
		err := frames("images:"+filepath.Join(root, "models/images", s.file), func(_ int, im capture.Image) error {
			dets, err := n.see(im)
			if len(dets) > 0 {
				best = dets[0]
			}
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		is := "nothing"
		if best.Class >= 0 {
			is = n.Labels()[best.Class]
		}
		if is == s.label {
			right++
		}
		fmt.Printf("  %-30s %-5s %-8s %.2f %v, want %s\n", s.file, s.net, is, best.Score, best.Box.Rect(), s.label)
	}
	return right, len(shows), nil
}

// walkers are the centres of the two faces in the clip in pixels, marked by eye every few frames; in between they move
// evenly. The clip repeats every 35 frames.
var walkers = []struct {
	frame      int
	woman, man [2]float32
}{
	{0, [2]float32{276, 128}, [2]float32{334, 113}}, {8, [2]float32{252, 129}, [2]float32{320, 112}},
	{16, [2]float32{231, 131}, [2]float32{307, 108}}, {24, [2]float32{211, 130}, [2]float32{305, 107}},
	{30, [2]float32{190, 130}, [2]float32{302, 106}}, {34, [2]float32{182, 133}, [2]float32{303, 105}},
}

const (
	clipPeriod = 35
	faceNear   = 12 // a detection is right when its centre is so near, in pixels: half a head
)

func marked(frame int) [2][2]float32 {
	frame %= clipPeriod
	k := 1
	for walkers[k].frame < frame {
		k++
	}
	a, b := walkers[k-1], walkers[k]
	f := float32(frame-a.frame) / float32(b.frame-a.frame)
	mix := func(p, q [2]float32) [2]float32 { return [2]float32{p[0] + f*(q[0]-p[0]), p[1] + f*(q[1]-p[1])} }
	return [2][2]float32{mix(a.woman, b.woman), mix(a.man, b.man)}
}

// faces holds BlazeFace to the faces marked in the clip.
func faces(root string) (tally, error) {
	s := face(root, "face_detection_short_range.tflite", "blazeface-short", 128)
	// At 480×270 a face is 14 to 28 pixels wide: in the whole picture, 4 to 7 of the network's. Tiles show it larger.
	s.options.Tiles = detect.TileOptions{Size: 96, Overlap: 0.4}
	n, err := open(s)
	if err != nil {
		return tally{}, err
	}
	defer n.close()
	var all tally
	per := [2]tally{}
	err = frames("file:"+filepath.Join(root, "data/video/face-demographics-walking.mp4"), func(k int, im capture.Image) error {
		dets, err := n.see(im)
		if err != nil {
			return err
		}
		one := judge(dets, marked(k), &per)
		all.add(one)
		return nil
	})
	fmt.Printf("faces in the clip: woman, recall %.2f; man, recall %.2f; together %d marked, recall %.2f, precision %.2f\n",
		per[0].recall(), per[1].recall(), all.marked, all.recall(), all.precision())
	return all, err
}

func judge(dets []detect.Detection, at [2][2]float32, per *[2]tally) tally {
	all := tally{marked: len(at)}
	var taken [2]bool
	for _, d := range dets {
		right := false
		for i, p := range at {
			x, y := (d.Box.X0+d.Box.X1)/2-p[0], (d.Box.Y0+d.Box.Y1)/2-p[1]
			if x*x+y*y <= faceNear*faceNear && !taken[i] {
				taken[i], right = true, true
				break
			}
		}
		if right {
			all.found++
		} else {
			all.wrong++
		}
	}
	for i, found := range taken {
		per[i].marked++
		if found {
			per[i].found++
		}
	}
	return all
}
