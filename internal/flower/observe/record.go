package observe

import (
	"bytes"
	"encoding/json"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// value is one number of a record. An element of a list has the name that [domain.ElementName] gives it.
type value struct {
	name  string
	value float64
}

// object is a decoded small object; exactly one of its parts is set, or none for what is of no interest.
type object struct {
	names  map[string]string // RecordDict: object id by record name
	metric []value           // MetricRecord
	config []value           // the numbers of a ConfigRecord
	round  int               // the round that a ConfigRecord names; 0: none
	beyond int               // numbers that are not here, because there are too many
}

// values are the object's numbers.
func (o object) values() []value {
	if o.config != nil {
		return o.config
	}
	return o.metric
}

// size is about how much memory an object takes.
func (o object) size() int {
	n := 256
	for name, id := range o.names {
		n += len(name) + len(id) + 64
	}
	for _, values := range [][]value{o.metric, o.config} {
		for _, v := range values {
			n += len(v.name) + 24
		}
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
			o.addMetric(it)
		}
		return o, true
	case "ConfigRecord":
		var rec flwrpb.ConfigRecord
		if proto.Unmarshal(body, &rec) != nil {
			return object{}, false
		}
		var o object
		for _, it := range rec.GetItems() {
			o.addConfig(it)
		}
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

func (o *object) addMetric(it *flwrpb.MetricRecord_Item) {
	if len(o.metric) >= maxPerReply {
		o.beyond++
		return
	}
	key := it.GetKey()
	switch v := it.GetValue().GetValue().(type) {
	case *flwrpb.MetricRecordValue_Double:
		o.metric = append(o.metric, number(key, v.Double))
	case *flwrpb.MetricRecordValue_Sint64:
		o.metric = append(o.metric, number(key, v.Sint64))
	case *flwrpb.MetricRecordValue_Uint64:
		o.metric = append(o.metric, number(key, v.Uint64))
	case *flwrpb.MetricRecordValue_DoubleList:
		o.metric = appendList(o, o.metric, key, v.DoubleList.GetVals())
	case *flwrpb.MetricRecordValue_SintList:
		o.metric = appendList(o, o.metric, key, v.SintList.GetVals())
	case *flwrpb.MetricRecordValue_UintList:
		o.metric = appendList(o, o.metric, key, v.UintList.GetVals())
	}
}

func (o *object) addConfig(it *flwrpb.ConfigRecord_Item) {
	if len(o.config) >= maxPerReply {
		o.beyond++
		return
	}
	key := it.GetKey()
	switch v := it.GetValue().GetValue().(type) {
	case *flwrpb.ConfigRecordValue_Double:
		o.config = append(o.config, number(key, v.Double))
	case *flwrpb.ConfigRecordValue_Sint64:
		o.config = append(o.config, number(key, v.Sint64))
	case *flwrpb.ConfigRecordValue_Uint64:
		o.config = append(o.config, number(key, v.Uint64))
	case *flwrpb.ConfigRecordValue_Bool:
		o.config = append(o.config, number(key, truth(v.Bool)))
	case *flwrpb.ConfigRecordValue_DoubleList:
		o.config = appendList(o, o.config, key, v.DoubleList.GetVals())
	case *flwrpb.ConfigRecordValue_SintList:
		o.config = appendList(o, o.config, key, v.SintList.GetVals())
	case *flwrpb.ConfigRecordValue_UintList:
		o.config = appendList(o, o.config, key, v.UintList.GetVals())
	case *flwrpb.ConfigRecordValue_BoolList:
		vals := v.BoolList.GetVals()
		numbers := make([]float64, len(vals))
		for i, b := range vals {
			numbers[i] = truth(b)
		}
		o.config = appendList(o, o.config, key, numbers)
	}
	if roundKeys[key] && len(o.config) > 0 && (o.round == 0 || strings.HasPrefix(key, "server")) {
		o.round = roundIn(o.config[len(o.config)-1].value)
	}
}

// truth is a truth value as a number: 1 for true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func number[T float64 | int64 | uint64](key string, v T) value {
	return value{domain.FitMetricName(key), float64(v)}
}

const (
	maxName = domain.MaxMetricName
	maxList = domain.MaxListMetric // numbers kept of a metric that is a list
)

func appendList[T float64 | int64 | uint64](o *object, to []value, key string, vals []T) []value {
	key = domain.FitMetricName(key)
	kept := vals[:min(len(vals), maxList)]
	for i, v := range kept {
		to = append(to, value{domain.ElementName(key, i), float64(v)})
	}
	o.beyond += len(vals) - len(kept)
	return to
}

// roundKeys are the keys under which a config sent to SuperNodes names the round. Strategies of the newer API write "server-round" (flwr
// 1.42, serverapp/strategy/fedavg.py) and leave the message's group empty; apps with a loop of their own write what they like.
var roundKeys = map[string]bool{"server-round": true, "server_round": true, "current-round": true, "current_round": true,
	"fl-round": true, "fl_round": true, "round": true, "rnd": true}

func roundIn(v float64) int {
	if n := int(v); v >= 1 && v <= maxRound && float64(n) == v {
		return n
	}
	return 0
}

// role says what the numbers of a reply's record are.
type role int

const (
	asMetrics  role = iota // the user's metrics
	asProtocol             // metrics of the older API's own, whose bare names are theirs
	asSettings             // a ConfigRecord of the user: numbers, as far as they do not repeat what was sent out
	asNothing              // Flower's own bookkeeping
)

// roleOf tells what a record is by its name (flwr 1.42, compat/common/recorddict_compat.py and secaggplus_constants.py).
func roleOf(record string, config bool) role {
	older := strings.HasPrefix(record, "fitres.") || strings.HasPrefix(record, "evaluateres.")
	switch {
	case older && strings.HasSuffix(record, ".metrics"):
		return asMetrics
	case older && config, strings.HasPrefix(record, "getparametersres."), record == "getpropertiesres.status",
		strings.HasPrefix(record, "secaggplus_"):
		return asNothing
	case older:
		return asProtocol
	case config:
		return asSettings
	}
	return asMetrics
}
