//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// stranger is the name of another controller that writes to the same routes.
const stranger gatewayv1.GatewayController = "example.com/stranger"

// Routes may have parents of other controllers, whose entries we neither change nor answer.
func TestForeignEntriesOfARouteAreLeftAlone(t *testing.T) {
	log := startAudit(t)
	space, _ := served(t)
	const routes, edits = 5, 10
	var names []string
	for i := range routes {
		names = append(names, fmt.Sprintf("shared-%d", i))
		httpRoute(t, space, names[i], "gateway", "/"+names[i])
	}

	written := 0
	for round := range 300 {
		started := time.Now()
		for _, name := range names {
			written += writeAsStranger(t, space, name, round)
		}
		if round%(300/edits) == 0 {
			for _, name := range names {
				httpRoute(t, space, name, "gateway", fmt.Sprintf("/%s-%d", name, round))
			}
		}
		time.Sleep(time.Until(started.Add(100 * time.Millisecond)))
	}

	ours := 0
	for _, name := range names {
		eventually(t, current, name+" has both entries", func() error { return hasBoth(t, space, name) })
		for _, one := range log.writes(t) {
			if one.ObjectRef.Namespace == space && one.ObjectRef.Name == name {
				ours++
			}
		}
	}
	// One write for the first status and one for each edit; nothing for what the stranger does.
	if most := routes * (edits + 1); ours > most {
		t.Errorf("%d writes of ours, at most %d are needed", ours, most)
	}
	t.Logf("the stranger wrote %d times, we %d times", written, ours)
}

// writeAsStranger replaces the stranger's entry after it checked that the entry is as it was left.
func writeAsStranger(t *testing.T, space, name string, round int) int {
	t.Helper()
	for {
		var route gatewayv1.HTTPRoute
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: name}, &route); err != nil {
			t.Fatal(err)
		}
		own := slices.IndexFunc(route.Status.Parents, isStrangers)
		if round > 0 && own < 0 {
			t.Fatalf("round %d: the stranger's entry in %s is gone", round, name)
		}
		if round > 0 && !sameBytes(route.Status.Parents[own], entry(round-1)) {
			t.Fatalf("round %d: the stranger's entry in %s was changed: %+v", round, name, route.Status.Parents[own])
		}
		if own < 0 {
			route.Status.Parents = append(route.Status.Parents, entry(round))
		} else {
			route.Status.Parents[own] = entry(round)
		}
		err := kube.Status().Update(context.Background(), &route)
		if errors.IsConflict(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		return 1
	}
}

func isStrangers(parent gatewayv1.RouteParentStatus) bool { return parent.ControllerName == stranger }

// entry is what the stranger says in a round.
func entry(round int) gatewayv1.RouteParentStatus {
	return gatewayv1.RouteParentStatus{
		ParentRef:      gatewayv1.ParentReference{Name: "elsewhere"},
		ControllerName: stranger,
		Conditions: []metav1.Condition{{
			Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted",
			Message:            fmt.Sprintf("round %d", round),
			LastTransitionTime: metav1.Unix(int64(1_700_000_000+round), 0),
		}},
	}
}

func sameBytes(got, want gatewayv1.RouteParentStatus) bool {
	// What the API server fills in when it stores the entry.
	got.ParentRef.Group, got.ParentRef.Kind = nil, nil
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	return string(a) == string(b)
}

func hasBoth(t *testing.T, space, name string) error {
	var route gatewayv1.HTTPRoute
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: name}, &route); err != nil {
		return err
	}
	if len(route.Status.Parents) != 2 || !slices.ContainsFunc(route.Status.Parents, isStrangers) {
		return fmt.Errorf("its entries: %+v", route.Status.Parents)
	}
	ours := slices.IndexFunc(route.Status.Parents, func(p gatewayv1.RouteParentStatus) bool { return !isStrangers(p) })
	return holds(route.Status.Parents[ours].Conditions, route.Generation, "Accepted", metav1.ConditionTrue)
}
