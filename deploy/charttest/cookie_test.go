package charttest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// cluster is as much of a Kubernetes API as a template's lookup sees: the Secrets
// and ConfigMaps of one namespace.
type cluster struct {
	mu      sync.Mutex
	objects map[string]runtime.Object // by secrets/NAME or configmaps/NAME
	found   int
}

// newCluster starts one that ends with the test.
func newCluster(t *testing.T) (*cluster, *rest.Config) {
	c := &cluster{objects: make(map[string]runtime.Object)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: "v1",
			APIResources: []metav1.APIResource{
				{Name: "secrets", SingularName: "secret", Namespaced: true, Kind: "Secret", Verbs: metav1.Verbs{"get"}},
				{Name: "configmaps", SingularName: "configmap", Namespaced: true, Kind: "ConfigMap", Verbs: metav1.Verbs{"get"}},
			},
		})
	})
	mux.HandleFunc("GET /api/v1/namespaces/"+namespace+"/{resource}/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if o := c.objects[r.PathValue("resource")+"/"+r.PathValue("name")]; o != nil {
			c.found++
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
		}
	}
}

func TestCookie(t *testing.T) {
	api, config := newCluster(t)
	// play renders the chart, does what it says, and returns the cookie.
	play := func(upgrade bool, text string) string {
		t.Helper()
		objects := release{"lot", values(t, text), upgrade, config}.objects(t)
		api.keep(objects...)
		return string(one[*core.Secret](t, objects).Data["cookie"])
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
	wrong(`cookie: {key: secret}`, "cookie.key: the Secret lot-parking-cookie has no secret, but cookie; leave the key as it was")
	wrong(`cookie: {value: limozeen}`, "cookie.value is not what the Secret lot-parking-cookie holds")

	// Rotated: the Secret was changed by hand, and upgrades leave it.
	api.keep(&core.Secret{
		TypeMeta:   metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "lot-parking-cookie", Namespace: namespace},
		Data:       map[string][]byte{"cookie": []byte("limozeen"), "next": []byte("limozeen")},
	})
	for _, values := range []string{`{}`, `cookie: {value: limozeen}`} {
		if kept := play(true, values); kept != "limozeen" {
			t.Errorf("an upgrade with %s undid a rotation: %s", values, kept)
		}
	}
	wrong(`cookie: {value: sesame}`, "rotate the cookie")

	existing := release{"lot", values(t, `cookie: {existingSecret: mine}`), true, config}
	if n := every[*core.Secret](existing.objects(t)); len(n) > 0 {
		t.Errorf("the chart makes %d Secrets beside the one that exists", len(n))
	}
	if given := string(one[*core.Secret](t, release{name: "lot", values: values(t, `cookie: {value: sesame}`)}.objects(t)).Data["cookie"]); given != "sesame" {
		t.Errorf("the cookie given is %s", given)
	}
	if api.found == 0 {
		t.Fatal("nothing was looked up")
	}
}

// What would part new pods from those that run is refused by an upgrade.
func TestUpgradesPartNobody(t *testing.T) {
	api, config := newCluster(t)
	api.keep(release{name: "lot", cluster: config}.objects(t)...)
	for text, says := range map[string]string{
		`cluster: east`:        "cluster: the pods that run have lot-parking, and those with east would lose them",
		`gossip: {port: 7947}`: "gossip.port: the pods that run have 7946, and those with 7947 would lose them",
	} {
		refuse(t, release{"lot", values(t, text), true, config}, says)
	}
	for _, text := range []string{`{}`, `metrics: {port: 9103}`, `{gates: 8, spaces: 7, log: {level: debug}}`, `cluster: lot-parking`} {
		api.keep(release{"lot", values(t, text), true, config}.objects(t)...)
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
	if n := notes(t, release{name: "lot", values: values(t, `replicas: 1`)}); !strings.Contains(n, "WARNING: one node alone") {
		t.Errorf("no word about a lot without a copy:\n%s", n)
	}
}
