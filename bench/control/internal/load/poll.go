package load

import (
	"context"
	"sync"
	"time"
)

// Poller asks for one host after another, on connections that it keeps.
type Poller struct {
	address string
	every   time.Duration
	clients []*Connection
}

// Connection is one that is kept.
type Connection struct {
	get func(ctx context.Context, host string) Answer
}

// NewPoller polls every so often, on each of its connections in turn: an implementation may have taken
// up a change in one of its threads and not yet in another.
func NewPoller(address string, every time.Duration, connections int) *Poller {
	poller := &Poller{address: address, every: every}
	for range connections {
		client := keptClient(1)
		poller.clients = append(poller.clients, &Connection{func(ctx context.Context, host string) Answer {
			return get(ctx, client, address, host)
		}})
	}
	return poller
}

// Poll is a host that is being asked for.
type Poll struct {
	mutex    sync.Mutex
	answers  []Answer
	firstOK  time.Time
	served   chan struct{}
	cancel   context.CancelFunc
	finished sync.WaitGroup
}

// Start asks for a host until the poll is stopped.
func (p *Poller) Start(ctx context.Context, host string) *Poll {
	ctx, cancel := context.WithCancel(ctx)
	poll := &Poll{served: make(chan struct{}), cancel: cancel}
	began := time.Now()
	for i, client := range p.clients {
		poll.finished.Go(func() {
			round := time.Duration(len(p.clients)) * p.every
			for next := began.Add(time.Duration(i) * p.every); ; next = following(next, round) {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Until(next)):
				}
				if answer := client.get(ctx, host); ctx.Err() == nil {
					poll.take(answer)
				}
			}
		})
	}
	return poll
}

// following is the first of the times at intervals after `last` that has not passed.
func following(last time.Time, interval time.Duration) time.Time {
	next := last.Add(interval)
	if late := time.Since(next); late > 0 {
		next = next.Add(late.Truncate(interval) + interval)
	}
	return next
}

func (p *Poll) take(answer Answer) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.answers = append(p.answers, answer)
	if answer.Status == 200 && p.firstOK.IsZero() {
		p.firstOK = answer.Received
		close(p.served)
	}
}

// Served is closed at the first answer 200.
func (p *Poll) Served() <-chan struct{} { return p.served }

// Stop ends the poll and gives what it saw: the answers in the order in which they came, and when the
// first 200 was received (zero: never).
func (p *Poll) Stop() ([]Answer, time.Time) {
	p.cancel()
	p.finished.Wait()
	return p.answers, p.firstOK
}
