package parts

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
)

// rolled is the result of the part endpoints: by how the backends end.
type rolled struct {
	// Graceful backends serve on for some seconds after they were told to end, as Kubernetes
	// recommends; abrupt ones end at once, with what they were doing.
	Graceful *rolling `json:"graceful"`
	Abrupt   *rolling `json:"abrupt"`
}

// rolling is a rolling restart under a stream of requests.
type rolling struct {
	Backends int       `json:"backends"`
	Seconds  float64   `json:"seconds"`
	Sent     load.Sent `json:"sent"`
	// Answered is how many different pods have answered.
	Answered int `json:"answered"`
}

func endpoints(ctx context.Context, r *Run) (any, error) {
	result := &rolled{}
	graceful := kube.Backend{Name: "graceful", Replicas: int32(r.Settings.EndpointBackends), Lingers: 3 * time.Second}
	space, address, err := r.served(ctx, graceful)
	if err != nil {
		return nil, err
	}
	if result.Graceful, err = r.rolling(ctx, space, address, "warm.bench.example", graceful); err != nil {
		return result, err
	}
	abrupt := kube.Backend{Name: "abrupt", Replicas: graceful.Replicas}
	if err := r.MakeBackend(ctx, space, abrupt); err != nil {
		return result, err
	}
	route := kube.HTTPRoute(space, "abrupt", kube.Gateway(space), "abrupt.bench.example", "abrupt")
	if _, err := r.CreateRoute(ctx, route); err != nil {
		return result, err
	}
	if err := load.AwaitAnswer(ctx, address, "abrupt.bench.example", 200, time.Minute); err != nil {
		return result, err
	}
	result.Abrupt, err = r.rolling(ctx, space, address, "abrupt.bench.example", abrupt)
	return result, err
}

// rolling replaces all pods of a backend as `kubectl rollout restart` does.
func (r *Run) rolling(ctx context.Context, space, address, host string, backend kube.Backend) (*rolling, error) {
	var mutex sync.Mutex
	answered := map[string]bool{}
	stream := load.StartStream(ctx, address, host, r.Settings.RequestsPerSecond, func(answer load.Answer) {
		mutex.Lock()
		defer mutex.Unlock()
		if name := answer.Header.Get(load.BackendHeader); name != "" {
			answered[name] = true
		}
	})
	err := kube.Sleep(ctx, 2*time.Second)
	began := time.Now()
	if err == nil {
		patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"restarted":"%d"}}}}}`, began.UnixNano())
		_, err = r.Core.AppsV1().Deployments(space).Patch(ctx, backend.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err == nil {
		err = r.RolledOut(ctx, space, backend.Name)
	}
	took := time.Since(began)
	if err == nil {
		// The last of the old pods are still ending.
		err = kube.Sleep(ctx, backend.Lingers+2*time.Second)
	}
	result := &rolling{Backends: int(backend.Replicas), Seconds: took.Seconds(), Sent: stream.Stop(), Answered: len(answered)}
	r.log("%s: %d backends restarted in %.1f s; %d requests, %d failed %v, answered by %d pods; latency p50 %.2f p99 %.2f max %.1f ms",
		backend.Name, result.Backends, result.Seconds, result.Sent.Requests, result.Sent.Failed, result.Sent.Answers,
		result.Answered, result.Sent.Latency.P50, result.Sent.Latency.P99, result.Sent.Latency.Max)
	return result, err
}
