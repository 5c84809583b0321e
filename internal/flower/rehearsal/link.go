package rehearsal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Options are what a [Link] works with.
type Options struct {
	FAB      []byte
	App      string // publisher/name
	Version  string
	Config   map[string]any // in place of the app's own defaults
	OneRound bool           // end when a message type that was answered is asked again
	Dir      string         // of the run's objects; the caller removes it
	Most     int64          // bytes of all objects together; 0: 4 GiB
	Clock    domain.Clock
}

// Flower's number of the SuperLink, and that of the SuperNode of this machine.
const (
	superLinkID = 1
	// NodeID is the SuperNode's. Those after it stand for further participants.
	NodeID = 1001
)

// maxNodes bounds the SuperNodes that are shown to a ServerApp that waits for more.
const maxNodes = 128

// Asked is a message of the ServerApp that this machine's SuperNode handles.
type Asked struct {
	MessageID string
	Type      string
	Round     string // the message's group; often empty
	Copies    int    // messages to further SuperNodes that are answered with a copy of the reply
	Answered  bool
}

// Link is a SuperLink in memory for one run and one SuperNode. A ServerApp that waits for more SuperNodes is shown more of them. Messages
// of one push and type are handled once; the reply answers all of them. Its methods are safe for concurrent use.
type Link struct {
	o     Options
	run   *flwrpb.Run
	token string

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	nodes   int           // shown to the ServerApp
	looks   int           // at the SuperNodes since the ServerApp began
	order   []*work
	asks    map[string]*ask  // by message
	works   map[string]*work // by the message that the SuperNode gets
	queue   []*work          // not taken by the SuperNode yet
	store   store
	output  Output
	ended   chan struct{} // closed when the ServerApp is to be ended
	over    bool
}

// ask is a message as the ServerApp sent it.
type ask struct {
	message *flwrpb.Message
	work    *work
	reply   *flwrpb.Message // made from the work's reply when it is asked for
	tree    *flwrpb.ObjectTree
}

// work is what the SuperNode does for one or several asks.
type work struct {
	message *flwrpb.Message
	tree    *flwrpb.ObjectTree
	copies  int

	reply     *flwrpb.Message
	replyTree *flwrpb.ObjectTree
	replyIDs  []string
}

// Output is how the ServerApp ended, by its own word.
type Output struct {
	Reported bool // it has said so
	Stopped  bool // it was ended after one round
	Status   string
	Details  string
}

// New returns a link for a run that has not started.
func New(o Options) (*Link, error) {
	config, err := wire.Scalars(o.Config)
	if err != nil {
		return nil, err
	}
	if o.Most == 0 {
		o.Most = 4 << 30
	}
	id, token := make([]byte, 8), make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	_, _ = rand.Read(token)
	run := &flwrpb.Run{RunId: binary.BigEndian.Uint64(id)>>2 + 1, FabId: o.App, FabVersion: o.Version, FabHash: wire.ObjectID(o.FAB),
		OverrideConfig: config, PrimaryTaskType: wire.ServerAppTask}
	run.SeriesId = run.GetRunId()
	return &Link{o: o, run: run, token: hex.EncodeToString(token), changed: make(chan struct{}), nodes: 1, asks: map[string]*ask{},
		works: map[string]*work{}, store: store{dir: o.Dir, most: o.Most, objects: map[string]int64{}}, ended: make(chan struct{})}, nil
}

// RunID is the run's number.
func (l *Link) RunID() uint64 { return l.run.GetRunId() }

// Token is the ServerApp's for the Runtime API.
func (l *Link) Token() string { return l.token }

// RoundOver is closed when one round is over and the ServerApp, which would start another, is to be ended.
func (l *Link) RoundOver() <-chan struct{} { return l.ended }

// Output returns how the ServerApp ended.
func (l *Link) Output() Output {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.output
}

// Nodes returns how many SuperNodes the ServerApp was shown.
func (l *Link) Nodes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes
}

// Asked returns what the ServerApp asked, in order.
func (l *Link) Asked() []Asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Asked, 0, len(l.order))
	for _, w := range l.order {
		meta := w.message.GetMetadata()
		out = append(out, Asked{MessageID: meta.GetMessageId(), Type: meta.GetMessageType(), Round: meta.GetGroupId(), Copies: w.copies,
			Answered: l.whole(w)})
	}
	return out
}

// whole reports whether all objects of a work's reply are here.
func (l *Link) whole(w *work) bool {
	if w.reply == nil {
		return false
	}
	for _, id := range w.replyIDs {
		if _, ok := l.store.objects[id]; !ok {
			return false
		}
	}
	return true
}

// notify wakes those who wait for a change. The caller holds the lock.
func (l *Link) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// end ends the run. The caller holds the lock.
func (l *Link) end() {
	if !l.over {
		l.over = true
		close(l.ended)
	}
}
