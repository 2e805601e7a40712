// Package spelling finds classes that are one, written in several ways by those who labelled.
package spelling

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Alike finds classes that look like one class spelt in several ways: they differ in case, in spaces, "_" or "-", in the form of
// their letters (Unicode NFKC), in a plural's s, or in 류 ("kind"), which some sessions of AI-Hub's sets write and others do not.
// classes are in order of preference, such as the most frequent first; the result names for each other spelling the one to prefer.
func Alike(classes []string) map[string]string {
	first, other := map[string]string{}, map[string]string{}
	for _, c := range classes {
		k := key(c)
		if f, ok := first[k]; !ok {
			first[k] = c
		} else if f != c {
			other[c] = f
		}
	}
	return other
}

// key is what is left of a class's name without what is often written in another way. A name without letters is a number
// and stays as it is.
func key(class string) string {
	if !strings.ContainsFunc(class, unicode.IsLetter) {
		return class
	}
	k := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(class))
	for _, ending := range []string{"류", "s"} {
		if short, ok := strings.CutSuffix(k, ending); ok && short != "" {
			return short
		}
	}
	return k
}
