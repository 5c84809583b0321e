package client

import (
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// Run is one run.
type Run struct {
	Name        string         `json:"name" doc:"The Run ID"`
	Federation  string         `json:"federation"`
	State       string         `json:"state" enum:"queued,starting,running,completed,failed,stopped"`
	Outcome     string         `json:"outcome,omitempty" enum:"contributed,nothing_trained,nobody_asked" doc:"Of a completed run: whether any participant gave a reply without an error"`
	Asked       *int           `json:"asked,omitempty" doc:"Of an ended run: participants' SuperNodes that were asked"`
	Contributed *int           `json:"contributed,omitempty" doc:"Of an ended run: those that gave at least one reply without an error"`
	App         string         `json:"app"`
	AppVersion  string         `json:"app_version"`
	AppHash     string         `json:"app_hash"`
	Partitions  int            `json:"partitions"`
	Config      map[string]any `json:"config" doc:"What differs from the app's defaults; a float that is no JSON number is the text inf, -inf or nan"`
	Settings    RunSettings    `json:"settings"`
	Note        string         `json:"note,omitempty"`
	Tags        []string       `json:"tags"`
	Override    string         `json:"override,omitempty" doc:"Why it was launched although the board said no-go"`
	NotBefore   *time.Time     `json:"not_before,omitempty"`
	EngineRunID DecimalID      `json:"engine_run_id,string"`
	Round       int            `json:"round"`
	Rounds      int            `json:"rounds" doc:"0 while unknown"`
	Cause       *domain.Cause  `json:"cause,omitempty"`
	Waits       *Wait          `json:"waits,omitempty" doc:"Of one run that has not ended: what it waits for"`
	Failures    []AppFailure   `json:"clientapp_failures,omitempty" doc:"Of one run: how ClientApps failed"`
	CreatedBy   string         `json:"created_by,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	StartingAt  *time.Time     `json:"starting_at,omitempty"`
	RunningAt   *time.Time     `json:"running_at,omitempty"`
	EndedAt     *time.Time     `json:"ended_at,omitempty"`
}

// Wait is what a run that has not ended waits for.
type Wait struct {
	What  string     `json:"what"`
	Since *time.Time `json:"since,omitempty"`
	Helps string     `json:"helps" doc:"Whether patience helps, and what else does"`
	Late  bool       `json:"late" doc:"It does not resolve automatically, or takes longer than it should"`
}

// AppFailure is one way in which a participant's ClientApp failed.
type AppFailure struct {
	NodeID  DecimalID `json:"node_id,string"`
	Times   int       `json:"times"`
	Message string    `json:"message"`
	Remedy  string    `json:"remedy"`
}

// RunLaunch is a run to put into the queue.
type RunLaunch struct {
	App                 string                 `json:"app" doc:"Hash of the app version"`
	Name                string                 `json:"name,omitempty" doc:"The Run ID; left out: the next free one"`
	Partitions          int                    `json:"partitions,omitempty" doc:"Total; left out: the federation's"`
	Config              map[string]ConfigValue `json:"config,omitempty" doc:"Values, also as text; keys left out keep the default"`
	InstallDependencies bool                   `json:"install_dependencies,omitempty" doc:"The same as in settings"`
	Settings            *LaunchSettings        `json:"settings,omitempty"`
	Note                string                 `json:"note,omitempty"`
	Tags                []string               `json:"tags,omitempty"`
	NotBefore           time.Time              `json:"not_before,omitzero" doc:"Left out: as soon as it can"`
	Override            string                 `json:"override,omitempty" doc:"An admin's reason to launch although the board says no-go"`
}

// Metric is one number of one round. JSON has no NaN and no infinities: Text says those, and Value is then left out.
type Metric struct {
	ID     int64     `json:"id"`
	Round  int       `json:"round"`
	Phase  string    `json:"phase" enum:"train,evaluate,server,other"`
	NodeID DecimalID `json:"node_id,string" doc:"0: the whole federation"`
	Name   string    `json:"name" doc:"The metric's key; record.key where several records have it; key[3] for an element of a list"`
	Value  *float64  `json:"value,omitempty"`
	Text   string    `json:"text,omitempty" doc:"NaN, +Inf or -Inf"`
	At     time.Time `json:"at"`
}

// Log is a part of a log.
type Log struct {
	Lines []logfile.Line `json:"lines"`
	Total int            `json:"total" doc:"Complete lines so far"`
}

// RunDeletion chooses ended runs to delete: by their Run IDs, or by a rule, of which every part that is given must hold.
type RunDeletion struct {
	Runs          []string `json:"runs,omitempty" maxItems:"500" doc:"Run IDs; then the rule is left out"`
	States        []string `json:"states,omitempty" enum:"completed,failed,stopped"`
	Tag           string   `json:"tag,omitempty" maxLength:"40"`
	OlderThanDays int      `json:"older_than_days,omitempty" minimum:"0" maximum:"3650" doc:"Runs that ended at least so many days ago"`
	DryRun        bool     `json:"dry_run,omitempty" doc:"Answer what would be deleted, and delete nothing"`
}

// RunNames names runs.
type RunNames struct {
	Runs []string `json:"runs" minItems:"1" maxItems:"500" doc:"Run IDs"`
}

// DeletedRun is a run that is deleted, or would be.
type DeletedRun struct {
	Run
	DeletedBy       string     `json:"deleted_by,omitempty"`
	DeletedAt       *time.Time `json:"deleted_at,omitempty" doc:"Left out by a dry run"`
	RestorableUntil *time.Time `json:"restorable_until,omitempty" doc:"Then its data is removed"`
}
