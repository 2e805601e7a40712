package recipe

import (
	"strings"
	"testing"
)

// TestExportOfFewPictures: what the held-out pictures cannot show whatever is learnt is said before anything is.
func TestExportOfFewPictures(t *testing.T) {
	data := drawn(t, 10)
	for keys, want := range map[string]string{
		"":                                   "",
		"export=float16":                     "",
		"export=int8":                        "export=int8: it takes 268 held-out pictures to show that the file loses at most maylose=1 points, and there are ",
		"export=int8 maylose=5":              "it takes 52 held-out pictures",
		"export=int8 val=0 keep=last":        "it takes 268 training pictures",
		"export=int8 maylose=5 test=" + data: "it takes 52 held-out pictures to show that the file loses at most maylose=5 points, and there are 40: ",
	} {
		o := set(t, append([]string{"data=" + data, "size=16"}, strings.Fields(keys)...)...)
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), &o, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
}
