package parts

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/report"
)

// many is the result of the part gateways. Times are from the acknowledgement of each Gateway.
type many struct {
	Gateways int `json:"gateways"`
	// Created is how long the API server took to acknowledge all of them.
	Created    float64   `json:"created"`
	Programmed []float64 `json:"programmed"`
	// All is from the first request until the last of them was programmed.
	All     float64        `json:"all"`
	Summary report.Summary `json:"summary"`
	// PodReady is from the acknowledgement of the first Gateway until each data plane's pod was ready,
	// as the kubelet says: most of the time passes until then, whoever the pod is of.
	PodReady report.Summary `json:"podReady"`
	// Answered is from when it was programmed until its address gave an answer, for each.
	Answered report.Summary `json:"answered"`
	// StatusWrites are changes of the Gateways' statuses, as a watch saw them.
	StatusWrites int           `json:"statusWrites"`
	Writes       kube.Requests `json:"writes"`
	Use          kube.Use      `json:"use"`
	// Memory (PSS, bytes) of all data planes.
	DataPlanePSS uint64 `json:"dataPlanePss"`
}

// moments are when something was first seen of each object.
type moments struct {
	mutex sync.Mutex
	at    map[string]time.Time
}

func (m *moments) note(name string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.at == nil {
		m.at = map[string]time.Time{}
	}
	if _, known := m.at[name]; !known {
		m.at[name] = time.Now()
	}
}

func (m *moments) count() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.at)
}

// after are the milliseconds from an object's beginning until its moment, for all that have both.
func (m *moments) after(began func(name string) (time.Time, bool)) []float64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	times := []float64{}
	for name, at := range m.at {
		if from, ok := began(name); ok {
			times = append(times, report.Milliseconds(at.Sub(from)))
		}
	}
	return times
}

func gateways(ctx context.Context, r *Run) (any, error) {
	space, err := r.space(ctx)
	if err != nil {
		return nil, err
	}
	var programmed, ready, acked moments
	watch, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().Gateways(space), "", gatewayStatus, func(gateway *gatewayv1.Gateway) {
		if kube.Holds(gateway.Status.Conditions, "Programmed", gateway.Generation) == nil {
			programmed.note(gateway.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	where, selector := r.Class.DataPlanes(space)
	pods, err := kube.StartWatch(ctx, r.Core.CoreV1().Pods(where), selector, func(*corev1.Pod) any { return nil }, func(pod *corev1.Pod) {
		if podReady(pod) {
			ready.note(pod.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	defer pods.Stop()
	before, err := r.WriteRequests(ctx)
	if err != nil {
		return nil, err
	}

	result := &many{Gateways: r.Settings.Gateways}
	began := time.Now()
	err = kube.Each(0, result.Gateways, func(i int) error {
		name := fmt.Sprintf("gateway-%d", i)
		_, err := r.Gateway.GatewayV1().Gateways(space).Create(ctx, kube.HTTPGateway(r.Class, space, name), metav1.CreateOptions{})
		acked.note(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	result.Created = report.Milliseconds(time.Since(began))
	err = kube.Await(ctx, 5*time.Minute, "all Gateways to be programmed", func() error {
		if count := programmed.count(); count < result.Gateways {
			return fmt.Errorf("%d of %d are", count, result.Gateways)
		}
		return nil
	})
	result.All = report.Milliseconds(time.Since(began))
	result.Programmed = programmed.after(func(name string) (time.Time, bool) { at, ok := acked.at[name]; return at, ok })
	result.Summary = report.Summarize(result.Programmed)
	result.PodReady = report.Summarize(ready.after(func(string) (time.Time, bool) { return began, true }))
	if err == nil {
		result.Answered, err = r.addressesAnswer(ctx, space, &programmed)
	}
	r.gatewaysUse(ctx, space, result, before)
	result.StatusWrites, _ = watch.StatusWrites()
	r.log("%d Gateways programmed after %.0f ms (p50 %.0f ms); pods ready p50 %.0f max %.0f ms; status writes %d; data planes PSS %.0f MiB",
		len(result.Programmed), result.All, result.Summary.P50, result.PodReady.P50, result.PodReady.Max, result.StatusWrites,
		mebibytes(result.DataPlanePSS))
	return result, err
}

// addressesAnswer waits until each address gives an answer of whatever status.
func (r *Run) addressesAnswer(ctx context.Context, space string, programmed *moments) (report.Summary, error) {
	found, err := r.Gateway.GatewayV1().Gateways(space).List(ctx, metav1.ListOptions{})
	if err != nil {
		return report.Summary{}, err
	}
	var answered moments
	err = kube.Each(0, len(found.Items), func(i int) error {
		address := found.Items[i].Status.Addresses[0].Value
		err := load.AwaitAnswer(ctx, address, "nobody.bench.example", 404, 30*time.Second)
		answered.note(found.Items[i].Name)
		return err
	})
	times := answered.after(func(name string) (time.Time, bool) { at, ok := programmed.at[name]; return at, ok })
	return report.Summarize(times), err
}

func (r *Run) gatewaysUse(ctx context.Context, space string, result *many, before kube.Requests) {
	if use, err := r.Use(ctx, r.Class, space); err == nil {
		result.Use = use
		for _, process := range use.DataPlane {
			result.DataPlanePSS += process.PSS
		}
	}
	if after, err := r.WriteRequests(ctx); err == nil {
		result.Writes = after.Since(before)
	}
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
