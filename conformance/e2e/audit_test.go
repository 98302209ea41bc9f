//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"
)

// auditLog is where the API server of hack/cluster's local driver says who of portcullis-system wrote
// what.
const auditLog = "/var/log/audit.log"

// write is one write to the API, as the audit log has it.
type write struct {
	Verb      string    `json:"verb"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	User struct {
		Extra map[string][]string `json:"extra"`
	} `json:"user"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// pod is who wrote.
func (w write) pod() string {
	for _, name := range w.User.Extra["authentication.kubernetes.io/pod-name"] {
		return name
	}
	return ""
}

// target names the kind of what was written.
func (w write) target() string {
	if w.ObjectRef.Subresource == "" {
		return w.ObjectRef.Resource
	}
	return w.ObjectRef.Resource + "/" + w.ObjectRef.Subresource
}

// audit reads the audit log from where it ended when the audit began.
type audit struct {
	file *os.File
	read []byte
}

func startAudit(t *testing.T) *audit {
	t.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		t.Skip("this cluster has no audit log:", err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	return &audit{file: file}
}

// writes are the controller's writes since the audit began that succeeded, without those of Leases.
func (a *audit) writes(t *testing.T) []write {
	t.Helper()
	more, err := io.ReadAll(a.file)
	if err != nil {
		t.Fatal(err)
	}
	a.read = append(a.read, more...)
	var all []write
	lines := bufio.NewScanner(bytes.NewReader(a.read))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one write
		if json.Unmarshal(lines.Bytes(), &one) != nil {
			continue
		}
		if one.ResponseStatus.Code < 300 && one.ObjectRef.Resource != "leases" {
			all = append(all, one)
		}
	}
	return all
}

// count says how many writes went to each kind.
func count(writes []write) map[string]int {
	kinds := map[string]int{}
	for _, one := range writes {
		kinds[one.Verb+" "+one.target()]++
	}
	return kinds
}
