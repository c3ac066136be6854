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
	"k8s.io/client-go/rest"
)

// cluster is as much of a Kubernetes API as a template's lookup sees: the Secrets
// of one namespace.
type cluster struct {
	mu      sync.Mutex
	secrets map[string]*core.Secret
	asked   int
}

// newCluster starts one that ends with the test.
func newCluster(t *testing.T) (*cluster, *rest.Config) {
	c := &cluster{secrets: make(map[string]*core.Secret)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: "v1",
			APIResources: []metav1.APIResource{{Name: "secrets", SingularName: "secret", Namespaced: true, Kind: "Secret", Verbs: metav1.Verbs{"get"}}},
		})
	})
	mux.HandleFunc("GET /api/v1/namespaces/"+namespace+"/secrets/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked++
		if s := c.secrets[r.PathValue("name")]; s != nil {
			answer(w, http.StatusOK, s)
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

// keep is what helm does with a rendered Secret, and kubectl with another.
func (c *cluster) keep(s *core.Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[s.Name] = s
}

func TestCookie(t *testing.T) {
	api, config := newCluster(t)
	// play renders the chart and does what it says.
	play := func(upgrade bool, text string) *core.Secret {
		t.Helper()
		s := one[*core.Secret](t, release{"lot", values(t, text), upgrade, config}.objects(t))
		api.keep(s)
		return s
	}
	const key = "cookie"

	made := string(play(false, `{}`).Data[key])
	if len(made) < 43 {
		t.Fatalf("a cookie of %d characters was made", len(made))
	}
	if other := string(one[*core.Secret](t, release{name: "lot"}.objects(t)).Data[key]); other == made {
		t.Fatal("two installs have the same cookie")
	}
	for range 2 {
		if kept := string(play(true, `{gates: 6}`).Data[key]); kept != made {
			t.Fatal("an upgrade made another cookie")
		}
	}
	refuse(t, release{"lot", values(t, `cookie: {key: secret}`), true, config},
		"the Secret lot-parking-cookie has no secret, but cookie: another cookie would part the new pods from those that run")

	// Rotated: the Secret was changed by hand, and the next upgrade leaves it.
	api.keep(&core.Secret{
		TypeMeta:   metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "lot-parking-cookie", Namespace: namespace},
		Data:       map[string][]byte{key: []byte("rotated")},
	})
	if kept := string(play(true, `{}`).Data[key]); kept != "rotated" {
		t.Errorf("an upgrade undid a rotation: %s", kept)
	}

	// One that is given rules, and the notes say what a change of it takes.
	change := release{"lot", values(t, `cookie: {value: limozeen}`), true, config}
	const warning = "cookie rotate /etc/parking/cookie/cookie"
	if n := notes(t, change); !strings.Contains(n, warning) {
		t.Errorf("the notes do not warn of another cookie:\n%s", n)
	}
	if given := string(play(true, `cookie: {value: limozeen}`).Data[key]); given != "limozeen" {
		t.Errorf("the cookie is %s", given)
	}
	if n := notes(t, change); strings.Contains(n, warning) {
		t.Errorf("the notes warn of the same cookie:\n%s", n)
	}
	if kept := string(play(true, `{}`).Data[key]); kept != "limozeen" {
		t.Errorf("without the value the cookie became %s", kept)
	}

	existing := release{"lot", values(t, `cookie: {existingSecret: mine}`), true, config}
	if n := every[*core.Secret](existing.objects(t)); len(n) > 0 {
		t.Errorf("the chart makes %d Secrets beside the one that exists", len(n))
	}
	if api.asked == 0 {
		t.Fatal("nothing was looked up")
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
