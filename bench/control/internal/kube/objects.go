package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// madeBy labels what is to be deleted in the end.
const madeBy = "portcullis.dev/made-by"

// GatewayName is that of the Gateway in a namespace that has but one.
const GatewayName = "gateway"

// HTTPGateway is a Gateway with a listener `http` on port 80, which takes routes and ListenerSets
// of every namespace.
func HTTPGateway(class Class, namespace, name string) *gatewayv1.Gateway {
	all := gatewayv1.NamespacesFromAll
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(class.Name),
			AllowedListeners: &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: &all}},
			Listeners: []gatewayv1.Listener{{
				Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType,
				AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &all}},
			}},
		},
	}
}

// Parent is what a route attaches to.
type Parent struct {
	Kind, Namespace, Name string
}

// Gateway is the parent that is the namespace's only Gateway.
func Gateway(namespace string) Parent { return Parent{"Gateway", namespace, GatewayName} }

// Reference to the parent, as routes and ListenerSets have it.
func (p Parent) Reference() gatewayv1.ParentReference {
	kind, namespace := gatewayv1.Kind(p.Kind), gatewayv1.Namespace(p.Namespace)
	return gatewayv1.ParentReference{Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(p.Name)}
}

// HTTPRoute sends all requests for a host to a Service of its namespace.
func HTTPRoute(namespace, name string, parent Parent, host, service string) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent.Reference()}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(host)},
			Rules:           []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{BackendRef(service, 1)}}},
		},
	}
}

// BackendRef names a Service of Backend.
func BackendRef(service string, weight int32) gatewayv1.HTTPBackendRef {
	port := gatewayv1.PortNumber(80)
	return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(service), Port: &port},
		Weight:                 &weight,
	}}
}

// CreateRoute creates a route and says when the API server has acknowledged it.
func (c *Cluster) CreateRoute(ctx context.Context, route *gatewayv1.HTTPRoute) (time.Time, error) {
	_, err := c.Gateway.GatewayV1().HTTPRoutes(route.Namespace).Create(ctx, route, metav1.CreateOptions{})
	return time.Now(), err
}

// CreateRoutes creates the routes first..last-1 that make gives, some at a time.
func (c *Cluster) CreateRoutes(ctx context.Context, first, last int, make func(i int) *gatewayv1.HTTPRoute) error {
	return Each(first, last, func(i int) error {
		_, err := c.CreateRoute(ctx, make(i))
		return err
	})
}

// writers is how many requests to the API server are on their way at a time when there are many.
const writers = 8

// Each calls do for first..last-1, as many at a time as there are writers, and gives the first error.
func Each(first, last int, do func(i int) error) error {
	var workers sync.WaitGroup
	errors := make(chan error, writers)
	for worker := range writers {
		workers.Go(func() {
			for i := first + worker; i < last; i += writers {
				if err := do(i); err != nil {
					errors <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(errors)
	return <-errors
}

// ServedGateway makes the namespace's Gateway and waits until it is programmed; it gives the address.
func (c *Cluster) ServedGateway(ctx context.Context, class Class, namespace string) (string, error) {
	gateways := c.Gateway.GatewayV1().Gateways(namespace)
	_, err := gateways.Create(ctx, HTTPGateway(class, namespace, GatewayName), metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	address := ""
	err = Await(ctx, 2*time.Minute, "the Gateway to be programmed", func() error {
		found, err := gateways.Get(ctx, GatewayName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(found.Status.Addresses) == 0 {
			return fmt.Errorf("it has no address")
		}
		address = found.Status.Addresses[0].Value
		return Holds(found.Status.Conditions, "Programmed", found.Generation)
	})
	return address, err
}

// Holds checks that a condition is true, at least of this generation.
func Holds(conditions []metav1.Condition, kind string, generation int64) error {
	condition := meta.FindStatusCondition(conditions, kind)
	if condition == nil {
		return fmt.Errorf("there is no condition %s", kind)
	}
	if condition.Status != metav1.ConditionTrue || condition.ObservedGeneration < generation {
		return fmt.Errorf("%s is %s at generation %d, not True at %d: %s", kind, condition.Status,
			condition.ObservedGeneration, generation, condition.Message)
	}
	return nil
}
