package ratchet

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// Result is what came of one test.
type Result string

const (
	Passed  Result = "pass"
	Failed  Result = "fail"
	Skipped Result = "skip"
	// Missing: the test should have run and never ended, for instance because the setup failed.
	Missing Result = "missing"
)

// Outcome is the result of a test and how long it took.
type Outcome struct {
	Result  Result
	Elapsed time.Duration
}

// Outcomes are the tests that ended, by the suite's short name.
type Outcomes map[string]Outcome

// event is one line of `go tool test2json`.
type event struct {
	Action  string
	Test    string
	Elapsed float64
	Output  string
}

// ReadEvents reads the output of `go tool test2json` to its end. It writes what the tests printed to
// log and calls ended for each test of the suite as it ends.
func ReadEvents(events io.Reader, log io.Writer, ended func(name string, outcome Outcome)) error {
	reader := bufio.NewReader(events)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			if err := readEvent(line, log, ended); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func readEvent(line []byte, log io.Writer, ended func(string, Outcome)) error {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if e.Action == "output" {
		_, err := io.WriteString(log, e.Output)
		return err
	}
	// TestConformance/Name is a test of the suite; what is deeper are its parts.
	_, name, isSuite := strings.Cut(e.Test, "/")
	if !isSuite || strings.Contains(name, "/") {
		return nil
	}
	switch result := Result(e.Action); result {
	case Passed, Failed, Skipped:
		ended(name, Outcome{result, time.Duration(e.Elapsed * float64(time.Second))})
	}
	return nil
}
