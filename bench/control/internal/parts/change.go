package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/report"
)

// changed is the result of the part change.
type changed struct {
	Flips int       `json:"flips"`
	Sent  load.Sent `json:"sent"`
	// Ack is how long the API server took to acknowledge each change.
	Ack report.Summary `json:"ack"`
	// Effect is from the acknowledgement of a changed filter until the first answer that shows it, or
	// a later one. Effects are its samples.
	Effect  report.Summary `json:"effect"`
	Effects []float64      `json:"effects"`
	// Unseen are changes of filters that no answer ever showed, since a later one came first.
	Unseen int `json:"unseen"`
	// Stale are answers that show an older filter than one shown before they were asked for; they
	// were asked for StaleFor after that.
	Stale    int            `json:"stale"`
	StaleFor report.Summary `json:"staleFor"`
}

const (
	changeHost = "change.bench.example"
	flipHeader = "X-Flip"
)

// change flips weights, backends, a filter and hostnames of one route in turn, under a stream of
// requests for one of its hosts. Whatever it is flipped to can answer every request.
func change(ctx context.Context, r *Run) (any, error) {
	pair := func(name string) kube.Backend { return kube.Backend{Name: name, Replicas: 2, Lingers: 2 * time.Second} }
	space, address, err := r.served(ctx, pair("backend-a"), pair("backend-b"))
	if err != nil {
		return nil, err
	}
	route := flipped(space, 0)
	if _, err := r.CreateRoute(ctx, route); err != nil {
		return nil, err
	}
	if err := load.AwaitAnswer(ctx, address, changeHost, 200, time.Minute); err != nil {
		return nil, err
	}
	watched := &effects{acks: map[int]time.Time{}, shown: map[int]time.Time{}}
	stream := load.StartStream(ctx, address, changeHost, r.Settings.RequestsPerSecond, watched.take)
	result := &changed{}
	err = r.flips(ctx, space, watched, result)
	// The last change takes effect.
	_ = kube.Sleep(ctx, time.Second)
	result.Sent = stream.Stop()
	watched.finish(result)
	r.log("%d flips, %d requests, %d failed %v; effect of a filter p50 %.1f p99 %.1f ms; latency p50 %.2f p99 %.2f max %.1f ms",
		result.Flips, result.Sent.Requests, result.Sent.Failed, result.Sent.Answers, result.Effect.P50, result.Effect.P99,
		result.Sent.Latency.P50, result.Sent.Latency.P99, result.Sent.Latency.Max)
	return result, err
}

func (r *Run) flips(ctx context.Context, space string, watched *effects, result *changed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var acks []float64
	err := r.everySecond(ctx, r.Settings.FlipsPerSecond, func(i int) error {
		if i == r.Settings.Flips {
			cancel()
			return nil
		}
		patch, err := json.Marshal(map[string]any{"spec": flipped(space, i+1).Spec})
		if err != nil {
			return err
		}
		began := time.Now()
		_, err = r.Gateway.GatewayV1().HTTPRoutes(space).Patch(ctx, "change", types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			return err
		}
		acks = append(acks, report.Milliseconds(time.Since(began)))
		if (i+1)%4 == 0 {
			watched.acknowledged(i + 1)
		}
		result.Flips = i + 1
		return nil
	})
	result.Ack = report.Summarize(acks)
	if result.Flips == r.Settings.Flips {
		return nil
	}
	return err
}

// flipped is the route after the nth flip. The fourth of each four changes the filter, which then
// says n in each answer.
func flipped(space string, n int) *gatewayv1.HTTPRoute {
	route := kube.HTTPRoute(space, "change", kube.Gateway(space), changeHost, "backend-a")
	turn := n / 4
	weights := [][2]int32{{90, 10}, {10, 90}}[(turn+min(n%4, 1))%2]
	references := []gatewayv1.HTTPBackendRef{
		kube.BackendRef("backend-a", weights[0]), kube.BackendRef("backend-b", weights[1]),
	}
	if backends := (turn + min(n%4/2, 1)) % 3; backends < 2 {
		references = references[backends : backends+1]
	}
	if hosts := turn + n%4/3; hosts > 0 {
		route.Spec.Hostnames = append(route.Spec.Hostnames, gatewayv1.Hostname(fmt.Sprintf("other-%d.bench.example", hosts)))
	}
	route.Spec.Rules[0].BackendRefs = references
	route.Spec.Rules[0].Filters = []gatewayv1.HTTPRouteFilter{{
		Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier,
		ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{
			Set: []gatewayv1.HTTPHeader{{Name: flipHeader, Value: strconv.Itoa(turn * 4)}},
		},
	}}
	return route
}

// effects notes which change of the filter each answer shows.
type effects struct {
	mutex sync.Mutex
	acks  map[int]time.Time
	// shown is when the first answer with each was received; newest is the newest of them.
	shown  map[int]time.Time
	newest int
	stale  []float64
}

func (e *effects) acknowledged(flip int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.acks[flip] = time.Now()
}

func (e *effects) take(answer load.Answer) {
	flip, err := strconv.Atoi(answer.Header.Get(flipHeader))
	if err != nil {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if _, known := e.shown[flip]; !known {
		e.shown[flip] = answer.Received
	}
	if flip > e.newest {
		e.newest = flip
	}
	if first := e.shown[e.newest]; flip < e.newest && answer.Sent.After(first) {
		e.stale = append(e.stale, report.Milliseconds(answer.Sent.Sub(first)))
	}
}

func (e *effects) finish(result *changed) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	result.Effects = []float64{}
	for flip, ack := range e.acks {
		first := time.Time{}
		for shown, at := range e.shown {
			if shown >= flip && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if _, own := e.shown[flip]; !own {
			result.Unseen++
		}
		if !first.IsZero() {
			result.Effects = append(result.Effects, report.Milliseconds(first.Sub(ack)))
		}
	}
	result.Effect = report.Summarize(result.Effects)
	result.Stale, result.StaleFor = len(e.stale), report.Summarize(e.stale)
}
