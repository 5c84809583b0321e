package client

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
	Busy          bool       `json:"busy" doc:"A run is in progress: do not restart the SuperNode now"`
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

// Enrol enrols a machine's key.
type Enrol struct {
	Token     string `json:"token" maxLength:"512"`
	PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
	Proof     string `json:"proof" maxLength:"512" doc:"base64 of an ECDSA signature over SHA-256 of blossomtune-enrol: and the token's id"`
}

// AgentReport is what a machine reports of itself.
type AgentReport struct {
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

// AppExit is how a ClientApp failed.
type AppExit struct {
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

// NodeLog is a part of a log of a participant's machine.
type NodeLog struct {
	Part    string   `json:"part" enum:"supernode,clientapp"`
	RunID   string   `json:"run_id,omitempty" maxLength:"20" doc:"The SuperLink's id of the run that a ClientApp belongs to"`
	LeftOut int      `json:"left_out,omitempty" minimum:"0" doc:"Lines before these that were not sent, because there were too many"`
	Lines   []string `json:"lines" maxItems:"500" doc:"New lines, without their ends; 64 KiB at most"`
}

// AskDevice names a terminal that has no token.
type AskDevice struct {
	Host string `json:"host" maxLength:"120" doc:"What the machine calls itself"`
}

// RotateKey puts a new key in the place of the signing one.
type RotateKey struct {
	PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
	Proof     string `json:"proof" maxLength:"512" doc:"base64 of an ECDSA signature over SHA-256 of blossomtune-enrol: and the old key's fingerprint"`
}

// DeviceCode is what a terminal without a token shows and waits with.
type DeviceCode struct {
	Code     string `json:"code" doc:"Two groups; the terminal adds a third from the CA that it sees"`
	Secret   string `json:"secret"`
	Page     string `json:"page" doc:"Where the code is entered"`
	Interval int    `json:"interval" doc:"Seconds between two questions"`
	Seconds  int    `json:"seconds" doc:"How long the code works"`
}

// PollDevice asks whether a terminal is approved.
type PollDevice struct {
	Secret string `json:"secret" maxLength:"100"`
}

// DeviceToken is the join token of an approved terminal; empty while it waits.
type DeviceToken struct {
	Token string `json:"token"`
}

// AgentApps is what a machine's owner decided about app versions.
type AgentApps struct {
	Apps []AppDecision `json:"apps" maxItems:"50"`
}

// AppDecision is what a machine's owner decided about one app version.
type AppDecision struct {
	Hash  string `json:"hash" pattern:"^[0-9a-f]{64}$"`
	State string `json:"state" enum:"waiting,approved,rejected"`
	Rule  string `json:"rule,omitempty" maxLength:"40" pattern:"^[a-z-]*$" doc:"Which of the owner's rules holds it back"`
}

// About is what a machine needs to know before it joins.
type About struct {
	Version string `json:"version"`
	Flwr    string `json:"flwr_version"`
}
