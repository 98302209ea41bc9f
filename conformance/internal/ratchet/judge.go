package ratchet

import "fmt"

// Verdict is what an outcome means.
type Verdict string

const (
	// Good: it passed, as it should.
	Good Verdict = "passed"
	// Expected: it failed and is listed.
	Expected Verdict = "expected"
	// NotApplicable: the test skipped itself.
	NotApplicable Verdict = "skipped"
	// Red: what was not expected.
	Red Verdict = "RED"
)

// Judgement is the verdict on one test, with the reason if it is red or expected.
type Judgement struct {
	Name    string
	Outcome Outcome
	Verdict Verdict
	Reason  string
}

// Judge compares what was planned with what happened.
func Judge(plan Plan, listed Expectations, outcomes Outcomes) []Judgement {
	var all []Judgement
	for _, name := range plan.Claimed {
		all = append(all, judgeClaimed(name, listed, outcome(outcomes, name)))
	}
	for _, name := range plan.Others {
		all = append(all, judgeUnlisted(name, outcome(outcomes, name)))
	}
	for _, name := range plan.Listed {
		all = append(all, judgeListed(name, listed[name], outcome(outcomes, name)))
	}
	return all
}

func outcome(outcomes Outcomes, name string) Outcome {
	if found, ok := outcomes[name]; ok {
		return found
	}
	return Outcome{Result: Missing}
}

func judgeClaimed(name string, listed Expectations, outcome Outcome) Judgement {
	if _, ok := listed[name]; ok {
		return Judgement{name, outcome, Red, "its features are claimed, so it may not be listed as failing"}
	}
	return judgeUnlisted(name, outcome)
}

func judgeUnlisted(name string, outcome Outcome) Judgement {
	switch outcome.Result {
	case Passed:
		return Judgement{name, outcome, Good, ""}
	case Skipped:
		return Judgement{name, outcome, NotApplicable, ""}
	case Failed:
		return Judgement{name, outcome, Red, "it failed and is not listed"}
	default:
		return Judgement{name, outcome, Red, "it never ended"}
	}
}

func judgeListed(name string, entry Expectation, outcome Outcome) Judgement {
	switch outcome.Result {
	case Failed:
		return Judgement{name, outcome, Expected, fmt.Sprintf("%s (%s)", entry.Why, entry.Issue)}
	case Passed:
		return Judgement{name, outcome, Red, "it passes: take it out of expectations.yaml"}
	case Skipped:
		return Judgement{name, outcome, Red, "it skips itself: take it out of expectations.yaml"}
	default:
		return Judgement{name, outcome, Red, "it never ended"}
	}
}
