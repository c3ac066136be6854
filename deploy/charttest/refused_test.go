package charttest

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// A wrong value is refused before anything is made, in words that name it.
func TestWrongValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ values, says string }{
		{`replicas: 0`, "/replicas': minimum: got 0, want 1"},
		{`replicas: three`, "/replicas': got string, want integer"},
		{`replica: 3`, "additional properties 'replica' not allowed"},
		{`image: {tag: "a b"}`, "/image/tag': 'a b' does not match pattern"},
		{`image: {digest: sha256:1234}`, "/image/digest': 'sha256:1234' does not match pattern"},
		{`image: {repository: "parking:latest", pullPolicy: Sometimes}`, "/image/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'"},
		{`gates: 257`, "/gates': maximum: got 257, want 256"},
		{`spaces: 1.5`, "/spaces': got number, want integer"},
		{`ack: -1`, "/ack': minimum: got -1, want 0"},
		{`push: pigeon`, "/push': value must be one of 'gossip', 'fanout'"},
		{`profile: wan`, "/profile': value must be one of 'lan', 'laptop'"},
		{`log: {level: loud}`, "/log/level': value must be one of 'debug', 'info', 'warn', 'error'"},
		{`metrics: {port: 80}`, "/metrics/port': minimum: got 80, want 1,024"},
		{`metrics: {port: 7946}`, "gossip.port and metrics.port are both 7946; one pod needs two ports"},
		{`cluster: Lot_7`, "/cluster': 'Lot_7' does not match pattern"},
		{`cookie: {value: a, existingSecret: b}`, "cookie.value and cookie.existingSecret exclude each other: give one"},
		{`cookie: {value: "  "}`, "/cookie/value': '  ' does not match pattern"},
		{`cookie: {key: ../../cookie}`, "/cookie/key': '../../cookie' does not match pattern"},
		{`resources: {limits: {memory: half a gig}}`, "/resources/limits/memory': 'half a gig' does not match pattern"},
		{`resources: {limits: {memory: 268435456}}`, "/resources/limits/memory': got number, want string"},
		{`resources: {limits: {gpu: "1"}}`, "additional properties 'gpu' not allowed"},
		{`runAsUser: 0`, "/runAsUser': minimum: got 0, want 1"},
		{`podDisruptionBudget: {maxUnavailable: 0}`, "/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1"},
		{`service: {ipFamilies: [IPv5]}`, "/service/ipFamilies/0': value must be one of 'IPv4', 'IPv6'"},
		{`extraEnv: [{name: A-B, value: c}]`, "/extraEnv/0/name': 'A-B' does not match pattern"},
		{`extraEnv: [{name: PARKING_COOKIE, value: limozeen}]`, "extraEnv sets PARKING_COOKIE, which is the chart's; see values.yaml for the value that decides it"},
		{`extraEnv: [{name: PARKING_CLUSTER, value: east}]`, "extraEnv sets PARKING_CLUSTER, which is the chart's"},
		{`extraEnv: [{name: PARKING_Log_Level, value: debug}]`, "extraEnv sets PARKING_Log_Level, which is the chart's"},
		{`extraEnv: [{name: A, value: b}, {name: A, value: c}]`, "extraEnv sets A twice"},
		{`terminationGracePeriodSeconds: 1`, "/terminationGracePeriodSeconds': minimum: got 1, want 10"},
		{`fullnameOverride: parking-of-the-old-town-garage`, "/fullnameOverride': 'parking-of-the-old-town-garage' does not match pattern"},
		{`resources: {limits: {cpu: 0}}`, "/resources/limits/cpu': exclusiveMinimum: got 0, want 0"},
		{`log: null`, "missing property 'log'"},
		{`clusterDomain: ""`, "/clusterDomain': '' does not match pattern"},
	} {
		t.Run(c.values, func(t *testing.T) { refuse(t, release{name: "lot", values: values(t, c.values)}, c.says) })
	}
	for name, says := range map[string]string{
		"parking-of-the-old-town-garage": `the name "parking-of-the-old-town-garage" is too long: a pod's name is its node's and has at most 32 characters`,
		"parking.v2":                     `the name "parking.v2" cannot name nodes and Services: set fullnameOverride`,
		"7-parking":                      `the name "7-parking" cannot name nodes and Services: set fullnameOverride`,
	} {
		t.Run(name, func(t *testing.T) { refuse(t, release{name: name}, says) })
	}
}

// A value that is taken away is refused by the schema, or makes what Kubernetes
// understands: no template stumbles.
func TestWithoutAValue(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	var each func(all map[string]any, path string)
	each = func(all map[string]any, path string) {
		for name, value := range all {
			text := path + name + ": null" + strings.Repeat("}", strings.Count(path, "{"))
			r := release{name: "lot", values: values(t, text)}
			if _, err := r.render(); err == nil {
				r.objects(t)
			} else if refused++; !strings.Contains(err.Error(), "missing property '"+name+"'") {
				t.Errorf("%s: %v", text, err)
			}
			if section, ok := value.(map[string]any); ok {
				each(section, path+name+": {")
			}
		}
	}
	each(c.Values, "")
	if refused < 20 {
		t.Errorf("only %d were refused", refused)
	}
}

func refuse(t *testing.T, r release, says string) {
	t.Helper()
	_, err := r.render()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v; want one that says %q", err, says)
	}
}
