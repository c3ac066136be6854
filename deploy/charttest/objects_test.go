package charttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	security "k8s.io/pod-security-admission/policy"
)

func init() {
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		panic(err)
	}
}

// eachFile renders the chart with each file of values.
func eachFile(t *testing.T, check func(t *testing.T, values map[string]any, objects []runtime.Object)) {
	for name, values := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			check(t, values, release{name: "lot", values: values}.objects(t))
		})
	}
}

func TestObjectsAreNamedAndLabelled(t *testing.T) {
	eachFile(t, func(t *testing.T, _ map[string]any, objects []runtime.Object) {
		seen := make(map[string]bool)
		for _, o := range objects {
			m, err := meta.Accessor(o)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%T %s", o, m.GetName())
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			for _, label := range []string{"name", "instance", "version", "managed-by", "part-of"} {
				if m.GetLabels()["app.kubernetes.io/"+label] == "" {
					t.Errorf("%s has no label %s", name, label)
				}
			}
			if m.GetNamespace() != "" {
				t.Errorf("%s names a namespace; that is the release's", name)
			}
		}
	})
}

// Each selector finds the pods that it is for, and no other.
func TestSelectors(t *testing.T) {
	eachFile(t, func(t *testing.T, _ map[string]any, objects []runtime.Object) {
		set := one[*apps.StatefulSet](t, objects)
		node, test := labels.Set(set.Spec.Template.Labels), labels.Set(one[*core.Pod](t, objects).Labels)
		find := func(who string, selector *metav1.LabelSelector, tests bool) {
			t.Helper()
			s, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Matches(node) || s.Matches(test) != tests {
				t.Errorf("%s selects nodes: %t, the test's pod: %t", who, s.Matches(node), s.Matches(test))
			}
		}
		find("the StatefulSet", set.Spec.Selector, false)
		for _, s := range every[*core.Service](objects) {
			find("Service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, false)
		}
		for _, b := range every[*policy.PodDisruptionBudget](objects) {
			find("the budget", b.Spec.Selector, false)
		}
		for _, p := range every[*networking.NetworkPolicy](objects) {
			find("the policy", &p.Spec.PodSelector, true)
			find("its gossip in", p.Spec.Ingress[0].From[0].PodSelector, true)
			find("its gossip out", p.Spec.Egress[0].To[0].PodSelector, true)
		}
		for _, c := range set.Spec.Template.Spec.TopologySpreadConstraints {
			if c.WhenUnsatisfiable == core.DoNotSchedule { // the one in the values has a selector of its own
				same(t, "a constraint's own selector", slices.Collect(maps.Keys(c.LabelSelector.MatchLabels)), []string{"app.kubernetes.io/instance"})
				continue
			}
			find("a constraint", c.LabelSelector, false)
		}
	})
}

// Gossip is TCP and UDP, on one port, at the pods, in the Service and in the
// policy; the metrics port is another and the same everywhere.
func TestPorts(t *testing.T) {
	eachFile(t, func(t *testing.T, values map[string]any, objects []runtime.Object) {
		gossip, metrics := int32(port(values, "gossip", 7946)), int32(port(values, "metrics", 9102))
		both := []string{fmt.Sprint("TCP ", gossip), fmt.Sprint("UDP ", gossip)}
		set := one[*apps.StatefulSet](t, objects)
		container := set.Spec.Template.Spec.Containers[0]
		var ports []string
		named := make(map[string]int32)
		for _, p := range container.Ports {
			ports = append(ports, fmt.Sprint(p.Protocol, " ", p.ContainerPort))
			named[p.Name] = p.ContainerPort
		}
		same(t, "the pods' ports", ports, append(slices.Clone(both), fmt.Sprint("TCP ", metrics)))

		services := make(map[string]*core.Service)
		for _, s := range every[*core.Service](objects) {
			services[s.Name] = s
			for _, p := range s.Spec.Ports {
				if named[p.TargetPort.String()] != p.Port {
					t.Errorf("Service %s: port %d is %s, which the pods do not have", s.Name, p.Port, p.TargetPort.String())
				}
			}
		}
		headless, client := services[set.Spec.ServiceName], services[set.Name]
		if headless == nil || client == nil || len(services) != 2 {
			t.Fatalf("Services %v", services)
		}
		same(t, "the headless Service", servicePorts(headless), both)
		if headless.Spec.ClusterIP != core.ClusterIPNone || !headless.Spec.PublishNotReadyAddresses {
			t.Error("the headless Service does not tell the addresses of pods that are not ready")
		}
		same(t, "the client Service", servicePorts(client), []string{fmt.Sprint("TCP ", metrics)})
		if client.Spec.PublishNotReadyAddresses || client.Spec.ClusterIP == core.ClusterIPNone {
			t.Error("the client Service sends to pods that are not ready")
		}

		for _, p := range every[*networking.NetworkPolicy](objects) {
			same(t, "gossip in", policyPorts(p.Spec.Ingress[0].Ports), both)
			same(t, "gossip out", policyPorts(p.Spec.Egress[0].Ports), both)
			same(t, "metrics in", policyPorts(p.Spec.Ingress[1].Ports), []string{fmt.Sprint("TCP ", metrics)})
			same(t, "names out", policyPorts(p.Spec.Egress[1].Ports), []string{"TCP 53", "UDP 53"})
			if len(p.Spec.Ingress[1].From) == 0 {
				t.Error("everybody may read the metrics")
			}
			same(t, "directions", p.Spec.PolicyTypes, []networking.PolicyType{networking.PolicyTypeEgress, networking.PolicyTypeIngress})
		}
		for _, m := range every[*monitoring.ServiceMonitor](objects) {
			s, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Matches(labels.Set(client.Labels)) || s.Matches(labels.Set(headless.Labels)) || m.Spec.Endpoints[0].Port != client.Spec.Ports[0].Name {
				t.Error("the ServiceMonitor does not select the metrics port, once")
			}
		}
	})
}

func port(values map[string]any, of string, or int) int {
	if m, ok := values[of].(map[string]any); ok {
		if p, ok := m["port"].(float64); ok {
			return int(p)
		}
	}
	return or
}

func servicePorts(s *core.Service) (ports []string) {
	for _, p := range s.Spec.Ports {
		ports = append(ports, fmt.Sprint(p.Protocol, " ", p.Port))
	}
	return ports
}

func policyPorts(of []networking.NetworkPolicyPort) (ports []string) {
	for _, p := range of {
		ports = append(ports, fmt.Sprint(*p.Protocol, " ", p.Port))
	}
	return ports
}

// same compares in any order.
func same[T ~string](t *testing.T, what string, got, want []T) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// What an admission controller asks of a namespace that is enforced as restricted,
// in Kubernetes' own words.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := security.NewEvaluator(security.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	eachFile(t, func(t *testing.T, _ map[string]any, objects []runtime.Object) {
		for _, pod := range pods(t, objects) {
			for _, r := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
				if !r.Allowed {
					t.Errorf("%s: %s: %s", pod.Name, r.ForbiddenReason, r.ForbiddenDetail)
				}
			}
			if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
				t.Errorf("%s has a token of the API", pod.Name)
			}
			if links := pod.Spec.EnableServiceLinks; links == nil || *links {
				t.Errorf("%s has variables of Services", pod.Name)
			}
			for _, c := range pod.Spec.Containers {
				if ro := c.SecurityContext.ReadOnlyRootFilesystem; ro == nil || !*ro {
					t.Errorf("%s can write to its root", pod.Name)
				}
			}
		}
	})
}

