package parts

import (
	"encoding/json"
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
)

func routeStatus(route *gatewayv1.HTTPRoute) any     { return route.Status }
func gatewayStatus(gateway *gatewayv1.Gateway) any   { return gateway.Status }
func setStatus(listeners *gatewayv1.ListenerSet) any { return listeners.Status }
func quoted(words []string) string                   { text, _ := json.Marshal(words); return string(text) }
func attachedTo(gateway *gatewayv1.Gateway) (sum int) {
	for _, listener := range gateway.Status.Listeners {
		sum += int(listener.AttachedRoutes)
	}
	return sum
}

// acceptedRoute checks that the route's only parent has accepted its newest generation.
func acceptedRoute(route *gatewayv1.HTTPRoute) error {
	if len(route.Status.Parents) != 1 {
		return fmt.Errorf("%s has %d parents' statuses", route.Name, len(route.Status.Parents))
	}
	return kube.Holds(route.Status.Parents[0].Conditions, "Accepted", route.Generation)
}
