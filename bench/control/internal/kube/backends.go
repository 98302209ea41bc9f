package kube

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const backendPort = 8080

// Backend is a Deployment and its Service, both of this name: pods that answer 200 and say who they are.
type Backend struct {
	Name     string
	Replicas int32
	// Lingers is how long a pod serves on after it was told to end: the sleep that Kubernetes'
	// documentation recommends as preStop hook. Zero: it ends at once, whatever it is doing.
	Lingers time.Duration
}

// MakeBackend makes a backend and waits until all of its pods are ready.
func (c *Cluster) MakeBackend(ctx context.Context, namespace string, backend Backend) error {
	deployments := c.Core.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(ctx, c.deployment(namespace, backend), metav1.CreateOptions{}); err != nil {
		return err
	}
	service := service(namespace, backend.Name)
	service.Spec.Selector = map[string]string{"app": backend.Name}
	if _, err := c.Core.CoreV1().Services(namespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return err
	}
	return c.RolledOut(ctx, namespace, backend.Name)
}

// RolledOut waits until all pods of a Deployment are those of its newest template, and available.
func (c *Cluster) RolledOut(ctx context.Context, namespace, name string) error {
	return Await(ctx, 5*time.Minute, name+" to be rolled out", func() error {
		found, err := c.Core.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && (!available(found) || found.Status.UpdatedReplicas != *found.Spec.Replicas) {
			err = fmt.Errorf("%+v", found.Status)
		}
		return err
	})
}

func (c *Cluster) deployment(namespace string, backend Backend) *appsv1.Deployment {
	labels := map[string]string{"app": backend.Name}
	mode, lifecycle := "-abrupt", (*corev1.Lifecycle)(nil)
	if backend.Lingers > 0 {
		mode = "-abrupt=false"
		sleep := &corev1.SleepAction{Seconds: int64(backend.Lingers.Seconds())}
		lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: sleep}}
	}
	port := intstr.FromInt32(backendPort)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: backend.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &backend.Replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					AutomountServiceAccountToken: new(bool),
					Containers: []corev1.Container{{
						Name: "backend", Image: c.Image, ImagePullPolicy: corev1.PullIfNotPresent,
						Args:      []string{"backend", fmt.Sprintf("-address=:%d", backendPort), mode},
						Lifecycle: lifecycle,
						ReadinessProbe: &corev1.Probe{
							ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}},
							PeriodSeconds: 1,
						},
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("8Mi"),
						}},
					}},
				},
			},
		},
	}
}

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{
			Name: "http", Port: 80, TargetPort: intstr.FromInt32(backendPort),
		}}},
	}
}

// LendBackend makes a Service in another namespace whose endpoint is a pod of a backend: many
// namespaces need not have pods of their own.
func (c *Cluster) LendBackend(ctx context.Context, from, namespace, name string) error {
	pods, err := c.Pods(ctx, from, "app="+name)
	if err != nil || len(pods) == 0 {
		return fmt.Errorf("no pod of backend %s: %w", name, err)
	}
	if _, err := c.Core.CoreV1().Services(namespace).Create(ctx, service(namespace, name), metav1.CreateOptions{}); err != nil {
		return err
	}
	ready, port, named := true, int32(backendPort), "http"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{pods[0].Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &named, Port: &port}},
	}
	_, err = c.Core.DiscoveryV1().EndpointSlices(namespace).Create(ctx, slice, metav1.CreateOptions{})
	return err
}
