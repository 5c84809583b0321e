package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/portmux"
)

// Enrolment is what a participant's machine needs to start its SuperNode.
type Enrolment struct {
	Federation struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
	} `json:"federation"`
	Partition     int        `json:"partition"`
	NumPartitions int        `json:"num_partitions"`
	SuperLink     string     `json:"superlink" doc:"host:port"`
	Flwr          string     `json:"flwr_version"`
	Version       string     `json:"version" doc:"Of the server; blossomtune update gets it"`
	NodeID        DecimalID  `json:"node_id,string" doc:"The SuperLink's id; 0 until registered"`
	Busy          bool       `json:"busy" doc:"A run is going on: not the time to start the SuperNode anew"`
	Suspended     string     `json:"suspended,omitempty" doc:"Why a manager has suspended the SuperNode; empty while it is not"`
	Runs          []AgentRun `json:"runs,omitempty" doc:"The runs going on in the federation"`
	CAPEM         string     `json:"ca_pem" doc:"Empty where the address is publicly trusted"`
}

// AgentRun is a run as an agent shows it to its owner.
type AgentRun struct {
	ID         DecimalID `json:"id,string" doc:"The SuperLink's id"`
	Name       string    `json:"name"`
	LaunchedBy string    `json:"launched_by" doc:"SHA-256 of who launched it, in lower case: participants do not learn names, but can list those they trust"`
}

type enrolInput struct {
	Body struct {
		Token     string `json:"token" maxLength:"512"`
		PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
		Proof     string `json:"proof" maxLength:"512" doc:"base64 of an ECDSA signature over SHA-256 of blossomtune-enrol: and the token's id"`
	}
}

type reportInput struct {
	Body struct {
		Flwr       string `json:"flwr" maxLength:"40"`
		Agent      string `json:"agent" maxLength:"64"`
		Python     string `json:"python" maxLength:"40"`
		System     string `json:"system" maxLength:"40"`
		Clock      int    `json:"clock_off,omitempty" doc:"What the machine's clock is behind the server's, in seconds"`
		Proxy      string `json:"proxy,omitempty" maxLength:"260" doc:"host:port of the proxy it goes through"`
		Share      bool   `json:"shares_logs,omitempty" doc:"Its owner lets the agent send its logs"`
		Approve    string `json:"approve,omitempty" enum:",any,listed,ask" doc:"Which app versions run there: any, those that its owner listed, those that its owner approved"`
		LedgerN    int64  `json:"ledger_n,omitempty" minimum:"0" doc:"The number of the newest line of its ledger"`
		LedgerHash string `json:"ledger_hash,omitempty" pattern:"^([0-9a-f]{64})?$" doc:"That line's hash; the receipts of runs name it"`
		Contained  string `json:"contained,omitempty" enum:"namespaces,floor,partial,none,off" doc:"How ClientApps are kept from the rest of the machine"`
		Data       int    `json:"data_folders,omitempty" minimum:"0" maximum:"1000" doc:"How many folders its owner lets ClientApps read"`
	}
}

type exitInput struct {
	Body struct {
		RunID    string   `json:"run_id" maxLength:"20" doc:"The SuperLink's id of the run"`
		ExitCode int      `json:"exit_code" minimum:"-1" maximum:"65535"`
		Signal   string   `json:"signal,omitempty" maxLength:"20" pattern:"^[A-Z0-9]*$"`
		Kind     string   `json:"kind,omitempty" maxLength:"100" pattern:"^[A-Za-z0-9_]*$" doc:"Of the exception, without its message"`
		Module   string   `json:"module,omitempty" maxLength:"100" pattern:"^[A-Za-z0-9_.]*$" doc:"That could not be imported"`
		Trouble  string   `json:"trouble,omitempty" maxLength:"20" pattern:"^[a-z_]*$" doc:"Why an address was not reached"`
		Address  string   `json:"address,omitempty" maxLength:"260" doc:"That was not reached: a host, with its port where that is no usual one"`
		File     string   `json:"file,omitempty" maxLength:"300" doc:"Of the app, in which the exception was raised"`
		Line     int      `json:"line,omitempty" minimum:"0" maximum:"999999999"`
		Func     string   `json:"func,omitempty" maxLength:"100" doc:"In which that line is"`
		Code     string   `json:"code,omitempty" maxLength:"400" doc:"That line"`
		Output   []string `json:"output,omitempty" maxItems:"20" doc:"The last lines, where their owner shares them"`
	}
}

