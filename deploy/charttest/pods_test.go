package charttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	k8s "k8s.io/apimachinery/pkg/runtime"
)

// kubelet runs pods as processes of this host, each with an address on loopback:
// with the command, the environment and the files that their specification says, and
// where root runs the test, as the user. It isolates nothing.
type kubelet struct {
	files map[string]map[string][]byte // of ConfigMaps and Secrets, by name
	names *nameserver
	// All pods have one network, so each has the port for metrics on its own
	// address only. Else, as in Kubernetes, on all that there are.
	crowded bool
}

func newKubelet(objects []k8s.Object, names *nameserver) *kubelet {
	k := &kubelet{files: make(map[string]map[string][]byte), names: names}
	for _, c := range every[*core.ConfigMap](objects) {
		files := make(map[string][]byte)
		for name, text := range c.Data {
			files[name] = []byte(text)
		}
		k.files["config "+c.Name] = files
	}
	for _, s := range every[*core.Secret](objects) {
		k.files["secret "+s.Name] = s.Data
	}
	return k
}

// pod is one that was started.
type pod struct {
	t    *testing.T
	name string
	ip   netip.Addr
	root string
	spec core.Container
	cmd  *exec.Cmd
	env  []string
	user *syscall.SysProcAttr
	out  *bytes.Buffer // until it has ended
	end  chan error
}

// start runs a pod. At the test's end it is killed, if need be.
func (k *kubelet) start(t *testing.T, of core.Pod, ip netip.Addr) *pod {
	t.Helper()
	root, err := os.MkdirTemp("", "pod") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &pod{t: t, name: of.Name, ip: ip, root: root, spec: of.Spec.Containers[0], out: new(bytes.Buffer), end: make(chan error, 1)}
	paths := k.mount(t, root, of.Spec)
	for _, e := range p.spec.Env {
		p.env = append(p.env, e.Name+"="+value(t, e, of.Name, ip, paths))
	}
	p.env = append(p.env, "PARKING_DNS_SERVER="+k.names.addr)
	if k.crowded {
		p.env = append(p.env, "PARKING_METRICS="+p.at("metrics"))
	}
	if p.spec.Command[0] != "/parking" {
		t.Fatalf("the image has no %s", p.spec.Command[0])
	}
	p.cmd = exec.Command(program(t), append(p.spec.Command[1:], p.spec.Args...)...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.env, root, p.out, p.out
	if s := of.Spec.SecurityContext; os.Getuid() == 0 {
		p.user = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: uint32(*s.RunAsUser), Gid: uint32(*s.RunAsGroup), Groups: []uint32{uint32(*s.FSGroup)},
		}}
	}
	p.cmd.SysProcAttr = p.user
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.end <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.stop(os.Kill)
		if t.Failed() {
			t.Logf("%s at %s:\n%s", of.Name, ip, p.out)
		}
	})
	return p
}

