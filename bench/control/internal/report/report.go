// Package report holds what a run found, in the shape in which it is written: bench/README.md tells
// what each field means. All durations are in milliseconds unless a name says otherwise.
package report

import (
	"encoding/json"
	"os"
	"time"
)

// Report is a whole run.
type Report struct {
	Schema   int               `json:"schema"`
	Date     time.Time         `json:"date"`
	Commit   string            `json:"commit"`
	Changed  bool              `json:"changed"`
	Quick    bool              `json:"quick"`
	Seconds  float64           `json:"seconds"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Settings any               `json:"settings"`
	// Order is "part/class" as they were measured, one after the other.
	Order []string `json:"order"`
	// Parts are by part, then by class.
	Parts map[string]map[string]*Measured `json:"parts"`
}

// Machine is where the run took place.
type Machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes uint64 `json:"memoryBytes"`
	Kernel      string `json:"kernel"`
}

// Measured is one part of one class: its result, or why there is none or only some of it.
type Measured struct {
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Error   string    `json:"error,omitempty"`
	// CPUSeconds is the processor time of each process during the part: controller, dataPlane,
	// apiServer, etcd, bench (this program), and machine (all cores, busy for whatever reason).
	CPUSeconds map[string]float64 `json:"cpuSeconds"`
	Result     any                `json:"result,omitempty"`
}

// Write puts the report into a file, whole or not at all.
func (r *Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Read gives a report that was written before; its results are as JSON has them.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := &Report{}
	return found, json.Unmarshal(text, found)
}
