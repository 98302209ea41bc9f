//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// A thousand routes cost a write each, and what does not concern us costs next to nothing.
func TestAThousandRoutes(t *testing.T) {
	routes, seconds := 1000, 30
	if testing.Short() {
		routes, seconds = 300, 10
	}
	log := startAudit(t)
	space, address := served(t)
	lead := leading(t)
	cpu := cpuTime(t, lead)

	started := time.Now()
	createRoutes(t, space, routes)
	created := time.Since(started)
	settled := eventually(t, 2*time.Minute, "all routes are attached", func() error { return attached(t, space, routes+1) })
	eventually(t, current, "the last route is accepted", func() error { return accepted(t, space, routeName(routes-1)) })
	eventually(t, current, "the last route is served", func() error {
		return answers(address, 80, "/"+routeName(routes-1), 200)
	})
	cpu = cpuTime(t, lead) - cpu
	now, peak := residentMiB(t, lead)
	t.Logf("%d routes were created in %s and attached %s later; the leader used %s CPU and %.1f MiB (at most %.1f)",
		routes, created.Round(time.Millisecond), settled.Round(time.Millisecond), cpu, now, peak)

	kinds := count(inNamespace(log.writes(t), space))
	t.Logf("writes: %v", kinds)
	if n := total(kinds, "httproutes/status"); n > routes+1 {
		t.Errorf("%d writes for %d routes", n, routes+1)
	}
	// The Gateway's count may be told now and then while routes come in.
	if n := total(kinds, "gateways/status"); n > 30 {
		t.Errorf("%d writes for one Gateway", n)
	}

	t.Run("what does not concern us costs nothing", func(t *testing.T) { unrelated(t, log, space, lead, seconds) })
}

// unrelated writes Secrets that nobody names and routes of another class, a hundred a second.
func unrelated(t *testing.T, log *audit, space string, lead, seconds int) {
	objects := strangers(t, space)
	quiet := len(inNamespace(log.writes(t), space))
	generation := loadedVersion(t, space)
	cpu, started := cpuTime(t, lead), time.Now()

	var writers sync.WaitGroup
	for i := range seconds * 100 {
		time.Sleep(time.Until(started.Add(time.Duration(i) * 10 * time.Millisecond)))
		object := objects[i%len(objects)].DeepCopyObject().(client.Object)
		writers.Go(func() {
			patch := fmt.Sprintf(`{"metadata":{"labels":{"round":"%d"}}}`, i)
			if _, isRoute := object.(*gatewayv1.HTTPRoute); isRoute {
				patch = fmt.Sprintf(`{"spec":{"hostnames":["h%d.example.com"]}}`, i)
			}
			if err := kube.Patch(context.Background(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()

	share := 100 * (cpuTime(t, lead) - cpu).Seconds() / time.Since(started).Seconds()
	t.Logf("the leader used %.1f %% of a core during %s", share, time.Since(started).Round(time.Second))
	if share >= 5 {
		t.Errorf("the leader used %.1f %% of a core", share)
	}
	if n := len(inNamespace(log.writes(t), space)); n != quiet {
		t.Errorf("%d writes for what does not concern us", n-quiet)
	}
	if now := loadedVersion(t, space); now != generation {
		t.Errorf("published: %s before, %s after", generation, now)
	}
}

// leading is the leader's process.
func leading(t *testing.T) int {
	t.Helper()
	pod, err := leader(t)
	if err != nil {
		t.Fatal(err)
	}
	return pid(t, pod)
}

func routeName(i int) string { return fmt.Sprintf("route-%d", i) }

// createRoutes creates the routes, ten at a time.
func createRoutes(t *testing.T, space string, routes int) {
	t.Helper()
	var workers sync.WaitGroup
	for worker := range 10 {
		workers.Go(func() {
			for i := worker; i < routes; i += 10 {
				if err := tryHTTPRoute(t.Context(), space, routeName(i), "gateway", "/"+routeName(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

func attached(t *testing.T, space string, routes int) error {
	var gateway gatewayv1.Gateway
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: "gateway"}, &gateway); err != nil {
		return err
	}
	if len(gateway.Status.Listeners) != 1 || int(gateway.Status.Listeners[0].AttachedRoutes) != routes {
		return fmt.Errorf("the status: %+v", gateway.Status.Listeners)
	}
	return nil
}

// strangers makes objects that do not concern us: Secrets that nobody names, and routes to a Gateway
// of a class that is not ours.
func strangers(t *testing.T, space string) []client.Object {
	t.Helper()
	apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: e2e-foreign}
spec: {controllerName: example.com/stranger}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: foreign, namespace: {{.}}}
spec:
  gatewayClassName: e2e-foreign
  listeners: [{name: http, port: 80, protocol: HTTP}]
`, space)
	t.Cleanup(func() {
		_ = kube.Delete(context.Background(), &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "e2e-foreign"}})
	})
	var all []client.Object
	for i := range 10 {
		name := fmt.Sprintf("foreign-%d", i)
		httpRoute(t, space, name, "foreign", "/"+name)
		apply(t, "{apiVersion: v1, kind: Secret, metadata: {name: {{.Name}}, namespace: {{.Namespace}}}, data: {key: aGk=}}",
			map[string]string{"Name": name, "Namespace": space})
		where := metav1.ObjectMeta{Name: name, Namespace: space}
		all = append(all, &corev1.Secret{ObjectMeta: where}, &gatewayv1.HTTPRoute{ObjectMeta: where})
	}
	return all
}

func inNamespace(writes []write, space string) []write {
	var those []write
	for _, one := range writes {
		if one.ObjectRef.Namespace == space {
			those = append(those, one)
		}
	}
	return those
}

// total adds up the writes to a kind, whatever the verb.
func total(kinds map[string]int, kind string) int {
	sum := 0
	for name, n := range kinds {
		if strings.HasSuffix(name, " "+kind) {
			sum += n
		}
	}
	return sum
}
