package report

import (
	"math"
	"slices"
	"time"
)

// Milliseconds of a duration, to the microsecond.
func Milliseconds(d time.Duration) float64 { return math.Round(float64(d.Microseconds())) / 1000 }

// Summary describes samples. Without samples all but N are zero.
type Summary struct {
	N   int     `json:"n"`
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Summarize sorts a copy. A percentile is the smallest sample that at least that share does not
// exceed: no value is made up.
func Summarize(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	at := func(share float64) float64 {
		return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
	}
	return Summary{
		N: len(sorted), Min: sorted[0], P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: sorted[len(sorted)-1],
	}
}

// Bin counts the samples above the bin before and up to UpTo milliseconds.
type Bin struct {
	UpTo  float64 `json:"upTo"`
	Count int     `json:"count"`
}

// Histogram counts samples in bins that grow by a quarter, from 0.1 ms; empty bins are left out.
func Histogram(samples []float64) []Bin {
	var bins []Bin
	sorted := slices.Sorted(slices.Values(samples))
	for upTo := 0.1; len(sorted) > 0; upTo *= 1.25 {
		count, _ := slices.BinarySearchFunc(sorted, upTo, func(a, b float64) int {
			if a <= b {
				return -1
			}
			return 1
		})
		if count > 0 {
			bins = append(bins, Bin{UpTo: math.Round(upTo*1000) / 1000, Count: count})
			sorted = sorted[count:]
		}
	}
	return bins
}
