// bench-control measures what a change costs: from an apply to traffic, statuses, memory and CPU of
// controller and data plane, for Portcullis and Envoy Gateway in the same cluster and run.
// hack/bench-control starts it; bench/README.md tells what it measures and what comes out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"portcullis.dev/bench/control/internal/kube"
	"portcullis.dev/bench/control/internal/load"
	"portcullis.dev/bench/control/internal/parts"
	"portcullis.dev/bench/control/internal/report"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-control:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == "backend" {
		flags := flag.NewFlagSet("backend", flag.ExitOnError)
		address := flags.String("address", ":8080", "where to listen")
		abrupt := flags.Bool("abrupt", false, "end at once when told to end")
		_ = flags.Parse(os.Args[2:])
		return load.ServeBackend(*address, *abrupt)
	}
	return bench()
}

// options of a run.
type options struct {
	parts, classes, out, image, commit, versions string
	changed, quick                               bool
}

func bench() error {
	var o options
	flag.StringVar(&o.parts, "parts", "", "which parts, with commas between (default: all)")
	flag.StringVar(&o.classes, "classes", "portcullis,envoy", "which implementations")
	flag.StringVar(&o.out, "out", "control-plane.json", "the result")
	flag.StringVar(&o.image, "image", "", "this program's image, for backends")
	flag.StringVar(&o.commit, "commit", "", "of what is measured")
	flag.StringVar(&o.versions, "versions", "", "of whatever, as NAME=VERSION with commas between")
	flag.BoolVar(&o.changed, "changed", false, "there are changes beyond the commit")
	flag.BoolVar(&o.quick, "quick", false, "small numbers")
	flag.Parse()
	wanted, err := choose(o.parts)
	if err != nil {
		return err
	}
	classes, err := chooseClasses(o.classes)
	if err != nil {
		return err
	}
	cluster, err := kube.Connect(o.image)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := cluster.DropLeftovers(ctx); err != nil {
		return err
	}
	return measure(ctx, cluster, o, wanted, classes)
}

// measure writes the report after every part: an interrupted run leaves what it has.
func measure(ctx context.Context, cluster *kube.Cluster, o options, wanted []parts.Part, classes []kube.Class) error {
	settings := parts.Full
	if o.quick {
		settings = parts.Quick
	}
	result, began := begin(o, settings, cluster), time.Now()
	before := result.Seconds
	failed := []string{}
	for i, part := range wanted {
		if result.Parts[part.Name] == nil {
			result.Parts[part.Name] = map[string]*report.Measured{}
		}
		// Who comes first changes from part to part.
		order := slices.Clone(classes)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, class := range order {
			others := slices.DeleteFunc([]kube.Class{kube.Portcullis, kube.Envoy}, func(c kube.Class) bool { return c.Name == class.Name })
			measured := parts.Measure(ctx, cluster, part, class, others, settings)
			result.Parts[part.Name][class.Name] = measured
			name := part.Name + "/" + class.Name
			result.Order = append(slices.DeleteFunc(result.Order, func(old string) bool { return old == name }), name)
			result.Seconds = before + time.Since(began).Seconds()
			if measured.Error != "" {
				failed = append(failed, name)
			}
			if err := errors.Join(result.Write(o.out), ctx.Err()); err != nil {
				return err
			}
		}
	}
	fmt.Printf("written after %.0f s: %s\n", result.Seconds, o.out)
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// begin is a new report, or that of an earlier run of the same commit: parts that were not chosen now
// stay as they were measured then.
func begin(o options, settings parts.Settings, cluster *kube.Cluster) *report.Report {
	result := &report.Report{
		Schema: 1, Date: time.Now().UTC(), Commit: o.commit, Changed: o.changed, Quick: o.quick,
		Machine: machine(), Versions: versions(o.versions, cluster), Settings: settings,
		Parts: map[string]map[string]*report.Measured{},
	}
	old, err := report.Read(o.out)
	if err == nil && old.Commit == o.commit && old.Quick == o.quick && old.Parts != nil {
		result.Date, result.Seconds, result.Order, result.Parts = old.Date, old.Seconds, old.Order, old.Parts
		result.Changed = result.Changed || old.Changed
	}
	return result
}

func choose(names string) ([]parts.Part, error) {
	if names == "" {
		return parts.All, nil
	}
	var chosen []parts.Part
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(parts.All, func(part parts.Part) bool { return part.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no part %q", name)
		}
		chosen = append(chosen, parts.All[at])
	}
	return chosen, nil
}

func chooseClasses(names string) ([]kube.Class, error) {
	var chosen []kube.Class
	for name := range strings.SplitSeq(names, ",") {
		switch name {
		case kube.Portcullis.Name:
			chosen = append(chosen, kube.Portcullis)
		case kube.Envoy.Name:
			chosen = append(chosen, kube.Envoy)
		default:
			return nil, fmt.Errorf("there is no class %q", name)
		}
	}
	return chosen, nil
}

func versions(given string, cluster *kube.Cluster) map[string]string {
	found := map[string]string{"kubernetes": cluster.Version(), "go": runtime.Version()}
	for pair := range strings.SplitSeq(given, ",") {
		if name, version, ok := strings.Cut(pair, "="); ok {
			found[name] = version
		}
	}
	return found
}

func machine() report.Machine {
	found := report.Machine{Cores: runtime.NumCPU()}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			found.CPU = strings.TrimSpace(value)
			break
		}
	}
	text, _ = os.ReadFile("/proc/meminfo")
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		kib, _ := strconv.ParseUint(fields[1], 10, 64)
		found.MemoryBytes = kib * 1024
	}
	text, _ = os.ReadFile("/proc/sys/kernel/osrelease")
	found.Kernel = strings.TrimSpace(string(text))
	return found
}
