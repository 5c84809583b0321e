package client

import (
	"time"
)

// Exchange is what was asked of one SuperNode, and when each part of it was seen. Times that are not known are left out.
type Exchange struct {
	NodeID  DecimalID  `json:"node_id,string"`
	Phase   string     `json:"phase" enum:"train,evaluate,other"`
	Asked   *time.Time `json:"asked,omitempty" doc:"The ServerApp sent the message"`
	Taken   *time.Time `json:"taken,omitempty" doc:"The SuperNode got it"`
	Get     *time.Time `json:"get,omitempty" doc:"It asked for the first object: the download begins"`
	Got     *time.Time `json:"got,omitempty" doc:"It confirmed that it has all: the work begins"`
	Put     *time.Time `json:"put,omitempty" doc:"It announced its reply: the upload begins"`
	Sent    *time.Time `json:"sent,omitempty" doc:"The last object of its reply"`
	Replied *time.Time `json:"replied,omitempty" doc:"The SuperLink gave the reply to the ServerApp"`
	Failed  bool       `json:"failed"`
}

// Traffic is what went to and from one SuperNode because of a run.
type Traffic struct {
	NodeID DecimalID `json:"node_id,string"`
	Up     int64     `json:"up" doc:"Bytes from the SuperNode"`
	Down   int64     `json:"down" doc:"Bytes to it"`
}