type nodeLogInput struct {
	Body struct {
		Part    string   `json:"part" enum:"supernode,clientapp"`
		RunID   string   `json:"run_id,omitempty" maxLength:"20" doc:"The SuperLink's id of the run that a ClientApp belongs to"`
		LeftOut int      `json:"left_out,omitempty" minimum:"0" doc:"Lines before these that were not sent, because there were too many"`
		Lines   []string `json:"lines" maxItems:"500" doc:"New lines, without their ends; 64 KiB at most"`
	}
}

type deviceInput struct {
	Body struct {
		Host string `json:"host" maxLength:"120" doc:"What the machine calls itself"`
	}
}

type rotateInput struct {
	Body struct {
		PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
		Proof     string `json:"proof" maxLength:"512" doc:"base64 of an ECDSA signature over SHA-256 of blossomtune-enrol: and the old key's fingerprint"`
	}
}

// DeviceCode is what a terminal without a token shows and waits with.
type DeviceCode struct {
	Code     string `json:"code" doc:"Two groups; the terminal adds a third from the CA that it sees"`
	Secret   string `json:"secret"`
	Page     string `json:"page" doc:"Where the code is entered"`
	Interval int    `json:"interval" doc:"Seconds between two questions"`
	Seconds  int    `json:"seconds" doc:"How long the code works"`
}

type devicePollInput struct {
	Body struct {
		Secret string `json:"secret" maxLength:"100"`
	}
}

// DeviceToken is the join token of an approved terminal; empty while it waits.
type DeviceToken struct {
	Token string `json:"token"`
}

func (a *api) agent() {
	add(a, op("agent-about", http.MethodGet, "/agent/about", "The versions that the server runs", anyone), a.agentAbout)
	add(a, op("rotate-key", http.MethodPost, "/agent/key", "Put a new key in the place of the signing one", aNode), a.rotateKey)
	add(a, op("agent-leave", http.MethodPost, "/agent/leave", "Give the signing key up for ever; the partition stays", aNode), a.agentLeave)
	add(a, op("ask-device", http.MethodPost, "/agent/device", "Let a terminal without a token wait for its approval in a browser", anyone), a.askDevice)
	add(a, op("poll-device", http.MethodPost, "/agent/device/token", "Ask whether the terminal is approved", anyone), a.pollDevice)
	add(a, op("enrol", http.MethodPost, "/agent/enrol", "Enrol a machine's key with a join token", anyone), a.enrol)
	add(a, op("agent-config", http.MethodGet, "/agent/config", "What the machine with the signing key needs to know", aNode), a.agentConfig)
	add(a, op("agent-report", http.MethodPost, "/agent/report", "Tell the versions in use; answers with the configuration", aNode), a.agentReport)
	add(a, op("agent-log", http.MethodPost, "/agent/logs", "Send new lines of a log, where its owner agrees", aNode), a.agentLog)
	add(a, op("agent-apps", http.MethodPost, "/agent/apps", "Report what the machine's owner decided about app versions", aNode), a.agentApps)
	add(a, op("agent-exit", http.MethodPost, "/agent/exits", "Tell how a ClientApp failed", aNode), a.agentExit)
}

func launcherHash(name string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(name)))
	return hex.EncodeToString(sum[:])
}

// mostRuns bounds the runs that an agent is told of.
const mostRuns = 50

func (a *api) enrolmentView(ctx context.Context, e onboarding.Enrolment) (*body[Enrolment], error) {
	c := a.Connection()
	active, err := a.Runs.List(ctx, domain.RunFilter{FederationID: e.Federation.ID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: mostRuns})
	if err != nil {
		return nil, err
	}
	out := Enrolment{Partition: e.Request.Partition, NumPartitions: e.Federation.TotalPartitions, SuperLink: c.SuperLink, Flwr: c.Flwr,
		Version: a.Version, NodeID: DecimalID(e.Key.NodeID), Busy: len(active) > 0, CAPEM: string(c.CAPEM)}
	if !e.Key.SuspendedAt.IsZero() {
		out.Suspended = e.Key.Reason
	}
	for _, r := range active {
		if r.EngineRunID != 0 {
			out.Runs = append(out.Runs, AgentRun{ID: DecimalID(r.EngineRunID), Name: r.Name, LaunchedBy: launcherHash(r.CreatedBy)})
		}
	}
	out.Federation.Slug, out.Federation.Name = e.Federation.Slug, e.Federation.Name
	return answer(out), nil
}

