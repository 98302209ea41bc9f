//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// findPid is the process of a pod's only container, found by its cgroup; zero if there is none now.
func findPid(pod corev1.Pod) int {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		cgroup, err := os.ReadFile(filepath.Join(folder, "cgroup"))
		if err != nil || !strings.Contains(strings.ReplaceAll(string(cgroup), "_", "-"), string(pod.UID)) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(folder, "comm"))
		if err != nil || !strings.HasPrefix(string(name), "portcullis") {
			continue
		}
		if number, err := strconv.Atoi(filepath.Base(folder)); err == nil {
			return number
		}
	}
	return 0
}

// pid waits for the process of a pod's only container. Where the node's processes cannot be seen
// (kind without root), there is nothing to test.
func pid(t *testing.T, pod corev1.Pod) int {
	t.Helper()
	for range 100 {
		if found := findPid(pod); found != 0 {
			return found
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Skipf("the processes of pod %s cannot be seen from here", pod.Name)
	return 0
}

// ticksPerSecond is USER_HZ, in which /proc counts CPU time; 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// cpuTime is how long the process has run, in user and kernel mode.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	// What follows the name, which may hold anything: utime and stime are the 12th and 13th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] {
		number, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += number
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// residentMiB is the process's memory, and the most it ever was.
func residentMiB(t *testing.T, pid int) (now, peak float64) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch kib, _ := strconv.ParseFloat(fields[1], 64); fields[0] {
		case "VmRSS:":
			now = kib / 1024
		case "VmHWM:":
			peak = kib / 1024
		}
	}
	return now, peak
}
