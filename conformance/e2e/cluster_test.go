//go:build e2e

// Package e2e holds what only a cluster can show and the upstream suite does not: what survives when
// a controller dies, who may write what, and what size costs. Portcullis must be installed, and the
// tests must run where the cluster's addresses answer: see ../../hack/e2e.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	// class of the Gateways made here.
	class = "portcullis"
	// system is where the controller runs.
	system = "portcullis-system"
	// samplesImage holds the sample backends (hack/images).
	samplesImage = "localhost/portcullis-samples:dev"
)

// They talk to the cluster as its administrator, as fast as they can.
var (
	kube      client.Client
	clientset *kubernetes.Clientset
)

func TestMain(m *testing.M) {
	log.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "no cluster:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func connect() error {
	cfg, err := config.GetConfig()
	if err != nil {
		return err
	}
	cfg.QPS = -1
	if err := gatewayv1.Install(scheme.Scheme); err != nil {
		return err
	}
	if kube, err = client.New(cfg, client.Options{Scheme: scheme.Scheme}); err != nil {
		return err
	}
	clientset, err = kubernetes.NewForConfig(cfg)
	return err
}

// eventually tries until attempt gives no error, and gives up after a while. What it waits for is a
// condition, never a time.
func eventually(t *testing.T, within time.Duration, what string, attempt func() error) time.Duration {
	t.Helper()
	started := time.Now()
	for {
		err := attempt()
		if err == nil {
			return time.Since(started)
		}
		if time.Since(started) > within {
			t.Fatalf("not within %s: %s: %v", within, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// apply creates or replaces the objects of a YAML template; they are deleted with their namespace.
func apply(t *testing.T, manifest string, values any) {
	t.Helper()
	if err := tryApply(t.Context(), manifest, values); err != nil {
		t.Fatal(err)
	}
}

func tryApply(ctx context.Context, manifest string, values any) error {
	var text bytes.Buffer
	if err := template.Must(template.New("").Parse(manifest)).Execute(&text, values); err != nil {
		return err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(&text, 4096)
	for {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(object.Object) == 0 {
			continue
		}
		err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(&object),
			client.FieldOwner("e2e"), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

// namespace makes a namespace of its own for the test, which is deleted at the end: pods of ours must
// meet the restricted standard there.
func namespace(t *testing.T) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := kube.Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			show(t, made.Name)
		}
		_ = kube.Delete(context.Background(), made)
	})
	return made.Name
}

// show prints what a failed test leaves: statuses and pods.
func show(t *testing.T, namespace string) {
	ctx := context.Background()
	var gateways gatewayv1.GatewayList
	_ = kube.List(ctx, &gateways, client.InNamespace(namespace))
	for _, gateway := range gateways.Items {
		t.Logf("Gateway %s, generation %d: %+v", gateway.Name, gateway.Generation, gateway.Status)
	}
	var pods corev1.PodList
	for _, namespace := range []string{namespace, system} {
		_ = kube.List(ctx, &pods, client.InNamespace(namespace))
		for _, pod := range pods.Items {
			t.Logf("Pod %s/%s: %s %+v", pod.Namespace, pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses)
		}
	}
}

// controllers are the controller's pods that run.
func controllers(t *testing.T) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	if err := kube.List(t.Context(), &pods, client.InNamespace(system)); err != nil {
		t.Fatal(err)
	}
	var running []corev1.Pod
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			running = append(running, pod)
		}
	}
	return running
}

// leader is the pod that holds the Lease.
func leader(t *testing.T) (corev1.Pod, error) {
	t.Helper()
	var leases coordinationv1.LeaseList
	if err := kube.List(t.Context(), &leases, client.InNamespace(system)); err != nil {
		return corev1.Pod{}, err
	}
	for _, lease := range leases.Items {
		for _, pod := range controllers(t) {
			if holder := lease.Spec.HolderIdentity; holder != nil && strings.HasPrefix(*holder, pod.Name) {
				return pod, nil
			}
		}
	}
	return corev1.Pod{}, errors.New("no running pod holds a Lease")
}

// isReady says whether the pod's readiness probe succeeds.
func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}
