package runtimeproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// value is one number of a reply.
type value struct {
	name  string
	value float64
}

// object is a decoded small object; exactly one of its parts is set, or none for what is of no interest.
type object struct {
	names  map[string]string // RecordDict: object id by record name
	metric []value           // MetricRecord
	config []value           // the numbers of a ConfigRecord
	round  int               // of a ConfigRecord that Flower's strategies send along: its server-round
	beyond int               // numbers that are not here, because there are too many
}

// numbers returns what an object measures when it is the record of these names.
func (o object) numbers(records []string) []value {
	if slices.ContainsFunc(records, isMetrics) {
		return slices.Concat(o.metric, o.config)
	}
	return o.metric
}

// size is about how much memory an object takes.
func (o object) size() int {
	n := 256
	for name, id := range o.names {
		n += len(name) + len(id) + 64
	}
	for _, v := range slices.Concat(o.metric, o.config) {
		n += len(v.name) + 24
	}
	return n
}

// decode reads an object: a header "<Type> <child ids> <body length>", a zero byte, and the body (flwr 1.42,
// supercore/inflatable). It returns false for what it does not know.
func decode(content []byte) (object, bool) {
	head, body, ok := bytes.Cut(content, []byte{0})
	if !ok || len(head) > headerSlack {
		return object{}, false
	}
	kind, _, _ := bytes.Cut(head, []byte{' '})
	switch string(kind) {
	case "RecordDict":
		return decodeNames(body)
	case "MetricRecord":
		var rec flwrpb.MetricRecord
		if proto.Unmarshal(body, &rec) != nil {
			return object{}, false
		}
		var o object
		for _, it := range rec.GetItems() {
			if len(o.metric) >= maxPerReply {
				o.beyond++
				continue
			}
			var more int
			o.metric, more = appendValue(o.metric, it.GetKey(), it.GetValue())
			o.beyond += more
		}
		return o, true
	case "ConfigRecord":
		var rec flwrpb.ConfigRecord
		if proto.Unmarshal(body, &rec) != nil {
			return object{}, false
		}
		var o object
		for _, it := range rec.GetItems() {
			if len(o.config) >= maxPerReply {
				o.beyond++
				continue
			}
			o.config = appendConfig(o.config, it.GetKey(), it.GetValue())
		}
		o.round = serverRound(o.config)
		return o, true
	}
	return object{}, false
}

// decodeNames reads a RecordDict's body: a JSON object from record name to object id.
func decodeNames(body []byte) (object, bool) {
	var o object
	if json.Unmarshal(body, &o.names) != nil || len(o.names) > 10_000 {
		return object{}, false
	}
	return o, true
}

const (
	maxName = domain.MaxMetricName
	maxList = 50 // numbers kept of a metric that is a list
)

// appendValue adds the numbers of a value, and tells how many more it has.
func appendValue(to []value, key string, v *flwrpb.MetricRecordValue) (out []value, more int) {
	key = cut(key, maxName)
	switch v := v.GetValue().(type) {
	case *flwrpb.MetricRecordValue_Double:
		return append(to, value{key, v.Double}), 0
	case *flwrpb.MetricRecordValue_Sint64:
		return append(to, value{key, float64(v.Sint64)}), 0
	case *flwrpb.MetricRecordValue_Uint64:
		return append(to, value{key, float64(v.Uint64)}), 0
	case *flwrpb.MetricRecordValue_DoubleList:
		return appendList(to, key, v.DoubleList.GetVals())
	case *flwrpb.MetricRecordValue_SintList:
		return appendList(to, key, v.SintList.GetVals())
	case *flwrpb.MetricRecordValue_UintList:
		return appendList(to, key, v.UintList.GetVals())
	}
	return to, 0
}

func appendList[T float64 | int64 | uint64](to []value, key string, vals []T) (out []value, more int) {
	kept := vals[:min(len(vals), maxList)]
	for i, v := range kept {
		to = append(to, value{fmt.Sprintf("%s[%d]", key, i), float64(v)})
	}
	return to, len(vals) - len(kept)
}

func appendConfig(to []value, key string, v *flwrpb.ConfigRecordValue) []value {
	key = cut(key, maxName)
	switch v := v.GetValue().(type) {
	case *flwrpb.ConfigRecordValue_Double:
		return append(to, value{key, v.Double})
	case *flwrpb.ConfigRecordValue_Sint64:
		return append(to, value{key, float64(v.Sint64)})
	case *flwrpb.ConfigRecordValue_Uint64:
		return append(to, value{key, float64(v.Uint64)})
	case *flwrpb.ConfigRecordValue_Bool:
		if v.Bool {
			return append(to, value{key, 1})
		}
		return append(to, value{key, 0})
	}
	return to
}

// isMetrics reports whether a record's numbers are metrics. A MetricRecord's always are; a ConfigRecord's only in the older
// API's replies, which carry the user's metrics so (records "fitres.metrics", "evaluateres.metrics").
func isMetrics(record string) bool {
	return strings.HasPrefix(record, "fitres.metrics") || strings.HasPrefix(record, "evaluateres.metrics")
}

// serverRound finds the round in a config: strategies of the newer API put it there under "server-round" (flwr 1.42,
// serverapp/strategy/fedavg.py) and leave the message's group empty.
func serverRound(config []value) int {
	for _, v := range config {
		if (v.name == "server-round" || v.name == "server_round") && v.value >= 1 && v.value <= maxRound {
			return int(v.value)
		}
	}
	return 0
}
