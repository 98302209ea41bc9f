package kube

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Process is one of a container's processes, and what it uses now.
type Process struct {
	Pod  string `json:"pod"`
	Name string `json:"name"`
	// RSS, PSS and PeakRSS (bytes) are of the process. Working is of its container's cgroup: memory
	// without file pages that are not in use, what Kubernetes holds against a limit.
	RSS     uint64 `json:"rss"`
	PSS     uint64 `json:"pss"`
	PeakRSS uint64 `json:"peakRss"`
	Working uint64 `json:"working"`
	// CPUSeconds is the container's processor time since it started.
	CPUSeconds float64 `json:"cpuSeconds"`

	key string
}

// Use is what both sides of an implementation use at one moment.
type Use struct {
	Controller []Process `json:"controller"`
	DataPlane  []Process `json:"dataPlane"`
}

// Use looks at the processes of a class: the controller's, and those of the Gateways of a namespace.
func (c *Cluster) Use(ctx context.Context, class Class, namespace string) (Use, error) {
	controllers, err := c.ControllerPods(ctx, class)
	if err != nil {
		return Use{}, err
	}
	planes, err := c.DataPlanePods(ctx, class, namespace)
	if err != nil {
		return Use{}, err
	}
	found := podProcesses()
	return Use{Controller: processes(found, controllers), DataPlane: processes(found, planes)}, nil
}

// CPUSince is the processor time of a side since an earlier look. A process that began in between
// counts whole.
func CPUSince(now, before []Process) float64 {
	sum, old := 0.0, map[string]float64{}
	for _, process := range before {
		old[process.key] = process.CPUSeconds
	}
	for _, process := range now {
		sum += process.CPUSeconds - old[process.key]
	}
	return sum
}

var podID = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})`)

// podProcesses are the numbers of the processes in pods, by the pod's UID. Where they cannot be seen
// (kind without root) there are none.
func podProcesses() map[string][]int {
	found := map[string][]int{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		cgroup, err := os.ReadFile(filepath.Join(folder, "cgroup"))
		if err != nil {
			continue
		}
		name := command(folder)
		id := podID.FindSubmatch(cgroup)
		if id == nil || name == "pause" || strings.HasPrefix(name, "runc") || strings.HasPrefix(name, "containerd") {
			continue
		}
		uid := strings.ReplaceAll(string(id[1]), "_", "-")
		number, _ := strconv.Atoi(filepath.Base(folder))
		found[uid] = append(found[uid], number)
	}
	return found
}

func command(folder string) string {
	name, _ := os.ReadFile(filepath.Join(folder, "comm"))
	return strings.TrimSpace(string(name))
}

func processes(found map[string][]int, pods []corev1.Pod) []Process {
	all := []Process{}
	for _, pod := range pods {
		for _, pid := range found[string(pod.UID)] {
			all = append(all, look(pod.Name, pid))
		}
	}
	return all
}

// look reads what the kernel says of a process. What ends meanwhile uses nothing.
func look(pod string, pid int) Process {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status := sizes(filepath.Join(folder, "status"))
	rollup := sizes(filepath.Join(folder, "smaps_rollup"))
	process := Process{
		Pod: pod, Name: command(folder), RSS: status["VmRSS"], PeakRSS: status["VmHWM"], PSS: rollup["Pss"],
		key: pod + "/" + strconv.Itoa(pid),
	}
	group := cgroups(folder)
	process.Working = group.working()
	process.CPUSeconds = group.cpu().Seconds()
	return process
}

// sizes reads lines like `VmRSS:   1024 kB`, in bytes.
func sizes(file string) map[string]uint64 {
	found := map[string]uint64{}
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[2] == "kB" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			found[strings.TrimSuffix(fields[0], ":")] = kib * 1024
		}
	}
	return found
}

// ticksPerSecond is USER_HZ, in which /proc counts CPU time; 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// MachineCPU is the processor time in seconds of the processes that everything goes through, summed
// by name, and of the whole machine: `machine` for whatever reason it was busy, and `stolen`.
func MachineCPU() map[string]float64 {
	names := map[string]string{"kube-apiserver": "apiServer", "etcd": "etcd", "kubelet": "kubelet", "kube-proxy": "kubeProxy"}
	used := map[string]float64{}
	for name := range maps.Values(names) {
		used[name] = 0
	}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if name, ok := names[command(folder)]; ok {
			used[name] += ticks(folder)
		}
	}
	used["bench"] = ticks("/proc/self")
	text, _ := os.ReadFile("/proc/stat")
	first, _, _ := strings.Cut(string(text), "\n")
	if fields := strings.Fields(first); len(fields) > 8 {
		for _, i := range []int{1, 2, 3, 6, 7} {
			used["machine"] += number(fields[i]) / ticksPerSecond
		}
		used["stolen"] = number(fields[8]) / ticksPerSecond
	}
	return used
}

// ticks are a process's user and kernel time, in seconds.
func ticks(folder string) float64 {
	stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
	// What follows the name, which may hold anything: utime and stime are the 12th and 13th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	return (number(fields[11]) + number(fields[12])) / ticksPerSecond
}

func number(text string) float64 {
	value, _ := strconv.ParseFloat(text, 64)
	return value
}

// cgroup says where the kernel accounts for a process, by controller: `memory` and `cpuacct` of
// version 1, or one folder for all of version 2.
type cgroup map[string]string

func cgroups(folder string) cgroup {
	found := cgroup{}
	text, _ := os.ReadFile(filepath.Join(folder, "cgroup"))
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			found[name] = filepath.Join("/sys/fs/cgroup", name, parts[2])
		}
	}
	return found
}

func (c cgroup) working() uint64 {
	if folder, ok := c["memory"]; ok {
		return uint64(max(0, value(folder, "memory.usage_in_bytes", "")-value(folder, "memory.stat", "total_inactive_file")))
	}
	return uint64(max(0, value(c[""], "memory.current", "")-value(c[""], "memory.stat", "inactive_file")))
}

func (c cgroup) cpu() time.Duration {
	if folder, ok := c["cpuacct"]; ok {
		return time.Duration(value(folder, "cpuacct.usage", ""))
	}
	return time.Duration(value(c[""], "cpu.stat", "usage_usec")) * time.Microsecond
}

// value reads the number in a file of a cgroup, or behind a word in it.
func value(folder, file, word string) float64 {
	text, _ := os.ReadFile(filepath.Join(folder, file))
	fields := strings.Fields(string(text))
	if word == "" && len(fields) == 1 {
		return number(fields[0])
	}
	if at := slices.Index(fields, word); word != "" && at >= 0 && at+1 < len(fields) {
		return number(fields[at+1])
	}
	return 0
}
