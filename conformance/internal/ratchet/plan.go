package ratchet

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// Features is a set of the suite's feature names.
type Features = sets.Set[features.FeatureName]

// Test is what planning must know of one test of the suite.
type Test struct {
	Name     string
	Features Features
}

// Channel is a release channel of the Gateway API CRDs.
type Channel string

const (
	Standard     Channel = features.FeatureChannelStandard
	Experimental Channel = features.FeatureChannelExperimental
)

// GatewayFeatures are all features a gateway can have with the CRDs of that channel. The profiles
// for meshes are out of scope.
func GatewayFeatures(channel Channel) Features {
	all := features.SetsToNamesSet(features.AllFeatures).
		Difference(features.SetsToNamesSet(features.MeshCoreFeatures, features.MeshExtendedFeatures))
	if channel == Experimental {
		return all
	}
	for name := range all {
		if features.GetFeature(name).Channel == features.FeatureChannelExperimental {
			all.Delete(name)
		}
	}
	return all
}

// Plan is what runs, in three passes.
type Plan struct {
	// Claimed tests need only features that the class claims. They decide the report, and none of
	// them may fail.
	Claimed []string
	// Others are neither claimed nor listed.
	Others []string
	// Listed tests are expected to fail, so they run with short timeouts.
	Listed []string
}

// Wanted narrows and widens a plan.
type Wanted struct {
	// Claimed are the features that the class claims.
	Claimed Features
	// Switched are the features switched on: tests that need another one do not run.
	Switched Features
	// Only these tests run, if there are any.
	Only []string
}

// NewPlan sorts the suite's tests into passes.
func NewPlan(tests []Test, listed Expectations, wanted Wanted) (Plan, error) {
	var plan Plan
	for _, name := range wanted.Only {
		if !slices.ContainsFunc(tests, func(t Test) bool { return t.Name == name }) {
			return plan, fmt.Errorf("the suite has no test %q", name)
		}
	}
	for _, test := range tests {
		_, isListed := listed[test.Name]
		switch {
		case len(wanted.Only) > 0 && !slices.Contains(wanted.Only, test.Name),
			!wanted.Switched.IsSuperset(test.Features):
		case wanted.Claimed.IsSuperset(test.Features):
			plan.Claimed = append(plan.Claimed, test.Name)
		case isListed:
			plan.Listed = append(plan.Listed, test.Name)
		default:
			plan.Others = append(plan.Others, test.Name)
		}
	}
	return plan, nil
}

// Profiles are the conformance profiles for gateways, in the order of the table.
var Profiles = []suite.ConformanceProfile{
	suite.GatewayHTTPConformanceProfile,
	suite.GatewayGRPCConformanceProfile,
	suite.GatewayTLSConformanceProfile,
	suite.GatewayTCPConformanceProfile,
	suite.GatewayUDPConformanceProfile,
}

// ClaimedProfiles are those of which every core feature is claimed: naming a profile makes the suite
// switch on all its core features.
func ClaimedProfiles(claimed Features) []string {
	var names []string
	for _, profile := range Profiles {
		if claimed.IsSuperset(profile.CoreFeatures) {
			names = append(names, string(profile.Name))
		}
	}
	return names
}

func sortedNames[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
