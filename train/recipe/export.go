package recipe

import (
	"fmt"

	"gleaner/train/dataset"
	"gleaner/train/export/parity"
)

// Held are the pictures that the exported file is tried on, beside the network: those of the test, else of the validation; nil: there
// are neither, and it is tried on those that were trained on.
func (d *Data) Held() dataset.Set {
	if d.Test != nil {
		return d.Test
	}
	return d.Val
}

// checkExport tells before a training that its file could not go out after it: too few pictures cannot show what an int8 file loses,
// however well it answers.
func (d *Data) checkExport(o *Options) error {
	if o.Export != "int8" {
		return nil
	}
	held, which := d.Held(), "held-out"
	if held == nil {
		held, which = d.Train, "training"
	}
	need, most := parity.Enough(o.MayLose/100), parity.Enough(mostMayLose/100.0)
	if held.Len() >= need {
		return nil
	}
	hint := ""
	if held.Len() >= most {
		hint = fmt.Sprintf("maylose=%d, which takes %d, ", mostMayLose, most)
	}
	return fmt.Errorf("export=int8: it takes %d %s pictures to show that the file loses at most maylose=%g points, and there are %d: "+
		"hold out more (val=, test=), or give %sexport=float16 or export=float32", need, which, o.MayLose, held.Len(), hint)
}

// mostMayLose is the most that maylose= allows.
const mostMayLose = 5
