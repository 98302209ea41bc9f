package kube

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Class is an implementation to compare.
type Class struct {
	// Name is also that of its GatewayClass.
	Name           string
	ControllerName gatewayv1.GatewayController
	// System is the namespace of the controller.
	System     string
	Deployment string
	// Replicas of the controller, as its installation has it.
	Replicas int32
	// DataPlanes is where the pods of a Gateway in a namespace run, and what chooses them.
	DataPlanes func(namespace string) (where, selector string)
}

// Portcullis and Envoy Gateway, as manifests/install.yaml and hack/envoy-gateway install them.
var (
	Portcullis = Class{
		Name: "portcullis", ControllerName: "portcullis.dev/controller",
		System: "portcullis-system", Deployment: "portcullis-controller", Replicas: 2,
		DataPlanes: func(namespace string) (string, string) {
			return namespace, "gateway.networking.k8s.io/gateway-name"
		},
	}
	Envoy = Class{
		Name: "envoy", ControllerName: "gateway.envoyproxy.io/gatewayclass-controller",
		System: "envoy-gateway-system", Deployment: "envoy-gateway", Replicas: 1,
		DataPlanes: func(namespace string) (string, string) {
			return "envoy-gateway-system", "gateway.envoyproxy.io/owning-gateway-namespace=" + namespace
		},
	}
)

// Rest scales the controller to nothing, and waits until no pod is left.
func (c *Cluster) Rest(ctx context.Context, class Class) error {
	if err := c.scale(ctx, class, 0); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	return Await(ctx, time.Minute, class.Name+" to rest", func() error {
		pods, err := c.ControllerPods(ctx, class)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d pods are left", len(pods))
		}
		return err
	})
}

// Wake scales the controller to what its installation has, and waits until it is available and has
// accepted its GatewayClass.
func (c *Cluster) Wake(ctx context.Context, class Class) error {
	if err := c.scale(ctx, class, class.Replicas); err != nil {
		return fmt.Errorf("%s is not installed: %w", class.Name, err)
	}
	err := Await(ctx, 2*time.Minute, class.Name+" to be available", func() error {
		found, err := c.Core.AppsV1().Deployments(class.System).Get(ctx, class.Deployment, metav1.GetOptions{})
		if err == nil && !available(found) {
			err = fmt.Errorf("%d of %d pods are available", found.Status.AvailableReplicas, class.Replicas)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.acceptedClass(ctx, class)
}

func available(deployment *appsv1.Deployment) bool {
	status := deployment.Status
	return status.ObservedGeneration == deployment.Generation && status.AvailableReplicas == *deployment.Spec.Replicas &&
		status.Replicas == *deployment.Spec.Replicas
}

// acceptedClass waits until the GatewayClass is accepted; it makes it if it is not there.
func (c *Cluster) acceptedClass(ctx context.Context, class Class) error {
	classes := c.Gateway.GatewayV1().GatewayClasses()
	made := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: class.Name},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: class.ControllerName},
	}
	if _, err := classes.Create(ctx, made, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return Await(ctx, time.Minute, "the GatewayClass to be accepted", func() error {
		found, err := classes.Get(ctx, class.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return Holds(found.Status.Conditions, "Accepted", found.Generation)
	})
}

func (c *Cluster) scale(ctx context.Context, class Class, replicas int32) error {
	deployments := c.Core.AppsV1().Deployments(class.System)
	scale, err := deployments.GetScale(ctx, class.Deployment, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if scale.Spec.Replicas == replicas {
		return nil
	}
	scale.Spec.Replicas = replicas
	_, err = deployments.UpdateScale(ctx, class.Deployment, scale, metav1.UpdateOptions{})
	return err
}

// ControllerPods are the pods of the controller.
func (c *Cluster) ControllerPods(ctx context.Context, class Class) ([]corev1.Pod, error) {
	deployment, err := c.Core.AppsV1().Deployments(class.System).Get(ctx, class.Deployment, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return c.Pods(ctx, class.System, metav1.FormatLabelSelector(deployment.Spec.Selector))
}

// DataPlanePods are the pods of all Gateways of a namespace.
func (c *Cluster) DataPlanePods(ctx context.Context, class Class, namespace string) ([]corev1.Pod, error) {
	where, selector := class.DataPlanes(namespace)
	return c.Pods(ctx, where, selector)
}

// AwaitNoDataPlane waits until the last pod of a namespace's Gateways is gone: those that are in
// another namespace outlive it.
func (c *Cluster) AwaitNoDataPlane(ctx context.Context, class Class, namespace string) error {
	return Await(ctx, cleaning, "data planes of "+namespace+" to go", func() error {
		pods, err := c.DataPlanePods(ctx, class, namespace)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d pods are left", len(pods))
		}
		return err
	})
}

// Pods lists those that a selector of labels chooses.
func (c *Cluster) Pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	pods, err := c.Core.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return pods.Items, nil
}
