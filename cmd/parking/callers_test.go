package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// However many keep a connection to the probes' listener, whatever they say on it or
// do not say, a probe is answered; and so is what is being answered meanwhile.
func TestProbesAreNotStarved(t *testing.T) {
	for _, c := range []struct{ name, says string }{
		{"those who have asked once", "GET /livez HTTP/1.1\r\nHost: larry\r\n\r\n"},
		{"those who say nothing", ""},
		{"those who do not finish", "GET /livez HT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked, answer := make(chan struct{}), make(chan struct{})
			mux := http.NewServeMux()
			mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { tell(w, true, "") })
			mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
				close(asked)
				<-answer
				tell(w, true, "")
			})
			w := &web{l, newServer(mux)}
			done := make(chan error, 1)
			go func() { done <- w.serve(t.Context()) }()
			defer func() {
				w.close()
				<-done
			}()

			client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
			get := func(path string) error {
				r, err := client.Get("http://" + w.addr() + path)
				if err != nil {
					return err
				}
				defer r.Body.Close()
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "ok\n" {
					return fmt.Errorf("%d %q %w", r.StatusCode, body, err)
				}
				return nil
			}
			long := make(chan error, 1)
			go func() { long <- get("/long") }()
			<-asked
			for range webConns + 10 {
				conn, err := net.Dial("tcp", w.addr())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err := io.WriteString(conn, c.says); err != nil {
					t.Fatal(err)
				}
				if c.says == "" || c.says[len(c.says)-1] != '\n' {
					continue
				}
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
			}
			for range 3 {
				if err := get("/livez"); err != nil {
					t.Error(err)
				}
			}
			close(answer)
			if err := <-long; err != nil && c.says != "GET /livez HT" { // there nobody is quiet
				t.Error(err)
			}
		})
	}
}
