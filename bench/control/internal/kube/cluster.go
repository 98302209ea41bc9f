// Package kube is what the parts need of the cluster: clients, the implementations to compare, the
// objects to make, and what the processes of both use.
package kube

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	gateway "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"
)

// Cluster is the cluster that KUBECONFIG names, with the rights of its administrator.
type Cluster struct {
	Core    kubernetes.Interface
	Gateway gateway.Interface
	// Image is that of the backends: this program.
	Image string
}

// Connect makes clients that send as fast as they are told: the default of 5 requests a second is
// what would be measured otherwise.
func Connect(image string) (*Cluster, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1
	core, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	own := rest.CopyConfig(cfg)
	gateways, err := gateway.NewForConfig(own)
	if err != nil {
		return nil, err
	}
	return &Cluster{Core: core, Gateway: gateways, Image: image}, nil
}

// Version is what the API server says it is.
func (c *Cluster) Version() string {
	version, err := c.Core.Discovery().ServerVersion()
	if err != nil {
		return "unknown"
	}
	return version.GitVersion
}

// MakeNamespace makes a namespace.
func (c *Cluster) MakeNamespace(ctx context.Context, name string) error {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{madeBy: "bench"}}}
	_, err := c.Core.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{})
	return err
}

// DropNamespace deletes a namespace, its routes first: alone it would take the namespace
// controller minutes. It does not wait for what else is in there.
func (c *Cluster) DropNamespace(ctx context.Context, name string) error {
	if err := c.DropRoutes(ctx, name); err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	return ignoreAbsent(c.Core.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background}))
}

// DropRoutes deletes all HTTPRoutes of a namespace with one request.
func (c *Cluster) DropRoutes(ctx context.Context, namespace string) error {
	return c.Gateway.GatewayV1().HTTPRoutes(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

// DropLeftovers deletes what an interrupted run has left, and waits until it is gone.
func (c *Cluster) DropLeftovers(ctx context.Context) error {
	left, err := c.made(ctx)
	if err != nil {
		return err
	}
	for _, namespace := range left {
		if err := c.DropNamespace(ctx, namespace.Name); err != nil {
			return err
		}
	}
	return c.AwaitCleaned(ctx)
}

// cleaning is how long what a part has made may take to go.
const cleaning = 6 * time.Minute

// AwaitCleaned waits until there is none of the namespaces that MakeNamespace makes.
func (c *Cluster) AwaitCleaned(ctx context.Context) error {
	return Await(ctx, cleaning, "namespaces to go", func() error {
		left, err := c.made(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d are left", len(left))
		}
		return err
	})
}

func (c *Cluster) made(ctx context.Context) ([]corev1.Namespace, error) {
	list, err := c.Core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: madeBy + "=bench"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Await tries every 20 ms until attempt gives no error.
func Await(ctx context.Context, within time.Duration, what string, attempt func() error) error {
	end := time.Now().Add(within)
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s for %s: %w", within, what, err)
		}
		if err := Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// Sleep waits, or gives the error of the context when it ends before.
func Sleep(ctx context.Context, how time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(how):
		return nil
	}
}

func ignoreAbsent(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
