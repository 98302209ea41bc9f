package parts

import (
	"context"
	"fmt"
	"sync"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/report"
)

// attachment is the result of the part attached.
type attachment struct {
	Up   *attachStep `json:"up"`
	Down *attachStep `json:"down"`
}

// attachStep is routes created, or deleted, at once.
type attachStep struct {
	Routes int `json:"routes"`
	// Requests is how long it took the API server to acknowledge all of them.
	Requests float64 `json:"requests"`
	// Counted is from the last acknowledgement until attachedRoutes is right, Accepted until every
	// route is accepted; both as a watch sees it.
	Counted  float64 `json:"counted"`
	Accepted float64 `json:"accepted"`
	// RouteWrites and GatewayWrites are changes of statuses that a watch saw; MostPerRoute the most of
	// one route. A probe's own changes are none of a status.
	RouteWrites   int `json:"routeWrites"`
	MostPerRoute  int `json:"mostPerRoute"`
	GatewayWrites int `json:"gatewayWrites"`
	// Writes counts requests to the API server that write, as its metrics say: also those that changed
	// nothing, and those of this program to routes.
	Writes kube.Requests `json:"writes"`
	// Steps are the attachedRoutes that the Gateway said, in the order in which it did.
	Steps []countStep `json:"steps"`
}

// countStep is one write of the count, in milliseconds since the first request.
type countStep struct {
	At    float64 `json:"at"`
	Count int     `json:"count"`
}

// counter notes what the Gateway's status says.
type counter struct {
	mutex sync.Mutex
	began time.Time
	steps []countStep
	last  time.Time
	now   int
}

func (c *counter) saw(gateway *gatewayv1.Gateway) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if count := attachedTo(gateway); count != c.now || len(c.steps) == 0 {
		c.now, c.last = count, time.Now()
		c.steps = append(c.steps, countStep{report.Milliseconds(c.last.Sub(c.began)), count})
	}
}

// settled is since when the count is what it should be.
func (c *counter) settled(count int) (time.Time, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.now != count {
		return time.Time{}, fmt.Errorf("attachedRoutes is %d, not %d", c.now, count)
	}
	return c.last, nil
}

func (c *counter) restart() []countStep {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	steps := c.steps
	c.steps, c.began = nil, time.Now()
	return steps
}

func attached(ctx context.Context, r *Run) (any, error) {
	result := &attachment{}
	space, _, err := r.served(ctx, one("backend"))
	if err != nil {
		return nil, err
	}
	routes := r.Settings.AttachedRoutes
	result.Up, err = r.attachStep(ctx, space, routes, func() error {
		return r.CreateRoutes(ctx, 0, routes, func(i int) *gatewayv1.HTTPRoute {
			return kube.HTTPRoute(space, fmt.Sprintf("route-%d", i), kube.Gateway(space), routeHost(i), "backend")
		})
	})
	if err != nil {
		return result, err
	}
	result.Down, err = r.attachStep(ctx, space, 0, func() error { return r.DropRoutes(ctx, space) })
	return result, err
}

// attachStep does what should leave so many routes (and `warm`, unless there are to be none).
func (r *Run) attachStep(ctx context.Context, space string, routes int, do func() error) (*attachStep, error) {
	step := &attachStep{Routes: routes}
	counts := &counter{began: time.Now()}
	gateways, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().Gateways(space), "", gatewayStatus, counts.saw)
	if err != nil {
		return nil, err
	}
	defer gateways.Stop()
	watched, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().HTTPRoutes(space), "", routeStatus, nil)
	if err != nil {
		return nil, err
	}
	defer watched.Stop()
	before, err := r.WriteRequests(ctx)
	if err != nil {
		return nil, err
	}
	counts.restart()
	began := time.Now()
	if err := do(); err != nil {
		return nil, err
	}
	ack := time.Now()
	step.Requests = report.Milliseconds(ack.Sub(began))
	err = r.attachSettled(ctx, step, counts, watched, ack)
	// Writes that come after the right count are counted too.
	_ = kube.Sleep(ctx, 2*time.Second)
	step.Steps = counts.restart()
	step.RouteWrites, step.MostPerRoute = watched.StatusWrites()
	step.GatewayWrites, _ = gateways.StatusWrites()
	if after, problem := r.WriteRequests(ctx); problem == nil {
		step.Writes = after.Since(before)
	}
	r.log("%d routes in %.0f ms; counted %.1f ms, accepted %.1f ms later; writes: routes %d (at most %d each), Gateway %d; %v",
		routes, step.Requests, step.Counted, step.Accepted, step.RouteWrites, step.MostPerRoute, step.GatewayWrites, step.Writes)
	return step, err
}

func (r *Run) attachSettled(ctx context.Context, step *attachStep, counts *counter, watched *kube.Watch[*gatewayv1.HTTPRoute], ack time.Time) error {
	within := time.Duration(r.Settings.SettleSeconds) * time.Second
	right := step.Routes
	if right > 0 {
		right++
	}
	err := kube.Await(ctx, within, "attachedRoutes", func() error {
		at, err := counts.settled(right)
		step.Counted = report.Milliseconds(at.Sub(ack))
		return err
	})
	if err != nil || right == 0 {
		return err
	}
	at, err := watched.Await(ctx, within, "every route to be accepted", func(seen map[string]*kube.Seen[*gatewayv1.HTTPRoute]) error {
		if len(seen) != right {
			return fmt.Errorf("%d routes were seen, not %d", len(seen), right)
		}
		for _, one := range seen {
			if err := acceptedRoute(one.Object); err != nil {
				return err
			}
		}
		return nil
	})
	step.Accepted = report.Milliseconds(at.Sub(ack))
	return err
}
