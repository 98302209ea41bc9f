//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// current is how soon after any disturbance all statuses must be right.
const current = 10 * time.Second

// A controller may die at any point of its work: nothing is made anew, nothing is lost, no request
// fails, and whoever takes over completes what was begun.
func TestKilledControllersLeaveNoTrace(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	space, address := served(t)
	before := identities(t, space, "gateway")
	steady := startTraffic("http://" + address + "/steady")
	changes := startChurn(t, space)

	var slowest time.Duration
	for i := range kills {
		time.Sleep(rand.N(3 * time.Second))
		kill(t)
		path := fmt.Sprintf("/probe-%d", i)
		httpRoute(t, space, "probe", "gateway", path)
		took := eventually(t, current, "the probe is accepted and served", func() error {
			return errors.Join(accepted(t, space, "probe"), answers(address, 80, path, 200))
		})
		slowest = max(slowest, took)
	}

	for _, name := range changes.stop() {
		eventually(t, current, name+" is accepted", func() error { return accepted(t, space, name) })
	}
	steady.mustNotHaveFailed(t)
	if after := identities(t, space, "gateway"); !maps.Equal(before, after) {
		t.Errorf("made anew: before %v, after %v", before, after)
	}
	t.Logf("%d kills; the slowest change was served after %s", kills, slowest.Round(time.Millisecond))
}

// served makes a Gateway `gateway` that serves `/steady`.
func served(t *testing.T) (space, address string) {
	t.Helper()
	space = namespace(t)
	backend(t, space)
	httpGateway(t, space, "gateway", 80)
	httpRoute(t, space, "steady", "gateway", "/steady")
	address = programmed(t, space, "gateway")
	eventually(t, started, "the backend answers", func() error { return answers(address, 80, "/steady", 200) })
	return space, address
}

// kill kills one of the controllers, without notice; the kubelet starts it again.
func kill(t *testing.T) {
	t.Helper()
	running := controllers(t)
	if len(running) == 0 {
		t.Fatal("no controller's pod runs")
	}
	victim := running[rand.IntN(len(running))]
	if err := syscall.Kill(pid(t, victim), syscall.SIGKILL); err != nil {
		t.Fatalf("%s: %v", victim.Name, err)
	}
}

// churn changes routes all the time.
type churn struct {
	end   chan struct{}
	ended sync.Once
	done  sync.WaitGroup
	names []string
}

// startChurn begins to change routes, until stop or the end of the test, however it ends.
func startChurn(t *testing.T, space string) *churn {
	c := &churn{end: make(chan struct{})}
	t.Cleanup(func() { c.stop() })
	for i := range 20 {
		c.names = append(c.names, fmt.Sprintf("churn-%d", i))
	}
	c.done.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-c.end:
				return
			default:
				name := c.names[i%len(c.names)]
				if err := tryHTTPRoute(context.Background(), space, name, "gateway", fmt.Sprintf("/%s-%d", name, i)); err != nil {
					t.Error(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	})
	return c
}

// stop ends the changes and names the routes that were changed.
func (c *churn) stop() []string {
	c.ended.Do(func() { close(c.end) })
	c.done.Wait()
	return c.names
}

// A leader that was frozen past its lease must not write when it thaws: another one leads by then.
func TestAThawedLeaderWritesNothing(t *testing.T) {
	log := startAudit(t)
	space, address := served(t)
	// Those that the tests before have killed rest for a while before they are started again.
	eventually(t, time.Minute, "two controllers are ready", func() error {
		ready := slices.DeleteFunc(controllers(t), func(pod corev1.Pod) bool { return !isReady(pod) })
		if len(ready) < 2 {
			return fmt.Errorf("%d are", len(ready))
		}
		return nil
	})
	old, err := leader(t)
	if err != nil {
		t.Fatal(err)
	}
	process := pid(t, old)
	thaw := func() { _ = syscall.Kill(process, syscall.SIGCONT) }
	changes := startChurn(t, space)
	if err := syscall.Kill(process, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer thaw()
	took := eventually(t, current, "another controller leads", func() error {
		if now, err := leader(t); err != nil || now.Name == old.Name {
			return fmt.Errorf("%s leads (%v)", now.Name, err)
		}
		return nil
	})
	httpRoute(t, space, "probe", "gateway", "/probe")
	eventually(t, current, "the new leader serves", func() error {
		return errors.Join(accepted(t, space, "probe"), answers(address, 80, "/probe", 200))
	})

	thawed := time.Now()
	thaw()
	// Long enough for everything it had in hand: the new leader's own writes show that time passes.
	eventually(t, time.Minute, "the new leader writes on", func() error {
		if n := len(writesAfter(log.writes(t), thawed)); n < 100 {
			return fmt.Errorf("%d writes", n)
		}
		return nil
	})
	names := changes.stop()
	for _, one := range writesAfter(log.writes(t), thawed) {
		if one.pod() == old.Name {
			t.Errorf("the thawed leader wrote: %s %s %s/%s", one.Verb, one.target(), one.ObjectRef.Namespace, one.ObjectRef.Name)
		}
	}
	for _, name := range names {
		eventually(t, current, name+" is accepted", func() error { return accepted(t, space, name) })
	}
	t.Logf("the lease moved after %s", took.Round(time.Millisecond))
}

func writesAfter(writes []write, when time.Time) []write {
	var after []write
	for _, one := range writes {
		if one.Received.After(when) {
			after = append(after, one)
		}
	}
	return after
}
