package observe

import (
	"encoding/json"
	"testing"

	"blossomtune/internal/domain"
)

// FuzzShapes reads any two objects as descriptions of a reply's arrays: what is kept of them, and told of their round, stays within its bounds.
func FuzzShapes(f *testing.F) {
	_, array := objectOf("Array", []byte(`{"dtype":"float32","shape":[10,64],"stype":"numpy.ndarray","arraychunk_ids":[0]}`))
	for _, record := range []string{`{"layer.weight":"array","bias":"array"}`, `{"a":"array","a":"record"}`, `{"a":{}}`, `{"\u0000":"\ud800"}`, `[`, `{}`} {
		_, content := objectOf("ArrayRecord", []byte(record))
		f.Add(content, array)
		f.Add(array, content)
	}
	f.Add([]byte("Array\x00{\"shape\":[-1,9223372036854775807]}"), []byte("Array\x00{\"shape\":null}"))
	f.Fuzz(func(t *testing.T, record, array []byte) {
		s := newShapes()
		s.object("record", record)
		s.object("array", array)
		if s.objects.cost > 32*(len(record)+len(array))+512 {
			t.Errorf("%d and %d bytes cost %d", len(record), len(array), s.objects.cost)
		}
		e := domain.Exchange{Round: 1, Phase: domain.PhaseTrain}
		s.reply(e, s.of([]string{"record", "array"}, []string{"record"}))
		s.reply(e, s.of([]string{"array"}, nil))
		told := s.told()
		if told.Replies+told.Unread > 2 || len(told.Differ) > domain.MaxMisfits || told.Further > 0 && len(told.Differ) < domain.MaxMisfits {
			t.Errorf("%+v", told)
		}
		for _, m := range told.Differ {
			if !domain.Storable(m.Array) || len(m.Array) > 3*maxName {
				t.Errorf("the array's name %q cannot be stored", m.Array)
			}
			for _, sent := range m.Sent {
				if len(sent.Shape) > 25*maxDims || sent.Count < 1 || len(sent.Nodes) > sent.Count {
					t.Errorf("%+v", sent)
				}
			}
		}
		if _, err := json.Marshal(told); err != nil {
			t.Error(err)
		}
	})
}
