//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A Gateway's pods are replaced, one after the other, while clients go on: none notices.
func TestReplacedPodsLoseNoRequest(t *testing.T) {
	rollouts := 3
	if testing.Short() {
		rollouts = 1
	}
	space, address := served(t)
	steady := startTraffic("http://" + address + "/steady")
	for i := range rollouts {
		restart(t, space, "gateway-portcullis", i)
		eventually(t, started, "the new pod is alone", func() error { return rolledOut(t, space, "gateway-portcullis") })
	}
	steady.mustNotHaveFailed(t)
}

// restart asks for new pods, as `kubectl rollout restart` does.
func restart(t *testing.T, space, name string, round int) {
	t.Helper()
	var deployment appsv1.Deployment
	deployment.Namespace, deployment.Name = space, name
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"%s-%d"}}}}}`,
		time.Now().Format(time.RFC3339), round)
	if err := kube.Patch(t.Context(), &deployment, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// rolledOut tells whether all pods are of the newest template and none of another is left.
func rolledOut(t *testing.T, space, name string) error {
	var deployment appsv1.Deployment
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: name}, &deployment); err != nil {
		return err
	}
	status := deployment.Status
	if status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas != *deployment.Spec.Replicas ||
		status.Replicas != status.UpdatedReplicas || status.AvailableReplicas != status.Replicas {
		return fmt.Errorf("generation %d: %+v", deployment.Generation, status)
	}
	var pods corev1.PodList
	if err := kube.List(t.Context(), &pods, client.InNamespace(space), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)); err != nil {
		return err
	}
	if len(pods.Items) != int(status.Replicas) {
		return fmt.Errorf("%d pods, some still ending", len(pods.Items))
	}
	return nil
}
