//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// What already has the name we would use is another's and stays as it is; the Gateway says so, and
// works as soon as the name is free.
func TestAForeignObjectOfTheSameNameIsNeverTakenOver(t *testing.T) {
	for _, foreign := range []client.Object{
		&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 9}}}},
		&appsv1.Deployment{Spec: idleDeployment()},
		&corev1.ServiceAccount{},
		&corev1.ConfigMap{Data: map[string]string{"mine": "yes"}},
	} {
		t.Run(fmt.Sprintf("%T", foreign), func(t *testing.T) {
			space := namespace(t)
			backend(t, space)
			foreign.SetNamespace(space)
			foreign.SetName("gateway-" + class)
			if err := kube.Create(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			before := content(t, foreign)
			httpGateway(t, space, "gateway", 80)
			eventually(t, started, "the Gateway says that the name is taken", func() error {
				return saysNotProgrammed(t, space, "gateway")
			})
			if after := content(t, foreign); before != after {
				t.Errorf("it was changed:\n%s\n%s", before, after)
			}
			if err := kube.Delete(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			programmed(t, space, "gateway")
		})
	}
}

func idleDeployment() appsv1.DeploymentSpec {
	labels := map[string]string{"app": "foreign"}
	none := int32(0)
	return appsv1.DeploymentSpec{
		Replicas: &none,
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "idle", Image: samplesImage}}},
		},
	}
}

// content is what another controller could change of an object that nobody else touches.
func content(t *testing.T, object client.Object) string {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(object.GetUID(), object.GetLabels(), object.GetAnnotations()["portcullis.dev"],
		object.GetOwnerReferences(), object.GetGeneration())
}

func saysNotProgrammed(t *testing.T, space, name string) error {
	var gateway gatewayv1.Gateway
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: name}, &gateway); err != nil {
		return err
	}
	return errors.Join(
		holds(gateway.Status.Conditions, gateway.Generation, "Accepted", metav1.ConditionTrue),
		holds(gateway.Status.Conditions, gateway.Generation, "Programmed", metav1.ConditionFalse),
	)
}

// Ports come and go in the same Service, at the same address, and what stays is not disturbed.
func TestPortsChangeInPlace(t *testing.T) {
	space, address := served(t)
	before := identities(t, space, "gateway")
	httpGateway(t, space, "gateway", 80, 8081)
	programmed(t, space, "gateway")
	// The data plane listens by now; kube-proxy forwards the port in its own time.
	took := eventually(t, current, "the new port answers", func() error { return answers(address, 8081, "/steady", 200) })
	t.Logf("port 8081 answered %s after the Gateway was programmed", took.Round(time.Millisecond))
	steady := startTraffic("http://" + net.JoinHostPort(address, "8081") + "/steady")
	httpGateway(t, space, "gateway", 8081)
	programmed(t, space, "gateway")
	eventually(t, current, "port 80 is closed", func() error {
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(address, "80"), time.Second)
		if err == nil {
			connection.Close()
			return errors.New("it is open")
		}
		return nil
	})
	steady.mustNotHaveFailed(t)
	if after := identities(t, space, "gateway"); !maps.Equal(before, after) {
		t.Errorf("made anew: before %v, after %v", before, after)
	}
	if now := programmed(t, space, "gateway"); now != address {
		t.Errorf("the address was %s and is %s", address, now)
	}
}

// What a Gateway asks for is on all that is made for it, also later, and all goes with it.
func TestInfrastructureIsLabelledAndGoesWithItsGateway(t *testing.T) {
	space := namespace(t)
	for _, team := range []string{"red", "blue"} {
		apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway, namespace: {{.Namespace}}}
spec:
  gatewayClassName: portcullis
  infrastructure: {labels: {example.com/team: {{.Team}}}, annotations: {example.com/cost: "{{.Team}}-1"}}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`, map[string]string{"Namespace": space, "Team": team})
		programmed(t, space, "gateway")
		eventually(t, current, "everything has the labels", func() error { return labelled(t, space, team) })
	}
	gateway := gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: space}}
	if err := kube.Delete(t.Context(), &gateway); err != nil {
		t.Fatal(err)
	}
	eventually(t, started, "everything is gone", func() error {
		if left := madeFor(t, space, "gateway"); len(left) > 0 {
			return fmt.Errorf("%T %s and %d more", left[0], left[0].GetName(), len(left)-1)
		}
		return nil
	})
}

func labelled(t *testing.T, space, team string) error {
	all := madeFor(t, space, "gateway")
	if len(all) < 4 {
		return fmt.Errorf("only %d objects", len(all))
	}
	for _, object := range all {
		owners := object.GetOwnerReferences()
		_, isPod := object.(*corev1.Pod)
		switch {
		case object.GetLabels()["example.com/team"] != team,
			object.GetAnnotations()["example.com/cost"] != team+"-1",
			object.GetLabels()["gateway.networking.k8s.io/gateway-class-name"] != class:
			return fmt.Errorf("%T %s: %v %v", object, object.GetName(), object.GetLabels(), object.GetAnnotations())
		case !isPod && (object.GetName() != "gateway-"+class || len(owners) != 1 || owners[0].Kind != "Gateway"):
			return fmt.Errorf("%T %s is owned by %v", object, object.GetName(), owners)
		}
	}
	return nil
}

// madeFor is all that was made for a Gateway.
func madeFor(t *testing.T, space, gateway string) []client.Object {
	t.Helper()
	var all []client.Object
	for _, one := range made(t, &appsv1.DeploymentList{}, space, gateway).Items {
		all = append(all, &one)
	}
	for _, one := range made(t, &corev1.ServiceList{}, space, gateway).Items {
		all = append(all, &one)
	}
	for _, one := range made(t, &corev1.ServiceAccountList{}, space, gateway).Items {
		all = append(all, &one)
	}
	for _, one := range made(t, &corev1.ConfigMapList{}, space, gateway).Items {
		all = append(all, &one)
	}
	for _, one := range made(t, &policyv1.PodDisruptionBudgetList{}, space, gateway).Items {
		all = append(all, &one)
	}
	for _, one := range made(t, &corev1.PodList{}, space, gateway).Items {
		all = append(all, &one)
	}
	return all
}
