package charttest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	helm "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/release/v1/util"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// cluster is as much of a Kubernetes API as a template's lookup sees: the Secrets,
// ConfigMaps and StatefulSets of one namespace.
type cluster struct {
	mu      sync.Mutex
	objects map[string]runtime.Object // by secrets/NAME or configmaps/NAME
	sets    apps.StatefulSetList
}

// newCluster starts one that ends with the test.
func newCluster(t *testing.T) (*cluster, *rest.Config) {
	c := &cluster{objects: make(map[string]runtime.Object)}
	c.sets.TypeMeta = metav1.TypeMeta{Kind: "StatefulSetList", APIVersion: "apps/v1"}
	mux := http.NewServeMux()
	resources := func(path, version string, kinds ...string) {
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version}
		for _, kind := range kinds {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: strings.ToLower(kind) + "s", Namespaced: true, Kind: kind})
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, list) })
	}
	resources("/api/v1", "v1", "Secret", "ConfigMap")
	resources("/apis/apps/v1", "apps/v1", "StatefulSet")
	mux.HandleFunc("GET /apis/apps/v1/namespaces/"+namespace+"/statefulsets", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		answer(w, http.StatusOK, c.sets)
	})
	mux.HandleFunc("GET /api/v1/namespaces/"+namespace+"/{resource}/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if o := c.objects[r.PathValue("resource")+"/"+r.PathValue("name")]; o != nil {
			answer(w, http.StatusOK, o)
			return
		}
		answer(w, http.StatusNotFound, metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
		})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return c, &rest.Config{Host: server.URL}
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// keep is what helm does with what it has rendered, and kubectl with another.
func (c *cluster) keep(objects ...runtime.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range objects {
		switch o := o.(type) {
		case *core.Secret:
			c.objects["secrets/"+o.Name] = o
		case *core.ConfigMap:
			c.objects["configmaps/"+o.Name] = o
		case *apps.StatefulSet:
			c.sets.Items = []apps.StatefulSet{*o}
		}
	}
}

// secret makes one as kubectl does, or changes it.
func (c *cluster) secret(name string, entries ...string) {
	s := &core.Secret{
		TypeMeta:   metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Data:       make(map[string][]byte),
	}
	for i := 0; i < len(entries); i += 2 {
		s.Data[entries[i]] = []byte(entries[i+1])
	}
	c.keep(s)
}

// cookie returns what the pods of the StatefulSet find in the Secret.
func (c *cluster) cookie(t *testing.T) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	pod := c.sets.Items[0].Spec.Template.Spec
	secret, _ := c.objects["secrets/"+pod.Volumes[1].Secret.SecretName].(*core.Secret)
	for _, e := range pod.Containers[0].Env {
		if e.Name == "PARKING_COOKIE_FILE" && secret != nil {
			return string(secret.Data[path.Base(e.Value)])
		}
	}
	t.Fatalf("the pods have no cookie")
	return ""
}

const ownSecret = "lot-parking-cookie"

