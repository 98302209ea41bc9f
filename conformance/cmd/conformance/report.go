package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

var dateLine = regexp.MustCompile(`(?m)^date: .*$`)

// keepReport copies the report of the claim pass to where reports are kept, under the name upstream
// asks for. If only the date differs, the kept one stays.
func keepReport(o options) error {
	if o.reports == "" {
		return nil
	}
	report, err := os.ReadFile(filepath.Join(o.out, "report.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	kept := filepath.Join(o.reports, fmt.Sprintf("%s-%s-default-report.yaml", o.channel, o.version))
	if old, err := os.ReadFile(kept); err == nil && sameReport(old, report) {
		return nil
	}
	if err := os.MkdirAll(o.reports, 0o755); err != nil {
		return err
	}
	return os.WriteFile(kept, report, 0o644)
}

func sameReport(a, b []byte) bool {
	return string(dateLine.ReplaceAll(a, nil)) == string(dateLine.ReplaceAll(b, nil))
}
