package ratchet

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var suiteOfFour = []Test{
	{"Simple", sets.New(features.SupportGateway, features.SupportHTTPRoute)},
	{"Mirror", sets.New(features.SupportGateway, features.SupportHTTPRoute, features.SupportHTTPRouteRequestMirror)},
	{"Udp", sets.New(features.SupportGateway, features.SupportUDPRoute)},
	{"Mesh", sets.New(features.SupportMesh)},
}

func TestTestsAreSortedIntoPasses(t *testing.T) {
	listed := Expectations{"Udp": {"fail", "no UDPRoute", "5"}}
	claimed := sets.New(features.SupportGateway, features.SupportHTTPRoute)
	for _, c := range []struct {
		name   string
		wanted Wanted
		plan   Plan
	}{
		{
			"all of a gateway", Wanted{Claimed: claimed, Switched: GatewayFeatures(Experimental)},
			Plan{Claimed: []string{"Simple"}, Others: []string{"Mirror"}, Listed: []string{"Udp"}},
		},
		{
			"of features that are switched on", Wanted{Claimed: claimed, Switched: claimed},
			Plan{Claimed: []string{"Simple"}},
		},
		{
			"only one", Wanted{Claimed: claimed, Switched: GatewayFeatures(Experimental), Only: []string{"Udp"}},
			Plan{Listed: []string{"Udp"}},
		},
		{
			"of a class that claims nothing", Wanted{Switched: GatewayFeatures(Experimental)},
			Plan{Others: []string{"Simple", "Mirror"}, Listed: []string{"Udp"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := NewPlan(suiteOfFour, listed, c.wanted)
			if err != nil || !reflect.DeepEqual(plan, c.plan) {
				t.Errorf("got %+v, %v", plan, err)
			}
		})
	}
}

func TestAChosenTestMustExist(t *testing.T) {
	if _, err := NewPlan(suiteOfFour, nil, Wanted{Only: []string{"Nonesuch"}}); err == nil {
		t.Error("no error")
	}
}

func TestTheStandardChannelLacksExperimentalFeatures(t *testing.T) {
	if !GatewayFeatures(Experimental).Has(features.SupportHTTPRouteDestinationPortMatching) {
		t.Error("the experimental channel lacks an experimental feature")
	}
	if GatewayFeatures(Standard).Has(features.SupportHTTPRouteDestinationPortMatching) {
		t.Error("the standard channel has an experimental feature")
	}
	if GatewayFeatures(Experimental).Has(features.SupportMesh) {
		t.Error("a gateway is no mesh")
	}
}

func TestAProfileIsClaimedWithAllItsCoreFeatures(t *testing.T) {
	http := sets.New(features.SupportGateway, features.SupportReferenceGrant, features.SupportHTTPRoute)
	if got := ClaimedProfiles(http); !reflect.DeepEqual(got, []string{"GATEWAY-HTTP"}) {
		t.Errorf("got %v", got)
	}
	if got := ClaimedProfiles(http.Difference(sets.New(features.SupportReferenceGrant))); got != nil {
		t.Errorf("got %v", got)
	}
}
