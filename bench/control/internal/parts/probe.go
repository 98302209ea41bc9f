package parts

import (
	"context"
	"fmt"
	"sync"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/report"
)

// probed is the result of the part probe.
type probed struct {
	Levels []*level `json:"levels"`
	// FillSeconds is how long it took to create the routes up to each number.
	FillSeconds map[string]float64 `json:"fillSeconds"`
}

// level is what was found while a number of routes was there.
type level struct {
	// Routes there at the beginning; every probe adds one.
	Routes int `json:"routes"`
	// While says what else went on: quiet, churn (routes created, changed and deleted, so many a
	// second), or filling (routes created as fast as the API server takes them).
	While   string   `json:"while"`
	Samples []sample `json:"samples"`
	// OK, Seen, Ack and Status summarize the samples.
	OK     report.Summary `json:"ok"`
	Seen   report.Summary `json:"seen"`
	Ack    report.Summary `json:"ack"`
	Status report.Summary `json:"status"`
	// GivenUp are probes that had no 200 in time.
	GivenUp int `json:"givenUp"`
	// Answers counts all answers by status. Unexpected are those that are neither 404 nor 200, and
	// those that are not 200 although they were asked for after the first 200.
	Answers    map[string]int `json:"answers"`
	Unexpected []unexpected   `json:"unexpected"`
}

// sample is one probe, in milliseconds.
type sample struct {
	// Ack is how long the API server took to acknowledge the new route.
	Ack float64 `json:"ack"`
	// OK is from then until the first 200; negative if that came before, null if it never came.
	OK *float64 `json:"ok"`
	// Seen is from then until a watch of our own had the route: no controller can know it much before.
	Seen *float64 `json:"seen"`
	// Status is from then until that watch had the route accepted; null: not while the level lasted.
	Status *float64 `json:"status"`
}

// unexpected is an answer that nobody should get.
type unexpected struct {
	Answer string `json:"answer"`
	// At is milliseconds after the acknowledgement; After200 the same after the first 200, if it was
	// asked for after that.
	At       float64  `json:"at"`
	After200 *float64 `json:"after200,omitempty"`
}

// prober is what all levels of the part share.
type prober struct {
	*Run
	space  string
	poller *load.Poller
	probes int

	mutex    sync.Mutex
	seen     map[string]time.Time
	accepted map[string]time.Time
}

const probeLabel = "bench.example/probe"

func probe(ctx context.Context, r *Run) (any, error) {
	result := &probed{FillSeconds: map[string]float64{}}
	space, address, err := r.served(ctx, one("backend"))
	if err != nil {
		return nil, err
	}
	every := time.Duration(r.Settings.PollMilliseconds) * time.Millisecond
	p := &prober{
		Run: r, space: space, poller: load.NewPoller(address, every, r.Settings.PollConnections),
		seen: map[string]time.Time{}, accepted: map[string]time.Time{},
	}
	watch, err := kube.StartWatch(ctx, r.Gateway.GatewayV1().HTTPRoutes(space), probeLabel, routeStatus, p.saw)
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	there := 0
	for i, routes := range r.Settings.ProbeLevels {
		filling := i == len(r.Settings.ProbeLevels)-1
		if err := p.levels(ctx, result, there, routes, filling); err != nil {
			return result, err
		}
		there = routes
	}
	return result, nil
}

// levels fills up to a number of routes, while it probes if it is to, and probes then.
func (p *prober) levels(ctx context.Context, result *probed, there, routes int, filling bool) error {
	fill := func(ctx context.Context) error { return p.fill(ctx, there, routes, result) }
	if filling {
		if err := p.level(ctx, result, there, "filling", fill); err != nil {
			return err
		}
	} else if err := fill(ctx); err != nil {
		return err
	}
	if err := p.level(ctx, result, routes, "quiet", nil); err != nil || routes == 0 {
		return err
	}
	return p.level(ctx, result, routes, "churn", p.churn)
}

func (p *prober) saw(route *gatewayv1.HTTPRoute) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if _, known := p.seen[route.Name]; !known {
		p.seen[route.Name] = time.Now()
	}
	if _, known := p.accepted[route.Name]; !known && acceptedRoute(route) == nil {
		p.accepted[route.Name] = time.Now()
	}
}

// fill creates routes until there are so many.
func (p *prober) fill(ctx context.Context, there, routes int, result *probed) error {
	began := time.Now()
	err := p.CreateRoutes(ctx, there, routes, func(i int) *gatewayv1.HTTPRoute {
		return kube.HTTPRoute(p.space, fmt.Sprintf("route-%d", i), kube.Gateway(p.space), routeHost(i), "backend")
	})
	if took := time.Since(began).Seconds(); routes > there {
		result.FillSeconds[fmt.Sprint(routes)] = took
		p.log("%d routes were created in %.1f s", routes-there, took)
	}
	return err
}

