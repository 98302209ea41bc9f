//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// traffic is a steady stream of requests, half of them on kept connections, half on new ones.
type traffic struct {
	stop  chan struct{}
	done  sync.WaitGroup
	mutex sync.Mutex
	sent  int
	// failed are the requests that had no answer 200.
	failed []string
}

// startTraffic sends a hundred requests a second.
func startTraffic(url string) *traffic {
	all := &traffic{stop: make(chan struct{})}
	for _, keep := range []bool{true, false} {
		sender := http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{DisableKeepAlives: !keep, MaxIdleConnsPerHost: 16},
		}
		all.done.Go(func() { all.send(&sender, url) })
	}
	return all
}

func (a *traffic) send(sender *http.Client, url string) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-ticker.C:
			a.done.Go(func() { a.record(request(sender, url)) })
		}
	}
}

func request(sender *http.Client, url string) error {
	response, err := sender.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func (a *traffic) record(err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.sent++
	if err != nil {
		a.failed = append(a.failed, time.Now().Format("15:04:05.000 ")+err.Error())
	}
}

// mustNotHaveFailed ends the traffic: every request must have been answered.
func (a *traffic) mustNotHaveFailed(t *testing.T) {
	t.Helper()
	close(a.stop)
	a.done.Wait()
	if len(a.failed) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(a.failed), a.sent, a.failed[:min(5, len(a.failed))])
	}
	t.Logf("%d requests, %d failed", a.sent, len(a.failed))
}
