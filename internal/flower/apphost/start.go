package apphost

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/keeper"
	"blossomtune/internal/keeper/contain"
)

const templateName = "template.py"

// template is a warm Python of one environment, program and set of modules.
type template struct {
	id      string
	env     *environment
	warm    *keeper.Template
	modules bool // it has modules that are not Flower's
	room    *Room
	forks   int  // running processes of it; guarded by the pool's mutex
	proven  bool // it has made a process; guarded by the pool's mutex
}

func (t *template) stop(grace time.Duration) { t.warm.Stop(grace) }

// Start starts the program for one task. It is forked from a warm template of its environment where there are templates (on Linux), else
// started by its own command. r must not be released before the process has ended.
//
// f says where the output goes and which directory the process runs in; its Args are ignored. env is added to the process's environment.
// Each set of variables has templates of its own, FLWR_HOME, TMPDIR and BLOSSOMTUNE_* apart: what differs for each task belongs into those.
// So has each room (see [Ready.Enter]); there f.Dir and FLWR_HOME are the room's.
func (p *Pool) Start(r *Ready, prog Program, args []string, f keeper.Fork, env []string) (*keeper.Child, error) {
	if r.room != nil {
		f.Dir = r.room.Path(WorkDir)
	} else if f.Dir == "" {
		f.Dir = p.o.Work
	}
	for range 3 { // one that has ended is replaced; one whose modules cannot be preloaded, by one without
		t, err := p.template(r, prog, env)
		if errors.Is(err, errClosed) {
			return nil, err
		}
		if t == nil {
			break
		}
		fork := f
		fork.Args = append(slices.Clone(env), args...)
		child, err := t.warm.Start(fork)
		if err == nil {
			p.forked(t, child)
			return child, nil
		}
		if !t.warm.Ended() {
			p.done(t)
			return nil, err
		}
		p.discard(t)
	}
	return keeper.Start(keeper.Command{
		Path: r.Env.Bin("python"), Args: append([]string{"-P", filepath.Join(p.o.programs(), string(prog)+".py")}, args...),
		Dir: f.Dir, Env: p.environ(r, env), Contain: p.policy(r.room, r.env), LogFile: f.LogFile, Log: f.Log, CPUs: f.CPUs, DieWithParent: true,
	})
}

// Warm starts the template of an environment and program ahead of the first task, with the variables that the task will have.
func (p *Pool) Warm(r *Ready, prog Program, env ...string) {
	if t, _ := p.template(r, prog, env); t != nil {
		p.done(t)
	}
}

// forked counts a process of the template until it ends.
func (p *Pool) forked(t *template, child *keeper.Child) {
	p.mu.Lock()
	t.proven = true
	p.mu.Unlock()
	go func() {
		<-child.Done()
		p.done(t)
	}()
}

func (p *Pool) done(t *template) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.forks--
}

func (p *Pool) environ(r *Ready, env []string) []string {
	own := append(r.env.env.Environ(p.o.Home), p.o.ExtraEnv...)
	if r.room != nil {
		own = r.room.environment(own)
	}
	return append(own, env...)
}

// template returns the template to fork from, with a fork counted; nil where there is none.
func (p *Pool) template(r *Ready, prog Program, env []string) (*template, error) {
	if p.o.MaxTemplates < 0 {
		return nil, nil
	}
	early := atImport(env)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	modules := r.modules
	policy := p.policy(r.room, r.env)
	id := templateID(r.env, prog, modules, early, policy)
	if p.failed(id) {
		modules = nil
		id = templateID(r.env, prog, nil, early, policy)
	}
	if p.failed(id) {
		return nil, nil
	}
	if i := slices.IndexFunc(p.templates, func(t *template) bool { return t.id == id }); i >= 0 {
		t := p.templates[i]
		p.templates = slices.Delete(p.templates, i, i+1)
		if !t.warm.Ended() {
			p.templates = append(p.templates, t)
			t.forks++
			return t, nil
		}
		go t.stop(0)
	}
	if !p.makeRoom() {
		return nil, nil
	}
	text, err := json.Marshal(append([]module{}, modules...))
	if err != nil {
		return nil, err
	}
	warm, err := keeper.StartTemplate(keeper.Command{
		Path: r.Env.Bin("python"), Args: []string{"-P", filepath.Join(p.o.programs(), templateName), string(prog), string(text)},
		Dir: p.workOf(r), Env: p.environ(r, early), Contain: policy, LogFile: p.o.Log, Log: p.o.LogKeep, DieWithParent: true,
	})
	if err != nil {
		return nil, err
	}
	t := &template{id: id, env: r.env, warm: warm, modules: len(modules) > 0, room: r.room, forks: 1}
	p.templates = append(p.templates, t)
	return t, nil
}

// Empty ends the templates of a room that no process will be started in again.
func (p *Pool) Empty(room *Room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.cutTemplates(func(t *template) bool { return t.room == room }) {
		go t.stop(0)
	}
}

// workOf is where a template of the environment runs.
func (p *Pool) workOf(r *Ready) string {
	if r.room != nil {
		return r.room.Path(WorkDir)
	}
	return p.o.Work
}

// makeRoom ends the least recently used templates that have no process, and reports whether there is room for one more.
func (p *Pool) makeRoom() bool {
	over := len(p.templates) - p.o.MaxTemplates + 1
	for _, t := range p.cutTemplates(func(t *template) bool { over--; return over >= 0 && t.forks == 0 }) {
		go t.stop(time.Second)
	}
	return len(p.templates) < p.o.MaxTemplates
}

// cutTemplates removes the templates that match from the pool, and returns them.
func (p *Pool) cutTemplates(match func(*template) bool) []*template {
	var cut []*template
	p.templates = slices.DeleteFunc(p.templates, func(t *template) bool {
		m := match(t)
		if m {
			cut = append(cut, t)
		}
		return m
	})
	return cut
}

// failed reports whether such a template failed not long ago.
func (p *Pool) failed(id string) bool {
	at, ok := p.unsafe[id]
	return ok && p.o.Clock().Sub(at) < longestPause
}

// discard drops a template that has ended. One that never made a process is not made again for a while.
func (p *Pool) discard(t *template) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutTemplates(func(o *template) bool { return o == t })
	if t.proven || p.closed {
		return
	}
	if len(p.unsafe) >= maxFailures {
		clear(p.unsafe)
	}
	p.unsafe[t.id] = p.o.Clock()
	what := "Apps start without a warm process for a while"
	if t.modules {
		what = "Apps start without preloaded modules for a while"
	}
	p.o.Progress(fmt.Sprintf("%s. See %s.", what, p.o.Log))
}

func templateID(e *environment, prog Program, modules []module, env []string, policy *contain.Policy) string {
	text, _ := json.Marshal([]any{e.key, e.env.Dir, prog, modules, env, policy}) // these types always can
	return string(text)
}

// atImport returns the variables that a template must have from its start, because libraries read theirs when they are imported.
func atImport(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "FLWR_HOME" || name == "TMPDIR" || strings.HasPrefix(name, "BLOSSOMTUNE_")
	})
}
