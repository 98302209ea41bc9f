package load

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"portcullis.dev/bench/control/internal/report"
)

// Stream is a steady rate of requests for one host. It does not wait for answers: a slow gateway gets
// no fewer requests.
type Stream struct {
	stop     chan struct{}
	done     sync.WaitGroup
	mutex    sync.Mutex
	began    time.Time
	answers  map[string]int
	times    []float64
	failures []Failure
	failed   int
	again    int
	late     int
	// onAnswer is told of every answer, one at a time.
	onAnswer func(Answer)
}

// Failure is a request that was not answered with 200.
type Failure struct {
	// At is when it was sent, in milliseconds after the stream began.
	At     float64 `json:"at"`
	Took   float64 `json:"took"`
	Answer string  `json:"answer"`
	// Fresh: on a connection of its own.
	Fresh bool `json:"fresh"`
}

// Sent is what came of a stream.
type Sent struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// SentAgain is how many requests Go's client sent more than once.
	SentAgain int `json:"sentAgain"`
	// Answers counts by status, or by what went wrong.
	Answers map[string]int `json:"answers"`
	// Failures are the first of those that failed.
	Failures  []Failure      `json:"failures"`
	Latency   report.Summary `json:"latency"`
	Histogram []report.Bin   `json:"histogram"`
	// Late is how many requests were sent over 5 ms after their time: the machine was too busy.
	Late int `json:"late"`
}

const (
	keptConnections = 64
	// freshShare: one request of so many makes a connection of its own.
	freshShare  = 10
	keptReports = 100
)

// StartStream sends so many requests a second until it is stopped.
func StartStream(ctx context.Context, address, host string, perSecond int, onAnswer func(Answer)) *Stream {
	s := &Stream{stop: make(chan struct{}), began: time.Now(), answers: map[string]int{}, failures: []Failure{}, onAnswer: onAnswer}
	kept, fresh := keptClient(keptConnections), freshClient()
	s.done.Go(func() {
		for i := 0; ; i++ {
			due := s.began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
			select {
			case <-s.stop:
				return
			case <-time.After(time.Until(due)):
			}
			client := kept
			if i%freshShare == 0 {
				client = fresh
			}
			s.done.Go(func() { s.take(get(ctx, client, address, host), due, client == fresh) })
		}
	})
	return s
}

func (s *Stream) take(answer Answer, due time.Time, fresh bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answers[answer.Kind()]++
	if answer.Sent.Sub(due) > 5*time.Millisecond {
		s.late++
	}
	if answer.Tries > 1 {
		s.again++
	}
	took := report.Milliseconds(answer.Received.Sub(answer.Sent))
	s.times = append(s.times, took)
	if answer.Status != http.StatusOK {
		s.failed++
		if len(s.failures) < keptReports {
			at := report.Milliseconds(answer.Sent.Sub(s.began))
			s.failures = append(s.failures, Failure{At: at, Took: took, Answer: answer.Kind(), Fresh: fresh})
		}
	}
	if s.onAnswer != nil {
		s.onAnswer(answer)
	}
}

// Stop ends the stream, waits for the answers that are due, and says what came.
func (s *Stream) Stop() Sent {
	close(s.stop)
	s.done.Wait()
	slices.SortFunc(s.failures, func(a, b Failure) int { return int(a.At - b.At) })
	return Sent{
		Requests: len(s.times), Failed: s.failed, Answers: s.answers, Failures: s.failures,
		Latency: report.Summarize(s.times), Histogram: report.Histogram(s.times), Late: s.late, SentAgain: s.again,
	}
}
