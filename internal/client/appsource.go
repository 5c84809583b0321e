package client

// AppFile is one file of an app version.
type AppFile struct {
	Path string `json:"path"`
	Size int64  `json:"size" doc:"Bytes"`
}

// AppText is a file as text.
type AppText struct {
	AppFile
	Lines   []string `json:"lines" doc:"Characters that one does not see are written by number; very long lines are cut, and say so"`
	Binary  bool     `json:"binary" doc:"No text: there are no lines"`
	Cut     bool     `json:"cut" doc:"The file has more than is here; the FAB has all of it"`
	Special int      `json:"special" doc:"How many characters were written by number"`
}

// AppDiff is what differs between two versions.
type AppDiff struct {
	Older string        `json:"older" doc:"Hash"`
	Newer string        `json:"newer" doc:"Hash"`
	Files []AppFileDiff `json:"files"`
	Same  int           `json:"same" doc:"How many files do not differ"`
	Cut   bool          `json:"cut" doc:"More differs than is here line by line"`
}

// AppFileDiff is one file that differs.
type AppFileDiff struct {
	Path    string     `json:"path"`
	Change  string     `json:"change" enum:"added,removed,changed"`
	OldSize int64      `json:"old_size"`
	NewSize int64      `json:"new_size"`
	Binary  bool       `json:"binary"`
	Large   bool       `json:"large" doc:"Too large for lines"`
	Added   int        `json:"added"`
	Removed int        `json:"removed"`
	Lines   []DiffLine `json:"lines" doc:"Those that changed, with up to 3 unchanged ones around"`
}

// DiffLine is one line of a comparison.
type DiffLine struct {
	Op   string `json:"op" enum:" ,-,+"`
	Old  int    `json:"old,omitempty"`
	New  int    `json:"new,omitempty"`
	Text string `json:"text"`
}
