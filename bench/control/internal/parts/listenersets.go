package parts

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/report"
)

// sets is the result of the part listenersets: a ListenerSet with a host of its own, and a route to
// it, so many times at once.
type sets struct {
	ListenerSets int `json:"listenerSets"`
	// Created is how long the API server took to acknowledge ListenerSets and routes; what follows is
	// from then.
	Created    float64 `json:"created"`
	Programmed float64 `json:"programmed"`
	Served     float64 `json:"served"`
	// Each is from the acknowledgement of a ListenerSet until it was programmed.
	Each report.Summary `json:"each"`
	// Times a status changed, as watches saw it; Writes as the API server counts requests.
	SetWrites     int           `json:"setWrites"`
	MostPerSet    int           `json:"mostPerSet"`
	GatewayWrites int           `json:"gatewayWrites"`
	Writes        kube.Requests `json:"writes"`
	// Use is that of both sides in the end.
	Use kube.Use `json:"use"`
	// Unhappy are ListenerSets that were not programmed in time, with what they say.
	Unhappy []string `json:"unhappy"`
}

func listenerSets(ctx context.Context, r *Run) (any, error) {
	space, address, err := r.served(ctx, one("backend"))
	if err != nil {
		return nil, err
	}
	result := &sets{ListenerSets: r.Settings.ListenerSets, Unhappy: []string{}}
	var programmed, acked moments
	watch, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().ListenerSets(space), "", setStatus, func(set *gatewayv1.ListenerSet) {
		if kube.Holds(set.Status.Conditions, "Programmed", set.Generation) == nil {
			programmed.note(set.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	gateways, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().Gateways(space), "", gatewayStatus, nil)
	if err != nil {
		return nil, err
	}
	defer gateways.Stop()
	before, err := r.WriteRequests(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := kube.Each(0, result.ListenerSets, func(i int) error { return r.makeSet(ctx, space, i, &acked) }); err != nil {
		return nil, err
	}
	created := time.Now()
	result.Created = report.Milliseconds(created.Sub(began))
	within := time.Duration(r.Settings.SettleSeconds) * time.Second
	err = kube.Await(ctx, within, "all ListenerSets to be programmed", func() error {
		if count := programmed.count(); count < result.ListenerSets {
			return fmt.Errorf("%d of %d are", count, result.ListenerSets)
		}
		return nil
	})
	result.Programmed = report.Milliseconds(time.Since(created))
	if err == nil {
		err = kube.Each(0, result.ListenerSets, func(i int) error {
			return load.AwaitAnswer(ctx, address, setHost(i), 200, within)
		})
	}
	result.Served = report.Milliseconds(time.Since(created))
	result.Each = report.Summarize(programmed.after(func(name string) (time.Time, bool) { at, ok := acked.at[name]; return at, ok }))
	_ = kube.Sleep(ctx, 2*time.Second)
	r.setsWrites(ctx, space, result, before)
	result.SetWrites, result.MostPerSet = watch.StatusWrites()
	result.GatewayWrites, _ = gateways.StatusWrites()
	r.log("%d ListenerSets in %.0f ms; programmed %.0f ms, served %.0f ms later; writes: sets %d (at most %d each), Gateway %d; %v",
		result.ListenerSets, result.Created, result.Programmed, result.Served, result.SetWrites, result.MostPerSet,
		result.GatewayWrites, result.Writes)
	return result, err
}

func (r *Run) setsWrites(ctx context.Context, space string, result *sets, before kube.Requests) {
	if after, err := r.WriteRequests(ctx); err == nil {
		result.Writes = after.Since(before)
	}
	if use, err := r.Use(ctx, r.Class, space); err == nil {
		result.Use = use
	}
	found, err := r.Gateway.GatewayV1().ListenerSets(space).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, set := range found.Items {
		if err := kube.Holds(set.Status.Conditions, "Programmed", set.Generation); err != nil && len(result.Unhappy) < 5 {
			result.Unhappy = append(result.Unhappy, set.Name+": "+err.Error())
		}
	}
}

func setName(i int) string { return fmt.Sprintf("set-%d", i) }

func setHost(i int) string { return setName(i) + ".bench.example" }

// makeSet makes a ListenerSet and the route to it.
func (r *Run) makeSet(ctx context.Context, space string, i int, acked *moments) error {
	host := gatewayv1.Hostname(setHost(i))
	parent := kube.Gateway(space).Reference()
	set := &gatewayv1.ListenerSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: setName(i)},
		Spec: gatewayv1.ListenerSetSpec{
			ParentRef: gatewayv1.ParentGatewayReference{Name: parent.Name},
			Listeners: []gatewayv1.ListenerEntry{{
				Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: &host,
			}},
		},
	}
	_, err := r.Gateway.GatewayV1().ListenerSets(space).Create(ctx, set, metav1.CreateOptions{})
	acked.note(set.Name)
	if err != nil {
		return err
	}
	parentSet := kube.Parent{Kind: "ListenerSet", Namespace: space, Name: set.Name}
	_, err = r.CreateRoute(ctx, kube.HTTPRoute(space, set.Name, parentSet, setHost(i), "backend"))
	return err
}
