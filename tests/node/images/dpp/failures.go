package main

import (
	"fmt"
	"os"
	"time"
)

var failure = os.Getenv("FAILURE")

// After is the value of FAILURE_AFTER: zero unless it is set.
func after() time.Duration {
	duration, _ := time.ParseDuration(os.Getenv("FAILURE_AFTER"))
	return duration
}

// FailBefore fails before the program is ready, or delays that.
func failBefore() {
	switch failure {
	case "exit":
		wait()
		exitWithError()
	case "exit-0":
		wait()
		os.Exit(0)
	case "memory":
		wait()
		takeMemory()
	case "never-ready":
		unready.Store(true)
	case "slow":
		wait()
	}
}

// FailWhileServing fails once the program serves; the time counts from its start.
func failWhileServing() {
	switch failure {
	case "late-exit":
		wait()
		exitWithError()
	case "late-memory":
		wait()
		takeMemory()
	case "sick":
		wait()
		sick.Store(true)
	case "disk":
		wait()
		fillDisk()
	}
}

func codeOnTerm() int {
	if failure == "term" {
		return 1
	}
	return 0
}

func wait() { time.Sleep(time.Until(started.Add(after()))) }

func exitWithError() {
	fmt.Fprintln(os.Stderr, "ERROR:    Traceback (most recent call last):")
	fmt.Fprintln(os.Stderr, `  File "/app/dpp_api/database.py", line 18, in connect`)
	fmt.Fprintln(os.Stderr, `ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.40.9', 5432)`)
	fmt.Fprintf(os.Stderr, "ERROR:    Application stopped at %s. Exiting.\n", time.Now().UTC().Format(time.RFC3339Nano))
	os.Exit(1)
}

// TakeMemory writes to each page, so that the limit of the container counts it.
func takeMemory() {
	const block, page = 16 << 20, 4096
	for held := [][]byte{}; ; {
		memory := make([]byte, block)
		for at := 0; at < block; at += page {
			memory[at] = 1
		}
		held = append(held, memory)
	}
}

// FillDisk writes more than any emptyDir of the manifests may contain; kubelet then evicts the pod.
func fillDisk() {
	file, err := os.Create("/tmp/cache")
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:   ", err)
		return
	}
	defer file.Close()
	for range 300 {
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			fmt.Fprintln(os.Stderr, "ERROR:   ", err)
			return
		}
	}
}