func (a *api) enrol(ctx context.Context, in *enrolInput) (*body[Enrolment], error) {
	e, err := a.Onboarding.Enrol(ctx, onboarding.EnrolInput{Token: in.Body.Token, PublicKey: []byte(in.Body.PublicKey), Proof: in.Body.Proof})
	if err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}

func (a *api) nodeOf(ctx context.Context) (onboarding.Enrolment, error) {
	s, _ := ctx.Value(nodeKey).(NodeSignature)
	e, err := a.Onboarding.EnrolmentOf(ctx, s.Fingerprint)
	if err != nil {
		return e, err
	}
	portmux.Trust(ctx)
	return e, a.calls.use(s, a.Clock())
}

func (a *api) agentConfig(ctx context.Context, _ *none) (*body[Enrolment], error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}

func (a *api) agentReport(ctx context.Context, in *reportInput) (*body[Enrolment], error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.Reported(ctx, e.Key, domain.NodeSeen{Flwr: in.Body.Flwr, Agent: in.Body.Agent, Python: in.Body.Python,
		ClockOff: time.Duration(in.Body.Clock) * time.Second, Proxy: in.Body.Proxy, SharesLogs: in.Body.Share,
		Approve: in.Body.Approve, Ledger: domain.LedgerHead{N: in.Body.LedgerN, Hash: in.Body.LedgerHash},
		Contained: domain.Containment(in.Body.Contained), Data: in.Body.Data}); err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}

func (a *api) agentExit(ctx context.Context, in *exitInput) (*none, error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	id, err := strconv.ParseUint(b.RunID, 10, 64)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "%q is no id of a run.", b.RunID).At("run_id")
	}
	return nil, a.Runs.AppExited(ctx, e.Key, domain.AppExit{EngineRunID: id, ExitCode: b.ExitCode, Signal: b.Signal, Kind: b.Kind, Module: b.Module, Output: strings.Join(b.Output, "\n"),
		Trouble: b.Trouble, Address: b.Address, File: b.File, FileLine: b.Line, Func: b.Func, Code: b.Code})
}

type agentAppsInput struct {
	Body struct {
		Apps []struct {
			Hash  string `json:"hash" pattern:"^[0-9a-f]{64}$"`
			State string `json:"state" enum:"waiting,approved,rejected"`
			Rule  string `json:"rule,omitempty" maxLength:"40" pattern:"^[a-z-]*$" doc:"Which of the owner's rules holds it back"`
		} `json:"apps" maxItems:"50"`
	}
}

func (a *api) agentApps(ctx context.Context, in *agentAppsInput) (*none, error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]domain.AppApproval, 0, len(in.Body.Apps))
	for _, v := range in.Body.Apps {
		all = append(all, domain.AppApproval{AppHash: v.Hash, State: domain.ApprovalState(v.State), Reason: v.Rule})
	}
	return nil, a.Onboarding.Decided(ctx, e, all)
}

func (a *api) agentLog(ctx context.Context, in *nodeLogInput) (*none, error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return nil, a.NodeLog(e.Key, domain.NodeLog{Part: b.Part, Run: b.RunID, LeftOut: b.LeftOut, Lines: b.Lines})
}

func (a *api) askDevice(ctx context.Context, in *deviceInput) (*body[DeviceCode], error) {
	v, secret, err := a.Onboarding.AskDevice(in.Body.Host, clientOf(ctx).address)
	if err != nil {
		return nil, err
	}
	return answer(DeviceCode{Code: v.Code, Secret: secret, Page: a.Connection().PublicURL + "/device", Interval: 2, Seconds: int(v.Until.Sub(v.Asked).Seconds())}), nil
}

func (a *api) pollDevice(_ context.Context, in *devicePollInput) (*body[DeviceToken], error) {
	token, err := a.Onboarding.PollDevice(in.Body.Secret)
	if err != nil {
		return nil, err
	}
	return answer(DeviceToken{token}), nil
}

// About is what a machine needs to know before it joins.
type About struct {
	Version string `json:"version"`
	Flwr    string `json:"flwr_version"`
}

func (a *api) agentAbout(_ context.Context, _ *none) (*body[About], error) {
	return answer(About{Version: a.Version, Flwr: a.Connection().Flwr}), nil
}

func (a *api) agentLeave(ctx context.Context, _ *none) (*none, error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.Onboarding.Leave(ctx, e)
}

func (a *api) rotateKey(ctx context.Context, in *rotateInput) (*body[Enrolment], error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	if e, err = a.Onboarding.Rotate(ctx, e, []byte(in.Body.PublicKey), in.Body.Proof); err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}