// mount makes the volumes below root and returns where each path is.
func (k *kubelet) mount(t *testing.T, root string, spec core.PodSpec) *strings.Replacer {
	t.Helper()
	var moved []string
	for _, m := range spec.Containers[0].VolumeMounts {
		dir := filepath.Join(root, m.MountPath)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		moved = append(moved, m.MountPath, dir)
		for _, v := range spec.Volumes {
			switch {
			case v.Name != m.Name:
			case v.ConfigMap != nil:
				fill(t, dir, k.files["config "+v.ConfigMap.Name], 0o644, nil)
			case v.Secret != nil:
				fill(t, dir, k.files["secret "+v.Secret.SecretName], os.FileMode(*v.Secret.DefaultMode), spec.SecurityContext.FSGroup)
			case v.EmptyDir != nil:
				if err := os.Chmod(dir, 0o777); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return strings.NewReplacer(moved...)
}

// fill writes files into a directory in which the pod cannot write: to its user they
// are root's, and group may read them. Only root can give files to others.
func fill(t *testing.T, dir string, files map[string][]byte, mode os.FileMode, group *int64) {
	t.Helper()
	own := func(file string) error { return os.Chmod(file, mode) }
	if group != nil && os.Getuid() == 0 {
		own = func(file string) error {
			return errors.Join(os.Chown(file, 0, int(*group)), os.Chmod(file, mode|0o040))
		}
	}
	err := os.Chmod(dir, 0o755)
	for name, text := range files {
		file := filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(file, text, 0o600), own(file))
	}
	if err := errors.Join(err, os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // to be removed
}

func value(t *testing.T, e core.EnvVar, name string, ip netip.Addr, paths *strings.Replacer) string {
	t.Helper()
	if e.ValueFrom == nil {
		return paths.Replace(e.Value)
	}
	switch f := e.ValueFrom.FieldRef; {
	case f != nil && f.FieldPath == "metadata.name":
		return name
	case f != nil && f.FieldPath == "status.podIP":
		return ip.String()
	}
	t.Fatalf("%s is from nowhere: %v", e.Name, e.ValueFrom)
	return ""
}

func (p *pod) port(name string) int {
	for _, c := range p.spec.Ports {
		if c.Name == name {
			return int(c.ContainerPort)
		}
	}
	return 0
}

// at returns where a port of the pod is.
func (p *pod) at(port string) string {
	return net.JoinHostPort(p.ip.String(), strconv.Itoa(p.port(port)))
}

// probe reports whether the pod passes a probe.
func (p *pod) probe(probe *core.Probe) bool {
	url := "http://" + p.at(probe.HTTPGet.Port.String()) + probe.HTTPGet.Path
	client := http.Client{Timeout: time.Duration(probe.TimeoutSeconds) * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode >= 200 && answer.StatusCode < 400
}

// await waits until the pod passes a probe.
func (p *pod) await(probe *core.Probe) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for tick := time.Tick(50 * time.Millisecond); !p.probe(probe); {
		select {
		case <-tick:
		case <-ctx.Done():
			p.t.Fatalf("%s does not pass %s", p.ip, probe.HTTPGet.Path)
		case err := <-p.end:
			p.end <- err
			p.t.Fatalf("%s ended: %v", p.ip, err)
		}
	}
}

// exec runs a command at the node's prompt, as kubectl exec does.
func (p *pod) exec(command string, flags ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program(p.t), append([]string{"attach", "-c", command}, flags...)...)
	var stderr strings.Builder
	c.Env, c.Stderr, c.SysProcAttr = p.env, &stderr, p.user
	out, err := c.Output()
	if err != nil {
		p.t.Fatalf("%s: %s: %v\n%s%s", p.ip, command, err, out, stderr.String())
	}
	return string(out)
}

// stop sends a signal and returns how the process ended.
func (p *pod) stop(s os.Signal) error {
	_ = p.cmd.Process.Signal(s) // it may have ended
	select {
	case err := <-p.end:
		p.end <- err
		return err
	case <-time.After(time.Minute):
		p.t.Errorf("%s does not end", p.ip)
		return os.ErrDeadlineExceeded
	}
}

// The pods as rendered make a cluster: they find each other by the headless
// Service's name, pass their probes, outlive one of them, take it back at another
// address, and pass helm test. What no process can show is what Kubernetes itself
// does.
func TestPods(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs all of 127.0.0.0/8 on the loopback interface, as Linux has it")
	}
	ports := freePorts(t)
	v := values(t, fmt.Sprintf(`{gossip: {port: %d}, metrics: {port: %d}, log: {format: text}}`, ports[0], ports[1]))
	objects := release{name: "lot", values: v}.objects(t)
	set := one[*apps.StatefulSet](t, objects)
	c := set.Spec.Template.Spec.Containers[0]
	names := newNameserver(t, set.Spec.ServiceName+"."+namespace+".svc.cluster.local.")
	k := newKubelet(objects, names)
	k.crowded = true

	addrs := make([]netip.Addr, *set.Spec.Replicas)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{127, 46, 0, byte(i + 1)})
	}
	names.set(addrs...) // it tells of pods that are not ready
	pods := make([]*pod, len(addrs))
	launch := func(i int, ip netip.Addr) {
		of := core.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
		of.Name = fmt.Sprintf("%s-%d", set.Name, i)
		pods[i] = k.start(t, of, ip)
	}
	for i, ip := range addrs {
		launch(i, ip)
	}
	for _, p := range pods {
		p.await(c.StartupProbe)
		p.await(c.ReadinessProbe)
	}
	for _, p := range pods {
		p.exec("await members 3 30s")
	}
	pods[0].exec(`track_entry "ABC 123" 1`)
	pods[1].exec(`await vehicle "ABC 123" 30s`)

	// One dies, and comes back at another address, as pods do.
	if err := pods[0].stop(os.Kill); err == nil {
		t.Fatal("a killed process ended well")
	}
	pods[1].exec("await members 2 30s")
	addrs[0] = netip.AddrFrom4([4]byte{127, 46, 0, 99})
	names.set(addrs...)
	launch(0, addrs[0])
	pods[0].await(c.ReadinessProbe)
	for _, p := range pods {
		p.exec("await members 3 30s")
		if out := p.exec("read"); !strings.Contains(out, "ABC 123") {
			t.Errorf("%s has not what was recorded by the pod that died:\n%s", p.ip, out)
		}
	}

	test := k.start(t, *one[*core.Pod](t, objects), netip.AddrFrom4([4]byte{127, 46, 1, 1}))
	select {
	case err := <-test.end:
		test.end <- err
		if err != nil || !strings.Contains(test.out.String(), "ABC 123") {
			t.Errorf("helm test: %v\n%s", err, test.out)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("helm test does not end")
	}

	rotate(t, k, pods, objects, launch)
	launch(2, addrs[2])
	pods[2].await(c.ReadinessProbe)
	pods[2].exec("await members 3 30s") // it has the cookie of the others

	for _, p := range pods {
		if !p.probe(c.LivenessProbe) {
			t.Errorf("%s would be restarted", p.ip)
		}
	}
	for _, p := range pods {
		// It left, and says which signal ended it.
		var end *exec.ExitError
		if err := p.stop(syscall.SIGTERM); !errors.As(err, &end) || end.ExitCode() != 128+int(syscall.SIGTERM) {
			t.Errorf("%s, told to end: %v", p.ip, err)
		}
	}
	if s := names.strangers(); len(s) > 0 {
		t.Errorf("the nodes ask for other names, too: %v", s)
	}
}

