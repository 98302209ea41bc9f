package ratchet

import (
	"strings"
	"testing"
)

func TestOutcomesAreJudgedByWhatWasExpected(t *testing.T) {
	listed := Expectations{"Listed": {"fail", "no mirror yet", "5"}, "ClaimedAndListed": {"fail", "flaky", "5"}}
	for _, c := range []struct {
		name    string
		plan    Plan
		result  Result
		verdict Verdict
		reason  string
	}{
		{"a claimed test that passes", Plan{Claimed: []string{"Claimed"}}, Passed, Good, ""},
		{"a claimed test that fails", Plan{Claimed: []string{"Claimed"}}, Failed, Red, "not listed"},
		{"a claimed test that is listed", Plan{Claimed: []string{"ClaimedAndListed"}}, Failed, Red, "may not be listed"},
		{"an unlisted test that passes", Plan{Others: []string{"Other"}}, Passed, Good, ""},
		{"an unlisted test that fails", Plan{Others: []string{"Other"}}, Failed, Red, "not listed"},
		{"an unlisted test that skips itself", Plan{Others: []string{"Other"}}, Skipped, NotApplicable, ""},
		{"an unlisted test that never ended", Plan{Others: []string{"Other"}}, Missing, Red, "never ended"},
		{"a listed test that fails", Plan{Listed: []string{"Listed"}}, Failed, Expected, "no mirror yet (5)"},
		{"a listed test that passes", Plan{Listed: []string{"Listed"}}, Passed, Red, "take it out"},
		{"a listed test that skips itself", Plan{Listed: []string{"Listed"}}, Skipped, Red, "take it out"},
		{"a listed test that never ended", Plan{Listed: []string{"Listed"}}, Missing, Red, "never ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outcomes := Outcomes{}
			for _, names := range [][]string{c.plan.Claimed, c.plan.Others, c.plan.Listed} {
				for _, name := range names {
					if c.result != Missing {
						outcomes[name] = Outcome{Result: c.result}
					}
				}
			}
			got := Judge(c.plan, listed, outcomes)
			if len(got) != 1 || got[0].Verdict != c.verdict || !strings.Contains(got[0].Reason, c.reason) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestATableCountsATestInEveryProfileThatHasItsFeatures(t *testing.T) {
	var out strings.Builder
	judgements := []Judgement{
		{Name: "Simple", Verdict: Good},
		{Name: "Mirror", Verdict: Red, Reason: "it failed and is not listed"},
		{Name: "Udp", Verdict: Expected},
	}
	if err := PrintTable(&out, suiteOfFour, judgements); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"RED  Mirror", "it failed and is not listed",
		"GATEWAY-HTTP core      1      1       0                 0        0",
		"GATEWAY-HTTP extended  1      0       0                 0        1",
		"GATEWAY-UDP core       1      0       1                 0        0",
		"all                    3      1       1                 0        1",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is not in:\n%s", line, out.String())
		}
	}
}
