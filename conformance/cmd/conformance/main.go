// Command conformance runs the upstream suite against a class of the current cluster and judges what
// came of it. hack/conformance calls it; it ends with status 1 if anything was not as expected.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/pkg/features"

	"portcullis.dev/conformance/internal/observe"
	"portcullis.dev/conformance/internal/ratchet"
)

// ours is the class that expectations.yaml speaks of.
const ours = "portcullis"

// options are the flags, as given.
type options struct {
	suite, test2json, class, channel, only, out, expectations, reports, version string
	usable, unusable                                                            string
}

func main() {
	log.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	var o options
	flag.StringVar(&o.suite, "suite", "", "the suite as a test binary")
	flag.StringVar(&o.test2json, "test2json", "", "the test2json tool of the toolchain that built it")
	flag.StringVar(&o.class, "class", ours, "the GatewayClass to test")
	flag.StringVar(&o.channel, "channel", string(ratchet.Experimental), "the channel of the installed CRDs")
	flag.StringVar(&o.only, "run", "", "names of tests, with commas; all if empty")
	flag.StringVar(&o.out, "out", "", "folder for logs and summary")
	flag.StringVar(&o.expectations, "expectations", "", "the list of tests that may fail")
	flag.StringVar(&o.reports, "reports", "", "folder for the ConformanceReport; none if empty")
	flag.StringVar(&o.version, "version", "", "the version of the implementation, for the report")
	flag.StringVar(&o.usable, "usable-address", "", "an address that a Gateway can have")
	flag.StringVar(&o.unusable, "unusable-address", "", "an address that no Gateway can have")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	red, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if red || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (red bool, err error) {
	started := time.Now()
	known := suiteTests()
	listed, err := readExpectations(o, known)
	if err != nil {
		return false, err
	}
	claimed, err := claimedFeatures(ctx, o)
	if err != nil {
		return false, err
	}
	wanted := ratchet.Wanted{
		Claimed: claimed,
		// What is claimed is switched on whatever the channel says of it.
		Switched: ratchet.GatewayFeatures(ratchet.Channel(o.channel)).Union(claimed),
	}
	if o.only != "" {
		wanted.Only = strings.Split(o.only, ",")
	}
	plan, err := ratchet.NewPlan(known, listed, wanted)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return false, err
	}
	observer, err := observe.Start(ctx, filepath.Join(o.out, "pods"), o.class)
	if err != nil {
		return false, err
	}

	outcomes := ratchet.Outcomes{}
	for _, pass := range passes(o, plan, wanted) {
		if err := pass.run(ctx, o, outcomes); errors.Is(err, errSetup) {
			break
		} else if err != nil {
			return false, err
		}
	}
	usage := observer.Stop()

	judgements := ratchet.Judge(plan, listed, outcomes)
	for _, j := range judgements {
		red = red || j.Verdict == ratchet.Red
	}
	if err := summarize(o, known, judgements, usage, time.Since(started), red); err != nil {
		return red, err
	}
	return red, keepReport(o)
}

func suiteTests() []ratchet.Test {
	var known []ratchet.Test
	for _, test := range tests.ConformanceTests {
		needed := ratchet.Features{}
		needed.Insert(test.Features...)
		known = append(known, ratchet.Test{Name: test.ShortName, Features: needed})
	}
	return known
}

// readExpectations gives what may fail: nothing when another class is tested.
func readExpectations(o options, known []ratchet.Test) (ratchet.Expectations, error) {
	if o.class != ours {
		return nil, nil
	}
	data, err := os.ReadFile(o.expectations)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, test := range known {
		names = append(names, test.Name)
	}
	return ratchet.ParseExpectations(data, names)
}

// claimedFeatures are those in the status of our class. A peer claims nothing here: it is only run
// to compare, with everything switched on.
func claimedFeatures(ctx context.Context, o options) (ratchet.Features, error) {
	claimed := ratchet.Features{}
	if o.class != ours {
		return claimed, nil
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, err
	}
	kube, err := client.New(cfg, client.Options{})
	if err != nil {
		return nil, err
	}
	if err := gatewayv1.Install(kube.Scheme()); err != nil {
		return nil, err
	}
	var class gatewayv1.GatewayClass
	if err := kube.Get(ctx, client.ObjectKey{Name: o.class}, &class); err != nil {
		return nil, fmt.Errorf("is Portcullis installed? %w", err)
	}
	for _, feature := range class.Status.SupportedFeatures {
		claimed.Insert(features.FeatureName(feature.Name))
	}
	return claimed, nil
}

// summarize prints the table and keeps it in the folder of results.
func summarize(
	o options, known []ratchet.Test, judgements []ratchet.Judgement, usage observe.Usage,
	took time.Duration, red bool,
) error {
	file, err := os.Create(filepath.Join(o.out, "summary.txt"))
	if err != nil {
		return err
	}
	defer file.Close()
	out := io.MultiWriter(os.Stdout, file)
	fmt.Fprintln(out)
	if err := ratchet.PrintTable(out, known, judgements); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nclass %s, %s CRDs, in %s\n", o.class, o.channel, took.Round(time.Second))
	usage.Print(out)
	if red {
		fmt.Fprintln(out, "RED: logs are in", o.out)
	}
	return nil
}