func routeHost(i int) string { return fmt.Sprintf("route-%d.bench.example", i) }

// level probes as often, or as long, as the settings say. What goes on beside it is ended then, but a
// filling is waited for, and probed all the while.
func (p *prober) level(ctx context.Context, result *probed, routes int, while string, beside func(context.Context) error) error {
	found := &level{Routes: routes, While: while, Answers: map[string]int{}, Unexpected: []unexpected{}, Samples: []sample{}}
	result.Levels = append(result.Levels, found)
	besides := startBeside(ctx, beside)
	end := time.Now().Add(time.Duration(p.Settings.ProbeSeconds) * time.Second)
	first, acks := p.probes, []time.Time{}
	var err error
	for n := 0; err == nil; n++ {
		if while == "filling" && besides.ended() {
			break
		}
		if while != "filling" && (n == p.Settings.ProbeSamples || time.Now().After(end)) {
			break
		}
		var ack time.Time
		if ack, err = p.one(ctx, found); err == nil {
			acks = append(acks, ack)
		}
	}
	if besideErr := besides.stop(); err == nil {
		err = besideErr
	}
	p.finish(found, first, acks)
	p.log("%d routes, %s: first 200 after p50 %.1f p99 %.1f max %.1f ms (n=%d, given up %d; our watch p50 %.1f); unexpected: %d",
		routes, while, found.OK.P50, found.OK.P99, found.OK.Max, found.OK.N, found.GivenUp, found.Seen.P50, len(found.Unexpected))
	return err
}

func probeName(i int) string { return fmt.Sprintf("probe-%d", i) }

// one creates a route for a host that is being asked for, and waits until it is served.
func (p *prober) one(ctx context.Context, found *level) (time.Time, error) {
	name := probeName(p.probes)
	p.probes++
	host := name + ".bench.example"
	poll := p.poller.Start(ctx, host)
	// The poll is under way before there is a route.
	if err := kube.Sleep(ctx, 20*time.Millisecond); err != nil {
		return time.Time{}, err
	}
	route := kube.HTTPRoute(p.space, name, kube.Gateway(p.space), host, "backend")
	route.Labels = map[string]string{probeLabel: ""}
	began := time.Now()
	ack, err := p.CreateRoute(ctx, route)
	if err == nil {
		select {
		case <-poll.Served():
			err = kube.Sleep(ctx, time.Duration(p.Settings.PollAfterMilliseconds)*time.Millisecond)
		case <-time.After(time.Duration(p.Settings.ProbeGiveUpSeconds) * time.Second):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	answers, firstOK := poll.Stop()
	if err == nil {
		found.add(answers, began, ack, firstOK)
	}
	return ack, err
}

func (l *level) add(answers []load.Answer, began, ack, firstOK time.Time) {
	one := sample{Ack: report.Milliseconds(ack.Sub(began))}
	if firstOK.IsZero() {
		l.GivenUp++
	} else {
		one.OK = since(ack, firstOK)
	}
	l.Samples = append(l.Samples, one)
	for _, answer := range answers {
		l.Answers[answer.Kind()]++
		after := !firstOK.IsZero() && answer.Sent.After(firstOK)
		if answer.Status == 200 || answer.Status == 404 && !after {
			continue
		}
		wrong := unexpected{Answer: answer.Kind(), At: report.Milliseconds(answer.Received.Sub(ack))}
		if after {
			wrong.After200 = since(firstOK, answer.Sent)
		}
		l.Unexpected = append(l.Unexpected, wrong)
	}
}

func since(from, to time.Time) *float64 {
	took := report.Milliseconds(to.Sub(from))
	return &took
}

// finish fills in what the watch has seen, and the summaries.
func (p *prober) finish(l *level, first int, acks []time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var oks, seens, times, statuses []float64
	for i, ack := range acks {
		one := &l.Samples[i]
		if at, ok := p.seen[probeName(first+i)]; ok {
			one.Seen = since(ack, at)
			seens = append(seens, *one.Seen)
		}
		if at, ok := p.accepted[probeName(first+i)]; ok {
			one.Status = since(ack, at)
			statuses = append(statuses, *one.Status)
		}
		if one.OK != nil {
			oks = append(oks, *one.OK)
		}
		times = append(times, one.Ack)
	}
	l.OK, l.Seen = report.Summarize(oks), report.Summarize(seens)
	l.Ack, l.Status = report.Summarize(times), report.Summarize(statuses)
}