func TestCookie(t *testing.T) {
	api, config := newCluster(t)
	// play renders the chart, does what it says, and returns the pods' cookie.
	play := func(upgrade bool, text string) string {
		t.Helper()
		api.keep(release{"lot", values(t, text), upgrade, config}.objects(t)...)
		return api.cookie(t)
	}
	wrong := func(text, says string) {
		t.Helper()
		refuse(t, release{"lot", values(t, text), true, config}, says)
	}

	made := play(false, `{}`)
	if len(made) < 43 {
		t.Fatalf("a cookie of %d characters was made", len(made))
	}
	if other := string(one[*core.Secret](t, release{name: "lot"}.objects(t)).Data["cookie"]); other == made {
		t.Fatal("two installs have the same cookie")
	}
	for range 2 {
		if kept := play(true, `{gates: 6}`); kept != made {
			t.Fatal("an upgrade made another cookie")
		}
	}
	wrong(`cookie: {key: secret}`, "cookie.key: the Secret lot-parking-cookie has no secret, but cookie")
	wrong(`cookie: {value: limozeen}`, "cookie.value is not what the Secret lot-parking-cookie holds")

	// Rotated: the Secret was changed by hand, and upgrades leave it.
	api.secret(ownSecret, "cookie", "limozeen\n", "next", "limozeen")
	for _, values := range []string{`{}`, `cookie: {value: limozeen}`} {
		if kept := play(true, values); strings.TrimSpace(kept) != "limozeen" {
			t.Errorf("an upgrade with %s undid a rotation: %s", values, kept)
		}
	}
	wrong(`cookie: {value: sesame}`, "rotate the cookie")

	// Another Secret may take its place, if it has the same cookie.
	const lose = "does not have what the pods that run have from lot-parking-cookie, and pods with another cookie would lose them"
	wrong(`cookie: {existingSecret: mine}`, "cookie: the Secret mine "+lose)
	api.secret("mine", "cookie", "sesame")
	wrong(`cookie: {existingSecret: mine}`, "cookie: the Secret mine "+lose)
	api.secret("mine", "cookie", "limozeen", "old", "sesame")
	if kept := play(true, `cookie: {existingSecret: mine}`); kept != "limozeen" {
		t.Errorf("the pods have the cookie %s", kept)
	}
	wrong(`cookie: {existingSecret: mine, key: old}`, "cookie: the Secret mine does not have what the pods that run have from mine")
	wrong(`cookie: {existingSecret: mine, key: new}`, "cookie.key: the Secret mine has no new, but cookie, old")
	delete(api.objects, "secrets/"+ownSecret)
	wrong(`{}`, "cookie: the Secret lot-parking-cookie does not have what the pods that run have from mine")
	if kept := play(true, `cookie: {value: limozeen}`); kept != "limozeen" {
		t.Errorf("the pods have the cookie %s", kept)
	}
	delete(api.objects, "secrets/"+ownSecret)
	wrong(`{}`, "cookie: the Secret lot-parking-cookie, with which the pods that run were started, has no cookie any more; put their cookie back there first")

	if given := string(one[*core.Secret](t, release{name: "lot", values: values(t, `cookie: {value: sesame}`)}.objects(t)).Data["cookie"]); given != "sesame" {
		t.Errorf("the cookie given is %s", given)
	}
}

// What helm applies with a release, in a rollback as it was, has no Secret: that is
// made where there is none, and neither written again nor deleted.
func TestARollbackLeavesTheCookie(t *testing.T) {
	texts, err := release{name: "lot"}.render()
	if err != nil {
		t.Fatal(err)
	}
	delete(texts, "templates/NOTES.txt")
	hooks, objects, err := util.SortManifests(texts, nil, util.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.Head.Kind == "Secret" {
			t.Errorf("a rollback writes the Secret %s", o.Head.Metadata.Name)
		}
	}
	for _, h := range hooks {
		if h.Kind != "Secret" {
			continue
		}
		same(t, "when it is made", h.Events, []helm.HookEvent{helm.HookPreInstall, helm.HookPreUpgrade})
		same(t, "when it is deleted", h.DeletePolicies, []helm.HookDeletePolicy{helm.HookFailed}) // none: before it is made
	}
	if len(hooks) != 2 {
		t.Errorf("%d hooks, want the Secret and the test", len(hooks))
	}

	// As the hook never writes it again, it is there for another install only.
	api, config := newCluster(t)
	api.secret(ownSecret, "cookie", "limozeen")
	again := release{name: "lot", cluster: config}
	if n := every[*core.Secret](again.objects(t)); len(n) > 0 {
		t.Error("an install would write the Secret that is left of another")
	}
	again.values = values(t, `cookie: {value: sesame}`)
	refuse(t, again, "or delete a Secret that no pod uses")
}

