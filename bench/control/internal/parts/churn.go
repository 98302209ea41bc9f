package parts

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portcullis.dev/bench/control/internal/kube"
)

// beside is something that goes on beside what is measured.
type beside struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// startBeside begins it; with nil there is nothing.
func startBeside(ctx context.Context, what func(context.Context) error) *beside {
	ctx, cancel := context.WithCancel(ctx)
	b := &beside{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		if what != nil {
			b.err = what(ctx)
		}
	}()
	return b
}

func (b *beside) ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// stop ends it and gives its error, if it is another one than that it was ended.
func (b *beside) stop() error {
	b.cancel()
	<-b.done
	if errors.Is(b.err, context.Canceled) {
		return nil
	}
	return b.err
}

// churn creates, changes and deletes routes in turn, so many times a second, until it is ended.
func (p *prober) churn(ctx context.Context) error {
	return p.Run.churn(ctx, p.Settings.ProbeChurnPerSecond, p.space, p.space)
}

// churn does so with routes in a namespace, to the Gateway of another.
func (r *Run) churn(ctx context.Context, times int, gateway, space string) error {
	round := time.Now().UnixMilli()
	return r.everySecond(ctx, times, func(i int) error {
		name := fmt.Sprintf("churn-%d-%d", round, i/3)
		host := name + ".bench.example"
		switch i % 3 {
		case 0:
			_, err := r.CreateRoute(ctx, kube.HTTPRoute(space, name, kube.Gateway(gateway), host, "backend"))
			return err
		case 1:
			return r.changeHosts(ctx, space, name, host, "again."+host)
		default:
			return r.Gateway.GatewayV1().HTTPRoutes(space).Delete(ctx, name, metav1.DeleteOptions{})
		}
	})
}

// everySecond calls do so many times a second until the context ends. The error is do's, or that.
func (r *Run) everySecond(ctx context.Context, times int, do func(i int) error) error {
	began := time.Now()
	for i := 0; ; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(times))
		if err := kube.Sleep(ctx, time.Until(due)); err != nil {
			return err
		}
		if err := do(i); err != nil {
			// An ended context may show as an error of the connection.
			return errors.Join(ctx.Err(), err)
		}
	}
}

// changeHosts gives a route other hosts.
func (r *Run) changeHosts(ctx context.Context, namespace, name string, hosts ...string) error {
	patch := fmt.Appendf(nil, `{"spec":{"hostnames":%s}}`, quoted(hosts))
	_, err := r.Gateway.GatewayV1().HTTPRoutes(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}
