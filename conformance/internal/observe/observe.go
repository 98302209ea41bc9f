// Package observe watches the pods of a gateway implementation while tests run: it keeps their logs,
// which would go with the pods, and measures what they use.
package observe

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

const (
	// classLabel is on every pod of a data plane (GEP-1762).
	classLabel = "gateway.networking.k8s.io/gateway-class-name"
	// controllerNamespace is where the controller runs.
	controllerNamespace = "portcullis-system"
	// interval between looks at the pods and their use.
	interval = 2 * time.Second
)

// Observer looks at the pods until it is stopped.
type Observer struct {
	kube    kubernetes.Interface
	folder  string
	class   string
	cancel  context.CancelFunc
	done    sync.WaitGroup
	follows map[string]bool
	usage   Usage
}

// Start begins to observe. Logs go to folder, a file per container.
func Start(ctx context.Context, folder, class string) (*Observer, error) {
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	o := &Observer{
		kube: kube, folder: folder, class: class, cancel: cancel,
		follows: map[string]bool{}, usage: newUsage(),
	}
	o.done.Go(func() { o.loop(ctx) })
	return o, nil
}

// Stop ends the observation, keeps the cluster's events and says what was used.
func (o *Observer) Stop() Usage {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o.keepEvents(ctx)
	o.cancel()
	o.done.Wait()
	return o.usage
}

func (o *Observer) loop(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		o.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look is one round. What fails is tried again in the next: an observer never fails a test.
func (o *Observer) look(ctx context.Context) {
	roles := map[string]Role{}
	for role, pods := range map[Role]*corev1.PodList{
		Controller: o.list(ctx, controllerNamespace, ""),
		DataPlane:  o.list(ctx, metav1.NamespaceAll, classLabel+"="+o.class),
	} {
		for _, pod := range pods.Items {
			roles[string(pod.UID)] = role
			o.follow(ctx, &pod)
		}
	}
	o.measure(ctx, roles)
}

func (o *Observer) list(ctx context.Context, namespace, selector string) *corev1.PodList {
	pods, err := o.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return &corev1.PodList{}
	}
	return pods
}

// follow copies the log of each container of the pod, once per start of the container.
func (o *Observer) follow(ctx context.Context, pod *corev1.Pod) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.ContainerID == "" || o.follows[status.ContainerID] || status.State.Waiting != nil {
			continue
		}
		o.follows[status.ContainerID] = true
		request := o.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: status.Name, Follow: true, Timestamps: true,
		})
		path := filepath.Join(o.folder, pod.Namespace+"_"+pod.Name+"_"+status.Name+".log")
		o.done.Go(func() {
			stream, err := request.Stream(ctx)
			if err != nil {
				return
			}
			defer stream.Close()
			file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				return
			}
			defer file.Close()
			_, _ = io.Copy(file, stream)
		})
	}
}

// keepEvents writes the cluster's events, oldest first as the API gives them.
func (o *Observer) keepEvents(ctx context.Context) {
	events, err := o.kube.CoreV1().Events(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	file, err := os.Create(filepath.Join(o.folder, "events.txt"))
	if err != nil {
		return
	}
	defer file.Close()
	for _, e := range events.Items {
		line := e.LastTimestamp.UTC().Format(time.RFC3339) + " " + e.Type + " " + e.InvolvedObject.Kind + " " +
			e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name + " " + e.Reason + ": " + e.Message + "\n"
		_, _ = file.WriteString(line)
	}
}