// A label or annotation of one's own may not take the place of the chart's.
func TestOwnLabels(t *testing.T) {
	v := values(t, `{podLabels: {team: garage, app.kubernetes.io/component: mine}, podAnnotations: {checksum/settings: none, a: b}}`)
	pod := one[*apps.StatefulSet](t, release{name: "lot", values: v}.objects(t)).Spec.Template
	if pod.Labels["team"] != "garage" || pod.Labels["app.kubernetes.io/component"] != "node" {
		t.Errorf("labels %v", pod.Labels)
	}
	if pod.Annotations["a"] != "b" || len(pod.Annotations["checksum/settings"]) != 64 {
		t.Errorf("annotations %v", pod.Annotations)
	}
}

// pods returns the pod of the nodes and the test's.
func pods(t *testing.T, objects []runtime.Object) []core.Pod {
	t.Helper()
	set := one[*apps.StatefulSet](t, objects)
	node := core.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	node.Name = set.Name + "-0"
	return []core.Pod{node, *one[*core.Pod](t, objects)}
}

// What a pod mounts and refers to is made by the chart, or said to exist.
func TestReferences(t *testing.T) {
	eachFile(t, func(t *testing.T, values map[string]any, objects []runtime.Object) {
		there := map[string]bool{"Secret lot-7-secrets": true, "ServiceAccount default": true, "ConfigMap lot-7-extra": true}
		for _, o := range objects {
			m, err := meta.Accessor(o)
			if err != nil {
				t.Fatal(err)
			}
			there[o.GetObjectKind().GroupVersionKind().Kind+" "+m.GetName()] = true
		}
		for _, pod := range pods(t, objects) {
			need := []string{"ServiceAccount " + pod.Spec.ServiceAccountName}
			mounted := make(map[string]bool)
			for _, v := range pod.Spec.Volumes {
				mounted[v.Name] = true
				if v.ConfigMap != nil {
					need = append(need, "ConfigMap "+v.ConfigMap.Name)
				}
				if v.Secret != nil {
					need = append(need, "Secret "+v.Secret.SecretName)
				}
			}
			for _, m := range pod.Spec.Containers[0].VolumeMounts {
				if !mounted[m.Name] {
					t.Errorf("%s mounts %s, which there is not", pod.Name, m.Name)
				}
			}
			for _, e := range pod.Spec.Containers[0].Env {
				if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
					need = append(need, "ConfigMap "+e.ValueFrom.ConfigMapKeyRef.Name)
				}
			}
			for _, n := range need {
				if !there[n] {
					t.Errorf("%s refers to %s, which there is not", pod.Name, n)
				}
			}
		}
	})
}

