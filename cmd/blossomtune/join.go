package main

import (
	"context"
	"errors"
	"os"
	"time"

	"blossomtune/apps"
	"blossomtune/internal/agent"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

type joinCmd struct {
	URL       string        `arg:"" help:"Address of the server, as on your status page."`
	Token     string        `help:"Join token of your status page; - reads it from standard input. Not needed once this machine is enrolled." env:"BLOSSOMTUNE_JOIN_TOKEN"`
	Dir       string        `help:"Directory for this machine's key, state and log. Default: below ~/.blossomtune." type:"path"`
	Deps      string        `help:"May apps install the Python packages they name on this machine? ask asks once at the start. allow installs wheels only; build also builds packages from source, which runs their code." enum:"never,ask,allow,build" default:"ask"`
	Python    string        `help:"Python 3.11 or newer to make the environment with. Default: the newest found on PATH." env:"BLOSSOMTUNE_PYTHON"`
	PythonDir string        `help:"Directory of the Python environments." name:"python-dir" type:"path" hidden:""`
	Approve   string        `help:"Which app versions may run on this machine: any of the federation's, listed in your rules, or those that you approve (ask). Default: as before, at first any." enum:",any,listed,ask" default:""`
	Share     bool          `help:"When an app fails on this machine, send its last 20 lines to the federation's managers. They may hold your data; without this only the kind of the error goes out." name:"share-output"`
	ShareLogs bool          `help:"Send the logs of the SuperNode and of the apps on this machine to the federation's managers, secrets masked. They may hold your data; without this nothing of them goes out." name:"share-logs"`
	Contain   string        `help:"Run apps in a sandbox: they read their Python environment and the folders of --data, write folders of their own, and reach this machine's SuperNode and web servers. off: they can do whatever you can; the federation's managers see that." enum:"on,off" default:"on"`
	Data      []string      `help:"Folder with data that apps may read. Repeat it for several." type:"path" placeholder:"DIR"`
	AppMemory int           `help:"Megabytes that an app may use on this machine; one that takes more is ended. 0: no limit." name:"app-memory" placeholder:"MB"`
	AppDisk   int64         `help:"Megabytes of disk that the files of an app version may take on this machine; an app that takes more is ended. 0: no limit." name:"app-disk" placeholder:"MB" default:"50000"`
	AppUIDs   string        `help:"User IDs that apps run under when this command runs as root, FIRST-LAST: each app version has one of them. off: they run as root without its capabilities." name:"app-uids" default:"60706-61182"`
	AppTime   time.Duration `help:"How long an app may work on one round's message, such as 30m; 0: no limit." name:"app-time"`
	Parallel  int           `help:"How many messages to work on at the same time." default:"1"`
	NewKey    bool          `help:"Put a new key in the place of this machine's first; the approval stays." name:"new-key"`
	Service   bool          `help:"Install a service (systemd, launchd) that runs the SuperNode from now on, and return."`
	Preflight bool          `help:"Check this machine, the way to the server and the clock, without a token and without changing anything."`
	NodePort  int           `help:"Port of the SuperNode on this machine; 0 takes a free one." name:"node-port"`
}

// Run joins, and keeps the SuperNode running until it is told to stop.
func (c *joinCmd) Run(ctx context.Context) error {
	keeper.Conceal()
	keeper.Adopt()
	_ = os.Unsetenv("BLOSSOMTUNE_JOIN_TOKEN") // no process that is started here needs it
	ids, err := domain.ParseUIDRange(c.AppUIDs)
	if err != nil {
		return err
	}
	o := agent.Options{URL: c.URL, AppUIDs: ids, Token: c.Token, Dir: c.Dir, Deps: agent.Deps(c.Deps), Python: c.Python,
		PythonDir: c.PythonDir, Requirements: apps.Requirements,
		NodePort: c.NodePort, Parallel: c.Parallel, ShareOutput: c.Share, ShareLogs: c.ShareLogs,
		AppLimits: agent.AppLimits{Memory: int64(c.AppMemory) * 1_000_000, Time: c.AppTime, Disk: c.AppDisk * 1_000_000}, Approve: c.Approve,
		Uncontained: c.Contain == "off", Data: c.Data, Service: c.Service, NewKey: c.NewKey, Version: versionOf(), In: os.Stdin, Out: os.Stdout}
	if !c.Preflight {
		o.Program = ownProgram()
		err := agent.Join(ctx, o)
		if r, ok := errors.AsType[*agent.Replaced](err); ok {
			return become(r.Program, r.Args)
		}
		return err
	}
	o.Token = ""
	good, err := agent.Preflight(ctx, o)
	if err == nil && !good {
		err = domain.Errorf(domain.Unavailable, "This machine cannot join yet.").Fix("Follow the arrows above, then run the check again.")
	}
	return err
}

type leaveCmd struct {
	URL string `arg:"" help:"Address of the server."`
	Dir string `help:"Directory of this machine's key, state and log. Default: below ~/.blossomtune." type:"path"`
}

// Run undoes what join did on this machine.
func (c *leaveCmd) Run(ctx context.Context) error {
	return agent.Leave(ctx, agent.Options{URL: c.URL, Dir: c.Dir, Deps: agent.DepsNever, Version: versionOf(), Out: os.Stdout})
}
