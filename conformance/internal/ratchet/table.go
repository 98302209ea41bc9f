package ratchet

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// tally counts verdicts.
type tally map[Verdict]int

func (t tally) total() int { return t[Good] + t[Expected] + t[NotApplicable] + t[Red] }

// PrintTable writes the verdicts: red ones by name and reason, then counts per profile. A test
// counts in every profile that has all its features, as in the suite's own report.
func PrintTable(out io.Writer, tests []Test, judgements []Judgement) error {
	for _, j := range judgements {
		if j.Verdict == Red {
			fmt.Fprintf(out, "RED  %-60s %s\n", j.Name, j.Reason)
		}
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nprofile\ttests\tpassed\texpected to fail\tskipped\tRED")
	for _, profile := range Profiles {
		core, extended := tally{}, tally{}
		for _, j := range judgements {
			switch features := featuresOf(tests, j.Name); {
			case profile.CoreFeatures.IsSuperset(features):
				core[j.Verdict]++
			case profile.CoreFeatures.Union(profile.ExtendedFeatures).IsSuperset(features):
				extended[j.Verdict]++
			}
		}
		printRow(table, string(profile.Name)+" core", core)
		printRow(table, string(profile.Name)+" extended", extended)
	}
	all := tally{}
	for _, j := range judgements {
		all[j.Verdict]++
	}
	printRow(table, "all", all)
	return table.Flush()
}

func printRow(table io.Writer, name string, counts tally) {
	fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\n", name, counts.total(),
		counts[Good], counts[Expected], counts[NotApplicable], counts[Red])
}

func featuresOf(tests []Test, name string) Features {
	i := slices.IndexFunc(tests, func(t Test) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return tests[i].Features
}
