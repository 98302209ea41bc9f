package parts

import (
	"context"
	"errors"
	"fmt"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
)

// scaled is the result of the part scale.
type scaled struct {
	Routes     int `json:"routes"`
	Namespaces int `json:"namespaces"`
	// CreateSeconds is how long the API server took for all routes; ServedSeconds from then until the
	// last route of each namespace was served, CountedSeconds until attachedRoutes was right, and
	// QuietSeconds until no status was written any more.
	CreateSeconds  float64 `json:"createSeconds"`
	ServedSeconds  float64 `json:"servedSeconds"`
	CountedSeconds float64 `json:"countedSeconds"`
	QuietSeconds   float64 `json:"quietSeconds"`
	// Empty is with one route; Full with all, when quiet; Churned after a while of one change a
	// second; Emptied after all were deleted and a while has passed.
	Empty   kube.Use `json:"empty"`
	Full    kube.Use `json:"full"`
	Churned kube.Use `json:"churned"`
	Emptied kube.Use `json:"emptied"`
	// What share of one core each side used, in percent.
	FillCPU  sides `json:"fillCpuSeconds"`
	IdleCPU  sides `json:"idleCpuPercent"`
	ChurnCPU sides `json:"churnCpuPercent"`
	// IdleEmptyCPU is the same with one route.
	IdleEmptyCPU sides `json:"idleEmptyCpuPercent"`
	// Writes of the whole part, as the API server counts them.
	Writes kube.Requests `json:"writes"`
}

// sides are figures of the controller's and the data plane's processes, summed up.
type sides struct {
	Controller float64 `json:"controller"`
	DataPlane  float64 `json:"dataPlane"`
	APIServer  float64 `json:"apiServer"`
}

func scale(ctx context.Context, r *Run) (any, error) {
	result := &scaled{Routes: r.Settings.ScaleRoutes, Namespaces: r.Settings.ScaleNamespaces}
	first, address, err := r.served(ctx, one("backend"))
	if err != nil {
		return nil, err
	}
	for range r.Settings.ScaleNamespaces - 1 {
		space, err := r.space(ctx)
		if err != nil {
			return nil, err
		}
		if err := r.LendBackend(ctx, first, space, "backend"); err != nil {
			return nil, err
		}
	}
	writes, err := r.WriteRequests(ctx)
	if err != nil {
		return nil, err
	}
	s := &scaling{Run: r, result: result, first: first, address: address}
	for _, step := range []func(context.Context) error{s.empty, s.fill, s.idle, s.churned, s.emptied} {
		if err := step(ctx); err != nil {
			return result, err
		}
	}
	if after, err := r.WriteRequests(ctx); err == nil {
		result.Writes = after.Since(writes)
	}
	return result, nil
}

type scaling struct {
	*Run
	result         *scaled
	first, address string
}

func (s *scaling) empty(ctx context.Context) error {
	if err := s.quiet(ctx); err != nil {
		return err
	}
	var err error
	s.result.Empty, s.result.IdleEmptyCPU, err = s.during(ctx, nil)
	s.tell("one route", s.result.Empty, s.result.IdleEmptyCPU)
	return err
}

func (s *scaling) fill(ctx context.Context) error {
	before, err := s.Use(ctx, s.Class, s.first)
	if err != nil {
		return err
	}
	routes, machine, began := s.result.Routes, kube.MachineCPU(), time.Now()
	err = s.CreateRoutes(ctx, 0, routes, func(i int) *gatewayv1.HTTPRoute {
		space := s.spaces[i%len(s.spaces)]
		return kube.HTTPRoute(space, fmt.Sprintf("route-%d", i), kube.Gateway(s.first), routeHost(i), "backend")
	})
	if err != nil {
		return err
	}
	created := time.Now()
	s.result.CreateSeconds = created.Sub(began).Seconds()
	within := time.Duration(s.Settings.SettleSeconds) * time.Second
	// The rest is told although one of these did not come true in time.
	served := kube.Each(max(0, routes-len(s.spaces)), routes, func(i int) error {
		return load.AwaitAnswer(ctx, s.address, routeHost(i), 200, within)
	})
	s.result.ServedSeconds = time.Since(created).Seconds()
	counted := s.counted(ctx, routes+1, within)
	s.result.CountedSeconds = time.Since(created).Seconds()
	quiet := s.quiet(ctx)
	s.result.QuietSeconds = time.Since(created).Seconds()
	s.result.Full, err = s.Use(ctx, s.Class, s.first)
	s.result.FillCPU = used(s.result.Full, before, machine, 1)
	s.log("%d routes created in %.1f s; served %.1f s, counted %.1f s, quiet %.1f s later", routes,
		s.result.CreateSeconds, s.result.ServedSeconds, s.result.CountedSeconds, s.result.QuietSeconds)
	return errors.Join(served, counted, quiet, err)
}

