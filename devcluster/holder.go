package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const logLimitBytes = 16 << 20

// order is one line that the holder reads: start a role, signal one, or list them.
type order struct {
	ID     int64    `json:"id"`
	Op     string   `json:"op"`
	Name   string   `json:"name"`
	Argv   []string `json:"argv"`
	Env    []string `json:"env"`
	Log    string   `json:"log"`
	Signal int      `json:"signal"`
}

// notice is one line that the holder writes: the answer to the order with that ID,
// or, with Event set, the end of a role.
type notice struct {
	ID     int64          `json:"id,omitempty"`
	Event  string         `json:"event,omitempty"`
	Name   string         `json:"name,omitempty"`
	Pid    int            `json:"pid,omitempty"`
	Code   int            `json:"code"`
	Signal int            `json:"signal,omitempty"`
	Error  string         `json:"error,omitempty"`
	Roles  map[string]int `json:"roles,omitempty"`
}

// holder keeps the roles of a cluster: it starts them, reaps whatever is orphaned
// below it, and takes all of them with it when it ends.
type holder struct {
	mu    sync.Mutex // over names, pids and the writing of lines
	names map[string]int
	pids  map[int]string
	out   io.Writer
}

// runHolder serves one control socket, inherited as a file descriptor. The socket's
// end (its other side closed, or the process that held it dead) ends the holder and
// with it every role, so nothing has to be cleaned up after a crash.
func runHolder(args []string) error {
	// The kernel ties Pdeathsig to the thread that forked, not to the process.
	runtime.LockOSThread()
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	fd := flags.Int("fd", 0, "file descriptor of the control socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getpid() != 1 {
		// Outside a PID namespace orphans would go to the machine's init.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("becoming the reaper of orphans: %w", err)
		}
	}
	syscall.CloseOnExec(*fd)
	socket := os.NewFile(uintptr(*fd), "control")
	if socket == nil {
		return fmt.Errorf("file descriptor %d is not open", *fd)
	}
	h := newHolder(socket)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go h.reap(children)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	orders, failed := readOrders(socket)
	defer h.killAll()
	for {
		select {
		case o := <-orders:
			h.say(h.obey(o))
		case err := <-failed:
			return err
		case <-stop:
			return nil
		}
	}
}

func newHolder(out io.Writer) *holder {
	return &holder{names: map[string]int{}, pids: map[int]string{}, out: out}
}

// readOrders decodes lines until the reader ends; a clean end gives a nil error.
func readOrders(in io.Reader) (<-chan order, <-chan error) {
	orders, failed := make(chan order), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var o order
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				failed <- fmt.Errorf("an order is not JSON: %w", err)
				return
			}
			orders <- o
		}
		failed <- lines.Err()
	}()
	return orders, failed
}

func (h *holder) obey(o order) notice {
	answer := notice{ID: o.ID, Name: o.Name}
	var err error
	switch o.Op {
	case "start":
		answer.Pid, err = h.start(o)
	case "signal":
		err = h.signal(o.Name, syscall.Signal(o.Signal))
	case "status":
		answer.Roles = h.status()
	default:
		err = fmt.Errorf("unknown order %q", o.Op)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// start runs a role in a process group of its own. The lock is held over the fork,
// so the reaper can't see the process end before its name is known.
func (h *holder) start(o order) (int, error) {
	if o.Name == "" || len(o.Argv) == 0 {
		return 0, errors.New("a role needs a name and a command")
	}
	log, err := openLog(o.Log)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	if pid, running := h.names[o.Name]; running {
		return 0, fmt.Errorf("%s is running already, as process %d", o.Name, pid)
	}
	pid, err := syscall.ForkExec(o.Argv[0], o.Argv, &syscall.ProcAttr{
		Env:   o.Env,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", o.Argv[0], err)
	}
	h.names[o.Name], h.pids[pid] = pid, o.Name
	return pid, nil
}

func (h *holder) signal(name string, s syscall.Signal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	pid, running := h.names[name]
	if !running {
		return fmt.Errorf("%s is not running", name)
	}
	return syscall.Kill(pid, s)
}

func (h *holder) status() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	roles := make(map[string]int, len(h.names))
	for name, pid := range h.names {
		roles[name] = pid
	}
	return roles
}

// reap collects every process that ended below the holder, and reports the roles.
func (h *holder) reap(children <-chan os.Signal) {
	for range children {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid <= 0 {
				break
			}
			h.ended(pid, status)
		}
	}
}

func (h *holder) ended(pid int, status syscall.WaitStatus) {
	h.mu.Lock()
	name, known := h.pids[pid]
	delete(h.pids, pid)
	delete(h.names, name)
	h.mu.Unlock()
	if !known {
		return // an orphan that was reaped, nothing more
	}
	end := notice{Event: "exit", Name: name, Pid: pid, Code: status.ExitStatus()}
	if status.Signaled() {
		end.Signal = int(status.Signal())
	}
	h.say(end)
}

func (h *holder) say(n notice) {
	line, err := json.Marshal(n)
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster node:", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.out.Write(append(line, '\n')); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster node: the control socket takes no more:", err)
	}
}

// killAll is for a holder outside a PID namespace; as PID 1 its end does the same.
func (h *holder) killAll() {
	for _, pid := range h.status() {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already: nothing to do
	}
	for end := time.Now().Add(2 * time.Second); len(h.status()) > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// openLog appends to a role's log and keeps one older file, so that neither grows
// without end.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimitBytes {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}