// What would part new pods from those that run is refused by an upgrade.
func TestUpgradesPartNobody(t *testing.T) {
	api, config := newCluster(t)
	api.keep(release{name: "lot", cluster: config}.objects(t)...)
	for text, says := range map[string]string{
		`cluster: east`:           "cluster: the pods that run have lot-parking, and those with east would lose them",
		`gossip: {port: 7947}`:    "gossip.port: the pods that run have 7946, and those with 7947 would lose them",
		`clusterDomain: o.local`:  "clusterDomain: the pods that run have dns:lot-parking-headless.garage.svc.cluster.local.:7946, and those with dns:lot-parking-headless.garage.svc.o.local.:7946 would lose them",
		`nameOverride: other`:     "fullnameOverride or nameOverride: the pods that run have lot-parking, and those with lot-other would lose them",
		`fullnameOverride: other`: "fullnameOverride or nameOverride: the pods that run have lot-parking, and those with other would lose them",
		`{nameOverride: other, fullnameOverride: lot-parking}`: "nameOverride: the pods that run have parking, and those with other would lose them",
	} {
		refuse(t, release{"lot", values(t, text), true, config}, says)
	}
	for _, text := range []string{`{}`, `metrics: {port: 9103}`, `{gates: 8, spaces: 7, log: {level: debug}}`, `cluster: lot-parking`, `fullnameOverride: lot-parking`} {
		api.keep(release{"lot", values(t, text), true, config}.objects(t)...)
	}

	// Another release, and what is not of the chart, are no concern of this one.
	api.sets.Items = append(api.sets.Items, apps.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"}})
	for _, o := range (release{name: "hill", cluster: config}).objects(t) {
		if s, ok := o.(*apps.StatefulSet); ok {
			api.sets.Items = append(api.sets.Items, *s)
		}
	}
	if _, err := (release{"lot", nil, true, config}).render(); err != nil {
		t.Error(err)
	}
}

// A cookie stands in the Secret and nowhere else.
func TestTheCookieIsToldToNobody(t *testing.T) {
	const cookie = "sesame-open"
	texts, err := release{name: "lot", values: values(t, `cookie: {value: `+cookie+`}`)}.render()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range texts {
		if strings.Contains(text, cookie) || path != "templates/secret.yaml" && strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(cookie))) {
			t.Errorf("%s tells the cookie", path)
		}
	}
}

func notes(t *testing.T, r release) string {
	t.Helper()
	texts, err := r.render()
	if err != nil {
		t.Fatal(err)
	}
	return texts["templates/NOTES.txt"]
}

// The notes name pods that there are.
func TestNotes(t *testing.T) {
	for name, says := range map[string]string{
		"parking": "kubectl exec -it -n garage parking-0 -- /parking attach\n",
		"lot":     "kubectl exec -it -n garage lot-parking-0 -- /parking attach\n",
	} {
		if n := notes(t, release{name: name}); !strings.Contains(n, says) || strings.Contains(n, "WARNING") {
			t.Errorf("the notes of %s:\n%s", name, n)
		}
	}
	for text, says := range map[string]string{
		`replicas: 1`: "WARNING: one node alone",
		`metrics: {serviceMonitor: {enabled: true}}`: "WARNING: the NetworkPolicy lets only pods of the namespace garage",
		`{}`: "kubectl delete secret -n garage lot-parking-cookie",
	} {
		if n := notes(t, release{name: "lot", values: values(t, text)}); !strings.Contains(n, says) {
			t.Errorf("with %s the notes do not say %q:\n%s", text, says, n)
		}
	}
	open := values(t, `{cookie: {existingSecret: mine}, metrics: {serviceMonitor: {enabled: true}}, networkPolicy: {metricsFrom: [{namespaceSelector: {}}]}}`)
	if n := notes(t, release{name: "lot", values: open}); strings.Contains(n, "WARNING") || strings.Contains(n, "delete secret") {
		t.Errorf("the notes:\n%s", n)
	}
}
