package runtimeproxy

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"testing"

	"blossomtune/internal/domain"
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

// A record of a million metrics passes whole; what is kept of it is kept, and the rest is counted.
func TestAMillionMetricsAreCounted(t *testing.T) {
	const n = 1_000_000
	r := newRig(t, nil)
	id, content := manyMetrics(t, n)
	r.link.objects[id] = content
	if !r.proxy.seen.Replies(t.Context(), &flwrpb.PullAppMessagesResponse{
		MessagesList:       []*flwrpb.Message{{Metadata: &flwrpb.Metadata{MessageId: "reply", ReplyToMessageId: "asked", SrcNodeId: 9}}},
		MessageObjectTrees: []*flwrpb.ObjectTree{{ObjectId: id}}}) {
		t.Fatal("the reply is not noted")
	}
	request, err := proto.Marshal(&flwrpb.PullObjectRequest{RunId: 7, ObjectId: id})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := r.app.try("pull-object", request)
	var out flwrpb.PullObjectResponse
	if err != nil || status != http.StatusOK || proto.Unmarshal(answer, &out) != nil || !bytes.Equal(out.GetObjectContent(), content) {
		t.Fatalf("%d %v: the object did not come whole", status, err)
	}
	if !r.proxy.seen.Confirm(t.Context(), "reply") || len(r.sink.all) != 1 {
		t.Fatalf("%d observations are stored", len(r.sink.all))
	}
	ms := r.sink.metrics()
	if len(ms) != domain.MaxMetricNames || r.sink.all[0].Dropped != n-len(ms) || !math.IsNaN(ms[0].Value) || ms[1].Name != "metric-0000001" {
		t.Errorf("%d metrics and %d more", len(ms), r.sink.all[0].Dropped)
	}
}
