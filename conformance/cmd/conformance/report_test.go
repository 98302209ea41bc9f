package main

import "testing"

func TestReportsThatDifferByTheirDateOnlyAreTheSame(t *testing.T) {
	old := "apiVersion: x\ndate: \"2026-01-01T00:00:00Z\"\nprofiles: []\n"
	if !sameReport([]byte(old), []byte("apiVersion: x\ndate: \"2027-01-01T00:00:00Z\"\nprofiles: []\n")) {
		t.Error("another date makes another report")
	}
	if sameReport([]byte(old), []byte("apiVersion: x\ndate: \"2026-01-01T00:00:00Z\"\nprofiles: [a]\n")) {
		t.Error("other results are not seen")
	}
}
