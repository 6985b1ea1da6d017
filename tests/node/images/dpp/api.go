package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

// The bodies are the same files that the rehearsal's stand-in answers with.
const bodies = "/srv/api/"

const (
	asJSON  = "application/json"
	asHTML  = "text/html; charset=utf-8"
	asPlain = "text/plain; charset=utf-8"
)

var files = []struct{ path, file, mediaType string }{
	{"/.well-known/openapi.json", "openapi.json", asJSON},
	{"/llms.txt", "llms.txt", asPlain},
	{"/api-docs", "api-docs.html", asHTML},
	{"/redoc", "redoc.html", asHTML},
	{"/metrics", "metrics.txt", "text/plain; version=0.0.4; charset=utf-8"},
	{"/pricing/ssot.json", "pricing.json", asJSON},
	{"/docs/quickstart.md", "quickstart.md", "text/markdown; charset=utf-8"},
}

// Version is the tag of the image without its v, as the application reports it.
func version() string { return strings.TrimPrefix(os.Getenv("VERSION"), "v") }

// Endpoints are the ten of the runbook.
func endpoints() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, http.StatusNotFound, asJSON, `{"detail":"Not Found"}`)
	})
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("GET /readyz", readyz)
	mux.HandleFunc("GET /v1/runs", runs)
	for _, known := range files {
		mux.HandleFunc("GET "+known.path, fromFile(known.file, known.mediaType))
	}
	return mux
}

// Metrics is the listener that a scraper asks: it has nothing else.
func metrics() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", fromFile("metrics.txt", "text/plain; version=0.0.4; charset=utf-8"))
	return mux
}

func health(w http.ResponseWriter, r *http.Request) {
	if sick.Load() {
		answer(w, r, http.StatusInternalServerError, asPlain, "Internal Server Error")
		return
	}
	answer(w, r, http.StatusOK, asJSON, fmt.Sprintf(`{"status":"healthy","version":%q}`, version()))
}

func readyz(w http.ResponseWriter, r *http.Request) {
	status, word, database := http.StatusOK, "ready", "up"
	if unready.Load() || sick.Load() {
		status, word, database = http.StatusServiceUnavailable, "not_ready", "down"
	}
	answer(w, r, status, asJSON, fmt.Sprintf(
		`{"status":%q,"services":{"database":%q,"redis":"up","s3":"up","sqs":"up"}}`, word, database))
}

func runs(w http.ResponseWriter, r *http.Request) {
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found || key == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, r, http.StatusUnauthorized, asJSON, `{"detail":"Not authenticated"}`)
		return
	}
	answer(w, r, http.StatusOK, asJSON, `{"runs":[],"next_cursor":null}`)
}

func fromFile(name, mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := os.ReadFile(bodies + name)
		if err != nil {
			answer(w, r, http.StatusInternalServerError, asPlain, err.Error())
			return
		}
		answer(w, r, http.StatusOK, mediaType, strings.ReplaceAll(string(body), "${VERSION}", version()))
	}
}

// Answer writes a response, and its line of the access log.
func answer(w http.ResponseWriter, r *http.Request, status int, mediaType, body string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Server", "uvicorn")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
	fmt.Printf("INFO:     %s - \"%s %s HTTP/1.1\" %d\n", r.RemoteAddr, r.Method, r.URL.Path, status)
}
