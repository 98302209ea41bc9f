package observe

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestThePeakOfEachPodIsKept(t *testing.T) {
	roles := map[string]Role{"a": DataPlane, "b": DataPlane, "c": Controller}
	usage := newUsage()
	for _, answer := range []string{
		`{"pods":[{"podRef":{"uid":"a"},"cpu":{"usageCoreNanoSeconds":1000000000},"memory":{"workingSetBytes":20971520}},
		          {"podRef":{"uid":"stranger"},"memory":{"workingSetBytes":99999999}}]}`,
		`{"pods":[{"podRef":{"uid":"a"},"cpu":{"usageCoreNanoSeconds":2000000000},"memory":{"workingSetBytes":10485760}},
		          {"podRef":{"uid":"b"},"cpu":{"usageCoreNanoSeconds":500000000},"memory":{"workingSetBytes":5242880}}]}`,
	} {
		var stats summary
		if err := json.Unmarshal([]byte(answer), &stats); err != nil {
			t.Fatal(err)
		}
		usage.add(stats, roles)
	}
	var out strings.Builder
	usage.Print(&out)
	if want := "data plane: 2 pods, memory at most 20.0 MiB (median 20.0 MiB), CPU 2.5 s\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
