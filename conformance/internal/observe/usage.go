package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Role is what a pod does.
type Role string

const (
	Controller Role = "controller"
	DataPlane  Role = "data plane"
)

// use is the most that was seen of one pod.
type use struct {
	memoryBytes uint64
	cpuSeconds  float64
}

// Usage is what the pods used, by role and UID.
type Usage map[Role]map[string]use

func newUsage() Usage {
	return Usage{Controller: {}, DataPlane: {}}
}

// summary is what we read of the kubelet's /stats/summary.
type summary struct {
	Pods []struct {
		PodRef struct {
			UID string `json:"uid"`
		} `json:"podRef"`
		CPU struct {
			UsageCoreNanoSeconds uint64 `json:"usageCoreNanoSeconds"`
		} `json:"cpu"`
		Memory struct {
			WorkingSetBytes uint64 `json:"workingSetBytes"`
		} `json:"memory"`
	} `json:"pods"`
}

func (o *Observer) measure(ctx context.Context, roles map[string]Role) {
	nodes, err := o.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, node := range nodes.Items {
		path := "/api/v1/nodes/" + node.Name + "/proxy/stats/summary"
		data, err := o.kube.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(ctx)
		var stats summary
		if err != nil || json.Unmarshal(data, &stats) != nil {
			continue
		}
		o.usage.add(stats, roles)
	}
}

func (u Usage) add(stats summary, roles map[string]Role) {
	for _, pod := range stats.Pods {
		role, ok := roles[pod.PodRef.UID]
		if !ok {
			continue
		}
		most := u[role][pod.PodRef.UID]
		most.memoryBytes = max(most.memoryBytes, pod.Memory.WorkingSetBytes)
		most.cpuSeconds = max(most.cpuSeconds, float64(pod.CPU.UsageCoreNanoSeconds)/1e9)
		u[role][pod.PodRef.UID] = most
	}
}

// Print writes a line per role: how many pods, the peak of their memory, the sum of their CPU time
// since each started.
func (u Usage) Print(out io.Writer) {
	for _, role := range []Role{Controller, DataPlane} {
		pods := slices.Collect(maps.Values(u[role]))
		if len(pods) == 0 {
			continue
		}
		slices.SortFunc(pods, func(a, b use) int { return int(int64(a.memoryBytes) - int64(b.memoryBytes)) })
		cpu := 0.0
		for _, pod := range pods {
			cpu += pod.cpuSeconds
		}
		fmt.Fprintf(out, "%s: %d pods, memory at most %.1f MiB (median %.1f MiB), CPU %.1f s\n", role, len(pods),
			mebibytes(pods[len(pods)-1]), mebibytes(pods[len(pods)/2]), cpu)
	}
}

func mebibytes(u use) float64 { return float64(u.memoryBytes) / (1 << 20) }
