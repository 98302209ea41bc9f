package parts

// Settings are the sizes of a run.
type Settings struct {
	// Probe: a request every so often, on each of the connections in turn; so many probes, or as many
	// as fit into the seconds, at each number of routes. A probe goes on for a while after its first
	// 200, and is given up after some seconds.
	PollMilliseconds      int   `json:"pollMilliseconds"`
	PollConnections       int   `json:"pollConnections"`
	PollAfterMilliseconds int   `json:"pollAfterMilliseconds"`
	ProbeLevels           []int `json:"probeLevels"`
	ProbeSamples          int   `json:"probeSamples"`
	ProbeSeconds          int   `json:"probeSeconds"`
	ProbeGiveUpSeconds    int   `json:"probeGiveUpSeconds"`
	ProbeChurnPerSecond   int   `json:"probeChurnPerSecond"`

	// RequestsPerSecond of change and endpoints, a tenth of them on connections of their own.
	RequestsPerSecond int `json:"requestsPerSecond"`
	Flips             int `json:"flips"`
	FlipsPerSecond    int `json:"flipsPerSecond"`

	AttachedRoutes int `json:"attachedRoutes"`

	ScaleRoutes      int `json:"scaleRoutes"`
	ScaleNamespaces  int `json:"scaleNamespaces"`
	ScaleSeconds     int `json:"scaleSeconds"`
	EmptiedSeconds   int `json:"emptiedSeconds"`
	SettleSeconds    int `json:"settleSeconds"`
	QuietSeconds     int `json:"quietSeconds"`
	EndpointBackends int `json:"endpointBackends"`
	Gateways         int `json:"gateways"`
	ListenerSets     int `json:"listenerSets"`

	// WaitForCleaning: a part begins when nothing is left of the one before.
	WaitForCleaning bool `json:"waitForCleaning"`
}

// Full is what committed results are made with.
var Full = Settings{
	PollMilliseconds: 2, PollConnections: 4, PollAfterMilliseconds: 150,
	ProbeLevels: []int{0, 1000, 5000}, ProbeSamples: 100, ProbeSeconds: 25, ProbeGiveUpSeconds: 30, ProbeChurnPerSecond: 10,
	RequestsPerSecond: 500, Flips: 1000, FlipsPerSecond: 20,
	AttachedRoutes: 1000,
	ScaleRoutes:    5000, ScaleNamespaces: 50, ScaleSeconds: 20, EmptiedSeconds: 60, SettleSeconds: 180, QuietSeconds: 5,
	EndpointBackends: 20,
	Gateways:         50,
	ListenerSets:     500,
	WaitForCleaning:  true,
}

// Quick shows in minutes that everything works.
var Quick = Settings{
	PollMilliseconds: 2, PollConnections: 4, PollAfterMilliseconds: 100,
	ProbeLevels: []int{0, 100}, ProbeSamples: 10, ProbeSeconds: 5, ProbeGiveUpSeconds: 10, ProbeChurnPerSecond: 10,
	RequestsPerSecond: 200, Flips: 60, FlipsPerSecond: 20,
	AttachedRoutes: 50,
	ScaleRoutes:    100, ScaleNamespaces: 5, ScaleSeconds: 3, EmptiedSeconds: 2, SettleSeconds: 30, QuietSeconds: 2,
	EndpointBackends: 4,
	Gateways:         3,
	ListenerSets:     10,
}
