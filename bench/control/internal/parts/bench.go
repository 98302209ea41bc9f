// Package parts holds what is measured, a file per part.
package parts

import (
	"context"
	"fmt"
	"os"
	"time"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/report"
)

// Part is one of the measurements. Run gives what it found even if it fails half-way.
type Part struct {
	Name string
	Run  func(ctx context.Context, r *Run) (any, error)
}

// All parts, in the order in which they are run. The Gateways come last: what is left of 50 of them
// takes minutes to end, whatever is waited for.
var All = []Part{
	{"probe", probe},
	{"change", change},
	{"attached", attached},
	{"scale", scale},
	{"endpoints", endpoints},
	{"listenersets", listenerSets},
	{"gateways", gateways},
}

// Run is one part for one class. What it makes is in namespaces of its own.
type Run struct {
	*kube.Cluster
	Class    kube.Class
	Settings Settings

	part   string
	spaces []string
	before look
}

// look is what had been used when a part began.
type look struct {
	machine map[string]float64
	use     kube.Use
}

// Measure runs a part for a class: the other classes rest meanwhile. It never fails: what went wrong
// is in what it gives.
func Measure(ctx context.Context, cluster *kube.Cluster, part Part, class kube.Class, others []kube.Class, settings Settings) *report.Measured {
	measured := &report.Measured{Started: time.Now().UTC()}
	r := &Run{Cluster: cluster, Class: class, Settings: settings, part: part.Name}
	err := r.prepare(ctx, others)
	if err == nil {
		measured.Result, err = part.Run(ctx, r)
		measured.CPUSeconds = r.cpu(ctx)
	}
	if err != nil {
		measured.Error = err.Error()
		r.log("FAILED: %v", err)
	}
	measured.Seconds = time.Since(measured.Started).Seconds()
	if err := r.clean(context.WithoutCancel(ctx)); err != nil {
		r.log("left behind: %v", err)
	}
	return measured
}

func (r *Run) prepare(ctx context.Context, others []kube.Class) error {
	for _, other := range others {
		if err := r.Rest(ctx, other); err != nil {
			return err
		}
	}
	if err := r.Wake(ctx, r.Class); err != nil {
		return err
	}
	use, err := r.Use(ctx, r.Class, "none")
	r.before = look{kube.MachineCPU(), use}
	return err
}

// cpu is the processor time of everybody since the part began.
func (r *Run) cpu(ctx context.Context) map[string]float64 {
	used := kube.MachineCPU()
	for name := range used {
		used[name] -= r.before.machine[name]
	}
	if len(r.spaces) > 0 {
		if use, err := r.Use(ctx, r.Class, r.spaces[0]); err == nil {
			used["controller"] = kube.CPUSince(use.Controller, r.before.use.Controller)
			used["dataPlane"] = kube.CPUSince(use.DataPlane, r.before.use.DataPlane)
		}
	}
	return used
}

// space makes the part's next namespace; its Gateways are in the first.
func (r *Run) space(ctx context.Context) (string, error) {
	name := fmt.Sprintf("bench-%s-%s-%d-%d", r.part, r.Class.Name, os.Getpid(), len(r.spaces))
	r.spaces = append(r.spaces, name)
	return name, r.MakeNamespace(ctx, name)
}

// served makes a namespace with a Gateway and a route `warm` to a backend, and waits for its first
// answer: what is measured afterwards is not a start.
func (r *Run) served(ctx context.Context, backends ...kube.Backend) (space, address string, err error) {
	if space, err = r.space(ctx); err != nil {
		return "", "", err
	}
	for _, backend := range backends {
		if err = r.MakeBackend(ctx, space, backend); err != nil {
			return "", "", err
		}
	}
	if address, err = r.ServedGateway(ctx, r.Class, space); err != nil {
		return "", "", err
	}
	warm := kube.HTTPRoute(space, "warm", kube.Gateway(space), "warm.bench.example", backends[0].Name)
	if _, err = r.CreateRoute(ctx, warm); err != nil {
		return "", "", err
	}
	return space, address, load.AwaitAnswer(ctx, address, "warm.bench.example", 200, time.Minute)
}

// one is a backend of one pod.
func one(name string) kube.Backend {
	return kube.Backend{Name: name, Replicas: 1, Lingers: 2 * time.Second}
}

// clean deletes what the part has made. In a full run it waits until all of it is gone, data planes
// that are elsewhere too, so that the next part has the machine for itself.
func (r *Run) clean(ctx context.Context) error {
	err := kube.Each(0, len(r.spaces), func(i int) error { return r.DropNamespace(ctx, r.spaces[i]) })
	if err != nil || !r.Settings.WaitForCleaning {
		return err
	}
	if err := r.AwaitCleaned(ctx); err != nil {
		return err
	}
	for _, space := range r.spaces {
		if err := r.AwaitNoDataPlane(ctx, r.Class, space); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) log(format string, arguments ...any) {
	fmt.Printf("%s %-12s %-10s %s\n", time.Now().Format("15:04:05"), r.part, r.Class.Name, fmt.Sprintf(format, arguments...))
}
