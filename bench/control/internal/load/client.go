package load

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"syscall"
	"time"
)

// timeout of one request, from the connection to the end of the answer.
const timeout = 10 * time.Second

// Answer is what came of one request.
type Answer struct {
	Sent, Received time.Time
	// Status is that of the answer; 0 if there was none, and Problem says why.
	Status  int
	Problem string
	Header  http.Header
	// Tries is how often it was sent: Go's client sends a GET again, as browsers do, when a kept
	// connection turns out to be closed before anything of the answer came.
	Tries int
}

// Kind is the status, or the problem in a few words that are the same for all of its kind.
func (a Answer) Kind() string {
	if a.Status != 0 {
		return strconv.Itoa(a.Status)
	}
	return a.Problem
}

// keptClient keeps its connections.
func keptClient(connections int) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true,
	}}
}

// freshClient makes a connection for each request.
func freshClient() *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
}

// get sends one request for a host to an address.
func get(ctx context.Context, client *http.Client, address, host string) Answer {
	answer := Answer{Sent: time.Now()}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { answer.Tries++ },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(address, "80")+"/", nil)
	if err == nil {
		request.Host = host
		var response *http.Response
		if response, err = client.Do(request); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			answer.Header = response.Header
			answer.Status = response.StatusCode
		}
	}
	answer.Received = time.Now()
	if err != nil {
		answer.Status, answer.Problem = 0, problem(err)
	}
	return answer
}

func problem(err error) string {
	var timedOut interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return "timeout"
	default:
		return err.Error()
	}
}

// AwaitAnswer sends requests until one is answered with this status.
func AwaitAnswer(ctx context.Context, address, host string, status int, within time.Duration) error {
	client := freshClient()
	end := time.Now().Add(within)
	for {
		answer := get(ctx, client, address, host)
		if answer.Status == status {
			return nil
		}
		if time.Now().After(end) {
			return errors.New(host + " at " + address + " does not answer " + strconv.Itoa(status) + " but " + answer.Kind())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
