package kube

import (
	"maps"
	"testing"
)

func TestWritesToGatewayObjectsAreCounted(t *testing.T) {
	const text = `# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="200",component="apiserver",dry_run="",group="gateway.networking.k8s.io",resource="httproutes",scope="resource",subresource="status",verb="APPLY",version="v1"} 40
apiserver_request_total{code="409",component="apiserver",dry_run="",group="gateway.networking.k8s.io",resource="httproutes",scope="resource",subresource="status",verb="APPLY",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="gateway.networking.k8s.io",resource="httproutes",scope="resource",subresource="",verb="POST",version="v1"} 1000
apiserver_request_total{code="200",component="apiserver",dry_run="",group="gateway.networking.k8s.io",resource="httproutes",scope="cluster",subresource="",verb="LIST",version="v1"} 9
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 5
`
	got := parseRequests(text).Since(Requests{"POST httproutes": 400, "APPLY httproutes/status": 42})
	if want := (Requests{"POST httproutes": 600}); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
