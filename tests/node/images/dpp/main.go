// Command dpp is every program of the node's images: the stand-in API, the worker and reaper, and the sandbox's pause.
//
// FAILURE and FAILURE_AFTER choose how it fails, and after which time; each tag of an image sets them, and a manifest
// may set others. Without FAILURE it works until TERM.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	heartbeat = "/tmp/heartbeat"
	every     = 5 * time.Second
)

// Started is the time from which FAILURE_AFTER counts.
var started = time.Now()

// Sick and unready are states that a failure switches on while the program serves.
var sick, unready atomic.Bool

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dpp api|loop|init|pause")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "api":
		api()
	case "loop":
		loop()
	case "init":
		initialize()
	case "pause":
		untilTerm()
	default:
		fmt.Fprintf(os.Stderr, "dpp: no program %q\n", os.Args[1])
		os.Exit(2)
	}
}

// Api serves like uvicorn, which logs to standard error before it is ready and to standard output after.
func api() {
	fmt.Fprintln(os.Stderr, "INFO:     Started server process [1]")
	fmt.Fprintln(os.Stderr, "INFO:     Waiting for application startup.")
	failBefore()
	go listen(":9090", metrics())
	go listen(":8000", endpoints())
	fmt.Fprintln(os.Stderr, "INFO:     Application startup complete.")
	go failWhileServing()
	untilTerm()
	fmt.Fprintln(os.Stderr, "INFO:     Shutting down")
	os.Exit(codeOnTerm())
}

func listen(address string, handler http.Handler) {
	if err := http.ListenAndServe(address, handler); err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:   ", err)
		os.Exit(1)
	}
}

// Loop is the worker and the reaper: no port, and a file that the probes look at.
func loop() {
	fmt.Println("started")
	failBefore()
	go func() {
		for ; ; time.Sleep(every) {
			if err := os.WriteFile(heartbeat, nil, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, "heartbeat:", err)
			}
		}
	}()
	go failWhileServing()
	untilTerm()
	fmt.Println("stopping")
	os.Exit(codeOnTerm())
}

// Initialize is an init container: it fails as often as INIT_FAILURES says, then succeeds. The number of its runs is
// kept in a volume, since a container that is started again has a new file system.
func initialize() {
	runs, _ := filepath.Glob("/state/run-*")
	if err := os.WriteFile(fmt.Sprintf("/state/run-%d", len(runs)+1), nil, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(1)
	}
	failures := 0
	fmt.Sscan(os.Getenv("INIT_FAILURES"), &failures)
	if len(runs) < failures {
		fmt.Fprintf(os.Stderr, "init: run %d fails, as %d of them must\n", len(runs)+1, failures)
		os.Exit(1)
	}
	fmt.Println("init: done")
}

// UntilTerm returns at TERM or INT; as process 1 it also reaps the sandbox's orphans.
func untilTerm() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
