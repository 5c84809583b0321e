package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// field is how a field travels, in the words that testdata/peer.py uses too.
type field struct {
	Number   int    `json:"number"`
	Type     string `json:"type"`
	Repeated bool   `json:"repeated"`
	Map      bool   `json:"map"`
	Optional bool   `json:"optional"`
	Oneof    string `json:"oneof"`
	Message  string `json:"message"`
}

type messages map[string]map[string]field

const ourPackage = "blossomtune.flwr."

func describe(ms protoreflect.MessageDescriptors, into messages) {
	for i := range ms.Len() {
		m := ms.Get(i)
		fields := map[string]field{}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			d := field{Number: int(f.Number()), Type: f.Kind().String(), Repeated: f.Cardinality() == protoreflect.Repeated, Map: f.IsMap()}
			if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
				d.Oneof = string(o.Name())
			}
			d.Optional = f.HasPresence() && f.Message() == nil && d.Oneof == ""
			if f.Message() != nil {
				d.Message = strings.TrimPrefix(string(f.Message().FullName()), ourPackage)
			}
			fields[string(f.Name())] = d
		}
		into[strings.TrimPrefix(string(m.FullName()), ourPackage)] = fields
		describe(m.Messages(), into)
	}
}

// differences says where ours is not as theirs. What only theirs has does not matter: protobuf keeps what it does not know.
func differences(ours, theirs messages) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		other, ok := theirs[name]
		if !ok {
			out = append(out, fmt.Sprintf("flwr has no message %s", name))
			continue
		}
		for _, f := range slices.Sorted(maps.Keys(ours[name])) {
			switch got, ok := other[f]; {
			case !ok:
				out = append(out, fmt.Sprintf("%s: flwr has no field %s", name, f))
			case got != ours[name][f]:
				out = append(out, fmt.Sprintf("%s.%s: ours is %+v, flwr's is %+v", name, f, ours[name][f], got))
			}
		}
	}
	return out
}

func TestMessagesAreFlwrs(t *testing.T) {
	ours, theirs := messages{}, messages{}
	describe(flwrpb.File_flwr_proto.Messages(), ours)
	ask(t, "descriptors", nil, &theirs)
	for _, d := range differences(ours, theirs) {
		t.Error(d)
	}
	fields := 0
	for _, m := range ours {
		fields += len(m)
	}
	t.Logf("%d messages with %d fields are as flwr has them", len(ours), fields)
}

// TestContractSeesChanges keeps the test above honest: each kind of change in flwr is found and named.
func TestContractSeesChanges(t *testing.T) {
	for change, edit := range map[string]func(f *field){
		"number":  func(f *field) { f.Number++ },
		"type":    func(f *field) { f.Type = "sint64" },
		"label":   func(f *field) { f.Repeated = !f.Repeated },
		"map":     func(f *field) { f.Map = !f.Map },
		"oneof":   func(f *field) { f.Oneof = "other" },
		"message": func(f *field) { f.Message = "Other" },
		"presence": func(f *field) {
			f.Optional = !f.Optional
		},
	} {
		ours, theirs := messages{}, messages{}
		describe(flwrpb.File_flwr_proto.Messages(), ours)
		describe(flwrpb.File_flwr_proto.Messages(), theirs)
		f := theirs["Run"]["override_config"]
		edit(&f)
		theirs["Run"]["override_config"] = f
		if d := differences(ours, theirs); len(d) != 1 || !strings.HasPrefix(d[0], "Run.override_config: ") {
			t.Errorf("a change of the %s gives %q", change, d)
		}
	}
	ours, theirs := messages{}, messages{}
	describe(flwrpb.File_flwr_proto.Messages(), ours)
	describe(flwrpb.File_flwr_proto.Messages(), theirs)
	delete(theirs["Run"], "fab_hash")
	delete(theirs, "Task")
	want := []string{"Run: flwr has no field fab_hash", "flwr has no message Task"}
	if d := differences(ours, theirs); !slices.Equal(d, want) {
		t.Errorf("got %q, want %q", d, want)
	}
}

// TestErrorCodesAreFlwrs compares the codes that the client acts on, and those that must not be taken for them.
func TestErrorCodesAreFlwrs(t *testing.T) {
	var theirs map[string]flwrError
	ask(t, "errors", nil, &theirs)
	for name, code := range map[string]int{"RUN_ID_NOT_FOUND": codeRunNotFound, "PUBLIC_KEY_ALREADY_IN_USE": codeKeyInUse, "NODE_NOT_FOUND": codeNodeNotFound} {
		if got, ok := theirs[name]; !ok || got.Code != code {
			t.Errorf("%s is %d here and %+v in flwr", name, code, got)
		}
	}
}
