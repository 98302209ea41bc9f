package ratchet

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOutcomesAreThoseOfTheSuitesTestsNotOfTheirParts(t *testing.T) {
	events := strings.Join([]string{
		`{"Action":"run","Test":"TestConformance"}`,
		`{"Action":"output","Test":"TestConformance/Simple","Output":"--- FAIL: what a test prints\n"}`,
		`{"Action":"fail","Test":"TestConformance/Simple/a_part","Elapsed":1}`,
		`{"Action":"fail","Test":"TestConformance/Simple","Elapsed":2.5}`,
		`{"Action":"skip","Test":"TestConformance/Mesh","Elapsed":0}`,
		`{"Action":"pass","Test":"TestConformance/Last","Elapsed":0.1}`,
		`{"Action":"fail","Test":"TestConformance","Elapsed":3}`,
		`{"Action":"fail"}`,
	}, "\n")
	got, log := Outcomes{}, strings.Builder{}
	err := ReadEvents(strings.NewReader(events), &log, func(name string, outcome Outcome) { got[name] = outcome })
	want := Outcomes{
		"Simple": {Failed, 2500 * time.Millisecond},
		"Mesh":   {Skipped, 0},
		"Last":   {Passed, 100 * time.Millisecond},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if log.String() != "--- FAIL: what a test prints\n" {
		t.Errorf("the log is %q", log.String())
	}
}
