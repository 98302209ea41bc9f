// Package load is what stands before and behind the gateway: backends, a client that polls one host,
// and a steady stream of requests.
package load

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// BackendHeader is the answer's header in which a backend says who it is: its pod.
const BackendHeader = "X-Backend"

// ServeBackend answers 200 to everything until SIGTERM. Then it takes no more connections, answers
// what it has begun to read, and ends; or ends at once.
func ServeBackend(address string, abrupt bool) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := http.Server{Addr: address, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set(BackendHeader, name)
		_, _ = io.WriteString(w, "hello from "+name+"\n")
	})}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if abrupt {
		return nil
	}
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
