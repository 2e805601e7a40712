package cv

import (
	"regexp"
	"strings"
)

// secretParam finds name=value pairs that carry secrets, in URL queries and GStreamer properties alike.
var secretParam = regexp.MustCompile(`(?i)\b([\w-]*(?:pass|pwd|token|secret|auth|apikey|api_key|user-pw)[\w-]*=)("[^"]*"|[^\s&!]+)`)

// redact hides passwords and tokens in a source, so that it can be logged, published and shown. It hides too much
// rather than too little: a password with unescaped slashes or at-signs in it is hidden as well.
func redact(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i+3])
		s = s[i+3:]
		end := len(s)
		if j := strings.IndexAny(s, " \t\""); j >= 0 {
			end = j
		}
		b.WriteString(redactUser(s[:end]))
		s = s[end:]
	}
	return secretParam.ReplaceAllString(b.String(), "${1}***")
}

// redactUser hides the password of user:password@host/path, which has lost its scheme.
func redactUser(s string) string {
	authority := s
	if j := strings.IndexAny(s, "/?#"); j >= 0 {
		authority = s[:j]
	}
	at := strings.LastIndex(authority, "@")
	if at < 0 {
		// No user there; but user:pa/ss@host has its at-sign later. A port is digits only, a password seldom is.
		_, port, found := strings.Cut(authority, ":")
		if !found || strings.Trim(port, "0123456789") == "" {
			return s
		}
		if at = strings.LastIndex(s, "@"); at < 0 {
			return s
		}
	}
	user, _, found := strings.Cut(s[:at], ":")
	if !found {
		return s
	}
	return user + ":***" + s[at:]
}
