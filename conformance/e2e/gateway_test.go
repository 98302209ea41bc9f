//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// gatewayLabel is on all that is made for a Gateway (GEP-1762).
const gatewayLabel = "gateway.networking.k8s.io/gateway-name"

// started is long enough for a data plane's pod to start on a busy machine.
const started = 60 * time.Second

// backend starts httpbin as the Service `httpbin`, port 8000.
func backend(t *testing.T, namespace string) {
	t.Helper()
	apply(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: httpbin, namespace: {{.Namespace}}}
spec:
  selector: {matchLabels: {app: httpbin}}
  template:
    metadata: {labels: {app: httpbin}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: httpbin
        image: {{.Image}}
        imagePullPolicy: IfNotPresent
        args: [httpbin, --addr, "0.0.0.0:8000"]
        readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
        resources: {requests: {cpu: 10m, memory: 8Mi}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: httpbin, namespace: {{.Namespace}}}
spec:
  selector: {app: httpbin}
  ports: [{name: http, port: 8000}]
`, map[string]string{"Namespace": namespace, "Image": samplesImage})
}

// httpGateway makes a Gateway with a listener for HTTP on each port, named `http-PORT`.
func httpGateway(t *testing.T, namespace, name string, ports ...int) {
	t.Helper()
	apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: {{.Name}}, namespace: {{.Namespace}}}
spec:
  gatewayClassName: {{.Class}}
  listeners:
{{- range .Ports}}
  - {name: http-{{.}}, port: {{.}}, protocol: HTTP}
{{- end}}
`, map[string]any{"Name": name, "Namespace": namespace, "Class": class, "Ports": ports})
}

// httpRoute sends a path to httpbin, where `/status/200` answers it.
func httpRoute(t *testing.T, namespace, name, gateway, path string) {
	t.Helper()
	if err := tryHTTPRoute(t.Context(), namespace, name, gateway, path); err != nil {
		t.Fatal(err)
	}
}

func tryHTTPRoute(ctx context.Context, namespace, name, gateway, path string) error {
	return tryApply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: {{.Name}}, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: {{.Gateway}}}]
  rules:
  - matches: [{path: {type: Exact, value: {{.Path}}}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /status/200}}}]
    backendRefs: [{name: httpbin, port: 8000}]
`, map[string]string{"Name": name, "Namespace": namespace, "Gateway": gateway, "Path": path})
}

// programmed waits until the Gateway's newest generation is programmed, and gives its address.
func programmed(t *testing.T, namespace, name string) string {
	t.Helper()
	var gateway gatewayv1.Gateway
	eventually(t, started, name+" is programmed", func() error {
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &gateway); err != nil {
			return err
		}
		if err := holds(gateway.Status.Conditions, gateway.Generation, "Programmed", metav1.ConditionTrue); err != nil {
			return err
		}
		if len(gateway.Status.Addresses) == 0 {
			return fmt.Errorf("it has no address")
		}
		return nil
	})
	return gateway.Status.Addresses[0].Value
}

// holds checks one condition and that it is of this generation.
func holds(conditions []metav1.Condition, generation int64, kind string, status metav1.ConditionStatus) error {
	condition := meta.FindStatusCondition(conditions, kind)
	if condition == nil || condition.Status != status || condition.ObservedGeneration != generation {
		return fmt.Errorf("%s is not %s at generation %d: %+v", kind, status, generation, condition)
	}
	return nil
}

// accepted checks that the route's newest generation is accepted and its references are resolved.
func accepted(t *testing.T, namespace, name string) error {
	var route gatewayv1.HTTPRoute
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &route); err != nil {
		return err
	}
	if len(route.Status.Parents) != 1 {
		return fmt.Errorf("it has %d parents' statuses", len(route.Status.Parents))
	}
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		if err := holds(route.Status.Parents[0].Conditions, route.Generation, kind, metav1.ConditionTrue); err != nil {
			return err
		}
	}
	return nil
}

// answers checks the status of one request on a connection of its own.
func answers(address string, port int, path string, want int) error {
	once := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := once.Get("http://" + net.JoinHostPort(address, fmt.Sprint(port)) + path)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("%s on port %d answers %d, not %d", path, port, response.StatusCode, want)
	}
	return nil
}

// made are the objects made for a Gateway, of one kind.
func made[L client.ObjectList](t *testing.T, list L, namespace, gateway string) L {
	t.Helper()
	err := kube.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{gatewayLabel: gateway})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// identities are the UIDs of a Gateway's Service and of its pods: they change when one is made anew.
func identities(t *testing.T, namespace, gateway string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, service := range made(t, &corev1.ServiceList{}, namespace, gateway).Items {
		found["Service "+service.Name] = string(service.UID)
	}
	for _, pod := range made(t, &corev1.PodList{}, namespace, gateway).Items {
		found["Pod "+pod.Name] = string(pod.UID)
	}
	if len(found) < 2 {
		t.Fatalf("no Service and pod of Gateway %s: %v", gateway, found)
	}
	return found
}
