package spelling

import (
	"maps"
	"testing"
)

func TestAlike(t *testing.T) {
	for name, c := range map[string]struct {
		classes []string
		want    map[string]string
	}{
		"ending of a session":   {[]string{"유리병", "캔류", "유리병류"}, map[string]string{"유리병류": "유리병"}},
		"case, spaces, plural":  {[]string{"paper cup", "Paper_Cups", "papercup"}, map[string]string{"Paper_Cups": "paper cup", "papercup": "paper cup"}},
		"full width":            {[]string{"PET", "ＰＥＴ"}, map[string]string{"ＰＥＴ": "PET"}},
		"others":                {[]string{"glass", "grass", "can", "pan"}, map[string]string{}},
		"numbers are no words":  {[]string{"1", "-1", "11"}, map[string]string{}},
		"an ending by itself":   {[]string{"s", "류"}, map[string]string{}},
		"the first one is kept": {[]string{"Bags", "bag"}, map[string]string{"bag": "Bags"}},
	} {
		if got := Alike(c.classes); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