func (s *scaling) counted(ctx context.Context, routes int, within time.Duration) error {
	counts := &counter{began: time.Now()}
	watch, err := kube.StartWatch(ctx, s.Gateway.GatewayV1().Gateways(s.first), "", gatewayStatus, counts.saw)
	if err != nil {
		return err
	}
	defer watch.Stop()
	return kube.Await(ctx, within, "attachedRoutes", func() error {
		_, err := counts.settled(routes)
		return err
	})
}

// quiet waits until statuses have not been written for a while.
func (s *scaling) quiet(ctx context.Context) error {
	rest := time.Duration(s.Settings.QuietSeconds) * time.Second
	end := time.Now().Add(time.Duration(s.Settings.SettleSeconds) * time.Second)
	before, err := s.WriteRequests(ctx)
	for err == nil {
		if err = kube.Sleep(ctx, rest); err != nil {
			break
		}
		var now kube.Requests
		if now, err = s.WriteRequests(ctx); err != nil {
			break
		}
		news := now.Since(before)
		if len(news) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("statuses are still written: %v in %s", news, rest)
		}
		before = now
	}
	return err
}

func (s *scaling) idle(ctx context.Context) error {
	var err error
	s.result.Full, s.result.IdleCPU, err = s.during(ctx, nil)
	s.tell("all routes, idle", s.result.Full, s.result.IdleCPU)
	return err
}

func (s *scaling) churned(ctx context.Context) error {
	var err error
	s.result.Churned, s.result.ChurnCPU, err = s.during(ctx, func(ctx context.Context) error {
		return s.Run.churn(ctx, 1, s.first, s.spaces[len(s.spaces)-1])
	})
	s.tell("all routes, one change a second", s.result.Churned, s.result.ChurnCPU)
	return err
}

func (s *scaling) emptied(ctx context.Context) error {
	err := kube.Each(0, len(s.spaces), func(i int) error { return s.DropRoutes(ctx, s.spaces[i]) })
	if err != nil {
		return err
	}
	if err := s.counted(ctx, 0, time.Duration(s.Settings.SettleSeconds)*time.Second); err != nil {
		return err
	}
	if err := kube.Sleep(ctx, time.Duration(s.Settings.EmptiedSeconds)*time.Second); err != nil {
		return err
	}
	s.result.Emptied, err = s.Use(ctx, s.Class, s.first)
	s.tell("no route any more", s.result.Emptied, sides{})
	return err
}

// during is what is used while something goes on, or nothing, for as long as the settings say: the
// use in the end, and the share of a core in percent.
func (s *scaling) during(ctx context.Context, what func(context.Context) error) (kube.Use, sides, error) {
	before, err := s.Use(ctx, s.Class, s.first)
	if err != nil {
		return kube.Use{}, sides{}, err
	}
	machine, began := kube.MachineCPU(), time.Now()
	besides := startBeside(ctx, what)
	err = kube.Sleep(ctx, time.Duration(s.Settings.ScaleSeconds)*time.Second)
	if problem := besides.stop(); err == nil {
		err = problem
	}
	took := time.Since(began).Seconds()
	after, problem := s.Use(ctx, s.Class, s.first)
	return after, used(after, before, machine, 100/took), errors.Join(err, problem)
}

func used(now, before kube.Use, machine map[string]float64, factor float64) sides {
	return sides{
		Controller: factor * kube.CPUSince(now.Controller, before.Controller),
		DataPlane:  factor * kube.CPUSince(now.DataPlane, before.DataPlane),
		APIServer:  factor * (kube.MachineCPU()["apiServer"] - machine["apiServer"]),
	}
}

func (s *scaling) tell(what string, use kube.Use, cpu sides) {
	s.log("%s: controller %s, %.2f %% of a core; data plane %s, %.2f %%", what,
		memory(use.Controller), cpu.Controller, memory(use.DataPlane), cpu.DataPlane)
}

func memory(processes []kube.Process) string {
	text := ""
	for _, process := range processes {
		text += fmt.Sprintf("%s RSS %.1f (peak %.1f, PSS %.1f, cgroup %.1f) MiB ", process.Name, mebibytes(process.RSS),
			mebibytes(process.PeakRSS), mebibytes(process.PSS), mebibytes(process.Working))
	}
	return text
}

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
