package ratchet

import (
	"strings"
	"testing"
)

func TestExpectationsAreCheckedAgainstTheSuite(t *testing.T) {
	known := []string{"TLSRouteSimple"}
	for _, c := range []struct{ name, yaml, problem string }{
		{"complete", "TLSRouteSimple: {expect: fail, why: no TLSRoute, issue: '5'}", ""},
		{"empty", "", ""},
		{"of a test that does not exist", "Nonesuch: {expect: fail, why: x, issue: '5'}", "Nonesuch: the suite has no such test"},
		{"without reason", "TLSRouteSimple: {expect: fail, issue: '5'}", "why and issue must be given"},
		{"without issue", "TLSRouteSimple: {expect: fail, why: x}", "why and issue must be given"},
		{"that a test may pass", "TLSRouteSimple: {expect: flaky, why: x, issue: '5'}", `expect must be "fail", not "flaky"`},
		{"with an unknown field", "TLSRouteSimple: {expect: fail, reason: x}", "reason"},
		{"twice", "TLSRouteSimple: {expect: fail, why: x, issue: '5'}\nTLSRouteSimple: {expect: fail, why: x, issue: '5'}", "already set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseExpectations([]byte(c.yaml), known)
			switch {
			case c.problem == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("wanted %q, got %v", c.problem, err)
			}
		})
	}
}