func TestStatefulSet(t *testing.T) {
	objects := release{name: "parking", values: nil}.objects(t)
	set := one[*apps.StatefulSet](t, objects)
	pod := set.Spec.Template.Spec
	if set.Name != "parking" || *set.Spec.Replicas != 3 || set.Spec.PodManagementPolicy != apps.ParallelPodManagement {
		t.Errorf("%s, %d pods, %s", set.Name, *set.Spec.Replicas, set.Spec.PodManagementPolicy)
	}
	if *pod.TerminationGracePeriodSeconds != 30 {
		t.Errorf("a grace of %d s", *pod.TerminationGracePeriodSeconds)
	}
	c := pod.Containers[0]
	for path, probes := range map[string][]*core.Probe{"/livez": {c.LivenessProbe, c.StartupProbe}, "/readyz": {c.ReadinessProbe}} {
		for _, p := range probes {
			if p.HTTPGet.Path != path || p.HTTPGet.Port != intstr.FromString("metrics") {
				t.Errorf("a probe of %v, want %s on metrics", p.HTTPGet, path)
			}
		}
	}
	if budget := one[*policy.PodDisruptionBudget](t, objects).Spec.MaxUnavailable; budget.IntValue() != 1 {
		t.Errorf("%v pods may be evicted at once", budget)
	}
	if mode := *pod.Volumes[1].Secret.DefaultMode; mode != 0o400 {
		t.Errorf("the cookie has mode %o", mode)
	}
}

// 90 % of the limit, in whatever unit; none without a limit, and not twice.
func TestGoMemLimit(t *testing.T) {
	for limit, want := range map[string]string{
		"256Mi": "241591910", "1Gi": "966367641", "2G": "1800000000", "1000000": "900000", "500k": "450000", "": "",
	} {
		v := values(t, `resources: {limits: null}`)
		if limit != "" {
			v = values(t, fmt.Sprintf(`resources: {limits: {memory: %q}}`, limit))
		}
		same(t, "limit "+limit, memLimits(release{name: "lot", values: v}.objects(t)), strings.Fields(want))
	}
	own := values(t, `extraEnv: [{name: GOMEMLIMIT, value: 100MiB}]`)
	same(t, "one's own", memLimits(release{name: "lot", values: own}.objects(t)), []string{"100MiB"})
}

func memLimits(objects []runtime.Object) (limits []string) {
	for _, e := range every[*apps.StatefulSet](objects)[0].Spec.Template.Spec.Containers[0].Env {
		if e.Name == "GOMEMLIMIT" {
			limits = append(limits, e.Value)
		}
	}
	return limits
}

// Pods are replaced when they change, and they do not with the chart's version.
func TestThePodsHaveNoVersion(t *testing.T) {
	eachFile(t, func(t *testing.T, values map[string]any, objects []runtime.Object) {
		set := one[*apps.StatefulSet](t, objects)
		own, _ := values["podLabels"].(map[string]any)
		for label := range set.Spec.Template.Labels {
			if _, selects := set.Spec.Selector.MatchLabels[label]; !selects && own[label] == nil {
				t.Errorf("the pods have the label %s", label)
			}
		}
	})
}

// A changed setting rolls the pods; another number of them, or cookie, does not.
func TestWhatRollsThePods(t *testing.T) {
	sum := func(text string) string {
		objects := release{name: "lot", values: values(t, text)}.objects(t)
		return one[*apps.StatefulSet](t, objects).Spec.Template.Annotations["checksum/settings"]
	}
	was := sum(`cookie: {value: limozeen}`)
	if sum(`{replicas: 5, cookie: {value: sesame}}`) != was {
		t.Error("the number of pods or the cookie restarts them all")
	}
	for _, change := range []string{`gates: 5`, `log: {level: debug}`, `metrics: {port: 9103}`, `gossip: {port: 7947}`, `noFaults: true`} {
		if sum(change) == was {
			t.Errorf("%s restarts nothing", change)
		}
	}
}
