package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startHolder gives a holder that reaps, and a function that waits for its next line.
func startHolder(t *testing.T) (*holder, func() notice) {
	t.Helper()
	reader, writer := io.Pipe()
	h := newHolder(writer)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go h.reap(children)
	lines := make(chan notice, 8)
	go func() {
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			var n notice
			if json.Unmarshal(scanner.Bytes(), &n) == nil {
				lines <- n
			}
		}
	}()
	t.Cleanup(func() {
		h.killAll()
		signal.Stop(children)
	})
	return h, func() notice {
		select {
		case n := <-lines:
			return n
		case <-time.After(5 * time.Second):
			t.Fatal("the holder said nothing")
			return notice{}
		}
	}
}

func shell(t *testing.T, name, script string) order {
	t.Helper()
	log := filepath.Join(t.TempDir(), name+".log")
	return order{ID: 1, Op: "start", Name: name, Argv: []string{"/bin/sh", "-c", script}, Env: []string{"WORD=hello"}, Log: log}
}

func TestARoleRunsWithItsEnvironmentAndItsEndIsReported(t *testing.T) {
	h, next := startHolder(t)
	o := shell(t, "role", "echo $WORD; exit 3")
	if answer := h.obey(o); answer.Error != "" || answer.Pid == 0 {
		t.Fatalf("got %+v", answer)
	}
	if end := next(); end.Event != "exit" || end.Name != "role" || end.Code != 3 || end.Signal != 0 {
		t.Errorf("got %+v", end)
	}
	if text, err := os.ReadFile(o.Log); err != nil || string(text) != "hello\n" {
		t.Errorf("log %q, %v", text, err)
	}
}

func TestASignalReachesTheRoleAndIsReported(t *testing.T) {
	h, next := startHolder(t)
	h.obey(shell(t, "role", "exec sleep 60"))
	if answer := h.obey(order{ID: 2, Op: "signal", Name: "role", Signal: int(syscall.SIGTERM)}); answer.Error != "" {
		t.Fatal(answer.Error)
	}
	if end := next(); end.Signal != int(syscall.SIGTERM) {
		t.Errorf("got %+v", end)
	}
	if roles := h.obey(order{ID: 3, Op: "status"}).Roles; len(roles) != 0 {
		t.Errorf("still listed: %v", roles)
	}
}

func TestOrdersThatCanNotBeObeyedSayWhy(t *testing.T) {
	h, _ := startHolder(t)
	h.obey(shell(t, "role", "exec sleep 60"))
	missing := shell(t, "missing", "")
	missing.Argv = []string{"/nowhere/program"}
	for want, o := range map[string]order{
		"role is running already": shell(t, "role", "true"),
		"/nowhere/program":        missing,
		"other is not running":    {Op: "signal", Name: "other", Signal: 15},
		"unknown order":           {Op: "dance"},
		"needs a name":            {Op: "start"},
	} {
		if answer := h.obey(o); !strings.Contains(answer.Error, want) {
			t.Errorf("wanted %q, got %+v", want, answer)
		}
	}
}

func TestTheEndOfTheHolderEndsWhatARoleStarted(t *testing.T) {
	h, next := startHolder(t)
	h.obey(shell(t, "role", "sleep 60 & wait"))
	h.killAll()
	if end := next(); end.Signal != int(syscall.SIGKILL) {
		t.Errorf("got %+v", end)
	}
}

func TestALogThatGrewTooLongIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "role.log")
	if err := os.WriteFile(path, make([]byte, logLimitBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil || info.Size() != 0 {
		t.Errorf("the new log has %d bytes, %v", info.Size(), err)
	}
	if old, err := os.Stat(path + ".old"); err != nil || old.Size() != logLimitBytes+1 {
		t.Errorf("the old log: %v", err)
	}
}