// rotate changes the cookie as docs/kubernetes.md tells: the new one comes beside
// the old, the nodes take it, the Secret follows. A pod that starts too early is told.
func rotate(t *testing.T, k *kubelet, pods []*pod, objects []k8s.Object, launch func(int, netip.Addr)) {
	t.Helper()
	files, next := k.files["secret "+one[*core.Secret](t, objects).Name], []byte("sesame-sesame")
	const dir = "/etc/parking/cookie"
	group := one[*apps.StatefulSet](t, objects).Spec.Template.Spec.SecurityContext.FSGroup
	for _, p := range pods {
		fill(t, filepath.Join(p.root, dir), map[string][]byte{"next": next}, 0o400, group)
	}
	out := pods[1].exec("cookie rotate "+filepath.Join(pods[1].root, dir, "next"), "--format", "json")
	var told struct {
		Nodes []struct {
			Node, State, Todo string
			Kept              bool
		}
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatal(err)
	}
	rotated := make(map[string]bool)
	for _, n := range told.Nodes {
		// No pod can write to what is mounted: that the Secret has to follow is said.
		rotated[n.Node] = n.State == "rotated" && !n.Kept &&
			strings.HasPrefix(n.Todo, "put the new cookie ") && strings.Contains(n.Todo, " before its next start")
	}
	for _, p := range pods {
		if !rotated[p.name] {
			t.Errorf("%s has not the new cookie, or not what to do about its file:\n%s", p.name, out)
		}
	}
	if err := pods[2].stop(os.Kill); err == nil {
		t.Fatal("a killed process ended well")
	}
	pods[1].exec("await members 2 30s")
	launch(2, pods[2].ip)
	select {
	case err := <-pods[2].end:
		pods[2].end <- err
		if out := pods[2].out.String(); err == nil || !strings.Contains(out, "rotated") {
			t.Errorf("a pod that started with the old cookie: %v\n%s", err, out)
		}
	case <-time.After(time.Minute):
		t.Error("a pod that started with the old cookie goes on")
	}
	files["cookie"] = next
}

// freePorts returns two that are free on loopback.
func freePorts(t *testing.T) (ports [2]int) {
	t.Helper()
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// A pod may have an address of the other family, and its probes come there.
func TestAPodOfIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("needs IPv6 on the loopback interface: ", err)
	} else {
		l.Close()
	}
	ports := freePorts(t)
	v := values(t, fmt.Sprintf(`{replicas: 1, gossip: {port: %d}, metrics: {port: %d}, log: {format: text}}`, ports[0], ports[1]))
	objects := release{name: "six", values: v}.objects(t)
	set := one[*apps.StatefulSet](t, objects)
	names := newNameserver(t, set.Spec.ServiceName+"."+namespace+".svc.cluster.local.")
	names.set(netip.IPv6Loopback())
	of := core.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	of.Name = set.Name + "-0"
	p := newKubelet(objects, names).start(t, of, netip.IPv6Loopback())
	c := of.Spec.Containers[0]
	p.await(c.StartupProbe)
	p.await(c.ReadinessProbe)
	if out := p.exec("members"); !strings.Contains(out, p.at("gossip-tcp")) {
		t.Errorf("the node is not at %s:\n%s", p.at("gossip-tcp"), out)
	}
}
