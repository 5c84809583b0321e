package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/portmux"
)

type enrolInput struct {
	Body client.Enrol
}

type reportInput struct {
	Body client.AgentReport
}

type exitInput struct {
	Body client.AppExit
}

type nodeLogInput struct {
	Body client.NodeLog
}

type deviceInput struct {
	Body client.AskDevice
}

type rotateInput struct {
	Body client.RotateKey
}

type devicePollInput struct {
	Body client.PollDevice
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

func (a *api) enrolmentView(ctx context.Context, e onboarding.Enrolment) (*body[client.Enrolment], error) {
	c := a.Connection()
	active, err := a.Runs.List(ctx, domain.RunFilter{FederationID: e.Federation.ID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: mostRuns})
	if err != nil {
		return nil, err
	}
	out := client.Enrolment{Partition: e.Request.Partition, NumPartitions: e.Federation.TotalPartitions, SuperLink: c.SuperLink, Flwr: c.Flwr,
		Version: a.Version, NodeID: client.DecimalID(e.Key.NodeID), Busy: len(active) > 0, CAPEM: string(c.CAPEM)}
	if !e.Key.SuspendedAt.IsZero() {
		out.Suspended = e.Key.Reason
	}
	for _, r := range active {
		if r.EngineRunID != 0 {
			out.Runs = append(out.Runs, client.AgentRun{ID: client.DecimalID(r.EngineRunID), Name: r.Name, LaunchedBy: launcherHash(r.CreatedBy)})
		}
	}
	out.Federation.Slug, out.Federation.Name = e.Federation.Slug, e.Federation.Name
	return answer(out), nil
}

func (a *api) enrol(ctx context.Context, in *enrolInput) (*body[client.Enrolment], error) {
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

func (a *api) agentConfig(ctx context.Context, _ *none) (*body[client.Enrolment], error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}

func (a *api) agentReport(ctx context.Context, in *reportInput) (*body[client.Enrolment], error) {
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
	Body client.AgentApps
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

func (a *api) askDevice(ctx context.Context, in *deviceInput) (*body[client.DeviceCode], error) {
	v, secret, err := a.Onboarding.AskDevice(in.Body.Host, clientOf(ctx).address)
	if err != nil {
		return nil, err
	}
	return answer(client.DeviceCode{Code: v.Code, Secret: secret, Page: a.Connection().PublicURL + "/device", Interval: 2,
		Seconds: int(v.Until.Sub(v.Asked).Seconds())}), nil
}

func (a *api) pollDevice(_ context.Context, in *devicePollInput) (*body[client.DeviceToken], error) {
	token, err := a.Onboarding.PollDevice(in.Body.Secret)
	if err != nil {
		return nil, err
	}
	return answer(client.DeviceToken{Token: token}), nil
}

func (a *api) agentAbout(_ context.Context, _ *none) (*body[client.About], error) {
	return answer(client.About{Version: a.Version, Flwr: a.Connection().Flwr}), nil
}

func (a *api) agentLeave(ctx context.Context, _ *none) (*none, error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.Onboarding.Leave(ctx, e)
}

func (a *api) rotateKey(ctx context.Context, in *rotateInput) (*body[client.Enrolment], error) {
	e, err := a.nodeOf(ctx)
	if err != nil {
		return nil, err
	}
	if e, err = a.Onboarding.Rotate(ctx, e, []byte(in.Body.PublicKey), in.Body.Proof); err != nil {
		return nil, err
	}
	return a.enrolmentView(ctx, e)
}
