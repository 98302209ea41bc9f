package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"portcullis.dev/conformance/internal/ratchet"
)

// pass is one run of the suite: which of its tests, with which of its own flags.
type pass struct {
	name  string
	tests []string
	flags []string
}

// parallelTests is how many of the tests that allow it run side by side: they mostly wait, so more
// than there are cores.
const parallelTests = "4"

// shortTimeouts are for tests that are expected to fail: waiting longer than a working feature needs
// here would only cost time. No timeout of the suite is ever raised.
var shortTimeouts = strings.Join([]string{
	"MaxTimeToConsistency:6",
	"DefaultTestTimeout:20",
	"GatewayMustHaveAddress:20",
	"GatewayMustHaveCondition:15",
	"GatewayStatusMustHaveListeners:10",
	"GatewayListenersMustHaveConditions:10",
	"ListenerSetMustHaveCondition:10",
	"ListenerSetListenersMustHaveConditions:10",
	"HTTPRouteMustHaveCondition:5",
	"HTTPRouteMustNotHaveParents:5",
	"TLSRouteMustHaveCondition:5",
	"TCPRouteMustHaveCondition:5",
	"UDPRouteMustHaveCondition:5",
	"RouteMustHaveParents:5",
	"RequestTimeout:5",
	"LatestObservedGenerationSet:10",
}, ";")

// passes says how a plan is run: the claim as upstream wants it, the rest with every feature on.
func passes(o options, plan ratchet.Plan, wanted ratchet.Wanted) []pass {
	claim := pass{name: "claim", tests: plan.Claimed, flags: switchedOn(plan.Claimed, wanted)}
	// Without a choice of tests the suite infers the features from the class and writes the report.
	if len(wanted.Only) == 0 {
		claim.flags = []string{
			"-conformance-profiles=" + strings.Join(ratchet.ClaimedProfiles(wanted.Claimed), ","),
			"-report-output=" + filepath.Join(o.out, "report.yaml"),
			"-organization=portcullis", "-project=portcullis", "-url=https://portcullis.dev",
			"-version=" + o.version, "-contact=https://portcullis.dev/contact",
		}
	}
	others := pass{name: "others", tests: plan.Others, flags: switchedOn(plan.Others, wanted)}
	listed := pass{name: "listed", tests: plan.Listed, flags: switchedOn(plan.Listed, wanted)}
	short := shortTimeouts
	if len(plan.Claimed)+len(plan.Others) > 0 {
		short += ";NamespacesMustBeReady:10" // the base resources are there already
	}
	listed.flags = append(listed.flags, "-timeout-config-overrides="+short)
	all := slices.DeleteFunc([]pass{claim, others, listed}, func(p pass) bool { return len(p.tests) == 0 })
	// The next pass needs the base resources again, and gets on sooner if they are there.
	for i := range all[:max(0, len(all)-1)] {
		all[i].flags = append(all[i].flags, "-cleanup-base-resources=false")
	}
	return all
}

// switchedOn are the flags that switch on every wanted feature and skip all tests but these.
func switchedOn(only []string, wanted ratchet.Wanted) []string {
	var names, skipped []string
	for name := range wanted.Switched {
		names = append(names, string(name))
	}
	slices.Sort(names)
	for _, test := range suiteTests() {
		if !slices.Contains(only, test.Name) {
			skipped = append(skipped, test.Name)
		}
	}
	return []string{
		"-supported-features=" + strings.Join(names, ","),
		"-skip-tests=" + strings.Join(skipped, ","),
	}
}

// errSetup: no test began, so none of the next pass would.
var errSetup = errors.New("the suite's setup failed")

// run runs the pass and adds what came of its tests. That tests fail is no error.
func (p pass) run(ctx context.Context, o options, outcomes ratchet.Outcomes) error {
	fmt.Printf("==> %s: %d tests\n", p.name, len(p.tests))
	log, err := os.Create(filepath.Join(o.out, p.name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, o.test2json, append([]string{
		"-t", o.suite, "-test.v=test2json", "-test.timeout=90m", "-test.parallel=" + parallelTests,
		"-gateway-class=" + o.class, "-usable-address=" + o.usable, "-unusable-address=" + o.unusable,
	}, p.flags...)...)
	// An interrupt reaches the whole group of this process from the terminal; a TERM is passed on.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	command.Stderr = log
	events, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	ran := 0
	err = ratchet.ReadEvents(events, log, func(name string, outcome ratchet.Outcome) {
		if !slices.Contains(p.tests, name) {
			return
		}
		ran++
		outcomes[name] = outcome
		fmt.Printf("%4d/%d  %-4s  %-70s %6.1f s\n", ran, len(p.tests), outcome.Result, name, outcome.Elapsed.Seconds())
	})
	var exit *exec.ExitError
	if waited := command.Wait(); waited != nil && !errors.As(waited, &exit) {
		err = errors.Join(err, waited)
	}
	if ran == 0 {
		fmt.Println("no test ended: see", log.Name())
		err = errors.Join(err, errSetup)
	}
	return errors.Join(err, ctx.Err())
}
