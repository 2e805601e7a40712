package daemon

import (
	"image"
	"time"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/crop"
	"gleaner/daemon/event"
)

// photo is the crop of an object that its picture is made of: a copy, because the frame is lent. Of the crops that voted
// for the leading class it is the one that was surest.
type photo struct {
	shot  *crop.Shot // nil: none so far
	class int        // that the crop voted for; -1 for none
	p     float32    // its probability
	at    time.Time  // exposure of its frame
	rect  [4]event.Frac
	busy  bool // every slot was taken when one was wanted
}

// photograph takes the crop of this frame that has just voted, if it shows the object better than the one before.
func (p *Pipeline) photograph(o *object, f *capture.Frame, rect image.Rectangle) {
	if p.crops == nil || o.done {
		return
	}
	class := 0
	for i, v := range p.probs {
		if v > p.probs[class] {
			class = i
		}
	}
	leader := o.ballot.Verdict(p.decide, o.labels).Class
	if o.photo.shot != nil && (class != leader || o.photo.class == leader && p.probs[class] < o.photo.p) {
		return
	}
	p.shoot(o, f, rect)
	o.photo.class, o.photo.p = class, p.probs[class]
}

// lastChance takes an object that gets its verdict and that nobody was asked about as it is in this frame.
func (p *Pipeline) lastChance(o *object, f *capture.Frame) {
	if p.crops != nil && o.photo.shot == nil && o.inFrame {
		p.shoot(o, f, classify.Crop(f.Image, o.box, p.classify))
	}
}

// shoot copies the pixels of rect.
func (p *Pipeline) shoot(o *object, f *capture.Frame, rect image.Rectangle) {
	w, h := float64(f.W), float64(f.H)
	o.photo.shot = p.crops.Take(o.photo.shot, f.Sub(rect))
	o.photo.busy = o.photo.shot == nil && !rect.Empty()
	o.photo.at = f.Time
	o.photo.rect = [4]event.Frac{frac(float64(rect.Min.X) / w), frac(float64(rect.Min.Y) / h),
		frac(float64(rect.Max.X) / w), frac(float64(rect.Max.Y) / h)}
}

// develop has the picture of an object with a verdict made, or counts why there is none.
func (p *Pipeline) develop(o *object, rec *event.Object) {
	switch {
	case p.crops == nil:
	case o.photo.shot != nil:
		p.crops.Send(o.photo.shot, event.Crop{ID: rec.ID, Boot: rec.Boot, Cam: rec.Cam, Track: rec.Track, Verdict: rec.Verdict,
			Class: rec.Class, P: rec.P, Cap: event.Micros(o.photo.at), Rect: o.photo.rect})
		o.photo.shot = nil
	case o.photo.busy:
		p.crops.Miss(crop.LostBusy)
	default:
		p.crops.Miss(crop.LostNoPicture)
	}
}

// forget gives an object's picture back.
func (p *Pipeline) forget(o *object) {
	if p.crops != nil {
		p.crops.Drop(o.photo.shot)
		o.photo.shot = nil
	}
}
