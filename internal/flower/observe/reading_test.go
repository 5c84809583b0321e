package observe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// metricRecord and configRecord are records as flwr makes them; in turn a key and a value.
func metricRecord(t *testing.T, items ...any) []byte {
	t.Helper()
	rec := &flwrpb.MetricRecord{}
	for i := 0; i < len(items); i += 2 {
		v := &flwrpb.MetricRecordValue{}
		switch n := items[i+1].(type) {
		case int:
			v.Value = &flwrpb.MetricRecordValue_Sint64{Sint64: int64(n)}
		case float64:
			v.Value = &flwrpb.MetricRecordValue_Double{Double: n}
		case []float64:
			v.Value = &flwrpb.MetricRecordValue_DoubleList{DoubleList: &flwrpb.DoubleList{Vals: n}}
		case []int64:
			v.Value = &flwrpb.MetricRecordValue_SintList{SintList: &flwrpb.SintList{Vals: n}}
		default:
			t.Fatalf("%T", n)
		}
		rec.Items = append(rec.Items, &flwrpb.MetricRecord_Item{Key: items[i].(string), Value: v})
	}
	return marshalled(t, "MetricRecord", rec)
}

func configRecord(t *testing.T, items ...any) []byte {
	t.Helper()
	rec := &flwrpb.ConfigRecord{}
	for i := 0; i < len(items); i += 2 {
		v := &flwrpb.ConfigRecordValue{}
		switch n := items[i+1].(type) {
		case int:
			v.Value = &flwrpb.ConfigRecordValue_Sint64{Sint64: int64(n)}
		case float64:
			v.Value = &flwrpb.ConfigRecordValue_Double{Double: n}
		case bool:
			v.Value = &flwrpb.ConfigRecordValue_Bool{Bool: n}
		case []float64:
			v.Value = &flwrpb.ConfigRecordValue_DoubleList{DoubleList: &flwrpb.DoubleList{Vals: n}}
		case []bool:
			v.Value = &flwrpb.ConfigRecordValue_BoolList{BoolList: &flwrpb.BoolList{Vals: n}}
		default:
			t.Fatalf("%T", n)
		}
		rec.Items = append(rec.Items, &flwrpb.ConfigRecord_Item{Key: items[i].(string), Value: v})
	}
	return marshalled(t, "ConfigRecord", rec)
}

func marshalled(t *testing.T, kind string, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, content := objectOf(kind, body)
	return content
}

type records map[string][]byte

// read lets a memory see the objects of a reply and says what it measures: "record/name=value", a setting with a star.
func (m *memory) read(t *testing.T, in records) (out []string) {
	t.Helper()
	ids, names := []string{}, map[string]string{}
	for name, content := range in {
		sum := sha256.Sum256(content)
		id := hex.EncodeToString(sum[:])
		m.object(id, content)
		if names[name] = id; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	body, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	root, content := objectOf("RecordDict", body)
	m.object(root, content)
	found, _ := m.readings(append(ids, root))
	kept, _ := m.bound(found)
	for _, v := range kept {
		star := ""
		if v.setting {
			star = "*"
		}
		out = append(out, fmt.Sprintf("%s/%s=%v%s", v.record, v.name, v.value.value, star))
	}
	return out
}

// Every number of a reply is read with its record, in the same order whatever the order of the records.
func TestNumbersAreReadWithTheirRecords(t *testing.T) {
	equal := metricRecord(t, "loss", 1.5)
	for range 20 { // maps have another order each time
		for name, c := range map[string]struct {
			in   records
			want []string
		}{
			"two records": {records{"train": metricRecord(t, "num-examples", 3, "loss", 0.5), "system": metricRecord(t, "loss", 99.0)},
				[]string{"system/loss=99", "train/num-examples=3", "train/loss=0.5"}},
			"two records of equal content": {records{"a": equal, "b": equal}, []string{"a/loss=1.5", "b/loss=1.5"}},
			"lists":                        {records{"m": metricRecord(t, "acc", []float64{0.5, 0.25}, "hist", []int64{7}, "none", []float64{})}, []string{"m/acc[0]=0.5", "m/acc[1]=0.25", "m/hist[0]=7"}},
			"a config with numbers": {records{"metrics": metricRecord(t, "loss", 0.5), "config": configRecord(t, "seen", 12, "took", 1.5, "done", true, "per", []float64{1, 2}, "kept", []bool{true, false}, "round", 3)},
				[]string{"metrics/loss=0.5", "config/seen=12*", "config/took=1.5*", "config/done=1*", "config/per[0]=1*", "config/per[1]=2*", "config/kept[0]=1*", "config/kept[1]=0*"}},
			"the older API": {records{"evaluateres.loss": metricRecord(t, "loss", 0.5), "evaluateres.num_examples": metricRecord(t, "num_examples", 9),
				"evaluateres.metrics": configRecord(t, "loss", 7.0, "accuracy", 0.75), "evaluateres.status": configRecord(t, "code", 0)},
				[]string{"/evaluateres.metrics.loss=7", "evaluateres.metrics/accuracy=0.75", "/loss=0.5", "/num_examples=9"}},
			"secure aggregation": {records{"secaggplus_configs": configRecord(t, "threshold", 2)}, nil},
		} {
			if d := cmp.Diff(c.want, newMemory().read(t, c.in)); d != "" {
				t.Fatalf("%s:\n%s", name, d)
			}
		}
	}
}

// A config that the ServerApp sent out and a SuperNode sends back measures nothing; what it changed in it does.
func TestAConfigThatComesBackIsNoMetric(t *testing.T) {
	m := newMemory()
	m.given("c", configRecord(t, "lr", 0.1, "epochs", 2, "server-round", 1))
	got := m.read(t, records{"config": configRecord(t, "lr", 0.1, "epochs", 3, "server-round", 1, "steps", 40)})
	if d := cmp.Diff([]string{"config/epochs=3*", "config/steps=40*"}, got); d != "" {
		t.Error(d)
	}
}

// A reply's configs cannot take the place of its metrics.
func TestConfigsLeaveRoomForMetrics(t *testing.T) {
	m := newMemory()
	var many []any
	for i := range 300 {
		many = append(many, fmt.Sprintf("c%03d", i), i)
	}
	got := m.read(t, records{"a": configRecord(t, many...), "metrics": metricRecord(t, "loss", 1.0)})
	if len(got) != 1+domain.MaxSettings || got[0] != "metrics/loss=1" {
		t.Errorf("%d: %v", len(got), got)
	}
	for i := range 300 {
		m.read(t, records{"metrics": metricRecord(t, fmt.Sprintf("m%03d", i), make([]float64, 7))})
	}
	if len(m.names) != maxNames {
		t.Errorf("%d names, want %d: a list has one", len(m.names), maxNames)
	}
}

// A list is cut at its limit, and the rest is counted.
func TestALongListIsCut(t *testing.T) {
	o, ok := decode(metricRecord(t, "acc", make([]float64, 1000)))
	if !ok || len(o.metric) != maxList || o.beyond != 1000-maxList || o.metric[maxList-1].name != "acc[99]" {
		t.Errorf("%v: %d and %d beyond", ok, len(o.metric), o.beyond)
	}
}
