package observe

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// manyMetrics is a record of n metrics, the first of which is NaN.
func manyMetrics(t *testing.T, n int) (id string, content []byte) {
	t.Helper()
	rec := &flwrpb.MetricRecord{}
	for i := range n {
		v := float64(i)
		if i == 0 {
			v = math.NaN()
		}
		rec.Items = append(rec.Items, &flwrpb.MetricRecord_Item{Key: fmt.Sprintf("metric-%07d", i), Value: &flwrpb.MetricRecordValue{Value: &flwrpb.MetricRecordValue_Double{Double: v}}})
	}
	body, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return objectOf("MetricRecord", body)
}

// However the bytes come, they are read alike; and an object that is no record is let alone.
func TestALargeRecordIsReadInPieces(t *testing.T) {
	_, content := manyMetrics(t, maxPerReply+50)
	answer, err := proto.Marshal(&flwrpb.PullObjectResponse{ObjectFound: true, ObjectAvailable: true, ObjectContent: content})
	if err != nil {
		t.Fatal(err)
	}
	kind, at := recordIn(answer[:2*headerSlack])
	if kind != "MetricRecord" {
		t.Fatalf("it is taken for %q", kind)
	}
	for name, in := range map[string]io.Reader{"whole": bytes.NewReader(answer), "a byte at a time": iotest.OneByteReader(bytes.NewReader(answer)), "in halves": iotest.HalfReader(bytes.NewReader(answer))} {
		var got *object
		s := &sieve{in: in, left: int64(len(answer)), skip: int64(at), done: func(o object) { got = &o }}
		passed, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(passed, answer) || got == nil || len(got.metric) != maxPerReply || got.beyond != 50 {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
	_, array := objectOf("Array", make([]byte, 1<<20))
	answer, err = proto.Marshal(&flwrpb.PullObjectResponse{ObjectFound: true, ObjectAvailable: true, ObjectContent: array})
	if err != nil {
		t.Fatal(err)
	}
	if kind, _ := recordIn(answer[:2*headerSlack]); kind != "" {
		t.Errorf("an array is taken for a %s", kind)
	}
}
