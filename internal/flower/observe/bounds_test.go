package observe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// objectOf makes an object as flwr does: a header, a zero byte, a body.
func objectOf(kind string, body []byte) (id string, content []byte) {
	content = append(fmt.Appendf(nil, "%s  %d\x00", kind, len(body)), body...)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), content
}

// A hostile reply fills neither memory nor database.
func TestMetricsAreBounded(t *testing.T) {
	m := newMemory()
	var many []reading
	for i := range 10_000 {
		many = append(many, reading{value: value{name: "m" + string(rune('a'+i%26)) + strings.Repeat("x", i%10), value: float64(i)}})
	}
	kept, over := m.bound(many)
	if len(kept) > maxPerReply || len(kept)+over != len(many) {
		t.Errorf("%d of %d are kept, %d left out", len(kept), len(many), over)
	}
	names := map[string]bool{}
	for i := range 1000 {
		kept, _ := m.bound([]reading{{value: value{name: strings.Repeat("n", i+1), value: 1}}})
		for _, v := range kept {
			names[v.name] = true
		}
	}
	if len(m.names) > maxNames {
		t.Errorf("%d names are kept", len(m.names))
	}
	if got := cut(strings.Repeat("é", 500), maxName); len(got) > maxName || !strings.HasPrefix(got, "é") {
		t.Errorf("a long name is kept as %d bytes", len(got))
	}
}

// NaN and infinities are numbers like others.
func TestOddNumbersAreKept(t *testing.T) {
	rec := &flwrpb.MetricRecord{}
	for name, v := range map[string]float64{"nan": math.NaN(), "inf": math.Inf(1)} {
		rec.Items = append(rec.Items, &flwrpb.MetricRecord_Item{Key: name, Value: &flwrpb.MetricRecordValue{Value: &flwrpb.MetricRecordValue_Double{Double: v}}})
	}
	body, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	_, content := objectOf("MetricRecord", body)
	o, ok := decode(content)
	if !ok || len(o.metric) != 2 {
		t.Fatalf("decoded %v %+v", ok, o)
	}
	for _, v := range o.metric {
		if v.name == "nan" && !math.IsNaN(v.value) || v.name == "inf" && !math.IsInf(v.value, 1) {
			t.Errorf("%s is %v", v.name, v.value)
		}
	}
}

func FuzzDecode(f *testing.F) {
	_, record := objectOf("MetricRecord", []byte{10, 0})
	f.Add(record)
	f.Add([]byte("RecordDict  2\x00{}"))
	f.Add([]byte("ConfigRecord"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if o, ok := decode(content); ok && len(o.metric)+len(o.config) > len(content)+maxList {
			t.Errorf("%d bytes are %d numbers", len(content), len(o.metric)+len(o.config))
		}
	})
}

// A small reply that lists its records again and again, or gives one record thousands of names, takes no memory for it. All numbers that
// are not kept are counted, each record's once for each of its names.
func TestRecordsOfManyNamesAreBounded(t *testing.T) {
	m := newMemory()
	var items []any
	for i := range maxPerReply {
		items = append(items, strconv.Itoa(i), float64(i))
	}
	m.object("numbers", metricRecord(t, items...))
	const names = 3000
	dict := map[string]string{}
	for i := range names {
		dict[fmt.Sprint("record ", i)] = "numbers"
	}
	body, err := json.Marshal(dict)
	if err != nil {
		t.Fatal(err)
	}
	_, content := objectOf("RecordDict", body)
	m.object("many", content)
	m.object("one", []byte("RecordDict  0\x00{\"a record\": \"numbers\"}"))
	tree := func(dict string, times int) *flwrpb.ObjectTree {
		out := &flwrpb.ObjectTree{ObjectId: "root", Children: []*flwrpb.ObjectTree{{ObjectId: "numbers"}}}
		for range times {
			out.Children = append(out.Children, &flwrpb.ObjectTree{ObjectId: dict})
		}
		return out
	}
	for _, c := range []struct {
		dict         string
		times, names int
	}{{"one", 1, 1}, {"one", names, 1}, {"many", 1, names}} {
		objects := flatten(tree(c.dict, c.times))
		got, beyond := m.readings(objects)
		if len(objects) != 3 || len(got) != maxPerReply || len(got)+beyond != c.names*maxPerReply {
			t.Errorf("%q %d times: of %d objects %d numbers are read, and %d more", c.dict, c.times, len(objects), len(got), beyond)
		}
		if records, _ := m.records(objects); len(records) != min(c.names, maxRecords) {
			t.Errorf("%q: %d records", c.dict, len(records))
		}
	}
}
