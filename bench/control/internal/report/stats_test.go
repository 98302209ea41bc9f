package report

import "testing"

func TestPercentilesAreSamples(t *testing.T) {
	var hundred []float64
	for i := 100; i > 0; i-- {
		hundred = append(hundred, float64(i))
	}
	for name, c := range map[string]struct {
		samples []float64
		want    Summary
	}{
		"none":    {nil, Summary{}},
		"one":     {[]float64{7}, Summary{1, 7, 7, 7, 7, 7}},
		"two":     {[]float64{9, 1}, Summary{2, 1, 1, 9, 9, 9}},
		"hundred": {hundred, Summary{100, 1, 50, 90, 99, 100}},
	} {
		if got := Summarize(c.samples); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAHistogramHasEverySample(t *testing.T) {
	bins := Histogram([]float64{0.05, 0.1, 0.11, 5, 1000, -3})
	total, last := 0, 0.0
	for _, bin := range bins {
		if bin.Count == 0 || bin.UpTo <= last {
			t.Errorf("bin %+v after %v", bin, last)
		}
		total, last = total+bin.Count, bin.UpTo
	}
	if total != 6 || bins[0].Count != 3 {
		t.Errorf("got %+v", bins)
	}
}
