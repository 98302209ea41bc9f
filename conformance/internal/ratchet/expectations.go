// Package ratchet decides which tests of the upstream suite run, and whether what came of them is
// what was expected. It is pure: no cluster, no process, no file.
package ratchet

import (
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// Expectation says why a test of the suite may fail for now.
type Expectation struct {
	// Expect is always "fail": a test that may pass or fail would say nothing.
	Expect string `json:"expect"`
	// Why is what is missing, in a few words.
	Why string `json:"why"`
	// Issue names where it is going to be mended.
	Issue string `json:"issue"`
}

// Expectations are the tests that may fail, by the suite's short name.
type Expectations map[string]Expectation

// ParseExpectations reads expectations.yaml. Every name must be one of known: a test that was
// renamed or removed upstream may not linger here.
func ParseExpectations(data []byte, known []string) (Expectations, error) {
	var parsed Expectations
	if err := yaml.UnmarshalStrict(data, &parsed); err != nil {
		return nil, err
	}
	var problems []error
	for _, name := range sortedNames(parsed) {
		entry := parsed[name]
		if !slices.Contains(known, name) {
			problems = append(problems, fmt.Errorf("%s: the suite has no such test", name))
		}
		if entry.Expect != "fail" {
			problems = append(problems, fmt.Errorf("%s: expect must be \"fail\", not %q", name, entry.Expect))
		}
		if entry.Why == "" || entry.Issue == "" {
			problems = append(problems, fmt.Errorf("%s: why and issue must be given", name))
		}
	}
	return parsed, errors.Join(problems...)
}
