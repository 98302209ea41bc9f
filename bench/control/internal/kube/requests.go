package kube

import (
	"context"
	"regexp"
	"strings"
)

// Requests counts requests to the API server that write, by "VERB resource" or "VERB
// resource/subresource".
type Requests map[string]int

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// WriteRequests are those to Gateway API objects since the API server started, as its own metrics
// count them: also such as changed nothing, and whoever sent them.
func (c *Cluster) WriteRequests(ctx context.Context) (Requests, error) {
	text, err := c.Core.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	return parseRequests(string(text)), nil
}

func parseRequests(text string) Requests {
	found := Requests{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "apiserver_request_total{")
		if !ok {
			continue
		}
		labels, value, ok := strings.Cut(rest, "} ")
		if !ok {
			continue
		}
		of := map[string]string{}
		for _, pair := range label.FindAllStringSubmatch(labels, -1) {
			of[pair[1]] = pair[2]
		}
		if !strings.HasPrefix(of["group"], "gateway.networking") || !writes[of["verb"]] {
			continue
		}
		name := of["verb"] + " " + of["resource"]
		if of["subresource"] != "" {
			name += "/" + of["subresource"]
		}
		found[name] += int(number(strings.TrimSpace(value)))
	}
	return found
}

var writes = map[string]bool{"POST": true, "PUT": true, "PATCH": true, "APPLY": true, "DELETE": true, "DELETECOLLECTION": true}

// Since is what came after an earlier look.
func (r Requests) Since(before Requests) Requests {
	news := Requests{}
	for name, count := range r {
		if count > before[name] {
			news[name] = count - before[name]
		}
	}
	return news
}
