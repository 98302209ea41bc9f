package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWhatWasNotAnsweredWith200HasFailed(t *testing.T) {
	s := &Stream{stop: make(chan struct{}), began: time.Now(), answers: map[string]int{}}
	for _, answer := range []Answer{{Status: 200}, {Status: 503}, {Problem: "connection reset"}, {Status: 200}} {
		answer.Sent, answer.Received = s.began, s.began.Add(time.Millisecond)
		s.take(answer, s.began, false)
	}
	sent := s.Stop()
	if sent.Requests != 4 || sent.Failed != 2 || sent.Answers["503"] != 1 || sent.Answers["connection reset"] != 1 || sent.Late != 0 {
		t.Errorf("got %+v", sent)
	}
}

func TestAnswersAreKnownByStatusOrProblem(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "reset.example" {
			connection, _, _ := http.NewResponseController(w).Hijack()
			connection.Close()
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	client := server.Client()
	client.Transport = redirected{strings.TrimPrefix(server.URL, "http://")}
	for host, want := range map[string]string{"absent.example": "404", "reset.example": "connection closed"} {
		if got := get(t.Context(), client, "192.0.2.1", host); got.Kind() != want {
			t.Errorf("%s: got %s", host, got.Kind())
		}
	}
}

// redirected sends every request to one server.
type redirected struct{ address string }

func (r redirected) RoundTrip(request *http.Request) (*http.Response, error) {
	request.URL.Host = r.address
	return http.DefaultTransport.RoundTrip(request)
}
