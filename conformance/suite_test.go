// Package conformance_test is the upstream suite as a test binary, nothing more: what runs, against
// which class and with which options is said by upstream's own flags (see ../hack/conformance).
package conformance_test

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) {
	conformance.RunConformance(t)
}
