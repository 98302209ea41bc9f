//go:build e2e

package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// loadedVersion is the version of the snapshot that the Gateway's data planes hold, by their own
// metrics, read through the API server.
func loadedVersion(t *testing.T, space string) string {
	t.Helper()
	var versions []string
	for _, pod := range made(t, &corev1.PodList{}, space, "gateway").Items {
		for line := range strings.Lines(string(scrape(t, pod, "15021"))) {
			if strings.HasPrefix(line, "portcullis_config_info{") {
				versions = append(versions, line)
			}
		}
	}
	if len(versions) == 0 {
		t.Fatal("no data plane says what it holds")
	}
	return strings.Join(versions, "")
}

// scrape reads a pod's metrics.
func scrape(t *testing.T, pod corev1.Pod, port string) []byte {
	t.Helper()
	text, err := clientset.CoreV1().Pods(pod.Namespace).
		ProxyGet("http", pod.Name, port, "/metrics", nil).DoRaw(t.Context())
	if err != nil {
		t.Fatalf("metrics of %s: %v", pod.Name, err)
	}
	return text
}
